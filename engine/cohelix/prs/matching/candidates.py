"""The best site for each variant: every row of the callset at its position is a candidate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cohelix.genotypes.alleles import NO_ALTERNATE
from cohelix.prs.matching.codes import NO_MATCH
from cohelix.prs.matching.target import Target
from cohelix.prs.matching.variants import Variants

_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


@dataclass(frozen=True)
class Best:
    """Of each variant. target int32: row of the target, -1 where none fits; kind int8: code in `MATCH_TYPES`; several
    bool: further rows fit as well, of which the first is taken; seen bool: there is any row at the position.
    """

    target: np.ndarray
    kind: np.ndarray
    several: np.ndarray
    seen: np.ndarray


def best_sites(variants: Variants, target: Target, *, flips: bool) -> Best:
    """The best candidate of each variant, by the order of `MATCH_TYPES`, then that of the callset.

    flips: alleles of the other strand are tried too. Only single bases are: a longer allele has other neighbours there.
    """
    n = len(variants.key)
    low = np.searchsorted(target.sorted_key, variants.key)
    high = np.searchsorted(target.sorted_key, variants.key, side="right")
    many = np.where(variants.key > 0, high - low, 0)
    variant = np.repeat(np.arange(n), many)
    rows = target.by_key[np.repeat(low - np.cumsum(many) + many, many) + np.arange(len(variant))]
    kind = _kinds(variants, target, variant, rows, flips)
    best = np.full(n, NO_MATCH, np.int8)
    some = np.flatnonzero(many)
    if len(some):
        best[some] = np.minimum.reduceat(kind, (np.cumsum(many) - many)[some])
    fits = np.flatnonzero((kind < NO_MATCH) & (kind == best[variant]))
    chosen = np.full(n, -1, np.int32)
    chosen[variant[fits][::-1]] = rows[fits][::-1]  # of several, what is written last stays: the first
    several = np.bincount(variant[fits], minlength=n) > 1
    return Best(chosen, best, several, many > 0)


def complements(alleles: tuple[str, ...]) -> np.ndarray:
    """int32: the code of the base that pairs with each single base; -1 for longer alleles, or where there is none."""
    place = {allele: code for code, allele in enumerate(alleles)}
    return np.array([place.get(_COMPLEMENT.get(allele, ""), -1) for allele in alleles], np.int32)


def _kinds(variants: Variants, target: Target, variant: np.ndarray, rows: np.ndarray, flips: bool) -> np.ndarray:
    """int8 (pairs,): how each variant fits each row; `NO_MATCH` where it does not."""
    own, other_strand = _codes_in(variants.alleles, target.alleles)
    stated = variants.other >= 0
    kind = np.full(len(variant), NO_MATCH, np.int8)
    ref, alt = target.ref[rows], target.alt[rows]
    nothing = alt == target.code_of(NO_ALTERNATE)
    strands = ((other_strand, 2), (own, 0)) if flips else ((own, 0),)
    for codes, first in strands:  # the better kind is written last
        effect = codes[variants.effect][variant]
        other = np.where(stated, codes[variants.other], -1)[variant]
        without = ~stated[variant]
        kind[without & (effect == alt)] = first + 5
        kind[without & (effect == ref)] = first + 4
        kind[(other == ref) & (effect == alt)] = first + 1
        kind[(effect == ref) & (other == alt)] = first
    kind[nothing & (own[variants.other][variant] == ref) & ~without] = 1
    kind[nothing & (own[variants.effect][variant] == ref) & ~without] = 0
    return kind


def _codes_in(alleles: tuple[str, ...], known: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """int32: the code in `known` of each allele, and of its complement; -2 where it is not there."""
    flipped = [_COMPLEMENT.get(allele, "") for allele in alleles]
    table = pa.array(known, pa.string())
    found = (pc.index_in(pa.array(names, pa.string()), table) for names in (list(alleles), flipped))
    own, other_strand = (pc.fill_null(codes, -2).to_numpy(zero_copy_only=False).astype(np.int32) for codes in found)
    return own, other_strand
