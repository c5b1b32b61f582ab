"""Plain definitions for simulated sequencing: one site at a time."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement

from scipy.stats import binom, nbinom


def genotypes(n_alleles: int, ploidy: int) -> list[tuple[int, ...]]:
    """In the order of the VCF specification: by the highest allele, then the next."""
    return sorted(combinations_with_replacement(range(n_alleles), ploidy), key=lambda alleles: alleles[::-1])


def likelihoods(reads: list[int], ploidy: int, error: float) -> list[float]:
    """Phred of P(reads | genotype), for each genotype: a read is of one copy, and shows another base by error."""
    found = []
    for alleles in genotypes(len(reads), ploidy):
        log = 0.0
        for shown, number in enumerate(reads):
            chance = sum(1 - error if copy == shown else error / 3 for copy in alleles) / ploidy
            log += number * math.log10(chance)
        found.append(-10 * log)
    return found


def chance_to_miss(coverage: float, shape: float, alt_share: float, error: float, least: int) -> float:
    """P(a het is called hom-ref): depth negative binomial, reads binomial, fewer than `least` not looked at."""
    missed = 0.0
    for depth in range(int(coverage * 6) + 20):
        of_depth = nbinom.pmf(depth, shape, shape / (shape + coverage))
        for alt in range(depth + 1):
            hom_ref, het, _ = likelihoods([depth - alt, alt], 2, error)
            if alt < least or hom_ref <= het:
                missed += of_depth * binom.pmf(alt, depth, alt_share)
    return missed
