"""Loops over packed rows: arrays in, arrays out.

A row is uint64, 32 genotypes a word, the first in the lowest bits: 0, 1, 2, and 3 for missing; 0 behind the last
sample. A mask has 01 in the place of a member and 00 elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cohelix.kernel import kernel, leaf, load_word, popcount

LEVELS = 8
"""Bits of a vertical counter: it takes 255 rows."""

LOW = np.uint64(0x5555555555555555)
"""The low bit of each genotype."""

ONE, THREE = np.uint64(1), np.uint64(3)


class Members(NamedTuple):
    """Groups of samples, in the layouts that the kinds of records ask for.

    `paired` uint64 (groups, half): as `split_row` lays out a mask; `plain` uint64 (groups, ceil(samples / 64)): one
    bit a sample; `sizes` int64 (groups,). Samples that are in the same groups form a cell: `cells` int32 (samples,);
    the groups of cell c are `groups[offsets[c]:offsets[c + 1]]`, int64.
    """

    paired: np.ndarray
    plain: np.ndarray
    sizes: np.ndarray
    cells: np.ndarray
    offsets: np.ndarray
    groups: np.ndarray


@leaf
def number(word: np.uint64) -> int:
    """A uint64 or a byte as an int64."""
    return np.int64(word)  # type: ignore[return-value]  # the int of kernels


@kernel
def pack_rows(block: np.ndarray, out: np.ndarray) -> None:
    """Set `out` uint64 (variants, words) from `block` uint8, whose two low bits are a genotype."""
    n_samples = block.shape[1]
    for row in range(block.shape[0]):
        genotypes = block[row]
        pieces = out[row].view(np.uint16)
        for eight in range(n_samples // 8):
            wide = load_word(genotypes, 8 * eight) & np.uint64(0x0303030303030303)
            wide = (wide | (wide >> np.uint64(6))) & np.uint64(0x000F000F000F000F)
            wide = (wide | (wide >> np.uint64(12))) & np.uint64(0x000000FF000000FF)
            pieces[eight] = (wide | (wide >> np.uint64(24))) & np.uint64(0xFFFF)
        for eight in range(n_samples // 8, pieces.size):
            pieces[eight] = 0
        for sample in range(n_samples // 8 * 8, n_samples):
            out[row, sample >> 5] |= np.uint64(genotypes[sample] & 3) << np.uint64(2 * (sample & 31))


@kernel
def take_samples(block: np.ndarray, samples: np.ndarray, out: np.ndarray) -> None:
    """Set `out` uint64 (variants, words) to the genotypes of `samples` int64 in the packed `block`."""
    for row in range(block.shape[0]):
        for word in range(out.shape[1]):
            low, high = 32 * word, min(32 * word + 32, samples.size)
            packed = np.uint64(0)
            for place in range(low, high):
                sample = np.uint64(samples[place])
                genotype = (block[row, sample >> np.uint64(5)] >> ((sample & np.uint64(31)) << ONE)) & THREE
                packed |= genotype << np.uint64(2 * (place - low))
            out[row, word] = packed


@leaf
def clear_padding(out: np.ndarray, n_samples: int) -> None:
    """Set the places behind the last sample to 0."""
    if n_samples % 32:
        out[n_samples // 32] &= (ONE << np.uint64(2 * (n_samples % 32))) - ONE


@leaf
def patch_row(out: np.ndarray, count: int, samples: np.ndarray, values: np.ndarray) -> None:
    """Put `count` genotypes, as `read_differences` gives them, into a row."""
    genotypes = values.view(np.uint8)
    for index in range(count):
        sample = np.uint64(samples[index])
        shift = (sample & np.uint64(31)) << ONE
        word = out[sample >> np.uint64(5)]
        out[sample >> np.uint64(5)] = (word & ~(THREE << shift)) | (np.uint64(genotypes[index]) << shift)


@leaf
def split_row(row: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Low and high bits of a row's genotypes, those of its second half of words in the odd places."""
    half = low.size
    for word in range(row.size - half):
        first, second = row[word], row[word + half]
        low[word] = (first & LOW) | ((second & LOW) << ONE)
        high[word] = ((first >> ONE) & LOW) | (second & (LOW << ONE))
    for word in range(row.size - half, half):
        low[word] = row[word] & LOW
        high[word] = (row[word] >> ONE) & LOW


@leaf
def count_planes(low: np.ndarray, high: np.ndarray, paired: np.ndarray, sizes: np.ndarray, counts: np.ndarray) -> None:
    """Set `counts` int64 (groups, 4) from a row as `split_row` gives it."""
    for group in range(sizes.size):
        odd, top, missing = 0, 0, 0
        for word in range(low.size):
            member = paired[group, word]
            odd += popcount(low[word] & member)
            top += popcount(high[word] & member)
            missing += popcount(low[word] & high[word] & member)
        counts[group, 0] = sizes[group] - odd - top + missing
        counts[group, 1] = odd - missing
        counts[group, 2] = top - missing
        counts[group, 3] = missing


@kernel
def count_masked(block: np.ndarray, fails: np.ndarray, paired: np.ndarray, sizes: np.ndarray, out: np.ndarray) -> None:
    """Set `out` int64 (variants, groups, 4) to the genotypes of each group by value.

    `fails` is a packed block of as many rows, whose genotype 1 makes a call missing, or has no rows.
    """
    half = paired.shape[1]
    row = np.empty(block.shape[1], np.uint64)
    low, high = np.empty(half, np.uint64), np.empty(half, np.uint64)
    for variant in range(block.shape[0]):
        for word in range(row.size):
            row[word] = block[variant, word]
        if fails.shape[0]:
            for word in range(row.size):
                row[word] |= (fails[variant, word] & LOW) * THREE
        split_row(row, low, high)
        count_planes(low, high, paired, sizes, out[variant])


@leaf
def _add_four(held: np.ndarray, counters: np.ndarray) -> None:
    """Add four planes, uint64 (4, 3, half), to each of the vertical `counters` uint64 (3, LEVELS, half)."""
    for plane in range(3):
        for word in range(held.shape[2]):
            ones, first, second = counters[plane, 0, word], held[0, plane, word], held[1, plane, word]
            twos_1 = (ones & first) | ((ones ^ first) & second)
            ones, first, second = ones ^ first ^ second, held[2, plane, word], held[3, plane, word]
            twos_2 = (ones & first) | ((ones ^ first) & second)
            twos = counters[plane, 1, word]
            carry = (twos & twos_1) | ((twos ^ twos_1) & twos_2)
            counters[plane, 0, word] = ones ^ first ^ second
            counters[plane, 1, word] = twos ^ twos_1 ^ twos_2
            for level in range(2, LEVELS):
                old = counters[plane, level, word]
                counters[plane, level, word] = old ^ carry
                carry &= old


@leaf
def hold_row(
    row: np.ndarray, rows: int, held: np.ndarray, counters: np.ndarray, sums: np.ndarray, out: np.ndarray
) -> int:
    """Hold a row's low, high and both bits; every fourth time add those held to the counters. Returns how many rows.

    Full counters are emptied into `out`, and 0 is returned.
    """
    planes = held[rows % 4]
    split_row(row, planes[0], planes[1])
    for word in range(planes.shape[1]):
        planes[2, word] = planes[0, word] & planes[1, word]
    rows += 1
    if rows == (1 << LEVELS) - 4:
        empty_counters(held, rows, counters, sums, out)
        return 0
    if rows % 4 == 0:
        _add_four(held, counters)
    return rows


@leaf
def empty_counters(held: np.ndarray, rows: int, counters: np.ndarray, sums: np.ndarray, out: np.ndarray) -> None:
    """Add what `rows` held rows have of genotypes 1, 2 and 3 to `out` int64 (samples, 4); counters become 0.

    `sums` int64 (3, half) is room.
    """
    if rows == 0:
        return
    if rows % 4 or rows == (1 << LEVELS) - 4:
        for unused in range((rows - 1) % 4 + 1, 4):
            for plane in range(3):
                for word in range(held.shape[2]):
                    held[unused, plane, word] = 0
        _add_four(held, counters)
    half = counters.shape[2]
    for bit in range(64):
        for plane in range(3):
            for word in range(half):
                total = np.uint64(0)
                for level in range(LEVELS):
                    total |= ((counters[plane, level, word] >> np.uint64(bit)) & ONE) << np.uint64(level)
                sums[plane, word] = number(total)
        for word in range(half):
            sample = 32 * (word + half * (bit & 1)) + bit // 2
            if sample < out.shape[0]:
                missing = sums[2, word]
                out[sample, 1] += sums[0, word] - missing
                out[sample, 2] += sums[1, word] - missing
                out[sample, 3] += missing
    for plane in range(3):
        for level in range(LEVELS):
            for word in range(half):
                counters[plane, level, word] = 0


@leaf
def settle_tally(common: np.ndarray, out: np.ndarray) -> None:
    """Bring `out` int64 (samples, 4) up to all rows, of which `common` int64 (4,) says how many began at a genotype.

    Genotypes 1, 2 and 3 get theirs; 0 gets what these leave.
    """
    rows = common[0] + common[1] + common[2] + common[3]
    for sample in range(out.shape[0]):
        for value in range(1, 4):
            out[sample, value] += common[value]
        out[sample, 0] = rows - out[sample, 1] - out[sample, 2] - out[sample, 3]


@kernel
def tally_packed(block: np.ndarray, row_class: np.ndarray, out: np.ndarray) -> None:
    """Add to `out` int64 (classes, samples, 4) the genotypes of each sample by the class of the row and value.

    `out` counts as many rows of a class for one sample as for another.
    """
    n_classes, half = out.shape[0], (block.shape[1] + 1) // 2
    held, counters = np.zeros((n_classes, 4, 3, half), np.uint64), np.zeros((n_classes, 3, LEVELS, half), np.uint64)
    rows, sums = np.zeros(n_classes, np.int64), np.empty((3, half), np.int64)
    common = np.zeros((n_classes, 4), np.int64)
    for to in range(n_classes):
        for value in range(4):
            common[to, 0] += out[to, 0, value]
    for variant in range(block.shape[0]):
        to = row_class[variant]
        if to >= 0:
            common[to, 0] += 1
            rows[to] = hold_row(block[variant], rows[to], held[to], counters[to], sums, out[to])
    for to in range(n_classes):
        empty_counters(held[to], rows[to], counters[to], sums, out[to])
        settle_tally(common[to], out[to])


@kernel
def sum_matches(block: np.ndarray, weights: np.ndarray, value: int, n_samples: int, out: np.ndarray) -> None:
    """Add to `out` int64 (samples, kinds) the weights int64 (variants, kinds) of rows in which the sample's genotype is
    `value`."""
    wanted = LOW * np.uint64(value)
    last = (n_samples - 1) // 32
    for variant in range(block.shape[0]):
        if not weights[variant].any():
            continue
        for word in range(last + 1):
            unequal = block[variant, word] ^ wanted
            equal = ~(unequal | (unequal >> ONE)) & LOW
            if word == last and n_samples % 32:
                equal &= (ONE << np.uint64(2 * (n_samples % 32))) - ONE
            while equal:
                sample = 32 * word + popcount((equal & (~equal + ONE)) - ONE) // 2
                for kind in range(out.shape[1]):
                    out[sample, kind] += weights[variant, kind]
                equal &= equal - ONE
