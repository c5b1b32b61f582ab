"""Percentile and Z in the most similar group, and which group that is."""

from __future__ import annotations

import numpy as np
import pytest

from cohelix.prs.adjust import most_similar
from cohelix.prs.adjust.kernels import rank
from tests.oracles import prs_adjust as oracle
from tests.prs.adjust.made import GROUPS, people, world


def test_percentile_and_z_are_those_of_their_definition() -> None:
    """Also where values are equal, where a score is missing, and below and above everybody."""
    of = world(3)
    panel, cohort = people(of, 203, 1), people(of, 60, 2)
    scores, values = panel.scores.copy(), cohort.scores.copy()
    scores[1], values[1] = np.round(scores[1]), np.round(values[1])
    values[2, :2] = [-1e9, 1e9]
    scores[2, ::9] = np.nan
    values[0, 5] = np.nan
    trained = most_similar.train(GROUPS, panel.group.astype(np.int32), scores, 20)
    codes = cohort.group.astype(np.int32)
    codes[10] = -1
    percentile, z = most_similar.apply(trained, codes, values)
    for row in range(3):
        for person, code in enumerate(codes):
            own = scores[row, (panel.group == code) & np.isfinite(scores[row])]
            if code < 0 or np.isnan(values[row, person]):
                assert np.isnan(percentile[row, person]) and np.isnan(z[row, person])
                continue
            assert percentile[row, person] == pytest.approx(oracle.percentile(own, values[row, person]), abs=1e-12)
            assert z[row, person] == pytest.approx(oracle.z_in_group(own, values[row, person]), rel=1e-10)
    assert percentile[2, 0] == 0.0 and percentile[2, 1] == 100.0


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 64, 65, 200])
def test_rank_counts_who_is_below(n: int) -> None:
    """Compiled and as Python, for any number of values and people, equal values and unknown ones."""
    draw = np.random.default_rng(n)
    ordered = np.sort(np.round(draw.normal(size=(6, n)), 1), axis=1)
    ordered[2, n // 2 :] = ordered[3, :] = np.nan
    scores = np.round(draw.normal(size=(6, 150)), 1)
    scores[1, ::5] = np.nan
    scores[4, :2] = [-np.inf, np.inf]
    people = np.flatnonzero(draw.random(150) < 0.9)
    mean, sd = draw.normal(size=6), np.array([1.0, 2.0, 0.0, np.nan, 0.5, 1e-9])
    found = []
    for function in (rank, rank.py_func, oracle.rank):  # type: ignore[attr-defined]  # as Python
        out = np.full((2, 6, 150), -1.0)
        function(ordered, mean, sd, scores, people, *out)
        found.append(out)
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[2])
    assert (found[0][:, :, np.setdiff1d(np.arange(150), people)] == -1.0).all()


def test_nobody_is_compared_with_a_small_group_or_with_equal_scores() -> None:
    draw = np.random.default_rng(1)
    codes = np.repeat(np.arange(3, dtype=np.int32), [30, 19, 30])
    scores = draw.normal(size=(2, 79))
    scores[1, codes == 2] = 0.5
    trained = most_similar.train(("a", "b", "c"), codes, scores, 20)
    assert trained.usable.tolist() == [True, False, True]
    percentile, z = most_similar.apply(trained, np.array([0, 1, 2], np.int32), np.full((2, 3), 0.5))
    assert np.isfinite(percentile).tolist() == [[True, False, True]] * 2
    assert np.isfinite(z).tolist() == [[True, False, True], [True, False, False]]
    assert percentile[1, 2] == oracle.percentile(scores[1, codes == 2], 0.5)


def test_the_nearest_group_is_that_of_the_least_mahalanobis_distance() -> None:
    of = world(1)
    panel, cohort = people(of, 300, 1, spread=1.5), people(of, 200, 2, spread=1.5)
    few = np.where(panel.group == 4, np.arange(300) < 30, True)  # 6 people in 5 components: too few for a covariance
    clouds = most_similar.clouds_of(5, panel.group[few].astype(np.int32), panel.pcs[few])
    pcs = cohort.pcs.copy()
    pcs[3] = np.nan
    found = most_similar.nearest(clouds, pcs)
    assert found[3] == -1 and 4 not in found
    for person in np.flatnonzero(found >= 0):
        distances = []
        for code in range(4):
            own = panel.pcs[panel.group == code]
            away = pcs[person] - own.mean(axis=0)
            distances.append(away @ np.linalg.inv(np.cov(own.T, bias=True)) @ away)
        assert found[person] == int(np.argmin(distances))
    assert len(set(found.tolist())) == 5
