"""Loops over people: sums that a likelihood and its derivatives are made of, and where a score lies among others."""

from __future__ import annotations

import numpy as np

from cohelix.kernel import LANES, add_rows, fused, kernel, leaf

_BLOCK = 64
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0
"""3 * 2**51: added to a number, it leaves the nearest integer in the lowest bits."""
_ONE = np.int64(1023)
_FARTHEST = 700.0


@leaf
def _exp_of_minus(
    h: np.ndarray, m: int, shifted: np.ndarray, bits: np.ndarray, scale: np.ndarray, scale_bits: np.ndarray,
    w: np.ndarray,
) -> None:  # fmt: skip
    """w = exp(-h) in the first m rows, all (rows, LANES). bits and scale_bits int64 are the memory of shifted and
    scale float64: each loop writes to other memory than it reads, so that it becomes one of vectors.
    """
    for i in range(m):
        for lane in range(LANES):
            x = -h[i, lane]
            x = _FARTHEST if x > _FARTHEST else x
            x = -_FARTHEST if x < -_FARTHEST else x
            shifted[i, lane] = fused(x, _LOG2_E, _ROUND)
        for lane in range(LANES):
            scale_bits[i, lane] = (bits[i, lane] + _ONE) << 52
        for lane in range(LANES):
            x = -h[i, lane]
            x = _FARTHEST if x > _FARTHEST else x
            x = -_FARTHEST if x < -_FARTHEST else x
            k = shifted[i, lane] - _ROUND
            x = fused(k, -_LN2_LOW, fused(k, -_LN2_HIGH, x))
            e = fused(x, 1.0 / 6227020800.0, 1.0 / 479001600.0)
            e = fused(x, e, 1.0 / 39916800.0)
            e = fused(x, e, 1.0 / 3628800.0)
            e = fused(x, e, 1.0 / 362880.0)
            e = fused(x, e, 1.0 / 40320.0)
            e = fused(x, e, 1.0 / 5040.0)
            e = fused(x, e, 1.0 / 720.0)
            e = fused(x, e, 1.0 / 120.0)
            e = fused(x, e, 1.0 / 24.0)
            e = fused(x, e, 1.0 / 6.0)
            e = fused(x, e, 0.5)
            e = fused(x, e, 1.0)
            w[i, lane] = fused(x, e, 1.0) * scale[i, lane]


@kernel
def likelihood_sums(
    design: np.ndarray, pairs: np.ndarray, scores: np.ndarray, rows: np.ndarray, mean: np.ndarray,
    log_variance: np.ndarray, sums: np.ndarray, total: np.ndarray, least: np.ndarray,
) -> None:  # fmt: skip
    """Of each of `rows`, scores with coefficients mean b and log_variance g, both float64 (rows, p): over the people,
    sums of w, r w and r r w times each of `pairs`, where h = design g, w = exp(-h), r = score - design b.

    design: float64 (people, p); pairs: float64 (q, people); scores: float64 (scores, people). Written are sums float64
    (rows, 3, q), total float64 (rows,), sums of h, and the least h. exp is right to 2 units in the last place where
    |h| <= 700, and that of the nearest such h beyond. LANES scores are added up side by side, each by itself, person
    after person: the same bits in any company.
    """
    n, p = design.shape
    q = len(pairs)
    steps = np.arange(max(_BLOCK, p)).astype(np.int32)
    w, rw, u = np.empty((_BLOCK, LANES)), np.empty((_BLOCK, LANES)), np.empty((_BLOCK, LANES))
    h, shifted, scale = np.empty((_BLOCK, LANES)), np.empty((_BLOCK, LANES)), np.empty((_BLOCK, LANES))
    bits, scale_bits = shifted.view(np.int64), scale.view(np.int64)
    b, g = np.zeros((p, LANES)), np.zeros((p, LANES))
    added, all_h, least_h = np.empty((3 * q, LANES)), np.empty(LANES), np.empty(LANES)
    for first in range(0, len(rows), LANES):
        n_lanes = min(LANES, len(rows) - first)
        for lane in range(n_lanes):
            for j in range(p):
                b[j, lane] = -mean[first + lane, j]
                g[j, lane] = log_variance[first + lane, j]
        added[:] = 0.0
        all_h[:] = 0.0
        least_h[:] = np.inf
        for at in range(0, n, _BLOCK):
            m = min(_BLOCK, n - at)
            for lane in range(n_lanes):
                for i in range(m):
                    rw[i, lane] = scores[rows[first + lane], at + i]
            h[:m] = 0.0
            for i in range(m):
                add_rows(g, steps, design[at + i], 0, p, h[i])
                add_rows(b, steps, design[at + i], 0, p, rw[i])
                for lane in range(LANES):
                    all_h[lane] += h[i, lane]
                    least_h[lane] = h[i, lane] if h[i, lane] < least_h[lane] else least_h[lane]
            _exp_of_minus(h, m, shifted, bits, scale, scale_bits, w)
            for i in range(m):
                for lane in range(LANES):
                    r = rw[i, lane]
                    rw[i, lane] = r * w[i, lane]
                    u[i, lane] = r * rw[i, lane]
            for k in range(q):
                add_rows(w, steps, pairs[k, at : at + m], 0, m, added[k])
                add_rows(rw, steps, pairs[k, at : at + m], 0, m, added[q + k])
                add_rows(u, steps, pairs[k, at : at + m], 0, m, added[2 * q + k])
        for lane in range(n_lanes):
            total[first + lane], least[first + lane] = all_h[lane], least_h[lane]
            for k in range(q):
                for kind in range(3):
                    sums[first + lane, kind, k] = added[kind * q + k, lane]


@kernel
def rank(
    ordered: np.ndarray, mean: np.ndarray, sd: np.ndarray, scores: np.ndarray, people: np.ndarray,
    percentile: np.ndarray, z: np.ndarray,
) -> None:  # fmt: skip
    """Write percentile and Z of each of `people` among the values of `ordered`, both float64 (scores, samples).

    ordered: float64 (scores, n), each row ascending, NaN last; mean and sd float64 (scores,), of its rows; scores:
    float64 (scores, samples), NaN unknown; people: int64 (k,), columns of `scores`. Z is NaN where sd is 0. With b
    values below and e equal ones among the m known, the percentile is (2 b + e + (1 if e else 0)) 50 / m; NaN where the
    score is, or m = 0. Values are in as many slots of equal width, at least; a slot is searched by halves, and holds
    one or two values in most distributions.
    """
    n_slots = 1
    while n_slots < ordered.shape[1]:
        n_slots *= 2
    begin = np.empty(n_slots + 1, np.int64)
    for row in range(len(ordered)):
        values = ordered[row]
        m = len(values)
        while m and np.isnan(values[m - 1]):
            m -= 1
        low, per_unit = 0.0, 0.0
        if m and values[0] < values[m - 1]:
            low = values[0]
            per_unit = (n_slots - 1) / (values[m - 1] - low)
            per_unit = per_unit if np.isfinite(per_unit) else 0.0
        begin[:] = 0
        for i in range(m):
            begin[_slot(values[i], low, per_unit, n_slots) + 1] += 1
        for slot in range(n_slots):
            begin[slot + 1] += begin[slot]
        for person in people:
            value = scores[row, person]
            z[row, person] = (value - mean[row]) / sd[row] if sd[row] > 0.0 else np.nan
            if m == 0 or np.isnan(value):
                percentile[row, person] = np.nan
                continue
            slot = _slot(value, low, per_unit, n_slots)
            end = begin[slot + 1]
            below = _first(values, begin[slot], end, value, False)
            up_to = _first(values, below, end, value, True)
            percentile[row, person] = (below + up_to + (1 if up_to > below else 0)) * (50.0 / m)


@leaf
def _slot(value: float, low: float, per_unit: float, n_slots: int) -> int:
    """Never less for a greater value: what is in an earlier slot is less, in a later one greater."""
    place = (value - low) * per_unit
    if not place > 0.0:
        return 0
    return int(place) if place < n_slots - 1 else n_slots - 1


@leaf
def _first(values: np.ndarray, at: int, end: int, value: float, beyond: bool) -> int:
    """The first place in [at, end) of a number not less than value, or (beyond) greater; end without one."""
    while at < end:
        middle = (at + end) >> 1
        if values[middle] < value or (beyond and values[middle] == value):
            at = middle + 1
        else:
            end = middle
    return at
