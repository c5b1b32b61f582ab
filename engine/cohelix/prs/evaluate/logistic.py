"""Logistic regression of one trait on covariates and one score at a time, for many scores together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PEOPLE = 8192
"""People whose products of covariates are made together."""
_NUMBERS = 1 << 16
"""Numbers (scores times people) that are worked on together: what a step needs then stays in a core's own cache."""
_STEPS = 60
_STILL = 1e-6
"""Largest step, in log odds of a standard deviation, that is the last: the next would be of its square."""
_FAR = 15.0
"""Log odds of a standard deviation beyond which cases and controls are separated: no estimate is finite."""


@dataclass(frozen=True)
class LogisticFits:
    """slope, error: float64 (scores,), log odds a unit of the score; predictor: float64 (scores, people), log odds;
    settled: bool (scores,), False where the score separates cases and controls and has no finite estimate.
    """

    slope: np.ndarray
    error: np.ndarray
    predictor: np.ndarray
    settled: np.ndarray
    coefficients: np.ndarray
    """float64 (scores, rank + 1): of the basis, and of the score last."""


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    return _chance(log_odds)[0]


def _chance(log_odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The chance, and log(1 + exp(log odds)), without overflow."""
    small = np.exp(-np.abs(log_odds))
    chance = np.where(log_odds >= 0, 1.0, small) / (1 + small)
    return chance, np.maximum(log_odds, 0.0) + np.log(1 + small)


def log_likelihood(predictor: np.ndarray, trait: np.ndarray) -> np.ndarray:
    """Of each person, given the log odds of being a case."""
    return np.asarray(trait * predictor - _chance(predictor)[1])


def logistic_fits(trait: np.ndarray, basis: np.ndarray, scores: np.ndarray) -> LogisticFits:
    """Newton's method with halved steps, from 0. trait 0 or 1 (people,); basis (people, rank); scores (scores, people).

    Scores should be centred and scaled to be well conditioned; the slope is per unit of what is given.
    """
    some = max(1, _NUMBERS // max(len(trait), 1))
    parts = [_fits(trait, basis, scores[first : first + some]) for first in range(0, max(len(scores), 1), some)]
    joined = (np.concatenate([part[place] for part in parts]) for place in range(4))
    coefficients, error, predictor, settled = joined
    return LogisticFits(
        np.where(settled, coefficients[:, -1], np.nan), np.where(settled, error, np.nan), predictor,
        settled.astype(bool), coefficients,
    )  # fmt: skip


def _fits(trait: np.ndarray, basis: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, ...]:
    """coefficients, error of the last, predictor, settled."""
    m, rank = len(scores), basis.shape[1]
    coefficients, error = np.zeros((m, rank + 1)), np.full(m, np.nan)
    settled = np.zeros(m, bool)
    predictor = np.zeros(scores.shape)
    active, held, at = np.arange(m), scores, predictor
    chance, likelihood = np.full(scores.shape, 0.5), np.full(m, -len(trait) * np.log(2.0))
    for turn in range(_STEPS if m else 0):
        gradient, information = _derivatives(trait, basis, held, chance)
        step = _solve(information, gradient)
        at, chance, likelihood, size = _stepped(trait, basis, held, at, step, likelihood)
        coefficients[active] += size[:, None] * step
        predictor[active] = at
        still = np.abs(size[:, None] * step).max(axis=1) < _STILL
        far = (np.abs(coefficients[active]).max(axis=1) > _FAR) | (turn == _STEPS - 1)
        # Where a covariate separates them (a disease of one sex), its own estimate runs away and the score's does not.
        own = (np.abs(coefficients[active, -1]) <= _FAR) & (np.abs(size * step[:, -1]) < _STILL)
        done = (still | far) & own
        settled[active[done]] = True
        if done.any():
            error[active[done]] = np.sqrt(np.maximum(_inverse_last(information[done]), 0.0))
        going = ~(still | far)
        if not going.any():
            break
        if not going.all():
            active, held, at, chance = active[going], held[going], at[going], chance[going]
            likelihood = likelihood[going]
    return coefficients, error, predictor, settled


def _stepped(
    trait: np.ndarray, basis: np.ndarray, scores: np.ndarray, at: np.ndarray, step: np.ndarray, reached: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predictor, chance and likelihood after the share of each step that does not lower the likelihood; the share."""
    along = step[:, :-1] @ basis.T + step[:, -1:] * scores
    size = np.ones(len(scores))
    for _ in range(30):
        moved = at + size[:, None] * along
        chance, log_sum = _chance(moved)
        likelihood = moved @ trait - log_sum.sum(axis=1)
        worse = likelihood < reached - 1e-9 * np.abs(reached)
        if not worse.any():
            break
        size[worse] /= 2
    return moved, chance, likelihood, size


def _derivatives(
    trait: np.ndarray, basis: np.ndarray, scores: np.ndarray, chance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (scores, rank + 1) and information (scores, rank + 1, rank + 1)."""
    m, rank = len(scores), basis.shape[1]
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
