"""`cohelix simulate cohort`: the stages in order.

Workers are processes, since most of the work is making text under the GIL. What they return is taken in order, so that
the bytes do not depend on how many there are. What each task made is kept until the cohort is whole.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from cohelix.errors import ConfigError
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime
from cohelix.simulate.cohort import stages
from cohelix.simulate.cohort.block import make_people
from cohelix.simulate.cohort.context import SCRATCH
from cohelix.simulate.cohort.kept import DONE, Kept, begin, end, is_whole
from cohelix.simulate.cohort.plan import Plan
from cohelix.simulate.star_alleles import BUILT_IN

T = TypeVar("T")
R = TypeVar("R")
WAVE = 64  # tasks of a runtime at a time
AHEAD = 2  # tasks a worker may be ahead of what is written: memory is that of so many blocks


def make_cohort(work: Path, plan: Plan, *, cores: int = 1, runtime: Runtime | None = None) -> Path:
    """The folder of the whole cohort, in `work`: it goes on with what a run of the same plan, stopped, has left there.

    With a `runtime` its tasks do the work; `work` must then be on a disk that all of them share.
    """
    if cores < 1:
        raise ConfigError(f"expected at least one core, found {cores}.")
    record = record_of(plan)
    folder, done = begin(work, record["digest"]), work / DONE
    if not is_whole(work):
        with _processes(cores) if runtime is None else _tasks_of(runtime) as ordered:
            _make_panels(folder, done, plan, ordered)
            _make_training(folder, done, plan, ordered)
            _make_people(folder, done, plan, ordered)
            stages.write_genotypes(plan, folder, record)
        _write_record(folder, plan, record)
    end(work)
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    return folder


def _make_panels(folder: Path, done: Path, plan: Plan, ordered: Callable[..., Iterator[Any]]) -> None:
    """Founder haplotypes of all regions, the reference, and what is drawn from them once."""
    for name in (SCRATCH, "reference", "truth", "wgs/gvcfs", "arrays", "omop", "prs/gwas", "prs/scores"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    tasks = [(region.index, (plan, str(folder), region.index)) for region in plan.regions]
    for _ in ordered("founder haplotypes", Kept(stages.make_panel, done), tasks):
        pass
    Kept(stages.draw_once, done)((0, (plan, folder)))


def _make_training(folder: Path, done: Path, plan: Plan, ordered: Callable[..., Iterator[Any]]) -> None:
    """Summary statistics of a training set for each group, and scores."""
    groups = plan.wishes.traits.training_groups if plan.wishes.traits.training else []
    training = Kept(stages.run_training, done)
    tasks = [(number, (plan, str(folder), group)) for number, group in enumerate(groups)]
    found = [training.read(number) for number in ordered("training sets", training, tasks)]
    stages.write_scores(plan, folder, found)


def _make_people(folder: Path, done: Path, plan: Plan, ordered: Callable[..., Iterator[Any]]) -> None:
    """Files of people are theirs alone; tables of everybody are written from the first block on, each time."""
    people = Kept(make_people, done)
    tasks = [(number, (plan, str(folder), number)) for number in range(plan.n_blocks)]
    with ExitStack() as stack:
        add = stages.open_tables(plan, folder, stack)
        for number in ordered("people", people, tasks):
            add(people.read(number))


def _write_record(folder: Path, plan: Plan, record: dict[str, Any]) -> None:
    """Settings, and what was made: enough to make it again. Folders that nothing was written to go."""
    for path in sorted(folder.glob("*")):
        if path.is_dir() and not any(path.rglob("*.*")):
            shutil.rmtree(path)
    whole = record | {"persons": plan.n_persons, "regions": [region.name for region in plan.regions]}
    (folder / "cohort.json").write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def record_of(plan: Plan) -> dict[str, Any]:
    """Provenance: version, settings, seed."""
    inputs = []
    if plan.wishes.cohort.star_alleles not in ("", *BUILT_IN):
        content = Path(plan.wishes.cohort.star_alleles).read_bytes()
        inputs.append(("star alleles", hashlib.sha256(content).hexdigest()))
    params = asdict(plan.wishes) | {"persons": plan.n_persons}
    params["cohort"].pop("persons")
    return provenance("simulate cohort", params, inputs, seed=plan.seed)


@contextmanager
def _tasks_of(runtime: Runtime) -> Iterator[Callable[..., Iterator[Any]]]:
    """`ordered`, over the tasks of a runtime: so many at a time that their results fit in memory."""

    def ordered(label: str, function: Callable[[T], R], tasks: list[T]) -> Iterator[R]:
        for first in range(0, len(tasks), WAVE):
            yield from runtime.map(function, tasks[first : first + WAVE], label=label)

    yield ordered


@contextmanager
def _processes(cores: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """`ordered(label, function, tasks)`: results in the order of tasks, in this process or over `cores` processes."""
    from cohelix.runtime.local import progress

    if cores == 1:

        def here(label: str, function: Callable[[T], R], tasks: list[T]) -> Iterator[R]:
            with progress(label, len(tasks)) as advance:
                for task in tasks:
                    yield function(task)
                    advance()

        yield here
        return
    # Workers that each start as many BLAS threads as there are cores get in one another's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), initializer=_follow) as pool:

        def over_processes(label: str, function: Callable[[T], R], tasks: list[T]) -> Iterator[R]:
            with progress(label, len(tasks)) as advance:
                for result in _in_order(pool, function, tasks, cores * AHEAD):
                    yield result
                    advance()

        try:
            yield over_processes
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _follow() -> None:
    """In a worker: end when the process that started it is gone, however it ended.

    Else the worker would go on to write where the next run is at work.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _in_order(pool: ProcessPoolExecutor, function: Callable[[T], R], tasks: Iterable[T], ahead: int) -> Iterator[R]:
    waiting: deque[Any] = deque()
    for task in tasks:
        waiting.append(pool.submit(function, task))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
