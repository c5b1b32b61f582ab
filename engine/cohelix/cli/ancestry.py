"""`cohelix ancestry`: principal components, projection onto them, and ancestry groups."""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Principal components, projection onto a panel, ancestry groups.")

Preset = Annotated[str | None, typer.Option("--preset", help="Choices of a programme: aou-v8, gnomad-v4.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="One choice, such as ancestry.fit.k=20. May be repeated.")]
Config = Annotated[str | None, typer.Option("--config", help="TOML file with a section such as [ancestry.fit].")]
RuntimeName = Annotated[str, typer.Option("--runtime", help="local (threads) or spark.")]
Cores = Annotated[
    int | None, typer.Option("--cores", help="Cores to use. Default: all that this process may use.", min=1)
]
Folder = Annotated[str, typer.Option("--out", "-o", help="Folder to make.")]


@app.command()
def panel(
    callset: Annotated[str, typer.Argument(help="Callset of people whose ancestry is known.")],
    labels: Annotated[str, typer.Option("--labels", help="Table of labels: sample_id, group, and subgroup if any.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Callset to make.")],
    unrelated: Annotated[
        str | None, typer.Option("--unrelated", help="Table of the sample_id to take: of relatives one each.")
    ] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """A reference panel: the labelled, unrelated people of a callset at sites that suit ancestry.

    Example: cohelix ancestry panel hgdp-1kg.callset --labels labels.tsv -o panel.callset
    """
    from cohelix.ancestry.panel import make_panel
    from cohelix.ancestry.schema import PanelParams
    from cohelix.genotypes.schema_select import SelectParams
    from cohelix.jobs.config import load_params
    from cohelix.runtime.protocol import opened_runtime

    given: dict[str, Any] = {"preset": preset, "config": config, "overrides": set_ or ()}
    params = load_params(PanelParams, "ancestry.panel", **given)
    select = load_params(SelectParams, "genotypes.select", **given)
    with opened_runtime(runtime, cores=cores) as mover:
        make_panel(callset, labels, out, params, select, mover, unrelated=unrelated)


@app.command()
def fit(
    callset: Annotated[str, typer.Argument(help="Callset or panel; its autosomal biallelic SNPs are used.")],
    out: Folder,
    samples: Annotated[
        str | None, typer.Option("--samples", help="Table of the sample_id to fit on, such as unrelated.tsv.")
    ] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Principal components of a callset: scores, loadings, eigenvalues, and how well they converged.

    Example: cohelix ancestry fit panel.callset -o pca --set ancestry.fit.k=16
    """
    from cohelix.ancestry.pca.run import fit as run
    from cohelix.ancestry.schema import FitParams
    from cohelix.jobs.config import load_params
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(FitParams, "ancestry.fit", preset=preset, config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        run(callset, out, params, mover, samples=samples)


@app.command()
def project(
    model: Annotated[str, typer.Argument(help="Folder that `cohelix ancestry fit` made.")],
    callset: Annotated[str, typer.Argument(help="Callset of the people to place.")],
    out: Folder,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Place people among the components of others, without the shrinkage that a plain projection has.

    Example: cohelix ancestry project pca cohort.callset -o projected --set ancestry.project.method=oadp
    """
    from cohelix.ancestry.projection.run import project as run
    from cohelix.ancestry.schema import ProjectParams
    from cohelix.jobs.config import load_params
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(ProjectParams, "ancestry.project", preset=preset, config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        run(model, callset, out, params, mover)


@app.command()
def assign(
    model: Annotated[str, typer.Argument(help="Folder that `cohelix ancestry fit` made.")],
    projected: Annotated[str, typer.Argument(help="Folder that `cohelix ancestry project` made.")],
    out: Folder,
    labels: Annotated[
        str | None, typer.Option("--labels", help="Table of the panel's labels. Default: those of the model.")
    ] = None,
    forest: Annotated[
        str | None, typer.Option("--forest", help="Folder of an earlier run: its forest is applied, none is trained.")
    ] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Ancestry groups, distances and proportions of projected people, learnt from the panel's labels.

    Example: cohelix ancestry assign pca projected -o ancestry --preset aou-v8
    """
    from cohelix.ancestry.groups.run import assign as run
    from cohelix.ancestry.schema import AssignParams
    from cohelix.jobs.config import load_params

    params = load_params(AssignParams, "ancestry.assign", preset=preset, config=config, overrides=set_ or ())
    run(model, projected, out, params, labels=labels, forest=forest)
