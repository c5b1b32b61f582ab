"""The kernels of arrays against plain definitions."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.simulate.arrays.kernels import (
    BAF,
    ERROR,
    FINE,
    IGC,
    LRR,
    NO_CALL,
    NO_COPY,
    RAW_X,
    SPANNED,
    THETA,
    between,
    boundary,
    fraction_of,
    gain,
    mixture,
    nearest,
    read_chip,
    write_integer,
    write_rows,
    write_thousandths,
)

CENTRES = np.array([0.04, 0.47, 0.98], np.float32)


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_thousandths(value: int) -> None:
    out = np.zeros(20, np.uint8)
    end = write_thousandths(out, 2, value)
    exact = Decimal(value) / 1000
    text = f"{exact:f}".rstrip("0").rstrip(".") if "." in f"{exact:f}" else f"{exact:f}"
    assert out[2:end].tobytes().decode() == (text if value else "0")
    assert not out[end:].any()


@given(st.integers(0, 2**31 - 1))
def test_integers(value: int) -> None:
    out = np.zeros(20, np.uint8)
    assert out[: write_integer(out, 0, value)].tobytes().decode() == str(value)


@given(st.floats(0, 1))
def test_between_and_its_inverse(x: float) -> None:
    theta = between(x, CENTRES)
    assert theta == pytest.approx(np.interp(x, [0, 0.5, 1], CENTRES), abs=1e-6)
    assert fraction_of(theta, CENTRES) == pytest.approx(x, abs=1e-5)


def test_beyond_the_ends() -> None:
    assert (fraction_of(0.0, CENTRES), fraction_of(1.0, CENTRES)) == (0.0, 1.0)


def test_gain() -> None:
    assert gain(2.0, 2) == gain(1.0, 1) == pytest.approx(1)
    assert gain(0.0, 2) == pytest.approx(0.1)
    assert np.log2(gain(1.0, 2)) == pytest.approx(-0.5, abs=0.05)
    assert np.log2(gain(3.0, 2)) == pytest.approx(0.3, abs=0.05)


@given(st.floats(0, 1))
def test_nearest(theta: float) -> None:
    dev = np.array([0.01, 0.04, 0.02], np.float32)
    distance = np.abs(theta - CENTRES.astype(float)) / dev
    best, first, second = nearest(theta, CENTRES, dev)
    assert best == int(np.argmin(distance))
    np.testing.assert_allclose([first, second], np.sort(distance)[:2], rtol=1e-4, atol=1e-4)


def test_rows() -> None:
    values = np.array(
        [[[0, 150, -126, 1590, 83, 1673, 33, 17100, 586]], [[1000, 1, -5, 0, 12000, 10, 5, 0, 7]]], np.int32
    )
    genotypes = np.frombuffer(b"./.1/11/00/0" * 2, np.uint8).reshape(2, 4, 3)
    out = np.zeros(300, np.uint8)
    heads = np.frombuffer(b"ab\tcd", np.uint8)
    size = write_rows(heads, np.array([2, 5]), genotypes, np.array([[1], [-1]], np.int8), values, out)
    assert out[:size].tobytes() == (
        b"ab\t1/0:0:0.15:-0.126:1.59:0.083:1.673:0.033:17100:586\n\tcd\t./.:1:0.001:-0.005:0:12:0.01:0.005:0:7\n"
    )


def test_mixture() -> None:
    assert mixture(1.0, 2, 2, 0.0, 0.0) == (0.5, 2.0)
    assert mixture(0.0, 0, 2, 0.3, 0.0) == (0.5, 0.0)
    assert mixture(0.0, 2, 2, 1.0, 0.1) == pytest.approx((0.1, 2.0))
    assert mixture(0.0, 0, 1, 1.0, 0.1) == pytest.approx((1.0, 0.1))  # a woman's chip with a man's DNA, on Y


def test_a_boundary_is_as_far_from_both() -> None:
    dev = np.array([0.01, 0.04, 0.02], np.float32)
    for fraction, chance, low in ((0.0, 0.9, 0), (0.5, 0.1, 0), (0.5, 0.9, 1), (1.0, 0.1, 1)):
        theta = boundary(fraction, chance, CENTRES, dev)
        distance = np.abs(theta - CENTRES[low : low + 2]) / dev[low : low + 2]
        assert distance[0] == pytest.approx(distance[1], rel=1e-4)


# alleles, whether A is the reference, first chance; call and reason. The chip has no calls below 0.1, errors below 0.2.
CHIPS = [
    ([0, 0], True, 0.5, 0, FINE), ([0, 1], True, 0.5, 1, FINE), ([1, 1], True, 0.5, 2, FINE),
    ([0, 0], False, 0.5, 2, FINE), ([1, -1], True, 0.5, 2, FINE), ([1, -1], False, 0.5, 0, FINE),
    ([-1, -1], True, 0.5, -1, FINE), ([9, 1], True, 0.5, 2, SPANNED), ([0, 1], True, 0.05, -1, NO_CALL),
    ([0, 0], True, 0.15, 1, ERROR), ([0, 1], True, 0.15, 2, ERROR), ([-1, -1], True, 0.05, -1, FINE),
]  # fmt: skip


@pytest.mark.parametrize(("alleles", "a_is_ref", "chance", "call", "reason"), CHIPS)
def test_one_genotype_without_noise(alleles: list[int], a_is_ref: bool, chance: float, call: int, reason: int) -> None:
    chip = np.array([0.1, 0.1, 0.0, 1.0, 1.0, 0.0, 1000.0, 1000.0])
    calls, reasons, values = np.zeros((1, 2), np.int8), np.zeros((1, 2), np.int8), np.zeros((1, 2, 9), np.int32)
    dev = np.full((1, 3), 0.02, np.float32)
    read_chip(
        np.array([alleles], np.int8), np.array([a_is_ref]), np.array([2], np.int8), np.array([False]), CENTRES[None],
        np.ones((1, 3), np.float32), dev, np.array([0.8], np.float32), np.array([[chance], [0.9]], np.float32),
        np.zeros((2, 1), np.float32), np.zeros(1, np.int8), chip, 1, calls, reasons, values,
    )  # fmt: skip
    assert (calls[0, 1], reasons[0, 1]) == (call, reason)
    assert not values[0, 0].any()  # the other chip
    row = values[0, 1]
    if reason == FINE and call >= 0:
        assert (row[BAF], row[IGC], row[THETA]) == (500 * call, 800, round(1000 * float(CENTRES[call])))
        assert row[LRR] == pytest.approx(0 if -1 not in alleles else -510, abs=15)
        x = (1 - np.tan(np.pi / 2 * CENTRES[call]) / (1 + np.tan(np.pi / 2 * CENTRES[call]))) * 2 ** (row[LRR] / 1000)
        assert row[RAW_X] == pytest.approx(100 + 1000 * x, abs=2)
    assert (row[IGC] < 150) == (call < 0)


def test_a_called_marker_without_a_copy_has_its_reason() -> None:
    """Strong light where there should be none: a level of R ten times the usual."""
    chip = np.array([0.0, 0.0, 0.0, 0.0, 10.0, 0.0, 1000.0, 1000.0])
    calls, reasons, values = np.zeros((1, 1), np.int8), np.zeros((1, 1), np.int8), np.zeros((1, 1, 9), np.int32)
    read_chip(
        np.array([[-1, -1]], np.int8), np.array([True]), np.array([1], np.int8), np.array([False]), CENTRES[None],
        np.ones((1, 3), np.float32), np.full((1, 3), 0.02, np.float32), np.array([0.8], np.float32),
        np.full((2, 1), 0.5, np.float32), np.zeros((2, 1), np.float32), np.zeros(1, np.int8), chip, 0, calls, reasons,
        values,
    )  # fmt: skip
    assert (calls[0, 0], reasons[0, 0]) == (1, NO_COPY)
