"""Pairs of named alleles that a genotype pattern can be, with the score of each: PharmCAT's rule by bit sets.

A pair fits when both alleles have what the homozygous positions have, and each block of heterozygous ones (an unphased
genotype, or phased ones together) can be turned so that one allele fits one strand and the other the other. Blocks
turn independently, so no combination of turns is written out: what would be 2^h readings are h set operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.pgx.definition import IUPAC, Gene, Position
from cohelix.pgx.genotype import ABSENT, OTHER
from cohelix.pgx.patterns import Patterns

CODES = 16


@dataclass(frozen=True)
class Pairs:
    """Candidates of m patterns: those of pattern i are entries [start[i], start[i + 1]).

    start (m+1,) int64. first, second (k,) int32: index in `Gene.alleles`, first <= second; second is -1 where haploid.
    score (k,) int32. Within a pattern by score, best first, then by first and second.
    """

    start: np.ndarray
    first: np.ndarray
    second: np.ndarray
    score: np.ndarray


def match_pairs(gene: Gene, patterns: Patterns) -> Pairs:
    """All candidates of each pattern; none where a genotype is half missing or only part of the gene is haploid."""
    from cohelix.pgx.kernels import pairs_of_patterns

    stated, wobble = _cell_bits(gene)
    start, pairs = pairs_of_patterns(
        np.ascontiguousarray(patterns.codes.T),
        np.ascontiguousarray(patterns.phase.T),
        _read_as(gene, patterns.alleles),
        _fits(gene, patterns.alleles),
        stated,
        wobble,
    )
    return Pairs(start, *(np.ascontiguousarray(column) for column in pairs.T))


def _read_as(gene: Gene, alleles: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """(P, 16) uint8: the code that each code is read as; REF for what no definition knows, where the gene says so."""
    read_as = np.tile(np.arange(CODES, dtype=np.uint8), (len(gene.positions), 1))
    if gene.undocumented_as_reference:
        for site, position in enumerate(gene.positions):
            known = {position.ref, *position.alts}
            for code in range(OTHER + 1):
                if code >= len(alleles[site]) or alleles[site][code] not in known:
                    read_as[site, code] = 0
    assert (read_as[:, ABSENT] == ABSENT).all()
    return read_as


def _fits(gene: Gene, alleles: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """(P, 16, W) uint64: by position and code, the named alleles that can have it."""
    fits = np.zeros((len(gene.positions), CODES, (len(gene.alleles) + 63) // 64), dtype=np.uint64)
    reference = gene.reference_allele
    for site, position in enumerate(gene.positions):
        of_cell: dict[str | None, list[int]] = {}
        for index, allele in enumerate(gene.alleles):
            of_cell.setdefault(_cell(allele.cells[site], reference.cells[site], position), []).append(index)
        for cell, indices in of_cell.items():
            members = _bits(indices, fits.shape[2])
            for code, text in enumerate(alleles[site][:OTHER]):
                if cell is None or text == cell or (len(cell) == 1 and text in IUPAC[cell]):
                    fits[site, code] |= members
    return fits


def _cell(cell: str | None, reference: str | None, position: Position) -> str | None:
    """What an allele has at a position: where it says nothing, what the reference allele has there (REF, if that is
    several bases); None: anything."""
    if cell is not None:
        return cell
    return position.ref if reference is not None and _is_wobble(reference) else reference


def _is_wobble(cell: str) -> bool:
    return len(cell) == 1 and len(IUPAC[cell]) > 1


def _cell_bits(gene: Gene) -> tuple[np.ndarray, np.ndarray]:
    """(stated, wobble), (A, S) uint64: positions of which each allele says something, and something of several
    bases."""
    n_words = (len(gene.positions) + 63) // 64
    stated = [[site for site, cell in enumerate(allele.cells) if cell is not None] for allele in gene.alleles]
    wobble = [
        [site for site in sites if _is_wobble(allele.cells[site] or "")]
        for allele, sites in zip(gene.alleles, stated, strict=True)
    ]
    return np.array([_bits(s, n_words) for s in stated]), np.array([_bits(s, n_words) for s in wobble])


def _bits(members: list[int], n_words: int) -> np.ndarray:
    """(n_words,) uint64 with these bits set."""
    flags = np.zeros(64 * n_words, dtype=bool)
    flags[members] = True
    return np.packbits(flags, bitorder="little").view("<u8").astype(np.uint64)
