"""What `cohelix prs score` is given, and the callset that is made of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cohelix import dataset
from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes.callset import open_callset, read_genotypes
from cohelix.jobs import scoring_target
from cohelix.jobs.scoring_target import callset_of
from cohelix.runtime.local import LocalRuntime
from tests.jobs import made_reads
from tests.jobs.made_reads import score_file

RUNTIME = LocalRuntime(1)


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("reads")
    return made_reads.call_store(folder), made_reads.fasta(folder)


def genotypes(root: str) -> dict[str, list[int]]:
    """Of each row, those of P1 to P7; -9 is missing."""
    opened = open_callset(root)
    found = {}
    for shard in opened.shards:
        ids = opened.sites(shard).column("id").to_pylist()
        found |= dict(zip(ids, read_genotypes(opened, shard, 0, shard.n_sites).tolist(), strict=True))
    return found


def made(
    tmp_path: Path, reads: tuple[str, str], rows: list[tuple[object, ...]], **more: object
) -> dict[str, list[int]]:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    scores = score_file(tmp_path / "score.txt", rows, **more)  # type: ignore[arg-type]
    return genotypes(callset_of(reads[0], work, RUNTIME, scores=[scores], fasta=reads[1]))


def test_a_call_store_has_a_row_for_every_site(tmp_path: Path, reads: tuple[str, str]) -> None:
    """REF is the genome's, whichever allele has the effect; a no-call is missing, and evidence is hom-ref."""
    found = made(tmp_path, reads, [
        ("21", 1000, "G", "A", 1),  # the effect allele is ALT
        ("21", 2000, "C", "T", 1),  # REF
        ("21", 3000, "T", "C", 1),  # on the other strand: REF G is C there, so that ALT is A
        ("X", 2_800_000, "C", "A", 1),
        ("22", 1000, "A", "G", 1),
    ])  # fmt: skip
    assert found == {
        "chr21:1000:A:G": [0, 1, 2, -9, -9, 0, 0],  # P4: no-call block, P5: half call
        "chr21:2000:C:T": [0, 0, 0, -9, 0, 0, 0],  # P4: GQ 0
        "chr21:3000:G:A": [0, 0, 0, -9, 0, 0, 0],  # P4: no record
        "chr22:1000:G:A": [0, 0, -9, -9, -9, -9, -9],
        "chrX:2800000:A:C": [0, 1, -9, -9, -9, 2, 0],
    }


def test_rows_without_another_allele(tmp_path: Path, reads: tuple[str, str]) -> None:
    """ALT is what somebody carries, and a transition where nobody does, so that who is called has two copies of REF."""
    found = made(tmp_path, reads, [
        ("21", 1000, "G", "", 1), ("21", 4000, "A", "", 1), ("21", 5000, "C", "", 1),
    ])  # fmt: skip
    assert list(found) == ["chr21:1000:A:G", "chr21:4000:A:C", "chr21:5000:C:T"]
    assert found["chr21:4000:A:C"] == [0, 0, 0, 0, 1, 0, 0]


def test_insertions_and_deletions(tmp_path: Path, reads: tuple[str, str]) -> None:
    """chr21:6000 is AT. AG does not fit it, so A is REF; A and AT both fit, and nobody carries either."""
    found = made(tmp_path, reads, [("21", 6000, "AG", "A", 1), ("21", 6000, "A", "AT", 1), ("21", 1000, "G", "A", 1)])
    assert list(found) == ["chr21:1000:A:G", "chr21:6000:A:AG"]


def test_another_alternate_is_missing_not_reference(tmp_path: Path, reads: tuple[str, str]) -> None:
    found = made(tmp_path, reads, [("21", 4000, "G", "A", 1)])
    assert found == {"chr21:4000:A:G": [0, 0, 0, 0, -9, 0, 0]}


def test_special_rows_have_sites_too(tmp_path: Path, reads: tuple[str, str]) -> None:
    columns = ("chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight", "is_interaction")
    rows: list[tuple[object, ...]] = [
        ("21_x_21", "1000_x_7000", "G_x_T", "A_x_C", 1, "TRUE"), ("21", 8000, "A", "G", 1, "FALSE"),
    ]  # fmt: skip
    assert list(made(tmp_path, reads, rows, columns=columns)) == [
        "chr21:1000:A:G", "chr21:7000:T:C", "chr21:8000:G:A",
    ]  # fmt: skip


def test_what_a_call_store_needs(tmp_path: Path, reads: tuple[str, str]) -> None:
    scores = score_file(tmp_path / "score.txt", [("21", 1000, "G", "A", 1)])
    with pytest.raises(ConfigError, match="--fasta"):
        callset_of(reads[0], tmp_path, RUNTIME, scores=[scores])
    with pytest.raises(ConfigError, match="--scores"):
        callset_of(reads[0], tmp_path, RUNTIME, fasta=reads[1])
    with pytest.raises(InputError, match="FASTA with its index"):
        callset_of(reads[0], tmp_path, RUNTIME, scores=[scores], fasta=str(tmp_path / "none.fa"))
    with pytest.raises(ReferenceMismatch, match="GRCh37"):
        made(tmp_path, reads, [("21", 1000, "G", "A", 1)], build="hg19")
    with pytest.raises(InputError, match="found none"):
        made(tmp_path, reads, [("1", 1000, "G", "A", 1)])


def test_build_that_nobody_states(tmp_path: Path, reads: tuple[str, str]) -> None:
    """SNPs of another build have an allele of the reference by chance only."""
    import pysam

    with pysam.FastaFile(reads[1]) as handle:
        bases = handle.fetch("chr21")
    pairs = {"A": "G", "C": "T", "G": "A", "T": "C"}
    rows: list[tuple[object, ...]] = [("21", at, bases[at - 1], pairs[bases[at - 1]], 1) for at in range(100, 140)]
    assert len(made(tmp_path, reads, rows, build="NR")) == 40
    off: list[tuple[object, ...]] = [("21", at + 5, *row[2:]) for at, row in zip(range(100, 140), rows, strict=True)]
    shutil.rmtree(tmp_path / "work")
    with pytest.raises(ReferenceMismatch, match="by chance"):
        made(tmp_path, reads, off, build="NR")


def vcf(path: Path) -> str:
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr21,length=46709983>"]
    lines += [
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB",
        "chr21\t10\t.\tA\tG\t.\t.\t.\tGT\t0/1\t./.",
    ]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_files_are_imported_and_callsets_taken(tmp_path: Path) -> None:
    source, work = vcf(tmp_path / "made.vcf"), tmp_path / "work"
    work.mkdir()
    root = callset_of(source, work, RUNTIME)
    assert genotypes(root) == {"chr21:10:A:G": [1, -9]}
    assert callset_of(root, tmp_path, RUNTIME) == root  # a callset is taken as it is
    said = open_callset(root).commit.provenance
    assert [one["role"] for one in said["inputs"]] == ["genotypes"]
    import hashlib

    assert said["inputs"][0]["sha256"] == hashlib.sha256(Path(source).read_bytes()).hexdigest()


def test_plink_filesets(tmp_path: Path) -> None:
    from cohelix.genotypes.plink_out import export_bed, export_pgen
    from cohelix.genotypes.selection import select

    work = tmp_path / "work"
    work.mkdir()
    opened = open_callset(callset_of(vcf(tmp_path / "made.vcf"), work, RUNTIME))
    for form, export in (("bed", export_bed), ("pgen", export_pgen)):
        export(opened, str(tmp_path / f"as_{form}"), select(opened))
        for target in (f"as_{form}", f"as_{form}.{form}"):
            folder = tmp_path / f"{target}.work"
            folder.mkdir()
            assert list(genotypes(callset_of(str(tmp_path / target), folder, RUNTIME)).values()) == [[1, -9]]


def test_what_was_made_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, work = vcf(tmp_path / "made.vcf"), tmp_path / "work"
    work.mkdir()
    root = callset_of(source, work, RUNTIME)
    monkeypatch.setattr(scoring_target, "_import", lambda *_: pytest.fail("made before"))
    assert callset_of(source, work, RUNTIME) == root
    monkeypatch.undo()
    (work / "target.json").unlink()  # killed between the callset and the word that it is whole
    assert callset_of(source, work, RUNTIME) == root
    Path(source).write_text(Path(source).read_text().replace("0/1", "1/1"))
    assert genotypes(callset_of(source, work, RUNTIME)) == {"chr21:10:A:G": [2, -9]}
    assert json.loads((work / "target.json").read_text())["of"]
    found = dataset.find(root)
    assert found is not None and found.version == 1


def test_a_call_that_was_stopped_goes_on(
    tmp_path: Path, reads: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[tuple[object, ...]] = [("21", 1000, "G", "A", 1), ("22", 1000, "A", "G", 1)]
    (tmp_path / "whole").mkdir()
    whole = made(tmp_path / "whole", reads, rows)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cohelix.joint.call._commit", stopped)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, reads, rows)
    monkeypatch.undo()
    monkeypatch.setattr("cohelix.joint.call.genotype", lambda *_: pytest.fail("called before"))
    assert made(tmp_path, reads, rows) == whole


@pytest.mark.parametrize("name", ["missing", "missing.vcf.gz", "notes.txt"])
def test_other_paths(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("no genotypes")
    with pytest.raises(InputError, match="expected a callset, a call store"):
        callset_of(str(tmp_path / name), tmp_path / "work", RUNTIME)
    assert not (tmp_path / "work").exists()


def test_gvcf_is_no_target(tmp_path: Path) -> None:
    path = vcf(tmp_path / "made.vcf")
    Path(path).write_text(Path(path).read_text().replace("\tG\t.", "\t<NON_REF>\t."))
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(InputError, match="joint ingest"):
        callset_of(path, work, RUNTIME)
    assert np.size(list(work.iterdir())) == 0
