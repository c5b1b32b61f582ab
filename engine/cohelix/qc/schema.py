"""Choices of quality control. Thresholds are not here: they are gates, in `reference/qc`."""

from __future__ import annotations

from dataclasses import dataclass, field

from cohelix import choices
from cohelix.errors import ConfigError


@dataclass(frozen=True)
class SampleQcParams:
    """How metrics of samples are made from the counts of a callset."""

    sex_cutoffs: str = "data"
    """Ploidy cut-offs from the means and SDs of this cohort's XX and XY samples ("data", as gnomAD get_ploidy_cutoffs),

    or "fixed". With fewer than `min_sex_cluster` samples of one of them, or clusters that overlap, they are fixed.
    """
    sex_split: str = "ploidy"
    """What tells XX from XY before means are taken: "ploidy" (nearest of the two; aneuploid samples are in neither), or

    "f_stat" at `f_split` (gnomAD infer_sex_karyotype: XXY counts among XX there, and widens their SD).
    """
    f_split: float = 0.5
    """gnomAD infer_sex_karyotype, f_stat_cutoff = 0.5."""
    normal_sds: float = 5.0
    """gnomAD get_ploidy_cutoffs, normal_ploidy_cutoff = 5: SDs around the mean that are still one or two copies ..."""
    aneuploidy_sds: float = 6.0
    """... and aneuploidy_cutoff = 6: SDs above it that are one copy more. Between the two: ambiguous."""
    min_ploidy_sd: float = 0.03
    """An SD is taken as at least this: 5 SDs are then 0.15 copies, what depth alone varies by between libraries."""
    min_sex_cluster: int = 20
    """Samples of XX, and of XY, that means and SDs need: an SD of fewer is itself off by more than a sixth."""
    ploidy_tolerance: float = 0.3
    """Fixed cut-offs: up to 0.3 above a whole number of copies is that number, and up to 0.3 below it; else ambiguous.

    One X has no lower end, and one Y begins at 0.3, as gnomAD has it: cells lose a sex chromosome with age.
    """
    max_female_f: float = 0.2
    """Without depth: F on X below this is female (plink --check-sex, Hail impute_sex) ..."""
    min_male_f: float = 0.8
    """... and above this male."""
    min_y_sites: int = 10
    """Sites on Y that a share of called ones is taken of; with fewer, Y says nothing."""
    min_contamination_sites: int = 50
    """Sites that an estimate of contamination needs: from 50 at 30x, its 95 % interval is about two points wide."""
    likelihood_drop: float = 1.92
    """Fall of the log-likelihood at the ends of the 95 % interval: half of chi-squared 3.84."""
    batch_effect: float = 0.5
    """Cohen's d of a metric beyond which a batch is reported to differ (All of Us, blood against saliva)."""
    min_stratum: int = 30
    """Samples that a stratum needs to judge its own outliers; smaller ones, and samples of none, are pooled."""

    def __post_init__(self) -> None:
        choices.choose("qc.samples.sex_cutoffs", self.sex_cutoffs, ("data", "fixed"))
        choices.choose("qc.samples.sex_split", self.sex_split, ("ploidy", "f_stat"))
        for name in ("f_split", "max_female_f", "min_male_f"):
            choices.between(f"qc.samples.{name}", getattr(self, name), -1.0, 1.0)
        choices.between("qc.samples.normal_sds", self.normal_sds, 1.0, 100.0)
        choices.between("qc.samples.aneuploidy_sds", self.aneuploidy_sds, self.normal_sds, 100.0)
        choices.between("qc.samples.min_ploidy_sd", self.min_ploidy_sd, 0.0, 0.5)
        choices.between("qc.samples.ploidy_tolerance", self.ploidy_tolerance, 0.05, 0.5)
        choices.between("qc.samples.batch_effect", self.batch_effect, 0.0, 100.0)
        choices.between("qc.samples.likelihood_drop", self.likelihood_drop, 0.01, 100.0)
        for name in ("min_sex_cluster", "min_y_sites", "min_contamination_sites", "min_stratum"):
            choices.between(f"qc.samples.{name}", getattr(self, name), 2 if name != "min_y_sites" else 1, 1_000_000)


@dataclass(frozen=True)
class VariantQcParams:
    """How metrics of variants are made from the counts of a callset."""

    frequency_track: str = "adj"
    """FAF and grpmax are made from calls that pass adj, as gnomAD's ("adj"; from all calls where a callset does not say

    which pass), or from all calls ("raw").
    """
    left_out: list[str] = field(default_factory=lambda: ["ami", "asj", "fin", "mid", "oth", "remaining", "rmi"])
    """Groups without FAF and outside grpmax: bottlenecked or mixed (gnomAD v4 help pages on FAF and grpmax)."""
    acaf_rule: str = "code"
    """ACAF selection: AC >= `acaf_min_ac` or AF > `acaf_min_af` in any group ("code": All of Us' published WDL), or

    AC > `acaf_min_ac` ("documented": the texts of the release). Either keeps every allele of the position.
    """
    acaf_min_ac: int = 100
    """All of Us, ACAF threshold callset."""
    acaf_min_af: float = 0.01
    """All of Us, ACAF threshold callset."""
    vat_max_alleles: int = 50
    """Positions with so many alternate alleles or more are not in the annotation table (All of Us, VAT)."""
    forest_trees: int = 100
    """scikit-learn's default, which VETS keeps: its hyperparameters are {"random_state": 0}."""
    max_training: int = 1_000_000
    """Known sites of a class that the forest sees; more than that are sampled. A tree sees 256 of them."""
    min_training: int = 256
    """Known sites of a class that training and calibration need: what one tree of the forest sees."""

    def __post_init__(self) -> None:
        choices.choose("qc.variants.frequency_track", self.frequency_track, ("adj", "raw"))
        choices.choose("qc.variants.acaf_rule", self.acaf_rule, ("code", "documented"))
        choices.between("qc.variants.acaf_min_ac", self.acaf_min_ac, 1, 1_000_000_000)
        choices.between("qc.variants.acaf_min_af", self.acaf_min_af, 0.0, 1.0)
        choices.between("qc.variants.vat_max_alleles", self.vat_max_alleles, 2, 1_000_000)
        choices.between("qc.variants.forest_trees", self.forest_trees, 1, 10_000)
        choices.between("qc.variants.min_training", self.min_training, 2, 1_000_000)
        choices.between("qc.variants.max_training", self.max_training, self.min_training, 100_000_000)


@dataclass(frozen=True)
class ArrayQcParams:
    """How array genotypes and intensities are read and judged.

    Cut-offs of samples are gates, in `reference/qc`. Those of markers are here, since no programme publishes them,
    unless the gates file has a [[marker]] of its own.
    """

    build: str = "auto"
    """Of PLINK filesets, which do not say: GRCh37, GRCh38, or "auto", that of the reference FASTA where it is given."""

    flipped: str = "flip"
    """"flip": a SNP whose alleles are the reference's on the other strand only is turned, and reported; "drop"."""

    unresolved_palindromes: str = "keep"
    """"keep": A/T and C/G markers whose strand nothing shows stay as the file states them, and are flagged; "drop".
    GtcToVcf has turned them by its manifest already, which is right but for a few."""

    flipped_palindromes: str = "flip"
    """A/T and C/G markers that the probe or the frequency shows on the other strand: "flip" or "drop"."""

    probe_mismatches: int = 3
    """Bases of a probe that may differ from the reference. A 50-base probe meets the wrong strand with about 37."""

    frequency_difference: float = 0.2
    """Difference to the known frequency from which a palindrome is on the other strand, where turning it brings it
    within. The limit is that of W. Rayner's check of array data against a reference panel."""

    min_frequency_calls: int = 50
    """Genotypes from which an allele frequency is taken for granted: of the cluster file, otherwise of the batch."""

    contamination_frequency: str = "b_allele"
    """"b_allele": BAF is regressed on the frequency of the allele that the sample does not have. "minor": on the minor
    allele frequency whichever the sample has, as BAFRegress does (Jun 2012), and with its bias at high frequencies."""

    no_call_baf: float = 0.25
    """No calls with BAF this near 0 or 1, and a signal as strong as a call's, take part in the regression as AA or BB.
    Strange DNA itself makes no calls of homozygotes; to leave those out, as BAFRegress does (0 here), makes a third
    less of 15 %."""

    sex_markers: int = 10
    """Markers of a chromosome below which nothing is said of its copies: LRR has a deviation of about 0.2 a marker."""

    x_lrr: list[float] = field(default_factory=lambda: [-0.25, 0.16])
    """LRR of X, less that of the autosomes, between one and two, two and three copies: about halfway between two copies
    and what PennCNV expects of one (-0.66; on X seldom below -0.5) and of three (0.40)."""

    y_lrr: list[float] = field(default_factory=lambda: [-1.0, 0.27])
    """LRR of Y, less that of the autosomes, between none and one, one and two copies. Without a Y the probes bind
    next to nothing (PennCNV expects -3.5 of no copy)."""

    x_f: list[float] = field(default_factory=lambda: [0.2, 0.8])
    """F of X up to which a sample without intensities is female, and from which it is male: PLINK's --check-sex."""

    min_call_rate_common: float = 0.98
    """Of markers with `common_maf` or more. As for samples: 0.98 is the call rate that WARP's arrays pass at."""

    min_call_rate_rare: float = 0.99
    """Of rarer markers: a missed cluster of a few carriers shows as no calls, and no calls outnumber carriers soon."""

    common_maf: float = 0.05
    """Minor allele frequency from which a marker is common."""

    min_hwe_p: float = 1e-6
    """Exact test over all samples: a coarse one, which finds clusters that were mistaken for one another. Ancestry
    alone lowers p, so that no tighter limit is safe without groups (`cohelix qc variants` has them)."""

    max_male_het: float = 0.02
    """Share of heterozygous calls on X among males: each is an error, or the marker's probe binds elsewhere too."""

    min_gentrain: float = 0.5
    """GenTrain score, from 0 to 1: below, the clusters of the training set were badly found. Illumina's technical note
    on Infinium data asks to look at those (Infinium Genotyping Data Analysis, 970-2007-005)."""

    min_separation: float = 2.0
    """Gap between neighbouring clusters in theta, in their standard deviations added: at 2 about 5 % of calls are
    nearer to the wrong one's side."""

    ab_theta: list[float] = field(default_factory=lambda: [0.2, 0.8])
    """Mean theta of AB: outside, the heterozygotes lie with homozygotes (the same note, "AB T Mean")."""

    max_strange: float = 0.0
    """Share of calls that name an allele that is neither A nor B."""

    heterozygosity_mads: float = 5.0
    """Median absolute deviations from the cohort's median at which heterozygosity is called an outlier: 5 for one in a
    million of a normal distribution, since cohorts mix ancestries."""

    duplicate_concordance: float = 0.95
    """Share of alike genotypes from which two samples are of one person, or of identical twins. Errors of two good
    arrays leave 0.998, of a failed one 0.97; full sibs have 0.6 to 0.85 at common markers."""

    duplicate_markers: int = 4_096
    """Common markers that samples are compared at, the most common of every stretch of the genome: 1 KiB a sample."""

    duplicate_maf: float = 0.1
    """Least minor allele frequency of such a marker."""

    min_duplicate_markers: int = 100
    """Markers below which no pair is judged: sibs that share a few stretches would be taken for one person."""

    block_calls: int = 1 << 18
    """Calls that are read at a time: 2 MiB of genotypes and intensities, whatever the size of the file."""

    def __post_init__(self) -> None:
        choices.choose("build", self.build, ("auto", "GRCh37", "GRCh38"))
        for name in ("flipped", "flipped_palindromes"):
            choices.choose(name, getattr(self, name), ("flip", "drop"))
        choices.choose("unresolved_palindromes", self.unresolved_palindromes, ("keep", "drop"))
        choices.choose("contamination_frequency", self.contamination_frequency, ("b_allele", "minor"))
        choices.between("probe_mismatches", self.probe_mismatches, 0, 20)
        for name in (
            "frequency_difference", "min_call_rate_common", "min_call_rate_rare", "min_hwe_p", "max_male_het",
            "min_gentrain", "max_strange",
        ):  # fmt: skip
            choices.between(name, getattr(self, name), 0.0, 1.0)
        choices.between("common_maf", self.common_maf, 0.0, 0.5)
        choices.between("duplicate_maf", self.duplicate_maf, 0.0, 0.5)
        choices.between("no_call_baf", self.no_call_baf, 0.0, 0.5)
        choices.between("duplicate_concordance", self.duplicate_concordance, 0.5, 1.0)
        choices.between("min_frequency_calls", self.min_frequency_calls, 1, 1_000_000)
        choices.between("sex_markers", self.sex_markers, 1, 100_000)
        choices.between("duplicate_markers", self.duplicate_markers, 64, 1 << 20)
        choices.between("min_duplicate_markers", self.min_duplicate_markers, 1, self.duplicate_markers)
        choices.between("heterozygosity_mads", self.heterozygosity_mads, 0.1, 1_000.0)
        choices.between("min_separation", self.min_separation, 0.0, 1_000.0)
        choices.between("block_calls", self.block_calls, 1, 1 << 28)
        for name in ("x_lrr", "y_lrr", "x_f", "ab_theta"):
            low_high = getattr(self, name)
            if len(low_high) != 2 or not low_high[0] < low_high[1]:
                raise ConfigError(f"{name} = {low_high} is not a pair of rising numbers. Give two, as [0.2, 0.8].")


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
    """Sites of the fingerprint. Two thousand put strangers at an LLR of about -1,500 and sibs at about -700."""

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
