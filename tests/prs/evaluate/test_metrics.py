"""Each metric against its plain definition, scikit-learn, closed forms and published worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.prs.evaluate import calibration
from cohelix.prs.evaluate.agreement import MeanSquares, agreements, extremes, intraclass, mean_squares, standardised
from cohelix.prs.evaluate.auc import area_estimates, areas, differences
from cohelix.prs.evaluate.binary import binary_metrics, liability_scale, observed_r2
from cohelix.prs.evaluate.estimates import Resamples, basis_of, normal_quantile, wilson
from cohelix.prs.evaluate.logistic import firth_fit, logistic_fits
from cohelix.prs.evaluate.quantitative import correlation, quantitative_metrics, squared
from tests.oracles import prs_evaluate as plain


def _resamples(n: int, count: int = 200) -> Resamples:
    return Resamples(1, ("made",), count, n)


def _made(seed: int, n: int = 300, m: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A measure, cases and controls, covariates (n, 2), scores (m, n)."""
    rng = np.random.default_rng(seed)
    covariates = rng.normal(size=(n, 2)) * [1.0, 30.0] + [0.0, 1900.0]
    scores = rng.normal(size=(m, n)) + 0.3 * covariates[:, 0]
    liability = scores[0] * 0.5 + covariates[:, 0] * 0.4 + rng.normal(size=n)
    return liability * 3 + 7, (liability > 0.5).astype(np.float64), covariates, scores


def test_hanley_and_mcneils_images_have_the_published_area_and_delong_error() -> None:
    # Ratings 1 to 5 of 58 normal and 51 abnormal images (Hanley and McNeil 1982, table I). Stata's manual of roctab
    # states DeLong's error for them: 0.8932, 0.0307, 0.83295 to 0.95339.
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    rating = np.repeat([1, 2, 3, 4, 5] * 2, [*normal, *abnormal]).astype(np.float64)
    trait = np.repeat([0.0, 1.0], [58, 51])
    found = area_estimates(areas(trait, rating[None]), 0.95)
    assert found.value[0] == pytest.approx(0.8932, abs=5e-5)
    assert (found.high[0] - found.low[0]) / 2 / 1.959964 == pytest.approx(0.0307, abs=5e-5)
    assert (found.low[0], found.high[0]) == pytest.approx((0.83295, 0.95339), abs=5e-6)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), min_size=6, max_size=25).filter(
        lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2
    )
)
def test_areas_and_their_covariance_are_delongs(rows: list[tuple[bool, int, int]]) -> None:
    trait = np.array([row[0] for row in rows], float)
    scores = np.array([[row[1] for row in rows], [row[2] for row in rows]], float)
    found = areas(trait, scores)
    covariance = plain.delong_covariance(trait.tolist(), scores.tolist())
    assert found.value == pytest.approx([plain.auc(trait.tolist(), score) for score in scores.tolist()])
    gap, p = differences(found.row(0), found.row(1), 0.95)
    error = math.sqrt(max(covariance[0][0] + covariance[1][1] - 2 * covariance[0][1], 0))
    assert (gap.high[0] - gap.low[0]) / 2 == pytest.approx(1.959964 * error, abs=1e-6)
    if error > 1e-6:
        assert p[0] == pytest.approx(math.erfc(abs(gap.value[0]) / error / math.sqrt(2)), abs=1e-9)


def test_areas_are_scikit_learns() -> None:
    from sklearn.metrics import roc_auc_score

    _, trait, _, scores = _made(2)
    assert areas(trait, scores).value == pytest.approx([roc_auc_score(trait, score) for score in scores])


def test_r2_and_what_it_adds_to_covariates() -> None:
    measure, _, covariates, scores = _made(3)
    found = quantitative_metrics(measure, basis_of(covariates), scores, _resamples(300), 0.95)
    for place, score in enumerate(scores):
        alone, with_score = plain.r2(measure, *covariates.T), plain.r2(measure, *covariates.T, score)
        r = np.corrcoef(measure, score)[0, 1]
        assert found["correlation"].value[place] == pytest.approx(r)
        assert found["r2"].value[place] == pytest.approx(plain.r2(measure, score))
        assert found["r2_covariates"].value[place] == pytest.approx(alone)
        assert found["r2_full"].value[place] == pytest.approx(with_score)
        assert found["incremental_r2"].value[place] == pytest.approx(with_score - alone)
        assert found["partial_correlation"].value[place] ** 2 == pytest.approx((with_score - alone) / (1 - alone))
        bound = math.tanh(math.atanh(r) - 1.959964 / math.sqrt(300 - 3))
        assert found["correlation"].low[place] == pytest.approx(bound, abs=1e-6)
    assert all((one.low <= one.value).all() and (one.value <= one.high).all() for one in found.values())


def test_the_effect_of_a_standard_deviation_has_students_interval() -> None:
    from scipy.stats import linregress, t

    measure, _, _, scores = _made(4)
    found = quantitative_metrics(measure, basis_of(np.zeros((300, 0))), scores, _resamples(300), 0.95)["beta_per_sd"]
    for place, score in enumerate(scores):
        fit = linregress(score, measure)
        sd = score.std(ddof=1)
        assert found.value[place] == pytest.approx(fit.slope * sd)
        assert found.high[place] - found.value[place] == pytest.approx(t.ppf(0.975, 298) * fit.stderr * sd)


def test_an_r2_whose_correlation_may_be_zero_may_be_zero() -> None:
    found = squared(correlation(np.arange(10.0), np.array([[1.0, -1.0] * 5, np.arange(10.0) ** 2]), 0.95))
    assert found.low[0] == 0 and found.low[1] > 0.5


def test_logistic_regression_is_newtons_on_the_textbook() -> None:
    _, trait, covariates, scores = _made(5)
    basis = basis_of(covariates)
    found, by_score = binary_metrics(trait, basis, scores, _resamples(300), 0.95, 0.1), scores
    metrics, separated = found
    assert not separated.any()
    for place, score in enumerate(by_score):
        sd = score.std(ddof=1)
        scaled = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)  # or the plain one is ill-conditioned
        beta, covariance, _ = plain.logistic(trait, *scaled.T, score / sd)
        assert math.log(metrics["or_per_sd"].value[place]) == pytest.approx(beta[-1], rel=1e-7)
        reach = math.log(metrics["or_per_sd"].high[place]) - beta[-1]
        assert reach == pytest.approx(1.959964 * math.sqrt(covariance[-1, -1]), rel=1e-5)
        alone, both = plain.nagelkerke(trait, *scaled.T), plain.nagelkerke(trait, *scaled.T, score)
        assert metrics["nagelkerke_r2"].value[place] == pytest.approx(plain.nagelkerke(trait, score))
        assert metrics["incremental_nagelkerke_r2"].value[place] == pytest.approx(both - alone, abs=1e-9)
        constant = plain.logistic(trait, *scaled.T)[0]
        predictor = constant[0] + scaled @ constant[1:]
        assert metrics["auc_covariates"].value[place] == pytest.approx(plain.auc(trait.tolist(), predictor.tolist()))
        share = float(trait.mean())
        assert metrics["liability_r2"].value[place] == pytest.approx(
            plain.liability_r2(plain.r2(trait, score), 0.1, share)
        )
        assert metrics["incremental_liability_r2"].value[place] == pytest.approx(
            plain.liability_r2(plain.r2(trait, *covariates.T, score), 0.1, share)
            - plain.liability_r2(plain.r2(trait, *covariates.T), 0.1, share)
        )


def test_the_odds_ratio_of_a_table_of_four() -> None:
    trait, score = np.repeat([1.0, 1.0, 0.0, 0.0], [30, 20, 15, 45]), np.repeat([1.0, 0.0, 1.0, 0.0], [30, 20, 15, 45])
    fits = logistic_fits(trait, np.ones((110, 1)), score[None])
    assert math.exp(fits.slope[0]) == pytest.approx(30 * 45 / (20 * 15))
    assert fits.error[0] == pytest.approx(math.sqrt(1 / 30 + 1 / 20 + 1 / 15 + 1 / 45))


def test_firths_estimate_of_a_table_of_four_adds_a_half_to_each_cell() -> None:
    for cells in ((12, 8, 5, 15), (20, 0, 7, 13)):
        trait, score = np.repeat([1.0, 1.0, 0.0, 0.0], cells), np.repeat([1.0, 0.0, 1.0, 0.0], cells)
        a, b, c, d = (count + 0.5 for count in cells)
        found = firth_fit(trait, np.ones((40, 1)), score, 0.95)
        assert found.slope == pytest.approx(math.log(a * d / (b * c)), abs=1e-6)
        assert found.low < found.slope < found.high


def test_separated_cases_have_a_finite_odds_ratio_and_are_named() -> None:
    trait = np.repeat([0.0, 1.0], 30)
    scores = np.stack([np.arange(60.0), np.random.default_rng(1).normal(size=60)])
    metrics, separated = binary_metrics(trait, np.ones((60, 1)), scores, _resamples(60), 0.95, None)
    assert separated.tolist() == [True, False]
    odds = metrics["or_per_sd"]
    assert np.isfinite(odds.value).all() and odds.value[0] > 10 and odds.low[0] > 1
    assert metrics["auc"].value[0] == 1


def test_a_disease_of_one_sex_has_the_odds_ratio_of_that_sex() -> None:
    rng = np.random.default_rng(16)
    female, age, score = rng.random(2000) < 0.5, rng.normal(size=2000), rng.normal(size=2000)
    trait = ((score + 0.5 * age + rng.normal(size=2000) > 1) & ~female).astype(np.float64)
    fits = logistic_fits(trait, basis_of(np.column_stack([female, age])), score[None])
    male = ~female
    beta, covariance, _ = plain.logistic(trait[male], age[male], score[male])
    assert fits.settled.all() and fits.slope[0] == pytest.approx(beta[-1], abs=1e-6)
    assert fits.error[0] == pytest.approx(math.sqrt(covariance[-1, -1]), rel=1e-4)


def test_liability_r2_of_an_ascertained_sample_is_that_of_the_liability() -> None:
    rng = np.random.default_rng(6)
    score = rng.normal(size=400_000)
    liability = math.sqrt(0.2) * score + math.sqrt(0.8) * rng.normal(size=400_000)
    case = liability > 2.053749  # 2 % of people
    kept = case | (rng.random(400_000) < 0.03)
    trait = case[kept].astype(np.float64)
    assert 0.35 < trait.mean() < 0.45
    found = observed_r2(trait, score[None, kept], 0.95).through(liability_scale(0.02, float(trait.mean())))
    assert found.low[0] < 0.2 < found.high[0] and found.high[0] - found.low[0] < 0.05
    assert liability_scale(0.02, 0.4)(np.array([0.1]))[0] == pytest.approx(plain.liability_r2(0.1, 0.02, 0.4))


def test_shrout_and_fleiss_judges() -> None:
    # Shrout and Fleiss (1979), tables 2 and 4; the bounds are those that R's psych prints for them.
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    squares = mean_squares(np.array(ratings, float).T)
    assert (squares.people, squares.raters, squares.left) == pytest.approx(plain.mean_squares(ratings))
    two, three = intraclass(squares, 0.95)
    assert [round(float(one.value[0]), 2) for one in (two, three)] == [0.29, 0.71]
    assert (two.low[0], two.high[0]) == pytest.approx((0.019, 0.76), abs=0.005)
    assert (three.low[0], three.high[0]) == pytest.approx((0.34, 0.95), abs=0.005)


def test_agreement_of_two_scores_by_their_moments_is_that_of_the_table() -> None:
    measure, _, _, scores = _made(7)
    ratings = scores + np.arange(3)[:, None] * 0.2
    found = agreements(ratings, measure, False, tail=0.2, least=2, confidence=0.95, resamples=_resamples(300))
    by_name = {(one.first, one.second, one.measure): one for one in found}
    squares = MeanSquares(*plain.mean_squares(ratings[[0, 2]].T.tolist()), 2, 300)
    for name, expected in zip(("icc_2_1", "icc_3_1"), intraclass(squares, 0.95), strict=True):
        one = by_name[(0, 2, name)]
        assert (one.value, one.low, one.high) == pytest.approx((expected.value[0], expected.low[0], expected.high[0]))
    assert by_name[(0, 1, "pearson")].value == pytest.approx(np.corrcoef(ratings[0], ratings[1])[0, 1])
    gap = plain.r2(measure, ratings[0]) - plain.r2(measure, ratings[1])
    assert by_name[(0, 1, "r2_difference")].value == pytest.approx(gap)
    ranks = [np.argsort(np.argsort(row)) for row in ratings]
    flips = np.mean([(a >= 240 and b < 60) or (a < 60 and b >= 240) for a, b in zip(ranks[0], ranks[1], strict=True)])
    assert by_name[(0, 1, "high_and_low")].value == pytest.approx(flips) and flips > 0
    anywhere = np.mean([max(p) >= 240 and min(p) < 60 for p in zip(*ranks, strict=True)])
    assert by_name[(None, None, "high_and_low")].value == pytest.approx(anywhere)


def test_few_people_high_by_one_score_and_low_by_another_are_withheld() -> None:
    rng = np.random.default_rng(8)
    score = rng.normal(size=500)
    ratings = standardised(np.stack([score, score + rng.normal(size=500) * 1.5]))
    high, low = extremes(ratings, 0.2)
    assert high.sum(axis=1).tolist() == low.sum(axis=1).tolist() == [100, 100]
    n = int(((high[0] & low[1]) | (low[0] & high[1])).sum())
    assert 0 < n < 21
    trait = (rng.random(500) < 0.3).astype(float)
    found = agreements(ratings, trait, True, tail=0.2, least=21, confidence=0.95, resamples=_resamples(500))
    (one,) = (one for one in found if one.measure == "high_and_low")
    assert one.suppressed and math.isnan(one.value) and math.isnan(one.high)


def test_wilsons_interval() -> None:
    # Newcombe (1998), table I: 81 of 263 and 0 of 20.
    found = wilson(np.array([81, 0]), np.array([263, 20]), normal_quantile(0.95))
    assert found.low == pytest.approx([0.2553, 0.0], abs=5e-5)
    assert found.high == pytest.approx([0.3662, 0.1611], abs=5e-5)


def test_a_basis_spans_what_it_should_and_no_more() -> None:
    rng = np.random.default_rng(9)
    covariates = rng.normal(size=(50, 4)) * [1, 1e6, 1e-6, 1] + [0, 1e6, 0, 5]
    covariates = np.column_stack([covariates, np.full(50, 3.0), covariates[:, 0] + 2 * covariates[:, 3]])
    basis = basis_of(covariates)
    assert basis.shape == (50, 5)
    assert basis.T @ basis / 50 == pytest.approx(np.eye(5), abs=1e-9)
    left = covariates - basis @ (basis.T @ covariates) / 50
    assert np.abs(left).max(axis=0) == pytest.approx(np.zeros(6), abs=1e-3)


def test_what_is_foretold_of_a_fold_does_not_depend_on_its_outcomes() -> None:
    for binary in (False, True):
        measure, cases, covariates, scores = _made(10)
        trait = cases if binary else measure
        folds = calibration.folds_of(trait, binary, 5, 1, "trait")
        assert np.bincount(folds).tolist() == [60] * 5 or (binary and set(np.bincount(folds)) <= {59, 60, 61})
        before = calibration.foretold(trait, basis_of(covariates), scores, folds, binary)
        changed = np.where(folds == 2, trait[::-1], trait)
        after = calibration.foretold(changed, basis_of(covariates), scores, folds, binary)
        assert (before[:, folds == 2] == after[:, folds == 2]).all()
        assert not np.allclose(before[:, folds != 2], after[:, folds != 2])


def test_a_linear_model_of_the_other_folds() -> None:
    measure, _, covariates, scores = _made(11)
    folds = calibration.folds_of(measure, False, 3, 1, "trait")
    found = calibration.foretold(measure, basis_of(covariates), scores, folds, False)
    outside = folds != 1
    design = np.column_stack([np.ones(300), covariates, scores[2]])
    beta = np.linalg.lstsq(design[outside], measure[outside], rcond=None)[0]
    assert found[2, folds == 1] == pytest.approx(design[folds == 1] @ beta)


def test_calibration_of_chances_that_are_right_too_extreme_and_too_high() -> None:
    rng = np.random.default_rng(12)
    log_odds = rng.normal(size=20_000)
    trait = (rng.random(20_000) < 1 / (1 + np.exp(-log_odds))).astype(np.float64)
    predicted = np.stack([log_odds, log_odds * 2, log_odds + 1])
    found = calibration.calibration_metrics(trait, predicted, True, float(trait.mean()), 0.95)
    slope, intercept = found["calibration_slope"], found["calibration_intercept"]
    for place, truth in enumerate((1.0, 0.5, 1.0)):
        reach = slope.high[place] - slope.value[place]
        assert abs(slope.value[place] - truth) < 2 * reach < 0.1
    assert abs(intercept.value[0]) < 2 * (intercept.high[0] - intercept.value[0]) < 0.1
    assert intercept.value[2] == pytest.approx(intercept.value[0] - 1, abs=1e-9)
    chance = 1 / (1 + np.exp(-predicted))
    assert found["brier"].value == pytest.approx([float(((trait - row) ** 2).mean()) for row in chance])
    null = float(((trait - trait.mean()) ** 2).mean())
    assert found["brier_skill"].value == pytest.approx(1 - found["brier"].value / null)
    assert found["brier"].value[0] == found["brier"].value.min()


def test_calibration_of_a_measure() -> None:
    rng = np.random.default_rng(13)
    predicted = rng.normal(size=(1, 500)) * 2
    trait = 1.5 + 0.5 * predicted[0] + rng.normal(size=500)
    found = calibration.calibration_metrics(trait, predicted, False, 0.0, 0.95)
    slope = np.polyfit(predicted[0], trait, 1)[0]
    assert found["calibration_slope"].value[0] == pytest.approx(slope)
    assert found["calibration_intercept"].value[0] == pytest.approx(float((trait - predicted[0]).mean()))


def test_tenths_are_joined_until_each_has_cases_and_controls() -> None:
    rng = np.random.default_rng(14)
    predicted = rng.normal(size=1000) - 2
    trait = (rng.random(1000) < 1 / (1 + np.exp(-predicted))).astype(np.float64)
    bins = calibration.bins_of(trait, predicted, True, 21, 0.95)
    assert sum(one.n for one in bins) == 1000 and sum(one.n_cases or 0 for one in bins) == trait.sum()
    assert 1 < len(bins) < 10
    assert all(21 <= (one.n_cases or 0) <= one.n - 21 for one in bins)
    assert [one.predicted for one in bins] == sorted(one.predicted for one in bins)
    assert len(calibration.bins_of(rng.normal(size=1000), predicted, False, 21, 0.95)) == 10
    assert calibration.bins_of(trait, predicted, True, 600, 0.95) == []


def test_resamples_are_the_same_each_time_and_differ_by_name() -> None:
    column = np.random.default_rng(15).normal(size=(2, 100))
    first, again = (Resamples(1, ("a",), 70, 100).means(column)[0] for _ in range(2))
    assert first.shape == (70, 2) and (first == again).all()
    assert (Resamples(1, ("a",), 40, 100).means(column)[0] == first[:40]).all()
    assert not np.allclose(Resamples(1, ("b",), 70, 100).means(column)[0], first)
    spread = Resamples(1, ("a",), 4000, 100).means(column)[0].std(axis=0)
    assert spread == pytest.approx(column.std(axis=1) / 10, rel=0.05)
