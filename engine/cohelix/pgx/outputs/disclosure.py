"""Which counts of a table must not be shown, so that nobody is told by a small number.

A first care, not disclosure control: tables that follow from one another (phenotypes from diplotypes) are looked at one
by one.
"""

from __future__ import annotations

import numpy as np


def withheld(counts: np.ndarray, totals: np.ndarray, least: int) -> np.ndarray:
    """bool (names, columns): counts to withhold.

    counts: int (names, columns); the first column is that of all people, the others add up to it. totals (columns,):
    people or alleles that the names of a column add up to. A count of 1 to `least` - 1 is withheld, and all of a column
    with such a total. A single withheld count could be worked out from its row or its column, and so could the sum of
    several: the next smallest join until there are two at least and their sum is 0 or `least`.
    """
    hidden = (counts > 0) & (counts < least)
    hidden[:, _with_more(totals[1:], (totals > 0)[1:] & (totals < least)[1:], least, shift=True)] = True
    if 0 < totals[0] < least:
        return np.ones(counts.shape, bool)
    while True:
        before = int(hidden.sum())
        for column in range(counts.shape[1]):
            hidden[:, column] = _with_more(counts[:, column], hidden[:, column], least)
        if counts.shape[1] > 1:
            for row in range(counts.shape[0]):
                hidden[row, 1:] = _with_more(counts[row, 1:], hidden[row, 1:], least)
                if hidden[row, 1:].any() and _tells(counts[row, 1:], hidden[row, 1:], least):
                    hidden[row, 0] = True
        if int(hidden.sum()) == before:
            return hidden


def _tells(counts: np.ndarray, hidden: np.ndarray, least: int) -> bool:
    """Whether the total would give away what is hidden."""
    together = int(counts[hidden].sum())
    return int((hidden & (counts > 0)).sum()) == 1 or 0 < together < least


def _with_more(counts: np.ndarray, hidden: np.ndarray, least: int, *, shift: bool = False) -> np.ndarray:
    """`hidden` and what must join it; with `shift` the first place is one that is never hidden here."""
    found = hidden.copy()
    while found.any() and _tells(counts, found, least):
        left = np.flatnonzero(~found & (counts > 0))
        if not len(left):
            break
        found[left[np.argmin(counts[left])]] = True
    return np.concatenate([[False], found]) if shift else found
