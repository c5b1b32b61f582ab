"""What `cohelix simulate cohort` is given at a number of people.

Four stages: founder haplotypes (`panel`), training sets of the scores, people in blocks (with their gVCFs, arrays and
health records), and the genotypes of everybody, site by site. The process that hands out blocks lives as long as its
workers do, so that memory is that of the whole command: it stands with the people, where it is highest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cohelix.scale.model import Load
from cohelix.scale.rates import Terms

BLOCK = 96
"""People whom a worker is handed at a time."""
SOURCES = 6
"""Populations that have founder haplotypes of their own."""
SHARED = 0.25
"""Share of their copies that people enrolled with a relative have from the same founders: siblings, a quarter."""


@dataclass(frozen=True)
class Cohort:
    """samples: people. regions, bases: how many, and of all together. haplotypes: of each source population. training:
    people of each of `groups` training sets. sequenced, arrays: share of people with a genome, and with an array.
    gvcfs, callset: which of the two is written. sites: alternate alleles that somebody carries."""

    samples: int
    regions: int
    bases: int
    haplotypes: int
    training: int
    groups: int
    sequenced: float
    arrays: float
    gvcfs: bool
    callset: bool
    sites: float


@dataclass(frozen=True)
class Sites:
    """What the number of sites follows from. private_sites, related, duplicates: as in the settings."""

    samples: int
    bases: int
    haplotypes: int
    private_sites: float
    related: float
    duplicates: float

    @property
    def drawn(self) -> int:
        """Founder haplotypes that somebody carries."""
        return min(2 * self.samples, SOURCES * self.haplotypes)

    @property
    def own(self) -> float:
        """Sites that no founder haplotype has: of the two copies of each person, of which relatives share some."""
        copies = 2 * self.samples * (1 - self.duplicates) * (1 - SHARED * self.related)
        return self.private_sites * self.bases * copies


def count_sites(sites: Sites, measured: Terms) -> float:
    """Sites of the panel, by a power of the founder haplotypes, and people's own.

    `measured`: sites of a single haplotype, per base, and the power.
    """
    return sites.bases * measured["single"] * math.pow(sites.drawn, measured["power"]) + sites.own


def loads(cohort: Cohort, cores: int) -> list[Load]:
    """Panel, training, people, genotypes. `cores`: each is a worker, which opens the panels at its first block."""
    n, bases, regions = float(cohort.samples), float(cohort.bases), float(cohort.regions)
    founders = SOURCES * cohort.haplotypes * bases
    groups = cohort.groups if cohort.training else 0
    trained = float(cohort.training * groups)
    sequenced, arrays = n * cohort.sequenced * cohort.gvcfs, n * cohort.arrays
    block, blocks = min(cohort.samples, BLOCK), -(-cohort.samples // BLOCK)
    return [
        Load("panel", {"regions": regions, "bases": bases, "haplotype_bases": founders}, cohort.regions, {}),
        Load(
            "training",
            {"trained": trained, "training_bases": trained * bases, "tests": bases * groups}, max(1, groups), {},
        ),
        Load(
            "people",
            {
                "persons": n, "person_regions": n * regions, "person_bases": n * bases, "sequenced": sequenced,
                "sequenced_regions": sequenced * regions, "sequenced_bases": sequenced * bases,
                "arrays": arrays, "array_bases": arrays * bases, "awake": float(min(cores, blocks)),
            },
            blocks,
            {"block_persons": float(block), "block_bases": block * bases},
            held={"persons": n, "person_pieces": n * (regions if cohort.gvcfs else 1.0)},
            workers=cohort.regions, of_worker={"worker": 1.0, "haplotype_bases": founders},
        ),
        _genotypes(cohort),
    ]  # fmt: skip


def _genotypes(cohort: Cohort) -> Load:
    """One task: the phased truth beside gVCFs, a callset, or both.

    What costs bytes is a genotype that is not the reference: each person has as many for a base as in any cohort.
    """
    ways = cohort.gvcfs + cohort.callset
    made = float(cohort.samples) * cohort.bases
    whole = {
        "sites": cohort.sites, "rows": ways * cohort.sites, "cells": ways * cohort.sites * cohort.samples,
        "truth_sites": cohort.gvcfs * cohort.sites, "truth_bases": cohort.gvcfs * made,
        "called_regions": float(cohort.callset * cohort.regions), "called_sites": cohort.callset * cohort.sites,
        "called_bases": cohort.callset * made,
    }  # fmt: skip
    return Load("genotypes", whole, 1, {})
