"""Logistic regression of one trait on covariates and one score at a time, for many scores together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PEOPLE = 8192
"""People whose products of covariates are made together."""
_STEPS = 60
_STILL = 1e-9
"""Largest step, in log odds of a standard deviation, at which a fit has come to rest."""
_FAR = 25.0
"""Log odds of a standard deviation beyond which cases and controls are separated: no estimate is finite."""


@dataclass(frozen=True)
class LogisticFits:
    """slope, error: float64 (scores,), log odds a unit of the score; predictor: float64 (scores, people), log odds;
    settled: bool (scores,), False where cases and controls are separated and no estimate is finite.
    """

    slope: np.ndarray
    error: np.ndarray
    predictor: np.ndarray
    settled: np.ndarray
    coefficients: np.ndarray
    """float64 (scores, rank + 1): of the basis, and of the score last."""


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.asarray(expit(log_odds))


def log_likelihood(predictor: np.ndarray, trait: np.ndarray) -> np.ndarray:
    """Of each person, given the log odds of being a case."""
    return np.asarray(trait * predictor - np.logaddexp(0.0, predictor))


def logistic_fits(trait: np.ndarray, basis: np.ndarray, scores: np.ndarray) -> LogisticFits:
    """Newton's method with halved steps, from 0. trait 0 or 1 (people,); basis (people, rank); scores (scores, people).

    Scores should be centred and scaled to be well conditioned; the slope is per unit of what is given.
    """
    m, rank = len(scores), basis.shape[1]
    coefficients = np.zeros((m, rank + 1))
    settled = np.zeros(m, bool)
    active = np.arange(m)
    reached = np.full(m, -len(trait) * np.log(2.0))
    for _ in range(_STEPS):
        held = scores if len(active) == m else scores[active]
        gradient, information = _derivatives(trait, basis, held, coefficients[active])
        step = _solve(information, gradient)
        size, reached[active] = _halved(trait, basis, held, coefficients[active], step, reached[active])
        coefficients[active] += size[:, None] * step
        still = np.abs(size[:, None] * step).max(axis=1) < _STILL
        far = np.abs(coefficients[active]).max(axis=1) > _FAR
        settled[active[still & ~far]] = True
        active = active[~(still | far)]
        if len(active) == 0:
            break
    _, information = _derivatives(trait, basis, scores, coefficients)
    slope = np.where(settled, coefficients[:, -1], np.nan)
    error = np.where(settled, np.sqrt(np.maximum(_inverse_last(information), 0.0)), np.nan)
    return LogisticFits(slope, error, _predictor(basis, scores, coefficients), settled, coefficients)


def _predictor(basis: np.ndarray, scores: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return np.asarray(coefficients[:, :-1] @ basis.T + coefficients[:, -1:] * scores)


def _derivatives(
    trait: np.ndarray, basis: np.ndarray, scores: np.ndarray, coefficients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (scores, rank + 1) and information (scores, rank + 1, rank + 1)."""
    m, rank = len(scores), basis.shape[1]
    chance = sigmoid(_predictor(basis, scores, coefficients))
    weight = chance * (1 - chance)
    left = trait - chance
    gradient = np.hstack([left @ basis, (left * scores).sum(axis=1, keepdims=True)])
    information = np.empty((m, rank + 1, rank + 1))
    one, other = np.triu_indices(rank)
    products = np.zeros((m, len(one)))
    for first in range(0, len(trait), _PEOPLE):
        people = slice(first, first + _PEOPLE)
        products += weight[:, people] @ (basis[people][:, one] * basis[people][:, other])
    information[:, one, other] = information[:, other, one] = products
    weighted = weight * scores
    information[:, :rank, rank] = information[:, rank, :rank] = weighted @ basis
    information[:, rank, rank] = (weighted * scores).sum(axis=1)
    return gradient, information


def _solve(information: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Newton's step; a trace of a ridge keeps it finite where cases and controls are nearly separated."""
    size = information.shape[1]
    trace = np.trace(information, axis1=1, axis2=2) / size
    ridge = (1e-12 * trace + 1e-300)[:, None, None] * np.eye(size)
    found: np.ndarray = np.linalg.solve(information + ridge, gradient[:, :, None])[:, :, 0]
    limit = np.abs(found).max(axis=1, keepdims=True)
    return np.where(limit > 5.0, found * (5.0 / np.maximum(limit, 5.0)), found)


def _halved(
    trait: np.ndarray,
    basis: np.ndarray,
    scores: np.ndarray,
    coefficients: np.ndarray,
    step: np.ndarray,
    reached: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The share of each step that does not lower the likelihood, and the likelihood there."""
    size = np.ones(len(scores))
    likelihood = np.full(len(scores), -np.inf)
    open_ = np.arange(len(scores))
    for _ in range(30):
        tried = coefficients[open_] + size[open_, None] * step[open_]
        held = scores if len(open_) == len(scores) else scores[open_]
        likelihood[open_] = log_likelihood(_predictor(basis, held, tried), trait).sum(axis=1)
        worse = likelihood[open_] < reached[open_] - 1e-9 * np.abs(reached[open_])
        open_ = open_[worse]
        if len(open_) == 0:
            break
        size[open_] /= 2
    return size, likelihood


def _inverse_last(information: np.ndarray) -> np.ndarray:
    """Variance of the last coefficient: 1 over what is left of its information when the others are known."""
    size = information.shape[1]
    trace = np.trace(information, axis1=1, axis2=2) / size
    kept = information + (1e-14 * trace + 1e-300)[:, None, None] * np.eye(size)
    last = np.zeros((len(information), size, 1))
    last[:, -1] = 1.0
    found: np.ndarray = np.linalg.solve(kept, last)[:, -1, 0]
    return found


@dataclass(frozen=True)
class FirthFit:
    """slope and its profile bounds, log odds a unit of the score."""

    slope: float
    low: float
    high: float


def firth_fit(trait: np.ndarray, basis: np.ndarray, score: np.ndarray, confidence: float) -> FirthFit:
    """Logistic regression with Firth's penalty, which is finite where cases and controls are separated.

    The bounds are those of the penalised profile likelihood (Heinze and Schemper 2002); NaN where one is not found.
    """
    from scipy.special import chdtri

    design = np.column_stack([basis, score])
    best, reached = _penalised(trait, design, np.zeros(design.shape[1]), None)
    slope = float(best[-1])
    drop = float(chdtri(1.0, 1 - confidence)) / 2

    def below(at: float) -> float:
        start = best.copy()
        start[-1] = at
        return _penalised(trait, design, start, at)[1] - (reached - drop)

    return FirthFit(slope, _bound(below, slope, -1.0), _bound(below, slope, 1.0))


def _bound(below: object, slope: float, side: float) -> float:
    """Where the profile crosses: a step that doubles until it does, then halving."""
    assert callable(below)
    near, step = slope, 0.5
    while step < 1000 and below(slope + side * step) > 0:
        near, step = slope + side * step, step * 2
    if step >= 1000:
        return float("nan")
    far = slope + side * step
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if below(middle) > 0 else (near, middle)
    return (near + far) / 2


def _penalised(
    trait: np.ndarray, design: np.ndarray, start: np.ndarray, fixed: float | None
) -> tuple[np.ndarray, float]:
    """Coefficients that maximise the penalised likelihood (the last held at `fixed`), and its value there."""
    free = slice(None) if fixed is None else slice(0, -1)
    coefficients = start.copy()
    value = _penalised_value(trait, design, coefficients)
    for _ in range(200):
        chance = sigmoid(design @ coefficients)
        weight = np.maximum(chance * (1 - chance), 1e-300)
        rows = design * np.sqrt(weight)[:, None]
        leverage = (np.linalg.qr(rows)[0] ** 2).sum(axis=1)
        score = design.T @ (trait - chance + leverage * (0.5 - chance))
        step = np.zeros(len(start))
        step[free] = np.linalg.lstsq((rows.T @ rows)[free, free], score[free], rcond=None)[0]
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        for _ in range(30):
            tried = _penalised_value(trait, design, coefficients + step)
            if tried >= value - 1e-12 * abs(value):
                break
            step /= 2
        coefficients, value = coefficients + step, tried
        if np.abs(step).max() < 1e-8:
            break
    return coefficients, value


def _penalised_value(trait: np.ndarray, design: np.ndarray, coefficients: np.ndarray) -> float:
    predictor = design @ coefficients
    chance = sigmoid(predictor)
    information = (design * (chance * (1 - chance))[:, None]).T @ design
    sign, log = np.linalg.slogdet(information)
    return float(log_likelihood(predictor, trait).sum() + (log / 2 if sign > 0 else -np.inf))
