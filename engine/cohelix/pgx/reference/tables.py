"""The tables of a folder of `reference/pgx`, read and written.

    genes.tsv        gene, contig, ploidy, method, undocumented, scored_by, version, required, without_combination
    positions.tsv    gene, contig, position, rsid, ref, alts, hgvs, use (matching, or extra: reported only)
    alleles.tsv      gene, allele, id, reference, core, function, activity, cells
    rules.tsv        gene, phenotype, functions, lowest, highest
    priorities.tsv   gene, diplotypes, pick
    suballeles.tsv   gene, matched, reported

Lists are joined by ";" (cells: position:allele), functions by " + ". `cells` is "reference" where an allele has REF at
every position it does not state otherwise, and "." for an allele that is known by its function alone.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from cohelix.errors import ConfigError, ContractError
from cohelix.pgx import names
from cohelix.pgx.definition import Gene, NamedAllele, Position, Priority, Rule
from cohelix.reference import reference_path

COLUMNS = {
    "genes": ("gene", "contig", "ploidy", "method", "undocumented", "scored_by", "version", "required",
              "without_combination"),
    "positions": ("gene", "contig", "position", "rsid", "ref", "alts", "hgvs", "use"),
    "alleles": ("gene", "allele", "id", "reference", "core", "function", "activity", "cells"),
    "rules": ("gene", "phenotype", "functions", "lowest", "highest"),
    "priorities": ("gene", "diplotypes", "pick"),
    "suballeles": ("gene", "matched", "reported"),
}  # fmt: skip

_REFERENCE, _NONE = "reference", "."

Row = dict[str, str]


def load(dataset: str, genes: Sequence[str] = ()) -> dict[str, Gene]:
    """Genes by symbol, of `dataset` (source/version, a folder of reference/pgx) or of a folder at that path.

    genes: only these; empty: all. Raises ConfigError for a data set or gene that is not there.
    """
    folder = _folder(dataset)
    known = _read(folder, dataset)
    unknown = [gene for gene in genes if gene not in known]
    if unknown:
        raise ConfigError(f"gene {unknown[0][:40]!r} is not among those of {dataset}. Choose of: {', '.join(known)}.")
    return {symbol: gene for symbol, gene in known.items() if not genes or symbol in genes}


def _folder(dataset: str) -> Path:
    place = Path(dataset)
    if (place / "genes.tsv").is_file():
        return place
    parts = dataset.split("/")
    if len(parts) == 2 and all(part and not part.startswith(".") for part in parts):
        try:
            return reference_path("pgx", *parts, "genes.tsv").parent
        except ContractError:
            pass
    raise ConfigError(
        f"definitions {dataset[:80]!r} are not there. Give the source and version of a folder of reference/pgx, such "
        "as clinpgx/2025-11-05, or the path of a folder that `cohelix pgx import-reference` made."
    )


@cache
def _read(folder: Path, dataset: str) -> dict[str, Gene]:
    tables = {name: _rows(folder / f"{name}.tsv", columns) for name, columns in COLUMNS.items()}
    source, _, version = dataset.rpartition("/")
    of = {name: _by_gene(rows) for name, rows in tables.items() if name != "genes"}
    return {
        row["gene"]: _gene(
            row, source.rpartition("/")[2] or "local", version, {name: of[name].get(row["gene"], []) for name in of}
        )
        for row in tables["genes"]
    }


def _rows(path: Path, columns: tuple[str, ...]) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = list(reader)
    except (OSError, UnicodeDecodeError):
        raise ContractError(f"expected a table {path.name} of gene definitions, found none to read.") from None
    if tuple(reader.fieldnames or ()) != columns or any(None in row or None in row.values() for row in rows):
        raise ContractError(f"{path.name} of gene definitions: expected the columns {' '.join(columns)} in every row.")
    return rows


def _by_gene(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["gene"], []).append(row)
    return found


def _gene(row: Row, source: str, version: str, of: dict[str, list[Row]]) -> Gene:
    positions = tuple(_position(one) for one in of["positions"] if one["use"] == "matching")
    defined = [one for one in of["alleles"] if one["cells"] != _NONE]
    alleles = [_allele(one, positions) for one in defined]
    return Gene(
        symbol=row["gene"],
        contig=row["contig"],
        ploidy=row["ploidy"],
        method=row["method"],
        positions=positions,
        alleles=tuple(sorted(alleles, key=lambda allele: names.key(allele.name))),
        undocumented_as_reference=row["undocumented"] == _REFERENCE,
        source=source,
        version=version,
        scored_by_activity=row["scored_by"] == "activity",
        extra=tuple(_position(one) for one in of["positions"] if one["use"] == "extra"),
        required=frozenset(int(one) for one in _list(row["required"])),
        priorities=tuple(Priority(frozenset(_list(one["diplotypes"])), one["pick"]) for one in of["priorities"]),
        suballeles={one["matched"]: one["reported"] for one in of["suballeles"]},
        no_combination=frozenset(_list(row["without_combination"])),
        functions_only=tuple(_allele(one, ()) for one in of["alleles"] if one["cells"] == _NONE),
        rules=tuple(_rule(one) for one in of["rules"]),
    )


def _position(row: Row) -> Position:
    return Position(
        row["contig"], int(row["position"]), row["rsid"], row["ref"], _list(row["alts"]), _list(row["hgvs"])
    )


def _allele(row: Row, positions: Sequence[Position]) -> NamedAllele:
    listed = _list(row["cells"])
    whole = listed[:1] == (_REFERENCE,)
    stated = dict(cell.split(":") for cell in listed[whole:] if cell != _NONE)
    cells = tuple(stated.pop(str(place.position), place.ref if whole else None) for place in positions)
    if stated:
        raise ContractError(f"allele {row['allele']} of {row['gene']} states a position that the gene does not have.")
    return NamedAllele(
        name=row["allele"],
        id=row["id"],
        reference=row["reference"] == "1",
        cells=cells,
        score=sum(cell is not None for cell in cells),
        core=tuple(int(one) for one in _list(row["core"])),
        function=row["function"],
        activity=_number(row["activity"]),
    )


def _rule(row: Row) -> Rule:
    functions = tuple(row["functions"].split(" + ")) if row["functions"] else ()
    return Rule(row["phenotype"], functions, _number(row["lowest"]), _number(row["highest"]))


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split(";")) if text else ()


def _number(text: str) -> float | None:
    return float(text) if text else None


def write(genes: Sequence[Gene], folder: Path) -> None:
    """The tables of `genes` in `folder`; the same bytes for the same genes."""
    tables: dict[str, list[tuple[object, ...]]] = {name: [] for name in COLUMNS}
    for gene in sorted(genes, key=lambda gene: gene.symbol):
        _list_gene(gene, tables)
    for name, rows in tables.items():
        lines = ["\t".join(COLUMNS[name]), *("\t".join(_text(value) for value in row) for row in rows)]
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _list_gene(gene: Gene, tables: dict[str, list[tuple[object, ...]]]) -> None:
    symbol = gene.symbol
    tables["genes"].append((
        symbol, gene.contig, gene.ploidy, gene.method, _REFERENCE if gene.undocumented_as_reference else "kept",
        "activity" if gene.scored_by_activity else "functions", gene.version, sorted(gene.required),
        sorted(gene.no_combination, key=names.key),
    ))  # fmt: skip
    for use, places in (("matching", gene.positions), ("extra", gene.extra)):
        tables["positions"] += [
            (symbol, place.contig, place.position, place.rsid, place.ref, place.alts, place.hgvs, use)
            for place in places
        ]
    for allele in gene.alleles:
        tables["alleles"].append((*_named(symbol, allele), _cells(allele, gene.positions)))
    for allele in gene.functions_only:
        tables["alleles"].append((*_named(symbol, allele), _NONE))
    tables["rules"] += [
        (symbol, rule.phenotype, " + ".join(rule.functions), rule.lowest, rule.highest) for rule in gene.rules
    ]
    tables["priorities"] += [
        (symbol, sorted(one.diplotypes, key=names.diplotype_key), one.pick) for one in gene.priorities
    ]
    tables["suballeles"] += [(symbol, matched, reported) for matched, reported in sorted(gene.suballeles.items())]


def _named(symbol: str, allele: NamedAllele) -> tuple[object, ...]:
    return symbol, allele.name, allele.id, int(allele.reference), allele.core, allele.function, allele.activity


def _cells(allele: NamedAllele, positions: Sequence[Position]) -> str:
    pairs = list(zip(positions, allele.cells, strict=True))
    if all(cell is not None for cell in allele.cells):
        listed = [_REFERENCE, *(f"{place.position}:{cell}" for place, cell in pairs if cell != place.ref)]
    else:
        listed = [f"{place.position}:{cell}" for place, cell in pairs if cell is not None]
    return ";".join(listed)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(str(one) for one in value)
    return str(value)
