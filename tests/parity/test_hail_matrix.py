"""Matrix tables in and out, cell by cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genotypes import on_hail
from tests.parity.hail_tables import counts, genotypes, hail_rows

pytestmark = pytest.mark.jvm


def cohort(hail: Any, path: Path, *, n_samples: int = 23, n_variants: int = 300) -> Any:
    """A matrix table with missing calls, samples out of order, and a second ALT in every seventh row."""
    matrix = hail.balding_nichols_model(3, n_samples, n_variants, n_partitions=7, reference_genome="GRCh38")
    matrix = matrix.key_cols_by(s="p" + hail.str(n_samples - matrix.sample_idx))
    matrix = matrix.select_entries(GT=hail.or_missing((matrix.sample_idx + matrix.locus.position) % 11 != 0, matrix.GT))
    two = matrix.locus.position % 7 == 0
    matrix = matrix.key_rows_by("locus", alleles=hail.if_else(two, ["ACT", "A", "ACG"], ["A", "C"])).select_rows()
    second = hail.if_else(matrix.GT.is_het(), hail.call(1, 2), hail.call(0, 2))
    use_second = (hail.len(matrix.alleles) == 3) & (matrix.sample_idx % 2 == 0) & matrix.GT.is_non_ref()
    matrix = matrix.annotate_entries(GT=hail.if_else(use_second, second, matrix.GT))
    matrix.select_cols().write(str(path))
    return hail.read_matrix_table(str(path))


def test_every_cell_is_the_one_hail_splits_to(hail: Any, tmp_path: Path) -> None:
    matrix = cohort(hail, tmp_path / "x.mt")
    opened = on_hail.import_matrix(str(tmp_path / "x.mt"), str(tmp_path / "x.callset"))
    split = hail.split_multi_hts(matrix)
    theirs, their_counts = hail_rows(hail, split)
    ours = genotypes(opened)
    assert ours.keys() == theirs.keys()
    assert len(ours) == 300 + 300 // 7
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)
    assert counts(opened) == their_counts
    ids = [sample["sample_id"] for sample in opened.samples().to_pylist()]
    assert ids == sorted(ids) and len(ids) == 23


def test_out_and_in_again_gives_the_same_bytes(hail: Any, tmp_path: Path) -> None:
    cohort(hail, tmp_path / "x.mt")
    first = on_hail.import_matrix(str(tmp_path / "x.mt"), str(tmp_path / "x.callset"))
    on_hail.export_matrix(str(tmp_path / "x.callset"), str(tmp_path / "back.mt"))
    back = hail.read_matrix_table(str(tmp_path / "back.mt"))
    assert list(back.row) == ["locus", "alleles", "rsid"] and list(back.col) == ["s", "sex"]
    second = on_hail.import_matrix(str(tmp_path / "back.mt"), str(tmp_path / "again.callset"))
    assert first.commit.files == second.commit.files
    with pytest.raises(InputError, match="found something there"):
        on_hail.export_matrix(str(tmp_path / "x.callset"), str(tmp_path / "back.mt"))


def test_men_have_one_x_outside_the_pseudo_autosomal_regions(hail: Any, tmp_path: Path) -> None:
    """Haploid calls come in as they are, and come out again for those whose sex is known."""
    matrix = hail.utils.range_matrix_table(2, 3)
    position = hail.literal([2781479, 2781480])[matrix.row_idx]
    matrix = matrix.key_rows_by(locus=hail.locus("chrX", position, "GRCh38"), alleles=["A", "C"]).select_rows()
    matrix = matrix.key_cols_by(s=hail.literal(["f", "m", "n"])[matrix.col_idx])
    matrix = matrix.annotate_cols(sex=hail.literal(["female", "M", "XY"])[hail.int32(matrix.col_idx)])
    haploid = (matrix.locus.position == 2781480) & (matrix.s != "f")
    carries = matrix.s == "m"
    matrix = matrix.select_entries(
        GT=hail.if_else(haploid, hail.if_else(carries, hail.call(1), hail.call(0)), hail.call(0, hail.int32(carries)))
    )
    matrix.write(str(tmp_path / "x.mt"))
    opened = on_hail.import_matrix(str(tmp_path / "x.mt"), str(tmp_path / "x.callset"))
    assert opened.samples().column("sex").to_pylist() == ["female", "male", "male"]
    in_par, outside = (site for shard in opened.shards for site in opened.sites(shard).to_pylist())
    assert (in_par["n_het"], in_par["n_hom_ref"], in_par["an"]) == (1, 2, 6)
    assert (outside["n_haploid_alt"], outside["n_haploid_ref"], outside["n_hom_ref"], outside["an"]) == (1, 1, 1, 4)
    on_hail.export_matrix(str(tmp_path / "x.callset"), str(tmp_path / "back.mt"))
    back = hail.read_matrix_table(str(tmp_path / "back.mt"))
    assert [str(call) for call in back.GT.collect()] == ["0/0", "0/1", "0/0", "0/0", "1", "0"]


def test_stars_and_symbols_are_left_out_and_counted(hail: Any, tmp_path: Path) -> None:
    matrix = hail.utils.range_matrix_table(1, 2).annotate_entries(GT=hail.call(0, 1))
    matrix = matrix.key_cols_by(s=hail.str(matrix.col_idx + 1))
    matrix = matrix.key_rows_by(locus=hail.locus("1", 500, "GRCh37"), alleles=["AT", "*", "a", "<DEL>"]).select_rows()
    matrix.write(str(tmp_path / "x.mt"))
    opened = on_hail.import_matrix(str(tmp_path / "x.mt"), str(tmp_path / "x.callset"))
    assert {key: row.tolist() for key, row in genotypes(opened).items()} == {("1", 500, "AT", "A"): [0, 0]}
    assert (opened.commit.meta["params"]["n_alts_left_out"], opened.build) == (2, "GRCh37")


def test_tables_that_hold_no_genotypes_are_refused(hail: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "x.callset")
    with pytest.raises(InputError, match="found nothing"):
        on_hail.import_matrix(str(tmp_path / "absent.mt"), out)
    (tmp_path / "folder.mt").mkdir()
    with pytest.raises(InputError, match="no metadata"):
        on_hail.import_matrix(str(tmp_path / "folder.mt"), out)
    hail.utils.range_matrix_table(2, 2).write(str(tmp_path / "keys.mt"))
    with pytest.raises(InputError, match="locus and alleles"):
        on_hail.import_matrix(str(tmp_path / "keys.mt"), out)
    matrix = cohort(hail, tmp_path / "x.mt", n_samples=3, n_variants=4)
    matrix.select_entries(DP=5).write(str(tmp_path / "depth.mt"))
    with pytest.raises(InputError, match=r"GT of type call .*found DP"):
        on_hail.import_matrix(str(tmp_path / "depth.mt"), out)
    matrix.key_cols_by(s="same").write(str(tmp_path / "twins.mt"))
    with pytest.raises(InputError, match="same id"):
        on_hail.import_matrix(str(tmp_path / "twins.mt"), out)
    matrix.filter_rows(False).write(str(tmp_path / "empty.mt"))
    with pytest.raises(InputError, match="found none"):
        on_hail.import_matrix(str(tmp_path / "empty.mt"), out)
    assert not Path(out).exists()


def test_a_damaged_part_is_an_input_error_and_leaves_nothing(hail: Any, tmp_path: Path) -> None:
    cohort(hail, tmp_path / "x.mt", n_samples=3, n_variants=50)
    part = next((tmp_path / "x.mt" / "entries" / "rows" / "parts").glob("part-*3-*"))
    part.write_bytes(part.read_bytes()[:20])
    with pytest.raises(InputError, match="Hail could not read"):
        on_hail.import_matrix(str(tmp_path / "x.mt"), str(tmp_path / "x.callset"))
    assert not (tmp_path / "x.callset").exists()


def test_a_callset_of_unknown_build_cannot_go_to_hail(tmp_path: Path) -> None:
    from cohelix.dataset import Writer
    from cohelix.genome import Bin, Contig
    from cohelix.genotypes import call_text, callset

    spool = call_text.Spool(Bin(0, 0, 100, "c"), tmp_path / "spool", (tmp_path / "spool").open("wb"))
    spool.add((5, "A", "C"), b"0")
    spool.handle.close()
    writer = Writer(str(tmp_path / "x.callset"), callset.KIND, "run")
    totals = call_text.no_totals(1)
    shard, files = call_text.write_bin(
        writer, spool, build="unknown", order=np.array([0]), sample_ids=["a"], sexes=["unknown"], totals=totals
    )
    callset.commit_callset(
        writer, build="unknown", contigs=[Contig("c", 100)], shards=[shard], files=files, n_samples=1,
        samples=callset.write_samples(writer, call_text.samples_table(["a"], ["unknown"], totals)),
        alleles="trimmed", params={}, after=0,
    )  # fmt: skip
    with pytest.raises(ReferenceMismatch, match="unknown build"):
        on_hail.export_matrix(str(tmp_path / "x.callset"), str(tmp_path / "x.mt"))
