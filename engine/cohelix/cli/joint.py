"""`cohelix joint`: gVCFs into a call store, a call store into a callset."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Joint calling: gVCFs in, a call store kept, a callset out.")

Config = Annotated[str | None, typer.Option("--config", help="TOML file with an [ingest] or [joint] section.")]
Preset = Annotated[str | None, typer.Option("--preset", help="Choices of a programme: aou-v8, gnomad-v4.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="One choice, such as joint.gq0=homref. May be repeated.")]
RuntimeName = Annotated[str, typer.Option("--runtime", help="local (threads) or spark.")]
Cores = Annotated[
    int | None, typer.Option("--cores", help="Cores to use. Default: all that this process may use.", min=1)
]
Fasta = Annotated[str | None, typer.Option("--fasta", help="Indexed reference FASTA: indels are then left-aligned.")]

Sexes = Annotated[
    str | None,
    typer.Option("--sexes", help="TSV with sample_id, sex (as `qc samples` writes it), in place of the store's."),
]


@app.command()
def ingest(
    manifest: Annotated[str, typer.Argument(help="TSV with the columns sample_id, path and if wanted sex, batch.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Call store to make, or to add to.")],
    config: Config = None,
    preset: Preset = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Put the gVCFs of a manifest into a call store; samples that are there stay as they are.

    Example: cohelix joint ingest manifest.tsv -o cohort.calls
    """
    from cohelix.jobs.config import load_params
    from cohelix.joint.ingest import ingest as run
    from cohelix.joint.schema import IngestParams
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(IngestParams, "ingest", preset=preset, config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        run(manifest, out, params, mover)


@app.command()
def call(
    calls: Annotated[str, typer.Argument(help="Call store.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Callset to write; one that exists gets a new version.")],
    sites: Annotated[
        str | None, typer.Option("--sites", help="Alleles that get a row in any case: VCF, .pvar or TSV.")
    ] = None,
    only_sites: Annotated[bool, typer.Option("--only-sites", help="No other rows than those of --sites.")] = False,
    fasta: Fasta = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Rows in chr22:1,000-2,000 (1-based, both ends in).")
    ] = None,
    sexes: Sexes = None,
    config: Config = None,
    preset: Preset = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Joint-call a call store into a callset that plink2 opens.

    Example: cohelix joint call cohort.calls -o cohort.callset --preset aou-v8
    """
    from cohelix.jobs.config import load_params
    from cohelix.joint.call import call as run
    from cohelix.joint.schema import CallParams
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(CallParams, "joint", preset=preset, config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        made = run(
            calls, out, params, mover, sites=sites, only_sites=only_sites, fasta=fasta, region=region, sexes=sexes
        )
    cut = [entry for entry in made.commit.files if entry.path.startswith("cut-")]
    if cut:
        typer.echo(
            f"cohelix: alleles beyond joint.max_alleles were cut at some positions; {cut[0].path} lists them.", err=True
        )


@app.command()
def run(
    manifest: Annotated[str, typer.Argument(help="TSV with the columns sample_id, path and if wanted sex, batch.")],
    calls: Annotated[str, typer.Option("--calls", help="Call store to make, or to add to.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Callset to write; one that exists gets a new version.")],
    fasta: Fasta = None,
    sexes: Sexes = None,
    config: Config = None,
    preset: Preset = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Ingest, then call, in one go.

    Example: cohelix joint run manifest.tsv --calls cohort.calls -o cohort.callset
    """
    from cohelix.jobs.config import load_params
    from cohelix.joint.call import call as call_store
    from cohelix.joint.ingest import ingest as ingest_gvcfs
    from cohelix.joint.schema import CallParams, IngestParams
    from cohelix.runtime.protocol import opened_runtime

    ingest_params = load_params(IngestParams, "ingest", preset=preset, config=config, overrides=set_ or ())
    call_params = load_params(CallParams, "joint", preset=preset, config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        ingest_gvcfs(manifest, calls, ingest_params, mover)
        call_store(calls, out, call_params, mover, fasta=fasta, sexes=sexes)


@app.command()
def withdraw(
    calls: Annotated[str, typer.Argument(help="Call store.")],
    samples: Annotated[str, typer.Option("--samples", help="File with one sample id per line.")],
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove older versions and their files, for good.")
    ] = False,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Take samples out of a call store; the next call is as if they had never been there.

    Example: cohelix joint withdraw cohort.calls --samples withdrawn.txt --purge
    """
    from cohelix.joint.withdraw import read_ids
    from cohelix.joint.withdraw import withdraw as run
    from cohelix.runtime.protocol import opened_runtime

    with opened_runtime(runtime, cores=cores) as mover:
        run(calls, read_ids(samples), mover, purge=purge)


@app.command()
def explain(
    calls: Annotated[str, typer.Argument(help="Call store.")],
    sample: Annotated[str, typer.Argument(help="Sample id.")],
    locus: Annotated[str, typer.Argument(help="chr22:10,686,082 or chr22:10,686,082-10,686,090.")],
    fasta: Fasta = None,
    config: Config = None,
    preset: Preset = None,
    set_: Set = None,
) -> None:
    """Print a sample's input records at a locus, and the rule behind each of its genotypes there.

    Example: cohelix joint explain cohort.calls S0001 chr22:20,000,150-20,000,200
    """
    from cohelix.jobs.config import load_params
    from cohelix.joint.explain import explain as run
    from cohelix.joint.schema import CallParams

    params = load_params(CallParams, "joint", preset=preset, config=config, overrides=set_ or ())
    typer.echo(run(calls, sample, locus, params, fasta=fasta))


@app.command()
def lint(
    manifest: Annotated[str, typer.Argument(help="TSV with the columns sample_id, path and if wanted sex, batch.")],
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """List everything that is wrong with the inputs; nothing is written. Exit code 2 where there are errors.

    Example: cohelix joint lint manifest.tsv
    """
    from cohelix.joint.lint import ERROR
    from cohelix.joint.lint import lint as run
    from cohelix.runtime.protocol import opened_runtime

    with opened_runtime(runtime, cores=cores) as mover:
        findings = run(manifest, mover)
    for finding in findings:
        typer.echo(f"{finding.severity}\trow {finding.row}\t{finding.message}")
    errors = sum(finding.severity == ERROR for finding in findings)
    typer.echo(f"{errors} errors, {len(findings) - errors} warnings", err=True)
    raise typer.Exit(2 if errors else 0)


@app.command()
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
