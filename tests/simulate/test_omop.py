"""OMOP tables of made cohorts against the standard: columns, types, keys, domains, dates; and who is whose."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from cohelix.errors import ConfigError, ContractError
from cohelix.simulate.omop import Health, OmopWriter, cdm, make_block
from cohelix.simulate.omop.writer import SMALL, TABLES
from cohelix.simulate.schema import OmopParams
from tests.simulate.omop_cohorts import COPIES, TWINS, by_person, column, health, people, read, write

FIELD_LEVEL = Path(__file__).resolve().parents[3] / "shared/data/omop/cdm/OMOP_CDMv5.4_Field_Level.csv"
PERSONS = people(320)
PARAMS = OmopParams(unlinked_specimens=0.05, deaths=0.15)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = tmp_path_factory.mktemp("omop")
    write(found, PERSONS, PARAMS)
    return found


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, pa.Table]:
    return read(folder)


def test_every_table_has_the_columns_of_the_standard(tables: dict[str, pa.Table]) -> None:
    assert set(tables) == {*TABLES, *SMALL, "links"}
    for name in (*TABLES, *SMALL):
        assert tables[name].schema.names == [field.name for field in cdm.tables()[name]]
        for field in cdm.tables()[name]:
            values = tables[name][field.name]
            assert values.null_count == 0 or not field.required, field
            if field.type.startswith("varchar(") and field.type != "varchar(max)":
                longest = max((len(text) for text in values.to_pylist() if text is not None), default=0)
                assert longest <= int(field.type[8:-1]), field
            if field.primary_key:
                assert len(set(values.to_pylist())) == len(values), field
        assert tables[name].num_rows, name


@pytest.mark.real
def test_columns_and_types_are_those_that_ohdsi_publishes(tables: dict[str, pa.Table]) -> None:
    """Against the CSV itself, and not what this project made of it."""
    with FIELD_LEVEL.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    types = {"integer": "int32", "float": "double", "date": "date32[day]", "datetime": "timestamp[ms]"}
    for name in (*TABLES, *SMALL):
        here = [row for row in rows if row["cdmTableName"] == name]
        assert tables[name].schema.names == [row["cdmFieldName"] for row in here]
        for row in here:
            kind = row["cdmDatatype"].lower()
            assert str(tables[name].schema.field(row["cdmFieldName"]).type) == types.get(kind, "string")
            if row["isRequired"] == "Yes":
                assert tables[name][row["cdmFieldName"]].null_count == 0


def test_foreign_keys_are_there_and_of_the_right_domain(tables: dict[str, pa.Table]) -> None:
    concepts = {row["concept_id"]: row for row in tables["concept"].to_pylist()}
    checked = set()
    for name in TABLES:
        for field in cdm.tables()[name]:
            used = {value for value in tables[name][field.name].to_pylist() if value is not None}
            if not field.foreign_table or not used:
                continue
            checked.add(field.foreign_table)
            assert used <= set(tables[field.foreign_table][field.foreign_field].to_pylist()), field
            if field.domain:
                assert {concepts[value]["domain_id"] for value in used if value} <= {field.domain}, field
    assert checked == {"concept", "person", "visit_occurrence"}
    assert {concepts[c]["domain_id"] for c in tables["specimen"]["specimen_concept_id"].to_pylist()} == {"Specimen"}


def _periods(tables: dict[str, pa.Table]) -> dict[int, list[tuple[int, int]]]:
    rows = tables["observation_period"]
    begin, end = (column(rows, f"observation_period_{side}_date") for side in ("start", "end"))
    found: dict[int, list[tuple[int, int]]] = {}
    for person, *span in zip(rows["person_id"].to_pylist(), begin.tolist(), end.tolist(), strict=True):
        found.setdefault(person, []).append((span[0], span[1]))
    return found


def test_everything_happens_while_somebody_is_observed(tables: dict[str, pa.Table]) -> None:
    periods = _periods(tables)
    assert set(periods) == {p.person_id for p in PERSONS}
    assert 0.03 < sum(len(spans) == 2 for spans in periods.values()) / len(PERSONS) < 0.2
    first, last = (np.datetime64(day).astype(int) for day in ("2008-01-01", "2023-12-31"))
    birth = {row["person_id"]: np.datetime64(row["birth_datetime"], "D") for row in tables["person"].to_pylist()}
    for person, spans in periods.items():
        assert all(birth[person].astype(int) <= begin <= end for begin, end in spans)
        assert spans[0][0] >= first and spans[-1][1] <= last
        assert len(spans) == 1 or spans[1][0] > spans[0][1] + 1
    dates = [
        ("visit_occurrence", "visit_start_date", "visit_end_date"), ("specimen", "specimen_date", "specimen_date"),
        ("condition_occurrence", "condition_start_date", "condition_end_date"),
        ("drug_exposure", "drug_exposure_start_date", "drug_exposure_end_date"),
        ("measurement", "measurement_date", "measurement_date"),
        ("observation", "observation_date", "observation_date"),
    ]  # fmt: skip
    for name, begins, ends in dates:
        rows = tables[name].select(["person_id", begins, ends] if begins != ends else ["person_id", begins]).to_pylist()
        for row in rows:
            begin = (row[begins] - np.datetime64(0, "D").item()).days
            end = (row[ends] - np.datetime64(0, "D").item()).days if row[ends] else begin
            assert any(low <= begin <= end <= high for low, high in periods[row["person_id"]]), (name, row)


def test_events_are_on_the_day_of_their_visit_and_person(tables: dict[str, pa.Table]) -> None:
    visits = tables["visit_occurrence"]
    whose, when = column(visits, "person_id"), column(visits, "visit_start_date")
    assert visits["visit_occurrence_id"].to_pylist() == list(range(1, len(visits) + 1))
    for name, date in (
        ("condition_occurrence", "condition_start_date"), ("drug_exposure", "drug_exposure_start_date"),
        ("measurement", "measurement_date"),
    ):  # fmt: skip
        visit = column(tables[name], "visit_occurrence_id") - 1
        assert (whose[visit] == column(tables[name], "person_id")).all()
        assert (when[visit] == column(tables[name], date)).all()
    for row in visits.to_pylist():
        former = row["preceding_visit_occurrence_id"]
        if former is not None:
            assert (
                whose[former - 1] == row["person_id"]
                and visits["visit_start_date"][former - 1].as_py() <= (row["visit_start_date"])
            )
        assert row["visit_start_datetime"] <= row["visit_end_datetime"]


def test_the_dead_leave_no_later_records(tables: dict[str, pa.Table]) -> None:
    death = by_person(tables["death"], "death_date")
    assert 0.05 < len(death) / len(PERSONS) < 0.3
    born = by_person(tables["person"], "year_of_birth")
    assert np.mean([born[p] for p in death]) < np.mean(list(born.values())) - 5
    last = by_person(tables["observation_period"], "observation_period_end_date")
    assert all(last[person] == day for person, day in death.items())


def test_births_follow_the_bodies(tables: dict[str, pa.Table]) -> None:
    rows = {row["person_id"]: row for row in tables["person"].to_pylist()}
    for p in PERSONS:
        row = rows[p.person_id]
        assert row["year_of_birth"] == p.human.birth_year == row["birth_datetime"].year
        assert (row["month_of_birth"], row["day_of_birth"]) == (row["birth_datetime"].month, row["birth_datetime"].day)
        assert row["gender_concept_id"] == {"male": 8507, "female": 8532, "unknown": 0}[p.sex]
    for pair in (TWINS, COPIES):
        assert len({rows[PERSONS[k].person_id]["birth_datetime"] for k in pair}) == 1
    assert len({row["birth_datetime"].timetuple().tm_yday for row in rows.values()}) > 150


def test_a_body_enrolled_twice_dies_once_and_twins_each() -> None:
    params = OmopParams(deaths=0.6)
    same = []
    for seed in range(15):
        for a, b in (COPIES, TWINS):
            pair = [PERSONS[a], PERSONS[b]]
            deaths = make_block(pair, health(pair), params, seed).tables["death"].to_pylist()
            same.append(len(deaths) in (0, 2) and len({row["death_date"] for row in deaths}) < 2)
    assert all(same[::2]) and not all(same[1::2])


def test_every_sample_has_one_specimen_of_its_person(tables: dict[str, pa.Table]) -> None:
    specimens = {row["specimen_source_id"]: row for row in tables["specimen"].to_pylist()}
    assert len(specimens) == tables["specimen"].num_rows
    for p in PERSONS:
        for sample in (*p.wgs, *([p.array] if p.array else [])):
            assert specimens.pop(sample)["person_id"] == p.person_id
    assert specimens and len(specimens) / tables["specimen"].num_rows == pytest.approx(0.05, abs=0.03)
    links = tables["links"].to_pylist()
    assert [row["specimen_id"] for row in links] == tables["specimen"]["specimen_id"].to_pylist()
    assert [row["sample_id"] for row in links] == tables["specimen"]["specimen_source_id"].to_pylist()
    for row in links:
        p = PERSONS[row["person"]]
        samples = {"wgs": p.wgs, "array": (p.array,), "none": tuple(specimens)}[row["kind"]]
        assert row["sample_id"] in samples and row["person_id"] == p.person_id
        assert (row["withdrawn"], row["role"]) == (p.withdrawn, p.role)


def test_who_withdrew_says_so_and_nobody_else(tables: dict[str, pa.Table]) -> None:
    rows = tables["observation"].to_pylist()
    said = {row["person_id"] for row in rows if row["value_as_string"] == "consent withdrawn"}
    assert said == {p.person_id for p in PERSONS if p.withdrawn}
    assert said & set(tables["specimen"]["person_id"].to_pylist())
    assert len(rows) == len(PERSONS) + len(said)


def test_a_person_has_the_same_rows_in_a_cohort_of_any_size(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "fewer", PERSONS[:130], PARAMS)
    write(tmp_path / "blocks", PERSONS, PARAMS, block=37)
    all_of_them, fewer, blocks = read(folder), read(tmp_path / "fewer"), read(tmp_path / "blocks")
    for name in (*TABLES, *SMALL, "links"):
        assert blocks[name].equals(all_of_them[name]), name
        assert fewer[name].equals(all_of_them[name].slice(0, fewer[name].num_rows)), name
    assert fewer["measurement"].num_rows > 5_000


def test_bytes_do_not_depend_on_who_made_the_blocks(folder: Path, tmp_path: Path) -> None:
    parts = [PERSONS[start : start + 100] for start in range(0, len(PERSONS), 100)]
    # As workers would: out of order, each on its own.
    made = {k: make_block(parts[k], health(parts[k]), PARAMS, 5) for k in reversed(range(len(parts)))}
    with OmopWriter(tmp_path, PARAMS, 5, tmp_path / "links.parquet") as writer:
        for k in range(len(parts)):
            writer.append(made[k])
    for path in folder.glob("*.parquet"):
        there = tmp_path / path.name
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(there.read_bytes()).digest(), path.name


def test_another_seed_tells_another_story(tables: dict[str, pa.Table], tmp_path: Path) -> None:
    write(tmp_path, PERSONS[:50], PARAMS, seed=6)
    visits = read(tmp_path)["visit_occurrence"]
    assert not visits.equals(tables["visit_occurrence"].slice(0, visits.num_rows))


def test_csv_says_the_same_as_parquet(tmp_path: Path) -> None:
    write(tmp_path / "p", PERSONS[:40], PARAMS)
    write(tmp_path / "c", PERSONS[:40], replace(PARAMS, format="csv"))
    for name in (*TABLES, *SMALL):
        schema = cdm.arrow_schema(name)
        # Only an unquoted nothing is null; all columns are read as what the standard says.
        options = pacsv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        found = pacsv.read_csv(tmp_path / "c" / f"{name}.csv", convert_options=options)
        assert found.cast(schema).equals(pq.read_table(tmp_path / "p" / f"{name}.parquet")), name
    text = (tmp_path / "c" / "visit_occurrence.csv").read_text()
    assert text.startswith("visit_occurrence_id,person_id,") and ",2" in text and "null" not in text.lower()


def test_csv_holds_nothing_of_a_block_without_rows(tmp_path: Path) -> None:
    """Arrow writes what lies in memory for an empty piece that comes before one with rows."""
    params = replace(PARAMS, format="csv", deaths=0.03)
    write(tmp_path / "c", PERSONS[:80], params, block=1)
    write(tmp_path / "p", PERSONS[:80], replace(params, format="parquet"), block=1)
    deaths = pq.read_table(tmp_path / "p" / "death.parquet").num_rows
    assert 0 < deaths < 80
    assert len((tmp_path / "c" / "death.csv").read_text(encoding="ascii").splitlines()) == 1 + deaths
    write(tmp_path / "none", PERSONS[:20], replace(params, deaths=0.0))
    assert (tmp_path / "none" / "death.csv").read_text().startswith("person_id,death_date,")
    assert (tmp_path / "none" / "death.csv").read_bytes().count(b"\n") == 1


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="last_year"):
        make_block(PERSONS[:100], health(PERSONS[:100]), OmopParams(first_year=1950, last_year=1990), 1)
    with pytest.raises(ContractError, match="3 persons"):
        make_block(PERSONS[:3], Health({"type_2_diabetes": np.zeros(2, bool)}, {}), PARAMS, 1)


def test_a_failure_closes_the_files(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="stop"), OmopWriter(tmp_path, PARAMS, 1) as writer:
        writer.add(PERSONS[:5], health(PERSONS[:5]))
        raise KeyError("stop")
    assert not (tmp_path / "cdm_source.parquet").exists()


def test_row_groups_keep_memory_flat(tmp_path: Path) -> None:
    write(tmp_path, PERSONS[:90], PARAMS, block=3)
    groups = pq.ParquetFile(tmp_path / "person.parquet").metadata
    assert [groups.row_group(k).num_rows for k in range(groups.num_row_groups)] == [30, 30, 30]


def test_visits_are_as_many_as_asked_for() -> None:
    for rate in (0.5, 6.0):
        block = make_block(PERSONS, health(PERSONS), OmopParams(visits_per_year=rate), 3)
        periods = block.tables["observation_period"]
        begin, end = (column(periods, f"observation_period_{side}_date") for side in ("start", "end"))
        years = (end - begin + 1).sum() / 365.25
        visits = Counter(block.tables["visit_occurrence"]["person_id"].to_pylist())
        assert set(visits) == {p.person_id for p in PERSONS}
        assert sum(visits.values()) / years == pytest.approx(rate, rel=0.12)
