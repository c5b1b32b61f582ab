"""Loops over packed genotypes and over the records of a PGEN file: arrays in, arrays out.

A row is uint64, 32 genotypes a word, the first in the lowest bits: 0, 1, 2, and 3 for missing. A mask has 01 in the
place of a member and 00 elsewhere. A record is data[start:end] of uint8; its kind is 0 to 7 as in a PGEN header, or
`BED`. Nothing outside data[start:end] is read, and no sample outside the row is written, whatever the bytes are.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel, leaf, popcount

BED = 8
"""A PLINK 1 record: 0 hom-alt, 1 missing, 2 het, 3 hom-ref."""

LOW = np.uint64(0x5555555555555555)
"""The low bit of each genotype."""

ONE, TWO, THREE = np.uint64(1), np.uint64(2), np.uint64(3)


@leaf
def _number(byte: np.uint8) -> int:
    """A byte as an int64."""
    return np.int64(byte)  # type: ignore[return-value]  # the int of kernels


@leaf
def read_varint(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """(value, place behind it) of the base-128 number at `at`; value -1 where it is cut off or above 31 bits."""
    value, shift = 0, 0
    while at < end and shift < 35:
        byte = _number(data[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return (value if value < 1 << 31 else -1), at
        shift += 7
    return -1, at


@leaf
def read_differences(
    data: np.ndarray, at: int, end: int, n_samples: int, samples: np.ndarray, values: np.ndarray
) -> int:
    """Read a difflist: increasing `samples` int32 and their genotypes `values` uint8, each of room for all samples.

    Returns how many there are, or -1 where the list is damaged.
    """
    length, at = read_varint(data, at, end)
    if length <= 0 or length > n_samples:
        return 0 if length == 0 else -1
    width = 1 + (n_samples >= 1 << 8) + (n_samples >= 1 << 16) + (n_samples >= 1 << 24)
    groups = (length + 63) // 64
    values_at = at + groups * (width + 1) - 1
    next_at = values_at + (length + 3) // 4
    if next_at > end:
        return -1
    for index in range(length):
        values[index] = (data[values_at + index // 4] >> (2 * (index & 3))) & 3
    sample = -1
    for group in range(groups):
        start = 0
        for byte in range(width):
            start |= _number(data[at + group * width + byte]) << (8 * byte)
        if start <= sample or start >= n_samples:
            return -1
        sample = start
        samples[64 * group] = sample
        for index in range(64 * group + 1, min(64 * group + 64, length)):
            if next_at >= end:
                return -1
            step = _number(data[next_at])
            next_at += 1
            if step >= 128:
                step, next_at = read_varint(data, next_at - 1, end)
            sample += step
            if step <= 0 or sample >= n_samples:
                return -1
            samples[index] = sample
    return length


@leaf
def fill_row(out: np.ndarray, n_samples: int, genotype: int) -> None:
    """Give every sample of a row the same genotype."""
    for word in range(out.size):
        out[word] = LOW * np.uint64(genotype)
    clear_padding(out, n_samples)


@leaf
def clear_padding(out: np.ndarray, n_samples: int) -> None:
    """Set the places behind the last sample to 0."""
    if n_samples % 32:
        out[n_samples // 32] &= (ONE << np.uint64(2 * (n_samples % 32))) - ONE


@leaf
def spread_bits(bits: np.ndarray, out: np.ndarray) -> None:
    """`out[w]` gets 32 bits of uint32 `bits[w]` in the low places of its 32 genotypes."""
    for word in range(out.size):
        wide = np.uint64(bits[word])
        wide = (wide | (wide << np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
        wide = (wide | (wide << np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
        wide = (wide | (wide << np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        wide = (wide | (wide << np.uint64(2))) & np.uint64(0x3333333333333333)
        out[word] = (wide | (wide << ONE)) & LOW


@leaf
def patch_row(out: np.ndarray, count: int, samples: np.ndarray, values: np.ndarray) -> None:
    """Put `count` genotypes into a row."""
    for index in range(count):
        sample = samples[index]
        shift = np.uint64(2 * (sample & 31))
        word = out[sample >> 5]
        out[sample >> 5] = (word & ~(THREE << shift)) | (np.uint64(values[index]) << shift)


@leaf
def copy_row(data: np.ndarray, start: int, end: int, n_samples: int, is_bed: bool, out: np.ndarray) -> bool:
    """Read a plain record, two bits a genotype. False where it is too short."""
    n_bytes = (n_samples + 3) // 4
    if end - start < n_bytes:
        return False
    out[out.size - 1] = np.uint64(0)
    place = out.view(np.uint8)
    for byte in range(n_bytes):
        place[byte] = data[start + byte]
    if is_bed:
        # hom-alt 00, missing 01, het 10, hom-ref 11 become 10, 11, 01, 00
        for word in range(out.size):
            low, high = out[word] & LOW, (out[word] >> ONE) & LOW
            out[word] = (low ^ high) | ((high ^ LOW) << ONE)
    clear_padding(out, n_samples)
    return True


@leaf
def decode_row(
    data: np.ndarray,
    start: int,
    end: int,
    kind: int,
    n_samples: int,
    reference: np.ndarray,
    out: np.ndarray,
    bits: np.ndarray,
    samples: np.ndarray,
    values: np.ndarray,
) -> bool:
    """Unpack one record into the row `out`; `reference` is the row that kinds 2 and 3 differ from.

    `bits` uint32 (words), `samples` int32 and `values` uint8 (samples) are room to work in. False where it is damaged.
    """
    if kind == 0 or kind == BED:
        return copy_row(data, start, end, n_samples, kind == BED, out)
    if kind == 1:
        n_bytes = (n_samples + 7) // 8
        if end - start <= n_bytes:
            return False
        code = _number(data[start])
        if not ((0 < code < 4) or code == 5 or code == 6 or code == 9):
            return False
        bits[bits.size - 1] = 0
        place = bits.view(np.uint8)
        for byte in range(n_bytes):
            place[byte] = data[start + 1 + byte]
        spread_bits(bits, out)
        common, step = LOW * np.uint64(code >> 2), np.uint64(code & 3)
        for word in range(out.size):
            out[word] = out[word] * step + common
        start += 1 + n_bytes
        clear_padding(out, n_samples)
    elif kind == 2 or kind == 3:
        for word in range(out.size):
            out[word] = reference[word]
    elif kind == 5:
        return False
    else:
        fill_row(out, n_samples, kind & 3)
    count = read_differences(data, start, end, n_samples, samples, values)
    if count > 0:
        patch_row(out, count, samples, values)
    if kind == 3:
        # 0 and 2 change places, in the list of differences too
        for word in range(out.size):
            out[word] ^= (~out[word] & LOW) << ONE
        clear_padding(out, n_samples)
    return count >= 0


@kernel
def decode_rows(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    n_samples: int,
    reference: np.ndarray,
    out: np.ndarray,
) -> int:
    """Unpack records data[starts[i]:ends[i]] into the rows of `out`.

    `reference` is the row that records of kind 2 and 3 differ from, until another kind comes. Returns -1, or the
    first row whose record is damaged.
    """
    bits = np.empty(out.shape[1], np.uint32)
    samples, values = np.empty(n_samples, np.int32), np.empty(n_samples, np.uint8)
    for row in range(out.shape[0]):
        kind = kinds[row]
        if not decode_row(data, starts[row], ends[row], kind, n_samples, reference, out[row], bits, samples, values):
            return row
        if kind != 2 and kind != 3:
            reference = out[row]
    return -1


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


@kernel
def count_masked(block: np.ndarray, fails: np.ndarray, masks: np.ndarray, out: np.ndarray) -> None:
    """Set `out` int64 (variants, groups, 4) to the genotypes of each group by value.

    `fails` is a packed block of as many rows, whose genotype 1 makes a call missing, or has no rows.
    """
    words = block.shape[1]
    half = (words + 1) // 2
    members, unused = np.empty((masks.shape[0], half), np.uint64), np.empty(half, np.uint64)
    sizes = np.zeros(masks.shape[0], np.int64)
    for group in range(masks.shape[0]):
        split_row(masks[group], members[group], unused)
        for word in range(half):
            sizes[group] += popcount(members[group, word])
    row = np.empty(words, np.uint64)
    low, high = np.empty(half, np.uint64), np.empty(half, np.uint64)
    for variant in range(block.shape[0]):
        row[:] = block[variant]
        if fails.shape[0]:
            for word in range(words):
                row[word] |= (fails[variant, word] & LOW) * THREE
        split_row(row, low, high)
        for group in range(masks.shape[0]):
            odd, top, missing = np.int64(0), np.int64(0), np.int64(0)
            for word in range(half):
                member = members[group, word]
                odd += popcount(low[word] & member)
                top += popcount(high[word] & member)
                missing += popcount(low[word] & high[word] & member)
            out[variant, group, 0] = sizes[group] - odd - top + missing
            out[variant, group, 1] = odd - missing
            out[variant, group, 2] = top - missing
            out[variant, group, 3] = missing


@kernel
def tally_packed(block: np.ndarray, row_class: np.ndarray, out: np.ndarray) -> None:
    """Add to `out` int64 (classes, samples, 4) the genotypes of each sample by the class of the row and value."""
    for variant in range(block.shape[0]):
        at = row_class[variant]
        if at >= 0:
            for sample in range(out.shape[1]):
                value = (block[variant, sample >> 5] >> np.uint64(2 * (sample & 31))) & THREE
                out[at, sample, np.int64(value)] += 1


@kernel
def sum_matches(block: np.ndarray, weights: np.ndarray, value: int, n_samples: int, out: np.ndarray) -> None:
    """Add to `out` int64 (samples,) the weights of rows in which the sample's genotype is `value`."""
    wanted = LOW * np.uint64(value)
    last = (n_samples - 1) // 32
    for variant in range(block.shape[0]):
        weight = weights[variant]
        if weight == 0:
            continue
        for word in range(last + 1):
            unequal = block[variant, word] ^ wanted
            equal = ~(unequal | (unequal >> ONE)) & LOW
            if word == last and n_samples % 32:
                equal &= (ONE << np.uint64(2 * (n_samples % 32))) - ONE
            while equal:
                out[32 * word + popcount((equal & (~equal + ONE)) - ONE) // 2] += weight
                equal &= equal - ONE
