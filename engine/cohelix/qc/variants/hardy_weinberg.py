"""Hardy-Weinberg equilibrium of one row: exact tests, excess of hets, inbreeding coefficient.

Counts are int64 (rows, 3): homozygous reference, het, homozygous alternate; of two copies each. p-values are float64
(rows,), NaN where nobody was called.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.qc.variants import kernels


@dataclass(frozen=True)
class Tested:
    """Two-sided exact p and mid-p (Wigginton et al. 2005); excess_het: one-sided mid-p in phred, as GATK's ExcessHet.

    GATK writes 160 where p is below what it can compute; here the number goes on.
    """

    p: np.ndarray
    midp: np.ndarray
    excess_het: np.ndarray


@dataclass(frozen=True)
class TestedX:
    """Two-sided exact p and mid-p with men's alleles (Graffelman & Weir 2016), as `plink2 --hardy` on X."""

    p: np.ndarray
    midp: np.ndarray


def exact_test(counts: np.ndarray) -> Tested:
    logs = np.empty((len(counts), 3))
    kernels.hardy_weinberg(np.ascontiguousarray(counts, np.int64), logs)
    return Tested(np.exp(logs[:, 0]), np.exp(logs[:, 1]), logs[:, 2] * (-10 / np.log(10)) + 0.0)


def exact_test_x(counts: np.ndarray) -> TestedX:
    """Of counts (rows, 5): women homozygous for the one allele, het, the other; men with the one, with the other."""
    logs = np.empty((len(counts), 2))
    kernels.hardy_weinberg_x(np.ascontiguousarray(counts, np.int64), logs)
    return TestedX(np.exp(logs[:, 0]), np.exp(logs[:, 1]))


def inbreeding_coefficient(counts: np.ndarray) -> np.ndarray:
    """1 - hets / hets expected: GATK's InbreedingCoeff from called genotypes, which is what gnomAD computes.

    NaN where one allele is all there is.
    """
    hom_ref, het, hom_alt = np.asarray(counts, np.float64).T
    people = hom_ref + het + hom_alt
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = (2 * hom_ref + het) / (2 * people), (2 * hom_alt + het) / (2 * people)
        expected = 2 * p * q * people
        return np.where(expected > 0, 1 - het / expected, np.nan)
