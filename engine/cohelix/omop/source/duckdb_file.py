"""Health records in a DuckDB file: `cohort.duckdb`, or `cohort.duckdb#schema`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.omop.source.cdm import digest_of_files
from cohelix.omop.source.sql import quoted, select, tables_by_name


class DuckReader:
    """Tables and views of one schema, opened for reading only. Rows come in the order in which the file has them."""

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        try:
            self._connection = duckdb.connect(str(path), read_only=True)
        except duckdb.Error:
            raise InputError(
                "cannot open the DuckDB file of health records: it is damaged, of another version, or in use by a "
                "program that writes to it."
            ) from None

    def tables(self) -> dict[str, str]:
        rows = self._connection.execute(
            "select table_name from information_schema.tables "
            "where table_catalog = current_database() and lower(table_schema) = lower(?) order by table_name",
            [self._schema],
        ).fetchall()
        return tables_by_name(name for (name,) in rows)

    def columns(self, name: str) -> list[str]:
        cursor = self._connection.execute(select("*", self._table(name)) + " limit 0")
        return [column[0] for column in cursor.description or ()]

    def n_rows(self, name: str) -> int:
        row = self._connection.execute(select("count(*)", self._table(name))).fetchone()
        return int(row[0]) if row else 0

    def batches(self, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        wanted = ", ".join(quoted(column) for column in columns)
        cursor = self._connection.cursor()  # of its own: several tables may be read at a time
        try:
            yield from cursor.sql(select(wanted, self._table(name))).to_arrow_reader(rows)
        except (duckdb.Error, pa.ArrowException):
            raise InputError(
                f"the table {name.lower()} of the DuckDB file cannot be read: the file is damaged."
            ) from None
        finally:
            cursor.close()

    def digest(self) -> str:
        return digest_of_files(self._path.parent, [self._path])

    def close(self) -> None:
        self._connection.close()

    def _table(self, name: str) -> str:
        return f"{quoted(self._schema)}.{quoted(name)}"
