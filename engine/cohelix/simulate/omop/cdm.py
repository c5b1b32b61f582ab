"""The OMOP Common Data Model 5.4 as facts: tables, fields, types, keys (`reference/omop/cdm/5.4`).

`python -m cohelix.simulate.omop OMOP_CDMv5.4_Field_Level.csv > reference/omop/cdm/5.4/fields.tsv` makes the table of
facts anew from the file that OHDSI publishes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from cohelix.errors import ContractError

VERSION = "5.4"


@dataclass(frozen=True)
class Field:
    """One column. type: as OHDSI writes it, lower case ("integer", "float", "date", "datetime", "varchar(50)").

    foreign_table, foreign_field: what it points to, "" for nothing. domain: that the concept has to be of, "" for any.
    """

    table: str
    name: str
    type: str
    required: bool
    primary_key: bool
    foreign_table: str
    foreign_field: str
    domain: str


HEADER = tuple(field.name for field in fields(Field))


def reference_folder() -> Path:
    """Where `reference/` lies: inside the installed package, or beside `engine/` in a checkout."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "_reference"
    return packaged if packaged.is_dir() else package.parents[1] / "reference"


@cache
def tables() -> dict[str, tuple[Field, ...]]:
    """Fields of every table, in the standard's order; names in lower case."""
    path = reference_folder() / "omop" / "cdm" / VERSION / "fields.tsv"
    found: dict[str, list[Field]] = {}
    with path.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            field = Field(
                row["table"], row["name"], row["type"], row["required"] == "yes", row["primary_key"] == "yes",
                row["foreign_table"], row["foreign_field"], row["domain"],
            )  # fmt: skip
            found.setdefault(field.table, []).append(field)
    return {table: tuple(columns) for table, columns in found.items()}


def primary_key(table: str) -> str:
    """The column that names a row, "" where the standard has none."""
    return next((field.name for field in tables()[table] if field.primary_key), "")


def arrow_schema(table: str) -> Any:
    """The `pyarrow.Schema` of a table: integer as int32, float as float64, datetime in milliseconds without a zone."""
    import pyarrow as pa

    if table not in tables():
        raise ContractError(f"expected a table of OMOP CDM {VERSION}, found {table!r}.")
    known = {"integer": pa.int32(), "float": pa.float64(), "date": pa.date32(), "datetime": pa.timestamp("ms")}
    return pa.schema(
        [pa.field(f.name, known.get(f.type, pa.string()), nullable=not f.required) for f in tables()[table]]
    )


def compact(path: Path) -> Iterator[str]:
    """Lines of the table of facts, from OHDSI's field-level CSV (which quotes "offset", a word of SQL)."""
    yield "\t".join(HEADER)
    with path.open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            values = [
                row["cdmTableName"].lower(), row["cdmFieldName"].lower().strip('"'), row["cdmDatatype"].lower(),
                row["isRequired"].lower(), row["isPrimaryKey"].lower(),
                _or_nothing(row["fkTableName"]).lower(), _or_nothing(row["fkFieldName"]).lower(),
                _or_nothing(row["fkDomain"]),
            ]  # fmt: skip
            yield "\t".join(values)


def _or_nothing(text: str) -> str:
    return "" if text == "NA" else text
