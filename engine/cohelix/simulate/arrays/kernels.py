"""Kernels of a made array: from genotypes to intensities, from intensities to calls, and both into text."""

from __future__ import annotations

import math

import numpy as np

from cohelix.kernel import kernel, leaf

FINE, NO_CALL, ERROR, MARKER, CONTAMINATION, NOISE, SPANNED, NO_COPY = range(8)
"""Why a call is not what the genome has."""

BAF, IGC, LRR, NORMX, NORMY, R, THETA, RAW_X, RAW_Y = range(9)
"""Columns of values; all but the last two in thousandths."""
N_VALUES = 9

CALL_AT = 150  # thousandths: GenCall score, as it is written, of the least certain call
BACKGROUND = 100  # of the raw intensities
FAR = 100.0  # squared standard deviations from a cluster that take a score to a third: contaminated DNA is called still
NOISE_R = 0.12
DARK = 0.22  # standard deviation of theta where there is nothing to bind
ABSENT_R = 0.1  # of a marker's R that is left where there is nothing to bind
LONGEST_CALL = 3 + 1 + 9 * 13  # bytes of text, and a tab: an int32 in thousandths has 12 and a colon


@leaf
def between(x: float, at: np.ndarray) -> float:
    """The value at x in [0, 1] on the line through at[0], at[1] and at[2], which are those at 0, 1/2 and 1."""
    if x < 0.5:
        return at[0] + (at[1] - at[0]) * 2 * x
    return at[1] + (at[2] - at[1]) * (2 * x - 1)


@leaf
def fraction_of(theta: float, at: np.ndarray) -> float:
    """The x in [0, 1] whose `between` is theta; 0 and 1 beyond the ends. `at` ascends."""
    if theta <= at[1]:
        return max(0.0, 0.5 * (theta - at[0]) / (at[1] - at[0]))
    return min(1.0, 0.5 + 0.5 * (theta - at[1]) / (at[2] - at[1]))


@leaf
def gain(copies: float, expected: int) -> float:
    """R of `copies` as a share of that of the expected ones: 0.7 for half (LRR about -0.5), 1.24 for three halves."""
    return ABSENT_R + (1 - ABSENT_R) * (copies / expected) ** 0.58


@leaf
def nearest(theta: float, centre: np.ndarray, dev: np.ndarray) -> tuple[int, float, float]:
    """The cluster nearest to theta in its own standard deviations, that distance, and the distance to the second."""
    best, first, second = 0, math.inf, math.inf
    for k in range(3):
        distance = abs(theta - centre[k]) / dev[k]
        if distance < first:
            best, first, second = k, distance, first
        elif distance < second:
            second = distance
    return best, first, second


@leaf
def _expected(copies_of_b: int, copies: int) -> int:
    """The call of a genotype without error: those of one allele only, however many copies, are homozygous."""
    if copies == 0:
        return -1
    if copies_of_b == 0:
        return 0
    return 2 if copies_of_b == copies else 1


@leaf
def _thousandths(value: float) -> int:
    return math.floor(value * 1000 + 0.5)


@leaf
def mixture(copies_of_b: float, copies: int, expected: int, of_other: float, share: float) -> tuple[float, float]:
    """Fraction of B, and copies, in DNA of which `share` is another person's, with B at `of_other`.

    Another person has the `expected` copies. Half, where there is nothing to bind: two backgrounds.
    """
    there = (1 - share) * copies + share * expected
    if there == 0:
        return 0.5, 0.0
    return ((1 - share) * copies_of_b + share * expected * of_other) / there, there


@leaf
def boundary(fraction: float, chance: float, centre: np.ndarray, dev: np.ndarray) -> float:
    """Theta as far from one cluster as from the next, in standard deviations; which next, for AB, is by chance."""
    low = 0 if fraction < 0.25 or (fraction < 0.75 and chance < 0.5) else 1
    nearer = dev[low] / (dev[low] + dev[low + 1])
    return centre[low] + nearer * (centre[low + 1] - centre[low])


@leaf
def _reason(call: int, expected: int, copies: int, deleted: int, event: int, failed: bool, share: float) -> int:
    """Why the call is not the expected one; of two reasons the one that was drawn."""
    if call == expected:
        return SPANNED if deleted > 0 and call >= 0 else FINE
    if copies == 0:
        return NO_COPY
    if event != FINE:
        return event
    if failed:
        return MARKER
    return CONTAMINATION if share > 0 else NOISE


@leaf
def _note(row: np.ndarray, theta: float, r: float, share: float, certain: int, ratio: float, chip: np.ndarray) -> None:
    """The nine values of one genotype into `row`."""
    angle = math.pi / 2 * theta
    x = r * math.cos(angle) / (math.cos(angle) + math.sin(angle))
    row[BAF], row[IGC], row[LRR] = _thousandths(share), certain, _thousandths(math.log2(ratio))
    row[NORMX], row[NORMY] = _thousandths(x), _thousandths(r - x)
    row[R], row[THETA] = _thousandths(r), _thousandths(theta)
    row[RAW_X], row[RAW_Y] = int(x * chip[6]) + BACKGROUND, int((r - x) * chip[7]) + BACKGROUND


@kernel
def read_chip(
    alleles: np.ndarray, a_is_ref: np.ndarray, copies: np.ndarray, failed: np.ndarray, centre: np.ndarray,
    centre_r: np.ndarray, dev: np.ndarray, score: np.ndarray, chance: np.ndarray, noise: np.ndarray, other: np.ndarray,
    chip: np.ndarray, sample: int, calls: np.ndarray, reasons: np.ndarray, values: np.ndarray,
) -> None:  # fmt: skip
    """What one chip shows at m markers.

    alleles (m, K) int8: 0 reference, 1 alternate, anything else no copy to bind. a_is_ref, failed (m,) bool. copies
    (m,): that the clusters expect. centre, centre_r, dev (m, 3), score (m,): the clusters. chance (2, m) uniform,
    noise (2, m) normal. other (m,): copies of the alternate, of two, in the DNA of another person. chip: the eight
    numbers of `chips.chip_of`.
    Fills column `sample` of calls (m, n) int8: copies of B, -1 for none; reasons (m, n) int8; values (m, n, 9) int32.
    """
    no_call, error, mixed, spread, level, tilt = chip[0], chip[1], chip[2], chip[3], chip[4], chip[5]
    for m in range(alleles.shape[0]):
        ref, alt, gone = 0, 0, 0
        for k in range(alleles.shape[1]):
            ref += alleles[m, k] == 0
            alt += alleles[m, k] == 1
            gone += alleles[m, k] > 1
        total, b = ref + alt, alt if a_is_ref[m] else ref
        expected, event, own = _expected(b, total), FINE, float(b)
        if total > 0 and chance[0, m] < no_call:
            event = NO_CALL
        elif total > 0 and chance[0, m] < no_call + error:
            event = ERROR
            own = total / 2 if expected != 1 else (0.0 if chance[1, m] < 0.5 else float(total))
        of_other = other[m] / 2 if a_is_ref[m] else 1 - other[m] / 2
        fraction, there = mixture(own, total, copies[m], of_other, mixed)
        deviation = between(fraction, dev[m]) if there > 0 else DARK
        theta = between(fraction, centre[m])
        r = between(fraction, centre_r[m]) * gain(there, copies[m]) * level
        if event == NO_CALL:
            theta = boundary(fraction, chance[1, m], centre[m], dev[m])
            r, deviation = r * 0.45, deviation * 0.25
        theta = abs(theta + tilt * 4 * theta * (1 - theta) + noise[0, m] * spread * deviation)
        theta = max(2 - theta, 0.0) if theta > 1 else theta
        r *= math.exp(noise[1, m] * spread * NOISE_R)
        best, first, second = nearest(theta, centre[m], dev[m])
        share = fraction_of(theta, centre[m])
        ratio = r / between(share, centre_r[m])
        weak = min(1.0, 2 * ratio) ** 2
        certain = _thousandths(score[m] * (1 - (first / second) ** 2) * math.exp(-first * first / FAR) * weak)
        call = best if certain >= CALL_AT else -1
        calls[m, sample] = call
        if score[m] > 0:
            reasons[m, sample] = _reason(call, expected, total, gone, event, failed[m], mixed)
        else:
            reasons[m, sample] = FINE  # nobody is called there: a fact of the marker
        _note(values[m, sample], theta, r, share, certain, ratio, chip)


@leaf
def write_integer(out: np.ndarray, at: int, value: int) -> int:
    """Digits of value >= 0 from out[at]; where the next byte goes."""
    size = 1
    while value >= 10**size:
        size += 1
    for k in range(at + size - 1, at - 1, -1):
        out[k] = 48 + value % 10
        value //= 10
    return at + size


@leaf
def write_thousandths(out: np.ndarray, at: int, value: int) -> int:
    """value / 1000 without zeros at its end, as Java's `#.###` writes it but for the zero before the point."""
    if value < 0:
        out[at] = 45
        at, value = at + 1, -value
    at = write_integer(out, at, value // 1000)
    rest = value % 1000
    if rest:
        out[at] = 46
        at += 1
        place = 100
        while rest:
            out[at] = 48 + rest // place
            rest, place, at = rest % place, place // 10, at + 1
    return at


@kernel
def write_rows(
    heads: np.ndarray, ends: np.ndarray, genotypes: np.ndarray, calls: np.ndarray, values: np.ndarray, out: np.ndarray
) -> int:
    """Lines of m markers into `out`; bytes written.

    heads (B,) uint8: what stands before the first sample, of all rows; ends (m,): where each ends. genotypes (m, 4, 3)
    uint8: text of no call, AA, AB, BB. calls (m, n), values (m, n, 9): of `read_chip`.
    """
    at, begin = 0, 0
    for m in range(calls.shape[0]):
        for k in range(begin, ends[m]):
            out[at] = heads[k]
            at += 1
        begin = ends[m]
        for s in range(calls.shape[1]):
            out[at] = 9
            for k in range(3):
                out[at + 1 + k] = genotypes[m, calls[m, s] + 1, k]
            at += 4
            for k in range(N_VALUES):
                out[at] = 58
                if k < RAW_X:
                    at = write_thousandths(out, at + 1, values[m, s, k])
                else:
                    at = write_integer(out, at + 1, values[m, s, k])
        out[at] = 10
        at += 1
    return at
