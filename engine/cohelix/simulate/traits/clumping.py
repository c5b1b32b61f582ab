"""Clumping: the best variant of each stretch of linkage, as `plink --clump` chooses it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cohelix.simulate.schema import TraitParams


def clump(
    params: TraitParams,
    p: np.ndarray,
    positions: np.ndarray,
    sites: np.ndarray,
    blocks: Iterable[tuple[int, np.ndarray]],
) -> np.ndarray:
    """Places of the clumps' best variants among the V, best first.

    p (V,): nan is no test. positions (V,) in bases; sites (V,): their columns in the dosages of `blocks`. Variants with
    p <= clump_p are taken in the order of p, then of position; each taken one removes those within `clump_bases` of it
    whose squared correlation with it, over people, is above `clump_r2`.
    """
    candidates = np.flatnonzero(p <= params.clump_p)
    if candidates.size < 2:
        return candidates
    r2 = squared_correlation(sites[candidates], blocks)
    order = np.lexsort((positions[candidates], p[candidates]))
    left = np.ones(candidates.size, bool)
    chosen = []
    for place in order.tolist():
        if left[place]:
            chosen.append(place)
            near = np.abs(positions[candidates] - positions[candidates[place]]) <= params.clump_bases
            left[near & (r2[place] > params.clump_r2)] = False
            left[place] = False
    return candidates[np.array(chosen, np.int64)]


def squared_correlation(sites: np.ndarray, blocks: Iterable[tuple[int, np.ndarray]]) -> np.ndarray:
    """(K, K) of the dosages of K sites; 0 where one does not vary. Sums are of whole numbers, hence exact."""
    n, copies, products = 0, np.zeros(sites.size), np.zeros((sites.size, sites.size))
    for _, block in blocks:
        here = block[:, sites].astype(np.float64)
        n += here.shape[0]
        copies += here.sum(axis=0)
        products += here.T @ here
    covariance = n * products - np.outer(copies, copies)
    variance = np.diagonal(covariance)
    scale = np.outer(variance, variance)
    out = np.zeros_like(covariance)
    np.divide(covariance**2, scale, out=out, where=scale > 0)
    return out
