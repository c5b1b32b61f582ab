"""The cohort that releases are measured on: its health records are a valid CDM, and what is true of its genotypes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pgenlib
import pyarrow.parquet as pq
import pytest

from benchmarks import release_sets, release_steps, score_sets
from benchmarks.jobs_release import ENGINES, FREQUENCIES, Told, Work
from benchmarks.release_sets import Cohort
from cohelix.errors import AccessError
from cohelix.omop.source import open_cdm


@pytest.mark.parametrize("n_people", [40, 90])
def test_records_are_those_of_the_people_whatever_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_people: int
) -> None:
    monkeypatch.setattr(release_sets, "AT_ONCE", 40)
    release_sets.draw_records(tmp_path / "omop", n_people)
    cdm = open_cdm(str(tmp_path / "omop"))
    persons = pq.read_table(tmp_path / "omop" / "person.parquet")["person_id"].to_numpy()
    assert len(np.unique(persons)) == n_people
    for table, each in {**release_sets.ROWS, "specimen": 1, "observation_period": 1}.items():
        rows = cdm.read(table)
        ids = rows.column(f"{table}_id").to_numpy()
        assert len(ids) == len(np.unique(ids)) == each * n_people
        who, n = np.unique(rows.column("person_id").to_numpy(), return_counts=True)
        assert (who == np.sort(persons)).all() and (n == each).all()
    names = cdm.read("specimen").column("specimen_source_id").to_pylist()
    assert sorted(names) == [release_sets.sample_name(place) for place in range(n_people)]
    visits = cdm.read("visit_occurrence").column("visit_occurrence_id").to_numpy()
    assert np.isin(cdm.read("measurement").column("visit_occurrence_id").to_numpy(), visits).all()
    concepts = cdm.read("concept").column("concept_id").to_numpy()
    assert np.isin(cdm.read("condition_occurrence").column("condition_concept_id").to_numpy(), concepts).all()


@pytest.mark.parametrize("n_people", [48, 50, 51])
def test_alternate_alleles_are_what_the_fileset_holds(tmp_path: Path, n_people: int) -> None:
    cohort = Cohort(tmp_path, n_people, 70)
    score_sets.draw_people(cohort.prefix, n_people, 70)
    with pgenlib.PgenReader(bytes(cohort.prefix.with_suffix(".bed")), raw_sample_ct=n_people) as reader:
        values = np.empty((70, n_people), np.int8)
        reader.read_range(0, 70, values)
    assert (values == -9).any()
    np.testing.assert_array_equal(release_sets.alternate_alleles(cohort), np.where(values == -9, 0, values).sum(axis=1))


def test_wrong_counts_are_refused() -> None:
    ours, plink2 = ENGINES[FREQUENCIES]["ours"], ENGINES[FREQUENCIES]["plink2"]
    truth = {("1", 5): 40, ("2", 7): 60}
    work = Told(FREQUENCIES, 100, 2, (), {"truth": truth, "groups": 1}, {})
    work.check(ours, {"rows": 1, "found": {("2", 7): 60}})
    work.check(plink2, {"rows": 2, "found": dict(truth)})
    for wrong in ({("2", 7): 59}, {("2", 7): 61}, {}):
        with pytest.raises(AssertionError, match="ours"):
            work.check(ours, {"rows": len(wrong), "found": wrong})
    of_groups = replace(work, at={"truth": truth, "groups": 5})
    of_groups.check(ours, {"rows": 1, "found": {("2", 7): 59}})
    with pytest.raises(AssertionError, match="plink2"):
        of_groups.check(plink2, {"rows": 1, "found": {("2", 7): 59}})
    with pytest.raises(AssertionError, match="ours"):
        Work("release-read", 1, 1, (), {}, {"bytes": 5}).check(ours, {"bytes": 4})


@pytest.mark.parametrize("by", ["processes", "threads", "one"])
def test_every_reader_writes_a_line(tmp_path: Path, by: str) -> None:
    found = release_steps.audit(str(tmp_path / "audit"), 5, by)
    assert found["lines"] == 5 and found["s"] > 0
    assert len((tmp_path / "audit" / "log.jsonl").read_text().splitlines()) == 5


def test_a_reader_who_fails_ends_the_run() -> None:
    def refused() -> None:
        raise AccessError("no grant.")

    with pytest.raises(SystemExit, match="3 readers failed"):
        release_steps._processes(refused, 3)


def test_containers_of_both_open(tmp_path: Path) -> None:
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(os.urandom(200_000))
    release_steps.seal(str(plain), str(sealed))
    for name, unseal in (("ours", release_steps.unseal), ("peer", release_steps.peer_unseal)):
        unseal(str(tmp_path / name), str(sealed))
        assert (tmp_path / name).read_bytes() == plain.read_bytes()
    assert release_steps.verify(str(sealed))["bytes"] == sealed.stat().st_size
