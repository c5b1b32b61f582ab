"""A VDS as a callset, against what Hail itself makes of the VDS."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pysam
import pytest

from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes import callset
from cohelix.joint import on_hail
from tests.parity.hail_tables import counts, genotypes, hail_rows

pytestmark = pytest.mark.jvm
CHR_X = "##contig=<ID=chrX,length=156040895>\n"


@pytest.fixture(scope="module")
def real_vds(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("real") / "two.vds"
    shutil.copytree(data / "vds" / "1kg_2samples_starts.vds", copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755)
    return copy


@pytest.fixture(scope="module")
def small_vds(hail: Any, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people on X: a man with haploid records, a half call, a deletion over a SNP, a block of ./. ."""
    folder = tmp_path_factory.mktemp("small")
    lines = ["sample_id\tpath"]
    for source in sorted((data / "joint_cases" / "haploid_and_deletions").glob("*.vcf")):
        text = source.read_text()
        plain = folder / source.name
        plain.write_text(text if CHR_X in text else text.replace("#CHROM", CHR_X + "#CHROM", 1))
        pysam.tabix_compress(str(plain), f"{plain}.gz", force=True)
        pysam.tabix_index(f"{plain}.gz", preset="vcf", force=True)
        lines.append(f"{source.stem[-1]}\t{plain}.gz")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")
    on_hail.combine(str(folder / "manifest.tsv"), str(folder / "x.vds"))
    return folder / "x.vds"


@pytest.mark.real
def test_real_vds_counts_and_genotypes_are_hails_own(hail: Any, real_vds: Path, tmp_path: Path) -> None:
    vds = on_hail.read_vds(str(real_vds))
    assert (vds.reference_data.count_rows(), vds.variant_data.count_rows()) == (54_690, 8_787)
    opened = on_hail.import_vds(str(real_vds), str(tmp_path / "x.callset"), gq0="homref")
    on_hail.dense_split(str(real_vds), str(tmp_path / "dense.mt"))
    dense = hail.read_matrix_table(str(tmp_path / "dense.mt"))
    theirs, their_counts = hail_rows(hail, dense)
    ours = genotypes(opened)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)
    assert counts(opened) == their_counts
    assert {-9, 0, 1, 2} == set(np.unique(np.stack(list(ours.values()))))  # hom-ref and no-call both occur
    assert opened.commit.meta["params"]["reference_ploidy"].startswith("two")


def test_more_than_fifty_partitions_give_the_same_callset(hail: Any, tmp_path: Path) -> None:
    """Where Hail 0.2.139 is left as it is, `to_dense_mt` crashes on the second of these."""
    made = []
    for n in (1, 60):
        rows = hail.utils.range_matrix_table(120, 2, n_partitions=n)
        rows = rows.key_cols_by(s=hail.literal(["a", "b"])[rows.col_idx])
        rows = rows.key_rows_by(locus=hail.locus("chr1", 1000 + 10 * rows.row_idx, "GRCh38"), alleles=["A", "C"])
        blocks = rows.filter_entries((rows.row_idx % 2 == 0) & (rows.s == "b"))
        blocks = blocks.select_entries(END=blocks.locus.position + 12, GQ=30)
        blocks.key_rows_by("locus").select_rows().write(str(tmp_path / f"{n}.vds" / "reference_data"))
        variants = rows.filter_entries(rows.s == "a").select_entries(LA=[0, 1], LGT=hail.call(0, 1), GQ=50)
        variants.select_rows().write(str(tmp_path / f"{n}.vds" / "variant_data"))
        made.append(on_hail.import_vds(str(tmp_path / f"{n}.vds"), str(tmp_path / f"{n}.callset")))
    assert made[0].commit.files == made[1].commit.files
    # The block of b that starts at an even row reaches the odd row behind it.
    assert {tuple(row.tolist()) for row in genotypes(made[1]).values()} == {(1, 0)}
    assert made[1].n_sites == 120


@pytest.mark.real
def test_gq0_is_a_no_call_unless_asked_otherwise(hail: Any, combined_vds: Path, tmp_path: Path) -> None:
    """Half of the hom-ref calls beside this centromere have GQ 0: Hail keeps them, the default does not."""
    kept = on_hail.import_vds(str(combined_vds), str(tmp_path / "homref.callset"), gq0="homref")
    on_hail.dense_split(str(combined_vds), str(tmp_path / "dense.mt"))
    dense = hail.read_matrix_table(str(tmp_path / "dense.mt"))
    dense = dense.filter_rows(dense.alleles[1] != "*")
    assert counts(kept) == hail_rows(hail, dense)[1]
    assert kept.commit.meta["params"]["n_alts_left_out"] == 1

    vds = hail.vds.read_vds(str(combined_vds))
    strict = hail.vds.VariantDataset(
        vds.reference_data.filter_entries(vds.reference_data.GQ > 0),
        vds.variant_data.annotate_entries(LGT=hail.or_missing(vds.variant_data.GQ > 0, vds.variant_data.LGT)),
    )
    strict_dense = hail.vds.to_dense_mt(hail.vds.split_multi(strict))
    strict_dense = strict_dense.filter_rows(strict_dense.alleles[1] != "*")
    dropped = on_hail.import_vds(str(combined_vds), str(tmp_path / "nocall.callset"))
    assert counts(dropped) == hail_rows(hail, strict_dense)[1]
    called = [sum(row[0] for row in counts(one).values()) for one in (kept, dropped)]
    assert called[1] < called[0] / 2


@pytest.mark.real
def test_a_haploid_reference_stays_haploid(hail: Any, small_vds: Path, tmp_path: Path) -> None:
    opened = on_hail.import_vds(str(small_vds), str(tmp_path / "x.callset"), gq0="homref")
    assert [sample["sample_id"] for sample in opened.samples().to_pylist()] == ["F", "G", "M"]
    rows = genotypes(opened)
    assert opened.commit.meta["params"]["reference_ploidy"] == "recorded"
    sites = {site["position"]: site for shard in opened.shards for site in opened.sites(shard).to_pylist()}
    assert rows["chrX", 10000100, "A", "G"].tolist() == [-9, 0, 2]  # a half call is missing in Hail; a haploid ALT
    assert rows["chrX", 10000102, "A", "T"].tolist() == [-9, 1, 0]  # a deletion of F lies over it
    assert rows["chrX", 10000300, "C", "T"].tolist() == [-9, 1, 0]  # F has a block of ./. there
    assert (sites[10000100]["n_haploid_alt"], sites[10000300]["n_haploid_ref"]) == (1, 1)
    assert (sites[10000300]["ac"], sites[10000300]["an"]) == (1, 3)


def tiny(
    hail: Any, path: Path, *, builds: tuple[str, str] = ("GRCh38", "GRCh38"), keep: tuple[str, str] = ("ab", "ab")
) -> str:
    """A VDS of a block and a SNP; `builds` and `keep` (samples): of reference and variant data."""
    parts = []
    for build, ids in zip(builds, keep, strict=True):
        contig = "chr1" if build == "GRCh38" else "1"
        matrix = hail.utils.range_matrix_table(1, len(ids))
        matrix = matrix.key_cols_by(s=hail.literal(list(ids) or [""])[matrix.col_idx])
        parts.append(matrix.key_rows_by(locus=hail.locus(contig, 1000, build), alleles=["A", "C"]).select_rows())
    reference = parts[0].key_rows_by("locus").annotate_entries(END=1005, GQ=30).select_rows()
    variants = parts[1].annotate_entries(LA=[0, 1], LGT=hail.call(0, 1), GQ=50)
    reference.write(str(path / "reference_data"))
    variants.write(str(path / "variant_data"))
    return str(path)


def test_a_vds_that_is_none_is_refused(hail: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "x.callset")
    with pytest.raises(InputError, match="found nothing"):
        on_hail.import_vds(str(tmp_path / "absent.vds"), out)
    hail.utils.range_matrix_table(2, 2).write(str(tmp_path / "plain.mt"))
    with pytest.raises(InputError, match="found no reference_data"):
        on_hail.import_vds(str(tmp_path / "plain.mt"), out)
    with pytest.raises(InputError, match="found none"):
        on_hail.import_vds(tiny(hail, tmp_path / "nobody.vds", keep=("", "")), out)
    with pytest.raises(ReferenceMismatch, match=r"GRCh38 .*GRCh37"):
        on_hail.import_vds(tiny(hail, tmp_path / "mixed.vds", builds=("GRCh38", "GRCh37")), out)
    with pytest.raises(InputError, match="different samples"):
        on_hail.import_vds(tiny(hail, tmp_path / "other.vds", keep=("ab", "ac")), out)
    with pytest.raises(InputError, match="same id") as failure:
        on_hail.import_vds(tiny(hail, tmp_path / "twins.vds", keep=("qq", "qq")), out)
    assert "qq" not in str(failure.value)
    whole = tiny(hail, tmp_path / "whole.vds")
    with pytest.raises(ConfigError, match="gq0"):
        on_hail.import_vds(whole, out, gq0="maybe")
    (Path(whole) / "variant_data" / "_SUCCESS").unlink()
    with pytest.raises(InputError, match="_SUCCESS"):
        on_hail.import_vds(whole, out)
    assert not Path(out).exists()


def test_a_block_covers_to_its_end_and_no_further(hail: Any, tmp_path: Path) -> None:
    """END, not LEN, as older VDS have it; GT rather than LGT; a row that trims to another position."""
    matrix = hail.utils.range_matrix_table(1, 2)
    matrix = matrix.key_cols_by(s=hail.literal(["a", "b"])[matrix.col_idx])
    blocks = matrix.key_rows_by(locus=hail.locus("chr1", 1000, "GRCh38")).select_rows()
    blocks = blocks.annotate_entries(END=1005, GQ=30)
    blocks.filter_entries(blocks.s == "b").write(str(tmp_path / "x.vds" / "reference_data"))
    sites = hail.literal({1005: ["A", "C"], 1006: ["A", "G"], 1010: ["AT", "A", "AG"]}, "dict<int32, array<str>>")
    rows = hail.utils.range_matrix_table(3, 2)
    rows = rows.key_cols_by(s=hail.literal(["a", "b"])[rows.col_idx])
    position = hail.literal([1005, 1006, 1010])[rows.row_idx]
    rows = rows.key_rows_by(locus=hail.locus("chr1", position, "GRCh38"), alleles=sites[position]).select_rows()
    rows = rows.annotate_entries(GT=hail.if_else(hail.len(rows.alleles) == 3, hail.call(1, 2), hail.call(0, 1)), GQ=50)
    rows.filter_entries(rows.s == "a").write(str(tmp_path / "x.vds" / "variant_data"))
    found = genotypes(on_hail.import_vds(str(tmp_path / "x.vds"), str(tmp_path / "x.callset")))
    assert {key: row.tolist() for key, row in found.items()} == {
        ("chr1", 1005, "A", "C"): [1, 0],
        ("chr1", 1006, "A", "G"): [1, -9],
        ("chr1", 1010, "AT", "A"): [1, -9],
        ("chr1", 1011, "T", "G"): [1, -9],
    }
    assert callset.open_callset(str(tmp_path / "x.callset")).build == "GRCh38"
