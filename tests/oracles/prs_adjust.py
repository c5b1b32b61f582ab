"""Calibration of scores by definition: a score at a time, in plain NumPy and SciPy, with no step of the engine's."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.stats import percentileofscore


def standardised(training: np.ndarray, pcs: np.ndarray) -> np.ndarray:
    return (pcs - training.mean(axis=0)) / training.std(axis=0)


def z_norm1(training: np.ndarray, score: np.ndarray, pcs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """training: PCs (n, k) and score (n,) of the training people; pcs and values: of those asked for."""
    design = np.column_stack([np.ones(len(score)), training])
    b = np.linalg.lstsq(design, score, rcond=None)[0]
    residual = score - design @ b
    return (values - np.column_stack([np.ones(len(values)), pcs]) @ b) / residual.std()


def nll(theta: np.ndarray, design: np.ndarray, score: np.ndarray) -> float:
    """Negative log-likelihood of Normal(X b, exp(X g)) without its constant, theta = b, g."""
    p = design.shape[1]
    log_variance = design @ theta[p:]
    return float(0.5 * np.sum(log_variance + (score - design @ theta[:p]) ** 2 / np.exp(log_variance)))


def likelihood_sums(
    design: np.ndarray, pairs: np.ndarray, scores: np.ndarray, rows: np.ndarray, mean: np.ndarray,
    log_variance: np.ndarray, sums: np.ndarray, total: np.ndarray, least: np.ndarray,
) -> None:  # fmt: skip
    """The kernel of that name: by products of matrices."""
    for place, row in enumerate(rows):
        h, r = design @ log_variance[place], scores[row] - design @ mean[place]
        w = np.exp(-np.clip(h, -700.0, 700.0))
        sums[place] = np.stack([w, r * w, r * r * w]) @ pairs.T
        total[place], least[place] = h.sum(), h.min()


def gradient(theta: np.ndarray, design: np.ndarray, score: np.ndarray) -> np.ndarray:
    """By central differences."""
    out = np.empty(len(theta))
    for i in range(len(theta)):
        step = np.zeros(len(theta))
        step[i] = 1e-6
        out[i] = (nll(theta + step, design, score) - nll(theta - step, design, score)) / 2e-6
    return out


def full_likelihood(design: np.ndarray, score: np.ndarray) -> np.ndarray:
    """theta at the least nll, by a search without derivatives of ours."""
    p = design.shape[1]
    start = np.zeros(2 * p)
    start[:p] = np.linalg.lstsq(design, score, rcond=None)[0]
    start[p] = np.log(np.var(score - design @ start[:p]))
    found = minimize(nll, start, args=(design, score), method="BFGS", options={"gtol": 1e-4})
    return np.asarray(found.x)


def percentile(group: np.ndarray, value: float) -> float:
    return float(percentileofscore(group, value, kind="rank"))


def rank(
    ordered: np.ndarray, mean: np.ndarray, sd: np.ndarray, scores: np.ndarray, people: np.ndarray,
    percentile_of: np.ndarray, z: np.ndarray,
) -> None:  # fmt: skip
    """The kernel of that name: by counting."""
    for row, values in enumerate(ordered):
        known = values[~np.isnan(values)]
        for person in people:
            value = scores[row, person]
            z[row, person] = (value - mean[row]) / sd[row] if sd[row] > 0 else np.nan
            below, equal = int((known < value).sum()), int((known == value).sum())
            both = 2 * below + equal + (equal > 0)
            percentile_of[row, person] = np.nan if np.isnan(value) or not len(known) else both * (50.0 / len(known))


def z_in_group(group: np.ndarray, value: float) -> float:
    return float((value - np.mean(group)) / np.std(group))


def neighbour_distance(points: np.ndarray, point: np.ndarray, k: int, *, itself: bool) -> float:
    """To the k-th nearest; itself: the point is one of them, and is left out."""
    distances = np.sort(np.sqrt(((points - point) ** 2).sum(axis=1)))
    return float(distances[k if itself else k - 1])
