"""What a runtime must do.

A task is a small picklable description; the function reads what it needs from a data set, writes to it,
and returns something small. Results come back in the order of the tasks, whatever order they ran in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from cohelix.errors import ConfigError

T = TypeVar("T")
R = TypeVar("R")


class Runtime(Protocol):
    """Moves blocks. Two exist: `local` and `spark`."""

    name: str

    def map(self, function: Callable[[T], R], tasks: Sequence[T], *, label: str) -> Iterator[R]:
        """`function` of every task, in the order of `tasks`. The first failure is raised as it was."""
        ...

    def share(self, value: R) -> Callable[[], R]:
        """Make `value` reachable from every task; the returned call gives it back there."""
        ...

    def describe(self) -> dict[str, Any]:
        """Name and size of the runtime, for a person to read."""
        ...

    def close(self) -> None: ...


def fold(results: Sequence[R], combine: Callable[[R, R], R]) -> R:
    """Combine in a fixed tree order: neighbours first, then neighbours of those."""
    level = list(results)
    while len(level) > 1:
        paired = [combine(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def open_runtime(name: str, *, cores: int | None = None) -> Runtime:
    """The runtime called `name`: `local` (threads of this process) or `spark`."""
    if name == "local":
        from cohelix.runtime.local import LocalRuntime

        return LocalRuntime(cores)
    if name == "spark":
        from cohelix.runtime.spark import SparkRuntime

        return SparkRuntime(cores)
    raise ConfigError(f"runtime {name!r} is not known. Choose 'local' or 'spark'.")


@contextmanager
def opened_runtime(name: str, *, cores: int | None = None) -> Iterator[Runtime]:
    """The runtime called `name`, closed at the end."""
    runtime = open_runtime(name, cores=cores)
    try:
        yield runtime
    finally:
        runtime.close()
