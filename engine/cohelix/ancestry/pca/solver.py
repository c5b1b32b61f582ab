"""The largest eigenvalues of a symmetric matrix that is known by its products: block Krylov, all blocks kept.

Each pass multiplies one block; what is new of the product is the next block. Eigenvalues are those of the matrix
within the space of all blocks (Rayleigh-Ritz), so that a pass counts for far more than one of subspace iteration. All
blocks are kept orthogonal (twice through Gram-Schmidt): none is found again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_NEGLIGIBLE = 1e-10
"""Directions of a product that are smaller than this share of it are rounding."""
FIRST_LOOK = 6
"""Passes before it is asked whether to go on: until then the residuals of noise, too, fall quickly."""


@dataclass(frozen=True)
class Pairs:
    """values: float64 (n,), largest first. vectors: float64 (size, n). weights: float64 (columns, n): what vectors are
    of the columns that were multiplied, pass after pass. residuals: |A v - value v| / value. passes: how many products
    were made."""

    values: np.ndarray
    vectors: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray
    passes: int


def solve(
    multiply: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    *,
    wanted: int,
    count: int,
    tolerance: float,
    max_passes: int,
    first_look: int = FIRST_LOOK,
) -> Pairs:
    """The `count` largest pairs of a positive semidefinite matrix (size, size), until `wanted` of them converge.

    Pairs of noise lie too close to one another to converge. It ends, too, where no pair that has not converged would at
    the rate of the last pass do so within `max_passes`.

    multiply: float64 (size, columns) to the same. start: float64 (size, columns), the first block; an eigenvalue that
    occurs more often than it has columns is not found as often. first_look: passes before it is asked whether to go
    on. Where less than `count` directions exist, as many pairs come back as there are.
    """
    size, basis = len(start), [np.linalg.qr(start)[0]]
    projected, before = np.zeros((0, 0)), np.full(count, np.inf)
    for passes in range(1, max_passes + 1):
        product = multiply(basis[-1])
        column = np.concatenate([one.T @ product for one in basis])
        projected = _extended(projected, column)
        left_over = product - _combined(basis, column)
        values, inner = _largest(projected, count)
        errors = np.linalg.norm(left_over @ inner[-product.shape[1] :], axis=0)
        residuals = errors / np.maximum(values, np.finfo(float).tiny)
        within = residuals[:wanted] <= tolerance
        if len(projected) >= min(count, size) and len(within) >= min(wanted, size):
            hopeful = _reachable(residuals[:wanted], before[:wanted], tolerance, max_passes - passes)
            if within.all() or (passes >= first_look and not (hopeful & ~within).any()):
                break
        if passes == max_passes:
            break
        before[: len(residuals)] = residuals
        following = _new_directions(basis, left_over, float(np.linalg.norm(product)), size - len(projected))
        if not following.shape[1]:  # nothing lies outside of the space: the pairs are exact
            break
        basis.append(following)
    vectors = _combined(basis, inner)
    return Pairs(values, vectors, inner, residuals, passes)


def random_block(size: int, columns: int, seed: int) -> np.ndarray:
    """float64 (size, columns), or as many columns as there are rows: normal numbers by PCG64."""
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((size, min(columns, size)))


def _reachable(residuals: np.ndarray, before: np.ndarray, tolerance: float, passes: int) -> np.ndarray:
    """bool: which pairs come below the tolerance in so many further passes, as fast as in the last."""
    rate = residuals / np.maximum(before[: len(residuals)], np.finfo(float).tiny)
    return np.asarray(residuals * np.minimum(rate, 1.0) ** passes <= tolerance)


def _extended(projected: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The matrix within the space of all blocks, with a further block of columns."""
    known, width = len(projected), column.shape[1]
    out = np.empty((known + width, known + width))
    out[:known, :known] = projected
    out[:known, known:], out[known:, :known] = column[:known], column[:known].T
    out[known:, known:] = (column[known:] + column[known:].T) / 2
    return out


def _largest(projected: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eigh(projected)
    return values[::-1][:count].copy(), vectors[:, ::-1][:, :count].copy()


def _combined(basis: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The columns of all blocks times `weights`."""
    out, row = np.zeros((len(basis[0]), weights.shape[1])), 0
    for one in basis:
        out += one @ weights[row : row + one.shape[1]]
        row += one.shape[1]
    return out


def _new_directions(basis: list[np.ndarray], left_over: np.ndarray, norm: float, room: int) -> np.ndarray:
    """An orthonormal basis of what `left_over` adds to the space; without columns where that is nothing."""
    q, r = np.linalg.qr(left_over)
    inner, sizes, _ = np.linalg.svd(r)
    q = q @ inner[:, sizes > _NEGLIGIBLE * norm][:, : max(room, 0)]
    for _ in range(2):
        q = q - _combined(basis, np.concatenate([one.T @ q for one in basis]))
        q = np.linalg.qr(q)[0] if q.shape[1] else q
    return q
