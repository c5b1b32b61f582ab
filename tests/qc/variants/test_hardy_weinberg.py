"""Exact tests of Hardy-Weinberg equilibrium against their definitions, in whole numbers, and at a million people."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.qc.variants import hardy_weinberg, kernels
from tests.oracles.hardy_weinberg import exact_test, exact_test_x

PEOPLE = st.integers(0, 40)


def ln(value: Fraction) -> float:
    return math.log(value.numerator) - math.log(value.denominator)


@given(PEOPLE, PEOPLE, PEOPLE)
def test_kernel_hardy_weinberg_is_the_definition(one: int, het: int, other: int) -> None:
    if one + het + other == 0:
        return
    out = np.empty((1, 3))
    kernels.hardy_weinberg(np.array([[one, het, other]]), out)
    # relative precision of p itself; ln p of a p near 1 is compared as a number
    for found, expected in zip(out[0], exact_test(one, het, other), strict=True):
        assert abs(math.expm1(found - ln(expected))) < 1e-12
    single = np.empty(3)
    kernels.levene_haldane(one, het, other, single)
    assert single.tolist() == out[0].tolist()


@given(st.integers(0, 300), st.integers(0, 3), st.integers(0, 300))
def test_extremes_keep_their_precision(one: int, het: int, other: int) -> None:
    if one + het + other == 0:
        return
    out = np.empty((1, 3))
    kernels.hardy_weinberg(np.array([[one, het, other]]), out)
    for found, expected in zip(out[0], exact_test(one, het, other), strict=True):
        assert abs(math.expm1(found - ln(expected))) < 1e-11


def in_decimals(one: int, het: int, other: int) -> tuple[float, float]:
    """ln of the two-sided p and of the one-sided mid-p from the whole distribution in 60 digits."""
    getcontext().prec = 60
    rare, common = 2 * min(one, other) + het, 2 * max(one, other) + het
    weights = {rare % 2: Decimal(1)}
    for hets in range(rare % 2, rare - 1, 2):
        weights[hets + 2] = weights[hets] * ((rare - hets) * (common - hets)) / ((hets + 2) * (hets + 1))
    total, mine = sum(weights.values()), weights[het]
    two = sum(weight for weight in weights.values() if weight <= mine)
    more = sum(weight for hets, weight in weights.items() if hets > het) + mine / 2
    return float((two / total).ln()), float((more / total).ln())


@pytest.mark.parametrize(
    "counts",
    [
        (810_000, 180_000, 10_000),  # in equilibrium, a million people
        (810_500, 179_000, 10_500),
        (300_000, 500_000, 200_000),
        (950_000, 20, 49_980),  # hardly a het: p far below the smallest float
        (999_990, 0, 10),
        (0, 60_000, 940_000),
    ],
)
def test_a_million_people(counts: tuple[int, int, int]) -> None:
    out = np.empty((1, 3))
    kernels.hardy_weinberg(np.array([counts]), out)
    two, more = in_decimals(*counts)
    assert abs(math.expm1(out[0, 0] - two)) < 1e-9
    assert abs(math.expm1(out[0, 2] - more)) < 1e-9


@given(st.tuples(*[st.integers(0, 9)] * 3), st.tuples(*[st.integers(0, 9)] * 2))
def test_kernel_hardy_weinberg_x_is_the_definition(women: tuple[int, int, int], men: tuple[int, int]) -> None:
    out = np.empty((1, 2))
    kernels.hardy_weinberg_x(np.array([[*women, *men]]), out)
    if sum(women) + sum(men) == 0:
        assert np.isnan(out).all()
        return
    for found, expected in zip(out[0], exact_test_x(women, men), strict=True):
        assert abs(math.expm1(found - ln(expected))) < 1e-11
    if sum(men):
        single = np.empty(2)
        kernels.x_linked(*women, *men, single)
        assert single.tolist() == out[0].tolist()


def test_x_with_many_people_and_far_tails() -> None:
    women, men = (60, 4, 40), (12, 50)
    found = hardy_weinberg.exact_test_x(np.array([[*women, *men]]))
    expected = exact_test_x(women, men)
    assert abs(found.p[0] / float(expected[0]) - 1) < 1e-9
    assert abs(found.midp[0] / float(expected[1]) - 1) < 1e-9


def test_mode_of_is_the_largest_weight() -> None:
    from tests.oracles.hardy_weinberg import outcomes

    for ones in range(1, 30):
        for others in range(ones, 30, 2):
            if (ones + others) % 2 == 0:
                hets = ones % 2
                chances = outcomes((ones - hets) // 2, hets, (others - hets) // 2)
                best = max(chances.values())
                assert kernels.mode_of(ones, others) == max(h for h, p in chances.items() if p == best)


def test_nobody_and_one_outcome() -> None:
    found = hardy_weinberg.exact_test(np.array([[0, 0, 0], [10, 0, 0], [0, 0, 1], [9, 1, 0]]))
    assert np.isnan(found.p[0]) and np.isnan(found.midp[0]) and np.isnan(found.excess_het[0])
    # one outcome is possible: p is 1, mid-p a half, as in plink2 and Hail
    np.testing.assert_allclose(found.p[1:], 1.0, rtol=1e-15)
    np.testing.assert_allclose(found.midp[1:], 0.5, rtol=1e-15)
    np.testing.assert_allclose(found.excess_het[1:], -10 * math.log10(0.5), rtol=1e-12)


def test_published_examples() -> None:
    """The example of the documentation of Hail's hardy_weinberg_test, and its one-sided form, as Hail prints them."""
    found = hardy_weinberg.exact_test(np.array([[250, 500, 250], [37, 200, 85]]))
    np.testing.assert_allclose(found.midp, [0.9747844394217698, 1.1337210383168987e-06], rtol=1e-9)
    assert found.excess_het[1] == pytest.approx(-10 * math.log10(6.085185260983708e-07), rel=1e-9)


def test_inbreeding_coefficient() -> None:
    counts = np.array([[25, 50, 25], [0, 10, 0], [50, 0, 50], [10, 0, 0], [0, 0, 0]])
    found = hardy_weinberg.inbreeding_coefficient(counts)
    np.testing.assert_array_equal(found[:3], [0.0, -1.0, 1.0])
    assert np.isnan(found[3:]).all()


def test_kernel_tail_of_sums_what_lies_beyond() -> None:
    from tests.oracles.hardy_weinberg import outcomes

    chances = outcomes(20, 30, 10)
    for hets in chances:
        up = sum(p for other, p in chances.items() if other > hets) / chances[hets]
        down = sum(p for other, p in chances.items() if other < hets) / chances[hets]
        assert kernels.tail_of(float(hets), 50.0, 70.0, True, 1.0) == pytest.approx(float(up), rel=1e-12)
        assert kernels.tail_of(float(hets), 50.0, 70.0, False, 1.0) == pytest.approx(float(down), rel=1e-12)


def test_kernels_next_row_and_add_row_walk_all_outcomes() -> None:
    """From row to row of men, each row added whole: the weights are those of all outcomes, relative to the first."""
    from tests.oracles.hardy_weinberg import outcomes_x

    women, men = (3, 4, 2), (0, 5)
    chances = outcomes_x(women, men)
    of_row = {row: {hets: p for (one, hets), p in chances.items() if one == row} for row, _ in chances}
    likely = max(of_row[0], key=lambda hets: (of_row[0][hets], hets))
    cell = np.array([0.0, 5.0, (10 - likely) / 2, likely, (8 - likely) / 2, 1.0])
    first, total = of_row[0][likely], Fraction(0)
    for row in range(6):
        if row:
            kernels.next_row(cell, True)
        assert cell[0] == row and cell[1] == 5 - row
        best = max(of_row[row].values())
        assert cell[5] == pytest.approx(float(best / first), rel=1e-12) and of_row[row][int(cell[3])] == best
        sums = np.zeros(3)
        kernels.add_row(cell, cell[5], sums)
        total = sum(of_row[row].values(), Fraction(0))
        assert sums[0] == pytest.approx(float(total / first), rel=1e-12)
        less = sum((p for p in of_row[row].values() if p < best), Fraction(0))
        assert sums[1] == pytest.approx(float(less / first), rel=1e-12, abs=1e-15)
        assert sums[1] + sums[2] == pytest.approx(sums[0], rel=1e-12)
    kernels.next_row(cell, False)
    assert cell[0] == 4 and cell[5] == pytest.approx(float(max(of_row[4].values()) / first), rel=1e-12)
