"""Loops of scoring over packed rows and tiles: arrays in, arrays out.

A tile holds the values of some planes (a site in one of its forms: copies of ALT, or an indicator of a genotype) for
some samples. Entries are grouped in segments: those of one score in one tile, in the order of planes.
"""

from __future__ import annotations

import numpy as np

from cohelix.genotypes.packed.kernels import ONE, THREE, number
from cohelix.kernel import add_rows, kernel, leaf

CHUNK = 64
"""Words of bits that counters go over at a time: 4,096 samples."""

FREE = 3
"""Levels of a counter that eight rows are added to at once; carries go on from there."""


@kernel
def order_by_score(score: np.ndarray, starts: np.ndarray, order: np.ndarray, segments: np.ndarray) -> int:
    """Set `order` int64 (entries,) to a stable order by `score` int32 (entries,), and `segments` int64 (entries + 1,
    2) to the score and the first entry of each segment, the number of entries behind the last. Returns how many.

    `starts` int64 (scores,) is 0 and is room.
    """
    for entry in range(len(score)):
        starts[score[entry]] += 1
    place, found = 0, 0
    for one in range(len(starts)):
        own = starts[one]
        starts[one] = place
        if own:
            segments[found, 0], segments[found, 1] = one, place
            found += 1
        place += own
    for entry in range(len(score)):
        order[starts[score[entry]]] = entry
        starts[score[entry]] += 1
    segments[found, 0], segments[found, 1] = -1, place
    return found


@kernel
def unpack(block: np.ndarray, sites: np.ndarray, values: np.ndarray, first: int, out: np.ndarray) -> None:
    """Set `out` float64 (planes, samples) to the values of everybody's genotypes, from word `first` of their rows on.

    block: packed, uint64 (rows, words). sites int64 (planes,): row of each plane. values float64 (planes, 4): of 0, 1,
    2 and missing. The number of samples is a multiple of 32.
    """
    words = out.shape[1] // 32
    for plane in range(len(sites)):
        row, line = block[sites[plane]], out[plane]
        zero, one, two, missing = values[plane, 0], values[plane, 1], values[plane, 2], values[plane, 3]
        for word in range(words):
            packed, start = row[first + word], 32 * word
            for place in range(32):
                odd = packed & (ONE << np.uint64(2 * place))
                low = one if odd else zero
                high = missing if odd else two
                line[start + place] = high if packed & (ONE << np.uint64(2 * place + 1)) else low


@kernel
def unpack_cells(
    block: np.ndarray, sites: np.ndarray, values: np.ndarray, cells: np.ndarray, first: int, out: np.ndarray
) -> None:
    """As `unpack`, with values that differ by cell of samples: float64 (planes, 4 * cells).

    cells: int32 (samples,), 4 * the cell of each sample of `out`.
    """
    words = out.shape[1] // 32
    for plane in range(len(sites)):
        row, line, table = block[sites[plane]], out[plane], values[plane]
        for word in range(words):
            packed, start = row[first + word], 32 * word
            for place in range(32):
                code = np.int32((packed >> np.uint64(2 * place)) & THREE)
                line[start + place] = table[cells[start + place] + code]


@kernel
def add_sparse(
    segments: np.ndarray, to: np.ndarray, planes: np.ndarray, weights: np.ndarray, x: np.ndarray, sums: np.ndarray
) -> None:
    """Add the products of weights and values x float64 (planes, LANES) to `sums` float64 (scores, LANES).

    segments: as `order_by_score` gives them; to int64 (segments,): row of each in `sums`, -1 to pass it over. Each sum
    takes its entries in order, each by one fused multiplication and addition: the same bits however samples are cut.
    """
    for segment in range(len(to)):
        if to[segment] >= 0:
            add_rows(x, planes, weights, segments[segment, 1], segments[segment + 1, 1], sums[to[segment]])


@kernel
def spread_weights(
    segments: np.ndarray, to: np.ndarray, planes: np.ndarray, weights: np.ndarray, first: int, out: np.ndarray
) -> None:
    """Add weights at planes [first, first + planes of `out`) to `out` float64 (scores, planes).

    to int64 (segments,): row of each in `out`, -1 to pass it over.
    """
    for segment in range(len(to)):
        if to[segment] >= 0:
            line = out[to[segment]]
            for entry in range(segments[segment, 1], segments[segment + 1, 1]):
                plane = planes[entry] - first
                if 0 <= plane < len(line):
                    line[plane] += weights[entry]


@kernel
def flag_rows(block: np.ndarray, present: np.ndarray, hom_ref: bool, out: np.ndarray) -> None:
    """Set `out` uint64 (rows, words): low bit of a place where the genotype is missing, high bit where it is 0.

    present uint64 (words,): who has a copy, a mask; others have neither bit. High bits only where `hom_ref`.
    """
    for row in range(block.shape[0]):
        for word in range(block.shape[1]):
            packed, member = block[row, word], present[word]
            both, none = packed & (packed >> ONE) & member, ~(packed | (packed >> ONE)) & member
            out[row, word] = both | (none << ONE) if hom_ref else both


@leaf
def _add_eight(flags: np.ndarray, held: np.ndarray, low: int, high: int, carry: np.ndarray, levels: np.ndarray) -> None:
    """Add eight rows of `flags` to vertical counters `levels` uint64 (levels, words), words [low, high)."""
    r0, r1, r2, r3 = flags[held[0]], flags[held[1]], flags[held[2]], flags[held[3]]
    r4, r5, r6, r7 = flags[held[4]], flags[held[5]], flags[held[6]], flags[held[7]]
    l0, l1, l2 = levels[0], levels[1], levels[2]
    for word in range(low, high):
        ones, first, second = l0[word], r0[word], r1[word]
        a = (ones & first) | ((ones ^ first) & second)
        ones, first, second = ones ^ first ^ second, r2[word], r3[word]
        b = (ones & first) | ((ones ^ first) & second)
        ones, first, second = ones ^ first ^ second, r4[word], r5[word]
        c = (ones & first) | ((ones ^ first) & second)
        ones, first, second = ones ^ first ^ second, r6[word], r7[word]
        d = (ones & first) | ((ones ^ first) & second)
        twos = l1[word]
        e = (twos & a) | ((twos ^ a) & b)
        twos = twos ^ a ^ b
        f = (twos & c) | ((twos ^ c) & d)
        fours = l2[word]
        carry[word - low] = (fours & e) | ((fours ^ e) & f)
        l0[word], l1[word], l2[word] = ones ^ first ^ second, twos ^ c ^ d, fours ^ e ^ f
    for level in range(FREE, len(levels)):
        line, left = levels[level], np.uint64(0)
        for word in range(low, high):
            old, one = line[word], carry[word - low]
            line[word] = old ^ one
            carry[word - low] = old & one
            left |= old & one
        if left == np.uint64(0):
            break


@kernel
def list_rows(
    segments: np.ndarray, to: np.ndarray, rows: np.ndarray, inverted: np.ndarray, of_score: np.ndarray, n_sites: int,
    lists: np.ndarray, out: np.ndarray,
) -> int:  # fmt: skip
    """Sites of a tile that each score counts: set `lists` int64 (n + 1, 2), score and first place, and `out` int32.

    Those of its rows; where `inverted` bool (scores,), those of the tile where it has no row, and then a list of all
    `n_sites`, as of one score more, ends them. segments and rows: as `order_by_score` orders them, rows -1 for none;
    to int64 (segments,): score of each; of_score int64 (scores,): room. Returns the number of lists.
    """
    found, place = 0, 0
    of_score[:] = -1
    for segment in range(len(to)):
        of_score[to[segment]] = segment
    for score in range(len(inverted)):
        segment = of_score[score]
        lists[found, 0], lists[found, 1] = score, place
        if inverted[score]:
            site = 0
            if segment >= 0:
                for entry in range(segments[segment, 1], segments[segment + 1, 1]):
                    if rows[entry] >= 0:
                        while site < rows[entry]:
                            out[place] = site
                            place += 1
                            site += 1
                        site += 1
            while site < n_sites:
                out[place] = site
                place += 1
                site += 1
        elif segment >= 0:
            for entry in range(segments[segment, 1], segments[segment + 1, 1]):
                if rows[entry] >= 0:
                    out[place] = rows[entry]
                    place += 1
        if place > lists[found, 1]:
            found += 1
    if inverted.any():
        lists[found, 0], lists[found, 1] = len(inverted), place
        found += 1
        for site in range(n_sites):
            out[place] = site
            place += 1
    lists[found, 0], lists[found, 1] = -1, place
    return found


@kernel
def count_flags(
    lists: np.ndarray, rows: np.ndarray, flags: np.ndarray, counters: np.ndarray, held: np.ndarray, carry: np.ndarray
) -> None:
    """Add the flags of each list's rows to the counters of its score.

    lists int64 (n + 1, 2) and rows int32: as `list_rows` gives them. flags uint64 (rows + 1, words), of which the last
    row is 0. counters uint64 (scores, levels, words), bit by bit, wide enough for all rows that a score will ever get.
    held int64 (8,) and carry uint64 (CHUNK,) are room.
    """
    for low in range(0, flags.shape[1], CHUNK):
        high = min(low + CHUNK, flags.shape[1])
        for one in range(len(lists) - 1):
            levels, end = counters[lists[one, 0]], lists[one + 1, 1]
            for first in range(lists[one, 1], end, 8):
                for place in range(8):
                    held[place] = rows[first + place] if first + place < end else flags.shape[0] - 1
                _add_eight(flags, held, low, high, carry, levels)


@kernel
def read_counters(counters: np.ndarray, out: np.ndarray) -> None:
    """Set `out` int32 (2, scores, samples) to what the low and the high bits of the counters say."""
    for kind in range(2):
        for score in range(counters.shape[0]):
            for word in range(counters.shape[2]):
                for place in range(32):
                    total = np.uint64(0)
                    for level in range(counters.shape[1]):
                        bit = (counters[score, level, word] >> np.uint64(2 * place + kind)) & ONE
                        total |= bit << np.uint64(level)
                    out[kind, score, 32 * word + place] = number(total)
