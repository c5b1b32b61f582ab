"""Calls of other programs, which stand before ours: CYP2D6 from reads, HLA and MT-RNR1, laboratory results.

Read are PharmCAT's outside calls and a table of many people, and the results of Cyrius, DRAGEN, Aldy and pypgx.
Diplotypes are judged by our rules, whatever the other program says of them; a phenotype or an activity score counts
as it is where a person has stated it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.pgx.definition import Gene
from cohelix.pgx.outside import documents, tables
from cohelix.pgx.outside.checked import Checked
from cohelix.pgx.outside.record import Record, Source
from cohelix.pgx.phenotype import Interpreter, Meaning, judge, table
from cohelix.pgx.phenotype.alleles import units
from cohelix.pgx.phenotype.wording import normal_phenotype
from cohelix.pgx.schema import ANSWERS

__all__ = ["OutsideCalls", "OutsideGene", "read_outside"]

_COUNTED = "CYP2D6"
"""The gene whose copies are told by its alleles' names; *5 is none."""
_DELETED = "*5"


@dataclass(frozen=True)
class OutsideGene:
    """Calls of k people at one gene. sample_ids (k,). answers: `ANSWERS`, status outside, each distinct one once.

    answer int32 (k,): row of `answers`, and of `meanings` (`PHENOTYPES`). copy_number int32 (k,): -1 where not said.
    tool (k,): the program.
    """

    gene: str
    sample_ids: tuple[str, ...]
    answers: pa.Table
    answer: np.ndarray
    meanings: pa.Table
    copy_number: np.ndarray
    tool: tuple[str, ...]


@dataclass(frozen=True)
class OutsideCalls:
    """skipped: by gene that is not among ours, how many calls a program made of it."""

    by_gene: dict[str, OutsideGene]
    skipped: dict[str, int]

    @property
    def genes(self) -> tuple[str, ...]:
        return tuple(sorted(self.by_gene))

    def of(self, symbol: str) -> OutsideGene | None:
        return self.by_gene.get(symbol)


def read_outside(paths: Sequence[str], genes: dict[str, Gene]) -> OutsideCalls:
    """Calls of the files at `paths`, for `genes`.

    Raises InputError for a gene or an allele that is not known, a file of no known kind, and a person called at one
    gene by two files. A message tells the file's place among `paths` and the row: names of files hold those of people.
    """
    kept: dict[str, dict[str, list[Record]]] = {}
    skipped: dict[str, int] = {}
    for file, path in enumerate(paths, 1):
        for record in _records(Source.read(file, path)):
            if record.gene not in genes:
                _not_ours(record, genes)
                skipped[record.gene] = skipped.get(record.gene, 0) + 1
                continue
            people = kept.setdefault(record.gene, {})
            before = people.setdefault(record.sample_id, [])
            if before and before[0].file != record.file:
                raise InputError(
                    f"{record.where.capitalize()}: {record.gene} of this person was called in {before[0].where} too. "
                    "Keep one of the two."
                )
            before.append(record)
    return OutsideCalls({symbol: _of_gene(genes[symbol], people) for symbol, people in kept.items()}, skipped)


def _records(source: Source) -> Iterator[Record]:
    if source.data[:4] == b"PK\x03\x04":
        return documents.read_zip(source)
    if source.data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") and source.path.removesuffix(".gz").endswith(
        "json"
    ):
        return documents.read_json(source)
    return tables.read(source)


def _not_ours(record: Record, genes: dict[str, Gene]) -> None:
    if record.named:
        raise InputError(
            f"{record.where.capitalize()}: a gene was expected that is called here: {', '.join(sorted(genes))}. "
            "Another one is there. Correct the row or leave it out."
        )


def _of_gene(gene: Gene, people: dict[str, list[Record]]) -> OutsideGene:
    interpreter = Interpreter(gene)
    checked = Checked(interpreter)
    rows: dict[tuple[object, ...], int] = {}
    answers: list[dict[str, object]] = []
    meanings: list[list[Meaning]] = []
    copies: list[int] = []
    answer = np.empty(len(people), np.int32)
    for person, records in enumerate(people.values()):
        key = tuple((r.diplotypes, r.phenotype, r.activity_score, r.warnings, r.unassigned, r.tool) for r in records)
        if key not in rows:
            rows[key] = len(answers)
            told, said, number = _answer(checked, records)
            answers.append(told)
            meanings.append(said)
            copies.append(number)
        answer[person] = rows[key]
    return OutsideGene(
        gene.symbol,
        tuple(people),
        pa.Table.from_pylist(answers, schema=ANSWERS),
        answer,
        table(meanings),
        np.array(copies, np.int32)[answer],
        tuple(records[0].tool for records in people.values()),
    )


def _answer(checked: Checked, records: Sequence[Record]) -> tuple[dict[str, object], list[Meaning], int]:
    """What the records of one person say together: a row of `ANSWERS`, what it means, and the number of copies."""
    diplotypes: list[str] = []
    meanings: list[Meaning] = []
    warnings: list[str] = []
    for record in records:
        named = []
        for text in record.diplotypes:
            found, changed = checked.diplotype(text, record)
            named.append(found)
            warnings += changed
        warnings += record.warnings
        meanings += _meant(checked.interpreter, record, named, warnings)
        diplotypes += named
    if not meanings:
        warnings.append(f"{records[0].tool} made no call")
    diplotypes = list(dict.fromkeys(diplotypes))
    numbers = {_copies(checked.gene, one) for one in diplotypes}
    told: dict[str, object] = {
        "status": "outside",
        "diplotypes": diplotypes,
        "scores": [],
        "n_top": len(diplotypes),
        "haplotypes": [],
        "warnings": list(dict.fromkeys(warnings)),
    }
    return told, list(dict.fromkeys(meanings)), numbers.pop() if len(numbers) == 1 else -1


def _meant(interpreter: Interpreter, record: Record, diplotypes: list[str], warnings: list[str]) -> list[Meaning]:
    """The meanings of a record's diplotypes, or what it states in their place, with a warning where they differ."""
    if record.unassigned:
        found = [_of_copies(interpreter, text) for text in diplotypes]
    else:
        found = judge(interpreter, diplotypes)
    phenotype = normal_phenotype(record.phenotype, interpreter.gene.symbol) if record.phenotype else None
    score = _score(record)
    if phenotype is None and score is None:
        return found
    return [_stated(interpreter, one, phenotype, score, warnings) for one in found or [Meaning(None)]]


def _stated(
    interpreter: Interpreter, found: Meaning, phenotype: str | None, score: float | None, warnings: list[str]
) -> Meaning:
    """`found` with the phenotype and the activity score that were stated: these count."""
    if not interpreter.gene.scored_by_activity:
        score = None
    if score is not None:
        if found.reported and found.activity_score != score:
            warnings.append(f"activity score {score} was stated, {found.activity_score} is expected")
        by_score = interpreter.of_score(score)
        if phenotype is not None and phenotype != by_score:
            warnings.append(f"{phenotype} was stated, {by_score} is expected of the activity score")
        return replace(found, activity_score=score, phenotype=phenotype or by_score)
    if phenotype is None or phenotype == found.phenotype:
        return found
    if found.reported:
        warnings.append(f"{phenotype} was stated, {found.phenotype} is expected of {found.reported}")
    return replace(found, phenotype=phenotype, activity_score=None)


def _score(record: Record) -> float | None:
    """The stated activity score; the least it may be of "≥3.0"."""
    text = (record.activity_score or "").lstrip("≥>=").strip()
    if text.lower() in ("", ".", "n/a", "na"):
        return None
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 <= score < 100:
        raise InputError(
            f"{record.where.capitalize()}: an activity score was expected. Write a number from 0 to 100 such as "
            "1.25, or leave it empty."
        )
    return score


def _of_copies(interpreter: Interpreter, text: str) -> Meaning:
    """Of copies on unknown chromosomes: the activity is the same however they lie."""
    if not interpreter.gene.scored_by_activity:
        return Meaning(text)
    values = [interpreter.allele(name).activity for name in text.split("_")]
    score = None if None in values else float(sum(value for value in values if value is not None))
    return Meaning(text, None, None, score, interpreter.of_score(score))


def _copies(gene: Gene, diplotype: str) -> int:
    """How many copies of the gene the alleles name; -1 where they do not tell."""
    if gene.symbol != _COUNTED or "[" in diplotype:
        return -1
    every = [unit for name in diplotype.replace("_", "/").split("/") for unit in units(name)]
    if any(unit.at_least for unit in every):
        return -1
    return sum(unit.copies for unit in every if unit.base != _DELETED)
