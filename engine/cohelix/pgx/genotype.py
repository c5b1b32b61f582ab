"""Genotypes at a gene's positions, as the matcher takes them.

A genotype is one uint8: the first allele in the low four bits, the second in the high four. An allele is its place in
the site's list of alleles (0 is REF, then the definition's ALTs, then alleles that no definition knows), or one of the
codes below. Which of two alleles is first means something only where the genotype is phased.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

OTHER = 12  # an allele beyond those that the list has room for
ABSENT = 14  # no second allele: haploid
MISSING = 15
NO_CALL = MISSING | MISSING << 4  # the whole genotype is missing
HAPLOID_REF = 0 | ABSENT << 4

UNPHASED, PHASED = 0, 1  # of a genotype; further blocks count on from 2
LONGEST_LIST = 12  # alleles of a site that have codes of their own


@dataclass(frozen=True)
class Genotypes:
    """Genotypes of n people at the P positions of a gene, in the order of `Gene.positions`, then `Gene.extra`.

    codes (P, n) uint8. phase (P, n) or (P, 1) uint8: UNPHASED, PHASED or, from 2 on, the number of the genotype's phase
    set among those of the gene in this person. Haploid genotypes are PHASED. alleles: by site REF, the definition's
    ALTs, then others seen. rejected: by reason, how many genotypes were set to missing.
    """

    gene: str
    codes: np.ndarray
    phase: np.ndarray
    alleles: tuple[tuple[str, ...], ...]
    rejected: dict[str, int] = field(default_factory=dict)

    def people(self, first: int, last: int) -> Genotypes:
        """Those of [first, last)."""
        phase = self.phase if self.phase.shape[1] == 1 else self.phase[:, first:last]
        return Genotypes(self.gene, self.codes[:, first:last], phase, self.alleles, {})
