"""Choices of polygenic scoring, the codes of its arrays, and the columns of its tables."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from cohelix.choices import between, choose
from cohelix.errors import ConfigError

CHROMOSOMES = ("", *(str(number) for number in range(1, 23)), "X", "Y", "MT")
"""Names by code: int8 in arrays of scoring rows; 0 is not known."""

CHROMOSOME_X, CHROMOSOME_Y, CHROMOSOME_MT = 23, 24, 25

ADDITIVE, DOMINANT, RECESSIVE, DOSAGE = 0, 1, 2, 3
"""How a row's weight depends on the copies of its effect allele; DOSAGE: a weight for each of 0, 1 and 2 copies."""

EFFECT_TYPES = ("additive", "dominant", "recessive", "nonadditive")
"""Names of the effect types, as the tools of the PGS Catalog write them."""

ALT, REF, HOM_REF, HET, HOM_ALT = 0, 1, 2, 3, 4
"""What of a genotype a weight is multiplied with: copies of ALT, copies of REF, or 1 where the genotype is this one."""

SAME_ROW = 8
"""Added to the form of an entry that belongs to the scoring row of the entry before it, and is not counted again."""

REGIONS = ("autosome", "PAR", "X", "Y", "MT")
"""Of a site: where its ploidy comes from. PAR counts two copies in everybody; X is what lies outside of it."""

SCORES = pa.schema(
    [
        ("score", pa.dictionary(pa.int32(), pa.string())),
        ("sample_id", pa.dictionary(pa.int32(), pa.string())),
        ("sum", pa.float64()),
        ("n_alleles", pa.int32()),
        ("n_imputed", pa.int32()),
        ("n_hom_ref", pa.int32()),
    ]
)
"""scores.parquet, sorted by score (in the order of the report) and sample (that of the callset).

sum: of weights times copies. n_alleles: alleles of sites used for this person, by ploidy: the denominator of an
average. n_imputed: sites without a genotype, at which the missing policy spoke. n_hom_ref: sites called homozygous (or
haploid) reference, on evidence and not for want of a record.
"""


@dataclass(frozen=True)
class MatchParams:
    """How scoring rows find their sites. The defaults are those of the PGS Catalog calculator, but for rare alleles."""

    min_overlap: float = 0.75
    """Least share of a score's rows that must be matched (the PGS Catalog calculator's)."""
    when_none_pass: str = "error"
    """Where no score has enough rows: error, or report (an empty match, which says why)."""
    strand_flips: str = "match"
    """Alleles that fit on the other strand only: match, exclude, or never (not looked for)."""
    palindromic: str = "exclude"
    """A/T and C/G, which look the same on both strands: exclude, keep (as they stand), or frequency (resolve)."""
    palindromic_max_maf: float = 0.4
    """By frequency: above this in the file or the callset, the minor allele is not certain, and the row is excluded."""
    palindromic_max_difference: float = 0.2
    """By frequency: more than this between file and callset on the better strand is no agreement; excluded."""
    multiallelic: str = "exclude"
    """Rows at a position with further alternates, where "not this alternate" is not REF: exclude or keep."""
    multiallelic_min_af: float = 0.001
    """Further alternates that are no more frequent than this in the callset do not count (in a large cohort most
    positions have one); 0: those never seen, as the calculator has it."""
    duplicates: str = "exclude"
    """Rows of one score that have the same site: exclude all, first (keep that one), or keep all."""
    indels: str = "trim"
    """Longer alleles: trim (as a callset's are, so that padded ones are found) or text (as they stand)."""
    log: str | None = None
    """Rows of log-*.parquet: all, or exceptions (without those that are matched as they stand, of which there is no
    more to say). None: all where a match is asked for, exceptions where scores are: it would be the largest file."""

    def __post_init__(self) -> None:
        between("prs.match.min_overlap", self.min_overlap, 0.0, 1.0)
        choose("prs.match.when_none_pass", self.when_none_pass, ("error", "report"))
        choose("prs.match.strand_flips", self.strand_flips, ("match", "exclude", "never"))
        choose("prs.match.palindromic", self.palindromic, ("exclude", "keep", "frequency"))
        between("prs.match.palindromic_max_maf", self.palindromic_max_maf, 0.0, 0.5)
        between("prs.match.palindromic_max_difference", self.palindromic_max_difference, 0.0, 1.0)
        choose("prs.match.multiallelic", self.multiallelic, ("exclude", "keep"))
        between("prs.match.multiallelic_min_af", self.multiallelic_min_af, 0.0, 1.0)
        choose("prs.match.duplicates", self.duplicates, ("exclude", "first", "keep"))
        choose("prs.match.indels", self.indels, ("trim", "text"))
        if self.log is not None:
            choose("prs.match.log", self.log, ("all", "exceptions"))


@dataclass(frozen=True)
class ScoreParams:
    """How scores are added up."""

    missing: str = "cohort-af"
    """What a missing genotype counts as: cohort-af, reference-af, ancestry-af (expected copies), drop or error."""

    memory_mib: int = 512
    """MiB of sums and counts that a task holds; people are cut into blocks that fit (two tasks: what a laptop has)."""

    count_hom_ref: bool = True
    """Count genotypes that are homozygous reference on evidence (a tenth of the time of sparse scores); else 0."""

    def __post_init__(self) -> None:
        between("prs.score.memory_mib", self.memory_mib, 16, 1 << 20)
        choose("prs.score.missing", self.missing, ("cohort-af", "reference-af", "ancestry-af", "drop", "error"))


@dataclass(frozen=True)
class AdjustParams:
    """How scores are made comparable across ancestries. Applied with a saved model, what was trained is the model's."""

    n_pcs: int = 4
    """Components that the mean and the variance depend on (the PGS Catalog calculator's, and eMERGE's)."""
    n_pcs_similar: int = 5
    """Components in which the most similar group is the nearest one, without a table of ancestry (the calculator's)."""
    min_group: int = 20
    """Fewer training people than this in a group: nobody is compared with it. A percentile of 20 people is known to
    five points."""
    label_column: str | None = None
    """Column of the groups of the training people; None: the first of those that `read_groups` knows."""
    ancestry_column: str | None = None
    """Column of the table of ancestry; None: ancestry_pred or group, the best guess, before others. With
    ancestry_pred_other or group_other, people in no group are compared with none."""
    neighbours: int = 10
    """Training people to whom a distance is taken, to tell who lies outside of them all."""
    outside_rate: float = 0.01
    """Share of training people who lie at the cut-off or beyond it, each seen from the others."""
    edge: float = 0.1
    """Who is predicted an SD that exceeds those of all training people by this share, or falls short of them, is
    outside too, for this score."""
    absent_scores: str = "refuse"
    """Scores that were not trained on: refuse the run, or leave them empty (empty)."""
    site_tolerance: float = 0.05
    """Most that the number of alleles used may differ between training and here, as a share: a score of other sites is
    another score. From the greatest number over people, for genotypes that are missing are no difference of sites."""
    pgs_txt: bool = False
    """Write pgs.txt.gz too, with the columns of `pgscatalog-ancestry-adjust`."""
    sampleset: str = "cohort"
    """Name of this cohort in pgs.txt.gz."""

    def __post_init__(self) -> None:
        between("prs.adjust.n_pcs", self.n_pcs, 1, 100)
        between("prs.adjust.n_pcs_similar", self.n_pcs_similar, 1, 100)
        between("prs.adjust.min_group", self.min_group, 2, 1_000_000)
        between("prs.adjust.neighbours", self.neighbours, 1, 1000)
        between("prs.adjust.outside_rate", self.outside_rate, 0.0, 0.5)
        between("prs.adjust.edge", self.edge, 0.0, 100.0)
        choose("prs.adjust.absent_scores", self.absent_scores, ("refuse", "empty"))
        between("prs.adjust.site_tolerance", self.site_tolerance, 0.0, 1.0)
        if not self.sampleset or not self.sampleset.isprintable():
            raise ConfigError("prs.adjust.sampleset is empty or holds characters that do not print. Choose a name.")


@dataclass(frozen=True)
class EvaluateParams:
    """How a score's accuracy is measured."""

    column: str | None = None
    """Which number of a person is evaluated. None: `sum` of scores, `z_norm2` of adjusted ones."""
    traits: list[str] = field(default_factory=list)
    """Columns of the phenotypes. Empty: all that hold no ids."""
    binary: list[str] = field(default_factory=list)
    """Traits that are of cases and controls; others are, too, where they hold 0 and 1, or 1 and 2, only."""
    quantitative: list[str] = field(default_factory=list)
    """Traits that are measures, whatever they hold."""
    concepts: list[str] = field(default_factory=list)
    """Of health records: concept ids that make a case, with their descendants; `name=201826+201254` names the trait."""
    min_occurrences: int = 1
    """Records that make a case; who has some, and fewer, is neither case nor control."""
    distinct_days: bool = False
    """Whether records of one day count once: phenotyping rules often ask for two days."""
    min_observation_days: int = 0
    """Days under observation that a control needs: somebody nobody looked at is no control."""
    covariates: list[str] = field(default_factory=list)
    """Columns of the covariates. Empty: all that hold no ids."""
    n_pcs: int | None = None
    """Components that are covariates. None: as many as there are, and 10 at most. 0: none."""
    n_distance_pcs: int | None = None
    """Components that distance is measured in. None: as many as there are, and 20 at most (Ding 2023)."""
    centre: list[float] = field(default_factory=list)
    """Centre of the training population among the components, where no table of its people gives it."""
    centre_group: str | None = None
    """Group of the cohort whose mean is the centre instead."""
    distance_bins: int = 10
    """Bins of equal size by distance."""
    group_column: str | None = None
    """Column of the groups. None: the first that `read_groups` knows."""
    prevalence: dict[str, float] = field(default_factory=dict)
    """Share of cases in the population, by trait: liability R2 is given for these alone (a cohort's is not it)."""
    min_stratum: int = 21
    """Fewer people (or cases, or controls) than this in a stratum: nothing is said of it.

    All of Us shows no count of 1 to 20.
    """
    confidence: float = 0.95
    bootstrap: int = 1000
    """Resamples behind an interval that has no formula."""
    folds: int = 5
    """Parts of the people; each is predicted by a model of the others, which calibration and Brier score need."""
    tail: float = 0.2
    """Share of people that are high (or low) by a score, for the agreement of scores: quintiles."""
    max_pairs: int = 10_000
    """Scores times traits that are evaluated without a list of pairs."""
    max_agreement: int = 100
    """Scores for one trait that are compared with each other; more would be a table that nobody reads."""
    plots: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        for name, low, high in (
            ("min_occurrences", 1, 1000), ("min_observation_days", 0, 100_000), ("distance_bins", 2, 1000),
            ("min_stratum", 1, 1_000_000), ("confidence", 0.5, 0.999), ("bootstrap", 100, 100_000), ("folds", 2, 100),
            ("tail", 0.01, 0.5), ("max_pairs", 1, 10_000_000), ("max_agreement", 2, 1000), ("seed", 0, 2**32 - 1),
        ):  # fmt: skip
            between(f"prs.evaluate.{name}", getattr(self, name), low, high)
        for name in ("n_pcs", "n_distance_pcs"):
            if getattr(self, name) is not None:
                between(f"prs.evaluate.{name}", getattr(self, name), 0, 1000)
        for trait, share in self.prevalence.items():
            if not 0 < share < 1:
                raise ConfigError(f"prs.evaluate.prevalence of {trait!r} is {share}. Give a share between 0 and 1.")
        if self.centre and self.centre_group:
            raise ConfigError("prs.evaluate has a centre and a centre_group. Set one of them.")
        if both := sorted(set(self.binary) & set(self.quantitative)):
            raise ConfigError(f"prs.evaluate: {both[0]!r} is named as binary and as quantitative. Keep one.")
