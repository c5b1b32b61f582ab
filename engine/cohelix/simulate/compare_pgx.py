"""Star alleles against those that a cohort was made with: planted beside called, gene by gene, and why they differ.

Calls are read from their table, as anybody reads it. A person's two haplotypes of a gene are compared as an unordered
pair. What a call cannot know is told apart from what it has wrong: `CLASSES`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cohelix import storage
from cohelix.errors import InputError
from cohelix.simulate.folder import reading
from cohelix.simulate.star_alleles import Named, read_table

CLASSES = (
    "right",  # the call is what was planted
    "among",  # several diplotypes are equally good, and what was planted is one of them
    "candidate",  # what was planted is a candidate, and another one is better
    "no_call",  # and nothing is claimed
    "unseen",  # a position at which a planted haplotype differs from the reference is listed as missing
    "copies",  # right but for deleted or duplicated genes, which small variants do not show
    "crossed",  # a crossover inside the gene made a haplotype that has no name
    "ploidy",  # another number of haplotypes than the call has: another karyotype, or a sex that is reported wrong
    "poor",  # wrong, in a sample that is contaminated or of low coverage
    "wrong",
)
COLUMNS = ["sample_id", "gene", "status", "diplotypes", "candidates", "haplotypes", "missing"]
COPIES = re.compile(r"x\d+$")
"""What a name of several copies ends with."""

Pair = tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """People of a gene, by class. confused: people by (planted, called, class), of those that are not right."""

    gene: str
    n: int
    counts: dict[str, int]
    confused: dict[tuple[str, str, str], int]


@dataclass(frozen=True)
class _Copy:
    name: str
    copies: int
    crossed: bool


@dataclass(frozen=True)
class _Planted:
    """person: by sample id. poor: samples. copies: of (person, gene). variants: positions by gene and haplotype."""

    person: dict[str, int]
    poor: frozenset[str]
    copies: dict[tuple[int, str], list[_Copy]]
    variants: dict[tuple[str, str], frozenset[int]]
    references: dict[str, str]


def compare_pgx(cohort: Path, calls: Path) -> list[Line]:
    """For a folder of `cohelix pgx call`. Raises InputError where it is of other people, or damaged."""
    planted = _planted(cohort)
    counts: dict[str, Counter[str]] = {}
    confused: dict[str, Counter[tuple[str, str, str]]] = {}
    unknown = seen = 0
    for row in _rows(calls):
        person = planted.person.get(row["sample_id"])
        seen, unknown = seen + 1, unknown + (person is None)
        own = planted.copies.get((-1 if person is None else person, row["gene"]))
        if own is None:
            continue
        kind = class_of(row, own, planted, poor=row["sample_id"] in planted.poor)
        counts.setdefault(row["gene"], Counter())[kind] += 1
        if kind != "right":
            called = ";".join(row["diplotypes"] or row["haplotypes"] or [row["status"]])
            told = "/".join(sorted(copy.name for copy in own))
            confused.setdefault(row["gene"], Counter())[told, called, kind] += 1
    if unknown or not seen:
        raise InputError(
            f"expected calls of samples of this cohort, found {unknown} of {seen} rows of others. "
            "Give the cohort whose genotypes were called."
        )
    return [
        Line(gene, found.total(), {kind: found[kind] for kind in CLASSES}, dict(confused.get(gene, {})))
        for gene, found in sorted(counts.items())
    ]


def class_of(row: dict[str, Any], own: list[_Copy], planted: _Planted, *, poor: bool) -> str:
    """One of CLASSES, of a row of calls and what was planted: `own`, a copy each."""
    gene, status = row["gene"], row["status"]
    names = tuple(sorted(copy.name for copy in own))
    if status == "no_data" or status == "too_many_combinations" or status.startswith("no_call"):
        return "no_call"
    if status == "haplotypes":
        plain = {planted.references[gene]}
        if set(names) - plain == set(row["haplotypes"] or ()) - plain:
            return "right"
    best = _pairs(row["diplotypes"], planted, gene)
    if names in best:
        return "right" if len(best) == 1 else "among"
    if any(copy.copies != 1 for copy in own) and _as_seen(own) in best:
        return "copies"
    if any(copy.crossed for copy in own):
        return "crossed"
    if best and all(len(pair) != len(own) for pair in best):
        return "ploidy"
    if any(planted.variants.get((gene, name), frozenset()) & set(row["missing"] or ()) for name in names):
        return "unseen"
    if names in _pairs(row["candidates"], planted, gene):
        return "candidate"
    return "poor" if poor else "wrong"


def _as_seen(own: list[_Copy]) -> Pair:
    """What small variants show: a haplotype in several copies once, and the other one twice where one is deleted."""
    there = [COPIES.sub("", copy.name) if copy.copies > 1 else copy.name for copy in own if copy.copies]
    return tuple(sorted(there * 2 if len(there) == 1 and len(own) == 2 else there))


def _pairs(texts: list[str] | None, planted: _Planted, gene: str) -> list[Pair]:
    """Diplotypes as sorted names. A name may hold a slash, so one is split where what was planted is on a side."""
    return [_split(text, planted, gene) for text in texts or ()]


def _split(text: str, planted: _Planted, gene: str) -> Pair:
    parts = text.split("/")
    ways = [("/".join(parts[:k]), "/".join(parts[k:])) for k in range(1, len(parts))]
    known = [way for way in ways if any((gene, name) in planted.variants for name in way)]
    return tuple(sorted((known or ways)[0])) if ways else (text,)


def as_text(lines: Iterable[Line]) -> str:
    """A table: gene, people, and people by class; aligned."""
    rows = [["gene", "people", *CLASSES]]
    rows += [[line.gene, str(line.n), *(str(line.counts[kind]) for kind in CLASSES)] for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    aligned = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]
    return "".join("  ".join(row) + "\n" for row in aligned)


def write_confused(lines: Iterable[Line], path: Path) -> None:
    """A TSV of what is not right: gene, planted, called, class, people; the most frequent of a gene first."""
    rows = ["gene\tplanted\tcalled\tclass\tn_people"]
    for line in lines:
        for (planted, called, kind), n in sorted(line.confused.items(), key=lambda item: (-item[1], item[0])):
            rows.append(f"{line.gene}\t{planted}\t{called}\t{kind}\t{n}")
    storage.write(str(path), ("\n".join(rows) + "\n").encode())


def _rows(calls: Path) -> Iterable[dict[str, Any]]:
    parts = sorted(calls.glob("part-*.parquet"))
    if not parts:
        raise InputError(
            "expected part-*.parquet in the folder of calls, found none. Give a folder of cohelix pgx call."
        )
    for number, part in enumerate(parts):
        try:
            file = pq.ParquetFile(part)
            for batch in file.iter_batches(columns=COLUMNS):
                if missing := set(COLUMNS) - set(batch.schema.names):
                    raise LookupError(sorted(missing)[0])
                yield from batch.to_pylist()
        except (OSError, ValueError, LookupError) as error:
            raise InputError(
                f"expected part {number} of the calls as cohelix pgx call writes it, found it damaged "
                f"({type(error).__name__}). Check the path, or call again."
            ) from None


def _planted(cohort: Path) -> _Planted:
    with reading("truth/samples.parquet"):
        wanted = ["sample_id", "kind", "person", "contamination", "low_coverage"]
        samples = pq.ParquetFile(cohort / "truth" / "samples.parquet").read(wanted).to_pylist()
    with reading("truth/star_alleles.parquet"):
        stars = pq.ParquetFile(cohort / "truth" / "star_alleles.parquet").read().to_pylist()
        copies: dict[tuple[int, str], list[_Copy]] = {}
        for row in stars:
            copy = _Copy(row["allele"], row["copies"], row["crossed"])
            copies.setdefault((row["person"], row["gene"]), []).append(copy)
    with reading("cohort.json"):
        path = json.loads((cohort / "cohort.json").read_bytes())["params"]["cohort"]["star_alleles"]
    table: dict[str, list[Named]] = read_table(path) if path else {}
    return _Planted(
        {row["sample_id"]: row["person"] for row in samples},
        frozenset(row["sample_id"] for row in samples if row["contamination"] or row["low_coverage"]),
        copies,
        {
            (gene, one.name): frozenset(position + 1 for position, _, _ in one.variants)
            for gene, named in table.items()
            for one in named
        },
        {gene: next((one.name for one in named if one.is_reference), "*1") for gene, named in table.items()},
    )
