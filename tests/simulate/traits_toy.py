"""A small panel with linkage and drift, and people made of it, so that traits are tested without the rest of a
cohort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.people.ancestry import draw_shares
from cohelix.simulate.people.person import SOURCES, Human, Person
from cohelix.simulate.population import Sites
from cohelix.simulate.regions import Region, parse
from cohelix.simulate.sequence import Reference
from cohelix.simulate.streams import stream

PER_SOURCE = 150
ANCESTORS = 25  # haplotypes that those of a source are mosaics of: few, so that neighbours are in linkage


@dataclass(frozen=True)
class Toy:
    regions: list[Region]
    panels: list[RegionPanel]


def toy(n_regions: int = 8, n_sites: int = 60, seed: int = 1) -> Toy:
    """`n_regions` autosomal regions, and one on X at the end; every 15th site has two alternates."""
    texts = [f"chr{1 + k % 22}:{1_000_001 + k // 22 * 50_000}-{1_020_000 + k // 22 * 50_000}" for k in range(n_regions)]
    regions = parse([*texts, "chrX:30,000,001-30,020,000"])
    return Toy(regions, [_panel(region, n_sites, seed) for region in regions])


def _panel(region: Region, n_sites: int, seed: int) -> RegionPanel:
    rng = stream(seed, "toy panel", region.index)
    offset = np.sort(rng.choice(np.arange(200, 19_000), n_sites, replace=False))
    shared = rng.beta(0.6, 1.2, n_sites)
    rows = []
    for _ in SOURCES:
        p = np.clip(rng.beta(shared * 8 + 0.01, (1 - shared) * 8 + 0.01), 0, 1)  # F_ST of about 0.1
        ancestors = (rng.random((ANCESTORS, n_sites)) < p).astype(np.int8)
        for _ in range(PER_SOURCE):
            cut = int(rng.integers(0, n_sites))
            first, second = rng.integers(0, ANCESTORS, 2)
            rows.append(np.concatenate([ancestors[first, :cut], ancestors[second, cut:]]))
    alleles = np.array(rows, np.int8)
    alts = [("G", "T") if k % 15 == 14 else (("G",) if k % 7 else ("AT",)) for k in range(n_sites)]
    two = np.flatnonzero([len(one) == 2 for one in alts])
    alleles[:, two] *= 1 + (rng.random((len(rows), two.size)) < 0.3).astype(np.int8)
    frequency = (alleles > 0).reshape(len(SOURCES), PER_SOURCE, n_sites).mean(axis=1).T
    sites = Sites(offset, ["A"] * n_sites, alts, np.ones((n_sites, 3), np.int64), frequency)
    reference = Reference(region.contig, region.start, region.end, "", np.zeros(0, np.int64), np.zeros(0, np.int64))
    return RegionPanel(reference, sites, alleles, PER_SOURCE)


class Crowd:
    """n people of one group, each haplotype of each region from a source drawn by the person's shares."""

    def __init__(self, made: Toy, group: str, n: int, seed: int = 1) -> None:
        rng = stream(seed, "toy shares", n)
        self.n = n
        self.shares = np.array([draw_shares(group, rng)[0] for _ in range(n)])
        self.dosage = []
        for region, panel in zip(made.regions, made.panels, strict=True):
            rng = stream(seed, "toy people", region.index, n)
            source = (rng.random((2, n, 1)) > np.cumsum(self.shares, axis=1)[None]).sum(axis=2).clip(0, 5)
            row = source * PER_SOURCE + rng.integers(0, PER_SOURCE, (2, n))
            self.dosage.append((panel.alleles[row] == 1).sum(axis=0).astype(np.int8))

    def dosages(self, region: int, first: int, last: int) -> np.ndarray:
        return self.dosage[region][first:last]


def person(number: int, human: int, group: str = "eur", role: str = "single", wgs: tuple[str, ...] = ()) -> Person:
    expected = tuple(float(source == group) for source in SOURCES)
    body = Human(human, None, None, "XX", group, expected, 0, 1970)
    return Person(number, 1000 + number, body, number, role, "female", wgs, (0,) * len(wgs), "", 0, False)
