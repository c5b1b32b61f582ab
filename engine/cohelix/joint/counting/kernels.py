"""Counts of genotypes, bases and homozygous calls. Everything is a sum of whole numbers: no order or division of the
work changes it.
"""

from __future__ import annotations

import numpy as np

from cohelix.joint import schema
from cohelix.joint.overlap import kernels as o
from cohelix.joint.schema import SAMPLE_COUNTS
from cohelix.kernel import kernel, leaf

HAPLOID_REF, HAPLOID_ALT = 3, 4

_REASONS = len(schema.REASONS) - 1
_MISSING = SAMPLE_COUNTS.index("missing_no_data")
_GQ = SAMPLE_COUNTS.index("n_gq_00")
_HOM_ALT_SUBSTITUTION = SAMPLE_COUNTS.index("n_hom_alt_transition")
_HOM_ALT_INDEL = SAMPLE_COUNTS.index("n_hom_alt_insertion")
_SINGLETON = SAMPLE_COUNTS.index("n_singleton")
_SINGLETON_SUBSTITUTION = SAMPLE_COUNTS.index("n_singleton_transition")


@leaf
def count_site(cell: int, adj: bool, gq: int, dp: int, ref_reads: int, reads: int, out: np.ndarray) -> None:
    """Add one called genotype to a row of SITE_COUNTS."""
    out[0] += 1
    out[1 + cell] += 1  # hom-ref, het, hom-alt, haploid ref, haploid alt
    ac = cell if cell <= 2 else cell - 3
    an = 2 if cell <= 2 else 1
    out[6] += ac
    out[7] += an
    if adj:
        out[8] += ac
        out[9] += an
        out[10] += cell == 2
    if dp >= 0:
        out[11] += dp
        out[13] += 1
    if gq >= 0:
        out[12] += gq
        out[14] += 1
    if reads >= 0 and ref_reads >= 0:
        if cell == 1:
            out[15] += ref_reads
            out[16] += reads
        elif cell == 2:
            out[17] += ref_reads
            out[18] += reads


@leaf
def count_sample(
    cell: int, adj: bool, gq: int, dp: int, ref_reads: int, reads: int, kind: int, substitution: int, out: np.ndarray
) -> None:
    """Add one called genotype to a row of SAMPLE_COUNTS (`sum_outcomes` and `finish_rows` add the rest)."""
    out[7] += adj
    if dp >= 0:
        out[19] += dp
        out[21] += 1
    if gq >= 0:
        out[20] += gq
        out[_GQ + min(gq // 10, 9)] += 1
    if cell == 0 or cell == HAPLOID_REF:
        return
    out[8] += 1
    if kind < 3:
        out[9 + kind] += 1
    if substitution > 0:
        out[11 + substitution] += 1
        out[_HOM_ALT_SUBSTITUTION + substitution - 1] += cell == 2
    if kind == 0:
        out[14] += cell == 1
        out[15] += cell == 2
    elif kind < 3:
        out[16] += cell == 1
        out[17] += cell == 2
        out[_HOM_ALT_INDEL + kind - 1] += cell == 2
    if reads >= 0 and ref_reads >= 0:
        if cell == 1:
            out[23] += ref_reads
            out[24] += reads
        elif cell == 2:
            out[25] += ref_reads
            out[26] += reads


@leaf
def sum_outcomes(outcomes: np.ndarray, out: np.ndarray) -> None:
    """Add the outcomes of one sample (regions, OUTCOMES), and its GQs by decade, to the counts that are their sums."""
    for region in range(outcomes.shape[0]):
        for reason in range(1, _REASONS + 1):
            missing = outcomes[region, _REASONS - reason]
            out[0] += missing
            out[_MISSING + reason - 1] += missing
        for cell in range(HAPLOID_ALT + 1):
            called = outcomes[region, _REASONS + cell]
            out[0] += called
            out[1] += called
            out[2 + cell] += called
    for decade in range(10):
        out[22] += out[_GQ + decade]


@kernel
def cover(
    records: np.ndarray, record_at: np.ndarray, block_start: np.ndarray, block_end: np.ndarray, block_dp: np.ndarray,
    block_at: np.ndarray, stretches: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Add the depth of each sample over some bases to out (samples, regions, COVERAGE) int64.

    records (records, R_COLUMNS) and block_* int32, sorted by sample, then start, blocks without overlaps; a depth of -1
    is no statement. stretches (n, 3) int64: start, end, region of the bases that count. Over a base that several state,
    the variant record that starts first speaks.
    """
    for s in range(record_at.size - 1):
        b, high = block_at[s], block_at[s + 1]
        reached = 0  # bases before it have been spoken of by a record, or are behind the record now looked at
        for i in range(record_at[s], record_at[s + 1]):
            start, end, depth = max(records[i, o.R_START], reached), records[i, o.R_END], records[i, o.R_DP]
            if depth < 0 or end <= start:
                continue
            b = _cover_by_blocks(block_start, block_end, block_dp, b, high, reached, start, stretches, out[s])
            _cover_bases(start, end, depth, stretches, out[s])
            reached = end
        _cover_by_blocks(block_start, block_end, block_dp, b, high, reached, 1 << 40, stretches, out[s])


@leaf
def _cover_by_blocks(
    start: np.ndarray, end: np.ndarray, depth: np.ndarray, b: int, high: int, low_base: int, high_base: int,
    stretches: np.ndarray, out: np.ndarray,
) -> int:  # fmt: skip
    """Add what blocks [b, high) state of [low_base, high_base); returns the first block that may reach beyond it."""
    while b < high and start[b] < high_base:
        if depth[b] >= 0:
            _cover_bases(max(start[b], low_base), min(end[b], high_base), depth[b], stretches, out)
        if end[b] > high_base:
            break
        b += 1
    return b


@leaf
def _cover_bases(start: int, end: int, depth: int, stretches: np.ndarray, out: np.ndarray) -> None:
    for i in range(stretches.shape[0]):
        n = int(min(end, stretches[i, 1])) - int(max(start, stretches[i, 0]))
        if n > 0:
            region = stretches[i, 2]
            out[region, 0] += n
            out[region, 1] += n * int(depth)
            out[region, 2] += n * (depth >= 1)
            out[region, 3] += n * (depth >= 10)
            out[region, 4] += n * (depth >= 20)
            out[region, 5] += n * (depth >= 30)


@kernel
def finish_rows(
    cells: np.ndarray, regions: np.ndarray, singleton: np.ndarray, weights: np.ndarray,
    sample_counts: np.ndarray, homozygosity: np.ndarray,
) -> None:  # fmt: skip
    """What is known of the cells of finished rows (rows, samples) only with the row's totals: adds each carrier of a
    singleton to sample_counts (samples, SAMPLE_COUNTS), and takes the weights of each row at which a sample has no
    diploid call from homozygosity (samples, regions, HOMOZYGOSITY).

    regions (rows,); singleton (rows,): -1 for a row of another count than one copy, else its substitution (0 none, 1
    transition, 2 transversion); weights (rows, HOMOZYGOSITY) int64, 0 throughout for a row that does not count.
    """
    for w in range(cells.shape[0]):
        counts, one = weights[w, 0] > 0, singleton[w] >= 0
        if not counts and not one:
            continue
        for s in range(cells.shape[1]):
            cell = cells[w, s]
            if counts and (cell < 0 or (cell & 7) >= HAPLOID_REF):
                for i in range(weights.shape[1]):
                    homozygosity[s, regions[w], i] -= weights[w, i]
            if one and cell >= 0 and ((cell & 7) == 1 or (cell & 7) == HAPLOID_ALT):
                sample_counts[s, _SINGLETON] += 1
                if singleton[w] > 0:
                    sample_counts[s, _SINGLETON_SUBSTITUTION + singleton[w] - 1] += 1
