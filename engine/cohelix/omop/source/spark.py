"""Health records as tables of Spark SQL: `spark:database`.

Executors turn rows into Arrow batches, and the driver takes them one partition at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from cohelix.errors import InputError
from cohelix.omop.source.sql import digest_of_rows, quoted, tables_by_name
from cohelix.runtime.spark import SparkRuntime, session


class SparkReader:
    """Tables and views of one database of the Spark session of this process."""

    def __init__(self, database: str) -> None:
        SparkRuntime()  # a session whose executors run this Python
        self._session = session()
        self._database = database
        if not self._session.catalog.databaseExists(database):
            raise InputError("expected a database of health records in Spark, found none of that name.")

    def tables(self) -> dict[str, str]:
        found = sorted(
            table.name for table in self._session.catalog.listTables(self._database) if not table.isTemporary
        )
        return tables_by_name(found)

    def columns(self, name: str) -> list[str]:
        return list(self._table(name).columns)

    def n_rows(self, name: str) -> int:
        return int(self._table(name).count())

    def batches(self, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        key = "spark.sql.execution.arrow.maxRecordsPerBatch"
        before = self._session.conf.get(key)
        self._session.conf.set(key, str(rows))
        try:
            wanted = self._table(name).select(*(quoted(column, "`") for column in columns))
            packed = wanted.mapInArrow(_packed, "batch binary").toLocalIterator()
        finally:
            self._session.conf.set(key, before)
        for row in packed:
            with pa.ipc.open_stream(row["batch"]) as stream:
                yield from stream

    def digest(self) -> str:
        return digest_of_rows((name, self.columns(name), *self._sum(name)) for name in self.tables().values())

    def _sum(self, name: str) -> tuple[int, int]:
        row_as_text = "to_json(struct(*), map('ignoreNullFields', 'false'))"
        bits = f"cast(conv(substr(sha2({row_as_text}, 256), 1, 15), 16, 10) as decimal(38, 0))"
        row = self._table(name).selectExpr("count(*) as n", f"sum({bits}) as total").first()
        return int(row["n"]), int(row["total"] or 0)

    def _table(self, name: str) -> Any:
        return self._session.table(f"{quoted(self._database, '`')}.{quoted(name, '`')}")


def _packed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        yield pa.RecordBatch.from_arrays([pa.array([sink.getvalue().to_pybytes()], pa.binary())], names=["batch"])
