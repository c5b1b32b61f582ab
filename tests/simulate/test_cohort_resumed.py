"""A cohort whose making was stopped, at any stage: the same command goes on, and the bytes are those of no stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.simulate.cohort import make, stages
from cohelix.simulate.cohort.plan import Plan, make_plan
from cohelix.simulate.people.pedigree import BLOCK
from tests.simulate.test_cohort import digests

PERSONS, SEED = 2 * BLOCK + 5, 11
WISHES = [
    "simulate.region_count=6", "simulate.region_bases=1500", "simulate.haplotypes=40", "simulate.related=0.3",
    "simulate.traits.causal=4", "simulate.traits.training=40", "simulate.genotypes=both",
]  # fmt: skip


def wanted(persons: int = PERSONS, *more: str) -> Plan:
    return make_plan(load_wishes(None, None, [*WISHES, *more]), persons=persons, seed=SEED)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed") / "cohort"
    make_cohort(out, wanted(), cores=1)
    assert [path.name for path in out.parent.iterdir()] == ["cohort"]
    return digests(out)


@contextmanager
def making(out: Path, cores: int) -> Iterator[subprocess.Popen[str]]:
    words = [
        "simulate",
        "cohort",
        "-o",
        str(out),
        "--persons",
        str(PERSONS),
        "--seed",
        str(SEED),
        "--cores",
        str(cores),
    ]
    words += [word for wish in WISHES for word in ("--set", wish)]
    command = [str(Path(sys.executable).with_name("cohelix")), *words]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert child.stderr is not None
        child.stderr.close()


def wait_for(pattern: str, out: Path, child: subprocess.Popen[str]) -> None:
    """Until a file of the work is there."""
    deadline = time.monotonic() + 120
    while not list(out.with_name(out.name + ".work").glob(pattern)):
        assert time.monotonic() < deadline and child.poll() is None, child.communicate()[1]
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("first", "second", "stage"),
    [
        (1, 2, "done/make_panel-2"),
        (1, 1, "done/run_training-0"),
        (1, 2, "cohort/wgs/gvcfs/*.tbi"),
        (2, 1, "done/make_people-0"),
        (1, 1, "cohort/truth/genotypes.pgen"),
    ],
)
def test_a_killed_command_goes_on(
    tmp_path: Path, undisturbed: dict[str, str], first: int, second: int, stage: str
) -> None:
    out = tmp_path / "cohort"
    with making(out, first) as child:
        wait_for(stage, out, child)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    assert not out.exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cohort.work" / "done").glob("*-*")}
    seen = []
    original = make.Kept.__call__

    def watched(self: make.Kept, numbered: tuple[int, object]) -> int:
        seen.append(self._file(numbered[0]).exists())
        return original(self, numbered)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make.Kept, "__call__", watched)
        make_cohort(out, wanted(), cores=second)
    if second == 1:
        assert sum(seen) == len(kept)
    assert digests(out) == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


def test_a_request_to_end_stops_it_and_the_next_run_goes_on(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    """As batch systems end a job: SIGTERM to the command alone."""
    out = tmp_path / "cohort"
    with making(out, 2) as child:
        wait_for("done/make_panel-1", out, child)
        child.terminate()
        _, error = child.communicate(timeout=120)
    assert child.returncode == 130 and error == "cohelix: stopped. Nothing half-written is visible; run it again.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.work"]
    with making(out, 2) as child:
        assert child.wait(timeout=120) == 0
    assert digests(out) == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


class Stopped(BaseException):
    pass


def stop(*_: object) -> None:
    raise Stopped


def stopped_at(stage: str, out: Path, plan: Plan) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages if hasattr(stages, stage) else make, stage, stop)
        with pytest.raises(Stopped):
            make_cohort(out, plan, cores=1)


def test_between_the_last_file_and_its_name_nothing_is_lost(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    out = tmp_path / "cohort"
    original = make.make_cohort

    def stopped(*words: object, **named: object) -> None:
        original(*words, **named)  # type: ignore[arg-type]
        stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "make_cohort", stopped)
        with pytest.raises(Stopped):
            make_cohort(out, wanted(), cores=1)
    stopped_at("make_people", tmp_path / "other", wanted(3))  # has nothing to do with it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "_make_panels", stop)
        make_cohort(out, wanted(), cores=1)
    assert digests(out) == undisturbed


def test_parts_of_another_cohort_are_not_taken(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    out = tmp_path / "cohort"
    stopped_at("write_genotypes", out, wanted(PERSONS, "simulate.haplotypes=42"))
    assert list((tmp_path / "cohort.work" / "done").glob("make_people-*"))
    make_cohort(out, wanted(), cores=2)
    assert digests(out) == undisturbed


def test_leftovers_of_a_task_that_was_cut_off_are_written_over(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    out, work = tmp_path / "cohort", tmp_path / "cohort.work"
    stopped_at("write_genotypes", out, wanted())
    person = next(one for one in make.Kept(make.make_people, work / "done").read(1).persons if one.wgs)
    (work / "done" / "make_people-1").unlink()
    gvcf = work / "cohort" / "wgs" / "gvcfs" / f"{person.wgs[0]}.g.vcf.gz"
    gvcf.write_bytes(gvcf.read_bytes()[:100])
    (work / "done" / ".make_people-1.0123").write_bytes(b"half")
    for name in ("truth/people.parquet", "omop/person.parquet", "phenotypes.tsv"):
        (work / "cohort" / name).write_bytes(b"half")
    (work / "cohort" / "cohort.callset" / "_work").mkdir(parents=True)
    (work / "cohort" / "panel").mkdir()
    (work / "cohort" / "panel" / "labels.tsv").write_text("half")
    make_cohort(out, wanted(), cores=1)
    assert digests(out) == undisturbed


def test_two_commands_do_not_make_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    with making(out, 1) as first:
        wait_for("done/*", out, first)
        with making(out, 1) as second:
            _, error = second.communicate(timeout=60)
            assert second.returncode == 3 and "another process is writing this folder" in error
        assert first.poll() is None
