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

        lazy = [delayed(function, pure=False)(task) for task in tasks]
        with _progress(label):
            if _distributed_is_active():
                return iter(dask.compute(*lazy))
            return iter(dask.compute(*lazy, scheduler="threads", num_workers=self.cores))

    def share(self, value: R) -> Callable[[], R]:
        return lambda: value

    def describe(self) -> dict[str, Any]:
        return {"runtime": self.name, "cores": self.cores}

    def close(self) -> None:
        return None


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
