"""Genotypes of samples at rows, by the rules of docs/methods/joint.md.

For each sample: settle what its own records state together (`settle_overlaps`), then walk the rows in order of position
with its records and reference blocks. A cell of the result is 0, 1, 2 (copies on two chromosomes), 3, 4 (reference,
alternate on one chromosome), plus `FAILS_ADJ` where it fails adj, or minus the reason why it is missing.
"""

from __future__ import annotations

import numpy as np

from cohelix.joint import schema
from cohelix.joint.contamination.kernels import note
from cohelix.joint.counting import kernels as c
from cohelix.joint.counting.kernels import HAPLOID_ALT as HAPLOID_ALT
from cohelix.joint.counting.kernels import HAPLOID_REF as HAPLOID_REF
from cohelix.joint.kernels import ABSENT, REF, STAR, UNCALLED, UNNAMED, lower_known
from cohelix.joint.overlap import kernels as o
from cohelix.kernel import kernel, leaf

# Columns of the table of alleles: their row (or a code), and the bases they delete.
L_ROW, L_DELETED_START, L_DELETED_END, L_COLUMNS = range(4)
LOST, ELSEWHERE = -1, -2
"""An allele without a row: cut from the callset, or owned by a neighbouring bin."""

# Columns of the row table.
W_POSITION, W_EVIDENCE_END, W_KIND, W_SUBSTITUTION, W_REGION, W_LONE_SNP, W_COLUMNS = range(7)

# Settings, in one integer array.
(
    S_GQ0_NOCALL, S_PARTIAL_OK, S_MIN_DEPTH, S_BEST, S_FILTER,
    S_ADJ_GQ, S_ADJ_DP, S_ADJ_DP1, S_ADJ_AB_PERMILLE, S_COLUMNS,
) = range(10)  # fmt: skip

LAST_REASON = len(schema.REASONS) - 1
FAILS_ADJ = 8
"""Added to the cell of a called genotype that fails adj."""

# What is known of one copy, in the partial table.
COPY_0, COPY_1, COPY_STAR, COPY_DOT = 0, 1, 2, 3

# What `_evidence` sees over a row's span: lowest GQ and DP (-1 unknown); whether something there is a no-call,
# contradicts or is haploid; copies half called and lost; copies of POS that deletions remove, or that are stated as
# `*`; whether one of these is haploid.
E_GQ, E_DP, E_NO_CALL, E_CONFLICT, E_HAPLOID, E_HALF, E_LOST, E_DELETED, E_STARRED, E_LONE, E_COLUMNS = range(11)


@leaf
def _deletes(alleles: np.ndarray, code: int, position: int) -> bool:
    return code >= 0 and alleles[code, L_DELETED_START] <= position < alleles[code, L_DELETED_END]


@leaf
def _deleted_copies(
    records: np.ndarray, flags: np.ndarray, alleles: np.ndarray, low: int, high: int, position: int, skip: int
) -> int:
    """Copies of base `position` that called deletions of records [low, high) remove; record `skip` is left out."""
    copies = 0
    for i in range(low, high):
        if records[i, o.R_START] > position:
            break
        if i == skip or flags[i] == o.DEMOTED:
            continue
        if _deletes(alleles, records[i, o.R_CODE1], position):
            copies += 2 if records[i, o.R_CODE2] == ABSENT else 1
        if _deletes(alleles, records[i, o.R_CODE2], position):
            copies += 1
    return min(copies, 2)


@leaf
def _copy_of(
    code: int, flag: int, row: int, alleles: np.ndarray, reads: int, ref_reads: int, dp: int, min_depth: int
) -> tuple[int, int]:
    """(what the copy is at `row`, why it is not known) for one code of a sample's own record."""
    if code == STAR:
        return COPY_STAR, schema.DELETION
    if code == UNCALLED:
        return (COPY_0, schema.CALLED) if flag == o.COMPLETED else (COPY_DOT, schema.HALF_CALL)
    if code == UNNAMED or (code >= 0 and alleles[code, L_ROW] == LOST):
        return COPY_DOT, schema.LOST_ALLELE
    if min_depth > 0:
        support = ref_reads if code == REF else reads
        support = dp if support < 0 else support
        if 0 <= support < min_depth:
            return COPY_DOT, schema.LOW_DEPTH
    return (COPY_1 if code >= 0 and alleles[code, L_ROW] == row else COPY_0), schema.CALLED


@leaf
def _own_call(
    records: np.ndarray, i: int, flag: int, row: int, alleles: np.ndarray, ploidy: int, deleted: int,
    settings: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """(cell, known copies) at a row whose allele record `i` carries. Known copies: 4 x first + second, -1 none."""
    code1, code2 = records[i, o.R_CODE1], records[i, o.R_CODE2]
    if flag == o.CONFLICT:
        return -schema.OVERLAP, -1
    if ploidy == 0:
        return -schema.PLOIDY, -1
    dp, ref_reads, min_depth = records[i, o.R_DP], records[i, o.R_REF_READS], settings[S_MIN_DEPTH]
    first, why = _copy_of(code1, flag, row, alleles, records[i, o.R_READS1], ref_reads, dp, min_depth)
    if code2 == ABSENT:
        if why != schema.CALLED:
            return -why, -1
        if ploidy != 2:
            return (HAPLOID_ALT if first == COPY_1 else HAPLOID_REF), -1
        if first == COPY_0:
            return 0, -1
        if deleted == 1:
            return -schema.DELETION, 4 * COPY_1 + COPY_STAR
        return -schema.PLOIDY, 4 * COPY_1 + COPY_DOT
    second, why2 = _copy_of(code2, flag, row, alleles, records[i, o.R_READS2], ref_reads, dp, min_depth)
    why = why if why != schema.CALLED else why2
    if why != schema.CALLED:
        known = -1 if first == COPY_DOT and second == COPY_DOT else 4 * first + second
        return -why, known
    if ploidy == 1:
        if first != second:
            return -schema.PLOIDY, -1
        return (HAPLOID_ALT if first == COPY_1 else HAPLOID_REF), -1
    return first + second, -1


@leaf
def _evidence(
    records: np.ndarray, flags: np.ndarray, alleles: np.ndarray, r_low: int, r_high: int,
    block_start: np.ndarray, block_end: np.ndarray, block_gq: np.ndarray, block_dp: np.ndarray, block_state: np.ndarray,
    b_low: int, b_high: int, position: int, end: int, ploidy: int, settings: np.ndarray, seen: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """(cell, known copies) at a row whose allele the sample does not carry: reference, or why not.

    Reference needs called evidence over each base of [position, end). Fills `seen` (E_COLUMNS,) int32.
    """
    for i in range(E_COLUMNS):
        seen[i] = -1 if i <= E_DP else 0
    _see_blocks(block_start, block_end, block_gq, block_dp, block_state, b_low, b_high, position, end, seen)
    _see_records(records, flags, alleles, r_low, r_high, position, end, settings[S_GQ0_NOCALL] == 1, seen)
    deleted = max(seen[E_DELETED], seen[E_STARRED])
    if deleted > 0:
        return _deleted(deleted, seen, ploidy)
    if seen[E_CONFLICT] > 0:
        return -schema.OVERLAP, -1
    if seen[E_HALF] + seen[E_LOST] > 0:
        if ploidy == 0:
            return -schema.PLOIDY, -1
        alone = seen[E_HALF] + seen[E_LOST] == 1 and seen[E_HAPLOID] == 0
        return -schema.HALF_CALL if seen[E_HALF] > 0 else -schema.LOST_ALLELE, 4 * COPY_0 + COPY_DOT if alone else -1
    covered = 0
    reach = position  # bases of [position, end) up to here have been seen to be covered or not
    while reach < end:
        step = _covered_until(records, flags, r_low, r_high, block_start, block_end, block_state, b_low, b_high, reach)
        covered += min(max(step, reach), end) - reach
        reach = max(step, reach + 1)
    return _verdict(covered, end - position, ploidy, settings, seen), -1


@leaf
def _deleted(copies: int, seen: np.ndarray, ploidy: int) -> tuple[int, int]:
    if ploidy == 0:
        return -schema.PLOIDY, -1
    if ploidy == 1 or (ploidy < 0 and seen[E_HAPLOID] > 0):
        return -schema.DELETION, -1
    if copies >= 2:
        return -schema.DELETION, 4 * COPY_STAR + COPY_STAR
    return -schema.DELETION, 4 * COPY_STAR + COPY_DOT if seen[E_LONE] > 0 else 4 * COPY_0 + COPY_STAR


@leaf
def _verdict(covered: int, length: int, ploidy: int, settings: np.ndarray, seen: np.ndarray) -> int:
    """Cell of a row of which `covered` of `length` bases are covered by called evidence."""
    if seen[E_NO_CALL] > 0 and (covered == 0 or settings[S_PARTIAL_OK] == 0):
        return -schema.NO_CALL
    if seen[E_GQ] == 0 and settings[S_GQ0_NOCALL] == 1:
        return -schema.GQ0
    if covered == 0:
        return -schema.NO_DATA
    if covered < length and settings[S_PARTIAL_OK] == 0:
        return -schema.PARTIAL
    if 0 <= seen[E_DP] < settings[S_MIN_DEPTH]:
        return -schema.LOW_DEPTH
    if ploidy == 0:
        return -schema.PLOIDY
    return HAPLOID_REF if ploidy == 1 or (ploidy < 0 and seen[E_HAPLOID] > 0) else 0


@leaf
def _see_blocks(
    block_start: np.ndarray, block_end: np.ndarray, block_gq: np.ndarray, block_dp: np.ndarray, block_state: np.ndarray,
    low: int, high: int, position: int, end: int, seen: np.ndarray,
) -> None:  # fmt: skip
    for b in range(low, high):
        if block_start[b] >= end:
            break
        if block_end[b] <= position:
            continue
        if block_state[b] == 0:
            seen[E_NO_CALL] = 1
        else:
            seen[E_GQ] = lower_known(seen[E_GQ], block_gq[b])
            seen[E_DP] = lower_known(seen[E_DP], block_dp[b])
        if block_state[b] == 1:
            seen[E_HAPLOID] = 1


@leaf
def _see_records(
    records: np.ndarray, flags: np.ndarray, alleles: np.ndarray, low: int, high: int,
    position: int, end: int, gq0_is_nocall: bool, seen: np.ndarray,
) -> None:  # fmt: skip
    for r in range(low, high):
        if records[r, o.R_START] >= end:
            break
        if records[r, o.R_END] <= position:
            continue
        code1, code2 = records[r, o.R_CODE1], records[r, o.R_CODE2]
        if flags[r] != o.DEMOTED:
            _see_deletion(records, alleles, r, position, seen)
        if flags[r] == o.CONFLICT:
            seen[E_CONFLICT] = 1
        elif o.is_uncalled(code1, code2):
            if records[r, o.R_GQ] == 0:
                seen[E_GQ] = 0
            if records[r, o.R_GQ] != 0 or not gq0_is_nocall:
                seen[E_NO_CALL] = 1
        else:
            seen[E_GQ] = lower_known(seen[E_GQ], records[r, o.R_GQ])
            seen[E_DP] = lower_known(seen[E_DP], records[r, o.R_DP])
            if code2 == ABSENT:
                seen[E_HAPLOID] = 1
            if flags[r] == o.PLAIN:
                seen[E_HALF] += int(code1 == UNCALLED) + int(code2 == UNCALLED)
            if flags[r] != o.DEMOTED:
                seen[E_LOST] += _is_lost(alleles, code1) + _is_lost(alleles, code2)


@leaf
def _see_deletion(records: np.ndarray, alleles: np.ndarray, r: int, position: int, seen: np.ndarray) -> None:
    """Copies of base `position` that record `r` deletes, or states to be deleted by another (`*`)."""
    code1, code2 = records[r, o.R_CODE1], records[r, o.R_CODE2]
    deleted = int(_deletes(alleles, code1, position)) + int(_deletes(alleles, code2, position))
    starred = int(code1 == STAR) + int(code2 == STAR) if records[r, o.R_START] <= position else 0
    seen[E_DELETED] += deleted
    seen[E_STARRED] = max(seen[E_STARRED], starred)
    if deleted + starred > 0 and code2 == ABSENT:
        seen[E_LONE] = 1


@leaf
def _is_lost(alleles: np.ndarray, code: int) -> int:
    return 1 if code == UNNAMED or (code >= 0 and alleles[code, L_ROW] == LOST) else 0


@leaf
def _covered_until(
    records: np.ndarray, flags: np.ndarray, r_low: int, r_high: int,
    block_start: np.ndarray, block_end: np.ndarray, block_state: np.ndarray, b_low: int, b_high: int, position: int,
) -> int:  # fmt: skip
    """How far evidence that includes base `position` reaches; `position` itself where nothing covers it."""
    for b in range(b_low, b_high):
        if block_start[b] > position:
            break
        if block_end[b] > position and block_state[b] != 0:
            return block_end[b]
    for r in range(r_low, r_high):
        if records[r, o.R_START] > position:
            break
        if records[r, o.R_END] > position and flags[r] != o.CONFLICT:
            if not o.is_uncalled(records[r, o.R_CODE1], records[r, o.R_CODE2]):
                return records[r, o.R_END]
    return position


@leaf
def passes_adj(cell: int, gq: int, dp: int, ref_reads: int, reads: int, settings: np.ndarray) -> bool:
    """gnomAD's adj: GQ, DP and, for a het, the allele's share of reads. What is not stated cannot fail, GQ excepted."""
    if gq < settings[S_ADJ_GQ]:
        return False
    least = settings[S_ADJ_DP1] if cell >= HAPLOID_REF else settings[S_ADJ_DP]
    if 0 <= dp < least:
        return False
    if cell == 1 and reads >= 0:
        total = dp if dp > 0 else max(ref_reads, 0) + reads
        return 1000 * reads >= settings[S_ADJ_AB_PERMILLE] * total
    return True


@kernel
def genotype_samples(
    rows: np.ndarray, row_ploidy: np.ndarray, sex: np.ndarray, alleles: np.ndarray,
    records: np.ndarray, record_at: np.ndarray,
    block_start: np.ndarray, block_end: np.ndarray, block_gq: np.ndarray, block_dp: np.ndarray, block_state: np.ndarray,
    block_at: np.ndarray, settings: np.ndarray,
    cells: np.ndarray, known: np.ndarray, reasons: np.ndarray, site_counts: np.ndarray, sample_counts: np.ndarray,
    outcomes: np.ndarray, noted: np.ndarray, noted_at: np.ndarray,
) -> None:  # fmt: skip
    """Fill `cells` (samples, rows) int8 and `known` (samples, rows) int8; add to reasons (rows, REASONS), site_counts
    (rows, SITE_COUNTS), sample_counts (samples, SAMPLE_COUNTS) and outcomes (samples, regions, OUTCOMES), int64.
    Fill `noted` (twice the records,) int64 with reads of carriers at lone SNPs, by sample, noted_at (samples + 1,).

    rows (rows, W_COLUMNS) int32 sorted by position; row_ploidy (3 sexes, rows) int8; sex (samples,) int8; alleles
    (alleles, L_COLUMNS) int32; records (records, R_COLUMNS) int32 and block_* int32, sorted by sample, then start;
    record_at, block_at (samples + 1,).
    """
    n_rows = rows.shape[0]
    flags = np.zeros(max(records.shape[0], 1), np.int8)
    noted_at[0] = 0
    own = np.full(n_rows, -1, np.int32)
    holder = np.full(alleles.shape[0], -1, np.int32)
    seen = np.empty(E_COLUMNS, np.int32)
    for s in range(record_at.size - 1):
        low, high = record_at[s], record_at[s + 1]
        o.settle_overlaps(records, low, high, settings[S_BEST] == 1, flags)
        claim_rows(records, alleles, flags, low, high, holder, own)
        _genotype_sample(
            rows, row_ploidy[sex[s]], alleles, records, low, high, flags, own,
            block_start, block_end, block_gq, block_dp, block_state, block_at[s], block_at[s + 1],
            settings, seen, cells[s], known[s], reasons, site_counts, sample_counts[s], outcomes[s],
            noted, noted_at[s : s + 2],
        )  # fmt: skip
        c.sum_outcomes(outcomes[s], sample_counts[s])
        own[:] = -1


@leaf
def _genotype_sample(
    rows: np.ndarray, row_ploidy: np.ndarray, alleles: np.ndarray,
    records: np.ndarray, low: int, high: int, flags: np.ndarray, own: np.ndarray,
    block_start: np.ndarray, block_end: np.ndarray, block_gq: np.ndarray, block_dp: np.ndarray, block_state: np.ndarray,
    b: int, b_high: int, settings: np.ndarray, seen: np.ndarray,
    cells: np.ndarray, known: np.ndarray, reasons: np.ndarray, site_counts: np.ndarray, sample_counts: np.ndarray,
    outcomes: np.ndarray, noted: np.ndarray, noted_at: np.ndarray,
) -> None:  # fmt: skip
    """One sample of `genotype_samples`. own (rows,): the record that carries the row's allele, or -1. noted_at (2,)."""
    r, n_noted = low, noted_at[0]
    for w in range(rows.shape[0]):
        position, end, ploidy = rows[w, W_POSITION], rows[w, W_EVIDENCE_END], row_ploidy[w]
        while r < high and records[r, o.R_END] <= position:
            r += 1
        while b < b_high and block_end[b] <= position:
            b += 1
        i = own[w]
        cell, adj, copies, gq, dp, ref_reads, reads = call_at(
            w, i, records, flags, alleles, r, high, block_start, block_end, block_gq, block_dp, block_state,
            b, b_high, position, end, ploidy, settings, seen,
        )  # fmt: skip
        cells[w], known[w] = cell if adj or cell < 0 else cell + FAILS_ADJ, copies
        outcomes[rows[w, W_REGION], cell + LAST_REASON] += 1
        if cell < 0:
            reasons[w, -cell] += 1
            continue
        c.count_site(cell, adj, gq, dp, ref_reads, reads, site_counts[w])
        c.count_sample(cell, adj, gq, dp, ref_reads, reads, rows[w, W_KIND], rows[w, W_SUBSTITUTION], sample_counts)
        if i >= 0 and rows[w, W_LONE_SNP] == 1:
            noted[n_noted] = note(w, cell, gq, dp, ref_reads, reads)
            n_noted += noted[n_noted] >= 0
    noted_at[1] = n_noted


@leaf
def call_at(
    w: int, i: int, records: np.ndarray, flags: np.ndarray, alleles: np.ndarray, r: int, high: int,
    block_start: np.ndarray, block_end: np.ndarray, block_gq: np.ndarray, block_dp: np.ndarray, block_state: np.ndarray,
    b: int, b_high: int, position: int, end: int, ploidy: int, settings: np.ndarray, seen: np.ndarray,
) -> tuple[int, bool, int, int, int, int, int]:  # fmt: skip
    """(cell, whether it passes adj, known copies, GQ, DP, reads of the reference, of the row's allele) of a sample at
    row `w`, whose allele record `i` carries (-1: none). Records and blocks before `r` and `b` end before the row.
    """
    reads, ref_reads = -1, -1
    if i >= 0:
        deleted = 0
        if records[i, o.R_CODE2] == ABSENT:
            deleted = _deleted_copies(records, flags, alleles, r, high, position, i)
        cell, copies = _own_call(records, i, flags[i], w, alleles, ploidy, deleted, settings)
        gq, dp, ref_reads = records[i, o.R_GQ], records[i, o.R_DP], records[i, o.R_REF_READS]
        first = records[i, o.R_CODE1]
        reads = records[i, o.R_READS1] if first >= 0 and alleles[first, L_ROW] == w else records[i, o.R_READS2]
    else:
        cell, copies = _evidence(
            records, flags, alleles, r, high, block_start, block_end, block_gq, block_dp, block_state,
            b, b_high, position, end, ploidy, settings, seen,
        )  # fmt: skip
        gq, dp = seen[E_GQ], seen[E_DP]
    adj = cell >= 0 and passes_adj(cell, gq, dp, ref_reads, reads, settings)
    if cell >= 0 and settings[S_FILTER] == 1 and not adj:
        cell = -schema.FILTERED
    return cell, adj, copies, gq, dp, ref_reads, reads


@leaf
def claim_rows(
    records: np.ndarray, alleles: np.ndarray, flags: np.ndarray, low: int, high: int, holder: np.ndarray,
    own: np.ndarray,
) -> None:  # fmt: skip
    """Note for each row the record that carries its allele. Two records that carry one allele contradict each other.

    holder (alleles,) is -1 before and after.
    """
    for i in range(low, high):
        for column in (o.R_CODE1, o.R_CODE2):
            code = records[i, column]
            if code < 0 or flags[i] == o.DEMOTED:
                continue
            _note(code, i, holder, flags)
            if alleles[code, L_ROW] >= 0:  # left-aligned, two alleles may have become one
                _note(alleles[code, L_ROW], i, own, flags)
    for i in range(low, high):
        for column in (o.R_CODE1, o.R_CODE2):
            if records[i, column] >= 0:
                holder[records[i, column]] = -1


@leaf
def _note(place: int, i: int, holder: np.ndarray, flags: np.ndarray) -> None:
    if holder[place] >= 0 and holder[place] != i:
        flags[i] = o.CONFLICT
        flags[holder[place]] = o.CONFLICT
    holder[place] = i
