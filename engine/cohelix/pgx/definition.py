"""What a pharmacogene is: its positions, its named alleles and what each does.

Read from `reference/pgx` by `cohelix.pgx.reference`; every later step takes these records and no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
"""Bases that a one-letter cell of a definition stands for. A cell of more letters is an allele as VCF writes it."""


@dataclass(frozen=True)
class Position:
    """A place that definitions speak of: 1-based, with REF and ALT as a VCF record of GRCh38 has them.

    hgvs: the name of each of `alts`, such as g.94781859G>A.
    """

    contig: str
    position: int
    rsid: str
    ref: str
    alts: tuple[str, ...]
    hgvs: tuple[str, ...]


@dataclass(frozen=True)
class NamedAllele:
    """A named allele. cells (P,): at each of the gene's positions the allele it has, None where it says nothing.

    score: what a match counts when all positions are present. core: positions that must all be there for a part of a
    combination. function: as the source words it, "" where it has none. activity: its part of an activity score.
    """

    name: str
    id: str
    reference: bool
    cells: tuple[str | None, ...]
    score: int
    core: tuple[int, ...]
    function: str = ""
    activity: float | None = None


@dataclass(frozen=True)
class Priority:
    """Of these diplotypes, equally good without phase, `pick` is reported."""

    diplotypes: frozenset[str]
    pick: str


@dataclass(frozen=True)
class Rule:
    """A phenotype. Either the functions of both alleles, in sorted order, or the range of activity scores (both ends
    in); haploid rules have one function."""

    phenotype: str
    functions: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class Gene:
    """A pharmacogene of one version of a source.

    positions: (P,) in genomic order. alleles: in the order of `cohelix.pgx.names`, the reference among them.
    extra: positions that are reported and take no part in matching. required: without one of these there is no call.
    ploidy: autosome, X or MT. method: standard, lowest_function, or outside (no matching: calls come from elsewhere).
    undocumented_as_reference: an allele that no definition knows is read as REF. suballeles: name to report by name
    matched. no_combination: alleles that take no part in combinations. functions_only: alleles without a definition by
    positions (CYP2D6*5, HLA), known by their function.
    """

    symbol: str
    contig: str
    ploidy: str
    method: str
    positions: tuple[Position, ...]
    alleles: tuple[NamedAllele, ...]
    undocumented_as_reference: bool
    source: str
    version: str
    scored_by_activity: bool = False
    extra: tuple[Position, ...] = ()
    required: frozenset[int] = frozenset()
    priorities: tuple[Priority, ...] = ()
    suballeles: dict[str, str] = field(default_factory=dict)
    no_combination: frozenset[str] = frozenset()
    functions_only: tuple[NamedAllele, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def reference_allele(self) -> NamedAllele:
        return next(allele for allele in self.alleles if allele.reference)
