"""The folder beside an output in which a job keeps what is underway, so that the same command goes on after a crash."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cohelix import storage
from cohelix.errors import CohelixError, ConfigError
from cohelix.genotypes.outputs import check_outside


@contextmanager
def working(out: str, command: str) -> Iterator[Path]:
    """`<out>.work` for `command` (words, as "prs score"), held by this process alone; removed when the block has ended
    or the input was refused, kept when the process is stopped.

    Raises ConfigError where `out` cannot be made, another process is writing it, or the folder has files of others.
    """
    work = _made(out)
    lock = _taken(work, command)
    try:
        yield work
    except CohelixError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    else:
        shutil.rmtree(work, ignore_errors=True)
    finally:
        lock.close()


def work_folder(out: Path) -> Path:
    """Of an output on a disk."""
    return out.with_name(out.name + ".work")


def _taken(work: Path, command: str) -> IO[bytes]:
    """The lock of `work`, held until it is closed: a file that says whose folder it is. What is not of `command` would
    be lost when the folder is removed.
    """
    import fcntl

    mark = work / f".cohelix-{command.replace(' ', '-')}"
    if not mark.exists() and any(work.iterdir()):
        raise ConfigError(
            f"expected {work} to be free for what is underway, found other files there. Move them, or choose another "
            "folder to write."
        )
    lock = mark.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(lock.fileno()), mark.stat()):  # who held it has removed the folder meanwhile
            raise OSError
    except OSError:
        lock.close()
        raise ConfigError(
            "another process is writing this folder at this moment. Wait for it, or choose another folder."
        ) from None
    return lock


def _made(out: str) -> Path:
    if not storage.is_local(out):
        raise ConfigError("expected a folder on a disk, found an object store. Write to a disk, and copy it.")
    check_outside(out)
    folder = storage.local_path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"expected a new or empty folder, found files in {folder}. Choose another.")
    work = work_folder(folder)
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder {work} cannot be made ({error.strerror or type(error).__name__}). Choose another."
        ) from None
    return work
