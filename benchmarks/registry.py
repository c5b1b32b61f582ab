"""What a noun brings to the harness: its jobs, and the engines that do them.

A noun is one module `benchmarks/jobs_<noun>.py` that calls `register` for each of its jobs; nothing else names it. A
job makes its input (a `Work`), and hands it with its engines to `turns.take_turns`, which measures, checks and records.
Programs that stand beside ours (their versions, and whether they are installed) are in `programs.py`; a peer that is a
script of its own is in `peers/`.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from benchmarks.turns import Bench

HERE = Path(__file__).resolve().parent


class Work(Protocol):
    """One input, the same for all engines, with what is true of it, found without any of them."""

    @property
    def job(self) -> str: ...

    @property
    def n_samples(self) -> int: ...

    @property
    def n_records(self) -> int:
        """Records of all input files together, or genotype rows; 0 where the job makes them."""

    @property
    def bases(self) -> int:
        """Length of the genome that the input is about."""

    @property
    def inputs(self) -> list[Path]:
        """Files that a cold run finds on disk only."""

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of the input, by a name that the job's `sizes` knows."""

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where what an engine wrote is not what the input holds."""


def _installed() -> str:
    return ""


@dataclass(frozen=True)
class Engine:
    """`steps` names each timed process and its command, given the work and an empty folder; `counts` and `sizes`
    (bytes) look at what they left there. `missing`: why the engine cannot run here, empty where it can.
    `tolerance`: share by which its counts may differ from the truth, where it follows other rules than ours."""

    name: str
    version: Callable[[], str]
    steps: Callable[[Any, Path], list[tuple[str, list[str]]]]
    counts: Callable[[Path], dict[str, Any]]
    sizes: Callable[[Path], dict[str, int]]
    missing: Callable[[], str] = _installed
    tolerance: float = 0.0


@dataclass(frozen=True)
class Job:
    """`title`: heading in RESULTS.md, empty for a plan, which runs others. `counted`: key and heading of the count
    shown. `sizes`: headings of the data sets whose bytes a sample are shown. Plans run with `jobs.py all`."""

    name: str
    run: Callable[[argparse.Namespace, Bench], None]
    title: str = ""
    counted: tuple[str, str] = ("alleles", "alleles written")
    sizes: dict[str, str] = field(default_factory=dict)


JOBS: dict[str, Job] = {}


def register(job: Job) -> None:
    """Add a job. Raises ValueError for a name that is taken."""
    if job.name in JOBS:
        raise ValueError(f"two jobs are named {job.name}")
    JOBS[job.name] = job


def discover() -> dict[str, Job]:
    """All jobs, noun by noun, whichever was imported first: importing a noun's module registers its own."""
    for path in sorted(HERE.glob("jobs_*.py")):
        importlib.import_module(f"benchmarks.{path.stem}")
    return dict(sorted(JOBS.items(), key=lambda job: job[1].run.__module__))


def chosen(engines: dict[str, Engine], names: str | None) -> list[Engine]:
    """The engines named in a comma-separated list; all of them without one. Raises SystemExit on an unknown name."""
    wanted = names.split(",") if names else list(engines)
    unknown = [name for name in wanted if name not in engines]
    if unknown:
        raise SystemExit(f"no engine {', '.join(unknown)} for this job; there are {', '.join(engines)}")
    return [engines[name] for name in wanted]
