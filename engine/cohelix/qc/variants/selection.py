"""Selections of rows: the ACAF callset's rule, and blocks that no position lies across."""

from __future__ import annotations

import numpy as np


def acaf(
    positions: np.ndarray, ac: np.ndarray, af: np.ndarray, *, min_ac: int, min_af: float, documented: bool
) -> np.ndarray:
    """bool (rows,): rows at positions where an allele is frequent enough in any group.

    ac int64, af float64 (rows, groups). A group with `ac >= min_ac`, or more than `min_af`, is enough, and keeps every
    allele at its position. documented: `ac > min_ac`, as the programme's texts have it. Rows are sorted by position.
    """  # fmt: skip
    common = (ac > min_ac if documented else ac >= min_ac) | (np.nan_to_num(af) > min_af)
    return by_position(positions, common.any(axis=1), np.logical_or)


def alleles_at(positions: np.ndarray) -> np.ndarray:
    """int64 (rows,): how many rows share the row's position."""
    return by_position(positions, np.ones(len(positions), np.int64), np.add)


def by_position(positions: np.ndarray, values: np.ndarray, fold: np.ufunc) -> np.ndarray:
    """`values` (rows,) folded over the rows of each position, given back to each of those rows."""
    if not len(positions):
        return values
    firsts = np.flatnonzero(np.diff(positions, prepend=positions[0] - 1))
    return np.repeat(fold.reduceat(values, firsts), np.diff(firsts, append=len(positions)))


def block_edges(positions: np.ndarray, rows: int) -> np.ndarray:
    """Row numbers that cut sorted positions into blocks of about `rows`, never between rows of one position."""
    edges = [0]
    while edges[-1] < len(positions):
        end = min(edges[-1] + rows, len(positions))
        edges.append(int(np.searchsorted(positions, positions[end - 1], side="right")))
    return np.array(edges, np.int64)
