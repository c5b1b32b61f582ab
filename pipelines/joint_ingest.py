"""gVCFs into a call store, on Spark.

Reads a manifest (one gVCF a row), writes or extends a call store. A task is a batch of samples over a stretch of
the genome. Run again after a crash, it goes on where it was; run with a longer
manifest, it adds the new samples.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/joint_ingest.py cohort.tsv -o cohort.calls
"""

from typing import Annotated

import typer

from cohelix.cli.__main__ import main
from cohelix.jobs.config import load_params
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import IngestParams
from cohelix.runtime.protocol import opened_runtime

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)


@pipeline.command()
def joint_ingest(
    manifest: Annotated[str, typer.Argument(help="Table with a row for each gVCF.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Call store to make or extend.")],
    config: Annotated[str | None, typer.Option("--config", help="Settings in TOML.")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="Settings of a programme, as aou-v8.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="One setting, as ingest.bands=aou.")] = None,
    runtime: Annotated[str, typer.Option("--runtime", help="spark or local.")] = "spark",
    cores: Annotated[int | None, typer.Option("--cores", help="Threads, where there is no cluster.")] = None,
) -> None:
    """Put gVCFs into a call store."""
    params = load_params(IngestParams, "ingest", preset=preset, config=config, overrides=overrides or ())
    with opened_runtime(runtime, cores=cores) as here:
        ingest(manifest, out, params, here)


if __name__ == "__main__":
    main(pipeline)
