"""Health records in tables of Spark SQL: the same rows as in files."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import InputError
from cohelix.omop.source import open_cdm
from cohelix.runtime.spark import session
from tests.omop.made_cdm import made_cdm

pytestmark = pytest.mark.jvm

N = 25


@pytest.fixture(scope="module")
def database(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the Parquet files of the database `health`."""
    folder = tmp_path_factory.mktemp("health")
    here = session()
    here.sql(f"create database if not exists health location '{folder}/warehouse'")
    yield folder
    here.sql("drop database health cascade")


def _table(name: str, folder: Path, rows: pa.Table) -> None:
    pq.write_table(rows, folder / f"{name}.parquet")
    session().sql(f"drop table if exists health.{name}")
    session().sql(f"create table health.{name} using parquet location '{folder}/{name}.parquet'")


def test_the_same_rows_as_in_files(database: Path, tmp_path: Path) -> None:
    files = made_cdm(
        tmp_path / "cdm",
        person={"person_id": list(range(1, N + 1)), "person_source_value": [None, "", *["Zoë"] * (N - 2)]},
        death={
            "person_id": [3, 4], "death_date": [datetime.date(1850, 1, 1), datetime.date(2020, 2, 29)],
            "death_datetime": [None, datetime.datetime(2020, 2, 29, 23, 59)],
        },
    )  # fmt: skip
    for table in files.tables():
        _table(table.upper(), database, pq.read_table(tmp_path / f"cdm/{table}.parquet"))
    _table("unheard", database, pa.table({"x": [1]}))
    cdm = open_cdm("spark:health")
    assert cdm.tables() == files.tables()
    assert cdm.strange["tables that the CDM does not have"] == 1
    for table in files.tables():
        assert cdm.n_rows(table) == files.n_rows(table)
        found = cdm.read(table).sort_by("person_id")
        assert found.equals(files.read(table)), table
    assert max(batch.num_rows for batch in cdm.batches("person", rows=4)) == 4
    assert sum(batch.num_rows for batch in cdm.batches("person", ["person_id"], rows=4)) == N


def test_a_digest_is_of_rows_not_of_their_order(database: Path) -> None:
    digests = []
    for name in ("death", "unheard"):
        session().sql(f"drop table if exists health.{name}")
    for ids in ([1, 2, 2], [2, 1, 2], [1, 2]):
        _table("person", database, pa.table({"person_id": ids, "year_of_birth": pa.nulls(len(ids), pa.int32())}))
        digests.append(open_cdm("spark:health").digest())
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_a_database_that_is_not_there(spark: Any) -> None:
    with pytest.raises(InputError, match="found none of that name"):
        open_cdm("spark:elsewhere")
