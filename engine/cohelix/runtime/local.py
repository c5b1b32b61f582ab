"""Threads of this process; kernels release the GIL.

Where a `dask.distributed` client is active, its workers do the work instead. Without one, the standard library's thread
pool does what dask's threaded scheduler would, and a short command does not pay for importing dask.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
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
        if _distributed_is_active():
            import dask
            from dask.delayed import delayed

            return iter(dask.compute(*(delayed(function, pure=False, traverse=False)(task) for task in tasks)))
        return iter(_in_threads(function, tasks, self.cores, label))

    def share(self, value: R) -> Callable[[], R]:
        return lambda: value

    def describe(self) -> dict[str, Any]:
        return {"runtime": self.name, "cores": self.cores}

    def close(self) -> None:
        return None


def _in_threads(function: Callable[[T], R], tasks: Sequence[T], cores: int, label: str) -> list[R]:
    """Results in order. After a failure nothing new is begun, and none is still running when the error is raised."""
    with ThreadPoolExecutor(cores) as pool, progress(label, len(tasks)) as advance:
        futures = [pool.submit(function, task) for task in tasks]
        try:
            for future in as_completed(futures):
                future.result()
                advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _distributed_is_active() -> bool:
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_client()
    except ValueError:
        return False
    return True


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, silence elsewhere. The yielded call counts one task as done."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.progress import Progress

    with Progress(transient=True) as progress:
        bar = progress.add_task(label, total=total)
        yield lambda: progress.advance(bar)
