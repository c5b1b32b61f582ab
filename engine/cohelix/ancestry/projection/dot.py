"""One pass over the genotypes: what every method of projection is made of.

For each person the products of the standardised genotypes with the loadings, their squares, and what is missing.
Sites and people are cut by numbers that depend on their counts alone, products are of fixed shapes on one thread of
BLAS, and parts are added in order: the result has the same bits on any runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from cohelix.ancestry.projection import kernels
from cohelix.genotypes.packed.matrix import Matrix, block_edges
from cohelix.runtime.protocol import Runtime

_ROWS, _SAMPLES = 256, 2048
"""Genotypes in one product: 2 MiB of float32, which stay in the cache."""

_BLOCK_BYTES = 1 << 26
"""Packed genotypes that a task holds at a time."""

_RESULT_BYTES = 1 << 30
"""What all tasks together return, about: the fewer people, the more tasks."""

_TASKS = 64


@dataclass(frozen=True)
class Sums:
    """Over sites, of each person. products float64 (n, K): of x with the loadings; norms float64 (n,): |x|²; n_missing
    int64 (n,); lost float64 (n, K): squares of the loadings where the genotype is missing. x is standardised, 0 where
    missing, not divided by the number of sites.
    """

    products: np.ndarray
    norms: np.ndarray
    n_missing: np.ndarray
    lost: np.ndarray


@dataclass(frozen=True)
class _Task:
    matrix: Matrix
    values: Callable[[], np.ndarray]
    loadings: Callable[[], np.ndarray]
    start: int
    end: int


def project_rows(matrix: Matrix, af: np.ndarray, loadings: np.ndarray, swapped: np.ndarray, runtime: Runtime) -> Sums:
    """Over all rows of a matrix. af float64 (rows,), loadings float64 (rows, K): of the row's site, of its own ALT;
    swapped bool (rows,): the row counts the site's REF.
    """
    shared = runtime.share(values_of(af, swapped)), runtime.share(loadings)
    size = matrix.n_samples * 8 * (2 * loadings.shape[1] + 2)
    n_tasks = min(max(_RESULT_BYTES // max(size, 1), 4), _TASKS)
    rows = max(_ROWS, -(-matrix.n_sites // n_tasks))
    tasks = [_Task(matrix, *shared, start, end) for start, end in block_edges(matrix.n_sites, rows)]
    total = _empty(matrix.n_samples, loadings.shape[1])
    with one_blas_thread():  # threads of one process share BLAS's setting: it is set before they start
        for part in runtime.map(_project, tasks, label="sites"):
            total.products[:] += part.products
            total.norms[:] += part.norms
            total.n_missing[:] += part.n_missing
            total.lost[:] += part.lost
    return total


def values_of(af: np.ndarray, swapped: np.ndarray) -> np.ndarray:
    """float32 (rows, 4): (g - 2 p) / sqrt(2 p (1 - p)) for 0, 1, 2 copies of the row's ALT, and 0 for missing."""
    copies = np.array([0.0, 1.0, 2.0])
    counted = np.where(swapped[:, None], 2.0 - copies, copies)
    values = np.zeros((len(af), 4), np.float32)
    values[:, :3] = (counted - 2.0 * af[:, None]) / np.sqrt(2.0 * af * (1.0 - af))[:, None]
    return values


def one_blas_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS takes one thread."""
    import threadpoolctl

    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(1, "blas")
    return limits


def _empty(n_samples: int, size: int) -> Sums:
    return Sums(
        np.zeros((n_samples, size)), np.zeros(n_samples), np.zeros(n_samples, np.int64), np.zeros((n_samples, size))
    )


def _project(task: _Task) -> Sums:
    matrix, values, loadings = task.matrix, task.values(), task.loadings()
    sums = _empty(matrix.n_samples, loadings.shape[1])
    held = -(-_BLOCK_BYTES // (8 * max(-(-matrix.n_samples // 32), 1)) // _ROWS) * _ROWS
    with one_blas_thread():
        for first, block in matrix.blocks(task.start, task.end, held):
            for low, high in block_edges(len(block), _ROWS):
                rows = slice(first + low, first + high)
                _add(block[low:high], values[rows], loadings[rows], sums)
    return sums


def _add(block: np.ndarray, values: np.ndarray, loadings: np.ndarray, sums: Sums) -> None:
    weights, narrow = loadings**2, loadings.astype(np.float32)
    for low, high in block_edges(len(sums.norms), _SAMPLES):
        tile = np.empty((len(block), high - low), np.float32)
        kernels.standardise(block, low // 32, values, tile, sums.norms[low:high])
        kernels.add_missing(block, low // 32, weights, sums.n_missing[low:high], sums.lost[low:high])
        sums.products[low:high] += tile.T @ narrow
