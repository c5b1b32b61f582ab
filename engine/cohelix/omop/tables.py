"""Tables of the OMOP CDM 5.4: their fields, keys and domains, as OHDSI's field-level file has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cohelix.reference import read_rows


@dataclass(frozen=True)
class Field:
    """A column. type: integer, float, date, datetime, varchar(n). refers: (table, field) of a foreign key, or None."""

    table: str
    name: str
    type: str
    required: bool
    primary_key: bool
    refers: tuple[str, str] | None
    domain: str


@cache
def fields() -> dict[str, tuple[Field, ...]]:
    """Fields by table, in the CDM's order."""
    found: dict[str, list[Field]] = {}
    for row in read_rows("omop", "cdm", "5.4", "fields.tsv"):
        refers = (row["foreign_table"], row["foreign_field"]) if row["foreign_table"] else None
        found.setdefault(row["table"], []).append(
            Field(
                row["table"],
                row["name"],
                row["type"],
                row["required"] == "yes",
                row["primary_key"] == "yes",
                refers,
                row["domain"],
            )
        )
    return {table: tuple(rows) for table, rows in found.items()}
