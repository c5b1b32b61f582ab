"""Health records of a tier: allowed columns alone, under the tier's ids, with its dates, in an order of its own.

Tables are read in batches, sorted into as many parts as keep one in memory, and written by ascending id of the tier's
persons; so neither the order of rows nor the order of persons in the source is in the output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.arrays import distinct
from cohelix.genotypes.omop import arrow_schema
from cohelix.omop.source import Cdm
from cohelix.release.exclusion import excluded_concepts, is_among
from cohelix.release.ids import Ids
from cohelix.release.labels import Controlled, Registered, declassifier
from cohelix.release.ordered import write_ordered
from cohelix.release.people import People
from cohelix.release.places import Places, find_places
from cohelix.release.policy import Policy
from cohelix.release.row_set import RowSet
from cohelix.release.schema import MadeFile, ReleaseParams
from cohelix.release.vocabulary import TABLES as VOCABULARY
from cohelix.release.vocabulary import write_vocabulary
from cohelix.tier import Tier

_DAY_MS = 86_400_000
NOT_RELEASED, NOT_A_PERSON = "rows of a person who is not in the release", "rows of nobody in PERSON"
OF_NO_TIER = "rows with a concept or number that the tier has not"


@dataclass(frozen=True)
class _Making:
    """persons: int64, of the source, ascending; new: their ids in the tier; days: by how many their dates are moved.

    birth: days since 1970. places: areas they are from. without: concepts whose rows are left out. everybody: int64,
    ascending, persons of PERSON. there: rows of the release, of tables that others refer to. left_out: by table and
    reason, how many rows are not in the release, and links to them.
    """

    cdm: Cdm
    tier: Tier
    ids: Ids
    policy: Policy
    params: ReleaseParams
    persons: np.ndarray
    new: np.ndarray
    days: np.ndarray
    birth: np.ndarray
    places: Places
    without: np.ndarray
    folder: Path
    everybody: np.ndarray
    there: dict[str, RowSet] = field(default_factory=dict)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)


@declassifier(Controlled)
def controlled(
    cdm: Cdm, people: People, ids: Ids, policy: Policy, params: ReleaseParams, folder: Path
) -> list[MadeFile]:
    """`omop/<table>.parquet` of the controlled tier: true dates, of the birth the year."""
    return _tables(cdm, people, ids, policy, params, folder, Tier.CONTROLLED)


@declassifier(Registered)
def registered(
    cdm: Cdm, people: People, ids: Ids, policy: Policy, params: ReleaseParams, folder: Path
) -> list[MadeFile]:
    """`omop/<table>.parquet` of the registered tier: dates moved back, generalised, without results of genomes."""
    return _tables(cdm, people, ids, policy, params, folder, Tier.REGISTERED)


def _tables(
    cdm: Cdm, people: People, ids: Ids, policy: Policy, params: ReleaseParams, folder: Path, tier: Tier
) -> list[MadeFile]:
    moved = tier is Tier.REGISTERED
    days = ids.shift_days(people.person) if moved else np.zeros(len(people), np.int32)
    making = _Making(
        cdm,
        tier,
        ids,
        policy,
        params,
        people.person,
        ids.person(people.person),
        days,
        people.birth,
        find_places(cdm, policy, tier, people.person),
        excluded_concepts(cdm, policy, tier),
        folder,
        distinct(_numbers(cdm.read("person", ("person_id",)).column(0))),
    )
    used: set[int] = set()
    made = []
    of_persons = [one for one in policy.tables(tier) if "person_id" in policy.actions(tier, one)]
    tables = [one for one in of_persons if one in cdm.tables() and one not in VOCABULARY]
    for table in _referred(making, tables):
        making.there[table] = _there(making, table, table in tables)
    for table in tables:
        made.append(_table(making, table, used))
    if making.places.states:
        made.append(_location(making))
    return made + write_vocabulary(cdm, lambda table: _schema(making, table), used, list(policy.own), folder)


def _referred(making: _Making, tables: list[str]) -> list[str]:
    """Tables whose rows others refer to, or their own do."""
    found = set()
    for table in tables:
        for column, action in making.policy.actions(making.tier, table).items():
            if _is_link(table, column, action):
                found.add(action.removeprefix("row:"))
    return sorted(found)


def _is_link(table: str, column: str, action: str) -> bool:
    return action.startswith("row:") and column != f"{table}_id"


def _there(making: _Making, table: str, released: bool) -> RowSet:
    """Rows of a table that are in the release; none where the table is not."""
    rows, key = RowSet(), f"{table}_id"
    if released:
        rules = making.policy.excluded.get(making.tier, ())
        looked_at = {rule.column for rule in rules if rule.table == table}
        names = making.cdm.columns(table)
        looked_at = {name for name in names if name in looked_at or name.endswith("concept_id")} | {"person_id", key}
        for batch in making.cdm.batches(table, sorted(looked_at)):
            kept = _ours(making, batch) & ~_left_out(making, table, batch)
            rows.add(table, _numbers(batch.column(key))[kept])
    return rows


def _ours(making: _Making, batch: pa.RecordBatch) -> np.ndarray:
    return is_among(_numbers(batch.column("person_id")), making.persons)


def _table(making: _Making, table: str, used: set[int]) -> MadeFile:
    schema = _schema(making, table)
    n_parts = max(1, -(-making.cdm.n_rows(table) // making.params.tables_rows))
    target = making.folder / f"{table}.parquet"
    first = [name for name in ("person_id", f"{table}_id") if name in schema.names]
    n = write_ordered(_rows(making, table, schema, used), schema, target, n_parts, first)
    left_out = {why: n for why, n in sorted(making.left_out.get(table, {}).items()) if n}
    return MadeFile(f"omop/{table}.parquet", target, n, f"omop.{table}", left_out)


def _schema(making: _Making, table: str) -> pa.Schema:
    whole = arrow_schema(table)
    return pa.schema([pa.field(name, whole.field(name).type) for name in making.policy.actions(making.tier, table)])


def _rows(making: _Making, table: str, schema: pa.Schema, used: set[int]) -> Iterator[pa.Table]:
    for batch in making.cdm.batches(table):
        rows = _changed(making, table, batch, schema)
        _note_concepts(rows, used)
        yield rows


def _changed(making: _Making, table: str, batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """The rows of persons of the release, column by column as the tier table says."""
    source = _numbers(batch.column("person_id"))
    place = np.minimum(np.searchsorted(making.persons, source), max(0, len(making.persons) - 1))
    ours = making.persons[place] == source if len(making.persons) else np.zeros(len(source), bool)
    without = _left_out(making, table, batch)
    kept = ours & ~without
    known = ours.copy()
    known[~ours] = is_among(source[~ours], making.everybody)
    counted = making.left_out.setdefault(table, Counter())
    for why, rows_out in ((NOT_A_PERSON, ~known), (NOT_RELEASED, known & ~ours), (OF_NO_TIER, ours & without)):
        counted[why] += int(rows_out.sum())
    rows = batch.filter(pa.array(kept))
    place = place[kept]
    columns = []
    for column in schema:
        action = making.policy.actions(making.tier, table)[column.name]
        values = rows.column(column.name)
        if _is_link(table, column.name, action):
            values, n = _linked(making, action.removeprefix("row:"), values)
            counted[f"{column.name} of a row that is not in the release, emptied"] += n
        columns.append(_column(making, action, values, place, column))
    return pa.Table.from_arrays(columns, schema=schema)


def _linked(making: _Making, table: str, values: pa.Array) -> tuple[pa.Array, int]:
    """Ids of rows of a table that are in the release, null for others; and how many others there are."""
    numbers = _numbers(values)
    there = making.there[table].has(numbers)
    return pa.array(numbers, mask=~there), int(((numbers > 0) & ~there).sum())


def _left_out(making: _Making, table: str, batch: pa.RecordBatch) -> np.ndarray:
    """bool (rows,): the tier has no such rows, by a number or a concept that is in them."""
    out = np.zeros(batch.num_rows, bool)
    ranges = [rule for rule in making.policy.excluded.get(making.tier, ()) if rule.table == table]
    for name in batch.schema.names:
        of_concepts = name.endswith("concept_id") and table != "person"
        rules = [rule for rule in ranges if rule.column == name or (rule.column == "*" and of_concepts)]
        if not rules and not of_concepts:
            continue
        values = _numbers(batch.column(name))
        for rule in rules:
            out |= (values >= rule.first) & (values <= rule.last)
        if of_concepts:
            out |= is_among(values, making.without)
    return out


def _location(making: _Making) -> MadeFile:
    """Areas that persons of the release are from."""
    import pyarrow.parquet as pq

    schema, places = _schema(making, "location"), making.places
    n = len(places.states)
    values: dict[str, list[int | str | None]] = {
        "place": list(range(1, n + 1)),
        "state": [one or None for one in places.states],
        "zip3": [one or None for one in places.zips],
    }
    actions = making.policy.actions(making.tier, "location")
    columns = [pa.array(values.get(actions[field.name], [None] * n), field.type) for field in schema]
    target = making.folder / "location.parquet"
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), target, compression="zstd")
    return MadeFile("omop/location.parquet", target, n, "omop.location")


def _column(making: _Making, action: str, values: pa.Array, place: np.ndarray, field: pa.Field) -> pa.Array:
    kind, _, detail = action.partition(":")
    if kind == "null":
        return pa.nulls(len(values), field.type)
    if kind == "person":
        return pa.array(making.new[place], field.type)
    if kind == "place":
        return pa.array(making.places.of[place], field.type, mask=making.places.of[place] == 0)
    if kind == "row":
        return _row_ids(making, detail, values, field)
    if kind == "map":
        return _mapped(making.policy.maps[detail], values, field)
    if kind == "date":
        return _moved(values, making.days[place], 1, field)
    if kind == "day":
        return _moved(values, making.days[place], _DAY_MS, field)
    if kind == "birth_year":
        born = (making.birth[place] - making.days[place]).astype("datetime64[D]").astype("datetime64[Y]")
        return pa.array(born.astype(np.int64) + 1970, field.type)
    return values.cast(field.type)


def _numbers(values: pa.Array) -> np.ndarray:
    return np.asarray(values.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _row_ids(making: _Making, table: str, values: pa.Array, field: pa.Field) -> pa.Array:
    """Ids of rows. 0, which some sources write for none, is none."""
    numbers = _numbers(values)
    known = numbers > 0
    out = np.zeros(len(numbers), np.int64)
    out[known] = making.ids.row(table, numbers[known])
    return pa.array(out, field.type, mask=~known)


def _mapped(rule: dict[str, int], values: pa.Array, field: pa.Field) -> pa.Array:
    numbers = _numbers(values)
    distinct, codes = np.unique(numbers, return_inverse=True)
    becomes = np.array([rule.get(str(one), rule.get("*", 0)) for one in distinct.tolist()], np.int64)
    return pa.array(becomes[codes] if len(distinct) else numbers, field.type, mask=numbers < 0)


def _moved(values: pa.Array, days: np.ndarray, unit: int, field: pa.Field) -> pa.Array:
    """Dates (unit 1: days) or moments (milliseconds of a day) moved back; a moment becomes the beginning of its day."""
    width = pa.int32() if unit == 1 else pa.int64()
    null = np.asarray(values.is_null().to_numpy(zero_copy_only=False))
    numbers = values.cast(field.type).cast(width).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    moved = (numbers // unit - days) * unit
    return pa.array(moved, width, mask=null).cast(field.type)


def _note_concepts(rows: pa.Table, used: set[int]) -> None:
    for name in rows.column_names:
        if name.endswith("concept_id"):
            used.update(one for one in rows.column(name).unique().to_pylist() if one)
