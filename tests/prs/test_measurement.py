"""Scores as OMOP MEASUREMENT rows: fields as OHDSI publishes them, concepts by rule, one row a person and score."""

from __future__ import annotations

import csv
import datetime
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import CohelixError, ConfigError, InputError
from cohelix.prs import measurement
from cohelix.prs.measurement import concept_id, write_concepts, write_measurement
from cohelix.prs.tables import FILE, ScoreBlock, write_scores

SCORES = ["PGS000001", "PGS999999_hmPOS_GRCh38", "own score"]
PEOPLE = ["s1", "s2", "s3", "s4"]
SUMS = np.array([[0.1, 0.2, 0.3, 0.4], [1.0, np.nan, 3.0, 4.0], [-1.0, -2.0, -3.0, -4.0]])
LINKS = "sample_id\tperson_id\ns3\t30\ns1\t10\ns2\t10\nelse\t7\n"  # s1 and s2 are one person; s4 has none


@pytest.fixture
def scores(tmp_path: Path) -> str:
    folder = tmp_path / "prs"
    folder.mkdir()
    counts = np.full(SUMS.shape, 2, np.int32)
    write_scores(folder / FILE, SCORES, PEOPLE, [ScoreBlock(range(3), SUMS, counts, counts, counts)])
    return str(folder)


@pytest.fixture
def adjusted(tmp_path: Path) -> str:
    folder = tmp_path / "adjusted"
    folder.mkdir()
    columns = {
        "score": np.repeat(SCORES, 4).tolist(), "sample_id": PEOPLE * 3, "sum": SUMS.ravel(),
        "percentile_most_similar": np.full(12, 50.0), "z_most_similar": np.zeros(12), "z_norm1": SUMS.ravel() * 2,
        "z_norm2": SUMS.ravel() * 3, "outside": [False] * 12,
    }  # fmt: skip
    pq.write_table(pa.table(columns), folder / "adjusted.parquet")
    return str(folder)


def links(folder: Path, text: str = LINKS) -> str:
    (folder / "links.tsv").write_text(text)
    return str(folder / "links.tsv")


def written(path: Path) -> list[dict[str, object]]:
    return list(pq.read_table(path).to_pylist())


def test_one_row_a_person_and_score(tmp_path: Path, scores: str) -> None:
    out = tmp_path / "measurement.parquet"
    assert write_measurement(scores, str(out), links=links(tmp_path), date="2024-06-30", first_id=100) == 6
    rows = written(out)
    assert [row["measurement_id"] for row in rows] == list(range(100, 106))
    expected = [(score, person, SUMS[k, at]) for k, score in enumerate(SCORES) for person, at in ((10, 0), (30, 2))]
    assert [(r["measurement_source_value"], r["person_id"], r["value_as_number"]) for r in rows] == expected
    assert {row["measurement_date"] for row in rows} == {datetime.date(2024, 6, 30)}
    assert {row["measurement_type_concept_id"] for row in rows} == {32880}
    for row in rows:
        named = str(row["measurement_source_value"])
        assert row["measurement_concept_id"] == row["measurement_source_concept_id"] == concept_id(named, "sum")
        assert row["visit_occurrence_id"] is None and row["unit_source_value"] == "sum of weights"


def test_a_score_that_could_not_be_given_has_no_row(tmp_path: Path, scores: str) -> None:
    table = "sample_id\tperson_id\ns2\t10\ns1\t10\ns3\t30\n"
    assert write_measurement(scores, str(tmp_path / "m.parquet"), links=links(tmp_path, table), date="2024-06-30") == 5
    assert [row["person_id"] for row in written(tmp_path / "m.parquet")] == [10, 30, 30, 10, 30]


@pytest.mark.real
def test_columns_and_types_are_those_that_ohdsi_publishes(tmp_path: Path, scores: str, data: Path) -> None:
    """From the field-level table of CDM 5.4 itself; every field that it requires has a value."""
    with (data / "omop/cdm/OMOP_CDMv5.4_Field_Level.csv").open(encoding="utf-8-sig") as lines:
        fields = list(csv.DictReader(lines))
    write_measurement(scores, str(tmp_path / "measurement"), links=links(tmp_path), date="2024-06-30")
    write_concepts(scores, str(tmp_path / "concept"))
    kinds = {"integer": pa.int32(), "float": pa.float64(), "date": pa.date32(), "datetime": pa.timestamp("ms")}
    for name in ("measurement", "concept"):
        of_table = [field for field in fields if field["cdmTableName"].lower() == name]
        table = pq.read_table(tmp_path / name)
        assert table.column_names == [field["cdmFieldName"] for field in of_table]
        for field in of_table:
            column = table.column(field["cdmFieldName"])
            assert column.type == kinds.get(field["cdmDatatype"].lower(), pa.string())
            assert field["isRequired"] != "Yes" or column.null_count == 0
            if field["cdmDatatype"].lower().startswith("varchar("):
                most = int(field["cdmDatatype"][8:-1])
                assert all(value is None or len(value) <= most for value in column.to_pylist())


def test_concept_ids_follow_from_the_name_and_the_value_alone() -> None:
    assert concept_id("PGS000001", "sum") == 2_000_000_001
    assert concept_id("PGS000001_hmPOS_GRCh37", "z_norm2") == 2_004_000_001
    assert concept_id("PGS999999", "z_norm2") == 2_004_999_999
    digest = int(hashlib.sha256(b"z_norm1 own score").hexdigest()[:16], 16)
    assert concept_id("own score", "z_norm1") == 2_010_000_000 + digest % 137_483_647
    others = [concept_id(name, value) for name in ("PGS000000", "PGS1", "PGS000001_x", "a") for value in ("sum",)]
    assert all(2_010_000_000 <= one <= 2_147_483_647 for one in others) and len(set(others)) == 4


def test_values_of_adjusted_scores_are_concepts_of_their_own(tmp_path: Path, adjusted: str) -> None:
    found = {}
    for value in (None, "z_norm1", "percentile_most_similar"):
        out = tmp_path / f"{value}.parquet"
        assert write_measurement(adjusted, str(out), links=links(tmp_path), date="2024-06-30", value=value) == 6
        found[value] = written(out)
    assert [row["value_as_number"] for row in found[None]][:2] == [SUMS[0, 0] * 3, SUMS[0, 2] * 3]
    assert [row["value_as_number"] for row in found["z_norm1"]][:2] == [SUMS[0, 0] * 2, SUMS[0, 2] * 2]
    assert found["percentile_most_similar"][0]["unit_source_value"] == "percentile"
    concepts = [{row["measurement_concept_id"] for row in rows} for rows in found.values()]
    assert len(set.union(*concepts)) == 9


def test_every_concept_that_rows_point_to_is_told(tmp_path: Path, scores: str) -> None:
    write_measurement(scores, str(tmp_path / "m"), links=links(tmp_path), date="2024-06-30")
    assert write_concepts(scores, str(tmp_path / "c")) == 3
    concepts = {row["concept_id"]: row for row in written(tmp_path / "c")}
    assert {row["measurement_concept_id"] for row in written(tmp_path / "m")} == set(concepts)
    assert concepts[2_000_000_001]["concept_name"] == "Polygenic score PGS000001: sum"
    assert {row["domain_id"] for row in concepts.values()} == {"Measurement"}


def test_the_date_of_a_person_s_sample(tmp_path: Path, scores: str) -> None:
    table = links(tmp_path, "sample_id\tperson_id\tmeasurement_date\ns1\t1\t2019-02-01\ns3\t3\t2020-12-31\n")
    write_measurement(scores, str(tmp_path / "m"), links=table)
    days = {row["person_id"]: row["measurement_date"] for row in written(tmp_path / "m")}
    assert days == {1: datetime.date(2019, 2, 1), 3: datetime.date(2020, 12, 31)}


@pytest.mark.parametrize(
    ("text", "options", "kind", "message"),
    [
        (LINKS, {}, ConfigError, "needs its date"),
        (LINKS, {"date": "30.6.2024"}, ConfigError, "found '30.6.2024'"),
        (LINKS, {"date": "2024-06-30", "value": "z_norm2"}, ConfigError, "found 'z_norm2'"),
        (LINKS, {"date": "2024-06-30", "first_id": 2**31 - 3}, ConfigError, "lower --first-id"),
        ("sample_id\tperson_id\nx\t1\n", {"date": "2024-06-30"}, InputError, "found none of them"),
        ("sample_id\tperson_id\ns1\tme\n", {"date": "2024-06-30"}, InputError, "on row 2 of"),
        ("sample_id\tperson_id\ns1\t1\ns1\t2\n", {"date": "2024-06-30"}, InputError, "row 3 of the table"),
        ("sample_id\tperson\ns1\t1\n", {"date": "2024-06-30"}, InputError, "person_id"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, scores: str, text: str, options: dict[str, object], kind: type[CohelixError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        write_measurement(scores, str(tmp_path / "m.parquet"), links=links(tmp_path, text), **options)  # type: ignore[arg-type]  # by parameters
    assert not any(person in str(caught.value) for person in ("s1", "s2", "s3"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["links.tsv", "prs"]


def test_two_scores_of_one_concept_are_refused(tmp_path: Path, scores: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "concept_id", lambda score, value: 2_100_000_000)
    with pytest.raises(InputError, match="same custom concept"):
        write_concepts(scores, str(tmp_path / "c.parquet"))
    assert not (tmp_path / "c.parquet").exists()
