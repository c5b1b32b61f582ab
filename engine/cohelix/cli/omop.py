"""`cohelix omop`: health records in the OMOP CDM, whose a sample is, phenotypes, and results as rows."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Health records (OMOP CDM 5.4): check, link samples, find cohorts, write results back."
)

Records = Annotated[
    str,
    typer.Argument(help="Health records: a folder of Parquet or CSV, a DuckDB file, postgresql://... or spark:..."),
]
Folder = Annotated[str, typer.Option("--out", "-o", help="Folder to make.")]


@app.command()
def validate(
    records: Records,
    out: Annotated[str, typer.Option("--out", "-o", help="Table of findings to write (TSV).")],
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 2 where there are errors.")] = False,
) -> None:
    """What breaks a rule of the CDM, counted by table, field and rule; never a value, a date or an id.

    Example: cohelix omop validate omop/ -o findings.tsv
    """
    from cohelix.omop.validate import refuse_errors, summary, write_findings

    report = write_findings(records, out)
    typer.echo(summary(report))
    if strict:
        refuse_errors(report)


@app.command("link")
def link_samples(
    records: Records,
    samples: Annotated[str, typer.Option("--samples", help="Callset, or table of sample_id.")],
    out: Folder,
    links: Annotated[
        str | None, typer.Option("--links", help="Table of sample_id and person_id, instead of SPECIMEN.")
    ] = None,
    rank: Annotated[
        str | None,
        typer.Option("--rank", help="Table of samples, the best first: which of several stands for a person."),
    ] = None,
) -> None:
    """Whose a sample is: a table for `--links` of other commands, and counts of those without a person.

    Example: cohelix omop link omop/ --samples cohort.callset -o links
    """
    from cohelix.omop.samples import write_links

    typer.echo(_told(write_links(records, samples, out, links=links, rank=rank)))


@app.command()
def cohort(
    records: Records,
    definitions: Annotated[
        list[str], typer.Argument(help="Definitions: TOML files, or names such as type_2_diabetes.")
    ],
    out: Folder,
    samples: Annotated[
        str | None, typer.Option("--samples", help="Callset, or table of sample_id: phenotypes by sample.")
    ] = None,
    links: Annotated[
        str | None, typer.Option("--links", help="Table of sample_id and person_id, instead of SPECIMEN.")
    ] = None,
    first_id: Annotated[
        int, typer.Option("--first-id", help="cohort_definition_id of the first cohort; a phenotype takes two.", min=1)
    ] = 1,
) -> None:
    """Cases and controls by definitions: rows of COHORT, and phenotypes for `cohelix prs evaluate`.

    Example: cohelix omop cohort omop/ type_2_diabetes -o cohorts --samples cohort.callset
    """
    from cohelix.omop.cohort_rows import write_cohorts

    write_cohorts(records, definitions, out, samples=samples, links=links, first_id=first_id)


@app.command()
def observe(
    groups: Annotated[str, typer.Argument(help="Table of samples and groups, such as ancestry_preds.tsv.")],
    out: Folder,
    links: Annotated[str, typer.Option("--links", help="Table of sample_id and person_id, as of `cohelix omop link`.")],
    question: Annotated[str, typer.Option("--question", help="What the groups are of.")] = "Genetic ancestry group",
    column: Annotated[
        str | None, typer.Option("--column", help="Column of the groups, where there are several.")
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", help="Date of all rows, if --links has no measurement_date.")
    ] = None,
    first_id: Annotated[int, typer.Option("--first-id", help="observation_id of the first row.", min=1)] = 1,
) -> None:
    """Groups as rows of OBSERVATION, with their custom concepts.

    Example: cohelix omop observe ancestry/ancestry_preds.tsv -o observations --links links/links.tsv
    """
    from cohelix.omop.results import write_observations

    counts = write_observations(
        groups, out, links=links, question=question, column=column, date=date, first_id=first_id
    )
    typer.echo(_told(counts))


def _told(counts: dict[str, int]) -> str:
    """Samples that are linked, of how many, and the others by the reason."""
    line = f"{counts['linked']:,} of {sum(counts.values()):,} samples linked"
    others = [f"{why.replace('_', ' ')} {n:,}" for why, n in counts.items() if n and why != "linked"]
    return "; ".join([line, *others])
