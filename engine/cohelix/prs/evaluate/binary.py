"""Accuracy for cases and controls: AUC, odds ratio, R2 on the observed and liability scales, Nagelkerke's R2."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cohelix.prs.evaluate.auc import area_estimates, areas, differences
from cohelix.prs.evaluate.estimates import Estimates, Resamples, around, normal_quantile, percentiles
from cohelix.prs.evaluate.logistic import LogisticFits, firth_fit, log_likelihood, logistic_fits
from cohelix.prs.evaluate.quantitative import linear_fits, squared

METRICS = ("auc", "or_per_sd", "r2_observed", "nagelkerke_r2")
LIABILITY = ("liability_r2",)
"""Where the prevalence is known."""
BEYOND = ("auc_covariates", "auc_full", "incremental_auc", "incremental_nagelkerke_r2")
"""Where there are covariates."""
LIABILITY_BEYOND = ("incremental_liability_r2",)

FIRTH = "the score separates cases and controls: Firth's penalty, profile bounds"


def binary_metrics(
    trait: np.ndarray,
    basis: np.ndarray,
    scores: np.ndarray,
    resamples: Resamples,
    confidence: float,
    prevalence: float | None,
) -> tuple[dict[str, Estimates], np.ndarray]:
    """The metrics of each score, and bool (scores,): the odds ratio is Firth's.

    trait 0 or 1 (people,), both present; `basis` of the constant alone: no covariates.
    """
    rank = basis.shape[1]
    deviation = scores.std(axis=1, ddof=1)
    scaled = (scores - scores.mean(axis=1, keepdims=True)) / deviation[:, None]
    fits = logistic_fits(trait, basis, scaled)
    alone = fits if rank == 1 else logistic_fits(trait, basis[:, :1], scaled)
    ranked = areas(trait, scores)
    r2 = observed_r2(trait, scaled, confidence)
    found = {
        "auc": area_estimates(ranked, confidence),
        "or_per_sd": _odds(trait, basis, scaled, fits, confidence),
        "r2_observed": r2,
        "nagelkerke_r2": _nagelkerke(trait, alone.predictor, None, resamples, confidence),
    }
    share = float(trait.mean())
    if prevalence is not None:
        found["liability_r2"] = r2.through(liability_scale(prevalence, share))
    if rank == 1:
        return found, ~fits.settled
    covariates = logistic_fits(trait, basis[:, :-1], basis[None, :, -1])  # the last column stands where a score would
    of_covariates, of_both = areas(trait, covariates.predictor), areas(trait, fits.predictor)
    one = area_estimates(of_covariates, confidence)
    found["auc_covariates"] = Estimates(*(np.repeat(values, len(scores)) for values in (one.value, one.low, one.high)))
    found["auc_full"] = area_estimates(of_both, confidence)
    found["incremental_auc"] = differences(of_both, of_covariates, confidence)[0]
    found["incremental_nagelkerke_r2"] = _nagelkerke(trait, fits.predictor, covariates.predictor, resamples, confidence)
    if prevalence is not None:
        found["incremental_liability_r2"] = _liability_beyond(
            trait, basis, scaled, resamples, confidence, liability_scale(prevalence, share)
        )
    return found, ~fits.settled


def observed_r2(trait: np.ndarray, scores: np.ndarray, confidence: float) -> Estimates:
    """Squared correlation with 0 and 1. The bounds hold for any distribution: a trait of two values is not normal.

    On Fisher's scale, with the standard error from what each person contributes to the correlation.
    """
    y = (trait - trait.mean()) / trait.std()
    rows = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    r = np.clip(rows @ y / len(y), -1 + 1e-15, 1 - 1e-15)
    parts = rows * y - r[:, None] / 2 * (rows**2 + y**2)
    error = parts.std(axis=1) / np.sqrt(len(y)) / (1 - r**2)
    z, reach = np.arctanh(r), normal_quantile(confidence) * error
    return squared(Estimates(r, np.tanh(z - reach), np.tanh(z + reach)))


def liability_scale(prevalence: float, share: float) -> Callable[[np.ndarray], np.ndarray]:
    """R2 of a 0/1 trait to that of the liability behind it (Lee and others 2012, equation 15).

    prevalence: share of cases in the population; share: among the people here.
    """
    from scipy.special import ndtri

    threshold = float(-ndtri(prevalence))
    density = float(np.exp(-(threshold**2) / 2) / np.sqrt(2 * np.pi))
    mean = density / prevalence
    theta = mean * (share - prevalence) / (1 - prevalence)
    theta *= theta - threshold
    scale = (prevalence * (1 - prevalence) / density) ** 2 / (share * (1 - share))

    def onto_liability(r2: np.ndarray) -> np.ndarray:
        return r2 * scale / (1 + r2 * theta * scale)

    return onto_liability


def _odds(trait: np.ndarray, basis: np.ndarray, scaled: np.ndarray, fits: LogisticFits, confidence: float) -> Estimates:
    log_odds = around(fits.slope, fits.error, normal_quantile(confidence))
    for row in np.flatnonzero(~fits.settled).tolist():
        firth = firth_fit(trait, basis, scaled[row], confidence)
        log_odds.value[row], log_odds.low[row], log_odds.high[row] = firth.slope, firth.low, firth.high
    return log_odds.through(lambda values: np.exp(np.clip(values, -700, 700)))


def _nagelkerke(
    trait: np.ndarray,
    predictor: np.ndarray,
    base: np.ndarray | None,
    resamples: Resamples,
    confidence: float,
) -> Estimates:
    """Nagelkerke's R2 of the log odds `predictor` (scores, people), less that of `base` (1, people) where given.

    The fits stay as they are in the resamples, which to first order is as if they were fitted again.
    """
    full = log_likelihood(predictor, trait)
    lower = np.full((1, len(trait)), np.nan) if base is None else log_likelihood(base, trait)
    constant = base is None

    def r2(share: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            null = share * np.log(share) + (1 - share) * np.log1p(-share)
        return np.asarray((1 - np.exp(2 * (null - likelihood))) / (1 - np.exp(2 * null)))

    share = np.array([trait.mean()])
    value = r2(share, full.mean(axis=1)) - (0.0 if constant else r2(share, lower.mean(axis=1)))
    shares, ours, theirs = resamples.means(trait[None], full, lower)
    drawn = r2(shares, ours) - (0.0 if constant else r2(shares, theirs))
    found = percentiles(value, np.where(np.isfinite(drawn), drawn, 0.0), confidence)
    return Estimates(found.value, np.clip(found.low, 0.0, 1.0), np.clip(found.high, 0.0, 1.0))


def _liability_beyond(
    trait: np.ndarray,
    basis: np.ndarray,
    scores: np.ndarray,
    resamples: Resamples,
    confidence: float,
    scale: Callable[[np.ndarray], np.ndarray],
) -> Estimates:
    """Liability R2 of covariates and score, less that of the covariates."""
    fits = linear_fits(trait, basis, scores)
    variance = float(trait.var())
    value = scale(1 - (fits.full**2).mean(axis=1) / variance) - scale(1 - (fits.without**2).mean() / variance)
    shares, ours, base = resamples.means(trait[None], fits.full**2, fits.without[None] ** 2)
    spread = np.maximum(shares * (1 - shares), 1e-300)
    found = percentiles(value, scale(1 - ours / spread) - scale(1 - base / spread), confidence)
    return Estimates(found.value, np.clip(found.low, 0.0, 1.0), np.clip(found.high, 0.0, 1.0))
