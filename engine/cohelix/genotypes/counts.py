"""Counts of genotypes per site and per sample, with the ploidy that sex and region give.

Where a sample's sex is not known, X counts as diploid, as in plink2, and Y as haploid. Such counts agree with
`plink2 --freq counts` and `--missing` wherever sex is known, outside the pseudo-autosomal regions of Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.genotypes import kernels
from cohelix.genotypes.packed import counting

CALLED = ("n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt")
"""The five kinds of called genotype, in the order of the first five counts."""

CONFLICT, NO_COPY = 5, 6
"""Places of two further counts: calls that contradict the ploidy, and samples with no copy of the chromosome."""


@dataclass(frozen=True)
class Ploidy:
    """Copies of each site: `table[classes[site], sample]` is 0, 1 or 2 (uint8)."""

    classes: np.ndarray
    table: np.ndarray

    def rows(self, start: int, end: int) -> Ploidy:
        return Ploidy(self.classes[start:end], self.table)

    def columns(self, chosen: np.ndarray) -> Ploidy:
        return Ploidy(self.classes, np.ascontiguousarray(self.table[:, chosen]))

    @property
    def is_diploid(self) -> bool:
        return bool((self.table == 2).all())


def ploidy_of(build: str, contig: str, positions: np.ndarray, sexes: Sequence[str]) -> Ploidy:
    """Ploidy of every sample at 1-based `positions` of `contig`, from `genome.ploidy_segments`."""
    starts = np.asarray(positions, np.int64) - 1
    length = int(starts.max()) + 1 if len(starts) else 1
    unstated = 1 if genome.plain_name(contig) == "Y" else 2
    by_sex = np.empty((len(genome.SEXES), len(starts)), np.uint8)
    for index, sex in enumerate(genome.SEXES):
        segments = genome.ploidy_segments(build, contig, sex, length)
        edges = np.array([low for low, _, _ in segments])
        values = np.array([unstated if copies == genome.AS_STATED else copies for _, _, copies in segments], np.uint8)
        by_sex[index] = values[np.searchsorted(edges, starts, side="right") - 1]
    patterns, classes = np.unique(by_sex, axis=1, return_inverse=True)
    place = {sex: index for index, sex in enumerate(genome.SEXES)}
    order = np.fromiter(map(place.__getitem__, sexes), np.int64, len(sexes))
    return Ploidy(classes.reshape(-1).astype(np.int64), np.ascontiguousarray(patterns.T[:, order], np.uint8))


def count_variants(block: np.ndarray, ploidy: Ploidy) -> np.ndarray:
    """int64 (variants, 7) counts of an int8 block: `CALLED`, then `CONFLICT` and `NO_COPY`."""
    packed, tally = counting.pack(block), np.zeros((block.shape[0], 3, 4), np.int64)
    for place, copies in enumerate(ploidy.table):
        rows = np.flatnonzero(ploidy.classes == place)
        if rows.size:
            tally[rows] = counting.count_groups(packed[rows], counting.masks_of(copies, 3))
    return named(tally)


def count_samples(block: np.ndarray, ploidy: Ploidy) -> np.ndarray:
    """int64 (samples, 7) counts of an int8 block, named as those of `count_variants`."""
    n_classes, n_samples = len(ploidy.table), block.shape[1]
    by_class = counting.tally_samples(counting.pack(block), ploidy.classes, n_classes, n_samples)
    tally = np.zeros((n_samples, 3, 4), np.int64)
    for copies, counted in zip(ploidy.table, by_class, strict=True):
        tally[np.arange(n_samples), copies] += counted
    return named(tally)


def named(tally: np.ndarray) -> np.ndarray:
    """Counts (rows, 7) from a tally (rows, 3, 4) by copies 0, 1, 2 and genotype 0, 1, 2, missing."""
    none, one, two = tally.transpose(1, 2, 0)
    conflict = one[1] + none[0] + none[1] + none[2]
    return np.column_stack([two[0], two[1], two[2], one[0], one[2], conflict, none[3]])


def drop_conflicts(block: np.ndarray, ploidy: Ploidy) -> int:
    """Make calls that contradict the ploidy missing, in place. Returns how many there were."""
    return 0 if ploidy.is_diploid else int(kernels.drop_conflicts(block, ploidy.classes, ploidy.table))


def site_columns(counted: np.ndarray) -> dict[str, pa.Array]:
    """Columns n_called ... ac, an of the sites table from the counts (variants, 7)."""
    columns = called_columns(counted)
    hom_ref, het, hom_alt, haploid_ref, haploid_alt = counted[:, :5].T
    columns["ac"] = pa.array(het + 2 * hom_alt + haploid_alt)
    columns["an"] = pa.array(2 * (hom_ref + het + hom_alt) + haploid_ref + haploid_alt)
    return columns


def called_columns(counted: np.ndarray) -> dict[str, pa.Array]:
    """Columns n_called, n_hom_ref, ..., n_haploid_alt from counts (rows, 7)."""
    columns = {"n_called": pa.array(counted[:, :5].sum(axis=1))}
    return columns | {name: pa.array(np.ascontiguousarray(counted[:, place])) for place, name in enumerate(CALLED)}
