"""Plain definitions for packed genotypes: one genotype at a time, and a writer of PGEN records of a wished kind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def pack(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """uint64 (variants, words) from genotypes 0 to 3."""
    words = -(-len(rows[0]) // 32)
    out = [[sum(g << 2 * i for i, g in enumerate(row[32 * w : 32 * w + 32])) for w in range(words)] for row in rows]
    return np.array(out, np.uint64)


def unpack(block: np.ndarray, n_samples: int) -> list[list[int]]:
    return [[int(row[s // 32]) >> 2 * (s % 32) & 3 for s in range(n_samples)] for row in block]


def count_groups(rows: Sequence[Sequence[int]], groups: Sequence[set[int]]) -> list[list[list[int]]]:
    """By row, group (a set of samples) and genotype."""
    return [[[sum(row[s] == value for s in group) for value in range(4)] for group in groups] for row in rows]


def tally(rows: Sequence[Sequence[int]], classes: Sequence[int], n_classes: int) -> list[list[list[int]]]:
    """By class of the row, sample and genotype."""
    mine = [[row for row, at in zip(rows, classes, strict=True) if at == wanted] for wanted in range(n_classes)]
    return [
        [[sum(row[s] == value for row in some) for value in range(4)] for s in range(len(rows[0]))] for some in mine
    ]


def sum_where(rows: Sequence[Sequence[int]], weights: Sequence[int], value: int) -> list[int]:
    pairs = list(zip(rows, weights, strict=True))
    return [sum(weight for row, weight in pairs if row[s] == value) for s in range(len(rows[0]))]


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def plain_bytes(row: Sequence[int]) -> bytes:
    return bytes(sum(g << 2 * i for i, g in enumerate(row[at : at + 4])) for at in range(0, len(row), 4))


def differences(samples: Sequence[int], values: Sequence[int], n_samples: int) -> bytes:
    """A difflist, as the PGEN specification draft lays it out; sample numbers as wide as pgenlib makes them."""
    if not samples:
        return varint(0)
    width = (n_samples.bit_length() + 7) // 8
    groups = [samples[at : at + 64] for at in range(0, len(samples), 64)]
    steps = [b"".join(varint(b - a) for a, b in pairwise(group)) for group in groups]
    return b"".join(
        [
            varint(len(samples)),
            *(group[0].to_bytes(width, "little") for group in groups),
            bytes((len(step) - 63) & 255 for step in steps[:-1]),
            plain_bytes(values),
            *steps,
        ]
    )


def listed(row: Sequence[int], other: Sequence[int]) -> bytes:
    """The difflist of where `row` differs from `other`."""
    samples = [s for s in range(len(row)) if row[s] != other[s]]
    return differences(samples, [row[s] for s in samples], len(row))


def record(row: Sequence[int], kind: int, reference: Sequence[int]) -> bytes:
    """One record of kind 0 to 4, 6, 7 or 8 (PLINK 1)."""
    if kind == 0:
        return plain_bytes(row)
    if kind == 8:
        return plain_bytes([{0: 3, 1: 2, 2: 0, 3: 1}[g] for g in row])
    if kind == 1:
        low, high = sorted(sorted(range(4), key=lambda g: -list(row).count(g))[:2])
        bits = [int(g == high) for g in row]
        packed = bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))
        return bytes([4 * low + high - low]) + packed + listed(row, [high if bit else low for bit in bits])
    if kind == 2:
        return listed(row, reference)
    if kind == 3:
        return listed([{0: 2, 2: 0}.get(g, g) for g in row], reference)
    return listed(row, [kind & 3] * len(row))
