"""The solver finds what a dense solver finds, in few products, and knows when it has."""

from __future__ import annotations

import numpy as np
import pytest

from cohelix.ancestry.pca.solver import Pairs, random_block, solve


def matrix_of(values: np.ndarray, seed: int = 2) -> np.ndarray:
    """Symmetric, with these eigenvalues."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))[0]
    return np.asarray((q * values) @ q.T)


def solved(a: np.ndarray, **how: float) -> Pairs:
    choices = {"wanted": 4, "count": 6, "block": 8, "seed": 1, "tolerance": 1e-8, "max_passes": 50} | how
    start = random_block(len(a), choices.pop("block"), choices.pop("seed"))  # type: ignore[arg-type]  # as below
    return solve(lambda q: a @ q, start, **choices)  # type: ignore[arg-type]  # numbers of either kind


@pytest.mark.parametrize("size", [7, 40, 200])
@pytest.mark.parametrize("block", [2, 3, 8])
def test_pairs_are_those_of_a_dense_solver(size: int, block: int) -> None:
    values = np.concatenate([[50.0, 20, 20, 9], np.linspace(2, 0, size - 4)])
    a = matrix_of(values)
    found = solved(a, block=block)
    np.testing.assert_allclose(found.values[:4], values[:4], rtol=1e-10)
    measured = np.linalg.norm(a @ found.vectors - found.vectors * found.values, axis=0) / found.values
    np.testing.assert_allclose(measured[:4], found.residuals[:4], atol=1e-9)
    assert measured[:4].max() < 2e-8
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(6), atol=1e-10)


def test_a_matrix_of_low_rank_is_known_exactly() -> None:
    values = np.concatenate([[5.0, 4, 3, 2, 1], np.zeros(60)])
    found = solved(matrix_of(values), count=5)
    np.testing.assert_allclose(found.values, values[:5], rtol=1e-12)
    assert found.passes == 2


def test_separated_pairs_take_few_products() -> None:
    values = np.concatenate([[300.0, 200, 30, 9], np.linspace(2, 0.5, 996)])
    found = solved(matrix_of(values), block=16, tolerance=1e-4)
    assert found.passes <= 6 and found.residuals[:4].max() <= 1e-4


def test_pairs_that_lie_too_close_are_given_up_early_and_not_called_found() -> None:
    values = np.concatenate([[300.0, 200], np.linspace(2, 1.9, 998)])
    found = solved(matrix_of(values), tolerance=1e-6, max_passes=12)
    assert found.passes < 12
    assert found.residuals[:2].max() < 1e-6 < found.residuals[2:4].min()


def test_the_seed_is_of_the_start_only() -> None:
    a = matrix_of(np.concatenate([[50.0, 20, 12, 9], np.linspace(2, 0, 96)]))
    one, same, other = solved(a), solved(a), solved(a, seed=2)
    np.testing.assert_array_equal(one.vectors, same.vectors)
    assert (one.vectors != other.vectors).any()
    np.testing.assert_allclose(np.abs((one.vectors * other.vectors).sum(axis=0))[:4], 1, rtol=1e-10)
