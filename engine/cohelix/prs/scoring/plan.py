"""How the work is cut: ranges of sites and blocks of samples, from sizes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cohelix.prs.schema import ScoreParams
from cohelix.prs.scoring.ploidy import CLASSES

DENSE_WIDTH = 1024
"""Samples in one product of matrices; blocks of samples are multiples of it."""

DENSE_PLANES = 1024

_RANGE_SITES, _SITES_PER_SCORE = 1 << 16, 64
"""A range has at least so many sites, so that there is little to add up behind the ranges."""

_TILE_BYTES = 1 << 26
"""Packed genotypes of a tile of everybody, at most about."""

_TILE_SITES = 4096
"""A tile of so many planes and 32 samples has 1 MiB: it stays in the second cache."""

_TASKS, _LARGE = 8, 1 << 32
"""So many tasks at least, where there are more products than this."""


@dataclass(frozen=True)
class Range:
    """Places [start, end) among the sites of class `kind`."""

    kind: int
    start: int
    end: int


@dataclass(frozen=True)
class Plan:
    """ranges of sites; blocks of samples [start, end), starts multiples of `DENSE_WIDTH`; tile: sites of a tile."""

    ranges: tuple[Range, ...]
    blocks: tuple[tuple[int, int], ...]
    tile: int


def plan_of(sizes: list[int], n_samples: int, n_scores: int, n_entries: int, params: ScoreParams) -> Plan:
    """sizes: sites of each class."""
    row_bytes = -(-n_samples // 4)
    tile = int(np.clip(_TILE_BYTES // row_bytes // DENSE_PLANES * DENSE_PLANES, DENSE_PLANES, _TILE_SITES))
    at_least = max(_RANGE_SITES, _SITES_PER_SCORE * n_scores)
    ranges: list[Range] = []
    for kind in range(len(CLASSES)):
        ranges += [Range(kind, *edges) for edges in _cut(sizes[kind], at_least, tile)]
    per_sample = 24 * max(n_scores, 1)  # a sum, two counts, and the bits of the counters
    most = max(1, params.memory_mib * (1 << 20) // per_sample // DENSE_WIDTH) * DENSE_WIDTH
    n_blocks = -(-n_samples // most)
    if n_entries * n_samples > _LARGE:
        n_blocks = max(n_blocks, -(-_TASKS // max(len(ranges), 1)))
    return Plan(tuple(ranges), tuple(_cut_evenly(n_samples, n_blocks)), tile)


def _cut(count: int, at_least: int, unit: int) -> list[tuple[int, int]]:
    """Ranges of whole units, nearly equal, of `at_least` each where there are as many."""
    size = math.ceil(math.ceil(count / max(1, count // at_least)) / unit) * unit
    return [(start, min(start + size, count)) for start in range(0, count, size)] if count else []


def _cut_evenly(n_samples: int, n_blocks: int) -> list[tuple[int, int]]:
    units = -(-n_samples // DENSE_WIDTH)
    size = -(-units // n_blocks) * DENSE_WIDTH
    return [(start, min(start + size, n_samples)) for start in range(0, n_samples, size)]
