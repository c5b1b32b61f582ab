"""`cohelix simulate`: made cohorts, for tests, benchmarks and first steps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make cohorts whose truth is known.")

Cores = Annotated[int | None, typer.Option(help="Processes. Default: what this process may use.", min=1)]


@app.command()
def cohort(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write: new or empty.")],
    persons: Annotated[int | None, typer.Option(help="People to enrol. Default: those of the size.")] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal bytes.")] = 1,
    size: Annotated[
        str | None, typer.Option(help="Settings by name: tiny, demo, bench-1k, bench-10k, bench-100k.")
    ] = None,
    config: Annotated[str | None, typer.Option("--config", help="Settings in TOML.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as in simulate.region_bases=50000. Repeatable.")
    ] = None,
    cores: Cores = None,
    runtime: Annotated[str, typer.Option("--runtime", help="local (processes) or spark.")] = "local",
) -> None:
    """A cohort of people with families and ancestry: gVCFs, arrays, health records, scores, and the truth beside them.

    Example: cohelix simulate cohort -o cohort --size demo --seed 7
    """
    from cohelix.jobs import cohort_sizes
    from cohelix.runtime.protocol import opened_runtime
    from cohelix.simulate.cohort.plan import make_plan

    wishes = cohort_sizes.load_wishes(size, config, overrides or [])
    plan = make_plan(wishes, persons=persons, seed=seed)
    from cohelix.jobs.made_cohort import make_cohort  # slow to import, and not needed to refuse a plan

    if runtime == "local":
        make_cohort(out, plan, cores=cores if cores is not None else len(os.sched_getaffinity(0)))
        return
    with opened_runtime(runtime, cores=cores) as mover:
        make_cohort(out, plan, runtime=mover)


@app.command()
def gvcfs(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write: new or empty.")],
    samples: Annotated[int, typer.Option(help="Number of people.", min=1)],
    region: Annotated[str, typer.Option(help="Where, GRCh38, 1-based, both ends in.")] = "chr22:20,000,000-22,000,000",
    seed: Annotated[int, typer.Option(help="Equal seeds give equal bytes.", min=0)] = 1,
    dialect: Annotated[str, typer.Option(help="How records are written: gatk, dragen or deepvariant.")] = "gatk",
    cores: Cores = None,
    index: Annotated[bool, typer.Option(help="Write .tbi beside each file.")] = True,
) -> None:
    """Single-sample gVCFs alone: independent sites, and calls that are never wrong. Quicker to make than a cohort.

    Example: cohelix simulate gvcfs -o cohort --samples 100 --region chr22:20,000,000-22,000,000 --seed 7
    """
    from cohelix.simulate import gvcfs as simulated

    workers = cores if cores is not None else len(os.sched_getaffinity(0))
    simulated.make_cohort(out, simulated.plan(region, seed=seed, dialect=dialect), samples, cores=workers, index=index)


@app.command()
def compare(
    cohort: Annotated[Path, typer.Argument(help="A folder of `cohelix simulate cohort`.")],
    callset: Annotated[str, typer.Argument(help="The callset that was called from its gVCFs.")],
) -> None:
    """A callset against the truth: concordance by kind and depth, and why each wrong genotype is wrong.

    Example: cohelix simulate compare cohort cohort.callset
    """
    from cohelix.simulate import compare as comparing

    typer.echo(comparing.as_text(comparing.compare(cohort, callset)), nl=False)


@app.command()
def describe(
    cohort: Annotated[Path, typer.Argument(help="A folder of `cohelix simulate cohort`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for pictures and statistics: new or empty.")],
) -> None:
    """A cohort beside what is published of people: spectrum, heterozygosity, F_ST, linkage, kinship, ancestry.

    Example: cohelix simulate describe cohort -o cohort-report
    """
    from cohelix.simulate.describe.report import describe_cohort

    describe_cohort(cohort, out)


@app.command()
def compare_qc(
    cohort: Annotated[Path, typer.Argument(help="A folder of `cohelix simulate cohort`.")],
    samples: Annotated[Path | None, typer.Option("--samples", help="Folder of `cohelix qc samples`.")] = None,
    arrays: Annotated[Path | None, typer.Option("--arrays", help="Folder of `cohelix qc arrays`.")] = None,
    concordance: Annotated[
        Path | None, typer.Option("--concordance", help="Folder of `cohelix qc concordance`.")
    ] = None,
) -> None:
    """What quality control found against what was planted: contamination, swaps, karyotypes, depth, failed arrays.

    Example: cohelix simulate compare-qc cohort --samples samples-qc --arrays arrays-qc --concordance concordance
    """
    from cohelix.simulate import compare_qc as comparing

    typer.echo(comparing.as_text(comparing.compare_qc(cohort, samples, arrays, concordance)), nl=False)


@app.command()
def compare_ancestry(
    cohort: Annotated[Path, typer.Argument(help="A folder of `cohelix simulate cohort`.")],
    relatedness: Annotated[
        Path | None, typer.Option("--relatedness", help="Folder of `cohelix relatedness estimate`.")
    ] = None,
    unrelated: Annotated[
        Path | None, typer.Option("--unrelated", help="Folder of `cohelix relatedness prune`.")
    ] = None,
    ancestry: Annotated[Path | None, typer.Option("--ancestry", help="Folder of `cohelix ancestry assign`.")] = None,
) -> None:
    """What relatedness and ancestry found against what was planted: pairs by degree, groups, proportions.

    Example: cohelix simulate compare-ancestry cohort --relatedness kin --ancestry groups
    """
    from cohelix.simulate import compare_ancestry as comparing

    typer.echo(comparing.as_text(comparing.compare_ancestry(cohort, relatedness, unrelated, ancestry)), nl=False)


@app.command()
def compare_prs(
    cohort: Annotated[Path, typer.Argument(help="A folder of `cohelix simulate cohort`.")],
    scores: Annotated[Path, typer.Option("--scores", help="Folder of `cohelix prs score`, of its scoring files.")],
    adjusted: Annotated[Path | None, typer.Option("--adjusted", help="Folder of `cohelix prs adjust`.")] = None,
    evaluation: Annotated[Path | None, typer.Option("--evaluation", help="Folder of `cohelix prs evaluate`.")] = None,
) -> None:
    """Scores against true genetic values: equal with true weights, accuracy by group, what adjusting leaves.

    Example: cohelix simulate compare-prs cohort --scores prs --adjusted adjusted --evaluation evaluation
    """
    from cohelix.simulate import compare_scores as comparing

    typer.echo(comparing.as_text(comparing.compare_scores(cohort, scores, adjusted, evaluation)), nl=False)


@app.command()
def compare_pgx(
    cohort: Annotated[Path, typer.Argument(help="A folder of `cohelix simulate cohort`.")],
    calls: Annotated[Path, typer.Option("--calls", help="Folder of `cohelix pgx call`, of its genotypes.")],
    confused: Annotated[
        Path | None, typer.Option("--confused", help="TSV to write: what was planted and called where they differ.")
    ] = None,
) -> None:
    """Star alleles called beside those planted, gene by gene, and why they differ.

    Example: cohelix simulate compare-pgx cohort --calls pgx.parquet
    """
    from cohelix.simulate import compare_pgx as comparing

    lines = comparing.compare_pgx(cohort, calls)
    if confused is not None:
        comparing.write_confused(lines, confused)
    typer.echo(comparing.as_text(lines), nl=False)
