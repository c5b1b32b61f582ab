"""Every pair of samples, block by block: those that may be related, then what all sites say of them.

A task takes a square of the pairs, and returns only pairs that are kept and a small histogram: nothing grows with the
square of the samples but the number of tasks, which depends on the samples alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from cohelix.genotypes.packed.matrix import block_edges
from cohelix.relatedness.king import kernels
from cohelix.relatedness.king.kernels import LANES
from cohelix.relatedness.planes import Planes, Stretch
from cohelix.relatedness.screen import Screen, may_be_related
from cohelix.runtime.protocol import Runtime

KINSHIP_BINS, IBS0_BINS = 100, 60
_ROWS = 128
"""Samples whose planes stay in the processor's second cache."""
_MAX_BLOCKS = 64
_MAX_MISSING = 0.1
"""With more missing genotypes than this, to look at each of them costs more than to count bits for them."""


@dataclass(frozen=True)
class Found:
    """Pairs int64 (n, 2), first below second, in order; counts int64 (n, 5) over all sites (`king.kernels`).

    histogram int64 (kinship bins + 1, ibs0 bins) of all pairs at the sites of the first look; row 0: those without
    kinship. n_candidates: pairs that the screen left. ibs0_rate: mean of all pairs.
    """

    pairs: np.ndarray
    counts: np.ndarray
    histogram: np.ndarray
    n_candidates: int
    ibs0_rate: float


@dataclass(frozen=True)
class _Square:
    screen: Callable[[], _Scan]
    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True)
class _Scan:
    looks: tuple[Planes, ...]
    every: Planes
    places: np.ndarray
    rule: Screen
    min_kinship: float


@dataclass(frozen=True)
class _Part:
    pairs: np.ndarray
    counts: np.ndarray
    histogram: np.ndarray
    n_candidates: int
    ibs0: int


def scan(
    looks: tuple[Planes, ...], every: Planes, places: np.ndarray, rule: Screen, min_kinship: float, runtime: Runtime
) -> Found:
    """Pairs of kinship `min_kinship` or more over the sites of `every`, of those that `rule` leaves.

    looks: planes of the sites of either look of the screen, if there is one.

    places: float64 (samples, k), positions of ancestry (`king.kernels.judge_tile`); k = 0 where none are known.
    """
    n_samples = every.n_samples
    per_block = LANES * max(1, -(-n_samples // (LANES * _MAX_BLOCKS)))
    blocks = block_edges(n_samples, per_block)
    shared = runtime.share(_Scan(looks, every, places, rule, min_kinship))
    tasks = [_Square(shared, rows, columns) for at, rows in enumerate(blocks) for columns in blocks[at:]]
    parts = list(runtime.map(_scan_square, tasks, label="pairs"))
    pairs = np.concatenate([part.pairs for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    histogram = np.sum([part.histogram for part in parts], axis=0)
    first = looks[0] if looks else every
    called = first.called.astype(np.float64)
    looked_at = (called.sum() ** 2 - (called**2).sum()) / (2 * first.n_sites)  # sites of all pairs, about
    rate = sum(part.ibs0 for part in parts) / looked_at if looked_at else 0.0
    return Found(pairs[order], counts[order], histogram, sum(part.n_candidates for part in parts), rate)


def _scan_square(task: _Square) -> _Part:
    scan = task.screen()
    first = scan.looks[0] if scan.looks else scan.every
    stretches, every = first.stretches(), scan.every.stretches()
    later = [planes.stretches() for planes in scan.looks[1:]]
    histogram = np.zeros((KINSHIP_BINS + 1, IBS0_BINS), np.int64)
    pairs, counts, n_candidates = [np.empty((0, 2), np.int64)], [np.empty((0, 5), np.int64)], 0
    ibs0 = np.zeros(1, np.int64)
    for block, columns in product(_within(task.rows, LANES), _within(task.columns, LANES)):
        if columns[1] <= block[0] + 1:
            continue  # below the diagonal
        for rows, tile in count_square(first, stretches, block, columns):
            candidates = _candidates(scan, first, tile, rows, columns, histogram, ibs0)
            for more, slack in zip(later, scan.rule.slacks[1:], strict=True):
                candidates = _left(scan, candidates, tile, (rows[0], columns[0]), more, slack)
            n_candidates += len(candidates)
            exact = count_chosen(every, candidates)
            kept = kinship_of(exact) + _apart(scan, candidates, exact) >= scan.min_kinship
            pairs.append(candidates[kept])
            counts.append(exact[kept])
    return _Part(np.concatenate(pairs), np.concatenate(counts), histogram, n_candidates, int(ibs0[0]))


def count_square(
    planes: Planes, stretches: Sequence[Stretch], block: tuple[int, int], columns: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Rows, and int32 (rows, columns, 4) counts of their pairs, of two blocks of LANES samples (the last shorter)."""
    sparse = planes.missing_share <= _MAX_MISSING
    if sparse:
        row_gaps = _gaps(stretches, block, columns)
        column_gaps = row_gaps if block == columns else _gaps(stretches, columns, block)
    for rows in _within(block, _ROWS):
        out = np.zeros((rows[1] - rows[0], columns[1] - columns[0], 4), np.int32)
        for stretch in stretches:
            some, others = stretch.planes[slice(*rows)], stretch.planes[slice(*columns)]
            if sparse:
                kernels.count_two_tile(some, others, out)
            else:
                kernels.count_tile(some, others, out)
        if sparse:
            first = rows[0] - block[0]
            own = row_gaps[first : first + len(out)]
            hets = planes.hets[slice(*rows)], planes.hets[slice(*columns)]
            kernels.settle_tile(out, *hets, own, column_gaps, first)
        yield rows, out


def _gaps(stretches: Sequence[Stretch], samples: tuple[int, int], others: tuple[int, int]) -> np.ndarray:
    """int32 (samples, LANES): sites that one misses and another is heterozygous at."""
    out = np.zeros((samples[1] - samples[0], LANES), np.int32)
    lanes = np.zeros((4, kernels.WORDS), np.uint64)
    for stretch in stretches:
        starts, rows = stretch.starts[samples[0] : samples[1] + 1], stretch.rows[others[0] // LANES]
        kernels.count_gaps(starts, stretch.gaps, rows, lanes, lanes.reshape(-1).view(np.uint8), out)
    return out


def count_chosen(stretches: Sequence[Stretch], pairs: np.ndarray) -> np.ndarray:
    """int64 (n, 5) counts of pairs int64 (n, 2)."""
    out = np.zeros((len(pairs), 5), np.int64)
    first, second = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    for stretch in stretches if len(pairs) else ():
        kernels.count_pairs(stretch.planes, first, second, out)
    return out


def kinship_of(counts: np.ndarray) -> np.ndarray:
    """KING-robust kinship, between families, of counts (n, 4 or 5); NaN where neither sample has a heterozygote.

    1/2 - (4 IBS0 + one heterozygous) / (4 min(heterozygotes of either)), over sites called in both.
    """
    different = 4 * counts[:, 0] + counts[:, 2] + counts[:, 3]
    hets = counts[:, 1] + np.minimum(counts[:, 2], counts[:, 3])
    out = np.full(len(counts), np.nan)
    known = hets > 0
    out[known] = 0.5 - different[known] / (4.0 * hets[known])
    return out


def _candidates(
    scan: _Scan, planes: Planes, tile: np.ndarray, rows: tuple[int, int], columns: tuple[int, int],
    histogram: np.ndarray, ibs0: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """int64 (n, 2) pairs that may be related, the first sample below the second."""
    found = np.empty((tile.shape[0] * tile.shape[1], 2), np.int32)
    calls = planes.called / math.sqrt(planes.n_sites)
    slack = scan.rule.slacks[0] if scan.rule.looks else 0.0
    count = kernels.judge_tile(
        tile, rows[0] - columns[0], calls[slice(*rows)], calls[slice(*columns)], scan.places[slice(*rows)],
        scan.places[slice(*columns)], scan.rule.slope, slack, histogram, ibs0, found,
    )  # fmt: skip
    return np.asarray(found[:count] + np.array([rows[0], columns[0]], np.int64))


def _left(
    scan: _Scan, pairs: np.ndarray, tile: np.ndarray, corner: tuple[int, int], more: Sequence[Stretch], slack: float
) -> np.ndarray:
    """Those of `pairs` that a second look leaves: counts of the first are in `tile`, `more` are stretches to add."""
    counts = count_chosen(more, pairs)
    counts[:, :4] += tile[pairs[:, 0] - corner[0], pairs[:, 1] - corner[1]]
    apart = np.zeros(len(pairs))
    if scan.places.shape[1]:
        sites = sum(planes.called[pairs].prod(axis=1) / planes.n_sites for planes in scan.looks)
        apart = _distance(scan, pairs) * sites
    return np.asarray(pairs[may_be_related(counts, apart, scan.rule.slope, slack)])


def _distance(scan: _Scan, pairs: np.ndarray) -> np.ndarray:
    """float64 (pairs,): squared distance of ancestries."""
    return np.asarray(((scan.places[pairs[:, 0]] - scan.places[pairs[:, 1]]) ** 2).sum(axis=1))


def _apart(scan: _Scan, pairs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """float64 (pairs,): what difference of ancestry takes off kinship."""
    hets = counts[:, 1] + np.minimum(counts[:, 2], counts[:, 3])
    return np.asarray(_distance(scan, pairs) * sites_of(counts) / (4.0 * np.maximum(hets, 1)))


def sites_of(counts: np.ndarray) -> np.ndarray:
    """int64 (pairs,): sites called in both, from counts (n, 5)."""
    return np.asarray(counts[:, 1:].sum(axis=1))


def _within(edges: tuple[int, int], size: int) -> list[tuple[int, int]]:
    return [(start + edges[0], end + edges[0]) for start, end in block_edges(edges[1] - edges[0], size)]
