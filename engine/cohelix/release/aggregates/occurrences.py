"""How many people have a concept in their health records, by stratum: counted from pairs that are sorted on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from cohelix.arrays import distinct
from cohelix.genotypes.omop import FIRST_ID
from cohelix.omop.source import Cdm

_PLACE = 0xFFFFFFFF


def concept_counts(
    cdm: Cdm,
    table: str,
    column: str,
    persons: np.ndarray,
    cell: np.ndarray,
    n_cells: int,
    rows: int,
    work: Path,
    most: int = 0,
) -> Iterator[tuple[int, np.ndarray]]:
    """(concept_id, int64 (n_cells,) people who have it) by ascending concept.

    persons: int64 (p,), increasing. cell: int32 (p,) stratum of each; -1 for people who are not counted. rows: how many
    rows are in memory at a time. Concept 0, which is none, and custom ones are left out. `work` is a folder for pairs
    of concept and person, which is removed. most: concepts that a person is counted for, 0 for all: which ones follows
    from the person's own alone.
    """
    work.mkdir(parents=True)
    try:
        n_rows = cdm.n_rows(table)
        n_buckets = max(1, -(-n_rows // rows))
        paths = [work / f"{i}.pairs" for i in range(n_buckets)]
        _spill(cdm, table, column, persons, cell, rows, paths, by_person=most > 0)
        found: dict[int, np.ndarray] = {}
        for path in paths:
            pairs = distinct(np.fromfile(path, np.int64))
            for row in _counted(_few(pairs, most) if most else pairs, cell, n_cells):
                concept = int(row[0])
                found[concept] = found[concept] + row[1:] if concept in found else row[1:]
        for concept in sorted(found):
            yield concept, found[concept]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _spill(
    cdm: Cdm,
    table: str,
    column: str,
    persons: np.ndarray,
    cell: np.ndarray,
    rows: int,
    paths: list[Path],
    *,
    by_person: bool,
) -> None:
    """Pairs (concept << 32 | place of the person), each in the file of its concept, or of its person."""
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("wb")) for path in paths]
        for batch in cdm.batches(table, ("person_id", column), min(rows, 500_000)):
            person = batch.column(0).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
            concept = batch.column(1).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
            place = np.minimum(np.searchsorted(persons, person), max(0, len(persons) - 1))
            known = (persons[place] == person) & (cell[place] >= 0) & (concept > 0) & (concept < FIRST_ID)
            pairs = distinct((concept[known] << 32) | place[known])
            bucket = (pairs & _PLACE if by_person else pairs >> 32) % len(files)
            for number in np.flatnonzero(np.bincount(bucket)).tolist():
                pairs[bucket == number].tofile(files[number])


def _few(pairs: np.ndarray, most: int) -> np.ndarray:
    """At most so many pairs of each person, sorted: those whose concepts come first when they are mixed."""
    mixed = (pairs >> 32).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    place = pairs & _PLACE
    order = np.lexsort((mixed, place))
    place = place[order]
    first = np.r_[0, np.flatnonzero(place[1:] != place[:-1]) + 1]
    rank = np.arange(len(place)) - np.repeat(first, np.diff(np.r_[first, len(place)])) if len(place) else place
    return np.sort(pairs[order[rank < most]])


def _counted(pairs: np.ndarray, cell: np.ndarray, n_cells: int) -> np.ndarray:
    """int64 (concepts, 1 + n_cells): concept, then people by stratum. pairs: sorted, none twice."""
    concept = pairs >> 32
    is_first = np.r_[True, concept[1:] != concept[:-1]] if len(pairs) else np.zeros(0, bool)
    concepts, code = concept[is_first], np.cumsum(is_first) - 1
    counts = np.bincount(code * n_cells + cell[pairs & _PLACE], minlength=len(concepts) * n_cells)
    return np.column_stack([concepts, counts.reshape(len(concepts), n_cells)])
