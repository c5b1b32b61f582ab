"""The screen: all pairs on a subset of sites, and which of them may be related.

One site is drawn from each of `screen_sites` strata of neighbouring sites, so that the subset lies evenly over the
genome and is a fair sample of the sites: what KING-robust says of all of them, biases of ancestry included, it says of
the subset but for the error of sampling. Every pair is looked at on one site of two neighbouring strata first, drawn
again, and on both where that leaves it.

A pair of kinship phi0 or more over all sites has sum(d - r h) <= 0 there, with d the squared difference of its
genotypes at a site, h whether the sample with fewer heterozygotes is heterozygous and r = 2 - 4 phi0, since phi is
1/2 - sum(d) / (4 sum(h)). Over the subset the sum T is one of independent terms whose mean is then at most 0 and whose
variance is at most V (1 - f): V the sum of squared terms and f the share of sites drawn. The pair is set aside where
T > z sqrt(V (1 - f)), which has a probability of at most 2 Phi(-z), by the normal limit of sums of thousands of bounded
terms; twice, because either sample may be the one with fewer heterozygotes. Two looks lose at most the sum of both.
V is taken from the pair itself, so that the bound holds for rare and common sites alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cohelix.genotypes.packed.matrix import Matrix
from cohelix.relatedness.schema import RelatednessParams


@dataclass(frozen=True)
class Screen:
    """slope: r above. looks: rows of the sites of either look, none where every pair is counted over all sites.

    slacks: of either look, z squared (1 - f), what the squared sum may reach in units of V.
    """

    slope: float
    looks: tuple[np.ndarray, ...]
    slacks: tuple[float, ...]
    recall_bound: float

    @property
    def n_sites(self) -> int:
        return sum(len(rows) for rows in self.looks)


def drawn_sites(n_sites: int, wanted: int) -> np.ndarray:
    """int64 (wanted,): an increasing row from each of `wanted` strata of equal size. The same for equal numbers."""
    edges = np.arange(wanted + 1, dtype=np.int64) * n_sites // wanted
    return edges[:-1] + (_mixed(np.arange(wanted, dtype=np.uint64)) % np.diff(edges).astype(np.uint64)).astype(np.int64)


def screen_of(matrix: Matrix, params: RelatednessParams) -> Screen:
    """The screen of a matrix; a subset of more than half of the sites saves nothing, and there is none."""
    slope, wanted = 2 - 4 * params.min_kinship, params.screen_sites // 2 * 2
    if not params.screen or 2 * wanted > matrix.n_sites:
        return Screen(slope, (), (), 1.0)
    share = wanted / matrix.n_sites
    lost = math.erfc(params.screen_sds / math.sqrt(2))  # 2 Phi(-z)
    slacks = tuple(params.screen_sds**2 * (1 - part) for part in (share / 2, share))
    return Screen(slope, split_sites(drawn_sites(matrix.n_sites, wanted)), slacks, 1 - 2 * lost)


def split_sites(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One of each two neighbours, by chance, and the others."""
    pairs = rows.reshape(-1, 2)
    one = (_mixed(np.arange(len(pairs), dtype=np.uint64) + np.uint64(len(rows))) >> np.uint64(63)).astype(np.int64)
    at = np.arange(len(pairs))
    return pairs[at, one], pairs[at, 1 - one]


def may_be_related(counts: np.ndarray, apart: np.ndarray, slope: float, slack: float) -> np.ndarray:
    """bool (pairs,): which pairs are not set aside, from counts (pairs, 5) as in `king.kernels`.

    apart: float64 (pairs,), what ancestry adds to the squared differences.
    """
    ibs0, both = counts[:, 0], counts[:, 1]
    fewer, more = np.minimum(counts[:, 2], counts[:, 3]), np.maximum(counts[:, 2], counts[:, 3])
    excess = 4 * ibs0 + fewer + more - slope * (both + fewer) - apart
    squares = 16 * ibs0 + (1 - slope) ** 2 * fewer + more + slope**2 * both
    return np.asarray((excess <= 0) | (excess**2 <= slack * squares))


def _mixed(values: np.ndarray) -> np.ndarray:
    """uint64 that look drawn at random, from uint64 (splitmix64)."""
    mixed = (values + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
