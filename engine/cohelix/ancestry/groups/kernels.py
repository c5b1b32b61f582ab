"""Loops over people: votes of a forest, and mixtures of centres."""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel, leaf

_BLOCK = 1024


@kernel
def vote(
    features: np.ndarray, first: np.ndarray, levels: np.ndarray, feature: np.ndarray, threshold: np.ndarray,
    child: np.ndarray, probabilities: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Mean over trees of the probabilities of the leaf that each row of `features` falls into, as scikit-learn adds it.

    features: float32 (rows, components), no NaN. Tree t begins with node first[t], and no leaf of it is more than
    levels[t] steps away. feature int32 (nodes,); threshold float32: at most it goes left; child int32 (2 * nodes,),
    left and right of each node, itself in leaves; probabilities float64 (nodes, groups); out float64 (rows, groups).
    Rows go down in step, each as many levels as the tree has: nothing to predict for the processor.
    """
    n_trees, width = len(first) - 1, features.shape[1]
    at = np.empty(_BLOCK, np.int32)
    for start in range(0, len(features), _BLOCK):
        count = min(_BLOCK, len(features) - start)
        values = features[start : start + count].ravel()
        out[start : start + count, :] = 0.0
        for tree in range(n_trees):
            root = np.int32(first[tree])
            for row in range(count):
                at[row] = root
            for _ in range(levels[tree]):
                for row in range(count):
                    node = at[row]
                    left, right = child[2 * node], child[2 * node + 1]
                    at[row] = left if values[row * width + feature[node]] <= threshold[node] else right
            for row in range(count):
                for group in range(out.shape[1]):
                    out[start + row, group] += probabilities[at[row], group]
        for row in range(start, start + count):
            for group in range(out.shape[1]):
                out[row, group] /= n_trees


@kernel
def mix(linear: np.ndarray, gram: np.ndarray, out: np.ndarray) -> None:
    """out[row] = the q >= 0 of sum 1 that minimises q' gram q / 2 - linear[row]' q: an active set, grown by one.

    linear and out: float64 (rows, groups). gram: float64 (groups, groups), positive definite. Rows with NaN give NaN.
    """
    n = gram.shape[0]
    factor, solved = np.empty((n, n)), np.empty((n, 2))
    members, inside = np.empty(n, np.int64), np.empty(n, np.bool_)
    scale = 0.0
    for group in range(n):
        scale = max(scale, gram[group, group])
    for row in range(len(linear)):
        known = True
        for group in range(n):
            known = known and not np.isnan(linear[row, group])
        if known:
            _mix_one(linear[row], gram, 1e-11 * scale, out[row], factor, solved, members, inside)
        else:
            out[row, :] = np.nan


@leaf
def _mix_one(
    linear: np.ndarray, gram: np.ndarray, tolerance: float, q: np.ndarray, factor: np.ndarray, solved: np.ndarray,
    members: np.ndarray, inside: np.ndarray,
) -> None:  # fmt: skip
    n = len(q)
    best = 0
    for group in range(n):
        q[group], inside[group] = 0.0, False
        if gram[group, group] / 2 - linear[group] < gram[best, best] / 2 - linear[best]:
            best = group
    q[best], inside[best] = 1.0, True
    for _ in range(8 * n):
        entering = _steepest(linear, gram, tolerance, q, inside)
        if entering < 0:
            return
        inside[entering] = True
        while True:
            count = _solve(linear, gram, inside, factor, solved, members)
            step, leaving = 1.0, -1
            for place in range(count):
                group = members[place]
                if solved[place, 0] <= 0.0:
                    share = q[group] / (q[group] - solved[place, 0]) if q[group] > 0.0 else 0.0
                    if share < step:
                        step, leaving = share, group
            for place in range(count):
                group = members[place]
                q[group] = solved[place, 0] if leaving < 0 else q[group] + step * (solved[place, 0] - q[group])
            if leaving < 0:
                break
            q[leaving], inside[leaving] = 0.0, False
            if leaving == entering:  # what rounding let in
                return


@leaf
def _steepest(linear: np.ndarray, gram: np.ndarray, tolerance: float, q: np.ndarray, inside: np.ndarray) -> int:
    """The group outside along which the target falls most, -1 where it falls along none."""
    level = 0.0
    for group in range(len(q)):
        if inside[group]:
            level += q[group] * _slope(linear, gram, q, group)
    lowest, entering = -tolerance, -1
    for group in range(len(q)):
        if not inside[group]:
            slope = _slope(linear, gram, q, group) - level
            if slope < lowest:
                lowest, entering = slope, group
    return entering


@leaf
def _slope(linear: np.ndarray, gram: np.ndarray, q: np.ndarray, group: int) -> float:
    total = -linear[group]
    for other in range(len(q)):
        total += gram[group, other] * q[other]
    return total


@leaf
def _solve(
    linear: np.ndarray, gram: np.ndarray, inside: np.ndarray, factor: np.ndarray, solved: np.ndarray,
    members: np.ndarray,
) -> int:  # fmt: skip
    """solved[:, 0] = the minimum over the groups inside (listed in `members`) of sum 1, signs free; returns how many.

    By Cholesky: u = G^-1 b and v = G^-1 1 in the columns of `solved`, then u - v (sum u - 1) / (sum v).
    """
    count = 0
    for group in range(len(inside)):
        if inside[group]:
            members[count] = group
            count += 1
    for i in range(count):
        for j in range(i + 1):
            total = gram[members[i], members[j]]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            factor[i, j] = np.sqrt(total) if i == j else total / factor[j, j]
    for i in range(count):
        solved[i, 0], solved[i, 1] = linear[members[i]], 1.0
        for column in range(2):
            for k in range(i):
                solved[i, column] -= factor[i, k] * solved[k, column]
            solved[i, column] /= factor[i, i]
    for i in range(count - 1, -1, -1):
        for column in range(2):
            for k in range(i + 1, count):
                solved[i, column] -= factor[k, i] * solved[k, column]
            solved[i, column] /= factor[i, i]
    above, below = -1.0, 0.0
    for i in range(count):
        above, below = above + solved[i, 0], below + solved[i, 1]
    for i in range(count):
        solved[i, 0] -= solved[i, 1] * (above / below)
    return count
