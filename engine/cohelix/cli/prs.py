"""`cohelix prs`: polygenic scores, from scoring files to their accuracy in every ancestry."""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Polygenic scores: match, score, adjust for ancestry, evaluate, export.")

Preset = Annotated[str | None, typer.Option("--preset", help="Choices of a tool: pgsc-calc, plink2, emerge.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="One choice, such as prs.match.min_overlap=0.5.")]
Config = Annotated[str | None, typer.Option("--config", help="TOML file with a section such as [prs.score].")]
RuntimeName = Annotated[str, typer.Option("--runtime", help="local (threads) or spark.")]
Cores = Annotated[
    int | None, typer.Option("--cores", help="Cores to use. Default: all that this process may use.", min=1)
]
Folder = Annotated[str, typer.Option("--out", "-o", help="Folder to make.")]
Scores = Annotated[
    list[str] | None,
    typer.Option("--scores", help="Scoring file, folder of them, list of them (.list), or one wide file. Repeatable."),
]
Frequencies = Annotated[
    str | None, typer.Option("--frequencies", help="Allele frequencies: contig, position, ref, alt, af; or a VCF.")
]


@app.command()
def match(
    callset: Annotated[str, typer.Argument(help="Callset whose sites are looked for.")],
    out: Folder,
    scores: Scores = None,
    frequencies: Frequencies = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Find the sites of scoring files in a callset, and say of every row why it counts or does not.

    Example: cohelix prs match cohort.callset --scores scores/ -o matched --preset pgsc-calc
    """
    from cohelix.jobs.config import load_params
    from cohelix.prs.matching.run import match as run
    from cohelix.prs.schema import MatchParams
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(MatchParams, "prs.match", preset=preset, config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        run(scores or [], callset, out, params, mover, frequencies=frequencies)


@app.command()
def score(
    target: Annotated[
        str, typer.Argument(help="Callset; or a call store, PGEN, BED, VCF or BCF, of which one is made on the way.")
    ],
    out: Folder,
    scores: Scores = None,
    matched: Annotated[
        str | None, typer.Option("--match", help="Folder of `cohelix prs match`, instead of --scores.")
    ] = None,
    frequencies: Frequencies = None,
    groups: Annotated[
        str | None, typer.Option("--groups", help="Table of ancestry groups, for prs.score.missing=ancestry-af.")
    ] = None,
    sexes: Annotated[
        str | None, typer.Option("--sexes", help="Table of sexes, instead of those of the callset: ploidy of X and Y.")
    ] = None,
    fasta: Annotated[str | None, typer.Option("--fasta", help="Indexed reference genome: for a call store.")] = None,
    pcs_model: Annotated[
        str | None,
        typer.Option(
            "--pcs-model", help="Folder of `cohelix ancestry fit`: its components beside the scores (folder pcs)."
        ),
    ] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Any number of scores of everybody, in one pass over the genotypes.

    Example: cohelix prs score cohort.callset --scores scores/ -o prs
    """
    from cohelix.ancestry.schema import ProjectParams
    from cohelix.jobs.config import load_params
    from cohelix.jobs.scoring import Inputs
    from cohelix.jobs.scoring import score as run
    from cohelix.prs.schema import MatchParams, ScoreParams
    from cohelix.runtime.protocol import opened_runtime

    given: dict[str, Any] = {"preset": preset, "config": config, "overrides": set_ or ()}
    match_params = load_params(MatchParams, "prs.match", **given)
    score_params = load_params(ScoreParams, "prs.score", **given)
    project = load_params(ProjectParams, "ancestry.project", **given)
    inputs = Inputs(tuple(scores or ()), matched, frequencies, groups, sexes, fasta, pcs_model, project)
    with opened_runtime(runtime, cores=cores) as mover:
        run(target, out, inputs, match_params, score_params, mover)


@app.command()
def adjust(
    scores: Annotated[str, typer.Argument(help="Folder of `cohelix prs score`: the people to adjust.")],
    out: Folder,
    pcs: Annotated[str, typer.Option("--pcs", help="Table of these people's principal components.")],
    reference: Annotated[
        str | None, typer.Option("--reference", help="Folder of `cohelix prs score` of a reference panel.")
    ] = None,
    reference_pcs: Annotated[
        str | None, typer.Option("--reference-pcs", help="Components of the panel, on the same axes.")
    ] = None,
    reference_labels: Annotated[
        str | None, typer.Option("--reference-labels", help="Table of the panel's groups.")
    ] = None,
    ancestry: Annotated[
        str | None, typer.Option("--ancestry", help="Table of these people's groups, such as ancestry_preds.tsv.")
    ] = None,
    train: Annotated[
        str | None, typer.Option("--train", help="Table of the sample_id to train on, such as unrelated.tsv.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Folder `model` of an earlier run: it is applied, none is trained.")
    ] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Scores that mean the same in every ancestry: percentiles, Z_norm1 and Z_norm2, with a flag outside the support.

    Example: cohelix prs adjust prs -o adjusted --pcs projected/scores.tsv --reference panel-prs
    --reference-pcs pca/scores.tsv --reference-labels pca/labels.tsv
    """
    from cohelix.jobs.config import load_params
    from cohelix.prs.adjust.run import adjust as run
    from cohelix.prs.schema import AdjustParams

    params = load_params(AdjustParams, "prs.adjust", preset=preset, config=config, overrides=set_ or ())
    run(
        scores, out, params, pcs=pcs, reference=reference, reference_pcs=reference_pcs,
        reference_labels=reference_labels, ancestry=ancestry, train=train, model=model,
    )  # fmt: skip


@app.command()
def evaluate(
    scores: Annotated[str, typer.Argument(help="Folder of `cohelix prs score` or `cohelix prs adjust`.")],
    out: Folder,
    phenotypes: Annotated[
        str | None, typer.Option("--phenotypes", help="Table of sample_id and a column for each trait.")
    ] = None,
    omop: Annotated[
        str | None, typer.Option("--omop", help="Folder of OMOP CDM tables: cases by concept, with descendants.")
    ] = None,
    links: Annotated[str | None, typer.Option("--links", help="Table of sample_id and person_id, for --omop.")] = None,
    pairs: Annotated[str | None, typer.Option("--pairs", help="Table of score and trait: which are compared.")] = None,
    covariates: Annotated[str | None, typer.Option("--covariates", help="Table of sample_id and numbers.")] = None,
    pcs: Annotated[str | None, typer.Option("--pcs", help="Table of components: for bins of genetic distance.")] = None,
    ancestry: Annotated[str | None, typer.Option("--ancestry", help="Table of ancestry groups.")] = None,
    reference_pcs: Annotated[
        str | None,
        typer.Option("--reference-pcs", help="Components of the training population, whose centre is distance 0."),
    ] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """How well scores foretell traits: in all, by ancestry group, and by genetic distance; small strata are withheld.

    Example: cohelix prs evaluate adjusted -o evaluation --phenotypes phenotypes.tsv --ancestry ancestry_preds.tsv
    """
    from cohelix.jobs.config import load_params
    from cohelix.prs.evaluate.run import evaluate as run
    from cohelix.prs.schema import EvaluateParams

    params = load_params(EvaluateParams, "prs.evaluate", preset=preset, config=config, overrides=set_ or ())
    run(
        scores, out, params, phenotypes=phenotypes, omop=omop, links=links, pairs=pairs, covariates=covariates,
        pcs=pcs, ancestry=ancestry, reference_pcs=reference_pcs,
    )  # fmt: skip


@app.command()
def export(
    scores: Annotated[str, typer.Argument(help="Folder of `cohelix prs score` or `cohelix prs adjust`.")],
    out: Annotated[str, typer.Option("--out", "-o", help="File to make.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="aggregated (PGS Catalog Calculator's TSV), measurement or concept (OMOP rows, Parquet).",
        ),
    ] = "aggregated",
    sampleset: Annotated[str, typer.Option("--sampleset", help="aggregated: the name of the people.")] = "cohort",
    links: Annotated[str | None, typer.Option("--links", help="measurement: table of sample_id and person_id.")] = None,
    date: Annotated[
        str | None, typer.Option("--date", help="measurement: date of all rows, if --links has no measurement_date.")
    ] = None,
    value: Annotated[
        str | None,
        typer.Option(
            "--value",
            help="measurement, concept: sum, percentile_most_similar, z_most_similar, z_norm1 or z_norm2. "
            "Default: sum of scores, z_norm2 of adjusted ones.",
        ),
    ] = None,
    first_id: Annotated[int, typer.Option("--first-id", help="measurement: id of the first row.", min=1)] = 1,
) -> None:
    """Scores as other programs read them.

    Example: cohelix prs export prs -o aggregated_scores.txt.gz --sampleset cohort
    """
    from cohelix.errors import ConfigError
    from cohelix.prs.aggregated import write_aggregated
    from cohelix.prs.measurement import write_concepts, write_measurement

    if format_ == "aggregated":
        write_aggregated(scores, out, sampleset=sampleset)
    elif format_ == "concept":
        write_concepts(scores, out, value=value)
    elif format_ != "measurement":
        raise ConfigError(f"--format {format_} is not known. Choose aggregated, measurement or concept.")
    elif links is None:
        raise ConfigError("rows of MEASUREMENT are of persons: give --links, a table of sample_id and person_id.")
    else:
        write_measurement(scores, out, links=links, date=date, value=value, first_id=first_id)
