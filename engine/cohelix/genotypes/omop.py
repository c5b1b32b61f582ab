"""OMOP tables: their columns, whose person a sample is and on which day, and texts that fit.

What this project measures has no concepts in standard vocabularies, or none that could be verified. Such concepts are
custom ones, above 2,000,000,000 as OMOP reserves for them; which id one has follows from what it means alone.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, column_of, read_table, texts
from cohelix.reference import read_rows

FIRST_ID, LAST_ID = 2_000_000_000, 2_147_483_647

CALCULATED = 32880
"""Type concept "Standard algorithm": the value was computed, not read off a person."""

_TYPES = {"integer": pa.int32(), "float": pa.float64(), "date": pa.date32(), "datetime": pa.timestamp("ms")}


@dataclass(frozen=True)
class Linked:
    """person int64 and day int32 (since 1970) by sample; people with several samples have the one linked first."""

    person: dict[str, int]
    day: dict[str, int]

    def of(self, samples: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """(person int64, day int32) of samples; person 0 where a sample has none or another stands for the person."""
        person = np.array([self.person[one] if one in self.day else 0 for one in samples], np.int64)
        return person, np.array([self.day.get(one, 0) for one in samples], np.int32)


def arrow_schema(table: str) -> pa.Schema:
    """Columns of a table of OMOP CDM 5.4: integer as int32, float as float64, datetime in milliseconds."""
    rows = [row for row in read_rows("omop", "cdm", "5.4", "fields.tsv") if row["table"] == table]
    return pa.schema(
        [pa.field(row["name"], _TYPES.get(row["type"], pa.string()), nullable=row["required"] != "yes") for row in rows]
    )


def table_of(columns: dict[str, object], n: int, schema: pa.Schema) -> pa.Table:
    """Columns that are not given are null."""
    arrays = [
        pa.nulls(n, field.type) if field.name not in columns
        else columns[field.name] if isinstance(columns[field.name], pa.Array)
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]  # fmt: skip
    return pa.Table.from_arrays(arrays, schema=schema)


def fitting(text: str, most: int) -> str:
    """A text of at most so many characters: of a longer one the beginning, and a hash that tells it from others."""
    if len(text) <= most:
        return text
    return f"{text[: most - 9]}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def parse_date(date: str | None) -> int | None:
    """Days since 1970-01-01. ConfigError where it is no date."""
    if date is None:
        return None
    try:
        return (datetime.date.fromisoformat(date) - datetime.date(1970, 1, 1)).days
    except ValueError:
        raise ConfigError(f"expected a date as in 2024-06-30, found {date!r}.") from None


def read_linked(path: str, day: int | None) -> Linked:
    """Persons and days of samples: sample_id, person_id and, where `day` is not given, measurement_date."""
    what = "table of links"
    table = read_table(path, what)
    samples = texts(table, column_of(table, SAMPLE_COLUMNS, what))
    persons = texts(table, column_of(table, ("person_id",), what))
    dates = texts(table, "measurement_date") if "measurement_date" in table.column_names else None
    if dates is None and day is None:
        raise ConfigError(
            "a row of MEASUREMENT needs its date: give --date, or a table of links with a column measurement_date."
        )
    found = Linked({}, {})
    taken: set[int] = set()
    for row, (sample, person) in enumerate(zip(samples, persons, strict=True)):
        if not sample or not person:
            continue
        try:
            number, on = int(person), day if dates is None else parse_date(dates[row])
        except (ValueError, ConfigError):
            number, on = 0, None
        if not 0 < number <= LAST_ID or on is None:
            raise InputError(
                f"expected a whole number as person_id and a date as in 2024-06-30 on row {row + 2} of the {what}, "
                "found something else. Correct it."
            )
        if found.person.setdefault(sample, number) != number:
            raise InputError(f"row {row + 2} of the {what} gives a sample to a second person. Correct it.")
        if number not in taken:
            taken.add(number)
            found.day[sample] = on
    return found
