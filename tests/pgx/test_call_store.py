"""From gVCF to star allele: evidence is what decides, and a no-call is never read as reference.

Who has what: r1 is reference wherever a block says so; h2 is heterozygous at two positions of TPMT, on strands that
nobody knows; n3 has a no-call block over one of them, and no record at CYP4F2; u4 has bases that no definition knows.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pysam
import pytest

from cohelix.cli.__main__ import run
from cohelix.jobs.star_alleles import Inputs, call
from cohelix.jobs.star_alleles_target import sites_of
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import IngestParams
from cohelix.pgx import reference
from cohelix.pgx.schema import CallParams
from cohelix.runtime.local import LocalRuntime
from tests.joint import made
from tests.joint.made import block, variant

CONTIGS = {"chr6": 170805979, "chr19": 58617616}
PARAMS = CallParams(genes=("CYP4F2", "TPMT"))
TPMT, CYP4F2 = ("chr6", 18_130_000, 18_150_000), ("chr19", 15_878_000, 15_898_000)
RS1142345, RS1800460, INSERTION = 18_130_687, 18_138_997, 18_149_032
"""Positions of *3C (T>C), of *3B (C>T), which *3A has both of, and of an insertion (C>CT) of another allele."""
RS2108622 = 15_879_621


def people() -> dict[str, list[list[str]]]:
    rest = [block(*CYP4F2)]
    return {
        "r1": [block(*TPMT), *rest],
        "h2": [block("chr6", TPMT[1], RS1142345 - 1), variant("chr6", RS1142345, "T", "C", "0/1"),
               block("chr6", RS1142345 + 1, RS1800460 - 1), variant("chr6", RS1800460, "C", "T", "0/1"),
               block("chr6", RS1800460 + 1, TPMT[2]), *rest],
        "n3": [block("chr6", TPMT[1], RS1142345 - 1), block("chr6", RS1142345, RS1142345 + 9, gt="./.", gq=0),
               block("chr6", RS1142345 + 10, TPMT[2])],
        "u4": [block("chr6", TPMT[1], RS1142345 - 1), variant("chr6", RS1142345, "T", "A", "0/1"),
               block("chr6", RS1142345 + 1, TPMT[2]),
               block("chr19", CYP4F2[1], RS2108622 - 1), variant("chr19", RS2108622, "C", "G", "0/1"),
               block("chr19", RS2108622 + 1, CYP4F2[2])],
    }  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("store")
    gvcfs = [made.Gvcf(name, dict(CONTIGS), records=records) for name, records in people().items()]
    lines = [f"{name}\t{path}\tfemale" for name, path in made.write(folder / "gvcfs", gvcfs)]
    (folder / "manifest.tsv").write_text("\n".join(["sample_id\tpath\tsex", *lines]) + "\n")
    ingest(str(folder / "manifest.tsv"), str(folder / "made.calls"), IngestParams(), LocalRuntime(1))
    return str(folder / "made.calls")


def write_fasta(path: Path, *, wrong: bool = False) -> str:
    """The definitions' bases at their positions, A between; wrong: of another build, where others stand there."""
    with path.open("w") as handle:
        for symbol, (contig, first, last) in (("TPMT", TPMT), ("CYP4F2", CYP4F2)):
            gene = reference.load(PARAMS.reference, (symbol,))[symbol]
            bases = bytearray(b"N" * first + b"A" * (last - first + 100))
            for place in gene.positions:
                spelled = place.ref if not wrong else "".join("G" if one != "G" else "C" for one in place.ref)
                bases[place.position - 1 : place.position - 1 + len(place.ref)] = spelled.encode()
            handle.write(f">{contig}\n{bases.decode()}\n")
    pysam.faidx(str(path))
    return str(path)


@pytest.fixture(scope="module")
def fasta(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_fasta(tmp_path_factory.mktemp("genome") / "genome.fa")


def rows(store: str, fasta: str, out: Path, params: CallParams = PARAMS) -> dict[tuple[str, str], dict[str, Any]]:
    call(store, str(out), Inputs(fasta=fasta), params, LocalRuntime(2))
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    found = pyarrow.dataset.dataset(str(out), format="parquet").to_table().to_pylist()
    return {(row["sample_id"], row["gene"]): row for row in found}


def test_evidence_decides(store: str, fasta: str, tmp_path: Path) -> None:
    found = rows(store, fasta, tmp_path / "out")
    r1 = found["r1", "TPMT"]
    assert (r1["diplotypes"], r1["missing"], r1["confidence"]) == (["*1/*1"], [INSERTION], "missing_positions")
    assert r1["phenotype"] == "Normal Metabolizer"
    r1 = found["r1", "CYP4F2"]
    assert (r1["diplotypes"], r1["missing"], r1["confidence"]) == (["*1/*1"], [], "high")
    h2 = found["h2", "TPMT"]
    assert h2["candidates"] == ["*1/*3A", "*3B/*3C"] and h2["phase"] == "unphased"  # 43 less one, and two; one and one
    assert (h2["diplotypes"], h2["scores"], h2["status"]) == (["*1/*3A"], [44, 2], "called")
    n3 = found["n3", "TPMT"]
    assert n3["missing"] == [RS1142345, 18_130_694, INSERTION]
    assert n3["diplotypes"] == ["*1/*1"] and n3["confidence"] == "missing_positions"
    n3 = found["n3", "CYP4F2"]
    assert (n3["status"], n3["diplotypes"], n3["confidence"], n3["phenotype"]) == ("no_data", [], "none", None)
    assert n3["n_missing"] == n3["n_positions"]


def test_bases_that_no_definition_knows_are_seen(store: str, fasta: str, tmp_path: Path) -> None:
    found = rows(store, fasta, tmp_path / "out")
    tpmt, cyp4f2 = found["u4", "TPMT"], found["u4", "CYP4F2"]
    assert tpmt["undocumented"] == [f"{RS1142345}:A"] and cyp4f2["undocumented"] == [f"{RS2108622}:G"]
    assert tpmt["diplotypes"] == ["*1/*1"]  # of TPMT the source reads it as reference
    assert (cyp4f2["status"], cyp4f2["diplotypes"]) == ("no_call_undocumented", [])


def test_a_block_as_evidence_at_insertions_is_a_choice(store: str, fasta: str, tmp_path: Path) -> None:
    found = rows(store, fasta, tmp_path / "out", replace(PARAMS, indels_of_blocks="reference"))
    assert found["r1", "TPMT"]["missing"] == [] and found["r1", "TPMT"]["confidence"] == "high"
    assert found["n3", "TPMT"]["missing"] == [RS1142345, 18_130_694]


def test_each_base_has_its_three_alternates() -> None:
    sites = sites_of(reference.load(PARAMS.reference, ("TPMT",)))
    assert {alt for _, position, ref, alt in sites if position == RS1142345} == set("ACG")
    assert [site[2:] for site in sites if site[1] == INSERTION and len(site[3]) > 1] == [("C", "CT")]


@pytest.mark.parametrize("name", ["without a genome", "of another build", "no genome there"])
def test_a_genome_that_does_not_fit(
    name: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "made").mkdir()
    code, options = {
        "without a genome": (3, []),
        "of another build": (4, ["--fasta", write_fasta(tmp_path / "made/wrong.fa", wrong=True)]),
        "no genome there": (2, ["--fasta", "none.fa"]),
    }[name]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(["pgx", "call", store, "-o", "out", "--gene", "TPMT", "--gene", "CYP4F2", *options]) == code
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list((tmp_path / "here").iterdir()) == []


def test_no_contig_of_the_genes(store: str, fasta: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["pgx", "call", store, "-o", str(tmp_path / "out"), "--gene", "VKORC1", "--fasta", fasta]
    assert run(line) == 2
    assert "contig" in capsys.readouterr().err and list(tmp_path.iterdir()) == []
