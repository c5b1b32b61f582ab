"""Plain definitions for the evaluation of scores: one person, one pair of people, one cell of a table at a time."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def auc(trait: Sequence[int], score: Sequence[float]) -> float:
    """The share of pairs of a case and a control in which the case is higher; ties count half."""
    cases = [s for t, s in zip(trait, score, strict=True) if t == 1]
    controls = [s for t, s in zip(trait, score, strict=True) if t == 0]
    return sum(_wins(x, y) for x in cases for y in controls) / (len(cases) * len(controls))


def _wins(case: float, control: float) -> float:
    return 1.0 if case > control else 0.5 if case == control else 0.0


def delong_covariance(trait: Sequence[int], scores: Sequence[Sequence[float]]) -> list[list[float]]:
    """S10 / m + S01 / n of DeLong, DeLong and Clarke-Pearson (1988), equations 4 to 6."""
    cases = [i for i, t in enumerate(trait) if t == 1]
    controls = [i for i, t in enumerate(trait) if t == 0]
    areas = [auc(trait, score) for score in scores]
    v10 = [[sum(_wins(s[i], s[j]) for j in controls) / len(controls) for i in cases] for s in scores]
    v01 = [[sum(_wins(s[i], s[j]) for i in cases) / len(cases) for j in controls] for s in scores]

    def covariance(parts: list[list[float]], r: int, s: int) -> float:
        n = len(parts[0])
        return sum((a - areas[r]) * (b - areas[s]) for a, b in zip(parts[r], parts[s], strict=True)) / (n - 1) / n

    k = range(len(scores))
    return [[covariance(v10, r, s) + covariance(v01, r, s) for s in k] for r in k]


def r2(trait: np.ndarray, *columns: np.ndarray) -> float:
    """1 less the residual over the total sum of squares, by least squares on a constant and the columns."""
    design = np.column_stack([np.ones(len(trait)), *columns])
    left = trait - design @ np.linalg.lstsq(design, trait, rcond=None)[0]
    return 1 - float(left @ left) / float(((trait - trait.mean()) ** 2).sum())


def logistic(trait: np.ndarray, *columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients (constant first), their covariance, log likelihood: Newton's steps on the textbook's formulas."""
    design = np.column_stack([np.ones(len(trait)), *columns])
    beta = np.zeros(design.shape[1])
    for _ in range(100):
        chance = 1 / (1 + np.exp(-design @ beta))
        information = design.T @ np.diag(chance * (1 - chance)) @ design
        beta = beta + np.linalg.solve(information, design.T @ (trait - chance))
    chance = 1 / (1 + np.exp(-design @ beta))
    likelihood = sum(math.log(p if t == 1 else 1 - p) for t, p in zip(trait, chance, strict=True))
    return beta, np.linalg.inv(design.T @ np.diag(chance * (1 - chance)) @ design), likelihood


def nagelkerke(trait: np.ndarray, *columns: np.ndarray) -> float:
    """Nagelkerke (1991): Cox and Snell's R2 over the most that it can be."""
    n, null, full = len(trait), logistic(trait)[2], logistic(trait, *columns)[2]
    return (1 - math.exp(2 * (null - full) / n)) / (1 - math.exp(2 * null / n))


def liability_r2(observed: float, prevalence: float, share: float) -> float:
    """Lee and others (2012), equation 15, with their names."""
    from scipy.stats import norm

    K, P = prevalence, share
    t = norm.isf(K)
    z = norm.pdf(t)
    m = z / K
    C = K * (1 - K) / z**2 * K * (1 - K) / (P * (1 - P))
    theta = m * (P - K) / (1 - K) * (m * (P - K) / (1 - K) - t)
    return float(observed * C / (1 + observed * theta * C))


def mean_squares(ratings: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Of people, raters and what is left; ratings[person][rater]."""
    n, k = len(ratings), len(ratings[0])
    grand = sum(map(sum, ratings)) / (n * k)
    person = [sum(row) / k for row in ratings]
    rater = [sum(row[j] for row in ratings) / n for j in range(k)]
    people = k * sum((value - grand) ** 2 for value in person) / (n - 1)
    raters = n * sum((value - grand) ** 2 for value in rater) / (k - 1)
    left = sum(
        (ratings[i][j] - person[i] - rater[j] + grand) ** 2 for i, j in itertools.product(range(n), range(k))
    ) / ((n - 1) * (k - 1))
    return people, raters, left


def could_be_told(counts: Sequence[Sequence[int]], hidden: Sequence[bool], least: int) -> bool:
    """Whether a count of 1 to least - 1 stands in the table or follows from its total by taking away what stands.

    counts[stratum][kind], of which the sum over strata is known.
    """
    for kind in range(len(counts[0])):
        if any(0 < row[kind] < least for row, hide in zip(counts, hidden, strict=True) if not hide):
            return True
        if 0 < sum(row[kind] for row, hide in zip(counts, hidden, strict=True) if hide) < least:
            return True
    return sum(hidden) == 1


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        return list(csv.DictReader(handle))
