"""KING-robust kinship by plain definitions: genotypes int (samples, sites), 3 where missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def planes(genotypes: Sequence[Sequence[int]], words: int) -> np.ndarray:
    """uint64 (samples, 3, words): bits of homozygous, homozygous alternate and heterozygous sites."""
    out = np.zeros((len(genotypes), 3, words), np.uint64)
    for sample, row in enumerate(genotypes):
        for plane, values in enumerate(((0, 2), (2,), (1,))):
            for word in range(words):
                bits = [bit for bit, g in enumerate(row[64 * word : 64 * word + 64]) if g in values]
                out[sample, plane, word] = sum(1 << bit for bit in bits)
    return out


def counts(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """IBS0, both heterozygous, the first heterozygous and the other homozygous, the reverse, both homozygous."""
    both = [(a, b) for a, b in zip(one, other, strict=True) if a != 3 and b != 3]
    return [
        sum({a, b} == {0, 2} for a, b in both),
        sum(a == b == 1 for a, b in both),
        sum(a == 1 and b != 1 for a, b in both),
        sum(a != 1 and b == 1 for a, b in both),
        sum(a != 1 and b != 1 for a, b in both),
    ]


def kinship(one: Sequence[int], other: Sequence[int]) -> float:
    """Manichaikul and others (2010), equation 11; NaN where either is never heterozygous."""
    both = [(a, b) for a, b in zip(one, other, strict=True) if a != 3 and b != 3]
    fewer = min(sum(a == 1 for a, _ in both), sum(b == 1 for _, b in both))
    if not fewer:
        return float("nan")
    opposite = sum({a, b} == {0, 2} for a, b in both)
    het_het = sum(a == b == 1 for a, b in both)
    hets = sum(a == 1 for a, _ in both) + sum(b == 1 for _, b in both)
    return (het_het - 2 * opposite) / (2 * fewer) + 0.5 - hets / (4 * fewer)


def kept_by_screen(one: Sequence[int], other: Sequence[int], least: float, slack: float, apart: float) -> bool:
    """Whether the sum of d - r h lies within what chance makes of it, site by site."""
    both = [(a, b) for a, b in zip(one, other, strict=True) if a != 3 and b != 3]
    fewer = min((0, 1), key=lambda which: sum(pair[which] == 1 for pair in both))
    slope = 2 - 4 * least
    terms = [(a - b) ** 2 - slope * ((a, b)[fewer] == 1) for a, b in both]
    excess = sum(terms) - apart
    return excess <= 0 or excess**2 <= slack * sum(term**2 for term in terms)
