"""REF and ALT for the states of a site: bases of the made reference, and what a mutation there makes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.simulate.population import LENGTH_P, LONGEST_INDEL, MARGIN, in_order, indel, snp
from cohelix.simulate.sequence import LONGEST_UNIT, Reference

ELSEWHERE_SHARE = 0.075
"""Of sites outside repeats: indels. With those in repeats, 10 to 12 % of the sites of a panel of usual size."""
TRIES = 8  # bases to the right where an indel that is not left-aligned may go instead

Row = tuple[int, str, tuple[str, ...]]


@dataclass(frozen=True)
class Coding:
    """New code (3,) of each state of a site, -1: none; and how many alternates there are."""

    code: np.ndarray
    n_alts: int


def coding(counts: np.ndarray, reference_state: int) -> Coding | None:
    """States as alleles: that of the reference is 0, the others 1 and 2, the more frequent first.

    counts (3,): copies of each state in the panel. None where every haplotype is as the reference.
    """
    others = [state for state in (0, 1, 2) if state != reference_state and counts[state] > 0]
    if not others:
        return None
    others.sort(key=lambda state: (-int(counts[state]), state))
    code = np.zeros(3, np.int8)
    code[others] = np.arange(1, len(others) + 1)
    return Coding(code, len(others))


def row(reference: Reference, offset: int, n_alts: int, u: list[float], units: dict[int, int]) -> Row:
    """(offset, ref, alts) of a site at or just behind `offset`, made from 7 numbers in [0, 1).

    units: bases in the repeated unit, by the offset of the base before a repeat. Indels are left-aligned.
    """
    bases, two = reference.bases, n_alts == 2
    length = min(1 + int(math.log(1 - u[2]) / math.log(1 - LENGTH_P)), LONGEST_INDEL)
    if offset in units:
        unit = units[offset]
        found = indel(
            bases, offset, unit * min(length, LONGEST_INDEL // LONGEST_UNIT), unit, u, in_repeat=True, two=two
        )
        if found is not None:
            return found
    if offset in units or u[0] < ELSEWHERE_SHARE:
        for start in range(offset, min(offset + TRIES, len(bases) - MARGIN)):
            found = indel(bases, start, length, 1, u, in_repeat=False, two=two)
            if found is not None:
                return found
    return offset, bases[offset], snp(bases[offset], u, two=two)


def kept(rows: list[Row], length: int, *, avoid: Sequence[int], taken: Sequence[tuple[int, str]]) -> np.ndarray:
    """Which rows become sites, by offset: one at an offset, within the margins, across no offset of `avoid`, and
    on no base of `taken` (offset, bases)."""
    keep: np.ndarray = in_order(rows, np.array(avoid, np.int64))
    start = np.array([row[0] for row in rows], np.int64)
    end = start + np.array([len(row[1]) for row in rows], np.int64)
    keep = keep[(start[keep] >= MARGIN) & (end[keep] <= length - MARGIN)]
    for offset, ref in taken:
        keep = keep[(end[keep] <= offset) | (start[keep] >= offset + len(ref))]
    return keep


def units(reference: Reference) -> dict[int, int]:
    """Bases in the repeated unit, by the offset of the base before each repeat."""
    places = zip((reference.repeat_offsets - 1).tolist(), reference.repeat_units.tolist(), strict=True)
    return {offset: unit for offset, unit in places if MARGIN <= offset < len(reference.bases) - MARGIN}
