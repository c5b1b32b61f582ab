"""Drugs with guidelines: the table against CPIC's own database, the lines against a loop over people."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cohelix.cli.__main__ import app
from cohelix.errors import InputError
from cohelix.pgx import reference
from cohelix.pgx.outputs import drugs
from cohelix.pgx.outputs.drugs import COLUMNS, export_drugs, read_drugs
from cohelix.reference import read_rows
from tests.pgx.test_outputs import REFERENCE, call_row, with_call, write_calls

CPIC_DATABASE = {
    "abacavir": "190521", "atazanavir": "343047", "atomoxetine": "38400", "azathioprine": "1256",
    "capecitabine": "194000",
    "citalopram": "2556", "clopidogrel": "32968", "codeine": "2670", "efavirenz": "195085", "fluorouracil": "4492",
    "ivacaftor": "1243041", "omeprazole": "7646", "phenytoin": "8183", "rasburicase": "283821", "simvastatin": "36567",
    "succinylcholine": "10154", "tacrolimus": "42316", "tamoxifen": "10324", "voriconazole": "121243",
    "warfarin": "11289",
}  # fmt: skip
"""RxNorm numbers as the script that makes CPIC's database states them."""


def people() -> list[dict[str, object]]:
    """Both genes of amitriptyline; one; neither; a phenotype that is not one; several phenotypes."""
    rows = [
        with_call("p1", "CYP2C19", "*1/*2", "Intermediate Metabolizer"),
        with_call("p1", "CYP2D6", "*1/*4", "Intermediate Metabolizer", activity_score=1.0),
        with_call("p2", "CYP2C19", "*1/*1", "Normal Metabolizer"),
        call_row("p2", "CYP2D6", status="no_data"),
        call_row("p3", "CYP2C19", status="no_data"),
        with_call("p3", "CYP2D6", "*1/*1x≥3", "Ultrarapid Metabolizer", activity_score=4.0),
        call_row("p4", "CYP2C19", status="ambiguous", diplotypes=["*1/*2", "*4/*17"], reported=["*1/*2", "*4/*17"],
                 phenotypes=["a", "b"], activity_scores=[None, None], function1=["x", "y"], function2=["x", "y"]),
        with_call("p5", "CYP2C19", "*1/*1", "n/a"),
        with_call("p5", "CYP2D6", "*1/*1", "Normal Metabolizer", activity_score=2.0),
        with_call("p6", "CYP2C19", "*1/*2", "Intermediate Metabolizer"),
        with_call("p6", "CYP2D6", "*1/*4", "Intermediate Metabolizer", activity_score=1.0),
    ]  # fmt: skip
    return rows


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_lines_are_those_of_a_loop_over_people(tmp_path: Path) -> None:
    rows = people()
    n = export_drugs(write_calls(tmp_path / "calls", rows), str(tmp_path / "drugs.tsv"))
    found = written(tmp_path / "drugs.tsv")
    scores = {"p1": "1.0", "p3": "≥4.0", "p5": "2.0", "p6": "1.0"}
    expected = set()
    for person in sorted({str(row["sample_id"]) for row in rows}):
        known = {
            row["gene"]: row for row in rows if row["sample_id"] == person and row["phenotype"] not in (None, "n/a")
        }
        by_drug: dict[str, list[dict[str, str]]] = {}
        for pair in read_rows("pgx", "drugs", "1", "drugs.tsv"):
            if pair["cpic_level"] in "AB":
                by_drug.setdefault(pair["drug"], []).append(pair)
        for drug, pairs in by_drug.items():
            genes = sorted(pair["gene"] for pair in pairs if pair["gene"] in known)
            if genes:
                expected.add((
                    person, drug, pairs[0]["rxnorm"], pairs[0]["atc"], "|".join(genes),
                    "|".join(str(known[gene]["phenotype"]) for gene in genes),
                    "|".join(scores[person] if gene == "CYP2D6" else "" for gene in genes),
                    "|".join(sorted(pair["gene"] for pair in pairs if pair["gene"] not in known)),
                    pairs[0]["guideline"],
                ))  # fmt: skip
    assert {tuple(row[name] for name in COLUMNS) for row in found} == expected
    assert n == len(found) == len(expected)
    assert {row["sample_id"] for row in found} == {"p1", "p2", "p3", "p5", "p6"}
    both = [row for row in found if row["drug"] == "amitriptyline" and row["sample_id"] == "p1"]
    assert [row["genes"] for row in both] == ["CYP2C19|CYP2D6"]


def test_table_agrees_with_cpics_database_and_holds_no_recommendation() -> None:
    known = {one.name: one for one in read_drugs()}
    assert len(known) == len(read_drugs())
    assert {name: known[name].rxnorm for name in CPIC_DATABASE} == CPIC_DATABASE
    assert known["warfarin"].genes == ("CYP2C9", "CYP4F2", "VKORC1")
    rows = read_rows("pgx", "drugs", "1", "drugs.tsv")
    assert set(rows[0]) == {"gene", "drug", "rxnorm", "atc", "cpic_level", "guideline", "pmid"}
    assert all(row["guideline"].startswith("https://cpicpgx.org/guidelines/") for row in rows)
    assert len({(row["gene"], row["drug"]) for row in rows}) == len(rows)
    named = {gene for one in known.values() for gene in one.genes}
    assert named - set(reference.load(REFERENCE)) <= {"IFNL4"}


def test_command_writes_them_and_damage_leaves_nothing(tmp_path: Path) -> None:
    calls = write_calls(tmp_path / "calls", people())
    out = tmp_path / "drugs.tsv"
    result = CliRunner().invoke(app, ["pgx", "export", calls, "--format", "drugs", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert tuple(out.read_text().splitlines()[0].split("\t")) == drugs.COLUMNS
    (tmp_path / "calls" / "part-00001.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="part 2"):
        export_drugs(calls, str(tmp_path / "other.tsv"))
    assert not list(tmp_path.glob("other*"))
