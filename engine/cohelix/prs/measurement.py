"""Scores as rows of OMOP's table MEASUREMENT, and the concepts that they point to.

One row a person and score. No standard vocabulary has concepts for polygenic scores, so these are custom ones, above
2,000,000,000 as OMOP reserves for them. Which id a score has follows from its name and from which of its values is
meant, and from nothing else: the same in every run and in every cohort.

    PGS000001 ... PGS999999 of the PGS Catalog:  2,000,000,000 + 1,000,000 x place of the value in VALUES + number
    any other id:  2,010,000,000 + the first 8 bytes of sha256("<value> <id>"), big-endian, modulo 137,483,647
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, column_of, read_table, texts
from cohelix.prs.exports import SCORES, coded, row_groups, table_of, whole_file
from cohelix.reference import read_rows

VALUES = ("sum", "percentile_most_similar", "z_most_similar", "z_norm1", "z_norm2")
"""Columns that can be a measurement's value. Their order is part of the ids: new ones come last."""

UNITS = ("sum of weights", "percentile", "standard deviations", "standard deviations", "standard deviations")
"""unit_source_value of each: no unit of UCUM is meant, except that a percentile is a number."""

FIRST_ID, FIRST_HASHED, LAST_ID = 2_000_000_000, 2_010_000_000, 2_147_483_647
PER_VALUE = 1_000_000

CALCULATED = 32880
"""Type concept "Standard algorithm": the value was computed, not read off a person."""

VOCABULARY = "cohelix PRS"
_CATALOGUE = re.compile(r"PGS([0-9]{6})(_hmPOS_GRCh3[78])?\Z")
_TYPES = {"integer": pa.int32(), "float": pa.float64(), "date": pa.date32(), "datetime": pa.timestamp("ms")}


@dataclass(frozen=True)
class _Linked:
    """person int64 and day int32 (since 1970) by sample; people with several samples have the one linked first."""

    person: dict[str, int]
    day: dict[str, int]


def concept_id(score: str, value: str) -> int:
    """The custom concept of a value (of `VALUES`) of a score: above 2,000,000,000 and within 32 bits.

    `PGS000001_hmPOS_GRCh38` is the same score as `PGS000001`.
    """
    place = VALUES.index(value)
    found = _CATALOGUE.match(score)
    if found is not None and int(found[1]):
        return FIRST_ID + PER_VALUE * place + int(found[1])
    digest = hashlib.sha256(f"{value} {score}".encode()).digest()
    return FIRST_HASHED + int.from_bytes(digest[:8], "big") % (LAST_ID - FIRST_HASHED)


def write_measurement(
    scores: str, out: str, *, links: str, date: str | None = None, value: str | None = None, first_id: int = 1
) -> int:
    """Write rows of MEASUREMENT (Parquet) from a folder of `cohelix prs score` or `cohelix prs adjust`.

    links: table of sample_id and person_id; of several samples of a person the one named first counts. date: of all
    rows (YYYY-MM-DD), where `links` has no column measurement_date. value: one of `VALUES`; None: the sum of scores,
    z_norm2 of adjusted ones. first_id: measurement_id of the first row. A sample without a person and a score that
    could not be given have no row. Returns the number of rows.

    Raises ConfigError for choices that cannot be met, InputError for tables that do not fit one another.
    """
    name, value = _chosen(scores, value)
    linked = _read_links(links, _parse_date(date))
    schema, n, used = arrow_schema("measurement"), 0, False
    ids: dict[str, int] = {}
    with whole_file(out) as path, pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for rows in row_groups(scores, name, ("score", "sample_id", value)):
            table = _rows(rows, linked, value, first_id + n, ids, schema)
            used = used or table is not None
            if table is not None and table.num_rows:
                writer.write_table(table)
                n += table.num_rows
        if not used:
            raise InputError("expected a table of links of these samples, found none of them in it. Give theirs.")
    return n


def write_concepts(scores: str, out: str, *, value: str | None = None) -> int:
    """Write rows of CONCEPT (Parquet) for the custom concepts that `write_measurement` points to. Returns how many."""
    name, value = _chosen(scores, value)
    ids: dict[str, int] = {}
    for rows in row_groups(scores, name, ("score",)):
        _add_concepts(ids, coded(rows.column("score"))[1], value)
    names = list(ids)
    columns: dict[str, object] = {
        "concept_id": np.array([ids[one] for one in names], np.int32),
        "concept_name": [f"Polygenic score {_fitting(one, 200)}: {value}" for one in names],
        "domain_id": ["Measurement"] * len(names),
        "vocabulary_id": [VOCABULARY] * len(names),
        "concept_class_id": ["Polygenic score"] * len(names),
        "concept_code": [_fitting(f"{one}:{value}", 50) for one in names],
        "valid_start_date": [datetime.date(1970, 1, 1)] * len(names),
        "valid_end_date": [datetime.date(2099, 12, 31)] * len(names),
    }
    with whole_file(out) as path:
        pq.write_table(_table(columns, len(names), arrow_schema("concept")), path, compression="zstd")
    return len(names)


def arrow_schema(table: str) -> pa.Schema:
    """Columns of a table of OMOP CDM 5.4: integer as int32, float as float64, datetime in milliseconds."""
    rows = [row for row in read_rows("omop", "cdm", "5.4", "fields.tsv") if row["table"] == table]
    return pa.schema(
        [pa.field(row["name"], _TYPES.get(row["type"], pa.string()), nullable=row["required"] != "yes") for row in rows]
    )


def _chosen(scores: str, value: str | None) -> tuple[str, str]:
    """(table of the folder, column of the value)."""
    name = table_of(scores)
    known = VALUES[:1] if name == SCORES else VALUES
    if value is None:
        return name, known[-1]
    if value not in known:
        raise ConfigError(f"expected a value of {', '.join(known)} of such a folder, found {value!r}. Choose one.")
    return name, value


def _parse_date(date: str | None) -> int | None:
    """Days since 1970-01-01."""
    if date is None:
        return None
    try:
        return (datetime.date.fromisoformat(date) - datetime.date(1970, 1, 1)).days
    except ValueError:
        raise ConfigError(f"expected a date as in 2024-06-30, found {date!r}.") from None


def _read_links(path: str, day: int | None) -> _Linked:
    what = "table of links"
    table = read_table(path, what)
    samples = texts(table, column_of(table, SAMPLE_COLUMNS, what))
    persons = texts(table, column_of(table, ("person_id",), what))
    dates = texts(table, "measurement_date") if "measurement_date" in table.column_names else None
    if dates is None and day is None:
        raise ConfigError(
            "a row of MEASUREMENT needs its date: give --date, or a table of links with a column measurement_date."
        )
    found = _Linked({}, {})
    taken: set[int] = set()
    for row, (sample, person) in enumerate(zip(samples, persons, strict=True)):
        if not sample or not person:
            continue
        try:
            number, on = int(person), day if dates is None else _parse_date(dates[row])
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


def _add_concepts(ids: dict[str, int], scores: Sequence[str], value: str) -> None:
    """Puts new scores in `ids`. InputError where two have one concept."""
    held = {number: score for score, number in ids.items()}
    for score in scores:
        number = ids.setdefault(score, concept_id(score, value))
        if held.setdefault(number, score) != score:
            raise InputError(
                f"the scores {held[number]!r} and {score!r} have the same custom concept, {number}: their rows could "
                "not be told apart. Rename one of them."
            )


def _rows(
    rows: pa.Table, linked: _Linked, value: str, first_id: int, ids: dict[str, int], schema: pa.Schema
) -> pa.Table | None:
    """Rows of MEASUREMENT of some rows of scores; None where nobody of them is linked."""
    score, scores = coded(rows.column("score"))
    sample, samples = coded(rows.column("sample_id"))
    _add_concepts(ids, scores, value)
    person = np.array([linked.person[one] if one in linked.day else 0 for one in samples], np.int64)[sample]
    if not person.any():
        return None
    day = np.array([linked.day.get(one, 0) for one in samples], np.int32)[sample]
    number = rows.column(value).to_numpy().astype(np.float64)
    kept = np.flatnonzero((person > 0) & np.isfinite(number))
    n = len(kept)
    if not 0 < first_id <= LAST_ID - n:
        raise ConfigError(
            f"expected ids of measurements between 1 and {LAST_ID:,}, and {n:,} rows would go on from {first_id:,}. "
            "Export fewer scores at a time, or lower --first-id."
        )
    concepts = np.array([ids[one] for one in scores], np.int32)[score[kept]]
    named = pa.array([_fitting(one, 50) for one in scores], pa.string()).take(pa.array(score[kept]))
    columns: dict[str, object] = {
        "measurement_id": np.arange(first_id, first_id + n, dtype=np.int32),
        "person_id": person[kept].astype(np.int32),
        "measurement_concept_id": concepts,
        "measurement_date": pa.array(day[kept], pa.int32()).cast(pa.date32()),
        "measurement_type_concept_id": np.full(n, CALCULATED, np.int32),
        "value_as_number": number[kept],
        "measurement_source_value": named,
        "measurement_source_concept_id": concepts,
        "unit_source_value": pa.repeat(UNITS[VALUES.index(value)], n),
    }
    return _table(columns, n, schema)


def _table(columns: dict[str, object], n: int, schema: pa.Schema) -> pa.Table:
    """Columns that are not given are null."""
    arrays = [
        pa.nulls(n, field.type) if field.name not in columns
        else columns[field.name] if isinstance(columns[field.name], pa.Array)
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]  # fmt: skip
    return pa.Table.from_arrays(arrays, schema=schema)


def _fitting(text: str, most: int) -> str:
    """A text of at most so many characters: of a longer one the beginning, and a hash that tells it from others."""
    if len(text) <= most:
        return text
    return f"{text[: most - 9]}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"
