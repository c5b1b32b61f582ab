"""Entries of weights: read from a folder of matched scores, and laid down tile by tile as the kernels take them."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from cohelix.arrays import mapped
from cohelix.prs.schema import ALT, REF, SAME_ROW
from cohelix.prs.scoring import kernels

_KINDS = 5


@dataclass(frozen=True)
class Head:
    """Of one tile. Planes, sorted by site: sites int64 (place in the tile) and forms int64.

    segments int64 (n + 1, 2): score and first entry, in the order of scores; and behind them the number of entries.
    Of each segment: n_rows int64; constant float64: what its weights of REF add for each copy that a sample has, where
    they were folded into weights of ALT of the other sign; distinct bool: no site has two of its rows.
    """

    sites: np.ndarray
    forms: np.ndarray
    segments: np.ndarray
    n_rows: np.ndarray
    constant: np.ndarray
    distinct: np.ndarray


@dataclass(frozen=True)
class Tile:
    """Entries of one tile, by segment. planes int32; rows int32: the site that an entry counts a row at, -1 for none;
    weights float64.
    """

    planes: np.ndarray
    rows: np.ndarray
    weights: np.ndarray


def write_tiles(
    match: Path, folder: Path, own: int, tiles: range, sites: np.ndarray, tile: int, places: tuple[np.ndarray, int],
    fold: bool,
) -> None:  # fmt: skip
    """Put `tiles` of range `own` into files, those that are not there.

    sites int64: numbers of the matched sites of the range; tile: sites of a tile. places: int32 (scores of the match,),
    place of each among those added up, and the number of matched sites. fold: no form REF is to be left.
    """
    if all(_head(folder, own, number).exists() for number in tiles):
        return
    of_score, n_sites = places
    within = sites[tiles.start * tile : tiles.stop * tile]
    place = np.full(n_sites, -1, np.int32)
    place[within] = np.arange(len(within), dtype=np.int32)
    files = sorted(match.glob("weights-*.parquet"))
    parts = [_rows_at(path, place, int(within[0]), int(within[-1])) for path in files]
    for number in tiles:
        low = (number - tiles.start) * tile
        edges = [np.searchsorted(part[0], [low, low + tile]) for part in parts]
        columns = zip(*([one[a:b] for one in part] for part, (a, b) in zip(parts, edges, strict=True)), strict=True)
        site, score, form, weight = (np.concatenate(column) for column in columns)
        head, entries = _arranged(site - np.int32(low), of_score[score], form, weight, fold, len(of_score))
        _save(_entries(folder, own, number, "planes"), np.stack([entries.planes, entries.rows]))
        _save(_entries(folder, own, number, "weights"), entries.weights)
        columns_of = {name: getattr(head, name) for name in Head.__dataclass_fields__}
        passing = folder / f".head-{uuid.uuid4().hex}.npz"
        np.savez(passing, **columns_of)
        os.replace(passing, _head(folder, own, number))


def _arranged(
    site: np.ndarray, score: np.ndarray, form: np.ndarray, weight: np.ndarray, fold: bool, n_scores: int
) -> tuple[Head, Tile]:
    """Entries of a tile, which are sorted by site within each score."""
    counted = (form & SAME_ROW) == 0
    form = form & ~np.int8(SAME_ROW)
    order, segments = np.empty(len(site), np.int64), np.empty((len(site) + 1, 2), np.int64)
    n = kernels.order_by_score(score, np.zeros(n_scores, np.int64), order, segments)
    segments = segments[: n + 1].copy()
    counted, form, site, weight = counted[order], form[order], site[order], weight[order]
    n_rows, constant = np.zeros(n, np.int64), np.zeros(n)
    starts = segments[:-1, 1]
    if n:
        n_rows = np.add.reduceat(counted.astype(np.int64), starts)
        if fold:
            of_ref = form == REF
            constant = np.add.reduceat(np.where(of_ref, weight, 0.0), starts)
            weight = np.where(of_ref, -weight, weight)
            form = np.where(of_ref, np.int8(ALT), form)
    repeated = np.zeros(len(site), np.int64)
    same = counted[1:] & (site[1:] == site[:-1])  # a row's site, and the entry before of another row or its own
    repeated[1:] = same
    repeated[starts] = 0
    distinct = np.add.reduceat(repeated, starts) == 0 if n else np.zeros(0, bool)
    keys = site.astype(np.int64) * _KINDS + form
    used = np.zeros((int(site.max(initial=-1)) + 1) * _KINDS, bool)
    used[keys] = True
    planes = np.flatnonzero(used)
    place = np.cumsum(used, dtype=np.int32) - np.int32(1)
    rows = np.where(counted, site, np.int32(-1))
    head = Head(planes // _KINDS, planes % _KINDS, segments, n_rows, constant, distinct)
    return head, Tile(place[keys], rows, weight)


def read_head(folder: Path, own: int, number: int) -> Head:
    with np.load(_head(folder, own, number)) as kept:
        return Head(**{name: kept[name] for name in Head.__dataclass_fields__})


def read_tile(folder: Path, own: int, number: int) -> Tile:
    planes, rows = mapped(_entries(folder, own, number, "planes"))
    return Tile(planes, rows, mapped(_entries(folder, own, number, "weights")))


def _rows_at(path: Path, place: np.ndarray, low: int, high: int) -> tuple[np.ndarray, ...]:
    """site (its place), score, form and weight of the entries between two sites that have a place."""
    with pq.ParquetFile(path) as file:
        column = file.schema_arrow.get_field_index("site")
        groups = []
        for group in range(file.metadata.num_row_groups):
            known = file.metadata.row_group(group).column(column).statistics
            if known is None or not known.has_min_max or (known.max >= low and known.min <= high):
                groups.append(group)
        table = file.read_row_groups(groups, ["site", "score", "form", "weight"])
    columns = [table.column(name).to_numpy() for name in ("site", "score", "form", "weight")]
    first, end = np.searchsorted(columns[0], [low, high + 1])
    site, *others = (one[first:end] for one in columns)
    site = place[site]
    if not len(site) or site.min() >= 0:
        return site, *others
    inside = site >= 0
    return site[inside], *(values[inside] for values in others)


def _save(path: Path, array: np.ndarray) -> None:
    passing = path.with_name(f".{path.stem}-{uuid.uuid4().hex}.npy")
    np.save(passing, array)
    os.replace(passing, path)


def _entries(folder: Path, own: int, number: int, what: str) -> Path:
    return folder / f"{what}-{own:05d}-{number:06d}.npy"


def _head(folder: Path, own: int, number: int) -> Path:
    return folder / f"head-{own:05d}-{number:06d}.npz"
