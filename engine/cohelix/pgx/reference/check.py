"""Definitions beside a genome: REF of every position is what the genome has there."""

from __future__ import annotations

from collections.abc import Mapping

from cohelix.errors import InputError, ReferenceMismatch
from cohelix.pgx.definition import Gene


def check_reference(genes: Mapping[str, Gene], fasta: str) -> int:
    """Compare REF of all positions with an indexed FASTA, whose contigs may be named chr1 or 1; returns how many.

    A contig that the FASTA does not have, and a base N, are not known and no mismatch. Raises InputError for a FASTA
    that cannot be read, ReferenceMismatch where a base differs or a contig ends before.
    """
    import pysam

    try:
        genome = pysam.FastaFile(fasta)
    except (OSError, ValueError):
        raise InputError(
            "expected --fasta to be a FASTA with its index (.fai) beside it, found none that can be read. Correct the "
            "path, or make the index with `samtools faidx`."
        ) from None
    with genome:
        known = set(genome.references)
        places = {(gene.symbol, place) for gene in genes.values() for place in (*gene.positions, *gene.extra)}
        found = [
            (symbol, place, bases)
            for symbol, place in sorted(places, key=lambda one: (one[1].contig, one[1].position))
            if "N" not in (bases := _bases(genome, known, place.contig, place.position, len(place.ref)))
        ]
    wrong = [(symbol, place) for symbol, place, bases in found if bases != place.ref]
    if wrong:
        symbol, place = wrong[0]
        raise ReferenceMismatch(
            f"{len(wrong)} of {len(found)} positions of the definitions (GRCh38) have other bases in the FASTA, the "
            f"first {place.contig}:{place.position} of {symbol}. Give the GRCh38 genome."
        )
    return len(found)


def _bases(genome: object, known: set[str], contig: str, position: int, length: int) -> str:
    """N where the genome has no such contig; fewer than `length` where it ends before."""
    bare = contig.removeprefix("chr")
    name = next((one for one in (contig, bare, "MT" if bare == "M" else bare) if one in known), None)
    if name is None:
        return "N"
    found: str = genome.fetch(name, position - 1, position - 1 + length)  # type: ignore[attr-defined]  # pysam has no types
    return found.upper()
