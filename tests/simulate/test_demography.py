"""The history of founder haplotypes: two lineages followed back by hand give what msprime gives and what is known."""

from __future__ import annotations

import itertools
import math
import sys
import tomllib
from pathlib import Path
from typing import Any

import demes
import msprime
import numpy as np
import pytest

from cohelix.errors import ConfigError
from cohelix.simulate import regions
from cohelix.simulate.panel import demography
from cohelix.simulate.people.person import SOURCES

# Published F_ST (Hudson) of populations that stand for the sources: Bhatia 2013, HapMap 3, Li 2008, Metspalu 2011.
PUBLISHED = {
    ("afr", "eur"): (0.12, 0.17), ("afr", "eas"): (0.14, 0.20), ("eas", "eur"): (0.09, 0.13),
    ("nat", "eas"): (0.07, 0.13), ("eur", "sas"): (0.02, 0.05), ("eur", "mid"): (0.008, 0.03),
    ("eas", "sas"): (0.05, 0.10),
}  # fmt: skip


def coalescence_times(graph: demes.Graph, copies: float = 1.0) -> np.ndarray:
    """(6, 6) mean generations to the common ancestor of two lineages of SOURCES, one generation at a time.

    The chance that the lineages are in demes (i, j) and have not met is a matrix; each generation moves lineages by
    migration, pulses and splits, and takes 1 / 2N off its diagonal. In the oldest deme the rest meets after 2N more.
    """
    names = [deme.name for deme in graph.demes]
    place = {name: k for k, name in enumerate(names)}
    pairs = list(itertools.combinations_with_replacement(range(6), 2))
    chance = np.zeros((len(pairs), len(names), len(names)))
    for k, (i, j) in enumerate(pairs):
        chance[k, place[SOURCES[i]], place[SOURCES[j]]] = 1.0
    times = np.zeros(len(pairs))
    oldest = max(graph.demes, key=lambda deme: deme.epochs[-1].end_time)
    for t in range(int(oldest.end_time)):
        moving = np.eye(len(names))
        for migration in graph.migrations:
            if migration.end_time <= t < migration.start_time:
                moving[place[migration.dest], place[migration.source]] += migration.rate
                moving[place[migration.dest], place[migration.dest]] -= migration.rate
        for pulse in sorted((p for p in graph.pulses if p.time == t), key=lambda p: p.time):
            step = np.eye(len(names))
            step[place[pulse.dest], place[pulse.sources[0]]] = pulse.proportions[0]
            step[place[pulse.dest], place[pulse.dest]] = 1 - pulse.proportions[0]
            moving = moving @ step
        for deme in graph.demes:
            if deme.start_time == t:
                step = np.eye(len(names))
                step[place[deme.name]] = 0.0
                step[place[deme.name], place[deme.ancestors[0]]] = 1.0
                moving = moving @ step
        chance = np.einsum("ia,pij,jb->pab", moving, chance, moving)
        times += chance.sum(axis=(1, 2))
        for deme in graph.demes:
            if deme.end_time <= t < deme.start_time:
                here = place[deme.name]
                chance[:, here, here] *= 1 - 1 / (2 * copies * deme.size_at(t))
    times += chance.sum(axis=(1, 2)) * 2 * copies * oldest.epochs[-1].start_size
    out = np.zeros((6, 6))
    for (i, j), time in zip(pairs, times.tolist(), strict=True):
        out[i, j] = out[j, i] = time
    return out


@pytest.fixture(scope="module")
def graph(root: Path) -> demes.Graph:
    return demes.load(root / "reference/simulate/demography" / demography.MODEL / "demes.yaml")


@pytest.fixture(scope="module")
def by_hand(graph: demes.Graph) -> np.ndarray:
    return coalescence_times(graph)


def test_the_hand_calculation_is_right_where_the_answer_is_known() -> None:
    """One population of constant size: 2N generations; two that split at T: T + 2N."""
    builder = demes.Builder()
    builder.add_deme("root", epochs=[{"end_time": 300, "start_size": 200}])
    for name in SOURCES:
        builder.add_deme(name, ancestors=["root"], epochs=[{"start_size": 200}])
    times = coalescence_times(builder.resolve())
    assert np.allclose(np.diag(times), 400, rtol=0.005)
    assert np.allclose(times[0, 1:], 700, rtol=0.005)


def test_msprime_simulates_the_history_that_was_calculated(by_hand: np.ndarray) -> None:
    samples = [msprime.SampleSet(4, population=source, ploidy=1) for source in SOURCES]
    sets = [list(range(4 * k, 4 * k + 4)) for k in range(6)]
    pairs = list(itertools.combinations_with_replacement(range(6), 2))
    replicates = msprime.sim_ancestry(
        samples, demography=demography.demography("1"), sequence_length=20_000, recombination_rate=1e-7,
        num_replicates=400, random_seed=5,
    )  # fmt: skip
    found = np.array(
        [trees.divergence(sets, pairs, mode="branch") for trees in replicates]  # i with i: among the others
    )
    mean, error = found.mean(axis=0) / 2, found.std(axis=0) / 2 / math.sqrt(len(found))
    for k, (i, j) in enumerate(pairs):
        expected = by_hand[i, j]
        assert abs(mean[k] - expected) < 4.5 * error[k] + 0.005 * expected, (SOURCES[i], SOURCES[j])


@pytest.mark.parametrize("pair", PUBLISHED)
def test_populations_differ_as_published(by_hand: np.ndarray, pair: tuple[str, str]) -> None:
    a, b = (SOURCES.index(name) for name in pair)
    f_st = 1 - (by_hand[a, a] + by_hand[b, b]) / 2 / by_hand[a, b]
    low, high = PUBLISHED[pair]
    assert low <= f_st <= high


def test_drift_along_branches_is_that_of_the_history(by_hand: np.ndarray) -> None:
    """F of two populations, from the products of 1 - F along their branches: nearly as calculated from the history."""
    branches = {drift.population: drift for drift in demography.drifts()}

    def kept(name: str) -> list[tuple[str, float]]:
        path, share = [], 1.0
        while name:
            path.append(name)
            name = branches[name].ancestor
        out = [("", 1.0)]
        for step in reversed(path):
            share *= 1 - branches[step].f
            out.append((step, share))
        return out

    for a, b in itertools.combinations(SOURCES, 2):
        one, other = kept(a), dict(kept(b))
        meeting = [other[name] for name, _ in one if name in other][-1]
        expected = 1 - (one[-1][1] + kept(b)[-1][1]) / 2 / meeting
        i, j = SOURCES.index(a), SOURCES.index(b)
        by_history = 1 - (by_hand[i, i] + by_hand[j, j]) / 2 / by_hand[i, j]
        assert expected == pytest.approx(by_history, abs=0.025), (a, b)


def test_chromosomes_have_their_copies() -> None:
    autosome, x, y = (demography.demography(kind) for kind in ("1", "X", "Y"))
    for one, three_quarters, quarter in zip(autosome.populations, x.populations, y.populations, strict=True):
        assert three_quarters.initial_size == pytest.approx(0.75 * one.initial_size)
        assert quarter.initial_size == pytest.approx(0.25 * one.initial_size)
    assert demography.rates("PAR").copies == 1.0
    assert demography.rates("Y").recombination == demography.rates("MT").recombination == 0.0
    assert demography.rates("MT").mutation > 10 * demography.rates("1").mutation


def test_an_unknown_chromosome_is_refused() -> None:
    with pytest.raises(ConfigError, match="found '23'"):
        demography.rates("23")


def test_x_changes_its_kind_where_the_pseudo_autosomal_region_ends() -> None:
    (region,) = regions.parse(["chrX:2,781,380-2,782,479"])
    assert demography.stretches(region) == [(0, 100, "PAR"), (100, 1_100, "X")]


def test_without_msprime_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msprime", None)
    with pytest.raises(ConfigError, match=r"pip install 'cohelix\[simulate\]'"):
        demography.demography("1")


@pytest.mark.parametrize("folder", ["demography/seven-groups", "expectations"])
def test_reference_data_say_where_they_are_from(root: Path, folder: str) -> None:
    source: dict[str, Any] = tomllib.loads((root / "reference/simulate" / folder / "SOURCE.toml").read_text())
    assert all(entry["citation"] and entry["doi"].startswith("10.") for entry in source["source"])
