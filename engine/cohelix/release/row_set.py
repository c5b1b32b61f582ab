"""Which rows of a table of the health records a release has, by their ids of the source."""

from __future__ import annotations

import numpy as np

from cohelix.release.ids import LAST, checked


class RowSet:
    """Ids of rows, one bit an id: 256 MiB at most, whatever their number."""

    def __init__(self) -> None:
        self._bits = np.zeros((LAST >> 3) + 1, np.uint8)

    def add(self, table: str, ids: np.ndarray) -> None:
        """ids: int64 (n,) of rows of `table`. InputError for what is not 1 to 2^31 - 1; below 1 is none."""
        known = checked(ids[ids > 0], f"key of {table}").astype(np.int64)
        np.bitwise_or.at(self._bits, known >> 3, _bit(known))

    def has(self, ids: np.ndarray) -> np.ndarray:
        """bool (n,): of ids that are 1 to 2^31 - 1; others are not there."""
        inside = (ids > 0) & (ids <= LAST)
        at = np.where(inside, ids, 0)
        there: np.ndarray = inside & ((self._bits[at >> 3] & _bit(at)) > 0)
        return there


def _bit(ids: np.ndarray) -> np.ndarray:
    bits: np.ndarray = np.left_shift(1, ids & 7).astype(np.uint8)
    return bits
