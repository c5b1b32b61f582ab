"""Counts over packed blocks: by group of samples for each variant, by class of rows for each sample.

A mask is uint64 (words,): 01 in the place of a sample that is a member of the group. Groups may overlap.
Values are counted in the order 0, 1, 2, missing.
"""

from __future__ import annotations

import numpy as np

from cohelix.errors import ContractError
from cohelix.genotypes.packed import kernels


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


def count_groups(block: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """int64 (variants, groups, 4): hom-ref, het, hom-alt and missing genotypes of each group."""
    return count_groups_adj(block, block[:0], masks)


def count_groups_adj(block: np.ndarray, fails: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """As `count_groups`, but a call whose genotype in the packed block `fails` is 1 counts as missing."""
    if masks.shape[1:] != block.shape[1:] or fails.shape[1:] != block.shape[1:] or len(fails) not in (0, len(block)):
        raise ContractError(f"block {block.shape}, fails {fails.shape} and masks {masks.shape} do not fit together.")
    out = np.empty((block.shape[0], masks.shape[0], 4), np.int64)
    kernels.count_masked(block, fails, masks, out)
    return out


def tally_samples(block: np.ndarray, row_class: np.ndarray, n_classes: int, n_samples: int) -> np.ndarray:
    """int64 (n_classes, samples, 4): genotypes of each sample over the rows of each class (-1: row left out)."""
    row_class = np.ascontiguousarray(row_class, np.int64)
    _check_rows(block, row_class, n_samples)
    if row_class.size and not -1 <= row_class.min() <= row_class.max() < n_classes:
        raise ContractError(f"expected classes -1 to {n_classes - 1}, got {row_class.min()} to {row_class.max()}.")
    out = np.zeros((n_classes, n_samples, 4), np.int64)
    kernels.tally_packed(block, row_class, out)
    return out


def sum_where(block: np.ndarray, weights: np.ndarray, value: int, n_samples: int) -> np.ndarray:
    """int64 (samples,): the sum of `weights` int64 (variants,) over rows in which the sample's genotype is `value`."""
    weights = np.ascontiguousarray(weights, np.int64)
    _check_rows(block, weights, n_samples)
    out = np.zeros(n_samples, np.int64)
    kernels.sum_matches(block, weights, value, n_samples, out)
    return out


def _check_rows(block: np.ndarray, per_row: np.ndarray, n_samples: int) -> None:
    if per_row.shape != block.shape[:1] or block.shape[1] != -(-n_samples // 32):
        raise ContractError(f"block {block.shape}, {per_row.shape} rows and {n_samples} samples do not fit together.")
