"""Counts and ploidy against their plain definitions."""

from __future__ import annotations

import numpy as np
import pytest

from cohelix.genotypes import counts
from tests.oracles import genotypes as plain

SEXES = ["male", "female", "unknown", "female", "male", "male", "unknown"]
EDGES = [
    1, 10_000, 10_001, 60_000, 60_001, 2_649_520, 2_649_521, 2_699_520, 2_699_521, 2_781_479, 2_781_480, 30_000_000,
    56_887_902, 56_887_903, 57_217_415, 57_217_416, 59_034_049, 59_034_050, 59_363_566, 59_363_567, 154_931_043,
    154_931_044, 155_260_560, 155_260_561, 155_701_382, 155_701_383, 156_030_895, 156_030_896,
]  # fmt: skip


@pytest.mark.parametrize("build", ["GRCh37", "GRCh38", "unknown"])
@pytest.mark.parametrize("contig", ["chr7", "X", "chrX", "chrY", "chrM", "MT", "chrUn_1"])
def test_ploidy_by_sex_and_region(build: str, contig: str) -> None:
    ploidy = counts.ploidy_of(build, contig, np.array(EDGES), SEXES)
    expected = [[plain.copies_of(build, contig, position, sex) for sex in SEXES] for position in EDGES]
    assert ploidy.table[ploidy.classes].tolist() == expected
    assert ploidy.is_diploid == (np.array(expected) == 2).all()


@pytest.mark.parametrize("contig", ["chr7", "chrX", "chrY", "chrM"])
@pytest.mark.parametrize("seed", range(5))
def test_counts_equal_the_plain_definition(contig: str, seed: int) -> None:
    sexes = list(np.random.default_rng(seed).choice(["male", "female", "unknown"], 37))
    positions = np.array(EDGES)
    block = plain.random_block(seed, len(positions), len(sexes))
    ploidy = counts.ploidy_of("GRCh38", contig, positions, sexes)
    copies = [[plain.copies_of("GRCh38", contig, int(position), sex) for sex in sexes] for position in positions]
    per_variant = counts.count_variants(block, ploidy)
    assert per_variant.tolist() == [
        list(plain.counts(row, here).values()) for row, here in zip(block.tolist(), copies, strict=True)
    ]
    assert counts.count_samples(block, ploidy).tolist() == [
        list(plain.counts(column, here).values())
        for column, here in zip(block.T.tolist(), np.array(copies).T.tolist(), strict=True)
    ]


def test_conflicts_become_missing_and_nothing_else_changes() -> None:
    sexes = ["male", "female", "unknown"] * 4
    positions = np.array(EDGES)
    for contig in ("chr7", "chrX", "chrY", "chrM"):
        block = plain.random_block(9, len(positions), len(sexes))
        ploidy = counts.ploidy_of("GRCh38", contig, positions, sexes)
        before = block.copy()
        dropped = counts.drop_conflicts(block, ploidy)
        assert dropped == counts.count_variants(before, ploidy)[:, counts.CONFLICT].sum()
        assert (block != before).sum() == dropped and (block[block != before] == -9).all()
        assert counts.count_variants(block, ploidy)[:, counts.CONFLICT].sum() == 0


def test_ac_and_an_count_a_haploid_genotype_once() -> None:
    block = np.array([[0, 1, 2, -9, 2, 0]], np.int8)
    ploidy = counts.ploidy_of("GRCh38", "chrX", np.array([30_000_000]), ["female"] * 4 + ["male"] * 2)
    columns = counts.site_columns(counts.count_variants(block, ploidy))
    assert {name: column.to_pylist() for name, column in columns.items()} == {
        "n_called": [5], "n_hom_ref": [1], "n_het": [1], "n_hom_alt": [1], "n_haploid_ref": [1], "n_haploid_alt": [1],
        "ac": [4], "an": [8],
    }  # fmt: skip


def test_empty_blocks_count_nothing() -> None:
    ploidy = counts.ploidy_of("GRCh38", "chr1", np.array([], np.int64), ["male"])
    assert counts.count_variants(np.empty((0, 1), np.int8), ploidy).shape == (0, 7)
