"""Planted beside called: each class from rows written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cohelix.cli.simulate import app
from cohelix.errors import InputError
from cohelix.simulate.compare_pgx import CLASSES, COLUMNS, as_text, compare_pgx

SITE = 94781859  # CYP2C19*2


def planted(folder: Path, stars: list[tuple[int, str, tuple[Any, ...]]]) -> Path:
    """A made cohort, as far as it is read: stars are (person, gene, (allele, copies, crossed) of a copy)."""
    (folder / "truth").mkdir(parents=True)
    people = sorted({person for person, _, _ in stars})
    samples = [
        {"sample_id": f"s{k}", "kind": "wgs", "person": k, "contamination": 0.02 * (k == 9), "low_coverage": False}
        for k in people
    ]
    rows = [
        {"person": person, "gene": gene, "copy": 0, "allele": name, "copies": copies, "crossed": crossed}
        for person, gene, (name, copies, crossed) in stars
    ]
    pq.write_table(pa.Table.from_pylist(samples), folder / "truth" / "samples.parquet")
    pq.write_table(pa.Table.from_pylist(rows), folder / "truth" / "star_alleles.parquet")
    (folder / "cohort.json").write_text(json.dumps({"params": {"cohort": {"star_alleles": "pharmacogenes"}}}))
    return folder


def called(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    lists = ("diplotypes", "candidates", "haplotypes")
    plain = {name: [] for name in lists} | {"status": "called", "missing": []}
    kinds = {name: pa.list_(pa.string()) for name in lists} | {"missing": pa.list_(pa.int32())}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    pq.write_table(pa.Table.from_pylist([plain | row for row in rows], schema), folder / "part-00000.parquet")
    return folder


def pair(person: int, gene: str, *names: str, crossed: bool = False) -> list[tuple[int, str, tuple[Any, ...]]]:
    copies = {"*5": 0, "*1x2": 2} if gene == "CYP2D6" else {}
    return [(person, gene, (name, copies.get(name, 1), crossed)) for name in names]


CASES = [
    # planted, what the row says, class
    (("CYP2C19", "*2", "*38"), {"diplotypes": ["*2/*38"]}, "right"),
    (("CYP2C19", "*38", "*2"), {"diplotypes": ["*2/*38"]}, "right"),
    (("CYP2C19", "*2", "*38"), {"diplotypes": ["*1/*38", "*2/*38"], "status": "ambiguous"}, "among"),
    (("CYP2C19", "*2", "*38"), {"diplotypes": ["*1/*17"], "candidates": ["*1/*17", "*2/*38"]}, "candidate"),
    (("CYP2C19", "*2", "*38"), {"status": "no_data"}, "no_call"),
    (("CYP2C19", "*2", "*38"), {"status": "no_call_no_match"}, "no_call"),
    (("CYP2C19", "*2", "*38"), {"diplotypes": ["*38/*38"], "missing": [SITE]}, "unseen"),
    (("CYP2C19", "*2", "*38"), {"diplotypes": ["*38/*38"], "missing": [SITE + 1]}, "wrong"),
    (("CYP2C19", "*2", "*38"), {"diplotypes": ["*38/*38"]}, "wrong"),
    (("CYP2D6", "*1", "*5"), {"diplotypes": ["*1/*1"]}, "copies"),
    (("CYP2D6", "*1x2", "*4"), {"diplotypes": ["*1/*4"]}, "copies"),
    (("CYP2D6", "*1", "*5"), {"diplotypes": ["*1/*4"]}, "wrong"),
    (("G6PD", "A", "B (reference)"), {"diplotypes": ["A"]}, "ploidy"),
    (("G6PD", "A"), {"diplotypes": ["A"]}, "right"),
    (("DPYD", "Reference", "c.2846A>T"), {"status": "haplotypes", "haplotypes": ["c.2846A>T"]}, "right"),
    (("DPYD", "Reference", "c.2846A>T"), {"status": "haplotypes", "haplotypes": ["Reference"]}, "wrong"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "row", "kind"), CASES)
def test_each_class(tmp_path: Path, of: tuple[str, ...], row: dict[str, Any], kind: str) -> None:
    cohort = planted(tmp_path / "c", pair(0, *of))
    (line,) = compare_pgx(cohort, called(tmp_path / "calls", [{"sample_id": "s0", "gene": of[0]} | row]))
    assert (line.gene, line.n) == (of[0], 1)
    assert line.counts == {name: int(name == kind) for name in CLASSES}
    assert [key[2] for key in line.confused] == ([] if kind == "right" else [kind])


def test_what_explains_a_wrong_call_is_told_apart(tmp_path: Path) -> None:
    stars = [
        *pair(0, "NUDT15", "*1", "*3"),
        *pair(1, "NUDT15", "*1", "*3", crossed=True),
        *pair(9, "NUDT15", "*1", "*3"),
    ]
    rows = [{"sample_id": f"s{k}", "gene": "NUDT15", "diplotypes": ["*1/*1"]} for k in (0, 1, 9)]
    rows.append({"sample_id": "s0", "gene": "RYR1", "diplotypes": ["Reference/Reference"]})  # nothing was planted
    (line,) = compare_pgx(planted(tmp_path / "c", stars), called(tmp_path / "calls", rows))
    assert {kind: n for kind, n in line.counts.items() if n} == {"crossed": 1, "poor": 1, "wrong": 1}
    assert line.confused["*1/*3", "*1/*1", "poor"] == 1


def test_the_command_prints_the_table_and_writes_what_differs(tmp_path: Path) -> None:
    cohort = planted(tmp_path / "c", [*pair(0, "NUDT15", "*1", "*3"), *pair(1, "NUDT15", "*1", "*1")])
    rows = [{"sample_id": f"s{k}", "gene": "NUDT15", "diplotypes": ["*1/*1"]} for k in (0, 1)]
    calls = called(tmp_path / "calls", rows)
    words = ["compare-pgx", str(cohort), "--calls", str(calls), "--confused", str(tmp_path / "differs.tsv")]
    outcome = CliRunner().invoke(app, words)
    assert outcome.exit_code == 0, outcome.output
    assert outcome.output == as_text(compare_pgx(cohort, calls))
    assert outcome.output.splitlines()[1].split() == ["NUDT15", "2", "1", *["0"] * 8, "1"]
    assert (tmp_path / "differs.tsv").read_text().splitlines()[1:] == ["NUDT15\t*1/*3\t*1/*1\twrong\t1"]


def test_calls_of_others_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    cohort = planted(tmp_path / "c", pair(0, "NUDT15", "*1", "*3"))
    with pytest.raises(InputError, match="1 of 1 rows of others"):
        compare_pgx(cohort, called(tmp_path / "other", [{"sample_id": "x", "gene": "NUDT15"}]))
    with pytest.raises(InputError, match="found none"):
        compare_pgx(cohort, tmp_path)
    (tmp_path / "other" / "part-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="part 0 of the calls"):
        compare_pgx(cohort, tmp_path / "other")
    (cohort / "truth" / "star_alleles.parquet").unlink()
    with pytest.raises(InputError, match="truth/star_alleles"):
        compare_pgx(cohort, tmp_path / "other")
