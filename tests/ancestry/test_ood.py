"""Who is out of distribution: distances and residuals against plain definitions, and on made people of known groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.ancestry.pca.tables import Model
from cohelix.ancestry.projection import out_of_distribution as ood
from cohelix.ancestry.projection.run import project
from cohelix.ancestry.projection.shrinkage import factors_of
from cohelix.ancestry.schema import ProjectParams
from cohelix.runtime.local import LocalRuntime
from tests.ancestry import reference_panel as panel
from tests.oracles import projection as oracle

K = 5


@pytest.fixture(scope="module")
def frequency() -> np.ndarray:
    return panel.frequencies()


@pytest.fixture(scope="module")
def model(frequency: np.ndarray) -> Model:
    return panel.fit(panel.draw(frequency, [120, 120, 120, 120], 80, seed=2), K, K)


def columns_of(model: str, callset: str, out: Path, **choices: Any) -> dict[str, np.ndarray]:
    project(model, callset, str(out), ProjectParams(**choices), LocalRuntime(2))
    table = pq.read_table(out / "projection.parquet")
    return {name: np.array(table.column(name).to_pylist()) for name in table.column_names}


def test_local_distances__as_defined() -> None:
    rng = np.random.default_rng(1)
    reference, points = rng.normal(size=(80, 3)) * [4, 2, 1], rng.normal(size=(15, 3)) * 5
    found = ood.local_distances(points, reference, 12, 0.7)
    expected = [oracle.local_distance(point, reference.tolist(), 12, 0.7) for point in points.tolist()]
    assert found == pytest.approx(expected, rel=1e-9)


def test_local_distances_of_the_reference_leave_each_person_out() -> None:
    reference = np.random.default_rng(2).normal(size=(50, 2))
    reference[7] = reference[31]  # one person twice: each is the other's nearest
    found = ood.local_distances(reference, reference, 9, 1.0, own=True)
    for row in range(50):
        others = np.delete(reference, row, axis=0)
        assert found[row] == pytest.approx(oracle.local_distance(reference[row], others.tolist(), 9, 1.0), rel=1e-9)


def test_many_equal_people_do_not_break_the_distance() -> None:
    reference = np.zeros((40, 2))
    reference[30:] = np.random.default_rng(3).normal(size=(10, 2))
    found = ood.local_distances(reference, reference, 9, 1.0, own=True)
    assert np.isfinite(found).all() and found[:30] == pytest.approx(np.zeros(30))


def test_residuals__as_defined(model: Model, frequency: np.ndarray) -> None:
    people = panel.draw(frequency, [3, 3, 3, 3], 3, seed=4).genotypes
    x = (people - 2 * model.af[:, None]) / np.sqrt(2 * model.af * (1 - model.af))[:, None] / np.sqrt(len(model.af))
    naive, norms = x.T @ model.loadings, (x**2).sum(axis=0)
    scores = naive[:, :K] * 1.05
    found = ood.residuals(naive, scores, norms, model.loadings, model.af)
    for person in range(15):
        lines = model.loadings[:, :K].tolist()
        expected = oracle.residual(people[:, person].tolist(), scores[person].tolist(), model.af.tolist(), lines)
        assert found[person] == pytest.approx(expected, rel=1e-9)
    assert found == pytest.approx(np.ones(15), abs=0.12)  # the SD of one is sqrt(2 / 1,500) or a little more


def test_the_cut_off_is_the_stated_share_of_the_reference(model: Model) -> None:
    for rate in (0.01, 0.1):
        reference = ood.reference_of(model.scores, factors_of(model), ProjectParams(ood_rate=rate))
        assert reference is not None
        assert len(reference.noise) == 3  # four groups are parted by three components
        assert (reference.own > reference.cutoff).mean() == pytest.approx(rate, abs=1 / 560)


def test_neighbours_are_people_with_the_noise_of_one_person(model: Model) -> None:
    """Noise is the SD within a group, from the neighbours alone, without labels."""
    noise = ood.noise_of(model.scores, 20)[:3]
    groups = panel.draw(panel.frequencies(), [120, 120, 120, 120], 80, seed=2).groups
    within = np.sqrt(np.mean([model.scores[groups == group, :3].var(axis=0) for group in range(4)], axis=0))
    assert (noise / within > 0.6).all() and (noise / within < 1.3).all()


def test_fewer_than_twenty_reference_people_say_nothing() -> None:
    scores = np.random.default_rng(5).normal(size=(19, 3))
    assert ood.reference_of(scores, np.ones(3), ProjectParams()) is None
    assert np.isnan(ood.distances(None, scores)).all()


@pytest.mark.parametrize("left_out", range(4))
def test_a_group_that_the_reference_lacks_is_out_of_distribution(
    frequency: np.ndarray, tmp_path: Path, left_out: int
) -> None:
    """And those it has are not, mixtures of two that it has mixtures of included."""
    sizes = [120, 120, 120, 120]
    known = panel.draw(frequency, [n * (g != left_out) for g, n in enumerate(sizes)], 80 * (left_out > 1), seed=6)
    assert (known.genotypes.std(axis=1) > 0).all()
    folder = panel.write(tmp_path / "pca", panel.fit(known, K, K))
    people = panel.draw(frequency, [60, 60, 60, 60], 60 * (left_out > 1), seed=7)
    callset = panel.as_callset(tmp_path / "c", people.genotypes, panel.names(len(people.groups)))
    found = columns_of(folder, callset, tmp_path / "p")["ood"]
    assert found[people.groups == left_out].mean() >= 0.95
    assert found[people.groups != left_out].mean() <= 0.03


def test_genotypes_that_no_ancestry_explains_are_out_of_distribution(
    model: Model, frequency: np.ndarray, tmp_path: Path
) -> None:
    """Homozygous at nearly every site: the scores are those of a group, the residual is not."""
    rng = np.random.default_rng(8)
    inbred = 2 * rng.binomial(1, np.repeat(frequency[:, :1], 30, axis=1)).astype(np.int8)
    outbred = panel.draw(frequency, [30, 0, 0, 0], 0, seed=9).genotypes
    callset = panel.as_callset(tmp_path / "c", np.hstack([inbred, outbred]), panel.names(60))
    columns = columns_of(panel.write(tmp_path / "pca", model), callset, tmp_path / "p")
    assert columns["residual"][:30].mean() == pytest.approx(2, abs=0.15) and columns["residual"][:30].min() > 1.5
    assert columns["ood"][:30].all() and columns["ood"][30:].mean() < 0.1


def test_a_person_is_judged_alone(model: Model, frequency: np.ndarray, tmp_path: Path) -> None:
    """What is said of people does not depend on who else is in the callset."""
    people = panel.draw(frequency, [10, 10, 10, 10], 0, seed=10).genotypes
    folder = panel.write(tmp_path / "pca", replace(model))
    every = columns_of(folder, panel.as_callset(tmp_path / "a", people, panel.names(40)), tmp_path / "pa")
    some = columns_of(folder, panel.as_callset(tmp_path / "b", people[:, :7], panel.names(7)), tmp_path / "pb")
    assert (some["ood"] == every["ood"][:7]).all()
    assert some["distance"] == pytest.approx(every["distance"][:7], rel=1e-4)
