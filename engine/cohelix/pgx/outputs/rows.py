"""Rows of people (`CALLS`) from what was said of patterns.

All that a row says follows from the pattern and from the answer, so a person costs a few look-ups in Arrow tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cohelix.pgx import schema
from cohelix.pgx.definition import Gene
from cohelix.pgx.genotype import ABSENT, MISSING, OTHER
from cohelix.pgx.patterns import Patterns
from cohelix.pgx.schema import CALLS, CONFIDENCES, PHASES, SOURCES, STATUSES, CallParams

if TYPE_CHECKING:
    from cohelix.pgx.outside import OutsideGene
    from cohelix.pgx.solve import Solved

WITHOUT_STRUCTURE = "CYP2D6"
"""The gene whose structural variants small variants do not show."""

_CALLED = ("called", "ambiguous", "haplotypes", "outside")
_CODES = OTHER + 1


def rows(
    gene: Gene,
    solved: Solved | None,
    meanings: pa.Table | None,
    sample_ids: pa.Array,
    params: CallParams,
    outside: OutsideGene | None = None,
) -> pa.Table:
    """Table of `CALLS`, one row a person, in the order of `sample_ids` (n,), which is that of the patterns' people.

    meanings: of `solved.answers`, row for row. outside: calls of other programs, which stand before ours; what was seen
    at the positions is said all the same. Without `solved` (a gene that is only called elsewhere) there are rows of
    people with an outside call only. params: as the genes were solved with.
    """
    outer = _Outer.of(outside, sample_ids)
    if solved is None or meanings is None:
        person = np.flatnonzero(outer.row >= 0)
        return _only_outside(gene, outer, outside, sample_ids.take(pa.array(person)), person)
    answers, told = solved.answers, meanings
    pattern = np.asarray(solved.patterns.of_person, np.int64)
    answer = np.asarray(solved.answer, np.int64)[pattern]
    elsewhere = outer.row >= 0
    if outside is not None and elsewhere.any():
        answer = np.where(elsewhere, answers.num_rows + outer.answer(outside), answer)
        answers = pa.concat_tables([answers, outside.answers.select(answers.column_names)])
        told = pa.concat_tables([told, outside.meanings.select(told.column_names)])
    seen = _seen(gene, solved.patterns)
    said = _said(answers, told)
    source = SOURCES.index("snv_only" if gene.symbol == WITHOUT_STRUCTURE else "matcher")
    confidence = _confidence(said, answer, seen, pattern, source)
    by_answer, by_pattern = pa.array(answer), pa.array(pattern)
    columns = _of_answers(answers, told, said, by_answer) | {
        "sample_id": sample_ids,
        "source": _named(np.where(elsewhere, SOURCES.index("outside"), source), SOURCES),
        "phase": _named(seen.phase[pattern], PHASES, elsewhere | (seen.phase[pattern] < 0)),
        "copy_number": outer.copy_number(outside),
        "confidence": _named(confidence, CONFIDENCES, confidence < 0),
        "n_positions": np.full(len(pattern), len(gene.positions), np.int32),
        "n_missing": seen.n_missing[pattern],
        "missing": seen.missing.take(by_pattern),
        "undocumented": seen.undocumented.take(by_pattern),
        "pattern": solved.patterns.number[pattern],
    }
    return _table(gene, columns, len(pattern))


@dataclass(frozen=True)
class _Outer:
    """row int64 (n,): which of the outside calls is the person's, -1 none."""

    row: np.ndarray

    @classmethod
    def of(cls, outside: OutsideGene | None, sample_ids: pa.Array) -> _Outer:
        if outside is None or not len(outside.sample_ids):
            return cls(np.full(len(sample_ids), -1, np.int64))
        import pyarrow.compute as pc

        found = pc.index_in(sample_ids, pa.array(outside.sample_ids, sample_ids.type))
        return cls(found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64))

    def answer(self, outside: OutsideGene) -> np.ndarray:
        answer: np.ndarray = np.asarray(outside.answer, np.int64)[self.row]
        return answer

    def copy_number(self, outside: OutsideGene | None) -> pa.Array:
        if outside is None or not (self.row >= 0).any():
            return pa.nulls(len(self.row), pa.int32())
        number = np.where(self.row >= 0, np.asarray(outside.copy_number, np.int32)[self.row], -1)
        return pa.array(number, pa.int32(), mask=number < 0)


@dataclass(frozen=True)
class _Seen:
    """What stands at the positions of m patterns. phase (m,): place in `PHASES`, -1 where there is no genotype."""

    phase: np.ndarray
    n_missing: np.ndarray
    missing: pa.Array
    undocumented: pa.Array


def _seen(gene: Gene, patterns: Patterns) -> _Seen:
    places = (*gene.positions, *gene.extra)
    first, second = patterns.codes & 15, patterns.codes >> 4
    none = (first == MISSING) & ((second == MISSING) | (second == ABSENT))
    lacking = none[: len(gene.positions)]
    where = np.array([place.position for place in gene.positions], np.int32)
    pattern, site = np.nonzero(lacking.T)
    offsets = np.searchsorted(pattern, np.arange(patterns.codes.shape[1] + 1)).astype(np.int32)
    return _Seen(
        np.where(none.all(0), -1, _phases(patterns, first, second)),
        lacking.sum(0).astype(np.int32),
        pa.ListArray.from_arrays(offsets, where[site]),
        _undocumented(first, second, [place.position for place in places], patterns.alleles,
                      np.array([1 + len(place.alts) for place in places])),
    )  # fmt: skip


def _phases(patterns: Patterns, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Place in `PHASES` (m,). What can be read in two ways: each unphased heterozygous genotype, each phase set."""
    two = (first <= OTHER) & (second <= OTHER) & (first != second)
    phase = np.where(two, patterns.phase, 0)
    blocks = (two & (phase == 0)).sum(0) + (phase == 1).any(0)
    blocks += np.maximum(phase.max(0, initial=0).astype(np.int64) - 1, 0)  # sets are numbered from 2 without a gap
    found = np.where(patterns.phase_sets, PHASES.index("phase_sets"), PHASES.index("unphased"))
    found = np.where(blocks <= 1, PHASES.index("effectively_phased"), found)
    return np.where(patterns.all_phased & ~patterns.phase_sets, PHASES.index("phased"), found)


def _undocumented(
    first: np.ndarray, second: np.ndarray, positions: list[int], alleles: Sequence[Sequence[str]], known: np.ndarray
) -> pa.Array:
    """list<string> (m,): position:allele of alleles beyond the `known` ones (sites,), each once."""
    m = first.shape[1]
    names = [f"{place}:{listed[code] if code < len(listed) else 'other'}"
             for place, listed in zip(positions, alleles, strict=True) for code in range(_CODES)]  # fmt: skip
    hits = []
    for strand in (first, second):
        site, pattern = np.nonzero((strand >= known[:, None]) & (strand <= OTHER))
        hits.append((pattern * len(positions) + site) * _CODES + strand[site, pattern])
    every = np.unique(np.concatenate(hits).astype(np.int64))
    offsets = np.searchsorted(every // (len(positions) * _CODES), np.arange(m + 1)).astype(np.int32)
    named = pa.array(names, pa.string()).take(pa.array(every % (len(positions) * _CODES)))
    return pa.ListArray.from_arrays(offsets, named)


@dataclass(frozen=True)
class _Said:
    """Of r answers. status (r,): place in `STATUSES`. calls: list<string> (r,), the call; n_called (r,): how many,
    a phenotype that is stated alone being one."""

    status: np.ndarray
    n_candidates: np.ndarray
    n_called: np.ndarray
    calls: pa.Array


def _said(answers: pa.Table, told: pa.Table) -> _Said:
    listed = _whole(answers.column("diplotypes"))
    top = answers.column("n_top").to_pylist()
    status = [STATUSES.index(one) for one in answers.column("status").to_pylist()]
    calls = [names[: top[row] or 0] for row, names in enumerate(listed.to_pylist())]
    count = np.diff(listed.offsets.to_numpy())
    reported = told.column("reported").to_pylist()  # another program may state a phenotype alone
    n_called = np.array([len(one) or len(reported[row] or ()) for row, one in enumerate(calls)], np.int64)
    return _Said(np.array(status, np.int64), count, n_called, pa.array(calls, pa.list_(pa.string())))


def _confidence(said: _Said, answer: np.ndarray, seen: _Seen, pattern: np.ndarray, source: int) -> np.ndarray:
    """Place in `CONFIDENCES` (n,): the worst that holds. -1: a single diplotype of another program."""
    place = {name: rank for rank, name in enumerate(CONFIDENCES)}
    status = said.status[answer]
    elsewhere = status == STATUSES.index("outside")
    phase = seen.phase[pattern]
    open_phase = (phase == PHASES.index("unphased")) | (phase == PHASES.index("phase_sets"))
    assumed = open_phase & ((said.n_candidates[answer] > 1) | (status == STATUSES.index("haplotypes")))
    n_called = said.n_called[answer]
    nothing = ~np.isin(status, [STATUSES.index(one) for one in _CALLED]) | (elsewhere & (n_called == 0))
    found = np.where(elsewhere, -1, place["high"])
    for holds, name in (
        ((seen.n_missing[pattern] > 0) & ~elsewhere, "missing_positions"),
        (assumed & ~elsewhere, "phase_assumed"),
        (n_called > 1, "ambiguous"),
        (~elsewhere & (source == SOURCES.index("snv_only")), "snv_only"),
        (nothing, "none"),
    ):
        found = np.where(holds, place[name], found)
    return found


def _of_answers(answers: pa.Table, told: pa.Table, said: _Said, by_answer: pa.Array) -> dict[str, Any]:
    """Columns that follow from the answer alone."""
    columns: dict[str, Any] = {
        "status": _named(said.status[by_answer.to_numpy()], STATUSES),
        "diplotypes": said.calls.take(by_answer),
        "candidates": _whole(answers.column("diplotypes")).take(by_answer),
        "phenotype": _whole(told.column("phenotype")).dictionary_encode().take(by_answer),
    }
    for name in ("scores", "haplotypes", "warnings"):
        columns[name] = _whole(answers.column(name)).take(by_answer)
    for name in schema.PHENOTYPES.names:
        if name != "phenotype":
            columns[name] = _whole(told.column(name)).take(by_answer)
    return columns


def _only_outside(
    gene: Gene, outer: _Outer, outside: OutsideGene | None, sample_ids: pa.Array, person: np.ndarray
) -> pa.Table:
    if outside is None or not len(person):
        return CALLS.empty_table()
    row = _Outer(outer.row[person])
    answer, n = row.answer(outside), len(person)
    said = _said(outside.answers, outside.meanings)
    n_called = said.n_called[answer]
    confidence = np.where(n_called > 1, CONFIDENCES.index("ambiguous"), CONFIDENCES.index("none"))
    empty = pa.ListArray.from_arrays(pa.array(np.zeros(n + 1, np.int32)), pa.array([], pa.string()))
    columns = _of_answers(outside.answers, outside.meanings, said, pa.array(answer)) | {
        "sample_id": sample_ids,
        "source": _named(np.full(n, SOURCES.index("outside")), SOURCES),
        "copy_number": row.copy_number(outside),
        "confidence": _named(confidence, CONFIDENCES, n_called == 1),
        "n_positions": np.zeros(n, np.int32),
        "n_missing": np.zeros(n, np.int32),
        "missing": empty.cast(pa.list_(pa.int32())),
        "undocumented": empty,
    }
    return _table(gene, columns, n)


def _table(gene: Gene, columns: dict[str, Any], n: int) -> pa.Table:
    same = np.zeros(n, np.int64)
    columns["gene"] = _named(same, (gene.symbol,))
    columns["definition"] = _named(same, (f"{gene.source}/{gene.version}",))
    columns.setdefault("phase", pa.nulls(n, CALLS.field("phase").type))
    columns.setdefault("pattern", pa.nulls(n, pa.int64()))
    arrays = [columns[one.name] if isinstance(columns[one.name], pa.Array) else pa.array(columns[one.name], one.type)
              for one in CALLS]  # fmt: skip
    return pa.Table.from_arrays(arrays, schema=CALLS)


def _named(codes: np.ndarray, names: Sequence[str], unknown: np.ndarray | None = None) -> pa.DictionaryArray:
    indices = pa.array(codes.astype(np.int32), pa.int32(), mask=unknown)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """One array of a column."""
    one = column.combine_chunks()
    if isinstance(one, pa.ChunkedArray):
        one = one.chunk(0) if one.num_chunks else pa.array([], column.type)
    return one
