"""Health records written for a test: a folder of Parquet tables with the columns that a test states."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.genotypes.omop import arrow_schema
from cohelix.omop.source import Cdm, open_cdm

_FILL = {pa.int32(): 0, pa.string(): "", pa.date32(): datetime.date(2020, 1, 1), pa.float64(): 0.0}


def write_cdm(folder: Path, **tables: dict[str, list[Any]]) -> str:
    """A column that is not stated is null, or 0, "" or 2020-01-01 where the CDM requires one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in tables.items():
        schema = arrow_schema(name)
        n = len(next(iter(columns.values())))
        pq.write_table(
            pa.table(
                [
                    pa.array(columns[field.name], field.type) if field.name in columns
                    else pa.nulls(n, field.type) if field.nullable
                    else pa.array([_FILL[field.type]] * n, field.type)
                    for field in schema
                ],
                names=schema.names,
            ),
            folder / f"{name}.parquet",
        )  # fmt: skip
    return str(folder)


def made_cdm(folder: Path, **tables: dict[str, list[Any]]) -> Cdm:
    return open_cdm(write_cdm(folder, **tables))
