"""What one sample's own records state together, where they lie over one another."""

from __future__ import annotations

import numpy as np

from cohelix.joint.kernels import ABSENT, UNCALLED, UNNAMED
from cohelix.kernel import leaf

# Columns of the record table: see `batch.py`, which fills it.
(
    R_START, R_END, R_BODY_START, R_BODY_END, R_GQ, R_DP, R_CODE1, R_CODE2,
    R_REF_READS, R_READS1, R_READS2, R_QUALITY, R_COLUMNS,
) = range(13)  # fmt: skip

# Flags that `settle_overlaps` gives a record.
PLAIN, CONFLICT, COMPLETED, DEMOTED = 0, 1, 2, 3


@leaf
def _alt_copies(code1: int, code2: int) -> int:
    copies = 0
    if code1 >= 0 or code1 == UNNAMED:
        copies += 1
    if code2 >= 0 or code2 == UNNAMED:
        copies += 1
    return copies


@leaf
def settle_overlaps(records: np.ndarray, low: int, high: int, best: bool, flags: np.ndarray) -> None:
    """Compare the records [low, high) of one sample where they lie over one another; fills `flags` (records,).

    A record states its alternate copies over its whole body (REF without the shared first base). Where the sum over a
    base exceeds the chromosomes (two, or one if only haploid calls state copies there), the records contradict one
    another: CONFLICT; with `best`, records of one copy each are DEMOTED to reference, from the lowest quality up, until
    the rest fits. Where the sum is two on two chromosomes, a dot in one record is the copy that another states:
    COMPLETED.
    """
    for i in range(low, high):
        flags[i] = PLAIN
    first, new, base = low, low, -1
    while True:  # from left to right over the bases at which a body begins: elsewhere the sum cannot rise
        while new < high and (records[new, R_BODY_START] <= base or _is_empty(records, new)):
            new += 1
        if new == high:
            return
        at = records[new, R_BODY_START]
        for i in range(new + 1, high):
            if records[i, R_START] >= at:
                break
            if base < records[i, R_BODY_START] < at and not _is_empty(records, i):
                at = records[i, R_BODY_START]
        base = at
        while records[first, R_END] <= base:
            first += 1
        _settle_base(records, first, high, base, best, flags)


@leaf
def _is_empty(records: np.ndarray, i: int) -> bool:
    return records[i, R_BODY_END] <= records[i, R_BODY_START]


@leaf
def _speaks(records: np.ndarray, flags: np.ndarray, i: int, base: int) -> bool:
    return flags[i] != DEMOTED and records[i, R_BODY_START] <= base < records[i, R_BODY_END]


@leaf
def _stated(records: np.ndarray, flags: np.ndarray, first: int, high: int, base: int) -> tuple[int, int]:
    """(alternate copies that records from `first` on state over `base`, chromosomes there)."""
    copies, limit = 0, 1
    for i in range(first, high):
        if records[i, R_START] > base:
            break
        if _speaks(records, flags, i, base):
            stated = _alt_copies(records[i, R_CODE1], records[i, R_CODE2])
            copies += stated
            if stated > 0 and records[i, R_CODE2] != ABSENT:
                limit = 2
    return copies, limit


@leaf
def _weakest(records: np.ndarray, flags: np.ndarray, first: int, high: int, base: int) -> int:
    """The record of lowest quality with a copy over `base`; -1 where one states two, or is in conflict already."""
    worst = -1
    for i in range(first, high):
        if records[i, R_START] > base:
            break
        if _speaks(records, flags, i, base):
            stated = _alt_copies(records[i, R_CODE1], records[i, R_CODE2])
            if stated > 1 or flags[i] == CONFLICT:
                return -1
            if stated == 1 and (worst < 0 or records[i, R_QUALITY] < records[worst, R_QUALITY]):
                worst = i
    return worst


@leaf
def _settle_base(records: np.ndarray, first: int, high: int, base: int, best: bool, flags: np.ndarray) -> None:
    copies, limit = _stated(records, flags, first, high, base)
    while best and copies > limit:
        worst = _weakest(records, flags, first, high, base)
        if worst < 0:
            break
        flags[worst] = DEMOTED
        copies, limit = _stated(records, flags, first, high, base)
    for i in range(first, high):
        if records[i, R_START] > base:
            break
        if _speaks(records, flags, i, base):
            if copies > limit:
                flags[i] = CONFLICT
            elif copies == 2 and flags[i] == PLAIN:
                flags[i] = COMPLETED


@leaf
def is_uncalled(code1: int, code2: int) -> bool:
    """Whether no copy of a record is called."""
    return code1 == UNCALLED and (code2 == UNCALLED or code2 == ABSENT)
