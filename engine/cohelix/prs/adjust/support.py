"""Who lies outside of the training people in the components: there, mean and variance are extrapolated.

A person's distance is that to the k-th nearest training person, in components standardised on them, the very ones
that mean and variance depend on. Training people, each seen from the others, say which distances are usual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Support:
    """points float64 (people, k), standardised, in an order of their own; distances to the `neighbours`-th up to
    `cutoff` are usual."""

    points: np.ndarray
    neighbours: int
    cutoff: float


def support_of(standardised: np.ndarray, neighbours: int, outside_rate: float) -> Support:
    """The cut-off is the quantile 1 - outside_rate of the distances of training people, each without itself."""
    from scipy.spatial import cKDTree

    points = np.ascontiguousarray(standardised[np.lexsort(standardised.T[::-1])])
    neighbours = min(neighbours, len(points) - 1)
    own = cKDTree(points).query(points, [neighbours + 1])[0][:, 0]  # the nearest one is the person, or its equal
    return Support(points, neighbours, float(np.quantile(own, 1.0 - outside_rate)))


def outside(support: Support, standardised: np.ndarray) -> np.ndarray:
    """bool (people,): beyond the cut-off; False where somebody has no components."""
    from scipy.spatial import cKDTree

    out = np.zeros(len(standardised), bool)
    known = np.isfinite(standardised).all(axis=1)
    if known.any():
        distances = cKDTree(support.points).query(standardised[known], [support.neighbours])[0][:, 0]
        out[known] = distances > support.cutoff
    return out
