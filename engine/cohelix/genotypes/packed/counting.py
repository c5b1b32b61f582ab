"""Counts over packed blocks: by group of samples for each variant, by class of rows for each sample.

A mask is uint64 (words,): 01 in the place of a sample that is a member of the group. Groups may overlap.
Values are counted in the order 0, 1, 2, missing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cohelix.errors import ContractError
from cohelix.genotypes.callset import Callset, Shard
from cohelix.genotypes.packed import kernels
from cohelix.genotypes.packed.counts.kernels import count_records, tally_records
from cohelix.genotypes.packed.reader import PackedReader, open_packed, rows_of_block


def masks_of(groups: np.ndarray, n_groups: int) -> np.ndarray:
    """uint64 (n_groups, words) masks from the group number of each sample (-1: in none)."""
    groups = np.asarray(groups, np.int64)
    if groups.size and not -1 <= groups.min() <= groups.max() < n_groups:
        raise ContractError(f"expected group numbers from -1 to {n_groups - 1}, got {groups.min()} to {groups.max()}.")
    members = np.zeros((n_groups, -(-groups.size // 32) * 32, 2), np.uint8)
    inside = np.flatnonzero(groups >= 0)
    members[groups[inside], inside, 0] = 1
    packed = np.packbits(members.reshape(n_groups, -1), axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64, copy=False)


def pack(block: np.ndarray) -> np.ndarray:
    """A packed block from an int8 block of 0, 1, 2 and -9."""
    out = np.empty((block.shape[0], -(-block.shape[1] // 32)), np.uint64)
    kernels.pack_rows(np.ascontiguousarray(block).view(np.uint8), out)
    return out


def count_groups(block: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """int64 (variants, groups, 4): hom-ref, het, hom-alt and missing genotypes of each group."""
    return count_groups_adj(block, block[:0], masks)


def count_groups_adj(block: np.ndarray, fails: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """As `count_groups`, but a call whose genotype in the packed block `fails` is 1 counts as missing."""
    if masks.shape[1:] != block.shape[1:] or fails.shape[1:] != block.shape[1:] or len(fails) not in (0, len(block)):
        raise ContractError(f"block {block.shape}, fails {fails.shape} and masks {masks.shape} do not fit together.")
    out = np.empty((block.shape[0], masks.shape[0], 4), np.int64)
    sizes = np.bitwise_count(masks).sum(axis=1, dtype=np.int64)
    kernels.count_masked(block, fails, _paired(masks), sizes, out)
    return out


def count_shard(
    callset: Callset, shard: Shard, masks: np.ndarray, start_row: int = 0, end_row: int | None = None
) -> np.ndarray:
    """`count_groups` over rows [start_row, end_row) of a shard (all, unless told), from its bytes as they lie there."""
    members = members_of(masks, callset.n_samples)
    with open_packed(callset, shard) as reader:
        return count_rows(reader, members, start_row, shard.n_sites if end_row is None else end_row)


def count_rows(reader: PackedReader, members: kernels.Members, start_row: int, end_row: int) -> np.ndarray:
    """`count_groups` over rows [start_row, end_row) of an open PGEN. members: of masks (`members_of`)."""
    n_samples = reader.index.n_samples
    if len(members.cells) != n_samples:
        raise ContractError(f"groups of {len(members.cells)} samples do not fit {n_samples}.")
    out = np.empty((end_row - start_row, len(members.sizes), 4), np.int64)
    for low, high in _blocks(n_samples, start_row, end_row):
        data, starts, ends, kinds, reference = reader.records(low, high)
        counts = out[low - start_row : high - start_row]
        reader.check(count_records(data, starts, ends, kinds, n_samples, reference, members, counts), low)
    return out


def tally_shard(callset: Callset, shard: Shard, row_class: np.ndarray, n_classes: int) -> np.ndarray:
    """`tally_samples` over all rows of a shard, from its bytes as they lie there."""
    with open_packed(callset, shard) as reader:
        return tally_rows(reader, row_class, n_classes)


def tally_rows(reader: PackedReader, row_class: np.ndarray, n_classes: int) -> np.ndarray:
    """`tally_samples` over all rows of an open PGEN."""
    row_class = _classes(row_class, n_classes)
    n_samples, n_rows = reader.index.n_samples, reader.index.n_variants
    if len(row_class) != n_rows:
        raise ContractError(f"got {len(row_class)} classes for {n_rows} rows.")
    out = np.zeros((n_classes, n_samples, 4), np.int64)
    for low, high in _blocks(n_samples, 0, n_rows):
        data, starts, ends, kinds, reference = reader.records(low, high)
        here = row_class[low:high]
        reader.check(tally_records(data, starts, ends, kinds, n_samples, reference, here, out), low)
    return out


def tally_samples(block: np.ndarray, row_class: np.ndarray, n_classes: int, n_samples: int) -> np.ndarray:
    """int64 (n_classes, samples, 4): genotypes of each sample over the rows of each class (-1: row left out)."""
    row_class = _classes(row_class, n_classes)
    _check_rows(block, row_class, n_samples)
    out = np.zeros((n_classes, n_samples, 4), np.int64)
    kernels.tally_packed(block, row_class, out)
    return out


def sum_where(block: np.ndarray, weights: np.ndarray, value: int, n_samples: int) -> np.ndarray:
    """int64 (samples, kinds): sums of `weights` int64 (variants, kinds) over rows where the sample's genotype is
    `value`."""
    weights = np.ascontiguousarray(weights, np.int64)
    _check_rows(block, weights[:, 0], n_samples)
    out = np.zeros((n_samples, weights.shape[1]), np.int64)
    kernels.sum_matches(block, weights, value, n_samples, out)
    return out


def _check_rows(block: np.ndarray, per_row: np.ndarray, n_samples: int) -> None:
    if per_row.shape != block.shape[:1] or block.shape[1] != -(-n_samples // 32):
        raise ContractError(f"block {block.shape}, {per_row.shape} rows and {n_samples} samples do not fit together.")


def _classes(row_class: np.ndarray, n_classes: int) -> np.ndarray:
    row_class = np.ascontiguousarray(row_class, np.int64)
    if row_class.size and not -1 <= row_class.min() <= row_class.max() < n_classes:
        raise ContractError(f"expected classes -1 to {n_classes - 1}, got {row_class.min()} to {row_class.max()}.")
    return row_class


def _blocks(n_samples: int, start_row: int, end_row: int) -> Iterator[tuple[int, int]]:
    rows = 8 * rows_of_block(n_samples)
    return ((low, min(low + rows, end_row)) for low in range(start_row, end_row, rows))


def members_of(masks: np.ndarray, n_samples: int) -> kernels.Members:
    """Masks in the layouts that the kernels ask for."""
    if masks.shape[1] != -(-n_samples // 32):
        raise ContractError(f"masks {masks.shape} do not fit {n_samples} samples.")
    bits = np.unpackbits(masks.astype("<u8").view(np.uint8), axis=1, bitorder="little")[:, ::2]
    half = -(-masks.shape[1] // 2)
    plain = np.zeros((len(masks), 8 * half), np.uint8)
    plain[:, : 4 * masks.shape[1]] = np.packbits(bits, axis=1, bitorder="little")
    patterns, cells = _cells_of(bits[:, :n_samples])
    offsets = np.concatenate([[0], np.cumsum(patterns.sum(axis=1, dtype=np.int64))])
    return kernels.Members(
        _paired(masks),
        plain.view("<u8").astype(np.uint64, copy=False),
        bits.sum(axis=1, dtype=np.int64),
        cells.reshape(-1).astype(np.int32),
        offsets,
        np.nonzero(patterns)[1],
    )


def _cells_of(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct columns of bits uint8 (groups, samples) as rows, and which of them each sample has."""
    columns = np.packbits(bits, axis=0)
    if len(columns) > 8:
        distinct, cells = np.unique(columns, axis=1, return_inverse=True)
    else:  # a number each: far faster to sort
        numbers = np.zeros((bits.shape[1], 8), np.uint8)
        numbers[:, : len(columns)] = columns.T
        found, cells = np.unique(numbers.view(np.uint64).reshape(-1), return_inverse=True)
        distinct = found.view(np.uint8).reshape(-1, 8).T[: len(columns)]
    return np.unpackbits(distinct, axis=0)[: len(bits)].T, cells


def _paired(masks: np.ndarray) -> np.ndarray:
    """Masks as `kernels.split_row` lays out a row: words of the second half in the odd places."""
    half = -(-masks.shape[1] // 2)
    paired = masks[:, :half].copy()
    paired[:, : masks.shape[1] - half] |= masks[:, half:] << np.uint64(1)
    return paired
