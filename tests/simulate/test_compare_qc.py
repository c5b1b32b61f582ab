"""Planted beside found: counted from tables made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import InputError
from cohelix.simulate.compare_qc import Line, as_text, compare_qc


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Four people: a woman, a man reported to be a woman, one with XXY, and the man's identical twin.

    Sample w1 is contaminated, w2 of low coverage; the arrays of 0 and 1 are exchanged, 3 has no genome.
    """
    karyotypes = ["XX", "XY", "XXY", "XY"]
    people = [
        {"person": k, "human": min(k, 1) if k in (1, 3) else k, "karyotype": karyotype, "reported_sex": "female"}
        for k, karyotype in enumerate(karyotypes)
    ]
    plain = {
        "low_coverage": False,
        "contamination": 0.0,
        "contaminant": None,
        "swapped_with": None,
        "failed": None,
        "coverage": 30.0,
    }
    samples = [
        plain | {"sample_id": f"{kind[0]}{k}", "kind": kind, "sample": k, "person": k}
        for kind in ("wgs", "array") for k in range(4) if (kind, k) != ("wgs", 3)
    ]  # fmt: skip
    of = {row["sample_id"]: row for row in samples}
    of["w1"]["contaminant"] = 0
    of["w1"]["contamination"], of["w2"]["low_coverage"], of["w2"]["coverage"] = 0.05, True, 10.0
    of["a0"]["swapped_with"], of["a1"]["swapped_with"], of["a2"]["failed"] = 1, 0, True
    write(tmp_path / "truth" / "samples.parquet", samples)
    write(tmp_path / "truth" / "people.parquet", people)
    pairs = [{"person1": 0, "person2": 2, "expected": 0.25}, {"person1": 0, "person2": 1, "expected": 0.0625}]
    write(tmp_path / "truth" / "kinship.parquet", pairs)
    return tmp_path


def found(failure: str, lines: list[Line]) -> tuple[int, int, int]:
    (line,) = [line for line in lines if line.failure == failure]
    return line.planted, line.found, line.false


def measured(folder: Path, **changes: dict[str, Any]) -> Path:
    right = {
        "w0": {"karyotype": "XX", "sex_concordant": "yes"}, "w1": {"karyotype": "XY", "sex_concordant": "no"},
        "w2": {"karyotype": "XXY", "sex_concordant": None},
    }  # fmt: skip
    plain = {"mean_coverage": 31.0, "contamination": 0.0}
    rows = [{"sample_id": name, **plain, **values} for name, values in right.items()]
    rows[1]["contamination"], rows[2]["mean_coverage"] = 0.06, 9.0
    for row in rows:
        row |= changes.get(str(row["sample_id"]), {})
    write(folder / "qc" / "sample_metrics.parquet", rows)
    return folder / "qc"


def test_everything_found(cohort: Path) -> None:
    lines = compare_qc(cohort, measured(cohort))
    assert found("low coverage", lines) == (1, 1, 0)
    assert found("contamination of 5 %", lines) == (1, 1, 0)
    assert found("sex-chromosome aneuploidy", lines) == (1, 1, 0)
    assert found("reported sex is another", lines) == (1, 1, 0)
    assert any("within 1.00 points" in line.detail for line in lines)
    assert any("class right in 3 of 3" in line.detail for line in lines)


def test_what_is_missed_and_what_is_false(cohort: Path) -> None:
    wrong = {
        "w0": {"contamination": 0.04, "karyotype": "X0", "sex_concordant": "no", "mean_coverage": 12.0},
        "w1": {"contamination": 0.02, "sex_concordant": "yes"}, "w2": {"karyotype": "XX", "mean_coverage": 29.0},
    }  # fmt: skip
    lines = compare_qc(cohort, measured(cohort, **wrong))
    for failure in ("low coverage", "contamination of 5 %", "sex-chromosome aneuploidy", "reported sex is another"):
        assert found(failure, lines) == (1, 0, 1), failure


def test_dna_of_a_relative_is_counted_apart(cohort: Path) -> None:
    samples = pq.read_table(cohort / "truth" / "samples.parquet").to_pylist()
    row = next(row for row in samples if row["sample_id"] == "w2")
    row["contamination"], row["contaminant"] = 0.05, 0
    write(cohort / "truth" / "samples.parquet", samples)
    lines = compare_qc(cohort, measured(cohort, w2={"contamination": 0.01}))
    assert found("contamination of 5 %", lines) == (1, 1, 0)
    assert found("contamination of 5 %, a relative's", lines) == (1, 0, 0)


@pytest.mark.parametrize(("partner", "named"), [("w0", 2), ("w2", 1)])
def test_links_are_wrong_where_two_people_are_on_them(cohort: Path, partner: str, named: int) -> None:
    """The array of 3 is the twin's of 1 and of nobody else: it matches the genome of 1."""
    links = [("a0", "w0", "mismatch"), ("a1", "w1", "mismatch"), ("a2", "w2", "match"), ("a3", "w1", "match")]
    rows = [{"array_sample_id": a, "wgs_sample_id": w, "verdict": verdict} for a, w, verdict in links]
    write(cohort / "c" / "concordance.parquet", rows)
    partners = [
        {"link": 0, "side": "array", "partner_id": "w1", "kind": "swap"},
        {"link": 1, "side": "array", "partner_id": partner, "kind": "swap"},
    ]
    write(cohort / "c" / "partners.parquet", partners)
    lines = compare_qc(cohort, concordance=cohort / "c")
    assert found("array and genome of two people", lines) == (2, 2, 0)
    assert f"right partner for {named};" in lines[0].detail


@pytest.mark.parametrize(("kind", "named"), [("relative", 1), ("none", 1), ("unlinked", 0)])
def test_an_array_of_somebody_without_a_genome_has_no_partner(cohort: Path, kind: str, named: int) -> None:
    samples = pq.read_table(cohort / "truth" / "samples.parquet").to_pylist()
    write(cohort / "truth" / "samples.parquet", [row for row in samples if row["sample_id"] != "w1"])
    link = {"array_sample_id": "a0", "wgs_sample_id": "w0", "verdict": "mismatch"}
    write(cohort / "c" / "concordance.parquet", [link])
    write(cohort / "c" / "partners.parquet", [{"link": 0, "side": "array", "partner_id": "w2", "kind": kind}])
    lines = compare_qc(cohort, concordance=cohort / "c")
    assert found("array and genome of two people", lines) == (1, 1, 0)
    assert f"right partner for {named};" in lines[0].detail


def test_arrays(cohort: Path) -> None:
    rows = [
        {"sample_id": f"a{k}", "array_call_rate": 0.9 if k > 1 else 0.99, "array_contamination": 0.0} for k in range(4)
    ]
    write(cohort / "arrays" / "array_metrics.parquet", rows)
    assert found("array call rate under 0.98", compare_qc(cohort, arrays=cohort / "arrays")) == (1, 1, 1)


def test_another_cohort_is_refused_without_naming_anybody(cohort: Path) -> None:
    folder = measured(cohort, w0={"sample_id": "stranger"})
    with pytest.raises(InputError, match="1 of 3 that it does not have") as refused:
        compare_qc(cohort, folder)
    assert "stranger" not in str(refused.value)
    with pytest.raises(InputError, match=r"array_metrics\.parquet"):
        compare_qc(cohort, arrays=folder)


def test_the_table_is_aligned() -> None:
    text = as_text([Line("swaps", 10, 9, 0, "of 1,000"), Line("low coverage", 3, 3, 1)])
    first, *rows = text.splitlines()
    assert first.split() == ["planted", "failure", "planted", "found", "false", "detail"]
    assert [row.index("of 1,000") for row in rows if "of 1,000" in row] == [first.index("detail")]
