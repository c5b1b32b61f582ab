"""Loops over the records of a PGEN file: arrays in, arrays out.

A record is data[start:end] of uint8; its kind is 0 to 7 as in a PGEN header, or `BED`. No sample outside a row is
written and no byte is read beyond seven behind the record, whatever its bytes are: `data` has eight more than its
records need. Rows are as in `cohelix.genotypes.packed.kernels`.
"""

from __future__ import annotations

import numpy as np

from cohelix.genotypes.packed.kernels import LOW, ONE, clear_padding, number, patch_row
from cohelix.kernel import kernel, leaf, load_word

BED = 8
"""A PLINK 1 record: 0 hom-alt, 1 missing, 2 het, 3 hom-ref."""

ROOM = 64
"""Places beyond the number of samples in the arrays that `read_differences` fills."""

BYTE, PAIR = np.uint64(0xFF), np.uint64(0xFFFF)
WORD, ALL = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFFFFFFFFFF)
TOP_BITS, BELOW_TOP = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F)
EVEN_BYTES = np.uint64(0x00FF00FF00FF00FF)


@leaf
def _read_varint(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """(value, place behind it) of the base-128 number at `at`; value -1 where it is cut off or above 31 bits."""
    value, shift = 0, 0
    while at < end and shift < 35:
        byte = number(data[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return (value if value < 1 << 31 else -1), at
        shift += 7
    return -1, at


@leaf
def list_places(data: np.ndarray, at: int, end: int, n_samples: int) -> tuple[int, int, int, int]:
    """(length, bytes of a sample number, place of the genotypes, place of the steps) of the difflist at `at`.

    The sample numbers that begin its groups of 64 lie before the sizes of the groups and the genotypes. Length -1:
    damaged.
    """
    length, at = _read_varint(data, at, end)
    width = 1 + (n_samples >= 1 << 8) + (n_samples >= 1 << 16) + (n_samples >= 1 << 24)
    if length <= 0 or length > n_samples:
        return (0 if length == 0 else -1), width, at, at
    genotypes_at = at + (length + 63) // 64 * (width + 1) - 1
    steps_at = genotypes_at + (length + 3) // 4
    return (length if steps_at <= end else -1), width, genotypes_at, steps_at


@leaf
def read_genotypes(data: np.ndarray, at: int, length: int, values: np.ndarray) -> None:
    """Spread `length` packed genotypes at `at` to one in each byte of `values` uint64."""
    for eight in range((length + 7) // 8):
        wide = load_word(data, at + 2 * eight) & PAIR
        wide = (wide | (wide << np.uint64(24))) & np.uint64(0x000000FF000000FF)
        wide = (wide | (wide << np.uint64(12))) & np.uint64(0x000F000F000F000F)
        values[eight] = (wide | (wide << np.uint64(6))) & np.uint64(0x0303030303030303)


@leaf
def read_samples(
    data: np.ndarray, places: tuple[int, int, int, int], end: int, n_samples: int, out: np.ndarray
) -> bool:
    """Read the increasing sample numbers of the list at `places` (`list_places`). False where it is damaged."""
    length, width, genotypes_at, next_at = places
    first_at = genotypes_at - (length + 63) // 64 * (width + 1) + 1
    sample, stop = -1, 0
    while stop < length:
        start = number(load_word(data, first_at) & ((ONE << np.uint64(8 * width)) - ONE))
        if start <= sample or start >= n_samples:
            return False
        sample, index = start, stop
        out[np.uint64(index)] = sample
        index, stop, first_at = index + 1, min(stop + 64, length), first_at + width
        while index < stop:
            # up to eight steps of one byte each at once: their sums, two by two, in four places of 16 bits
            count = min(8, stop - index)
            used = ALL >> np.uint64(64 - 8 * count)
            steps = load_word(data, next_at) & used
            if next_at + count <= end and not steps & TOP_BITS:
                if (steps + BELOW_TOP) & TOP_BITS & used != TOP_BITS & used:
                    return False
                sums = (steps & EVEN_BYTES) + ((steps >> np.uint64(8)) & EVEN_BYTES)
                sums = sums + (sums << np.uint64(16))
                sums = sums + (sums << np.uint64(32))
                for pair in range(4):
                    behind = sample + number((sums >> np.uint64(16 * pair)) & PAIR)
                    out[np.uint64(index + 2 * pair)] = behind - number((steps >> np.uint64(16 * pair + 8)) & BYTE)
                    out[np.uint64(index + 2 * pair + 1)] = behind
                sample, index, next_at = sample + number(sums >> np.uint64(48)), index + count, next_at + count
            else:
                # up to four of one or two bytes each, without a branch on which; a longer one ends them
                count, least, longer = min(4, stop - index), np.uint64(1), np.uint64(0)
                steps = load_word(data, next_at) & ALL
                for place in range(count):
                    second = (steps >> np.uint64(7)) & ONE
                    longer = second & (steps >> np.uint64(15))
                    if longer:
                        count = place
                        break
                    step = (steps & np.uint64(0x7F)) | ((steps >> ONE) & (np.uint64(0x3F80) * second))
                    steps >>= np.uint64(8) << second
                    least = min(least, step)
                    sample, next_at = sample + number(step), next_at + 1 + number(second)
                    out[np.uint64(index + place)] = sample
                index += count
                if longer:
                    far, next_at = _read_varint(data, next_at, end)
                    sample += far
                    if far <= 0 or sample >= n_samples:
                        return False
                    out[np.uint64(index)] = sample
                    index += 1
                if least == 0 or next_at > end:
                    return False
            if sample >= n_samples:
                return False
    return True


@leaf
def read_differences(
    data: np.ndarray, at: int, end: int, n_samples: int, samples: np.ndarray, values: np.ndarray
) -> int:
    """Read the difflist at `at`: increasing `samples` int32, and their genotypes `values` uint64, one to each byte.

    Both have `ROOM` for more than all samples. Returns how many there are, or -1 where the list is damaged.
    """
    places = list_places(data, at, end, n_samples)
    read_genotypes(data, places[2], places[0], values)
    return places[0] if read_samples(data, places, end, n_samples, samples) else -1


@leaf
def _copy_row(data: np.ndarray, start: int, end: int, n_samples: int, is_bed: bool, out: np.ndarray) -> bool:
    """Read a plain record, two bits a genotype. False where it is too short."""
    if end - start < (n_samples + 3) // 4:
        return False
    for word in range(out.size):
        out[word] = load_word(data, start + 8 * word)
    if is_bed:
        # hom-alt 00, missing 01, het 10, hom-ref 11 become 10, 11, 01, 00
        for word in range(out.size):
            low, high = out[word] & LOW, (out[word] >> ONE) & LOW
            out[word] = (low ^ high) | ((high ^ LOW) << ONE)
    clear_padding(out, n_samples)
    return True


@leaf
def bits_place(data: np.ndarray, start: int, end: int, n_samples: int) -> int:
    """Where the bits of a record of kind 1 end and its list begins, -1 where it is damaged."""
    behind = start + 1 + (n_samples + 7) // 8
    code = data[start] if behind <= end else np.uint8(0)
    return behind if (0 < code < 4) or code == 5 or code == 6 or code == 9 else -1


@leaf
def _copy_bits(data: np.ndarray, start: int, n_samples: int, out: np.ndarray) -> None:
    """Read the two common genotypes of a record of kind 1."""
    common, step = LOW * np.uint64(data[start] >> 2), np.uint64(data[start] & 3)
    for word in range(out.size):
        wide = load_word(data, start + 1 + 4 * word) & WORD
        wide = (wide | (wide << np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
        wide = (wide | (wide << np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
        wide = (wide | (wide << np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        wide = (wide | (wide << np.uint64(2))) & np.uint64(0x3333333333333333)
        out[word] = ((wide | (wide << ONE)) & LOW) * step + common
    clear_padding(out, n_samples)


@leaf
def decode_row(
    data: np.ndarray,
    start: int,
    end: int,
    kind: int,
    n_samples: int,
    reference: np.ndarray,
    out: np.ndarray,
    samples: np.ndarray,
    values: np.ndarray,
) -> bool:
    """Unpack one record into the row `out`; `reference` is the row that kinds 2 and 3 differ from.

    `samples` and `values` are room for `read_differences`. False where the record is damaged.
    """
    if kind == 0 or kind == BED:
        return _copy_row(data, start, end, n_samples, kind == BED, out)
    if kind == 1:
        behind = bits_place(data, start, end, n_samples)
        if behind < 0:
            return False
        _copy_bits(data, start, n_samples, out)
        start = behind
    elif kind == 2 or kind == 3:
        for word in range(out.size):
            out[word] = reference[word]
    elif kind == 5:
        return False
    else:
        for word in range(out.size):
            out[word] = LOW * np.uint64(kind & 3)
        clear_padding(out, n_samples)
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
    samples, values = np.empty(n_samples + ROOM, np.int32), np.empty((n_samples + ROOM) // 8, np.uint64)
    for row in range(out.shape[0]):
        kind = kinds[row]
        if not decode_row(data, starts[row], ends[row], kind, n_samples, reference, out[row], samples, values):
            return row
        if kind != 2 and kind != 3:
            reference = out[row]
    return -1


@leaf
def decode_dense(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    row: int,
    n_samples: int,
    reference: np.ndarray,
    out: np.ndarray,
    samples: np.ndarray,
    values: np.ndarray,
) -> bool:
    """Unpack record `row` into `out`, after what it differs from into `reference`. False where one is damaged."""
    kind, last = kinds[row], row - 1
    # where the row before differs from an earlier one, that one is in `reference` already
    if (kind == 2 or kind == 3) and last >= 0 and kinds[last] != 2 and kinds[last] != 3:
        if not decode_row(
            data, starts[last], ends[last], kinds[last], n_samples, reference, reference, samples, values
        ):
            return False
    return decode_row(data, starts[row], ends[row], kind, n_samples, reference, out, samples, values)
