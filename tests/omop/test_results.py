"""Groups as rows of OBSERVATION and CONCEPT: fields as OHDSI has them, ids by rule, one row a person."""

from __future__ import annotations

import csv
import datetime
import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import CohelixError, ConfigError, InputError
from cohelix.omop import results
from cohelix.omop.results import ANCESTRY, concept_id, write_observations
from cohelix.pgx.outputs import measurement as pgx
from cohelix.prs import measurement as prs

GROUPS = (
    "research_id\tancestry_pred\tancestry_pred_other\n"
    "s1\tafr\tafr\ns2\teur\toth\ns3\teur\teur\ns4\teas\t\ns5\teur\teur\n"
)
LINKS = (
    "sample_id\tperson_id\tmeasurement_date\n"
    "s3\t30\t2024-02-29\ns1\t10\t2023-01-01\ns5\t30\t2024-03-01\ns4\t40\t2024-01-01\n"
)
OF_OTHERS = "sample_id\tperson_id\tmeasurement_date\nz1\t30\t2024-02-29\n"


def write(
    folder: Path, groups: str = GROUPS, links: str = LINKS, **more: Any
) -> tuple[int, list[dict[str, Any]], Path]:
    (folder / "groups.tsv").write_text(groups)
    (folder / "links.tsv").write_text(links)
    out = folder / "out"
    counts = write_observations(str(folder / "groups.tsv"), str(out), links=str(folder / "links.tsv"), **more)
    return counts["linked"], pq.read_table(out / "observation.parquet").to_pylist(), out


def by_hand(kind: str, subject: str) -> int:
    digest = hashlib.sha256(f"group {kind} {subject}".encode()).digest()
    return 2_008_000_000 + int.from_bytes(digest[:8], "big") % 1_000_000


def test_one_row_a_person_that_has_a_group(tmp_path: Path) -> None:
    n, rows, _ = write(tmp_path, first_id=7)
    assert n == 2
    assert [
        (one["observation_id"], one["person_id"], one["value_as_string"], one["observation_date"]) for one in rows
    ] == [(7, 10, "afr", datetime.date(2023, 1, 1)), (8, 30, "eur", datetime.date(2024, 2, 29))]
    assert {one["observation_concept_id"] for one in rows} == {by_hand("question", "Genetic ancestry group")}
    assert [one["value_as_concept_id"] for one in rows] == [
        by_hand("answer", f"Genetic ancestry group {group}") for group in ("afr", "eur")
    ]
    assert {one["observation_type_concept_id"] for one in rows} == {32880}
    assert [one["value_source_value"] for one in rows] == ["afr", "eur"]


@pytest.mark.real
def test_fields_are_those_of_the_cdm(tmp_path: Path, data: Path) -> None:
    """OHDSI's own file: names, order, which may be null, lengths of texts."""
    _, _, out = write(tmp_path)
    with (data / "omop/cdm/OMOP_CDMv5.4_Field_Level.csv").open(newline="") as handle:
        published = list(csv.DictReader(handle))
    for name in ("observation", "concept"):
        table = pq.read_table(out / f"{name}.parquet")
        fields = [row for row in published if row["cdmTableName"].lower() == name]
        assert table.column_names == [row["cdmFieldName"].lower() for row in fields]
        for row in fields:
            column = table.column(row["cdmFieldName"].lower())
            if row["isRequired"].lower() == "yes":
                assert column.null_count == 0
            if row["cdmDatatype"].startswith("varchar(") and "max" not in row["cdmDatatype"].lower():
                most = int(row["cdmDatatype"][8:-1])
                assert all(len(one) <= most for one in column.to_pylist() if one is not None)


@pytest.mark.real
def test_rows_go_into_the_tables_that_ohdsi_declares(tmp_path: Path, data: Path) -> None:
    """DuckDB with OHDSI's own DDL: types and columns that may not be null are the database's to check."""
    import duckdb

    from cohelix.omop.cohort_rows import write_cohorts
    from tests.omop.made_cdm import write_cdm

    _, _, out = write(tmp_path)
    made = write_cdm(
        tmp_path / "cdm",
        person={"person_id": [1, 2]},
        condition_occurrence={"person_id": [1], "condition_concept_id": [5]},
        observation_period={"observation_period_id": [1], "person_id": [2]},
    )
    (tmp_path / "x.toml").write_text('name = "x"\n[cases]\ninclude = [5]\ndescendants = false\n')
    write_cohorts(made, [str(tmp_path / "x.toml")], str(tmp_path / "cohorts"))
    base = duckdb.connect()
    base.execute("create schema cdm")
    for statement in (data / "omop/cdm/OMOPCDM_duckdb_5.4_ddl.sql").read_text().split(";"):
        if "CREATE TABLE" in statement:
            base.execute(statement.replace("@cdmDatabaseSchema", "cdm"))
    for folder, name, n in ((out, "observation", 2), (out, "concept", 4), ("cohorts", "cohort", 2),
                            ("cohorts", "cohort_definition", 2)):  # fmt: skip
        base.execute(f"insert into cdm.{name} by name select * from '{tmp_path / folder}/{name}.parquet'")
        assert base.execute(f"select count(*) from cdm.{name}").fetchone() == (n,)


def test_concepts_are_those_that_rows_point_to(tmp_path: Path) -> None:
    _, rows, out = write(tmp_path)
    concepts = pq.read_table(out / "concept.parquet")
    known = set(concepts.column("concept_id").to_pylist())
    assert {one["observation_concept_id"] for one in rows} | {one["value_as_concept_id"] for one in rows} <= known
    assert len(known) == concepts.num_rows == 4  # the question; afr, eur, oth
    assert pa.types.is_int32(concepts.schema.field("concept_id").type)


def test_ids_are_of_nobody_else() -> None:
    """The ranges of scores and of star alleles lie beside this one."""
    last = results.FIRST_CUSTOM + results.N_CUSTOM
    of_scores = [prs.concept_id(score, value) for score in ("PGS000001", "PGS999999", "own") for value in prs.VALUES]
    of_genes = range(pgx.FIRST_CUSTOM, pgx.FIRST_CUSTOM + pgx.N_CUSTOM)
    assert not any(results.FIRST_CUSTOM <= one < last for one in of_scores)
    assert last <= of_genes.start and max(one for one in of_scores if one < prs.FIRST_HASHED) < results.FIRST_CUSTOM
    assert results.FIRST_CUSTOM <= concept_id("question", ANCESTRY) < last


def test_two_groups_of_one_concept_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "N_CUSTOM", 2)
    with pytest.raises(InputError, match="the same custom concept"):
        write(tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_question_and_a_group_of_many_characters(tmp_path: Path) -> None:
    long = GROUPS.replace("eur", "g" * 300)
    _, rows, out = write(tmp_path, groups=long, question="Q" * 400)
    assert {len(one["value_as_string"]) for one in rows} == {3, 50}
    assert {len(one["observation_source_value"]) for one in rows} == {50}
    assert max(map(len, pq.read_table(out / "concept.parquet").column("concept_name").to_pylist())) == 255


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"links": "sample_id\tperson_id\ns1\t10\n"}, ConfigError, "--date"),
        ({"links": OF_OTHERS}, InputError, "of these samples"),
        ({"question": " "}, ConfigError, "in words"), ({"question": "a\nb"}, ConfigError, "in words"),
        ({"first_id": 2**31 - 1}, ConfigError, "ids of observations"), ({"column": "absent"}, InputError, "absent"),
        ({"groups": "s\tx\ns1\t1\n"}, InputError, "a column called"),
    ],
)  # fmt: skip
def test_what_cannot_be_met_leaves_nothing(
    more: dict[str, Any], kind: type[CohelixError], said: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=said) as told:
        write(tmp_path, **more)
    assert "s1" not in str(told.value)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))
