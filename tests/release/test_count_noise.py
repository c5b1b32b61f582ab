"""Counts with noise: as much as the budget asks for, drawn once, and added up over releases."""

from __future__ import annotations

import json
import math
import stat

import numpy as np
import pytest

from cohelix.errors import DisclosureError
from cohelix.omop.source import open_cdm
from cohelix.release.aggregates.counts import PER_PERSON
from cohelix.release.aggregates.occurrences import concept_counts
from cohelix.release.disclosure.private import Ledger, noisy
from cohelix.release.schema import ReleaseParams
from tests.release.test_count_tables import build, laid_out, made_findings, made_people, made_records, table

PRIVATE = ReleaseParams(least=5, tables_rows=1000, epsilon=40.0)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    people = made_people()
    return people, made_records(folder / "cdm", people), made_findings(folder / "findings", people)


@pytest.mark.parametrize(("epsilon", "changes"), [(0.5, 1), (2.0, 8)])
def test_noise_is_the_discrete_laplace_of_the_budget(epsilon, changes):
    n = 20_000
    noise = noisy(np.zeros(n, np.int64), epsilon, changes)
    ratio = math.exp(-epsilon / changes)
    variance = 2 * ratio / (1 - ratio) ** 2
    fourth = variance * (1 + 12 * ratio / (1 - ratio) ** 2 + 1) * 3  # a bound of its fourth moment, generous
    assert abs(noise.mean()) < 5 * math.sqrt(variance / n)
    assert abs(noise.var() - variance) < 6 * math.sqrt(max(fourth, 6 * variance**2) / n) + 0.05 * variance
    nobody = (1 - ratio) / (1 + ratio)
    assert abs((noise == 0).mean() - nobody) < 5 * math.sqrt(nobody / n)


def test_one_person_changes_no_likelihood_by_more_than_the_budget():
    """Frequencies of the outcomes for 10 and for 11 people differ by at most e to the epsilon, up to sampling."""
    epsilon, n = 1.0, 40_000
    one, other = noisy(np.full(n, 10), epsilon, 1), noisy(np.full(n, 11), epsilon, 1)
    for value in range(6, 16):
        a, b = (one == value).mean(), (other == value).mean()
        slack = 5 * math.sqrt(max(a, b) / n)
        assert a <= math.exp(epsilon) * b + 3 * slack and b <= math.exp(epsilon) * a + 3 * slack


def test_noise_is_drawn_once(tmp_path):
    path = tmp_path / "ledger"
    counts = np.arange(50)
    first = Ledger(path, 1.0).draw("a", counts, 0.5, 1)
    assert (Ledger(path, 1.0).draw("a", counts, 0.5, 1) == first).all()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(DisclosureError, match="other counts"):
        Ledger(path, 1.0).draw("a", counts + 1, 0.5, 1)
    Ledger(path, 1.0).draw("b", counts, 0.5, 1)
    with pytest.raises(DisclosureError, match="spent"):
        Ledger(path, 1.0).draw("c", counts, 0.1, 1)
    assert set(json.loads(path.read_bytes())) == {"a", "b"}


def test_release_with_noise(cohort, tmp_path):
    people, cdm, inputs = cohort
    files = build(cdm, people, inputs, tmp_path / "out", params=PRIVATE)
    assert {name.split("/")[-1] for name in files if name.endswith("tsv")} == {
        "persons.tsv", "conditions.tsv", "pgx.tsv", "privacy.tsv"
    }  # fmt: skip
    for name in ("persons", "conditions", "pgx"):
        told = table(files, name).persons.dropna()
        assert len(told) and (told >= 5).all()
    persons = table(files, "persons").persons
    assert abs(persons[0] - 397) < 40
    exact = table(build(cdm, people, inputs, tmp_path / "exact"), "persons").persons
    assert len(persons) == len(exact) and (persons != exact)[exact.notna()].any()


def test_stopped_release_goes_on_with_the_same_noise(cohort, tmp_path):
    people, cdm, inputs = cohort
    (tmp_path / "work").mkdir()
    first = build(cdm, people, inputs, tmp_path / "work" / "out", params=PRIVATE)
    for path in (tmp_path / "work" / "out").iterdir():
        path.unlink()
    (tmp_path / "work" / "out").rmdir()
    assert build(cdm, people, inputs, tmp_path / "work" / "out", params=PRIVATE) == first
    (tmp_path / "new").mkdir()
    assert build(cdm, people, inputs, tmp_path / "new" / "out", params=PRIVATE) != first


def test_budgets_of_releases_add_up(cohort, tmp_path):
    people, cdm, inputs = cohort
    (tmp_path / "a").mkdir()
    first = build(cdm, people, inputs, tmp_path / "a" / "out", params=PRIVATE)
    again = build(
        cdm,
        people,
        inputs,
        tmp_path / "second",
        laid_out(tmp_path / "former", first),
        ReleaseParams(least=5, epsilon=8.0),
    )
    told = table(again, "privacy").set_index("table")
    assert told.epsilon.sum() == pytest.approx(8) and told.epsilon_so_far.sum() == pytest.approx(48)


def test_person_is_counted_for_few_concepts(cohort, tmp_path):
    people, _, _ = cohort
    many = [(int(people.person[0]), 5000 + i) for i in range(3 * PER_PERSON)]
    cdm = open_cdm(made_records(tmp_path / "cdm", people, more=many))
    cell = np.zeros(len(people), np.int32)
    cell[1:] = -1

    def total(rows: int, most: int) -> int:
        found = concept_counts(
            cdm, "condition_occurrence", "condition_concept_id", people.person, cell, 1, rows, tmp_path / "w", most
        )
        return sum(int(counts.sum()) for _, counts in found)

    assert total(100, 0) >= 3 * PER_PERSON
    assert total(100, PER_PERSON) == total(10**6, PER_PERSON) == PER_PERSON


def test_bound_leaves_those_with_few_concepts_alone(cohort, tmp_path):
    people, cdm, _ = cohort
    cell = (np.arange(len(people)) % 2).astype(np.int32)

    def counted(most: int) -> dict[int, list[int]]:
        found = concept_counts(
            open_cdm(cdm),
            "condition_occurrence",
            "condition_concept_id",
            people.person,
            cell,
            2,
            300,
            tmp_path / "w",
            most,
        )
        return {concept: counts.tolist() for concept, counts in found}

    assert counted(PER_PERSON) == counted(0)
