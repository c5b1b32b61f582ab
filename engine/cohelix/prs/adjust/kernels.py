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
    score is, or m = 0. People are searched for in step, among values padded with NaN, which nothing exceeds: there is
    nothing to predict for the processor.
    """
    below, up_to = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint64)
    value = np.zeros(_BLOCK)
    first = 1
    while 2 * first <= ordered.shape[1]:
        first *= 2
    padded = np.full(2 * first, np.nan)
    for row in range(len(ordered)):
        m = ordered.shape[1]
        padded[:m] = ordered[row]
        while m and np.isnan(padded[m - 1]):
            m -= 1
        for start in range(0, len(people), _BLOCK):
            count = min(_BLOCK, len(people) - start)
            for i in range(count):
                value[i] = scores[row, people[start + i]]
            below[:] = 0
            up_to[:] = 0
            step = first
            while step:
                last, far = np.uint64(step - 1), np.uint64(step)
                for i in range(_BLOCK):
                    below[i] += far * np.uint64(padded[below[i] + last] < value[i])
                for i in range(_BLOCK):
                    up_to[i] += far * np.uint64(padded[up_to[i] + last] <= value[i])
                step //= 2
            for i in range(count):
                known = m > 0 and not np.isnan(value[i])
                both = np.int64(below[i]) + np.int64(up_to[i]) + (1 if up_to[i] > below[i] else 0)
                z[row, people[start + i]] = (value[i] - mean[row]) / sd[row] if sd[row] > 0.0 else np.nan
                percentile[row, people[start + i]] = both * (50.0 / m) if known else np.nan
