"""Tables of counts of people with their margins, and what of them is published."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALL = "all"
PERSONS = "persons"


class State(IntEnum):
    """Of a cell. HIDDEN: that there is somebody is told, how many is not. ABSENT: nothing is told."""

    ABSENT = 0
    HIDDEN = 1
    SHOWN = 2


@dataclass(frozen=True)
class CountTable:
    """Counts of people who are each in one cell.

    dims: names of what the table is by. categories: names along each. counts: int64, one axis a dim. margins: which
    sums are published, as places of the dims that are kept: () the total, (0, 2) by the first and the third. frame: of
    how many published people each count is a part, shaped as counts; then those who are not counted are people to
    protect too. given: margins that are published elsewhere already, and cannot be hidden.
    """

    name: str
    dims: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    counts: np.ndarray
    margins: tuple[tuple[int, ...], ...]
    frame: np.ndarray | None = None
    given: tuple[tuple[int, ...], ...] = ()

    @cached_property
    def places(self) -> np.ndarray:
        """int64 (cells, dims): category of each published cell along each dim, -1 where it is summed over."""
        return _places(self.counts.shape, self.margins)

    @cached_property
    def margin(self) -> np.ndarray:
        """int64 (cells,): place in `margins` of each cell."""
        sizes = [int(np.prod([len(self.categories[dim]) for dim in kept])) for kept in self.margins]
        return np.repeat(np.arange(len(sizes)), sizes)

    @cached_property
    def members(self) -> csr_array:
        """Sparse 0/1 (cells, base cells): which base cells, of `counts` in C order, a cell is the sum of."""
        return _members(self.counts.shape, self.margins)

    @cached_property
    def values(self) -> np.ndarray:
        """int64 (cells,)."""
        return _summed(self.members, self.counts)

    @cached_property
    def of(self) -> np.ndarray | None:
        """int64 (cells,): the frame of each cell."""
        return None if self.frame is None else _summed(self.members, self.frame)


@lru_cache(maxsize=32)
def _places(shape: tuple[int, ...], margins: tuple[tuple[int, ...], ...]) -> np.ndarray:
    rows = []
    for kept in margins:
        axes = [range(n) if dim in kept else (-1,) for dim, n in enumerate(shape)]
        rows += list(itertools.product(*axes))
    return np.array(rows, np.int64).reshape(len(rows), len(shape))


@lru_cache(maxsize=32)
def _members(shape: tuple[int, ...], margins: tuple[tuple[int, ...], ...]) -> csr_array:
    from scipy.sparse import csr_array

    base = np.indices(shape).reshape(len(shape), -1)
    rows = [
        np.flatnonzero(((place < 0)[:, None] | (base == place[:, None])).all(0)) for place in _places(shape, margins)
    ]
    starts = np.cumsum([0, *(len(row) for row in rows)])
    return csr_array((np.ones(starts[-1]), np.concatenate(rows), starts), shape=(len(rows), base.shape[1]))


def _summed(members: csr_array, counts: np.ndarray) -> np.ndarray:
    sums: np.ndarray = np.rint(members @ counts.ravel().astype(float)).astype(np.int64)
    return sums


@dataclass(frozen=True)
class Protected:
    """A table as it is published. state: int8 (cells,) of `State`; values: int64 (cells,), 0 unless SHOWN."""

    name: str
    dims: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    places: np.ndarray
    state: np.ndarray
    values: np.ndarray

    def rows(self) -> list[dict[str, Any]]:
        """Published rows: a category, or `all`, by dim; persons is None where the count is hidden."""
        found = []
        for place, state, value in zip(self.places.tolist(), self.state.tolist(), self.values.tolist(), strict=True):
            if state != State.ABSENT:
                named = {
                    dim: ALL if at < 0 else names[at]
                    for dim, names, at in zip(self.dims, self.categories, place, strict=True)
                }
                found.append(named | {PERSONS: value if state == State.SHOWN else None})
        return found


def protected(table: CountTable, state: np.ndarray) -> Protected:
    values = np.where(state == State.SHOWN, table.values, 0)
    return Protected(table.name, table.dims, table.categories, table.places, state.astype(np.int8), values)


def parse(name: str, dims: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> Protected:
    """A table as `Protected.rows` wrote it; categories in the order of their first row."""
    listed = list(rows)
    categories = tuple(tuple(dict.fromkeys(str(row[dim]) for row in listed if row[dim] != ALL)) for dim in dims)
    at = [{ALL: -1} | {label: place for place, label in enumerate(labels)} for labels in categories]
    places = np.array([[at[i][str(row[dim])] for i, dim in enumerate(dims)] for row in listed], np.int64)
    state = np.array([State.HIDDEN if row[PERSONS] is None else State.SHOWN for row in listed], np.int8)
    values = np.array([row[PERSONS] or 0 for row in listed], np.int64)
    return Protected(name, dims, categories, places.reshape(len(listed), len(dims)), state, values)


def write(columns: dict[str, pa.Array], tsv: Path) -> int:
    """A table as TSV, and as Parquet beside it; the number of its rows. Null is an empty field."""
    import pyarrow.parquet as pq

    table = pa.table(columns)
    tsv.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, tsv.with_suffix(".parquet"), compression="zstd", store_schema=False)
    with tsv.open("w", encoding="utf-8", newline="") as handle:
        handle.write("\t".join(columns) + "\n")
        for batch in table.to_batches(max_chunksize=100_000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                handle.write("\t".join("" if one is None else _text(one) for one in row) + "\n")
    return int(table.num_rows)


def read(tsv: Path) -> list[dict[str, Any]]:
    """Rows of a table that `write` made, from its Parquet. InputError where it is none."""
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(tsv.with_suffix(".parquet")).to_pylist()
    except (OSError, pa.ArrowException):
        raise InputError("a count table of the former release cannot be read. Restore the release.") from None
    return rows


def _text(value: Any) -> str:
    """Without what would be a second field or line; numbers in the shortest form that reads back the same."""
    return repr(value) if isinstance(value, float) else str(value).replace("\t", " ").replace("\n", " ")
