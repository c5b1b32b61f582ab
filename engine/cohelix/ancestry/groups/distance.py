"""Centres of the reference groups, and how far from each a sample lies."""

from __future__ import annotations

import numpy as np


def centres_of(scores: np.ndarray, codes: np.ndarray, n_groups: int) -> np.ndarray:
    """Mean scores of each group, float64 (groups, components). codes: the group of each row of `scores`."""
    return np.stack([scores[codes == group].mean(axis=0) for group in range(n_groups)])


def distances(scores: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Euclidean distance of every sample to every centre, float64 (samples, groups); NaN where a score is not known.

    Scores are left singular vectors of the standardised genotypes times the square root of their eigenvalue, of
    Z Z' / n_sites: the square of a distance is then the mean, over sites, of the squared difference of standardised
    genotypes, as far as these components see it. It does not grow with the number of sites.
    """
    out = np.zeros((len(scores), len(centres)))
    for component in range(centres.shape[1]):  # a component at a time: no samples x groups x components
        out += (scores[:, component, None] - centres[None, :, component]) ** 2
    return np.sqrt(out)
