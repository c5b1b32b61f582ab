"""Patterns with the same answer, found without looking at them one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_ODD = np.uint64(0x9E3779B97F4A7C15)


def mixed(value: np.ndarray) -> np.ndarray:
    """uint64 of `value`, well mixed (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        word = (value.astype(np.uint64) + np.uint64(1)) * _ODD
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        result: np.ndarray = word ^ (word >> np.uint64(31))
    return result


def grouped(keys: np.ndarray, same: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Groups of equal things: (first, group), the index of each group's first member and the group of each.

    keys (m,) uint64: equal where the things are. same(these, those): of two arrays of indices, where the things really
    are equal; what is not, though its key is, gets a group of its own.
    """
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # groups in the order in which they are met
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    first, group = first[order], place[group]
    apart = np.flatnonzero(~same(np.arange(len(keys)), first[group]))
    group = group.copy()
    group[apart] = len(first) + np.arange(len(apart))
    return np.concatenate([first, apart]), group
