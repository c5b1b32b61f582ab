"""Plain definitions for traits: one variant, one pair of variants at a time."""

from __future__ import annotations

import math

import numpy as np


def least_squares(y: np.ndarray, dosage: np.ndarray, covariates: np.ndarray) -> tuple[float, float]:
    """(beta, standard error) of dosage in a regression of y on it and the covariates, by numpy's lstsq."""
    design = np.column_stack([dosage.astype(float), covariates])
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    residual = y - design @ solution
    freedom = len(y) - np.linalg.matrix_rank(design)
    spread = float(residual @ residual) / freedom * np.linalg.inv(design.T @ design)[0, 0]
    return float(solution[0]), math.sqrt(spread)


def logistic(affected: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Coefficients of logistic regression by Newton's method, from its textbook formula."""
    beta = np.zeros(design.shape[1])
    for _ in range(60):
        mean = 1 / (1 + np.exp(-design @ beta))
        hessian = (design.T * (mean * (1 - mean))) @ design
        beta = beta + np.linalg.solve(hessian, design.T @ (affected - mean))
    return beta


def score_test(affected: np.ndarray, dosage: np.ndarray, covariates: np.ndarray) -> tuple[float, float]:
    """(one Newton step, its standard error) from the logistic model of the covariates alone: full matrices."""
    null = logistic(affected, covariates)
    mean = 1 / (1 + np.exp(-covariates @ null))
    design = np.column_stack([dosage.astype(float), covariates])
    information = (design.T * (mean * (1 - mean))) @ design
    step = np.linalg.solve(information, design.T @ (affected - mean))
    return float(step[0]), math.sqrt(np.linalg.inv(information)[0, 0])


def correlation_squared(a: np.ndarray, b: np.ndarray) -> float:
    """Of two dosages; 0 where one does not vary."""
    a, b = a.astype(float) - a.mean(), b.astype(float) - b.mean()
    below = float(a @ a) * float(b @ b)
    return float(a @ b) ** 2 / below if below > 0 else 0.0


def clumps(
    p: list[float], position: list[int], dosages: np.ndarray, most_p: float, most_r2: float, reach: int
) -> list[int]:
    """Take the variant of least p (then position) that is left, and with it all near ones in linkage; again and
    again."""
    left = [k for k in range(len(p)) if p[k] <= most_p]
    taken = []
    while left:
        best = min(left, key=lambda k: (p[k], position[k]))
        taken.append(best)
        left = [
            k
            for k in left
            if k != best
            and not (
                abs(position[k] - position[best]) <= reach
                and correlation_squared(dosages[:, k], dosages[:, best]) > most_r2
            )
        ]
    return taken
