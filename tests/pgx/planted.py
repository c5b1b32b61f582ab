"""People with planted named alleles, as a VCF: what a definition's cells say stands in the genotypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cohelix.pgx.definition import IUPAC, Gene, NamedAllele, Position

Strands = tuple[str, ...]
"""Names of the alleles on a person's strands: two, or one of a man's X."""

CONTIGS = {"chr10": 133797422, "chr16": 90338345, "chrX": 156040895, "chr6": 170805979, "chr22": 50818468}


def of(gene: Gene, name: str) -> NamedAllele:
    return next(allele for allele in gene.alleles if allele.name == name)


def base(gene: Gene, allele: NamedAllele, row: int) -> str:
    """What an allele has at a position; where it says nothing, the reference allele's; of several bases REF."""
    place = gene.positions[row]
    for cell in (allele.cells[row], gene.reference_allele.cells[row]):
        if cell is not None:
            return cell if len(IUPAC.get(cell, "?")) == 1 else place.ref
    return place.ref


def record(place: Position, strands: Sequence[Sequence[str]], mark: str = "|") -> str:
    """A VCF line. strands: of each person the alleles as text, "." where missing."""
    listed = [place.ref, *place.alts]
    cells = [mark.join("." if one == "." else str(listed.index(one)) for one in own) for own in strands]
    return "\t".join([place.contig, str(place.position), place.rsid or ".", place.ref, ",".join(place.alts),
                      ".", "PASS", ".", "GT", *cells])  # fmt: skip


def vcf(
    path: Path,
    genes: Mapping[str, Gene],
    people: Mapping[str, Mapping[str, Strands]],
    *,
    mark: str = "|",
    gone: Sequence[tuple[str, int]] = (),
) -> str:
    """Write the VCF. people: by sample id, by gene the strands; who has none of a gene is missing there. gone: (sample,
    position) of further missing genotypes.
    """
    ids = list(people)
    lines = ["##fileformat=VCFv4.2", *(f"##contig=<ID={name},length={size}>" for name, size in CONTIGS.items())]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += ["\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *ids])]
    order = list(CONTIGS)
    records = []
    for symbol, gene in genes.items():
        for row, place in enumerate(gene.positions):
            cells = []
            for one in ids:
                names = people[one].get(symbol)
                away = names is None or (one, place.position) in gone
                cells.append((".", ".") if away or names is None else [base(gene, of(gene, n), row) for n in names])
            records.append((order.index(place.contig), place.position, record(place, cells, mark)))
    path.write_text("\n".join([*lines, *(line for _, _, line in sorted(records))]) + "\n")
    return str(path)
