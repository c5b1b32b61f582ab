"""`cohelix estimate` of commands on a callset, of star alleles and of releases: one more noun each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cohelix.cli.estimate import SIZES, AsJson, Cores, PricesFile, Samples, app, show

if TYPE_CHECKING:
    from cohelix.scale.model import Load

__all__ = ["app"]

Sites = Annotated[int, typer.Option("--sites", help="Sites of the callset, or those of it that are used.", min=1)]

COMMON = "genotypes: those of common variants; rare ones take less"
OF_PROCESS = "memory: of the whole process with two threads"


@app.command()
def qc(
    sites: Sites,
    samples: Samples = SIZES,
    groups: Annotated[bool, typer.Option("--groups", help="Counts by ancestry group and sex, too.")] = False,
    cores: Cores = 64,
    prices: PricesFile = None,
    as_json: AsJson = False,
) -> None:
    """Quality control of the variants and the samples of a callset (`cohelix qc variants`, `cohelix qc samples`).

    Example: cohelix estimate qc --samples 10000,400000 --sites 1000000 --cores 16
    """
    from cohelix.scale import commands

    _print("qc", samples, lambda n: commands.qc(n, sites, groups=groups), [COMMON], (cores, prices, as_json))


@app.command()
def relatedness(
    sites: Sites,
    samples: Samples = SIZES,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="All sites of all pairs: no screen first.")] = False,
    cores: Cores = 64,
    prices: PricesFile = None,
    as_json: AsJson = False,
) -> None:
    """Pairs of related people (`cohelix relatedness estimate`), with a screen unless `--all-pairs`.

    Example: cohelix estimate relatedness --samples 10000,400000 --sites 150000 --cores 16
    """
    from cohelix.relatedness.schema import RelatednessParams
    from cohelix.scale import commands

    screen = RelatednessParams().screen_sites
    remarks = [] if all_pairs else ["screen: leaves about one pair in a thousand, as in the measured cohorts"]
    _print(
        "relatedness", samples, lambda n: commands.relatedness(n, sites, screen, all_pairs=all_pairs), remarks,
        (cores, prices, as_json),
    )  # fmt: skip


@app.command()
def ancestry(
    sites: Sites,
    samples: Samples = SIZES,
    panel: Annotated[int, typer.Option("--panel", help="People whom components are fitted to.", min=1)] = 4000,
    passes: Annotated[int, typer.Option("--passes", help="Over the genotypes, of a fit.", min=1, max=1000)] = 10,
    cores: Cores = 64,
    prices: PricesFile = None,
    as_json: AsJson = False,
) -> None:
    """Sites in linkage equilibrium, components, projection and groups (`cohelix genotypes select`, `cohelix ancestry`).

    Example: cohelix estimate ancestry --samples 10000,400000 --sites 150000 --cores 16
    """
    from cohelix.scale import commands

    remarks = [f"panel: {panel:,} people, {passes:,} passes over their genotypes", COMMON]
    _print("ancestry", samples, lambda n: commands.ancestry(n, sites, panel, passes), remarks, (cores, prices, as_json))


@app.command()
def prs(
    sites: Sites,
    scores: Annotated[int, typer.Option("--scores", help="Number of scores.", min=1)],
    weights: Annotated[int, typer.Option("--weights", help="Rows of all scoring files together.", min=1)],
    samples: Samples = SIZES,
    cores: Cores = 64,
    prices: PricesFile = None,
    as_json: AsJson = False,
) -> None:
    """Polygenic scores of everybody (`cohelix prs score`).

    Example: cohelix estimate prs --samples 400000 --sites 5000000 --scores 5000 --weights 1000000000 --cores 16
    """
    from cohelix.prs.schema import ScoreParams
    from cohelix.scale import commands

    at_once = ScoreParams().memory_mib
    _print(
        "prs", samples, lambda n: commands.prs(n, sites, scores, weights, at_once), [COMMON], (cores, prices, as_json)
    )


@app.command()
def pgx(samples: Samples = SIZES, cores: Cores = 64, prices: PricesFile = None, as_json: AsJson = False) -> None:
    """Star alleles of all genes (`cohelix pgx call`) from PGEN or a callset.

    Example: cohelix estimate pgx --samples 100000,1000000 --cores 4
    """
    from cohelix.pgx.schema import CallParams
    from cohelix.scale import commands

    block = CallParams().block_people
    remarks = ["genotypes: one in a thousand missing; with more, there are more patterns to match"]
    _print("pgx", samples, lambda n: commands.pgx(n, block), remarks, (cores, prices, as_json))


@app.command()
def release(
    sites: Sites,
    persons: Annotated[str, typer.Option("--persons", help="Numbers of people, separated by commas.")] = SIZES,
    rows: Annotated[int, typer.Option("--rows", help="Rows of health records of a person, in the mean.", min=1)] = 61,
    tier: Annotated[
        list[str] | None, typer.Option("--tier", help="public, registered, controlled. Repeatable.")
    ] = None,
    cores: Cores = 64,
    prices: PricesFile = None,
    as_json: AsJson = False,
) -> None:
    """Releases of health records and one callset (`cohelix release build`), of all three tiers unless `--tier`.

    Example: cohelix estimate release --persons 100000,1000000 --sites 500000 --rows 400 --tier registered
    """
    from cohelix.release.schema import ReleaseParams
    from cohelix.scale import commands
    from cohelix.tier import tier_named

    at_once = ReleaseParams().tables_rows
    tiers = tuple(dict.fromkeys(tier_named(one).word for one in tier or ("public", "registered", "controlled")))
    remarks = [f"health records: {rows:,} rows a person", COMMON]
    _print(
        "release",
        persons,
        lambda n: commands.release(n, sites, n * rows, tiers, at_once),
        remarks,
        (cores, prices, as_json),
    )


def _print(
    noun: str, sizes: str, loads: Callable[[int], list[Load]], remarks: list[str], how: tuple[int, str | None, bool]
) -> None:
    """The page of a noun (`estimate.show`) at the sizes that are named."""
    from cohelix.scale import page, rates

    show(noun, rates.load(noun), {n: loads(n) for n in page.read_sizes(sizes)}, [*remarks, OF_PROCESS], how)
