"""Plain definitions for projection: one genotype, one person, one eigenvalue at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def standardised(genotype: int, af: float) -> float:
    """genotype: 0, 1, 2 copies, 3 where missing."""
    return 0.0 if genotype == 3 else (genotype - 2 * af) / math.sqrt(2 * af * (1 - af))


def naive(genotypes: Sequence[int], af: Sequence[float], loadings: Sequence[Sequence[float]]) -> list[float]:
    """Of one person: sum over sites of loading times standardised genotype, over the root of the number of sites."""
    scores = [0.0] * len(loadings[0])
    for genotype, p, row in zip(genotypes, af, loadings, strict=True):
        for component, loading in enumerate(row):
            scores[component] += loading * standardised(genotype, p) / math.sqrt(len(af))
    return scores


def augmented(reference: np.ndarray, person: np.ndarray, k: int) -> np.ndarray:
    """Scores of a person when the reference float64 (n, sites) is decomposed anew with the person as its last row, and
    the new scores of the reference are turned and scaled onto the old ones (least squares), and the person likewise."""

    def scores(matrix: np.ndarray) -> np.ndarray:
        left, lengths, _ = np.linalg.svd(matrix, full_matrices=False)
        return left[:, :k] * lengths[:k]

    old, new = scores(reference), scores(np.vstack([reference, person]))
    left, lengths, right = np.linalg.svd(new[:-1].T @ old)
    return (new[-1] @ left @ right) * lengths.sum() / (new[:-1] ** 2).sum()


def d_estimator(eigenvalues: Sequence[float], spikes: int, n_sites: int) -> list[float]:
    """Shrinkage by the loops of R's hdpca (d.eval, then spike over sample eigenvalue), n the number of eigenvalues."""
    n = len(eigenvalues)
    found = []
    for one in eigenvalues[:spikes]:
        total = 0.0
        for other in eigenvalues[spikes:]:
            total += other / (one - other)
        spike = one / (1 + (n_sites / n) / (n_sites - spikes) * total)
        found.append(spike / one)
    return found


def local_distance(
    point: Sequence[float], reference: Sequence[Sequence[float]], neighbours: int, smoothing: float
) -> float:
    """Mahalanobis distance to the mean of the nearest, in their covariance (over n) plus smoothing."""
    nearest = sorted(reference, key=lambda other: math.dist(point, other))[:neighbours]
    size = len(point)
    mean = [sum(one[i] for one in nearest) / neighbours for i in range(size)]
    covariance = np.array(
        [
            [sum((one[i] - mean[i]) * (one[j] - mean[j]) for one in nearest) / neighbours for j in range(size)]
            for i in range(size)
        ]
    ) + smoothing * np.eye(size)
    away = np.array(point) - mean
    return math.sqrt(away @ np.linalg.inv(covariance) @ away)


def residual(
    genotypes: Sequence[int], scores: Sequence[float], af: Sequence[float], loadings: Sequence[Sequence[float]]
) -> float:
    """sum (g - 2 f)² / (2 p (1 - p)) over sum 2 f (1 - f) / (2 p (1 - p)), f the predicted frequencies."""
    observed = expected = 0.0
    for genotype, p, row in zip(genotypes, af, loadings, strict=True):
        variance = 2 * p * (1 - p)
        mean = 2 * p + math.sqrt(variance * len(af)) * sum(a * b for a, b in zip(scores, row, strict=True))
        observed += (genotype - mean) ** 2 / variance
        expected += 2 * (mean / 2) * (1 - mean / 2) / variance
    return observed / expected
