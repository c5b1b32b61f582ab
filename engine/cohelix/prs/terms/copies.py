"""Copies of effect alleles at a few sites, by ploidy, and what is expected where a genotype is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.inputs import Frequencies
from cohelix.genotypes.packed.matrix import Matrix, matrix_at
from cohelix.prs.terms.sites import Site


@dataclass(frozen=True)
class People:
    """What of the samples ploidy and frequencies depend on: male, female, unknown; and their groups, "" for none."""

    sexes: Sequence[str]
    groups: Sequence[str] | None

    @property
    def n(self) -> int:
        return len(self.sexes)


@dataclass(frozen=True)
class Copies:
    """Of the effect allele at one site, float64 (samples,): called, NaN where missing; frequency of the effect allele
    that stands in there, NaN where none is known. ploidy int8 (samples,): 0 where a person has no copy of the site.
    hom_ref bool (samples,): called without an alternate.
    """

    called: np.ndarray
    frequency: np.ndarray
    ploidy: np.ndarray
    hom_ref: np.ndarray


def sites_matrix(callset: Callset, sites: Sequence[Site]) -> tuple[Matrix, dict[tuple[int, int], int]]:
    """The rows of `sites` as a matrix, and which of its rows is which (shard, row)."""
    by_shard: dict[int, set[int]] = {}
    for site in sites:
        by_shard.setdefault(site.shard, set()).add(site.row)
    rows = [(shard, np.array(sorted(by_shard[shard]), np.int64)) for shard in sorted(by_shard)]
    places = [(shard, row) for shard, own in rows for row in own.tolist()]
    return matrix_at(callset, rows), {place: number for number, place in enumerate(places)}


def unpacked(block: np.ndarray, n_samples: int) -> np.ndarray:
    """int8 (rows, samples) of packed words: 0, 1, 2, and 3 where missing."""
    octets = block.astype("<u8").view(np.uint8).reshape(len(block), -1)
    out = np.empty((len(block), octets.shape[1], 4), np.int8)
    for place in range(4):
        out[:, :, place] = (octets >> (2 * place)) & 3
    return out.reshape(len(block), -1)[:, :n_samples]


def copies_of(
    site: Site, genotypes: np.ndarray, people: People, missing: str, frequencies: Frequencies | None
) -> Copies:
    """genotypes: int8 (samples,) of the site's row. missing: as in ScoreParams."""
    ploidy = ploidy_of(site.region, people.sexes)
    alt = genotypes.astype(np.float64)
    alt[genotypes == 3] = np.nan
    one = ploidy == 1
    alt[one & (genotypes == 1)] = np.nan
    alt[one & (genotypes == 2)] = 1.0
    alt[ploidy < 0] = np.nan
    held = np.where(ploidy < 0, 2, ploidy).astype(np.int8)  # not known how many: missing, and counted as two
    alt[held == 0] = np.nan
    frequency = _frequency(site, alt, held, people, missing, frequencies)
    hom_ref = alt == 0.0
    if site.counts_ref:
        return Copies(held - alt, 1.0 - frequency, held, hom_ref)
    return Copies(alt, frequency, held, hom_ref)


def ploidy_of(region: str, sexes: Sequence[str]) -> np.ndarray:
    """int8 (samples,): copies of a site that a person has; -1 where the sex that says so is not known."""
    if region in ("autosome", "PAR"):
        return np.full(len(sexes), 2, np.int8)
    if region == "MT":
        return np.ones(len(sexes), np.int8)
    of_sex = {"male": 1, "female": 2, "unknown": -1} if region == "X" else {"male": 1, "female": 0, "unknown": 0}
    return np.array([of_sex[sex] for sex in sexes], np.int8)


def _frequency(
    site: Site, alt: np.ndarray, ploidy: np.ndarray, people: People, missing: str, frequencies: Frequencies | None
) -> np.ndarray:
    """float64 (samples,): frequency of ALT that stands in where the genotype is missing."""
    if missing == "reference-af":
        if frequencies is None:
            return np.full(len(alt), np.nan)
        return np.full(len(alt), frequencies.lookup(site.contig, np.array([site.position]), [site.ref], [site.alt])[0])
    every = _share(alt, ploidy)
    every = 0.0 if np.isnan(every) else every  # nobody at all is called: as for single variants
    out = np.full(len(alt), every)
    if missing == "ancestry-af":
        if people.groups is None:
            raise InputError("prs.score.missing=ancestry-af needs the groups of the samples. Give --groups.")
        labels = np.asarray(people.groups)
        for name in sorted(set(people.groups) - {""}):
            members = labels == name
            share = _share(alt[members], ploidy[members])
            out[members] = every if np.isnan(share) else share
    return out


def _share(alt: np.ndarray, ploidy: np.ndarray) -> float:
    known = ~np.isnan(alt)
    total = float(ploidy[known].sum())
    return float(alt[known].sum()) / total if total else float("nan")
