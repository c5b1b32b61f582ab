"""Suppression: small counts are hidden, and with them as many others as it takes that none can be worked out.

Whether that is so is not left to the choice of the others: a linear programme (see `linear`) must find, for every small
count, tables that agree with all that is published in which it is 1, and such in which it is `least` - 1.
"""

from __future__ import annotations

import numpy as np

from cohelix.errors import ContractError
from cohelix.release.disclosure.linear import Reach, knowledge_of
from cohelix.release.disclosure.tables import CountTable, Protected, State, protected

_ROUNDS = 60
"""After so many rounds of hiding one count more for each that can be worked out, whole margins are left out."""


def protect(table: CountTable, least: int, also: np.ndarray | None = None) -> Protected | None:
    """What may be published of a table; None where that is nothing.

    Of a frame, no published cell may be of 1 to least - 1 people (ContractError). least: smallest count, besides 0,
    that is shown. also: bool (cells,), cells to hide besides, where they hold somebody (see `differencing`).

    A margin of which no count but 0 could be shown is left out whole.
    """
    if table.of is not None and ((table.of > 0) & (table.of < least)).any():
        raise ContractError("expected strata of more people as the frame of a count table.")
    state = np.where(small(table, least), State.HIDDEN, State.SHOWN).astype(np.int8)
    if also is not None:
        state[also & _inner(table)] = State.HIDDEN
    given = np.isin(table.margin, [table.margins.index(one) for one in table.given])
    total = table.margin == (table.margins.index(()) if () in table.margins else -1)
    if ((given | total) & (state == State.HIDDEN)).any():
        return None
    kept = given | total
    audit = _Audit(table, least)
    for rounds in range(len(state) + _ROUNDS):
        bad = audit.told(state)
        if not len(bad):
            break
        for cell in _apart(table, bad):
            gone = state[cell] == State.ABSENT
            companion = None if gone or rounds >= _ROUNDS else _companion(table, state, kept, cell)
            if companion is None:
                widest = _widest(table, state, kept)
                if not widest.any():
                    return None
                state[widest] = State.ABSENT
                break
            state[companion] = State.HIDDEN
    for margin in range(len(table.margins)):
        cells = table.margin == margin
        if not ((state == State.SHOWN) & (table.values > 0))[cells].any():
            state[cells] = State.ABSENT
    return protected(table, state) if (state == State.SHOWN).any() else None


def small(table: CountTable, least: int) -> np.ndarray:
    """bool (cells,): holds 1 to least - 1 people, or so many of its frame are not in it."""
    few = (table.values > 0) & (table.values < least)
    if table.of is not None:
        others = table.of - table.values
        few |= (others > 0) & (others < least)
    return few


class _Audit:
    """Which cells that are small can be told to be less, or more, than 1 to least - 1 allow.

    Cells of margins that are left out count too.
    """

    def __init__(self, table: CountTable, least: int) -> None:
        from scipy.sparse import csr_array, vstack

        self._table = table
        few = np.flatnonzero((table.values > 0) & (table.values < least))
        rows = table.members[few]
        self._low, self._high = np.ones(len(few)), np.full(len(few), least - 1.0)
        self._cells = few
        if table.of is not None:
            rest = table.of - table.values
            others = np.flatnonzero((rest > 0) & (rest < least))
            rows = vstack([rows, table.members[others]])
            self._low = np.append(self._low, (table.of - least + 1)[others])
            self._high = np.append(self._high, (table.of - 1)[others])
            self._cells = np.append(few, others)
        self._reach = Reach(csr_array(rows), table.counts.ravel().astype(float), whole=len(table.dims) > 2)

    def told(self, state: np.ndarray) -> np.ndarray:
        """int64, places of cells; of `state` no more is told than at an earlier call."""
        if not len(self._cells):
            return self._cells
        fail = self._reach.short(knowledge_of(self._table, state), self._low, self._high)
        return np.unique(self._cells[fail])


def _inner(table: CountTable) -> np.ndarray:
    """bool (cells,): holds somebody, and not everybody of its frame."""
    inner: np.ndarray = table.values > 0
    return inner if table.of is None else inner & (table.values < table.of)


def _apart(table: CountTable, bad: np.ndarray) -> list[int]:
    """Of cells that can be told, the first in each margin of those that share a category: one remedy may serve all."""
    chosen: list[int] = []
    for cell in bad.tolist():
        if not any(
            table.margin[cell] == table.margin[one]
            and (table.places[cell] == table.places[one])[_kept(table, cell)].any()
            for one in chosen
        ) and not (table.margin[cell] in table.margin[chosen] and len(_kept(table, cell).nonzero()[0]) < 2):
            chosen.append(cell)
    return chosen


def _kept(table: CountTable, cell: int) -> np.ndarray:
    """bool (dims,): those that a cell is not summed over."""
    there: np.ndarray = table.places[cell] >= 0
    return there


def _companion(table: CountTable, state: np.ndarray, kept: np.ndarray, cell: int) -> int | None:
    """The count to hide next to a hidden one that can be told.

    The smallest shown on a line where no other count is hidden, whether a line of the cell or one of a count that is
    hidden on its lines (so that rectangles are closed); otherwise on a line of the cell, first of those with the fewest
    hidden counts.
    """
    same = (table.margin == table.margin[cell]) & ~kept
    hidden, free = state == State.HIDDEN, (state == State.SHOWN) & _inner(table)
    own = _lines(table, same, cell)
    found = []
    near = [(line, False) for line in own]
    for other in np.flatnonzero(np.logical_or.reduce([line & hidden for line in own])).tolist():
        if other != cell:
            near += [(line, True) for line in _lines(table, same, other)]
    for line, foreign in near:
        choice = np.flatnonzero(line & free)
        n_hidden = int((line & hidden).sum())
        if len(choice) and (n_hidden == 1 or not foreign):
            smallest = int(choice[np.argmin(table.values[choice])])
            found.append((n_hidden, foreign, int(table.values[smallest]), smallest))
    return min(found)[3] if found else None


def _lines(table: CountTable, same: np.ndarray, cell: int) -> list[np.ndarray]:
    """bool (cells,) by dim: cells of a margin that differ from one in this dim alone, and itself."""
    place = table.places[cell]
    lines = []
    for dim in np.flatnonzero(place >= 0).tolist():
        rest = np.arange(len(place)) != dim
        lines.append(same & (table.places[:, rest] == place[rest]).all(1))
    return lines


def _widest(table: CountTable, state: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """bool (cells,): those of the finest margin that is published still."""
    there = [
        (len(kept_dims), place)
        for place, kept_dims in enumerate(table.margins)
        if ((state != State.ABSENT) & ~kept)[table.margin == place].any()
    ]
    chosen: np.ndarray = (table.margin == (max(there)[1] if there else -1)) & ~kept
    return chosen
