"""Pruning by linkage disequilibrium, as `plink2 --indep-pairwise` does it: the same variants stay.

A window moves over each contig; of two variants in it whose genotypes are correlated, one goes. r squared is that of
genotypes 0, 1 and 2 over samples called in both. A contig, or with windows in bases a stretch between two gaps that are
wider than a window, is a piece of work of its own. Memory is a window of variants and a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from cohelix.genotypes.ld import kernels
from cohelix.genotypes.ld.kernels import Held
from cohelix.genotypes.packed.counting import masks_of
from cohelix.genotypes.packed.kernels import split_row
from cohelix.genotypes.packed.matrix import Matrix
from cohelix.genotypes.packed.reader import rows_of_block
from cohelix.runtime.protocol import Runtime

_EPSILON = 2.0**-44
"""plink2 raises the threshold by this share, so that r squared of exactly the threshold is not above it."""

_WORDS = 16
"""Planes are so many words or a multiple: vectors then go into a plane without a rest."""

_TASK_ROWS = 20_000
"""Variants that a task takes at least, where stretches are shorter."""


@dataclass(frozen=True)
class Window:
    """`size` variants, moved on by `step` of them; or with in_bases `size` bases, moved on variant by variant."""

    size: int
    step: int = 1
    in_bases: bool = False

    def edges(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(starts, ends) of the windows of a stretch, int64, from its positions."""
        n = len(positions)
        if self.in_bases:
            starts, ends = np.empty(n, np.int64), np.empty(n, np.int64)
            count = kernels.windows_of_bases(positions.astype(np.int64), self.size, starts, ends)
            return starts[:count], ends[:count]
        starts = np.arange(0, max(1, n - self.size + self.step), self.step, dtype=np.int64)
        return starts, np.minimum(starts + self.size, n)


@dataclass(frozen=True)
class Task:
    """Stretches [start, end) of rows of a matrix, with the position of each row from the first on."""

    matrix: Callable[[], Matrix]
    stretches: tuple[tuple[int, int], ...]
    positions: np.ndarray
    window: Window
    r2: float


def prune(matrix: Matrix, window: Window, r2: float, runtime: Runtime) -> np.ndarray:
    """bool (sites,): the rows that stay. Of two with r squared above `r2`, that with the rarer minor allele goes.

    A variant whose called genotypes are all the same goes, too, unless it is alone in its stretch.
    """
    sites = matrix.sites()
    positions = sites.column("position").to_numpy().astype(np.int64)
    codes = pc.dictionary_encode(sites.column("contig")).combine_chunks().indices.to_numpy()
    cut = np.diff(codes) != 0
    if window.in_bases:
        cut |= np.diff(positions) > window.size
    edges = np.concatenate([[0], np.flatnonzero(cut) + 1, [matrix.n_sites]])
    shared = runtime.share(matrix)
    tasks = [
        Task(shared, stretches, positions[stretches[0][0] : stretches[-1][1]], window, r2)
        for stretches in _gathered(edges)
    ]
    kept = [np.unpackbits(bits, count=len(task.positions)) for task, bits in
            zip(tasks, runtime.map(run, tasks, label="LD pruning"), strict=True)]  # fmt: skip
    return np.concatenate([np.empty(0, bool), *kept]).astype(bool)


def run(task: Task) -> np.ndarray:
    """Bits (packed, uint8) of the rows that stay."""
    matrix, origin = task.matrix(), task.stretches[0][0]
    stays = [
        prune_stretch(matrix, start, task.positions[start - origin : end - origin], task.window, task.r2)
        for start, end in task.stretches
    ]
    return np.packbits(np.concatenate(stays))


def prune_stretch(matrix: Matrix, first: int, positions: np.ndarray, window: Window, r2: float) -> np.ndarray:
    """bool: which of the rows [first, first + len(positions)) stay, which no window parts."""
    n, threshold = len(positions), r2 * (1 + _EPSILON)
    removed = np.zeros(n, bool)
    if n < 2:
        return ~removed
    starts, ends = window.edges(positions)
    rows = min(n, rows_of_block(matrix.n_samples))
    members = _members(matrix.n_samples)
    held, slots, done = _room(rows + min(n, window.size if not window.in_bases else rows), len(members)), 0, 0
    for at, block in matrix.blocks(first, first + n, rows):
        if slots + len(block) > len(held.site):
            held = _more(held, slots, len(block))
        slots = kernels.hold_rows(block, members, at - first, slots, held, removed)
        loaded = at - first + len(block)
        done = kernels.walk_windows(starts, ends, done, loaded, slots, held, matrix.n_samples, threshold, removed)
        if done < len(starts):
            slots = kernels.close_ranks(int(starts[done]), slots, held, removed)
    return ~removed


def _gathered(edges: np.ndarray) -> Iterator[tuple[tuple[int, int], ...]]:
    """Stretches between edges, as many together as make `_TASK_ROWS`."""
    together: list[tuple[int, int]] = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        together.append((start, end))
        if end - together[0][0] >= _TASK_ROWS:
            yield tuple(together)
            together = []
    if together and together[0][0] < together[-1][1]:
        yield tuple(together)


def _members(n_samples: int) -> np.ndarray:
    """The low bits of a row in which every sample has genotype 1, as `split_row` lays them out."""
    row = masks_of(np.zeros(n_samples, np.int64), 1)[0]
    low, high = np.empty(-(-len(row) // 2), np.uint64), np.empty(-(-len(row) // 2), np.uint64)
    split_row(row, low, high)
    return low


def _room(slots: int, words: int) -> Held:
    padded = -(-words // _WORDS) * _WORDS
    return Held(
        np.empty((slots, 2, padded), np.uint64),
        np.empty((slots, 4), np.int64),
        np.empty(slots, np.int64),
        np.empty(slots, np.int64),
    )


def _more(held: Held, slots: int, rows: int) -> Held:
    """Room for `rows` more than `slots`, and half as many again."""
    larger = _room((slots + rows) * 3 // 2, held.planes.shape[2])
    for to, source in zip(larger, held, strict=True):
        to[:slots] = source[:slots]
    return larger
