"""What patterns are: their genotypes in words, and how many people have what at each position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cohelix.pgx.definition import Gene
from cohelix.pgx.genotype import ABSENT, HAPLOID_REF, MISSING, NO_CALL, OTHER, PHASED
from cohelix.pgx.patterns import Patterns

HAPLOID_MISSING = MISSING | ABSENT << 4

COUNTS = ("n_called", "n_missing", "n_half", "n_undocumented")
"""Of people at a position: both alleles (or the one there is) known; none; one of two; with an allele of no definition
(they are among the first)."""


@dataclass(frozen=True)
class Texts:
    """Of m patterns. genotype: `position:alleles` of each genotype that is neither missing nor homozygous reference,
    with a space between. n_missing int32 (m,): positions of the gene's definition without a genotype.
    """

    genotype: pa.Array
    n_missing: np.ndarray


def texts(gene: Gene, patterns: Patterns) -> Texts:
    """Genotypes in words. Alleles are joined by / without phase and by | with it; @ and a number: the phase set."""
    codes = patterns.codes
    silent = (codes == 0) | (codes == HAPLOID_REF) | _missing(codes)
    site, pattern = np.nonzero(~silent)
    order = np.argsort(pattern, kind="stable")  # much faster than to look through the transposed array
    site, pattern = site[order], pattern[order]
    code, phase = codes[site, pattern].astype(np.int64), patterns.phase[site, pattern].astype(np.int64)
    words, of_cell = np.unique((site << 16) | (code << 8) | phase, return_inverse=True)
    named = [_word(gene, patterns, int(word) >> 16, int(word) >> 8 & 255, int(word) & 255) for word in words]
    offsets = np.searchsorted(pattern, np.arange(codes.shape[1] + 1)).astype(np.int32)
    cells = pa.array(named, pa.string()).take(pa.array(of_cell.astype(np.int32)))
    genotype = pc.binary_join(pa.ListArray.from_arrays(offsets, cells), " ")
    return Texts(genotype, _missing(codes[: len(gene.positions)]).sum(0).astype(np.int32))


def counts_at_positions(gene: Gene, patterns: Patterns) -> np.ndarray:
    """int64 (P, 4): how many people, in the order of `COUNTS`; P: the gene's positions, then its extra ones."""
    places = (*gene.positions, *gene.extra)
    found = np.zeros((len(places), len(COUNTS)), np.int64)
    for row, place in enumerate(places):
        codes = patterns.codes[row]
        first, second = codes & 15, codes >> 4
        known = 1 + len(place.alts)
        missing = _missing(codes)
        half = ~missing & ((first == MISSING) | (second == MISSING))
        strange = ((first >= known) & (first <= OTHER)) | ((second >= known) & (second <= OTHER))
        for column, those in enumerate((~missing & ~half, missing, half, strange)):
            found[row, column] = patterns.count[those].sum()
    return found


def _missing(codes: np.ndarray) -> np.ndarray:
    missing: np.ndarray = (codes == NO_CALL) | (codes == HAPLOID_MISSING)
    return missing


def _word(gene: Gene, patterns: Patterns, site: int, code: int, phase: int) -> str:
    places = (*gene.positions, *gene.extra)
    alleles = [_allele(patterns.alleles[site], one) for one in (code & 15, code >> 4) if one != ABSENT]
    mark = "|" if phase >= PHASED else "/"
    return f"{places[site].position}:{mark.join(alleles)}" + (f"@{phase}" if phase > PHASED else "")


def _allele(listed: tuple[str, ...], code: int) -> str:
    if code == MISSING:
        return "."
    return listed[code] if code < len(listed) else "other"
