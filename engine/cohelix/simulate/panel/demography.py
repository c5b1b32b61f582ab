"""The history that founder haplotypes come from, read from `reference/simulate/demography`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from cohelix import genome
from cohelix.errors import ConfigError
from cohelix.reference import read_rows, reference_path
from cohelix.simulate.regions import BUILD, Region

MODEL = "seven-groups"


@dataclass(frozen=True)
class Rates:
    """Of one kind of chromosome. copies: in the population, relative to chromosomes 1 to 22. mutation, recombination:
    per base and generation."""

    copies: float
    mutation: float
    recombination: float


@dataclass(frozen=True)
class Drift:
    """How far allele frequencies of `population` are from those of `ancestor` ("": the root): F of Balding-Nichols."""

    population: str
    ancestor: str
    f: float


@cache
def rates(kind: str, model: str = MODEL) -> Rates:
    """`kind`: "1" to "22", "PAR", "X" (the rest of it), "Y", "MT"."""
    for row in read_rows("simulate", "demography", model, "chromosomes.tsv"):
        if row["chromosome"] == kind:
            return Rates(float(row["copies"]), float(row["mutation_rate"]), float(row["recombination_rate"]))
    raise ConfigError(f"expected a chromosome of 1 to 22, PAR, X, Y or MT, found {kind!r}.")


@cache
def drifts(model: str = MODEL) -> tuple[Drift, ...]:
    """Of every population, each after its ancestor."""
    rows = read_rows("simulate", "demography", model, "drift.tsv")
    return tuple(Drift(row["population"], row["ancestor"], float(row["f"])) for row in rows)


def demography(kind: str, model: str = MODEL) -> Any:
    """msprime.Demography of chromosomes of `kind` (as in `rates`): sizes in proportion to their copies.

    Populations include all SOURCES by name. Sizes are of diploid people: a sample of n haplotypes is
    `msprime.SampleSet(n, population=..., ploidy=1)` in a simulation with `ploidy=2`.
    """
    require_msprime()
    return _history(rates(kind, model).copies, model)


@cache
def _history(copies: float, model: str) -> Any:
    import demes
    import msprime

    history = demes.load(reference_path("simulate", "demography", model, "demes.yaml")).asdict()
    for deme in history["demes"]:
        for epoch in deme["epochs"]:
            epoch["start_size"] *= copies
            epoch["end_size"] *= copies
    return msprime.Demography.from_demes(demes.Graph.fromdict(history))


def require_msprime() -> None:
    """Raises ConfigError where msprime is not installed."""
    try:
        import msprime  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "linked haplotypes need msprime, which is not installed. Run pip install 'cohelix[simulate]', or choose "
            'mode = "sites".'
        ) from error


def stretches(region: Region) -> list[tuple[int, int, str]]:
    """(start, end, kind) in offsets, covering the region: X changes its kind at pseudo-autosomal boundaries."""
    plain = region.chromosome
    edges = {region.start, region.end}
    for boundary in genome.par_of(BUILD, region.contig.name):
        edges |= {edge for edge in boundary if region.start < edge < region.end}
    ordered = sorted(edges)
    found = []
    for low, high in pairwise(ordered):
        kind = "PAR" if genome.par_name(BUILD, region.contig.name, low) else plain
        found.append((low - region.start, high - region.start, kind))
    return found
