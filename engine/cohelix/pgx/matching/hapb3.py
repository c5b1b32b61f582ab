"""DPYD's HapB3: an intronic alteration decides, an exonic one stands for it only where the intron was not seen.

With both the strand is HapB3, with the intron alone c.1129-5923C>G; the exon alone, beside an intron that is seen to be
reference, is reported as reference, with a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

from cohelix.pgx.definition import Gene
from cohelix.pgx.matching.strands import UNSEEN, Strand

HAPB3 = "c.1129-5923C>G, c.1236G>A (HapB3)"
INTRONIC = "c.1129-5923C>G"
_EXON, _INTRON = "rs56038477", "rs75017182"

MISMATCH = "pcat-dpyd-hapB3-intronic-mismatch-exonic"
EXON_ONLY = "pcat-dpyd-hapB3-exonic-only"


@dataclass(frozen=True)
class HapB3:
    """Where a gene has HapB3: indices of its two alleles and sites."""

    whole: int
    intronic: int
    exon: int
    intron: int

    @property
    def sites(self) -> tuple[int, int]:
        """Exon, intron."""
        return self.exon, self.intron

    def on_strand(self, gene: Gene, strand: Strand, warnings: set[str]) -> int | None:
        """The allele of the two that a strand has; None where it has neither."""
        intron, exon = strand.get(self.intron, UNSEEN), strand.get(self.exon, UNSEEN)
        has_exon = exon not in (UNSEEN, gene.positions[self.exon].ref)
        if intron not in (UNSEEN, gene.positions[self.intron].ref):
            return self.whole if has_exon else self.intronic
        if not has_exon:
            return None
        warnings.add(EXON_ONLY if intron == UNSEEN else MISMATCH)
        return self.whole if intron == UNSEEN else None

    def unphased(self, gene: Gene, intron: list[str] | None, exon: list[str] | None, warnings: set[str]) -> list[int]:
        """The alleles of a person without phase. intron, exon: the two alleles seen there; None: no genotype.

        An exonic alteration is taken to be on a strand that has the intronic one, wherever there is one.
        """
        n_intron = _altered(gene, self.intron, intron)
        n_exon = _altered(gene, self.exon, exon)
        if intron is None:
            if exon is not None:
                warnings.add(EXON_ONLY)
            return [self.whole] * n_exon
        if exon is None:
            return [self.intronic] * n_intron
        if UNSEEN in (*intron, *exon):  # half a genotype does not tell which strand the other half is on
            return []
        if n_exon > n_intron:
            warnings.add(MISMATCH)
        whole = min(n_intron, n_exon)
        return [self.whole] * whole + [self.intronic] * (n_intron - whole)


def of_gene(gene: Gene) -> HapB3 | None:
    """Where `gene` has HapB3; None of a gene that does not know it."""
    alleles = {allele.name: index for index, allele in enumerate(gene.alleles)}
    sites = {position.rsid: index for index, position in enumerate(gene.positions)}
    if not {HAPB3, INTRONIC} <= set(alleles) or not {_EXON, _INTRON} <= set(sites):
        return None
    return HapB3(alleles[HAPB3], alleles[INTRONIC], sites[_EXON], sites[_INTRON])


def _altered(gene: Gene, site: int, seen: list[str] | None) -> int:
    return sum(allele not in (UNSEEN, gene.positions[site].ref) for allele in seen or ())
