"""Which alleles a person carries: mosaics of panel haplotypes, read by person or by block of sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.simulate.population import Sites
from cohelix.simulate.sequence import Reference

NO_COPY = -1
"""In place of an allele where a person has fewer copies than others."""
SPANNED = 9
"""In place of an allele whose base lies in a deletion of the same haplotype."""


@dataclass(frozen=True)
class RegionPanel:
    """Panel haplotypes of one region.

    reference: its bases. sites: S sites (offsets from the region's start, ascending; see `population.Sites`; frequency
    (S, 6): of all alternates together, per source). alleles (H, S) int8, mapped from disk: 0 reference, 1 and 2 alternates; rows of
    source k of SOURCES are those from k * per_source.
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
