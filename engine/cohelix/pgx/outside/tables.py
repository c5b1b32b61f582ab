"""Readers of tables: PharmCAT's outside calls, our own with a column of samples, Cyrius, DRAGEN, pypgx, Aldy."""

from __future__ import annotations

from collections.abc import Iterator

from cohelix.pgx.outside.record import NO_CALL, Record, Source

_SAMPLE = ("sample_id", "sample", "sampleid", "sample id", "person_id")
_DIPLOTYPE = ("diplotype", "genotype", "call", "major")
_ACTIVITY = ("activity_score", "activity score", "activityscore", "activity")
_FILTER_PASSES = ("", "PASS", "None", ".")

CYP2D6 = "CYP2D6"
"""The gene of programs that call no other."""


def read(source: Source) -> Iterator[Record]:
    """Records of a text file, whose first line tells what it is."""
    lines = [
        (row, line.rstrip("\r").split("\t")) for row, line in enumerate(source.text.split("\n"), 1) if line.strip()
    ]
    if not lines:
        raise source.wrong(1, "the file is empty. Leave it out, or give calls.")
    header = [name.strip().lstrip("#").strip().lower() for name in lines[0][1]]
    if "solutionid" in header:
        return _aldy(source, header, lines[1:])
    if header[0] in ("", "unnamed: 0") and "genotype" in header:
        return _pypgx_table(source, header, lines[1:])
    if header[0] in _SAMPLE and "gene" not in header and "genotype" in header:
        return star_caller(source, header, lines[1:])
    if _column(header, _SAMPLE) is not None and "gene" in header:
        return _table(source, header, lines[1:])
    return _pharmcat(source, lines)


def _column(header: list[str], names: tuple[str, ...]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _cell(fields: list[str], column: int | None) -> str:
    return fields[column].strip() if column is not None and column < len(fields) else ""


def alternatives(text: str, separator: str) -> tuple[str, ...]:
    """The diplotypes of `text`; none of what says that there is no call."""
    return tuple(one.strip() for one in text.split(separator) if one.strip() not in NO_CALL)


def _pharmcat(source: Source, lines: list[tuple[int, list[str]]]) -> Iterator[Record]:
    """gene, diplotype, phenotype, activity score; no header, # comments; one person, whom the file name names."""
    sample = source.sample_of_name
    for row, fields in lines:
        if fields[0].startswith("#"):
            continue
        if len(fields) < 2 or len(fields) > 4:
            raise source.wrong(
                row, f"2 to 4 columns were expected (gene, diplotype, phenotype, activity score), {len(fields)} are "
                "there. Write them with tabs between, or give a header with sample_id and gene."
            )  # fmt: skip
        yield _stated(source, row, sample, fields[0], _cell(fields, 1), _cell(fields, 2), _cell(fields, 3), "PharmCAT")


def _table(source: Source, header: list[str], lines: list[tuple[int, list[str]]]) -> Iterator[Record]:
    """A row a person and gene. The header names sample_id and gene, and diplotype, phenotype or activity_score."""
    sample, gene, tool = _column(header, _SAMPLE), header.index("gene"), _column(header, ("tool", "caller"))
    diplotype, phenotype = _column(header, _DIPLOTYPE), _column(header, ("phenotype",))
    activity = _column(header, _ACTIVITY)
    if diplotype is None and phenotype is None and activity is None:
        raise source.wrong(1, "no column is named diplotype, phenotype or activity_score. Name at least one so.")
    for row, fields in lines:
        if fields[0].startswith("#"):
            continue
        who = _cell(fields, sample)
        if not who:
            raise source.wrong(row, "the sample id is empty. Name the person of every row.")
        yield _stated(source, row, who, _cell(fields, gene), _cell(fields, diplotype), _cell(fields, phenotype),
                      _cell(fields, activity), _cell(fields, tool) or "table")  # fmt: skip


def _stated(
    source: Source, row: int, sample: str, gene: str, diplotype: str, phenotype: str, activity: str, tool: str
) -> Record:
    if not gene.strip():
        raise source.wrong(row, "the gene is empty. Name the gene of every row.")
    if not (diplotype or phenotype or activity):
        raise source.wrong(
            row, f"nothing is said of {gene.strip()}. Give a diplotype, a phenotype or an activity score."
        )
    return Record(source.file, row, sample, gene.strip(), alternatives(diplotype.replace(" or ", ";"), ";"), tool,
                  phenotype or None, activity or None)  # fmt: skip


def star_caller(source: Source, header: list[str], lines: list[tuple[int, list[str]]]) -> Iterator[Record]:
    """Cyrius and DRAGEN: sample, genotype, filter; CYP2D6 alone."""
    genotype, passed = header.index("genotype"), _column(header, ("filter",))
    for row, fields in lines:
        yield called(source, row, _cell(fields, 0), _cell(fields, genotype), _cell(fields, passed), "Cyrius")


def called(source: Source, row: int, sample: str, genotype: str, passed: str, tool: str, gene: str = CYP2D6) -> Record:
    """A genotype with its filter. Two that cannot be told apart are written with ";", copies on unknown chromosomes
    with "_" (or as one allele with its copies)."""
    if not sample:
        raise source.wrong(row, "the sample name is empty. Name the person of every row.")
    diplotypes = alternatives(genotype, ";")
    warnings = [] if passed in _FILTER_PASSES else [f"{tool}: {passed}"]
    unassigned = bool(diplotypes) and all("/" not in one for one in diplotypes)
    return Record(source.file, row, sample, gene, diplotypes, tool, None, None, unassigned, tuple(warnings), False)


def _aldy(source: Source, header: list[str], lines: list[tuple[int, list[str]]]) -> Iterator[Record]:
    """Aldy: a row a mutation; sample, gene, solution and the diplotype of major alleles are the same in each."""
    place = {name: header.index(name) for name in ("sample", "gene", "solutionid", "major") if name in header}
    if len(place) < 4:
        raise source.wrong(1, "the columns Sample, Gene, SolutionID and Major were expected. Give Aldy's .aldy file.")
    found: dict[tuple[str, str], dict[str, str]] = {}
    first: dict[tuple[str, str], int] = {}
    for row, fields in lines:
        if fields[0].startswith("#"):
            continue
        who = (_cell(fields, place["sample"]), _cell(fields, place["gene"]))
        found.setdefault(who, {})[_cell(fields, place["solutionid"])] = _cell(fields, place["major"])
        first.setdefault(who, row)
    if not found:
        raise source.wrong(
            1,
            "no solution has a row, so that no person is named (Aldy writes none for alleles without mutations, as "
            "*5/*5). Give this call in a table with sample_id, gene and diplotype.",
        )
    for (sample, gene), solutions in found.items():
        diplotypes = tuple(dict.fromkeys(one for one in solutions.values() if one not in NO_CALL))
        yield Record(source.file, first[sample, gene], sample, gene, diplotypes, "Aldy", named=False)


def _pypgx_table(source: Source, header: list[str], lines: list[tuple[int, list[str]]]) -> Iterator[Record]:
    gene = _column(header, ("gene",))
    if gene is None:
        raise source.wrong(1, "a table of pypgx does not say its gene. Give pypgx's results.zip, or add a column gene.")
    return pypgx(source, header, lines, None, gene)


def pypgx(
    source: Source, header: list[str], lines: list[tuple[int, list[str]]], symbol: str | None, gene: int | None = None
) -> Iterator[Record]:
    """pypgx's results: a row a sample with its genotype. Its phenotypes are left: ours follow one set of rules."""
    if "genotype" not in header:
        raise source.wrong(1, "the column Genotype was expected. Give the results.zip of a pypgx pipeline.")
    genotype = header.index("genotype")
    for row, fields in lines:
        named = symbol if symbol is not None else _cell(fields, gene)
        sample = _cell(fields, 0)
        if not sample:
            raise source.wrong(row, "the sample name is empty. Name the person of every row.")
        yield Record(source.file, row, sample, named, alternatives(_cell(fields, genotype), ";"), "pypgx", named=False)
