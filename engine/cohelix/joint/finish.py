"""The finished cells of a bin, window by window: genotypes and what fails adj as blocks of a PGEN, and the counts that
need the totals of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.genotypes import callset
from cohelix.joint import store, unify
from cohelix.joint.counting import kernels
from cohelix.joint.coverage import Regions
from cohelix.joint.genotype import kernels as g
from cohelix.joint.schema import REASONS, SITE_COUNTS
from cohelix.joint.totals import Totals

_WINDOW_CELLS = 8 << 20
"""Genotypes of one window of rows when a shard is written."""

_PGEN = np.full(256, callset.MISSING, np.int8)
_PGEN[[0, 1, 2, g.HAPLOID_REF, g.HAPLOID_ALT]] = [0, 1, 2, 0, 2]
_PGEN[g.FAILS_ADJ : g.FAILS_ADJ + 5] = _PGEN[:5]
_FAILS = np.zeros(256, np.int8)
_FAILS[g.FAILS_ADJ : g.FAILS_ADJ + 5] = 1


@dataclass(frozen=True)
class Cells:
    """(columns, cells) of each batch, the cells as (rows, samples) int8."""

    batches: Sequence[tuple[np.ndarray, np.ndarray]]
    n_rows: int
    n_samples: int

    def windows(self) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, cells of all samples)."""
        step = max(1, _WINDOW_CELLS // self.n_samples)
        for low in range(0, self.n_rows, step):
            cells = np.empty((min(step, self.n_rows - low), self.n_samples), np.int8)
            for columns, by_row in self.batches:
                cells[:, columns] = by_row[low : low + step]
            yield low, cells


def genotypes(
    cells: Cells, rows: list[unify.Row], site_counts: np.ndarray, regions: Regions, totals: Totals
) -> Iterator[np.ndarray]:
    """Blocks of hard calls. Adds what each window says with the counts of its rows to `totals`, once each."""
    ac, an = site_counts[:, SITE_COUNTS.index("ac")], site_counts[:, SITE_COUNTS.index("an")]
    weights = homozygosity_weights(ac, an)
    for place in range(regions.numbers.size):
        totals.homozygosity[:, place] = weights[regions.of_rows == place].sum(axis=0)
    substitution = np.array([unify.substitution_of(row.ref, row.alt) for row in rows], np.int8)
    singleton = np.where(ac == 1, substitution, np.int8(-1))
    for low, window in cells.windows():
        here = slice(low, low + len(window))
        kernels.finish_rows(
            window, regions.of_rows[here], singleton[here], weights[here], totals.samples, totals.homozygosity
        )
        yield _PGEN[window.view(np.uint8)]


def fails_adj(cells: Cells) -> Iterator[np.ndarray]:
    """Blocks of 1 where a genotype is called and fails adj, else 0."""
    for _, window in cells.windows():
        yield _FAILS[window.view(np.uint8)]


def homozygosity_weights(ac: np.ndarray, an: np.ndarray) -> np.ndarray:
    """(rows, HOMOZYGOSITY) int64: 1, and 1e9 times the share of homozygotes to expect, as 1 - 2pq and as
    1 - 2pq an / (an - 1); 0 throughout where the row has only one allele.
    """
    both = (ac > 0) & (ac < an)
    p = np.where(both, ac, 1) / np.where(both, an, 2)
    het = 2 * p * (1 - p)
    small = np.where(both, an, 2) / (np.where(both, an, 2) - 1)
    weights = np.stack([np.ones(ac.size), np.rint(1e9 * (1 - het)), np.rint(1e9 * (1 - het * small))], axis=1)
    weights[~both] = 0
    return weights.astype(np.int64)


def partial_table(parts: list[np.ndarray]) -> pa.Table:
    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    copies = np.array(["0", "1", "*", "."])
    return pa.table(
        {
            "row": store.column(rows[:, 0].astype(np.int32)),
            "sample": store.column(rows[:, 1].astype(np.int32)),
            "first": store.text(copies[rows[:, 2]].tolist()),
            "second": store.text(copies[rows[:, 3]].tolist()),
            "reason": store.text(np.array(REASONS)[rows[:, 4]].tolist()),
        }
    )
