"""Which numbers of a site are shown of a group of people, so that no count of 1 to least - 1 of them is told.

Protected are, of every group: people who carry the alternate allele and who do not, heterozygotes, homozygotes of
either kind, people with one copy of the chromosome by allele, and people without a call. Shown are at most four
numbers: `ac`, `an`, `hom` (people with two alternate copies) and `hemi` (people with one, where there is only one).

- `an` counts the called people rounded down to a multiple of `least`: nobody learns how many calls are missing.
- `ac` is exact. It is shown where carriers, and called non-carriers by the rounded number of calls, are at least
  `least` (else `ac` would narrow what `an` rounds), where 4 x least people are called, and where 3 x least alleles are
  not the alternate one (else `ac` and `an` would bound the heterozygotes).
- `hom` is shown where homozygotes and heterozygotes are at least `least`, as either follows from the other. Where
  homozygotes are fewer, `ac` stands alone, unless it is so high that there must be some: then nothing is shown.
- Men and women on X are two parts, each under the rule; a number is shown where every part that has people is.
- Rows of one position share their people: they are shown where there are people enough for each carrier of each row
  to be another one, and `least` more; else none of them is.

0 is not told from 1 to least - 1, so that a first carrier changes nothing. That a row's world of possible counts is
never confined to 1 ... least - 1 is checked by counting all worlds in `tests/oracles/site_worlds.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

HIDDEN = -1
CALLED_FACTOR, REFERENCE_FACTOR = 4, 3
"""Least called people, and least alleles that are not the alternate one, in multiples of `least`."""

_MUCH = 1 << 62


@dataclass(frozen=True)
class Genotypes:
    """Counts of people int64, all of one shape: two copies (hom_ref, het, hom_alt), one copy (ref, alt).

    diploid, haploid: bool, whether the group has people with two copies, with one, called or not.
    """

    hom_ref: np.ndarray
    het: np.ndarray
    hom_alt: np.ndarray
    haploid_ref: np.ndarray
    haploid_alt: np.ndarray
    diploid: np.ndarray
    haploid: np.ndarray


@dataclass(frozen=True)
class Shown:
    """Numbers int64 of one shape, HIDDEN where they are not shown. Where `ac` is hidden, so is all else.

    one: the part of `an` that is of people with one copy.
    """

    ac: np.ndarray
    an: np.ndarray
    hom: np.ndarray
    hemi: np.ndarray
    one: np.ndarray

    def where(self, kept: np.ndarray) -> Shown:
        """Everything hidden but where `kept`."""
        return Shown(*(np.where(kept, getattr(self, field.name), HIDDEN) for field in fields(self)))


def shown(counts: Genotypes, least: int) -> Shown:
    """What may be shown of each site and group, by the rule of one row."""
    two, hom, called_two = _diploid(counts, least)
    called_one = rounded(counts.haploid_ref + counts.haploid_alt, least)
    one = (
        (counts.haploid_alt >= least)
        & (called_one - counts.haploid_alt >= least)
        & (called_one >= CALLED_FACTOR * least)
    )
    fine = (two | ~counts.diploid) & (one | ~counts.haploid) & (counts.diploid | counts.haploid)
    at_two, at_one = fine & counts.diploid, fine & counts.haploid
    hemi = np.where(at_one, counts.haploid_alt, 0)
    copies = np.where(at_one, called_one, 0)
    ac = np.where(at_two, counts.het + 2 * counts.hom_alt, 0) + hemi
    an = np.where(at_two, 2 * called_two, 0) + copies
    homs = np.where(at_two, np.where(hom, counts.hom_alt, HIDDEN), 0)
    return Shown(ac, an, homs, hemi, copies).where(fine)


def _diploid(counts: Genotypes, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(whether `ac` is shown, whether `hom` is too, called people as they are told) of people with two copies."""
    called = rounded(counts.hom_ref + counts.het + counts.hom_alt, least)
    ac = counts.het + 2 * counts.hom_alt
    both = (counts.het >= least) & (counts.hom_alt >= least)
    alone = (counts.hom_alt < least) & (ac <= called - least)
    carriers = counts.het + counts.hom_alt
    fine = (carriers >= least) & (called - carriers >= least)
    fine &= (called >= CALLED_FACTOR * least) & (2 * called - ac >= REFERENCE_FACTOR * least)
    return fine & (both | alone), both, called


def rounded(people: np.ndarray, least: int) -> np.ndarray:
    """Counts rounded down to a multiple of `least`."""
    return people // least * least


def together(rows: Shown, positions: np.ndarray, least: int) -> Shown:
    """`rows` (sites, groups) without those that tell too much with the others of their position.

    positions: (sites,), where equal ones lie together.
    """
    n = len(positions)
    if n < 2 or not (positions[1:] == positions[:-1]).any():
        return rows
    starts = np.flatnonzero(np.r_[True, positions[1:] != positions[:-1]])
    length = np.diff(np.r_[starts, n])
    is_shown = rows.ac != HIDDEN
    hom = np.where(rows.hom == HIDDEN, 0, rows.hom)
    two, one = (rows.an - rows.one) // 2, rows.one
    carriers, hemi = (np.where(is_shown, part, 0) for part in (rows.ac - rows.hemi - hom, rows.hemi))
    several = np.add.reduceat(is_shown, starts, axis=0, dtype=np.int64) > 1
    left_two, left_one = (
        np.minimum.reduceat(np.where(is_shown, called, _MUCH), starts, axis=0) - np.add.reduceat(has, starts, axis=0)
        for called, has in ((two, carriers), (one, hemi))
    )
    has_two, has_one = (np.add.reduceat(np.where(is_shown, part, 0), starts, axis=0) > 0 for part in (two, one))
    fine = ~several | ((~has_two | (left_two >= least)) & (~has_one | (left_one >= least)))
    return rows.where(is_shown & np.repeat(fine, length, axis=0))
