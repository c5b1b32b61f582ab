"""The distinct genotype patterns of a gene: each is solved once, however many people have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.pgx.genotype import Genotypes


@dataclass(frozen=True)
class Patterns:
    """m distinct patterns among n people.

    codes (P, m) uint8 and phase (P, m) uint8 as in `Genotypes` (phase of a homozygous genotype is UNPHASED; phase sets
    are numbered from 2 by their first heterozygous site). all_phased (m,) bool: every genotype there is was phased.
    phase_sets (m,) bool: phased genotypes lie in more than one set, or in one that has a number. key (m,) uint64: the
    same for the same pattern in any block, cohort or order of people. count (m,) int64. of_person (n,) int32.
    alleles: as in `Genotypes`.
    """

    gene: str
    codes: np.ndarray
    phase: np.ndarray
    all_phased: np.ndarray
    phase_sets: np.ndarray
    key: np.ndarray
    count: np.ndarray
    of_person: np.ndarray
    alleles: tuple[tuple[str, ...], ...]


def distinct(genotypes: Genotypes) -> Patterns:
    """The patterns of `genotypes`, in the order in which they are first met."""
    raise NotImplementedError(genotypes.gene)
