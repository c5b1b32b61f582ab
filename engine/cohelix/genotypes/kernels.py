"""Loops over genotypes: arrays in, arrays out.

A genotype block is int8 (variants, samples): 0, 1, 2, -9. `genotype & 3` is 0, 1, 2, and 3 for missing.
Ploidy comes as one row of uint8 per class of sites (0 no copy, 1, 2) and the class of each variant.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel

ABSENT = -2
"""Second allele of a haploid call."""

UNKNOWN = -1
"""An allele written as `.`."""


@kernel
def drop_conflicts(block: np.ndarray, classes: np.ndarray, ploidy: np.ndarray) -> int:
    """Set to -9, in place, hets where one copy exists and calls where none does. Returns how many."""
    dropped = 0
    for row in range(block.shape[0]):
        copies = ploidy[classes[row]]
        for sample in range(block.shape[1]):
            genotype = block[row, sample] & 3
            if (copies[sample] == 1 and genotype == 1) or (copies[sample] == 0 and genotype != 3):
                block[row, sample] = -9
                dropped += 1
    return dropped


@kernel
def parse_gt(line: np.ndarray, alleles: np.ndarray) -> int:
    """Read GT of each sample from `line` uint8 (the sample columns of a VCF line, GT first) into int16 (samples, 2).

    `UNKNOWN` stands for `.`, `ABSENT` for the second allele of a haploid call. Returns -1, or the index of the first
    sample whose GT cannot be read (the number of samples, where columns are left over).
    """
    at, size = 0, line.size
    for sample in range(alleles.shape[0]):
        if at > size or (sample > 0 and (at == 0 or line[at - 1] != 9)):
            return sample
        alleles[sample, 1] = ABSENT
        copy = 0
        while True:
            if at >= size or copy > 1:
                return sample
            if line[at] == 46:
                value = np.int64(UNKNOWN)
                at += 1
            else:
                value, digits = np.int64(0), 0
                while at < size and 48 <= line[at] <= 57:
                    value = min(value * 10 + np.int64(line[at]) - 48, np.int64(32767))
                    digits += 1
                    at += 1
                if digits == 0:
                    return sample
            alleles[sample, copy] = value
            copy += 1
            if at < size and (line[at] == 47 or line[at] == 124):
                at += 1
                continue
            break
        if at < size and line[at] != 58 and line[at] != 9:
            return sample
        while at < size and line[at] != 9:
            at += 1
        at += 1
    return -1 if at > size else alleles.shape[0]


@kernel
def allele_row(alleles: np.ndarray, allele: int, star: int, order: np.ndarray, out: np.ndarray) -> int:
    """Copies of `allele` per sample into `out` int8, sample s to `out[order[s]]`; -9 where any copy is `.` or `star`.

    A haploid call counts double. Other alleles count as not this one. Returns how many of the missing genotypes
    know at least one copy (half calls and spanning deletions).
    """
    partial = 0
    for sample in range(alleles.shape[0]):
        first, second = alleles[sample, 0], alleles[sample, 1]
        if second == ABSENT:
            second = first
        if first == UNKNOWN or second == UNKNOWN or first == star or second == star:
            out[order[sample]] = -9
            partial += not (first == UNKNOWN and second == UNKNOWN)
        else:
            out[order[sample]] = np.int8(first == allele) + np.int8(second == allele)
    return partial


@kernel
def pack_bed(block: np.ndarray, out: np.ndarray) -> None:
    """PLINK 1 bytes of an int8 block into `out` uint8 (variants, ceil(samples / 4)), A1 the alternate allele."""
    n_samples = block.shape[1]
    for row in range(block.shape[0]):
        for byte in range(out.shape[1]):
            packed = 0
            for slot in range(min(4, n_samples - 4 * byte)):
                genotype = block[row, 4 * byte + slot] & 3
                # 0, 1, 2, missing are 11, 10, 00, 01 in a .bed file
                packed |= ((0b01001011 >> (2 * genotype)) & 3) << (2 * slot)
            out[row, byte] = packed
