"""The stretches of GRCh38 that a cohort is made on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cohelix import genome
from cohelix.errors import ConfigError, InputError
from cohelix.genome import Contig

BUILD = "GRCh38"
MITOCHONDRIAL_BASES = 16_569  # NC_012920.1, chrM of GRCh38
SHORTEST = 1_000


@dataclass(frozen=True)
class Region:
    """[start, end) of `contig`, 0-based. `index`: place in the cohort's list, which is in genomic order."""

    index: int
    contig: Contig
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def name(self) -> str:
        """1-based, both ends in."""
        return f"{self.contig.name}:{self.start + 1}-{self.end}"

    @property
    def chromosome(self) -> str:
        """Plain: "1" to "22", "X", "Y", "MT"."""
        return genome.plain_name(self.contig.name)


def contigs() -> list[Contig]:
    """chr1 to chr22, chrX, chrY and chrM of GRCh38."""
    nuclear = [Contig(f"chr{contig.name}", contig.length) for contig in genome.chromosomes_of(BUILD)]
    return [*nuclear, Contig("chrM", MITOCHONDRIAL_BASES)]


def parse(texts: Sequence[str]) -> list[Region]:
    """Regions such as `chr22:20,000,001-20,200,000`, in genomic order.

    Raises ConfigError for none, one that is too short or beyond its contig, overlaps, and the pseudo-autosomal
    stretches of Y (they are those of X, and no caller writes them twice).
    """
    if not texts:
        raise ConfigError("expected at least one region, found none.")
    known = contigs()
    found = []
    for text in texts:
        try:
            index, start, end = genome.parse_region(text, known)
        except InputError as error:
            raise ConfigError(f"regions, {text!r}: {error}") from None
        contig = known[index]
        if end > contig.length or end - start < SHORTEST:
            raise ConfigError(
                f"expected a region of at least {SHORTEST:,} bases within the {contig.length:,} of {contig.name}, "
                f"found {text}."
            )
        if genome.plain_name(contig.name) == "Y":
            for low, high in genome.par_of(BUILD, contig.name):
                if start < high and end > low:
                    raise ConfigError(
                        f"expected a region of Y outside its pseudo-autosomal stretches, found {text}. Name it on chrX."
                    )
        found.append((index, start, end))
    found.sort()
    for (left, _, behind), (right, start, _) in pairwise(found):
        if left == right and start < behind:
            raise ConfigError(f"expected regions that do not overlap, found two at {known[left].name}:{start + 1}.")
    return [Region(place, known[index], start, end) for place, (index, start, end) in enumerate(found)]
