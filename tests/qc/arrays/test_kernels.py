"""Kernels of array quality control against plain definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.qc.arrays import kernels, samples
from tests.oracles import arrays as oracle

FIELDS = st.sampled_from(
    [
        "0",
        "1",
        ".",
        "",
        "NaN",
        "-0.126",
        "0.581",
        "1e-05",
        "-2.5E+2",
        "3.",
        ".5",
        "-",
        "1.2.3",
        "0.1234567890123",
        "12345",
    ]
)


@given(st.lists(st.lists(FIELDS, min_size=1, max_size=5), min_size=1, max_size=4), st.permutations([-1, 0, 1, 2, 3, 4]))
def test_parse_values_reads_what_a_slow_reader_reads(rows: list[list[str]], places: list[int]) -> None:
    line = "\t".join(":".join(["0/0", *row]) for row in rows)
    columns = np.array(places[:3], np.int64)
    out = np.empty((len(rows), 3))
    assert kernels.parse_values(np.frombuffer(line.encode(), np.uint8), columns, out) == len(rows)
    np.testing.assert_array_equal(out, np.array(oracle.values(line, columns.tolist())))


@given(st.decimals(-1000, 1000, places=3))
def test_number_at_is_correctly_rounded(value: object) -> None:
    text = str(value).encode()
    assert kernels.number_at(np.frombuffer(text, np.uint8), 0, len(text)) == float(str(value))


def test_copies_of_b_for_all_pairs_of_alleles() -> None:
    pairs = list(itertools.product(range(-1, 4), range(-2, 4)))
    alleles = np.array(pairs, np.int16)
    for a, b in [(0, 1), (1, 0), (1, 2), (0, kernels.NO_ALLELE)]:
        out = np.empty(len(pairs), np.int8)
        strange = kernels.copies_of_b(alleles, a, b, out)
        expected = [oracle.copies_of_b(first, second, a, b) for first, second in pairs]
        assert out.tolist() == expected
        known = [any(allele >= 0 for allele in pair) for pair in pairs]
        assert strange == sum(one == -9 and some for one, some in zip(expected, known, strict=True))


def _cohort(seed: int, m: int = 400, n: int = 5) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    calls = rng.choice(np.array([0, 1, 2, -9], np.int8), (m, n), p=[0.5, 0.2, 0.2, 0.1])
    values = rng.normal(0, 0.3, (m, n, 3)).round(3)
    values[:, :, kernels.GENCALL] = rng.random((m, n)).round(3)
    values[:, :, kernels.BAF] = np.clip(np.where(calls >= 0, calls / 2, rng.random((m, n))) + values[:, :, 1], 0, 1)
    values[rng.random((m, n, 3)) < 0.05] = np.nan
    place = rng.choice(4, m, p=[0.7, 0.1, 0.1, 0.1]).astype(np.int8)
    counted, zeroed = rng.random(m) < 0.9, rng.random(m) < 0.05
    frequency = np.where(rng.random(m) < 0.1, np.nan, rng.random(m))
    return calls, values, place, counted, zeroed, frequency, frequency - 1


def _tally(parts: tuple[np.ndarray, ...], step: int, no_call_baf: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m, n = parts[0].shape
    counts, sums = np.zeros((n, kernels.N_COUNTS), np.int64), np.zeros((n, kernels.N_SUMS))
    gencall = np.zeros((n, kernels.GENCALL_BINS), np.int32)
    for first in range(0, m, step):
        kernels.tally(*(part[first : first + step] for part in parts), no_call_baf, counts, sums, gencall)
    return counts, sums, gencall


@pytest.mark.parametrize("no_call_baf", [0.0, 0.25])
def test_tally_adds_up_to_the_metrics_by_definition(no_call_baf: float) -> None:
    parts = _cohort(3)
    calls, values, place, counted, zeroed, x_a, x_b = parts
    counts, sums, gencall = _tally(parts, 400, no_call_baf)
    found = samples.measure(counts, sums, gencall, np.full(5, counted.sum()), np.full(5, counted.sum()))
    for s in range(5):
        rows = [m for m in range(len(calls)) if not zeroed[m]]
        called = [m for m in rows if counted[m] and calls[m, s] >= 0]
        auto = [m for m in called if place[m] == kernels.AUTOSOME]
        assert counts[s, kernels.CALLED] == len(called)
        assert counts[s, kernels.CALLED_OFF_Y] == len([m for m in called if place[m] != kernels.ON_Y])
        assert found["het_rate"][s] == sum(calls[m, s] == 1 for m in auto) / len(auto)
        on_x = [m for m in called if place[m] == kernels.ON_X]
        assert found["x_het_rate"][s] == sum(calls[m, s] == 1 for m in on_x) / len(on_x)
        scores = [values[m, s, 0] for m in called if not math.isnan(values[m, s, 0])]
        assert found["mean_gencall"][s] == pytest.approx(np.mean(scores), abs=1e-12)
        assert found["gencall_p10"][s] == oracle.quantile(scores, 0.1)
        assert found["gencall_p50"][s] == oracle.quantile(scores, 0.5)
        lrr = {
            where: [values[m, s, 2] for m in rows if place[m] == where and not math.isnan(values[m, s, 2])]
            for where in range(4)
        }
        assert found["lrr_deviation"][s] == pytest.approx(np.std(lrr[kernels.AUTOSOME]), abs=1e-12)
        for name, where in (("x_lrr", kernels.ON_X), ("y_lrr", kernels.ON_Y)):
            assert found[name][s] == pytest.approx(np.mean(lrr[where]) - np.mean(lrr[kernels.AUTOSOME]), abs=1e-12)
        bafs, xs, is_b, off = [], [], [], []
        for m in rows:
            call, baf = calls[m, s], values[m, s, 1]
            if place[m] != kernels.AUTOSOME or math.isnan(baf):
                continue
            if call >= 0:
                off.append((baf - call / 2) ** 2)
            strong = values[m, s, 2] > kernels.WEAK_LRR
            if math.isnan(x_a[m]) or call == 1 or (call < 0 and not (min(baf, 1 - baf) < no_call_baf and strong)):
                continue
            is_b.append(bool(call == 2 or (call < 0 and baf > 0.5)))
            bafs.append(baf)
            xs.append(x_b[m] if is_b[-1] else x_a[m])
        assert found["baf_deviation"][s] == pytest.approx(math.sqrt(np.mean(off)), abs=1e-12)
        slope, error = oracle.slope(bafs, xs, is_b)
        assert found["array_contamination"][s] == pytest.approx(slope, abs=1e-9)
        high = found["array_contamination_high"][s]
        assert (high - slope) / samples.NORMAL_95 == pytest.approx(error, abs=1e-9)


def test_tally_gives_the_same_bits_whatever_the_blocks() -> None:
    parts = _cohort(4)
    whole = _tally(parts, 400, 0.25)
    for step in (1, 7, 399):
        for one, other in zip(whole, _tally(parts, step, 0.25), strict=True):
            assert one.tobytes() == other.tobytes()


def test_the_slope_of_one_genotype_alone_and_of_too_few_calls() -> None:
    calls, values, place, counted, zeroed, x_a, x_b = _cohort(5)
    calls[calls == 2] = -9
    counts, sums, _ = _tally((calls, values, place, counted, zeroed, x_a, x_b), 400, 0.0)
    slope, _ = samples.contamination(counts, sums)
    rows = (calls[:, 0] == 0) & (place == 0) & ~zeroed & ~np.isnan(values[:, 0, 1]) & ~np.isnan(x_a)
    expected, _ = oracle.slope(values[rows, 0, 1].tolist(), x_a[rows].tolist(), [False] * int(rows.sum()))
    assert slope[0] == pytest.approx(expected, abs=1e-9)
    counts, sums, _ = _tally(tuple(part[:20] for part in _cohort(5)), 20, 0.0)
    assert np.isnan(samples.contamination(counts, sums)).all()


def test_sum_called_is_the_sum_over_markers_that_count() -> None:
    rng = np.random.default_rng(6)
    block = rng.choice(np.array([0, 1, 2, -9], np.int8), (50, 7))
    expected = rng.integers(-3, 9, 50)
    out = np.zeros((7, 3), np.int64)
    kernels.sum_called(block, expected, np.array([1, 0, 1]), out)
    for s in range(7):
        rows = [m for m in range(50) if expected[m] >= 0 and block[m, s] >= 0]
        homozygous = sum(block[m, s] != 1 for m in rows)
        assert out[s].tolist() == [len(rows), homozygous, sum(int(expected[m]) for m in rows)]


@given(st.integers(0, 2**64 - 1))
def test_ones_counts_bits(word: int) -> None:
    assert kernels.ones(np.uint64(word)) == word.bit_count()


@pytest.mark.parametrize("m", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("at_least", [0.6, 0.9, 1.0])
def test_pack_planes_and_alike_pairs_find_the_pairs_that_agree(m: int, at_least: float) -> None:
    rng = np.random.default_rng(m)
    block = rng.choice(np.array([0, 1, 2, -9], np.int8), (m, 12), p=[0.3, 0.3, 0.3, 0.1])
    block[:, 7] = block[:, 2]
    block[:, 9] = np.where(rng.random(m) < 0.15, 0, block[:, 2])
    words = (m + 63) // 64
    low, high = np.zeros((12, words), np.uint64), np.zeros((12, words), np.uint64)
    kernels.pack_planes(block, low, high)
    expected = []
    for i, j in itertools.combinations(range(12), 2):
        compared, same = oracle.alike(block[:, i].tolist(), block[:, j].tolist())
        if compared >= 1 and same >= at_least * compared:
            expected.append([i, j, compared, same])
    out = np.empty((100, 4), np.int64)
    found = kernels.alike_pairs(low, high, 0, 12, m, at_least, 1, out)
    assert out[:found].tolist() == expected
    parts = []
    for first, last in ((0, 5), (5, 6), (6, 12)):
        parts += out[: kernels.alike_pairs(low, high, first, last, m, at_least, 1, out)].tolist()
    assert parts == expected
    few = np.empty((1, 4), np.int64)
    assert kernels.alike_pairs(low, high, 0, 12, m, at_least, 1, few) == len(expected)
