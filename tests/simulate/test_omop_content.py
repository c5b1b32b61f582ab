"""What made health records say: traits are found again, diseases and drugs go together, and records are imperfect."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cohelix.simulate.omop import Block, Health, make_block, vocabulary
from cohelix.simulate.schema import OmopParams
from tests.simulate.omop_cohorts import column, health, people

PERSONS = people(900)
HEALTH = health(PERSONS)
ROW = {p.person_id: k for k, p in enumerate(PERSONS)}
AGE_2023 = np.array([2023 - p.human.birth_year for p in PERSONS])
MALE = np.array([p.human.sex == "male" for p in PERSONS])
T2D, CAD, HEIGHT, LDL, A1C, GLUCOSE = 201826, 317576, 3036277, 3028437, 3004410, 3004501
STATINS, METFORMIN, CLOPIDOGREL = {1539411, 1545959}, 1503297, 19075601


@pytest.fixture(scope="module")
def made() -> Block:
    return make_block(PERSONS, HEALTH, OmopParams(), 11)


def _with(table: pa.Table, name: str, *concepts: int) -> pa.Table:
    return table.filter(pc.is_in(table[name], pa.array(concepts, table.schema.field(name).type)))


def _readings(made: Block, concept: int) -> dict[int, list[tuple[int, float]]]:
    """Of each person: (day, value)."""
    rows = _with(made.tables["measurement"], "measurement_concept_id", concept)
    rows = rows.filter(pc.is_valid(rows["value_as_number"]))
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    columns = (column(rows, name).tolist() for name in ("person_id", "measurement_date", "value_as_number"))
    for person, day, value in zip(*columns, strict=True):
        found[ROW[person]].append((day, value))
    return found


def _first_day(made: Block, table: str, concept: str, date: str, *concepts: int) -> dict[int, int]:
    rows = _with(made.tables[table], concept, *concepts)
    found: dict[int, int] = {}
    for person, day in zip(column(rows, "person_id").tolist(), column(rows, date).tolist(), strict=True):
        found[ROW[person]] = min(day, found.get(ROW[person], day))
    return found


def _coded(made: Block, concept: int) -> np.ndarray:
    """(n,) on how many days each person has a code of a condition."""
    rows = _with(made.tables["condition_occurrence"], "condition_concept_id", concept)
    columns = (column(rows, name).tolist() for name in ("person_id", "condition_start_date"))
    days = Counter(ROW[person] for person, _ in set(zip(*columns, strict=True)))
    return np.array([days[k] for k in range(len(PERSONS))])


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope of y on x, and their correlation."""
    return float(np.polyfit(x, y, 1)[0]), float(np.corrcoef(x, y)[0, 1])


def test_height_is_found_again(made: Block) -> None:
    readings = _readings(made, HEIGHT)
    for male, mean in ((True, 175.5), (False, 162.0)):
        who = [k for k in readings if MALE[k] == male]
        y = np.array([np.mean([value for _, value in readings[k]]) for k in who])
        x = HEALTH.quantitative["height"][who]
        slope, correlation = _slope(x, y)
        assert slope == pytest.approx(6.8, rel=0.05) and correlation > 0.98
        assert y.mean() - slope * x.mean() == pytest.approx(mean, abs=0.5)


def test_ldl_is_found_again_where_no_statin_lowers_it(made: Block) -> None:
    treated = _first_day(made, "drug_exposure", "drug_concept_id", "drug_exposure_start_date", *STATINS)
    never = {k: [v for _, v in rows] for k, rows in _readings(made, LDL).items() if k not in treated}
    slope, correlation = _slope(
        HEALTH.quantitative["ldl_cholesterol"][list(never)], np.array([np.mean(v) for v in never.values()])
    )
    assert slope == pytest.approx(32, rel=0.1) and correlation > 0.9
    falls = []
    for k, rows in _readings(made, LDL).items():
        before = [v for day, v in rows if k in treated and day < treated[k] - 700]
        after = [v for day, v in rows if k in treated and day >= treated[k]]
        if before and after:
            falls.append(np.mean(after) / np.mean(before))
    assert len(falls) > 20 and 0.55 < np.median(falls) < 0.85


def test_diabetes_shows_in_codes_drugs_and_blood(made: Block) -> None:
    truth = HEALTH.binary["type_2_diabetes"]
    once, twice = _coded(made, T2D) >= 1, _coded(made, T2D) >= 2
    assert once[truth].mean() > 0.93 and twice[truth].mean() > 0.8
    assert not twice[~truth].any() and 0 < once[~truth].mean() < 0.03
    on_metformin = set(_first_day(made, "drug_exposure", "drug_concept_id", "drug_exposure_start_date", METFORMIN))
    assert on_metformin and all(truth[k] for k in on_metformin)
    assert 0.5 < len(on_metformin) / truth.sum() < 0.9
    for concept, least in ((A1C, 1.2), (GLUCOSE, 30)):
        last = {k: max(rows)[1] for k, rows in _readings(made, concept).items()}
        ill, well = ([v for k, v in last.items() if truth[k] == state] for state in (True, False))
        assert np.mean(ill) - np.mean(well) > least
    assert np.mean([len(v) for k, v in _readings(made, A1C).items() if truth[k]]) > 3


def test_heart_disease_is_treated_with_drugs_of_pharmacogenetic_interest(made: Block) -> None:
    truth = HEALTH.binary["coronary_artery_disease"]
    clopidogrel = _first_day(made, "drug_exposure", "drug_concept_id", "drug_exposure_start_date", CLOPIDOGREL)
    assert clopidogrel and all(truth[k] for k in clopidogrel)
    statin = _first_day(made, "drug_exposure", "drug_concept_id", "drug_exposure_start_date", *STATINS)
    shares = [np.mean([k in statin for k in np.flatnonzero(truth == state)]) for state in (True, False)]
    assert shares[0] > 2 * shares[1] > 0.1
    used = set(made.tables["drug_exposure"]["drug_concept_id"].to_pylist())
    assert {CLOPIDOGREL, 40163554, 1539411, 1201620, 740275, 1307046} <= used  # warfarin, simvastatin, codeine, ...
    assert truth[_coded(made, 4329847) >= 1].mean() > 0.6  # infarction; of the others, a code to rule it out


def test_diseases_of_age_come_with_age(made: Block) -> None:
    for concept in (316866, 313217, 80502):  # hypertension, atrial fibrillation, osteoporosis
        has = _coded(made, concept) >= 2
        assert has[AGE_2023 > 65].mean() > 3 * has[AGE_2023 < 40].mean() + 0.02
    assert 0.2 < (_coded(made, 316866) >= 2).mean() < 0.5


@pytest.mark.parametrize("trait", vocabulary.diseases().trait)
def test_any_disease_can_be_given(trait: str) -> None:
    some = PERSONS[:120]
    truth = np.arange(len(some)) % 2 == 0
    block = make_block(some, Health({trait: truth, "unheard_of": truth}, {}), OmopParams(), 4)
    concept = int(vocabulary.diseases().concept[vocabulary.diseases().trait.index(trait)])
    has = _coded(block, concept)[: len(some)]
    assert (has[truth] > 0).mean() > 0.9 and (has[~truth] < 2).all()


def test_values_are_those_of_living_people_and_some_are_amiss(made: Block) -> None:
    rows = made.tables["measurement"]
    bounds = {
        HEIGHT: (130, 210),
        LDL: (20, 300),
        A1C: (4, 12),
        3004249: (70, 220),
        3025315: (30, 200),
        3038553: (14, 60),
    }
    for concept, (low, high) in bounds.items():
        values = pc.drop_null(_with(rows, "measurement_concept_id", concept)["value_as_number"]).to_numpy()
        assert low <= values.min() and values.max() <= high, (concept, values.min(), values.max())
    n = rows.num_rows
    assert pc.sum(pc.equal(rows["unit_concept_id"], 0)).as_py() / n == pytest.approx(0.02, rel=0.2)
    assert rows["unit_source_value"].null_count == pc.sum(pc.equal(rows["unit_concept_id"], 0)).as_py()
    assert rows["value_as_number"].null_count / n == pytest.approx(0.004, rel=0.4)
    keys = rows.select(["visit_occurrence_id", "measurement_concept_id"]).to_pylist()
    assert sum(c - 1 for c in Counter(tuple(key.values()) for key in keys).values()) / n == pytest.approx(0.01, rel=0.3)
    units = {tuple(row.values()) for row in rows.select(["measurement_concept_id", "unit_concept_id"]).to_pylist()}
    assert all(len({unit for c, unit in units if c == concept and unit}) == 1 for concept, _ in units)
    shown = rows.filter(pc.is_valid(rows["value_as_number"]))
    assert [float(text) for text in shown["value_source_value"].to_pylist()] == shown["value_as_number"].to_pylist()


def test_body_mass_index_agrees_with_height_and_weight(made: Block) -> None:
    mean = {
        concept: {k: np.mean([v for _, v in rows]) for k, rows in _readings(made, concept).items()}
        for concept in (HEIGHT, 3025315, 3038553)
    }
    who = set.intersection(*(set(values) for values in mean.values()))
    ratio = [mean[3025315][k] / (mean[HEIGHT][k] / 100) ** 2 / mean[3038553][k] for k in who]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)


def test_people_describe_themselves_after_their_group(made: Block) -> None:
    rows = made.tables["person"].to_pylist()
    answers = defaultdict(list)
    for p, row in zip(PERSONS, rows, strict=True):
        answers[p.human.group].append((row["race_concept_id"], row["ethnicity_concept_id"]))
    share = {
        (group, column): Counter(answer[column] for answer in given)
        for group, given in answers.items() for column in (0, 1)
    }  # fmt: skip
    assert share["amr", 1][38003563] > 0.8 * len(answers["amr"])
    assert share["eur", 1][38003564] > 0.85 * len(answers["eur"])
    assert share["afr", 0][8516] > 0.8 * len(answers["afr"])
    assert share["eur", 0][8527] > 0.85 * len(answers["eur"])
    assert share["eas", 0][8515] > 0.85 * len(answers["eas"]) and share["sas", 0][8515] > 0.8 * len(answers["sas"])
    assert all(row["race_source_value"] in ("no answer", "none of these", "more than one") for row in rows
               if row["race_concept_id"] == 0)  # fmt: skip
    assert sum(row["race_source_value"] == "no answer" for row in rows) > 20
    mid = [row for p, row in zip(PERSONS, rows, strict=True) if p.human.group == "mid"]
    assert sum(row["race_source_value"] == "Middle Eastern or North African" for row in mid) > 0.6 * len(mid)
