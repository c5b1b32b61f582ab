"""Calibration: whether what a score foretells comes true, in numbers and in tenths of the people.

Everybody is foretold by a model (covariates and the score) that was fitted without them, on the other folds of all
people; strata are then looked at one by one. A model that was fitted on the people that it is looked at in would be
calibrated by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.prs.evaluate.estimates import (
    Estimates,
    around,
    normal_quantile,
    stream,
    student_quantile,
    varies,
    wilson,
)
from cohelix.prs.evaluate.logistic import logistic_fits, sigmoid

METRICS = ("calibration_slope", "calibration_intercept")
BRIER = ("brier", "brier_skill")
"""Of cases and controls."""


@dataclass(frozen=True)
class Bin:
    """Neighbours by what was foretold: their number, its mean, and what came true."""

    n: int
    n_cases: int | None
    predicted: float
    observed: float
    low: float
    high: float


def folds_of(trait: np.ndarray, binary: bool, n_folds: int, seed: int, name: str) -> np.ndarray:
    """int64 (people,): the fold of each, of equal sizes, and with equal numbers of cases where there are such."""
    folds = np.empty(len(trait), np.int64)
    kinds = [trait == 1, trait == 0] if binary else [np.ones(len(trait), bool)]
    for place, kind in enumerate(kinds):
        rows = np.flatnonzero(kind)
        folds[stream(seed, "folds", name, str(place)).permutation(rows)] = np.arange(len(rows)) % n_folds
    return folds


def foretold(trait: np.ndarray, basis: np.ndarray, scores: np.ndarray, folds: np.ndarray, binary: bool) -> np.ndarray:
    """float64 (scores, people): value of the trait, or log odds of being a case, by a model of the other folds.

    NaN where the model of a fold has no finite estimate.
    """
    out = np.full(scores.shape, np.nan)
    for fold in range(int(folds.max()) + 1):
        inside, outside = folds == fold, folds != fold
        if binary:
            if len(np.unique(trait[outside])) < 2:
                continue
            fits = logistic_fits(trait[outside], basis[outside], scores[:, outside])
            coefficients = np.where(fits.settled[:, None], fits.coefficients, np.nan)
        else:
            coefficients = _least_squares(trait[outside], basis[outside], scores[:, outside])
        out[:, inside] = coefficients[:, :-1] @ basis[inside].T + coefficients[:, -1:] * scores[:, inside]
    return out


def _least_squares(trait: np.ndarray, basis: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """float64 (scores, rank + 1): coefficients of the basis, and of the score last."""
    solve = np.linalg.pinv(basis)
    of_scores = scores @ solve.T
    beyond = scores - of_scores @ basis.T
    of_trait = solve @ trait
    square = (beyond**2).sum(axis=1)
    slope = np.where(square > 0, beyond @ (trait - basis @ of_trait) / np.where(square > 0, square, 1.0), np.nan)
    return np.column_stack([of_trait - slope[:, None] * of_scores, slope])


def calibration_metrics(
    trait: np.ndarray, predicted: np.ndarray, binary: bool, share: float, confidence: float
) -> dict[str, Estimates]:
    """Slope (right at 1), intercept (right at 0: how far the mean is off, in log odds for cases), Brier score, skill.

    predicted: rows of `foretold` in these people. share: of cases, which the skill is against: that among all people.
    """
    usable = np.isfinite(predicted).all(axis=1)
    usable[usable] = varies(predicted[usable])
    held = predicted[usable]
    made = (_of_cases if binary else _of_measure)(trait, held, confidence)
    if binary:
        made |= _brier(trait, held, share, confidence)
    return {name: found.at(np.flatnonzero(usable), len(predicted)) for name, found in made.items()}


def _of_cases(trait: np.ndarray, predicted: np.ndarray, confidence: float) -> dict[str, Estimates]:
    quantile = normal_quantile(confidence)
    deviation = predicted.std(axis=1)
    scaled = (predicted - predicted.mean(axis=1, keepdims=True)) / deviation[:, None]
    fits = logistic_fits(trait, np.ones((len(trait), 1)), scaled)
    shift = np.zeros(len(predicted))
    for _ in range(50):
        chance = sigmoid(predicted + shift[:, None])
        step = (trait - chance).sum(axis=1) / (chance * (1 - chance)).sum(axis=1)
        shift += np.clip(step, -2, 2)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    chance = sigmoid(predicted + shift[:, None])
    error = 1 / np.sqrt((chance * (1 - chance)).sum(axis=1))
    return {
        "calibration_slope": around(fits.slope / deviation, fits.error / deviation, quantile),
        "calibration_intercept": around(shift, error, quantile),
    }


def _of_measure(trait: np.ndarray, predicted: np.ndarray, confidence: float) -> dict[str, Estimates]:
    n = len(trait)
    rows = predicted - predicted.mean(axis=1, keepdims=True)
    square = (rows**2).sum(axis=1)
    slope = rows @ (trait - trait.mean()) / square
    left = trait - trait.mean() - slope[:, None] * rows
    error = np.sqrt((left**2).sum(axis=1) / max(n - 2, 1) / square)
    off = trait - predicted
    return {
        "calibration_slope": around(slope, error, student_quantile(confidence, max(n - 2, 1))),
        "calibration_intercept": around(
            off.mean(axis=1), off.std(axis=1, ddof=1) / np.sqrt(n), student_quantile(confidence, max(n - 1, 1))
        ),
    }


def _brier(trait: np.ndarray, predicted: np.ndarray, share: float, confidence: float) -> dict[str, Estimates]:
    """Mean squared distance of chance and outcome; skill: 1 less its ratio to that of `share` for everybody."""
    n, quantile = len(trait), normal_quantile(confidence)
    squares = (trait - sigmoid(predicted)) ** 2
    brier = squares.mean(axis=1)
    null = (trait - share) ** 2
    ratio = brier / null.mean()
    parts = (squares - ratio[:, None] * null) / null.mean()
    return {
        "brier": around(brier, squares.std(axis=1, ddof=1) / np.sqrt(n), quantile),
        "brier_skill": around(1 - ratio, parts.std(axis=1, ddof=1) / np.sqrt(n), quantile),
    }


def bins_of(
    trait: np.ndarray, predicted: np.ndarray, binary: bool, least: int, confidence: float, n_bins: int = 10
) -> list[Bin]:
    """Tenths by what was foretold (people,), the lowest first.

    Neighbours are joined until each has `least` people, and `least` cases and controls where there are such: so none
    needs to be withheld. Empty where the people are too few for one bin, or nothing was foretold.
    """
    if not np.isfinite(predicted).all():
        return []
    order = np.argsort(predicted, kind="stable")
    tenth = np.arange(len(order)) * n_bins // len(order)
    held: list[list[np.ndarray]] = [[]]
    for place in range(n_bins):
        held[-1].append(order[tenth == place])
        if _enough(trait[np.concatenate(held[-1])], binary, least):
            held.append([])
    rest = held.pop()
    if not held:
        return []
    held[-1].extend(rest)
    return [_bin(trait, predicted, np.concatenate(rows), binary, confidence) for rows in held]


def _enough(trait: np.ndarray, binary: bool, least: int) -> bool:
    if not binary:
        return len(trait) >= least
    cases = int((trait == 1).sum())
    return min(cases, len(trait) - cases) >= least


def _bin(trait: np.ndarray, predicted: np.ndarray, rows: np.ndarray, binary: bool, confidence: float) -> Bin:
    rows = np.sort(rows)
    values, n = trait[rows], len(rows)
    if binary:
        cases = int(values.sum())
        share = wilson(np.array([cases]), np.array([n]), normal_quantile(confidence))
        mean = float(sigmoid(predicted[rows]).mean())
        return Bin(n, cases, mean, float(share.value[0]), float(share.low[0]), float(share.high[0]))
    reach = student_quantile(confidence, max(n - 1, 1)) * float(values.std(ddof=1)) / np.sqrt(n)
    mean = float(values.mean())
    return Bin(n, None, float(predicted[rows].mean()), mean, mean - reach, mean + reach)
