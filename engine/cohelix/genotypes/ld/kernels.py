"""Loops of pruning: bit planes of variants, their correlation, and the walk over windows.

A variant is two planes of bits, uint64 (2, words): homozygotes, and genotypes with a reference allele (0, 1). Neither
is set where a genotype is missing. Samples lie in the order of `packed.kernels.split_row`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cohelix.genotypes.packed.kernels import split_row
from cohelix.kernel import kernel, leaf, popcount

N, SUM, SQUARES, MAJOR = 0, 1, 2, 3
"""Columns of `Held.counts`: called genotypes; hom-ref less hom-alt; homozygotes; copies of the commoner allele."""


class Held(NamedTuple):
    """Variants that a window may still meet, in order; one a slot.

    planes uint64 (slots, 2, words); counts int64 (slots, 4); site int64 (slots,): number of the variant in its stretch;
    unchecked int64 (slots,): the first such number that it was not compared with.
    """

    planes: np.ndarray
    counts: np.ndarray
    site: np.ndarray
    unchecked: np.ndarray


@kernel
def hold_rows(block: np.ndarray, members: np.ndarray, first: int, slots: int, held: Held, removed: np.ndarray) -> int:
    """Append the rows of a packed block, the first of which has index `first`, behind `slots`. Returns the slots used.

    A variant whose called genotypes are all the same is set in `removed` and takes none. members: `split_row`'s low
    bits of a row in which every sample has 1.
    """
    words = members.size
    low, high = np.empty(words, np.uint64), np.empty(words, np.uint64)
    for row in range(block.shape[0]):
        split_row(block[row], low, high)
        planes, counts = held.planes[slots], held.counts[slots]
        homozygous, with_ref, hom_ref = 0, 0, 0
        for word in range(words):
            hom, ref = ~low[word] & members[word], ~high[word] & members[word]
            planes[0, word], planes[1, word] = hom, ref
            homozygous += popcount(hom)
            with_ref += popcount(ref)
            hom_ref += popcount(hom & ref)
        hom_alt = homozygous - hom_ref
        n_called = with_ref + hom_alt
        if homozygous == 0 or hom_ref == n_called or hom_alt == n_called:
            removed[first + row] = True
            continue
        counts[N], counts[SUM], counts[SQUARES] = n_called, hom_ref - hom_alt, homozygous
        counts[MAJOR] = n_called + abs(hom_ref - hom_alt)
        held.site[slots] = first + row
        held.unchecked[slots] = first + row + 1
        slots += 1
    return slots


@leaf
def joint_counts(one: np.ndarray, other: np.ndarray, counts: np.ndarray) -> None:
    """Set `counts` int64 (6,) over samples called in both: how many, sum and squares of one, those of the other, and
    the sum of products."""
    both, hom_one, plus_one, hom_other, plus_other, same, opposite = 0, 0, 0, 0, 0, 0, 0
    for word in range(one.shape[1]):
        hom, ref, their_hom, their_ref = one[0, word], one[1, word], other[0, word], other[1, word]
        called, they_called = hom | ref, their_hom | their_ref
        mine, theirs, shared = hom & they_called, their_hom & called, hom & their_hom
        both += popcount(called & they_called)
        hom_one += popcount(mine)
        plus_one += popcount(mine & ref)
        hom_other += popcount(theirs)
        plus_other += popcount(theirs & their_ref)
        same += popcount(shared)
        opposite += popcount(shared & (ref ^ their_ref))
    counts[0] = both
    counts[1], counts[2] = 2 * plus_one - hom_one, hom_one
    counts[3], counts[4] = 2 * plus_other - hom_other, hom_other
    counts[5] = same - 2 * opposite


@leaf
def product_sum(one: np.ndarray, other: np.ndarray) -> int:
    """The sum of products of two variants, coded 1, 0, -1."""
    same, opposite = 0, 0
    for word in range(one.shape[1]):
        shared = one[0, word] & other[0, word]
        same += popcount(shared)
        opposite += popcount(shared & (one[1, word] ^ other[1, word]))
    return same - 2 * opposite


@leaf
def largest_covariance(n: int, one: np.ndarray, other: np.ndarray) -> int:
    """n * n times the largest covariance, up or down, that two variants without missing genotypes can have.

    one, other: rows of `Held.counts`. It is that of both sorted the same way, or opposite ways.
    """
    plus, minus = (one[SQUARES] + one[SUM]) // 2, (one[SQUARES] - one[SUM]) // 2
    theirs, their_minus = (other[SQUARES] + other[SUM]) // 2, (other[SQUARES] - other[SUM]) // 2
    up = min(plus, theirs) + min(minus, their_minus) - max(0, plus + their_minus - n) - max(0, minus + theirs - n)
    down = min(plus, their_minus) + min(minus, theirs) - max(0, plus + theirs - n) - max(0, minus + their_minus - n)
    means = one[SUM] * other[SUM]
    return max(up * n - means, down * n + means)


@leaf
def linked(held: Held, one: int, other: int, n_samples: int, threshold: float, counts: np.ndarray) -> bool:
    """Whether r squared of two slots, over samples called in both, is above `threshold`. counts: room, int64 (6,)."""
    mine, theirs = held.counts[one], held.counts[other]
    if mine[N] == n_samples and theirs[N] == n_samples:
        own = float(mine[SQUARES] * n_samples - mine[SUM] * mine[SUM])
        limit = threshold * own * float(theirs[SQUARES] * n_samples - theirs[SUM] * theirs[SUM])
        largest = float(largest_covariance(n_samples, mine, theirs))
        if largest * largest <= limit:
            return False
        products = product_sum(held.planes[one], held.planes[other])
        covariance = float(products * n_samples - mine[SUM] * theirs[SUM])
        return covariance * covariance > limit
    joint_counts(held.planes[one], held.planes[other], counts)
    n = counts[0]
    covariance = float(counts[5] * n - counts[1] * counts[3])
    own = float(counts[2] * n - counts[1] * counts[1])
    return covariance * covariance > threshold * own * float(counts[4] * n - counts[3] * counts[3])


@leaf
def check_window(
    held: Held, live: np.ndarray, end: int, n_samples: int, threshold: float, counts: np.ndarray, removed: np.ndarray
) -> None:
    """Compare the variants of a window, slots `live`, until no more go. Sets `removed`; `end` is the window's.

    Of two that are linked, the one with the commoner major allele goes, the later where these are equal.
    """
    changed = True
    while changed:
        changed = False
        for place in range(live.size):
            one = live[place]
            if removed[held.site[one]] or held.unchecked[one] >= end:
                continue
            low, high = place + 1, live.size
            while low < high:
                middle = (low + high) // 2
                if held.site[live[middle]] < held.unchecked[one]:
                    low = middle + 1
                else:
                    high = middle
            held.unchecked[one] = end
            for later in range(low, live.size):
                other = live[later]
                if removed[held.site[other]] or not linked(held, one, other, n_samples, threshold, counts):
                    continue
                changed = True
                mine, theirs = held.counts[one], held.counts[other]
                if mine[MAJOR] * theirs[N] > theirs[MAJOR] * mine[N]:
                    removed[held.site[one]] = True
                else:
                    removed[held.site[other]] = True
                    held.unchecked[one] = held.site[other] + 1
                break


@kernel
def walk_windows(
    starts: np.ndarray, ends: np.ndarray, window: int, loaded: int, slots: int, held: Held, n_samples: int,
    threshold: float, removed: np.ndarray,
) -> int:  # fmt: skip
    """Check windows [starts, ends) of indexes from number `window` on, while they end by `loaded`. Returns the next.

    held: `slots` variants, all that any of these windows has and that were not removed.
    """
    live, counts, n_live, taken = np.empty(slots, np.int64), np.empty(6, np.int64), 0, 0
    while window < starts.size and ends[window] <= loaded:
        while taken < slots and held.site[taken] < ends[window]:
            live[n_live] = taken
            n_live += 1
            taken += 1
        kept = 0
        for place in range(n_live):
            slot = live[place]
            if not removed[held.site[slot]] and held.site[slot] >= starts[window]:
                live[kept] = slot
                kept += 1
        n_live = kept
        check_window(held, live[:n_live], ends[window], n_samples, threshold, counts, removed)
        window += 1
    return window


@kernel
def close_ranks(start: int, slots: int, held: Held, removed: np.ndarray) -> int:
    """Drop slots of variants that were removed or lie before index `start`; returns how many are left."""
    kept = 0
    for slot in range(slots):
        if removed[held.site[slot]] or held.site[slot] < start:
            continue
        if kept < slot:
            held.planes[kept] = held.planes[slot]
            held.counts[kept] = held.counts[slot]
            held.site[kept] = held.site[slot]
            held.unchecked[kept] = held.unchecked[slot]
        kept += 1
    return kept


@kernel
def windows_of_bases(positions: np.ndarray, size: int, starts: np.ndarray, ends: np.ndarray) -> int:
    """Set windows of at most `size` bases between their ends, each of which ends later than the last; their number.

    positions: int64, sorted. starts, ends: room for as many.
    """
    start, end, count = 0, 1, 0
    while True:
        while end < positions.size and positions[end] <= positions[start] + size:
            end += 1
        starts[count], ends[count] = start, end
        count += 1
        if end == positions.size:
            return count
        while positions[start] < positions[end] - size:
            start += 1
