"""Which variants cause a trait, and how much a copy of the allele adds in each source population.

The model: liability = genetic value + shift of the person's group + noise, in units in which the variance within a
source population, and that of the shifts over groups, add up to 1 (docs/methods/simulate.md). A copy of allele 1
adds the effects in the six sources weighted by the shares of the person's ancestry that were expected at birth: the
source that the copy itself came from is not asked. Where effects differ between sources, they do so about the mean
frequency: populations differ in their means because frequencies do, and nothing depends on which allele is the
alternate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from cohelix.errors import ConfigError, ContractError
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.people.person import GROUPS, SOURCES
from cohelix.simulate.regions import Region
from cohelix.simulate.schema import DEFAULT_SHARES, TraitParams
from cohelix.simulate.streams import stream
from cohelix.simulate.traits import expectation

Dosages = Callable[[int, int, int], np.ndarray]
"""(region index, first, last) -> (last - first, S) int8: copies of allele 1 in people first to last, at all sites."""

LEAST_FREQUENCY = 0.01


@dataclass(frozen=True)
class Architecture:
    """T traits of C causal variants each.

    traits (T,) names; binary (T,); per variant (T, C): region (its index), site (column of the panel), contig, position
    (1-based), ref, alt; effects (T, C, 6) of a copy of alt by source; frequency (T, C, 6) of alt. shift (T, 7): of
    environment, by GROUPS. centre (T, 6): what a genetic value is less by, for ancestry of each source; 0 is then the
    mean expected over people. noise (T,): standard deviation. threshold (T,): liability above which a binary trait is
    present; nan if not binary.
    """

    traits: np.ndarray
    binary: np.ndarray
    region: np.ndarray
    site: np.ndarray
    contig: np.ndarray
    position: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    effects: np.ndarray
    frequency: np.ndarray
    shift: np.ndarray
    centre: np.ndarray
    noise: np.ndarray
    threshold: np.ndarray

    def row(self, trait: str) -> int:
        """Place of `trait` among the traits."""
        found = np.flatnonzero(self.traits == trait)
        if found.size != 1:
            raise ContractError(f"expected a trait of the architecture, found {trait}.")
        return int(found[0])

    def save(self, path: Path) -> None:
        """As .npz, for worker processes."""
        with path.open("wb") as handle:
            np.savez(handle, **{one.name: getattr(self, one.name) for one in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Architecture:
        with np.load(path, allow_pickle=False) as found:
            return cls(**{one.name: found[one.name] for one in fields(cls)})


def draw_architecture(
    params: TraitParams,
    seed: int,
    panels: Sequence[RegionPanel],
    regions: Sequence[Region],
    shares: Mapping[str, float] = DEFAULT_SHARES,
) -> Architecture:
    """Causal variants, effects and what follows from them. `shares`: of people by group, for means and thresholds.

    A trait's draws depend on its name, not on the other traits. Raises ConfigError where there are fewer variants
    that can be causal than asked for.
    """
    names = [*params.quantitative, *params.binary]
    candidates = _candidates(panels, regions)
    if names and len(candidates) < params.causal:
        raise ConfigError(
            f"causal = {params.causal}, and the autosomal regions have {len(candidates)} biallelic sites with a "
            "frequency over 1 % in some source. Lower causal, or give more regions or longer ones."
        )
    crowd = expectation.draw_crowd(seed, shares)
    drawn = [_draw_trait(params, seed, name, candidates, panels, crowd) for name in names]
    stacked = {key: np.array([one[key] for one in drawn]) for key in drawn[0]} if drawn else _nothing(params)
    region, site = stacked["region"], stacked["site"]

    def told(what: Callable[[int, int], object], kind: type) -> np.ndarray:
        flat = [what(int(r), int(s)) for r, s in zip(region.ravel(), site.ravel(), strict=True)]
        return np.array(flat, kind).reshape(region.shape)

    return Architecture(
        traits=np.array(names, str),
        binary=np.array([name in params.binary for name in names], bool),
        contig=told(lambda r, s: regions[r].contig.name, str),
        position=told(lambda r, s: regions[r].start + int(panels[r].sites.offset[s]) + 1, int),
        ref=told(lambda r, s: panels[r].sites.ref[s], str),
        alt=told(lambda r, s: panels[r].sites.alts[s][0], str),
        **stacked,
    )


def genetic_values(architecture: Architecture, trait: str, dosages: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(n,) of n people, centred. dosages (n, C): copies of alt at the causal variants; shares (n, 6): of ancestry.

    Sums run in the order of the variants, so that a value does not depend on who else is in the block.
    """
    row = architecture.row(trait)
    copies = np.ascontiguousarray(dosages.T, np.float64)
    total = np.zeros(dosages.shape[0])
    for source in range(len(SOURCES)):
        parts = copies * architecture.effects[row, :, source][:, None]
        value = np.add.accumulate(parts, axis=0)[-1] - architecture.centre[row, source]
        total += value * shares[:, source]
    return total


def causal_dosages(architecture: Architecture, trait: str, dosages: Dosages, first: int, last: int) -> np.ndarray:
    """(last - first, C) int8: copies of alt at the causal variants of `trait`."""
    row = architecture.row(trait)
    out = np.zeros((last - first, architecture.site.shape[1]), np.int8)
    for region in np.unique(architecture.region[row]).tolist():
        here = np.flatnonzero(architecture.region[row] == region)
        out[:, here] = dosages(region, first, last)[:, architecture.site[row, here]]
    return out


def all_genetic_values(
    architecture: Architecture, dosages: Dosages, first: int, last: int, shares: np.ndarray
) -> dict[str, np.ndarray]:
    """Genetic values (last - first,) by trait; each region's dosages are asked for once. shares: of the same people."""
    columns = [np.zeros((last - first, architecture.site.shape[1]), np.int8) for _ in architecture.traits]
    for region in np.unique(architecture.region).tolist():
        found = dosages(region, first, last)
        for row, out in enumerate(columns):
            here = np.flatnonzero(architecture.region[row] == region)
            out[:, here] = found[:, architecture.site[row, here]]
    return {
        trait: genetic_values(architecture, trait, out, shares)
        for trait, out in zip(architecture.traits.tolist(), columns, strict=True)
    }


def _candidates(panels: Sequence[RegionPanel], regions: Sequence[Region]) -> np.ndarray:
    """(n, 2): region and site of all variants that can be causal, in genomic order."""
    found = [np.zeros((0, 2), np.int64)]
    for region, panel in zip(regions, panels, strict=True):
        if region.chromosome.isdigit():
            frequency = np.asarray(panel.sites.frequency)
            common = (np.minimum(frequency, 1 - frequency) > LEAST_FREQUENCY).any(axis=1)
            single = np.array([len(alts) == 1 for alts in panel.sites.alts], bool)
            sites = np.flatnonzero(common & single)
            found.append(np.stack([np.full(sites.size, region.index), sites], axis=1))
    return np.concatenate(found)


def _draw_trait(
    params: TraitParams,
    seed: int,
    name: str,
    candidates: np.ndarray,
    panels: Sequence[RegionPanel],
    crowd: expectation.Crowd,
) -> dict[str, np.ndarray]:
    """Fields of one trait."""
    rng = stream(seed, f"trait {name}")
    chosen = candidates[np.sort(rng.choice(len(candidates), params.causal, replace=False))]
    region, site = chosen[:, 0], chosen[:, 1]
    frequency = np.array([panels[r].sites.frequency[s] for r, s in chosen.tolist()])
    mean = frequency.mean(axis=1)
    in_all, own = rng.standard_normal(params.causal), rng.standard_normal((params.causal, len(SOURCES)))
    rho = params.effect_correlation
    effects = np.sqrt(rho) * in_all[:, None] + np.sqrt(1 - rho) * own
    effects *= ((2 * mean * (1 - mean)) ** (params.effect_size_exponent / 2))[:, None]
    _, within = expectation.moments(panels, region, site, effects, np.eye(len(SOURCES)))
    spread = float(within.mean())
    effects *= expectation.rounded(np.sqrt(params.heritability / spread)) if spread > 0 else 0.0
    shift = _shifts(rng.standard_normal(len(GROUPS)), crowd.group_shares, params.confounding)
    explained = float(np.sum(crowd.group_shares * shift**2))
    noise = float(np.sqrt(max(1 - params.heritability - explained, 0.0)))
    means, variances = expectation.moments(panels, region, site, effects, crowd.ancestry)
    centre = (2 * mean[:, None] * (effects - effects.mean(axis=1, keepdims=True))).sum(axis=0)
    means = means - crowd.ancestry @ centre
    overall = expectation.rounded(float(np.sum(crowd.weight * means)))
    threshold = np.nan
    if name in params.binary:
        at = means - overall + shift[crowd.group]
        threshold = expectation.quantile(1 - params.prevalence, crowd.weight, at, np.sqrt(variances + noise**2))
    return {
        "region": region, "site": site, "effects": effects, "frequency": frequency, "shift": shift,
        "centre": centre + overall, "noise": np.array(noise), "threshold": np.array(threshold),
    }  # fmt: skip


def _shifts(drawn: np.ndarray, group_shares: np.ndarray, variance: float) -> np.ndarray:
    """Shifts by group, of mean 0 and the given variance over people; all 0 where there is but one group."""
    centred = drawn - np.sum(group_shares * drawn)
    spread = float(np.sum(group_shares * centred**2))
    if spread < 1e-12:
        return np.zeros_like(drawn)
    return np.asarray(centred * np.sqrt(variance / spread))


def _nothing(params: TraitParams) -> dict[str, np.ndarray]:
    """Fields of no trait."""
    none, six = np.zeros((0, params.causal), np.int64), np.zeros((0, params.causal, len(SOURCES)))
    flat = np.zeros(0)
    return {
        "region": none, "site": none, "effects": six, "frequency": six, "shift": np.zeros((0, len(GROUPS))),
        "centre": np.zeros((0, len(SOURCES))), "noise": flat, "threshold": flat,
    }  # fmt: skip
