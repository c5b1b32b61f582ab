"""Definitions beside a genome: REF of every position is what the genome has there."""

from __future__ import annotations

from collections.abc import Mapping

from cohelix.errors import InputError, ReferenceMismatch
from cohelix.pgx.definition import Gene


def check_reference(genes: Mapping[str, Gene], fasta: str) -> int:
    """Compare REF of all positions with an indexed FASTA, whose contigs may be named chr1 or 1; returns how many.

    Raises InputError for a FASTA that cannot be read, ReferenceMismatch where a contig is missing or a base differs.
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
        wrong = [
            (place.contig, place.position, symbol)
            for symbol, place in sorted(places, key=lambda one: (one[1].contig, one[1].position))
            if _bases(genome, known, place.contig, place.position, len(place.ref)) != place.ref
        ]
    if wrong:
        contig, position, symbol = wrong[0]
        raise ReferenceMismatch(
            f"{len(wrong)} of {len(places)} positions of the definitions (GRCh38) have other bases in the FASTA, the "
            f"first {contig}:{position} of {symbol}. Give the GRCh38 genome."
        )
    return len(places)


def _bases(genome: object, known: set[str], contig: str, position: int, length: int) -> str:
    """Empty where the genome has no such contig or ends before."""
    name = contig if contig in known else contig.removeprefix("chr")
    if name not in known:
        return ""
    found: str = genome.fetch(name, position - 1, position - 1 + length)  # type: ignore[attr-defined]  # pysam has no types
    return found.upper()
