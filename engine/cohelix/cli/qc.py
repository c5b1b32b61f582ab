"""`cohelix qc`: quality control of samples, variants and arrays, at the thresholds of a programme."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Quality control: samples, variants, arrays, and a check of the release.")

Gates = Annotated[str, typer.Option("--gates", help="Thresholds: aou-v8, gnomad-v4, gnomad-v5, or a TOML file.")]
Config = Annotated[str | None, typer.Option("--config", help="TOML file with a section such as [qc.samples].")]
Set = Annotated[list[str] | None, typer.Option("--set", help="One choice, such as qc.samples.pcs=16. May be repeated.")]
RuntimeName = Annotated[str, typer.Option("--runtime", help="local (threads) or spark.")]
Cores = Annotated[
    int | None, typer.Option("--cores", help="Cores to use. Default: all that this process may use.", min=1)
]
Ancestry = Annotated[
    str | None, typer.Option("--ancestry", help="Table of ancestry groups: sample_id and ancestry_pred_other or group.")
]
Sexes = Annotated[str | None, typer.Option("--sexes", help="Table of sexes: sample_id and sex (M, F, XX, XY, ...).")]
Measured = Annotated[
    str | None, typer.Option("--measured", help="Table of metrics that others measured: aligned_q30_bases, ...")
]
Folder = Annotated[str, typer.Option("--out", "-o", help="Folder to make.")]


@app.command()
def samples(
    callset: Annotated[str, typer.Argument(help="Callset.")],
    out: Folder,
    gates: Gates = "aou-v8",
    pcs: Annotated[
        str | None, typer.Option("--pcs", help="Table of ancestry PCs: sample_id and PC1, PC2, ... or pca_features.")
    ] = None,
    ancestry: Ancestry = None,
    sexes: Annotated[
        str | None, typer.Option("--sexes", help="Table of self-reported sexes. Default: those of the callset.")
    ] = None,
    frequencies: Annotated[
        str | None, typer.Option("--frequencies", help="Known alleles (VCF, TSV): others of a sample are counted.")
    ] = None,
    measured: Measured = None,
    arrays: Annotated[str | None, typer.Option("--arrays", help="Folder that `cohelix qc arrays` made.")] = None,
    concordance: Annotated[
        str | None, typer.Option("--concordance", help="Folder that `cohelix qc concordance` made.")
    ] = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Metrics and flags of samples: depth, call rate, sex, contamination, outliers, each flag with its cut-off.

    Example: cohelix qc samples cohort.callset -o samples-qc --gates aou-v8 --pcs pcs.tsv --ancestry ancestry_preds.tsv
    """
    from cohelix.jobs.config import load_params
    from cohelix.qc.samples.run import qc_samples
    from cohelix.qc.schema import SampleQcParams
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(SampleQcParams, "qc.samples", config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        qc_samples(
            callset, out, params, mover, gates=gates, pcs=pcs, ancestry=ancestry, sexes=sexes,
            frequencies=frequencies, measured=measured, arrays=arrays, concordance=concordance,
        )  # fmt: skip


@app.command()
def variants(
    callset: Annotated[str, typer.Argument(help="Callset.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Data set to make; one that exists gets a new version.")],
    gates: Gates = "aou-v8",
    ancestry: Ancestry = None,
    sexes: Sexes = None,
    training: Annotated[
        str | None, typer.Option("--training", help="Alleles known to be real (VCF, TSV): the isolation forest's.")
    ] = None,
    calibration: Annotated[
        str | None, typer.Option("--calibration", help="Alleles known to be real, for the forest's cut-off.")
    ] = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Counts by group and sex, Hardy-Weinberg, filters and selection for every variant. A run that was killed goes on.

    Example: cohelix qc variants cohort.callset -o sites.qc --ancestry ancestry_preds.tsv --sexes samples-qc/sexes.tsv
    """
    from cohelix.jobs.config import load_params
    from cohelix.qc.schema import VariantQcParams
    from cohelix.qc.variants.run import qc_variants
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(VariantQcParams, "qc.variants", config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        qc_variants(
            callset, out, params, mover, gates=gates, ancestry=ancestry, sexes=sexes, training=training,
            calibration=calibration,
        )  # fmt: skip


@app.command()
def arrays(
    inputs: Annotated[list[str], typer.Argument(help="Array VCFs, a PLINK fileset or a callset.")],
    out: Folder,
    callset: Annotated[str, typer.Option("--callset", help="Callset to write.")],
    gates: Gates = "aou-v8",
    reference: Annotated[
        str | None, typer.Option("--reference", help="Indexed FASTA: strands are checked against it.")
    ] = None,
    sexes: Sexes = None,
    frequencies: Annotated[
        str | None, typer.Option("--frequencies", help="Allele frequencies of the population (VCF, TSV).")
    ] = None,
    manifest: Annotated[str | None, typer.Option("--manifest", help="Manifest of the array (Illumina CSV).")] = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Metrics and flags of arrays and their markers, and a callset of what can be used.

    Example: cohelix qc arrays batch1.vcf.gz batch2.vcf.gz -o arrays-qc --callset arrays.callset
    """
    from cohelix.jobs.config import load_params
    from cohelix.qc.arrays.run import qc_arrays
    from cohelix.qc.schema import ArrayQcParams
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(ArrayQcParams, "qc.arrays", config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        qc_arrays(
            inputs, out, params, mover, callset=callset, gates=gates, reference=reference, sexes=sexes,
            frequencies=frequencies, manifest=manifest,
        )  # fmt: skip


@app.command()
def concordance(
    arrays: Annotated[str, typer.Argument(help="Callset of the arrays.")],
    wgs: Annotated[str, typer.Argument(help="Callset of the genomes.")],
    links: Annotated[
        str, typer.Option("--links", help="Table of pairs said to be one person: array_sample_id, wgs_sample_id.")
    ],
    out: Folder,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Whether each array and genome are of one person; where not, whose they are.

    Example: cohelix qc concordance arrays.callset cohort.callset --links links.tsv -o concordance
    """
    from cohelix.jobs.config import load_params
    from cohelix.qc.concordance.run import qc_concordance
    from cohelix.qc.schema import ConcordanceParams
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(ConcordanceParams, "qc.concordance", config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        qc_concordance(arrays, wgs, links, out, params, mover)


@app.command()
def check(
    callset: Annotated[str, typer.Argument(help="Callset.")],
    released: Annotated[str, typer.Option("--released", help="File with one sample id per line: who is released.")],
    gates: Gates = "aou-v8",
    qc: Annotated[str | None, typer.Option("--qc", help="Folder that `cohelix qc samples` made.")] = None,
    measured: Measured = None,
    out: Annotated[str | None, typer.Option("--out", "-o", help="Folder for the table of failures.")] = None,
    allow_missing: Annotated[
        list[str] | None, typer.Option("--allow-missing", help="Gate that need not be evaluated. May be repeated.")
    ] = None,
) -> None:
    """Evaluate every gate again, from the data, for the samples of a release. Exit code 2 where one fails.

    Example: cohelix qc check cohort.callset --released released.txt --gates aou-v8 --qc samples-qc
    """
    from cohelix.qc.check import check_release

    lines = check_release(
        callset, released, gates, qc=qc, measured=measured, out=out, allow_missing=allow_missing or ()
    )
    for line in lines:
        typer.echo(line)


@app.command()
def report(
    folders: Annotated[list[str], typer.Argument(help="What the other commands of `cohelix qc` made.")],
    out: Annotated[str, typer.Option("--out", "-o", help="HTML page to write; *_mqc.json for MultiQC beside it.")],
) -> None:
    """One page with the plots and the gates: aggregates only.

    Example: cohelix qc report samples-qc sites.qc arrays-qc concordance -o qc.html
    """
    from cohelix.qc.report.run import write_report

    write_report(folders, out)
