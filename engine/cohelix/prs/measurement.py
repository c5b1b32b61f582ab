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

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes import omop
from cohelix.genotypes.exports import coded, whole_file
from cohelix.genotypes.omop import CALCULATED, FIRST_ID, LAST_ID, Linked, arrow_schema, fitting, parse_date, read_linked
from cohelix.prs.exports import SCORES, row_groups, table_of

VALUES = ("sum", "percentile_most_similar", "z_most_similar", "z_norm1", "z_norm2")
"""Columns that can be a measurement's value. Their order is part of the ids: new ones come last."""

UNITS = ("sum of weights", "percentile", "standard deviations", "standard deviations", "standard deviations")
"""unit_source_value of each: no unit of UCUM is meant, except that a percentile is a number."""

FIRST_HASHED = 2_010_000_000
PER_VALUE = 1_000_000

VOCABULARY = "cohelix PRS"
_CATALOGUE = re.compile(r"PGS([0-9]{6})(_hmPOS_GRCh3[78])?\Z")


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
    linked = read_linked(links, parse_date(date))
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
        "concept_name": [f"Polygenic score {fitting(one, 200)}: {value}" for one in names],
        "domain_id": ["Measurement"] * len(names),
        "vocabulary_id": [VOCABULARY] * len(names),
        "concept_class_id": ["Polygenic score"] * len(names),
        "concept_code": [fitting(f"{one}:{value}", 50) for one in names],
        "valid_start_date": [datetime.date(1970, 1, 1)] * len(names),
        "valid_end_date": [datetime.date(2099, 12, 31)] * len(names),
    }
    with whole_file(out) as path:
        pq.write_table(omop.table_of(columns, len(names), arrow_schema("concept")), path, compression="zstd")
    return len(names)


def _chosen(scores: str, value: str | None) -> tuple[str, str]:
    """(table of the folder, column of the value)."""
    name = table_of(scores)
    known = VALUES[:1] if name == SCORES else VALUES
    if value is None:
        return name, known[-1]
    if value not in known:
        raise ConfigError(f"expected a value of {', '.join(known)} of such a folder, found {value!r}. Choose one.")
    return name, value


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
    rows: pa.Table, linked: Linked, value: str, first_id: int, ids: dict[str, int], schema: pa.Schema
) -> pa.Table | None:
    """Rows of MEASUREMENT of some rows of scores; None where nobody of them is linked."""
    score, scores = coded(rows.column("score"))
    sample, samples = coded(rows.column("sample_id"))
    _add_concepts(ids, scores, value)
    person, day = (of_sample[sample] for of_sample in linked.of(samples))
    if not person.any():
        return None
    number = rows.column(value).to_numpy().astype(np.float64)
    kept = np.flatnonzero((person > 0) & np.isfinite(number))
    n = len(kept)
    if not 0 < first_id <= LAST_ID - n:
        raise ConfigError(
            f"expected ids of measurements between 1 and {LAST_ID:,}, and {n:,} rows would go on from {first_id:,}. "
            "Export fewer scores at a time, or lower --first-id."
        )
    concepts = np.array([ids[one] for one in scores], np.int32)[score[kept]]
    named = pa.array([fitting(one, 50) for one in scores], pa.string()).take(pa.array(score[kept]))
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
    return omop.table_of(columns, n, schema)
