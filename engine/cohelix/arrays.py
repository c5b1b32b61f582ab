"""Arrays on disk (.npy), mapped by any number of threads."""

from __future__ import annotations

import os
import threading

import numpy as np

_one_at_a_time = threading.Lock()
"""NumPy reads the header of an array by `ast.literal_eval`, and two threads that do so at once meet a SystemError in
some versions of Python 3.11 ("AST constructor recursion depth mismatch")."""


def mapped(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of a .npy file, mapped read-only. Raises OSError and ValueError as NumPy does."""
    with _one_at_a_time:
        found: np.ndarray = np.load(path, mmap_mode="r")
    return found
