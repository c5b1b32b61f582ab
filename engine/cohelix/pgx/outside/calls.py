"""Files of outside calls, gathered by gene and person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.pgx.definition import Gene
from cohelix.pgx.outside import documents, tables
from cohelix.pgx.outside.answers import answer_of
from cohelix.pgx.outside.checked import Checked
from cohelix.pgx.outside.record import Record, Source
from cohelix.pgx.phenotype import Interpreter, Meaning, table
from cohelix.pgx.schema import ANSWERS


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
    if source.data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
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
            told, said, number = answer_of(checked, records)
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
