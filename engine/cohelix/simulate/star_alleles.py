"""Named haplotypes (star alleles) placed on founder haplotypes at population frequencies.

The table has one row for each variant of a named haplotype: gene, allele, contig, position, ref, alt, and the
frequency of the haplotype in each of SOURCES (equal in all its rows). A row without position (".") names a haplotype
without variants. `copies` is the number of copies of the gene: 0 for a deletion, 2 for a duplication; `start` and
`end` (1-based, both ends in) are those of the gene, for rows whose copies are not 1. What the frequencies of a gene
leave over is the reference haplotype.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from cohelix.errors import ConfigError
from cohelix.reference import reference_path
from cohelix.simulate.haplotypes import Extra
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.regions import Region, contigs
from cohelix.simulate.streams import stream

COLUMNS = ("gene", "allele", "contig", "position", "ref", "alt", "copies", "start", "end", *SOURCES)
FLANK = 1_000  # bases about a gene's variants that are made when no region holds them
REFERENCE = "*1"  # what the haplotype that is left over is called


@dataclass(frozen=True)
class Named:
    """A named haplotype: variants (contig, 0-based position, ref, alt); frequency (6,) by source; gene copies; gene
    [start, end) where copies are not 1."""

    gene: str
    name: str
    contig: str
    variants: tuple[tuple[int, str, str], ...]
    frequency: tuple[float, ...]
    copies: int
    start: int
    end: int


def read_table(path: str) -> dict[str, list[Named]]:
    """Named haplotypes by gene. Raises ConfigError for a table that cannot be placed."""
    source = reference_path("simulate", "star_alleles", "1", "star_alleles.tsv") if path == "example" else Path(path)
    try:
        with source.open(newline="", encoding="utf-8") as handle:
            lines = (line for line in handle if not line.startswith("#"))
            reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ConfigError(f"the table of star alleles: expected the columns {' '.join(COLUMNS)}.")
            rows = list(enumerate(reader, start=2))
            if any(None in row or None in row.values() for _, row in rows):
                raise ConfigError(f"the table of star alleles: expected {len(COLUMNS)} fields in every row.")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the table of star alleles cannot be read ({type(error).__name__}).") from None
    grouped: dict[tuple[str, str], list[tuple[int, dict[str, str]]]] = {}
    for number, row in rows:
        grouped.setdefault((row["gene"], row["allele"]), []).append((number, row))
    found: dict[str, list[Named]] = {}
    for (gene, _), of_allele in grouped.items():
        found.setdefault(gene, []).append(_named(of_allele))
    for gene, haplotypes in found.items():
        total = np.sum([haplotype.frequency for haplotype in haplotypes], axis=0)
        if total.max() > 1 + 1e-9:
            raise ConfigError(f"the table of star alleles: frequencies of {gene} add up to {total.max():.3f}, above 1.")
        if len({haplotype.contig for haplotype in haplotypes}) != 1:
            raise ConfigError(f"the table of star alleles: {gene} lies on more than one contig.")
        if not stretches({gene: haplotypes}):
            raise ConfigError(f"the table of star alleles: expected a variant or a change of copies of {gene}.")
    return found


def _named(rows: list[tuple[int, dict[str, str]]]) -> Named:
    first_number, first = rows[0]
    where = f"the table of star alleles, row {first_number}"
    lengths = {contig.name: contig.length for contig in contigs()}
    try:
        frequency = tuple(float(first[source]) for source in SOURCES)
        copies = int(first["copies"])
        start, end = (int(first["start"]) - 1, int(first["end"])) if copies != 1 else (0, 0)
        variants = [(int(r["position"]) - 1, r["ref"], r["alt"]) for _, r in rows if r["position"] != "."]
    except (ValueError, TypeError):
        raise ConfigError(f"{where}: expected whole numbers and frequencies, found something else.") from None
    if first["contig"] not in lengths:
        raise ConfigError(
            f"{where}: contig {first['contig']!r} is not one of GRCh38 (chr1 to chr22, chrX, chrY, chrM)."
        )
    same = ("contig", "copies", "start", "end", *SOURCES)
    if any(row[name] != first[name] for _, row in rows for name in same):
        raise ConfigError(f"{where}: expected all rows of a haplotype to agree but for position, ref and alt.")
    if not all(0 <= value <= 1 for value in frequency) or copies not in (0, 1, 2):
        raise ConfigError(f"{where}: expected frequencies from 0 to 1 and 0, 1 or 2 copies.")
    if copies != 1 and not 0 <= start < end <= lengths[first["contig"]]:
        raise ConfigError(f"{where}: expected the start and end of the gene on its contig, in this order.")
    variants.sort()
    if any(position + len(ref) > after for (position, ref, _), (after, _, _) in pairwise(variants)):
        raise ConfigError(f"{where}: expected variants of one haplotype that do not overlap.")
    for position, ref, alt in variants:
        if ref == alt or not ref or not alt or set(ref + alt) - set("ACGT"):
            raise ConfigError(f"{where}: expected two alleles of A, C, G and T.")
        if position < 0 or position + len(ref) > lengths[first["contig"]]:
            raise ConfigError(f"{where}: expected a position on the contig.")
        if (len(ref) > 1 or len(alt) > 1) and (ref[0] != alt[0] or min(len(ref), len(alt)) > 1):
            raise ConfigError(
                f"{where}: expected one base for another, or an insertion or deletion after the base before it, "
                "as VCF has it."
            )
    return Named(
        first["gene"], first["allele"], first["contig"], tuple(sorted(variants)), frequency, copies, start, end
    )


def stretches(table: dict[str, list[Named]]) -> list[tuple[str, int, int]]:
    """(contig, start, end) that each gene needs."""
    found = []
    for haplotypes in table.values():
        places = [p for h in haplotypes for v in h.variants for p in (v[0], v[0] + len(v[1]))]
        places += [p for h in haplotypes if h.copies != 1 for p in (h.start, h.end)]
        if places:
            contig = haplotypes[0].contig
            length = next(known.length for known in contigs() if known.name == contig)
            found.append((contig, max(min(places) - FLANK, 0), min(max(places) + FLANK, length)))
    return found


class StarAlleles:
    """Draws and places the named haplotypes of all genes that lie in the made regions."""

    def __init__(self, table: dict[str, list[Named]], regions: Sequence[Region], seed: int) -> None:
        self._seed = seed
        self.genes = list(table)
        self.haplotypes = [table[gene] for gene in self.genes]
        self.region = [_region_of(table[gene], regions) for gene in self.genes]

    def genes_in(self, region: int) -> list[int]:
        """Numbers of the genes that lie in a region."""
        return [gene for gene, home in enumerate(self.region) if home.index == region]

    def placed(self, region: Region) -> list[tuple[int, str]]:
        """(offset, ref) of the variants in a region: where its reference must have these bases, and no other site."""
        found: dict[int, str] = {}
        for haplotypes, home in zip(self.haplotypes, self.region, strict=True):
            if home.index == region.index:
                for position, ref, _ in (v for h in haplotypes for v in h.variants):
                    for k, base in enumerate(ref):
                        if found.setdefault(position - region.start + k, base) != base:
                            raise ConfigError("the table of star alleles: two rows state different reference bases.")
        return sorted(found.items())

    def draw(self, gene: int, founder: int, source: int) -> Named | None:
        """What a founder haplotype of `source` has of a gene; None for the reference haplotype."""
        chance = float(stream(self._seed, "star alleles", founder, gene).random())
        for haplotype in self.haplotypes[gene]:
            chance -= haplotype.frequency[source]
            if chance < 0:
                return haplotype
        return None

    def extras(self, gene: int, haplotype: Named) -> list[Extra]:
        """The variants of a named haplotype, by offset in the gene's region."""
        begin = self.region[gene].start
        return [Extra(position - begin, ref, alt) for position, ref, alt in haplotype.variants]


def _region_of(haplotypes: list[Named], regions: Sequence[Region]) -> Region:
    contig = haplotypes[0].contig
    ((_, start, end),) = stretches({"": haplotypes})
    for region in regions:
        if region.contig.name == contig and region.start <= start and end <= region.end:
            return region
    raise ConfigError(
        f"{haplotypes[0].gene} (with {FLANK:,} bases about it) lies in none of the regions. "
        "Add a region for it, or leave it out of the table of star alleles."
    )
