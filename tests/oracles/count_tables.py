"""Count tables by enumeration: every table of whole numbers that agrees with what is published."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=64)
def compositions(total: int, parts: int) -> np.ndarray:
    """int64 (ways, parts): every way to write a total as a sum of that many whole numbers, none negative."""
    rows = []
    for bars in itertools.combinations(range(total + parts - 1), parts - 1):
        ends = (-1, *bars, total + parts - 1)
        rows.append([b - a - 1 for a, b in itertools.pairwise(ends)])
    return np.array(rows, np.int64).reshape(-1, parts)


def members_of(shape: tuple[int, ...], place: tuple[int, ...]) -> np.ndarray:
    """bool (base,): which base cells, C order, the cell at `place` sums; -1 sums over a dim."""
    return np.array([
        all(wanted in (-1, at) for wanted, at in zip(place, where, strict=True))
        for where in itertools.product(*map(range, shape))
    ])  # fmt: skip


def tables_of(
    shape: tuple[int, ...], published: dict[tuple[int, ...], int | None], frame: np.ndarray | None = None
) -> np.ndarray:
    """int64 (tables, base): all that agree. published: number by cell, None where somebody is there but hidden.

    The total must be published. Of a frame, the base counts are known; a hidden count is neither 0 nor all of it.
    """
    total = published[(-1,) * len(shape)]
    assert total is not None
    found = compositions(total, int(np.prod(shape)))
    if frame is not None:
        found = found[(found <= frame.ravel()).all(1)]
    for place, value in published.items():
        inside = members_of(shape, place)
        sums = found[:, inside].sum(1)
        if value is not None:
            agrees = sums == value
        else:
            agrees = sums >= 1
            if frame is not None:
                agrees &= sums <= frame.ravel()[inside].sum() - 1
        found = found[agrees]
    return found


def values_of(tables: np.ndarray, shape: tuple[int, ...], place: tuple[int, ...]) -> set[int]:
    """What a cell is in one of the tables or another."""
    return set(tables[:, members_of(shape, place)].sum(1).tolist())
