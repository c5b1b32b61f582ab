"""Cases and controls out of health records in the OMOP Common Data Model 5.4.

Tables are Parquet, CSV or TSV (with .gz), named in either case, as are their columns; a folder of parts is one table.
They are read in pieces: memory is that of the persons, not of the records.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.errors import ConfigError, InputError
from cohelix.prs.evaluate.people import Persons
from cohelix.prs.evaluate.phenotypes import Trait
from cohelix.prs.schema import EvaluateParams

_ENDINGS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
_CONCEPT = re.compile(r"(?:([A-Za-z0-9_.-]+)=)?(\d+(?:\+\d+)*)")


@dataclass(frozen=True)
class Wish:
    """A trait: its name, and the concepts that make a case."""

    name: str
    concepts: tuple[int, ...]


def wishes_of(concepts: Sequence[str]) -> list[Wish]:
    """`201826` or `name=201826+201254`, as `prs.evaluate.concepts` has them."""
    found = []
    for text in concepts:
        match = _CONCEPT.fullmatch(text.strip())
        if match is None:
            raise ConfigError(f"prs.evaluate.concepts holds {text!r}. Write a concept id, or name=id+id.")
        ids = tuple(int(one) for one in match[2].split("+"))
        found.append(Wish(match[1] or "condition_" + "_".join(map(str, ids)), ids))
    names = [wish.name for wish in found]
    if len(set(names)) != len(names):
        raise ConfigError("prs.evaluate.concepts names one trait twice. Name them apart, as in first=201826.")
    return found


def read_conditions(folder: str, persons: Persons, params: EvaluateParams) -> list[Trait]:
    """A binary trait for each of `params.concepts`.

    Case: at least `min_occurrences` records of a concept or a descendant of it. Control: none, and under observation
    (observation_period) for at least `min_observation_days` days. Not known: fewer records, or nobody looked.
    Raises InputError where a table or column is lacking, or the records are of other persons.
    """
    wishes = wishes_of(params.concepts)
    if not wishes:
        raise ConfigError("expected concepts beside --omop, found none. Set prs.evaluate.concepts, as in '201826'.")
    linked = np.array(sorted({_number(one) for one in persons.ids if one}), np.int64)
    descendants = _descendants(folder, [concept for wish in wishes for concept in wish.concepts])
    members = [set().union(*(descendants[concept] for concept in wish.concepts)) for wish in wishes]
    counts = _count_records(folder, linked, members, params.distinct_days)
    observed = _observed(folder, linked, params.min_observation_days)
    if not observed.any() and not any(one.any() for one in counts):
        raise InputError(
            f"expected health records of the {len(linked)} persons that the samples are linked to, found none of them "
            "in condition_occurrence or observation_period. Give their records."
        )
    place = np.array([np.searchsorted(linked, _number(one)) if one else -1 for one in persons.ids], np.int64)
    traits = []
    for wish, count in zip(wishes, counts, strict=True):
        state = np.where(count >= params.min_occurrences, 1.0, np.where((count == 0) & observed, 0.0, np.nan))
        values = np.where(place >= 0, state[np.maximum(place, 0)], np.nan)
        if len(np.unique(values[~np.isnan(values)])) < 2:
            raise InputError(
                f"trait {wish.name!r} has cases alone or controls alone among the people that were scored. Check the "
                "concept, or leave it out."
            )
        traits.append(Trait(wish.name, True, values, "records"))
    return traits


def tables_of(folder: str, name: str) -> list[Path]:
    """The files of a table, in order; empty where the folder has it not."""
    root = Path(folder)
    if not root.is_dir():
        raise InputError("expected --omop to be a folder of OMOP CDM tables on a disk, found none. Check its path.")
    for entry in sorted(root.iterdir()):
        lower = entry.name.lower()
        if entry.is_file() and lower in {name + ending for ending in _ENDINGS}:
            return [entry]
        if entry.is_dir() and lower in (name, name + ".parquet"):
            return sorted(part for part in entry.rglob("*") if part.name.lower().endswith(_ENDINGS))
    return []


def _needed(folder: str, name: str) -> list[Path]:
    files = tables_of(folder, name)
    if not files:
        raise InputError(f"expected a table {name} (Parquet or CSV) in the folder of --omop, found none. Add it.")
    return files


def _descendants(folder: str, concepts: Sequence[int]) -> dict[int, set[int]]:
    """Each concept with its descendants; alone where there is no table of ancestors."""
    found = {concept: {concept} for concept in concepts}
    wanted = np.array(sorted(found), np.int64)
    columns = ("ancestor_concept_id", "descendant_concept_id")
    for file in tables_of(folder, "concept_ancestor"):
        for ancestor, descendant in _pieces(file, columns, "concept_ancestor"):
            for row in np.flatnonzero(np.isin(ancestor, wanted)).tolist():
                found[int(ancestor[row])].add(int(descendant[row]))
    return found


def _count_records(
    folder: str, linked: np.ndarray, members: Sequence[set[int]], distinct_days: bool
) -> list[np.ndarray]:
    """int64 (linked persons,) for each trait: its records, or its days with a record."""
    counts = [np.zeros(len(linked), np.int64) for _ in members]
    days: list[Counter[tuple[int, int]]] = [Counter() for _ in members]
    wanted = [np.array(sorted(member), np.int64) for member in members]
    columns = ("person_id", "condition_concept_id", *(("condition_start_date",) if distinct_days else ()))
    for file in _needed(folder, "condition_occurrence"):
        for person, concept, *date in _pieces(file, columns, "condition_occurrence"):
            place = np.searchsorted(linked, person)
            known = linked[np.minimum(place, len(linked) - 1)] == person
            for trait, ids in enumerate(wanted):
                rows = np.flatnonzero(known & np.isin(concept, ids))
                if distinct_days:
                    days[trait].update(zip(place[rows].tolist(), date[0][rows].tolist(), strict=True))
                else:
                    counts[trait] += np.bincount(place[rows], minlength=len(linked))
    for trait, found in enumerate(days):
        for row, _ in found:
            counts[trait][row] += 1
    return counts


def _observed(folder: str, linked: np.ndarray, least: int) -> np.ndarray:
    """bool (linked persons,): under observation for at least `least` days in all their periods together."""
    days = np.zeros(len(linked), np.int64)
    columns = ("person_id", "observation_period_start_date", "observation_period_end_date")
    for file in _needed(folder, "observation_period"):
        for person, start, end in _pieces(file, columns, "observation_period"):
            place = np.searchsorted(linked, person)
            rows = np.flatnonzero(linked[np.minimum(place, len(linked) - 1)] == person)
            np.add.at(days, place[rows], np.maximum(end[rows] - start[rows] + 1, 0))
    return days >= max(least, 1)


def _pieces(file: Path, columns: Sequence[str], table: str) -> Iterator[list[np.ndarray]]:
    """Columns as int64 (ids, or days since 1970), a piece of the table at a time; rows that lack one are left out."""
    try:
        for batch in _batches(file):
            names = {name.strip().strip('"').lower(): place for place, name in enumerate(batch.schema.names)}
            if lacking := [name for name in columns if name not in names]:
                raise InputError(f"expected a column {lacking[0]} in table {table} of --omop, found none. Add it.")
            arrays = [_integers(batch.column(names[name]), name.endswith("_date")) for name in columns]
            known = np.logical_and.reduce([~np.ma.getmaskarray(array) for array in arrays])
            yield [array.data[known] for array in arrays]
    except (pa.ArrowException, OSError, ValueError):
        raise InputError(
            f"table {table} of --omop is damaged, or holds ids that are no whole numbers, or dates that are not "
            "written YYYY-MM-DD. Correct it."
        ) from None


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow.csv
    import pyarrow.parquet as pq

    if file.name.lower().endswith(".parquet"):
        yield from pq.ParquetFile(file).iter_batches()
        return
    with pa.input_stream(str(file), compression="detect") as handle:
        header = handle.read(1 << 16).split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    delimiter = "\t" if "\t" in header else ","  # vocabularies come as .csv with tabs
    names = [name.strip('"') for name in header.split(delimiter)]
    options = pyarrow.csv.ConvertOptions(column_types={name: pa.string() for name in names})
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, quote_char='"' if delimiter == "," else False)
    with pa.input_stream(str(file), compression="detect") as handle:
        yield from pyarrow.csv.open_csv(handle, parse_options=parse, convert_options=options)


def _integers(column: pa.Array, date: bool) -> np.ma.MaskedArray[tuple[int], np.dtype[np.int64]]:
    """int64, masked where nothing stands."""
    import pyarrow.compute as pc

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
        if date:
            column = pc.utf8_slice_codeunits(column, 0, 10).cast(pa.date32())
    if date:
        column = column.cast(pa.date32()).cast(pa.int32())
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.replace_substring_regex(column, r"\.0*$", "")  # an id that went through a table of floats
    whole = column.cast(pa.int64())
    empty = whole.is_null().to_numpy(zero_copy_only=False)
    return np.ma.MaskedArray(whole.fill_null(0).to_numpy(zero_copy_only=False), empty)


def _number(person: str) -> int:
    try:
        return int(float(person)) if re.fullmatch(r"\d+\.0*", person) else int(person)
    except ValueError:
        raise InputError(
            "expected person ids as whole numbers in the links, as OMOP has them, found something else."
        ) from None
