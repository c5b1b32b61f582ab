"""Reads and likelihoods behind the made calls.

A read shows the allele it came from, or with `ERROR` another one. Phred-scaled likelihoods (PL) follow from the read
counts alone; they are sums of integers (thousandths of a phred), so that they are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

ERROR = 0.003
LOWEST_DEPTH = 4
LEAST_SHARE = 4  # at least a quarter of the reads of a heterozygote shows each allele
DEPTH_WITH_ERRORS = 15  # from here on a stray reference read cannot turn a homozygote into a heterozygote
REFERENCE_BIAS = 0.48  # share of reads of a heterozygote that show the second allele


@dataclass(frozen=True)
class Evidence:
    """Of n calls with A alleles, the unseen `<NON_REF>` last.

    depth (n,), allele_depth (n, A): reads. likelihood (n, G): phred, 0 for the call, genotypes in VCF order. quality
    (n,): phred, up to the largest of the dialect. strands (n, 4): reads reference forward,
    reverse, other forward, reverse.
    """

    depth: np.ndarray
    allele_depth: np.ndarray
    likelihood: np.ndarray
    quality: np.ndarray
    strands: np.ndarray


def draw(genotype: np.ndarray, n_alleles: int, coverage: float, max_quality: int, rng: np.random.Generator) -> Evidence:
    """Evidence for calls `genotype` (n, ploidy): ascending, not hom-ref, of `n_alleles` with `<NON_REF>`."""
    n, ploidy = genotype.shape
    depth = np.maximum(rng.poisson(coverage * ploidy / 2, n), LOWEST_DEPTH)
    first, last = genotype[:, 0], genotype[:, -1]
    least = -(-depth // LEAST_SHARE)
    on_last = np.clip(rng.binomial(depth, REFERENCE_BIAS), least, depth - least)
    stray = np.where(depth >= DEPTH_WITH_ERRORS, np.minimum(rng.binomial(depth, ERROR), 1), 0)
    on_last = np.where(first == last, depth - stray, on_last)
    counts = np.zeros((n, n_alleles), np.int64)
    row = np.arange(n)
    counts[row, last] = on_last
    counts[row, np.where(first == last, 0, first)] += depth - on_last
    likelihood = likelihoods(counts, ploidy)
    quality = np.minimum(np.sort(likelihood, axis=1)[:, 1], max_quality)
    other = depth - counts[:, 0]
    forward, other_forward = rng.binomial(counts[:, 0], 0.5), rng.binomial(other, 0.5)
    strands = np.stack([forward, counts[:, 0] - forward, other_forward, other - other_forward], axis=1)
    return Evidence(depth, counts, likelihood, quality, strands)


def likelihoods(counts: np.ndarray, ploidy: int) -> np.ndarray:
    """PL (n, G) from allele depths (n, A): 0 for the likeliest genotype."""
    costs = counts @ _costs(counts.shape[1], ploidy).T
    return np.asarray((costs - costs.min(axis=1, keepdims=True) + 500) // 1000)


def genotypes(n_alleles: int, ploidy: int) -> list[tuple[int, ...]]:
    """Genotypes in VCF order: 0, 1, ... or 0/0, 0/1, 1/1, 0/2, ..."""
    if ploidy == 1:
        return [(a,) for a in range(n_alleles)]
    return [(a, b) for b in range(n_alleles) for a in range(b + 1)]


@cache
def _costs(n_alleles: int, ploidy: int) -> np.ndarray:
    """(G, A): what one read of an allele costs under a genotype, in thousandths of a phred."""
    shows = np.full((n_alleles, n_alleles), ERROR / (n_alleles - 1))
    np.fill_diagonal(shows, 1 - ERROR)
    rows = [shows[list(genotype)].mean(axis=0) for genotype in genotypes(n_alleles, ploidy)]
    costs: np.ndarray = np.rint(-10_000 * np.log10(np.array(rows))).astype(np.int64)
    return costs
