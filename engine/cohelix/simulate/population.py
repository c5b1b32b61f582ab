"""Sites of a made population, and the alleles that one person carries at them.

Shared sites follow the neutral spectrum: a density of `THETA / x` at allele frequency x. Sites rarer than `RAREST` are
not drawn for the population; each person has some alone instead, so the number of sites grows with the cohort, and
person k is the same in a cohort of any size. Sites are independent (no linkage).

Offsets count bases from the start of the region. Allele 0 is the reference, 1 and 2 the alternates of a site.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cohelix.simulate.sequence import BASES, LONGEST_UNIT, Reference

THETA = 0.6e-3  # heterozygous sites per base: 1.5 THETA carried per person, two thirds of them het
FIXED = 0.1e-3  # sites per base where the reference has the rare allele: the share of het falls to about 60 %
PRIVATE = 1e-5  # sites per base that one person has alone, as in 1000 Genomes phase 3
RAREST = 1e-4
INDEL_SHARE = 0.1
TRANSITION_SHARE = 2.1 / 3.1
SECOND_ALT_SHARE = 0.02
SNP_IN_DELETION_SHARE = 0.3  # of deletions get a SNP inside, so that people have one within another's deletion
IN_REPEAT_SHARE = 0.5  # of indels
LENGTH_P = 0.35  # of the geometric length of an indel
LONGEST_INDEL = 24
MARGIN = 128  # bases at both ends of the region without sites

NO_COPY = -1  # in place of a second allele where a person is haploid
SPANNED = 9  # in place of an allele whose base lies in a deletion of the same haplotype

_TRANSITION = {"A": "G", "G": "A", "C": "T", "T": "C"}


@dataclass(frozen=True)
class Sites:
    """S sites in the order of their offsets, which differ.

    offset (S,); ref: reference bases; alts: one or two alternates, which start with the first base of `ref` unless they
    are SNPs; spans (S, 3): reference bases of allele 1 or 2 by itself, once trimmed (column 0: 1); frequency (S, 2).
    """

    offset: np.ndarray
    ref: list[str]
    alts: list[tuple[str, ...]]
    spans: np.ndarray
    frequency: np.ndarray


@dataclass(frozen=True)
class Carried:
    """What one person carries: alleles (n, 2) int8, with `NO_COPY` and `SPANNED`, at the n sites in `sites`."""

    sites: Sites
    alleles: np.ndarray


def trim(ref: str, alts: list[str]) -> tuple[str, list[str]]:
    """Take off the bases that all alleles share at their right end, and keep one base of each."""
    while len(ref) > 1 and all(len(alt) > 1 and alt[-1] == ref[-1] for alt in alts):
        ref, alts = ref[:-1], [alt[:-1] for alt in alts]
    return ref, alts


def make_sites(reference: Reference, rng: np.random.Generator, *, avoid: np.ndarray) -> Sites:
    """The shared sites of the population. No site spans one of the offsets `avoid` (where ploidy changes)."""
    length = reference.end - reference.start - 2 * MARGIN
    neutral = RAREST ** rng.random(rng.poisson(THETA * math.log(1 / RAREST) * length))
    frequency = np.concatenate([neutral, rng.uniform(0.95, 1.0, rng.poisson(FIXED * length))])
    offsets = rng.integers(MARGIN, MARGIN + length, frequency.size)
    chance = rng.random((frequency.size, 7))
    rows = [_alleles(reference, int(o), u) for o, u in zip(offsets, chance.tolist(), strict=True)]
    drawn = [_frequencies(x, len(alts), u) for x, (_, _, alts), u in zip(frequency, rows, chance[:, 6], strict=True)]
    inside = _snps_in_deletions(reference, rows, rng)
    drawn += [(float(x), 0.0) for x in RAREST ** rng.random(len(inside))]
    return _ordered([*rows, *inside], drawn, avoid)


def carry(reference: Reference, shared: Sites, ploidy: list[tuple[int, int, int]], rng: np.random.Generator) -> Carried:
    """Draw the alleles of one person. `ploidy`: (start, end, copies) in offsets, which cover the region."""
    own = _private_sites(reference, shared, rng, np.array([start for start, _, _ in ploidy[1:]], np.int64))
    chance = rng.random((shared.offset.size, 2))
    first, second = shared.frequency[:, :1], shared.frequency.sum(axis=1, keepdims=True)
    drawn = ((chance < second).astype(np.int8)) * (1 + (chance >= first).astype(np.int8))
    of_own = np.zeros((own.offset.size, 2), np.int8)
    of_own[np.arange(own.offset.size), rng.integers(0, 2, own.offset.size)] = 1
    offset = np.concatenate([shared.offset, own.offset])
    alleles = np.concatenate([drawn, of_own])
    for start, end, copies in ploidy:
        if copies == 1:
            alleles[(offset >= start) & (offset < end), 1] = NO_COPY
    rows = np.flatnonzero((alleles > 0).any(axis=1))
    rows = rows[np.argsort(offset[rows], kind="stable")]
    sites = _take(shared, own, rows)
    return Carried(sites, np.stack([_without_spanned(sites, alleles[rows, copy]) for copy in (0, 1)], axis=1))


def _alleles(reference: Reference, offset: int, u: list[float]) -> tuple[int, str, tuple[str, ...]]:
    """(offset, ref, alts) of one site near `offset`, made from 7 numbers in [0, 1). Indels are left-aligned."""
    bases = reference.bases
    two = u[4] < SECOND_ALT_SHARE
    if u[0] < INDEL_SHARE:
        length = min(1 + int(math.log(1 - u[2]) / math.log(1 - LENGTH_P)), LONGEST_INDEL)
        starts, unit = range(offset, offset + 8), 1
        if u[5] < IN_REPEAT_SHARE and reference.repeat_offsets.size:
            which = int(u[5] / IN_REPEAT_SHARE * reference.repeat_offsets.size)
            start, unit = int(reference.repeat_offsets[which]) - 1, int(reference.repeat_units[which])
            starts, length = range(start, start + 1), unit * min(length, LONGEST_INDEL // LONGEST_UNIT)
        for start in starts:
            if MARGIN <= start < len(bases) - MARGIN:
                found = indel(bases, start, length, unit, u, in_repeat=len(starts) == 1, two=two)
                if found is not None:
                    return found
    return offset, bases[offset], snp(bases[offset], u, two=two)


def snp(ref: str, u: list[float], *, two: bool) -> tuple[str, ...]:
    """One or two other bases, made from u[1] (transition or not) and u[3] (which transversion)."""
    others = [_TRANSITION[ref], *(base for base in BASES if base not in (ref, _TRANSITION[ref]))]
    if u[1] >= TRANSITION_SHARE:
        others = others[1:] + others[:1] if u[3] < 0.5 else others[:0:-1] + others[:1]
    return tuple(others[: 2 if two else 1])


def indel(
    bases: str, start: int, length: int, unit: int, u: list[float], *, in_repeat: bool, two: bool
) -> tuple[int, str, tuple[str, ...]] | None:
    """A deletion or an insertion behind base `start`, None where it could be written further left.

    Made from u[1] (which of the two) and u[3] (the bases that are inserted).
    """
    anchor = bases[start]
    if u[1] < 0.5:
        if anchor == bases[start + length]:
            return None
        ref = bases[start : start + length + 1]
        alts: tuple[str, ...] = (anchor,)
        if two and length > unit and anchor != bases[start + unit]:
            alts = (anchor, anchor + bases[start + unit + 1 : start + length + 1])  # a shorter deletion
        elif two:
            alts = (anchor, _TRANSITION[anchor] + ref[1:])  # a SNP of the anchor
        return start, ref, alts
    number = int(u[3] * 4**length)
    added = bases[start + 1 : start + 1 + length]  # another copy of the unit
    if not in_repeat:
        added = "".join(BASES[number >> 2 * i & 3] for i in range(length))
    if added[-1] == anchor:
        return None
    return start, anchor, (anchor + added, *((anchor + added + added,) if two else ()))


def _snps_in_deletions(
    reference: Reference, rows: list[tuple[int, str, tuple[str, ...]]], rng: np.random.Generator
) -> list[tuple[int, str, tuple[str, ...]]]:
    """One SNP for some of the deletions of `rows`, at a base that they delete."""
    deletions = [(offset, len(ref)) for offset, ref, _ in rows if len(ref) > 1]
    chance = rng.random((len(deletions), 2)).tolist()
    chosen = [row for row, (u, _) in enumerate(chance) if u < SNP_IN_DELETION_SHARE]
    offsets = [deletions[row][0] + 1 + int(chance[row][1] * (deletions[row][1] - 1)) for row in chosen]
    return [(offset, reference.bases[offset], (_TRANSITION[reference.bases[offset]],)) for offset in offsets]


def _frequencies(x: float, n_alts: int, u: float) -> tuple[float, float]:
    """Frequency `x` of a site shared out over its alternates."""
    second = x * (0.05 + 0.45 * u) if n_alts == 2 else 0.0
    return x - second, second


def _ordered(
    rows: list[tuple[int, str, tuple[str, ...]]], frequency: list[tuple[float, float]], avoid: np.ndarray
) -> Sites:
    """Sites by offset; of several at one offset the first stays."""
    keep = in_order(rows, avoid)
    shares = np.array([frequency[row] for row in keep.tolist()]).reshape(-1, 2)
    return sites_of(rows, keep, shares)


def in_order(rows: list[tuple[int, str, tuple[str, ...]]], avoid: np.ndarray) -> np.ndarray:
    """Which of `rows` stay, by offset: of several at one offset the first, and none that spans an offset of `avoid`."""
    offset = np.array([row[0] for row in rows], np.int64)
    end = offset + np.array([len(row[1]) for row in rows], np.int64)
    keep = np.unique(offset, return_index=True)[1]
    for place in avoid.tolist():
        keep = keep[~((offset[keep] < place) & (end[keep] > place))]
    return keep


def sites_of(rows: list[tuple[int, str, tuple[str, ...]]], keep: np.ndarray, frequency: np.ndarray) -> Sites:
    """The rows `keep` as sites, with `frequency` as it is."""
    spans = np.ones((keep.size, 3), np.int64)
    for k, row in enumerate(keep.tolist()):
        for a, alt in enumerate(rows[row][2], start=1):
            spans[k, a] = len(trim(rows[row][1], [alt])[0])
    chosen = [rows[row] for row in keep.tolist()]
    offset = np.array([o for o, _, _ in chosen], np.int64)
    return Sites(offset, [r for _, r, _ in chosen], [a for _, _, a in chosen], spans, frequency)


def _private_sites(reference: Reference, shared: Sites, rng: np.random.Generator, avoid: np.ndarray) -> Sites:
    """Sites that this person alone has, none at the offset of a shared site."""
    length = reference.end - reference.start - 2 * MARGIN
    offsets = rng.integers(MARGIN, MARGIN + length, rng.poisson(PRIVATE * length))
    chance = rng.random((offsets.size, 7))
    chance[:, 4] = 1.0  # one alternate: only one copy is carried
    rows = [_alleles(reference, int(o), u) for o, u in zip(offsets, chance.tolist(), strict=True)]
    rows = [row for row in rows if not _holds(shared.offset, row[0])]
    return _ordered(rows, [(0.0, 0.0)] * len(rows), avoid)


def _holds(ordered: np.ndarray, value: int) -> bool:
    place = int(np.searchsorted(ordered, value))
    return place < ordered.size and int(ordered[place]) == value


def _take(shared: Sites, own: Sites, rows: np.ndarray) -> Sites:
    """Rows of the two joined, shared first."""
    n = shared.offset.size
    pick = [(shared, r) if r < n else (own, r - n) for r in rows.tolist()]
    return Sites(
        np.array([s.offset[r] for s, r in pick], np.int64),
        [s.ref[r] for s, r in pick],
        [s.alts[r] for s, r in pick],
        np.array([s.spans[r] for s, r in pick], np.int64).reshape(-1, 3),
        np.array([s.frequency[r] for s, r in pick]).reshape(-1, 2),
    )


def _without_spanned(sites: Sites, alleles: np.ndarray) -> np.ndarray:
    """Alleles (n,) of one haplotype; those within a deletion that it carries become `SPANNED`."""
    kept, covered_to = alleles.copy(), 0
    for row, (offset, allele) in enumerate(zip(sites.offset.tolist(), alleles.tolist(), strict=True)):
        if allele == NO_COPY:
            continue
        if offset < covered_to:
            kept[row] = SPANNED
        elif allele > 0:
            covered_to = offset + int(sites.spans[row, allele])
    return kept
