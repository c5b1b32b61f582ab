"""Sets of primary keys that take little memory: one bit for each number up to the greatest."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyarrow as pa

from cohelix.arrays import distinct

_WIDEST = 1 << 31


class Keys(Protocol):
    """Keys that were seen. Columns have no nulls."""

    def add(self, keys: pa.Array) -> int:
        """How many of these were there before, or come twice among them."""

    def holds(self, keys: pa.Array) -> np.ndarray:
        """Which of these are there: bool (n,)."""


class Numbers:
    """Whole numbers. Those in 0 .. 2^31-1 take a bit each, at most 256 MiB; others eight bytes."""

    def __init__(self) -> None:
        self._bits = np.zeros(1 << 10, np.uint8)
        self._others = np.empty(0, np.int64)

    def add(self, keys: pa.Array) -> int:
        unique = distinct(keys.to_numpy(zero_copy_only=False))
        new = unique[~self._there(unique)]
        small = (new >= 0) & (new < _WIDEST)
        narrow, wide = new[small], new[~small]
        if len(narrow):
            self._widen(int(narrow[-1]) >> 3)
            np.bitwise_or.at(self._bits, narrow >> 3, (1 << (narrow & 7)).astype(np.uint8))
        if len(wide):
            self._others = np.sort(np.concatenate([self._others, wide]))
        return len(keys) - len(new)

    def holds(self, keys: pa.Array) -> np.ndarray:
        return self._there(keys.to_numpy(zero_copy_only=False))

    def _there(self, numbers: np.ndarray) -> np.ndarray:
        found = np.zeros(len(numbers), bool)
        small = (numbers >= 0) & (numbers < 8 * len(self._bits))
        narrow = numbers[small]
        found[small] = self._bits[narrow >> 3] >> (narrow & 7).astype(np.uint8) & 1
        if len(self._others):
            found |= np.isin(numbers, self._others)
        return found

    def _widen(self, last: int) -> None:
        if last >= len(self._bits):
            wider = np.zeros(min(max(last + 1, 2 * len(self._bits)), _WIDEST >> 3), np.uint8)
            wider[: len(self._bits)] = self._bits
            self._bits = wider


class Words:
    """Texts, as keys of the small tables of a vocabulary are."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    def add(self, keys: pa.Array) -> int:
        before = len(self._found)
        self._found.update(keys.to_pylist())
        return len(keys) - (len(self._found) - before)

    def holds(self, keys: pa.Array) -> np.ndarray:
        return np.array([one in self._found for one in keys.to_pylist()], bool)
