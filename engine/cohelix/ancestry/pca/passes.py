"""Products with the standardised matrix, straight from packed blocks: one read of the genotypes gives both.

X (samples, sites) is (copies - 2 af) / sqrt(2 af (1 - af)), 0 where missing. A pass gives Y = X (X' Q) of a block of
columns Q. Genotypes become float32 in tiles that stay in cache; products are float32 (BLAS), sums over tiles float64.
Tiles, blocks and tasks follow from the sizes of the data alone, and sums are taken in order: equal bits on any
number of threads and on either runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from cohelix.ancestry.pca.kernels import PLANES, unpack_tile
from cohelix.ancestry.schema import FitParams
from cohelix.genotypes.packed.counting import count_groups, masks_of
from cohelix.genotypes.packed.matrix import Matrix, block_edges
from cohelix.runtime.protocol import Runtime

BLOCK_ROWS = 512
"""Variants of a tile."""
TILE_PIECES = 32
"""Pieces of 16 samples in a tile: 512 x 512 float32 are 1 MiB, half of a cache of level two."""
STACK = 32
"""Rows of one product: OpenBLAS multiplies small matrices without copying them first, a tenth of a pass."""
MAX_TASKS = 32


@dataclass(frozen=True)
class _Pass:
    matrix: Callable[[], Matrix]
    right: Callable[[], np.ndarray]
    counts: Callable[[], np.ndarray] | None
    params: FitParams
    start: int
    end: int


@dataclass(frozen=True)
class Product:
    """y: float64 (samples, columns), X (X' Q). left: float32 (sites, columns), X' Q. counts: int64 (sites, 4),
    genotypes by value; only of a first pass."""

    y: np.ndarray
    left: np.ndarray
    counts: np.ndarray | None


def multiply(
    matrix: Matrix,
    q: np.ndarray,
    params: FitParams,
    runtime: Runtime,
    *,
    counts: np.ndarray | None = None,
) -> Product:
    """One pass. q: float64 (samples, columns). counts: int64 (sites, 4) by value; None: counted in this pass.

    Sites that fail the choices of `params` are 0 throughout.
    """
    order = planar_order(matrix.n_samples)
    right = np.zeros((len(order), q.shape[1]), np.float32)
    inside = order < matrix.n_samples
    right[inside] = q[order[inside]]
    shared = runtime.share(matrix), runtime.share(right), None if counts is None else runtime.share(counts)
    edges = task_edges(matrix.n_sites, right.nbytes, params.memory_mib)
    tasks = [_Pass(*shared, params, start, end) for start, end in edges]
    total, lefts, counted = np.zeros(right.shape), [], []
    for part in runtime.map(_multiply_part, tasks, label="components"):
        total += part.y
        lefts.append(part.left)
        counted.append(part.counts)
    y_all = np.empty(q.shape)
    y_all[order[inside]] = total[inside]
    return Product(y_all, np.concatenate(lefts), _joined(counted))


def _joined(parts: list[np.ndarray | None]) -> np.ndarray | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None


def task_edges(n_sites: int, partial_bytes: int, memory_mib: int) -> list[tuple[int, int]]:
    """[start, end) of the sites of each task: as many as half of the memory holds partial sums of, 32 at most."""
    n_tasks = min(MAX_TASKS, max(1, (memory_mib << 19) // partial_bytes))
    blocks = -(-n_sites // BLOCK_ROWS)
    return block_edges(n_sites, -(-blocks // n_tasks) * BLOCK_ROWS)


def planar_order(n_samples: int) -> np.ndarray:
    """int64: the sample in each column as `unpack_tile` lays out tile after tile; n_samples and more: padding."""
    tiles = []
    for first, pieces in _tiles(-(-n_samples // 32)):
        tiles.append((PLANES * (first + np.arange(pieces)) + np.arange(PLANES)[:, None]).reshape(-1))
    return np.concatenate(tiles)


def standardise(counts: np.ndarray, params: FitParams) -> tuple[np.ndarray, np.ndarray]:
    """float64 scale and shift (sites,): scale * copies + shift is the standardised genotype; 0 of sites left out."""
    af = frequencies(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / np.sqrt(2 * af * (1 - af))
    scale = np.where(passing(counts, params), scale, 0.0)
    return scale, np.where(scale > 0, -2 * af * scale, 0.0)


def frequencies(counts: np.ndarray) -> np.ndarray:
    """float64 (sites,): share of the alternate allele; NaN where nothing is called."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((counts[:, 1] + 2 * counts[:, 2]) / (2 * counts[:, :3].sum(axis=1)))


def passing(counts: np.ndarray, params: FitParams) -> np.ndarray:
    """bool (sites,): polymorphic, and by call rate, minor allele frequency and Hardy-Weinberg wide enough."""
    called, alternate = counts[:, :3].sum(axis=1), counts[:, 1] + 2 * counts[:, 2]
    minor = np.minimum(alternate, 2 * called - alternate)
    keep = (minor > 0) & (called >= params.min_call_rate * counts.sum(axis=1)) & (minor >= params.min_maf * 2 * called)
    if params.max_hwe_chi2 is not None:
        af = np.where(called > 0, alternate / np.maximum(2 * called, 1), 0.0)
        expected = 2 * af * (1 - af) * called
        with np.errstate(divide="ignore", invalid="ignore"):
            inbreeding = 1 - counts[:, 1] / expected
        keep &= called * inbreeding**2 <= params.max_hwe_chi2
    return np.asarray(keep)


def single_threaded() -> None:
    """Let BLAS use one thread from here on: its sums differ with their number, and tasks are parallel as they are."""
    threadpool_limits(1, "blas")


def unpacked(
    block: np.ndarray, scale: np.ndarray, shift: np.ndarray, tile: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """(first column, tile) over a packed block, float32 (variants, columns) in planar order. Reuses `tile`."""
    for first, pieces in _tiles(block.shape[1]):
        out = tile[: len(block) * PLANES * pieces].reshape(len(block), PLANES * pieces)
        unpack_tile(block, first, scale, shift, out)
        yield PLANES * first, out


def new_tile() -> np.ndarray:
    return np.empty(BLOCK_ROWS * PLANES * TILE_PIECES, np.float32)


def _tiles(n_words: int) -> list[tuple[int, int]]:
    """First piece and number of pieces of each tile of a row."""
    return [(start, end - start) for start, end in block_edges(2 * n_words, TILE_PIECES)]


def _multiply_part(task: _Pass) -> Product:
    """Partial sums of one task, float32 in planar order (they travel), its rows of X' Q, and its counts."""
    single_threaded()
    matrix, right = task.matrix(), task.right()
    known = None if task.counts is None else task.counts()
    masks = masks_of(np.zeros(matrix.n_samples, np.int64), 1)
    n_columns, tile = right.shape[1], new_tile()
    y, y_tile = np.zeros(right.shape), np.empty((PLANES * TILE_PIECES, n_columns), np.float32)
    lefts: list[np.ndarray] = []
    counted: list[np.ndarray | None] = []
    for first, block in matrix.blocks(task.start, task.end, BLOCK_ROWS):
        counts = count_groups(block, masks)[:, 0] if known is None else known[first : first + len(block)]
        scale, shift = (values.astype(np.float32) for values in standardise(counts, task.params))
        left, part = np.zeros((len(block), n_columns)), np.empty((len(block), n_columns), np.float32)
        for column, values in unpacked(block, scale, shift, tile):
            left += _product(values, right[column : column + values.shape[1]], part)
        part[:] = left
        for column, values in unpacked(block, scale, shift, tile):
            width = values.shape[1]
            y[column : column + width] += _product(values.T, part, y_tile[:width])
        lefts.append(part.copy())
        counted.append(counts if known is None else None)
    return Product(y.astype(np.float32), np.concatenate(lefts), _joined(counted))


def _product(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> np.ndarray:
    """left @ right in `out`, STACK rows at a time."""
    whole = len(left) // STACK * STACK
    stacked = left[:whole].reshape(-1, STACK, left.shape[1])  # a view, of a transposed matrix too
    np.matmul(stacked, right, out=out[:whole].reshape(-1, STACK, right.shape[1]))
    np.matmul(left[whole:], right, out=out[whole:])
    return out
