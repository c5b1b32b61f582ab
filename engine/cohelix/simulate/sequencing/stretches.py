"""What a gVCF says between the records: blocks with and without calls. Places are those of `layout`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.simulate.blocks import inside, merged
from cohelix.simulate.schema import SequencingParams
from cohelix.simulate.sequencing import calling
from cohelix.simulate.sequencing.artefacts import SHARED_UNCALLED
from cohelix.simulate.sequencing.layout import Layout

BANDS = np.array([0, 10, 20, 30, 40, 60, 80, 99])
"""Lower ends of the GQ bands of a block."""
TILE_BASES = (32, 112)  # depth is drawn anew after so many bases
TILE_SHAPE = 50.0  # of the gamma noise on depth: its variance is the mean's square over this
MIN_DEPTH_SHARE = 0.06  # of a block's depth that the lowest base of it lacks, on average
UNCALLED_BASES = 300  # mean length of a stretch that this sample alone has no call in
FEW_READS, STRAY, ARTEFACT, CONTAMINATION, COPIES, DELETED, UNCALLED = range(1, 8)
"""Why a stretch has no evidence; the largest holds for a block of several."""


@dataclass(frozen=True)
class Blocks:
    """B blocks [start, end) by place. quality, depth, min_depth, ploidy, reason (B,); called (B,): false for `./.`."""

    start: np.ndarray
    end: np.ndarray
    quality: np.ndarray
    depth: np.ndarray
    min_depth: np.ndarray
    ploidy: np.ndarray
    called: np.ndarray
    reason: np.ndarray


@dataclass(frozen=True)
class Weak:
    """Bases with reads of another allele and no record: place, depth, quality, reason (n,)."""

    place: np.ndarray
    depth: np.ndarray
    quality: np.ndarray
    reason: np.ndarray


@dataclass(frozen=True)
class Tiles:
    """start (t + 1,): places; noise (t,): depth relative to the mean."""

    start: np.ndarray
    noise: np.ndarray

    def at(self, places: np.ndarray) -> np.ndarray:
        return np.asarray(self.noise[np.searchsorted(self.start, places, side="right") - 1])


def draw_tiles(length: int, rng: np.random.Generator) -> Tiles:
    low, high = TILE_BASES
    edges = np.cumsum(rng.integers(low, high, length // low + 1))
    start = np.concatenate([[0], edges[edges < length], [length]])
    return Tiles(start, rng.gamma(TILE_SHAPE, 1 / TILE_SHAPE, start.size - 1))


def uncalled(params: SequencingParams, layout: Layout, sites: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stretches (m, 2) without any call. Each takes in the whole of each of `sites` (v, 2) that it touches."""
    share = params.uncalled * (1 - SHARED_UNCALLED)
    start = np.sort(rng.integers(0, layout.length, rng.poisson(layout.length * share / UNCALLED_BASES)))
    end = np.minimum(start + rng.geometric(1 / UNCALLED_BASES, start.size), layout.length)
    end = np.minimum(end, layout.begin[np.searchsorted(layout.begin, start, side="right")])
    shared = [
        here.artefacts.unmappable + first
        for here, first in zip(layout.regions, layout.begin.tolist(), strict=False)
        if here.artefacts is not None
    ]
    both = np.concatenate([np.stack([start, end], axis=1), *shared])
    both = both[np.argsort(both[:, 0], kind="stable")]
    start, end = both[:, 0], both[:, 1]
    if sites.size and start.size:
        low = np.searchsorted(sites[:, 1], start, side="right")  # the first site that ends behind the start
        high = np.searchsorted(sites[:, 0], end, side="left") - 1  # the last that starts before the end
        touched = low <= high
        start = np.where(touched, np.minimum(start, sites[np.minimum(low, len(sites) - 1), 0]), start)
        end = np.where(touched, np.maximum(end, sites[high, 1]), end)
    return merged(start, end)


def make_blocks(
    layout: Layout,
    tiles: Tiles,
    records: np.ndarray,
    without: np.ndarray,
    weak: Weak,
    error: float,
    rng: np.random.Generator,
) -> Blocks:
    """Blocks over every base of a ploidy that none of `records` (r, 2) spans. `without` (m, 2): no call there."""
    edges = [tiles.start, layout.start, records.ravel(), without.ravel(), weak.place, weak.place + 1, layout.begin]
    edge = np.sort(np.concatenate(edges))
    edge = edge[np.append(True, edge[1:] != edge[:-1])]
    start, end = edge[:-1], edge[1:]
    segment = layout.segment(start)
    called = ~inside(start, without)
    keep = (layout.ploidy[segment] > 0) & (~called | ~inside(start, records))
    start, end, segment, called = start[keep], end[keep], segment[keep], called[keep]
    mean = (layout.own + layout.foreign)[segment] * layout.depth_at(start) * tiles.at(start)
    depth = rng.poisson(mean)
    lowest = np.maximum(depth - rng.poisson(depth * MIN_DEPTH_SHARE), 0)
    quality = calling.reference_quality(lowest, layout.ploidy[segment], error)
    reason = np.full(start.size, FEW_READS)
    reason[layout.copies[segment] < layout.ploidy[segment]] = COPIES
    reason[layout.lost[segment]] = DELETED
    where = np.minimum(np.searchsorted(start, weak.place), max(start.size - 1, 0))
    there = (start[where] == weak.place) & called[where] if start.size else np.zeros(weak.place.size, bool)
    where = where[there]
    depth[where], lowest[where], quality[where] = weak.depth[there], weak.depth[there], weak.quality[there]
    reason[where] = np.maximum(reason[where], weak.reason[there])
    depth[~called], lowest[~called], quality[~called], reason[~called] = 0, 0, 0, UNCALLED
    quality = np.minimum(quality, BANDS[-1])
    region = np.searchsorted(layout.begin, start, side="right") - 1
    state = [np.searchsorted(BANDS, quality, side="right"), layout.ploidy[segment], called, region]
    return _joined(start, end, state, quality, depth, lowest, reason)


def _joined(
    start: np.ndarray,
    end: np.ndarray,
    state: list[np.ndarray],
    quality: np.ndarray,
    depth: np.ndarray,
    lowest: np.ndarray,
    reason: np.ndarray,
) -> Blocks:
    """Neighbours of one state become one block, with the lowest quality and the mean depth."""
    if start.size == 0:
        none = np.zeros(0, np.int64)
        return Blocks(none, none, none, none, none, none, none > 0, none)
    new = np.ones(start.size, bool)
    new[1:] = start[1:] != end[:-1]
    for column in state:
        new[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(new)
    last = np.append(first[1:], start.size) - 1
    bases = end - start
    mean = np.add.reduceat(depth * bases, first) // np.add.reduceat(bases, first)
    return Blocks(
        start[first], end[last], np.minimum.reduceat(quality, first), mean, np.minimum.reduceat(lowest, first),
        state[1][first], state[2][first], np.maximum.reduceat(reason, first),
    )  # fmt: skip
