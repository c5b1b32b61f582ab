"""Intervals hold the truth as often as they say, in made populations."""

from __future__ import annotations

import math

import numpy as np

from cohelix.prs.evaluate.binary import binary_metrics
from cohelix.prs.evaluate.estimates import Estimates, Resamples, basis_of
from cohelix.prs.evaluate.quantitative import quantitative_metrics

N = 400


def _held(one: Estimates, truth: float | np.ndarray) -> float:
    return float(np.mean((one.low <= truth) & (truth <= one.high)))


def test_intervals_of_a_measure() -> None:
    # y = 0.6 covariate + 0.4 score + noise, score correlated with the covariate by 0.3.
    rng = np.random.default_rng(20)
    found: dict[str, list[Estimates]] = {}
    for time in range(250):
        covariate = rng.normal(size=N)
        score = 0.3 * covariate + math.sqrt(1 - 0.09) * rng.normal(size=N)
        trait = 0.6 * covariate + 0.4 * score + rng.normal(size=N)
        resamples = Resamples(time, ("coverage",), 200, N)
        made = quantitative_metrics(trait, basis_of(covariate[:, None]), score[None], resamples, 0.95)
        for name, one in made.items():
            found.setdefault(name, []).append(one)
    variance = 0.36 + 0.16 + 2 * 0.6 * 0.4 * 0.3 + 1
    r = (0.6 * 0.3 + 0.4) / math.sqrt(variance)
    beyond = 0.16 * (1 - 0.09) / variance
    alone = (0.6 + 0.4 * 0.3) ** 2 / variance
    truths = {
        "correlation": r,
        "r2": r**2,
        "r2_covariates": alone,
        "r2_full": alone + beyond,
        "incremental_r2": beyond,
        "partial_correlation": math.sqrt(beyond / (1 - alone)),
        "beta_per_sd": 0.4,
    }
    # Of 250: 0.95, less three standard errors, and one in a hundred for intervals that are right in the limit only.
    shares = {name: np.mean([_held(one, truth) for one in found[name]]) for name, truth in truths.items()}
    assert all(0.90 <= share <= 0.99 for share in shares.values()), shares


def test_intervals_of_cases_and_controls() -> None:
    # In cases the score is higher by one standard deviation: then log odds are linear in it, with slope 1.
    from scipy.stats import norm

    rng = np.random.default_rng(21)
    trait = np.repeat([0.0, 1.0], N // 2)
    scores = rng.normal(size=(1000, N)) + trait
    made, separated = binary_metrics(trait, np.ones((N, 1)), scores, Resamples(1, ("coverage",), 400, N), 0.95, None)
    assert not separated.any()
    truths = {
        "auc": float(norm.cdf(1 / math.sqrt(2))),
        "or_per_sd": np.exp(scores.std(axis=1, ddof=1)),  # of these people's standard deviation
        "r2_observed": 0.25 / 1.25,
        "nagelkerke_r2": _nagelkerke_of_all(),
    }
    # Of 1,000: 0.95, less three standard errors, and one in a hundred as above.
    shares = {name: _held(made[name], truth) for name, truth in truths.items()}
    assert all(0.92 <= share <= 0.975 for share in shares.values()), shares


def _nagelkerke_of_all() -> float:
    """Of the whole population: the mean log likelihood by numerical integration over the score."""
    x = np.linspace(-10, 11, 20_001)
    log_odds = x - 0.5
    total = 0.0
    for case, mean in ((1.0, 1.0), (0.0, 0.0)):
        density = np.exp(-((x - mean) ** 2) / 2) / math.sqrt(2 * math.pi)
        total += 0.5 * float(np.sum(density * (case * log_odds - np.logaddexp(0, log_odds))) * (x[1] - x[0]))
    return (1 - math.exp(2 * (math.log(0.5) - total))) / (1 - 0.25)
