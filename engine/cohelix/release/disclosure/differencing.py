"""Two releases side by side: what their difference tells of the few people who came, left or changed.

Tables that are connected share their fate. All count tables divide the people by stratum, so where that table cannot be
renewed, none is. Where two versions of a table would differ by 1 to `least` - 1 people in the total, or in a count that
cannot be hidden, the former one stays ("carry"), the table is left out ("withhold"), or nothing is released ("refuse").
Where only counts within it differ by so few, these are hidden in the new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.errors import DisclosureError
from cohelix.release.disclosure.suppression import protect
from cohelix.release.disclosure.tables import ALL, PERSONS, CountTable, Protected, State, parse, read
from cohelix.release.schema import ReleaseParams

Rows = list[dict[str, Any]]


class Compared:
    """Tables of a release, each compared with the former release's. former: its folder, if there is one."""

    def __init__(self, former: Path | None, folder: str, params: ReleaseParams) -> None:
        self._former = None if former is None else former / folder
        self._params = params

    def frame(self, table: CountTable) -> tuple[Rows, bool]:
        """(rows to publish, whether they are the former release's)."""
        old = self._units("persons", None).get("", [])
        before = parse("persons", table.dims, old) if old else None
        rows = self._renewed(table, before)
        if rows is not None:
            return rows, False
        return self._settled(old, table.dims), True

    def tables(
        self, name: str, key: str, dims: tuple[str, ...], tables: Iterable[CountTable], carried: bool
    ) -> list[tuple[str, Rows]]:
        """(name of a table, rows) of those to publish, in order. carried: the frame is the former release's."""
        old = self._units(name, key)
        if carried:
            return [(unit, self._settled(rows, dims)) for unit, rows in old.items()]
        found: dict[str, Rows] = {}
        for table in tables:
            former = old.pop(table.name, None)
            before = None if former is None else parse(table.name, dims, former)
            rows = self._renewed(table, before)
            if rows is None and former is not None and before is not None:
                stays = fits(table, before, self._params.least)
                rows = self._settled(former, dims) if stays else _withheld(dims)
            if rows:
                found[table.name] = rows
        found |= {unit: _withheld(dims) for unit in old}
        return sorted(found.items(), key=lambda one: (int(one[0]) if one[0].isdigit() else 0, one[0]))

    def numbers(self, name: str, keys: tuple[str, ...], rows: Iterable[dict[str, Any]], carried: bool) -> Rows:
        """Quantiles to publish: the former ones while the frame is, or their group has changed by few people."""
        if self._former is None or not (self._former / f"{name}.parquet").is_file():
            return list(rows) if not carried else []
        old = read(self._former / f"{name}.tsv")
        if carried:
            withheld = [row | {"persons_up_to": None, "value": None} for row in old]
            return self._settled(old) or withheld
        least = self._params.least
        former = {tuple(row[one] for one in (*keys, "group", "share")): row for row in old}
        kept: Rows = []
        for row in rows:
            before = former.get(tuple(row[one] for one in (*keys, "group", "share")))
            if before is None or before["value"] == row["value"]:
                kept.append(row)
            elif before["value"] is None:
                kept.append(before)
            elif abs(before["persons_up_to"] - row["persons_up_to"]) >= 2 * least:
                kept.append(row)
            else:
                kept += self._settled([before]) or [before | {"persons_up_to": None, "value": None}]
        return kept

    def _renewed(self, table: CountTable, before: Protected | None) -> Rows | None:
        """Rows of the table as it is now; None where they may not be published beside the former ones."""
        least = self._params.least
        if before is None:
            now = protect(table, least)
            return [] if now is None else now.rows()
        if not (before.state == State.SHOWN).any():
            return None
        also = changed_by_few(table, before, least)
        now = protect(table, least, also) if also is not None else None
        return None if now is None or tells(table, now, before, least) else now.rows()

    def _settled(self, rows: Rows, dims: tuple[str, ...] = ()) -> Rows:
        """What is published in place of a table that cannot be renewed: its former rows, or that nothing is told."""
        choice = self._params.differencing
        if choice == "refuse":
            raise DisclosureError(
                "a count table differs from the former release's by fewer people than may be published. Build with "
                'release.differencing = "carry" or "withhold", or when more has changed.'
            )
        if choice == "carry":
            return rows
        return _withheld(dims) if dims else []

    def _units(self, name: str, key: str | None) -> dict[str, Rows]:
        """Rows of the former release by table, in its order."""
        if self._former is None or not (self._former / f"{name}.parquet").is_file():
            return {}
        rows = read(self._former / f"{name}.tsv")
        return {
            unit: list(members) for unit, members in groupby(rows, key=lambda row: "" if key is None else str(row[key]))
        }


def _withheld(dims: tuple[str, ...]) -> Rows:
    """A table of which nothing is told, that was published once: so it stays withheld, lest a later version be compared
    with the one before.
    """
    return [dict.fromkeys(dims, ALL) | {PERSONS: None}]


def changed_by_few(table: CountTable, before: Protected, least: int) -> np.ndarray | None:
    """bool (cells,): counts that were published and have changed by 1 to least - 1. None where the total has."""
    shown = {
        tuple(labels): value
        for labels, state, value in zip(
            _labels(before.categories, before.places), before.state, before.values, strict=True
        )
        if state == State.SHOWN
    }
    also = np.zeros(len(table.values), bool)
    for cell, labels in enumerate(_labels(table.categories, table.places)):
        change = abs(int(table.values[cell]) - int(shown.get(tuple(labels), table.values[cell])))
        also[cell] = 0 < change < least
    total = (table.places < 0).all(1)
    return None if also[total].any() else also


def fits(table: CountTable, before: Protected, least: int) -> bool:
    """Whether a former version may stand beside the new frame: of nobody's stratum are 1 to least - 1 not in it."""
    if table.of is None:
        return [set(labels) for labels in table.categories] == [set(labels) for labels in before.categories]
    of = dict(zip(map(tuple, _labels(table.categories, table.places)), table.of.tolist(), strict=True))
    for labels, state, value in zip(
        _labels(before.categories, before.places), before.state, before.values.tolist(), strict=True
    ):
        others = of.get(tuple(labels), 0) - value
        if state == State.SHOWN and value and (others < 0 or 0 < others < least):
            return False
    return True


def tells(table: CountTable, now: Protected, before: Protected, least: int) -> bool:
    """Whether two versions of a table together tell of 1 to least - 1 people who came or left, or of a small count.

    The attacker is given that people only left, or only came: then what either version publishes bounds the other.
    """
    from cohelix.release.disclosure.joint import discloses

    return discloses(table, now, before, least)


def _labels(categories: tuple[tuple[str, ...], ...], places: np.ndarray) -> list[list[str | None]]:
    return [
        [None if at < 0 else names[at] for names, at in zip(categories, place, strict=True)]
        for place in places.tolist()
    ]
