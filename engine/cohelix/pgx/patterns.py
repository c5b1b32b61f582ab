"""The distinct genotype patterns of a gene: each is solved once, however many people have it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from cohelix.pgx.genotype import ABSENT, MISSING, OTHER, Genotypes

PEOPLE_AT_A_TIME = 2048
"""Their genotypes stay in the cache from one kernel to the next; changes no result."""


@dataclass(frozen=True)
class Patterns:
    """m distinct patterns among n people.

    codes (P, m) uint8 and phase (P, m) uint8 as in `Genotypes` (phase of a homozygous genotype is UNPHASED; phase sets
    are numbered from 2 by their first heterozygous site). all_phased (m,) bool: there are genotypes and all were
    phased. phase_sets (m,) bool: phased genotypes lie in a set that has a number. key (m,) uint64: the same for the
    same pattern in any block, cohort or order of people. count (m,) int64. of_person (n,) int32. alleles: as in
    `Genotypes`.

    Which strand is written first: unphased, REF and then by the text of the allele; phased, so that this holds for the
    first heterozygous site of a block. Two patterns of one key (one chance in 2^64 a pair) stay two.
    """

    gene: str
    codes: np.ndarray
    phase: np.ndarray
    all_phased: np.ndarray
    phase_sets: np.ndarray
    key: np.ndarray
    count: np.ndarray
    of_person: np.ndarray
    alleles: tuple[tuple[str, ...], ...]

    @property
    def number(self) -> np.ndarray:
        """(m,) int64, not negative: `key` as tables have it, for readers that know no unsigned numbers."""
        return (self.key >> np.uint64(1)).astype(np.int64)


def distinct(genotypes: Genotypes) -> Patterns:
    """The patterns of `genotypes`, in the order in which they are first met."""
    from cohelix.pgx import kernels

    n_positions, n = genotypes.codes.shape
    rank, mixed = _rank(genotypes.alleles), _mixed(genotypes.gene, genotypes.alleles)
    known = _Known(n_positions)
    of_person = np.empty(n, dtype=np.int32)
    for first in range(0, n, PEOPLE_AT_A_TIME):
        k = min(PEOPLE_AT_A_TIME, n - first)
        form, blocks = np.empty((k, n_positions), dtype=np.uint8), np.empty((k, n_positions), dtype=np.uint8)
        flags = np.empty(k, dtype=np.uint8)
        here = genotypes.people(first, first + k)
        # copies, whatever the layout of the input: one machine code serves all
        kernels.canonical(np.array(here.codes, order="C"), np.array(here.phase, order="C"), rank, form, blocks, flags)
        keys = kernels.keys_of(form, blocks, flags, mixed)
        known.put(keys, form, blocks, flags, of_person[first : first + k])
    flags = known.flags[: known.n]
    return Patterns(
        genotypes.gene,
        known.form[: known.n].T,
        known.blocks[: known.n].T,
        (flags & 1) != 0,
        (flags & 2) != 0,
        known.keys[: known.n].copy(),
        known.counts[: known.n].copy(),
        of_person,
        genotypes.alleles,
    )


class _Known:
    """The patterns met so far, a row each, and a hash table of them."""

    def __init__(self, n_positions: int) -> None:
        self.n = 0
        self.slots = np.full(64, -1, dtype=np.int32)
        self.keys = np.empty(0, dtype=np.uint64)
        self.form = np.empty((0, n_positions), dtype=np.uint8)
        self.blocks = np.empty((0, n_positions), dtype=np.uint8)
        self.flags = np.empty(0, dtype=np.uint8)
        self.counts = np.empty(0, dtype=np.int64)

    def put(
        self, keys: np.ndarray, form: np.ndarray, blocks: np.ndarray, flags: np.ndarray, of_person: np.ndarray
    ) -> None:
        """Add what is new among these people, and write the pattern of each into `of_person`."""
        from cohelix.pgx import kernels

        self._make_room(self.n + len(keys))
        self.n = kernels.put_patterns(
            keys, form, blocks, flags, self.slots, self.n, self.keys, self.form, self.blocks, self.flags, self.counts,
            of_person,
        )  # fmt: skip

    def _make_room(self, n: int) -> None:
        from cohelix.pgx import kernels

        if n > len(self.keys):
            room = max(n, len(self.keys) * 3 // 2)
            for name in ("keys", "form", "blocks", "flags", "counts"):
                now = getattr(self, name)
                longer = np.empty((room, *now.shape[1:]), dtype=now.dtype)
                longer[: self.n] = now[: self.n]
                setattr(self, name, longer)
        if 2 * n > len(self.slots):
            self.slots = np.full(1 << (2 * n).bit_length(), -1, dtype=np.int32)
            kernels.fill_slots(self.keys[: self.n], self.slots)


def _rank(alleles: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """(P, 16) uint8: REF, then the others by their text, then the codes that are no allele of the list."""
    rank = np.tile(np.arange(100, 116, dtype=np.uint8), (len(alleles), 1))
    for site, texts in enumerate(alleles):
        order = sorted(range(1, min(len(texts), OTHER)), key=lambda code: texts[code])
        rank[site, [0, *order]] = np.arange(len(order) + 1)
    return rank


@lru_cache(maxsize=64)
def _mixed(gene: str, alleles: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """(P, 21, 2) uint64 for `kernels.keys_of`: random numbers by site, allele text and side."""
    marks = {OTHER: "another", ABSENT: "none", MISSING: "missing"}
    mixed = np.zeros((len(alleles), 21, 2), dtype=np.uint64)
    for site, texts in enumerate(alleles):
        for code, text in [*enumerate(texts[:OTHER]), *marks.items()]:
            if code:  # REF adds nothing: most genotypes are passed by
                mixed[site, code] = [_number(gene, site, text, side) for side in (0, 1)]
        mixed[site, 16:20, 0] = [_number(gene, site, "block", part) for part in range(4)]
    if len(alleles):
        mixed[0, 20] = [_number(gene, flag) for flag in ("all phased", "phase sets")]
    return mixed


def _number(*what: str | int) -> int:
    digest = blake2b("\t".join(map(str, what)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
