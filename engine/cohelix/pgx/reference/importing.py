"""A folder of `reference/pgx` out of a source's files: `cohelix pgx import-reference`."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cohelix.errors import ConfigError, InputError
from cohelix.folder import appearing_whole
from cohelix.pgx.definition import Gene, NamedAllele, Rule
from cohelix.pgx.reference import pharmcat, tables

_MALIGNANT = "Malignant Hyperthermia associated"
_OUTSIDE = {"HLA-A": "chr6", "HLA-B": "chr6", "MT-RNR1": "chrM"}
"""Genes without definitions by positions: called by other programs, judged by our tables."""

_FUNCTIONS = {"gene", "allele", "function", "activity_value"}
_RULES = {"gene", "key_type", "key", "phenotype"}
_DIPLOTYPES = {"gene", "diplotype", "phenotype"}

ATTRIBUTION = """\
The tables in this folder are facts about pharmacogenes published by ClinPGx (formerly PharmGKB), CPIC and PharmVar, and
distributed with PharmCAT. They were converted to tables; nothing else was changed. ClinPGx and PharmVar content is
licensed under the Creative Commons Attribution-ShareAlike 4.0 International licence (CC BY-SA 4.0), and so are these
tables: https://creativecommons.org/licenses/by-sa/4.0/legalcode. CPIC content is dedicated to the public domain
(CC0 1.0), and CPIC asks to be named: https://cpicpgx.org. The licence of cohelix's code does not extend to this folder,
nor does this one to the code.

ClinPGx: https://www.clinpgx.org. PharmVar: https://www.pharmvar.org.
PharmCAT: https://github.com/PharmGKB/PharmCAT.
"""


def import_reference(
    definitions: str,
    phenotypes: str,
    out: str,
    *,
    functions: str | None = None,
    rules: str | None = None,
    diplotypes: str | None = None,
    source: str = "clinpgx",
) -> dict[str, int]:
    """Write the folder `out` (its last part is the version) from the files of a release of PharmCAT.

    definitions: folder of <GENE>_translation.json and exemptions.json. phenotypes: folder of <GENE>.json; genes without
    one take theirs from `functions` and `rules`, where given (tables gene, allele, function, activity_value, source;
    and gene, key_type, key, phenotype, source), and HLA genes from `diplotypes` (CPIC's table gene, diplotype,
    phenotype, activity_score, plain or gz). Returns the number of genes, positions and alleles. Raises InputError for
    files that are not of this form, ConfigError where `out` is not new.
    """
    read: dict[str, bytes] = {}
    genes = {gene.symbol: gene for gene in _defined(_folder(definitions), _folder(phenotypes), read, source)}
    if not genes:
        raise InputError("expected files <GENE>_translation.json among the definitions, found none. Check the folder.")
    version = max(gene.version for gene in genes.values())
    of_outside = _json_genes(_folder(phenotypes), read, genes)
    for symbol, phenotype in of_outside.items():
        genes[symbol] = _outside(symbol, version, source, pharmcat.functions_of(phenotype),
                                 pharmcat.rules_of(symbol, phenotype)[1])  # fmt: skip
    if (functions is None) != (rules is None):
        raise ConfigError("functions and rules of the same genes belong together. Give --functions and --rules.")
    if functions and rules:
        said, judged = _table(functions, read, _FUNCTIONS), _table(rules, read, _RULES)
        genes = {symbol: _supplemented(gene, said, judged) for symbol, gene in genes.items()}
    if diplotypes:
        genes |= _hla(_table(diplotypes, read, _DIPLOTYPES), version, source)
    with appearing_whole(Path(out)) as folder:
        tables.write(list(genes.values()), folder)
        (folder / "LICENSE").write_text(ATTRIBUTION, encoding="utf-8")
        (folder / "SOURCE.toml").write_text(_said_of(folder, version, read), encoding="utf-8")
    return {
        "genes": len(genes),
        "positions": sum(len(gene.positions) for gene in genes.values()),
        "alleles": sum(len(gene.alleles) for gene in genes.values()),
    }


def _folder(path: str) -> Path:
    place = Path(path)
    if not place.is_dir():
        raise InputError("expected a folder of PharmCAT's JSON files, found none at that path. Check the path.")
    return place


def _content(path: Path, read: dict[str, bytes]) -> bytes:
    try:
        read[path.name] = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name[:60]} cannot be read ({type(error).__name__}).") from None
    return read[path.name]


def _json(path: Path, read: dict[str, bytes]) -> dict[str, Any]:
    try:
        found = json.loads(_content(path, read))
    except ValueError:
        raise InputError(f"expected JSON in {path.name[:60]}, found something else.") from None
    if not isinstance(found, dict):
        raise InputError(f"expected an object in {path.name[:60]}, found something else.")
    return found


def _defined(definitions: Path, phenotypes: Path, read: dict[str, bytes], source: str) -> Iterable[Gene]:
    exemptions = _json(definitions / "exemptions.json", read) if (definitions / "exemptions.json").exists() else {}
    for path in sorted(definitions.glob("*_translation.json")):
        symbol = path.name.removesuffix("_translation.json")
        of = phenotypes / f"{symbol}.json"
        yield pharmcat.gene_of(
            _json(path, read), exemptions.get(symbol), _json(of, read) if of.exists() else None, source=source
        )


def _json_genes(phenotypes: Path, read: dict[str, bytes], known: Mapping[str, Gene]) -> dict[str, dict[str, Any]]:
    """Phenotype files of genes that have no definition here (MT-RNR1)."""
    every = (_json(path, read) for path in sorted(phenotypes.glob("*.json")) if path.stem not in known)
    return {one["gene"]: one for one in every if one.get("gene") in _OUTSIDE}


def _outside(
    symbol: str, version: str, source: str, alleles: Mapping[str, NamedAllele], rules: tuple[Rule, ...]
) -> Gene:
    contig = _OUTSIDE[symbol]
    return Gene(
        symbol, contig, pharmcat.PLOIDY.get(contig, "autosome"), "outside", (), (), False, source, version,
        functions_only=tuple(alleles.values()), rules=rules,
    )  # fmt: skip


def _table(path: str, read: dict[str, bytes], columns: set[str]) -> list[dict[str, str]]:
    content = _content(Path(path), read)
    try:
        text = (gzip.decompress(content) if path.endswith(".gz") else content).decode()
    except (OSError, EOFError, UnicodeDecodeError):
        raise InputError(f"expected a table in {Path(path).name[:60]}, found what is none.") from None
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    reader = csv.DictReader(io.StringIO("\n".join(lines)), delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = list(reader)
    if not columns <= set(reader.fieldnames or ()) or any(None in row.values() for row in rows):
        raise InputError(
            f"expected the columns {', '.join(sorted(columns))} in every row of a table, found other ones."
        )
    return rows


def _supplemented(gene: Gene, functions: list[dict[str, str]], rules: list[dict[str, str]]) -> Gene:
    """`gene` with functions and rules of the tables, where its source has none of its own."""
    if gene.rules or any(allele.function for allele in gene.alleles):
        return gene
    spelled = {allele.name.replace(", ", "/"): allele.name for allele in gene.alleles}
    said = {}
    for row in functions:
        if row["gene"] == gene.symbol:
            name = spelled.get(row["allele"], row["allele"])
            said[name] = pharmcat.function_only(name, row["function"], row["activity_value"])
    if not said:
        return gene
    scored, found = _rules(gene.symbol, rules, {allele.function for allele in said.values()})
    said = {name: allele if _is_function(allele) else _worded(allele) for name, allele in said.items()}
    defined = {allele.name for allele in gene.alleles}
    return replace(
        gene,
        alleles=tuple(
            replace(one, function=said[one.name].function, activity=said[one.name].activity)
            if one.name in said
            else one
            for one in gene.alleles
        ),
        functions_only=tuple(allele for name, allele in said.items() if name not in defined),
        scored_by_activity=scored,
        rules=found,
    )


def _is_function(allele: NamedAllele) -> bool:
    return not allele.function.lstrip("≥").replace(".", "", 1).isdigit() and allele.function != "n/a"


def _worded(allele: NamedAllele) -> NamedAllele:
    """CPIC's word for an activity value, where the table repeats the value in place of the function; none for none."""
    value = allele.activity
    if value is None:
        return replace(allele, function="")
    word = "No function" if value == 0 else "Decreased function" if value < 1 else "Normal function"
    return replace(allele, function="Increased function" if value >= 2 else word)


def _rules(symbol: str, rules: list[dict[str, str]], functions: set[str]) -> tuple[bool, tuple[Rule, ...]]:
    own = [row for row in rules if row["gene"] == symbol]
    if any(row["key_type"] == "activity_score" for row in own):
        scores = {row["key"].lstrip("≥"): row["phenotype"] for row in own}
        return True, pharmcat.ranges({pharmcat.score_of(key): said for key, said in scores.items()})
    keyed = {row["key"]: row["phenotype"] for row in own}
    if f"any {_MALIGNANT}" in keyed:
        return False, _any_malignant(keyed, functions)
    return False, tuple(Rule(said, tuple(sorted(key.split(" + ")))) for key, said in sorted(keyed.items()))


def _any_malignant(keyed: Mapping[str, str], functions: set[str]) -> tuple[Rule, ...]:
    """One rule for each pair of functions: susceptible where either allele is associated."""
    pairs = sorted({tuple(sorted((one, other))) for one in functions for other in functions})
    return tuple(Rule(keyed[f"any {_MALIGNANT}" if _MALIGNANT in pair else "none"], pair) for pair in pairs)


def _hla(diplotypes: list[dict[str, str]], version: str, source: str) -> dict[str, Gene]:
    """HLA genes: whether an allele that matters is there."""
    found: dict[str, dict[str, NamedAllele]] = {}
    for row in diplotypes:
        if row["gene"].startswith("HLA-") and row["gene"] in _OUTSIDE:
            found.setdefault(row["gene"], {})[row["phenotype"]] = pharmcat.function_only(row["phenotype"], "", None)
    return {symbol: _outside(symbol, version, source, dict(sorted(alleles.items())), ())
            for symbol, alleles in found.items()}  # fmt: skip


def _said_of(folder: Path, version: str, read: Mapping[str, bytes]) -> str:
    lines = [
        "# Star alleles: definitions, functions and phenotype rules, made by `cohelix pgx import-reference`.",
        f'version = "{version}"',
        'publisher = "ClinPGx (PharmGKB), CPIC and PharmVar, as distributed with PharmCAT"',
        'url = "https://github.com/PharmGKB/PharmCAT"',
        'licence = "CC-BY-SA-4.0"',
    ]
    for name in sorted(read):
        lines += ["", "[[read]]", f'name = "{name}"', f'sha256 = "{hashlib.sha256(read[name]).hexdigest()}"']
    for path in sorted(folder.glob("*.tsv")):
        lines += [
            "",
            "[[file]]",
            f'path = "{path.name}"',
            f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"',
        ]
    return "\n".join(lines) + "\n"
