"""The set of samples to keep, by trying all: of no two related, the best by totals of levels in their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations


def best_set(
    n: int, pairs: set[tuple[int, int]], before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> tuple[int, ...]:
    """Vertices kept. before, after: numbers of every vertex, by level, that count before and after how many are kept.

    Of equal ones the first in the order of words: 0 rather than 1, and so on.
    """
    found: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    for size in range(n + 1):
        for kept in combinations(range(n), size):
            if not any((one, other) in pairs for one, other in combinations(kept, 2)):
                totals = (
                    *(sum(level[v] for v in kept) for level in before), size,
                    *(sum(level[v] for v in kept) for level in after),
                )  # fmt: skip
                found.append((totals, kept))
    most = max(totals for totals, _ in found)
    return min(kept for totals, kept in found if totals == most)


def largest_weight(n: int, pairs: set[tuple[int, int]], weights: Sequence[int]) -> int:
    """The greatest total of an independent set, vertex by vertex with and without."""

    def best(left: tuple[int, ...]) -> int:
        if not left:
            return 0
        first, rest = left[0], left[1:]
        free = tuple(v for v in rest if (first, v) not in pairs and (v, first) not in pairs)
        return max(weights[first] + best(free), best(rest))

    return best(tuple(range(n)))
