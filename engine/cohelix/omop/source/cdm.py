"""One way to read health records: tables by name, in batches, with the columns and types of the OMOP CDM 5.4."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from cohelix.dataset import digest_of
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.omop import arrow_schema
from cohelix.omop.tables import fields


class Reader(Protocol):
    """A store of tables. Names are as the store has them."""

    def tables(self) -> dict[str, str]:
        """The store's name of each table, by its name in lower case."""

    def columns(self, name: str) -> list[str]:
        """Columns of a table, as the store names them."""

    def n_rows(self, name: str) -> int:
        """Rows of a table."""

    def batches(self, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """A table's columns, so many rows at a time, never all of it at once."""

    def digest(self) -> str:
        """sha256 (hex) that tells these records from others."""


class Cdm:
    """Health records. Names are in lower case; what the CDM does not know is left out, and counted in `strange`."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        there = reader.tables()
        self._names = {table: there[table] for table in fields() if table in there}
        if "person" not in self._names:
            raise InputError("expected health records with a table PERSON, found none. Check the path.")
        self._columns = {table: _by_name(table, reader.columns(name)) for table, name in self._names.items()}
        self.strange: dict[str, int] = self._strange(len(there) - len(self._names))

    def tables(self) -> list[str]:
        return list(self._names)

    def columns(self, table: str) -> list[str]:
        """Columns of the CDM that the source has."""
        there = self._there(table)
        return [field.name for field in fields()[table] if field.name in there]

    def unknown(self, table: str) -> int:
        """How many columns of the source the CDM does not have."""
        return len(self._there(table)) - len(self.columns(table))

    def n_rows(self, table: str) -> int:
        self._there(table)
        return self._reader.n_rows(self._names[table])

    def raw(self, table: str, columns: Sequence[str], rows: int = 500_000) -> Iterator[pa.RecordBatch]:
        """Batches as the source has them, whatever the types. columns: such as `columns` gives, in any order."""
        there = self._there(table)
        wanted = [there[name] for name in columns]
        for batch in self._reader.batches(self._names[table], wanted, rows):
            yield pa.RecordBatch.from_arrays([batch.column(name) for name in wanted], names=list(columns))

    def batches(
        self, table: str, columns: Sequence[str] | None = None, rows: int = 500_000
    ) -> Iterator[pa.RecordBatch]:
        """Batches of at most so many rows, with the CDM's types; an optional column that is not there is null.

        Integers are int64. InputError where the table or a required column is not there, or a value is of another type.
        """
        schema = arrow_schema(table)
        there = self._there(table)
        wanted = [schema.field(name) for name in (columns or schema.names)]
        for field in wanted:
            if field.name not in there and not field.nullable:
                raise InputError(f"expected the column {field.name} in the table {table}, found none.")
        target = pa.schema([_wide(field) for field in wanted])
        have = [field.name for field in target if field.name in there]
        first = 0
        for batch in self.raw(table, have or self.columns(table)[:1], rows):
            arrays = [
                _conformed(batch.column(field.name), field, table, first)
                if field.name in there
                else pa.nulls(batch.num_rows, field.type)
                for field in target
            ]
            first += batch.num_rows
            yield pa.RecordBatch.from_arrays(arrays, schema=target)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A whole table. For small ones, or few columns."""
        schema = arrow_schema(table)
        target = pa.schema([_wide(schema.field(name)) for name in (columns or schema.names)])
        return pa.Table.from_batches(self.batches(table, columns), schema=target)

    def digest(self) -> str:
        return self._reader.digest()

    def close(self) -> None:
        """Let a database go. Folders need none."""
        close = getattr(self._reader, "close", None)
        if close is not None:
            close()

    def _there(self, table: str) -> dict[str, str]:
        if table not in self._names:
            raise InputError(f"expected the table {table} in the health records, found none.")
        return self._columns[table]

    def _strange(self, tables: int) -> dict[str, int]:
        names = [one for columns in self._columns.values() for one in columns.values()]
        return {
            "tables that the CDM does not have": tables,
            "columns that the CDM does not have": sum(map(self.unknown, self._names)),
            "columns whose names have blanks around them": sum(one != one.strip() for one in names),
        }


def open_cdm(spec: str) -> Cdm:
    """Health records: a folder of Parquet or CSV files, a DuckDB file, a PostgreSQL or Spark database.

    ConfigError for a form that is not known.
    """
    path, _, schema = spec.partition("#")
    if Path(spec).is_dir():
        from cohelix.omop.source.folder import FolderReader

        return Cdm(FolderReader(Path(spec)))
    if spec.startswith(("postgresql:", "postgres:")):
        from cohelix.omop.source.postgres import PostgresReader

        return Cdm(PostgresReader(spec))
    if spec.startswith("spark:"):
        from cohelix.omop.source.spark import SparkReader

        return Cdm(SparkReader(spec.removeprefix("spark:")))
    if path.endswith((".duckdb", ".db")) and Path(path).is_file():
        from cohelix.omop.source.duckdb_file import DuckReader

        return Cdm(DuckReader(Path(path), schema or "main"))
    raise ConfigError(
        "expected health records as a folder of Parquet or CSV, a file x.duckdb or x.duckdb#schema, "
        "postgresql://user@host/database?schema=cdm, or spark:database, found none of these. Check the path."
    )


def _by_name(table: str, columns: Sequence[str]) -> dict[str, str]:
    """The source's names of columns, by their names in lower case without the blanks around them."""
    named = {plain_name(name): name for name in columns}
    if len(named) < len(columns):
        raise InputError(f"two columns of the table {table} have the same name. Rename one.")
    return named


def plain_name(column: str) -> str:
    """A column's name as the CDM writes it: in lower case, without the blanks around it."""
    return column.strip().lower()


def _wide(field: pa.Field) -> pa.Field:
    return pa.field(field.name, pa.int64() if pa.types.is_integer(field.type) else field.type)


def _conformed(array: pa.Array, field: pa.Field, table: str, first: int) -> pa.Array:
    try:
        return conform(array, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(
            f"expected {field.type} in the column {field.name} of {table}, found something else in rows {first + 1} to "
            f"{first + len(array)}. `cohelix omop validate` counts them. Correct them."
        ) from None


def conform(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """A column as a type of the CDM. An empty text, or NaN for a whole number, is null.

    A time of day is dropped where the CDM has a date, and what is finer than a millisecond where it has a datetime.
    ArrowInvalid or ArrowNotImplementedError where a value is of another type.
    """
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    if pa.types.is_string(array.type) and not pa.types.is_string(kind):
        array = pc.utf8_trim_whitespace(array)
        array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
        if pa.types.is_date(kind):
            array = pc.utf8_slice_codeunits(array, 0, 10)
        if pa.types.is_timestamp(kind):
            array = array.cast(pa.timestamp("us"))
        if pa.types.is_integer(kind):
            array = pc.replace_substring_regex(array, r"\.0+$", "")
    if pa.types.is_floating(array.type) and pa.types.is_integer(kind):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    if pa.types.is_timestamp(array.type) and array.type.tz not in (None, "UTC"):
        array = pc.local_timestamp(array)  # the day and hour that whoever asks the database sees
    if pa.types.is_timestamp(array.type) and (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        return array.cast(kind, safe=False)
    return array.cast(kind)


def digest_of_files(folder: Path, files: Sequence[Path]) -> str:
    found = []
    for path in files:
        with path.open("rb") as handle:
            found.append((path.relative_to(folder).as_posix(), hashlib.file_digest(handle, "sha256").hexdigest()))
    return digest_of(sorted(found))
