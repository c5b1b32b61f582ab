"""Loops that count the records of a PGEN file as they are, without a row where a record is a list.

Records, and what `data` must be, are as in `cohelix.genotypes.packed.records.kernels`.
"""

from __future__ import annotations

import numpy as np

from cohelix.genotypes.packed.kernels import (
    LEVELS,
    Members,
    count_planes,
    empty_counters,
    hold_row,
    settle_tally,
    split_row,
)
from cohelix.genotypes.packed.records.kernels import (
    ROOM,
    bits_place,
    decode_dense,
    list_places,
    read_differences,
    read_genotypes,
    read_samples,
)
from cohelix.kernel import kernel, leaf, load_word, popcount


@leaf
def _count_values(values: np.ndarray, count: int, totals: np.ndarray) -> None:
    """Add to `totals` int64 (4,) the first `count` genotypes of `values`, one to each byte."""
    genotypes = values.view(np.uint8)
    het, alt, missing = 0, 0, 0
    for index in range(count):
        het += genotypes[index] == 1
        alt += genotypes[index] == 2
        missing += genotypes[index] == 3
    totals[0] += count - het - alt - missing
    totals[1] += het
    totals[2] += alt
    totals[3] += missing


@leaf
def _empty_cells(members: Members, common: int, by_cell: np.ndarray, counts: np.ndarray) -> None:
    """Add the counts of cells, int64 (cells, 4), to those of their groups, int64 (groups, 4), and set them to 0.

    `common` becomes what the other genotypes leave of a group.
    """
    for cell in range(by_cell.shape[0]):
        for at in range(members.offsets[cell], members.offsets[cell + 1]):
            group = np.uint64(members.groups[np.uint64(at)])
            for value in range(4):
                counts[group, value] += by_cell[cell, value]
        for value in range(4):
            by_cell[cell, value] = 0
    for each in range(members.sizes.size):
        counts[each, common] = 0
        rest = members.sizes[each]
        for value in range(4):
            rest -= counts[each, value]
        counts[each, common] = rest


@leaf
def _count_list(
    data: np.ndarray,
    start: int,
    end: int,
    n_samples: int,
    members: Members,
    samples: np.ndarray,
    values: np.ndarray,
    by_cell: np.ndarray,
) -> bool:
    """Add the genotypes of a list of differences to `by_cell` int64 (cells, 4). False where it is damaged."""
    places = list_places(data, start, end, n_samples)
    if places[0] < 0:
        return False
    read_genotypes(data, places[2], places[0], values)
    if by_cell.shape[0] == 1:
        _count_values(values, places[0], by_cell[0])
        return True
    if not read_samples(data, places, end, n_samples, samples):
        return False
    genotypes = values.view(np.uint8)
    for index in range(places[0]):
        by_cell[np.uint64(members.cells[np.uint64(samples[index])]), np.uint64(genotypes[index])] += 1
    return True


@leaf
def _count_bits(
    data: np.ndarray,
    start: int,
    end: int,
    n_samples: int,
    members: Members,
    samples: np.ndarray,
    values: np.ndarray,
    by_cell: np.ndarray,
    counts: np.ndarray,
) -> bool:
    """Count a record of kind 1: its bits in `counts` int64 (groups, 4), its list in `by_cell` int64 (cells, 4).

    False where it is damaged.
    """
    behind = bits_place(data, start, end, n_samples)
    count = -1 if behind < 0 else read_differences(data, behind, end, n_samples, samples, values)
    if count < 0:
        return False
    upper, bits_at, genotypes = np.uint64((data[start] >> 2) + (data[start] & 3)), start + 1, values.view(np.uint8)
    for index in range(count):
        sample = samples[np.uint64(index)]
        cell = np.uint64(members.cells[np.uint64(sample)])
        by_cell[cell, np.uint64(genotypes[index])] += 1
        # a listed sample has a bit, too, which says nothing
        by_cell[cell, upper] -= (data[np.uint64(bits_at + (sample >> 3))] >> (sample & 7)) & 1
    for group in range(members.sizes.size):
        total = 0
        for word in range(members.plain.shape[1]):
            total += popcount(load_word(data, bits_at + 8 * word) & members.plain[group, word])
        counts[group, upper] = total
    return True


@kernel
def count_records(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    n_samples: int,
    reference: np.ndarray,
    members: Members,
    out: np.ndarray,
) -> int:
    """Set `out` int64 (variants, groups, 4) as `count_masked`, from records as `decode_rows` takes them."""
    samples, values = np.empty(n_samples + ROOM, np.int32), np.empty((n_samples + ROOM) // 8, np.uint64)
    half, by_cell = members.paired.shape[1], np.zeros((members.offsets.size - 1, 4), np.int64)
    row, low, high = np.empty(reference.size, np.uint64), np.empty(half, np.uint64), np.empty(half, np.uint64)
    out[:] = 0
    for at in range(starts.size):
        kind, start, end = kinds[at], starts[at], ends[at]
        if kind == 1:
            if not _count_bits(data, start, end, n_samples, members, samples, values, by_cell, out[at]):
                return at
            _empty_cells(members, data[start] >> 2, by_cell, out[at])
        elif kind == 4 or kind == 6 or kind == 7:
            if not _count_list(data, start, end, n_samples, members, samples, values, by_cell):
                return at
            _empty_cells(members, kind & 3, by_cell, out[at])
        else:
            if not decode_dense(data, starts, ends, kinds, at, n_samples, reference, row, samples, values):
                return at
            split_row(row, low, high)
            count_planes(low, high, members.paired, members.sizes, out[at])
    return -1


@leaf
def _tally_list(
    data: np.ndarray,
    start: int,
    end: int,
    common: int,
    n_samples: int,
    samples: np.ndarray,
    values: np.ndarray,
    out: np.ndarray,
) -> bool:
    """Add to `out` int64 (samples, 4) a list of differences; they are taken from `common` unless that is 0.

    False where the list is damaged.
    """
    count = read_differences(data, start, end, n_samples, samples, values)
    genotypes = values.view(np.uint8)
    for index in range(count):
        out[np.uint64(samples[np.uint64(index)]), np.uint64(genotypes[np.uint64(index)])] += 1
    if common:
        for index in range(count):
            out[np.uint64(samples[np.uint64(index)]), np.uint64(common)] -= 1
    return count >= 0


@kernel
def tally_records(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    n_samples: int,
    reference: np.ndarray,
    row_class: np.ndarray,
    out: np.ndarray,
) -> int:
    """Add to `out` int64 (classes, samples, 4) as `tally_packed`, from records as `decode_rows` takes them."""
    samples, values = np.empty(n_samples + ROOM, np.int32), np.empty((n_samples + ROOM) // 8, np.uint64)
    n_classes, half = out.shape[0], (reference.size + 1) // 2
    held, counters = np.zeros((n_classes, 4, 3, half), np.uint64), np.zeros((n_classes, 3, LEVELS, half), np.uint64)
    rows, sums = np.zeros(n_classes, np.int64), np.empty((3, half), np.int64)
    row, common = np.empty(reference.size, np.uint64), np.zeros((n_classes, 4), np.int64)
    for to in range(n_classes):
        for value in range(4):
            common[to, 0] += out[to, 0, value]
    for at in range(starts.size):
        kind, to = kinds[at], row_class[at]
        if kind == 4 or kind == 6 or kind == 7:
            if to >= 0:
                common[to, kind & 3] += 1
                if not _tally_list(data, starts[at], ends[at], kind & 3, n_samples, samples, values, out[to]):
                    return at
        elif to >= 0 or kind == 2 or kind == 3:
            # one that differs from another is read even where it does not count: the next may rely on it
            if not decode_dense(data, starts, ends, kinds, at, n_samples, reference, row, samples, values):
                return at
            if to >= 0:
                common[to, 0] += 1
                rows[to] = hold_row(row, rows[to], held[to], counters[to], sums, out[to])
    for to in range(n_classes):
        empty_counters(held[to], rows[to], counters[to], sums, out[to])
        settle_tally(common[to], out[to])
    return -1
