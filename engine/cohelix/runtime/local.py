"""Threads of this process, scheduled by dask; kernels release the GIL.

Where a `dask.distributed` client is active, its workers do the work instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class LocalRuntime:
    """`cores` threads (default: what this process may use)."""

    name = "local"

    def __init__(self, cores: int | None = None) -> None:
        self.cores = cores if cores is not None else len(os.sched_getaffinity(0))

    def map(self, function: Callable[[T], R], tasks: Sequence[T], *, label: str) -> Iterator[R]:
        if len(tasks) <= 1 or self.cores == 1:
            return iter([function(task) for task in tasks])
        import dask
        from dask.delayed import delayed

        if _distributed_is_active():
            return iter(dask.compute(*(delayed(function, pure=False, traverse=False)(task) for task in tasks)))
        attempt = _UntilFirstFailure(function)
        lazy = [delayed(attempt, pure=False, traverse=False)(task) for task in tasks]
        with _progress(label):
            results = dask.compute(*lazy, scheduler="threads", num_workers=self.cores)
        attempt.raise_failure()
        return iter(results)

    def share(self, value: R) -> Callable[[], R]:
        return lambda: value

    def describe(self) -> dict[str, Any]:
        return {"runtime": self.name, "cores": self.cores}

    def close(self) -> None:
        return None


class _UntilFirstFailure:
    """Runs tasks until one fails; those not yet begun are then left out, and none is still running when the error is raised."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._failure: BaseException | None = None

    def __call__(self, task: Any) -> Any:
        if self._failure is not None:
            return None
        try:
            return self._function(task)
        except BaseException as failure:  # handed to the caller's thread by raise_failure
            self._failure = self._failure or failure
            return None

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _distributed_is_active() -> bool:
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_client()
    except ValueError:
        return False
    return True


def _progress(label: str) -> Any:
    """A bar on a terminal, silence elsewhere."""
    from contextlib import nullcontext

    if not sys.stderr.isatty():
        return nullcontext()
    from dask.diagnostics import ProgressBar

    sys.stderr.write(f"{label}\n")
    return ProgressBar(out=sys.stderr)
