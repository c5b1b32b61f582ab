"""PharmCAT's own test cases: its VCFs, options, and the diplotypes, their order and scores that it answers."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from cohelix.pgx import reference
from cohelix.pgx.schema import CallParams
from cohelix.pgx.solve import solve
from tests.pgx import pharmcat

pytestmark = pytest.mark.real


def answer(folder: Path, row: dict[str, str]) -> dict[str, object]:
    """Our answer to a row of cases.tsv, in the words of its columns."""
    exemptions = folder / "definitions" / "exemptions.json" if row["exemptions_loaded"] == "1" else None
    if row["definition"] == "default":
        definition = folder / "definitions" / f"{row['gene']}_translation.json"
    else:
        definition = folder / "case_definitions" / Path(row["definition"]).name
    gene = pharmcat.gene(definition, exemptions)
    genotypes = pharmcat.genotypes(folder / "cases" / row["vcf"], gene)
    solved = solve(gene, genotypes, CallParams(combinations=row["find_combinations"] == "1"))
    found: dict[str, object] = solved.answers.to_pylist()[solved.answer[0]]
    return found


def worded(found: dict[str, object], top: bool) -> tuple[str, str, str]:
    """(diplotypes, scores, haplotypes) as cases.tsv writes them."""
    n = found["n_top"] if top else None
    haplotypes = found["haplotypes"] if found["status"] == "haplotypes" else []
    return (
        ";;".join(found["diplotypes"][:n]),  # type: ignore[index]  # a list of str
        ";".join(map(str, found["scores"][:n])),  # type: ignore[index]  # a list of int
        ";;".join(haplotypes),  # type: ignore[arg-type]  # a list of str
    )


def test_cases_are_answered_as_pharmcat_does(root: Path, data: Path) -> None:
    folder = data / "pgx"
    departures = tomllib.loads((root / "tests" / "external" / "pharmcat_departures.toml").read_text())["departure"]
    expected = {(one["case"], one["gene"]): one["rows"] for one in departures}
    rows = pharmcat.rows(folder / "cases" / "cases.tsv")
    assert len(rows) == 167
    differ: Counter[tuple[str, str]] = Counter()
    for row in rows:
        ours = worded(answer(folder, row), row["top_candidate_only"] == "1")
        if ours != (row["expected_diplotypes"], row["scores"], row["expected_haplotypes"]):
            differ[row["case_id"], row["gene"]] += 1
    assert dict(differ) == expected
    assert sum(differ.values()) <= 2


def test_cases_with_the_shipped_definitions(data: Path) -> None:
    """The genes of reference/pgx give the same answers as PharmCAT's own files."""
    folder = data / "pgx"
    rows = [
        row
        for row in pharmcat.rows(folder / "cases" / "cases.tsv")
        if row["definition"] == "default" and (row["exemptions_loaded"] == "1" or row["gene"] != "NAT2")
    ]
    genes = reference.load(CallParams().reference, sorted({row["gene"] for row in rows}))
    assert len(rows) > 140
    for row in rows:
        gene = genes[row["gene"]]
        genotypes = pharmcat.genotypes(folder / "cases" / row["vcf"], gene)
        solved = solve(gene, genotypes, CallParams(combinations=row["find_combinations"] == "1"))
        ours = worded(solved.answers.to_pylist()[solved.answer[0]], row["top_candidate_only"] == "1")
        assert ours == (row["expected_diplotypes"], row["scores"], row["expected_haplotypes"]), row["case_id"]


def test_warnings_of_cases(data: Path) -> None:
    folder = data / "pgx"
    warned = [row for row in pharmcat.rows(folder / "cases" / "cases.tsv") if row["gene_warnings"]]
    assert len(warned) == 3
    for row in warned:
        assert row["gene_warnings"] in answer(folder, row)["warnings"], row["case_id"]  # type: ignore[operator]


def test_a_case_without_a_call_says_why(data: Path) -> None:
    folder = data / "pgx"
    without = [
        row
        for row in pharmcat.rows(folder / "cases" / "cases.tsv")
        if not row["expected_diplotypes"] and not row["expected_haplotypes"]
    ]
    found = Counter(str(answer(folder, row)["status"]) for row in without)
    assert set(found) <= {
        "no_data",
        "no_call_required_missing",
        "no_call_half_genotype",
        "no_call_undocumented",
        "no_call_no_match",
    }
    assert found["no_call_required_missing"] == 1 and found["no_call_no_match"] > 1


def test_slco1b1_without_a_call_is_told_by_rs4149056(data: Path) -> None:
    folder = data / "pgx"
    row = next(
        row for row in pharmcat.rows(folder / "cases" / "cases.tsv") if "testSlco1b1UncalledOverride" in row["case_id"]
    )
    found = answer(folder, row)
    assert found["diplotypes"] == [] and ";;".join(found["haplotypes"]) == row["expected_recommendation_alleles"]  # type: ignore[arg-type]
