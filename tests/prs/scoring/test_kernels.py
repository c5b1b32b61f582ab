"""Kernels of scoring against plain definitions."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cohelix.kernel import LANES, add_rows, fused, kernel
from cohelix.prs.scoring import kernels
from cohelix.prs.scoring.task import aligned
from tests.oracles import prs_scoring as oracle
from tests.oracles.packed import pack

finite = st.floats(-1e6, 1e6, allow_subnormal=False)


@kernel
def fused_in_a_kernel(a: float, b: float, c: float) -> float:
    return fused(a, b, c)


@given(finite, finite, finite)
def test_a_fused_product_is_rounded_once(a: float, b: float, c: float) -> None:
    assert fused_in_a_kernel(a, b, c) == fused(a, b, c) == oracle.fused_sum([a], [b], c)


def test_a_fused_product_keeps_what_two_roundings_lose() -> None:
    tiny = 2.0**-30
    assert fused_in_a_kernel(1 + tiny, 1 - tiny, -1.0) == fused(1 + tiny, 1 - tiny, -1.0) == -(tiny**2)
    assert (1 + tiny) * (1 - tiny) - 1.0 == 0.0
    for special in (math.inf, -math.inf, math.nan):
        for function in (fused, fused_in_a_kernel):
            assert math.isnan(function(special, 0.0, 1.0))
            assert str(function(1.0, special, 1.0)) == str(special)


@kernel
def rows_in_a_kernel(x: np.ndarray, rows: np.ndarray, weights: np.ndarray, at: int, end: int, sums: np.ndarray) -> None:
    add_rows(x, rows, weights, at, end, sums)


def test_rows_are_added_in_order() -> None:
    rng = np.random.default_rng(1)
    x, rows, weights = rng.normal(size=(9, LANES)), rng.integers(0, 9, 13).astype(np.int32), rng.normal(size=13)
    for at, end in ((0, 13), (3, 4), (5, 5)):
        start = rng.normal(size=LANES)
        compiled, plain = start.copy(), start.copy()
        rows_in_a_kernel(x, rows, weights, at, end, compiled)
        add_rows(x, rows, weights, at, end, plain)
        wished = [oracle.fused_sum(weights[at:end], x[rows[at:end], lane], start[lane]) for lane in range(LANES)]
        assert compiled.tolist() == plain.tolist() == wished


def ordered(score: list[int], n_scores: int) -> tuple[np.ndarray, np.ndarray]:
    order, segments = np.empty(len(score), np.int64), np.empty((len(score) + 1, 2), np.int64)
    n = kernels.order_by_score(np.array(score, np.int32), np.zeros(n_scores, np.int64), order, segments)
    return order, segments[: n + 1]


@given(st.lists(st.integers(0, 6), max_size=40))
def test_order_by_score_is_a_stable_order(score: list[int]) -> None:
    order, segments = ordered(score, 7)
    assert order.tolist() == sorted(range(len(score)), key=lambda entry: score[entry])
    counts = {one: score.count(one) for one in sorted(set(score))}
    assert segments[:-1, 0].tolist() == list(counts)
    assert segments[:, 1].tolist() == np.cumsum([0, *counts.values()]).tolist()


def test_unpack_and_unpack_cells() -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 4, (5, 96)).tolist()
    block, sites = pack(rows), np.array([0, 0, 3, 4])
    values = rng.normal(size=(4, 2, 4))
    chosen = [rows[site][32:] for site in sites]
    out = np.empty((4, 64))
    kernels.unpack(block, sites, values[:, 1], 1, out)
    assert out.tolist() == oracle.unpack(chosen, values[:, 1].tolist())
    cell = rng.integers(0, 2, 64)
    kernels.unpack_cells(block, sites, values.reshape(4, 8), (4 * cell).astype(np.int32), 1, out)
    one, other = (np.array(oracle.unpack(chosen, values[:, place].tolist())) for place in (0, 1))
    assert (out == np.where(cell == 0, one, other)).all()


def test_add_sparse_and_spread_weights() -> None:
    rng = np.random.default_rng(3)
    score = rng.integers(0, 4, 60).tolist()
    _, segments = ordered(score, 4)
    planes, weights = rng.integers(0, 11, 60).astype(np.int32), rng.normal(size=60)
    x = aligned(11, LANES)
    x[:] = rng.normal(size=x.shape)
    to = np.array([1, -1, 0, 2])
    sums, spread = np.zeros((3, LANES)), np.zeros((3, 5))
    kernels.add_sparse(segments, to, planes, weights, x, sums)
    kernels.spread_weights(segments, to, planes, weights, 4, spread)
    for segment, row in enumerate(to.tolist()):
        if row >= 0:
            own = slice(segments[segment, 1], segments[segment + 1, 1])
            wished = [oracle.fused_sum(weights[own], x[planes[own], lane], 0.0) for lane in range(LANES)]
            assert sums[row].tolist() == wished
            pairs = list(zip(planes[own], weights[own], strict=True))
            dense = [sum(weight for plane, weight in pairs if plane == 4 + place) for place in range(5)]
            np.testing.assert_allclose(spread[row], dense, rtol=1e-12, atol=1e-15)


def test_list_rows() -> None:
    """Score 0 has rows 1 and 3, 1 none here, 2 all but 2 and is inverted, 3 none here and is inverted."""
    score = [0, 0, 0, 2, 2, 2]
    _, segments = ordered(score, 4)
    rows = np.array([1, -1, 3, 0, 1, 3], np.int32)
    inverted = np.array([False, False, True, True])
    lists, out = np.empty((6, 2), np.int64), np.full(40, -9, np.int32)
    n = kernels.list_rows(segments, np.array([0, 2]), rows, inverted, np.empty(4, np.int64), 4, lists, out)
    found = {int(lists[one, 0]): out[lists[one, 1] : lists[one + 1, 1]].tolist() for one in range(n)}
    assert found == {0: [1, 3], 2: [2], 3: [0, 1, 2, 3], 4: [0, 1, 2, 3]}


@given(st.integers(1, 70), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_flags_are_counted(n_rows: int, n_samples: int, seed: int) -> None:
    """flag_rows, count_flags and read_counters: missing and 0, of those who have a copy, over lists of any length."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 4, (n_rows, n_samples))
    member = rng.random(n_samples) < 0.8
    block, present = pack(rows.tolist()), pack([member.astype(int).tolist()])[0]
    flags = np.zeros((n_rows + 1, block.shape[1]), np.uint64)
    kernels.flag_rows(block, present, True, flags[:-1])
    chosen = [rng.integers(0, n_rows, rng.integers(0, 60)) for _ in range(3)]
    lists = np.array([[0, 0], [1, 0], [2, 0], [-1, 0]])
    lists[1:, 1] = np.cumsum([len(one) for one in chosen])
    counters = np.zeros((3, 6, block.shape[1]), np.uint64)
    held, carry = np.empty(8, np.int64), np.empty(kernels.CHUNK, np.uint64)
    kernels.count_flags(lists, np.concatenate(chosen).astype(np.int32), flags, counters, held, carry)
    out = np.empty((2, 3, 32 * block.shape[1]), np.int32)
    kernels.read_counters(counters, out)
    for score, own in enumerate(chosen):
        assert out[0, score, :n_samples].tolist() == ((rows[own] == 3) & member).sum(axis=0).tolist()
        assert out[1, score, :n_samples].tolist() == ((rows[own] == 0) & member).sum(axis=0).tolist()
    kernels.flag_rows(block, present, False, flags[:-1])
    assert not (flags & np.uint64(0xAAAAAAAAAAAAAAAA)).any()
