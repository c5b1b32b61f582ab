"""Who lies outside of the training people."""

from __future__ import annotations

import numpy as np
import pytest

from cohelix.prs.adjust import support, z_norm
from tests.oracles import prs_adjust as oracle
from tests.prs.adjust.made import people, world


def test_the_cut_off_is_a_quantile_of_distances_without_oneself() -> None:
    points = np.random.default_rng(1).normal(size=(200, 4))
    found = support.support_of(points, 7, 0.05)
    own = [oracle.neighbour_distance(points, point, 7, itself=True) for point in points]
    assert found.cutoff == pytest.approx(np.quantile(own, 0.95), rel=1e-12)
    asked = np.random.default_rng(2).normal(size=(100, 4)) * 1.5
    distances = np.array([oracle.neighbour_distance(points, point, 7, itself=False) for point in asked])
    flags = support.outside(found, asked)
    assert flags.tolist() == (distances > found.cutoff).tolist() and 0 < flags.sum() < 100
    # the order of people, which their ids may tell, is not kept
    assert sorted(found.points.tolist()) == found.points.tolist()


def test_who_lies_far_is_outside_and_who_lies_within_is_not() -> None:
    of = world(1)
    panel, inside = people(of, 2000, 1), people(of, 2000, 2)
    frame = z_norm.frame_of(panel.pcs[:, :4])
    known = support.support_of(frame.standardised(panel.pcs), 10, 0.01)
    assert support.outside(known, frame.standardised(inside.pcs)).mean() < 0.03
    elsewhere = people(of, 200, 3)
    elsewhere.pcs[:] += 20.0 * np.random.default_rng(3).choice([-1.0, 1.0], (200, 5))
    assert support.outside(known, frame.standardised(elsewhere.pcs)).all()
    unknown = np.full((3, 5), np.nan)
    assert not support.outside(known, frame.standardised(unknown)).any()


def test_few_people_and_equal_people() -> None:
    points = np.array([[0.0], [0.0], [1.0]])
    found = support.support_of(points, 10, 0.0)
    assert (found.neighbours, found.cutoff) == (2, 1.0)
    assert support.outside(found, np.array([[0.5], [3.0]])).tolist() == [False, True]


def test_a_variance_beyond_all_of_training_is_outside_for_its_score() -> None:
    """Of two scores, one has a variance that depends on the first component."""
    draw = np.random.default_rng(4)
    pcs = draw.uniform(-1.0, 1.0, (3000, 1))
    scores = draw.normal(size=(2, 3000))
    scores[0] *= np.exp(0.8 * pcs[:, 0])
    frame = z_norm.frame_of(pcs)
    norms = z_norm.train(z_norm.design_of(frame.standardised(pcs)), scores)
    asked = np.array([[-1.3], [-1.02], [0.0], [1.02], [1.3]])
    *_, beyond = z_norm.apply(norms, frame.standardised(asked), np.zeros((2, 5)), 0.1)
    assert beyond[0].tolist() == [True, False, False, False, True]
    assert not beyond[1].any()
