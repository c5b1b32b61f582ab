"""The kernels of arrays against plain definitions."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.simulate.arrays.kernels import (
    between,
    fraction_of,
    gain,
    nearest,
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
