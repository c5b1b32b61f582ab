"""Plain definitions of the exact tests: every outcome is written down, with whole numbers and fractions."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

P = tuple[Fraction, Fraction, Fraction]


def outcomes(n_one: int, n_het: int, n_other: int) -> dict[int, Fraction]:
    """Probability of each number of hets, given the people and both allele counts (Levene 1949, Haldane 1954)."""
    people = n_one + n_het + n_other
    ones, others = 2 * n_one + n_het, 2 * n_other + n_het
    total = Fraction(factorial(2 * people), factorial(ones) * factorial(others))
    found = {}
    for hets in range(min(ones, others) + 1):
        if (ones - hets) % 2 == 0:
            ways = Fraction(
                factorial(people), factorial((ones - hets) // 2) * factorial(hets) * factorial((others - hets) // 2)
            )
            found[hets] = ways * 2**hets / total
    assert sum(found.values()) == 1
    return found


def exact_test(n_one: int, n_het: int, n_other: int) -> P:
    """Two-sided p, two-sided mid-p, one-sided mid-p of an excess of hets (Wigginton et al. 2005)."""
    chances = outcomes(n_one, n_het, n_other)
    mine = chances[n_het]
    less = sum((p for p in chances.values() if p < mine), Fraction(0))
    same = sum((p for p in chances.values() if p == mine), Fraction(0))
    more = sum((p for hets, p in chances.items() if hets > n_het), Fraction(0))
    return less + same, less + same / 2, more + mine / 2


def outcomes_x(women: tuple[int, int, int], men: tuple[int, int]) -> dict[tuple[int, int], Fraction]:
    """Probability of each number of men with the first allele and of het women, given both allele counts."""
    n_women, n_men = sum(women), sum(men)
    ones = 2 * women[0] + women[1] + men[0]
    others = 2 * women[2] + women[1] + men[1]
    chances: dict[tuple[int, int], Fraction] = {}
    for men_one in range(n_men + 1):
        left, right = ones - men_one, others - (n_men - men_one)
        for hets in range(min(left, right) + 1):
            if (left - hets) % 2 == 0:
                same = factorial(men_one) * factorial(n_men - men_one)
                same *= factorial((left - hets) // 2) * factorial(hets) * factorial((right - hets) // 2)
                chances[men_one, hets] = Fraction(
                    factorial(ones) * factorial(others) * factorial(n_men) * factorial(n_women) * 2**hets,
                    factorial(ones + others) * same,
                )
    assert sum(chances.values()) == 1
    return chances


def exact_test_x(women: tuple[int, int, int], men: tuple[int, int]) -> tuple[Fraction, Fraction]:
    """Two-sided p and mid-p over all men and women with the same alleles in all (Graffelman & Weir 2016)."""
    chances = outcomes_x(women, men)
    mine = chances[men[0], women[1]]
    less = sum((p for p in chances.values() if p < mine), Fraction(0))
    same = sum((p for p in chances.values() if p == mine), Fraction(0))
    return less + same, less + same / 2
