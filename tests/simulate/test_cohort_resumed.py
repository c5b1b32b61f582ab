"""A cohort whose making was stopped, at any stage: the same command goes on, and the bytes are those of no stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from cohelix.errors import ConfigError
from cohelix.jobs import work_folder
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.runtime.local import LocalRuntime
from cohelix.simulate.cohort import kept, make, stages
from cohelix.simulate.cohort.plan import Plan, make_plan
from cohelix.simulate.people.pedigree import BLOCK
from tests.simulate.test_cohort import digests

PERSONS, SEED = 2 * BLOCK + 5, 11
WISHES = [
    "simulate.region_count=6", "simulate.region_bases=1500", "simulate.haplotypes=40", "simulate.related=0.3",
    "simulate.traits.causal=4", "simulate.traits.training=40", "simulate.genotypes=both",
    "simulate.sequencing.share=0.3",
]  # fmt: skip
WAIT = 120
"""Seconds after which a process of a test is ended."""


def wanted(persons: int = PERSONS, *more: str) -> Plan:
    return make_plan(load_wishes(None, None, [*WISHES, *more]), persons=persons, seed=SEED)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed") / "cohort"
    make_cohort(out, wanted(), cores=1)
    assert [path.name for path in out.parent.iterdir()] == ["cohort"]
    return digests(out)


AT = """
import os, signal
from cohelix.simulate.cohort import genotypes, kept, stages

def killed(*_):
    os.killpg(0, signal.SIGKILL)

def killed_alone(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def paused(*_):
    signal.pause()

def third(*_, calls=[]):
    calls.append(1)
    len(calls) == 3 and killed()

{}
from cohelix.cli.__main__ import main
main()
"""
"""The command, which meets its end at a step and not at a time: workers do not know of it."""


@contextmanager
def making(out: Path, cores: int, at: str = "") -> Iterator[subprocess.Popen[str]]:
    words = ["simulate", "cohort", "-o", out, "--persons", PERSONS, "--seed", SEED, "--cores", cores]
    words += [word for wish in WISHES for word in ("--set", wish)]
    command = [sys.executable, "-c", AT.format(at), *map(str, words)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert child.stderr is not None
        child.stderr.close()


def wait_for(name: str, out: Path, child: subprocess.Popen[str]) -> None:
    """Until a file of the work is there."""
    deadline = time.monotonic() + WAIT
    while not (out.with_name(out.name + ".work") / name).exists():
        assert time.monotonic() < deadline and child.poll() is None, child.communicate()[1]
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("first", "second", "at"),
    [
        (1, 2, "kept.settle = third"),  # panels
        (1, 1, "stages.write_scores = killed"),
        (1, 2, "genotypes.keep_block = killed"),  # all files of a block but one
        (2, 1, "stages.open_tables = lambda *_: killed"),  # the first block is done, others are at work
        (1, 1, "genotypes.write_callset = killed"),
    ],
)
def test_a_killed_command_goes_on(
    tmp_path: Path, undisturbed: dict[str, str], first: int, second: int, at: str
) -> None:
    out = tmp_path / "cohort"
    with making(out, first, at) as child:
        assert child.wait(WAIT) == -signal.SIGKILL
    assert not out.exists()
    done = list((tmp_path / "cohort.work" / "done").glob("*-*"))
    seen = []
    original = make.Kept.__call__

    def watched(self: make.Kept, numbered: tuple[int, object]) -> int:
        seen.append(self._file(numbered[0]).exists())
        return original(self, numbered)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make.Kept, "__call__", watched)
        make_cohort(out, wanted(), cores=second)
    assert done
    if second == 1:
        assert sum(seen) == len([path for path in done if not path.name.startswith(".")])
    assert digests(out) == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


def alive(group: int) -> list[int]:
    """Processes of a group, but for those that have ended and that nobody has asked after."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


def test_workers_end_with_a_command_that_is_killed_alone(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    """As where memory runs out: workers that lived on would write where the next run does."""
    out = tmp_path / "cohort"
    with making(out, 2, "stages.open_tables = lambda *_: killed_alone") as child:
        assert child.wait(WAIT) == -signal.SIGKILL
        deadline = time.monotonic() + WAIT
        while alive(child.pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    make_cohort(out, wanted(), cores=1)
    assert digests(out) == undisturbed


def test_a_request_to_end_stops_it_and_the_next_run_goes_on(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    """As batch systems end a job: SIGTERM to the command alone."""
    out = tmp_path / "cohort"
    with making(out, 2, "stages.draw_once = paused") as child:
        wait_for("done/make_panel-1", out, child)
        child.terminate()
        _, error = child.communicate(timeout=WAIT)
    assert child.returncode == 130 and error == "cohelix: stopped. Nothing half-written is visible; run it again.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.work"]
    with making(out, 2) as child:
        assert child.wait(WAIT) == 0
    assert digests(out) == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


class Stopped(BaseException):
    pass


def stop(*_: object, **__: object) -> None:
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


def test_tasks_of_a_runtime_go_on(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    out, calls = tmp_path / "cohort", []

    def third(*_: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "settle", third)
        with pytest.raises(Stopped):
            make_cohort(out, wanted(), runtime=LocalRuntime(1))
    assert len(list((tmp_path / "cohort.work" / "done").iterdir())) == 2
    make_cohort(out, wanted(), runtime=LocalRuntime(1))
    assert digests(out) == undisturbed


def test_removing_parts_of_another_cohort_can_be_cut_off(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    """What is left of them is not taken for whole when the other cohort is asked for again."""
    out = tmp_path / "cohort"
    stopped_at("write_genotypes", out, wanted())

    def cut(_: Path) -> None:
        shutil.rmtree(next(out.with_name("cohort.work").glob("cohort-*")) / "wgs")
        stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "shutil", SimpleNamespace(rmtree=cut))
        with pytest.raises(Stopped):
            make_cohort(out, wanted(3))
    make_cohort(out, wanted(), cores=2)
    assert digests(out) == undisturbed


def test_killed_behind_the_last_step(tmp_path: Path) -> None:
    """The cohort is there. Whoever removes it and asks again, for it or for another, gets what they ask for."""
    out, plain = tmp_path / "cohort", tmp_path / "plain"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work_folder, "shutil", SimpleNamespace(rmtree=stop))
        with pytest.raises(Stopped):
            make_cohort(out, wanted(3))
    made = digests(out)
    with pytest.raises(ConfigError, match="found files"):
        make_cohort(out, wanted(3))
    shutil.rmtree(out)
    make_cohort(out, wanted(3))
    assert digests(out) == made
    shutil.rmtree(out)
    other = make_plan(load_wishes(None, None, WISHES), persons=3, seed=SEED + 1)
    make_cohort(out, other)  # this process has read files of that name before
    make_cohort(plain, other)
    assert digests(out) == digests(plain)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort", "plain"]


def test_a_task_is_done_when_its_files_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut could else leave its mark alone."""
    seen: list[set[str]] = []
    settle = kept.settle

    def watched(folder: Path) -> None:
        seen.append({path.name for path in folder.iterdir()})
        settle(folder)

    monkeypatch.setattr(kept, "settle", watched)
    task = kept.Kept(str, tmp_path)
    assert [task((0, "zero")), task((1, "one")), task((0, "zero"))] == [0, 1, 0]
    assert seen == [set(), {"str-0"}] and task.read(1) == "one"


def test_leftovers_of_a_task_that_was_cut_off_are_written_over(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    out, work = tmp_path / "cohort", tmp_path / "cohort.work"
    stopped_at("write_genotypes", out, wanted())
    person = next(one for one in make.Kept(make.make_people, work / "done").read(1).persons if one.wgs)
    (work / "done" / "make_people-1").unlink()
    cohort = next(work.glob("cohort-*"))
    gvcf = cohort / "wgs" / "gvcfs" / f"{person.wgs[0]}.g.vcf.gz"
    gvcf.write_bytes(gvcf.read_bytes()[:100])
    (work / "done" / ".make_people-1.0123").write_bytes(b"half")
    for name in ("truth/people.parquet", "omop/person.parquet", "phenotypes.tsv"):
        (cohort / name).write_bytes(b"half")
    (cohort / "cohort.callset" / "_work").mkdir(parents=True)
    (cohort / "panel").mkdir()
    (cohort / "panel" / "labels.tsv").write_text("half")
    make_cohort(out, wanted(), cores=1)
    assert digests(out) == undisturbed


def test_two_commands_do_not_make_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    with making(out, 1, "stages.draw_once = paused") as first:
        wait_for("done/make_panel-0", out, first)
        with making(out, 1) as second:
            _, error = second.communicate(timeout=WAIT)
            assert second.returncode == 3 and "another process is writing this folder" in error
        assert first.poll() is None
