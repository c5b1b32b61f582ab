"""Choices of quality control. Thresholds are not here: they are gates, in `reference/qc`."""

from __future__ import annotations

from dataclasses import dataclass

from cohelix import choices


@dataclass(frozen=True)
class SampleQcParams:
    """How metrics of samples are made from the counts of a callset."""


@dataclass(frozen=True)
class VariantQcParams:
    """How metrics of variants are made from the counts of a callset."""


@dataclass(frozen=True)
class ArrayQcParams:
    """How array genotypes and intensities are read and judged."""


@dataclass(frozen=True)
class ConcordanceParams:
    """How an array and a genome are compared."""

    min_call_rate: float = 0.95
    """Share of samples called at a site, in either callset. Below it, what is called is a selection of genotypes."""

    min_maf: float = 0.05
    """Minor allele frequency in the genomes. Rarer sites tell two people apart too seldom, and errors weigh more."""

    palindromes: bool = False
    """Take A/T and C/G sites too. An array on the other strand shows the other allele there, and nothing tells."""

    max_frequency_difference: float = 0.2
    """Between the callsets, beyond five standard errors: more is another variant or a failed marker. The limit is
    that of W. Rayner's check of array data against a reference panel."""

    min_distance: int = 10_000
    """Bases between two sites of the fingerprint. Neighbours repeat one another, and a sum counts them as two."""

    max_sites: int = 2_000
    """Sites of the fingerprint. Two thousand put strangers at an LLR of about -1,000 and sibs at about -500."""

    array_error: float = 0.01
    """P(a genotype of the array is wrong), shared by the two others. Picard's GENOTYPING_ERROR_RATE; arrays do better,
    but a lower rate would make strangers of samples that are contaminated."""

    wgs_error: float = 0.01
    """P(a genotype of the genome is wrong); the reason is that of `array_error`."""

    frequency_floor: float = 0.01
    """Allele frequencies stay this far from 0 and 1: a cohort of a few cannot say that an allele does not exist."""

    min_sites: int = 30
    """Sites called in both samples below which there is no verdict: two dozen common SNPs are what the panels hold
    that laboratories track samples with."""

    match_llr: float = 3.0
    """LLR above which two samples are one person: a thousand to one, as `mismatch_llr` is the other way."""

    mismatch_llr: float = -3.0
    """LLR at or below which a link fails. All of Us passes genomes above -3 (Nature 2024, s41586-023-06957-x)."""

    candidates: int = 4
    """Partners kept for each sample of a failing link: a person may be there more than once, or have a twin."""

    def __post_init__(self) -> None:
        choices.between("min_call_rate", self.min_call_rate, 0, 1)
        choices.between("min_maf", self.min_maf, 0, 0.5)
        choices.between("max_frequency_difference", self.max_frequency_difference, 0, 1)
        choices.between("min_distance", self.min_distance, 1, 100_000_000)
        choices.between("max_sites", self.max_sites, 1, 1_000_000)
        choices.between("array_error", self.array_error, 1e-6, 0.5)
        choices.between("wgs_error", self.wgs_error, 1e-6, 0.5)
        choices.between("frequency_floor", self.frequency_floor, 1e-6, 0.5)
        choices.between("min_sites", self.min_sites, 1, self.max_sites)
        choices.between("match_llr", self.match_llr, 0, 1_000)
        choices.between("mismatch_llr", self.mismatch_llr, -1_000, 0)
        choices.between("candidates", self.candidates, 2, 100)
