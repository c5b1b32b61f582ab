"""Who is in a release: everybody in PERSON, without those who have withdrawn, and the sample that stands for each."""

from __future__ import annotations

import datetime
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, read_groups, read_sexes, read_table, texts
from cohelix.genotypes.omop import LAST_ID, parse_date
from cohelix.jobs.releases.order import Order
from cohelix.omop.link import link
from cohelix.omop.source import Cdm
from cohelix.release.aggregates.strata import NOT_KNOWN
from cohelix.release.people import People

SEXES = {8507: 1, 8532: 2}
_SEX = {"male": 1, "female": 2}
_DIGITS = 18
"""Of a number that fits into 64 bits whatever its digits are."""
_GROUPED = ("ancestry_pred_other", "group_other", "group")
_TAKEN = ("all", "max", NOT_KNOWN)
"""What releases have beside groups, in rows and columns."""


def people_of(cdm: Cdm, order: Order, as_of: str | None) -> tuple[People, np.ndarray]:
    """Persons and their samples; and persons who have withdrawn or are excluded, int64.

    Raises InputError for PERSON rows that name nobody or one person twice.

    A sample that fails a hard gate of `qc samples` stands for nobody; of several that pass, the one with the highest
    coverage does. as_of: the day ages are counted on; None: the day the health records were released.
    """
    inputs = order.inputs
    person, birth, stated = _persons(cdm)
    gone = _withdrawn(cdm, order)
    lists = [_listed(path) for path in inputs.exclude]
    gone_ids = np.array(sorted(gone.union(*(persons for persons, _ in lists))), np.int64)
    left_out = {sample for _, samples in lists for sample in samples}
    stays = ~np.isin(person, gone_ids)
    excluded = Counter({"person withdrawn or excluded": int((~stays).sum())})
    person, birth, stated = person[stays], birth[stays], stated[stays]
    if not len(person):
        raise InputError("expected persons to release, found none that has not withdrawn or is not excluded.")
    found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for kind, root, quality in (
        ("genome", inputs.callset, inputs.samples_qc),
        ("array", inputs.arrays, inputs.arrays_qc),
    ):
        ids = tuple(open_callset(root).samples().column("sample_id").to_pylist()) if root else ()
        found[kind] = (ids, _places(cdm, kind, ids, quality, inputs.links, left_out, person, excluded))
    _check_writing(left_out, (*found["genome"][0], *found["array"][0]), "on exclusion lists")
    ids, places = found["genome"]
    groups, group = _groups(inputs.ancestry, ids, places)
    people = People(
        person=person,
        birth=birth,
        genome=places,
        array=found["array"][1],
        group=group,
        sex=_sexes(inputs.callset, inputs.samples_qc, ids, places, stated),
        groups=groups,
        genome_ids=ids,
        array_ids=found["array"][0],
        excluded=dict(sorted(excluded.items())),
        as_of=_day(cdm, as_of),
    )
    return people, gone_ids


def _persons(cdm: Cdm) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(person int64 ascending, day of birth int32, sex int8 as PERSON has it)."""
    columns = ("person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth")
    table = cdm.read("person", columns)
    person, gender, year, month, day = (_integers(table, name) for name in columns)
    if not len(person):
        raise InputError("expected persons in the table PERSON, found none. Check the health records.")
    order = np.argsort(person, kind="stable")
    person = person[order]
    if person[0] < 1 or person[-1] > LAST_ID:
        raise InputError(f"expected person_id to be 1 to {LAST_ID} in PERSON, found others. Number persons anew.")
    if (np.diff(person) == 0).any():
        raise InputError("a person_id is twice in PERSON, so that nobody knows whose the records are. Correct it.")
    month, day = (np.where((part >= 1) & (part <= most), part, 0) for part, most in ((month, 12), (day, 31)))
    known = np.where(month > 0, month, 7)
    first = np.datetime64("1970-01-01", "M") + (np.clip(year, 1000, 9999) - 1970) * 12 + known - 1
    born = first.astype("datetime64[D]").astype(np.int64) + np.where((month > 0) & (day > 0), day - 1, 0)
    sex = np.select([gender == concept for concept in SEXES], list(SEXES.values()), 0)
    return person, born[order].astype(np.int32), sex[order].astype(np.int8)


def _integers(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name).cast(pa.int64())
    return np.asarray(column.fill_null(0).to_numpy(), np.int64)


def _withdrawn(cdm: Cdm, order: Order) -> set[int]:
    import pyarrow.compute as pc

    found: set[int] = set()
    for number, rule in enumerate(order.withdrawn, 1):
        if rule.table not in cdm.tables() or not {rule.column, "person_id"} <= set(cdm.columns(rule.table)):
            raise ConfigError(
                f"[[withdrawn]] {number} names a table or a column that the health records lack, or a table that is "
                "not of persons. Correct it."
            )
        stated = [one.value for one in order.withdrawn if (one.table, one.column) == (rule.table, rule.column)]
        alike = _alike(pa.array([rule.value]))[0]
        for batch in cdm.batches(rule.table, ("person_id", rule.column)):
            values = batch.column(rule.column).cast(pa.string())
            if pc.any(pc.and_(pc.equal(_alike(values), alike), pc.invert(pc.is_in(values, pa.array(stated))))).as_py():
                raise InputError(
                    f"[[withdrawn]] {number} names a value that the health records have in another writing as well "
                    "(case, blanks around it, how letters with marks are written). Give each writing a rule."
                )
            found.update(batch.column("person_id").filter(pc.equal(values, rule.value)).drop_null().to_pylist())
    return found


def _alike(values: pa.Array) -> pa.Array:
    """Texts in one writing."""
    import pyarrow.compute as pc

    return pc.utf8_trim_whitespace(pc.utf8_lower(pc.utf8_normalize(values, "NFKC")))


def _listed(path: str) -> tuple[set[int], set[str]]:
    """Persons and samples of an exclusion list."""
    table = read_table(path, "exclusion list")
    samples = [name for name in SAMPLE_COLUMNS if name in table.column_names and name != "person_id"]
    if "person_id" not in table.column_names and not samples:
        raise InputError("expected a column person_id or sample_id in the exclusion list, found neither. Name one so.")
    persons = set()
    for row, value in enumerate(texts(table, "person_id") if "person_id" in table.column_names else ()):
        if value:
            if not value.isascii() or not value.isdigit() or len(value) > _DIGITS:
                raise InputError(
                    f"expected a whole number of at most {_DIGITS} digits as person_id on row {row + 2} of the "
                    "exclusion list, found something else. Correct it."
                )
            persons.add(int(value))
    return persons, {value for value in (texts(table, samples[0]) if samples else ()) if value}


def _check_writing(left_out: set[str], sample_ids: Sequence[str], where: str) -> None:
    """InputError where a sample that is to be left out would be released, for it is written otherwise there."""
    known = set(sample_ids)
    folded = {_folded(one) for one in known}
    n = sum(_folded(one) in folded for one in left_out - known)
    if n:
        raise InputError(
            f"expected samples {where} as the callsets write them, found {n} that differ from one there in case or in "
            "how letters with marks are written. Correct them."
        )


def _folded(sample: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", sample).casefold()).strip()


def _places(
    cdm: Cdm,
    kind: str,
    ids: Sequence[str],
    quality: str,
    links: str,
    left_out: set[str],
    person: np.ndarray,
    excluded: Counter[str],
) -> np.ndarray:
    """int32 (p,): place among `ids` of the sample that stands for each person; -1 for none."""
    places = np.full(len(person), -1, np.int32)
    if not ids:
        return places
    listed = np.array([one in left_out for one in ids])
    failed = _failed(quality, ids) & ~listed
    excluded[f"{kind} on an exclusion list"] += int(listed.sum())
    excluded[f"{kind} failed quality control"] += int(failed.sum())
    rows = np.flatnonzero(~(listed | failed))
    linked = link(cdm, [ids[row] for row in rows.tolist()], links or None, rank=_rank(quality, ids)[rows])
    for state, n in linked.counts.items():
        if state != "linked":
            excluded[f"{kind} {state.replace('_', ' ')}"] += n
    place = np.searchsorted(person, linked.person)
    known = (place < len(person)) & (linked.person > 0)
    known[known] = person[place[known]] == linked.person[known]
    excluded[f"{kind} of a person withdrawn or excluded"] += int(((linked.person > 0) & ~known).sum())
    places[place[known]] = rows[known]
    return places


def _failed(quality: str, ids: Sequence[str]) -> np.ndarray:
    """bool (samples,): fails a hard gate, by the folder of `qc samples` or `qc arrays`."""
    failed = np.zeros(len(ids), bool)
    name = _table(quality, "flags")
    if name is None:
        return failed
    flags, metrics = read_table(str(name), "table of flags"), _metrics(quality)
    rows = np.unique([row for row, kind in zip(*_two(flags, "row", "kind"), strict=True) if kind == "hard"])
    names = metrics.column("sample_id").to_pylist()
    here = len(set(names) & set(ids))
    if 2 * here < len(ids):  # else nobody would fail, and whoever failed would be released
        raise InputError(
            f"expected quality control of the callset's {len(ids)} samples, found {here} of them in its table of "
            "metrics: it is of another callset. Give this callset's."
        )
    bad = {names[int(row)] for row in rows}
    _check_writing(bad, ids, "that fail quality control")
    return np.array([one in bad for one in ids])


def _two(table: pa.Table, first: str, second: str) -> tuple[list[Any], list[Any]]:
    return table.column(first).to_pylist(), table.column(second).to_pylist()


def _table(quality: str, what: str) -> Path | None:
    found = sorted(Path(quality).glob(f"*_{what}.parquet")) if quality else []
    found = [path for path in found if path.name in (f"sample_{what}.parquet", f"array_{what}.parquet")]
    if quality and not found:
        raise InputError(
            f"expected a folder of `cohelix qc samples` or `qc arrays`, found none with a table of {what}."
        )
    return found[0] if found else None


def _metrics(quality: str) -> pa.Table:
    return read_table(str(_table(quality, "metrics")), "table of metrics")


def _rank(quality: str, ids: Sequence[str]) -> np.ndarray:
    """int64 (samples,): smaller for a sample that rather stands for its person: by coverage, or call rate."""
    if not quality:
        return np.zeros(len(ids), np.int64)
    metrics = _metrics(quality)
    column = next(
        (name for name in ("mean_coverage", "array_call_rate", "call_rate") if name in metrics.column_names), ""
    )
    if not column:
        return np.zeros(len(ids), np.int64)
    value = dict(zip(*_two(metrics, "sample_id", column), strict=True))
    numbers = np.array([float(value.get(one) or 0.0) for one in ids])
    rank: np.ndarray = -np.rint(np.nan_to_num(numbers) * 1e6).astype(np.int64)
    return rank


def _groups(ancestry: str, ids: Sequence[str], places: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    group = np.full(len(places), -1, np.int16)
    if not ancestry or not ids:
        return (), group
    path = Path(ancestry) / "ancestry_preds.tsv" if Path(ancestry).is_dir() else Path(ancestry)
    columns = read_table(str(path), "table of groups").column_names
    read = read_groups(str(path), ids, next((name for name in _GROUPED if name in columns), None))
    folded = [name.casefold() for name in read.names]
    if any(name in _TAKEN or not name[0].isalnum() or not name.isprintable() for name in folded):
        raise InputError(
            f"expected names of groups that begin with a letter or a digit, of printable characters and none of "
            f"{', '.join(_TAKEN)}, found others in the table of groups. Rename them: they head columns of a release."
        )
    if len(set(folded)) < len(folded):
        raise InputError("the table of groups has names that differ in case alone. Write them alike.")
    has = places >= 0
    group[has] = read.codes[places[has]]
    return tuple(read.names), group


def _sexes(callset: str, quality: str, ids: Sequence[str], places: np.ndarray, stated: np.ndarray) -> np.ndarray:
    if not ids:
        return stated
    path = Path(quality) / "sexes.tsv"
    inferred = (
        read_sexes(str(path), ids)
        if quality and path.is_file()
        else open_callset(callset).samples().column("sex").to_pylist()
    )
    codes = np.array([_SEX.get(sex, 0) for sex in inferred], np.int8)
    return np.where(places >= 0, codes[np.maximum(places, 0)], stated).astype(np.int8)


def _day(cdm: Cdm, as_of: str | None) -> int:
    """Days since 1970 of the day that ages are counted on."""
    day = parse_date(as_of)
    if day is not None:
        return day
    for table, column in (("cdm_source", "cdm_release_date"), ("observation_period", "observation_period_end_date")):
        if table in cdm.tables():
            dates = [date for date in cdm.read(table, (column,)).column(column).to_pylist() if date is not None]
            if dates:
                newest: datetime.date = max(dates)
                return (newest - datetime.date(1970, 1, 1)).days
    raise ConfigError("the health records do not say of which day they are. Give --as-of, as in --as-of 2024-06-30.")
