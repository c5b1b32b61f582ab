"""Results of tasks, kept in files: what was made before a run was stopped is not made again.

They are pickles, which whoever can write them could have run as a program: only files of ours are read, in a folder
that nobody else writes to.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohelix import storage
from cohelix.errors import ConfigError

DIGEST, DONE, WHOLE = "digest", "done", "whole"


@dataclass(frozen=True)
class Kept:
    """`function`, which keeps what it returns in a file of `folder`, the last of all that it writes.

    Called with the number of a task and the task, it returns the number. A task that has its file is not done again;
    one that was cut off is begun anew, over what it left. Goes to other processes.
    """

    function: Callable[[Any], Any]
    folder: Path

    def __call__(self, numbered: tuple[int, Any]) -> int:
        number, task = numbered
        if not self._file(number).exists():
            result = zlib.compress(pickle.dumps(self.function(task), pickle.HIGHEST_PROTOCOL), 1)
            settle(self.folder)
            storage.write(str(self._file(number)), result)
        return number

    def read(self, number: int) -> Any:
        """What the function returned. ConfigError where somebody else has written it."""
        with self._file(number).open("rb") as handle:
            if os.fstat(handle.fileno()).st_uid != os.getuid():
                raise ConfigError("expected a work folder of your own, found files of somebody else. Choose another.")
            return pickle.loads(zlib.decompress(handle.read()))  # noqa: S301  # our own

    def _file(self, number: int) -> Path:
        return self.folder / f"{self.function.__name__}-{number}"


def begin(work: Path, digest: str) -> Path:
    """The folder in `work` of the cohort that `digest` stands for, with what a run has left there of it.

    Parts of anything else are removed. Equal names are of equal cohorts: processes remember by folder what they read.
    """
    said, folder = work / DIGEST, work / f"cohort-{digest}"
    if folder.is_dir() and said.exists() and said.read_text("ascii") == digest:
        return folder
    for name in (DIGEST, WHOLE):  # first: if this is cut off, what is left must not be taken for parts of a cohort
        (work / name).unlink(missing_ok=True)
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    folder.mkdir()
    (work / DONE).mkdir(mode=0o700)
    storage.write(str(said), digest.encode("ascii"))
    return folder


def end(work: Path) -> None:
    """Say that the cohort is whole; what its tasks found is not needed any more."""
    if not (work / WHOLE).exists():
        settle(work)
        storage.write(str(work / WHOLE), b"")
    shutil.rmtree(work / DONE, ignore_errors=True)


def is_whole(work: Path) -> bool:
    """Whether nothing is left to do but to give the cohort its name."""
    return (work / WHOLE).exists()


def settle(folder: Path) -> None:
    """Wait for the disk of `folder` to have all that was written: after a power cut, who said so could outlast it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
