"""Health records in PostgreSQL: `postgresql://user@host/database?schema=cdm`.

All tables are read in one transaction that changes nothing and sees one state of the database, through COPY in
batches. A password comes from PGPASSWORD or ~/.pgpass, never from an argument: arguments are seen by others.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pyarrow as pa
from adbc_driver_postgresql import StatementOptions, dbapi  # type: ignore[import-untyped] # it publishes no types

from cohelix.errors import ConfigError, InputError
from cohelix.omop.source.sql import digest_of_rows, quoted, select, tables_by_name

_BYTES_A_ROW = 256
_SECRETS = {"password", "sslpassword", "passfile"}


class PostgresReader:
    """Tables and views of one schema."""

    def __init__(self, spec: str) -> None:
        self._address, self._schema = split_address(spec)
        self._connection = self._connect("")
        self._close = weakref.finalize(self, self._connection.close)
        self._moment = str(self._rows("select pg_export_snapshot()")[0][0])

    def _connect(self, moment: str) -> Any:
        """A connection in a transaction that writes nothing. moment: of another one, "" for now."""
        connection = None
        try:
            connection = dbapi.connect(self._address)
            with connection.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read, read only")
                if moment:
                    cursor.execute(f"set transaction snapshot '{moment}'")
                # Numbers and dates as texts must not depend on who asks: digests are made of them.
                cursor.execute("set local timezone to 'UTC'")
                cursor.execute("set local datestyle to 'ISO, YMD'")
                cursor.execute("set local extra_float_digits to 1")
        except dbapi.Error:
            if connection is not None:
                connection.close()
            raise InputError(
                "cannot open the PostgreSQL database of health records. Check host, database and user; a password is "
                "read from PGPASSWORD or ~/.pgpass."
            ) from None
        return connection

    def tables(self) -> dict[str, str]:
        rows = self._rows(
            "select c.relname::text from pg_catalog.pg_class c "
            "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
            "where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = $1 order by 1",
            self._schema,
        )
        return tables_by_name(name for (name,) in rows)

    def columns(self, name: str) -> list[str]:
        rows = self._rows(
            "select a.attname::text from pg_catalog.pg_attribute a "
            "where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum",
            self._table(name),
        )
        return [column for (column,) in rows]

    def n_rows(self, name: str) -> int:
        return int(self._rows(select("count(*)", self._table(name)))[0][0])

    def batches(self, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        wanted = ", ".join(quoted(column) for column in columns)
        options = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(rows * _BYTES_A_ROW)}
        connection = self._connect(self._moment)  # one can copy only one table at a time
        try:
            with connection.cursor(adbc_stmt_kwargs=options) as cursor:
                cursor.execute(select(wanted, self._table(name)))
                for batch in cursor.fetch_record_batch():
                    for start in range(0, batch.num_rows, rows):
                        yield _plain(batch.slice(start, rows))
        except (dbapi.Error, pa.ArrowException, OSError):
            raise InputError(f"the table {name.lower()} cannot be read from PostgreSQL. Are you allowed to?") from None
        finally:
            connection.close()

    def digest(self) -> str:
        return digest_of_rows((name, self.columns(name), *self._sum(name)) for name in self.tables().values())

    def close(self) -> None:
        """End the transaction and the connection: until then nobody can change these tables' columns."""
        self._close()

    def _sum(self, name: str) -> tuple[int, int]:
        bits = "('x' || substr(encode(sha256(convert_to(t::text, 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint::numeric"
        n, total = self._rows(select(f"count(*), coalesce(sum({bits}), 0)::text", f"{self._table(name)} t"))[0]
        return int(n), int(total)

    def _table(self, name: str) -> str:
        return f"{quoted(self._schema)}.{quoted(name)}"

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(query, values or None)
                return list(cursor.fetchall())
            except dbapi.Error:
                raise InputError(
                    "the PostgreSQL database of health records does not answer. Are you allowed to read it?"
                ) from None


def split_address(spec: str) -> tuple[str, str]:
    """(address that libpq takes, schema). ConfigError where the address holds a password or cannot be read."""
    try:
        parts = urlsplit(spec)
        secret = parts.password is not None
    except ValueError:
        raise ConfigError("expected an address as postgresql://user@host/database?schema=cdm.") from None
    # Two questions are answered alike by urllib and libpq only where names are plain: anything else is refused.
    options = parse_qsl(parts.query, keep_blank_values=True)
    if secret or any(name.strip().lower() in _SECRETS for name, _ in options):
        raise ConfigError(
            "expected an address of PostgreSQL without a password or a file of them: others see arguments. Put it into "
            "PGPASSWORD or ~/.pgpass."
        )
    schemas = [value for name, value in options if name == "schema"]
    if len(schemas) > 1 or parts.fragment or any(not re.fullmatch("[a-z_]+", name) for name, _ in options):
        raise ConfigError("expected an address as postgresql://user@host/database?schema=cdm.")
    rest = urlencode([(name, value) for name, value in options if name != "schema"], quote_via=quote)
    address = f"postgresql://{parts.netloc}{parts.path}" + (f"?{rest}" if rest else "")
    return address, schemas[0] if schemas else "public"


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """NUMERIC as float64, as the CDM has numbers; of other types that Arrow does not know, the texts."""
    return pa.RecordBatch.from_arrays([_known(array) for array in batch.columns], names=batch.schema.names)


def _known(array: pa.Array) -> pa.Array:
    if not isinstance(array.type, pa.BaseExtensionType):
        return array
    number = getattr(array.type, "type_name", "") == "numeric"
    return array.storage.cast(pa.float64()) if number else array.storage
