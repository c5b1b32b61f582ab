"""The likelihood of each share of another person's reads at the best of what else is not known: how that person's
genotypes lean to the sample's own (rho), and how many reads of a heterozygote show the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np

from cohelix.joint.schema import (
    CONTAMINATION_GRID,
    CONTAMINATION_RHO,
    CONTAMINATION_SHEETS,
    HET_REFERENCE_SHARES,
    RHO_FLOOR,
    RHO_SPREAD,
)

_MICRO = 1e6


def profile(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(grid, rho) of sums (samples, CONTAMINATION_SUMS) int64.

    grid (samples, CONTAMINATION_GRID) int64, in 1e-6. rho (samples,) float64 at the best share, NaN where that is 0.
    What a better share of the reference at heterozygotes gains is found at rho 0 and added at every rho.
    """
    heights = sums.reshape(len(sums), len(CONTAMINATION_SHEETS), len(CONTAMINATION_GRID)) / _MICRO
    sheet = {one: heights[:, place] for place, one in enumerate(CONTAMINATION_SHEETS)}
    middle = HET_REFERENCE_SHARES[1]
    of_shares, _ = _summit(HET_REFERENCE_SHARES, np.stack([sheet[0.0, share] for share in HET_REFERENCE_SHARES]))
    gain = of_shares - sheet[0.0, middle]
    leaning = np.stack([sheet[rho, middle] + _log_prior(rho) for rho in CONTAMINATION_RHO])
    best, rho = _summit(CONTAMINATION_RHO, leaning)
    grid = np.rint(_MICRO * (best + gain)).astype(np.int64)
    top = grid.argmax(axis=1)
    found = np.take_along_axis(rho, top[:, None], axis=1)[:, 0]
    return grid, np.where(np.array(CONTAMINATION_GRID)[top] > 0, found, np.nan)


def _log_prior(rho: float) -> float:
    """Of the 1000 Genomes' random pairs, and a little of relatives; 0 at rho 0."""
    return log((exp(-((rho / RHO_SPREAD) ** 2) / 2) + RHO_FLOOR) / (1 + RHO_FLOOR))


def _summit(at: Sequence[float], heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(height, place) of the top of the parabola through the highest of heights (len(at), ...) and its neighbours, kept
    between these.
    """
    x = np.array(at)
    highest = heights.argmax(axis=0)
    middle = np.clip(highest, 1, len(at) - 2)
    x0, x1, x2 = (x[middle + step] for step in (-1, 0, 1))
    y0, y1, y2 = (np.take_along_axis(heights, (middle + step)[None], axis=0)[0] for step in (-1, 0, 1))
    # Newton's divided differences: y = y0 + slope (x - x0) + bend (x - x0) (x - x1)
    slope = (y1 - y0) / (x1 - x0)
    bend = ((y2 - y1) / (x2 - x1) - slope) / (x2 - x0)
    curved = bend < 0
    place = np.clip((x0 + x1) / 2 - slope / (2 * np.where(curved, bend, -1.0)), x0, x2)
    place = np.where(curved, place, x[highest])
    height = y0 + slope * (place - x0) + bend * (place - x0) * (place - x1)
    return np.where(curved, height, heights.max(axis=0)), place
