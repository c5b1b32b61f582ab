"""Contamination of a sample's reads, from sums that the joint call made.

CHARR (Lu et al. 2023; Hail compute_charr): reads of the reference allele where a sample is homozygous for the alternate
one, over the reference allele's frequency. And the maximum of the likelihood of the reads over a grid of shares, with
rho, how the other person's genotypes lean to the sample's own, at that maximum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cohelix.genotypes.callset import Callset
from cohelix.qc.samples.metrics import NANO, ratio
from cohelix.qc.schema import SampleQcParams

MICRO = 1e6
"""Log-likelihoods are stored as natural logarithms in 1e-6."""


def contamination_of(callset: Callset, samples: dict[str, np.ndarray], params: SampleQcParams) -> dict[str, np.ndarray]:
    """charr, contamination with its _low, _high and _rho, n_contamination_sites: those that the callset can state."""
    out = {}
    if "n_charr" in samples:
        out["charr"] = ratio(samples["charr_sum_nano"] / NANO, samples["n_charr"])
    path = (callset.commit.meta.get("tables") or {}).get("contamination")
    if path is None:
        return out
    table = callset.table(path)
    alphas = [float(alpha) for alpha in callset.commit.meta["contamination_grid"]]
    sites = np.zeros(callset.n_samples, np.int64)
    estimates, rhos = np.full((callset.n_samples, 3), np.nan), np.full(callset.n_samples, np.nan)
    leaning = table.column("rho").to_pylist() if "rho" in table.column_names else [None] * table.num_rows
    rows = (table.column(name).to_pylist() for name in ("sample", "n_sites", "grid"))
    for sample, n_sites, grid, rho in zip(*rows, leaning, strict=True):
        sites[sample] = n_sites
        if n_sites >= params.min_contamination_sites:
            estimates[sample] = estimate(alphas, [value / MICRO for value in grid], params.likelihood_drop)
            rhos[sample] = np.nan if rho is None else rho
    out["n_contamination_sites"], out["contamination_rho"] = sites, rhos
    for place, name in enumerate(("contamination", "contamination_low", "contamination_high")):
        out[name] = estimates[:, place]
    return out


def estimate(alphas: Sequence[float], likelihoods: Sequence[float], drop: float) -> tuple[float, float, float]:
    """(share, low, high): where the log-likelihood is highest, and where it has fallen by `drop` on either side.

    On the scale of the root of the share, where the log-likelihood is nearly a parabola: the top is that of the one
    through the highest point and its neighbours, and the root of the fall from it is straight between grid points.
    A side that never falls so far ends with the grid.
    """
    top, roots = int(np.argmax(likelihoods)), [alpha**0.5 for alpha in alphas]
    peak, height = roots[top], likelihoods[top]
    if 0 < top < len(roots) - 1:
        peak, height = _vertex(roots[top - 1 : top + 2], likelihoods[top - 1 : top + 2])
    falls = [(root, max(0.0, height - likelihood) ** 0.5) for root, likelihood in zip(roots, likelihoods, strict=True)]
    low = _crossing(peak, [point for point in falls[::-1] if point[0] < peak], drop**0.5)
    high = _crossing(peak, [point for point in falls if point[0] > peak], drop**0.5)
    return peak**2, low**2, high**2


def _vertex(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """The highest place of the parabola through three points of which the middle one is highest."""
    left, right = x[0] - x[1], x[2] - x[1]
    slope_left, slope_right = (y[0] - y[1]) / left, (y[2] - y[1]) / right
    bend = (slope_right - slope_left) / (right - left)
    if bend >= 0:  # flat
        return x[1], y[1]
    tilt = slope_left - bend * left
    step = -tilt / (2 * bend)
    return x[1] + step, y[1] + tilt * step + bend * step * step


def _crossing(peak: float, outward: Sequence[tuple[float, float]], target: float) -> float:
    """Where straight lines from (peak, 0) through the points `outward` first reach `target`."""
    before = (peak, 0.0)
    for x, fall in outward:
        if fall >= target:
            return before[0] + (x - before[0]) * (target - before[1]) / (fall - before[1])
        before = (x, fall)
    return before[0]
