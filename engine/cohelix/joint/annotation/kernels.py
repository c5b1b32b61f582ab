"""Annotations of variant records: read from gVCF text, then summed over the samples that carry a row's allele."""

from __future__ import annotations

import numpy as np

from cohelix.joint.genotype.kernels import FAILS_ADJ, HAPLOID_ALT, L_ROW
from cohelix.joint.overlap import kernels as o
from cohelix.kernel import kernel, leaf

# Columns of the integer table of a record's annotations; -1 is missing, in a rank sum NO_RANK.
SB_REF_FORWARD, SB_REF_REVERSE, SB_ALT_FORWARD, SB_ALT_REVERSE, MQ_DEPTH, MQ_RANK, READ_POS_RANK, COLUMNS = range(8)
NO_RANK = -32768
_LARGEST_RANK = 30_000

# What `sum_carriers` adds per row, in this order; the sums of columns 0 to 4 of a record's table come first.
S_MQ_SQUARED, S_QUAL, S_DEPTH, S_HIGH_QUALITY, SUMS = range(5, 10)

# Columns of the evidence that `sum_carriers` takes of each record besides `overlap.R_*`: PL of the reference genotype
# and the reads that AD counts, 0 where not stated.
E_REFERENCE_PL, E_DEPTH, E_COLUMNS = range(3)

HQ_GQ, HQ_DP, HQ_AB_PERMILLE = 20, 10, 200
"""A high-quality genotype of GVS' NO_HQ_GENOTYPES: GQ, DP and, of a het, the allele's share of reads at least these."""

_TAB, _COMMA, _MINUS, _DOT, _COLON, _SEMICOLON, _EQUALS, _BAR = 9, 44, 45, 46, 58, 59, 61, 124
_SLOTS = 7  # of the INFO fields that are looked for
_KEYS = np.frombuffer(b"RAW_MQandDPMQDPMQRankSumReadPosRankSumAS_RAW_MQRankSumAS_RAW_ReadPosRankSum", np.uint8)
_KEY_AT = np.array([0, 11, 13, 15, 24, 38, 54, 75], np.int64)
_RAW_MQ, _MQ, _DP, _RANK, _POS_RANK, _AS_RANK, _AS_POS_RANK = range(_SLOTS)


@leaf
def _until(text: np.ndarray, at: int, end: int, stop: int) -> int:
    while at < end and text[np.uint64(at)] != stop:
        at += 1
    return at


@leaf
def decimal(text: np.ndarray, at: int, end: int) -> float:
    """The number text[at:end] such as `-1.735`, `60` or `2e-3`; NaN where it is none."""
    negative = at < end and text[at] == _MINUS
    at += negative
    value, digits, places = 0.0, 0, 0
    dotted = False
    while at < end:
        c = int(text[np.uint64(at)])
        if c == _DOT and not dotted:
            dotted = True
        elif 48 <= c <= 57:
            value = value * 10.0 + (c - 48)
            digits += 1
            places += dotted
        else:
            break
        at += 1
    if digits == 0 or digits > 300:
        return np.nan
    if at < end:
        shift = _exponent(text, at, end)
        if shift < -300 or shift > 300:
            return np.nan
        places -= shift
    value = value / 10.0**places if places >= 0 else value * 10.0**-places
    return -value if negative else value


@leaf
def _exponent(text: np.ndarray, at: int, end: int) -> int:
    """The exponent text[at:end], which begins with e or E; 1000 where it is none."""
    if text[at] | 32 != 101 or at + 1 == end:
        return 1000
    at += 1
    negative = text[at] == _MINUS
    at += negative or text[at] == 43
    value = 0
    if at == end or end - at > 3:
        return 1000
    for i in range(at, end):
        if text[i] < 48 or text[i] > 57:
            return 1000
        value = value * 10 + int(text[i]) - 48
    return -value if negative else value


@leaf
def tenths(value: float) -> int:
    """The bin of a rank sum in GATK's histograms: tenths, rounded down; NO_RANK of NaN."""
    if np.isnan(value):
        return NO_RANK
    return int(min(max(np.floor((value + 0.001) / 0.1), -_LARGEST_RANK), _LARGEST_RANK))


@leaf
def _slot(text: np.ndarray, at: int, length: int) -> int:
    """Which of the INFO fields text[at:at+length] names; -1 none."""
    for slot in range(_SLOTS):
        if _KEY_AT[slot + 1] - _KEY_AT[slot] != length:
            continue
        i = 0
        while i < length and text[at + i] == _KEYS[_KEY_AT[slot] + i]:
            i += 1
        if i == length:
            return slot
    return -1


@leaf
def _find_fields(text: np.ndarray, at: int, end: int, fields: np.ndarray) -> None:
    """Fill `fields` (_SLOTS, 2) with start and end of the values in INFO text[at:end]; (-1, -1) where absent."""
    fields[:] = -1
    while at < end:
        stop = _until(text, at, end, _SEMICOLON)
        first = text[at]
        if first == 82 or first == 77 or first == 68 or first == 65:  # R, M, D, A
            equals = _until(text, at, stop, _EQUALS)
            slot = _slot(text, at, equals - at)
            if slot >= 0 and equals < stop:
                fields[slot, 0], fields[slot, 1] = equals + 1, stop
        at = stop + 1


@leaf
def _of_allele(text: np.ndarray, at: int, end: int, allele: int) -> float:
    """The first number of the `allele`-th part, from 0, of `|-1.8,1|NaN`."""
    for _ in range(allele):
        at = _until(text, at, end, _BAR) + 1
    if at > end:
        return np.nan
    stop = min(_until(text, at, end, _BAR), _until(text, at, end, _COMMA))
    return decimal(text, at, stop)


@leaf
def _rank(text: np.ndarray, fields: np.ndarray, whole: int, by_allele: int, called: int) -> int:
    """A rank sum in tenths: that of the one alternate called where the file has it by allele, else the record's."""
    if called > 0 and fields[by_allele, 0] >= 0:
        return tenths(_of_allele(text, fields[by_allele, 0], fields[by_allele, 1], called))
    if fields[whole, 0] < 0:
        return NO_RANK
    return tenths(decimal(text, fields[whole, 0], fields[whole, 1]))


@leaf
def _mapping_quality(text: np.ndarray, fields: np.ndarray, dp: int) -> tuple[int, int]:
    """(sum of squared mapping qualities, reads); (-1, -1) where the record has neither RAW_MQandDP nor MQ and DP."""
    at, end = fields[_RAW_MQ, 0], fields[_RAW_MQ, 1]
    if at >= 0:
        comma = _until(text, at, end, _COMMA)
        squares, depth = decimal(text, at, comma), decimal(text, min(comma + 1, end), end)
    else:
        quality = decimal(text, fields[_MQ, 0], fields[_MQ, 1]) if fields[_MQ, 0] >= 0 else np.nan
        depth = decimal(text, fields[_DP, 0], fields[_DP, 1]) if fields[_DP, 0] >= 0 else float(dp)
        squares = quality * quality * depth
    if np.isnan(squares) or np.isnan(depth) or squares < 0 or depth < 0 or squares > 1e15 or depth > 2e9:
        return -1, -1
    return int(np.floor(squares + 0.5)), int(depth)


@leaf
def _strands(text: np.ndarray, at: int, numbers: np.ndarray) -> None:
    """FORMAT/SB of the record whose FORMAT begins at `at` into the first four of `numbers`, if it is four numbers."""
    format_end = _until(text, at, text.size, _TAB)
    key = 0
    while at < format_end:
        stop = _until(text, at, format_end, _COLON)
        if stop - at == 2 and text[at] == 83 and text[at + 1] == 66:
            break
        at = stop + 1
        key += 1
    if at >= format_end:
        return
    at = format_end + 1
    for _ in range(key):
        while at < text.size and text[np.uint64(at)] != _COLON and text[at] != 10:
            at += 1
        if at >= text.size or text[at] == 10:
            return
        at += 1
    _four(text, at, numbers)


@leaf
def _four(text: np.ndarray, at: int, numbers: np.ndarray) -> None:
    for i in range(4):
        value, begin = 0, at
        while at < text.size and 48 <= text[np.uint64(at)] <= 57:
            value = min(value * 10 + int(text[at]) - 48, 2_000_000_000)
            at += 1
        separated = at < text.size and text[at] == _COMMA
        if at == begin or (i < 3 and not separated):
            numbers[:4] = -1
            return
        numbers[i] = value
        at += 1


@kernel
def read_annotations(
    text: np.ndarray, filter_at: np.ndarray, filter_length: np.ndarray, allele1: np.ndarray, allele2: np.ndarray,
    dp: np.ndarray, numbers: np.ndarray, squares: np.ndarray, quality: np.ndarray,
) -> None:  # fmt: skip
    """Annotations of variant records, found from where their FILTER stands in the chunk `text`; fills the last three.

    filter_at, filter_length, dp (records,) int32; allele1, allele2 as the store has them. numbers (records, COLUMNS)
    int32, squares (records,) int64: sums of squared mapping qualities, quality (records,) float32: QUAL. -1 missing.
    """
    fields = np.empty((_SLOTS, 2), np.int64)
    for r in range(filter_at.size):
        end = filter_at[r] - 1
        at = end
        while text[at - 1] != _TAB:
            at -= 1
        value = decimal(text, at, end)
        quality[r] = -1.0 if np.isnan(value) or value < 0 else value
        info = filter_at[r] + filter_length[r] + 1
        info_end = _until(text, info, text.size, _TAB)
        _find_fields(text, info, info_end, fields)
        first, second = max(allele1[r], 0), max(allele2[r], 0)
        called = max(first, second) if min(first, second) == 0 or first == second else 0
        numbers[r, :MQ_DEPTH] = -1
        _strands(text, info_end + 1, numbers[r])
        squares[r], numbers[r, MQ_DEPTH] = _mapping_quality(text, fields, dp[r])
        numbers[r, MQ_RANK] = _rank(text, fields, _RANK, _AS_RANK, called)
        numbers[r, READ_POS_RANK] = _rank(text, fields, _POS_RANK, _AS_POS_RANK, called)


@leaf
def _is_high_quality(cell: int, gq: int, dp: int, reads: int) -> bool:
    if gq < HQ_GQ or dp < HQ_DP:
        return False
    return cell != 1 or bool(1000 * np.int64(reads) >= HQ_AB_PERMILLE * np.int64(dp))


@kernel
def sum_carriers(
    cells: np.ndarray, alleles: np.ndarray, records: np.ndarray, record_at: np.ndarray, best: bool,
    evidence: np.ndarray, numbers: np.ndarray, squares: np.ndarray, sums: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Add to `sums` (rows, SUMS) int64 what the records say that give samples their copies of a row's allele.

    cells (samples, rows) int8 as `genotype_samples` made them; alleles (alleles, L_COLUMNS), records (records,
    R_COLUMNS) and record_at (samples + 1,) as it took them; best: overlap = "best". evidence (records, E_COLUMNS)
    int32, numbers (records, COLUMNS) int32, squares (records,) int64.
    Returns the rank sums met, of mapping quality and of read position: (row << 16 | tenths + 32768) int64 of each.
    """
    ranks = np.empty((2, 2 * records.shape[0]), np.int64)
    flags = np.zeros(max(records.shape[0], 1), np.int8)
    n_ranks = np.zeros(2, np.int64)
    for s in range(record_at.size - 1):
        if best:
            o.settle_overlaps(records, record_at[s], record_at[s + 1], True, flags)
        for i in range(record_at[s], record_at[s + 1]):
            if flags[i] == o.DEMOTED:
                continue
            before = -1
            for copy in range(2):
                code = records[i, o.R_CODE1 + copy]
                row = alleles[code, L_ROW] if code >= 0 else -1
                if row < 0 or row == before:
                    continue
                before = row
                cell = cells[s, row] & ~FAILS_ADJ
                if cells[s, row] < 0 or (cell != 1 and cell != 2 and cell != HAPLOID_ALT):
                    continue
                _add(cell, records[i], copy, evidence[i], numbers[i], squares[i], sums[row])
                for which in range(2):
                    if numbers[i, MQ_RANK + which] != NO_RANK:
                        ranks[which, n_ranks[which]] = (row << 16) | (numbers[i, MQ_RANK + which] + 32768)
                        n_ranks[which] += 1
    return ranks[0, : n_ranks[0]].copy(), ranks[1, : n_ranks[1]].copy()


@leaf
def _add(
    cell: int, record: np.ndarray, copy: int, evidence: np.ndarray, numbers: np.ndarray, squares: int, sums: np.ndarray
) -> None:
    """Add one carrier to the sums of a row; `copy` is the copy of its record that spells the row's allele."""
    if numbers[SB_REF_FORWARD] >= 0:
        for i in range(SB_ALT_REVERSE + 1):
            sums[i] += numbers[i]
    if numbers[MQ_DEPTH] >= 0:
        sums[MQ_DEPTH] += numbers[MQ_DEPTH]
        sums[S_MQ_SQUARED] += squares
    dp = record[o.R_DP]
    sums[S_QUAL] += evidence[E_REFERENCE_PL]
    sums[S_DEPTH] += evidence[E_DEPTH] if evidence[E_DEPTH] > 0 else max(dp, 0)
    depth = dp if dp >= 0 else evidence[E_DEPTH]
    sums[S_HIGH_QUALITY] += _is_high_quality(cell, record[o.R_GQ], depth, record[o.R_READS1 + copy])


@kernel
def reference_evidence(pl_at: np.ndarray, pl: np.ndarray, ad_at: np.ndarray, ad: np.ndarray) -> np.ndarray:
    """(records, E_COLUMNS) int32 from the lists of PL and AD, each as (offsets, content)."""
    out = np.zeros((pl_at.size - 1, E_COLUMNS), np.int32)
    for r in range(pl_at.size - 1):
        if pl_at[r + 1] > pl_at[r]:
            out[r, E_REFERENCE_PL] = max(pl[pl_at[r]], 0)
        for i in range(ad_at[r], ad_at[r + 1]):
            out[r, E_DEPTH] = min(np.int64(out[r, E_DEPTH]) + max(ad[i], 0), 2_000_000_000)
    return out
