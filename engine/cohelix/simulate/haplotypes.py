"""Which alleles a person carries: mosaics of panel haplotypes, read by person or by block of sites."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from cohelix.simulate import blocks, kernels
from cohelix.simulate.population import NO_COPY, SPANNED, Sites
from cohelix.simulate.sequence import Reference


@dataclass(frozen=True)
class RegionPanel:
    """Panel haplotypes of one region.

    reference: its bases. sites: S sites (offsets from the region's start, ascending; see `population.Sites`; frequency
    (S, 6): of all alternates together, per source). alleles (H, S) int8, mapped from
    disk: 0 reference, 1 and 2 alternates, `SPANNED` in a deletion; rows of source k of SOURCES begin at k * per_source.
    """

    reference: Reference
    sites: Sites
    alleles: np.ndarray
    per_source: int


@dataclass(frozen=True)
class CarriedHere:
    """What one person carries in one region.

    sites: those n where some copy has an alternate, in order. alleles (n, K) int8: of each of K copies (of a male: X of
    the mother, then PAR of the Y), 0, 1, 2, `NO_COPY` or `SPANNED`.
    stretches: (start, end, copies) in offsets, covering the region: how many copies there are.
    """

    sites: Sites
    alleles: np.ndarray
    stretches: list[tuple[int, int, int]]


def deletion_spans(sites: Sites) -> np.ndarray:
    """(m, 2) offsets [start, end) that the deletions of `sites` span, joined where they overlap, ascending."""
    longest = sites.spans.max(axis=1, initial=1)
    which = longest > 1
    return blocks.merged(sites.offset[which], sites.offset[which] + longest[which])


def mark_spanned(sites: Sites, alleles: np.ndarray) -> None:
    """Mark in `alleles` (T, S) what lies in a deletion of the same haplotype."""
    kernels.without_spanned(sites.offset, sites.spans, NO_COPY, SPANNED, alleles)


def gather_alleles(
    alleles: np.ndarray, offset: np.ndarray, target: np.ndarray, row: np.ndarray, start: np.ndarray, end: np.ndarray,
    n_targets: int,
) -> np.ndarray:  # fmt: skip
    """(T, S) int8: alleles of T copies at the S sites of a panel, from pieces (n,): panel `row` over [start, end).

    `NO_COPY` where no piece of a copy lies.
    """
    out = np.full((n_targets, offset.size), NO_COPY, np.int8)
    low, high = np.searchsorted(offset, start), np.searchsorted(offset, end)
    kernels.gather(alleles, target, row, low, high, out)
    return out


@dataclass(frozen=True)
class Extra:
    """A site that the panel does not have, on a founder haplotype:

    offset, ref, alt (an indel begins with its anchor).
    """

    offset: int
    ref: str
    alt: str


def carried_here(
    sites: Sites, alleles: np.ndarray, extras: list[tuple[Extra, int]], pieces: np.ndarray, length: int
) -> CarriedHere:
    """What a person carries in a region of `length` bases.

    alleles (K, S): at the panel's `sites`. extras: (site, copy). pieces (n, 3): copy, start, end of what is there.
    """
    rows = np.flatnonzero(((alleles > 0) & (alleles != SPANNED)).any(axis=0))
    of_panel = alleles[:, rows].T
    own = _by_offset(extras)
    offset = np.concatenate([sites.offset[rows], np.array([site.offset for site, _ in own], np.int64)])
    order = np.argsort(offset, kind="stable")
    of_own = np.zeros((len(own), alleles.shape[0]), np.int8)
    for place, (site, codes) in enumerate(own):
        there = (pieces[:, 1] <= site.offset) & (site.offset < pieces[:, 2])
        of_own[place] = np.where(np.isin(np.arange(alleles.shape[0]), pieces[there, 0]), 0, NO_COPY)
        for copy, code in codes:
            of_own[place, copy] = code
    chosen = [(sites.ref[row], sites.alts[row]) for row in rows.tolist()] + [(s.ref, s.alts) for s, _ in own]
    spans = np.concatenate([sites.spans[rows], np.array([s.spans for s, _ in own], np.int64).reshape(-1, 3)])
    frequency = np.zeros((offset.size, 2))
    found = np.ascontiguousarray(np.concatenate([of_panel, of_own])[order].T)
    kernels.without_spanned(offset[order], spans[order], NO_COPY, SPANNED, found)
    places = order.tolist()
    here = Sites(offset[order], [chosen[k][0] for k in places], [chosen[k][1] for k in places], spans[order], frequency)
    return CarriedHere(here, np.ascontiguousarray(found.T), copies_along(pieces, length))


def copies_along(pieces: np.ndarray, length: int) -> list[tuple[int, int, int]]:
    """(start, end, copies) covering [0, length), from pieces (n, 3): copy, start, end."""
    edges = np.unique(np.concatenate([[0, length], pieces[:, 1], pieces[:, 2]])).tolist()
    found: list[tuple[int, int, int]] = []
    for start, end in itertools.pairwise(edges):
        copies = int(((pieces[:, 1] <= start) & (pieces[:, 2] > start)).sum())
        if found and found[-1][2] == copies:
            found[-1] = (found[-1][0], end, copies)
        else:
            found.append((start, end, copies))
    return found


@dataclass(frozen=True)
class _Own:
    offset: int
    ref: str
    alts: tuple[str, ...]
    spans: tuple[int, int, int]


def _by_offset(extras: list[tuple[Extra, int]]) -> list[tuple[_Own, list[tuple[int, int]]]]:
    """Extras of one offset as one site, with (copy, allele code)."""
    at: dict[int, list[tuple[Extra, int]]] = {}
    for extra, copy in extras:
        at.setdefault(extra.offset, []).append((extra, copy))
    found = []
    for offset, here in sorted(at.items()):
        ref = max((extra.ref for extra, _ in here), key=len)
        alts = list(dict.fromkeys(extra.alt + ref[len(extra.ref) :] for extra, _ in here))[:2]
        spans = [1, 1, 1]
        codes = []
        for extra, copy in here:
            alt = extra.alt + ref[len(extra.ref) :]
            if alt in alts:
                codes.append((copy, alts.index(alt) + 1))
                spans[alts.index(alt) + 1] = len(extra.ref)
        found.append((_Own(offset, ref, tuple(alts), (1, spans[1], spans[2])), codes))
    return found
