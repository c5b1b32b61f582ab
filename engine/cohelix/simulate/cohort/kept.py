"""Results of tasks, kept in files: what was made before a run was stopped is not made again.

They are pickles, which whoever can write them could have run as a program: only files of ours are read, in a folder
that nobody else writes to.
"""

from __future__ import annotations

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

DIGEST, DONE = "digest", "done"


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


def begin(work: Path, digest: str) -> None:
    """Make `work` ready for what `digest` stands for: parts of anything else are removed."""
    said = work / DIGEST
    if said.exists() and said.read_text("ascii") == digest:
        return
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    (work / DONE).mkdir(mode=0o700)
    storage.write(str(said), digest.encode("ascii"))
