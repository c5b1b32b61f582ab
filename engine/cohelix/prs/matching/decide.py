"""What becomes of each scoring row: matched, excluded or unmatched, why, and the weights that it gives to its site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.prs.matching import codes
from cohelix.prs.matching.candidates import Best, best_sites, complements
from cohelix.prs.matching.target import Target
from cohelix.prs.matching.variants import Variants
from cohelix.prs.schema import (
    ADDITIVE,
    ALT,
    DOMINANT,
    DOSAGE,
    HET,
    HOM_ALT,
    HOM_REF,
    RECESSIVE,
    REF,
    SAME_ROW,
    MatchParams,
)


@dataclass(frozen=True)
class Rows:
    """Rows of scoring files that name a variant, sorted by (score, row).

    score, row, variant int32: place of the score, row in its file, place in `Variants`. weight float64, NaN where
    dosage weights; effect_type int8; frequency float64 of the effect allele as the file has it, NaN where it has none;
    dosage float64 (m, 3): weights of 0, 1, 2 copies, of the rows dosage_row int64 (m,).
    """

    score: np.ndarray
    row: np.ndarray
    variant: np.ndarray
    weight: np.ndarray
    effect_type: np.ndarray
    frequency: np.ndarray
    dosage_row: np.ndarray
    dosage: np.ndarray


@dataclass(frozen=True)
class Decisions:
    """Of each row. target int32: the best site, -1 where none; kind int8 in `MATCH_TYPES` (after a palindrome was
    resolved); status, reason int8; ambiguous, multiallelic, several, duplicate bool; p float64: frequency of the effect
    allele, NaN where nobody knows it.
    """

    target: np.ndarray
    kind: np.ndarray
    status: np.ndarray
    reason: np.ndarray
    ambiguous: np.ndarray
    multiallelic: np.ndarray
    several: np.ndarray
    duplicate: np.ndarray
    p: np.ndarray

    @property
    def flipped(self) -> np.ndarray:
        return np.isin(self.kind, codes.FLIPPED)


@dataclass(frozen=True)
class Entries:
    """Weights of sites, sorted by (target, score, row): target int32, score int32, form int8, weight float64."""

    target: np.ndarray
    score: np.ndarray
    form: np.ndarray
    weight: np.ndarray


def decide(rows: Rows, variants: Variants, target: Target, params: MatchParams) -> Decisions:
    """The calculator's order: the best candidate, then exclusions among what was found."""
    best = best_sites(variants, target, flips=params.strand_flips != "never")
    at = best.target[rows.variant]
    found = at >= 0
    kind = best.kind[rows.variant]
    ambiguous = _ambiguous(variants, best, target)[rows.variant]
    multiallelic = found & _of(target.further, at)
    duplicate, repeated = _duplicates(rows.score, at, params.duplicates)
    kind, unresolved = _resolved(rows.frequency, kind, ambiguous, _of(target.af, at), params)
    excluded = [(codes.DUPLICATE, repeated)]
    excluded += [(reason, unresolved == reason) for reason in _AMBIGUOUS]
    if params.multiallelic == "exclude":
        excluded.append((codes.MULTIALLELIC, multiallelic))
    if params.strand_flips != "match":
        excluded.append((codes.STRAND_FLIP, np.isin(kind, codes.FLIPPED)))
    status = np.where(found, codes.MATCHED, codes.UNMATCHED).astype(np.int8)
    seen = best.seen[rows.variant]
    reason = np.where(found, codes.USED, np.where(seen, codes.OTHER_ALLELES, codes.ABSENT)).astype(np.int8)
    unplaced = variants.key[rows.variant] == 0
    status[unplaced], reason[unplaced] = codes.NOT_SCORABLE, codes.NO_POSITION
    for why, which in reversed(excluded):  # the first reason is written last
        status[which], reason[which] = codes.EXCLUDED, why
    p = _frequencies(rows.frequency, kind, _of(target.af, at))
    return Decisions(at, kind, status, reason, ambiguous, multiallelic, best.several[rows.variant], duplicate, p)


_AMBIGUOUS = (codes.AMBIGUOUS, codes.FREQUENCY_UNKNOWN, codes.FREQUENCY_NEAR_HALF, codes.FREQUENCY_DISAGREES)


def _of(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """values[at]; false, or NaN, where `at` is -1."""
    nothing = np.nan if values.dtype.kind == "f" else 0
    return np.asarray(np.append(values, np.asarray(nothing, values.dtype))[at])


def _ambiguous(variants: Variants, best: Best, target: Target) -> np.ndarray:
    """bool (variants,): the two alleles of the site found, or the two that are named, pair with each other."""
    pairs = complements(target.alleles)
    of_site = _of(pairs[target.ref] == target.alt if len(pairs) else np.zeros(0, bool), best.target)
    named = complements(variants.alleles)
    named = named[variants.effect] == variants.other if len(named) else np.zeros(0, bool)
    return (best.target >= 0) & (of_site | (named & (variants.other >= 0)))


def _duplicates(score: np.ndarray, at: np.ndarray, policy: str) -> tuple[np.ndarray, np.ndarray]:
    """bool (rows,) each: another row of the score has the same site; the row is excluded for it."""
    duplicate, repeated = np.zeros(len(at), bool), np.zeros(len(at), bool)
    rows = np.flatnonzero(at >= 0)
    order = rows[_order(at[rows], score[rows])]
    same = (np.diff(at[order]) == 0) & (np.diff(score[order]) == 0)
    duplicate[order[1:][same]] = duplicate[order[:-1][same]] = True
    if policy == "exclude":
        repeated = duplicate
    elif policy == "first":
        repeated[order[1:][same]] = True
    return duplicate, repeated


def _order(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Places sorted by two whole numbers >= 0, then as they stand."""
    n = len(first)
    if not n:
        return np.empty(0, np.int64)
    widths = [int(first.max()).bit_length(), int(second.max()).bit_length(), n.bit_length()]
    if sum(widths) > 63:
        return np.asarray(np.lexsort((second, first)))
    joined = (first.astype(np.int64) << (widths[1] + widths[2])) | (second.astype(np.int64) << widths[2])
    joined |= np.arange(n)
    joined.sort()  # several times as fast as sorting places
    return np.asarray(joined & ((1 << widths[2]) - 1))


def _resolved(
    frequency: np.ndarray, kind: np.ndarray, ambiguous: np.ndarray, af: np.ndarray, params: MatchParams
) -> tuple[np.ndarray, np.ndarray]:
    """Kinds of match with palindromes put on the strand that their frequencies tell, and int8 (rows,): the reason for
    which an ambiguous row is excluded, 0 where it is not.
    """
    unresolved = np.zeros(len(kind), np.int8)
    if params.palindromic == "exclude":
        unresolved[ambiguous] = codes.AMBIGUOUS
    if params.palindromic != "frequency":
        return kind, unresolved
    kind = kind.copy()
    effect = np.where(kind % 2 == 0, 1.0 - af, af)
    with np.errstate(invalid="ignore"):
        as_stated, turned = np.abs(frequency - effect), np.abs(frequency - (1.0 - effect))
        near_half = np.maximum(_maf(frequency), _maf(effect)) > params.palindromic_max_maf
        disagree = np.minimum(as_stated, turned) > params.palindromic_max_difference
        other_strand = ambiguous & (turned < as_stated)
    unresolved[ambiguous & disagree] = codes.FREQUENCY_DISAGREES
    unresolved[ambiguous & near_half] = codes.FREQUENCY_NEAR_HALF
    unresolved[ambiguous & (np.isnan(frequency) | np.isnan(effect))] = codes.FREQUENCY_UNKNOWN
    turn = other_strand & (unresolved == 0)
    kind[turn] = _TURNED[kind[turn]]
    return kind, unresolved


_TURNED = np.array([3, 2, 1, 0, 7, 6, 5, 4], np.int8)
"""What a palindrome's kind is on the other strand: its effect allele is the other allele of the site there."""


def _maf(frequency: np.ndarray) -> np.ndarray:
    return np.asarray(np.minimum(frequency, 1.0 - frequency))


def _frequencies(told: np.ndarray, kind: np.ndarray, af: np.ndarray) -> np.ndarray:
    """float64 (rows,): of the effect allele, by the file, else by the callset."""
    found = np.where(kind == codes.NO_MATCH, np.nan, np.where(kind % 2 == 0, 1.0 - af, af))
    return np.asarray(np.where(np.isnan(told), found, told))


def variances(rows: Rows, p: np.ndarray) -> np.ndarray:
    """float64 (rows,): of a row's part of the score among people at Hardy-Weinberg proportions; p 0.5 where unknown."""
    p = np.where(np.isnan(p), 0.5, p)
    spread = 2.0 * p * (1.0 - p)
    for effect_type, carriers in ((DOMINANT, p * (2.0 - p)), (RECESSIVE, p * p)):
        spread = np.where(rows.effect_type == effect_type, carriers * (1.0 - carriers), spread)
    out = rows.weight**2 * spread
    q = p[rows.dosage_row]
    shares = np.stack([(1.0 - q) ** 2, 2.0 * q * (1.0 - q), q * q], axis=1)
    mean = (shares * rows.dosage).sum(axis=1)
    out[rows.dosage_row] = (shares * (rows.dosage - mean[:, None]) ** 2).sum(axis=1)
    return out


def entries(rows: Rows, found: Decisions, used: np.ndarray) -> Entries:
    """Weights of the rows `used` (bool), which must be matched."""
    at = np.flatnonzero(used)
    at = at[_order(found.target[at], rows.score[at])]
    types = rows.effect_type[at]
    if (types == ADDITIVE).all():
        return Entries(found.target[at], rows.score[at], _forms(found.kind[at]), rows.weight[at])
    count = np.array([1, 2, 1, 3])[types]
    ends = np.cumsum(count)
    place = np.arange(int(ends[-1])) - np.repeat(ends - count, count)
    each = np.repeat(at, count)
    form, weight = np.empty(len(each), np.int8), rows.weight[each]
    types, on_ref = rows.effect_type[each], found.kind[each] % 2 == 0
    form[types == ADDITIVE] = np.where(on_ref, REF, ALT)[types == ADDITIVE]
    form[types == RECESSIVE] = np.where(on_ref, HOM_REF, HOM_ALT)[types == RECESSIVE]
    carrier = np.where(place == 0, HET, np.where(on_ref, HOM_REF, HOM_ALT))
    form[types == DOMINANT] = carrier[types == DOMINANT]
    dosed = np.flatnonzero(types == DOSAGE)
    form[dosed] = np.array([HOM_REF, HET, HOM_ALT])[place[dosed]]
    copies = np.where(on_ref, 2 - place, place)[dosed]
    dosage_place = np.full(len(rows.weight), -1, np.int64)
    dosage_place[rows.dosage_row] = np.arange(len(rows.dosage_row))
    weight[dosed] = rows.dosage[dosage_place[each[dosed]], copies]
    form[place > 0] |= SAME_ROW
    return Entries(found.target[each], rows.score[each], form, weight)


def _forms(kind: np.ndarray) -> np.ndarray:
    return np.where(kind % 2 == 0, REF, ALT).astype(np.int8)
