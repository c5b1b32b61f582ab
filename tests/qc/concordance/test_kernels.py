"""Kernels of fingerprints against their plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.qc.concordance import kernels
from cohelix.qc.concordance.fingerprints import genotypes_of, n_words
from tests.oracles import fingerprint as plain

PLACES = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 60)), min_size=1, max_size=40, unique=True).map(sorted)


@given(PLACES, st.integers(1, 30), st.integers(1, 12), st.randoms(use_true_random=False))
def test_thin_takes_in_order_whatever_is_far_from_the_rest(places, distance, limit, random) -> None:
    order = list(range(len(places)))
    random.shuffle(order)
    contig, position = np.array(places, np.int64).T.copy()
    found = kernels.thin(np.array(order), contig, position, distance, limit)
    assert found.tolist() == plain.thin(order, places, distance, limit)


@pytest.mark.parametrize("samples", [1, 31, 32, 33, 70])
def test_packing_and_flipping_lose_nothing(samples: int) -> None:
    rng = np.random.default_rng(samples)
    block = rng.choice(np.array([0, 1, 2, -9], np.int8), (9, samples))
    flip = rng.random(9) < 0.5
    packed = np.full((9, n_words(samples)), 2**64 - 1, np.uint64)
    kernels.pack(block, flip, packed)
    expected = [
        [3 if g < 0 else 2 - g if turned else g for g in row] for row, turned in zip(block.tolist(), flip, strict=True)
    ]
    assert genotypes_of(packed, range(samples)).tolist() == expected
    chosen = rng.integers(0, samples, 5)
    out = np.zeros((9, 5), np.int8)
    kernels.unpack(packed, chosen, out)
    assert out.tolist() == [[row[k] for k in chosen] for row in expected]


def test_weights_are_what_each_genotype_of_another_would_score() -> None:
    rng = np.random.default_rng(6)
    genotypes, scores = rng.integers(0, 4, (7, 5)).astype(np.int8), rng.integers(-(1 << 20), 1 << 20, (7, 16))
    out = np.full((5, 21), np.nan, np.float32)
    kernels.weigh(genotypes, scores, out)
    for sample, site, other in np.ndindex(5, 7, 3):
        assert out[sample, 3 * site + other] == scores[site, 4 * int(genotypes[site, sample]) + other]


def test_pairs_are_counted_and_scored_site_by_site() -> None:
    rng = np.random.default_rng(1)
    arrays, wgs = (rng.choice(np.array([0, 1, 2, -9], np.int8), (25, n)) for n in (40, 50))
    packed = [np.zeros((25, n_words(b.shape[1])), np.uint64) for b in (arrays, wgs)]
    for block, out in zip((arrays, wgs), packed, strict=True):
        kernels.pack(block, np.zeros(25, bool), out)
    scores = rng.integers(-9, 9, (25, 2, 16))
    left, right = rng.integers(0, 40, 30), rng.integers(0, 50, 30)
    tables, sums = np.zeros((30, 16), np.int64), np.ones((30, 2), np.int64)
    kernels.compare_pairs(*packed, left, right, scores, tables, sums)
    for pair in range(30):
        of_array = [3 if g < 0 else g for g in arrays[:, left[pair]].tolist()]
        of_wgs = [3 if g < 0 else g for g in wgs[:, right[pair]].tolist()]
        expected = plain.table(of_array, of_wgs)
        assert tables[pair].tolist() == [expected[cell // 4, cell % 4] for cell in range(16)]
        for model in range(2):
            total = sum(int(scores[k, model, 4 * a + w]) for k, (a, w) in enumerate(zip(of_array, of_wgs, strict=True)))
            assert sums[pair, model] == 1 + total


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_best_are_kept_whatever_the_blocks(scores: list[int], kept: int, random) -> None:
    cuts = sorted(random.sample(range(len(scores) + 1), min(3, len(scores))))
    blocks = list(zip([0, *cuts], [*cuts, len(scores)], strict=True))
    random.shuffle(blocks)
    held, rows = np.zeros((1, kept), np.int64), np.full((1, kept), -1, np.int64)
    for low, high in blocks:
        kernels.keep_best(np.array([scores[low:high]], np.int64).reshape(1, -1), low, held, rows)
    expected = plain.best(scores, kept)
    assert rows[0].tolist() == expected + [-1] * (kept - len(expected))
    assert held[0, : len(expected)].tolist() == [scores[row] for row in expected]
