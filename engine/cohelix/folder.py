"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cohelix.errors import ConfigError
from cohelix.tier import check_write


def free_place(folder: Path) -> Path:
    """Where a folder may appear. Raises ConfigError where something is there, or nothing can be put in its place."""
    folder = folder.resolve()  # a link cannot be replaced by a folder
    check_write(folder)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"expected a new or empty folder, found the file {folder}. Choose another.")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"expected a new or empty folder, found files in {folder}. Choose another.")
    if folder == Path.cwd() or os.path.ismount(folder):  # what cannot be replaced, or not without harm
        raise ConfigError(
            f"expected a folder that can be replaced, found {folder}, a mount or the folder you are in. "
            f"Name one in it, as in {folder / 'made'}."
        )
    return folder


@contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """A folder to fill; it takes its name when the block ends well, and is removed when it does not.

    Raises ConfigError, before anything is made, where that cannot be.
    """
    try:
        folder = free_place(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A killed process leaves its folder behind, and in a container the next one has the same number.
        passing = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}")
        passing.mkdir()
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot be made ({error.strerror or type(error).__name__}). Choose another."
        ) from None
    try:
        yield passing
        os.replace(passing, folder)
    finally:
        shutil.rmtree(passing, ignore_errors=True)
