"""Binning: counts rounded up to multiples of 20, as the All of Us Data Browser has them; the alternative to hiding.

Every count is rounded by itself, margins too, so that nothing adds up and no difference of two is a count. Two sums of
the same cells may still bound one another: a count whose range over all whole tables that give the published numbers is
within 1 to least - 1 more narrowly than its own bin says was worked out (`confined`).
"""

from __future__ import annotations

import numpy as np

from cohelix.release.disclosure.linear import Knowledge, bounds_of
from cohelix.release.disclosure.tables import CountTable, Protected, State


def binned(counts: np.ndarray, least: int) -> np.ndarray:
    """Counts rounded up to multiples of least - 1; 0 stays. No 1 to least - 1 is told from others of them."""
    width = least - 1
    rounded: np.ndarray = -(-np.asarray(counts, np.int64) // width) * width
    return rounded


def protect_binned(table: CountTable, least: int) -> Protected:
    state = np.full(len(table.values), State.SHOWN, np.int8)
    return Protected(table.name, table.dims, table.categories, table.places, state, binned(table.values, least))


def confined(table: CountTable, least: int) -> np.ndarray:
    """int64, places of small cells of which binned numbers tell more than that they are 1 to least - 1."""
    width = least - 1
    high = binned(table.values, least).astype(float)
    low = np.maximum(high - width + 1, 0)
    most = np.full(table.counts.size, np.inf)
    known = Knowledge(table.members, low, high, most)
    found = []
    for cell in np.flatnonzero((table.values > 0) & (table.values < least)).tolist():
        bounds = bounds_of(known, table.members[[cell]].toarray()[0])
        if bounds is not None and (bounds[0] > 1 or bounds[1] < width):
            found.append(cell)
    return np.array(found, np.int64)
