"""Folders of results: they appear whole, on a disk, outside of data sets; and the tables in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from cohelix import storage
from cohelix.errors import ConfigError
from cohelix.folder import appearing_whole
from cohelix.genotypes.callset import parquet_bytes
from cohelix.tier import check_write


def check_outside(path: str) -> None:
    """ConfigError where a local `path` lies within a data set: a commit would not name what is written there.

    Or in a folder that is bound to a tier (`cohelix.tier`).
    """
    if not storage.is_local(path):
        return
    check_write(path)
    if any((parent / "_commit").is_dir() for parent in storage.local_path(path).resolve().parents):
        raise ConfigError("expected a place outside of data sets to write to, found one within. Choose another folder.")


@contextmanager
def new_folder(path: str) -> Iterator[Path]:
    """A folder to fill, which takes its name when the block ends well (`cohelix.folder.appearing_whole`).

    Raises ConfigError where it cannot be made: it is on an object store, within a data set, or holds files.
    """
    if not storage.is_local(path):
        raise ConfigError(
            "expected a folder on a disk, found an object store, where a folder cannot appear whole. "
            "Write to a disk, and copy it."
        )
    check_outside(path)
    with appearing_whole(storage.local_path(path)) as folder:
        yield folder


def write_parquet(path: Path, table: pa.Table) -> None:
    path.write_bytes(parquet_bytes(table))


def write_tsv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    lines = ["\t".join(columns), *("\t".join(text_of(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def seal_of(content: bytes) -> dict[str, Any]:
    """What a folder's JSON says of a file in it, so that one that was damaged or exchanged is known."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def text_of(value: object) -> str:
    """A field of a TSV: empty where nothing is known, numbers to six digits."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
