"""Who is unlike everybody in the reference: distance in the components, and what the components leave unexplained.

A classifier's probability does not tell: it says which of the known groups is nearest, however far all of them are.

distance: the local Mahalanobis distance. Of a person, the nearest people of the reference are taken; the distance is
that to their mean, in the spread that they have around it (with the spread of noise added). Within a group, along a
cline between groups, or in a sparse region, neighbours spread as far as the person is from them; beyond the end of a
cline, or between groups that nobody links, they do not.
The reference's own people, each without itself, say which distances are usual.

residual: sum of (g - 2 f)² over its expectation, sum of 2 f (1 - f), with f the allele frequencies that the person's
components predict. It is 1 for a person whom the components explain, 1 + F for one inbred or drifted by F.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.ancestry.schema import ProjectParams

LEAST_REFERENCE = 20
"""Reference people below which no distance is usual or unusual."""

_BATCH = 8192


@dataclass(frozen=True)
class Reference:
    """People of the model: points float64 (n, signal), scores in units of `noise` float64 (signal,), an SD; `own`
    float64 (n,), their distances, each without itself; up to `cutoff` they are usual. neighbours: how many are taken.
    """

    points: np.ndarray
    noise: np.ndarray
    own: np.ndarray
    neighbours: int
    smoothing: float
    cutoff: float


def reference_of(scores: np.ndarray, factors: np.ndarray, params: ProjectParams) -> Reference | None:
    """From the fitted scores, float64 (n, k), and the shrinkage factors of their components; None where there are too
    few people. Components that are mostly noise (`min_signal`) take no part.
    """
    n, k = scores.shape
    if n < LEAST_REFERENCE:
        return None
    signal = n_signal(factors[:k], params)
    neighbours = min(params.neighbours, max(5, n // 10))
    noise = noise_of(scores, min(20, neighbours))[:signal]
    points = np.ascontiguousarray(scores[:, :signal] / noise)
    own = local_distances(points, points, neighbours, params.smoothing, own=True)
    return Reference(points, noise, own, neighbours, params.smoothing, float(np.quantile(own, 1.0 - params.ood_rate)))


def n_signal(factors: np.ndarray, params: ProjectParams) -> int:
    """Components that say more of groups than of noise: the first ones, two at least where there are two."""
    return max(int((np.minimum.accumulate(factors) >= params.min_signal).sum()), min(2, len(factors)))


def noise_of(scores: np.ndarray, neighbours: int) -> np.ndarray:
    """float64 (k,): SD of each component among neighbours, robust: half the differences to the nearest are within."""
    from scipy.spatial import cKDTree

    spread = scores.std(axis=0)
    spread[spread == 0] = 1.0
    _, nearest = cKDTree(scores / spread).query(scores / spread, neighbours + 1)
    apart = np.abs(scores[:, None, :] - scores[nearest[:, 1:]]).reshape(-1, scores.shape[1])
    noise = np.median(apart, axis=0) / (0.6744897501960817 * np.sqrt(2.0))
    return np.asarray(np.where(noise > 0, noise, spread))


def local_distances(
    points: np.ndarray, reference: np.ndarray, neighbours: int, smoothing: float, *, own: bool = False
) -> np.ndarray:
    """float64 (samples,): Mahalanobis distance of each point to the mean of its nearest in the reference.

    Their covariance has `smoothing` added on its diagonal, in variances of noise. own: the points are the reference's,
    and leave themselves out.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(reference)
    out = np.empty(len(points))
    for start in range(0, len(points), _BATCH):
        some = points[start : start + _BATCH]
        _, nearest = tree.query(some, neighbours + own)
        if own:
            rows = np.arange(start, start + len(some))
            keep = nearest != rows[:, None]
            keep[keep.all(axis=1), -1] = False  # itself was crowded out by equal points
            nearest = nearest[keep].reshape(len(some), neighbours)
        around = reference[nearest]
        centre = around.mean(axis=1)
        around -= centre[:, None, :]
        covariance = np.matmul(around.transpose(0, 2, 1), around) / neighbours
        covariance += smoothing * np.eye(points.shape[1])
        away = some - centre
        solved = np.linalg.solve(covariance, away[:, :, None])[:, :, 0]
        out[start : start + len(some)] = np.sqrt((away * solved).sum(axis=1))
    return out


def distances(reference: Reference | None, scores: np.ndarray) -> np.ndarray:
    """float64 (samples,): of projected scores, in units of the cut-off, so that 1 is the limit; NaN where unknown."""
    out = np.full(len(scores), np.nan)
    known = np.isfinite(scores).all(axis=1)
    if reference is not None and known.any():
        points = scores[known, : len(reference.noise)] / reference.noise
        found = local_distances(points, reference.points, reference.neighbours, reference.smoothing)
        out[known] = found / reference.cutoff
    return out


def residuals(
    naive: np.ndarray, scores: np.ndarray, norms: np.ndarray, loadings: np.ndarray, af: np.ndarray
) -> np.ndarray:
    """float64 (samples,): observed over expected squares around predicted frequencies; NaN where unknown.

    naive, scores: float64 (samples, k), projected and corrected, of the components to predict with; naive may hold
    more. With y = scores V' the predicted standardised genotypes, the observed part is |x - y|², and 2 f (1 - f) over
    2 p (1 - p) is 1 + y (1 - 2 p) / sd - y² / 2: both are sums over components, so that genotypes are read once.
    """
    k = scores.shape[1]
    tilt = ((1.0 - 2.0 * af) / np.sqrt(2.0 * af * (1.0 - af))) @ loadings[:, :k] / np.sqrt(len(af))
    squares = (scores**2).sum(axis=1)
    observed = norms - 2.0 * (scores * naive[:, :k]).sum(axis=1) + squares
    expected = 1.0 + scores @ tilt - squares / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(expected > 0, observed / expected, np.inf) + 0.0 * observed)
