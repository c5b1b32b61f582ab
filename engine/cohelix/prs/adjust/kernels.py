"""Loops over people: where a score lies among others."""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel

_BLOCK = 64


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
