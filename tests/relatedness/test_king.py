"""Bit planes, counts of pairs and what is made of them, against plain definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohelix.genotypes.packed.counting import pack
from cohelix.relatedness import degrees
from cohelix.relatedness import planes as planes_module
from cohelix.relatedness.king import kernels
from cohelix.relatedness.king.scan import kinship_of, sites_of
from cohelix.relatedness.planes import make_planes
from cohelix.runtime.local import LocalRuntime
from tests.oracles import king as oracle
from tests.relatedness.made import callset_of


def genotypes_of(seed: int, n_samples: int, n_sites: int, missing: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(seed)
    out = random.integers(0, 3, (n_samples, n_sites))
    out[random.random(out.shape) < missing] = 3
    return out


def planes_of(genotypes: np.ndarray) -> np.ndarray:
    n_samples, n_sites = genotypes.shape
    out = np.zeros((n_samples, 3, -(-n_sites // 64)), np.uint64)
    block = pack(np.where(genotypes == 3, -9, genotypes).astype(np.int8).T.copy())
    kernels.split_planes(block, 0, np.empty(64, np.uint64), out)
    return out


def all_counts(rows: np.ndarray, columns: np.ndarray) -> list[list[list[int]]]:
    return [[oracle.counts(one, other) for other in columns.tolist()] for one in rows.tolist()]


def test_transpose_bits() -> None:
    words = np.random.default_rng(1).integers(0, 2**63, 64).astype(np.uint64) * np.uint64(2) + np.uint64(1)
    expected = [sum((int(words[w]) >> b & 1) << w for w in range(64)) for b in range(64)]
    kernels.transpose_bits(words)
    assert words.tolist() == expected


@pytest.mark.parametrize(("n_samples", "n_sites"), [(1, 1), (31, 64), (33, 65), (70, 300)])
def test_split_planes_and_count_calls(n_samples: int, n_sites: int) -> None:
    genotypes = genotypes_of(2, n_samples, n_sites)
    planes = planes_of(genotypes)
    assert np.array_equal(planes, oracle.planes(genotypes.tolist(), planes.shape[2]))
    calls = np.ones((n_samples, 2), np.int64)
    kernels.count_calls(planes, calls)
    assert np.array_equal(calls, 1 + np.column_stack([(genotypes != 3).sum(axis=1), (genotypes == 1).sum(axis=1)]))


@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (2, 2), (4, 3), (3, 4), (5, 7)])
def test_count_tile(n_rows: int, n_columns: int) -> None:
    """Even and odd numbers of samples: whole small tiles, and what lies beyond them."""
    rows, columns = genotypes_of(3, n_rows, 700), genotypes_of(4, n_columns, 700)
    counts = np.full((n_rows, n_columns, 4), 5, np.int32)
    kernels.count_tile(planes_of(rows), planes_of(columns), counts)
    assert (counts - 5).tolist() == np.array(all_counts(rows, columns))[..., :4].tolist()


@pytest.mark.parametrize("missing", [0, 0.02, 0.6])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (2, 2), (5, 7), (33, 4)])
def test_count_two_tile_and_settle_tile(n_rows: int, n_columns: int, missing: float) -> None:
    """With count_gaps, list_gaps and lane_of: what `count_tile` counts."""
    rows, columns = genotypes_of(5, n_rows + 3, 700, missing), genotypes_of(6, n_columns, 700, missing)
    block, others = planes_of(rows), planes_of(columns)
    counts = np.zeros((n_rows, n_columns, 4), np.int32)
    kernels.count_two_tile(block[3:], others, counts)
    row_gaps, column_gaps = gaps_of(rows, columns), gaps_of(columns, rows)
    hets = (rows[3:] == 1).sum(axis=1), (columns == 1).sum(axis=1)
    kernels.settle_tile(counts, *hets, row_gaps[3:], column_gaps, 3)
    assert counts.tolist() == np.array(all_counts(rows[3:], columns))[..., :4].tolist()


def gaps_of(samples: np.ndarray, others: np.ndarray) -> np.ndarray:
    """What `count_gaps` counts, after a look at its order and at the list of gaps."""
    n_sites = samples.shape[1]
    starts = np.concatenate([[0], np.cumsum((samples == 3).sum(axis=1))])
    gaps = np.empty(starts[-1], np.uint16)
    kernels.list_gaps(planes_of(samples), n_sites, starts, gaps)
    assert gaps.tolist() == np.nonzero(samples == 3)[1].tolist()
    packed = pack(np.where(others == 3, -9, others).astype(np.int8).T.copy())
    block = np.zeros((n_sites, kernels.WORDS), np.uint64)
    block[:, : packed.shape[1]] = packed
    lanes, out = np.zeros((4, kernels.WORDS), np.uint64), np.ones((len(samples), kernels.LANES), np.int32)
    kernels.count_gaps(starts, gaps, block, lanes, lanes.reshape(-1).view(np.uint8), out)
    order = [kernels.lane_of(other) for other in range(kernels.LANES)]
    assert sorted(order) == list(range(kernels.LANES))
    expected = ((samples == 3)[:, None, :] & (others == 1)[None, :, :]).sum(axis=2)
    assert np.array_equal(out[:, order[: len(others)]] - 1, expected)
    assert (out[:, order[len(others) :]] == 1).all()
    assert not lanes.any()
    return out - 1


def test_count_pairs_and_kinship() -> None:
    genotypes = genotypes_of(7, 9, 500)
    genotypes[4] = 3
    genotypes[5] = 2 * (genotypes[5] // 2)
    first, second = np.triu_indices(9, 1)
    counts = np.zeros((len(first), 5), np.int64)
    kernels.count_pairs(planes_of(genotypes), first, second, counts)
    pairs = [(genotypes[i].tolist(), genotypes[j].tolist()) for i, j in zip(first, second, strict=True)]
    assert counts.tolist() == [oracle.counts(one, other) for one, other in pairs]
    assert sites_of(counts).tolist() == [sum(a != 3 and b != 3 for a, b in zip(*p, strict=True)) for p in pairs]
    np.testing.assert_allclose(kinship_of(counts), [oracle.kinship(*pair) for pair in pairs], rtol=0, atol=1e-12)
    assert np.isnan(kinship_of(counts)).sum() == 8 + 7  # without a call, and without a heterozygote


def test_judge_tile() -> None:
    """Pairs that may be related, and a histogram of every pair right of the diagonal."""
    genotypes = np.random.default_rng(8).choice(4, (12, 400), p=[0.52, 0.32, 0.11, 0.05])
    genotypes[5, :300] = genotypes[2, :300]
    genotypes[11, 100:] = genotypes[3, 100:]
    genotypes[7] = 0
    planes, rows = planes_of(genotypes), slice(2, 6)
    tile = np.zeros((4, 12, 4), np.int32)
    kernels.count_tile(planes[rows], planes, tile)
    calls, places = (genotypes != 3).sum(axis=1) / 20, np.zeros((12, 2))
    places[9] = 0.3, 0.4
    histogram, found = np.zeros((101, 60), np.int64), np.empty((48, 2), np.int32)
    ibs0 = np.zeros(1, np.int64)
    least, slack = 0.0442, 4.0
    count = kernels.judge_tile(
        tile, 2, calls[rows], calls, places[rows], places, 2 - 4 * least, slack, histogram, ibs0, found
    )
    pairs = [(i, j) for i in range(2, 6) for j in range(i + 1, 12)]
    expected = np.zeros_like(histogram)
    kept = []
    for i, j in pairs:
        one, other = genotypes[i].tolist(), genotypes[j].tolist()
        sites = calls[i] * calls[j]
        apart = (0.25 if 9 in (i, j) else 0) * sites
        hets, phi = min(one.count(1), other.count(1)), oracle.kinship(one, other)
        if not hets or np.isnan(phi):
            expected[0, 0] += 1
            continue
        row = 1 + min(max(int((phi + 0.5) / 0.01 + 1e-9), 0), 99)
        expected[row, min(int(oracle.counts(one, other)[0] / sites / 0.0025), 59)] += 1
        if oracle.kept_by_screen(one, other, least, slack, apart):
            kept.append((i - 2, j))
    assert sorted(map(tuple, found[:count].tolist())) == kept
    assert (0, 5) in kept
    assert len(kept) < len(pairs) / 2
    assert expected[1:].sum(axis=0).tolist() == histogram[1:].sum(axis=0).tolist()
    assert np.array_equal(expected, histogram)
    assert ibs0[0] == sum(oracle.counts(genotypes[i].tolist(), genotypes[j].tolist())[0] for i, j in pairs)


def test_planes_do_not_depend_on_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes_module, "STRETCH_SITES", 256)
    genotypes = genotypes_of(9, 5, 300)
    genotypes[:, :256] %= 3
    matrix = callset_of(genotypes.T, tmp_path)
    for cores in (1, 2):
        planes = make_planes(matrix, tmp_path / str(cores), LocalRuntime(cores), label="planes")
        parts = planes.stretches()
        assert np.array_equal(np.concatenate([part.planes for part in parts], axis=2), planes_of(genotypes))
        assert [len(part.gaps) for part in parts] == [0, (genotypes == 3).sum()]
        assert planes.missing_share == pytest.approx((genotypes == 3).mean())
        assert planes.called.tolist() == (genotypes != 3).sum(axis=1).tolist()
        assert planes.hets.tolist() == (genotypes == 1).sum(axis=1).tolist()


def test_degrees_begin_at_the_cutoffs() -> None:
    kinship = np.array([0.5, 0.354, 0.353, 0.177, 0.176, 0.0884, 0.0883, 0.0442, 0.0441, -1.0])
    assert degrees.degrees(kinship).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_parents_and_sibs_are_told_by_opposite_homozygotes() -> None:
    sites = np.array([10_000, 10_000, 500, 10_000, 10_000])
    degree, expected = np.array([1, 1, 1, 0, 2]), np.full(5, 0.08)
    found = degrees.relationships(degree, np.array([20, 190, 0, 0, 10]), sites, expected, 0.08)
    names = [degrees.RELATIONSHIPS[at] for at in found]
    assert names == ["parent_child", "full_siblings", "first_degree", "duplicate_or_twin", "second_degree"]


def test_unrelated_rate_is_at_least_that_of_the_pairs_own_heterozygotes() -> None:
    counts = np.array([[0, 400, 100, 100, 400]])  # half of 1,000 sites are heterozygous in either
    assert degrees.unrelated_ibs0(counts, 0.01).tolist() == [0.125]
    assert degrees.unrelated_ibs0(counts, 0.2).tolist() == [0.2]
