"""Choices of star-allele calling, and the tables it makes."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from cohelix.choices import between, choose
from cohelix.errors import ConfigError

STATUSES = (
    "called",  # one diplotype is best
    "ambiguous",  # several are equally good
    "haplotypes",  # unphased DPYD or RYR1: the alleles that are there, without saying on which strand
    "no_data",  # no position of the gene has a genotype
    "no_call_required_missing",  # a position without which there is no call is missing
    "no_call_half_genotype",  # one of two alleles of a genotype is missing
    "no_call_undocumented",  # an allele that no definition knows
    "no_call_no_match",  # known alleles, in a combination that no definition has
    "too_many_combinations",  # the cap of the combination search was met
    "outside",  # the call was made by another program
)

PHASES = ("phased", "effectively_phased", "phase_sets", "unphased")
"""Of a person's gene: every genotype phased; at most one way to read it; phased within sets; or several ways."""

SOURCES = ("matcher", "snv_only", "outside")
"""Where a call comes from. snv_only: small variants alone, of a gene (CYP2D6) in which one person in five carries a
deletion, a duplication or a hybrid that they cannot show."""

ANSWERS = pa.schema(
    [
        ("status", pa.string()),
        ("diplotypes", pa.list_(pa.string())),
        ("scores", pa.list_(pa.int32())),
        ("n_top", pa.int32()),
        ("haplotypes", pa.list_(pa.string())),
        ("warnings", pa.list_(pa.string())),
    ]
)
"""What the matcher says, each distinct answer once.

diplotypes: every candidate, best score first, then in the order of names; a haploid one is a single name. scores: of
each. n_top: how many of them share the best score, or were picked among equals: these are the call. haplotypes: for
status haplotypes.
"""

PHENOTYPES = pa.schema(
    [
        ("reported", pa.list_(pa.string())),
        ("function1", pa.list_(pa.string())),
        ("function2", pa.list_(pa.string())),
        ("activity_scores", pa.list_(pa.float64())),
        ("phenotypes", pa.list_(pa.string())),
        ("activity_score", pa.float64()),
        ("phenotype", pa.string()),
    ]
)
"""What an answer means. Lists: one entry for each diplotype of the call (or one for the alleles of lowest function).

reported: the diplotype the phenotype is that of. activity_score, phenotype: where all entries agree, else null.
"""

CALLS = pa.schema(
    [
        ("sample_id", pa.string()),
        ("gene", pa.dictionary(pa.int32(), pa.string())),
        ("source", pa.dictionary(pa.int32(), pa.string())),
        ("status", pa.dictionary(pa.int32(), pa.string())),
        ("phase", pa.dictionary(pa.int32(), pa.string())),
        ("diplotypes", pa.list_(pa.string())),
        ("candidates", pa.list_(pa.string())),
        ("scores", pa.list_(pa.int32())),
        ("haplotypes", pa.list_(pa.string())),
        ("reported", pa.list_(pa.string())),
        ("function1", pa.list_(pa.string())),
        ("function2", pa.list_(pa.string())),
        ("activity_scores", pa.list_(pa.float64())),
        ("phenotypes", pa.list_(pa.string())),
        ("activity_score", pa.float64()),
        ("phenotype", pa.dictionary(pa.int32(), pa.string())),
        ("copy_number", pa.int32()),
        ("confidence", pa.dictionary(pa.int32(), pa.string())),
        ("n_positions", pa.int32()),
        ("n_missing", pa.int32()),
        ("missing", pa.list_(pa.int32())),
        ("undocumented", pa.list_(pa.string())),
        ("warnings", pa.list_(pa.string())),
        ("pattern", pa.int64()),
        ("definition", pa.dictionary(pa.int32(), pa.string())),
    ]
)
"""One row a person and gene, sorted by gene and then sample within a part.

diplotypes: the call (the best candidates). candidates, scores: all of them, best first. missing: positions (1-based) of
the gene without a genotype. undocumented: position:allele. pattern: equal for people with the same genotypes at the
gene. definition: source and version of the definition, as clinpgx/2025-11-05. copy_number: of outside calls that say.
"""

CONFIDENCES = ("high", "missing_positions", "phase_assumed", "ambiguous", "snv_only", "none")
"""high: one diplotype, phase known or of no matter, every position seen. missing_positions: one, of those that can be
told from the positions seen. phase_assumed: one diplotype, of genotypes whose phase is not known. none: no call."""


@dataclass(frozen=True)
class CallParams:
    """How star alleles are called. Defaults are PharmCAT's, but CYP2D6 is called from small variants and says so."""

    genes: tuple[str, ...] = ()
    """Genes to call; empty: all of the reference."""
    reference: str = "clinpgx/2025-11-05"
    """Source and version of the definitions, a folder of reference/pgx."""
    cyp2d6: str = "snv_only"
    """CYP2D6 without outside calls: snv_only (called, with that status), or off."""
    indels_of_blocks: str = "missing"
    """At insertions and deletions, a reference block (or a callset's homozygous reference, which may come from one) is
    no evidence that there is none: missing, or reference (as DRAGEN's own caller has it)."""
    combinations: bool = False
    """Where no pair of named alleles fits, look for combinations and parts of them (research)."""
    max_combinations: int = 100
    """More diplotypes than this from a combination search are not listed: status too_many_combinations."""
    check_depths: bool = True
    """A heterozygous genotype of which only one allele has reads (AD) is set to missing."""
    block_people: int = 65_536
    """People called at a time: bounds the memory, changes no result."""

    def __post_init__(self) -> None:
        choose("pgx.call.cyp2d6", self.cyp2d6, ("snv_only", "off"))
        choose("pgx.call.indels_of_blocks", self.indels_of_blocks, ("missing", "reference"))
        between("pgx.call.max_combinations", self.max_combinations, 1, 100_000)
        between("pgx.call.block_people", self.block_people, 1, 1_000_000)
        if len(set(self.genes)) != len(self.genes):
            raise ConfigError("pgx.call.genes names a gene twice. Name each once.")
