"""Membership inference: the attack is run on simulated people, against groups that keep the bound and that do not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import norm

from cohelix.errors import DisclosureError
from cohelix.release.aggregates.frequencies import TABLE, public
from cohelix.release.disclosure import membership
from cohelix.release.disclosure.membership import LEVELS, level_for, levels_of, likelihood_ratios, true_positives
from cohelix.release.disclosure.site_rule import HIDDEN, Genotypes, shown
from cohelix.release.people import People
from cohelix.release.schema import ReleaseParams
from tests.ancestry.pca_cohorts import callset_of

TRIED = 1000


def attack(people: int, sites: int, seed: int, told_sites: np.ndarray | None = None) -> float:
    """Share of `TRIED` members found at 1 % false positives by who knows the true frequencies of the population."""
    rng = np.random.default_rng(seed)
    population = rng.uniform(0.05, 0.5, sites)
    inside = rng.binomial(2, population[:, None], (sites, people)).astype(np.int8)
    outside = rng.binomial(2, population[:, None], (sites, 3 * TRIED)).astype(np.int8)
    by_copies = [(inside == copies).sum(axis=1, dtype=np.int64) for copies in range(3)]
    none, yes = np.zeros(sites, np.int64), np.ones(sites, bool)
    told = shown(Genotypes(*by_copies, none, none, yes, ~yes), 21)
    frequencies = np.where(told.ac == HIDDEN, np.nan, told.ac / np.maximum(told.an, 1))
    if told_sites is not None:
        frequencies[~told_sites] = np.nan
    members = likelihood_ratios(inside[:, :TRIED], frequencies, population, people)
    others = likelihood_ratios(outside, frequencies, population, people)
    return true_positives(members, others)


def noise(share: float) -> float:
    """Three standard errors of a share of `TRIED`, and of the quantile of the others."""
    return 3 * math.sqrt(share * (1 - share) / TRIED) + 0.03


@pytest.mark.parametrize("max_power", [0.05, 0.1, 0.25])
def test_a_group_within_the_bound_is_safe_and_the_bound_is_not_idle(max_power: float) -> None:
    people = 2000
    sites = int(membership.separation(max_power) ** 2 * people)
    found = attack(people, sites, seed=3)
    assert found <= max_power + noise(max_power)
    assert found >= max_power / 4


def test_a_group_beyond_the_bound_is_found_out_and_the_guard_fires() -> None:
    people, sites = 1200, 6000
    assert attack(people, sites, seed=4) > 0.3
    cost = np.zeros(LEVELS)
    names = [f"1-{position}-A-C" for position in range(sites)]
    levels = levels_of(names)
    cost += np.bincount(levels, minlength=LEVELS) / people
    level = level_for(cost, 0.1)
    assert level > 0
    kept = levels >= level
    assert 0.5 * 1.09 * people < kept.sum() <= membership.separation(0.1) ** 2 * people
    assert attack(people, sites, seed=4, told_sites=kept) <= 0.1 + noise(0.1)


def test_power_and_separation_are_those_of_the_normal_distribution() -> None:
    for max_power in (0.02, 0.1, 0.5, 0.9):
        d = norm.ppf(0.99) + norm.ppf(max_power)
        assert membership.separation(max_power) == pytest.approx(d, abs=1e-9)
        assert membership.power(d * d * 1000, 1000) == pytest.approx(max_power, abs=1e-9)
    assert membership.power(0, 1000) == pytest.approx(0.01)
    assert membership.power(0, 0) == 0.01 and membership.power(1, 0) == 1.0


def test_thinning_is_by_the_site_alone_nested_and_of_the_share_it_says() -> None:
    names = [f"7-{position}-G-T" for position in range(20_000)]
    levels = levels_of(names)
    assert (levels_of(names[::-1])[::-1] == levels).all()
    assert levels_of([]).size == 0 and levels.min() >= 0 and levels.max() < LEVELS
    for level in (1, 8, 16, 40):
        share = membership.share_of(level)
        assert (levels >= level).mean() == pytest.approx(share, abs=4 * math.sqrt(share / len(names)))


def test_the_level_is_the_lowest_that_keeps_the_bound() -> None:
    cost = np.zeros(LEVELS)
    cost[[0, 3, 9]] = 1.0, 0.8, 0.6
    assert level_for(cost, 0.1) == 4  # 0.6 is below 1.09, 1.4 is not
    assert level_for(np.zeros(LEVELS), 0.1) == 0
    cost[LEVELS - 1] = 5.0
    assert level_for(cost, 0.1) == LEVELS


def test_the_attack_on_whole_releases(tmp_path: Path) -> None:
    """Of 1,000 people and 3,000 sites, as the release makes them: thinned, refused, and with the bound set aside."""
    people, sites, rng = 1000, 3000, np.random.default_rng(6)
    population = rng.uniform(0.05, 0.5, sites)
    inside, outside = (rng.binomial(2, population[:, None], (sites, n)).astype(np.int8) for n in (people, 3000))
    root = callset_of(tmp_path / "made", inside).root
    ids = tuple(f"P{number:04d}" for number in range(people))
    everybody = People(
        person=np.arange(1, people + 1), birth=np.zeros(people, np.int32), genome=np.arange(people, dtype=np.int32),
        array=np.full(people, -1, np.int32), group=np.zeros(people, np.int16), sex=np.ones(people, np.int8),
        groups=("one",), genome_ids=ids, array_ids=(), excluded={}, as_of=20_000,
    )  # fmt: skip

    def found(params: ReleaseParams, folder: Path) -> tuple[float, int]:
        public(root, everybody, params, None, folder)
        table = pq.read_table(folder / TABLE, columns=["contig", "position", "gvs_one_af"]).to_pylist()
        place = {(str(1 + row * 3 // sites), 1000 + 7 * row): row for row in range(sites)}
        told = np.full(sites, np.nan)
        for row in table:
            told[place[row["contig"], row["position"]]] = row["gvs_one_af"]
        ratios = [likelihood_ratios(block, told, population, people) for block in (inside, outside)]
        return true_positives(*ratios), len(table)

    open_power, all_sites = found(ReleaseParams(max_power=0.99), tmp_path / "open")
    kept_power, kept_sites = found(ReleaseParams(max_power=0.1), tmp_path / "kept")
    assert all_sites > 2500 and open_power > 0.2
    assert 100 < kept_sites < all_sites and kept_power <= 0.1 + noise(0.1)
    with pytest.raises(DisclosureError, match="membership"):
        found(ReleaseParams(max_power=0.1, frequencies="refuse"), tmp_path / "refused")
