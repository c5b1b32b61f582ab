"""Loops over panel haplotypes. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel


@kernel
def gather(
    panel: np.ndarray, target: np.ndarray, row: np.ndarray, low: np.ndarray, high: np.ndarray, out: np.ndarray
) -> None:
    """Copy columns low[i] to high[i] of row row[i] of `panel` (H, S) int8 into row target[i] of `out` (T, S) int8."""
    for i in range(target.size):
        for s in range(low[i], high[i]):
            out[target[i], s] = panel[row[i], s]


@kernel
def without_spanned(offset: np.ndarray, spans: np.ndarray, no_copy: int, spanned: int, alleles: np.ndarray) -> None:
    """Mark in `alleles` (T, n) int8 what lies in a deletion of the same haplotype.

    offset (n,): of each site, ascending. spans (n, 3): reference bases of allele 0, 1, 2 by itself.
    """
    for t in range(alleles.shape[0]):
        covered_to = np.int64(0)
        for s in range(offset.size):
            allele = alleles[t, s]
            if allele == no_copy:
                continue
            if offset[s] < covered_to:
                alleles[t, s] = spanned
            elif allele > 0 and allele != spanned and spans[s, allele] > 1:
                covered_to = offset[s] + spans[s, allele]


@kernel
def count_alleles(panel: np.ndarray, row: np.ndarray, low: np.ndarray, high: np.ndarray, out: np.ndarray) -> None:
    """Add to `out` (S, 2) int64 how often allele 1 and 2 occur in columns low[i] to high[i] of row row[i]."""
    for i in range(row.size):
        for s in range(low[i], high[i]):
            allele = panel[row[i], s]
            if allele == 1 or allele == 2:
                out[s, allele - 1] += 1


@kernel
def gather_sites(
    panel: np.ndarray, target: np.ndarray, row: np.ndarray, low: np.ndarray, high: np.ndarray, out: np.ndarray
) -> None:
    """As `gather`, site by site: `panel` (S, H) into `out` (S, T)."""
    for s in range(panel.shape[0]):
        for i in range(target.size):
            if low[i] <= s < high[i]:
                out[s, target[i]] = panel[s, row[i]]


@kernel
def two_copies(alleles: np.ndarray, allele: int, no_copy: int, out: np.ndarray) -> None:
    """Which of two copies are `allele`: alleles (n, K) int8 into out (n, 2) int8, 1 or 0.

    Of more than two copies the first two that are there; one copy stands for both; -9 where there is none.
    """
    for i in range(alleles.shape[0]):
        found = 0
        for k in range(alleles.shape[1]):
            code = alleles[i, k]
            if code != no_copy and found < 2:
                out[i, found] = 1 if code == allele else 0
                found += 1
        if found == 0:
            out[i, 0] = -9
        if found < 2:
            out[i, 1] = out[i, 0]
