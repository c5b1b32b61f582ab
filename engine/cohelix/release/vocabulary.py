"""Vocabulary tables that go along with health records, restricted to concepts that these use, and what names them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.omop.source import Cdm
from cohelix.release.exclusion import is_among
from cohelix.release.policy import Generalised
from cohelix.release.schema import MadeFile

TABLES = (
    "concept_ancestor", "concept_relationship", "concept_synonym", "drug_strength", "vocabulary", "domain",
    "concept_class", "relationship", "concept",
)  # fmt: skip
"""CONCEPT last: it has what the others name, too."""
_BY = {
    "concept_ancestor": ("descendant_concept_id",),
    "concept_relationship": ("concept_id_1", "concept_id_2"),
    "concept_synonym": ("concept_id",),
    "drug_strength": ("drug_concept_id",),
    "concept": ("concept_id",),
}
_OWN = "cohelix tiers"


def write_vocabulary(
    cdm: Cdm, schemas: Callable[[str], pa.Schema], used: set[int], own: list[Generalised], folder: Path
) -> list[MadeFile]:
    """`omop/<table>.parquet`, sorted by all columns. schemas: columns that the tier has of a table.

    used: concepts of the records. own: concepts that generalised ones became: they get a row of CONCEPT, and what the
    source has under their number does not.
    """
    wanted = used | {0}
    made = []
    for table in (one for one in TABLES if one in cdm.tables()):
        schema = schemas(table)
        by = used if table == "concept_ancestor" else wanted
        batches = list(_filtered(cdm, table, schema, np.array(sorted(by), np.int64)))
        rows = pa.Table.from_batches(batches, schema) if batches else schema.empty_table()
        if table == "concept":
            rows = _with_own(rows, [one for one in own if one.concept in used])
        elif table != "concept_relationship":
            for name in rows.column_names:
                if name.endswith("concept_id"):
                    wanted.update(one for one in rows.column(name).unique().to_pylist() if one)
        made.append(_written(folder, table, rows.sort_by([(name, "ascending") for name in schema.names])))
    return made


def _filtered(cdm: Cdm, table: str, schema: pa.Schema, concepts: np.ndarray) -> Iterator[pa.RecordBatch]:
    for batch in cdm.batches(table, schema.names):
        kept = np.ones(batch.num_rows, bool)
        for name in _BY.get(table, ()):
            numbers = batch.column(name).cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
            kept &= is_among(np.asarray(numbers, np.int64), concepts)
        yield batch.filter(pa.array(kept)).cast(schema)


def _with_own(rows: pa.Table, own: list[Generalised]) -> pa.Table:
    if not own:
        return rows
    numbers = np.array(sorted(one.concept for one in own), np.int64)
    theirs = is_among(np.asarray(rows.column("concept_id").to_numpy(), np.int64), numbers)
    values = {
        "concept_id": [one.concept for one in own],
        "concept_name": [one.meaning[:255] for one in own],
        "domain_id": [one.domain for one in own],
        "vocabulary_id": [_OWN] * len(own),
        "concept_class_id": ["Generalised"] * len(own),
        "concept_code": [one.code for one in own],
        "valid_start_date": [datetime.date(1970, 1, 1)] * len(own),
        "valid_end_date": [datetime.date(2099, 12, 31)] * len(own),
    }
    arrays = [pa.array(values.get(field.name, [None] * len(own)), field.type) for field in rows.schema]
    return pa.concat_tables([rows.filter(pa.array(~theirs)), pa.Table.from_arrays(arrays, schema=rows.schema)])


def _written(folder: Path, table: str, rows: pa.Table) -> MadeFile:
    import pyarrow.parquet as pq

    target = folder / f"{table}.parquet"
    pq.write_table(rows, target, compression="zstd")
    return MadeFile(f"omop/{table}.parquet", target, rows.num_rows, f"omop.{table}")
