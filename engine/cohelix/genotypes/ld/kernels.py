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


LONG = 128
"""Words of a plane from which frequencies are looked at before genotypes are."""


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
    bits of a row in which every sample has 1. Words of a plane beyond these are set to 0.
    """
    words = members.size
    low, high = np.empty(words, np.uint64), np.empty(words, np.uint64)
    held.planes[slots : slots + block.shape[0], :, words:] = np.uint64(0)
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
    """Set `counts` int64 (5,) over samples called in both: how many; sum and squares of one, and those of the other."""
    both, hom_one, plus_one, hom_other, plus_other = 0, 0, 0, 0, 0
    for word in range(one.shape[1]):
        hom, ref, their_hom, their_ref = one[0, word], one[1, word], other[0, word], other[1, word]
        called, they_called = hom | ref, their_hom | their_ref
        mine, theirs = hom & they_called, their_hom & called
        both += popcount(called & they_called)
        hom_one += popcount(mine)
        plus_one += popcount(mine & ref)
        hom_other += popcount(theirs)
        plus_other += popcount(theirs & their_ref)
    counts[0] = both
    counts[1], counts[2] = 2 * plus_one - hom_one, hom_one
    counts[3], counts[4] = 2 * plus_other - hom_other, hom_other


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
def product_limits(n_samples: int, one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """Least and largest sum of products that two variants can have, from their rows of `Held.counts`.

    It is largest where both are sorted the same way, least where they are sorted opposite ways.
    """
    plus, minus = (one[SQUARES] + one[SUM]) // 2, (one[SQUARES] - one[SUM]) // 2
    more, less = (other[SQUARES] + other[SUM]) // 2, (other[SQUARES] - other[SUM]) // 2
    up = min(plus, more) + min(minus, less) - max(0, plus + less - n_samples) - max(0, minus + more - n_samples)
    down = min(plus, less) + min(minus, more) - max(0, plus + more - n_samples) - max(0, minus + less - n_samples)
    return -down, up


@leaf
def may_be_linked(
    least: int, largest: int, n_samples: int, one: np.ndarray, other: np.ndarray, threshold: float
) -> bool:
    """Whether r squared can be above `threshold` with a sum of products from `least` to `largest`.

    Which samples are called in both is not looked at: sums over them are taken to lie anywhere within what the
    numbers of missing genotypes allow. Without missing genotypes, and with least = largest, it is whether it is above.
    """
    lost, theirs_lost = n_samples - other[N], n_samples - one[N]
    high_n, low_n = min(one[N], other[N]), max(0, n_samples - lost - theirs_lost)
    low, high = one[SUM] - lost, one[SUM] + lost
    their_low, their_high = other[SUM] - theirs_lost, other[SUM] + theirs_lost
    products = (low * their_low, low * their_high, high * their_low, high * their_high)
    up = (largest * high_n if largest > 0 else largest * low_n) - min(products)
    down = max(products) - (least * high_n if least < 0 else least * low_n)
    widest = float(max(up, down))
    own = (one[SQUARES] - lost) * low_n - max(low * low, high * high)
    their_own = (other[SQUARES] - theirs_lost) * low_n - max(their_low * their_low, their_high * their_high)
    if own < 0 or their_own < 0:
        return True
    return widest * widest > threshold * float(own) * float(their_own)


@leaf
def linked(held: Held, one: int, other: int, n_samples: int, threshold: float, counts: np.ndarray) -> bool:
    """Whether r squared of two slots, over samples called in both, is above `threshold`. counts: room, int64 (5,).

    What bounds settle is not looked at: frequencies often do, and the sum of products nearly always.
    """
    mine, theirs = held.counts[one], held.counts[other]
    if held.planes.shape[2] >= LONG:  # where looking at genotypes costs more than bounds do
        least, largest = product_limits(n_samples, mine, theirs)
        if not may_be_linked(least, largest, n_samples, mine, theirs, threshold):
            return False
    products = product_sum(held.planes[one], held.planes[other])
    if mine[N] == n_samples and theirs[N] == n_samples:
        covariance = float(products * n_samples - mine[SUM] * theirs[SUM])
        own = float(mine[SQUARES] * n_samples - mine[SUM] * mine[SUM])
        their_own = float(theirs[SQUARES] * n_samples - theirs[SUM] * theirs[SUM])
        return covariance * covariance > threshold * own * their_own
    if not may_be_linked(products, products, n_samples, mine, theirs, threshold):
        return False
    joint_counts(held.planes[one], held.planes[other], counts)
    n = counts[0]
    covariance = float(products * n - counts[1] * counts[3])
    own = float(counts[2] * n - counts[1] * counts[1])
    return covariance * covariance > threshold * own * float(counts[4] * n - counts[3] * counts[3])


@leaf
def check_window(
    held: Held, live: np.ndarray, fresh: int, end: int, n_samples: int, threshold: float, counts: np.ndarray,
    removed: np.ndarray,
) -> None:  # fmt: skip
    """Compare the variants of a window, slots `live`, until no more go. Sets `removed`; `end` is the window's.

    fresh: how many of them the last window had; most were compared with all of these.

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
            if low <= fresh and held.site[live[fresh - 1]] < held.unchecked[one]:
                low = fresh
            while low < high and held.site[live[low]] < held.unchecked[one]:
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
    live, counts, n_live, taken = np.empty(slots, np.int64), np.empty(5, np.int64), 0, 0
    while window < starts.size and ends[window] <= loaded:
        fresh = 0
        for place in range(n_live):
            slot = live[place]
            if not removed[held.site[slot]] and held.site[slot] >= starts[window]:
                live[fresh] = slot
                fresh += 1
        n_live = fresh
        while taken < slots and held.site[taken] < ends[window]:
            if held.site[taken] >= starts[window]:
                live[n_live] = taken
                n_live += 1
            taken += 1
        check_window(held, live[:n_live], fresh, ends[window], n_samples, threshold, counts, removed)
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
