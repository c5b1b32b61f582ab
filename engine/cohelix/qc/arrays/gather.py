"""The arrays of all files as one cohort: markers of any of them, samples sorted by the bytes of their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cohelix import genome
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genome import Contig
from cohelix.qc.arrays.info import Marker, key_of
from cohelix.qc.arrays.intensities import ArrayBatch, places

BLOCK_CALLS = 1 << 24
"""Calls in memory at once: 16 MiB of int8."""


@dataclass(frozen=True)
class Cohort:
    """M markers, N samples.

    rows[k][m]: row of marker m in batch k, -1 where that batch lacks it. order: sample i of the cohort is the
    order[i]-th of the batches laid side by side.
    """

    batches: Sequence[ArrayBatch]
    markers: list[Marker]
    rows: list[np.ndarray]
    order: np.ndarray
    sample_ids: list[str]
    contigs: tuple[Contig, ...]
    build: str

    @cached_property
    def places(self) -> np.ndarray:
        """int8 (M,): AUTOSOME, ON_X, ON_Y or ELSEWHERE."""
        return places(self.build, [m.contig for m in self.markers], [m.position for m in self.markers])

    def of_samples(self, name: str) -> np.ndarray:
        """A field of the batches that has a row per sample, in the order of the cohort."""
        values = [np.asarray(getattr(batch, name)) for batch in self.batches]
        return np.take(np.concatenate(values), self.order, axis=0)

    def of_batches(self, name: str) -> np.ndarray:
        """(N,): a number of each sample's batch."""
        values = [np.full(len(batch.sample_ids), getattr(batch, name)) for batch in self.batches]
        return np.take(np.concatenate(values), self.order)

    def calls(self, chosen: np.ndarray) -> np.ndarray:
        """int8 (markers, N): copies of B of the markers `chosen`; -9 none."""
        side_by_side = [batch.calls(rows[chosen]) for batch, rows in zip(self.batches, self.rows, strict=True)]
        return np.ascontiguousarray(np.concatenate(side_by_side, axis=1)[:, self.order])

    def blocks(self, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(markers, their calls) through `chosen`, a block at a time."""
        step = max(1, BLOCK_CALLS // max(1, len(self.sample_ids)))
        for first in range(0, len(chosen), step):
            part = chosen[first : first + step]
            yield part, self.calls(part)

    def summed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`ArrayBatch.of_markers` over all batches."""
        strange, scores, scored = (np.zeros(len(self.markers), dtype) for dtype in (np.int64, np.float64, np.int64))
        for batch, rows in zip(self.batches, self.rows, strict=True):
            there = rows >= 0
            for total, part in zip((strange, scores, scored), batch.of_markers(), strict=True):
                total[there] += part[rows[there]]
        return strange, scores, scored


def gather(batches: Sequence[ArrayBatch]) -> Cohort:
    """One cohort of all batches. InputError where two samples have one id; ReferenceMismatch for builds mixed."""
    _check_samples(batches)
    builds = sorted({batch.build for batch in batches} - {genome.UNKNOWN_BUILD})
    if len(builds) > 1:
        firsts = [next(batch.number for batch in batches if batch.build == build) for build in builds]
        raise ReferenceMismatch(
            f"expected arrays of one genome build, found {builds[0]} (input {firsts[0]}) and {builds[1]} (input "
            f"{firsts[1]}). Run each build by itself, or lift one over."
        )
    ids = [sample for batch in batches for sample in batch.sample_ids]
    order = np.array(sorted(range(len(ids)), key=lambda index: ids[index].encode()), np.int64)
    markers, rows = _union(batches)
    contigs: dict[str, Contig] = {}
    for contig in (contig for batch in batches for contig in batch.contigs):
        contigs.setdefault(contig.name, contig)
    for name in dict.fromkeys(marker.contig for marker in markers):
        contigs.setdefault(name, Contig(name, 0))
    build = builds[0] if builds else genome.UNKNOWN_BUILD
    return Cohort(batches, markers, rows, order, [ids[i] for i in order], tuple(contigs.values()), build)


def _union(batches: Sequence[ArrayBatch]) -> tuple[list[Marker], list[np.ndarray]]:
    """Markers in the order they are met, and the row of each in every batch. Files of one design are read once."""
    markers: list[Marker] = []
    places_of: dict[tuple[object, ...], int] = {}
    by_design: dict[str, np.ndarray] = {}
    for batch in batches:
        if batch.design in by_design:
            continue
        seen: dict[tuple[object, ...], int] = {}
        where = np.empty(batch.n_markers, np.int64)
        for row, marker in enumerate(batch.markers()):
            key: tuple[object, ...] = key_of(marker)
            seen[key] = seen.get(key, -1) + 1
            key = (*key, seen[key])  # a line that is there twice is two markers
            if key not in places_of:
                places_of[key] = len(markers)
                markers.append(marker)
            where[row] = places_of[key]
        by_design[batch.design] = where
    rows = []
    for batch in batches:
        row_of = np.full(len(markers), -1, np.int64)
        row_of[by_design[batch.design]] = np.arange(batch.n_markers)
        rows.append(row_of)
    return markers, rows


def _check_samples(batches: Sequence[ArrayBatch]) -> None:
    first: dict[str, tuple[int, int]] = {}
    for batch in batches:
        for column, sample in enumerate(batch.sample_ids, start=1):
            before = first.setdefault(sample, (batch.number, column))
            if before != (batch.number, column):
                raise InputError(
                    f"expected each sample once, found sample {column} of input {batch.number} as sample {before[1]} "
                    f"of input {before[0]} too. Leave one out, or rename it (bcftools reheader)."
                )
