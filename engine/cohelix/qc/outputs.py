"""Where quality control writes: folders that appear whole, on a disk, and outside of data sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cohelix import storage
from cohelix.errors import ConfigError
from cohelix.folder import appearing_whole


def check_outside(path: str) -> None:
    """ConfigError where a local `path` lies within a data set: a commit would not name what is written there."""
    if not storage.is_local(path):
        return
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
