"""Kernels of the call store and of allele unification: arrays in, arrays out.

Codes of one called copy: an allele's number (0 and up), or one of the negative codes below.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel, leaf

REF, UNCALLED, ABSENT, STAR, UNNAMED = -1, -2, -3, -4, -5
"""Reference; a dot; no second copy (haploid); `*`; an alternate without a sequence (<NON_REF>, symbolic, breakend)."""


_HASH_MASK = (1 << 55) - 1


@leaf
def overlapping_block(contig: np.ndarray, start: np.ndarray, end: np.ndarray) -> int:
    """Index of the first block that starts before an earlier one on its contig has ended; -1 where all are disjoint."""
    reach = -1
    for i in range(start.size):
        if i > 0 and contig[i] != contig[i - 1]:
            reach = -1
        if start[i] < reach:
            return i
        reach = max(reach, end[i])
    return -1


@leaf
def lower_known(a: int, b: int) -> int:
    """The smaller of two values of which -1 is unknown."""
    if a < 0:
        return b
    return a if b < 0 else min(a, b)


@kernel
def flatten_blocks(
    contig: np.ndarray, start: np.ndarray, end: np.ndarray, gq: np.ndarray, dp: np.ndarray, state: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Disjoint blocks from sorted ones that may overlap: over a shared base the lowest GQ, DP and state count."""
    n = start.size
    out = np.empty((6, 4 * n), np.int32)
    made = 0
    first = 0
    while first < n:
        last = first + 1  # a run of blocks that touch one another through overlaps
        reach = end[first]
        while last < n and contig[last] == contig[first] and start[last] < reach:
            reach = max(reach, end[last])
            last += 1
        cuts = np.unique(np.concatenate((start[first:last], end[first:last])))
        for c in range(cuts.size - 1):
            low_gq, low_dp, low_state, covered = -1, -1, 127, False
            for i in range(first, last):
                if start[i] >= cuts[c + 1]:
                    break
                if end[i] > cuts[c]:
                    low_gq = gq[i] if not covered else lower_known(low_gq, gq[i])
                    low_dp = dp[i] if not covered else lower_known(low_dp, dp[i])
                    low_state = min(low_state, state[i])
                    covered = True
            if covered:
                out[0, made], out[1, made], out[2, made] = contig[first], cuts[c], cuts[c + 1]
                out[3, made], out[4, made], out[5, made] = low_gq, low_dp, low_state
                made += 1
        first = last
    return (
        out[0, :made].copy(), out[1, :made].copy(), out[2, :made].copy(),
        out[3, :made].copy(), out[4, :made].copy(), out[5, :made].astype(np.int8),
    )  # fmt: skip


@kernel
def join_bands(
    contig: np.ndarray, start: np.ndarray, end: np.ndarray, gq: np.ndarray, dp: np.ndarray, state: np.ndarray,
    bands: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Join neighbouring blocks of one state and GQ band; the GQ becomes the band's lower end, DP the minimum."""
    n = start.size
    out = np.empty((6, n), np.int32)
    made = 0
    for i in range(n):
        band = -1
        for b in range(bands.size):
            if gq[i] >= bands[b]:
                band = bands[b]
        last = made - 1
        if (
            made > 0 and out[0, last] == contig[i] and out[2, last] == start[i]
            and out[3, last] == band and out[5, last] == state[i]
        ):  # fmt: skip
            out[2, last] = end[i]
            out[4, last] = lower_known(out[4, last], dp[i])
        else:
            out[0, made], out[1, made], out[2, made] = contig[i], start[i], end[i]
            out[3, made], out[4, made], out[5, made] = band, dp[i], state[i]
            made += 1
    return (
        out[0, :made].copy(), out[1, :made].copy(), out[2, :made].copy(),
        out[3, :made].copy(), out[4, :made].copy(), out[5, :made].astype(np.int8),
    )  # fmt: skip


@kernel
def mean_depths(
    contig: np.ndarray, start: np.ndarray, end: np.ndarray, depth: np.ndarray,
    new_contig: np.ndarray, new_start: np.ndarray, new_end: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """int32: mean depth, rounded down, of the blocks that lie over each new one, by the bases they share.

    Both are sorted by contig and start; depth -1 is not known and counts nowhere, a new block of nothing else gets -1.
    """
    out = np.full(new_start.size, -1, np.int32)
    first = 0
    for n in range(new_start.size):
        while first < start.size and (
            contig[first] < new_contig[n] or (contig[first] == new_contig[n] and end[first] <= new_start[n])
        ):
            first += 1
        total, bases = np.int64(0), np.int64(0)
        for i in range(first, start.size):
            if contig[i] != new_contig[n] or start[i] >= new_end[n]:
                break
            shared = min(end[i], new_end[n]) - max(start[i], new_start[n])
            if depth[i] >= 0 and shared > 0:
                total += np.int64(depth[i]) * shared
                bases += shared
        if bases > 0:
            out[n] = total // bases
    return out


@leaf
def _upper(base: int) -> int:
    return base - 32 if 97 <= base <= 122 else base


@leaf
def _alt_slice(alts: np.ndarray, at: int, end: int, number: int) -> tuple[int, int]:
    """Start and end of the `number`-th (from 1) comma-separated alternate; (-1, -1) where there are fewer."""
    seen = 1
    begin = at
    for i in range(at, end + 1):
        if i == end or alts[i] == 44:
            if seen == number:
                return begin, i
            seen += 1
            begin = i + 1
    return -1, -1


@leaf
def trim(
    ref: np.ndarray, ref_at: int, ref_end: int, alt: np.ndarray, alt_at: int, alt_end: int
) -> tuple[int, int, int, int]:
    """Drop the bases that REF and ALT share, from the right, then from the left.

    Returns the new (ref_at, ref_end, alt_at, alt_end).
    """
    while ref_end > ref_at and alt_end > alt_at and _upper(ref[ref_end - 1]) == _upper(alt[alt_end - 1]):
        ref_end -= 1
        alt_end -= 1
    while ref_end > ref_at and alt_end > alt_at and _upper(ref[ref_at]) == _upper(alt[alt_at]):
        ref_at += 1
        alt_at += 1
    return ref_at, ref_end, alt_at, alt_end


@leaf
def allele_quality(pl: np.ndarray, at: int, end: int, allele: int, n_alleles: int, haploid: bool) -> int:
    """Phred odds of carrying `allele`: lowest PL without it, less the lowest with it, at least 0. -1: no PL."""
    expected = n_alleles if haploid else n_alleles * (n_alleles + 1) // 2
    if end - at != expected:
        return -1
    best_with, best_without = 1 << 30, 1 << 30
    i = at
    for high in range(n_alleles):
        for low in range(high if haploid else 0, high + 1):
            if pl[i] >= 0:
                if low == allele or high == allele:
                    best_with = min(best_with, pl[i])
                else:
                    best_without = min(best_without, pl[i])
            i += 1
    return max(0, min(best_without, 100_000) - best_with)


@leaf
def _hash(start: int, ref: np.ndarray, ref_at: int, ref_end: int, alt: np.ndarray, alt_at: int, alt_end: int) -> int:
    """At most 62 bits, in numbers that do not overflow: without Numba, NumPy would warn."""
    value = int(start)
    for i in range(ref_at, ref_end):
        value = ((value * 33) ^ int(_upper(ref[i]))) & _HASH_MASK
    value = ((value * 33) ^ 257) & _HASH_MASK
    for i in range(alt_at, alt_end):
        value = ((value * 33) ^ int(_upper(alt[i]))) & _HASH_MASK
    value = (value ^ (value >> 29)) & 0x7FFFFFFF
    return (value * 0x9E3779B1) >> 7


@leaf
def _equal(text: np.ndarray, a: int, b: int, length: int) -> bool:
    for i in range(length):
        if _upper(text[a + i]) != _upper(text[b + i]):
            return False
    return True


SPELLED = 0
"""Not a code: the copy is an alternate spelled in bases."""

# Columns of the table of distinct alleles that `collect_alleles` returns.
A_START, A_REF_AT, A_REF_LEN, A_ALT_AT, A_ALT_LEN, A_COPIES, A_BEST, A_SECOND, A_LEFT, A_RIGHT, A_COLUMNS = range(11)


@kernel
def collect_alleles(
    start: np.ndarray, gq: np.ndarray, allele: np.ndarray, ref_at: np.ndarray, ref: np.ndarray,
    alts_at: np.ndarray, alts: np.ndarray, pl_at: np.ndarray, pl: np.ndarray, gq0_is_nocall: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Trim the called alleles of variant records and number the distinct ones.

    start, gq (records,) int32; allele (records, 2) int16 as the store has them; text and lists as (offsets, content).
    Returns codes (records, 2) int32; the distinct alleles (alleles, A_COLUMNS) int64: first changed base, slices of
    `ref` and `alts` that spell them, called copies, best and second-best quality, neighbouring reference bases
    (0 unknown); for each record the number of leading bases that REF shares with its called alternates, 0 or 1; its
    allele quality (-1 unknown).
    Records of GQ 0 under `gq0_is_nocall` are uncalled on both copies.
    """
    n = start.size
    codes = np.empty((n, 2), np.int32)
    lead = np.zeros(n, np.int8)
    quality = np.full(n, -1, np.int32)
    size = 1024
    while size < 4 * n:
        size *= 2
    slots = np.full(size, -1, np.int32)
    found = np.zeros((max(2 * n, 1), A_COLUMNS), np.int64)
    made = _collect(
        start, gq, allele, ref_at, ref, alts_at, alts, pl_at, pl, gq0_is_nocall, codes, lead, quality, slots, found
    )
    return codes, found[:made].copy(), lead, quality


@leaf
def _collect(
    start: np.ndarray, gq: np.ndarray, allele: np.ndarray, ref_at: np.ndarray, ref: np.ndarray,
    alts_at: np.ndarray, alts: np.ndarray, pl_at: np.ndarray, pl: np.ndarray, gq0_is_nocall: bool,
    codes: np.ndarray, lead: np.ndarray, quality: np.ndarray, slots: np.ndarray, found: np.ndarray,
) -> int:  # fmt: skip
    """Fills the last five arrays (slots: hash table of allele numbers, -1 free). Returns how many alleles there are."""
    made = 0
    for r in range(start.size):
        n_alts = 1 + _count(alts, alts_at[r], alts_at[r + 1], 44)
        lead[r] = 1
        for copy in range(2):
            a = allele[r, copy]
            begin, end = _alt_slice(alts, alts_at[r], alts_at[r + 1], a)
            codes[r, copy] = _unspelled(a, gq0_is_nocall and gq[r] == 0, alts, begin, end)
            if codes[r, copy] != SPELLED:
                continue
            if _upper(alts[begin]) != _upper(ref[ref_at[r]]):
                lead[r] = 0
            x, x_end, y, y_end = trim(ref, ref_at[r], ref_at[r + 1], alts, begin, end)
            if x == x_end and y == y_end:
                codes[r, copy] = REF  # ALT spells REF
                continue
            k = _number(start[r] + (x - ref_at[r]), ref, x, x_end, alts, y, y_end, slots, found, made)
            made = max(made, k + 1)
            codes[r, copy] = k
            found[k, A_COPIES] += 1
            if x > ref_at[r]:
                found[k, A_LEFT] = _first_letter(found[k, A_LEFT], _upper(ref[x - 1]))
            if x_end < ref_at[r + 1]:
                found[k, A_RIGHT] = _first_letter(found[k, A_RIGHT], _upper(ref[x_end]))
            if copy == 0 or allele[r, 0] != a:
                q = allele_quality(pl, pl_at[r], pl_at[r + 1], a, n_alts + 1, allele[r, 1] == -2)
                q = gq[r] if q < 0 else q
                quality[r] = max(quality[r], q)
                _rank(q, found, k)
    return made


@leaf
def _count(text: np.ndarray, at: int, end: int, byte: int) -> int:
    n = 0
    for i in range(at, end):
        n += text[i] == byte
    return n


@leaf
def _unspelled(allele: int, gq_zero: bool, alts: np.ndarray, begin: int, end: int) -> int:
    """The code of a copy that is not a named alternate, alts[begin:end]; SPELLED of one that is."""
    if allele == -2:
        return ABSENT
    if allele == -1 or gq_zero:
        return UNCALLED
    if allele == 0:
        return REF
    if begin < 0 or begin == end:
        return UNNAMED
    if alts[begin] == 42:
        return STAR
    for i in range(begin, end):
        letter = alts[i] | 32
        if letter < 97 or letter > 122:
            return UNNAMED
    return SPELLED


@leaf
def _number(
    start: int, ref: np.ndarray, x: int, x_end: int, alts: np.ndarray, y: int, y_end: int,
    slots: np.ndarray, found: np.ndarray, made: int,
) -> int:  # fmt: skip
    """The number of an allele; one that was not there becomes number `made`."""
    slot = _hash(start, ref, x, x_end, alts, y, y_end) & (slots.size - 1)
    while slots[slot] >= 0:
        k = slots[slot]
        if (
            found[k, A_START] == start and found[k, A_REF_LEN] == x_end - x and found[k, A_ALT_LEN] == y_end - y
            and _equal(ref, found[k, A_REF_AT], x, x_end - x) and _equal(alts, found[k, A_ALT_AT], y, y_end - y)
        ):  # fmt: skip
            return k
        slot = (slot + 1) & (slots.size - 1)
    slots[slot] = made
    found[made, A_START], found[made, A_REF_AT], found[made, A_REF_LEN] = start, x, x_end - x
    found[made, A_ALT_AT], found[made, A_ALT_LEN] = y, y_end - y
    found[made, A_BEST], found[made, A_SECOND] = -1, -1
    return made


@leaf
def _rank(quality: int, found: np.ndarray, k: int) -> None:
    if quality > found[k, A_BEST]:
        found[k, A_SECOND] = found[k, A_BEST]
        found[k, A_BEST] = quality
    elif quality > found[k, A_SECOND]:
        found[k, A_SECOND] = quality


@leaf
def _first_letter(known: int, base: int) -> int:
    """Of two bases seen at one place the one that comes first: the order of samples does not matter. 0 is unknown."""
    return base if known == 0 else min(known, base)


@kernel
def called_depths(allele: np.ndarray, ad_at: np.ndarray, ad: np.ndarray) -> np.ndarray:
    """Reads of REF and of the two called alleles, (records, 3) int32, -1 where AD does not say."""
    out = np.full((allele.shape[0], 3), -1, np.int32)
    for r in range(allele.shape[0]):
        length = ad_at[r + 1] - ad_at[r]
        if length > 0:
            out[r, 0] = ad[ad_at[r]]
        for copy in range(2):
            a = allele[r, copy]
            if 0 <= a < length:
                out[r, 1 + copy] = ad[ad_at[r] + a]
    return out
