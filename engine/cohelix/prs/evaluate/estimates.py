"""Estimates with their intervals, and the resamples behind those that no formula gives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

REPLICATES = 32
"""Resamples that are drawn together: fixed, as products of matrices have other bits in other shapes."""
BLOCK = 1 << 21
"""Numbers (scores times people) that are worked on together."""


@dataclass(frozen=True)
class Estimates:
    """Of each score: float64 (scores,), NaN where it cannot be said."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def through(self, function: Callable[[np.ndarray], np.ndarray]) -> Estimates:
        """All three through an increasing function."""
        return Estimates(function(self.value), function(self.low), function(self.high))

    def at(self, places: np.ndarray, n: int) -> Estimates:
        """These spread over `n` scores; NaN elsewhere."""
        spread = []
        for values in (self.value, self.low, self.high):
            out = np.full(n, np.nan)
            out[places] = values
            spread.append(out)
        return Estimates(*spread)


def normal_quantile(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


def student_quantile(confidence: float, degrees: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def around(value: np.ndarray, error: np.ndarray, quantile: float) -> Estimates:
    """value +- quantile times its standard error."""
    return Estimates(value, value - quantile * error, value + quantile * error)


def stream(seed: int, *names: str) -> np.random.Generator:
    """Draws that depend on the seed and the names alone, not on what was drawn before or where."""
    words = [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") for name in names]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *words])))


@dataclass(frozen=True)
class Resamples:
    """Resamples of `n` people with replacement, the same ones each time they are asked for."""

    seed: int
    names: tuple[str, ...]
    count: int
    n: int

    def weights(self) -> Iterator[np.ndarray]:
        """float64 (`REPLICATES`, n): how often each person was drawn; the last may hold more rows than are wanted."""
        for first in range(0, self.count, REPLICATES):
            draws = stream(self.seed, *self.names, str(first)).integers(0, self.n, (REPLICATES, self.n))
            draws += np.arange(REPLICATES)[:, None] * self.n
            yield (
                np.bincount(draws.reshape(-1), minlength=REPLICATES * self.n).reshape(REPLICATES, self.n).astype(float)
            )

    def means(self, *columns: np.ndarray) -> list[np.ndarray]:
        """Mean of each row of each (rows, n) in each resample: float64 (resamples, rows)."""
        parts: list[list[np.ndarray]] = [[] for _ in columns]
        for drawn in self.weights():
            for part, rows in zip(parts, columns, strict=True):
                part.append(drawn @ rows.T / self.n)
        return [np.concatenate(part)[: self.count] for part in parts]


def percentiles(value: np.ndarray, resampled: np.ndarray, confidence: float) -> Estimates:
    """value (scores,) between the quantiles of its resamples (resamples, scores)."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return Estimates(value, low, high)


def wilson(count: np.ndarray, total: np.ndarray, quantile: float) -> Estimates:
    """Wilson's interval of a share."""
    n = np.maximum(total, 1).astype(np.float64)
    share = count / n
    middle = (share + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile / (1 + quantile**2 / n) * np.sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2))
    return Estimates(share, np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0))


def basis_of(covariates: np.ndarray) -> np.ndarray:
    """Columns that span the constant and the covariates (people, any), float64 (people, rank), with mean square 1.

    The first is the constant. A covariate that the others make up, or that is constant here, adds none.
    """
    from scipy.linalg import qr

    n = len(covariates)
    constant = np.ones((n, 1))
    centred = covariates - covariates.mean(axis=0)
    size = np.sqrt((centred**2).mean(axis=0))
    kept = centred[:, size > 1e-10 * np.maximum(np.abs(covariates).max(axis=0, initial=0.0), 1e-300)]
    if kept.shape[1] == 0:
        return constant
    kept = kept / np.sqrt((kept**2).mean(axis=0))
    columns, triangle, _ = qr(kept, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(triangle))
    rank = int((sizes > 1e-9 * sizes[0]).sum())
    return np.hstack([constant, columns[:, :rank] * np.sqrt(n)])


def varies(scores: np.ndarray) -> np.ndarray:
    """bool (scores,): whether a row of (scores, people) holds more than one value, beyond rounding."""
    spread = scores.max(axis=1) - scores.min(axis=1)
    varying: np.ndarray = spread > 1e-12 * np.maximum(np.abs(scores).max(axis=1), 1e-300)
    return varying


def blocks(n_scores: int, n_people: int) -> list[slice]:
    """Slices of the scores of about `BLOCK` numbers each."""
    step = max(1, BLOCK // max(n_people, 1))
    return [slice(first, min(first + step, n_scores)) for first in range(0, n_scores, step)]
