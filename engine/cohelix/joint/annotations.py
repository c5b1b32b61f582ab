"""Site annotations: what the carriers of each row's allele say of the evidence behind it, summed over batches.

Sums are whole numbers, and rank sums are medians of whole tenths, so that nothing depends on batches or their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cohelix.joint import unify
from cohelix.joint.annotation import kernels as a
from cohelix.joint.batch import Records

SITE_SUMS = (
    "sb_ref_forward", "sb_ref_reverse", "sb_alt_forward", "sb_alt_reverse", "mq_depth", "mq_sum_squared",
    "qual_approx", "variant_depth", "n_high_quality",
)  # fmt: skip
"""Columns of the sites table, in the order in which `annotation.kernels.sum_carriers` adds them."""

RANK_SUMS = ("mq_rank_sum", "read_pos_rank_sum")

_COMPACT = 1 << 20
"""Rank sums that are held before equal ones of a row are counted together."""


@dataclass
class Tally:
    """How often each (row, tenths) was met: as many entries as distinct ones, however large the cohort."""

    keys: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    pending: list[np.ndarray] = field(default_factory=list)
    n_pending: int = 0

    def add(self, keys: np.ndarray) -> None:
        if keys.size:
            self.pending.append(keys)
            self.n_pending += keys.size
        if self.n_pending > max(_COMPACT, self.keys.size):
            self.compact()

    def compact(self) -> None:
        """Count what is pending."""
        weights = np.concatenate([self.counts, np.ones(self.n_pending, np.int64)])
        self.keys, where = np.unique(np.concatenate([self.keys, *self.pending]), return_inverse=True)
        self.counts = np.zeros(self.keys.size, np.int64)
        np.add.at(self.counts, where, weights)
        self.pending, self.n_pending = [], 0

    def medians(self, n_rows: int) -> np.ndarray:
        """float64: the median of each row's values, the mean of the middle two of an even number; NaN of none."""
        self.compact()
        rows, tenths = self.keys >> 16, (self.keys & 0xFFFF) - 32768
        ends = np.cumsum(self.counts)
        total = np.bincount(rows, self.counts, n_rows).astype(np.int64)
        first = np.cumsum(total) - total
        some = total > 0
        out = np.full(n_rows, np.nan)
        low, high = (
            tenths[np.searchsorted(ends, (first + middle)[some], side="right")]
            for middle in ((total - 1) // 2, total // 2)
        )
        out[some] = (low + high) / 20
        return out


class SiteAnnotations:
    """Accumulators of the rows of one bin."""

    def __init__(self, n_rows: int) -> None:
        self.sums = np.zeros((n_rows, a.SUMS), np.int64)
        self.ranks = (Tally(), Tally())

    def add(self, cells: np.ndarray, alleles: np.ndarray, records: Records, *, best: bool) -> None:
        """Add a batch. cells (samples, rows) int8 and alleles (alleles, L_COLUMNS): as `genotype_samples` has them."""
        met = a.sum_carriers(
            cells, alleles, records.records, records.at, best,
            records.evidence, records.annotations, records.mq_squared, self.sums,
        )  # fmt: skip
        for tally, keys in zip(self.ranks, met, strict=True):
            tally.add(keys)

    def columns(self, rows: Sequence[unify.Row], cut: Iterable[Sequence[int]]) -> dict[str, np.ndarray]:
        """Columns of the sites table. cut: (1-based position, alleles, kept) of positions that lost alleles."""
        columns = {name: np.ascontiguousarray(self.sums[:, i]) for i, name in enumerate(SITE_SUMS)}
        columns |= {name: tally.medians(len(rows)) for name, tally in zip(RANK_SUMS, self.ranks, strict=True)}
        return columns | {"n_alleles": allele_counts(rows, cut)}


def allele_counts(rows: Sequence[unify.Row], cut: Iterable[Sequence[int]]) -> np.ndarray:
    """int64: the alternate alleles at each row's position, those included that were cut."""
    found = Counter(row.position for row in rows)
    found.update({position - 1: n - found[position - 1] for position, n, _ in cut})
    return np.array([found[row.position] for row in rows], np.int64)
