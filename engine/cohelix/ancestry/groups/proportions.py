"""Admixture proportions from components.

A person whose ancestors are drawn from several groups lies, on average, at the mean of their centres, weighted by the
proportions (McVean 2009): so the proportions are those that bring the weighted mean of the centres nearest to the
person, none negative, with a sum of one. Rye (Conley et al. 2023) solves it by non-negative least squares.
"""

from __future__ import annotations

import numpy as np

from cohelix.ancestry.groups import kernels

_RIDGE = 1e-9
"""Added to the squares of the centres, relative to their mean: one answer is left where a centre is a mixture too."""


def proportions(scores: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """float64 (samples, groups), rows of sum 1; NaN where a score is not known.

    scores: float64 (samples, components). centres: float64 (groups, components).
    """
    middle = centres.mean(axis=0)  # what all have in common says nothing, and would cost digits
    points = centres - middle
    gram = np.zeros((len(centres), len(centres)))
    linear = np.zeros((len(scores), len(centres)))
    for component in range(centres.shape[1]):
        own = points[:, component]
        gram += own[:, None] * own[None, :]
        linear += (scores[:, component, None] - middle[component]) * own[None, :]
    size = float(np.trace(gram)) / len(centres)
    gram[np.diag_indices(len(centres))] += _RIDGE * size if size > 0 else 1.0
    out = np.empty_like(linear)
    kernels.mix(linear, gram, out)
    return out
