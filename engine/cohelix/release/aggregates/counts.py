"""Count tables: people by group, sex and age, and by what their health records, genes and scores say.

Every table divides the same people (see `strata`), so what is published of one is known when another is read: each is
protected with its frame, the people by stratum, taken for known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.omop.source import Cdm
from cohelix.release.aggregates.findings import phenotype_tables, quality_rows, score_rows
from cohelix.release.aggregates.occurrences import concept_counts
from cohelix.release.aggregates.strata import DIMS, Strata, strata_of
from cohelix.release.cells import harmless
from cohelix.release.disclosure.differencing import Compared
from cohelix.release.disclosure.private import Ledger, protect_noisy
from cohelix.release.disclosure.tables import PERSONS, CountTable, read, write
from cohelix.release.labels import Public, declassifier
from cohelix.release.people import People
from cohelix.release.schema import Inputs, MadeFile, ReleaseParams

FOLDER = "aggregates/counts"
EVERY = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
"""Margins of people by group, sex and age: all."""
ONE_WAY = EVERY[:4]
"""Of the people with a concept: in all, by group, by sex, by age."""

CONCEPTS = {
    "conditions": ("condition_occurrence", "condition_concept_id"),
    "drugs": ("drug_exposure", "drug_concept_id"),
    "measurements": ("measurement", "measurement_concept_id"),
}

PER_PERSON = 20
"""Concepts of a table that a person is counted for where counts have noise."""

Rows = list[dict[str, Any]]


@declassifier(Public)
def public(
    cdm: Cdm, people: People, inputs: Inputs, params: ReleaseParams, former: Path | None, folder: Path
) -> list[MadeFile]:
    """Count tables as TSV and Parquet, by files: persons, conditions, drugs, measurements, pgx, prs, quality.

    former: the aggregates of the release that this one supersedes; see `disclosure.differencing` for what follows.
    With `params.epsilon` all counts have noise, and there are no quantiles: see `noisy_files`.

    Raises DisclosureError where `params.differencing` is "refuse" and the two releases together tell of few people.
    """
    strata = strata_of(people, params)
    if strata.empty:
        return []
    if params.epsilon:
        return noisy_files(cdm, people, inputs, params, strata, former, folder)
    made = Making(folder, params, Compared(former, FOLDER, params))
    frame = CountTable("persons", DIMS, strata.categories, strata.frame, EVERY)
    carried = made.frame(frame)
    for name, (table, column) in CONCEPTS.items():
        if table in cdm.tables():
            tables = _concept_tables(cdm, people, strata, params, table, column, folder / ".pairs")
            made.tables(name, ("concept_id",), DIMS, tables, carried, _names_of(cdm))
    if inputs.pgx:
        tables = phenotype_tables(inputs.pgx, people, strata, params.least)
        made.tables("pgx", ("gene",), ("phenotype", "group"), tables, carried)
    if inputs.prs or inputs.prs_adjusted:
        rows = score_rows(inputs.prs, inputs.prs_adjusted, people, strata, params.least)
        made.numbers("prs", ("score", "measure"), rows, carried)
    if inputs.samples_qc:
        made.numbers("quality", ("metric",), quality_rows(inputs.samples_qc, people, strata, params.least), carried)
    return made.files


class Making:
    """Tables written one after the other, each compared with the former release."""

    def __init__(self, folder: Path, params: ReleaseParams, compared: Compared) -> None:
        self._folder, self._params, self._compared = folder, params, compared
        self.files: list[MadeFile] = []

    def frame(self, table: CountTable) -> bool:
        """Write the people by stratum. True where the former release's stay: then all its tables do."""
        rows, carried = self._compared.frame(table)
        self.write("persons", (), DIMS, [({}, rows)])
        return carried

    def tables(
        self,
        name: str,
        keys: tuple[str, ...],
        dims: tuple[str, ...],
        tables: Iterable[CountTable],
        carried: bool,
        named: dict[int, str] | None = None,
    ) -> None:
        """Write tables of one kind below one another. keys: the column of a table's name."""
        self.units(name, keys, dims, self._compared.tables(name, keys[0], dims, tables, carried), named)

    def units(
        self,
        name: str,
        keys: tuple[str, ...],
        dims: tuple[str, ...],
        units: Iterable[tuple[str, Rows]],
        named: dict[int, str] | None = None,
    ) -> None:
        """Write rows of tables. named: names of concepts, where tables are of concepts."""
        if named is None:
            self.write(name, keys, dims, (({keys[0]: unit}, rows) for unit, rows in units))
            return
        titled = (({keys[0]: unit, "concept_name": named.get(int(unit), "")}, rows) for unit, rows in units)
        self.write(name, (*keys, "concept_name"), dims, titled)

    def numbers(self, name: str, keys: tuple[str, ...], rows: Iterable[dict[str, Any]], carried: bool) -> None:
        """Write quantiles."""
        kept = self._compared.numbers(name, keys, rows, carried)
        columns = {key: pa.array([row[key] for row in kept], pa.string()) for key in (*keys, "group")}
        columns["persons_up_to"] = pa.array([row["persons_up_to"] for row in kept], pa.int64())
        columns["share"] = pa.array([row["share"] for row in kept], pa.float64())
        columns["value"] = pa.array([row["value"] for row in kept], pa.float64())
        self.add(name, columns)

    def write(
        self, name: str, keys: tuple[str, ...], dims: tuple[str, ...], units: Iterable[tuple[dict[str, str], Rows]]
    ) -> None:
        held: dict[str, list[Any]] = {column: [] for column in (*keys, *dims, PERSONS)}
        for key, rows in units:
            for row in rows:
                for column, values in held.items():
                    values.append(key[column] if column in key else row[column])
        columns = {
            column: pa.array([int(one) for one in values] if column == "concept_id" else values, _type(column))
            for column, values in held.items()
        }
        self.add(name, columns)

    def add(self, name: str, columns: dict[str, pa.Array]) -> None:
        path = self._folder / f"{name}.tsv"
        rows = write(columns, path)
        for one in (path, path.with_suffix(".parquet")):
            self.files.append(MadeFile(f"{FOLDER}/{one.name}", one, rows, f"counts.{name}"))


def noisy_files(
    cdm: Cdm,
    people: People,
    inputs: Inputs,
    params: ReleaseParams,
    strata: Strata,
    former: Path | None,
    folder: Path,
) -> list[MadeFile]:
    """The tables with noise, each with an equal part of the budget, and what they cost (privacy.tsv).

    Each person is counted for at most `PER_PERSON` concepts of a table. Which strata and concepts there are follows
    from the smallest count that is published, not from the budget. What was drawn is kept beside `folder`, so that a
    release that was stopped draws no second time.
    """
    kinds: dict[str, Iterable[CountTable]] = {"persons": [CountTable("", DIMS, strata.categories, strata.frame, EVERY)]}
    for name, (table, column) in CONCEPTS.items():
        if table in cdm.tables():
            work = folder / ".pairs"
            kinds[name] = _concept_tables(cdm, people, strata, params, table, column, work, PER_PERSON)
    if inputs.pgx:
        kinds["pgx"] = phenotype_tables(inputs.pgx, people, strata, params.least)
    ledger = Ledger(folder.parent / f".{folder.name}.noise", params.epsilon)
    made = Making(folder, params, Compared(None, FOLDER, params))
    for name, tables in kinds.items():
        listed = list(tables)
        per_table = 1 if name == "persons" else len(listed) if name == "pgx" else PER_PERSON
        changes = max((len(one.margins) - len(one.given) for one in listed), default=1) * per_table
        values = np.concatenate([np.zeros(0, np.int64), *(one.values for one in listed)])
        drawn = ledger.draw(name, values, params.epsilon / len(kinds), max(1, changes))
        ends = np.cumsum([len(one.values) for one in listed])[:-1]
        units = [
            (one.name, protect_noisy(one, part, params.least).rows())
            for one, part in zip(listed, np.split(drawn, ends) if listed else [], strict=True)
        ]
        if name == "persons":
            made.write(name, (), DIMS, [({}, units[0][1])])
        elif name == "pgx":
            made.units(name, ("gene",), ("phenotype", "group"), units)
        else:
            made.units(name, ("concept_id",), DIMS, units, _names_of(cdm))
    made.add("privacy", _budget(ledger, former))
    return made.files


def _budget(ledger: Ledger, former: Path | None) -> dict[str, pa.Array]:
    """What each table cost in this release, and with those before it."""
    path = None if former is None else former / FOLDER / "privacy.tsv"
    before = {row["table"]: row["epsilon_so_far"] for row in read(path)} if path is not None and path.is_file() else {}
    spent = ledger.spent()
    tables = sorted({*before, *spent})
    now = [spent.get(table, 0.0) for table in tables]
    return {
        "table": pa.array(tables, pa.string()),
        "epsilon": pa.array(now, pa.float64()),
        "epsilon_so_far": pa.array([before.get(table, 0.0) + e for table, e in zip(tables, now, strict=True)]),
    }


def _type(column: str) -> pa.DataType:
    return pa.int64() if column in ("concept_id", PERSONS) else pa.string()


def _concept_tables(
    cdm: Cdm, people: People, strata: Strata, params: ReleaseParams, table: str, column: str, work: Path, most: int = 0
) -> Iterator[CountTable]:
    """People who have a concept, for concepts that `least` people of the tables have; others are not named."""
    counts = concept_counts(cdm, table, column, people.person, strata.cell, strata.frame.size, params.tables_rows, work)
    for concept, by_cell in counts:
        if by_cell.sum() >= params.least:
            shaped = by_cell.reshape(strata.frame.shape)
            yield CountTable(str(concept), DIMS, strata.categories, shaped, ONE_WAY, strata.frame)


def _names_of(cdm: Cdm) -> dict[int, str]:
    """Names of concepts, as the vocabulary has them."""
    if "concept" not in cdm.tables():
        return {}
    batches = (
        zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
        for batch in cdm.batches("concept", ("concept_id", "concept_name"))
    )
    named = ((number, str(name)) for number, name in chain.from_iterable(batches) if number is not None and name)
    return {int(number): harmless(name) for number, name in named}
