"""A batch of a table against the rules, with what is known of keys, persons and concepts."""

from __future__ import annotations

import datetime
from collections import Counter
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cohelix.genotypes.omop import arrow_schema
from cohelix.omop.keys import Keys, Numbers, Words
from cohelix.omop.rules import FIRST_YEAR, GRACE, fits, is_of_people, length_of, starts_of
from cohelix.omop.source import Cdm
from cohelix.omop.source.cdm import conform
from cohelix.omop.tables import Field, fields

Found = Counter[tuple[str, str, str]]
_EPOCH = datetime.date(1970, 1, 1)
_NEVER = np.int32(np.iinfo(np.int32).max)
_FIRST_DAY = (datetime.date(FIRST_YEAR, 1, 1) - _EPOCH).days


class Facts:
    """What a first pass learns: keys by table, the days of births and deaths by person, domains of concepts."""

    def __init__(self, today: datetime.date) -> None:
        self.today = (today - _EPOCH).days
        self.this_year = today.year
        self.keys: dict[tuple[str, str], Keys] = {}
        self.born = Days()
        self.died = Days()
        self.concepts = np.empty(0, np.int64)
        self.domains = np.empty(0, np.int32)
        self.names: list[str] = []


class Days:
    """A day (int32, since 1970) by person: the first one that was told."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self._persons = np.empty(0, np.int64)
        self._days = np.empty(0, np.int32)

    def add(self, persons: np.ndarray, days: np.ndarray) -> None:
        self._parts.append((persons, days))

    def settle(self) -> None:
        if self._parts:
            persons = np.concatenate([one for one, _ in self._parts])
            days = np.concatenate([one for _, one in self._parts])
            order = np.lexsort((days, persons))
            unique, first = np.unique(persons[order], return_index=True)
            self._persons, self._days = unique, days[order][first].astype(np.int32)
            self._parts = []

    def of(self, persons: np.ndarray, otherwise: int) -> np.ndarray:
        if not len(self._persons):
            return np.full(len(persons), otherwise, np.int64)
        place = np.minimum(np.searchsorted(self._persons, persons), len(self._persons) - 1)
        return np.where(self._persons[place] == persons, self._days[place], otherwise).astype(np.int64)


def learn(cdm: Cdm, table: str, facts: Facts, found: Found) -> None:
    """Fill `facts` from a table; keys that come twice are counted."""
    there = cdm.columns(table)
    for field in fields()[table]:
        if field.primary_key and field.name in there:
            keys: Keys = Words() if field.type.startswith("varchar") else Numbers()
            rows = 0
            for batch in cdm.raw(table, [field.name]):
                rows += batch.num_rows
                values = _converted(batch.column(0), _kinds(field.table)[field.name])[0]
                found[table, field.name, "primary key twice"] += keys.add(values.drop_null())
            if rows or table == "person":  # a database has all tables, also those that nobody filled
                facts.keys[table, field.name] = keys
    if table == "person" and "year_of_birth" in there:
        names = [one for one in ("person_id", "year_of_birth", "month_of_birth", "day_of_birth") if one in there]
        for batch in cdm.raw(table, names):
            columns = {one: _converted(batch.column(one), pa.int64())[0] for one in names}
            persons, days, known = _births(columns, facts)[:3]
            facts.born.add(persons[known], days[known])
        facts.born.settle()
    if table == "death" and {"person_id", "death_date"} <= set(there):
        for batch in cdm.raw(table, ["person_id", "death_date"]):
            persons_, days_ = (_converted(batch.column(i), (pa.int64(), pa.date32())[i])[0] for i in (0, 1))
            known = _both(persons_, days_)
            facts.died.add(_numbers(persons_)[known], _numbers(days_)[known])
        facts.died.settle()
    if table == "concept" and {"concept_id", "domain_id"} <= set(there):
        _learn_domains(cdm, facts)


def check_batch(table: str, batch: pa.RecordBatch, facts: Facts, found: Found) -> None:
    """Count in `found` what of a batch breaks a rule. Columns are named as in the CDM, of the source's types."""
    typed = any(not _is_text(column.type) and not pa.types.is_null(column.type) for column in batch.columns)
    values: dict[str, pa.Array] = {}
    for field in fields()[table]:
        if field.name in batch.schema.names:
            values[field.name] = _check_field(field, batch.column(field.name), typed, facts, found)
    _check_days(table, values, facts, found)
    if table == "person":
        _check_births(values, facts, found)


def _check_field(field: Field, column: pa.Array, typed: bool, facts: Facts, found: Found) -> pa.Array:
    table, name, kind = field.table, field.name, _kinds(field.table)[field.name]
    array, bad = _converted(column, kind)
    found[table, name, "type"] += bad
    if field.required:
        found[table, name, "null"] += array.null_count - bad
    if typed and not bad and not _is_stored_as(column.type, kind):
        found[table, name, "stored as another type"] += len(array) - array.null_count
    most = length_of(field)
    if most is not None:
        found[table, name, "too long"] += _count(pc.greater(pc.utf8_length(array), most))
    if pa.types.is_integer(kind):
        outside = pc.or_(pc.greater(array, 2**31 - 1), pc.less(array, -(2**31)))
        found[table, name, "beyond 32 bits"] += _count(outside)
    if field.refers:
        _check_reference(field, array.drop_null(), facts, found)
    return array


def _check_reference(field: Field, values: pa.Array, facts: Facts, found: Found) -> None:
    assert field.refers is not None
    target = field.refers[0]
    keys = facts.keys.get(field.refers)
    concept = target == "concept"
    if concept or keys is None:  # 0 is no concept, and what many write for none
        values = values.filter(pc.not_equal(values, 0)) if pa.types.is_integer(values.type) else values
    if keys is None:
        found[field.table, field.name, "no such table"] += 0 if concept else len(values)
        return
    absent = ~keys.holds(values)
    found[field.table, field.name, "no such concept" if concept else "no such row"] += int(absent.sum())
    if concept and field.domain and len(facts.concepts):
        asked = _numbers(values)[~absent]
        place = np.minimum(np.searchsorted(facts.concepts, asked), len(facts.concepts) - 1)
        told = facts.concepts[place] == asked  # a concept may be there without its domain
        wrong = np.array([not fits(name, field.domain) for name in facts.names], bool)
        found[field.table, field.name, "another domain"] += int(wrong[facts.domains[place[told]]].sum())


def _check_days(table: str, values: dict[str, pa.Array], facts: Facts, found: Found) -> None:
    """Dates of records: within 1900 and today, ends after starts, within the person's life."""
    kinds = {field.name: field.type for field in fields()[table]}
    for end, start in starts_of(table).items():
        if end in values and start in values:
            found[table, end, "end before start"] += _count(pc.less(values[end], values[start]))
    for name in values:
        day = name.removesuffix("time")
        if kinds[name] == "datetime" and day in values:
            found[table, name, "another day"] += _count(pc.not_equal(_day_of(values[name]), values[day]))
    if not is_of_people(table):
        return
    persons = values.get("person_id")
    for name, array in values.items():
        if kinds[name] != "date":
            continue
        days = _numbers(array)
        known = ~_nulls(array)
        impossible = known & ((days < _FIRST_DAY) | (days > facts.today))
        found[table, name, "impossible date"] += int(impossible.sum())
        if persons is not None:
            known &= ~_nulls(persons)
            whose, days = _numbers(persons)[known], days[known]
            found[table, name, "before birth"] += int((days < facts.born.of(whose, -int(_NEVER))).sum())
            if table != "death":
                found[table, name, "after death"] += int((days > facts.died.of(whose, int(_NEVER)) + GRACE).sum())


def _check_births(values: dict[str, pa.Array], facts: Facts, found: Found) -> None:
    if "year_of_birth" not in values:
        return
    _, days, known, year_known, year_possible = _births(values, facts)
    found["person", "year_of_birth", "impossible date"] += int((year_known & ~year_possible).sum())
    found["person", "day_of_birth", "impossible date"] += int((year_possible & ~known).sum())
    told = values.get("birth_datetime")
    if told is not None and {"month_of_birth", "day_of_birth"} <= set(values):
        on = _day_of(told)
        whole = known & ~_nulls(on) & ~_nulls(values["month_of_birth"]) & ~_nulls(values["day_of_birth"])
        found["person", "birth_datetime", "another day"] += int((_numbers(on) != days)[whole].sum())


def _births(columns: dict[str, pa.Array], facts: Facts) -> tuple[np.ndarray, ...]:
    """(person, first day on which they can have been born, whether such a day exists, year known, year possible)."""
    n = len(columns["year_of_birth"])
    absent = pa.nulls(n, pa.int64())
    year, month, day, person = (
        columns.get(one, absent) for one in ("year_of_birth", "month_of_birth", "day_of_birth", "person_id")
    )
    years, there = _numbers(year), ~_nulls(year)
    possible = there & (years >= FIRST_YEAR) & (years <= facts.this_year)
    months, days = (_numbers(pc.fill_null(one, 1)) for one in (month, day))
    fits_ = possible & (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)
    of_month = (np.where(fits_, years, 1970) - 1970) * 12 + np.where(fits_, months, 1) - 1
    first = of_month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (of_month + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    born = first + np.where(fits_, days, 1) - 1
    known = fits_ & (born < after) & (born <= facts.today)
    return _numbers(person), born, known & ~_nulls(person) if "person_id" in columns else known, there, possible


def _learn_domains(cdm: Cdm, facts: Facts) -> None:
    ids, codes, names = [], [], dict[str, int]()
    for batch in cdm.raw("concept", ["concept_id", "domain_id"]):
        number, domain = _converted(batch.column(0), pa.int64())[0], _converted(batch.column(1), pa.string())[0]
        known = _both(number, domain)
        ids.append(_numbers(number)[known])
        told = domain.filter(pa.array(known)).dictionary_encode()
        place = np.array([names.setdefault(one, len(names)) for one in told.dictionary.to_pylist()], np.int32)
        codes.append(place[_numbers(told.indices)])
    if ids:
        every = np.concatenate(ids)
        unique, first = np.unique(every, return_index=True)
        facts.concepts = unique
        facts.domains = np.concatenate(codes)[first]
    facts.names = list(names)


def _converted(column: pa.Array, kind: pa.DataType) -> tuple[pa.Array, int]:
    """(column as a type of the CDM, how many values could not be converted): these are null."""
    try:
        return conform(column, kind), 0
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    one_by_one = []
    for value in coded.dictionary:
        try:
            one_by_one.append(conform(pa.array([value.as_py()], coded.dictionary.type), kind)[0].as_py())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            one_by_one.append(_BAD)
    wrong = pa.array([one is _BAD for one in one_by_one], pa.bool_())
    good = pa.array([None if one is _BAD else one for one in one_by_one], kind)
    return good.take(coded.indices), _count(wrong.take(coded.indices))


_BAD = object()


@cache
def _kinds(table: str) -> dict[str, pa.DataType]:
    return {one.name: pa.int64() if pa.types.is_integer(one.type) else one.type for one in arrow_schema(table)}


def _is_stored_as(stored: pa.DataType, kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    same = (
        (pa.types.is_integer, (pa.types.is_integer,)), (_is_text, (_is_text,)), (pa.types.is_date, (pa.types.is_date,)),
        (pa.types.is_timestamp, (pa.types.is_timestamp,)),
        (pa.types.is_floating, (pa.types.is_floating, pa.types.is_decimal, pa.types.is_integer)),
    )  # fmt: skip
    return pa.types.is_null(stored) or any(is_kind(kind) and any(one(stored) for one in ok) for is_kind, ok in same)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _numbers(array: pa.Array) -> np.ndarray:
    """Values as int64, days of dates; 0 where null."""
    if pa.types.is_date(array.type):
        array = array.cast(pa.int32())
    return np.asarray(pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False), np.int64)


def _day_of(array: pa.Array) -> pa.Array:
    return array.cast(pa.date32(), safe=False)


def _nulls(array: pa.Array) -> np.ndarray:
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)


def _both(first: pa.Array, second: pa.Array) -> np.ndarray:
    known: np.ndarray = ~(_nulls(first) | _nulls(second))
    return known


def _count(mask: pa.Array) -> int:
    return pc.sum(mask).as_py() or 0
