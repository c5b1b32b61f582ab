"""One block of people, all genes: the part of the table that is theirs, and what the whole needs to know of it.

A part is written once; a note beside it, written last, says that it is there, so that a stopped run goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.pgx.calling.listing import PATTERNS, ROW_GROUP, patterns_of
from cohelix.pgx.calling.seen import counts_at_positions
from cohelix.pgx.definition import Gene
from cohelix.pgx.extraction.run import Extracted
from cohelix.pgx.outputs.rows import rows
from cohelix.pgx.outside import OutsideCalls
from cohelix.pgx.phenotype import phenotypes_of
from cohelix.pgx.schema import CALLS, STATUSES, CallParams
from cohelix.pgx.solve import Solved, solve


@dataclass(frozen=True)
class Work:
    """What all blocks share. genes: those with rows, by symbol; matched: those of them that have genotypes."""

    extracted: Extracted
    genes: dict[str, Gene]
    matched: frozenset[str]
    outside: OutsideCalls | None
    params: CallParams
    folder: Path


@dataclass(frozen=True)
class Task:
    """The people of [first, last)."""

    shared: Callable[[], Work]
    number: int
    first: int
    last: int


@dataclass(frozen=True)
class Found:
    """Of a block: its file, rows by gene and status, and counts of people at each position by gene (`COUNTS`)."""

    part: str
    bytes: int
    sha256: str
    patterns: str
    statuses: dict[str, dict[str, int]]
    positions: dict[str, list[list[int]]]


def run_block(task: Task) -> Found:
    """Call the block, or take what an earlier run has written."""
    work = task.shared()
    note = work.folder / f"done-{task.number:05d}.json"
    earlier = _recall(note, work.folder)
    if earlier is not None:
        return earlier
    statuses: dict[str, dict[str, int]] = {}
    positions: dict[str, list[list[int]]] = {}
    part, patterns = f"part-{task.number:05d}.parquet", f"patterns-{task.number:05d}.parquet"
    with _writing(work.folder / part, CALLS) as calls, _writing(work.folder / patterns, PATTERNS) as listed:
        for symbol, table, solved in _genes(work, task):
            statuses[symbol] = _count(table)
            if solved is not None:
                positions[symbol] = counts_at_positions(work.genes[symbol], solved.patterns).tolist()
                listed.add(patterns_of(work.genes[symbol], solved))
            calls.add(table)
    with (work.folder / part).open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    found = Found(part, (work.folder / part).stat().st_size, digest, patterns, statuses, positions)
    passing = note.with_name(f".{note.name}.{uuid.uuid4().hex}")
    passing.write_text(json.dumps(asdict(found)))
    os.replace(passing, note)
    return found


def _genes(work: Work, task: Task) -> Iterator[tuple[str, pa.Table, Solved | None]]:
    """Gene by gene: rows of the block's people, sorted by sample, and what was said of their patterns."""
    ids = work.extracted.samples()[task.first : task.last]
    order = _by_id(ids)
    for symbol in sorted(work.genes):
        gene = work.genes[symbol]
        outside = work.outside.of(symbol) if work.outside is not None else None
        solved = meanings = None
        if symbol in work.matched:
            solved = solve(gene, work.extracted.genotypes(symbol, task.first, task.last), work.params)
            meanings = phenotypes_of(gene, solved.answers)
        table = rows(gene, solved, meanings, ids, work.params, outside)
        if order is not None:
            table = table.take(order if table.num_rows == len(ids) else _by_id(table.column("sample_id")))
        yield symbol, table, solved


def _by_id(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The order by the bytes of the id."""
    import pyarrow.compute as pc

    return pc.sort_indices(ids)


def _count(table: pa.Table) -> dict[str, int]:
    found = dict.fromkeys(STATUSES, 0)
    for one in table.column("status").value_counts().to_pylist():
        found[one["values"]] += one["counts"]
    return {status: number for status, number in found.items() if number}


class _Writing:
    """A Parquet file of one row group a table, that is there when the block has ended well."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._passing = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        self._writer = pq.ParquetWriter(
            self._passing, schema, compression="zstd", compression_level=3, version="2.6", store_schema=False
        )

    def add(self, table: pa.Table) -> None:
        if table.num_rows:
            self._writer.write_table(table.replace_schema_metadata(None).combine_chunks(), row_group_size=ROW_GROUP)

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.close()
        if kind is None:
            os.replace(self._passing, self._path)
        else:
            self._passing.unlink(missing_ok=True)


def _writing(path: Path, schema: pa.Schema) -> _Writing:
    return _Writing(path, schema)


def _recall(note: Path, folder: Path) -> Found | None:
    """What an earlier run wrote, None where it did not finish or its file is not what it wrote."""
    try:
        found = Found(**json.loads(note.read_text()))
        with (folder / found.part).open("rb") as handle:
            whole = hashlib.file_digest(handle, "sha256").hexdigest() == found.sha256
        return found if whole and (folder / found.patterns).exists() else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
