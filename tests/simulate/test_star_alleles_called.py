"""A made cohort called with the real definitions: what nobody differs at is missing there, and is never reference."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cohelix.cli.__main__ import run
from cohelix.pgx import reference
from cohelix.reference import reference_path
from cohelix.simulate.compare_pgx import compare_pgx

GENES = ("CYP2C19", "NUDT15", "SLCO1B1", "UGT1A1", "VKORC1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cohort c, whose callset has a row only where somebody differs, and its calls p."""
    folder = tmp_path_factory.mktemp("stars")
    lines = reference_path("simulate", "star_alleles", "2", "star_alleles.tsv").read_text().splitlines()
    table = folder / "table.tsv"
    table.write_text("\n".join([lines[0], *(line for line in lines if line.startswith(GENES)), ""]))
    settings = [
        "genotypes=callset", "mode=sites", 'regions=["chr1:1,000,001-1,003,000"]', "haplotypes=40", "private_sites=0.0",
        "reference_people=0", "arrays.share=0", "traits.training=0", "sequencing.share=1.0", f"star_alleles={table}",
    ]  # fmt: skip
    wishes = [word for setting in settings for word in ("--set", f"simulate.{setting}")]
    made = ["simulate", "cohort", "-o", str(folder / "c"), "--persons", "24", "--seed", "3", "--cores", "1", *wishes]
    assert run(made) == 0
    named = [word for gene in GENES for word in ("--gene", gene)]
    target, out = str(folder / "c" / "cohort.callset"), str(folder / "p")
    indels = ["--set", "pgx.call.indels_of_blocks=reference"]
    assert run(["pgx", "call", target, "-o", out, "--cores", "1", *named, *indels]) == 0
    return folder


def test_no_call_contradicts_what_was_planted(folder: Path) -> None:
    lines = {line.gene: line for line in compare_pgx(folder / "c", folder / "p")}
    assert set(lines) == set(GENES)
    for line in lines.values():
        assert line.n >= 24 and sum(line.counts.values()) == line.n
        assert line.counts["wrong"] == line.counts["poor"] == line.counts["ploidy"] == line.counts["copies"] == 0
    assert sum(line.counts["right"] for line in lines.values()) > sum(line.n for line in lines.values()) // 4


def test_positions_without_a_row_are_missing_in_everybody(folder: Path) -> None:
    seen = set()
    for path in (folder / "c" / "cohort.callset" / "genotypes").glob("*.pvar"):
        rows = [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]
        seen |= {(row[0].removeprefix("chr"), int(row[1])) for row in rows}
    genes = reference.load("clinpgx/2025-11-05", GENES)
    (part,) = (folder / "p").glob("part-*.parquet")
    rows = pq.ParquetFile(part).read(["gene", "status", "missing", "confidence"]).to_pylist()
    unseen_anywhere = 0
    for row in rows:
        places = {(place.contig.removeprefix("chr"), place.position) for place in genes[row["gene"]].positions}
        unseen = {position for _, position in places - seen}
        unseen_anywhere += len(unseen)
        assert unseen <= set(row["missing"])
        assert not unseen or row["confidence"] != "high"
        if len(unseen) == len(places):
            assert row["status"] == "no_data"
    assert unseen_anywhere > 0
