"""Plain definition of pruning by linkage disequilibrium: `plink2 --indep-pairwise`, one genotype at a time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

Row = Sequence[int]  # 0, 1, 2, and -9 where missing


def r_squared(one: Row, other: Row) -> Fraction:
    """Pearson's r squared over samples called in both; 0 where one of them does not vary there."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a >= 0 and b >= 0]
    n = len(pairs)
    sum_a, sum_b = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    covariance = n * sum(a * b for a, b in pairs) - sum_a * sum_b
    variance = n * sum(a * a for a, _ in pairs) - sum_a**2
    theirs = n * sum(b * b for _, b in pairs) - sum_b**2
    return Fraction(covariance**2, variance * theirs) if variance * theirs else Fraction(0)


def major_frequency(row: Row) -> Fraction:
    called = [g for g in row if g >= 0]
    alt = Fraction(sum(called), 2 * len(called))
    return max(alt, 1 - alt)


def is_constant(row: Row) -> bool:
    return len({g for g in row if g >= 0}) < 2


def windows(positions: Sequence[int], size: int, step: int, in_bases: bool) -> list[tuple[int, int]]:
    """[start, end) of every window, as variants of the stretch are counted."""
    n, start, out = len(positions), 0, []
    while True:
        if in_bases:
            end = next((i for i in range(start, n) if positions[i] > positions[start] + size), n)
        else:
            end = min(start + size, n)
        out.append((start, end))
        if end == n:
            return out
        if in_bases:
            start = next(i for i in range(n) if positions[i] >= positions[end] - size)
        else:
            start += step


def prune(
    rows: Sequence[Row], positions: Sequence[int], contigs: Sequence[str], size: int, step: int, r2: Fraction,
    in_bases: bool,
) -> list[bool]:  # fmt: skip
    """Which rows stay."""
    n, removed = len(rows), [False] * len(rows)
    cuts = [0, *(i for i in range(1, n) if contigs[i] != contigs[i - 1]
                 or (in_bases and positions[i] - positions[i - 1] > size)), n]  # fmt: skip
    for low, high in pairwise(cuts):
        if high - low < 2:
            continue
        for i in range(low, high):
            removed[i] = is_constant(rows[i])
        for start, end in windows(positions[low:high], size, step, in_bases):
            _prune_window(rows, removed, range(low + start, low + end), r2)
    return [not gone for gone in removed]


def _prune_window(rows: Sequence[Row], removed: list[bool], window: range, r2: Fraction) -> None:
    """Rounds in which each variant of the window, in turn, meets those behind it until one of two goes."""
    changed = True
    while changed:
        changed = False
        for i in window:
            for j in range(i + 1, window.stop):
                if removed[i] or removed[j] or r_squared(rows[i], rows[j]) <= r2:
                    continue
                goes = i if major_frequency(rows[i]) > major_frequency(rows[j]) else j
                removed[goes] = changed = True
                break
