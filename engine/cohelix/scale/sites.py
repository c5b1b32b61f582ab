"""How many sites a callset has: it grows with the samples, and more slowly than they do.

Two laws. `published` goes through the numbers of sites that published cohorts report, on a straight line between two of
them in logarithms, and on with the slope of the last two beyond the largest. `made` is the law of the cohorts that
`cohelix simulate gvcfs` makes: theta H(2N) of a neutral population, and a share that each person has alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cohelix import genome
from cohelix.errors import ConfigError
from cohelix.reference import read_rows
from cohelix.scale.rates import Terms

LAWS = ("published", "made")
GENOME_BASES = sum(contig.length for contig in genome.chromosomes_of("GRCh38"))
"""Chromosomes 1 to 22, X and Y of GRCh38: what the published cohorts are about."""


@dataclass(frozen=True)
class Point:
    """A published cohort: whole genomes, and the short variants seen in them."""

    samples: int
    sites: int


def published_points(version: str = "1") -> list[Point]:
    """In order of samples."""
    rows = read_rows("scale", "sites", version, "published.tsv")
    return sorted((Point(int(row["samples"]), int(row["sites"])) for row in rows), key=lambda point: point.samples)


def count_sites(law: str, samples: int, bases: int, measured: Terms) -> float:
    """Sites in `bases` of the genome for a cohort. `measured`: theta and private, per base, of the made cohorts.

    Raises ConfigError for a law that is not known.
    """
    if law == "published":
        return along(published_points(), samples) * bases / GENOME_BASES
    if law == "made":
        return bases * (measured["theta"] * harmonic(2 * samples) + measured["private"] * samples)
    raise ConfigError(f"expected a law of sites of {' or '.join(LAWS)}, found {law!r}.")


def along(points: Sequence[Point], samples: int) -> float:
    """Sites on the line through `points` in logarithms, straight on at both ends."""
    after = next((i for i, point in enumerate(points) if point.samples >= samples), len(points) - 1)
    left, right = points[max(after, 1) - 1], points[max(after, 1)]
    slope = math.log(right.sites / left.sites) / math.log(right.samples / left.samples)
    return left.sites * math.pow(samples / left.samples, slope)


def harmonic(n: int) -> float:
    """1 + 1/2 + ... + 1/(n - 1): Watterson's factor for n chromosomes."""
    if n <= 1_000:
        return math.fsum(1 / i for i in range(1, n))
    m = n - 1
    return math.log(m) + 0.5772156649015329 + 1 / (2 * m) - 1 / (12 * m * m)
