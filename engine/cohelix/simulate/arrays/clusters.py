"""The cluster file: where the genotypes of each marker lie, as a genotyping centre found them in its training set.

Means and spreads follow those of an Illumina cluster file (theta of AA about 0.03, AB 0.5, BB 0.97; R about 1).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

AA, AB, BB = 0, 1, 2
TRAINED_ON = 1_300  # samples of the training set
ZEROED_SHARE = 0.6  # of the failed markers: found and marked so
LEAST_DEV_R = 0.1  # cluster files state no smaller one
_TYPICAL_R = 1.05


@dataclass(frozen=True)
class Clusters:
    """theta, r, dev_theta, dev_r (M, 3) float32: mean and standard deviation of AA, AB, BB. n (M, 3): of the training
    set. score (M,): GenTrain score, 0 of a zeroed marker."""

    theta: np.ndarray
    r: np.ndarray
    dev_theta: np.ndarray
    dev_r: np.ndarray
    n: np.ndarray
    score: np.ndarray


def joined(parts: list[Clusters]) -> Clusters:
    return Clusters(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Clusters)))


def draw(rng: np.random.Generator, frequency: np.ndarray, failed: np.ndarray, zeroed: np.ndarray) -> Clusters:
    """Clusters of M markers. Those of failed ones lie in one another, wherever the genotypes of people are."""
    m = frequency.size
    theta = np.stack([rng.gamma(2.2, 0.014, m), rng.normal(0.5, 0.045, m), 1 - rng.gamma(2.2, 0.009, m)], axis=1)
    theta = np.clip(theta, [0.003, 0.38, 0.88], [0.12, 0.62, 0.997])
    dev_theta = np.stack([rng.gamma(9, 0.0014, m), rng.gamma(9, 0.0028, m), rng.gamma(9, 0.0012, m)], axis=1)
    dev_theta = np.clip(dev_theta, 0.006, 0.05)
    level = _TYPICAL_R * np.exp(rng.normal(0, 0.3, m))
    r = np.clip(level[:, None] * np.exp(rng.normal([0.0, 0.12, 0.0], 0.12, (m, 3))), 0.25, 3.0)
    dev_r = np.maximum(LEAST_DEV_R, 0.12 * r)
    middle, apart = rng.uniform(0.25, 0.75, m), rng.uniform(0.03, 0.09, m)
    merged = middle[:, None] + apart[:, None] * np.array([-1.0, 0.0, 1.0])
    theta[failed] = merged[failed]
    dev_theta[failed] = rng.uniform(0.03, 0.07, (m, 3))[failed]
    score = np.clip(rng.normal(0.8, 0.07, m), 0.5, 0.95)
    score[failed] = rng.uniform(0.2, 0.45, m)[failed]
    score[zeroed] = 0.0
    q = np.clip(frequency, 0.0, 1.0)
    n = rng.multinomial(TRAINED_ON, np.stack([(1 - q) ** 2, 2 * q * (1 - q), q**2], axis=1))
    n = n.astype(np.int32)  # by alternate copies; `design` turns them where A is the alternate
    return Clusters(
        theta=theta.astype(np.float32), r=r.astype(np.float32), dev_theta=dev_theta.astype(np.float32),
        dev_r=dev_r.astype(np.float32), n=n, score=score.astype(np.float32),
    )  # fmt: skip


def x_and_y(clusters: Clusters) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean X, mean Y, and their standard deviations (M, 3), from theta and R: R = X + Y, theta = 2/pi atan(Y / X).

    The deviations are of first order, theta and R taken as independent.
    """
    angle = np.pi / 2 * clusters.theta.astype(np.float64)
    total = np.cos(angle) + np.sin(angle)
    share = np.cos(angle) / total  # of X
    slope = np.pi / 2 * clusters.r / total**2  # of X or Y against theta, but for the sign
    by_theta = (slope * clusters.dev_theta) ** 2
    dev_x = np.sqrt(by_theta + (share * clusters.dev_r) ** 2)
    dev_y = np.sqrt(by_theta + ((1 - share) * clusters.dev_r) ** 2)
    return share * clusters.r, (1 - share) * clusters.r, dev_x, dev_y
