"""OMOP tables of a made cohort, a block of persons at a time: memory does not grow with the cohort.

`make_block` knows nothing of other blocks, and may run in any process; `OmopWriter` numbers the rows and appends them.
A person's rows are the same in a cohort of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from cohelix.simulate.omop import cdm, events, measured, persons, vocabulary
from cohelix.simulate.omop.columns import Columns, table
from cohelix.simulate.omop.lives import Health, live
from cohelix.simulate.people.person import Person
from cohelix.simulate.schema import OmopParams

TABLES = (
    "person", "observation_period", "visit_occurrence", "condition_occurrence", "drug_exposure", "measurement",
    "observation", "specimen", "death",
)  # fmt: skip
SMALL = ("cdm_source", "concept", "concept_ancestor")
VISIT_KEYS = ("visit_occurrence_id", "preceding_visit_occurrence_id")
BLOCKS = 10  # in a row group: of 1,000 persons
LINKS = "links.parquet"


@dataclass(frozen=True)
class Block:
    """Rows of a block of persons: a `pyarrow.Table` for each of TABLES, and `links` (see `links_schema`).

    Row ids count from 1 in the block.
    """

    tables: dict[str, Any]
    links: Any


def links_schema() -> Any:
    """Truth: whose each specimen is. kind: "wgs", "array", "none" where no file has the sample. person: its number."""
    import pyarrow as pa

    return pa.schema([
        ("sample_id", pa.string()), ("kind", pa.string()), ("specimen_id", pa.int32()), ("person_id", pa.int32()),
        ("person", pa.int32()), ("withdrawn", pa.bool_()), ("role", pa.string()),
    ])  # fmt: skip


def make_block(block: Sequence[Person], health: Health, params: OmopParams, seed: int) -> Block:
    """All rows of a block of persons.

    Raises ContractError where `health` is not aligned with `block`, ConfigError for births after the last year.
    """
    lives = live(block, health, params, seed)
    specimens, links = persons.specimen(block, lives, params)
    columns = {
        "person": persons.person(block, lives),
        "observation_period": persons.observation_period(lives),
        "visit_occurrence": events.visits(lives),
        "condition_occurrence": events.conditions(lives),
        "drug_exposure": events.drugs(lives),
        "measurement": measured.measurements(lives),
        "observation": persons.observation(block, lives),
        "specimen": specimens,
        "death": persons.death(lives),
    }
    tables = {name: table(columns[name], cdm.arrow_schema(name)) for name in TABLES}
    return Block(tables, table(links, links_schema()))


class OmopWriter:
    """Writes `folder`/<table>.parquet or .csv for TABLES and SMALL; and the truth, where `links` names a file for it.

    Use as a context manager. Blocks come in order; files are whole when it is left without an exception.
    """

    def __init__(self, folder: Path, params: OmopParams, seed: int, links: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._params, self._seed = params, seed
        self._sinks = {name: _sink(folder, name, cdm.arrow_schema(name), params.format) for name in TABLES}
        if links is not None:
            self._sinks["links"] = _Parquet(links, links_schema())
        self._folder = folder
        self._rows = dict.fromkeys(TABLES, 0)
        self._waiting: list[Block] = []

    def add(self, block: list[Person], health: Health) -> None:
        """Makes and appends the rows of the next persons."""
        if block:
            self.append(make_block(block, health, self._params, self._seed))

    def append(self, block: Block) -> None:
        """Appends rows that `make_block` has made, here or in another process."""
        self._waiting.append(self._numbered(block))
        if len(self._waiting) == BLOCKS:
            self._flush()

    def _numbered(self, block: Block) -> Block:
        """The block with row ids that go on where the former block ended."""
        numbered = {}
        for name, rows in block.tables.items():
            owners = {cdm.primary_key(name): name} | dict.fromkeys(VISIT_KEYS, "visit_occurrence")
            for key, owner in owners.items():
                if key in rows.column_names and key != "person_id":
                    rows = _moved(rows, key, self._rows[owner])
            numbered[name] = rows
        links = _moved(block.links, "specimen_id", self._rows["specimen"])
        for name, rows in block.tables.items():
            self._rows[name] += rows.num_rows
        return Block(numbered, links)

    def _flush(self) -> None:
        import pyarrow as pa

        for name, sink in self._sinks.items():
            parts = [block.links if name == "links" else block.tables[name] for block in self._waiting]
            if parts:
                sink.write(pa.concat_tables(parts))
        self._waiting = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
                for name, columns in _small_tables(self._params).items():
                    schema = cdm.arrow_schema(name)
                    sink = _sink(self._folder, name, schema, self._params.format)
                    sink.write(table(columns, schema))
                    sink.close()
        finally:
            for sink in self._sinks.values():
                sink.close()


def _moved(rows: Any, key: str, by: int) -> Any:
    """A `pyarrow.Table` with `by` added to a column of ids. Raises where they no longer fit 31 bits."""
    import pyarrow.compute as pc

    place = rows.schema.get_field_index(key)
    return rows.set_column(place, rows.schema.field(place), pc.add_checked(rows[key], np.int32(by)))


class _Parquet:
    def __init__(self, path: Path, schema: Any) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def write(self, rows: Any) -> None:
        self._writer.write_table(rows, row_group_size=max(1, rows.num_rows))

    def close(self) -> None:
        self._writer.close()


class _Csv:
    """Lower-case header, ISO dates, nothing for null, strings in quotes."""

    def __init__(self, path: Path, schema: Any) -> None:
        import pyarrow as pa
        import pyarrow.csv

        # Seconds are all that is known, and Arrow writes as many digits as the type has.
        seconds = pa.timestamp("s")
        fields = [field.with_type(seconds) if pa.types.is_timestamp(field.type) else field for field in schema]
        self._schema = pa.schema(fields)
        self._file = path.open("wb")
        self._file.write((",".join(schema.names) + "\n").encode())
        options = pyarrow.csv.WriteOptions(include_header=False)  # Arrow's has quotes
        self._writer = pyarrow.csv.CSVWriter(self._file, self._schema, write_options=options)

    def write(self, rows: Any) -> None:
        # Arrow 26 writes what lies in memory for an empty piece before one with rows (apache/arrow#37903).
        if rows.num_rows:
            self._writer.write_table(rows.combine_chunks().cast(self._schema))

    def close(self) -> None:
        self._writer.close()
        self._file.close()


def _sink(folder: Path, name: str, schema: Any, form: str) -> _Parquet | _Csv:
    return (_Parquet if form == "parquet" else _Csv)(folder / f"{name}.{form}", schema)


def _small_tables(params: OmopParams) -> dict[str, Columns]:
    """Columns of the tables that do not depend on persons."""
    concepts, ancestors = vocabulary.rows("concepts"), vocabulary.rows("ancestors")
    release = [date(params.last_year, 12, 31)]
    read: dict[str, Callable[[str], Any]] = {"integer": int, "date": date.fromisoformat}
    return {
        "cdm_source": {
            "cdm_source_name": ["cohelix simulated cohort"],
            "cdm_source_abbreviation": ["cohelix-simulated"],
            "cdm_holder": ["nobody: these people do not exist"],
            "source_description": ["Health records made by cohelix simulate cohort."],
            "source_release_date": release,
            "cdm_release_date": release,
            "cdm_version": [f"v{cdm.VERSION}.0"],
            "cdm_version_concept_id": [vocabulary.CDM_5_4],
            "vocabulary_version": ["excerpt"],
        },
        "concept": {
            field.name: [read.get(field.type, str)(row[field.name]) if row[field.name] else None for row in concepts]
            for field in cdm.tables()["concept"]
        },
        "concept_ancestor": {
            field.name: [int(row[field.name]) for row in ancestors] for field in cdm.tables()["concept_ancestor"]
        },
    }
