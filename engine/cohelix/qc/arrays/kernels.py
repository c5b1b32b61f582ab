"""Loops over array calls: text into numbers, numbers into sums of each sample, bits into agreement of pairs.

A call is int8 copies of allele B: 0 AA, 1 AB, 2 BB, -9 none.
"""

from __future__ import annotations

import math

import numpy as np

from cohelix.genotypes.kernels import UNKNOWN
from cohelix.kernel import kernel, leaf

GENCALL, BAF, LRR = range(3)
"""Columns of the values of one call."""

AUTOSOME, ON_X, ON_Y, ELSEWHERE = range(4)
"""Where a marker lies, as sums are kept apart; `ON_X` and `ON_Y` are outside the pseudo-autosomal regions."""

(
    CALLED, CALLED_OFF_Y, AUTO_CALLED, AUTO_HET, X_CALLED, X_HET, AUTO_LRR, X_LRR, Y_LRR, BAF_CALLED, BAF_HET, HOM_A,
    HOM_B,
) = range(13)  # fmt: skip
"""Counts of a sample: calls, and values that were there to be summed."""
N_COUNTS = 13

(
    SUM_GENCALL, SUM_AUTO_LRR, SUM_AUTO_LRR2, SUM_X_LRR, SUM_Y_LRR, SUM_BAF_OFF2, SUM_BAF_HET, SUM_BAF_HET2, X_A, X_B,
    BAF_A, BAF_B, XX_A, XX_B, XBAF_A, XBAF_B, BAF2_A, BAF2_B,
) = range(18)  # fmt: skip
"""Sums of a sample. The last ten are those of a regression of BAF on x, apart for AA (`_A`) and BB (`_B`)."""
N_SUMS = 18

NO_ALLELE = -3
"""Number of an allele that a line does not list: no call has it."""

WEAK_LRR = -0.5
"""No calls with less signal than this are failures of the chip, which tell nothing of its DNA."""

GENCALL_BINS = 1001
"""Bins of the GenCall score: thousandths, which is how it is written."""


@leaf
def number_at(line: np.ndarray, at: int, end: int) -> float:
    """The decimal number in line[at:end]; NaN for anything else, as an empty field, `.` or `NaN`.

    Correctly rounded up to 15 digits and 22 decimals; array VCFs have three decimals.
    """
    negative = at < end and line[at] == 45
    at += negative
    whole, decimals, digits, point = 0, 0, 0, False
    while at < end and (48 <= line[at] <= 57 or (line[at] == 46 and not point)):
        if line[at] == 46:
            point = True
        else:
            digits += 1
            if whole < 10**17:
                whole = whole * 10 + int(line[at]) - 48
                decimals += point
            elif not point:
                decimals -= 1
        at += 1
    exponent, down = 0, False
    if at + 1 < end and digits and (line[at] == 69 or line[at] == 101):
        at += 1
        down = line[at] == 45
        at += line[at] == 45 or line[at] == 43
        digits = 0
        while at < end and 48 <= line[at] <= 57 and exponent < 1000:
            exponent = exponent * 10 + int(line[at]) - 48
            digits += 1
            at += 1
    if digits == 0 or at != end:
        return math.nan
    power = (-exponent if down else exponent) - decimals
    value = whole * 10.0**power if power > 0 else whole / 10.0**-power
    return -value if negative else value


@kernel
def parse_values(line: np.ndarray, columns: np.ndarray, out: np.ndarray) -> int:
    """Fields of every sample in `line` uint8 (the sample columns of a VCF line) into `out` float64 (samples, 3).

    columns (3,): place of each value in FORMAT, -1 for none; NaN stands for what is absent. Returns the samples read.
    """
    sample, field, begin = 0, 0, 0
    out[:] = math.nan
    for at in range(line.size + 1):
        end = at == line.size or line[at] == 9
        if not end and line[at] != 58:
            continue
        for k in range(3):
            if columns[k] == field and sample < out.shape[0]:
                out[sample, k] = number_at(line, begin, at)
        field += 1
        begin = at + 1
        if end:
            sample, field = sample + 1, 0
    return sample


@kernel
def copies_of_b(alleles: np.ndarray, a: int, b: int, out: np.ndarray) -> int:
    """Calls of one marker into `out` int8 (samples,) from allele numbers int16 (samples, 2); `a`, `b`: of A and B.

    A haploid call counts double. Returns how many calls have an allele that is neither, or know one copy only: -9.
    """
    strange = 0
    for sample in range(alleles.shape[0]):
        first, second = alleles[sample, 0], alleles[sample, 1]
        if second < UNKNOWN:
            second = first
        known = (first == a or first == b) and (second == a or second == b)
        out[sample] = np.int8(first == b) + np.int8(second == b) if known else -9
        strange += not known and not (first == UNKNOWN and second == UNKNOWN)
    return strange


@kernel
def tally(
    calls: np.ndarray, values: np.ndarray, place: np.ndarray, counted: np.ndarray, zeroed: np.ndarray, x_a: np.ndarray,
    x_b: np.ndarray, no_call_baf: float, counts: np.ndarray, sums: np.ndarray, gencall: np.ndarray,
) -> None:  # fmt: skip
    """Add m markers of n samples to counts int64 (n, N_COUNTS), sums float64 (n, N_SUMS), gencall int32 (n, 1001).

    calls int8 (m, n); values float64 (m, n, 3). place (m,): AUTOSOME, ... counted (m,): part of the call rate. zeroed
    (m,): no cluster, so that nothing counts. x_a, x_b (m,): what BAF is regressed on in AA and in BB, NaN for not
    at all. no_call_baf: no calls with BAF this near 0 or 1, and LRR above WEAK_LRR, are AA or BB there.
    Sums are in the order of the markers, whatever the blocks.
    """
    for m in range(calls.shape[0]):
        if zeroed[m]:
            continue
        where = place[m]
        for s in range(calls.shape[1]):
            call, score, baf, lrr = calls[m, s], values[m, s, GENCALL], values[m, s, BAF], values[m, s, LRR]
            count, total = counts[s], sums[s]
            if call >= 0 and counted[m]:
                count[CALLED] += 1
                count[CALLED_OFF_Y] += where != ON_Y
                count[AUTO_CALLED] += where == AUTOSOME
                count[AUTO_HET] += where == AUTOSOME and call == 1
                count[X_CALLED] += where == ON_X
                count[X_HET] += where == ON_X and call == 1
                if score >= 0:
                    gencall[s, min(GENCALL_BINS - 1, int(score * 1000 + 0.5))] += 1
                    total[SUM_GENCALL] += score
            if math.isfinite(lrr):
                if where == AUTOSOME:
                    count[AUTO_LRR] += 1
                    total[SUM_AUTO_LRR] += lrr
                    total[SUM_AUTO_LRR2] += lrr * lrr
                elif where == ON_X:
                    count[X_LRR] += 1
                    total[SUM_X_LRR] += lrr
                elif where == ON_Y:
                    count[Y_LRR] += 1
                    total[SUM_Y_LRR] += lrr
            if where != AUTOSOME or not math.isfinite(baf):
                continue
            if call >= 0:
                off = baf - call / 2
                count[BAF_CALLED] += 1
                total[SUM_BAF_OFF2] += off * off
            if call == 1:
                count[BAF_HET] += 1
                total[SUM_BAF_HET] += baf
                total[SUM_BAF_HET2] += baf * baf
            elif not math.isnan(x_a[m]) and (call >= 0 or (min(baf, 1 - baf) < no_call_baf and lrr > WEAK_LRR)):
                of_b = call == 2 or (call < 0 and baf > 0.5)
                x = x_b[m] if of_b else x_a[m]
                count[HOM_B if of_b else HOM_A] += 1
                total[X_A + of_b] += x
                total[BAF_A + of_b] += baf
                total[XX_A + of_b] += x * x
                total[XBAF_A + of_b] += x * baf
                total[BAF2_A + of_b] += baf * baf


@kernel
def sum_called(block: np.ndarray, expected: np.ndarray, homozygous: np.ndarray, out: np.ndarray) -> None:
    """Add to `out` int64 (samples, 3) the calls of `block` int8 (m, samples), those homozygous, and `expected` of them.

    expected int64 (m,): of a call at that marker, in billionths; negative: the marker does not count.
    homozygous (3,): whether a call of 0, 1, 2 copies is.
    """
    for m in range(block.shape[0]):
        if expected[m] < 0:
            continue
        for s in range(block.shape[1]):
            call = block[m, s]
            if call >= 0:
                out[s, 0] += 1
                out[s, 1] += homozygous[call]
                out[s, 2] += expected[m]


@kernel
def pack_planes(block: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Bits of calls into `low` and `high` uint64 (samples, words), zeros before: 00, 01, 10 for 0 to 2, 11 for none."""
    for m in range(block.shape[0]):
        word, bit = m // 64, np.uint64(1) << np.uint64(m % 64)
        for s in range(block.shape[1]):
            code = block[m, s] & 3
            if code & 1:
                low[s, word] |= bit
            if code & 2:
                high[s, word] |= bit


@leaf
def ones(word: np.uint64) -> np.int64:
    """Bits that are set."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    word = word + (word >> np.uint64(8))
    word = word + (word >> np.uint64(16))
    word = word + (word >> np.uint64(32))
    return np.int64(word & np.uint64(0x7F))


@kernel
def alike_pairs(
    low: np.ndarray, high: np.ndarray, first: int, last: int, n_markers: int, at_least: float, fewest: int,
    out: np.ndarray,
) -> int:  # fmt: skip
    """Pairs (i, j), first <= i < last, i < j, called alike at a share >= at_least of the markers that both have called.

    low, high uint64 (samples, words) of `pack_planes`. Pairs with fewer than `fewest` such markers are passed over. A
    pair is left as soon as its differences alone rule it out. Fills `out` int64 (k, 4) with i, j, compared, alike;
    returns how many there are, of which the first k are in `out`.
    """
    found = 0
    words = low.shape[1]
    most = math.floor((1.0 - at_least) * n_markers + 1e-9)
    tail = n_markers % 64
    last_mask = ~np.uint64(0) if tail == 0 else (np.uint64(1) << np.uint64(tail)) - np.uint64(1)
    for i in range(first, last):
        for j in range(i + 1, low.shape[0]):
            compared, different = np.int64(0), np.int64(0)
            for w in range(words):
                both = ~(low[i, w] & high[i, w]) & ~(low[j, w] & high[j, w])
                if w == words - 1:
                    both &= last_mask
                compared += ones(both)
                different += ones(((low[i, w] ^ low[j, w]) | (high[i, w] ^ high[j, w])) & both)
                if different > most:
                    break
            if different > most or compared < fewest or compared - different < at_least * compared:
                continue
            if found < out.shape[0]:
                out[found, 0], out[found, 1], out[found, 2], out[found, 3] = i, j, compared, compared - different
            found += 1
    return found
