"""Planted relatives and ancestry beside those found: counted from tables made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cohelix.cli.simulate import app
from cohelix.errors import InputError
from cohelix.simulate.compare_ancestry import Comparison, accuracy, as_text, compare_ancestry

GROUPS = ["eur", "eur", "eur", "eur", "afr", "afr", "amr", "oth"]
SOURCES = ("afr", "nat", "eas", "eur", "mid", "sas")
RELATED = [
    (0, 2, "parent-child", 0.25, 0.25), (1, 2, "parent-child", 0.25, 0.26), (2, 3, "full sibs", 0.25, 0.2),
    (4, 5, "half sibs", 0.125, 0.15), (6, 7, "first cousins", 0.0625, 0.05),
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Eight people, the first of whom was sequenced twice."""
    people = [
        {"person": k, "group": group} | {source: float(source == "eur") for source in SOURCES}
        for k, group in enumerate(GROUPS)
    ]
    people[4] |= {"afr": 0.9, "eur": 0.1}
    people[5] |= {"afr": 0.7, "eur": 0.3}
    people[6] |= {"nat": 0.5, "eur": 0.5}
    plain = {"kind": "wgs", "swapped_with": None}
    samples = [{"sample_id": f"w{k}", "person": k} | plain for k in range(len(GROUPS))]
    samples.append({"sample_id": "w0b", "person": 0} | plain)
    write(tmp_path / "truth" / "people.parquet", people)
    write(tmp_path / "truth" / "samples.parquet", samples)
    names = ("person1", "person2", "relationship", "expected", "kinship_made")
    write(tmp_path / "truth" / "kinship.parquet", [dict(zip(names, row, strict=True)) for row in RELATED])
    return tmp_path


def pair(one: str, other: str, kinship: float, degree: int, relationship: str = "distant") -> dict[str, Any]:
    return {
        "sample_id_1": one, "sample_id_2": other, "kinship": kinship, "degree": degree, "relationship": relationship,
    }  # fmt: skip


RIGHT = [
    pair("w0", "w0b", 0.5, 0, "duplicate_or_twin"), pair("w0", "w2", 0.25, 1, "parent_child"),
    pair("w0b", "w2", 0.25, 1, "parent_child"), pair("w1", "w2", 0.26, 1, "parent_child"),
    pair("w2", "w3", 0.22, 1, "full_siblings"), pair("w4", "w5", 0.12, 2), pair("w6", "w7", 0.06, 3),
    pair("w1", "w7", 0.02, 4),
]  # fmt: skip


def relatedness(folder: Path, pairs: list[dict[str, Any]], without: str = "") -> Path:
    write(folder / "kin" / "pairs.parquet", pairs)
    names = [f"w{k}" for k in range(len(GROUPS))] + ["w0b"]
    text = "".join(f"{name}\n" for name in names if name != without)
    (folder / "kin" / "samples.tsv").write_text("sample_id\n" + text)
    return folder / "kin"


def counts(found: Comparison) -> dict[str, tuple[int, int, int]]:
    return {line.failure: (line.planted, line.found, line.false) for line in found.relatives}


def test_every_pair_found(cohort: Path) -> None:
    found = compare_ancestry(cohort, relatedness(cohort, RIGHT))
    assert counts(found) == {
        "duplicates and twins": (1, 1, 0), "first degree": (4, 4, 0), "second degree": (1, 1, 0),
        "third degree": (1, 1, 0), "parent-child of the first degree": (3, 3, 0),
        "full sibs of the first degree": (1, 1, 0),
    }  # fmt: skip
    details = {line.failure: line.detail for line in found.relatives}
    assert details["second degree"] == "kinship off by 0.0300"
    assert details["third degree"] == "kinship off by 0.0100"


def test_what_is_missed_what_is_of_another_degree_and_what_is_false(cohort: Path) -> None:
    pairs = [row for row in RIGHT if row["degree"] != 3]
    changed = {"w4": pair("w4", "w5", 0.2, 1, "full_siblings"), "w2": pair("w3", "w2", 0.25, 1, "parent_child")}
    pairs = [changed.get(row["sample_id_1"], row) for row in pairs] + [pair("w1", "w6", 0.09, 2)]
    found = compare_ancestry(cohort, relatedness(cohort, pairs))
    assert counts(found) == {
        "duplicates and twins": (1, 1, 0), "first degree": (4, 4, 0), "second degree": (1, 0, 1),
        "third degree": (1, 0, 0), "parent-child of the first degree": (3, 3, 1),
        "full sibs of the first degree": (1, 0, 0),
    }  # fmt: skip
    details = {line.failure: line.detail for line in found.relatives}
    assert details["second degree"] == "1 at degree 1, kinship off by 0.0500"
    assert details["third degree"] == "1 not listed"


def test_only_samples_that_were_looked_at_count(cohort: Path) -> None:
    pairs = [row for row in RIGHT if "w0b" not in (row["sample_id_1"], row["sample_id_2"])]
    found = compare_ancestry(cohort, relatedness(cohort, pairs, without="w0b"))
    assert counts(found)["duplicates and twins"] == (0, 0, 0)
    assert counts(found)["first degree"] == (3, 3, 0)


def test_a_chip_counts_for_the_person_whose_dna_it_holds(cohort: Path) -> None:
    samples = pq.read_table(cohort / "truth" / "samples.parquet").to_pylist()
    for row in samples:
        row["swapped_with"] = {"w2": 7, "w7": 2}.get(row["sample_id"])
    write(cohort / "truth" / "samples.parquet", samples)
    pairs = [pair("w0", "w0b", 0.5, 0, "duplicate_or_twin"), pair("w0", "w7", 0.25, 1, "parent_child")]
    found = compare_ancestry(cohort, relatedness(cohort, pairs))
    assert counts(found)["first degree"] == (4, 1, 0)
    assert counts(found)["third degree"] == (1, 0, 0)


def test_relatives_who_were_left_out(cohort: Path) -> None:
    (cohort / "prune").mkdir()
    (cohort / "prune" / "unrelated.tsv").write_text("sample_id\nw0\nw1\nw3\nw4\nw5\nw6\n")
    (cohort / "prune" / "relatedness_flagged_samples.tsv").write_text("sample_id\nw2\nw0b\nw7\n")
    (line,) = compare_ancestry(cohort, unrelated=cohort / "prune").relatives
    assert (line.planted, line.found, line.false) == (6, 5, 0)  # both half sibs were kept
    (cohort / "prune" / "relatedness_flagged_samples.tsv").write_text("sample_id\n")
    (line,) = compare_ancestry(cohort, unrelated=cohort / "prune").relatives
    assert (line.planted, line.found) == (1, 0)


def ancestry(folder: Path, assigned: list[str], shares: list[dict[str, float]]) -> Path:
    rows = [
        {"sample_id": f"w{k}", "group": GROUPS[k], "group_other": name}
        | {f"proportion_{g}": v for g, v in share.items()}
        for k, (name, share) in enumerate(zip(assigned, shares, strict=True))
    ]
    write(folder / "groups" / "ancestry.parquet", rows)
    return folder / "groups"


def test_groups_and_proportions(cohort: Path) -> None:
    plain = {"afr": 0.0, "amr": 0.0, "eur": 1.0}
    shares = [
        plain, plain, plain, plain, plain | {"afr": 0.8, "eur": 0.2}, plain | {"afr": 0.7, "eur": 0.3},
        plain | {"amr": 0.4, "eur": 0.6}, plain,
    ]  # fmt: skip
    assigned = ["eur", "eur", "eur", "oth", "afr", "afr", "eur", "eas"]
    found = compare_ancestry(cohort, ancestry=ancestry(cohort, assigned, shares))
    assert found.confusion == {
        ("eur", "eur"): 3, ("eur", "oth"): 1, ("afr", "afr"): 2, ("amr", "eur"): 1, ("oth", "eas"): 1,
    }  # fmt: skip
    assert accuracy(found.confusion) == pytest.approx(5 / 7)
    by_group = {one.group: one for one in found.shares}
    assert set(by_group) == {"afr", "amr", "eur"}
    assert by_group["afr"].error == pytest.approx(0.1 / 8)
    assert by_group["amr"].mean_true == pytest.approx(0.5 / 8)
    assert by_group["amr"].correlation == pytest.approx(1.0)
    text = as_text(found)
    assert "71.43 % of 7 right" in text and "sure or not, 100.00 %" in text
    (row,) = [line for line in text.splitlines() if line.startswith("eur") and "0." not in line]
    header = next(line for line in text.splitlines() if line.startswith("group"))
    assert dict(zip(header.split()[1:], row.split()[1:], strict=True)) == {
        "afr": "0",
        "eas": "0",
        "eur": "3",
        "oth": "1",
    }


def test_the_command_prints_all_tables_and_nobody(cohort: Path) -> None:
    plain = [{"eur": 1.0}] * 8
    groups = ancestry(cohort, ["eur"] * 8, plain)
    kin = relatedness(cohort, RIGHT)
    done = CliRunner().invoke(
        app, ["compare-ancestry", str(cohort), "--relatedness", str(kin), "--ancestry", str(groups)]
    )
    assert done.exit_code == 0, done.output
    assert "third degree" in done.output and "proportion" in done.output and "correlation" in done.output
    assert not any(f"w{k}" in done.output for k in range(8))


def test_another_cohort_and_other_tables_are_refused(cohort: Path) -> None:
    with pytest.raises(InputError, match="1 of 10 that it does not have") as refused:
        compare_ancestry(cohort, relatedness(cohort, [*RIGHT, pair("stranger", "w0", 0.5, 0)]))
    assert "stranger" not in str(refused.value)
    with pytest.raises(InputError, match="found no degree"):
        compare_ancestry(cohort, relatedness(cohort, [{k: v for k, v in RIGHT[0].items() if k != "degree"}]))
    with pytest.raises(InputError, match=r"ancestry\.parquet in that folder"):
        compare_ancestry(cohort, ancestry=cohort / "kin")
    with pytest.raises(InputError, match=r"unrelated\.tsv in that folder"):
        compare_ancestry(cohort, unrelated=cohort / "kin")
    (cohort / "truth" / "people.parquet").unlink()
    with pytest.raises(InputError, match="truth"):
        compare_ancestry(cohort, relatedness(cohort, RIGHT))
