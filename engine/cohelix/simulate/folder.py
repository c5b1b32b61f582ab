"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cohelix.errors import ConfigError


@contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """A folder to fill; it takes its name when the block ends well, and is removed when it does not."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"expected a new or empty folder for the cohort, found files in {folder}. Choose another.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    passing = folder.with_name(f".{folder.name}.{os.getpid()}")
    passing.mkdir()
    try:
        yield passing
        os.replace(passing, folder)
    finally:
        shutil.rmtree(passing, ignore_errors=True)
