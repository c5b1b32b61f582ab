"""Killed with SIGKILL at any point and started again, a command ends with what an undisturbed run gives, byte for byte.

What readers saw before stays whole all the while. Points are both steps that reach the disk, and moments drawn at
random.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cohelix import dataset
from cohelix.errors import InputError
from cohelix.joint import store
from cohelix.joint.call import call
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.runtime.local import LocalRuntime
from tests.joint import made

LOCAL = LocalRuntime(2)
SEED = 20
Rows = Sequence[tuple[str, Path]]
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Run]:
    """Runs a command line in a process of its own: `server(words, step=.., delay=..)`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.joint.crash_server"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=root,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(words: Sequence[str], step: int | None = None, delay: float | None = None) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"words": list(words), "step": step, "delay": delay}) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer

    yield ask
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


class Scenario:
    """A command that makes a new version of `name`, in a folder that is copied from `template` for every run."""

    def __init__(
        self, server: Run, template: Path, folder: Path, name: str, words: Callable[[Path], list[str]]
    ) -> None:
        self.server, self.template, self.folder, self.name, self.words = server, template, folder, name, words
        self.old = made.tree(template / name)
        whole = self._copy("whole")
        begin = time.monotonic()
        answer = server(words(whole))
        self.seconds = time.monotonic() - begin
        assert answer["code"] == 0, answer
        self.steps = int(answer["steps"])
        self.wanted = made.tree(whole / name)
        assert self.wanted.items() != self.old.items()
        assert not (whole / name / "_staging").exists()

    def _copy(self, label: str) -> Path:
        place = self.folder / label
        shutil.copytree(self.template, place)
        return place

    def kill(self, *, step: int | None = None, delay: float | None = None) -> None:
        """Kill it there, look at what readers see, run it again, compare."""
        label = f"step {step} of {self.steps}" if step else f"after {delay:.3f} of {self.seconds:.3f} s (seed {SEED})"
        place = self._copy(f"run-{step}-{delay}")
        root = place / self.name
        answer = self.server(self.words(place), step, delay)
        # Two threads may take a step more or less, so the very last may not be reached.
        assert answer["signal"] == 9 or step is None or step > self.steps - 5, label
        left = made.tree(root)
        self._look(root, label)
        if left == self.wanted:  # killed behind the last step but for empty folders
            assert step is None or step > self.steps - 5, label
        else:
            again = self.server(self.words(place))
            assert again["code"] == 0, (label, again)
        assert made.tree(root) == self.wanted, label
        assert not list((root / "_staging").glob("*")), label
        shutil.rmtree(place)

    def _look(self, root: Path, label: str) -> None:
        """The former version, where there was one that nothing is to remove, and the newest are whole."""
        newest = dataset.find(str(root))
        if self.old:
            assert newest is not None, label
        if newest is not None:
            dataset.verify(str(root), newest)
        if self.old.keys() <= self.wanted.keys():
            now = made.tree(root)
            assert {path: now.get(path) for path in self.old} == self.old, label


def _points(scenario: Scenario, n: int, last: int) -> list[int]:
    """`n` steps spread over the run, and each of the `last` ones, where the commit and the cleaning are."""
    spread = {1 + round(i * (scenario.steps - 1) / (n - 1)) for i in range(n)} if n > 1 else set()
    return sorted(spread | set(range(max(1, scenario.steps - last + 1), scenario.steps + 1)))


def _delays(scenario: Scenario, n: int) -> list[float]:
    draw = random.Random(SEED)
    return [draw.uniform(0.0, scenario.seconds) for _ in range(n)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return made.write(tmp_path_factory.mktemp("in"), [made.gvcf(i, n=8) for i in range(7)])


@pytest.fixture(scope="module")
def real(data: Path) -> Rows:
    return [(path.name.split(".")[0], path) for path in sorted(data.glob("gvcf_1kg_chr22/*.g.vcf.gz"))]


def _adding(server: Run, rows: Rows, first: int, batch_samples: int, folder: Path) -> Scenario:
    template = folder / "template"
    params = IngestParams(batch_samples=batch_samples)
    ingest(made.manifest(template / "first.tsv", rows[:first]), str(template / "x.calls"), params, LOCAL)
    made.manifest(template / "rest.tsv", rows[first:])

    def words(place: Path) -> list[str]:
        # The manifest of the template: what a run is known by holds the paths of its inputs.
        choice = f"ingest.batch_samples={batch_samples}"
        return [
            "joint",
            "ingest",
            str(template / "rest.tsv"),
            "--out",
            str(place / "x.calls"),
            "--set",
            choice,
            "--cores",
            "2",
        ]

    return Scenario(server, template, folder, "x.calls", words)


def _calling(server: Run, rows: Rows, bin_bp: int, folder: Path, *, again: bool) -> Scenario:
    template = folder / "template"
    calls = folder / "all.calls"
    ingest(made.manifest(folder / "all.tsv", rows), str(calls), IngestParams(bin_bp=bin_bp), LOCAL)
    (template / "x.callset").mkdir(parents=True)
    if again:
        call(str(calls), str(template / "x.callset"), CallParams(), LOCAL, region="chr22:1-10,520,000")

    def words(place: Path) -> list[str]:
        return ["joint", "call", str(calls), "--out", str(place / "x.callset"), "--cores", "2"]

    return Scenario(server, template, folder, "x.callset", words)


def _withdrawing(server: Run, rows: Rows, folder: Path, *options: str) -> Scenario:
    template = folder / "template"
    params = IngestParams(batch_samples=2)
    ingest(made.manifest(template / "a.tsv", rows[:5]), str(template / "x.calls"), params, LOCAL)
    ingest(made.manifest(template / "b.tsv", rows[5:]), str(template / "x.calls"), params, LOCAL)
    (folder / "ids.txt").write_text(f"{rows[0][0]}\n{rows[6][0]}\n")

    def words(place: Path) -> list[str]:
        return [
            "joint",
            "withdraw",
            str(place / "x.calls"),
            "--samples",
            str(folder / "ids.txt"),
            *options,
            "--cores",
            "2",
        ]

    return Scenario(server, template, folder, "x.calls", words)


def test_ingest(server: Run, small: Rows, tmp_path: Path) -> None:
    scenario = _adding(server, small, 3, 2, tmp_path)
    for step in _points(scenario, 6, 12):
        scenario.kill(step=step)


def test_call(server: Run, small: Rows, tmp_path: Path) -> None:
    scenario = _calling(server, small, 10_000, tmp_path, again=False)
    for step in _points(scenario, 5, 7):
        scenario.kill(step=step)


def test_call__a_second_version(server: Run, small: Rows, tmp_path: Path) -> None:
    scenario = _calling(server, small, 10_000, tmp_path, again=True)
    for step in _points(scenario, 4, 5):
        scenario.kill(step=step)


def test_withdraw(server: Run, small: Rows, tmp_path: Path) -> None:
    scenario = _withdrawing(server, small, tmp_path)
    for step in _points(scenario, 5, 8):
        scenario.kill(step=step)


def test_withdraw_and_purge(server: Run, small: Rows, tmp_path: Path) -> None:
    """A purge that was killed goes on where it stopped: nothing of the withdrawn stays behind unseen."""
    scenario = _withdrawing(server, small, tmp_path, "--purge")
    for step in _points(scenario, 3, 16):
        scenario.kill(step=step)


@pytest.mark.real
def test_ingest__real(server: Run, real: Rows, tmp_path: Path) -> None:
    scenario = _adding(server, real, 10, 5, tmp_path)
    for step in _points(scenario, 3, 3):
        scenario.kill(step=step)
    for delay in _delays(scenario, 3):
        scenario.kill(delay=delay)


@pytest.mark.real
def test_call__real(server: Run, real: Rows, tmp_path: Path) -> None:
    scenario = _calling(server, real, 10_000, tmp_path, again=False)
    for step in _points(scenario, 2, 1):
        scenario.kill(step=step)
    for delay in _delays(scenario, 2):
        scenario.kill(delay=delay)


def test_what_was_done_is_not_done_again(small: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ingest that failed in its last batch, for a reason outside cohelix, reads only that batch when run again."""
    from cohelix.joint import ingest as module

    plain, opened = module.GvcfReader, []

    def full(path: str, **options: Any) -> Any:
        opened.append(path)
        if path == str(small[-1][1]) and len(opened) <= len(small):
            raise OSError(28, "No space left on device")
        return plain(path, **options)

    monkeypatch.setattr(module, "GvcfReader", full)
    manifest = made.manifest(tmp_path / "m.tsv", small)
    out, params = str(tmp_path / "x.calls"), IngestParams(batch_samples=3)
    with pytest.raises(OSError, match="No space"):
        ingest(manifest, out, params, LocalRuntime(1))
    assert dataset.find(out) is None
    opened.clear()
    opened += [""] * len(small)
    ingest(manifest, out, params, LocalRuntime(1))
    assert opened[len(small) :] == [str(small[-1][1])]
    monkeypatch.undo()
    ingest(manifest, str(tmp_path / "y.calls"), params, LOCAL)
    assert made.tree(tmp_path / "x.calls") == made.tree(tmp_path / "y.calls")


def test_an_input_that_changed_after_the_crash_is_read_again(small: Rows, tmp_path: Path) -> None:
    rows = [(sample, tmp_path / path.name) for sample, path in small[:4]]
    for (_, path), (_, source) in zip(rows, small, strict=False):
        shutil.copy(source, path)
    manifest = made.manifest(tmp_path / "m.tsv", [*rows, ("last", tmp_path / "missing.g.vcf.gz")])
    (tmp_path / "missing.g.vcf.gz").mkdir()
    out, params = str(tmp_path / "x.calls"), IngestParams(batch_samples=1)
    with pytest.raises(InputError, match="found a folder"):
        ingest(manifest, out, params, LocalRuntime(1))
    assert not Path(out).exists()
    (tmp_path / "missing.g.vcf.gz").rmdir()
    shutil.copy(small[4][1], tmp_path / "missing.g.vcf.gz")
    shutil.copy(small[5][1], rows[0][1])
    ingest(manifest, out, params, LOCAL)
    digests = store.open_store(out).samples()["gvcf_sha256"].to_pylist()
    assert digests[0] == made.tree(small[5][1].parent)[small[5][1].name]


# --- two writers ---------------------------------------------------------------------------------------------------


def _at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all in threads that start together; what each returned or raised."""
    start = threading.Barrier(len(works))
    outcomes: list[Any] = [None] * len(works)

    def one(number: int) -> None:
        start.wait()
        try:
            outcomes[number] = works[number]()
        except Exception as error:
            outcomes[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.parametrize("repeat", range(4))
def test_two_ingests_at_once__one_wins_and_nothing_is_lost(small: Rows, tmp_path: Path, repeat: int) -> None:
    out = str(tmp_path / "x.calls")
    params = IngestParams(batch_samples=1)
    ingest(made.manifest(tmp_path / "first.tsv", small[:1]), out, params, LOCAL)
    first = dataset.open_existing(out, store.KIND)
    manifests = [made.manifest(tmp_path / f"{n}.tsv", small[a:b]) for n, (a, b) in enumerate([(1, 3), (3, 5)])]
    outcomes = _at_once(*(lambda m=m: ingest(m, out, params, LocalRuntime(1)) for m in manifests))
    lost = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Exception)]
    assert all(isinstance(outcomes[number], InputError) for number in lost), outcomes
    assert all("another run has committed version 2" in str(outcomes[number]) for number in lost)
    assert all("run again" in str(outcomes[number]) for number in lost)
    newest = dataset.open_existing(out, store.KIND)
    for commit in (first, newest):
        dataset.verify(out, commit)
    for number in lost:  # as the message says
        ingest(manifests[number], out, params, LOCAL)
    newest = dataset.open_existing(out, store.KIND)
    dataset.verify(out, newest)
    assert sorted(store.open_store(out).samples()["sample_id"].to_pylist()) == [row[0] for row in small[:5]]
    assert not (tmp_path / "x.calls" / "_staging").exists()


def test_a_writer_that_fails_leaves_the_work_of_another_alone(small: Rows, tmp_path: Path) -> None:
    """One run is in its first task, has written and recorded nothing else, when another gives up and cleans."""
    out = str(tmp_path / "x.calls")
    busy = dataset.begin(out, store.KIND, {"operation": "busy"}, after=0)
    entry = busy.put("variants/bin=a/batch=000000", ".parquet", b"work in progress")
    with pytest.raises(InputError, match="expected a file, found none"):
        ingest(made.manifest(tmp_path / "m.tsv", [("x", tmp_path / "none.g.vcf.gz")]), out, IngestParams(), LOCAL)
    commit = busy.commit([entry], {}, {}, after=0)
    dataset.verify(out, commit)


def test_two_equal_calls_at_once(small: Rows, tmp_path: Path) -> None:
    """The same command twice: each either makes the version or says that the other did."""
    calls, out = str(tmp_path / "x.calls"), tmp_path / "x.callset"
    ingest(made.manifest(tmp_path / "m.tsv", small), calls, IngestParams(bin_bp=10_000), LOCAL)
    call(calls, str(tmp_path / "wanted.callset"), CallParams(), LOCAL)
    outcomes = _at_once(*(lambda: call(calls, str(out), CallParams(), LocalRuntime(1)),) * 2)
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert all(isinstance(error, InputError) and "another run has committed" in str(error) for error in errors), errors
    assert len(errors) < 2
    first = dataset.find(str(out), version=1)
    assert first is not None
    dataset.verify(str(out), first)
    wanted = made.tree(tmp_path / "wanted.callset")
    assert {path: digest for path, digest in made.tree(out).items() if path in wanted} == wanted
