"""The screen loses no more relatives than it says, whatever their ancestry."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cohelix.relatedness.king.scan import Found, kinship_of
from cohelix.relatedness.run import find_pairs
from cohelix.relatedness.schema import RelatednessParams
from cohelix.relatedness.screen import drawn_sites, may_be_related, screen_of, split_sites
from cohelix.runtime.local import LocalRuntime
from tests.oracles import king
from tests.relatedness.made import callset_of, families


def test_one_site_of_each_stratum() -> None:
    for n_sites, wanted in ((1000, 7), (999, 333), (64, 64), (100_001, 4096)):
        rows = drawn_sites(n_sites, wanted)
        edges = [n_sites * at // wanted for at in range(wanted + 1)]
        assert all(low <= row < high for low, row, high in zip(edges, rows.tolist(), edges[1:], strict=False))
    within = drawn_sites(1_000_000, 10_000) % 100
    assert abs(within.mean() - 49.5) < 3 * 28.9 / 100  # anywhere in its stratum
    assert len(np.unique(within)) == 100


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, np.ndarray]:
    genotypes, scores = families(3000, seed=1)
    return callset_of(genotypes, tmp_path_factory.mktemp("cohort")), scores


def found_with(matrix: object, folder: Path, scores: np.ndarray | None = None, **choices: object) -> Found:
    params = RelatednessParams(**choices)  # type: ignore[arg-type]  # fields of several types
    found, _ = find_pairs(matrix, folder / "planes", params, LocalRuntime(1), scores)  # type: ignore[arg-type]
    assert not (folder / "planes").exists()
    return found


def test_the_bound_follows_from_the_standard_errors(cohort: tuple[object, np.ndarray]) -> None:
    rule = screen_of(cohort[0], RelatednessParams(screen_sites=600, screen_sds=3.0))  # type: ignore[arg-type]
    assert [len(rows) for rows in rule.looks] == [300, 300]
    assert rule.n_sites == len(np.unique(np.concatenate(rule.looks))) == 600
    assert rule.slacks == pytest.approx((9 * 0.9, 9 * 0.8))
    below = 0.5 * math.erfc(3 / math.sqrt(2))  # Phi(-3): of either sample, at either look
    assert rule.recall_bound == pytest.approx(1 - 4 * below)
    every = screen_of(cohort[0], RelatednessParams(screen_sites=1502))  # type: ignore[arg-type]
    assert (every.looks, every.recall_bound, every.n_sites) == ((), 1, 0)


def test_looks_share_the_strata() -> None:
    one, other = split_sites(np.arange(2000))
    assert (one // 2).tolist() == (other // 2).tolist() == list(range(1000))
    assert not set(one.tolist()) & set(other.tolist())
    assert abs((one % 2).mean() - 0.5) < 3 * 0.5 / math.sqrt(1000)


def test_second_look_is_the_definition() -> None:
    random = np.random.default_rng(4)
    counts, expected = [], []
    for share in np.linspace(0, 0.4, 60):
        one, other = random.choice(4, (2, 300), p=[0.45, 0.35, 0.15, 0.05])
        other = np.where(random.random(300) < share, one, other)
        apart = 40 * (len(counts) % 2)
        counts.append(king.counts(one.tolist(), other.tolist()))
        expected.append(king.kept_by_screen(one.tolist(), other.tolist(), 0.0884, 4.0, apart))
    apart = 40.0 * (np.arange(60) % 2)
    assert may_be_related(np.array(counts), apart, 2 - 4 * 0.0884, 4.0).tolist() == expected
    assert 5 < sum(expected) < 55


def test_the_screen_loses_no_pair(cohort: tuple[object, np.ndarray], tmp_path: Path) -> None:
    matrix, _ = cohort
    every = found_with(matrix, tmp_path, screen=False, min_kinship=0.1)
    fewer = found_with(matrix, tmp_path, screen_sites=1200, min_kinship=0.1)
    assert len(every.pairs) > 15
    assert np.array_equal(every.pairs, fewer.pairs)
    assert np.array_equal(every.counts, fewer.counts)
    assert fewer.n_candidates < 128 * 127 / 2 / 4
    assert (kinship_of(every.counts) >= 0.1).all()
    assert every.histogram.sum() == fewer.histogram.sum() == 128 * 127 / 2


def test_loss_at_the_threshold_is_what_is_stated() -> None:
    """Of pairs exactly at the cut-off over all sites, no more than 2 Phi(-1) lie one SD below it on a subset."""
    random = np.random.default_rng(3)
    sds, n_sites, wanted = 1.0, 4000, 400
    lost = 0
    for _ in range(400):
        one = random.integers(0, 3, n_sites)
        other = np.where(random.random(n_sites) < 0.3, one, random.integers(0, 3, n_sites))
        slope = ((one - other) ** 2).sum() / min((one == 1).sum(), (other == 1).sum())  # at its own kinship exactly
        order = random.permutation(n_sites)  # strata of other sites
        rows = order[drawn_sites(n_sites, wanted)]
        a, b = one[rows], other[rows]
        fewer = a if (a == 1).sum() <= (b == 1).sum() else b
        terms = (a - b) ** 2 - slope * (fewer == 1)
        lost += terms.sum() > sds * math.sqrt((terms**2).sum() * (1 - wanted / n_sites))
    assert 0 < lost / 400 < math.erfc(sds / math.sqrt(2)) + 3 * math.sqrt(0.25 / 400)


def test_relatives_of_unlike_ancestry_stay_candidates(tmp_path: Path) -> None:
    """Half-sibs whose other parents come from populations that differ: KING alone says they are hardly related."""
    random = np.random.default_rng(5)
    n_sites, n_founders = 6000, 60
    ends = np.clip(random.uniform(0.1, 0.9, n_sites)[:, None] + random.normal(0, 0.25, (n_sites, 2)), 0.02, 0.98)
    share = np.repeat([0.0, 1.0], n_founders // 2)
    copies = [random.random((2, n_sites)) < (1 - s) * ends[:, 0] + s * ends[:, 1] for s in share]

    def child(father: int, mother: int) -> None:
        nonlocal share
        copies.append(
            np.array([np.where(random.random(n_sites) < 0.5, *copies[parent]) for parent in (father, mother)])
        )
        share = np.append(share, (share[father] + share[mother]) / 2)

    for father in range(5):
        child(father, 10 + father)
        child(father, 40 + father)
    matrix = callset_of(np.array([pair.sum(axis=0) for pair in copies]).T, tmp_path)
    half_sibs = {(n_founders + 2 * at, n_founders + 2 * at + 1) for at in range(5)}
    alone = found_with(matrix, tmp_path, screen_sites=2000, min_kinship=0.0884)
    aware = found_with(matrix, tmp_path, share[:, None], screen_sites=2000, min_kinship=0.0884)
    assert not half_sibs & set(map(tuple, alone.pairs.tolist()))
    assert half_sibs <= set(map(tuple, aware.pairs.tolist()))
    assert len(aware.pairs) < 100
