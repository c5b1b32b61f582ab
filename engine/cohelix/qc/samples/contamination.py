"""Contamination of a sample's reads, from sums that the joint call made.

CHARR (Lu et al. 2023; Hail compute_charr): reads of the reference allele where a sample is homozygous for the alternate
one, over the reference allele's frequency. And the maximum of the likelihood of the reads over a grid of shares.
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
    """charr, contamination with its _low and _high, n_contamination_sites: those that the callset can state."""
    out = {}
    if "n_charr" in samples:
        out["charr"] = ratio(samples["charr_sum_nano"] / NANO, samples["n_charr"])
    path = (callset.commit.meta.get("tables") or {}).get("contamination")
    if path is None:
        return out
    table = callset.table(path)
    alphas = [float(alpha) for alpha in callset.commit.meta["contamination_grid"]]
    sites = np.zeros(callset.n_samples, np.int64)
    estimates = np.full((callset.n_samples, 3), np.nan)
    rows = (table.column(name).to_pylist() for name in ("sample", "n_sites", "grid"))
    for sample, n_sites, grid in zip(*rows, strict=True):
        sites[sample] = n_sites
        if n_sites >= params.min_contamination_sites:
            estimates[sample] = estimate(alphas, [value / MICRO for value in grid], params.likelihood_drop)
    out["n_contamination_sites"] = sites
    for place, name in enumerate(("contamination", "contamination_low", "contamination_high")):
        out[name] = estimates[:, place]
    return out


def estimate(alphas: Sequence[float], likelihoods: Sequence[float], drop: float) -> tuple[float, float, float]:
    """(share, low, high): where the log-likelihood is highest, and where it has fallen by `drop` on either side.

    Between grid points it is the parabola through the highest point and its neighbours; the ends of the interval lie on
    straight lines between points. A side that never falls so far ends with the grid.
    """
    top = int(np.argmax(likelihoods))
    share, height = alphas[top], likelihoods[top]
    if 0 < top < len(alphas) - 1:
        share, height = _vertex(alphas[top - 1 : top + 2], likelihoods[top - 1 : top + 2])
    target = height - drop
    low = _crossing(share, height, list(zip(alphas, likelihoods, strict=True))[: top + 1][::-1], target, -1)
    high = _crossing(share, height, list(zip(alphas, likelihoods, strict=True))[top:], target, +1)
    return share, low, high


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


def _crossing(
    share: float, height: float, points: Sequence[tuple[float, float]], target: float, direction: int
) -> float:
    """Where straight lines from the top outward through `points` first reach `target`."""
    before = (share, height)
    for x, y in points:
        if (x - share) * direction <= 0:
            continue
        if y <= target:
            return before[0] + (x - before[0]) * (before[1] - target) / (before[1] - y)
        before = (x, y)
    return before[0]
