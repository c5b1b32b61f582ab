"""What exports share: a file that appears whole, and columns of strings as codes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix import storage
from cohelix.errors import ConfigError
from cohelix.genotypes.outputs import check_outside


def coded(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, list[str]]:
    """Codes int64 (rows,) of a column of strings, and what they stand for. -1: null."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    one = column.unify_dictionaries().combine_chunks()
    if isinstance(one, pa.ChunkedArray):
        if not one.num_chunks:
            return np.zeros(0, np.int64), []
        one = one.chunk(0)
    return one.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), one.dictionary.to_pylist()


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
