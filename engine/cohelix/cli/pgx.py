"""`cohelix pgx`: star alleles, what they mean for drugs, and who has them."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Pharmacogenes: call star alleles and phenotypes, count, export.")

Set = Annotated[list[str] | None, typer.Option("--set", help="One choice, such as pgx.call.cyp2d6=off.")]
Config = Annotated[str | None, typer.Option("--config", help="TOML file with a section such as [pgx.call].")]
Preset = Annotated[str | None, typer.Option("--preset", help="Choices of a programme, by name.")]
RuntimeName = Annotated[str, typer.Option("--runtime", help="local (threads) or spark.")]
Cores = Annotated[
    int | None, typer.Option("--cores", help="Cores to use. Default: all that this process may use.", min=1)
]
Folder = Annotated[str, typer.Option("--out", "-o", help="Folder to make.")]
Calls = Annotated[str, typer.Argument(help="Folder of `cohelix pgx call`.")]


@app.command()
def call(
    target: Annotated[str, typer.Argument(help="Callset, call store, VCF, BCF, PGEN or BED of GRCh38.")],
    out: Folder,
    genes: Annotated[
        list[str] | None, typer.Option("--gene", help="A gene to call. Repeatable. Default: all of the reference.")
    ] = None,
    outside: Annotated[
        list[str] | None,
        typer.Option(
            "--outside",
            help="Calls of another program: PharmCAT's outside calls, Cyrius, DRAGEN, Aldy, pypgx. Repeatable.",
        ),
    ] = None,
    sexes: Annotated[
        str | None, typer.Option("--sexes", help="Table of sexes, instead of those of the target: ploidy of G6PD.")
    ] = None,
    fasta: Annotated[str | None, typer.Option("--fasta", help="Indexed reference genome: for a call store.")] = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    runtime: RuntimeName = "local",
    cores: Cores = None,
) -> None:
    """Star alleles, diplotypes and phenotypes of everybody: a folder of Parquet, one row a person and gene.

    Example: cohelix pgx call cohort.callset -o pgx.parquet
    """
    from dataclasses import replace

    from cohelix.jobs.config import load_params
    from cohelix.jobs.star_alleles import Inputs
    from cohelix.jobs.star_alleles import call as run
    from cohelix.pgx.schema import CallParams
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(CallParams, "pgx.call", preset=preset, config=config, overrides=set_ or ())
    params = replace(params, genes=tuple(genes) if genes else tuple(params.genes))
    with opened_runtime(runtime, cores=cores) as mover:
        run(target, out, Inputs(tuple(outside or ()), sexes, fasta), params, mover)


@app.command()
def genes(
    reference: Annotated[
        str | None, typer.Option("--reference", help="Source and version of the definitions. Default: the newest.")
    ] = None,
) -> None:
    """List the genes of a reference: how each is called, positions, alleles (others: of outside calls).

    Example: cohelix pgx genes
    """
    from cohelix.pgx.reference import load
    from cohelix.pgx.schema import CallParams

    typer.echo("gene\tcontig\tploidy\tmethod\tpositions\talleles\tother_alleles\tdefinition")
    for symbol, gene in sorted(load(reference or CallParams().reference).items()):
        numbers = [len(gene.positions), len(gene.alleles), len(gene.functions_only)]
        known = [symbol, gene.contig, gene.ploidy, gene.method, *numbers]
        typer.echo("\t".join(map(str, [*known, f"{gene.source}/{gene.version}"])))


@app.command()
def frequencies(
    calls: Calls,
    out: Folder,
    groups: Annotated[
        str | None, typer.Option("--groups", help="Table of ancestry groups, such as ancestry_preds.tsv.")
    ] = None,
    column: Annotated[str | None, typer.Option("--column", help="Column of --groups, where it has several.")] = None,
    least: Annotated[
        int, typer.Option("--least", help="Counts of people from 1 to below this are not shown.", min=1)
    ] = 20,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw them beside what is published.")] = True,
) -> None:
    """How many have each allele, diplotype and phenotype, by ancestry group; small counts are not shown.

    Example: cohelix pgx frequencies pgx.parquet -o pgx-frequencies --groups ancestry/ancestry_preds.tsv
    """
    from cohelix.pgx.outputs.frequencies import frequencies as run

    run(calls, out, groups=groups, column=column, least=least, plots=plots)


@app.command()
def export(
    calls: Calls,
    out: Annotated[str, typer.Option("--out", "-o", help="File to make; of match.json a folder.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="calls-only (PharmCAT's TSV), match (a match.json a person), drugs (which guidelines concern whom), "
            "measurement or concept (OMOP, Parquet).",
        ),
    ] = "calls-only",
    samples: Annotated[str | None, typer.Option("--samples", help="match: table of the sample_id wanted.")] = None,
    links: Annotated[str | None, typer.Option("--links", help="measurement: table of sample_id and person_id.")] = None,
    date: Annotated[
        str | None, typer.Option("--date", help="measurement: date of all rows, if --links has no measurement_date.")
    ] = None,
    first_id: Annotated[int, typer.Option("--first-id", help="measurement: id of the first row.", min=1)] = 1,
) -> None:
    """Calls as other programs read them.

    Example: cohelix pgx export pgx.parquet -o calls.tsv.gz
    """
    from cohelix.errors import ConfigError
    from cohelix.pgx.outputs.calls_only import export_calls_only
    from cohelix.pgx.outputs.drugs import export_drugs
    from cohelix.pgx.outputs.match_json import export_match
    from cohelix.pgx.outputs.measurement import write_concepts, write_measurement

    if format_ == "calls-only":
        export_calls_only(calls, out)
    elif format_ == "match":
        export_match(calls, out, samples=samples)
    elif format_ == "drugs":
        export_drugs(calls, out)
    elif format_ == "concept":
        write_concepts(calls, out)
    elif format_ != "measurement":
        raise ConfigError(f"--format {format_} is not known. Choose calls-only, match, drugs, measurement or concept.")
    elif links is None:
        raise ConfigError("rows of MEASUREMENT are of persons: give --links, a table of sample_id and person_id.")
    else:
        write_measurement(calls, out, links=links, date=date, first_id=first_id)


@app.command()
def import_reference(
    definitions: Annotated[
        str, typer.Option("--definitions", help="Folder of PharmCAT's <GENE>_translation.json and exemptions.json.")
    ],
    phenotypes: Annotated[str, typer.Option("--phenotypes", help="Folder of PharmCAT's <GENE>.json.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder to make; its last part is the version.")],
    functions: Annotated[
        str | None, typer.Option("--functions", help="Table of alleles' functions, of genes without a phenotype file.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option("--rules", help="Table of phenotype rules, of genes without a phenotype file.")
    ] = None,
    diplotypes: Annotated[
        str | None, typer.Option("--diplotypes", help="CPIC's table of diplotypes and phenotypes: for HLA genes.")
    ] = None,
) -> None:
    """The tables that star alleles are called by, from a release of PharmCAT.

    Example: cohelix pgx import-reference --definitions definition/alleles --phenotypes phenotype -o 2025-11-05
    """
    from cohelix.pgx.reference.importing import import_reference as run

    counts = run(definitions, phenotypes, out, functions=functions, rules=rules, diplotypes=diplotypes)
    typer.echo(", ".join(f"{number} {what}" for what, number in counts.items()))
