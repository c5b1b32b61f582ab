"""PLINK filesets in and out, whole and damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pgenlib
import pytest

from cohelix import dataset
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes import callset, plink, plink_out
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.selection import select
from tests.oracles.genotypes import bed_bytes, random_block

FAM = "0 b 0 0 1 -9\n0 a 0 0 2 -9\n0 C 0 0 0 -9\n0 d 0 0 1 -9\n0 e 0 0 2 -9\n"
BIM = "1 rs1 0 100 C A\n1 rs2 0 90 G T\n2 rs3 0 5 AT A\n23 rs4 0 30000000 G A\n"
GENOTYPES = [[0, 1, 2, -9, 1], [2, 2, 0, 0, 1], [1, 1, 1, 1, 1], [1, 0, 1, 2, 1]]


def write_bed(folder: Path, *, fam: str = FAM, bim: str = BIM, rows: list[list[int]] = GENOTYPES) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.fam").write_text(fam)
    (folder / "in.bim").write_text(bim)
    (folder / "in.bed").write_bytes(b"\x6c\x1b\x01" + b"".join(map(bed_bytes, rows)))
    return str(folder / "in")


def write_pgen(folder: Path, *, pvar: str, alleles: list[list[int]], counts: list[int]) -> str:
    """A PGEN of two samples with `alleles` (variants, 4) and so many alleles each."""
    with pgenlib.PgenWriter(
        str(folder / "in.pgen").encode(), 2, len(alleles), nonref_flags=False, allele_ct_limit=max(counts)
    ) as writer:
        for row, count in zip(alleles, counts, strict=True):
            writer.append_alleles(np.array(row, np.int32), allele_ct=count)
    (folder / "in.pvar").write_text(pvar)
    (folder / "in.psam").write_text("#IID\tSEX\nb\t1\na\t2\n")
    return str(folder / "in")


def matrix(opened: Callset) -> dict[str, list[int]]:
    """Site id to genotypes, in the order of the samples table."""
    found = {}
    for shard in opened.shards:
        names = opened.sites(shard).column("id").to_pylist()
        found |= dict(zip(names, callset.read_genotypes(opened, shard, 0, shard.n_sites).tolist(), strict=True))
    return found


def test_bed_is_sorted_and_keeps_its_meaning(tmp_path: Path) -> None:
    opened = plink.import_bed(write_bed(tmp_path), str(tmp_path / "x"), build="GRCh38")
    assert opened.samples().select(["sample_id", "sex"]).to_pylist() == [
        {"sample_id": "C", "sex": "unknown"}, {"sample_id": "a", "sex": "female"}, {"sample_id": "b", "sex": "male"},
        {"sample_id": "d", "sex": "male"}, {"sample_id": "e", "sex": "female"},
    ]  # fmt: skip
    assert matrix(opened) == {
        "1:90:T:G": [0, 2, 2, 0, 1],
        "1:100:A:C": [2, 1, 0, -9, 1],
        "2:5:A:AT": [1, 1, 1, 1, 1],
        "X:30000000:A:G": [1, 0, -9, 2, 1],  # the het of a man is a ploidy conflict
    }
    last = opened.sites(opened.shards[-1]).to_pylist()[0]
    assert {name: last[name] for name in ("ac", "an", "n_haploid_alt", "missing_ploidy", "source_id")} == {
        "ac": 3, "an": 7, "n_haploid_alt": 1, "missing_ploidy": 1, "source_id": "rs4",
    }  # fmt: skip
    partial = opened.partial(opened.shards[-1])
    assert partial is not None
    assert partial.to_pylist() == [{"row": 0, "sample": 2, "first": "0", "second": "1", "reason": "ploidy"}]
    b = opened.samples().to_pylist()[2]
    assert (b["n_sites"], b["n_called"], b["n_hom_ref"], b["n_het"], b["n_hom_alt"]) == (4, 3, 1, 1, 1)
    dataset.verify(opened.root, opened.commit)


def test_a1_may_be_the_reference(tmp_path: Path) -> None:
    opened = plink.import_bed(write_bed(tmp_path), str(tmp_path / "x"), build="GRCh38", a1="ref")
    assert matrix(opened)["1:100:C:A"] == [0, 1, 2, -9, 1]
    with pytest.raises(ConfigError):
        plink.import_bed(write_bed(tmp_path), str(tmp_path / "y"), a1="minor")


def test_every_site_accounts_for_every_sample(tmp_path: Path) -> None:
    n = 23
    fam = "".join(f"0 s{i} 0 0 {i % 3} -9\n" for i in range(n))
    bim = "".join(f"{chrom} v{i} 0 {i + 1000} C A\n" for i, chrom in enumerate(["1", "23", "24", "26"] * 25))
    rows = random_block(3, 100, n).tolist()
    opened = plink.import_bed(write_bed(tmp_path, fam=fam, bim=bim, rows=rows), str(tmp_path / "x"), build="GRCh38")
    for shard in opened.shards:
        for site in opened.sites(shard).to_pylist():
            missing = sum(count for name, count in site.items() if name.startswith("missing_"))
            assert site["n_called"] + missing == n
            kinds = ("n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt")
            assert sum(site[name] for name in kinds) == site["n_called"]
    called = sum(site["n_called"] for shard in opened.shards for site in opened.sites(shard).to_pylist())
    assert called == sum(sample["n_called"] for sample in opened.samples().to_pylist())


def test_shards_are_cut_between_positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cohelix.genotypes import assembly

    bim = "".join(f"1 v{i} 0 {position} {alt} A\n" for i, (position, alt) in enumerate(
        [(1, "C"), (2, "C"), (2, "G"), (2, "T"), (3, "C"), (4, "C"), (9, "C")]))  # fmt: skip
    rows = random_block(4, 7, 5).tolist()
    prefix = write_bed(tmp_path, bim=bim, rows=rows)
    whole = plink.import_bed(prefix, str(tmp_path / "whole"))
    monkeypatch.setattr(assembly, "SHARD_ROWS", 2)
    cut = plink.import_bed(prefix, str(tmp_path / "cut"))
    assert [(shard.start, shard.end, shard.n_sites) for shard in cut.shards] == [(0, 2, 4), (2, 8, 2), (8, 9, 1)]
    assert matrix(cut) == matrix(whole)
    assert cut.samples().equals(whole.samples())
    assert len({shard.name for shard in cut.shards}) == 3


@pytest.mark.parametrize("name", ["XY", "25", "PAR1"])
def test_pseudo_autosomal_codes_need_a_build(tmp_path: Path, name: str) -> None:
    prefix = write_bed(tmp_path, bim=f"chr1 a 0 5 C A\n{name} b 0 20000 C A\n", rows=GENOTYPES[:2])
    opened = plink.import_bed(prefix, str(tmp_path / "x"), build="GRCh38")
    assert list(matrix(opened)) == ["chr1:5:A:C", "chrX:20000:A:C"]
    with pytest.raises(InputError, match=r"line 2 of \.bim"):
        plink.import_bed(prefix, str(tmp_path / "y"), build="unknown")
    with pytest.raises(InputError, match=r"line 2 of \.bim"):
        plink.import_bed(prefix, str(tmp_path / "y"), build="GRCh37")


def test_monomorphic_and_unknown_alleles(tmp_path: Path) -> None:
    prefix = write_bed(tmp_path, bim="1 a 0 5 0 A\n1 b 0 6 0 0\n", rows=[[0] * 5, [-9] * 5])
    opened = plink.import_bed(prefix, str(tmp_path / "x"))
    assert matrix(opened) == {"1:5:A:.": [0] * 5, "1:6:N:.": [-9] * 5}
    assert opened.sites(opened.shards[0]).column("kind").to_pylist() == ["other", "other"]


Break = Callable[[str], Any]


def _edit(suffix: str, change: Callable[[bytes], bytes]) -> Break:
    def edit(prefix: str) -> None:
        path = Path(prefix + suffix)
        path.write_bytes(change(path.read_bytes()))

    return edit


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_edit(".bed", lambda data: data[:-1]), "found 10"),
        (_edit(".bed", lambda data: data + b"\x00"), "found 12"),
        (_edit(".bed", lambda data: b"\x6c\x1b\x00" + data[3:]), "sample-major"),
        (_edit(".bed", lambda data: b"\x6c\x1c\x01" + data[3:]), "6c 1b 01"),
        (_edit(".bed", lambda data: b""), "nothing"),
        (_edit(".fam", lambda data: data + b"".join(b"0 x%d 0 0 1 -9\n" % i for i in range(4))), "9 samples"),
        (_edit(".fam", lambda data: data[: data.rindex(b"0 d")]), "expected 7 bytes"),
        (_edit(".fam", lambda data: data.replace(b" a ", b" b ")), "same id"),
        (_edit(".fam", lambda data: b"0 b 0\n" + data), "columns in .fam"),
        (_edit(".bim", lambda data: data[: data.rindex(b"23")]), "3 variants"),
        (_edit(".bim", lambda data: data.replace(b" 90 ", b" ninety ")), "line 2 of .bim"),
        (_edit(".bim", lambda data: data.replace(b" 90 ", b" 0 ")), "line 2 of .bim"),
        (_edit(".bim", lambda data: data.replace(b"G T", b"I D")), "line 2 of .bim"),
        (_edit(".bim", lambda data: data.replace(b"G T", b"T T")), "line 2 of .bim"),
        (_edit(".bim", lambda data: data.replace(b"rs2 0 90 G T", b"rs2 0 100 C A")), "twice"),
        (_edit(".bim", lambda data: data.replace(b"1 rs1", b"0 rs1")), "chromosome 0"),
        (lambda prefix: Path(prefix + ".fam").unlink(), "beside"),
    ],
)
def test_damaged_bed_filesets_are_refused_and_leave_nothing(tmp_path: Path, damage: Break, words: str) -> None:
    prefix = write_bed(tmp_path)
    damage(prefix)
    with pytest.raises(InputError, match=words):
        plink.import_bed(prefix, str(tmp_path / "x"), build="GRCh38")
    assert not (tmp_path / "x").exists()


def test_duplicates_may_be_dropped_and_are_counted(tmp_path: Path) -> None:
    prefix = write_bed(tmp_path, bim=BIM.replace("rs2 0 90 G T", "rs2 0 100 C A"))
    opened = plink.import_bed(prefix, str(tmp_path / "x"), build="GRCh38", duplicates="first")
    assert matrix(opened)["1:100:A:C"] == [2, 1, 0, -9, 1]
    assert opened.commit.meta["params"]["n_duplicates_dropped"] == 1
    with pytest.raises(ConfigError):
        plink.import_bed(prefix, str(tmp_path / "y"), build="GRCh38", duplicates="last")


def test_an_existing_callset_is_kept_unless_asked(tmp_path: Path) -> None:
    prefix, root = write_bed(tmp_path), str(tmp_path / "x")
    first = plink.import_bed(prefix, root, build="GRCh38")
    with pytest.raises(ConfigError, match="already"):
        plink.import_bed(prefix, root, build="GRCh38")
    second = plink.import_bed(prefix, root, build="GRCh38", overwrite=True)
    assert second.commit.version == 2 and second.commit.files == first.commit.files
    Path(prefix + ".bed").write_bytes(b"")
    with pytest.raises(InputError):
        plink.import_bed(prefix, root, build="GRCh38", overwrite=True)
    dataset.verify(root, callset.open_callset(root).commit)


def test_pgen_rows_with_several_alternates_are_split(tmp_path: Path) -> None:
    pvar = (
        "##contig=<ID=chr1,length=248956422>\n##fine\n#CHROM POS ID REF ALT FILTER\n"
        "chr1 10 v1 A C,G PASS\nchr1 20 v2 AT A,ATT low\nchr1 30 v3 G T .\n"
    )
    prefix = write_pgen(tmp_path, pvar=pvar, alleles=[[0, 1, 1, 2], [2, 2, -9, -9], [0, 0, 0, 1]], counts=[3, 3, 2])
    opened = plink.import_pgen(prefix, str(tmp_path / "x"))
    assert opened.build == "GRCh38" and opened.contigs[0].length == 248956422
    assert matrix(opened) == {
        "chr1:10:A:C": [1, 1], "chr1:10:A:G": [1, 0], "chr1:20:A:AT": [-9, 2], "chr1:20:AT:A": [-9, 0],
        "chr1:30:G:T": [1, 0],
    }  # fmt: skip
    assert opened.sites(opened.shards[0]).column("filter").to_pylist() == ["PASS", "PASS", "low", "low", "."]


PVAR = "#CHROM POS ID REF ALT\nchr1 10 v1 A C\nchr1 30 v3 G T\n"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_edit(".pgen", lambda data: data[:-1]), "damaged"),
        (_edit(".pgen", lambda data: data[:8]), "6c 1b"),
        (_edit(".pgen", lambda data: b"xx" + data[2:]), "6c 1b"),
        (_edit(".pvar", lambda data: data[: data.rindex(b"chr1")]), "do not belong"),
        (_edit(".pvar", lambda data: data.replace(b"#CHROM POS", b"#CHROM POZ")), "columns"),
        (_edit(".pvar", lambda data: data.replace(b"30 v3 G T", b"30")), "columns in .pvar"),
        (_edit(".psam", lambda data: data + b"c\t1\n"), "do not belong"),
        (_edit(".psam", lambda data: data.replace(b"\t2", b"")), "columns in .psam"),
    ],
)
def test_damaged_pgen_filesets_are_refused_and_leave_nothing(tmp_path: Path, damage: Break, words: str) -> None:
    prefix = write_pgen(tmp_path, pvar=PVAR, alleles=[[0, 1, 1, 1], [0, 0, 0, 1]], counts=[2, 2])
    damage(prefix)
    with pytest.raises(InputError, match=words):
        plink.import_pgen(prefix, str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", ["bed", "pgen"])
def test_what_goes_out_comes_back(tmp_path: Path, kind: str) -> None:
    opened = plink.import_bed(write_bed(tmp_path), str(tmp_path / "x"), build="GRCh38")
    out = str(tmp_path / "out")
    if kind == "bed":
        plink_out.export_bed(opened, out, select(opened))
        again = plink.import_bed(out, str(tmp_path / "y"), build="GRCh38")
    else:
        plink_out.export_pgen(opened, out, select(opened))
        again = plink.import_pgen(out, str(tmp_path / "y"), build="GRCh38")
    assert matrix(again) == matrix(opened)
    assert again.samples().equals(opened.samples())
    with pytest.raises(ConfigError, match="--force"):
        plink_out.export_bed(opened, out, select(opened)) if kind == "bed" else plink_out.export_pgen(
            opened, out, select(opened)
        )


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    opened = plink.import_bed(write_bed(tmp_path), str(tmp_path / "x"), build="GRCh38")
    (tmp_path / "x" / opened.shards[-1].pgen).write_bytes(b"")
    with pytest.raises(InputError):
        plink_out.export_bed(opened, str(tmp_path / "out" / "part"), select(opened))
    assert list((tmp_path / "out").iterdir()) == []


def test_regions_and_samples(tmp_path: Path) -> None:
    opened = plink.import_bed(write_bed(tmp_path), str(tmp_path / "x"), build="GRCh38")
    chosen = select(opened, region="1:91-100", sample_ids=["e", "C"])
    assert chosen.sample_ids == ["C", "e"]
    (part,) = chosen.parts()
    assert [block.tolist() for _, block in part.blocks()] == [[[2, 1]]]
    for region, names in {"1:90-90": 1, "1:90-100": 2, "1": 2, "X:29999999-30000000": 1}.items():
        assert sum(part.sites.num_rows for part in select(opened, region=region).parts()) == names
    with pytest.raises(InputError, match="no site"):
        select(opened, region="1:91-99")
    with pytest.raises(InputError, match="line 2") as caught:
        select(opened, sample_ids=["a", "nobody"])
    assert "nobody" not in str(caught.value)
