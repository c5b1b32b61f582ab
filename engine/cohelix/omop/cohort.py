"""Cases and controls out of health records, by the definitions of `omop/definition.py`.

Records are read in batches, each table once for all definitions. What is held is the days of records that make a case,
and the persons of the others: memory is that of the persons and of their matching records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cohelix.arrays import distinct
from cohelix.errors import InputError
from cohelix.omop.concepts import Resolved, resolve
from cohelix.omop.definition import EVENTS, Definition
from cohelix.omop.source import Cdm

CONTROL, CASE, NEITHER = 0, 1, -1
_DAY, _ZERO = 1 << 32, 1 << 31
"""A person and a day in one int64: person x _DAY + day + _ZERO."""

_HELD = 1 << 22


@dataclass(frozen=True)
class Cohort:
    """What a definition makes of everybody in PERSON.

    person: int64 (p,), ascending. state: int8 (p,), `CASE`, `CONTROL` or `NEITHER`. start, end: int32 (p,) days since
    1970, of cases and controls. A case starts on the day of the first record and ends with the period of observation
    it lies in (the same day, where there is none); a control has the first and last day of observation, and is NEITHER
    where nobody ever observed it. counts: persons by what became of them (each once), and records that could not count.
    """

    definition: Definition
    person: np.ndarray
    state: np.ndarray
    start: np.ndarray
    end: np.ndarray
    counts: dict[str, int]


@dataclass
class _Pairs:
    """Distinct (person, day), packed; at most a few millions of them twice."""

    held: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    new: list[np.ndarray] = field(default_factory=list)
    n_new: int = 0

    def add(self, person: np.ndarray, day: np.ndarray) -> None:
        self.new.append(distinct(person * _DAY + day + _ZERO))
        self.n_new += len(self.new[-1])
        if self.n_new > _HELD:
            self.settle()

    def settle(self) -> np.ndarray:
        self.held, self.new, self.n_new = distinct(np.concatenate([self.held, *self.new])), [], 0
        return self.held


@dataclass(frozen=True)
class _Periods:
    """Periods of observation of persons: place, start, end int64 (periods,); by place, then start."""

    place: np.ndarray
    start: np.ndarray
    end: np.ndarray


def find_cohorts(cdm: Cdm, definitions: Sequence[Definition]) -> list[Cohort]:
    """Cases and controls by each definition.

    InputError where a table is lacking that a definition needs, where PERSON names nobody or one twice, or where
    descendants are not known.
    """
    person = _persons(cdm)
    sets = resolve(cdm, [one for each in definitions for one in (each.cases, each.excluded, each.without)])
    if any(one.blind for one in sets[::3]):
        raise InputError(
            "CONCEPT_ANCESTOR knows none of the concepts that make a case, so their descendants are not known. Add "
            "them to it, or name every concept and set descendants = false."
        )
    by_definition = [sets[3 * place : 3 * place + 3] for place in range(len(definitions))]
    cases = [_Pairs() for _ in definitions]
    marked = [np.zeros((2, len(person)), bool) for _ in definitions]  # excluded; not a control
    unusable = _read(cdm, person, definitions, by_definition, cases, marked)
    periods = _periods(cdm, person) if "observation_period" in cdm.tables() else None
    return [
        _cohort(definition, person, pairs.settle(), marks, periods, unusable | _unknown(resolved))
        for definition, pairs, marks, resolved in zip(definitions, cases, marked, by_definition, strict=True)
    ]


def _persons(cdm: Cdm) -> np.ndarray:
    person = np.sort(cdm.read("person", ("person_id",)).column(0).fill_null(0).to_numpy().astype(np.int64))
    if not len(person) or person[0] < 1 or person[-1] >= _ZERO or (np.diff(person) == 0).any():
        raise InputError(
            f"expected persons between 1 and {_ZERO - 1:,} in PERSON, each once, found others. Correct it."
        )
    return person


def _read(
    cdm: Cdm,
    person: np.ndarray,
    definitions: Sequence[Definition],
    sets: Sequence[Sequence[Resolved]],
    cases: Sequence[_Pairs],
    marked: Sequence[np.ndarray],
) -> dict[str, int]:
    """Fills `cases` and `marked`. Returns how many records were of nobody in PERSON, or had no date."""
    counts = {"records_of_nobody": 0, "records_without_date": 0}
    for table, (concept_column, date_column) in EVENTS.items():
        wanting = [place for place, one in enumerate(definitions) if table in one.tables]
        if not wanting:
            continue
        if table not in cdm.tables():
            raise InputError(f"expected a table {table.upper()}, where a phenotype looks for records, found none.")
        every = distinct(np.concatenate([one.concepts for place in wanting for one in sets[place]]))
        for batch in cdm.batches(table, ("person_id", concept_column, date_column)):
            whose, concept = (batch.column(place).fill_null(0).to_numpy() for place in range(2))
            rows = np.flatnonzero(np.isin(concept, every))
            dated = batch.column(2).is_valid().to_numpy(zero_copy_only=False)[rows]
            counts["records_without_date"] += int((~dated).sum())
            rows = rows[dated]
            at = _places(person, whose[rows])
            counts["records_of_nobody"] += int((at < 0).sum())
            rows, at = rows[at >= 0], at[at >= 0]
            day = batch.column(2).cast(pa.int32()).fill_null(0).to_numpy()[rows].astype(np.int64)
            for place in wanting:
                case, *others = (np.isin(concept[rows], one.concepts) for one in sets[place])
                cases[place].add(at[case], day[case])
                for kind, of_kind in enumerate(others):
                    marked[place][kind, at[of_kind]] = True
    return counts


def _places(person: np.ndarray, whose: np.ndarray) -> np.ndarray:
    """int64: places of persons among all; -1 for one that PERSON has not."""
    at = np.minimum(np.searchsorted(person, whose), len(person) - 1)
    return np.where(person[at] == whose, at, -1)


def _periods(cdm: Cdm, person: np.ndarray) -> _Periods:
    columns = ("person_id", "observation_period_start_date", "observation_period_end_date")
    parts = [np.empty((3, 0), np.int64)]
    for batch in cdm.batches("observation_period", columns):
        at = _places(person, batch.column(0).fill_null(0).to_numpy())
        start, end = (batch.column(place).cast(pa.int32()).fill_null(0).to_numpy() for place in (1, 2))
        dated = (batch.column(1).is_valid().to_numpy(zero_copy_only=False)) & (
            batch.column(2).is_valid().to_numpy(zero_copy_only=False)
        )
        rows = np.flatnonzero((at >= 0) & dated & (start <= end))
        parts.append(np.stack([at[rows], start[rows], end[rows]]).astype(np.int64))
    found = np.concatenate(parts, axis=1)
    return _Periods(*found[:, np.lexsort((found[1], found[0]))])


def _unknown(resolved: Sequence[Resolved]) -> dict[str, int]:
    return {"concepts_without_descendants_known": sum(one.unknown for one in resolved)}


def _cohort(
    definition: Definition,
    person: np.ndarray,
    pairs: np.ndarray,
    marks: np.ndarray,
    periods: _Periods | None,
    counts: dict[str, int],
) -> Cohort:
    n = len(person)
    if periods is None and definition.observation_days:
        raise InputError(
            "expected a table OBSERVATION_PERIOD, which says who was under observation, found none. Add it, or set "
            "observation_days = 0."
        )
    at, day = pairs // _DAY, pairs % _DAY - _ZERO
    dates = np.bincount(at, minlength=n)
    first, last = np.full(n, _ZERO, np.int64), np.full(n, -_ZERO, np.int64)
    np.minimum.at(first, at, day)
    np.maximum.at(last, at, day)
    excluded, other = marks
    enough = (dates >= definition.dates) & (last - first >= definition.days_apart)
    case = enough & ~excluded
    observed, seen_first, seen_last = _observed(periods, n)
    clean = (dates == 0) & ~other & ~excluded
    control = clean & (observed >= max(definition.observation_days, 1)) if periods is not None else clean & False
    state = np.where(case, CASE, np.where(control, CONTROL, NEITHER)).astype(np.int8)
    start = np.where(case, first, np.where(control, seen_first, 0))
    end = np.where(case, _ends(periods, first, case), np.where(control, seen_last, 0))
    counts = {
        "persons": n,
        "cases": int(case.sum()),
        "controls": int(control.sum()),
        "excluded": int(excluded.sum()),
        "too_few_dates": int(((dates > 0) & ~enough & ~excluded).sum()),
        "not_a_control_by_record": int(((dates == 0) & other & ~excluded).sum()),
        "not_under_observation": int((clean & ~control).sum()),
    } | counts
    return Cohort(definition, person, state, start.astype(np.int32), end.astype(np.int32), counts)


def _observed(periods: _Periods | None, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(days under observation, first, last) int64 (n,). Days in two periods count once."""
    days, first, last = np.zeros(n, np.int64), np.full(n, _ZERO, np.int64), np.full(n, -_ZERO, np.int64)
    if periods is None or not len(periods.place):
        return days, first, last
    np.minimum.at(first, periods.place, periods.start)
    np.maximum.at(last, periods.place, periods.end)
    # The last day seen before each period: ends so far, of the same person; places are in the high digits.
    reach = np.maximum.accumulate(periods.place * _DAY + periods.end + _ZERO)
    before = np.concatenate([[-1], reach[:-1]])
    begins = np.maximum(periods.place * _DAY + periods.start + _ZERO, before + 1)
    np.add.at(days, periods.place, np.maximum(periods.place * _DAY + periods.end + _ZERO - begins + 1, 0))
    return days, first, last


def _ends(periods: _Periods | None, index: np.ndarray, case: np.ndarray) -> np.ndarray:
    """int64 (n,): the last day of the periods that the day `index` of a person lies in; that day where in none."""
    end = index.copy()
    if periods is not None:
        within = case[periods.place] & (periods.start <= index[periods.place]) & (index[periods.place] <= periods.end)
        np.maximum.at(end, periods.place[within], periods.end[within])
    return end
