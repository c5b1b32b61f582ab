"""Genotypes turned from rows of variants to bit planes of samples, kept on disk where tasks map them.

A file holds a stretch of sites: bit planes, as `king.kernels` has them, and behind them the packed rows that they come
from, by blocks of samples. What is read of it stays in the system's page cache while memory allows, and no more than a
task's own counts are held by the process. On a cluster the
folder has to be one that all executors see.
"""

from __future__ import annotations

import math
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from cohelix.errors import InputError
from cohelix.genotypes.packed.matrix import Matrix, block_edges
from cohelix.relatedness.king import kernels
from cohelix.runtime.protocol import Runtime

STRETCH_SITES = 16_384
"""Sites of a stretch: 6 KiB a sample. Four samples fit the processor's first cache, and 128 its second."""

_BLOCK_ROWS = 512
_GAPS = "-gaps"


class Stretch(NamedTuple):
    """planes: uint64 (samples, 3, words). rows: the same genotypes packed, uint64 (blocks of LANES, sites, WORDS).

    gaps: uint16, sites that are missing, sample after sample; starts: int64 (samples + 1,), where those of each begin.
    """

    planes: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    gaps: np.ndarray


@dataclass(frozen=True)
class Planes:
    """Bit planes of `n_samples` over `n_sites` in files of `folder`. called, hets: int64 (samples,) over all sites."""

    folder: str
    n_samples: int
    n_sites: int
    called: np.ndarray
    hets: np.ndarray
    with_rows: bool

    @property
    def missing_share(self) -> float:
        return 1 - int(self.called.sum()) / (self.n_samples * self.n_sites)

    def stretches(self) -> list[Stretch]:
        """All stretches, mapped for reading."""
        return [
            _stretch(_path(self.folder, number), self.n_samples, end - start, self.with_rows)
            for number, (start, end) in enumerate(block_edges(self.n_sites, STRETCH_SITES))
        ]


@dataclass(frozen=True)
class _Turn:
    matrix: Matrix
    folder: str
    number: int
    start: int
    end: int
    with_rows: bool


def make_planes(matrix: Matrix, folder: Path, runtime: Runtime, *, label: str, with_rows: bool = True) -> Planes:
    """Fill the new `folder` with the planes of all samples of `matrix`.

    with_rows: keep packed rows and gaps too, which counting all pairs needs, and counting chosen ones does not.
    """
    folder.mkdir()
    edges = block_edges(matrix.n_sites, STRETCH_SITES)
    tasks = [_Turn(matrix, str(folder), number, start, end, with_rows) for number, (start, end) in enumerate(edges)]
    calls = list(runtime.map(_turn, tasks, label=label))
    total = np.sum(calls, axis=0)
    return Planes(str(folder), matrix.n_samples, matrix.n_sites, total[:, 0], total[:, 1], with_rows)


def _turn(task: _Turn) -> np.ndarray:
    """int64 (samples, 2): called and heterozygous genotypes of the stretch, which is written."""
    path, n_sites, n_samples = _path(task.folder, task.number), task.end - task.start, task.matrix.n_samples
    passing = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # a task may run twice at the same time
    try:
        planes, packed = _mapped(passing, "w+", n_samples, n_sites, task.with_rows)
    except FileNotFoundError:
        raise InputError(
            "the folder to write to is not seen by the tasks that fill it. Choose one on a disk that all nodes share."
        ) from None
    room, calls = np.empty(64, np.uint64), np.zeros((n_samples, 2), np.int64)
    for first, block in task.matrix.blocks(task.start, task.end, _BLOCK_ROWS):
        kernels.split_planes(block, (first - task.start) // 64, room, planes)
        for number, rows in enumerate(packed):
            some = block[:, number * kernels.WORDS : (number + 1) * kernels.WORDS]
            rows[first - task.start : first - task.start + len(block), : some.shape[1]] = some
    kernels.count_calls(planes, calls)
    starts = np.concatenate([[0], np.cumsum(n_sites - calls[:, 0])]) * task.with_rows
    gaps = np.empty(starts[-1], np.uint16)
    if len(gaps):
        kernels.list_gaps(planes, n_sites, starts, gaps)
    del planes, packed
    beside = passing.with_name(passing.name + _GAPS)
    beside.write_bytes(starts.tobytes() + gaps.tobytes())
    os.replace(beside, path.with_name(path.name + _GAPS))
    os.replace(passing, path)
    return calls


def _path(folder: str, number: int) -> Path:
    return Path(folder, f"stretch-{number:05d}")


def _stretch(path: Path, n_samples: int, n_sites: int, with_rows: bool) -> Stretch:
    beside = np.asarray(np.memmap(path.with_name(path.name + _GAPS), np.uint8, "r"))
    size = 8 * (n_samples + 1)
    return Stretch(
        *_mapped(path, "r", n_samples, n_sites, with_rows), beside[:size].view(np.int64), beside[size:].view(np.uint16)
    )


def _mapped(
    path: Path, mode: Literal["r", "w+"], n_samples: int, n_sites: int, with_rows: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Planes and packed rows of a file."""
    shape = (n_samples, 3, -(-n_sites // 64))
    blocks = -(-n_samples // kernels.LANES) * with_rows, n_sites, kernels.WORDS
    size = math.prod(shape)
    words = np.asarray(np.memmap(path, np.uint64, mode, shape=(size + math.prod(blocks),)))
    return words[:size].reshape(shape), words[size:].reshape(blocks)
