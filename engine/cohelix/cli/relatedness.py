"""`cohelix relatedness`: who is related to whom, and a set of people of whom no two are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Kinship (KING-robust, PC-Relate), families, and an unrelated set.")

Preset = Annotated[str | None, typer.Option("--preset", help="Choices of a programme: aou-v8, gnomad-v4.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="One choice, such as relatedness.estimate.screen=false. May be repeated."),
]
Config = Annotated[
    str | None, typer.Option("--config", help="TOML file with a section such as [relatedness.estimate].")
]


@app.command()
def estimate(
    callset: Annotated[str, typer.Argument(help="Callset; its autosomal biallelic SNPs are used.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder to make.")],
    pcs: Annotated[
        str | None,
        typer.Option("--pcs", help="Table of ancestry PCs: PC-Relate (kinship, IBD) of the pairs found is added."),
    ] = None,
    pedigree: Annotated[
        str | None, typer.Option("--pedigree", help="PLINK .fam, .psam or PED: families as reported, to be checked.")
    ] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    runtime: Annotated[str, typer.Option("--runtime", help="local (threads) or spark.")] = "local",
    cores: Annotated[
        int | None, typer.Option("--cores", help="Cores to use. Default: all that this process may use.", min=1)
    ] = None,
) -> None:
    """Pairs of related people: kinship, degree and relationship, from KING-robust and, given PCs, PC-Relate.

    Example: cohelix relatedness estimate cohort.callset -o relatedness --pcs ancestry/scores.tsv
    """
    from cohelix.jobs.config import load_params
    from cohelix.relatedness.run import estimate as run
    from cohelix.relatedness.schema import PcRelateParams, RelatednessParams
    from cohelix.runtime.protocol import opened_runtime

    given: dict[str, Any] = {"preset": preset, "config": config, "overrides": set_ or ()}
    params = load_params(RelatednessParams, "relatedness.estimate", **given)
    pc_params = load_params(PcRelateParams, "relatedness.pc_relate", **given)
    with opened_runtime(runtime, cores=cores) as mover:
        run(callset, out, params, pc_params, mover, pcs=pcs, pedigree=pedigree)


@app.command()
def prune(
    relatedness: Annotated[str, typer.Argument(help="Folder that `cohelix relatedness estimate` made.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder to make.")],
    priority: Annotated[
        str | None,
        typer.Option("--priority", help="Table of sample_id and numbers; of two relatives the higher one stays."),
    ] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """A largest set of people of whom no two are related; the others are flagged.

    Example: cohelix relatedness prune relatedness -o unrelated --priority cases.tsv
    """
    from cohelix.jobs.config import load_params
    from cohelix.relatedness.prune import prune_related
    from cohelix.relatedness.schema import PruneParams

    params = load_params(PruneParams, "relatedness.prune", preset=preset, config=config, overrides=set_ or ())
    prune_related(relatedness, out, params, priority=priority)
