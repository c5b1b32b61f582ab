"""Loops over the genotypes of one record: arrays in, arrays out.

Codes are those of `cohelix.pgx.genotype`: the first allele in the low four bits, the second in the high ones; 14 no
second allele, 15 missing. `codes_of` uint8: by the alleles of the record, its REF first, the allele of the site, or 13
for one that cannot be used.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel

UNUSABLE, ABSENT, MISSING, NO_CALL = 13, 14, 15, 255
UNPHASED, PHASED = 0, 1
AUTOSOME, X, HAPLOID = 0, 1, 2

HALF_CALL, SYMBOLIC, DEPTHS, MORE_COPIES, SEX_UNKNOWN, ONE_COPY_HET, TWICE, CONFLICT = range(8)
REASONS = (
    "half_call_of_reference",  # missing: the other allele may be anything
    "symbolic_allele",  # missing: `*`, <DEL>, N
    "depth_of_one_allele",  # missing: heterozygous, reads of one allele
    "more_than_two_alleles",  # the first two are read
    "sex_unknown",  # missing
    "heterozygous_one_copy",  # missing: where one copy exists
    "position_twice",  # the first record that has a genotype is read
    "rows_in_conflict",  # missing: rows of one locus that exclude one another
)
"""Reasons that the kernels count, by index."""


@kernel
def read_line(
    line: np.ndarray, codes_of: np.ndarray, ploidy: int, ps_field: int, ad_field: int, n_alleles: int,
    codes: np.ndarray, phase: np.ndarray, sets: np.ndarray, counts: np.ndarray,
) -> int:  # fmt: skip
    """Read the sample columns `line` uint8 of a VCF line (GT first) into codes, phase uint8 (n,) and sets int32 (n,).

    ps_field, ad_field: places of PS and AD in FORMAT, 0 for none; sets: phase set of a phased genotype, -1 none. counts
    int64 grow. Returns -1, or the index of the first column that cannot be read (n: columns are left over).
    """
    at, size, n = 0, line.size, codes.size
    for sample in range(n):
        if at > size or (sample > 0 and line[at - 1] != 9):
            return sample
        first, second, tokens, called, split = -1, -1, 0, 0, False
        low, high, unusable = 0, 0, False
        while True:
            value = -1
            if at < size and line[at] == 46:
                at += 1
            else:
                value, digits = 0, 0
                while at < size and 48 <= line[at] <= 57:
                    value = min(value * 10 + int(np.int64(line[at])) - 48, 32767)
                    digits += 1
                    at += 1
                if digits == 0 or value >= n_alleles:
                    return sample
                low, high = (value, value) if called == 0 else (min(low, value), max(high, value))
                called += 1
                unusable = unusable or codes_of[value] == UNUSABLE
            if tokens == 0:
                first = value
            elif tokens == 1:
                second = value
            tokens += 1
            if at < size and (line[at] == 47 or line[at] == 124):
                split = split or line[at] == 47
                at += 1
                continue
            break
        if at < size and line[at] != 58 and line[at] != 9:
            return sample
        field, depths, with_reads, group = 0, 0, 0, -1
        while at < size and line[at] != 9:
            if line[at] == 58:
                field += 1
                at += 1
                if (field == ps_field or field == ad_field) and at < size:
                    begin = at
                    while at < size and line[at] != 58 and line[at] != 9:
                        at += 1
                    if field == ps_field:
                        group = _phase_set(line, begin, at)
                    else:
                        depths, with_reads = _depths(line, begin, at)
            else:
                at += 1
        at += 1
        phase[sample] = UNPHASED if split else PHASED
        if sets.size > 0:
            sets[sample] = -1 if split else group
        if tokens > 2:
            counts[MORE_COPIES] += 1
        if called == 0:
            codes[sample] = NO_CALL
        elif unusable:
            codes[sample] = NO_CALL
            counts[SYMBOLIC] += 1
        elif low != high and depths == n_alleles and with_reads == 1:
            codes[sample] = NO_CALL
            counts[DEPTHS] += 1
        else:
            codes[sample] = _code(codes_of, first, second, ploidy, counts)
    return -1 if at > size else n


@kernel
def _code(codes_of: np.ndarray, first: int, second: int, ploidy: int, counts: np.ndarray) -> int:
    """The code of alleles of a record, -1 for one that is missing; not both are."""
    if ploidy == HAPLOID or (ploidy == X and (first < 0 or second < 0)):
        return codes_of[first if first >= 0 else second] | ABSENT << 4
    if first >= 0 and second >= 0:
        return codes_of[first] | codes_of[second] << 4
    one = codes_of[first if first >= 0 else second]
    if one == 0:
        counts[HALF_CALL] += 1
        return NO_CALL
    return one | MISSING << 4 if first >= 0 else MISSING | one << 4


@kernel
def _phase_set(line: np.ndarray, begin: int, end: int) -> int:
    """Number of a phase set: its value, or of a text something that stands for it; -1 for none."""
    if end == begin or (end == begin + 1 and line[begin] == 46):
        return -1
    value = 0
    for at in range(begin, end):
        digit = int(np.int64(line[at])) - 48
        value = (value * 10 + digit if 0 <= digit <= 9 else value * 257 + digit + 48) & 0x7FFFFFFF
    return value


@kernel
def _depths(line: np.ndarray, begin: int, end: int) -> tuple[int, int]:
    """(values, values above zero) of an AD field; none where a value is missing."""
    values, above, at = 0, 0, begin
    while at < end:
        positive, digits = False, 0
        while at < end and line[at] != 44:
            if not 48 <= line[at] <= 57:
                return 0, 0
            positive = positive or line[at] != 48
            digits += 1
            at += 1
        if digits == 0:
            return 0, 0
        values += 1
        above += positive
        at += 1
    return values, above


@kernel
def place_pairs(
    pairs: np.ndarray, codes_of: np.ndarray, copies: np.ndarray, codes: np.ndarray, counts: np.ndarray
) -> None:
    """Codes uint8 (n,) of `pairs` int32 (n, 2), alleles of the record, negative where missing.

    copies uint8 (n,): 2, 1, or 0 where it is not known how many there are. counts int64 grow.
    """
    for sample in range(codes.size):
        first, second = pairs[sample, 0], pairs[sample, 1]
        codes[sample] = NO_CALL
        if first < 0 or second < 0:
            continue
        if codes_of[first] == UNUSABLE or codes_of[second] == UNUSABLE:
            counts[SYMBOLIC] += 1
        elif copies[sample] == 2:
            codes[sample] = codes_of[first] | codes_of[second] << 4
        elif copies[sample] == 0:
            counts[SEX_UNKNOWN] += 1
        elif first != second:
            counts[ONE_COPY_HET] += 1
        else:
            codes[sample] = codes_of[first] | ABSENT << 4


@kernel
def one_copy(codes: np.ndarray, phase: np.ndarray, copies: np.ndarray, counts: np.ndarray) -> None:
    """Where one copy exists (copies uint8 (n,) is 1), two equal alleles become one and two different ones missing."""
    for sample in range(codes.size):
        first, second = codes[sample] & 15, codes[sample] >> 4
        if copies[sample] != 1 or codes[sample] == NO_CALL or second == ABSENT:
            continue
        if first != second:
            codes[sample] = NO_CALL
            counts[ONE_COPY_HET] += 1
        else:
            codes[sample] = first | ABSENT << 4
            phase[sample] = PHASED


@kernel
def keep_first(
    codes: np.ndarray, phase: np.ndarray, sets: np.ndarray, new: np.ndarray, new_phase: np.ndarray,
    new_sets: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    """Genotypes of a further record of the same alleles, where there was none. Arrays (n,); sets may be empty."""
    for sample in range(codes.size):
        if new[sample] == NO_CALL:
            continue
        if codes[sample] != NO_CALL:
            counts[TWICE] += 1
            continue
        codes[sample], phase[sample] = new[sample], new_phase[sample]
        if sets.size > 0:
            sets[sample] = new_sets[sample]


@kernel
def join_rows(
    codes: np.ndarray, phase: np.ndarray, sets: np.ndarray, new: np.ndarray, new_phase: np.ndarray,
    new_sets: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    """Merge rows of one site that speak of different ALTs, in place. Arrays (n,); sets may be empty.

    In each row a copy of another row's ALT is written as REF or as missing. Without a genotype in one row, only two
    ALTs of the other are a genotype.
    """
    for sample in range(codes.size):
        old, more = int(np.int64(codes[sample])), int(np.int64(new[sample]))
        if old == NO_CALL or more == NO_CALL:
            one = more if old == NO_CALL else old
            full = 0 < (one & 15) < UNUSABLE and one >> 4 != 0 and one >> 4 != MISSING
            if old == NO_CALL and full:
                phase[sample] = new_phase[sample]
                if sets.size > 0:
                    sets[sample] = new_sets[sample]
            codes[sample] = one if full else NO_CALL
            continue
        together = phase[sample] != UNPHASED and new_phase[sample] != UNPHASED
        joined = _joined(old & 15, old >> 4, more & 15, more >> 4, together)
        if joined < 0:
            counts[CONFLICT] += 1
            joined = NO_CALL
        if sets.size > 0 and (old & 15) == (old >> 4):
            sets[sample] = new_sets[sample]
        codes[sample] = joined
        if not together:
            phase[sample] = UNPHASED


@kernel
def _joined(a: int, b: int, c: int, d: int, phased: bool) -> int:
    """The genotype of a/b in one row and c/d in another; -1 where they exclude one another."""
    if (b == ABSENT) != (d == ABSENT):
        return -1
    if phased or b == ABSENT:
        first, second = _strand(a, c), ABSENT if b == ABSENT else _strand(b, d)
    else:
        first, second, found = 0, 0, 0
        for allele in (a, b, c, d):
            if 0 < allele < UNUSABLE:
                found += 1
                first, second = (allele, second) if found == 1 else (first, allele)
        if found > 2:
            return -1
        if MISSING in (a, b, c, d):
            first, second = (first if found > 0 else MISSING), (second if found > 1 else MISSING)
        if found == 2 and first > second:
            first, second = second, first
        elif found == 1 and second == 0:
            first, second = 0, first
    if first < 0 or second < 0:
        return -1
    if (first == MISSING and (second == 0 or second == MISSING)) or (second == MISSING and first == 0):
        return NO_CALL
    return first | second << 4


@kernel
def _strand(a: int, b: int) -> int:
    """The allele of one strand that is `a` in one row and `b` in another; -1 for two ALTs."""
    if a == 0 or (a == MISSING and b != 0):
        return b
    return a if b == 0 or b == MISSING else -1


@kernel
def phase_of_row(codes: np.ndarray, phase: np.ndarray) -> int:
    """The phase that all genotypes of the row (n,) have, 254 where there is none, 255 where they differ."""
    found = 254
    for sample in range(codes.size):
        if codes[sample] != NO_CALL:
            if found == 254:
                found = int(np.int64(phase[sample]))
            elif found != phase[sample]:
                return 255
    return found


@kernel
def phase_of_homozygous(codes: np.ndarray, phase: np.ndarray) -> None:
    """Of a file that keeps phase with heterozygous genotypes only: PHASED for the others too, in place, of each person
    whose heterozygous genotypes all are. codes, phase uint8 (P, n)."""
    for sample in range(codes.shape[1]):
        whole = True
        for row in range(codes.shape[0]):
            code = codes[row, sample]
            if code != NO_CALL and (code & 15) != code >> 4 and phase[row, sample] == UNPHASED:
                whole = False
        for row in range(codes.shape[0]):
            code = codes[row, sample]
            if (code & 15) == code >> 4 or code >> 4 == ABSENT:
                phase[row, sample] = PHASED if whole or code >> 4 == ABSENT else UNPHASED


@kernel
def number_sets(phase: np.ndarray, sets: np.ndarray) -> None:
    """Phase sets of each person's gene, numbered from 2 as they are met, into phase (P, n). sets int32 (P, n)."""
    known = np.empty(sets.shape[0], np.int32)
    for sample in range(sets.shape[1]):
        n_known = 0
        for row in range(sets.shape[0]):
            value = sets[row, sample]
            if value < 0 or phase[row, sample] == UNPHASED:
                continue
            number = 0
            while number < n_known and known[number] != value:
                number += 1
            if number == n_known:
                known[n_known] = value
                n_known += 1
            phase[row, sample] = min(2 + number, 255)
