"""Accuracy for measures: correlation, R2, R2 beyond covariates, effect of a standard deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.prs.evaluate.estimates import (
    Estimates,
    Resamples,
    around,
    normal_quantile,
    percentiles,
    student_quantile,
)

METRICS = ("correlation", "r2", "beta_per_sd")
BEYOND = ("r2_covariates", "r2_full", "incremental_r2", "partial_correlation")
"""Where there are covariates."""


@dataclass(frozen=True)
class LinearFits:
    """Least squares of a trait on covariates and one score at a time.

    slope, error: float64 (scores,), of the score, per unit of it. without: float64 (people,), what the covariates leave
    over; full: float64 (scores, people), what they and the score do.
    """

    slope: np.ndarray
    error: np.ndarray
    without: np.ndarray
    full: np.ndarray
    partial: np.ndarray


def linear_fits(trait: np.ndarray, basis: np.ndarray, scores: np.ndarray) -> LinearFits:
    """trait (people,); basis (people, rank) orthogonal with mean square 1 (`basis_of`); scores (scores, people)."""
    n, rank = basis.shape
    without = trait - basis @ (basis.T @ trait) / n
    beyond = scores - (scores @ basis / n) @ basis.T
    square = (beyond**2).sum(axis=1)
    alone = square > 1e-18 * (scores**2).sum(axis=1)  # the covariates do not make the score up
    square = np.where(alone, square, np.nan)
    slope = beyond @ without / square
    full = without - slope[:, None] * beyond
    left = (full**2).sum(axis=1)
    error = np.sqrt(left / max(n - rank - 1, 1) / square)
    partial = beyond @ without / np.sqrt(square * (without**2).sum())
    return LinearFits(slope, error, without, full, partial)


def quantitative_metrics(
    trait: np.ndarray, basis: np.ndarray, scores: np.ndarray, resamples: Resamples, confidence: float
) -> dict[str, Estimates]:
    """The metrics of each score; `basis` of the constant alone: no covariates."""
    n, rank = basis.shape
    fits = linear_fits(trait, basis, scores)
    pearson = correlation(trait, scores, confidence)
    deviation = scores.std(axis=1, ddof=1)
    quantile = student_quantile(confidence, max(n - rank - 1, 1))
    found = {
        "correlation": pearson,
        "r2": squared(pearson),
        "beta_per_sd": around(fits.slope * deviation, fits.error * deviation, quantile),
    }
    if rank == 1:
        return found
    variance = float(((trait - trait.mean()) ** 2).mean())
    with_covariates = 1 - float((fits.without**2).mean()) / variance
    full = 1 - (fits.full**2).mean(axis=1) / variance
    centred = trait - trait.mean()
    base, ours, square, mean = resamples.means(fits.without[None] ** 2, fits.full**2, centred[None] ** 2, centred[None])
    spread = square - mean**2
    many = np.full(len(scores), with_covariates)
    found["r2_covariates"] = _clipped(percentiles(many, np.broadcast_to(1 - base / spread, ours.shape), confidence))
    found["r2_full"] = _clipped(percentiles(full, 1 - ours / spread, confidence))
    found["incremental_r2"] = _clipped(percentiles(full - with_covariates, (base - ours) / spread, confidence))
    found["partial_correlation"] = fisher(fits.partial, n - rank + 1, confidence)
    return found


def correlation(trait: np.ndarray, scores: np.ndarray, confidence: float) -> Estimates:
    """Pearson's r of each score with the trait, between Fisher's bounds (exact in the limit for normal pairs)."""
    centred = trait - trait.mean()
    rows = scores - scores.mean(axis=1, keepdims=True)
    r = rows @ centred / np.sqrt((rows**2).sum(axis=1) * (centred**2).sum())
    return fisher(r, len(trait), confidence)


def fisher(r: np.ndarray, n: int, confidence: float) -> Estimates:
    """r between the bounds of Fisher's z; n: people, less the covariates that were taken out."""
    r = np.clip(r, -1.0, 1.0)
    error = normal_quantile(confidence) / np.sqrt(max(n - 3, 1))
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    return Estimates(r, np.tanh(z - error), np.tanh(z + error))


def squared(r: Estimates) -> Estimates:
    """R2 of a correlation; its interval reaches 0 where that of the correlation does."""
    low, high = np.abs(r.low), np.abs(r.high)
    across = r.low * r.high <= 0
    return Estimates(r.value**2, np.where(across, 0.0, np.minimum(low, high) ** 2), np.maximum(low, high) ** 2)


def _clipped(found: Estimates) -> Estimates:
    return Estimates(found.value, np.clip(found.low, 0.0, 1.0), np.clip(found.high, 0.0, 1.0))
