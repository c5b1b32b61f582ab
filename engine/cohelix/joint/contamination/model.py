"""The likelihood of reads of two people.

A share alpha of the reads at a SNP comes from another person of the cohort. With genotypes g1 of the sample and g2 of
the other, both drawn at the allele's frequency, a read shows the reference with (1 - alpha) p(g1) + alpha p(g2), where
p is 1 - error, 1/2, error. Only genotypes of which at least `MIN_ALT_SHARE` of the reads show the alternate are taken:
every caller calls those carriers, so that what is selected is known, and the probability of being selected is divided
out. Without that, noise at reference genotypes that were called het would look like contamination, or the lack of it.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb, log

import numpy as np

from cohelix.joint.contamination.kernels import place_of
from cohelix.joint.schema import CONTAMINATION_AF, CONTAMINATION_DEPTHS, CONTAMINATION_GRID, MIN_ALT_SHARE, READ_ERROR

_BINS = 45
"""Of frequencies, 0.02 wide: the likelihood of a row is taken at the middle of its bin."""


def bins_of(ac: np.ndarray, an: np.ndarray) -> np.ndarray:
    """(rows,) int32: the bin of each row's frequency, -1 where that is not strictly between the bounds."""
    low, high = CONTAMINATION_AF
    # as whole numbers: 0.95 of an is not what 1 - 0.05 of it is as a float
    common = (ac * 100 > an * round(100 * low)) & (ac * 100 < an * round(100 * high))
    place = (ac / np.maximum(an, 1) - low) / (high - low) * _BINS
    return np.where(common, np.minimum(place.astype(np.int64), _BINS - 1), -1).astype(np.int32)


@lru_cache(maxsize=1)
def likelihoods() -> np.ndarray:
    """(reads, bins, CONTAMINATION_GRID) int32: natural logarithms in 1e-6; `kernels.place_of` numbers the reads."""
    low, high = CONTAMINATION_DEPTHS
    table = np.zeros((place_of(high, high) + 1, _BINS, len(CONTAMINATION_GRID)), np.int32)
    for n in range(low, high + 1):
        found = _of_depth(n)
        table[place_of(0, n) :][: len(found)] = found  # the reads behind are not taken, and never looked at
    return table


def _of_depth(n: int) -> np.ndarray:
    """(reads of the reference of n, bins, CONTAMINATION_GRID), as far as such genotypes are taken."""
    alphas = np.array(CONTAMINATION_GRID)
    shares = (1 - READ_ERROR, 0.5, READ_ERROR)
    most = int(n - MIN_ALT_SHARE * n)
    k = np.arange(most + 1)[:, None]
    ways = np.array([log(comb(n, i)) for i in range(most + 1)])[:, None]
    width = (CONTAMINATION_AF[1] - CONTAMINATION_AF[0]) / _BINS
    q = CONTAMINATION_AF[0] + width * (np.arange(_BINS) + 0.5)
    prior = ((1 - q) ** 2, 2 * q * (1 - q), q**2)
    total = np.zeros((most + 1, _BINS, alphas.size))
    for own in range(3):
        for other in range(3):
            p = (1 - alphas) * shares[own] + alphas * shares[other]
            density = np.exp(ways + k * np.log(p) + (n - k) * np.log1p(-p))
            total += (prior[own] * prior[other])[None, :, None] * density[:, None, :]
    return np.asarray(np.rint(1e6 * np.log(total / total.sum(axis=0))))
