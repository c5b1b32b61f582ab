"""The likelihood of reads of two people.

A share alpha of the reads at a SNP comes from another person of the cohort. With genotypes g1 of the sample and g2 of
the other, a read shows the reference with (1 - alpha) p(g1) + alpha p(g2), where p is 1 - error, near a half, error. g1
is drawn at the allele's frequency q, and g2 at q + rho (g1 / 2 - q): relatives and people of one ancestry lean to one
another, people of two ancestries away from it. Taken for strangers at the pooled frequency, a sibling's reads would be
seen by half, for they show too seldom what the sample has not. Only genotypes of which at least `MIN_ALT_SHARE` of the
reads show the alternate are taken: every caller calls those carriers, so that what is selected is known, and the
probability of being selected is divided out. Without that, noise at reference genotypes that were called het
would look like contamination, or the lack of it.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb, log

import numpy as np

from cohelix.joint.contamination.kernels import place_of
from cohelix.joint.schema import (
    CONTAMINATION_AF,
    CONTAMINATION_DEPTHS,
    CONTAMINATION_GRID,
    CONTAMINATION_SHEETS,
    CONTAMINATION_SUMS,
    MIN_ALT_SHARE,
    READ_ERROR,
)

_BINS = 15
"""Of frequencies, 0.06 wide: the likelihood of a row is taken at the middle of its bin. Three times as many move an
estimate of ten percent by a tenth of a percentage point at most, and the table has 45 MB as it is."""

_LEAST = 0.01
"""An allele frequency of the other person, given the sample's genotype, is at least this far from 0 and 1."""


def bins_of(ac: np.ndarray, an: np.ndarray) -> np.ndarray:
    """(rows,) int32: the bin of each row's frequency, -1 where that is not strictly between the bounds."""
    low, high = CONTAMINATION_AF
    # as whole numbers: 0.95 of an is not what 1 - 0.05 of it is as a float
    common = (ac * 100 > an * round(100 * low)) & (ac * 100 < an * round(100 * high))
    place = (ac / np.maximum(an, 1) - low) / (high - low) * _BINS
    return np.where(common, np.minimum(place.astype(np.int64), _BINS - 1), -1).astype(np.int32)


@lru_cache(maxsize=1)
def likelihoods() -> np.ndarray:
    """(reads, bins, CONTAMINATION_SUMS) int32: natural logarithms in 1e-6; `kernels.place_of` numbers the reads."""
    low, high = CONTAMINATION_DEPTHS
    table = np.zeros((place_of(high, high) + 1, _BINS, CONTAMINATION_SUMS), np.int32)
    for n in range(low, high + 1):
        found = _of_depth(n)
        table[place_of(0, n) :][: len(found)] = found  # the reads behind are not taken, and never looked at
    return table


def _of_depth(n: int) -> np.ndarray:
    """(reads of the reference of n, bins, CONTAMINATION_SUMS), as far as such genotypes are taken."""
    most = int(n - MIN_ALT_SHARE * n)
    k = np.arange(most + 1)[:, None]
    ways = np.array([log(comb(n, i)) for i in range(most + 1)])[:, None]
    alphas = np.array(CONTAMINATION_GRID)
    total = np.zeros((most + 1, _BINS, len(CONTAMINATION_SHEETS), alphas.size))
    for sheet, (rho, het) in enumerate(CONTAMINATION_SHEETS):
        shares = (1 - READ_ERROR, het, READ_ERROR)
        for own in range(3):
            for other in range(3):
                p = (1 - alphas) * shares[own] + alphas * shares[other]
                density = np.exp(ways + k * np.log(p) + (n - k) * np.log1p(-p))
                total[:, :, sheet] += _prior(own, other, rho)[None, :, None] * density[:, None, :]
    return np.asarray(np.rint(1e6 * np.log(total / total.sum(axis=0)))).reshape(most + 1, _BINS, -1)


def _prior(own: int, other: int, rho: float) -> np.ndarray:
    """(bins,): the probability of both genotypes."""
    width = (CONTAMINATION_AF[1] - CONTAMINATION_AF[0]) / _BINS
    q = CONTAMINATION_AF[0] + width * (np.arange(_BINS) + 0.5)
    leaning = np.clip(q + rho * (own / 2 - q), _LEAST, 1 - _LEAST)
    return np.asarray(_hardy_weinberg(own, q) * _hardy_weinberg(other, leaning))


def _hardy_weinberg(copies: int, q: np.ndarray) -> np.ndarray:
    return np.asarray(comb(2, copies) * q**copies * (1 - q) ** (2 - copies))
