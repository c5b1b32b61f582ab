"""Rates fitted at small sizes foretell what was measured at larger ones, within 30 %."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from statistics import median

import pytest

from benchmarks import fit_cohort, fit_commands, fit_scale, jobs_scale
from cohelix.prs.scoring import plan as scoring_plan
from cohelix.scale import commands, rates
from cohelix.scale.cohort import count_sites as count_cohort_sites
from cohelix.scale.model import memory_mib, need, total
from cohelix.scale.sites import count_sites

WITHIN = 0.30
LARGER = (500, 1000)
QUANTITIES = ("cpu_s", "memory_mib", "kept_bytes", "read_bytes", "written_bytes")


def _cases() -> list[tuple[int, str, str]]:
    found = {(line["n_samples"], line["step"]) for line in fit_scale.of_job("joint") if line["n_samples"] in LARGER}
    return [(n, step, quantity) for n, step in sorted(found) for quantity in QUANTITIES]


def test_larger_sizes_were_measured_and_not_fitted() -> None:
    cases = _cases()
    assert {n for n, _, _ in cases} == set(LARGER)
    for stage in rates.load("joint").stages:
        assert stage.fitted_at == fit_scale.FITTED
        assert 4 * max(stage.fitted_at) <= max(LARGER)


@pytest.mark.parametrize(("n", "step", "quantity"), _cases())
def test_what_was_measured_at_a_larger_size_was_foretold(n: int, step: str, quantity: str) -> None:
    measured = rates.load("joint")
    number, stage = next((i, stage) for i, stage in enumerate(measured.stages) if stage.name == step)
    lines = [line for line in fit_scale.of_job("joint") if (line["n_samples"], line["step"]) == (n, step)]
    value = fit_scale.observed(lines, quantity, fit_scale.KEPT[step][0])
    if value is None:
        assert "io" not in lines[0]  # recorded before bytes were
        return
    sites = count_sites("made", n, lines[0]["bases"], measured.sites)
    load = fit_scale.joint_loads(lines[0], sites)[number]
    if quantity == "memory_mib":
        foretold = memory_mib(stage, load, fit_scale.CORES)
    else:
        foretold = total(stage.terms[quantity], load.whole)
    assert foretold == pytest.approx(value, rel=WITHIN), f"{foretold / value - 1:+.0%}"


@pytest.mark.parametrize("step", ["ingest", "call"])
def test_time_was_foretold_where_nothing_else_ran(step: str) -> None:
    lines = [line for line in fit_scale.of_job("joint") if line["n_samples"] == 1000 and line["step"] == step]
    assert lines and not any("note" in line for line in lines)
    measured = rates.load("joint")
    number, stage = next((i, stage) for i, stage in enumerate(measured.stages) if stage.name == step)
    load = fit_scale.joint_loads(lines[0], count_sites("made", 1000, lines[0]["bases"], measured.sites))[number]
    foretold = need(stage, load, fit_scale.CORES).wall_s
    assert foretold == pytest.approx(median(line["wall_s"] for line in lines), rel=WITHIN)


@pytest.mark.parametrize("n", LARGER)
def test_the_sites_of_a_larger_made_cohort_were_foretold(n: int) -> None:
    line = next(line for line in fit_scale.of_job("joint") if line["n_samples"] == n)
    foretold = count_sites("made", n, line["bases"], rates.load("joint").sites)
    assert foretold == pytest.approx(line["counts"]["alleles"], rel=0.1)


def test_some_bytes_were_foretold_too() -> None:
    assert any("io" in line for line in fit_scale.of_job("joint") if line["n_samples"] in LARGER)


def test_simulation_of_a_larger_cohort_was_foretold() -> None:
    (stage,) = rates.load("simulate").stages
    larger = [line for line in fit_scale.of_job("simulate") if line["n_samples"] in LARGER]
    assert larger
    for quantity in QUANTITIES:
        value = fit_scale.observed(larger, quantity, "gvcf")
        load = fit_scale.simulate_loads(larger[0])[0]
        features = load.whole
        foretold = (
            memory_mib(stage, load, fit_scale.CORES)
            if quantity == "memory_mib"
            else total(stage.terms[quantity], features)
        )
        assert foretold == pytest.approx(value, rel=WITHIN), quantity


LARGER_COHORTS = (576, 960)
OF_COHORTS = [(n, quantity) for n in LARGER_COHORTS for quantity in QUANTITIES]


def test_larger_made_cohorts_were_measured_and_not_fitted() -> None:
    larger = fit_cohort.lines(*LARGER_COHORTS)
    assert {line["n_samples"] for line in larger} == set(LARGER_COHORTS)
    ways = [any("callset" in word for word in line["settings"]) for line in larger]
    assert any(ways) and not all(ways)
    for stage in rates.load("cohort").stages:
        assert stage.fitted_at == fit_cohort.FITTED
        assert 3 * max(stage.fitted_at) <= min(LARGER_COHORTS)
    settings = {tuple(line["settings"]) for line in fit_cohort.lines(*fit_cohort.FITTED)}
    assert not settings & {tuple(line["settings"]) for line in larger}


@pytest.mark.parametrize(("n", "quantity"), OF_COHORTS)
def test_what_a_larger_made_cohort_takes_was_foretold(n: int, quantity: str) -> None:
    measured = rates.load("cohort")
    found = fit_cohort.lines(n)
    loads = fit_cohort.loads(found[0], count_cohort_sites(fit_cohort.sites_of(found[0]), measured.sites))
    value = fit_cohort.observed(found, quantity)
    foretold = sum(
        memory_mib(stage, load, fit_scale.CORES)
        if quantity == "memory_mib"
        else total(stage.terms.get(quantity, {}), load.whole)
        for stage, load in zip(measured.stages, loads, strict=True)
    )
    assert foretold == pytest.approx(value, rel=WITHIN), f"{foretold / value - 1:+.0%}"


@pytest.mark.parametrize("n", LARGER_COHORTS)
def test_what_each_stage_of_a_larger_made_cohort_leaves_was_foretold(n: int) -> None:
    measured, line = rates.load("cohort"), fit_cohort.lines(n)[0]
    loads = fit_cohort.loads(line, count_cohort_sites(fit_cohort.sites_of(line), measured.sites))
    for stage, load in zip(measured.stages, loads, strict=True):
        value = sum(line["bytes"][key] for key in fit_cohort.KEPT[stage.name])
        foretold = total(stage.terms["kept_bytes"], load.whole)
        assert foretold == pytest.approx(value, rel=WITHIN), f"{stage.name}: {foretold / value - 1:+.0%}"


@pytest.mark.parametrize("n", LARGER_COHORTS)
def test_the_sites_of_a_larger_made_cohort_of_people_were_foretold(n: int) -> None:
    line = fit_cohort.lines(n)[0]
    foretold = count_cohort_sites(fit_cohort.sites_of(line), rates.load("cohort").sites)
    assert foretold == pytest.approx(line["counts"]["sites"], rel=0.1)


def test_the_rates_of_cohorts_are_what_the_lines_say(root: Path) -> None:
    text = (root / "reference" / "scale" / "cohort" / "1" / "rates.toml").read_text()
    assert _numbers(tomllib.loads(fit_cohort.fit_rates())) == pytest.approx(_numbers(tomllib.loads(text)), rel=1e-4)


@pytest.mark.parametrize(("noun", "loads"), [("joint", fit_scale.joint_loads), ("simulate", fit_scale.simulate_loads)])
def test_the_rates_are_what_the_lines_say(root: Path, noun: str, loads: object) -> None:
    text = (root / "reference" / "scale" / noun / "1" / "rates.toml").read_text()
    fresh, kept = tomllib.loads(fit_scale.fit_noun(noun, loads)), tomllib.loads(text)  # type: ignore[arg-type]
    assert _numbers(fresh) == pytest.approx(_numbers(kept), rel=1e-4)


def _numbers(table: dict[str, object], at: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= _numbers(value, f"{at}{key}.")
        elif isinstance(value, float | int):
            found[at + key] = float(value)
    return found


def test_every_file_of_the_reference_is_the_one_its_source_tells_of(root: Path) -> None:
    sources = sorted((root / "reference" / "scale").glob("*/*/SOURCE.toml"))
    assert {path.parts[-3] for path in sources} == {
        "cohort",
        "joint",
        "prices",
        "simulate",
        "sites",
        *fit_commands.NOUNS,
    }
    for source in sources:
        table = tomllib.loads(source.read_text())
        assert table["licence"] and table["publisher"]
        for file in table["file"]:
            assert hashlib.sha256((source.parent / file["path"]).read_bytes()).hexdigest() == file["sha256"]


def test_a_fit_finds_the_rates_that_made_the_values_and_none_below_zero() -> None:
    rows = [({"one": 1.0, "records": float(n)}, 2.0 + 3e-6 * n) for n in (10, 1_000_000, 5_000_000)]
    assert fit_scale.fit(rows, ("one", "records")) == pytest.approx({"one": 2.0, "records": 3e-6})
    falling = [({"one": 1.0, "records": float(n)}, 5.0 - n) for n in (1, 2, 3)]
    assert set(fit_scale.fit(falling, ("one", "records"))) == {"one"}
    shared = [({"one": 1.0, "worker": n}, 7.0 * (1 + n)) for n in (1.0, 2.0)]
    assert fit_scale.fit(shared, ("one+worker",)) == pytest.approx({"one": 7.0, "worker": 7.0})


OF_COMMANDS = [
    (noun, stage, quantity)
    for noun, (_, stages) in fit_commands.NOUNS.items() for stage in stages for quantity in QUANTITIES
]  # fmt: skip


@pytest.mark.parametrize("noun", fit_commands.NOUNS)
def test_commands_at_larger_sizes_were_measured_and_not_fitted(noun: str) -> None:
    job, stages = fit_commands.NOUNS[noun]
    larger = [size for size in jobs_scale.PLAN[job] if size.is_checked]
    smaller = [size for size in jobs_scale.PLAN[job] if not size.is_checked]
    for size in larger:
        assert all(size.people >= 2 * of.people for of in smaller)
        assert all(size.people * size.sites > of.people * of.sites for of in smaller if size.sites)
    found = fit_commands.lines(noun, checked=True)
    assert {line["step"] for line in found} == set(stages)
    assert {line["n_samples"] for line in found} == {size.people for size in larger}
    for stage in rates.load(noun).stages:
        assert stage.fitted_at == tuple(sorted({size.people for size in smaller}))


@pytest.mark.parametrize(("noun", "step", "quantity"), OF_COMMANDS)
def test_what_a_command_takes_at_a_larger_size_was_foretold(noun: str, step: str, quantity: str) -> None:
    (stage,) = (stage for stage in rates.load(noun).stages if stage.name == step)
    (found,) = fit_commands.repeats([one for one in fit_commands.lines(noun, checked=True) if one["step"] == step])
    value, load = fit_commands.observed(found, quantity), fit_commands.load(noun, found[0])
    if quantity == "memory_mib":
        foretold = memory_mib(stage, load, fit_scale.CORES)
    else:
        foretold = total(stage.terms.get(quantity, {}), load.whole)
    if value is None:
        assert foretold == 0
    else:
        assert foretold == pytest.approx(value, rel=WITHIN), f"{foretold / value - 1:+.0%}"


def test_the_ranges_of_a_score_are_those_that_it_is_computed_in() -> None:
    ranges = commands.RANGE_SITES, commands.RANGE_SITES_A_SCORE
    assert ranges == (scoring_plan._RANGE_SITES, scoring_plan._SITES_PER_SCORE)
