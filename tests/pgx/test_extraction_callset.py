"""Genotypes out of callsets: rows merged back, half calls, and what a reference block is evidence of."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohelix.errors import ReferenceMismatch
from cohelix.genotypes.vcf import import_vcf
from cohelix.joint.call import call
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams as JointParams
from cohelix.joint.schema import IngestParams
from cohelix.pgx.schema import CallParams
from cohelix.runtime.local import LocalRuntime
from tests.joint import made as gvcfs
from tests.joint.made import block, variant
from tests.pgx.test_extraction import GENES, HEADER, made, run, texts, vcf

RUNTIME = LocalRuntime(1)
CHR22 = {
    "TOY": made("TOY", "chr22", "autosome", (200, "C", "T,A"), (250, "TG", "T"), (300, "G", "GA"), (390, "A", "C"))
}
SITES = ["chr22\t200\tC\tT", "chr22\t200\tC\tA", "chr22\t250\tTG\tT", "chr22\t300\tG\tGA", "chr22\t390\tA\tC"]


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A callset forced at the loci. A: C/T at 200, deletion at 250, blocks elsewhere. B: A/T at 200, blocks. C: blocks
    of quality up to 320, nothing beyond. D: GQ 0 throughout."""
    folder = tmp_path_factory.mktemp("called")
    people = {
        "A": [
            block("chr22", 100, 199), variant("chr22", 200, "C", "T", "0/1"), block("chr22", 201, 249),
            variant("chr22", 250, "TG", "T", "0/1"), block("chr22", 252, 400),
        ],
        "B": [block("chr22", 100, 199), variant("chr22", 200, "C", "A,T", "1/2"), block("chr22", 201, 400)],
        "C": [block("chr22", 100, 320)],
        "D": [block("chr22", 100, 400, gq=0)],
    }  # fmt: skip
    written = gvcfs.write(
        folder / "g", [gvcfs.Gvcf(name, dict(gvcfs.GRCH38), records=rows) for name, rows in people.items()]
    )
    (folder / "m.tsv").write_text("sample_id\tpath\tsex\n" + "".join(f"{name}\t{path}\t\n" for name, path in written))
    ingest(str(folder / "m.tsv"), str(folder / "x.calls"), IngestParams(), RUNTIME)
    (folder / "s.tsv").write_text("\n".join(["contig\tposition\tref\talt", *SITES]) + "\n")
    root = str(folder / "y.callset")
    call(str(folder / "x.calls"), root, JointParams(), RUNTIME, sites=str(folder / "s.tsv"), only_sites=True)
    return Path(root)


def test_without_evidence_nobody_has_the_reference(called: Path, tmp_path: Path) -> None:
    found = run(called, tmp_path, CHR22)
    assert found.samples().to_pylist() == ["A", "B", "C", "D"]
    assert texts(found, "TOY") == [
        ["C/T", "T/A", "C/C", "-"],
        ["TG/T", "-", "-", "-"],
        ["-", "-", "-", "-"],
        ["A/A", "A/A", "-", "-"],
    ]
    assert found.report["reference_blocks"] == "missing"


def test_blocks_may_be_taken_for_the_reference_at_insertions_and_deletions(called: Path, tmp_path: Path) -> None:
    found = run(called, tmp_path, CHR22, CallParams(indels_of_blocks="reference"))
    assert texts(found, "TOY")[1:3] == [["TG/T", "TG/TG", "TG/TG", "-"], ["G/G", "G/G", "G/G", "-"]]
    assert found.report["reference_blocks"] == "reference"


def test_an_imported_callset_is_taken_as_it_stands(tmp_path: Path) -> None:
    records = [
        "chr1 100 C T,A GT 0/1 1/2 ./2 0/. ./.", "chr1 200 TG T,* GT 0/0 0/1 1/2 0/2 ./1",
        "chr1 300 G A GT 0|1 1 0 ./. 0/0",
        "chrX 70000000 A G GT 1 0 0/1 1/1 0/1",
    ]  # fmt: skip
    file = vcf(tmp_path / "a.vcf", records, n=5)
    sexes = {"p0": "male", "p1": "male", "p2": "female", "p4": "male"}
    import_vcf(str(file), str(tmp_path / "set"), build="GRCh38", sexes=sexes)
    found = run(tmp_path / "set", tmp_path)
    assert texts(found, "TOY")[0] == ["C/T", "T/A", "A/.", "-", "-"]
    assert texts(found, "TOY")[1] == ["TG/TG", "TG/T", "-", "-", "./T"]
    assert texts(found, "XTOY") == [["G", "A", "A/G", "-", "-"]]
    assert found.report["genes"]["XTOY"]["rejected"] == {"sex_unknown": 1}
    assert found.report["reference_blocks"] == "none"


def test_a_callset_of_another_build_is_refused(tmp_path: Path) -> None:
    file = vcf(
        tmp_path / "a.vcf",
        ["chr1 100 C T GT 0/1 0/0 1/1"],
        header=HEADER.replace("248956422", "249250621").replace("156040895", "155270560"),
    )
    import_vcf(str(file), str(tmp_path / "set"))
    with pytest.raises(ReferenceMismatch, match="GRCh37"):
        run(tmp_path / "set", tmp_path, GENES)
