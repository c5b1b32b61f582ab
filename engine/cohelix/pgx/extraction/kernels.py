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


_FIRST, _SECOND, _TOKENS, _CALLED, _LOW, _HIGH, _SPLIT, _UNUSABLE, _SET, _DEPTHS, _WITH_READS = range(11)
"""What is found of one genotype: its first two alleles, how many are written and called, the lowest and highest, a
slash, one that cannot be used; its phase set; depths, and how many are above zero."""


@kernel
def read_line(
    line: np.ndarray, codes_of: np.ndarray, ploidy: int, fields: tuple[int, int], codes: np.ndarray, phase: np.ndarray,
    sets: np.ndarray, counts: np.ndarray,
) -> int:  # fmt: skip
    """Read the sample columns `line` uint8 of a VCF line (GT first) into codes, phase uint8 (n,) and sets int32 (n,).

    fields: places of PS and AD in FORMAT, 0 for none; sets: phase set of a phased genotype, -1 none. counts int64 grow.
    Returns -1, or the index of the first column that cannot be read (n: columns are left over).
    """
    at, size, n = 0, line.size, codes.size
    found = np.empty(11, np.int64)
    for sample in range(n):
        if at > size or (sample > 0 and line[at - 1] != 9):
            return sample
        if ploidy != HAPLOID and at + 3 <= size and (at + 3 == size or line[at + 3] == 9):
            # nearly all there is: two alleles of one digit
            first, second, separator = np.int64(line[at]) - 48, np.int64(line[at + 2]) - 48, line[at + 1]
            plain = 0 <= first <= 9 and 0 <= second <= 9 and (separator == 47 or separator == 124)
            if plain and first < codes_of.size and second < codes_of.size:
                if codes_of[first] != UNUSABLE and codes_of[second] != UNUSABLE:
                    codes[sample] = codes_of[first] | codes_of[second] << 4
                    phase[sample] = UNPHASED if separator == 47 else PHASED
                    if sets.size > 0:
                        sets[sample] = -1
                    at += 4
                    continue
        at = _read_gt(line, at, codes_of, found)
        if at < 0 or (at < size and line[at] != 58 and line[at] != 9):
            return sample
        at = _read_fields(line, at, fields, found) + 1
        split = found[_SPLIT] == 1
        phase[sample] = UNPHASED if split else PHASED
        if sets.size > 0:
            sets[sample] = -1 if split else found[_SET]
        counts[MORE_COPIES] += found[_TOKENS] > 2
        codes[sample] = NO_CALL
        if found[_CALLED] == 0:
            continue
        if found[_UNUSABLE] == 1:
            counts[SYMBOLIC] += 1
        elif found[_LOW] != found[_HIGH] and found[_DEPTHS] == codes_of.size and found[_WITH_READS] == 1:
            counts[DEPTHS] += 1
        elif found[_FIRST] >= 0 or found[_SECOND] >= 0:  # of three alleles the first two count
            codes[sample] = _code(codes_of, found[_FIRST], found[_SECOND], ploidy, found[_TOKENS])
    return -1 if at > size else n


@kernel
def _read_gt(line: np.ndarray, at: int, codes_of: np.ndarray, found: np.ndarray) -> int:
    """Read GT from `at` on into `found`; where it ends, or -1 where it is none."""
    size = line.size
    found[:] = 0
    found[_FIRST] = found[_SECOND] = found[_SET] = -1
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
            if digits == 0 or value >= codes_of.size:
                return -1
            found[_LOW] = value if found[_CALLED] == 0 else min(found[_LOW], value)
            found[_HIGH] = max(found[_HIGH], value)
            found[_CALLED] += 1
            if codes_of[value] == UNUSABLE:
                found[_UNUSABLE] = 1
        if found[_TOKENS] < 2:
            found[_FIRST + found[_TOKENS]] = value
        found[_TOKENS] += 1
        if at >= size or (line[at] != 47 and line[at] != 124):
            return at
        if line[at] == 47:
            found[_SPLIT] = 1
        at += 1


@kernel
def _read_fields(line: np.ndarray, at: int, fields: tuple[int, int], found: np.ndarray) -> int:
    """Read the fields behind GT that are asked for; where the column ends."""
    size, field = line.size, 0
    while at < size and line[at] != 9:
        field += line[at] == 58
        at += 1
        if line[at - 1] == 58 and (field == fields[0] or field == fields[1]):
            begin = at
            while at < size and line[at] != 58 and line[at] != 9:
                at += 1
            if field == fields[0]:
                found[_SET] = _phase_set(line, begin, at)
            else:
                found[_DEPTHS], found[_WITH_READS] = _depths(line, begin, at)
    return at


@kernel
def _code(codes_of: np.ndarray, first: int, second: int, ploidy: int, tokens: int) -> int:
    """The code of alleles of a record, -1 for one that is missing; not both are. tokens: how many are written."""
    if ploidy == HAPLOID or (ploidy == X and tokens == 1):
        return codes_of[first if first >= 0 else second] | ABSENT << 4
    if first >= 0 and second >= 0:
        return codes_of[first] | codes_of[second] << 4
    return codes_of[first] | MISSING << 4 if first >= 0 else MISSING | codes_of[second] << 4


@kernel
def drop_half_references(codes: np.ndarray) -> int:
    """Set to missing, in place, genotypes of REF and a missing allele (P, n): kept so far, as rows of another ALT may
    have known that one. Returns how many there were."""
    dropped = 0
    for row in range(codes.shape[0]):
        for sample in range(codes.shape[1]):
            if codes[row, sample] != NO_CALL and _is_missing(codes[row, sample]):
                codes[row, sample] = NO_CALL
                dropped += 1
    return dropped


@kernel
def _is_missing(code: int) -> bool:
    """Whether a genotype says nothing: both alleles missing, or one and the other REF."""
    return code == NO_CALL or code == MISSING << 4 or code == MISSING


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
    """Where one copy exists (copies uint8 (n,) is 1), two equal alleles become one and two different ones missing; of
    half a genotype the half that was seen is that copy."""
    for sample in range(codes.size):
        first, second = codes[sample] & 15, codes[sample] >> 4
        if copies[sample] != 1 or codes[sample] == NO_CALL or second == ABSENT:
            continue
        if first == second or second == MISSING:
            codes[sample] = first | ABSENT << 4
            phase[sample] = PHASED
        elif first == MISSING:
            codes[sample] = second | ABSENT << 4
            phase[sample] = PHASED
        else:
            codes[sample] = NO_CALL
            counts[ONE_COPY_HET] += 1


@kernel
def keep_first(
    codes: np.ndarray, phase: np.ndarray, sets: np.ndarray, new: np.ndarray, new_phase: np.ndarray,
    new_sets: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    """Genotypes of a further record of the same alleles, where there was none. Arrays (n,); sets may be empty."""
    for sample in range(codes.size):
        if _is_missing(new[sample]):
            continue
        if not _is_missing(codes[sample]):
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
            two = code != NO_CALL and code >> 4 != ABSENT
            if two and (code & 15) != code >> 4 and phase[row, sample] == UNPHASED:
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
