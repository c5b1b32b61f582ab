"""Whether scores for one trait say the same of a person: intraclass correlation, Pearson's r, people high and low."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.prs.evaluate.auc import areas, differences
from cohelix.prs.evaluate.estimates import Estimates, Resamples, normal_quantile, percentiles, wilson
from cohelix.prs.evaluate.quantitative import fisher


@dataclass(frozen=True)
class Agreement:
    """One measure of two scores of a trait, or of all of them (first and second None). value NaN: withheld."""

    first: int | None
    second: int | None
    measure: str
    value: float
    low: float
    high: float
    suppressed: bool = False


def standardised(scores: np.ndarray) -> np.ndarray:
    """Each row of (scores, people) with mean 0 and variance 1 (ddof 1): scores have units of their own."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    found: np.ndarray = centred / scores.std(axis=1, ddof=1, keepdims=True)
    return found


@dataclass(frozen=True)
class MeanSquares:
    """Of people, raters (the scores) and what is left, in a two-way table of `k` raters and `n` people."""

    people: float
    raters: float
    left: float
    k: int
    n: int


def mean_squares(ratings: np.ndarray) -> MeanSquares:
    """Of ratings float64 (raters, people)."""
    k, n = ratings.shape
    grand = ratings.mean()
    people, raters = ratings.mean(axis=0), ratings.mean(axis=1)
    left = ratings - people - raters[:, None] + grand
    return MeanSquares(
        k * float(((people - grand) ** 2).sum()) / (n - 1),
        n * float(((raters - grand) ** 2).sum()) / (k - 1),
        float((left**2).sum()) / ((n - 1) * (k - 1)),
        k,
        n,
    )


def intraclass(of: MeanSquares, confidence: float) -> tuple[Estimates, Estimates]:
    """ICC(2,1) (absolute agreement) and ICC(3,1) (consistency), Shrout and Fleiss 1979.

    Bounds: exact, of the F distribution, for ICC(3,1); for ICC(2,1) those of McGraw and Wong (1996).
    """
    from scipy.special import fdtri

    rows, columns, error, k, n = of.people, of.raters, of.left, of.k, of.n
    two = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    three = (rows - error) / (rows + (k - 1) * error)
    tail = (1 + confidence) / 2
    if error <= 1e-15 * rows:
        return _one(two, two, two), _one(three, three, three)
    f = rows / error
    low, high = f / fdtri(n - 1, (n - 1) * (k - 1), tail), f * fdtri((n - 1) * (k - 1), n - 1, tail)
    a, b = k * two / (n * (1 - two)), 1 + k * two * (n - 1) / (n * (1 - two))
    spread = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    degrees = max((a * columns + b * error) ** 2 / spread, 1e-3)
    upper, lower = fdtri(n - 1, degrees, tail), fdtri(degrees, n - 1, tail)
    scale = k * columns + (k * n - k - n) * error
    return (
        _one(two, n * (rows - upper * error) / (upper * scale + n * rows),
             n * (lower * rows - error) / (scale + n * lower * rows)),
        _one(three, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)),
    )  # fmt: skip


def _one(value: float, low: float, high: float) -> Estimates:
    return Estimates(np.array([value]), np.array([low]), np.array([high]))


def extremes(scores: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """bool (scores, people) each: who is among the share `tail` of people that are highest, and lowest, by each score.

    Equal scores in the order of the people.
    """
    n = scores.shape[1]
    count = int(np.floor(n * tail))
    order = np.argsort(scores, axis=1, kind="stable")
    high, low = np.zeros(scores.shape, bool), np.zeros(scores.shape, bool)
    np.put_along_axis(low, order[:, :count], True, axis=1)
    np.put_along_axis(high, order[:, n - count :], True, axis=1)
    return high, low


def agreements(
    ratings: np.ndarray,
    trait: np.ndarray,
    binary: bool,
    *,
    tail: float,
    least: int,
    confidence: float,
    resamples: Resamples,
) -> list[Agreement]:
    """Every two rows of ratings (scores, people), and all together.

    A share that stands for 1 to `least` - 1 people (or leaves as few) is withheld.
    """
    high, low = extremes(ratings, tail)
    k, n = ratings.shape
    found = _of_all(ratings, high, low, least, confidence) if k > 2 else []
    covariance, means = np.cov(ratings), ratings.mean(axis=1)
    deviation = np.sqrt(np.diag(covariance))
    pearson = fisher(covariance / np.outer(deviation, deviation), n, confidence)
    ranked = areas(trait, ratings) if binary else None
    gains = None if binary else _r2_gains(trait, ratings, resamples)
    for one in range(k):
        for other in range(one + 1, k):
            at = (one, other)
            r, bottom, top = (float(values[at]) for values in (pearson.value, pearson.low, pearson.high))
            found.append(Agreement(one, other, "pearson", r, bottom, top))
            both, twice = covariance[one, one] + covariance[other, other], 2 * covariance[at]
            apart = n * (means[one] - means[other]) ** 2 / 2
            squares = MeanSquares(float(both + twice) / 2, float(apart), float(both - twice) / 2, 2, n)
            two, three = intraclass(squares, confidence)
            found += [_stated(*at, "icc_2_1", two), _stated(*at, "icc_3_1", three)]
            flips = int(((high[one] & low[other]) | (low[one] & high[other])).sum())
            found.append(_share(*at, "high_and_low", flips, n, least, confidence))
            if ranked is not None:
                found.append(
                    _stated(*at, "auc_difference", differences(ranked.row(one), ranked.row(other), confidence)[0])
                )
            if gains is not None:
                value, drawn = gains
                gap = percentiles(value[[one]] - value[[other]], drawn[:, [one]] - drawn[:, [other]], confidence)
                found.append(_stated(*at, "r2_difference", gap))
    return found


def _of_all(ratings: np.ndarray, high: np.ndarray, low: np.ndarray, least: int, confidence: float) -> list[Agreement]:
    two, three = intraclass(mean_squares(ratings), confidence)
    flips = int((high.any(axis=0) & low.any(axis=0)).sum())
    return [
        _stated(None, None, "icc_2_1", two),
        _stated(None, None, "icc_3_1", three),
        _share(None, None, "high_and_low", flips, ratings.shape[1], least, confidence),
    ]


def _r2_gains(trait: np.ndarray, ratings: np.ndarray, resamples: Resamples) -> tuple[np.ndarray, np.ndarray]:
    """R2 of each score, and in each resample (resamples, scores), the fits as they are."""
    centred = trait - trait.mean()
    rows = ratings - ratings.mean(axis=1, keepdims=True)
    slope = rows @ centred / (rows**2).sum(axis=1)
    left = (centred - slope[:, None] * rows) ** 2
    ours, square, mean = resamples.means(left, centred[None] ** 2, centred[None])
    return 1 - left.mean(axis=1) / (centred**2).mean(), 1 - ours / (square - mean**2)


def _stated(one: int | None, other: int | None, measure: str, found: Estimates) -> Agreement:
    value, low, high = (float(values[0]) for values in (found.value, found.low, found.high))
    return Agreement(one, other, measure, value, low, high)


def _share(
    one: int | None, other: int | None, measure: str, count: int, total: int, least: int, confidence: float
) -> Agreement:
    if 0 < count < least or 0 < total - count < least:
        nothing = float("nan")
        return Agreement(one, other, measure, nothing, nothing, nothing, True)
    share = wilson(np.array([count]), np.array([total]), normal_quantile(confidence))
    return _stated(one, other, measure, share)
