"""Entries of weights: read from a folder of matched scores, and brought into the order of tiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from cohelix.prs.schema import ALT, REF, SAME_ROW
from cohelix.prs.scoring import kernels

DENSE_SHARE = 0.4
"""Scores with a weight at more of the sites of a range than this are multiplied as a matrix."""

FEWEST_DENSE = 16
"""Fewer dense scores than this are no matrix worth packing."""

_KINDS = 5


@dataclass(frozen=True)
class Entries:
    """Of one range, sorted by file, site, score and row. site int32 (place in the range); score int32 (place among
    `scores`); form int8 without `SAME_ROW`; counted bool: the first entry of its row; weight float64; `files` int64:
    first entry of each file, and the number of entries.

    Of each score in the range: scores int32, its number; n_rows int64; constant float64: what its weights of REF add
    for each copy that a sample has, where they were folded into weights of ALT of the other sign; dense bool.
    """

    site: np.ndarray
    score: np.ndarray
    form: np.ndarray
    counted: np.ndarray
    weight: np.ndarray
    files: np.ndarray
    scores: np.ndarray
    n_rows: np.ndarray
    constant: np.ndarray
    dense: np.ndarray


def read_entries(folder: Path, sites: np.ndarray, n_sites: int, passed: np.ndarray, fold: bool) -> Entries:
    """Entries at `sites`, increasing numbers of matched sites among `n_sites`. fold: no form REF is to be left.

    passed: int32, increasing, numbers of the scores that are added up; they are counted anew from 0.
    """
    place = np.full(n_sites, -1, np.int32)
    place[sites] = np.arange(len(sites), dtype=np.int32)
    parts, ends = [], [0]
    for path in sorted(folder.glob("weights-*.parquet")):
        part = _rows_at(path, place, int(sites[0]), int(sites[-1]))
        parts.append(part)
        ends.append(ends[-1] + len(part[0]))
    site, score, form, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    score = np.searchsorted(passed, score).astype(np.int32)
    counted = (form & SAME_ROW) == 0
    form = form & ~np.int8(SAME_ROW)
    scores = np.flatnonzero(np.bincount(score, minlength=len(passed))).astype(np.int32)
    own = np.zeros(len(passed), np.int32)
    own[scores] = np.arange(len(scores), dtype=np.int32)
    score = own[score]
    n_rows = np.bincount(score[counted], minlength=len(scores))
    constant: np.ndarray = np.zeros(len(scores))
    if fold:
        of_ref = form == REF
        constant = np.bincount(score[of_ref], weight[of_ref], len(scores))
        weight = np.where(of_ref, -weight, weight)
        form = np.where(of_ref, np.int8(ALT), form)
    dense = n_rows > DENSE_SHARE * len(sites)
    if dense.sum() < FEWEST_DENSE:
        dense[:] = False
    return Entries(site, score, form, counted, weight, np.array(ends), scores, n_rows, constant, dense)


def _rows_at(path: Path, place: np.ndarray, low: int, high: int) -> tuple[np.ndarray, ...]:
    """site, score, form and weight of the entries between two sites that have a place, from row groups near them."""
    with pq.ParquetFile(path) as file:
        column = file.schema_arrow.get_field_index("site")
        groups = []
        for group in range(file.metadata.num_row_groups):
            known = file.metadata.row_group(group).column(column).statistics
            if known is None or not known.has_min_max or (known.max >= low and known.min <= high):
                groups.append(group)
        table = file.read_row_groups(groups, ["site", "score", "form", "weight"])
    site = place[table.column("site").to_numpy()]
    inside = site >= 0
    others = (table.column(name).to_numpy() for name in ("score", "form", "weight"))
    return site[inside], *(values[inside] for values in others)


@dataclass(frozen=True)
class TileEntries:
    """What the kernels take of one tile. Planes, sorted by site: sites int64 (place in the tile) and forms int64.

    Entries by score: segments int64 (n + 1, 2); planes int32, weights float64; rows int32, the site that an entry
    counts a row at, -1 for none.
    """

    sites: np.ndarray
    forms: np.ndarray
    segments: np.ndarray
    planes: np.ndarray
    weights: np.ndarray
    rows: np.ndarray


def tile_entries(entries: Entries, low: int, high: int) -> TileEntries:
    """Entries at sites [low, high) of the range."""
    chosen = np.concatenate([
        np.arange(*(start + np.searchsorted(entries.site[start:end], [low, high])))
        for start, end in zip(entries.files[:-1].tolist(), entries.files[1:].tolist(), strict=True)
    ])  # fmt: skip
    site, score = entries.site[chosen].astype(np.int64) - low, entries.score[chosen]
    keys = site * _KINDS + entries.form[chosen]
    used = np.zeros((high - low) * _KINDS, bool)
    used[keys] = True
    forms_used = np.flatnonzero(used)
    place = np.cumsum(used, dtype=np.int32) - np.int32(1)
    order, segments = np.empty(len(chosen), np.int64), np.empty((len(chosen) + 1, 2), np.int64)
    n = kernels.order_by_score(score, np.zeros(len(entries.scores), np.int64), order, segments)
    segments = segments[: n + 1]
    counted = entries.counted[chosen]
    rows = np.where(counted, site, -1).astype(np.int32)[order]
    return TileEntries(
        forms_used // _KINDS,
        forms_used % _KINDS,
        segments,
        place[keys][order],
        entries.weight[chosen][order],
        rows,
    )
