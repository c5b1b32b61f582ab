"""What is checked of health records, and how grave it is.

An error is what a reader or a database would refuse or take for something else, or what cannot have been; a warning is
what is unlikely, or what a part of a vocabulary cannot tell.
"""

from __future__ import annotations

from typing import NamedTuple

from cohelix.omop.tables import Field, fields

FIRST_YEAR = 1900
GRACE = 60
"""Days after a death in which records may still be written."""


class Rule(NamedTuple):
    severity: str
    meaning: str


RULES = {
    "tables that the CDM does not have": Rule("warning", "Tables of the source that were not read."),
    "columns that the CDM does not have": Rule("warning", "Columns that were not read."),
    "columns whose names have blanks around them": Rule("warning", "Read as if the blanks were not there."),
    "table missing": Rule("error", "PERSON and OBSERVATION_PERIOD are required."),
    "cannot be read to its end": Rule("error", "A file that is cut or damaged; other rules saw the rows before."),
    "column missing": Rule("error", "A required column."),
    "null": Rule("error", "No value in a required column."),
    "type": Rule("error", "A value that is not of the column's type, such as a date that no calendar has."),
    "stored as another type": Rule("warning", "Values that can be converted without loss, as 1.0 into 1."),
    "beyond 32 bits": Rule("warning", "A whole number outside 32 bits, which the CDM's integers have."),
    "too long": Rule("warning", "A text of more characters than the column may have."),
    "primary key twice": Rule("error", "Rows whose key an earlier row has."),
    "no such row": Rule("error", "A key of another table that has no such row."),
    "no such concept": Rule("warning", "A concept that CONCEPT does not have (0 is none)."),
    "no such table": Rule("warning", "A key of a table that is not there or empty (0 and concepts left out)."),
    "another domain": Rule("warning", "A concept of another domain than the field is for."),
    "impossible date": Rule("error", "Before 1900, or after today; a birth that no calendar has."),
    "end before start": Rule("error", "A period that ends before it starts."),
    "another day": Rule("warning", "A datetime on another day than its date."),
    "before birth": Rule("warning", "Before the first day on which the person can have been born."),
    "after death": Rule("warning", "More than 60 days after the person's death."),
}


def starts_of(table: str) -> dict[str, str]:
    """Start of a period by its end, for all pairs of columns of a table."""
    names = {field.name for field in fields()[table]}
    pairs = {}
    for name in names:
        for start in (name.replace("_end_", "_start_"), name.replace("_end_", "_")):
            if start != name and start in names:
                pairs[name] = start
    return pairs


def is_of_people(table: str) -> bool:
    """Whether rows are records of a person, by person_id."""
    return table != "person" and any(field.name == "person_id" for field in fields()[table])


def length_of(field: Field) -> int | None:
    """Most characters of a text, or None."""
    inside = field.type.partition("(")[2].rstrip(")")
    return int(inside) if inside.isdecimal() else None


def fits(domain: str, wanted: str) -> bool:
    """Whether a domain of CONCEPT is the one a field asks for. Domains such as Condition/Meas are two in one."""
    short = {"Meas": "Measurement", "Obs": "Observation"}
    parts = {short.get(one, one) for one in domain.split("/")} | {domain}
    return bool(parts & {one.strip() for one in wanted.split(",")})
