"""Arrays on disk (.npy), mapped by any number of threads; and the distinct values of large ones."""

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


def distinct(values: np.ndarray) -> np.ndarray:
    """The values of an array of numbers of any shape, ascending, none twice: np.unique, without NaN.

    np.unique goes through a table of hashes, which takes up to sixty times as long for a million integers.
    """
    ascending = np.sort(values, axis=None)
    return ascending[np.r_[True, ascending[1:] != ascending[:-1]]] if len(ascending) else ascending
