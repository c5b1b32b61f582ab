"""Plain definitions for fingerprints: one pair, one site, one allele at a time."""

from __future__ import annotations

import itertools
import math
from collections import Counter

MISSING = 3


def _population(frequency: float) -> dict[int, float]:
    return {0: 1 - frequency, 1: frequency}


def genotype_pairs(relation: str, frequency: float) -> dict[tuple[int, int], float]:
    """P(genotypes of two people), by drawing founders' alleles and letting each parent hand on one of two."""
    population = _population(frequency)
    found: dict[tuple[int, int], float] = Counter()
    for founders in itertools.product((0, 1), repeat=4):
        chance = math.prod(population[allele] for allele in founders)
        mother, father = founders[:2], founders[2:]
        if relation == "strangers":
            found[sum(mother), sum(father)] += chance
        elif relation == "same":
            found[sum(mother), sum(mother)] += chance
        elif relation == "parent_child":
            for one in mother:
                found[sum(mother), one + father[0]] += chance / 2
        elif relation == "full_sibs":
            for a, b, c, d in itertools.product(mother, father, mother, father):
                found[a + b, c + d] += chance / 16
        else:  # half sibs: one mother, each father hands on an allele of the population
            for a, b in itertools.product(mother, repeat=2):
                found[a + father[0], b + father[1]] += chance / 4
    return found


def _shown(true: int, observed: int, error: float) -> float:
    return 1 - error if true == observed else error / 2


def site_llr(relation: str, frequency: float, array: int, wgs: int, array_error: float, wgs_error: float) -> float:
    """log10 of P(both genotypes | relation) / P(both | strangers); 0 where one is missing."""
    if MISSING in (array, wgs):
        return 0.0

    def likelihood(of: str) -> float:
        return sum(
            chance * _shown(one, array, array_error) * _shown(other, wgs, wgs_error)
            for (one, other), chance in genotype_pairs(of, frequency).items()
        )

    return math.log10(likelihood(relation) / likelihood("strangers"))


def llr(
    relation: str, frequencies: list[float], array: list[int], wgs: list[int], array_error: float, wgs_error: float
) -> float:
    sites = zip(frequencies, array, wgs, strict=True)
    return math.fsum(site_llr(relation, frequency, a, w, array_error, wgs_error) for frequency, a, w in sites)


def picard_lod(frequencies: list[float], array: list[int], wgs: list[int], error: float) -> float:
    """As FingerprintChecker.calculateMatchResults adds it up from the likelihoods of two fingerprints."""
    total = 0.0
    for q, a, w in zip(frequencies, array, wgs, strict=True):
        if MISSING in (a, w):
            continue
        prior = [(1 - q) ** 2, 2 * q * (1 - q), q * q]
        of_a = [_shown(true, a, error) for true in range(3)]
        of_w = [_shown(true, w, error) for true in range(3)]
        expected = math.log10(sum(x * y * p for x, y, p in zip(of_a, of_w, prior, strict=True)))
        random = sum(math.log10(sum(x * p for x, p in zip(of, prior, strict=True))) for of in (of_a, of_w))
        total += expected - random
    return total


def table(array: list[int], wgs: list[int]) -> dict[tuple[int, int], int]:
    return Counter(zip(array, wgs, strict=True))


def concordance(array: list[int], wgs: list[int]) -> float:
    called = [(a, w) for a, w in zip(array, wgs, strict=True) if MISSING not in (a, w)]
    return sum(a == w for a, w in called) / len(called) if called else math.nan


def non_reference_concordance(array: list[int], wgs: list[int]) -> float:
    kept = [(a, w) for a, w in zip(array, wgs, strict=True) if MISSING not in (a, w) and (a, w) != (0, 0)]
    return sum(a == w for a, w in kept) / len(kept) if kept else math.nan


def thin(order: list[int], places: list[tuple[int, int]], distance: int, limit: int) -> list[int]:
    """Sites (contig, position) in `order`, each taken unless one that was taken is near."""
    taken: list[int] = []
    for site in order:
        contig, position = places[site]
        near = any(places[t][0] == contig and abs(places[t][1] - position) < distance for t in taken)
        if len(taken) < limit and not near:
            taken.append(site)
    return sorted(taken)


def best(scores: list[int], kept: int) -> list[int]:
    """Indexes of the highest scores; of equal ones, the first."""
    return sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:kept]
