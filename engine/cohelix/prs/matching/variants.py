"""Distinct variants of a batch of scoring rows: what is looked up once, however many scores name it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.errors import ContractError
from cohelix.genotypes.alleles import is_sequence, trim

PLACE_BITS = 31
"""Bits of a position in a key."""

_LOOKUP = 1 << 24
"""Pairs of alleles are numbered through a table where there can be no more than so many."""


@dataclass(frozen=True)
class Variants:
    """key int64: chromosome << 31 | position, 0 where not known; effect, other int32: codes in `alleles`, other -1
    where it is not given. Alleles of several bases are trimmed where that was asked for.
    """

    key: np.ndarray
    effect: np.ndarray
    other: np.ndarray
    alleles: tuple[str, ...]


def keys_of(chromosome: np.ndarray, position: np.ndarray) -> np.ndarray:
    """int64: sorts as chromosome and position do; 0 where one of them is not known."""
    key = (chromosome.astype(np.int64) << PLACE_BITS) | position.astype(np.int64)
    return np.where((chromosome > 0) & (position > 0), key, 0)


def distinct(
    key: np.ndarray, effect: np.ndarray, other: np.ndarray, alleles: tuple[str, ...], *, trimmed: bool
) -> tuple[Variants, np.ndarray]:
    """The distinct variants among rows, and int32 (rows,): that of each row."""
    pairs, of_pair = _numbered(effect.astype(np.int64) * (len(alleles) + 1) + other + 1, (len(alleles) + 1) ** 2)
    if len(pairs) >> (63 - PLACE_BITS - 5):
        raise ContractError(f"{len(pairs)} pairs of alleles in one batch. Divide the scoring files.")
    values, of_row = np.unique(key * max(1, len(pairs)) + of_pair, return_inverse=True)
    place, pair = np.divmod(values, max(1, len(pairs)))
    own_effect, own_other = pairs // (len(alleles) + 1), pairs % (len(alleles) + 1) - 1
    if trimmed:
        own_effect, own_other, shift, alleles = _trimmed(own_effect, own_other, alleles)
        place = np.where(place > 0, place + shift[pair], 0)
    effects, others = own_effect[pair].astype(np.int32), own_other[pair].astype(np.int32)
    return Variants(place, effects, others, alleles), of_row.astype(np.int32)


def in_order(values: np.ndarray) -> np.ndarray:
    """The distinct values, sorted. (np.unique hashes them first, which takes ten times as long.)"""
    values = np.sort(values)
    return values[np.diff(values, prepend=values[0] - 1) != 0] if len(values) else values


def _numbered(codes: np.ndarray, n_codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct codes, sorted, and the number of each."""
    if n_codes > _LOOKUP:
        return np.unique(codes, return_inverse=True)
    seen = np.zeros(n_codes, bool)
    seen[codes] = True
    found = np.flatnonzero(seen)
    number = np.zeros(n_codes, np.int64)
    number[found] = np.arange(len(found))
    return found, number[codes]


def _trimmed(
    effect: np.ndarray, other: np.ndarray, alleles: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Pairs of alleles without the bases that both share at an end, and by how much their position moves."""
    effect, other, shift = effect.copy(), other.copy(), np.zeros(len(effect), np.int64)
    known = {allele: code for code, allele in enumerate(alleles)}
    longer = np.array([len(allele) > 1 and is_sequence(allele) for allele in alleles], bool)
    sequence = np.array([is_sequence(allele) for allele in alleles], bool)
    both = (other >= 0) & sequence[effect] & sequence[other] if len(alleles) else np.zeros(0, bool)
    for pair in np.flatnonzero(both).tolist():
        if not (longer[effect[pair]] or longer[other[pair]]) or effect[pair] == other[pair]:
            continue
        moved, one, two = trim(0, alleles[effect[pair]], alleles[other[pair]])
        shift[pair] = moved
        effect[pair] = known.setdefault(one, len(known))
        other[pair] = known.setdefault(two, len(known))
    return effect, other, shift, tuple(known)
