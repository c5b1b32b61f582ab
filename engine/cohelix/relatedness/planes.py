"""Genotypes turned from rows of variants to bit planes of samples, kept on disk where tasks map them.

A file holds a stretch of sites: uint64 (samples, 3, words), as `king.kernels` has it. What is read of it stays in the
system's page cache while memory allows, and no more than a task's own stretch is held by the process. On a cluster the
folder has to be one that all executors see.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohelix.errors import InputError
from cohelix.genotypes.packed.matrix import Matrix, block_edges
from cohelix.relatedness.king import kernels
from cohelix.runtime.protocol import Runtime

STRETCH_SITES = 8192
"""Sites of a stretch: 3 KiB a sample. Four samples fit the first cache, 128 a fifth of the second."""

_BLOCK_ROWS = 512


@dataclass(frozen=True)
class Planes:
    """Bit planes of `n_samples` over `n_sites` in files of `folder`. called, hets: int64 (samples,) over all sites."""

    folder: str
    n_samples: int
    n_sites: int
    called: np.ndarray
    hets: np.ndarray
    complete: tuple[bool, ...]

    @property
    def edges(self) -> list[tuple[int, int]]:
        return block_edges(self.n_sites, STRETCH_SITES)

    def stretches(self) -> list[np.ndarray]:
        """uint64 (samples, 3, words) of each stretch, mapped for reading."""
        return [
            _mapped(_path(self.folder, number), "r", self.n_samples, end - start)
            for number, (start, end) in enumerate(self.edges)
        ]


@dataclass(frozen=True)
class _Turn:
    matrix: Matrix
    folder: str
    number: int
    start: int
    end: int


def make_planes(matrix: Matrix, folder: Path, runtime: Runtime, *, label: str) -> Planes:
    """Fill the new `folder` with the planes of all samples of `matrix`."""
    folder.mkdir()
    edges = block_edges(matrix.n_sites, STRETCH_SITES)
    tasks = [_Turn(matrix, str(folder), number, start, end) for number, (start, end) in enumerate(edges)]
    calls = list(runtime.map(_turn, tasks, label=label))
    total = np.sum(calls, axis=0)
    complete = tuple(bool((part[:, 0] == end - start).all()) for part, (start, end) in zip(calls, edges, strict=True))
    return Planes(str(folder), matrix.n_samples, matrix.n_sites, total[:, 0], total[:, 1], complete)


def _turn(task: _Turn) -> np.ndarray:
    """int64 (samples, 2): called and heterozygous genotypes of the stretch, which is written."""
    path = _path(task.folder, task.number)
    passing = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # a task may run twice at the same time
    n_samples = task.matrix.n_samples
    try:
        out = _mapped(passing, "w+", n_samples, task.end - task.start)
    except FileNotFoundError:
        raise InputError(
            "the folder to write to is not seen by the tasks that fill it. Choose one on a disk that all nodes share."
        ) from None
    room, calls = np.empty(64, np.uint64), np.zeros((n_samples, 2), np.int64)
    for first, block in task.matrix.blocks(task.start, task.end, _BLOCK_ROWS):
        kernels.split_planes(block, (first - task.start) // 64, room, out)
    kernels.count_calls(out, calls)
    del out
    os.replace(passing, path)
    return calls


def _path(folder: str, number: int) -> Path:
    return Path(folder, f"stretch-{number:05d}")


def _mapped(path: Path, mode: str, n_samples: int, n_sites: int) -> np.ndarray:
    shape = (n_samples, 3, -(-n_sites // 64))
    return np.asarray(np.memmap(path, np.uint64, mode, shape=shape))  # type: ignore[call-overload]  # mode is any text
