"""Chromosomes called at every base: a sweep over each sample's records and blocks from edge to edge."""

from __future__ import annotations

import numpy as np

from cohelix.joint.genotype import kernels as g
from cohelix.joint.overlap import kernels as o
from cohelix.kernel import kernel, leaf

RAW, ADJ, LEVELS = range(3)


@leaf
def _copies(cell: int) -> int:
    if cell < 0:
        return 0
    return 1 if cell >= g.HAPLOID_REF else 2


@leaf
def _own_row(
    records: np.ndarray, alleles: np.ndarray, snps: np.ndarray, own: np.ndarray, r: int, high: int, base: int
) -> int:
    """The first row of a SNP at `base` whose allele the sample carries; -1 where there is none."""
    found = -1
    for i in range(r, high):
        if records[i, o.R_START] > base:
            break
        for copy in range(2):
            code = records[i, o.R_CODE1 + copy]
            w = alleles[code, g.L_ROW] if code >= 0 else -1
            if w >= 0 and own[w] == i and snps[w] == base and (found < 0 or w < found):
                found = w
    return found


@leaf
def _edges(
    records: np.ndarray, alleles: np.ndarray, snps: np.ndarray, low: int, high: int, cuts: np.ndarray, edges: np.ndarray
) -> int:
    """Fill `edges` with the bases at which something of the records may change what is called; returns how many."""
    n = 0
    for base in cuts:
        edges[n] = base
        n += 1
    for i in range(low, high):
        edges[n], edges[n + 1] = records[i, o.R_START], records[i, o.R_END]
        n += 2
        for copy in range(2):
            code = records[i, o.R_CODE1 + copy]
            if code >= 0:
                edges[n], edges[n + 1] = alleles[code, g.L_DELETED_START], alleles[code, g.L_DELETED_END]
                n += 2
                w = alleles[code, g.L_ROW]
                if w >= 0:
                    edges[n], edges[n + 1] = snps[w], snps[w] + 1
                    n += 2
    return n


@kernel
def sum_copies(
    snps: np.ndarray, ploidy_at: np.ndarray, ploidy: np.ndarray, sex: np.ndarray, stratum: np.ndarray,
    alleles: np.ndarray, records: np.ndarray, record_at: np.ndarray,
    block_start: np.ndarray, block_end: np.ndarray, block_gq: np.ndarray, block_dp: np.ndarray, block_state: np.ndarray,
    block_at: np.ndarray, settings: np.ndarray, start: int, end: int, steps: np.ndarray,
) -> None:  # fmt: skip
    """Add to `steps` (strata, LEVELS, end - start + 1) int32 the change from base to base of the copies called.

    snps (rows,) int32: 0-based position of the callset's rows that are SNPs, -1 of the others. ploidy_at (stretches,)
    int64: where each stretch of equal ploidy begins, ploidy (3 sexes, stretches) int8. sex, stratum (samples,). The
    others as in `genotype_samples`.
    """
    flags = np.zeros(max(records.shape[0], 1), np.int8)
    own = np.full(snps.size, -1, np.int32)
    holder = np.full(alleles.shape[0], -1, np.int32)
    seen = np.empty(g.E_COLUMNS, np.int32)
    for s in range(record_at.size - 1):
        low, high = record_at[s], record_at[s + 1]
        o.settle_overlaps(records, low, high, settings[g.S_BEST] == 1, flags)
        g.claim_rows(records, alleles, flags, low, high, holder, own)
        edges = np.empty(ploidy_at.size + 10 * (high - low) + 1, np.int64)
        n = _edges(records, alleles, snps, low, high, ploidy_at, edges)
        edges[n] = end
        _sweep(
            snps, own, ploidy_at, ploidy[sex[s]], alleles, records, low, high, flags,
            block_start, block_end, block_gq, block_dp, block_state, block_at[s], block_at[s + 1],
            settings, seen, np.sort(edges[: n + 1]), start, end, steps[stratum[s]],
        )  # fmt: skip
        own[:] = -1


@leaf
def _sweep(
    snps: np.ndarray, own: np.ndarray, ploidy_at: np.ndarray, ploidy: np.ndarray, alleles: np.ndarray,
    records: np.ndarray, r: int, high: int, flags: np.ndarray,
    block_start: np.ndarray, block_end: np.ndarray, block_gq: np.ndarray, block_dp: np.ndarray, block_state: np.ndarray,
    b: int, b_high: int, settings: np.ndarray, seen: np.ndarray, edges: np.ndarray,
    start: int, end: int, steps: np.ndarray,
) -> None:  # fmt: skip
    """One sample of `sum_copies`: from edge to edge nothing changes, so that each stretch is looked at once."""
    raw, adj, edge, stretch = 0, 0, 0, 0
    base = start
    while base < end:
        while r < high and records[r, o.R_END] <= base:
            r += 1
        while b < b_high and block_end[b] <= base:
            b += 1
        while stretch + 1 < ploidy_at.size and ploidy_at[stretch + 1] <= base:
            stretch += 1
        while edges[edge] <= base:
            edge += 1
        w = _own_row(records, alleles, snps, own, r, high, base)
        i = own[w] if w >= 0 else -1
        cell, passes, _, _, _, _, _ = g.call_at(
            w, i, records, flags, alleles, r, high, block_start, block_end, block_gq, block_dp, block_state,
            b, b_high, base, base + 1, ploidy[stretch], settings, seen,
        )  # fmt: skip
        here = _copies(cell)
        here_adj = here if passes else 0
        steps[RAW, base - start] += here - raw
        steps[ADJ, base - start] += here_adj - adj
        raw, adj = here, here_adj
        following = edges[edge]
        if b < b_high:
            following = min(following, block_start[b] if block_start[b] > base else block_end[b])
        base = following
    steps[RAW, end - start] -= raw
    steps[ADJ, end - start] -= adj
