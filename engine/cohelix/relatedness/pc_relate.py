"""PC-Relate: kinship and shared identity by descent, given ancestry, of chosen pairs of samples.

Conomos and others, Am J Hum Genet 98, 127 (2016), as GENESIS and Hail compute it with "overall" scaling and without
correction for small samples: the frequency of an allele that a sample's ancestry makes likely is the fit of a
regression of genotypes on principal components. Two passes over the genotypes: one over all samples for the
regression, one over the samples of the pairs. Memory is that of a block of sites and the samples of one task; results
do not depend on blocks, tasks or threads (`pcrelate.kernels` sums integers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np

from cohelix.errors import ContractError, InputError
from cohelix.genotypes.packed.matrix import Matrix, block_edges
from cohelix.relatedness.pcrelate import kernels
from cohelix.relatedness.pcrelate.kernels import BASIS_SCALE, BLOCK_SITES, SUM_SCALE
from cohelix.relatedness.schema import PcRelateParams
from cohelix.runtime.protocol import Runtime

FIRST_DEGREE = 2.0**-2.5
"""Kinship up to which IBD0 follows from kinship and IBD2 (GENESIS, Hail); beyond, opposite homozygotes are counted."""

_TASK_SAMPLES = 4096
"""Samples of the pairs of one task: their columns take 42 MiB."""

_TASK_PAIRS = 1 << 16
_TASKS = 64
"""Tasks of the second pass: with fewer batches of pairs than that, sites are cut too, but not below ..."""
_TASK_SITES = 32 * BLOCK_SITES
"""... so many, nor does the first pass cut below."""

_TILE = 64
"""Samples whose columns stay in the processor's second cache while pairs among them are summed."""


@dataclass(frozen=True)
class PcRelate:
    """Estimates of each pair; NaN where a sample has no components, or no site counts. n_sites: sites that counted."""

    kinship: np.ndarray
    ibd0: np.ndarray
    ibd1: np.ndarray
    ibd2: np.ndarray
    n_sites: np.ndarray


@dataclass(frozen=True)
class _Regress:
    matrix: Matrix
    basis: Callable[[], np.ndarray]
    start: int
    end: int


@dataclass(frozen=True)
class _Relate:
    matrix: Matrix
    basis: np.ndarray
    pairs: np.ndarray
    coefficients: Callable[[], np.ndarray]
    floor: float
    start: int
    end: int


@dataclass(frozen=True)
class _Sums:
    """Integer sums of the pairs and the samples of one task (`kernels.add_pairs`, `kernels.fill_columns`)."""

    pairs: np.ndarray
    counts: np.ndarray
    own: np.ndarray


def pc_relate(matrix: Matrix, pcs: np.ndarray, pairs: np.ndarray, params: PcRelateParams, runtime: Runtime) -> PcRelate:
    """Estimates for `pairs` int64 (n, 2) of samples of the matrix.

    pcs: float64 (samples, k), NaN where a sample has none: it takes no part in the regression. The scale of a
    component does not matter, nor does one that others make up. Raises InputError where samples are too few for them.
    """
    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    if len(pcs) != matrix.n_samples or (pairs.size and not 0 <= pairs.min() <= pairs.max() < matrix.n_samples):
        raise ContractError(f"{len(pcs)} scores or the pairs do not fit {matrix.n_samples} samples.")
    known = np.isfinite(pcs).all(axis=1)
    kinship, ibd0, ibd1, ibd2 = np.full((4, len(pairs)), np.nan)
    out = PcRelate(kinship, ibd0, ibd1, ibd2, np.zeros(len(pairs), np.int64))
    able = np.flatnonzero(known[pairs].all(axis=1))
    if not len(able):
        return out
    fitted = orthonormal(pcs[known])
    basis = np.zeros((len(pcs), fitted.shape[1]))
    basis[known] = fitted
    coefficients = regress(matrix.of_samples(np.flatnonzero(known)), fitted, runtime)
    shared, floor = runtime.share(coefficients), params.min_individual_maf
    batches = [able[batch] for batch in batches_of(pairs[able])]
    spans = _spans(matrix.n_sites, len(batches))
    cut = [_samples_of(pairs[batch]) for batch in batches]
    tasks = [
        _Relate(matrix.of_samples(samples), basis[samples], local, shared, floor, start, end)
        for samples, local in cut
        for start, end in spans
    ]
    found = runtime.map(_relate, tasks, label="pc-relate")
    for batch, (_, local) in zip(batches, cut, strict=True):
        parts = [next(found) for _ in spans]
        sums = reduce(_add, parts)
        for name, values in _estimates(sums, local).items():
            getattr(out, name)[batch] = values
    return out


def orthonormal(pcs: np.ndarray) -> np.ndarray:
    """Columns (samples, 1 + k or fewer) that are orthonormal and span the intercept and the components.

    Gram-Schmidt, twice over, with sums of NumPy's own: BLAS would add in an order that its threads decide.
    """
    n_samples = len(pcs)
    if n_samples < pcs.shape[1] + 2:
        raise InputError(
            f"expected more samples with principal components than components and one, found {n_samples} for "
            f"{pcs.shape[1]}. Give fewer components, or those of more samples."
        )
    columns: list[np.ndarray] = []
    for column in [np.ones(n_samples), *pcs.T]:
        rest = np.array(column, np.float64)
        size = np.sqrt((rest * rest).sum())
        for _ in range(2):
            for one in columns:
                rest = rest - (one * rest).sum() * one
        left = np.sqrt((rest * rest).sum())
        if left > 1e-9 * size:
            columns.append(rest / left)
    return np.column_stack(columns)


def batches_of(pairs: np.ndarray) -> list[np.ndarray]:
    """Rows of `pairs`, cut into batches of few samples: relatives lie together, and dense groups come in tiles."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    samples, local = np.unique(pairs, return_inverse=True)
    local = local.reshape(-1, 2)
    links = coo_array((np.ones(len(pairs), np.int8), (local[:, 0], local[:, 1])), shape=(len(samples),) * 2)
    _, family = connected_components(links, directed=False)
    rank = np.empty(len(samples), np.int64)
    rank[np.argsort(family, kind="stable")] = np.arange(len(samples))
    ends = np.sort(rank[local], axis=1)
    wide = ends // (_TASK_SAMPLES // 2)
    tile = ends // _TILE
    order = np.lexsort((ends[:, 1], ends[:, 0], tile[:, 1], tile[:, 0], wide[:, 1], wide[:, 0]))
    cuts: list[int] = []
    seen, first = set[int](), 0
    for at, (one, other) in enumerate(ends[order].tolist()):
        if len(seen) + (one not in seen) + (other not in seen) > _TASK_SAMPLES or at - first >= _TASK_PAIRS:
            cuts.append(at)
            seen, first = set(), at
        seen.update((one, other))
    return np.split(order, cuts)


def _samples_of(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples of the pairs, increasing, and the pairs by place among them."""
    samples, local = np.unique(pairs, return_inverse=True)
    return samples, np.ascontiguousarray(local.reshape(-1, 2).astype(np.int64))


def _spans(n_sites: int, n_batches: int) -> list[tuple[int, int]]:
    """Sites of each task of a batch: blocks begin at multiples of `BLOCK_SITES`, however they are cut."""
    wished = max(1, _TASKS // n_batches)
    rows = max(_TASK_SITES, -(-n_sites // (wished * BLOCK_SITES)) * BLOCK_SITES)
    return block_edges(n_sites, rows)


def regress(matrix: Matrix, basis: np.ndarray, runtime: Runtime) -> np.ndarray:
    """float64 (columns, sites): half of each genotype's projection on the basis; its fit by a sample is mu."""
    words = -(-matrix.n_samples // 32)
    scaled = np.zeros((basis.shape[1], 32 * words))
    scaled[:, : matrix.n_samples] = basis.T * BASIS_SCALE
    shared = runtime.share(scaled)
    rows = max(_TASK_SITES, -(-matrix.n_sites // (_TASKS * BLOCK_SITES)) * BLOCK_SITES)
    tasks = [_Regress(matrix, shared, start, end) for start, end in block_edges(matrix.n_sites, rows)]
    return np.concatenate(list(runtime.map(_regress_rows, tasks, label="pc-relate frequencies")), axis=1)


def _regress_rows(task: _Regress) -> np.ndarray:
    basis = task.basis()
    out = np.empty((len(basis), task.end - task.start))
    for first, block in task.matrix.blocks(task.start, task.end, BLOCK_SITES):
        sums, absent = (np.empty((len(block), len(basis)), np.int64) for _ in range(2))
        counts = np.empty((len(block), 2), np.int64)
        kernels.project_rows(block, basis, sums, absent, counts)
        called = task.matrix.n_samples - counts[:, 1]
        with np.errstate(invalid="ignore"):  # a row without a call has no mean, and no site counts there
            mean = counts[:, 0] / called
        fitted = (sums + mean[:, None] * absent) / (2 * BASIS_SCALE)
        out[:, first - task.start : first - task.start + len(block)] = fitted.T
    return out


def _blocks(task: _Relate) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Packed blocks, and their coefficients (columns, BLOCK_SITES), NaN behind the last row."""
    every = task.coefficients()
    for first, block in task.matrix.blocks(task.start, task.end, BLOCK_SITES):
        own = np.full((len(every), BLOCK_SITES), np.nan)
        own[:, : len(block)] = every[:, first : first + len(block)]
        yield block, own


def _relate(task: _Relate) -> _Sums:
    n_samples, n_pairs = len(task.basis), len(task.pairs)
    columns = np.empty((n_samples, 5, BLOCK_SITES))
    planes = np.empty((n_samples, 3, BLOCK_SITES // 64), np.uint64)
    own = np.zeros((n_samples, 2), np.int64)
    sums, counts = np.zeros((n_pairs, 7), np.int64), np.zeros((n_pairs, 2), np.int64)
    for block, coefficients in _blocks(task):
        kernels.fill_columns(block, task.basis, coefficients, task.floor, columns, planes, own)
        kernels.add_pairs(columns, planes, task.pairs, sums, counts)
    return _Sums(sums, counts, own)


def _add(one: _Sums, other: _Sums) -> _Sums:
    return _Sums(one.pairs + other.pairs, one.counts + other.counts, one.own + other.own)


def _estimates(sums: _Sums, pairs: np.ndarray) -> dict[str, np.ndarray]:
    """The estimators of Conomos 2016, from sums over all sites."""
    rr, ss, dd, dv, vd, vv, opposite = (column / SUM_SCALE for column in sums.pairs.T)
    with np.errstate(invalid="ignore", divide="ignore"):  # no site that counts: NaN
        kinship = rr / (4 * ss)
        own = sums.own[:, 0] / (2 * sums.own[:, 1])  # 1 + inbreeding, of every sample
        left, right = own[pairs[:, 0]], own[pairs[:, 1]]
        ibd2 = (dd - right * dv - left * vd + left * right * vv) / vv
        counted = sums.counts[:, 1] / opposite
    ibd0 = np.where(kinship > FIRST_DEGREE, counted, 1 - 4 * kinship + ibd2)
    return {
        "kinship": kinship, "ibd0": ibd0, "ibd1": 1 - ibd0 - ibd2, "ibd2": ibd2, "n_sites": sums.counts[:, 0]
    }  # fmt: skip
