"""What the joint caller reads and writes: choices, reason codes, tables."""

from __future__ import annotations

from dataclasses import dataclass

from cohelix.choices import between, choose

REASONS = (
    "called",
    "no_data",  # no record of the sample touches the site
    "partial",  # records cover some of the reference bases, not all
    "no_call",  # the gVCF itself makes no call there (./.)
    "gq0",  # a call of genotype quality 0, under gq0 = "nocall"
    "low_depth",  # fewer reads than min_allele_depth
    "deletion",  # a deletion that the sample carries covers the site (*)
    "half_call",  # one of two copies is called
    "ploidy",  # not the number of copies that region and sex allow
    "overlap",  # the sample's records state more alternate copies over one base than it has chromosomes
    "lost_allele",  # carries an allele that the callset has no row for (cut, symbolic or unnamed)
    "filtered",  # fails the genotype filter
)
"""Why a genotype is missing, by code. Code 0 is a call."""

(
    CALLED, NO_DATA, PARTIAL, NO_CALL, GQ0, LOW_DEPTH, DELETION, HALF_CALL, PLOIDY, OVERLAP, LOST_ALLELE, FILTERED,
) = range(12)  # fmt: skip

SITE_COUNTS = (
    "n_called", "n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt", "ac", "an",
    "ac_adj", "an_adj", "n_hom_alt_adj", "depth_sum", "gq_sum", "n_with_depth", "n_with_gq",
    "het_ref_reads", "het_alt_reads", "hom_alt_ref_reads", "hom_alt_alt_reads",
)  # fmt: skip
"""Counts of each row over samples.

depth_sum and gq_sum are over called genotypes that state them (n_with_depth, n_with_gq).
"""

SAMPLE_COUNTS = (
    "n_sites", "n_called", "n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt", "n_called_adj",
    "n_non_ref", "n_snp", "n_insertion", "n_deletion", "n_transition", "n_transversion",
    "n_het_snp", "n_hom_alt_snp", "n_het_indel", "n_hom_alt_indel", "n_singleton",
    "depth_sum", "gq_sum", "n_with_depth", "n_with_gq",
    "het_ref_reads", "het_alt_reads", "hom_alt_ref_reads", "hom_alt_alt_reads",
    *(f"missing_{reason}" for reason in REASONS[1:]), *(f"n_gq_{10 * decade:02d}" for decade in range(10)),
    "n_singleton_transition", "n_singleton_transversion", "charr_sum_nano", "n_charr",
    "n_hom_alt_transition", "n_hom_alt_transversion", "n_hom_alt_insertion", "n_hom_alt_deletion",
)  # fmt: skip
"""Counts of each sample over rows. n_snp to n_transversion count alternate alleles carried (rows, not copies); n_gq_*
called genotypes by decade of GQ (n_gq_90: 90 and more). charr_sum_nano: see docs/methods/joint.md."""

OUTCOMES = len(REASONS) + 4
"""What may become of a genotype: eleven reasons, from the last to the first; hom-ref, het, hom-alt; haploid reference,
alternate. Outcome of a cell: cell + len(REASONS) - 1."""

COVERAGE = ("n_bases", "depth_sum", "n_bases_1x", "n_bases_10x", "n_bases_20x", "n_bases_30x")
"""Bases of which a sample states the depth, each once; the sum of these depths; bases of a depth of 1, 10, 20, 30."""

HOMOZYGOSITY = ("n_f_called", "f_expected_nano", "f_expected_small_nano")
"""Over rows with both alleles: diploid genotypes called; homozygous ones expected of them (1e9 times), from the row's
frequency, and from it with the correction for a sample of an alleles."""

REGION_COUNTS = (
    "n_sites", "n_called", "n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt", "n_ploidy_conflict",
    *COVERAGE, "n_f_called", "n_f_hom", "f_expected_nano", "f_expected_small_nano",
)  # fmt: skip
"""Columns of the table of regions behind `sample` and `region`."""

CHARR_DEPTHS, CHARR_MIN_GQ = (10, 100), 20
"""CHARR takes hom-alt calls of this depth and quality (Lu et al. 2023; Hail compute_charr)."""

CONTAMINATION_AF = (0.05, 0.95)
"""Frequencies of SNPs that tell two people apart, both ends out: CHARR's."""

CONTAMINATION_DEPTHS = (10, 100)
"""Reads of a genotype whose likelihood is summed: fewer say little, more lie in repeats."""

CONTAMINATION_GRID = (
    0.0, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.125, 0.15, 0.175,
    0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
)  # fmt: skip
"""Shares of another person's reads for which the likelihood is summed: finer where gates are (1, 3 and 5 %)."""

CONTAMINATION_RHO = (-0.25, 0.0, 0.25, 0.5)
"""How the other person's genotype leans to the sample's own: 0.5 of a parent, child or full sibling, below 0 where the
ancestries differ. Of random pairs of the 1000 Genomes it is -0.16 to 0.34."""

RHO_SPREAD = 0.1
"""Standard deviation of rho before the reads speak: that of random pairs of the 1000 Genomes (0.100, mean 0.000, at
11,332 SNPs of frequency 0.05 to 0.95 in all 2,504). Few reads leave rho near 0, so that they are not worth less."""

RHO_FLOOR = 0.03
"""Added to that curve, whose top is 1, wherever rho is: relatives are not random pairs, and samples of a family are
often handled together. A tenth of the prior is this floor; of strangers the estimate is the same with a third of it."""

HET_REFERENCE_SHARES = (0.48, 0.51, 0.54)
"""Reads of the reference at a heterozygote. Aligners lose a few of the alternate, each pipeline its own number of them:
taken for 0.5 where it is 0.52, ten percent of another's reads look like eleven."""

CONTAMINATION_SHEETS = tuple((rho, HET_REFERENCE_SHARES[1]) for rho in CONTAMINATION_RHO) + tuple(
    (0.0, share) for share in (HET_REFERENCE_SHARES[0], HET_REFERENCE_SHARES[2])
)
"""(rho, reads of the reference at a heterozygote) of each sum over the grid: one of the two moves at a time."""

CONTAMINATION_SUMS = len(CONTAMINATION_SHEETS) * len(CONTAMINATION_GRID)
"""Sums of log-likelihoods per sample, sheet by sheet."""

MIN_ALT_SHARE = 0.25
"""Reads that show the alternate, of those that show either: from here on any caller calls a carrier at 10 reads."""

READ_ERROR = 0.001
"""A read shows the other allele by error: Illumina bases of Q30 have 0.001, and a third of these show this very base;
the rest is room for misplaced reads. Twice or none of it moves an estimate by about 0.2 percentage points."""


@dataclass(frozen=True)
class IngestParams:
    """How gVCFs are put into a call store. A store keeps the choices it was made with."""

    bin_bp: int = 1_000_000
    """Genome bin of a file:

    1 Mb holds a few MB per thousand samples, small enough to hold, large enough to read fast.
    """
    batch_samples: int = 100
    """Samples per file. A task holds one batch and one stretch of the genome, so this bounds memory."""
    bands: str = "none"
    """"none" keeps reference blocks as they are;

    "aou" joins neighbours in one GQ band of 0/10/20/30/40/60 (GVS reference states).
    """
    overlapping_blocks: str = "refuse"
    """"refuse", or "minimum": over a base with two reference blocks the lower GQ and DP count."""
    plain_vcf: str = "refuse"
    """A file that says nothing of the reference:

    "refuse", or "allow" (its sample is then a no-call wherever it has no record).
    """
    stretch_mib: int = 256
    """Compressed input per task. Larger inputs are divided along the genome, by their index."""

    def __post_init__(self) -> None:
        between("ingest.bin_bp", self.bin_bp, 10_000, 100_000_000)
        between("ingest.batch_samples", self.batch_samples, 1, 100_000)
        between("ingest.stretch_mib", self.stretch_mib, 1, 1_000_000)
        choose("ingest.bands", self.bands, ("none", "aou"))
        choose("ingest.plain_vcf", self.plain_vcf, ("refuse", "allow"))
        choose("ingest.overlapping_blocks", self.overlapping_blocks, ("refuse", "minimum"))


@dataclass(frozen=True)
class CallParams:
    """The rules of the joint call that are a choice. Defaults are the All of Us policy where it has one."""

    gq0: str = "nocall"
    """A call of GQ 0 is no evidence ("nocall":

    GVS drop state ZERO, GATK since 2024), or is taken as it stands ("homref": Hail).
    """
    partial: str = "nocall"
    """Hom-ref needs evidence over every reference base ("nocall"), or over some of them ("homref":

    GLnexus allow_partial_data).
    """
    min_allele_depth: int = 0
    """Reads that a called allele, or a reference block, needs (GLnexus required_dp).

    0: any. gatk#8328: DP alone proves nothing.
    """
    overlap: str = "nocall"
    """More alternate copies over a base than chromosomes:

    "nocall", or "best": het records compete by allele quality.
    """
    min_copies: int = 1
    """Copies that an allele needs in the cohort to get a row (GLnexus min_allele_copy_number)."""
    min_allele_quality: int = 0
    """Phred quality that an allele needs in one carrier (GLnexus min_AQ1) ..."""
    min_allele_quality_twice: int = 0
    """... or in two carriers (GLnexus min_AQ2)."""
    max_alleles: int = 100
    """Alternate alleles kept at one position; the rarest are cut and reported (GVS EXCESS_ALLELES > 100)."""
    max_span_bp: int = 1_000
    """Reference evidence for a longer allele is asked over its first bases only (GVS cuts deletions at 1,000)."""
    genotype_filter: str = "none"
    """"none", or "adj": genotypes below the adj thresholds become missing. The adj counts are made either way."""
    adj_min_gq: int = 20
    """gnomAD adj: GQ >= 20 ..."""
    adj_min_dp: int = 10
    """... DP >= 10 on two copies ..."""
    adj_min_dp_haploid: int = 5
    """... DP >= 5 on one copy ..."""
    adj_min_ab: float = 0.2
    """... and at least this share of reads for each alternate allele of a het."""

    def __post_init__(self) -> None:
        choose("joint.gq0", self.gq0, ("nocall", "homref"))
        choose("joint.partial", self.partial, ("nocall", "homref"))
        choose("joint.overlap", self.overlap, ("nocall", "best"))
        choose("joint.genotype_filter", self.genotype_filter, ("none", "adj"))
        between("joint.max_alleles", self.max_alleles, 1, 1_000_000)
        between("joint.max_span_bp", self.max_span_bp, 1, MARGIN_BP)
        between("joint.adj_min_ab", self.adj_min_ab, 0.0, 1.0)
        for name in ("min_allele_depth", "min_copies", "min_allele_quality", "min_allele_quality_twice", "adj_min_gq"):
            between(f"joint.{name}", getattr(self, name), 0, 1_000_000)


MARGIN_BP = 1_000
"""Each bin's files also hold what lies this far beyond its end, so that a bin is called from its own files."""

BANDS = (0, 10, 20, 30, 40, 60)
"""Lower ends of the GQ bands of "aou": the reference states of GVS."""
