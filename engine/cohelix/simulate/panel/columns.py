"""Which haplotype has which state at which place, before the states get bases: from a coalescent tree, or site by site.

Both yield (offset, states): states (H + 1,) int8, 0 ancestral, 1 and 2 derived; haplotypes by source in the order of
SOURCES, and last the haplotype that the reference sequence is of, one more European.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from cohelix.simulate.panel import demography
from cohelix.simulate.people.person import SOURCES

REPEAT_FACTOR = 40.0
"""Mutations at the first base of a repeat, relative to other bases: a third of all indels are then in repeats."""
SAME_AGAIN = 0.5
"""Of second mutations of a base: give the same base as the first. (2.1^2 + 2 0.5^2) / 3.1^2 at 2.1 transitions to each
transversion."""
HOT_SPOT_BASES, IN_HOT_SPOTS, HOT_SHARE = 5_500, 0.06, 0.6
"""Hot spots of recombination: bases of one, their share of the sequence, and of recombination (HapMap 2007)."""
REFERENCE_SOURCE = "eur"
ROOT_THETA = 1.1e-3  # per base: chance that two copies differ where the history begins, as with demes.yaml
RAREST = 1e-4  # frequency at the root
REPEAT_SITE = 0.5  # of repeats have a site, in mode "sites"
SECOND_STATE = 0.012  # of sites, in mode "sites"; of those in repeats, `SECOND_IN_REPEAT`
SECOND_IN_REPEAT = 0.3

Columns = Iterator[tuple[int, np.ndarray]]


def linked(start: int, end: int, kind: str, repeats: np.ndarray, per_source: int, rng: np.random.Generator) -> Columns:
    """Sites of [start, end) on chromosomes of `kind`, by msprime. repeats: offsets where mutations are frequent."""
    demography.require_msprime()
    import msprime

    here = demography.rates(kind)
    ancestry, mutations = rng.integers(1, 2**31, size=2).tolist()
    trees = msprime.sim_ancestry(
        _samples(msprime, per_source),
        demography=demography.demography(kind),
        sequence_length=end - start,
        recombination_rate=_recombination_map(msprime, end - start, here.recombination, rng),
        discrete_genome=True,
        random_seed=ancestry,
        record_provenance=False,
    )
    trees = msprime.sim_mutations(
        trees,
        rate=_mutation_map(msprime, end - start, repeats - start, here.mutation),
        model=msprime.InfiniteAlleles(),
        discrete_genome=True,
        random_seed=mutations,
        record_provenance=False,
    )
    often = set(repeats.tolist())
    offsets = start + trees.sites_position.astype(np.int64)
    for offset, variant in zip(offsets.tolist(), trees.variants(copy=False), strict=True):
        # A third mutation of one site counts as the second happening again; outside repeats so may the second.
        most = 1 if offset not in often and rng.random() < SAME_AGAIN else 2
        yield offset, np.minimum(variant.genotypes, most).astype(np.int8)


def independent(
    start: int, end: int, kind: str, repeats: np.ndarray, per_source: int, rng: np.random.Generator
) -> Columns:
    """Sites of [start, end), each by itself: a neutral spectrum at the root, drift along the branches."""
    here, elsewhere = demography.rates(kind), demography.rates("1")
    theta = ROOT_THETA * here.copies * here.mutation / elsewhere.mutation
    offsets = rng.integers(start, end, rng.poisson(theta * math.log(1 / RAREST) * (end - start)))
    in_repeats = repeats[(repeats >= start) & (repeats < end) & (rng.random(repeats.size) < REPEAT_SITE)]
    offsets = np.sort(np.concatenate([offsets, in_repeats]))
    share_of_two = np.where(np.isin(offsets, in_repeats), SECOND_IN_REPEAT, SECOND_STATE)
    frequency = _frequencies(RAREST ** rng.random(offsets.size), rng)
    two = rng.random(offsets.size) < share_of_two
    second = np.where(two, rng.uniform(0.05, 0.5, offsets.size), 0.0)
    source = np.append(np.repeat(np.arange(len(SOURCES)), per_source), SOURCES.index(REFERENCE_SOURCE))
    for offset, x, share in zip(offsets.tolist(), frequency, second.tolist(), strict=True):
        chance = rng.random(source.size)
        derived = x[source]
        yield offset, (chance < derived).astype(np.int8) + (chance < derived * share).astype(np.int8)


def _samples(msprime: object, per_source: int) -> list[object]:
    make = msprime.SampleSet  # type: ignore[attr-defined]  # a module, imported where it is needed
    sets = [make(per_source, population=source, ploidy=1) for source in SOURCES]
    return [*sets, make(1, population=REFERENCE_SOURCE, ploidy=1)]


def _recombination_map(msprime: object, length: int, rate: float, rng: np.random.Generator) -> object:
    """`rate` on average over many regions: low, and high in hot spots at random places."""
    span = length + HOT_SPOT_BASES  # one may begin before the region
    begin = rng.integers(0, span, rng.poisson(-math.log(1 - IN_HOT_SPOTS) * span / HOT_SPOT_BASES)) - HOT_SPOT_BASES
    edges = np.unique(np.clip(np.concatenate([[0, length], begin, begin + HOT_SPOT_BASES]), 0, length))
    middle = (edges[:-1] + edges[1:])[:, None] / 2
    hot = ((begin <= middle) & (middle < begin + HOT_SPOT_BASES)).any(axis=1)
    share = np.where(hot, HOT_SHARE / IN_HOT_SPOTS, (1 - HOT_SHARE) / (1 - IN_HOT_SPOTS))
    return msprime.RateMap(position=edges, rate=rate * share)  # type: ignore[attr-defined]  # as above


def _mutation_map(msprime: object, length: int, repeats: np.ndarray, rate: float) -> object:
    """`rate` everywhere, and more at single bases."""
    inside = np.unique(repeats[(repeats >= 0) & (repeats < length)])
    edges = np.unique(np.concatenate([[0, length], inside, inside + 1]))
    often = np.isin(edges[:-1], inside)
    return msprime.RateMap(  # type: ignore[attr-defined]  # a module, imported where it is needed
        position=edges, rate=np.where(often, rate * REPEAT_FACTOR, rate)
    )


def _frequencies(root: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, sources): frequencies of the derived state, from those at the root (S,)."""
    known = {"": root}
    for branch in demography.drifts():
        x, scale = known[branch.ancestor], (1 - branch.f) / branch.f
        drifting = (x > 0) & (x < 1)
        kept = np.where(drifting, x, 0.5)
        drawn = rng.beta(kept * scale, (1 - kept) * scale)
        known[branch.population] = np.where(drifting, drawn, x)
    return np.stack([known[source] for source in SOURCES], axis=1)
