"""Whose a sample is: sample -> SPECIMEN -> person, one to one, and why not where it is not.

SPECIMEN.specimen_source_id names the sample (OMOP CDM 5.4). A table of links takes its place where the health records
do not name samples. A sample that two persons claim belongs to nobody; of several samples of a person one stands for
the person, and the others are counted. Ids are compared as texts: `007` is not `7`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.arrays import distinct
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, column_of, read_table, texts
from cohelix.genotypes.omop import LAST_ID
from cohelix.omop.source import Cdm

LINKED, NO_SPECIMEN, NO_PERSON, TWO_PERSONS, SECOND_SAMPLE = range(5)
STATES = ("linked", "no_specimen", "no_person", "two_persons", "second_sample")
UNKNOWN_DAY = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Link:
    """person: int64 (n,), 0 for none. state: int8 (n,), place in `STATES`. day: int32 (n,) days since 1970 of the
    first specimen, 0 where not known. counts: samples by state.
    """

    person: np.ndarray
    state: np.ndarray
    day: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        found = np.bincount(self.state, minlength=len(STATES))
        return {state: int(found[place]) for place, state in enumerate(STATES)}


def link(cdm: Cdm, sample_ids: Sequence[str], links: str | None = None, *, rank: np.ndarray | None = None) -> Link:
    """Persons of samples, in the order of `sample_ids`.

    rank: int (n,), the smallest stands for a person with several samples; of equal ones the first by the bytes of its
    id. links: table of sample_id and person_id, instead of SPECIMEN. SPECIMEN is read in batches; what is held is of
    the samples asked for.

    InputError where a sample is given twice, where person ids are none of the CDM's, where nothing names samples.
    """
    n = len(sample_ids)
    if len(set(sample_ids)) != n:
        raise InputError("expected every sample once among those to be linked, found one twice. Remove it.")
    if rank is not None and len(rank) != n:
        raise ConfigError(f"expected a rank of each of {n} samples, found {len(rank)}.")
    rows, persons, days = _claims(_listed(links) if links else _specimens(cdm), sample_ids)
    person, state, day = np.zeros(n, np.int64), np.full(n, NO_SPECIMEN, np.int8), np.full(n, UNKNOWN_DAY, np.int32)
    np.minimum.at(day, rows, days)
    state[rows] = NO_PERSON
    pairs = np.unique(np.stack([rows, persons], axis=1)[persons > 0], axis=0)
    person[pairs[:, 0]] = pairs[:, 1]
    known = distinct(cdm.read("person", ("person_id",)).column(0).to_numpy())
    state[np.isin(person, known) & (person > 0)] = LINKED
    state[np.bincount(pairs[:, 0], minlength=n) > 1] = TWO_PERSONS
    _one_sample_each(person, state, sample_ids, np.zeros(n, np.int64) if rank is None else rank)
    person[state != LINKED] = 0
    day[day == UNKNOWN_DAY] = 0
    return Link(person, state, day)


def _one_sample_each(person: np.ndarray, state: np.ndarray, sample_ids: Sequence[str], rank: np.ndarray) -> None:
    """Mark all but the first sample of each person."""
    linked = np.flatnonzero(state == LINKED)
    _, place, n = np.unique(person[linked], return_inverse=True, return_counts=True)
    several = linked[n[place] > 1]
    taken: set[int] = set()
    for row in sorted(several.tolist(), key=lambda one: (rank[one], sample_ids[one].encode())):
        if int(person[row]) in taken:
            state[row] = SECOND_SAMPLE
        taken.add(int(person[row]))


def _claims(
    batches: Iterator[tuple[pa.Array, np.ndarray, np.ndarray]], sample_ids: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(place of the sample, person, day), all int64 and as long: what is said of the samples asked for."""
    import pyarrow.compute as pc

    asked = pa.array(sample_ids, pa.string())
    found = [np.empty((3, 0), np.int64)]
    for samples, persons, days in batches:
        at = pc.index_in(pc.utf8_trim_whitespace(samples), value_set=asked).fill_null(-1).to_numpy()
        mine = np.flatnonzero(at >= 0)
        if mine.size:
            found.append(np.stack([at[mine], persons[mine], days[mine]]).astype(np.int64))
    rows, persons, days = np.concatenate(found, axis=1)
    if ((persons < 0) | (persons > LAST_ID)).any():
        raise InputError(
            f"expected person_id between 1 and {LAST_ID:,}, as the CDM has it, found another one beside a sample. "
            "Correct it."
        )
    return rows, persons, days


def _specimens(cdm: Cdm) -> Iterator[tuple[pa.Array, np.ndarray, np.ndarray]]:
    """(samples, persons with 0 for none, days) of SPECIMEN, a batch at a time."""
    if "specimen" not in cdm.tables() or "specimen_source_id" not in cdm.columns("specimen"):
        raise InputError(
            "expected a table SPECIMEN whose specimen_source_id names the samples, found none. Give a table of links."
        )
    for batch in cdm.batches("specimen", ("specimen_source_id", "person_id", "specimen_date")):
        samples, persons, days = batch.columns
        yield samples, persons.fill_null(0).to_numpy(), days.cast(pa.int32()).fill_null(UNKNOWN_DAY).to_numpy()


def _listed(path: str) -> Iterator[tuple[pa.Array, np.ndarray, np.ndarray]]:
    what = "table of links"
    table = read_table(path, what)
    samples = texts(table, column_of(table, SAMPLE_COLUMNS, what))
    persons = texts(table, column_of(table, ("person_id",), what))
    numbers = np.zeros(len(persons), np.int64)
    for row, whose in enumerate(persons):
        if not whose:
            continue
        if not (whose.isascii() and whose.isdigit() and len(whose) < 11 and 0 < int(whose) <= LAST_ID):
            raise InputError(
                f"expected a whole number between 1 and {LAST_ID:,} as person_id on row {row + 2} of the {what}, found "
                "something else. Correct it."
            )
        numbers[row] = int(whose)
    yield pa.array(samples, pa.string()), numbers, np.full(len(persons), UNKNOWN_DAY, np.int64)
