"""What exports share: rows of a folder's table of scores, some at a time, and a file that appears whole."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import storage
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.outputs import check_outside
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


def coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Codes int64 (rows,) of a column of strings, and what they stand for."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    one = column.unify_dictionaries().combine_chunks()
    if isinstance(one, pa.ChunkedArray):
        if not one.num_chunks:
            return np.zeros(0, np.int64), []
        one = one.chunk(0)
    return one.indices.to_numpy(zero_copy_only=False).astype(np.int64), one.dictionary.to_pylist()


@contextmanager
def whole_file(out: str) -> Iterator[Path]:
    """A file to write, which takes the name `out` when the block ends well, and is removed when it does not.

    Raises ConfigError where it cannot be: in a data set, or where a folder is.
    """
    check_outside(out)
    if not storage.is_local(out):
        raise ConfigError("expected a file on a disk, found an object store. Write to a disk, and copy it.")
    target = storage.local_path(out)
    if target.is_dir():
        raise ConfigError("expected a name for a file, found a folder there. Choose another.")
    passing = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        passing.touch()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"the file to write cannot be made ({reason}). Choose another place.") from None
    try:
        yield passing
        storage.move_in(passing, out)
    finally:
        passing.unlink(missing_ok=True)
