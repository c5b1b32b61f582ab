"""Which row of a table, and which person of the health records, belongs to each sample of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.genome import parse_sex
from cohelix.genotypes.inputs import NOT_STATED, SAMPLE_COLUMNS, column_of, numbers, read_table, rows_of, texts

PERSON_COLUMNS = ("person_id", "PERSON_ID")
LINKED_SAMPLES = (*SAMPLE_COLUMNS, "specimen_source_id", "SPECIMEN_SOURCE_ID", "wgs_sample_id")
IDS = frozenset((*SAMPLE_COLUMNS, *PERSON_COLUMNS, "#FID", "FID", "family_id"))
"""Columns that are no traits and no covariates."""


@dataclass(frozen=True)
class Persons:
    """ids: the person of each sample of the scores, "" where not linked. first: bool (samples,), False where an earlier
    sample is of the same person: nobody counts twice.
    """

    ids: list[str]
    first: np.ndarray

    @property
    def n_repeats(self) -> int:
        return int((~self.first).sum())


def read_persons(path: str, sample_ids: Sequence[str]) -> Persons:
    """From a table of sample_id (or specimen_source_id, as in OMOP's specimen) and person_id.

    Raises InputError where a sample is linked to two persons, or no sample to any.
    """
    what = "table of links"
    table = read_table(path, what)
    people = texts(table, column_of(table, PERSON_COLUMNS, what))
    person: dict[str, str] = {}
    for row, sample in enumerate(texts(table, column_of(table, LINKED_SAMPLES, what))):
        if sample and people[row] and person.setdefault(sample, people[row]) != people[row]:
            raise InputError(f"row {row + 2} of the {what} links a sample to a second person. Correct it.")
    ids = [person.get(sample, "") for sample in sample_ids]
    if not any(ids):
        raise InputError(
            f"expected the {what} to link samples of the scores, found none of their {len(ids)} among {len(person)} "
            "linked samples: it is of others. Give the table of these samples."
        )
    return Persons(ids, _first(ids))


def _first(ids: Sequence[str]) -> np.ndarray:
    seen: set[str] = set()
    first = np.ones(len(ids), bool)
    for place, person in enumerate(ids):
        first[place] = not person or person not in seen
        seen.add(person)
    return first


def rows_by_id(table: pa.Table, sample_ids: Sequence[str], persons: Persons | None, what: str) -> np.ndarray:
    """int64 (samples,): row of each sample in a table of samples, or of persons where it has no column of samples."""
    if any(name in table.column_names for name in SAMPLE_COLUMNS):
        return rows_of(table, sample_ids, what)
    ids = texts(table, column_of(table, (*SAMPLE_COLUMNS, *PERSON_COLUMNS), what))
    if persons is None:
        raise InputError(
            f"the {what} is of persons, and the scores are of samples. Give --links: sample_id, person_id."
        )
    row_of: dict[str, int] = {}
    for row, person in enumerate(ids):
        if row_of.setdefault(person, row) != row:
            raise InputError(
                f"rows {row_of[person] + 2} and {row + 2} of the {what} are of the same person. Keep one of them."
            )
    rows = np.array([row_of.get(person, -1) if person else -1 for person in persons.ids], np.int64)
    if not (rows >= 0).any():
        raise InputError(
            f"expected a {what} of the persons that the scores' samples are linked to, found none of them among "
            f"{len(ids)} rows: it is of other people. Give theirs, with ids as in the links."
        )
    return rows


def taken(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """float64 (samples,): the value at each row; NaN where the row is -1."""
    out = np.full(len(rows), np.nan)
    out[rows >= 0] = values[rows[rows >= 0]]
    return out


def column_values(table: pa.Table, name: str, what: str) -> np.ndarray:
    """A column as float64, NaN where empty, NA or not finite; InputError (it names the column) where it holds text."""
    column = table.column(name)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        values = np.array([np.nan if value is None else float(value) for value in column.to_pylist()], np.float64)
    else:
        values = numbers(texts(table, name), f"column {name!r} of the {what}")
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0]) + 2
        raise InputError(f"row {row} of column {name!r} of the {what} holds infinity. Write NA where nothing is known.")
    return values


def read_covariates(
    path: str, sample_ids: Sequence[str], persons: Persons | None, wanted: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """Names, and float64 (samples, covariates): NaN where not known. A sex in words is 1 (male) or 0 (female)."""
    what = "table of covariates"
    table = read_table(path, what)
    names = [column_of(table, (), what, name) for name in wanted] or [
        name for name in table.column_names if name not in IDS
    ]
    if not names:
        raise InputError(f"expected columns of covariates in the {what}, found ids alone.")
    rows = rows_by_id(table, sample_ids, persons, what)
    columns = [_sexes(table, name) if name.lower() in ("sex", "sex_at_birth") else None for name in names]
    read = [
        column_values(table, name, what) if column is None else column
        for name, column in zip(names, columns, strict=True)
    ]
    return names, np.column_stack([taken(values, rows) for values in read])


def _sexes(table: pa.Table, name: str) -> np.ndarray | None:
    """1 male, 0 female, NaN not known; None where the column is of numbers (they stay), or other words."""
    values = texts(table, name)
    if not any(value[:1].isalpha() and value.lower() not in ("na", "nan") for value in values):
        return None
    try:
        sexes = ["unknown" if value.lower() in NOT_STATED else parse_sex(value) for value in values]
    except InputError:
        return None
    return np.array([{"male": 1.0, "female": 0.0}.get(sex or "", np.nan) for sex in sexes])


def read_components(path: str, sample_ids: Sequence[str] | None, at_most: int) -> np.ndarray:
    """The first components of a table, float64 (samples, k), k = as many as it has and `at_most` at most.

    sample_ids None: every row of the table, in its order.
    """
    from cohelix.genotypes.inputs import read_pcs

    what = "table of principal components"
    table = read_table(path, what)
    have = 0
    while {f"PC{have + 1}", f"pc{have + 1}"} & set(table.column_names):
        have += 1
    if "pca_features" in table.column_names:
        import json

        first = table.column("pca_features")[0].as_py() if table.num_rows else []
        try:
            have = len(json.loads(first) if isinstance(first, str) else first)
        except (TypeError, ValueError):
            have = 1  # read_pcs refuses it, and names the row
    if have == 0:
        raise InputError(f"expected columns PC1, PC2, ... (or pca_features) in the {what}, found none.")
    ids = texts(table, column_of(table, SAMPLE_COLUMNS, what)) if sample_ids is None else sample_ids
    return read_pcs(path, ids, min(have, at_most))
