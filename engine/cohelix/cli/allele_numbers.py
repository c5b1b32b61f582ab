"""`cohelix joint allele-numbers`: how many chromosomes are called at every base."""

from __future__ import annotations

from typing import Annotated

import typer

from cohelix.cli.joint import Config, Cores, Preset, RuntimeName, Set


def allele_numbers(
    calls: Annotated[str, typer.Argument(help="Call store.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Data set to write; one that exists gets a new version.")],
    groups: Annotated[
        str | None, typer.Option("--groups", help="TSV with the columns sample_id and group: counts for each.")
    ] = None,
    sexes: Annotated[
        str | None, typer.Option("--sexes", help="TSV with the columns sample_id and sex, in place of the store's.")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Bases in chr22:1,000-2,000 (1-based, both ends in).")
    ] = None,
    config: Config = None,
    preset: Preset = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Count the chromosomes that are called at every base of a call store, by group and sex, raw and adj.

    Example: cohelix joint allele-numbers cohort.calls -o cohort.an --groups ancestry.tsv
    """
    from cohelix.jobs.config import load_params
    from cohelix.joint.allele_numbers import allele_numbers as run
    from cohelix.joint.schema import CallParams
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(CallParams, "joint", preset=preset, config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        run(calls, out, params, mover, groups=groups, region=region, sexes=sexes)
