"""What exports of scores share: rows of a folder's table of scores, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import InputError
from cohelix.prs import tables

ADJUSTED = "adjusted.parquet"
SCORES = tables.FILE


def table_of(folder: str) -> str:
    """Which table a folder of `cohelix prs score` or `cohelix prs adjust` holds. InputError where it holds neither."""
    for name in (SCORES, ADJUSTED):
        if (Path(folder) / name).is_file():
            return name
    raise InputError(
        f"expected a folder of `cohelix prs score` or `cohelix prs adjust`, found neither {SCORES} nor {ADJUSTED} "
        "there. Check its path."
    )


def row_groups(folder: str, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The columns of the table `name`, a row group at a time. InputError where it is damaged or lacks one."""
    try:
        with pq.ParquetFile(Path(folder) / name) as file:
            lacking = [column for column in columns if column not in file.schema_arrow.names]
            if lacking:
                raise InputError(f"expected a column {lacking[0]} in {name}, found none. Make the folder again.")
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, list(columns))
    except (pa.ArrowException, OSError):
        raise InputError(f"{name} is damaged. Restore it, or make the folder again.") from None
