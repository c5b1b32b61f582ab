"""What two versions of a table tell together, by linear programmes over both."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.sparse import csr_array, eye_array, hstack, vstack

from cohelix.release.disclosure.linear import Knowledge, narrow
from cohelix.release.disclosure.tables import CountTable, Protected, State

Labels = tuple[str | None, ...]


def discloses(table: CountTable, now: Protected, before: Protected, least: int) -> bool:
    """Whether an attacker who holds both versions, and takes it that people only left, or only came, learns that 1 to
    least - 1 people of a cell did; or confines a small count more than one version alone does.

    Cells are compared by the names of their categories; `all` of a version is over its own. Where people are in
    categories that are not the same in both versions and no cell is left out of them, as with phenotypes, it does.
    """
    own = [_labels_of(version, table) for version in (before, now)]
    if table.given and [set(labels) for labels in own[0]] != [set(labels) for labels in own[1]]:
        return True
    union = [list(dict.fromkeys((*new, *old))) for old, new in zip(*own, strict=True)]
    base = list(itertools.product(*union))
    old, new = (_facts(version, labels, base) for version, labels in zip((before, now), own, strict=True))
    most = _most(table, base)
    low, high = np.append(old.low, new.low), np.append(old.high, new.high)
    n = len(base)
    rows = vstack([_beside(old.rows, n, 0), _beside(new.rows, n, 1)]).tocsr()
    shared = np.array([
        all(label in a and label in b for label, a, b in zip(labels, *own, strict=True)) for labels in base
    ])  # fmt: skip
    for sign in (1, -1):
        link = hstack([sign * eye_array(n), -sign * eye_array(n)]).tocsr()[np.flatnonzero(shared)]
        k = link.shape[0]
        known = Knowledge(
            csr_array(vstack([rows, link])),
            np.append(low, np.zeros(k)),
            np.append(high, np.full(k, np.inf)),
            np.append(np.full(n, np.inf), most),
        )
        some = known.extreme(np.zeros(2 * n))
        if some is None:
            continue
        if _small_told(table, now, before, own, base, known, some, least) or _few_told(
            own, base, known, some, sign, least, table
        ):
            return True
    return False


def _labels_of(version: Protected, table: CountTable) -> list[tuple[str, ...]]:
    return [labels or table.categories[dim] for dim, labels in enumerate(version.categories)]


def _cells(version: Protected) -> list[Labels]:
    return [
        tuple(None if at < 0 else labels[at] for labels, at in zip(version.categories, place, strict=True))
        for place in version.places.tolist()
    ]


def _members(cells: list[Labels], own: list[tuple[str, ...]], base: list[tuple[str, ...]]) -> csr_array:
    """Sparse 0/1 (cells, base): what each cell sums over the categories of its version."""
    known = [{label: place for place, label in enumerate(labels)} for labels in own]
    codes = np.array([[at.get(label, -1) for at, label in zip(known, names, strict=True)] for names in base])
    inside = (codes >= 0).all(1)
    dense = np.zeros((len(cells), len(base)))
    for row, cell in enumerate(cells):
        wanted = [(dim, known[dim].get(label, -2)) for dim, label in enumerate(cell) if label is not None]
        dense[row] = np.logical_and.reduce([inside, *(codes[:, dim] == place for dim, place in wanted)])
    return csr_array(dense)


def _facts(version: Protected, own: list[tuple[str, ...]], base: list[tuple[str, ...]]) -> Knowledge:
    told = np.flatnonzero(version.state != State.ABSENT)
    cells = _cells(version)
    shown = version.state[told] == State.SHOWN
    values = version.values[told].astype(float)
    rows = _members([cells[place] for place in told.tolist()], own, base)
    return Knowledge(rows, np.where(shown, values, 1.0), np.where(shown, values, np.inf), np.full(len(base), np.inf))


def _most(table: CountTable, base: list[tuple[str, ...]]) -> np.ndarray:
    """float64 (base,): the frame of each base cell of the new version; inf where there is none."""
    if table.frame is None:
        return np.full(len(base), np.inf)
    there = dict(zip(itertools.product(*table.categories), table.frame.ravel().tolist(), strict=True))
    return np.array([there.get(labels, np.inf) for labels in base], float)


def _beside(rows: csr_array, n: int, version: int) -> csr_array:
    empty = csr_array((rows.shape[0], n))
    return csr_array(hstack([empty, rows] if version else [rows, empty]))


def _small_told(
    table: CountTable,
    now: Protected,
    before: Protected,
    own: list[list[tuple[str, ...]]],
    base: list[tuple[str, ...]],
    known: Knowledge,
    some: np.ndarray,
    least: int,
) -> bool:
    """Whether a small count of the new version, or a hidden one of the old, is confined by both."""
    n = len(base)
    values = table.values
    cells = _members(_cells(now), own[1], base)
    few = np.flatnonzero((values > 0) & (values < least))
    low, high = np.ones(len(few)), np.full(len(few), least - 1.0)
    rows = cells[few]
    if table.of is not None:
        others = table.of - values
        rest = np.flatnonzero((others > 0) & (others < least))
        rows = csr_array(vstack([rows, cells[rest]]))
        low, high = np.append(low, (table.of - least + 1)[rest]), np.append(high, (table.of - 1)[rest])
    if len(low) and narrow(known, _beside(rows, n, 1), low, high, some).any():
        return True
    hidden = np.flatnonzero(before.state == State.HIDDEN)
    if not len(hidden):
        return False
    listed = _cells(before)
    old = _members([listed[place] for place in hidden.tolist()], own[0], base)
    alone = _facts(before, own[0], base)
    first = alone.extreme(np.zeros(n))
    if first is None:
        return True
    wide = np.flatnonzero(~narrow(alone, old, np.ones(len(hidden)), np.full(len(hidden), least - 1.0), first))
    reach = np.ones(len(wide)), np.full(len(wide), least - 1.0)
    return bool(len(wide) and narrow(known, _beside(old[wide], n, 0), *reach, some).any())


def _few_told(
    own: list[list[tuple[str, ...]]],
    base: list[tuple[str, ...]],
    known: Knowledge,
    some: np.ndarray,
    sign: int,
    least: int,
    table: CountTable,
) -> bool:
    """Whether of some cell it follows that 1 to least - 1 people left (sign 1) or came (-1)."""
    both = [tuple(label for label in a if label in b) for a, b in zip(*own, strict=True)]
    cells: list[Labels] = []
    for kept in table.margins:
        cells += itertools.product(*(labels if dim in kept else (None,) for dim, labels in enumerate(both)))
    rows = _members(cells, both, base)
    change = csr_array(hstack([sign * rows, -sign * rows]))
    least_seen = most_seen = change @ some
    for cell in range(len(cells)):
        for direction in (-1.0, 1.0):
            if most_seen[cell] >= least - 0.5 or least_seen[cell] <= 0.5:
                break
            x = known.extreme(direction * change[[cell]].toarray()[0])
            assert x is not None
            found = change @ x
            least_seen, most_seen = np.minimum(least_seen, found), np.maximum(most_seen, found)
        if most_seen[cell] < least - 0.5 and least_seen[cell] > 0.5:
            return True
    return False
