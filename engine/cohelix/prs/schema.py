"""Choices of polygenic scoring, the codes of its arrays, and the columns of its tables."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from cohelix.choices import between, choose

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
    """How scoring rows find their sites."""

    min_overlap: float = 0.75
    """Least share of a score's rows that must be matched (the PGS Catalog calculator's)."""

    def __post_init__(self) -> None:
        between("prs.match.min_overlap", self.min_overlap, 0.0, 1.0)


@dataclass(frozen=True)
class ScoreParams:
    """How scores are added up."""

    missing: str = "cohort-af"
    """What a missing genotype counts as: cohort-af, reference-af, ancestry-af (expected copies), drop or error."""

    def __post_init__(self) -> None:
        choose("prs.score.missing", self.missing, ("cohort-af", "reference-af", "ancestry-af", "drop", "error"))


@dataclass(frozen=True)
class AdjustParams:
    """How scores are made comparable across ancestries."""

    n_pcs: int = 4
    """Components that the mean and the variance depend on (the PGS Catalog calculator's, and eMERGE's)."""

    def __post_init__(self) -> None:
        between("prs.adjust.n_pcs", self.n_pcs, 1, 100)


@dataclass(frozen=True)
class EvaluateParams:
    """How a score's accuracy is measured."""

    min_stratum: int = 20
    """Fewer people than this in a stratum (or fewer cases or controls): nothing is said of it."""

    def __post_init__(self) -> None:
        between("prs.evaluate.min_stratum", self.min_stratum, 1, 1_000_000)
