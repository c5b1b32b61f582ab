"""A call store into a callset, on Spark.

Reads a call store, writes one row per allele and one genotype per sample: PGEN shards with their site and sample
tables. A task is one megabase of the genome. Run again after a crash, it goes on where it was.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/joint_call.py cohort.calls -o cohort.callset
"""

from typing import Annotated

import typer

from cohelix.cli.__main__ import main
from cohelix.jobs.config import load_params
from cohelix.joint.call import call
from cohelix.joint.schema import CallParams
from cohelix.runtime.protocol import opened_runtime

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)


@pipeline.command()
def joint_call(
    calls: Annotated[str, typer.Argument(help="Call store to read.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Callset to make.")],
    sites: Annotated[str | None, typer.Option("--sites", help="Alleles that get a row in any case.")] = None,
    only_sites: Annotated[bool, typer.Option("--only-sites", help="No other rows than those of --sites.")] = False,
    fasta: Annotated[str | None, typer.Option("--fasta", help="Reference to left-align alleles with.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Part of the genome, as chr20:1-5000000.")] = None,
    config: Annotated[str | None, typer.Option("--config", help="Settings in TOML.")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="Settings of a programme, as aou-v8.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="One setting, as joint.gq0=homref.")] = None,
    runtime: Annotated[str, typer.Option("--runtime", help="spark or local.")] = "spark",
    cores: Annotated[int | None, typer.Option("--cores", help="Threads, where there is no cluster.")] = None,
) -> None:
    """Call genotypes of all samples at all sites."""
    params = load_params(CallParams, "joint", preset=preset, config=config, overrides=overrides or ())
    with opened_runtime(runtime, cores=cores) as here:
        call(calls, out, params, here, sites=sites, only_sites=only_sites, fasta=fasta, region=region)


if __name__ == "__main__":
    main(pipeline)
