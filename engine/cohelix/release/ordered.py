"""Tables written by ascending id of a tier's persons, whatever their size: sorted in parts that memory holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.release.ids import LAST

ROW_GROUP = 1 << 20


def write_ordered(
    tables: Iterable[pa.Table], schema: pa.Schema, target: Path, n_parts: int, first: Sequence[str]
) -> int:
    """Write rows to `target` (Parquet) by the columns `first`, the first of them ids of persons; then by all others.

    tables: rows in any order and any pieces, with the columns of `schema`. n_parts: parts that are sorted one at a
    time. Returns how many rows there are. The same rows give the same bytes in whatever order and pieces they come.
    """
    import pyarrow.parquet as pq

    folder = target.parent
    paths = [folder / f".{target.name}-{number:05}.arrow" for number in range(n_parts)]
    writers = [pa.ipc.new_file(str(path), schema) for path in paths]
    try:
        for rows in tables:
            person = np.asarray(rows.column(first[0]).to_numpy(), np.int64)
            part = (person * n_parts) // (LAST + 1)
            for number in np.flatnonzero(np.bincount(part, minlength=n_parts)).tolist():
                writers[number].write_table(rows.filter(pa.array(part == number)))
    finally:
        for writer in writers:
            writer.close()
    n = 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for path in paths:
            with pa.memory_map(str(path)) as source:
                rows = _sorted(pa.ipc.open_file(source).read_all().cast(schema), first)
                for start in range(0, rows.num_rows, ROW_GROUP):
                    writer.write_table(rows.slice(start, ROW_GROUP), row_group_size=ROW_GROUP)
                n += rows.num_rows
            path.unlink()
    return n


def _sorted(rows: pa.Table, first: Sequence[str]) -> pa.Table:
    """Columns of lists are not sorted by: pyarrow cannot, and rows that differ in them alone differ in no key here."""
    rest = [field.name for field in rows.schema if field.name not in first and not pa.types.is_nested(field.type)]
    return rows.sort_by([(name, "ascending") for name in [*first, *rest]])
