"""Degrees from kinship, and which of the first are parents and children.

Cut-offs are KING's: geometric means of the kinships expected of neighbouring degrees (Manichaikul and others 2010,
table 1).
"""

from __future__ import annotations

import numpy as np

CUTOFFS = (2.0**-1.5, 2.0**-2.5, 2.0**-3.5, 2.0**-4.5)
"""Least kinship of duplicates and twins, first, second and third degree: 0.354, 0.177, 0.0884, 0.0442."""

RELATIONSHIPS = (
    "duplicate_or_twin",
    "parent_child",
    "full_siblings",
    "first_degree",
    "second_degree",
    "third_degree",
    "distant",
)

_MIN_EXPECTED = 20.0
"""Opposite homozygotes that full sibs have to be expected to have, before having few tells anything."""


def degrees(kinship: np.ndarray) -> np.ndarray:
    """int64: 0 duplicates or twins, 1, 2, 3, and 4 for what lies beyond."""
    return np.asarray(np.sum([kinship < cutoff for cutoff in CUTOFFS], axis=0), np.int64)


def unrelated_ibs0(counts: np.ndarray, mean_rate: float) -> np.ndarray:
    """float64 (pairs,): the rate of opposite homozygotes expected were a pair unrelated.

    counts int64 (pairs, 5) as in `king.kernels`. It is the mean rate of all pairs, but at least half the squared rate
    of heterozygotes: 2 p^2 q^2 against 2 p q at a site. The mean is too small where most pairs are of one family.
    """
    sites = np.maximum(counts[:, 1:].sum(axis=1), 1)
    hets = (2 * counts[:, 1] + counts[:, 2] + counts[:, 3]) / (2 * sites)
    return np.asarray(np.maximum(mean_rate, hets**2 / 2))


def relationships(
    degree: np.ndarray, ibs0: np.ndarray, n_sites: np.ndarray, expected: np.ndarray, max_share: float
) -> np.ndarray:
    """int64 indexes into RELATIONSHIPS. expected: `unrelated_ibs0`; max_share: most of it in parent and child."""
    out: np.ndarray = np.array([0, 3, 4, 5, 6], np.int64)[degree]
    enough = expected * n_sites / 4 >= _MIN_EXPECTED
    few = ibs0 < max_share * expected * n_sites
    out[(degree == 1) & enough] = np.where(few, 1, 2)[(degree == 1) & enough]
    return out
