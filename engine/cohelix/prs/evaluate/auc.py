"""Area under the ROC curve by ranks, its variance and that of differences (DeLong, DeLong and Clarke-Pearson 1988)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.prs.evaluate.estimates import Estimates, around, normal_quantile


@dataclass(frozen=True)
class Areas:
    """value: float64 (scores,). of_cases (scores, cases): share of controls below each case, ties counted half;
    of_controls (scores, controls): share of cases above each control.
    """

    value: np.ndarray
    of_cases: np.ndarray
    of_controls: np.ndarray

    def row(self, place: int) -> Areas:
        """One score's."""
        at = slice(place, place + 1)
        return Areas(self.value[at], self.of_cases[at], self.of_controls[at])


def areas(trait: np.ndarray, scores: np.ndarray) -> Areas:
    """trait 0 or 1 (people,), both present; scores (scores, people)."""
    cases, controls = np.flatnonzero(trait == 1), np.flatnonzero(trait == 0)
    of_cases, of_controls = np.empty((len(scores), len(cases))), np.empty((len(scores), len(controls)))
    for row, score in enumerate(scores):
        high, low = score[cases], score[controls]
        of_cases[row] = _share_below(high, np.sort(low))
        of_controls[row] = 1 - _share_below(low, np.sort(high))
    return Areas(of_cases.mean(axis=1), of_cases, of_controls)


def _share_below(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return below / (2 * len(ordered))


def area_estimates(found: Areas, confidence: float) -> Estimates:
    error = np.sqrt(_variance(found.of_cases) + _variance(found.of_controls))
    made = around(found.value, error, normal_quantile(confidence))
    return Estimates(made.value, np.maximum(made.low, 0.0), np.minimum(made.high, 1.0))


def differences(one: Areas, other: Areas, confidence: float) -> tuple[Estimates, np.ndarray]:
    """one - other, of the same people, row by row (or against a single row); and two-sided p."""
    from scipy.special import ndtr

    value = one.value - other.value
    cases, controls = one.of_cases - other.of_cases, one.of_controls - other.of_controls
    error = np.sqrt(_variance(cases) + _variance(controls))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(error > 0, 2 * ndtr(-np.abs(value) / error), np.where(value == 0, 1.0, 0.0))
    return around(value, error, normal_quantile(confidence)), p


def _variance(placements: np.ndarray) -> np.ndarray:
    """Of the mean of each row."""
    n = placements.shape[1]
    if n < 2:
        return np.full(len(placements), np.nan)
    found: np.ndarray = placements.var(axis=1, ddof=1) / n
    return found
