"""Choices of a made cohort.

Each default has its reason; named sizes are presets (`cohort-tiny`, `cohort-demo`, ...).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cohelix.choices import between, choose
from cohelix.errors import ConfigError
from cohelix.simulate.people.person import GROUPS
from cohelix.simulate.traits.catalogue import check_names

MOST_PERSONS = 10_000_000
DEFAULT_SHARES = {"afr": 0.21, "amr": 0.20, "eas": 0.05, "eur": 0.44, "mid": 0.02, "sas": 0.04, "oth": 0.04}


@dataclass(frozen=True)
class CohortParams:
    """[simulate]: who, where, and how haplotypes are made.

    persons: people enrolled (0: to be given on the command line).
    regions: `chr1:1,000,001-1,050,000`; none: `region_count` stretches of `region_bases`, spread over chromosomes 1 to
        22, `long_regions` of them of `long_bases` (linkage shows there; many short ones tell ancestry and kinship), and
        one stretch each on X inside and outside PAR1, Y and M.
    mode: "linked" (msprime haplotypes) or "sites" (independent sites at population frequencies: no linkage, no
    limit). haplotypes: founder haplotypes made for each of the six source populations; all people are mosaics of
    them. shares: of people by group; more than half are from groups underrepresented in research, as in All of Us.
    related: share of people enrolled together with a relative. duplicates: share enrolled twice. aneuploidies:
    sex-chromosome aneuploidies, as a multiple of the rate at birth (1: about 1 in 450). mislabelled_sex: share whose
    reported sex is not that of the genome. private_sites: new sites per base and founder haplotype, for rare
        variants that a panel of this size does not have.
    withdrawn: share who took back consent. genotypes: "gvcf" (WGS files) or "callset" (PGEN
        directly, for sizes that no one would write gVCFs for) or "both".
    star_alleles: table of named haplotypes to place (TSV), "" for none, or one that comes with cohelix: "example" (few
        variants of six genes) or "pharmacogenes" (20 genes that can be called: true reference bases at all positions of
        their definitions).
    reference_people: people of each source who are not enrolled, as a reference panel with labels: enough of each for a
        mean and a spread of its place among the principal components, and never more than half of the haplotypes make.
    reference_admixed: admixed people of each mixed group in that panel, as reference panels of real people have them:
        without them, admixed people of the cohort lie where the panel has nobody. As many as of a source.
    """

    persons: int = 0
    regions: list[str] = field(default_factory=list)
    region_count: int = 66
    region_bases: int = 20_000
    long_regions: int = 0
    long_bases: int = 50_000
    mode: str = "linked"
    haplotypes: int = 400
    shares: dict[str, float] = field(default_factory=lambda: dict(DEFAULT_SHARES))
    related: float = 0.2
    duplicates: float = 0.01
    aneuploidies: float = 1.0
    mislabelled_sex: float = 0.002
    private_sites: float = 5e-6
    withdrawn: float = 0.01
    genotypes: str = "gvcf"
    star_alleles: str = "example"
    reference_people: int = 40
    reference_admixed: int = 40

    def __post_init__(self) -> None:
        between("persons", self.persons, 0, MOST_PERSONS)
        between("region_count", self.region_count, 1, 10_000)
        between("region_bases", self.region_bases, 1_000, 10_000_000)
        between("long_regions", self.long_regions, 0, self.region_count)
        between("long_bases", self.long_bases, 1_000, 10_000_000)
        choose("mode", self.mode, ("linked", "sites"))
        between("haplotypes", self.haplotypes, 20, 100_000)
        between("related", self.related, 0.0, 0.9)
        between("duplicates", self.duplicates, 0.0, 0.2)
        between("aneuploidies", self.aneuploidies, 0.0, 100.0)
        between("mislabelled_sex", self.mislabelled_sex, 0.0, 0.5)
        between("private_sites", self.private_sites, 0.0, 1e-3)
        between("withdrawn", self.withdrawn, 0.0, 0.5)
        between("reference_people", self.reference_people, 0, 10_000)
        between("reference_admixed", self.reference_admixed, 0, 10_000)
        choose("genotypes", self.genotypes, ("gvcf", "callset", "both"))
        for group, share in self.shares.items():
            choose("shares", group, GROUPS)
            between(f"shares.{group}", share, 0.0, 1.0)
        if abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ConfigError(f"shares add up to {sum(self.shares.values()):.4f}. Choose shares that add up to 1.")


@dataclass(frozen=True)
class SequencingParams:
    """[simulate.sequencing]: how genomes become gVCFs.

    dialect: "gatk" (reblocked HaplotypeCaller), "dragen", or "both" (batches in turn). coverage, coverage_sd: mean
    depth of samples, and its spread. low_coverage: share of samples at `low_coverage_depth`. contaminated: share of
    samples with reads of another person, at `contamination` of the reads in turn. batch_effect: standard deviation,
    over batches, of the log of depth. error: of a base. reference_share: of the reads of a heterozygote. uncalled:
    share of bases without a call. artefacts: sites per base where reads of many samples show an allele that nobody
    has. share: of people with WGS. second_sample: share of those who were sequenced twice.
    """

    dialect: str = "both"
    coverage: float = 34.0
    coverage_sd: float = 4.0
    low_coverage: float = 0.02
    low_coverage_depth: float = 12.0
    contaminated: float = 0.03
    contamination: list[float] = field(default_factory=lambda: [0.01, 0.03, 0.1])
    batch_effect: float = 0.04
    error: float = 0.001
    reference_share: float = 0.52
    uncalled: float = 0.005
    artefacts: float = 2e-5
    share: float = 0.95
    second_sample: float = 0.01

    def __post_init__(self) -> None:
        choose("dialect", self.dialect, ("gatk", "dragen", "both"))
        between("coverage", self.coverage, 1.0, 1_000.0)
        between("coverage_sd", self.coverage_sd, 0.0, self.coverage / 2)
        between("low_coverage", self.low_coverage, 0.0, 1.0)
        between("low_coverage_depth", self.low_coverage_depth, 1.0, self.coverage)
        between("contaminated", self.contaminated, 0.0, 1.0)
        for fraction in self.contamination:
            between("contamination", fraction, 0.0, 0.5)
        if self.contaminated and not self.contamination:
            raise ConfigError("contaminated is above 0 and contamination names no fraction. Give one, as [0.03].")
        between("batch_effect", self.batch_effect, 0.0, 1.0)
        between("error", self.error, 1e-6, 0.1)
        between("reference_share", self.reference_share, 0.3, 0.7)
        between("uncalled", self.uncalled, 0.0, 0.5)
        between("artefacts", self.artefacts, 0.0, 0.01)
        between("share", self.share, 0.0, 1.0)
        between("second_sample", self.second_sample, 0.0, 0.5)


@dataclass(frozen=True)
class ArrayParams:
    """[simulate.arrays]: a genotyping array.

    share: of people with an array. markers_per_megabase: of the regions (a real array of 1.8 M has 600; the made
    regions are few, so more). common: share of markers with a minor allele frequency over 1 % in some source.
    palindromic: share of A/T and C/G markers. indels: share of insertions and deletions. monomorphic: share of markers
    where nobody of the panel has an alternate. duplicates: share of markers with a second assay. flipped: share of SNPs
    whose manifest states the wrong strand.
    failed_markers: share that no cluster file fits. failed_samples: share with a low call rate. no_call: share of calls
    missing otherwise. error: share of genotypes called wrongly. contaminated: share of samples with DNA of another
    person, at one of `contamination`. swapped: share of samples exchanged with another of the batch.
    """

    share: float = 0.9
    markers_per_megabase: float = 1_500.0
    common: float = 0.8
    palindromic: float = 0.06
    indels: float = 0.02
    monomorphic: float = 0.05
    duplicates: float = 0.005
    flipped: float = 0.01
    failed_markers: float = 0.02
    failed_samples: float = 0.02
    no_call: float = 0.002
    error: float = 0.0005
    contaminated: float = 0.01
    contamination: list[float] = field(default_factory=lambda: [0.02, 0.05, 0.15])
    swapped: float = 0.01

    def __post_init__(self) -> None:
        between("markers_per_megabase", self.markers_per_megabase, 0.0, 50_000.0)
        for name in (
            "share", "common", "palindromic", "indels", "monomorphic", "duplicates", "flipped", "failed_markers",
            "failed_samples", "no_call", "contaminated",
        ):  # fmt: skip
            between(name, getattr(self, name), 0.0, 1.0)
        if self.palindromic + self.indels > 1:
            raise ConfigError("palindromic and indels add up to more than 1. Lower one of them.")
        for fraction in self.contamination:
            between("contamination", fraction, 0.0, 0.5)
        if self.contaminated and not self.contamination:
            raise ConfigError("contaminated is above 0 and contamination names no fraction. Give one, as [0.05].")
        between("error", self.error, 0.0, 0.5)
        between("swapped", self.swapped, 0.0, 0.5)


@dataclass(frozen=True)
class TraitParams:
    """[simulate.traits]: traits, their causal variants, and scores made from a training set that is not enrolled.

    quantitative, binary: names of traits (of `reference/simulate/traits`). causal: causal variants of each trait.
    heritability: on the liability scale for binary traits. prevalence: of binary traits. effect_correlation: between
    the effects in two source populations. effect_size_exponent: variance of an effect is (2pq)^exponent (-0.38: Schoech
    2019). confounding: share of the variance that environment by group explains. missing: share of values not measured.
    training: people of each of `training_groups`, none of whom is enrolled. minor_copies: fewest copies, in a training
    set, of the rarer allele of a variant that is tested. clump_p: largest p-value of a variant in an estimated score;
    clump_r2, clump_bases: a variant in more linkage than this with a better one this near is left out (as is common).
    """

    quantitative: list[str] = field(default_factory=lambda: ["height", "ldl_cholesterol"])
    binary: list[str] = field(default_factory=lambda: ["type_2_diabetes", "coronary_artery_disease"])
    causal: int = 40
    heritability: float = 0.5
    prevalence: float = 0.12
    effect_correlation: float = 0.85
    effect_size_exponent: float = -0.38
    confounding: float = 0.05
    missing: float = 0.02
    training: int = 2_000
    training_groups: list[str] = field(default_factory=lambda: ["eur", "afr"])
    minor_copies: int = 20
    clump_p: float = 1e-4
    clump_r2: float = 0.1
    clump_bases: int = 250_000

    def __post_init__(self) -> None:
        between("causal", self.causal, 1, 100_000)
        between("heritability", self.heritability, 0.0, 1.0)
        between("prevalence", self.prevalence, 0.001, 0.999)
        between("effect_correlation", self.effect_correlation, 0.0, 1.0)
        between("effect_size_exponent", self.effect_size_exponent, -2.0, 1.0)
        between("confounding", self.confounding, 0.0, 1.0)
        between("missing", self.missing, 0.0, 1.0)
        between("training", self.training, 0, 1_000_000)
        between("minor_copies", self.minor_copies, 1, 2_000_000)
        between("clump_p", self.clump_p, 0.0, 1.0)
        between("clump_r2", self.clump_r2, 0.0, 1.0)
        between("clump_bases", self.clump_bases, 0, 1_000_000_000)
        check_names(self.quantitative, self.binary)
        if self.heritability + self.confounding > 1:
            raise ConfigError("heritability and confounding add up to more than 1. Lower one of them.")
        for group in self.training_groups:
            choose("training_groups", group, tuple(group for group in GROUPS if group != "oth"))
        if len(set(self.training_groups)) < len(self.training_groups):
            raise ConfigError("expected each of training_groups once, found one twice. Take it out.")


@dataclass(frozen=True)
class OmopParams:
    """[simulate.omop]: health records in the OMOP Common Data Model 5.4.

    format: "parquet" or "csv". first_year, last_year: of observation. visits_per_year: mean. deaths: share of people of
    55 who die while observed (it grows with the square of age). unlinked_specimens: share of specimens whose sample is
    in no file.
    """

    format: str = "parquet"
    first_year: int = 2008
    last_year: int = 2023
    visits_per_year: float = 2.0
    deaths: float = 0.03
    unlinked_specimens: float = 0.005

    def __post_init__(self) -> None:
        choose("format", self.format, ("parquet", "csv"))
        between("first_year", self.first_year, 1950, self.last_year)
        between("last_year", self.last_year, self.first_year, 2035)  # the oldest are 100 then
        between("visits_per_year", self.visits_per_year, 0.1, 50.0)
        between("deaths", self.deaths, 0.0, 0.9)
        between("unlinked_specimens", self.unlinked_specimens, 0.0, 0.5)


@dataclass(frozen=True)
class Wishes:
    """All choices of one cohort."""

    cohort: CohortParams
    sequencing: SequencingParams
    arrays: ArrayParams
    traits: TraitParams
    omop: OmopParams
