"""The two strands of a pattern: what is certain of them, and in which ways they may be put together.

A homozygous genotype is the same on both. Heterozygous ones lie in blocks: each unphased one is a block of its own,
phased ones make one, and each phase set one. Which of two strands a block's first alleles are on is not known, so b
blocks have 2 ** (b - 1) readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from cohelix.pgx.definition import IUPAC, Gene
from cohelix.pgx.genotype import ABSENT, MISSING, NO_CALL, OTHER

UNSEEN = "."
"""On a strand, the allele that half a genotype does not tell."""

Strand = dict[int, str]
"""By site the allele there; sites without a genotype are left out."""


@dataclass(frozen=True)
class Reading:
    """A pattern read as two strands. same: sites at which both have one allele. blocks: of (site, one, other).
    silent: sites besides at which both are seen to have REF, left out since they tell nothing."""

    same: Strand
    blocks: tuple[tuple[tuple[int, str, str], ...], ...]
    haploid: bool
    silent: int = 0

    def strands(self) -> Iterator[tuple[Strand, Strand]]:
        """Every unordered pair of strands; a haploid or homozygous pattern has one, of two equal strands."""
        for flips in product((False, True), repeat=max(len(self.blocks) - 1, 0)):
            one, other = dict(self.same), dict(self.same)
            for block, flip in zip(self.blocks, (False, *flips), strict=False):
                for site, first, second in block:
                    one[site], other[site] = (second, first) if flip else (first, second)
            yield one, other

    @property
    def readings(self) -> int:
        """How many pairs of strands there are."""
        return 1 << max(len(self.blocks) - 1, 0)


def read(
    gene: Gene,
    codes: np.ndarray,
    phase: np.ndarray,
    alleles: Sequence[Sequence[str]],
    silent: np.ndarray | None = None,
) -> Reading:
    """One pattern's strands. codes, phase (P,) of the gene's own positions; alleles: texts by site; silent (P,) bool:
    sites at which two copies of REF tell nothing."""
    left_out = (codes == 0) & (False if silent is None else silent)
    same: Strand = {site: alleles[site][0] for site in np.flatnonzero((codes == 0) & ~left_out).tolist()}
    blocks: dict[tuple[int, int], list[tuple[int, str, str]]] = {}
    n_absent = 0
    for site in np.flatnonzero((codes != 0) & (codes != (MISSING | MISSING << 4))).tolist():
        low, high = int(codes[site]) & 15, int(codes[site]) >> 4
        n_absent += high == ABSENT
        first = _text(gene, alleles, site, low)
        second = first if high == ABSENT else _text(gene, alleles, site, high)
        if first == second:
            same[site] = first
            continue
        # a half genotype is read as it stands, as are phased ones without a set
        half = MISSING in (low, high)
        block = (1, 0) if half or phase[site] == 1 else (0, site) if phase[site] == 0 else (2, int(phase[site]))
        blocks.setdefault(block, []).append((site, first, second))
    haploid = n_absent > 0 and n_absent == len(same) and not blocks
    same = {site: same[site] for site in sorted(same)}
    return Reading(same, tuple(tuple(block) for _, block in sorted(blocks.items())), haploid, int(left_out.sum()))


def has(cell: str, allele: str) -> bool:
    """Whether a definition's cell stands for `allele`."""
    return cell == allele or (len(cell) == 1 and allele in IUPAC.get(cell, cell) and len(allele) == 1)


def is_half(codes: np.ndarray) -> np.ndarray:
    """(m,) bool: patterns of `codes` (P, m) with a genotype of which one allele is missing, or absent where others
    of the gene have two."""
    low, high = codes & 15, codes >> 4
    half = np.logical_or.reduce((low == MISSING) != (high == MISSING), axis=0)
    found: np.ndarray = half | is_mixed(codes)
    return found


def is_mixed(codes: np.ndarray) -> np.ndarray:
    """(m,) bool: patterns of `codes` (P, m) with genotypes of one copy and of two."""
    absent = codes >> 4 == ABSENT
    two = ~absent & (codes != NO_CALL)
    found: np.ndarray = np.logical_or.reduce(absent, axis=0) & np.logical_or.reduce(two, axis=0)
    return found


def documented(gene: Gene) -> np.ndarray:
    """(P, 1) uint8: at each site the number of alleles that definitions know, REF among them."""
    return np.array([[1 + len(position.alts)] for position in gene.positions], dtype=np.uint8)


def is_undocumented(gene: Gene, codes: np.ndarray) -> np.ndarray:
    """(m,) bool: patterns with an allele that no definition knows."""
    known = documented(gene)
    low, high = codes & 15, codes >> 4
    unknown = ((low >= known) & (low <= OTHER)) | ((high >= known) & (high <= OTHER))
    found: np.ndarray = np.logical_or.reduce(unknown, axis=0)
    return found


def undocumented_as_reference(gene: Gene, codes: np.ndarray, alleles: Sequence[Sequence[str]]) -> np.ndarray:
    """`codes` (P, m) with alleles that no definition knows set to REF. alleles: texts by site."""
    known = documented(gene)
    more = [site for site in range(len(codes)) if len(alleles[site]) > known[site, 0]]
    if not more:
        return codes
    low, high, known = codes[more] & 15, codes[more] >> 4, known[more]
    low = np.where((low >= known) & (low <= OTHER), 0, low)
    high = np.where((high >= known) & (high <= OTHER), 0, high)
    read_as = codes.copy()
    read_as[more] = low | high << 4
    return read_as


def n_blocks(codes: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """(m,) int: blocks of heterozygous genotypes of each pattern; at most one is "effectively phased"."""
    low, high = codes & 15, codes >> 4
    het = (low != high) & (high != ABSENT)
    count: np.ndarray = np.add.reduce(het & (phase == 0), axis=0, dtype=np.int64)
    for block in range(1, int(phase.max(initial=0)) + 1):
        count += np.logical_or.reduce(het & (phase == block), axis=0)
    return count


def _text(gene: Gene, alleles: Sequence[Sequence[str]], site: int, code: int) -> str:
    if code == MISSING:
        return UNSEEN
    if code == OTHER:
        return f"{gene.positions[site].ref}>other"
    return alleles[site][code]
