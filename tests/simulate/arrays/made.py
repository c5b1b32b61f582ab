"""A small panel, an array on it, and people drawn from its haplotypes: what the tests of arrays share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cohelix.genome import plain_name
from cohelix.simulate.arrays.design import ArrayDesign, design_from
from cohelix.simulate.arrays.markers import NO_SITE, choose_markers
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.population import NO_COPY, make_sites
from cohelix.simulate.regions import Region, parse
from cohelix.simulate.schema import ArrayParams
from cohelix.simulate.sequence import make_reference

SEED = 7
PER_SOURCE = 20
PAR1_END = 2_781_479  # of X in GRCh38
REGIONS = ["chr1:1,000,001-1,200,000", "chr22:20,000,001-20,200,000", "chrX:2,731,480-2,831,479",
           "chrX:50,000,001-50,100,000",
           "chrY:7,000,001-7,100,000", "chrM:1-16,000"]  # fmt: skip


@dataclass(frozen=True)
class Made:
    regions: list[Region]
    panels: list[RegionPanel]
    params: ArrayParams
    design: ArrayDesign


def panel_of(region: Region) -> RegionPanel:
    """Sites of a made population, each at a frequency of its own in every source."""
    rng = np.random.default_rng(region.index + 100)
    reference = make_reference(region.contig, region.start, region.end, rng)
    sites = make_sites(reference, rng, avoid=np.zeros(0, np.int64))
    n = sites.offset.size
    chance = np.clip(rng.beta(0.3, 0.6, n) * rng.uniform(0.2, 1.5, (6, n)), 0, 1)
    alleles = (rng.random((6 * PER_SOURCE, n)) < np.repeat(chance, PER_SOURCE, axis=0)).astype(np.int8)
    frequency = alleles.reshape(6, PER_SOURCE, n).mean(axis=1).T
    return RegionPanel(reference, replace(sites, frequency=frequency), alleles, PER_SOURCE)


def make(params: ArrayParams) -> Made:
    regions = parse(REGIONS)
    panels = [panel_of(region) for region in regions]
    parts = [choose_markers(params, SEED, region, panel) for region, panel in zip(regions, panels, strict=True)]
    return Made(regions, panels, params, design_from(parts))


def people(made: Made, n: int) -> np.ndarray:
    """Alleles (n, M, 2) of n people, men at odd numbers, each of random haplotypes of the panel."""
    alleles = np.zeros((n, made.design.size, 2), np.int8)
    for region, panel in zip(made.regions, made.panels, strict=True):
        rows = made.design.rows(region.index)
        site = made.design.markers.site[rows]
        for person in range(n):
            rng = np.random.default_rng([person, region.index])
            pair = panel.alleles[rng.integers(0, panel.alleles.shape[0], 2)]
            here = np.where(site == NO_SITE, 0, pair[:, np.maximum(site, 0)]).T
            name, man = plain_name(region.contig.name), person % 2 == 1
            if name == "MT" or (name in "XY" and man):
                here[made.design.markers.position[rows] > (PAR1_END if name == "X" else 0), 1] = NO_COPY
            if name == "Y" and not man:
                here[:] = NO_COPY
            alleles[person, rows] = here
    return alleles
