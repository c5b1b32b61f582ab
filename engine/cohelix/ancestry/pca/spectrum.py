"""Every eigenvalue of the samples' matrix, where it is small enough to be made: stripes of it are summed over sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cohelix.ancestry.pca.passes import BLOCK_ROWS, new_tile, planar_order, single_threaded, standardise, unpacked
from cohelix.ancestry.schema import FitParams
from cohelix.genotypes.packed.matrix import Matrix, block_edges
from cohelix.runtime.protocol import Runtime

STRIPE = 512
"""Columns of a task: it reads all genotypes, and makes samples x 512 sums."""
ZERO = 1e-6
"""Eigenvalues below this share of the mean are rounding of float32 products."""


@dataclass(frozen=True)
class _Stripe:
    matrix: Callable[[], Matrix]
    counts: Callable[[], np.ndarray]
    params: FitParams
    start: int
    end: int


def spectrum_of(matrix: Matrix, counts: np.ndarray, params: FitParams, runtime: Runtime) -> np.ndarray:
    """float64, largest first: the eigenvalues of X X' / sites that are not zero. counts: int64 (sites, 4) by value."""
    order = planar_order(matrix.n_samples)
    shared = runtime.share(matrix), runtime.share(counts)
    tasks = [_Stripe(*shared, params, start, end) for start, end in block_edges(len(order), STRIPE)]
    whole = np.zeros((len(order), len(order)))
    for task, stripe in zip(tasks, runtime.map(_sum_stripe, tasks, label="spectrum"), strict=True):
        whole[task.start :, task.start : task.end] = stripe
    inside = np.flatnonzero(order < matrix.n_samples)
    values = np.linalg.eigvalsh(whole[np.ix_(inside, inside)] / matrix.n_sites, UPLO="L")[::-1]
    return np.asarray(values[values > ZERO * values.mean()])


def _sum_stripe(task: _Stripe) -> np.ndarray:
    """float64 (columns from start on, columns [start, end)) of X X', in planar order."""
    single_threaded()
    matrix, counts = task.matrix(), task.counts()
    width = len(planar_order(matrix.n_samples))
    tile, values = new_tile(), np.empty((BLOCK_ROWS, width), np.float32)
    out = np.zeros((width - task.start, task.end - task.start))
    product = np.empty(out.shape, np.float32)
    for first, block in matrix.blocks(0, matrix.n_sites, BLOCK_ROWS):
        scale, shift = standardise(counts[first : first + len(block)], task.params)
        rows = values[: len(block)]
        for column, part in unpacked(block, scale.astype(np.float32), shift.astype(np.float32), tile):
            rows[:, column : column + part.shape[1]] = part
        out += np.matmul(rows[:, task.start :].T, rows[:, task.start : task.end], out=product)
    return out
