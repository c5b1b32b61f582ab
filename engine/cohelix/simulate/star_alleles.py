"""Named haplotypes (star alleles) placed on founder haplotypes at population frequencies.

The table has one row for each variant of a named haplotype: gene, allele, contig, position, ref, alt, and the
frequency of the haplotype in each of SOURCES (equal in all its rows). A row without position (".") names a haplotype
without variants. `copies` is the number of copies of the gene: 0 for a deletion, 2 for a duplication; `start` and
`end` (1-based, both ends in) are those of the gene, for rows whose copies are not 1. What the frequencies of a gene
leave over is the reference haplotype. Rows whose alt and frequencies are "." name it, and state bases of the reference:
made genomes have them, and nothing but the named haplotypes varies there.
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
BUILT_IN = {"example": "1", "pharmacogenes": "2"}
"""Tables that come with cohelix: a few variants of six genes, and pharmacogenes as their definitions have them."""
FLANK = 1_000  # bases about a gene's variants that are made when no region holds them
WHOLE = 25_000  # bases: variants of a gene within this many are in one stretch, others where their flanks meet
REFERENCE = "*1"  # what the haplotype that is left over is called, where no row names it


@dataclass(frozen=True)
class Named:
    """A named haplotype: variants (0-based position, ref, alt); frequency (6,) by source; gene copies; gene
    [start, end) where copies are not 1. bases (0-based position, ref): of the reference haplotype alone."""

    gene: str
    name: str
    contig: str
    variants: tuple[tuple[int, str, str], ...]
    frequency: tuple[float, ...]
    copies: int
    start: int
    end: int
    bases: tuple[tuple[int, str], ...] = ()

    @property
    def is_reference(self) -> bool:
        return bool(self.bases)

    @property
    def places(self) -> list[tuple[int, int]]:
        """[start, end) of what the reference must have: variants, bases, and the gene where its copies vary."""
        found = [(position, position + len(ref)) for position, ref, _ in self.variants]
        found += [(position, position + len(ref)) for position, ref in self.bases]
        return found + ([(self.start, self.end)] if self.copies != 1 else [])


def read_table(path: str) -> dict[str, list[Named]]:
    """Named haplotypes by gene. Raises ConfigError for a table that cannot be placed."""
    known = BUILT_IN.get(path)
    source = reference_path("simulate", "star_alleles", known, "star_alleles.tsv") if known else Path(path)
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
        if sum(haplotype.is_reference for haplotype in haplotypes) > 1:
            raise ConfigError(f"the table of star alleles: expected one reference haplotype of {gene}, found two.")
        if not stretches({gene: haplotypes}):
            raise ConfigError(f"the table of star alleles: expected a variant or a change of copies of {gene}.")
    return found


def _named(rows: list[tuple[int, dict[str, str]]]) -> Named:
    first_number, first = rows[0]
    where = f"the table of star alleles, row {first_number}"
    lengths = {contig.name: contig.length for contig in contigs()}
    reference = first["position"] != "." and first["alt"] == "."
    try:
        frequency = (0.0,) * len(SOURCES) if reference else tuple(float(first[source]) for source in SOURCES)
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
    _check_variants(where, variants, lengths[first["contig"]], reference=reference)
    if reference:
        if copies != 1 or any(first[source] != "." for source in SOURCES):
            raise ConfigError(f"{where}: expected one copy and no frequencies ('.') of a reference haplotype.")
        bases = tuple((position, ref) for position, ref, _ in variants)
        return Named(first["gene"], first["allele"], first["contig"], (), frequency, 1, 0, 0, bases)
    return Named(first["gene"], first["allele"], first["contig"], tuple(variants), frequency, copies, start, end)


def _check_variants(where: str, variants: list[tuple[int, str, str]], length: int, *, reference: bool) -> None:
    """Of a haplotype, sorted, on a contig of `length` bases. The bases of a reference haplotype may overlap."""
    if not reference and any(p + len(ref) > after for (p, ref, _), (after, _, _) in pairwise(variants)):
        raise ConfigError(f"{where}: expected variants of one haplotype that do not overlap.")
    for position, ref, alt in variants:
        if (alt == ".") != reference:
            raise ConfigError(f"{where}: expected '.' as alt in all rows of a reference haplotype, and in no other.")
        if ref == alt or not ref or not alt or set(ref + (alt if alt != "." else "")) - set("ACGT"):
            raise ConfigError(f"{where}: expected two alleles of A, C, G and T.")
        if position < 0 or position + len(ref) > length:
            raise ConfigError(f"{where}: expected a position on the contig.")
        indel = not reference and (len(ref) > 1 or len(alt) > 1)
        if indel and (ref[0] != alt[0] or min(len(ref), len(alt)) > 1):
            raise ConfigError(
                f"{where}: expected one base for another, or an insertion or deletion after the base before it, "
                "as VCF has it."
            )


def stretches(table: dict[str, list[Named]]) -> list[tuple[str, int, int]]:
    """(contig, start, end) that the genes need: one for most, several for a gene whose variants lie far apart."""
    found = []
    for haplotypes in table.values():
        places = sorted(place for haplotype in haplotypes for place in haplotype.places)
        contig = haplotypes[0].contig
        length = next(known.length for known in contigs() if known.name == contig)
        together = bool(places) and max(end for _, end in places) - places[0][0] <= WHOLE
        joined: list[list[int]] = []
        for start, end in places:
            if joined and (together or start - joined[-1][1] <= 2 * FLANK):
                joined[-1][1] = max(joined[-1][1], end)
            else:
                joined.append([start, end])
        found += [(contig, max(start - FLANK, 0), min(end + FLANK, length)) for start, end in joined]
    return found


class StarAlleles:
    """Draws and places the named haplotypes of all genes that lie in the made regions.

    regions_of: of each gene. region: the one of them that holds its first base, or the gene where its copies vary.
    """

    def __init__(self, table: dict[str, list[Named]], regions: Sequence[Region], seed: int) -> None:
        self._seed = seed
        self.genes = list(table)
        self.haplotypes = [[haplotype for haplotype in table[gene] if not haplotype.is_reference] for gene in table]
        self.references = [next((one.name for one in table[gene] if one.is_reference), REFERENCE) for gene in table]
        self.regions_of = [_regions_of(table[gene], regions) for gene in table]
        self.region = [
            _home(haplotypes, homes) for haplotypes, homes in zip(self.haplotypes, self.regions_of, strict=True)
        ]
        self._bases: dict[str, dict[int, str]] = {}
        for haplotype in (one for haplotypes in table.values() for one in haplotypes):
            on_contig = self._bases.setdefault(haplotype.contig, {})
            for position, ref in [*haplotype.bases, *((v[0], v[1]) for v in haplotype.variants)]:
                for place, base in enumerate(ref, start=position):
                    if on_contig.setdefault(place, base) != base:
                        raise ConfigError("the table of star alleles: two rows state different reference bases.")

    def genes_in(self, region: int) -> list[int]:
        """Numbers of the genes whose first base, or whose copies, lie in a region."""
        return [gene for gene, home in enumerate(self.region) if home.index == region]

    def placed(self, region: Region) -> list[tuple[int, str]]:
        """(offset, base) of the stated bases in a region: its reference has them, and no other site."""
        known = self._bases.get(region.contig.name, {})
        return sorted((at - region.start, base) for at, base in known.items() if region.start <= at < region.end)

    def draw(self, gene: int, founder: int, source: int) -> Named | None:
        """What a founder haplotype of `source` has of a gene; None for the reference haplotype."""
        chance = float(stream(self._seed, "star alleles", founder, gene).random())
        for haplotype in self.haplotypes[gene]:
            chance -= haplotype.frequency[source]
            if chance < 0:
                return haplotype
        return None

    def extras(self, gene: int, haplotype: Named) -> list[tuple[int, Extra]]:
        """(region, variant) of a named haplotype, by offset in the region."""
        found = []
        for position, ref, alt in haplotype.variants:
            home = next(one for one in self.regions_of[gene] if one.start <= position < one.end)
            found.append((home.index, Extra(position - home.start, ref, alt)))
        return found


def _home(haplotypes: list[Named], homes: list[Region]) -> Region:
    spans = [haplotype.start for haplotype in haplotypes if haplotype.copies != 1]
    return next((home for home in homes if spans and home.start <= spans[0] < home.end), homes[0])


def _regions_of(haplotypes: list[Named], regions: Sequence[Region]) -> list[Region]:
    found = []
    for contig, start, end in stretches({"": haplotypes}):
        holding = (r for r in regions if r.contig.name == contig and r.start <= start and end <= r.end)
        home = next(holding, None)
        if home is None:
            raise ConfigError(
                f"{haplotypes[0].gene} (with {FLANK:,} bases about it) lies in none of the regions. "
                "Add a region for it, or leave it out of the table of star alleles."
            )
        if home not in found:
            found.append(home)
    return found
