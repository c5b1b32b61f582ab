"""`cohelix simulate`: made cohorts, for tests, benchmarks and first steps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make cohorts whose truth is known.")


@app.callback()
def _noun() -> None:
    """Keeps `gvcfs` a command of its own while it is the only one."""


@app.command()
def gvcfs(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write: new or empty.")],
    samples: Annotated[int, typer.Option(help="Number of people.", min=1)],
    region: Annotated[str, typer.Option(help="Where, GRCh38, 1-based, both ends in.")] = "chr22:20,000,000-22,000,000",
    seed: Annotated[int, typer.Option(help="Equal seeds give equal bytes.", min=0)] = 1,
    dialect: Annotated[str, typer.Option(help="How records are written: gatk, dragen or deepvariant.")] = "gatk",
    cores: Annotated[int | None, typer.Option(help="Processes. Default: what this process may use.", min=1)] = None,
    index: Annotated[bool, typer.Option(help="Write .tbi beside each file.")] = True,
) -> None:
    """A cohort of single-sample gVCFs, with manifest.tsv, reference.fa.gz and truth.parquet.

    Example: cohelix simulate gvcfs -o cohort --samples 100 --region chr22:20,000,000-22,000,000 --seed 7
    """
    from cohelix.simulate.gvcfs import make_cohort, plan

    workers = cores if cores is not None else len(os.sched_getaffinity(0))
    make_cohort(out, plan(region, seed=seed, dialect=dialect), samples, cores=workers, index=index)
