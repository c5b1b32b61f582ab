"""VCF and BCF in and out, whole and damaged."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pysam
import pytest

from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes import assembly, vcf, vcf_out
from cohelix.genotypes.callset import Callset, read_genotypes
from cohelix.genotypes.selection import select
from cohelix.kernel import is_compiled
from tests.genotypes.conftest import CONTIGS, WriteVcf

SEXES = {"s1": "male", "s2": "female"}
ROWS = [
    "chr1 100 A C 0/1 ./. 1|1",
    "chr1 100 A G,T 1/2 0/2 ./1",
    "chr1 200 CAA C,CA,* 1/2 0/3 3/3",
    "chr1 205 TTA TCA 0/0 0/1 1/.",
    "chrX 2000000 A G 0/1 1/1 0/0",
    "chrX 30000000 A G 1 0/1 0/0",
    "chrX 30000010 A G 0/1 1/1 1",
    "chrY 20000000 A G 1 . 0",
    "chrY 20000001 A G 1/1 0/0 0/0",
    "chrM 100 A G 1 0 0/1",
]
EXPECTED = {
    "chr1:100:A:C": [1, -9, 2],
    "chr1:100:A:G": [1, 0, -9],
    "chr1:100:A:T": [1, 1, -9],
    "chr1:200:CA:C": [1, -9, -9],
    "chr1:200:CAA:C": [1, -9, -9],
    "chr1:206:T:C": [0, 1, -9],
    "chrX:2000000:A:G": [1, 2, 0],
    "chrX:30000000:A:G": [2, 1, 0],
    "chrX:30000010:A:G": [-9, 2, 2],
    "chrY:20000000:A:G": [2, -9, 0],
    "chrY:20000001:A:G": [2, -9, 0],
    "chrM:100:A:G": [2, 0, -9],
}
RENDERED = {
    "chr1:100:A:C": ["0/1", "./.", "1/1"],
    "chr1:100:A:G": ["0/1", "0/0", "./1"],
    "chr1:100:A:T": ["0/1", "0/1", "./0"],
    "chr1:200:CA:C": ["0/1", "0/.", "./."],
    "chr1:200:CAA:C": ["0/1", "0/.", "./."],
    "chr1:206:T:C": ["0/0", "0/1", "1/."],
    "chrX:2000000:A:G": ["0/1", "1/1", "0/0"],
    "chrX:30000000:A:G": ["1", "0/1", "0/0"],
    "chrX:30000010:A:G": [".", "1/1", "1/1"],
    "chrY:20000000:A:G": ["1", ".", "0"],
    "chrY:20000001:A:G": ["1", ".", "0"],
    "chrM:100:A:G": ["1", "0", "."],
}


def matrix(opened: Callset) -> dict[str, list[int]]:
    found = {}
    for shard in opened.shards:
        names = opened.sites(shard).column("id").to_pylist()
        found |= dict(zip(names, read_genotypes(opened, shard, 0, shard.n_sites).tolist(), strict=True))
    return found


def calls(path: Path) -> dict[str, list[str]]:
    """Site to GT texts, as pysam reads them."""
    with pysam.VariantFile(str(path)) as handle:
        return {
            f"{row.chrom}:{row.pos}:{row.ref}:{(row.alts or ('.',))[0]}": [
                ("|" if call.phased and len(call["GT"]) > 1 else "/").join(
                    "." if allele is None else str(allele) for allele in call["GT"]
                )
                for call in row.samples.values()
            ]
            for row in handle
        }


def convert(source: Path, name: str, mode: str) -> Path:
    """The same records, as pysam writes them."""
    target = source.with_name(name)
    with pysam.VariantFile(str(source)) as before, pysam.VariantFile(str(target), mode, header=before.header) as after:
        for row in before:
            after.write(row)
    return target


@pytest.mark.parametrize("form", ["vcf", "vcf.gz", "gzip", "bcf"])
def test_calls_come_in_split_trimmed_and_by_ploidy(tmp_path: Path, write_vcf: WriteVcf, form: str) -> None:
    path = write_vcf(ROWS)
    if form == "bcf":
        path = convert(path, "in.bcf", "wb")
    elif form == "vcf.gz":
        path = write_vcf(ROWS, name="in.vcf.gz")
    elif form == "gzip":
        path.with_name("plain.vcf.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = path.with_name("plain.vcf.gz")
    opened = vcf.import_vcf(str(path), str(tmp_path / "x"), sexes=SEXES)
    assert opened.build == "GRCh38"
    assert matrix(opened) == EXPECTED
    half, deletion, conflict = (
        sum(site[f"missing_{name}"] for shard in opened.shards for site in opened.sites(shard).to_pylist())
        for name in (assembly.HALF_CALL, assembly.DELETION, assembly.PLOIDY_CONFLICT)
    )
    assert (half, deletion, conflict) == (3, 4, 3)
    for shard in opened.shards:
        for site in opened.sites(shard).to_pylist():
            assert site["n_called"] + sum(count for name, count in site.items() if name.startswith("missing_")) == 3


def test_partly_known_calls_are_kept_in_the_partial_table(tmp_path: Path, write_vcf: WriteVcf) -> None:
    opened = vcf.import_vcf(str(write_vcf(ROWS)), str(tmp_path / "x"), sexes=SEXES)
    partial = opened.partial(opened.shards[0])
    assert partial is not None
    assert [tuple(row.values()) for row in partial.to_pylist()] == [
        (1, 2, ".", "1", "half_call"), (2, 2, ".", "0", "half_call"), (3, 1, "0", "*", "deletion"),
        (3, 2, "*", "*", "deletion"), (4, 1, "0", "*", "deletion"), (4, 2, "*", "*", "deletion"),
        (5, 2, "1", ".", "half_call"),
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["vcf", "vcf.gz", "bcf"])
def test_calls_go_out_as_they_are_known(tmp_path: Path, write_vcf: WriteVcf, form: str) -> None:
    opened = vcf.import_vcf(str(write_vcf(ROWS)), str(tmp_path / "x"), sexes=SEXES)
    out = tmp_path / f"out.{form}"
    vcf_out.export_vcf(opened, str(out), select(opened), form=form)
    assert calls(out) == RENDERED
    with pysam.VariantFile(str(out)) as handle:
        assert "##source=cohelix " in str(handle.header)
        assert {name: handle.header.contigs[name].length for name in CONTIGS} == CONTIGS
    again = vcf.import_vcf(str(out), str(tmp_path / "y"), sexes=SEXES)
    assert matrix(again) == matrix(opened)
    first = out.read_bytes()
    with pytest.raises(ConfigError, match="--force"):
        vcf_out.export_vcf(opened, str(out), select(opened), form=form)
    vcf_out.export_vcf(opened, str(out), select(opened), form=form, overwrite=True)
    assert out.read_bytes() == first


def test_a_part_goes_out(tmp_path: Path, write_vcf: WriteVcf) -> None:
    opened = vcf.import_vcf(str(write_vcf(ROWS)), str(tmp_path / "x"), sexes=SEXES)
    out = tmp_path / "out.vcf"
    vcf_out.export_vcf(opened, str(out), select(opened, region="chr1:200-206", sample_ids=["s3", "s2"]), form="vcf")
    assert calls(out) == {name: RENDERED[name][1:] for name in RENDERED if name.startswith("chr1:20")}


def test_ids_filters_and_symbolic_alleles_survive(tmp_path: Path, write_vcf: WriteVcf) -> None:
    path = write_vcf(["chr1 5 A C 0/1 0/1 0/1", "chr1 7 A <DEL> 0/1 0/0 0/0", "chr1 8 A . 0/0 0/0 ./."])
    text = path.read_text().replace("\t5\t.\tA\tC\t.\t.\t", "\t5\trs5\tA\tC\t3\tlow;q10\t")
    path.write_text(text.replace("\t7\t.\tA\t<DEL>\t.\t.\t", "\t7\t.\tA\t<DEL>\t3\tPASS\t"))
    opened = vcf.import_vcf(str(path), str(tmp_path / "x"))
    for form in ("vcf", "bcf"):
        out = tmp_path / f"out.{form}"
        vcf_out.export_vcf(opened, str(out), select(opened), form=form)
        with pysam.VariantFile(str(out)) as handle:
            rows = [(row.id, list(row.filter.keys()), row.alts, row.qual) for row in handle]
        assert rows == [
            ("rs5", ["low", "q10"], ("C",), None), (None, ["PASS"], ("<DEL>",), None), (None, [], None, None),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["chr1 100 A C 0/1 0/0 0/0", "chr1 99 A C 0/1 0/0 0/0"], "sorted records.*record 2"),
        (["chr1 1 A C 0/1 0/0 0/0", "chr2 1 A C 0/1 0/0 0/0", "chr1 2 A C 0/1 0/0 0/0"], "again"),
        (["chr9 1 A C 0/1 0/0 0/0"], "contig of the header"),
        (["chr1 248956423 A C 0/1 0/0 0/0"], "bases 1 to 248956422"),
        (["chrM 16569 AC A 0/1 0/0 0/0"], "16569 to 16570"),
        (["chr1 0 A C 0/1 0/0 0/0"], "found 0 to 0"),
        (["chr1 5 A C 0/2 0/0 0/0"], "alleles up to 1"),
        (["chr1 5 A . 0/1 0/0 0/0"], "alleles up to 1"),
        (["chr1 5 A C 0/1 0/0"], "sample column 3"),
        (["chr1 5 A C 0/1 0/0 0/0 0/0"], "sample column 4"),
        (["chr1 5 A C 0/1/1 0/0 0/0"], "sample column 1"),
        (["chr1 5 A C 0/1 x 0/0"], "sample column 2"),
        (["chr1 5 R C 0/1 0/1 0/0"], "reference allele"),
        (["chr1 5 A A 0/1 0/1 0/0"], "same"),
        (["chr1 5 A <NON_REF> 0/0 0/0 0/0"], "gVCF"),
        (["chr1 5 A C 0/1 0/1 0/0", "chr1 5 A C 0/1 0/1 0/0"], "twice"),
        (["chr1 5 A C 0/1 0/1 0/0", "chr1 5 AT CT 0/1 0/1 0/0"], "twice"),
        ([], "one variant site"),
    ],
)
def test_bad_records_are_refused_and_leave_nothing(
    tmp_path: Path, write_vcf: WriteVcf, rows: list[str], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        vcf.import_vcf(str(write_vcf(rows)), str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()
    assert not {"s1", "s2", "s3"} & set(str(caught.value).split())


@pytest.mark.parametrize("form", ["vcf", "vcf.gz", "bcf", "gzip"])
@pytest.mark.parametrize("keep", [0, 1, 20, 0.3, 0.6, -28, -27, -1])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, write_vcf: WriteVcf, form: str, keep: float) -> None:
    rows = [f"chr1 {at} A C 0/1 1/1 0/{at % 2}" for at in range(1, 6000)]
    whole = write_vcf(rows, name="in.vcf.gz" if form == "vcf.gz" else "in.vcf")
    if form == "bcf":
        whole = convert(whole, "in.bcf", "wb")
    data = gzip.compress(whole.read_bytes()) if form == "gzip" else whole.read_bytes()
    if form == "vcf" and keep == -27:
        keep = -3
    size = int(keep * len(data)) if isinstance(keep, float) else keep if keep >= 0 else len(data) + keep
    path = tmp_path / "cut"
    path.write_bytes(data[:size])
    with pytest.raises(InputError):
        vcf.import_vcf(str(path), str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()
    vcf.import_vcf(str(whole), str(tmp_path / "x"))


def test_headers_that_cannot_be_used(tmp_path: Path, write_vcf: WriteVcf) -> None:
    good = write_vcf(["chr1 5 A C 0/1 0/1 0/0"])
    text = good.read_text()
    cases = {
        "fileformat=VCFv4": text.replace("VCFv4.2", "XYZ"),
        "sample column 3": text.replace("\ts3\n", "\ts1\n"),
        "sites only": text.replace("\tFORMAT\ts1\ts2\ts3", "").replace("\tGT\t0/1\t0/1\t0/0", ""),
        "#CHROM line": text.replace("#CHROM", "#CHR"),
        "GT first": text.replace("\tGT\t", "\tDP\t"),
        "a position": text.replace("chr1\t5\t", "chr1\tfive\t"),
    }
    for words, changed in cases.items():
        good.write_text(changed)
        with pytest.raises(InputError, match=words):
            vcf.import_vcf(str(good), str(tmp_path / "x"))
    good.write_text(text.replace("length=248956422", "length=249250621"))
    with pytest.raises(ReferenceMismatch):
        vcf.import_vcf(str(good), str(tmp_path / "x"))
    good.write_text(text)
    with pytest.raises(ReferenceMismatch):
        vcf.import_vcf(str(good), str(tmp_path / "x"), build="GRCh37")
    with pytest.raises(ConfigError):
        vcf.import_vcf(str(good), str(tmp_path / "x"), build="hg38")
    with pytest.raises(InputError, match="no file"):
        vcf.import_vcf(str(tmp_path / "nothing"), str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_a_header_without_contigs_takes_them_as_they_come(tmp_path: Path, write_vcf: WriteVcf) -> None:
    path = write_vcf(["b 5 A C 0/1 0/1 0/0", "a 5 A C 0/1 0/1 0/0"], contigs={})
    opened = vcf.import_vcf(str(path), str(tmp_path / "x"))
    assert [contig.name for contig in opened.contigs] == ["b", "a"]
    assert opened.build == "unknown"


def test_shards_do_not_change_the_content(tmp_path: Path, write_vcf: WriteVcf, monkeypatch: pytest.MonkeyPatch) -> None:
    # Trimming moves an allele behind later records, also over the edge of a shard.
    rows = ["chr1 10 AAAT AAAG 0/1 0/0 0/0"] + [f"chr1 {at} A C,G 0/1 0/2 ./1" for at in range(10, 40)]
    path = write_vcf(rows)
    whole = vcf.import_vcf(str(path), str(tmp_path / "whole"))
    for limit in (1, 2, 3, 7):
        monkeypatch.setattr(assembly, "SHARD_ROWS", limit)
        cut = vcf.import_vcf(str(path), str(tmp_path / f"cut{limit}"))
        assert len(cut.shards) > 3
        assert list(matrix(cut)) == list(matrix(whole)) and matrix(cut) == matrix(whole)
        assert cut.samples().equals(whole.samples())
        for shard in cut.shards:
            positions = cut.sites(shard).column("position").to_numpy()
            assert (positions > shard.start).all() and (positions <= shard.end).all()
        edges = [(shard.start, shard.end) for shard in cut.shards]
        assert all(one[1] == other[0] for one, other in itertools.pairwise(edges))
        out = tmp_path / f"{limit}.vcf"
        vcf_out.export_vcf(cut, str(out), select(cut), form="vcf")
        vcf_out.export_vcf(whole, str(tmp_path / "whole.vcf"), select(whole), form="vcf", overwrite=True)
        assert out.read_bytes() == (tmp_path / "whole.vcf").read_bytes()


@pytest.mark.skipif(not is_compiled(), reason="six million genotypes, one by one in Python")
def test_memory_is_that_of_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_vcf: WriteVcf) -> None:
    n = 2000
    row = "\t".join(np.random.default_rng(1).choice(["0/0", "0/1", "./."], n))
    path = write_vcf([f"chr1 {at} A C {row}" for at in range(1, 3001)], tuple(f"s{i:05d}" for i in range(n)))
    monkeypatch.setattr(assembly, "SHARD_GENOTYPES", 200 * n)
    vcf.import_vcf(str(write_vcf(["chr1 5 A C 0/1"], ("s",), name="warm.vcf")), str(tmp_path / "warm"))
    tracemalloc.start()
    opened = vcf.import_vcf(str(path), str(tmp_path / "x"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert opened.n_sites == 3000 and len(opened.shards) >= 15
    assert peak < 3000 * n / 2  # a byte a genotype, of the whole file, would be twice that


def test_sex_tables(tmp_path: Path) -> None:
    table = tmp_path / "sex.tsv"
    table.write_text("#IID\tSEX\na\t1\nb F\nc\tNA\n\n")
    assert vcf.read_sex_table(str(table)) == {"a": "male", "b": "female", "c": "unknown"}
    for text, words in [("a\n", "line 1"), ("a 1\na 2\n", "line 2"), ("a 7\n", "sex")]:
        table.write_text(text)
        with pytest.raises(InputError, match=words):
            vcf.read_sex_table(str(table))
    with pytest.raises(InputError):
        vcf.read_sex_table(str(tmp_path / "nothing"))
