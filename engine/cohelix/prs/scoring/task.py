"""One task: a range of sites for a block of samples, from packed rows to sums and counts on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohelix.genotypes.packed.counting import count_groups
from cohelix.genotypes.packed.matrix import Matrix
from cohelix.kernel import LANES
from cohelix.prs.schema import ScoreParams
from cohelix.prs.scoring import kernels
from cohelix.prs.scoring.entries import Head, Tile, read_head, read_tile, write_tiles
from cohelix.prs.scoring.frequencies import IMPUTES, alleles_of, frequencies_of, values_of
from cohelix.prs.scoring.partial_sums import Found, RangeScores, recall, record
from cohelix.prs.scoring.plan import DENSE_PLANES, DENSE_WIDTH, Plan
from cohelix.prs.scoring.ploidy import Cells, Reading, apply_reading

_WORDS = DENSE_WIDTH // LANES

DENSE_SHARE = 0.4
"""Scores with a weight at more of the sites of a range than this are multiplied as a matrix."""

FEWEST_DENSE = 16
"""Fewer dense scores than this are no matrix worth packing."""

INVERTED_SHARE = 0.5
"""For scores with rows at more of the sites than this, it is the sites without one that are counted."""


@dataclass(frozen=True)
class ClassOfSites:
    """Sites of one class: the matrix of their rows; sites int64, their numbers, increasing; reference float64 (sites,)
    frequencies, None where the policy asks for none; the cells of the samples, and how their genotypes are read.
    """

    matrix: Matrix
    sites: np.ndarray
    reference: np.ndarray | None
    cells: Cells
    reading: Reading | None


@dataclass(frozen=True)
class Work:
    """What all tasks share. match: folder of matched scores; folder: where parts go; n_sites: matched; places
    int32 (scores of the match,): place of each among those that are added up."""

    match: Path
    folder: Path
    classes: tuple[ClassOfSites, ...]
    plan: Plan
    n_sites: int
    places: np.ndarray
    params: ScoreParams


@dataclass(frozen=True)
class Task:
    """Range and block by their numbers in the plan."""

    work: Callable[[], Work]
    range: int
    block: int


@dataclass(frozen=True)
class Span:
    """Tiles of a range that are laid down together."""

    work: Callable[[], Work]
    own: int
    tiles: range


def lay_tiles(span: Span) -> None:
    """Entries of the span's tiles are in files when this returns."""
    work = span.work()
    own = work.plan.ranges[span.own]
    sites = work.classes[own.kind].sites[own.start : own.end]
    fold = work.params.missing != "drop"
    places = (work.places, work.n_sites)
    write_tiles(work.match, work.folder, span.own, span.tiles, sites, work.plan.tile, places, fold)


def run_task(task: Task) -> Found:
    """Sums and counts of the task's range and block are in files when this returns, unless genotypes are missing that
    must not be, or no frequency is known for them; `Found` says how many."""
    work = task.work()
    known = recall(work.folder, task.range, task.block)
    if known is not None:
        return known
    job = _Job(work, task)
    job.run()
    return record(work.folder, task.range, task.block, job.found(), job.arrays())


class _Job:
    """The running sums of one task."""

    def __init__(self, work: Work, task: Task) -> None:
        own, plan = work.plan.ranges[task.range], work.plan
        self.work, self.own, self.of_class = work, own, work.classes[own.kind]
        self.start, self.end = plan.blocks[task.block]
        self.range, self.first_block = task.range, task.block == 0
        self.imputes = work.params.missing in IMPUTES
        size = own.end - own.start
        self.heads = [read_head(work.folder, task.range, number) for number in range(-(-size // plan.tile))]
        self.scores = _scores_of(self.heads, len(work.places), size)
        self.n_words = -(-(self.end - self.start) // LANES)
        self.n_missing = self.n_sites_missing = self.n_unknown = 0
        self.site_counts = np.zeros((size, 4), np.int64)
        self._make_room(size)

    def _make_room(self, n_sites: int) -> None:
        of, dense = self.scores, self.scores.dense
        self.place = np.where(dense, np.cumsum(dense), np.cumsum(~dense)) - 1
        self.number = np.full(len(self.work.places), -1, np.int64)
        self.number[of.scores] = np.arange(len(of.scores))
        self.inverted = of.distinct & (of.n_rows > INVERTED_SHARE * n_sites)
        self.sparse = aligned(self.n_words, int((~dense).sum()), LANES)
        padded = -(-self.n_words // _WORDS) * DENSE_WIDTH
        self.dense = np.zeros((int(dense.sum()), padded if dense.any() else 0))
        most = max(int(of.n_rows.max(initial=0)), n_sites if self.inverted.any() else 0)
        levels = max(kernels.FREE, most.bit_length())
        self.counters = np.zeros((len(of.scores) + 1, levels, self.n_words), np.uint64)
        self.held, self.carry = np.empty(8, np.int64), np.empty(kernels.CHUNK, np.uint64)
        # of the samples of the block: 4 * cell, and a mask of those who have a copy; padding has no copy
        code = self.of_class.cells.code[self.start : self.end]
        self.cells = np.zeros(max(padded, self.n_words * LANES), np.int32)
        self.cells[: len(code)] = 4 * code
        self.used = np.unique(code)
        copies = np.zeros(self.n_words * LANES, np.int8)
        copies[: len(code)] = self.of_class.cells.copies[code]
        bits = np.zeros((self.n_words * LANES, 2), np.uint8)
        bits[:, 0] = copies > 0
        self.present = np.packbits(bits.reshape(-1), bitorder="little").view(np.uint64)

    def run(self) -> None:
        cells, policy = self.of_class.cells, self.work.params.missing
        for first, block in self.of_class.matrix.blocks(self.own.start, self.own.end, self.work.plan.tile):
            apply_reading(block, self.of_class.reading)
            counts = count_groups(block, cells.masks)
            low = first - self.own.start
            high = low + len(block)
            reference = self.of_class.reference
            known = None if reference is None else reference[first : first + len(block)]
            p, unknown = frequencies_of(policy, counts, cells, known)
            self._note(low, high, counts, p, unknown)
            if self.n_unknown or (policy == "error" and self.n_missing):
                continue  # what is missing is counted on; no sum will be used
            head = self.heads[low // self.work.plan.tile]
            values = values_of(head.forms, p[head.sites], cells.copies, self.imputes)
            self._add(block, head, read_tile(self.work.folder, self.range, low // self.work.plan.tile), values)

    def _note(self, low: int, high: int, counts: np.ndarray, p: np.ndarray, unknown: np.ndarray) -> None:
        cells = self.of_class.cells
        own = counts[:, cells.copies > 0]
        missing = own[:, :, 3].sum(axis=1)
        alternate, called = alleles_of(counts, cells)
        noted = (own[:, :, :3].sum(axis=(1, 2)), missing, alternate.sum(axis=1), called.sum(axis=1))
        self.site_counts[low:high] = np.stack(noted, axis=1)
        self.n_missing += int(missing.sum())
        self.n_sites_missing += int((missing > 0).sum())
        self.n_unknown += int(unknown.sum())

    def _add(self, block: np.ndarray, head: Head, tile: Tile, values: np.ndarray) -> None:
        part = np.zeros((len(block) + 1, -(-self.n_words // _WORDS) * _WORDS), np.uint64)
        part[:-1, : self.n_words] = block[:, self.start // LANES : self.start // LANES + self.n_words]
        to = self.number[head.segments[:-1, 0]]
        dense = self.scores.dense[to]
        if not dense.all():
            self._add_sparse(part, head, tile, values, np.where(dense, -1, self.place[to]))
        if dense.any():
            self._add_dense(part, head, tile, values, np.where(dense, self.place[to], -1))
        self._count(part, head, tile, to)

    def _count(self, part: np.ndarray, head: Head, tile: Tile, to: np.ndarray) -> None:
        """Add missing and hom-ref genotypes at the rows of each score to the counters."""
        n_sites = len(part) - 1
        flags = np.zeros((len(part), self.n_words), np.uint64)
        kernels.flag_rows(part[:-1, : self.n_words], self.present, self.work.params.count_hom_ref, flags[:-1])
        lists = np.empty((len(self.counters) + 1, 2), np.int64)
        listed = np.empty(len(tile.rows) + n_sites * (1 + int(self.inverted.sum())), np.int32)
        room = np.empty(len(self.inverted), np.int64)
        n = kernels.list_rows(head.segments, to, tile.rows, self.inverted, room, n_sites, lists, listed)
        kernels.count_flags(lists[: n + 1], listed, flags, self.counters, self.held, self.carry)

    def _unpack(self, part: np.ndarray, sites: np.ndarray, values: np.ndarray, word: int, out: np.ndarray) -> None:
        if len(self.used) == 1:
            kernels.unpack(part, sites, values[:, self.used[0]], word, out)
        else:
            cells = self.cells[LANES * word : LANES * word + out.shape[1]]
            kernels.unpack_cells(part, sites, values.reshape(len(values), -1), cells, word, out)

    def _add_sparse(self, part: np.ndarray, head: Head, tile: Tile, values: np.ndarray, to: np.ndarray) -> None:
        x = aligned(len(head.sites), LANES)
        for word in range(self.n_words):
            self._unpack(part, head.sites, values, word, x)
            kernels.add_sparse(head.segments, to, tile.planes, tile.weights, x, self.sparse[word])

    def _add_dense(self, part: np.ndarray, head: Head, tile: Tile, values: np.ndarray, to: np.ndarray) -> None:
        weights, x = np.empty((len(self.dense), DENSE_PLANES)), aligned(DENSE_PLANES, DENSE_WIDTH)
        product = np.empty((len(self.dense), DENSE_WIDTH))
        for low in range(0, len(head.sites), DENSE_PLANES):
            planes = slice(low, low + DENSE_PLANES)
            sites = head.sites[planes]
            weights[:] = 0.0
            kernels.spread_weights(head.segments, to, tile.planes, tile.weights, low, weights)
            x[len(sites) :] = 0.0
            for at in range(0, self.dense.shape[1], DENSE_WIDTH):
                self._unpack(part, sites, values[planes], at // LANES, x[: len(sites)])
                np.matmul(weights, x, out=product)
                self.dense[:, at : at + DENSE_WIDTH] += product

    def found(self) -> Found:
        return Found(self.n_missing, self.n_sites_missing, self.n_unknown)

    def arrays(self) -> dict[str, np.ndarray]:
        """What is kept: by name of the file. Nothing where the sums are of no use."""
        if self.n_unknown or (self.work.params.missing == "error" and self.n_missing):
            return {}
        counts = np.empty((2, len(self.counters), self.n_words * LANES), np.int32)
        kernels.read_counters(self.counters, counts)
        counts[:, :-1][:, self.inverted] = counts[:, -1:] - counts[:, :-1][:, self.inverted]
        kept = {"sparse": self.sparse, "dense": self.dense, "counts": counts[:, :-1]}
        if self.first_block:
            kept["sites"] = self.site_counts
            kept["scores"] = self.scores.packed()
        return kept


def _scores_of(heads: Sequence[Head], n_scores: int, n_sites: int) -> RangeScores:
    """Scores that have weights in the tiles of a range."""
    n_rows, constant = np.zeros(n_scores, np.int64), np.zeros(n_scores)
    distinct, here = np.ones(n_scores, bool), np.zeros(n_scores, bool)
    for head in heads:
        scores = head.segments[:-1, 0]
        here[scores] = True
        n_rows[scores] += head.n_rows
        constant[scores] += head.constant
        distinct[scores] &= head.distinct
    scores = np.flatnonzero(here).astype(np.int32)
    dense = n_rows[scores] > DENSE_SHARE * n_sites
    if dense.sum() < FEWEST_DENSE:
        dense[:] = False
    return RangeScores(scores, n_rows[scores], constant[scores], dense, distinct[scores])


def aligned(*shape: int) -> np.ndarray:
    """Zeros, float64, which begin where a line of the cache does."""
    size = int(np.prod(shape))
    room = np.zeros(size + 8)
    skip = (-room.ctypes.data // 8) % 8
    return room[skip : skip + size].reshape(shape)
