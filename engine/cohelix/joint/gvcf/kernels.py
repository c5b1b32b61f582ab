"""gVCF text to columns.

Offsets are byte offsets into the chunk of text that was handed in. Missing integers are -1. Allele codes: 0 is REF, k the
k-th ALT, `NO_ALLELE` (-1) a dot, `ABSENT` (-2) the second allele of a haploid call.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel

BLOCK, VARIANT = 0, 1
NO_ALLELE, ABSENT = -1, -2

# What a FORMAT key means to the reader.
_SKIP, _GT, _DP, _MIN_DP, _GQ, _AD, _PL, _PS, _RR, _VR = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

# Columns of `lines`, the integer table that `tokenise` fills: one row per record.
(
    KIND, CONTIG, START, END, GQ, DP, ALLELE1, ALLELE2, PHASED, PHASE_SET, REF_AT, REF_LEN, ALT_AT, ALT_LEN, N_ALT,
    FILTER_AT, FILTER_LEN, AD_AT, AD_LEN, PL_AT, PL_LEN, RR, VR, N_COLUMNS,
) = range(24)  # fmt: skip

# Why `tokenise` stopped. The caller turns these into messages.
(
    OK, SHORT_ROW, BAD_POSITION, BAD_END, NO_GT, PLOIDY_OVER_2, ALLELE_OUT_OF_RANGE, UNKNOWN_CONTIG, EMPTY_ALLELE,
    BAD_NUMBER, MANY_SAMPLES, BAD_BASE, BAD_GT,
) = range(13)  # fmt: skip

_TAB, _NEWLINE, _COLON, _COMMA, _DOT, _HASH, _CR, _LESS = 9, 10, 58, 44, 46, 35, 13, 60
_MAX_FORMATS, _MAX_KEYS = 16, 64


@kernel
def count_lines(text: np.ndarray) -> int:
    """Number of newline bytes in `text` (uint8)."""
    lines = 0
    for i in range(text.size):
        if text[i] == 10:
            lines += 1
    return lines


@kernel
def _next(text: np.ndarray, at: int, end: int, stop: int) -> int:
    while at < end and text[at] != stop:
        at += 1
    return at


@kernel
def _same(text: np.ndarray, a: int, b: int, length: int) -> bool:
    for i in range(length):
        if text[a + i] != text[b + i]:
            return False
    return True


@kernel
def _integer(text: np.ndarray, at: int, end: int) -> int:
    """Non-negative integer part of text[at:end]; -1 for a dot or nothing, 0 for a negative number, -2 if not a number."""
    if at >= end or (text[at] == _DOT and end - at == 1):
        return -1
    negative = text[at] == 45
    if negative:
        at += 1
    value = 0
    if at >= end or text[at] < 48 or text[at] > 57:
        return -2
    while at < end and text[at] >= 48 and text[at] <= 57:
        value = min(value * 10 + (text[at] - 48), 2_000_000_000)
        at += 1
    if at < end and text[at] != _DOT and text[at] != 101:  # a fraction or an exponent may follow, nothing else
        return -2
    return 0 if negative else value


@kernel
def _role(text: np.ndarray, at: int, end: int) -> int:
    length = end - at
    if length == 2:
        a, b = text[at], text[at + 1]
        if a == 71:
            return _GT if b == 84 else (_GQ if b == 81 else _SKIP)
        if b == 80 and a == 68:
            return _DP
        if a == 65 and b == 68:
            return _AD
        if a == 80:
            return _PL if b == 76 else (_PS if b == 83 else _SKIP)
        if b == 82:
            return _RR if a == 82 else (_VR if a == 86 else _SKIP)
        return _SKIP
    if length == 6 and text[at] == 77 and text[at + 1] == 73 and text[at + 2] == 78 and text[at + 3] == 95:
        return _MIN_DP if text[at + 4] == 68 and text[at + 5] == 80 else _SKIP
    return _SKIP


@kernel
def _is_reference_alt(text: np.ndarray, at: int, length: int) -> bool:
    """`.`, `<NON_REF>`, `<*>` or `<X>`: the record says something about the reference only."""
    if length == 1:
        return text[at] == _DOT
    if text[at] != _LESS:
        return False
    if length == 3:
        return (text[at + 1] == 42 or text[at + 1] == 88) and text[at + 2] == 62
    if length != 9:
        return False
    return (
        text[at + 1] == 78 and text[at + 2] == 79 and text[at + 3] == 78 and text[at + 4] == 95
        and text[at + 5] == 82 and text[at + 6] == 69 and text[at + 7] == 70 and text[at + 8] == 62
    )  # fmt: skip


@kernel
def _info_end(text: np.ndarray, at: int, end: int) -> int:
    """Value of INFO/END in text[at:end]: -1 where there is none, -2 where it is no number."""
    i = at
    while i < end:
        if end - i > 4 and text[i] == 69 and text[i + 1] == 78 and text[i + 2] == 68 and text[i + 3] == 61:
            j = _next(text, i + 4, end, 59)
            value = _integer(text, i + 4, j)
            return -2 if value < 0 else value
        i = _next(text, i, end, 59) + 1
    return -1


@kernel
def _genotype(text: np.ndarray, at: int, end: int) -> tuple[int, int, int, int]:
    """(status, first allele, second allele, phased) of a GT field."""
    alleles = 0
    first, second, phased = NO_ALLELE, ABSENT, 0
    i = at
    while i <= end:
        j = i
        while j < end and text[j] != 47 and text[j] != 124:
            j += 1
        if j == i:
            return BAD_GT, 0, 0, 0
        allele = _integer(text, i, j)
        if allele == -2:
            return BAD_GT, 0, 0, 0
        if alleles == 0:
            first = allele
        elif alleles == 1:
            second = allele
        else:
            return PLOIDY_OVER_2, 0, 0, 0
        alleles += 1
        if j < end and text[j] == 124:
            phased = 1
        i = j + 1
    return OK, first, second, phased


@kernel
def _check_bases(text: np.ndarray, at: int, length: int) -> bool:
    """Whether text[at:at+length] is made of letters (IUPAC codes) only."""
    for i in range(at, at + length):
        c = text[i] | 32
        if c < 97 or c > 122:
            return False
    return True


@kernel
def tokenise(
    text: np.ndarray, contig_text: np.ndarray, contig_at: np.ndarray, first_contig: int, lines: np.ndarray
) -> tuple[int, int, int]:
    """Fill `lines` with the records of `text`, whole lines of one sample's gVCF without its header.

    text (bytes,) uint8. contig_text uint8 and contig_at (contigs + 1,) int64: the names of the header's contigs, one after
    another. first_contig: where the last chunk ended (a hint). lines (records, N_COLUMNS) int32, filled in place.
    Returns (records, status, byte offset of the line at fault).
    """
    formats_at = np.zeros(_MAX_FORMATS, np.int64)
    formats_len = np.zeros(_MAX_FORMATS, np.int64)
    roles = np.zeros((_MAX_FORMATS, _MAX_KEYS), np.int8)
    keys = np.zeros(_MAX_FORMATS, np.int64)
    known_formats = 0
    next_slot = 0
    contig = first_contig
    n_contigs = contig_at.size - 1
    size = text.size
    at = 0
    n = 0
    while at < size:
        line_at = at
        end = _next(text, at, size, _NEWLINE)
        at = end + 1
        if end > line_at and text[end - 1] == _CR:
            end -= 1
        if end == line_at or text[line_at] == _HASH:
            continue
        row = lines[n]
        # CHROM
        i = _next(text, line_at, end, _TAB)
        length = i - line_at
        match = False
        for attempt in range(n_contigs + 1):
            candidate = contig if attempt == 0 else attempt - 1
            if candidate < 0 or contig_at[candidate + 1] - contig_at[candidate] != length:
                continue
            match = True
            for k in range(length):
                if contig_text[contig_at[candidate] + k] != text[line_at + k]:
                    match = False
                    break
            if match:
                contig = candidate
                break
        if not match:
            return n, UNKNOWN_CONTIG, line_at
        # POS, ID, REF, ALT, QUAL, FILTER, INFO, FORMAT
        p = i + 1
        i = _next(text, p, end, _TAB)
        position = _integer(text, p, i)
        if i >= end:
            return n, SHORT_ROW, line_at
        if position < 1:
            return n, BAD_POSITION, line_at
        i = _next(text, i + 1, end, _TAB)
        ref_at = i + 1
        i = _next(text, ref_at, end, _TAB)
        ref_len = i - ref_at
        alt_at = i + 1
        i = _next(text, alt_at, end, _TAB)
        alt_len = i - alt_at
        i = _next(text, i + 1, end, _TAB)
        filter_at = i + 1
        i = _next(text, filter_at, end, _TAB)
        filter_len = i - filter_at
        info_at = i + 1
        info_end = _next(text, info_at, end, _TAB)
        format_at = info_end + 1
        format_end = _next(text, format_at, end, _TAB)
        if format_end >= end:
            return n, SHORT_ROW, line_at
        if ref_len < 1 or alt_len < 1:
            return n, EMPTY_ALLELE, line_at
        if not _check_bases(text, ref_at, ref_len):
            return n, BAD_BASE, line_at
        kind = BLOCK if _is_reference_alt(text, alt_at, alt_len) else VARIANT
        start = position - 1
        stop = start + ref_len
        n_alt = 1
        if kind == BLOCK:
            n_alt = 0 if text[alt_at] == _DOT else 1
            value = _info_end(text, info_at, info_end)
            if value != -1:
                if value < position:
                    return n, BAD_END, line_at
                stop = value
        else:
            last = alt_at
            for k in range(alt_at, alt_at + alt_len):
                if text[k] == _COMMA:
                    n_alt += 1
                    last = k + 1
            if n_alt > 1 and _is_reference_alt(text, last, alt_at + alt_len - last):
                alt_len = last - 1 - alt_at  # the unnamed alternate is always last; it is known by its number
        # FORMAT: seen before, or read its keys
        f = -1
        for k in range(known_formats):
            if formats_len[k] == format_end - format_at and _same(text, formats_at[k], format_at, formats_len[k]):
                f = k
                break
        if f < 0:
            f = next_slot
            next_slot = (next_slot + 1) % _MAX_FORMATS
            known_formats = min(known_formats + 1, _MAX_FORMATS)
            formats_at[f] = format_at
            formats_len[f] = format_end - format_at
            keys[f] = 0
            k = format_at
            while k <= format_end and keys[f] < _MAX_KEYS:
                j = _next(text, k, format_end, _COLON)
                roles[f, keys[f]] = _role(text, k, j)
                keys[f] += 1
                k = j + 1
        # the one sample
        for k in range(N_COLUMNS):
            row[k] = -1
        has_gt = False
        min_dp = -1
        k = format_end + 1
        number = 0
        while k <= end:
            j = k
            while j < end and text[j] != _COLON and text[j] != _TAB:
                j += 1
            role = roles[f, number] if number < keys[f] else _SKIP
            if role == _GT:
                status, first, second, phased = _genotype(text, k, j)
                if status != OK:
                    return n, status, line_at
                named = n_alt if n_alt > 0 else 1 << 30  # ALT `.` names nothing: the caller takes it as a no-call
                if first > named or second > named:
                    return n, ALLELE_OUT_OF_RANGE, line_at
                row[ALLELE1] = first
                row[ALLELE2] = second
                row[PHASED] = phased
                has_gt = True
            elif role == _AD:
                row[AD_AT] = k
                row[AD_LEN] = j - k
            elif role == _PL:
                row[PL_AT] = k
                row[PL_LEN] = j - k
            elif role != _SKIP:
                value = _integer(text, k, j)
                if value == -2:
                    return n, BAD_NUMBER, line_at
                if role == _DP:
                    row[DP] = value
                elif role == _MIN_DP:
                    min_dp = value
                elif role == _GQ:
                    row[GQ] = value
                elif role == _PS:
                    row[PHASE_SET] = value
                elif role == _RR:
                    row[RR] = value
                else:
                    row[VR] = value
            number += 1
            if j < end and text[j] == _TAB:
                return n, MANY_SAMPLES, line_at
            k = j + 1
        if not has_gt:
            return n, NO_GT, line_at
        if kind == BLOCK and min_dp >= 0:
            row[DP] = min_dp
        row[KIND] = kind
        row[CONTIG] = contig
        row[START] = start
        row[END] = stop
        row[REF_AT] = ref_at
        row[REF_LEN] = ref_len
        row[ALT_AT] = alt_at
        row[ALT_LEN] = alt_len
        row[N_ALT] = n_alt
        row[FILTER_AT] = filter_at
        row[FILTER_LEN] = filter_len
        n += 1
    return n, OK, 0


@kernel
def gather(text: np.ndarray, at: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copy the slices text[at:at+length] one after another.

    Returns (offsets (slices + 1,) int32, bytes uint8): the two buffers of an Arrow string array. A length below 0 is taken as 0.
    """
    offsets = np.zeros(at.size + 1, np.int32)
    for i in range(at.size):
        offsets[i + 1] = offsets[i] + max(length[i], 0)
    data = np.empty(offsets[at.size], np.uint8)
    for i in range(at.size):
        base = offsets[i]
        for k in range(offsets[i + 1] - base):
            data[base + k] = text[at[i] + k]
    return offsets, data


@kernel
def number_lists(
    text: np.ndarray, at: np.ndarray, length: np.ndarray, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Comma-separated integers of each slice, at most `limit` of them (the rest belong to the unnamed alternate).

    Returns (offsets (slices + 1,) int32, values int32 with -1 for a dot, first slice at fault or -1). A slice that is absent
    (length below 1) or just a dot gives an empty list.
    """
    offsets = np.zeros(at.size + 1, np.int32)
    for i in range(at.size):
        n = 0
        if length[i] > 1 or (length[i] == 1 and text[at[i]] != _DOT):
            n = 1
            for k in range(at[i], at[i] + length[i]):
                if text[k] == _COMMA:
                    n += 1
        offsets[i + 1] = offsets[i] + min(n, limit[i])
    values = np.empty(offsets[at.size], np.int32)
    for i in range(at.size):
        k = at[i]
        stop = at[i] + length[i]
        for out in range(offsets[i], offsets[i + 1]):
            j = _next(text, k, stop, _COMMA)
            value = _integer(text, k, j)
            if value == -2:
                return offsets, values, i
            values[out] = value
            k = j + 1
    return offsets, values, -1


@kernel
def first_disorder(contig: np.ndarray, start: np.ndarray, last_contig: int, last_start: int) -> int:
    """Index of the first record that starts before its forerunner on the same contig; -1 where all are in order."""
    for i in range(start.size):
        if contig[i] == last_contig and start[i] < last_start:
            return i
        last_contig = contig[i]
        last_start = start[i]
    return -1
