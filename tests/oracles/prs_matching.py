"""Plain definitions for matching: one scoring row and one site at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("refalt", "altref", "refalt_flip", "altref_flip", "no_oa_ref", "no_oa_alt", "no_oa_ref_flip", "no_oa_alt_flip")
PAIRS = {"A": "T", "T": "A", "C": "G", "G": "C"}


@dataclass(frozen=True)
class Site:
    chromosome: int
    position: int
    ref: str
    alt: str
    af: float | None


@dataclass(frozen=True)
class Row:
    score: int
    row: int
    chromosome: int
    position: int
    effect: str
    other: str | None
    weights: tuple[float, float, float]
    """What 0, 1 and 2 copies of the effect allele add."""
    frequency: float | None


@dataclass(frozen=True)
class Choices:
    strand_flips: str
    palindromic: str
    multiallelic: str
    duplicates: str
    max_maf: float = 0.4
    max_difference: float = 0.2
    min_af: float = 0.0


@dataclass
class Said:
    site: int | None = None
    kind: str | None = None
    status: str = "unmatched"
    reason: str = "absent"
    ambiguous: bool = False
    multiallelic: bool = False
    several: bool = False
    duplicate: bool = False


def trimmed(position: int, one: str, two: str) -> tuple[int, str, str]:
    """Without shared bases at the right, then at the left; one base of each stays."""
    while len(one) > 1 and len(two) > 1 and one[-1] == two[-1]:
        one, two = one[:-1], two[:-1]
    while len(one) > 1 and len(two) > 1 and one[0] == two[0]:
        position, one, two = position + 1, one[1:], two[1:]
    return position, one, two


def kind_of(effect: str, other: str | None, site: Site, *, flips: bool) -> str | None:
    """The best way in which a row fits a site; None where it does not."""
    fits = []
    for flip in (False, True) if flips else (False,):
        one = PAIRS.get(effect) if flip else effect
        two = None if other is None else PAIRS.get(other) if flip else other
        end = "_flip" if flip else ""
        if other is None:
            fits += [f"no_oa_ref{end}"] * (one == site.ref) + [f"no_oa_alt{end}"] * (one == site.alt)
        elif None not in (one, two):
            fits += [f"refalt{end}"] * ((one, two) == (site.ref, site.alt))
            fits += [f"altref{end}"] * ((one, two) == (site.alt, site.ref))
    if other is not None and site.alt == ".":  # nobody was seen to differ: any other allele is one nobody has
        fits += ["refalt"] * (effect == site.ref) + ["altref"] * (other == site.ref)
    return min(fits, key=KINDS.index) if fits else None


def decide(rows: Sequence[Row], sites: Sequence[Site], choices: Choices) -> list[Said]:
    found = [_best(row, sites, choices) for row in rows]
    for place, said in enumerate(found):
        if said.site is None:
            continue
        own = rows[place]
        same = [
            other
            for other, one in enumerate(found)
            if one.site == said.site and rows[other].score == own.score and other != place
        ]
        said.duplicate = bool(same)
        repeated = said.duplicate and choices.duplicates == "exclude"
        repeated |= choices.duplicates == "first" and any(other < place for other in same)
        why = _ambiguous_why(own, said, sites[said.site], choices)
        flipped = "flip" in str(said.kind) and choices.strand_flips != "match"
        said.status, said.reason = "excluded", ""
        if repeated:
            said.reason = "duplicate"
        elif why:
            said.reason = why
        elif said.multiallelic and choices.multiallelic == "exclude":
            said.reason = "multiallelic"
        elif flipped:
            said.reason = "strand_flip"
        else:
            said.status = "matched"
    return found


def _best(row: Row, sites: Sequence[Site], choices: Choices) -> Said:
    if not row.chromosome or not row.position:
        return Said(status="not_scorable", reason="no_position")
    position, effect, other = row.position, row.effect, row.other
    if other is not None:
        position, effect, other = trimmed(position, effect, other)
    said = Said()
    best: list[tuple[int, int]] = []
    at = [n for n, site in enumerate(sites) if (site.chromosome, site.position) == (row.chromosome, position)]
    for number in at:
        kind = kind_of(effect, other, sites[number], flips=choices.strand_flips != "never")
        if kind is not None:
            best.append((KINDS.index(kind), number))
    if at:
        said.reason = "other_alleles"
    if not best:
        return said
    first = min(best)
    site = sites[first[1]]
    said.site, said.kind = first[1], KINDS[first[0]]
    said.several = sum(kind == first[0] for kind, _ in best) > 1
    said.ambiguous = PAIRS.get(site.ref) == site.alt or (other is not None and PAIRS.get(effect) == other)
    said.multiallelic = any(sites[n].af is None or sites[n].af > choices.min_af for n in at if n != first[1])
    return said


def _ambiguous_why(row: Row, said: Said, site: Site, choices: Choices) -> str:
    """Why an ambiguous row is excluded, "" where it is not; puts it on the other strand where frequencies say so."""
    if not said.ambiguous or choices.palindromic == "keep":
        return ""
    if choices.palindromic == "exclude":
        return "ambiguous"
    if row.frequency is None or site.af is None:
        return "ambiguous_no_frequency"
    here = frequency_at(said, site)
    if max(min(row.frequency, 1 - row.frequency), min(here, 1 - here)) > choices.max_maf:
        return "ambiguous_near_half"
    as_stated, turned = abs(row.frequency - here), abs(row.frequency - (1 - here))
    if min(as_stated, turned) > choices.max_difference:
        return "ambiguous_frequency_disagrees"
    if turned < as_stated:
        before, end = str(said.kind).removesuffix("_flip"), "" if "flip" in str(said.kind) else "_flip"
        swap = {"refalt": "altref", "altref": "refalt", "no_oa_ref": "no_oa_alt", "no_oa_alt": "no_oa_ref"}
        said.kind = swap[before] + end
    return ""


def on_ref(kind: str) -> bool:
    return kind.startswith(("refalt", "no_oa_ref"))


def frequency_at(said: Said, site: Site) -> float:
    assert site.af is not None
    return 1 - site.af if on_ref(str(said.kind)) else site.af


def added(row: Row, kind: str, alt_copies: int) -> float:
    """What a person with so many copies of ALT gets."""
    return row.weights[2 - alt_copies if on_ref(kind) else alt_copies]


def variance(row: Row, p: float) -> float:
    """Of the row's part of a score, among people at Hardy-Weinberg proportions."""
    shares = ((1 - p) ** 2, 2 * p * (1 - p), p**2)
    mean = sum(share * weight for share, weight in zip(shares, row.weights, strict=True))
    return sum(share * (weight - mean) ** 2 for share, weight in zip(shares, row.weights, strict=True))
