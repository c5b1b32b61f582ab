"""From the load of a stage and its measured rates to what it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from cohelix.scale.prices import Prices
from cohelix.scale.rates import StageRates, Terms

GIB = 1 << 30


@dataclass(frozen=True)
class Load:
    """What one stage is given: features of the whole, number of tasks, features of one task.

    `passed_bytes`: what tasks hand to one another over the network. `scratch_bytes`: temporary file of one task.
    Memory beside that of `task`: `held`, features of what the process that hands out tasks keeps, however many run at a
    time; `of_worker`, features of each process that was started for up to `workers` tasks, here or in a stage before.
    """

    stage: str
    whole: Mapping[str, float]
    tasks: int
    task: Mapping[str, float]
    passed_bytes: float = 0.0
    scratch_bytes: float = 0.0
    held: Mapping[str, float] = field(default_factory=dict)
    workers: int = 0
    of_worker: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Need:
    """Of one stage. `task_mib`: a process that runs one task at a time. `process_mib`: one that runs `cores` of them.

    `wall_s`: on `cores` cores. `kept_bytes`: its output. `keeps`: what that is.
    """

    stage: str
    keeps: str
    tasks: int
    cpu_s: float
    wall_s: float
    task_mib: float
    process_mib: float
    read_bytes: float
    written_bytes: float
    kept_bytes: float
    shuffle_bytes: float
    scratch_bytes: float

    @property
    def core_hours(self) -> float:
        return self.cpu_s / 3600


def need(rates: StageRates, load: Load, cores: int) -> Need:
    """What a stage needs on `cores` cores of the kind that the rates were measured on."""
    cpu_rates = rates.terms.get("cpu_s", {})
    cpu, start = total(cpu_rates, load.whole), cpu_rates.get("one", 0.0)
    waves = math.ceil(load.tasks / cores)
    # As measured, threads of one process wait for each other: a core is busy for the share `busy` of the time.
    spread = rates.busy if min(cores, load.tasks) > 1 else 1.0
    wall = start + waves * (cpu - start) / load.tasks / spread
    scratch = load.scratch_bytes * load.tasks
    read, written, kept = (
        total(rates.terms.get(name, {}), load.whole) for name in ("read_bytes", "written_bytes", "kept_bytes")
    )
    return Need(
        load.stage, rates.keeps, load.tasks, cpu, wall, memory_mib(rates, load, 1), memory_mib(rates, load, cores),
        read + scratch, written + scratch, kept, load.passed_bytes, load.scratch_bytes,
    )  # fmt: skip


def memory_mib(rates: StageRates, load: Load, cores: int) -> float:
    """Resident memory of one process that runs `cores` tasks at a time, or as many as there are. 0 where the rates have
    none: the memory of the stage is in that of another."""
    return total(rates.terms.get("memory_mib", {}), memory_features(load, cores))


def memory_features(load: Load, cores: int) -> dict[str, float]:
    """What memory grows with while `cores` tasks run at a time."""
    running, alive = min(cores, load.tasks), min(cores, load.workers)
    return {
        **{name: running * value for name, value in load.task.items()},
        **{name: alive * value for name, value in load.of_worker.items()}, **load.held, "one": 1.0,
    }  # fmt: skip


def total(terms: Terms, features: Mapping[str, float]) -> float:
    """Sum of rate x feature. Raises KeyError for a rate of something that the load does not state."""
    return math.fsum(rate * (1.0 if name == "one" else features[name]) for name, rate in terms.items())


def compute_cost(needs: list[Need], cores: int, prices: Prices) -> float:
    """Of `cores` cores, rented until the last task of the last stage has ended."""
    return math.fsum(one.wall_s for one in needs) / 3600 * cores * prices.core_hour


def month_cost(needs: list[Need], prices: Prices) -> float:
    """Of keeping all outputs for a month."""
    return math.fsum(one.kept_bytes for one in needs) / GIB * prices.storage_gib_month
