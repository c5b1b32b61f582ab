"""Reference blocks: what a gVCF says between the variants of one person.

Offsets count bases from the start of the region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUALITY = np.array([0, 10, 20, 30, 40, 60])  # GQ of a block: the floor of its band, as reblocking leaves it
MEAN_BASES = np.array([20, 40, 60, 90, 140, 250])  # of a block in each band: 100 over all
DEPTH_SHARE = np.array([0.08, 0.25, 0.4, 0.6, 0.8, 1.05])  # of the coverage of the sample
UNCALLED_SHARE = 0.005  # of bases lie in stretches without a call
UNCALLED_BASES = 300  # mean length of such a stretch


@dataclass(frozen=True)
class Blocks:
    """B blocks [start, end) by offset; quality, depth, min_depth, ploidy (B,); called (B,) is false for a no-call."""

    start: np.ndarray
    end: np.ndarray
    quality: np.ndarray
    depth: np.ndarray
    min_depth: np.ndarray
    ploidy: np.ndarray
    called: np.ndarray


def merged(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Intervals (n, 2) in ascending order of start, with those that overlap or touch joined: (m, 2)."""
    if start.size == 0:
        return np.empty((0, 2), np.int64)
    reach = np.maximum.accumulate(end)
    first = np.concatenate([[True], start[1:] > reach[:-1]])
    last = np.concatenate([first[1:], [True]])
    return np.stack([start[first], reach[last]], axis=1)


def uncalled_stretches(length: int, variants: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stretches (m, 2) without any call. Each takes in the whole of each `variants` interval (v, 2) that it touches."""
    count = rng.poisson(length * UNCALLED_SHARE / UNCALLED_BASES)
    start = np.sort(rng.integers(0, length, count))
    end = np.minimum(start + rng.geometric(1 / UNCALLED_BASES, count), length)
    if variants.size and count:
        low = np.searchsorted(variants[:, 1], start, side="right")  # the first variant that ends behind the start
        high = np.searchsorted(variants[:, 0], end, side="left") - 1  # the last that starts before the end
        touched = low <= high
        start = np.where(touched, np.minimum(start, variants[np.minimum(low, len(variants) - 1), 0]), start)
        end = np.where(touched, np.maximum(end, variants[high, 1]), end)
    return merged(start, end)


def inside(offset: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """Whether each offset lies in one of the ascending, disjoint `intervals` (m, 2)."""
    if intervals.size == 0:
        return np.zeros(offset.shape, bool)
    which = np.searchsorted(intervals[:, 0], offset, side="right") - 1
    return np.asarray((which >= 0) & (offset < intervals[np.maximum(which, 0), 1]))


def draw(
    variants: np.ndarray,
    uncalled: np.ndarray,
    ploidy: list[tuple[int, int, int]],
    coverage: float,
    rng: np.random.Generator,
) -> Blocks:
    """Blocks over every base of the region that no called variant spans. `ploidy`: (start, end, copies), in order."""
    length = ploidy[-1][1]
    n = length // 50 + 50  # twice as many blocks as a region of this length needs
    band = np.cumsum(rng.integers(1, QUALITY.size, n)) % QUALITY.size  # neighbours differ
    begins = np.concatenate([[0], np.cumsum(rng.geometric(1 / MEAN_BASES[band]))[:-1]])
    fixed = np.concatenate([variants[~inside(variants[:, 0], uncalled)], uncalled])
    fixed = fixed[np.argsort(fixed[:, 0], kind="stable")]
    cuts = begins[(begins < length) & ~inside(begins, fixed)]
    edges = np.unique(np.concatenate([cuts, fixed.ravel(), [start for start, _, _ in ploidy], [length]]))
    start, end = edges[:-1], edges[1:]
    keep = ~inside(start, fixed) | inside(start, uncalled)
    start, end = start[keep], end[keep]
    called = ~inside(start, uncalled)
    copies = np.array([c for _, _, c in ploidy])[np.searchsorted([s for s, _, _ in ploidy], start, side="right") - 1]
    of_band = band[np.searchsorted(begins, start, side="right") - 1]
    quality = np.where(called, QUALITY[of_band], 0)
    mean = coverage * copies / 2 * DEPTH_SHARE[of_band]
    min_depth = np.maximum(rng.poisson(mean * 0.9), quality // 3)  # a GQ of q needs about q / 3 reads
    depth = min_depth + rng.poisson(mean * 0.1)
    return Blocks(start, end, quality, np.where(called, depth, 0), np.where(called, min_depth, 0), copies, called)
