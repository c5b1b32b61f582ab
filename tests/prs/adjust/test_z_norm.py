"""Z_norm1 and Z_norm2 are those of their definitions, and take the shift of groups away and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import f_oneway, levene

from cohelix.errors import InputError
from cohelix.prs.adjust import z_norm
from cohelix.prs.adjust.full_likelihood import MAX_STEPS, fit
from cohelix.prs.adjust.kernels import likelihood_sums
from tests.oracles import prs_adjust as oracle
from tests.prs.adjust.made import people, world


def trained(pcs: np.ndarray, scores: np.ndarray) -> tuple[z_norm.Frame, z_norm.Norms]:
    frame = z_norm.frame_of(pcs)
    return frame, z_norm.train(z_norm.design_of(frame.standardised(pcs)), scores)


def test_z_norms_are_those_of_their_definition() -> None:
    of = world(6)
    panel, cohort = people(of, 400, 1), people(of, 90, 2)
    scores = panel.scores * np.array([1e-4, 1.0, 1e3, 1.0, 7.0, 1.0])[:, None]
    values = cohort.scores * np.array([1e-4, 1.0, 1e3, 1.0, 7.0, 1.0])[:, None]
    frame, norms = trained(panel.pcs[:, :4], scores)
    z1, z2, _ = z_norm.apply(norms, frame.standardised(cohort.pcs), values, 0.1)
    near, there = (oracle.standardised(panel.pcs[:, :4], one.pcs[:, :4]) for one in (panel, cohort))
    design = np.column_stack([np.ones(len(near)), near])
    assert norms.status.tolist() == [z_norm.OK] * 6
    for row in range(6):
        np.testing.assert_allclose(
            z1[row], oracle.z_norm1(near, scores[row], there, values[row]), rtol=1e-9, atol=1e-12
        )
        unit = (scores[row] - scores[row].mean()) / scores[row].std()
        theta = np.concatenate([norms.mean2[row], norms.log_variance[row]])
        assert np.abs(oracle.gradient(theta, design, unit)).max() < 1e-6
        assert norms.nll[row] == pytest.approx(oracle.nll(theta, design, unit), abs=1e-8)
        plain = oracle.full_likelihood(design, unit)
        assert oracle.nll(theta, design, unit) <= oracle.nll(plain, design, unit) + 1e-9
        np.testing.assert_allclose(theta, plain, atol=1e-4)
        at = np.column_stack([np.ones(len(there)), there])
        own = ((values[row] - scores[row].mean()) / scores[row].std() - at @ theta[:5]) / np.exp(0.5 * at @ theta[5:])
        np.testing.assert_allclose(z2[row], own, rtol=1e-10, atol=1e-12)
        assert norms.low[row] == pytest.approx((design @ theta[5:]).min(), abs=1e-12)


def test_units_and_company_of_a_score_do_not_matter() -> None:
    of = world(130)
    panel = people(of, 300, 1)
    frame, norms = trained(panel.pcs[:, :4], panel.scores)
    for row in (0, 63, 64, 129):
        _, alone = trained(panel.pcs[:, :4], panel.scores[[row]])
        assert alone.mean2[0].tobytes() == norms.mean2[row].tobytes()
        assert alone.log_variance[0].tobytes() == norms.log_variance[row].tobytes()
    _, scaled = trained(panel.pcs[:, :4], -5e-7 * panel.scores[:3] + 11.0)
    np.testing.assert_allclose(scaled.log_variance, norms.log_variance[:3], rtol=1e-4, atol=1e-6)
    z = z_norm.apply(norms, frame.standardised(panel.pcs), panel.scores, 0.1)
    some = z_norm.apply(norms.of(slice(5, 9)), frame.standardised(panel.pcs[7:30]), panel.scores[5:9, 7:30], 0.1)
    for whole, part in zip(z, some, strict=True):
        assert np.ascontiguousarray(whole[5:9, 7:30]).tobytes() == np.ascontiguousarray(part).tobytes()


def test_who_has_no_score_takes_no_part_in_its_fit() -> None:
    of = world(3)
    panel = people(of, 300, 1)
    scores = panel.scores.copy()
    scores[1, ::7] = np.nan
    have = np.isfinite(scores[1])
    frame = z_norm.frame_of(panel.pcs[:, :4])
    design = z_norm.design_of(frame.standardised(panel.pcs))
    norms, own = z_norm.train(design, scores), z_norm.train(design[have], scores[1:2, have])
    assert norms.n.tolist() == [300, int(have.sum()), 300]
    assert norms.log_variance[1].tobytes() == own.log_variance[0].tobytes()
    z1, z2, _ = z_norm.apply(norms, frame.standardised(panel.pcs), scores, 0.1)
    assert (np.isnan(z1[1]) == ~have).all() and (np.isnan(z2[1]) == ~have).all()
    assert np.isfinite(z2[[0, 2]]).all()
    scores[1, 10:] = np.nan
    assert z_norm.train(design, scores).status.tolist() == [z_norm.OK, z_norm.FEW, z_norm.OK]


def test_scores_without_variance_and_without_a_maximum_are_said() -> None:
    """Of one variant that one group carries alone: the variance of the others runs to 0, and no likelihood is best."""
    of = world(1)
    panel = people(of, 500, 1, spread=0.05)
    draw = np.random.default_rng(3)
    private = np.where(panel.group == 0, draw.binomial(2, 0.3, 500), 0).astype(float)
    everywhere = draw.binomial(2, 0.3, 500) * 0.1
    of_pcs = 3.0 + panel.pcs[:, 0]
    rounding = 1.0 + 1e-16 * draw.integers(-2, 3, 500)
    scores = np.stack([np.full(500, 4.2), private, everywhere, of_pcs, rounding])
    frame, norms = trained(panel.pcs[:, :4], scores)
    expected = [z_norm.CONSTANT, z_norm.NO_MAXIMUM, z_norm.OK, z_norm.CONSTANT, z_norm.CONSTANT]
    assert norms.status.tolist() == expected
    z1, z2, beyond = z_norm.apply(norms, frame.standardised(panel.pcs), scores, 0.1)
    assert np.isnan(z1[[0, 3, 4]]).all() and np.isfinite(z1[[1, 2]]).all()
    assert np.isnan(z2[[0, 1, 3, 4]]).all() and np.isfinite(z2[2]).all()
    assert not beyond[[0, 1, 3, 4]].any()
    assert norms.steps.max() <= MAX_STEPS


def test_an_extreme_variance_is_said_and_nothing_is_left_out() -> None:
    """A few people far out in the components, whom a score scatters widely: seven times its SD, or three."""
    draw = np.random.default_rng(8)
    pcs = draw.normal(size=(2000, 4))
    pcs[:12, 0] += 40.0
    noise = draw.normal(size=(2, 2000))
    noise[:, :12] *= np.array([[400.0], [3.0]])
    frame, norms = trained(pcs, noise)
    assert norms.status.tolist() == [z_norm.EXTREME, z_norm.OK]
    greatest = np.exp(0.5 * norms.high)
    assert greatest[0] > z_norm.EXTREME_SD > greatest[1]
    assert all(np.isfinite(z).all() for z in z_norm.apply(norms, frame.standardised(pcs), noise, 0.1))


def sums_of(function: Callable[..., None], *given: np.ndarray) -> tuple[np.ndarray, ...]:
    _, pairs, _, rows, _, _ = given
    out = np.empty((len(rows), 3, len(pairs))), np.empty(len(rows)), np.empty(len(rows))
    function(*given, *out)
    return out


@pytest.mark.parametrize(("n_people", "p", "scale"), [(1, 1, 1.0), (63, 2, 1.0), (130, 5, 3.0), (300, 7, 400.0)])
def test_sums_of_the_likelihood_are_those_of_its_definition(n_people: int, p: int, scale: float) -> None:
    """Also where exp leaves what a number can hold, and to the same bits for some of the scores, in another order."""
    draw = np.random.default_rng(n_people)
    design, pairs, scores = (
        draw.normal(size=(n_people, p)),
        draw.normal(size=(p + 2, n_people)),
        np.zeros((90, n_people)),
    )
    scores[:] = draw.normal(size=scores.shape)
    rows = np.concatenate([np.arange(70), [3, 3]])
    b, g = draw.normal(size=(2, len(rows), p))
    given = (design, pairs, scores, rows, b, scale * g)
    found = sums_of(likelihood_sums, *given)
    for own, plain in zip(found, sums_of(oracle.likelihood_sums, *given), strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-11, atol=1e-12 * np.abs(plain).max(initial=1.0))
    some = np.array([71, 40, 2])
    part = sums_of(likelihood_sums, design, pairs, scores, rows[some], b[some], scale * g[some])
    for whole, own in zip(found, part, strict=True):
        assert whole[some].tobytes() == own.tobytes()


def test_a_hard_score_is_fitted_or_said_not_to_be() -> None:
    """Heavy tails, outliers, few values: whatever is called converged has a gradient of 0."""
    of = world(1)
    panel = people(of, 300, 1)
    draw = np.random.default_rng(9)
    design = z_norm.design_of(z_norm.frame_of(panel.pcs[:, :4]).standardised(panel.pcs))
    scores = np.concatenate(
        [draw.standard_t(2.1, (20, 300)), draw.binomial(2, 0.01, (20, 300)), np.exp(draw.normal(0.0, 2.0, (20, 300)))]
    ).astype(float)
    scores[0, 0] = 1e6
    scores = scores[scores.std(axis=1) > 0]
    scores = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    start = np.linalg.lstsq(design, scores.T, rcond=None)[0].T
    fitted = fit(design, scores, start)
    assert fitted.converged[:19].all() and fitted.converged.sum() >= 40
    for row in np.flatnonzero(fitted.converged):
        theta = np.concatenate([fitted.mean[row], fitted.log_variance[row]])
        slope = oracle.gradient(theta, design, scores[row])
        assert np.abs(slope).max() < 1e-4, row


def test_dependent_and_constant_components_are_refused() -> None:
    pcs = np.random.default_rng(1).normal(size=(50, 3))
    with pytest.raises(InputError, match="1 of 3 constant"):
        z_norm.frame_of(np.column_stack([pcs[:, :2], np.full(50, 2.0)]))
    with pytest.raises(InputError, match="follows from others"):
        z_norm.frame_of(np.column_stack([pcs[:, :2], pcs[:, 0] - 2.0 * pcs[:, 1]]))


def rejected(test: Callable[..., Any], values: np.ndarray, parts: list[np.ndarray]) -> float:
    """Share of scores of which the test says, at 0.05, that groups differ."""
    return float(np.mean([test(*(row[part] for part in parts)).pvalue < 0.05 for row in values]))


def test_shifts_of_groups_go_and_differences_within_stay() -> None:
    """Groups differ in mean and variance; afterwards, tests of either reject as often as chance does."""
    of = world(120, slope=0.8)
    panel, cohort = people(of, 4000, 11), people(of, 500, 12)
    frame, norms = trained(panel.pcs, panel.scores)
    assert (norms.status == z_norm.OK).all()
    z1, z2, _ = z_norm.apply(norms, frame.standardised(cohort.pcs), cohort.scores, 0.1)
    parts = [cohort.group == code for code in range(5)]
    assert rejected(f_oneway, cohort.scores, parts) > 0.95 and rejected(levene, cohort.scores, parts) > 0.8
    assert rejected(levene, z1, parts) > 0.8  # the mean alone is not enough
    assert rejected(f_oneway, z2, parts) < 0.12 and rejected(levene, z2, parts) < 0.12
    for part in parts:
        for raw, after in zip(cohort.noise[:20], z2[:20], strict=True):
            assert np.corrcoef(raw[part], after[part])[0, 1] > 0.97
