"""Where reads of one sample can differ from the reference: own variants, a contaminant's, artefacts, stray reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cohelix.simulate.blocks import inside, merged
from cohelix.simulate.haplotypes import CarriedHere
from cohelix.simulate.population import SPANNED, trim
from cohelix.simulate.sequence import BASES
from cohelix.simulate.sequencing.calling import LISTED, LISTED_IN, MOST_ALTS, OTHER, STAR
from cohelix.simulate.sequencing.layout import Layout
from cohelix.simulate.sequencing.sample import Here

_PLAIN = 6_000  # mapping quality of reads elsewhere, in hundredths


@dataclass(frozen=True)
class Candidates:
    """n sites by place (see `layout`), no two at one.

    ref, alts: alleles, which may share bases at their right end. spans (n, OTHER): reference bases of each allele by
    itself, once trimmed (1 where there is none). own, contaminant (n, OTHER): copies carried of each column. share
    (n,): of reads that an artefact (alternate 1) has; forward (n,): of the alternates' reads on the forward strand;
    mapping (n,): mapping quality, hundredths; stray (n,): reads of alternate 1 that are errors.
    """

    place: np.ndarray
    region: np.ndarray
    ref: list[str]
    alts: list[tuple[str, ...]]
    spans: np.ndarray
    own: np.ndarray
    contaminant: np.ndarray
    share: np.ndarray
    forward: np.ndarray
    mapping: np.ndarray
    stray: np.ndarray

    @property
    def end(self) -> np.ndarray:
        """(n,) place behind the last reference base of each."""
        return self.place + np.array([len(ref) for ref in self.ref], np.int64)

    def ordered(self, keep: np.ndarray) -> Candidates:
        """Those of `keep` (n,) bool, by place."""
        rows = np.flatnonzero(keep)
        rows = rows[np.argsort(self.place[rows], kind="stable")]
        listed = rows.tolist()
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return replace(self, ref=[self.ref[r] for r in listed], alts=[self.alts[r] for r in listed], **arrays)


_ARRAYS = ("place", "region", "spans", "own", "contaminant", "share", "forward", "mapping", "stray")


def _joined(parts: list[Candidates]) -> Candidates:
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    return Candidates(
        ref=[ref for part in parts for ref in part.ref], alts=[alts for part in parts for alts in part.alts], **arrays
    )


def carried_sites(layout: Layout, rng: np.random.Generator) -> Candidates:
    """All but stray reads, of all regions. Artefacts among the sites of the sample or its contaminant are left out."""
    parts = []
    for number, here in enumerate(layout.regions):
        first = int(layout.begin[number])
        of_people = _of_people(here)
        variants = _new(of_people[0] + first, number, of_people[1], of_people[2], of_people[3], of_people[4])
        parts.append(variants)
        if here.artefacts is not None and here.artefacts.offset.size:
            parts.append(_artefacts(here, number, first, merged(variants.place, variants.end), rng))
    whole = _joined(parts)
    return whole.ordered(np.ones(whole.place.size, bool))


def _of_people(here: Here) -> tuple[np.ndarray, list[str], list[tuple[str, ...]], np.ndarray, np.ndarray]:
    """(offset, ref, alts, own copies, contaminant's copies) at the sites of one or both."""
    carried, other = here.carried, here.contaminant
    offset, ref, alts = carried.sites.offset, carried.sites.ref, carried.sites.alts
    own = _counted(carried.alleles)
    if other is None:
        return offset, ref, alts, own, np.zeros_like(own)
    foreign, others = _counted(other.alleles), other.sites
    places = np.union1d(offset, others.offset).astype(np.int64)
    mine, theirs = np.searchsorted(places, offset), np.searchsorted(places, others.offset)
    own_all = _plain_copies(carried, here.copies, places)
    foreign_all = _plain_copies(other, other.stretches, places)
    refs, all_alts = [""] * places.size, [()] * places.size  # type: list[str], list[tuple[str, ...]]
    for row, place in enumerate(mine.tolist()):
        refs[place], all_alts[place] = ref[row], alts[row]
    own_all[mine] = own
    for row, place in enumerate(theirs.tolist()):
        if refs[place] in ("", others.ref[row]) and all_alts[place] in ((), others.alts[row]):
            refs[place], all_alts[place], columns = others.ref[row], others.alts[row], np.arange(OTHER)
        else:
            refs[place], all_alts[place], columns = _united(
                refs[place], all_alts[place], others.ref[row], others.alts[row]
            )
        foreign_all[place] = 0
        np.add.at(foreign_all[place], columns, foreign[row])
    return places, refs, all_alts, own_all, foreign_all


def _united(
    ref: str, alts: tuple[str, ...], other_ref: str, other_alts: tuple[str, ...]
) -> tuple[str, tuple[str, ...], np.ndarray]:
    """One site of two at the same base, and the column (OTHER,) that each of the second's goes to."""
    longest = max(ref, other_ref, key=len)
    whole = [alt + longest[len(ref) :] for alt in alts]
    columns = np.arange(OTHER)
    for number, alt in enumerate(other_alts, start=1):
        same = alt + longest[len(other_ref) :]
        if same not in whole:
            whole.append(same)
        columns[number] = whole.index(same) + 1
    return longest, tuple(whole), columns


def _counted(alleles: np.ndarray) -> np.ndarray:
    """Copies (n, OTHER) of each column from alleles (n, K)."""
    counted = np.zeros((len(alleles), OTHER), np.int64)
    for allele in range(MOST_ALTS + 1):
        counted[:, allele] = (alleles == allele).sum(axis=1)
    counted[:, STAR] = (alleles == SPANNED).sum(axis=1)
    return counted


def _plain_copies(carried: CarriedHere, copies: list[tuple[int, int, int]], offsets: np.ndarray) -> np.ndarray:
    """Copies (n, OTHER) at `offsets`, none of which is a site of `carried`: reference or deleted."""
    found = np.zeros((offsets.size, OTHER), np.int64)
    for start, end, number in copies:
        found[(offsets >= start) & (offsets < end), 0] = number
    alleles = np.where((carried.alleles > 0) & (carried.alleles != SPANNED), carried.alleles, 0)
    spans = np.take_along_axis(carried.sites.spans, alleles.astype(np.int64), axis=1)
    for row, copy in zip(*np.nonzero(spans > 1), strict=True):
        start = int(carried.sites.offset[row])
        within = (offsets > start) & (offsets < start + int(spans[row, copy])) & (found[:, 0] > 0)
        found[within, 0] -= 1
        found[within, STAR] += 1
    return found


def _artefacts(here: Here, number: int, first: int, variants: np.ndarray, rng: np.random.Generator) -> Candidates:
    shared = here.artefacts
    assert shared is not None
    affected = rng.random(shared.offset.size) < shared.prevalence
    place = shared.offset + first
    end = place + np.array([len(ref) for ref in shared.ref], np.int64)
    touched = np.zeros(place.size, bool)
    if variants.size:
        low = np.minimum(np.searchsorted(variants[:, 1], place, side="right"), len(variants) - 1)
        touched = (variants[low, 0] < end) & (variants[low, 1] > place)
    ref_copies = np.zeros((place.size, OTHER), np.int64)
    for start, stop, copies in here.copies:
        ref_copies[(shared.offset >= start) & (shared.offset < stop), 0] = copies
    foreign = np.zeros_like(ref_copies)
    if here.contaminant is not None:
        for start, stop, copies in here.contaminant.stretches:
            foreign[(shared.offset >= start) & (shared.offset < stop), 0] = copies
    made = _new(place, number, shared.ref, [(alt,) for alt in shared.alt], ref_copies, foreign)
    made = replace(made, share=shared.share, forward=shared.forward, mapping=shared.mapping)
    return made.ordered(affected & ~touched)


def with_stray_reads(
    sites: Candidates, layout: Layout, starts: np.ndarray, depth: np.ndarray, error: float, rng: np.random.Generator
) -> Candidates:
    """`sites`, and the bases elsewhere at which `LISTED` reads or more show the same wrong base.

    `starts` (t + 1,) divide the places, `depth` (t,): mean reads in each. The number of such reads of one wrong base is
    Poisson with mean `depth` x `error` / 3, so 3 (1 - exp(-m) (1 + m)) of the bases have at least two alike. Where
    depth is so high that `LISTED` reads do not suffice, none are drawn.
    """
    mean = depth * error / 3
    chance = np.where(depth < (LISTED + 1) * LISTED_IN, -3 * np.expm1(np.log1p(mean) - mean), 0.0)
    number = rng.poisson(chance * np.diff(starts))
    which = np.repeat(np.arange(number.size), number)
    place = starts[which] + (rng.random(which.size) * np.diff(starts)[which]).astype(np.int64)
    draws = rng.random((which.size, 2))
    place, first = np.unique(place, return_index=True)
    which, draws = which[first], draws[first]
    free = ~inside(place, merged(sites.place, sites.end))
    place, which, draws = place[free], which[free], draws[free]
    region = np.searchsorted(layout.begin, place, side="right") - 1
    begin = layout.begin.tolist()
    ref = [
        layout.regions[r].reference.bases[p - begin[r]] for p, r in zip(place.tolist(), region.tolist(), strict=True)
    ]
    alts: list[tuple[str, ...]] = [
        (BASES.replace(base, "")[int(u * 3)],) for base, u in zip(ref, draws[:, 0].tolist(), strict=True)
    ]
    copies = np.zeros((place.size, OTHER), np.int64)
    copies[:, 0] = layout.copies[layout.segment(place)]
    added = _new(place, 0, ref, alts, copies, copies)
    added = replace(added, region=region, stray=_at_least_two(mean[which], draws[:, 1]))
    whole = _joined([sites, added])
    return whole.ordered(np.ones(whole.place.size, bool))


def _at_least_two(mean: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Poisson numbers (n,) of `mean` (n,), given that they are `LISTED` or more, from uniform `u` (n,)."""
    number = np.full(mean.size, LISTED, np.int64)
    term = mean**LISTED / 2
    below, whole = term.copy(), np.maximum(-np.expm1(np.log1p(mean) - mean) * np.exp(mean), 1e-300)
    for k in range(LISTED + 1, LISTED + 8):
        number += u * whole > below
        term = term * mean / k
        below = below + term
    return number


def _new(
    place: np.ndarray, region: int, ref: list[str], alts: list[tuple[str, ...]], own: np.ndarray, foreign: np.ndarray
) -> Candidates:
    n = place.size
    spans = np.ones((n, OTHER), np.int64)
    for row, base in enumerate(ref):
        if len(base) > 1:
            for column, alt in enumerate(alts[row], start=1):
                spans[row, column] = len(trim(base, [alt])[0])
    return Candidates(
        place, np.full(n, region, np.int64), ref, alts, spans, own, foreign,
        np.zeros(n), np.full(n, 0.5), np.full(n, _PLAIN, np.int64), np.zeros(n, np.int64),
    )  # fmt: skip
