"""What a reader works out from published count tables: bounds of every count, by linear programmes over the strata."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
from scipy.optimize import linprog

DIMS = ("group", "sex", "age_band")
Row = dict[str, str]


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def confined(frame: list[Row], table: list[Row], least: int) -> list[tuple[str, float, float]]:
    """Counts of a table, or of those of the frame who are not in it, that lie within 1 to least - 1: (what, low, high).

    frame: rows of people by group, sex and age. table: rows of people with something. Nothing is known of a count but
    what is published, and that it is at least 0.
    """
    kinds = [sorted({row[dim] for row in frame} - {"all"}) for dim in DIMS]
    strata = [dict(zip(DIMS, one, strict=True)) for one in itertools.product(*kinds)]
    people, having = _members(frame, strata), _members(table, strata)
    known, told = _told(frame), _told(table)
    rows = np.vstack([np.hstack([people, people])[known], np.hstack([having, 0 * having])[told]])
    numbers = np.array([float(row["persons"]) for row in (*frame, *table) if row["persons"]])
    found = []
    for row, of in zip(table, having, strict=True):
        where = " ".join(row[dim] for dim in DIMS)
        for what, aim in ((where, np.hstack([of, 0 * of])), (f"not {where}", np.hstack([0 * of, of]))):
            low = _solved(aim, rows, numbers)
            if round(low, 6) < 1 or round(low, 6) > least - 1:
                continue
            high = -_solved(-aim, rows, numbers)
            if round(high, 6) <= least - 1:
                found.append((what, low, high))
    return found


def _members(rows: list[Row], strata: list[Row]) -> np.ndarray:
    return np.array([[all(row[dim] in ("all", one[dim]) for dim in DIMS) for one in strata] for row in rows], float)


def _told(rows: list[Row]) -> np.ndarray:
    return np.array([row["persons"] != "" for row in rows])


def _solved(aim: np.ndarray, rows: np.ndarray, numbers: np.ndarray) -> float:
    result = linprog(aim, A_eq=rows, b_eq=numbers, bounds=(0, None), method="highs")
    assert result.status == 0, result.message
    return float(result.fun)
