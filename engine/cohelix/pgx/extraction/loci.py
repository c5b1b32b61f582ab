"""Where definitions look, and what a record says there: its alleles written on the REF of the locus.

A record that writes the same change in another way (a longer REF, shared bases at either end, one ALT a line) is read
as the definition writes it. A record that has the position and REF of the locus is taken as given, so that an ALT no
definition knows is seen as such. Of others, a change of another kind (a base at a locus of insertions and deletions, or
the reverse) is another event, and so is one that reaches beyond the locus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cohelix import genome
from cohelix.pgx.definition import Gene, Position

_BASES = frozenset("ACGT")
AUTOSOME, X, HAPLOID = 0, 1, 2
"""Ploidy of a locus: two copies; as the sex has it; one copy."""

_PLOIDY = {"autosome": AUTOSOME, "X": X, "MT": HAPLOID}


@dataclass(frozen=True)
class Locus:
    """One position of one gene: `row` of its genotypes."""

    gene: str
    row: int
    position: int
    ref: str
    alts: tuple[str, ...]
    ploidy: int

    @property
    def is_indel(self) -> bool:
        """Whether the definition expects insertions or deletions here."""
        return any(len(allele) > 1 for allele in (self.ref, *self.alts))

    def is_of_kind(self, allele: str) -> bool:
        """Whether `allele`, on the REF of the locus, is a change of the kind that the definition expects."""
        return allele in self.alts or (len(allele) != len(self.ref)) == self.is_indel


REF_MISMATCH, OTHER_EVENT, UNKNOWN_REF = "ref_mismatch", "other_event", "unknown_ref"
"""Why a record says nothing at a locus."""


@dataclass(frozen=True)
class Loci:
    """Loci of genes, found by any base they cover. by_base: plain contig name, then 1-based position."""

    by_base: dict[str, dict[int, tuple[Locus, ...]]]
    genes: dict[str, tuple[Locus, ...]]

    def near(self, contig: str, position: int, ref: str) -> tuple[Locus, ...]:
        """Those that share a base with the REF of a record."""
        bases = self.by_base.get(contig)
        if bases is None:
            return ()
        if len(ref) == 1:
            return bases.get(position, ())
        found = dict.fromkeys(locus for at in range(position, position + len(ref)) for locus in bases.get(at, ()))
        return tuple(found)

    def stretches(self, gap: int = 2000) -> list[tuple[str, int, int]]:
        """(plain contig name, start, end) that hold all loci, 0-based half-open, apart by `gap` or more."""
        found: list[tuple[str, int, int]] = []
        for contig, bases in self.by_base.items():
            for base in sorted(bases):
                if found and found[-1][0] == contig and base - found[-1][2] < gap:
                    found[-1] = (contig, found[-1][1], base)
                else:
                    found.append((contig, base - 1, base))
        return found


def loci_of(genes: Iterable[Gene]) -> Loci:
    """The positions of `genes`, in order, and their extra positions behind."""
    by_base: dict[str, dict[int, list[Locus]]] = {}
    by_gene: dict[str, tuple[Locus, ...]] = {}
    for gene in genes:
        places: tuple[Position, ...] = (*gene.positions, *gene.extra)
        loci = tuple(
            Locus(gene.symbol, row, place.position, place.ref.upper(), place.alts, _PLOIDY[gene.ploidy])
            for row, place in enumerate(places)
        )
        by_gene[gene.symbol] = loci
        for locus, place in zip(loci, places, strict=True):
            bases = by_base.setdefault(genome.plain_name(place.contig), {})
            for base in range(locus.position, locus.position + len(locus.ref)):
                bases.setdefault(base, []).append(locus)
    frozen = {contig: {base: tuple(loci) for base, loci in bases.items()} for contig, bases in by_base.items()}
    return Loci(frozen, by_gene)


def read_record(locus: Locus, position: int, ref: str, alts: Sequence[str]) -> tuple[str | None, ...] | str:
    """By the ALTs of the record at 1-based `position`, the allele on the REF of `locus`; or why it says nothing.

    None: symbolic, `*` or with bases that are not known; a genotype with it cannot be used. The REF of the locus:
    another event, in a record that has an ALT of the locus too.
    """
    ref = ref.upper()
    if not _is_sequence(ref):
        return UNKNOWN_REF
    if not _agree(locus, position, ref):
        return REF_MISMATCH
    alts = tuple(alt for alt in alts if alt != ".")
    if position == locus.position and ref == locus.ref:
        return tuple(alt.upper() if _is_sequence(alt.upper()) else None for alt in alts)
    placed = [_on_locus(locus, position, ref, alt.upper()) if _is_sequence(alt.upper()) else None for alt in alts]
    fitting = [text is not None and text != locus.ref for text in placed]
    if not any(fitting):
        return OTHER_EVENT
    others = [locus.ref if _is_sequence(alt.upper()) else None for alt in alts]
    return tuple(text if fits else other for text, fits, other in zip(placed, fitting, others, strict=True))


def _agree(locus: Locus, position: int, ref: str) -> bool:
    """Whether both REF have the same bases where they overlap."""
    low, high = max(locus.position, position), min(locus.position + len(locus.ref), position + len(ref))
    if low >= high:
        return True
    return locus.ref[low - locus.position : high - locus.position] == ref[low - position : high - position]


def _on_locus(locus: Locus, position: int, ref: str, alt: str) -> str | None:
    """`alt` as the allele of the whole locus; None where it is another event.

    The change reaches beyond the locus, is of another kind, or begins behind its first base and no definition knows it.
    """
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        position, ref, alt = position + 1, ref[1:], alt[1:]
    before, behind = position - locus.position, locus.position + len(locus.ref) - position - len(ref)
    if before < 0 or behind < 0:
        return None
    text = locus.ref[:before] + alt + locus.ref[len(locus.ref) - behind :]
    return text if text in locus.alts or (before == 0 and locus.is_of_kind(text)) else None


def _is_sequence(allele: str) -> bool:
    return bool(allele) and _BASES.issuperset(allele)
