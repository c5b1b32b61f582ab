"""The arithmetic of an estimate, on rates small enough to work out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from cohelix.errors import ConfigError
from cohelix.scale import cohort as cohorts
from cohelix.scale import joint, model, simulate, sites
from cohelix.scale.joint import Cohort
from cohelix.scale.model import Load
from cohelix.scale.prices import Prices
from cohelix.scale.rates import StageRates
from cohelix.scale.sites import Point

RATES = StageRates(
    "work", "thing", 0.5, (1, 2), "none",
    {
        "cpu_s": {"one": 10.0, "records": 2.0}, "memory_mib": {"one": 100.0, "records": 1.0},
        "read_bytes": {"records": 8.0}, "kept_bytes": {"records": 4.0},
    },
)  # fmt: skip
LOAD = Load("work", {"records": 60.0}, 6, {"records": 10.0}, passed_bytes=7.0)


def test_cost_is_a_start_and_a_rate_for_each_record() -> None:
    need = model.need(RATES, LOAD, 1)
    assert (need.cpu_s, need.read_bytes, need.kept_bytes, need.written_bytes) == (130.0, 480.0, 240.0, 0.0)
    assert need.core_hours == pytest.approx(130 / 3600)
    assert need.shuffle_bytes == 7.0


def test_a_scratch_file_is_written_and_read_by_every_task() -> None:
    need = model.need(RATES, replace(LOAD, scratch_bytes=3.0), 1)
    assert (need.read_bytes, need.written_bytes, need.scratch_bytes) == (498.0, 18.0, 3.0)


@pytest.mark.parametrize(("cores", "wall"), [(1, 130.0), (2, 10 + 3 * 20 / 0.5), (4, 10 + 2 * 20 / 0.5), (99, 10 + 40)])
def test_time_is_that_of_the_waves_of_tasks(cores: int, wall: float) -> None:
    assert model.need(RATES, LOAD, cores).wall_s == pytest.approx(wall)


def test_memory_is_that_of_the_tasks_that_run_at_a_time() -> None:
    need = model.need(RATES, LOAD, 4)
    assert (need.task_mib, need.process_mib) == (110.0, 140.0)
    assert model.need(RATES, LOAD, 99).process_mib == 160.0  # there are six tasks


def test_a_rate_of_something_that_is_not_stated_is_refused() -> None:
    with pytest.raises(KeyError, match="moons"):
        model.total({"moons": 1.0}, {"records": 1.0})


def test_cost_is_of_rented_cores_and_of_what_is_kept() -> None:
    prices = Prices("EUR", "", "a contract", 0.36, 2.0)
    need = model.need(RATES, LOAD, 2)
    assert model.compute_cost([need], 2, prices) == pytest.approx(130 / 3600 * 2 * 0.36)
    assert model.month_cost([need], prices) == pytest.approx(240 / 2**30 * 2.0)


def cohort(samples: int, bases: int = 10_000_000, sites: float = 1000.0) -> Cohort:
    return Cohort(samples, 1_000_000.0, 50_000.0, bases, sites, 100, 1_000_000, 256 << 20)


def test_tasks_of_the_joint_call_are_batches_stretches_and_bins() -> None:
    ingest, call = joint.loads(cohort(250))
    assert (ingest.tasks, call.tasks) == (3, 10)
    assert ingest.task == {"records": 100 * 50_000.0}
    assert ingest.whole["records"] == 250 * 50_000.0
    assert call.whole["cells"] == 250 * 1000.0
    # 100 files of 10 MB are more than one task may hold: four stretches of the genome
    large = Cohort(250, 10_000_000.0, 50_000.0, 10_000_000, 1000.0, 100, 1_000_000, 256 << 20)
    assert joint.loads(large)[0].tasks == 3 * 4


def test_memory_of_a_task_stops_growing_and_a_scratch_file_takes_over() -> None:
    small, large = (joint.loads(cohort(n, sites=1e6))[1] for n in (100, 100_000))
    assert small.task["cells"] == 100 * 1e6 / 10 and small.scratch_bytes == 0
    assert large.task["cells"] == joint.HELD_CELLS and large.scratch_bytes == 100_000 * 1e6 / 10
    assert small.task["batch_records"] == large.task["batch_records"]


def test_the_choices_are_those_of_the_joint_call() -> None:
    """Siblings do not import each other, so that these are stated twice."""
    from cohelix.joint import call

    assert call._HELD_BYTES == joint.HELD_CELLS


def test_people_are_made_in_chunks() -> None:
    (load,) = simulate.loads(simulate.Cohort(10, 3_000))
    assert load.tasks == 3
    assert load.whole["person_bases"] == 30_000


def made(samples: int, *, gvcfs: bool = True, callset: bool = False) -> list[Load]:
    return cohorts.loads(cohorts.Cohort(samples, 10, 30_000, 50, 200, 2, 0.5, 0.25, gvcfs, callset, 1_000.0), 2)


def test_a_cohort_is_founders_training_blocks_of_people_and_their_genotypes() -> None:
    panel, training, people, genotypes = made(200)
    assert [load.tasks for load in (panel, training, people, genotypes)] == [10, 2, 3, 1]
    assert panel.whole["haplotype_bases"] == 6 * 50 * 30_000
    assert training.whole["training_bases"] == 2 * 200 * 30_000
    assert (people.whole["sequenced"], people.whole["arrays"]) == (100, 50)
    assert people.whole["awake"] == 2 and people.task["block_persons"] == 96
    assert people.task["block_bases"] == 96 * 30_000
    assert genotypes.whole["cells"] == 200 * 1_000 and genotypes.whole["truth_bases"] == 200 * 30_000


def test_a_cohort_without_gvcfs_has_a_callset_in_their_place() -> None:
    _, _, people, genotypes = made(200, gvcfs=False, callset=True)
    assert people.whole["sequenced_bases"] == 0 and people.whole["person_regions"] == 2_000
    assert genotypes.whole["truth_bases"] == 0 and genotypes.whole["called_bases"] == 200 * 30_000
    assert made(200, callset=True)[3].whole["cells"] == 400_000


def test_what_one_process_holds_is_counted_once_and_workers_that_wait_are_counted() -> None:
    load = replace(LOAD, held={"people": 5.0})
    rates = replace(RATES, terms={**RATES.terms, "memory_mib": {"one": 100.0, "records": 1.0, "people": 3.0}})
    assert [model.memory_mib(rates, load, cores) for cores in (1, 4)] == [125.0, 155.0]
    idle = replace(load, tasks=1, workers=3, of_worker={"people": 2.0}, held={})
    assert [model.memory_mib(rates, idle, cores) for cores in (1, 2, 4)] == [116.0, 122.0, 128.0]
    assert model.memory_mib(replace(RATES, terms={}), LOAD, 4) == 0.0


def test_sites_of_a_panel_end_where_its_founders_do_and_own_sites_go_on() -> None:
    law = {"single": 0.002, "power": 0.5}
    of_panel = [cohorts.count_sites(cohorts.Sites(n, 1_000, 50, 0.0, 0.2, 0.1), law) for n in (8, 150, 1_000)]
    assert of_panel == pytest.approx([2 * 16**0.5, 2 * 300**0.5, 2 * 300**0.5])
    own = cohorts.Sites(1_000, 1_000, 50, 1e-5, 0.2, 0.1)
    assert cohorts.count_sites(own, law) == pytest.approx(of_panel[-1] + 1e-5 * 1_000 * 2 * 1_000 * 0.9 * 0.95)


def test_blocks_and_sources_are_those_of_the_simulator() -> None:
    """Siblings do not import each other, so that these are stated twice."""
    from cohelix.simulate.people.pedigree import BLOCK
    from cohelix.simulate.people.person import SOURCES

    assert (cohorts.BLOCK, cohorts.SOURCES) == (BLOCK, len(SOURCES))


def test_sites_lie_on_the_line_through_the_published_cohorts() -> None:
    points = [Point(10, 100), Point(1_000, 10_000), Point(100_000, 100_000)]
    assert [sites.along(points, p.samples) for p in points] == pytest.approx([p.sites for p in points])
    assert sites.along(points, 100) == pytest.approx(1_000)
    assert sites.along(points, 10_000_000) == pytest.approx(1_000_000)  # on with the last slope
    assert sites.along(points, 1) == pytest.approx(10)


def test_published_points_rise_and_the_whole_genome_has_them() -> None:
    points = sites.published_points()
    assert all(a.samples < b.samples and a.sites < b.sites for a, b in pairwise(points))
    assert sites.count_sites("published", 76_156, sites.GENOME_BASES, {}) == pytest.approx(759_302_267)
    assert sites.count_sites("published", 76_156, sites.GENOME_BASES // 2, {}) == pytest.approx(759_302_267 / 2)


def test_made_sites_are_those_of_a_neutral_population_and_some_of_each_person() -> None:
    assert sites.harmonic(4) == pytest.approx(1 + 1 / 2 + 1 / 3)
    assert sites.harmonic(5000) == pytest.approx(math.fsum(1 / i for i in range(1, 5000)), rel=1e-12)
    law = {"theta": 0.001, "private": 1e-5}
    assert sites.count_sites("made", 2, 1000, law) == pytest.approx(1000 * (0.001 * (1 + 1 / 2 + 1 / 3) + 2e-5))
    with pytest.raises(ConfigError, match="published or made"):
        sites.count_sites("guess", 2, 1000, law)
