"""The share of another person's reads: the grid's maximum, its interval, and CHARR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohelix.joint.schema import CONTAMINATION_GRID
from cohelix.qc.samples import contamination
from cohelix.qc.schema import SampleQcParams
from tests.oracles import samples as oracle
from tests.qc.samples import made

GRID = list(CONTAMINATION_GRID)


def reads_of(alpha: float, sites: int, depth: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    frequency = draw.uniform(0.1, 0.9, sites)
    ref = draw.binomial(depth, alpha * frequency * 0.999 + (1 - alpha * frequency) * 0.001)
    return ref, depth - ref, frequency


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.03, 0.1, 0.25])
def test_the_estimate_is_the_maximum_of_the_likelihood(alpha: float) -> None:
    fine = np.linspace(0, 0.5, 1001)
    covered = 0
    for seed in range(20):
        reads = reads_of(alpha, 200, 30, seed)
        share, low, high = contamination.estimate(GRID, [oracle.log_likelihood(a, *reads) for a in GRID], 1.92)
        exact = np.array([oracle.log_likelihood(a, *reads) for a in fine])
        within = fine[exact >= exact.max() - 1.92]
        assert share == pytest.approx(fine[np.argmax(exact)], abs=0.001 + 0.02 * alpha)
        assert low == pytest.approx(within[0], abs=0.001 + 0.02 * alpha)
        assert high == pytest.approx(within[-1], abs=0.001 + 0.02 * alpha)
        covered += low - 0.0005 <= alpha <= high + 0.0005
    assert covered >= 17


def test_a_parabola_is_found_exactly_and_its_interval_lies_between_grid_points() -> None:
    def height(a: float) -> float:
        return -2000 * (a**0.5 - 0.15) ** 2

    share, low, high = contamination.estimate(GRID, [height(a) for a in GRID], 1.92)
    assert share == pytest.approx(0.15**2)
    half = (1.92 / 2000) ** 0.5
    assert low == pytest.approx((0.15 - half) ** 2)
    assert high == pytest.approx((0.15 + half) ** 2)


def test_the_ends_of_the_grid() -> None:
    falling = [-1000 * a for a in GRID]
    share, low, high = contamination.estimate(GRID, falling, 1.92)
    assert (share, low) == (0.0, 0.0) and high == pytest.approx(0.00192)
    rising = [1000 * a for a in GRID]
    share, low, high = contamination.estimate(GRID, rising, 1.92)
    assert (share, high) == pytest.approx((0.5, 0.5)) and low == pytest.approx(0.5 - 1.92e-3, abs=0.02)
    flat = contamination.estimate(GRID, [0.0] * len(GRID), 1.92)
    assert flat == pytest.approx((0.0, 0.0, 0.5))


def test_a_callset_states_it_of_samples_with_sites_enough(tmp_path: Path) -> None:
    reads = reads_of(0.05, 200, 30, 1)
    grid = [round(1e6 * oracle.log_likelihood(a, *reads)) for a in GRID]
    zero = {name: [0] * 3 for name in ("n_sites", "n_called", "n_hom_ref", "n_het", "n_hom_alt")}
    samples = {"sex": ["unknown"] * 3} | zero | {"n_haploid_ref": [0] * 3, "n_haploid_alt": [0] * 3}
    rows = [
        {"sample": 2, "n_sites": 49, "grid": grid, "rho": 0.1},
        {"sample": 0, "n_sites": 200, "grid": grid, "rho": 0.5},
    ]
    opened = made.called(tmp_path, samples, made.region_rows(0, autosome={}), rows, GRID)
    counts = {"charr_sum_nano": np.array([3 * 10**9, 0, 5 * 10**8]), "n_charr": np.array([100, 0, 50])}
    found = contamination.contamination_of(opened, counts, SampleQcParams())
    assert found["contamination"][0] == pytest.approx(0.05, abs=0.01)
    assert found["contamination_low"][0] < found["contamination"][0] < found["contamination_high"][0]
    assert np.isnan(found["contamination"][1:]).all()
    assert found["n_contamination_sites"].tolist() == [200, 0, 49]
    assert np.array_equal(found["contamination_rho"], [0.5, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(found["charr"], [0.03, np.nan, 0.01], equal_nan=True)


def test_a_callset_that_was_called_before_rho_was_stated_has_none(tmp_path: Path) -> None:
    counts = {name: [0] for name in ("n_sites", "n_called", "n_hom_ref", "n_het", "n_hom_alt")}
    samples = {"sex": ["unknown"]} | counts | {"n_haploid_ref": [0], "n_haploid_alt": [0]}
    rows = [{"sample": 0, "n_sites": 200, "grid": [round(-1e6 * alpha) for alpha in GRID]}]
    opened = made.called(tmp_path, samples, made.region_rows(0, autosome={}), rows, GRID)
    found = contamination.contamination_of(opened, {}, SampleQcParams())
    assert found["contamination"].tolist() == [0.0] and np.isnan(found["contamination_rho"]).all()


def test_an_imported_callset_states_none(tmp_path: Path) -> None:
    assert contamination.contamination_of(made.imported(tmp_path, ["female"]), {}, SampleQcParams()) == {}
