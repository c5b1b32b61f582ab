"""gVCF text to columns.

Offsets are byte offsets into the chunk of text that was handed in. Missing integers are -1. Allele codes: 0 is REF,
k the k-th ALT, `NO_ALLELE` (-1) a dot, `ABSENT` (-2) the second allele of a haploid call.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel, leaf

BLOCK, VARIANT = 0, 1
NO_ALLELE, ABSENT = -1, -2

# Columns of `lines`, the integer table that `tokenise` fills: one row per record.
(
    KIND, CONTIG, START, END, GQ, DP, ALLELE1, ALLELE2, PHASED, PHASE_SET, REF_AT, REF_LEN, ALT_AT, ALT_LEN, N_ALT,
    FILTER_AT, FILTER_LEN, AD_AT, AD_LEN, PL_AT, PL_LEN, RR, VR, DEPTH, N_COLUMNS,
) = range(25)  # fmt: skip

# What a FORMAT key means to the reader: the column that its value goes to, or one of these.
_SKIP, _MIN_DP = -1, -2
_KEYS = np.frombuffer(b"GTGQDPADPLPSRRVRMIN_DP", np.uint8)
_KEY_COLUMNS = np.array([ALLELE1, GQ, DP, AD_AT, PL_AT, PHASE_SET, RR, VR], np.int8)
_NON_REF = np.frombuffer(b"<NON_REF>", np.uint8)

# Why `tokenise` stopped. The caller turns these into messages.
(
    OK, SHORT_ROW, BAD_POSITION, BAD_END, NO_GT, PLOIDY_OVER_2, ALLELE_OUT_OF_RANGE, UNKNOWN_CONTIG, EMPTY_ALLELE,
    BAD_NUMBER, MANY_SAMPLES, BAD_BASE, BAD_GT,
) = range(13)  # fmt: skip

_TAB, _NEWLINE, _CR, _HASH, _PLUS, _COMMA, _MINUS, _DOT, _COLON, _LESS = 9, 10, 13, 35, 43, 44, 45, 46, 58, 60
_MAX_FORMATS, _MAX_KEYS = 16, 64


@leaf
def count_lines(text: np.ndarray) -> int:
    """Number of newline bytes in `text` (uint8)."""
    lines = 0
    for i in range(text.size):
        if text[i] == 10:
            lines += 1
    return lines


@leaf
def _byte(text: np.ndarray, i: int) -> int:
    """text[i] of an i that is not negative; told so, Numba leaves out a look at its sign: half the time of a scan."""
    return text[np.uint64(i)]


@leaf
def _next(text: np.ndarray, at: int, end: int, stop: int) -> int:
    while at < end and _byte(text, at) != stop:
        at += 1
    return at


@leaf
def _same(text: np.ndarray, at: int, other: np.ndarray, other_at: int, length: int) -> bool:
    for i in range(length):
        if _byte(text, at + i) != _byte(other, other_at + i):
            return False
    return True


@leaf
def _digits(text: np.ndarray, at: int, end: int, stop: int) -> tuple[int, int]:
    """(number, its end) of the digits from `at` to `end` or to the byte `stop`; -1 for none, -2 where others follow.

    A number above 2e9 is taken for 2e9.
    """
    value, i = 0, at
    while i < end:
        c = int(_byte(text, i))
        if c < 48 or c > 57:
            if c != stop:
                return -2, i
            break
        value = value * 10 + (c - 48)
        if i - at >= 9:
            value = min(value, 2_000_000_000)
        i += 1
    return (value if i > at else -1), i


@leaf
def _whole(text: np.ndarray, at: int, end: int) -> int:
    """The digits text[at:end] as a number; -1 for a dot or nothing, -2 if there is anything but digits."""
    value, i = _digits(text, at, end, 0)
    if value == -2 and text[at] == _DOT and end - at == 1:
        return -1
    return value if i == end else -2


@leaf
def _number(text: np.ndarray, at: int, end: int) -> int:
    """text[at:end] rounded down, 0 if negative; -1 for a dot or nothing, -2 if no number (`-3` and `1.3e-05` are)."""
    value = _whole(text, at, end)
    return value if value != -2 else _decimal(text, at, end)


@leaf
def _decimal(text: np.ndarray, at: int, end: int) -> int:
    negative = text[at] == _MINUS
    at += negative
    value, digits, places, exponent = 0.0, 0, -1, 0
    while at < end and (text[at] == _DOT or 48 <= text[at] <= 57):
        if text[at] == _DOT:
            if places >= 0:
                return -2
            places = 0
        else:
            value = value * 10 + (text[at] - 48)
            digits += 1
            places += places >= 0
        at += 1
    if at < end and (text[at] | 32) == 101:
        down = at + 1 < end and text[at + 1] == _MINUS
        at += 2 if down or (at + 1 < end and text[at + 1] == _PLUS) else 1
        exponent = _whole(text, at, end)
        if exponent < 0:
            return -2
        exponent, at = (-exponent if down else exponent), end
    if at < end or digits == 0:
        return -2
    value *= 10.0 ** (exponent - max(places, 0))
    return 0 if negative else int(min(value, 2e9))


@leaf
def _role(text: np.ndarray, at: int, end: int) -> int:
    """What the FORMAT key text[at:end] means."""
    if end - at == 6 and _same(text, at, _KEYS, 16, 6):
        return _MIN_DP
    for i in range(_KEY_COLUMNS.size):
        if end - at == 2 and _same(text, at, _KEYS, 2 * i, 2):
            return _KEY_COLUMNS[i]
    return _SKIP


@leaf
def _is_reference_alt(text: np.ndarray, at: int, length: int) -> bool:
    """`.`, `<NON_REF>`, `<*>` or `<X>`: the record says something about the reference only."""
    if length == 1:
        return text[at] == _DOT
    if text[at] != _LESS:
        return False
    if length == 3:
        return (text[at + 1] == 42 or text[at + 1] == 88) and text[at + 2] == 62
    return length == 9 and _same(text, at, _NON_REF, 0, 9)


@leaf
def _info_end(text: np.ndarray, at: int, end: int) -> int:
    """Value of INFO/END in text[at:end]: -1 where there is none, -2 where it is no number."""
    i = at
    while i < end:
        if end - i >= 4 and text[i] == 69 and text[i + 1] == 78 and text[i + 2] == 68 and text[i + 3] == 61:
            value, _ = _digits(text, i + 4, end, 59)
            return -2 if value < 0 else value
        i = _next(text, i, end, 59) + 1
    return -1


@leaf
def _genotype(text: np.ndarray, at: int, end: int) -> tuple[int, int, int, int]:
    """(status, first allele, second allele, phased) of a GT field."""
    if end - at == 3 and (text[at + 1] == 47 or text[at + 1] == 124):  # nearly all are
        if 48 <= text[at] <= 57 and 48 <= text[at + 2] <= 57:
            return OK, int(text[at]) - 48, int(text[at + 2]) - 48, int(text[at + 1] == 124)
    alleles = 0
    first, second, phased = NO_ALLELE, ABSENT, 0
    i = at
    while i <= end:
        j = i
        while j < end and text[j] != 47 and text[j] != 124:
            j += 1
        if j == i:
            return BAD_GT, 0, 0, 0
        allele = _whole(text, i, j)
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


@leaf
def _check_bases(text: np.ndarray, at: int, length: int) -> bool:
    """Whether text[at:at+length] is made of letters (IUPAC codes) only."""
    for i in range(at, at + length):
        c = text[i] | 32
        if c < 97 or c > 122:
            return False
    return True


@leaf
def _columns(text: np.ndarray, at: int, tabs: np.ndarray) -> tuple[int, int]:
    """(end of the line that begins at `at`, number of its tabs); `tabs` (10,) takes their places."""
    n = 0
    for i in range(at, text.size):
        c = _byte(text, i)
        if c > _NEWLINE:
            continue
        if c == _NEWLINE:
            return i, n
        if c == _TAB:
            tabs[min(n, 9)] = i
            n += 1
    return text.size, n


@leaf
def _is_contig(text: np.ndarray, at: int, length: int, names: np.ndarray, name_at: np.ndarray, contig: int) -> bool:
    return name_at[contig + 1] - name_at[contig] == length and _same(text, at, names, name_at[contig], length)


@leaf
def _find_contig(text: np.ndarray, at: int, length: int, names: np.ndarray, name_at: np.ndarray) -> int:
    """Number of the contig that text[at:at+length] names; -1 where none is called so."""
    for contig in range(name_at.size - 1):
        if _is_contig(text, at, length, names, name_at, contig):
            return contig
    return -1


@leaf
def _format_slot(text: np.ndarray, at: int, length: int, formats: np.ndarray, roles: np.ndarray, known: int) -> int:
    """The slot that holds this FORMAT; where none does, it is read into slot `known`, modulo their number."""
    for slot in range(min(known, _MAX_FORMATS)):
        if formats[slot, 1] == length and _same(text, formats[slot, 0], text, at, length):
            return slot
    slot = known % _MAX_FORMATS
    formats[slot, 0], formats[slot, 1] = at, length
    key, i = 0, at
    while i <= at + length and key < _MAX_KEYS:
        j = _next(text, i, at + length, _COLON)
        roles[slot, key] = _role(text, i, j)
        key += 1
        i = j + 1
    formats[slot, 2] = key
    return slot


@leaf
def _alternates(text: np.ndarray, at: int, length: int) -> tuple[int, int]:
    """(alternates, bytes of the named ones) of a variant's ALT: the unnamed one is always last, known by its number."""
    n, last = 1, at
    for i in range(at, at + length):
        if text[i] == _COMMA:
            n += 1
            last = i + 1
    if n > 1 and _is_reference_alt(text, last, at + length - last):
        return n, last - 1 - at
    return n, length


@leaf
def _site(text: np.ndarray, tabs: np.ndarray, row: np.ndarray) -> int:
    """POS, REF, ALT, FILTER and INFO/END of one line into `row`. Returns the status."""
    position = _whole(text, tabs[0] + 1, tabs[1])
    if position < 1:
        return BAD_POSITION
    ref_at, alt_at = tabs[2] + 1, tabs[3] + 1
    ref_len, alt_len = tabs[3] - ref_at, tabs[4] - alt_at
    if ref_len < 1 or alt_len < 1:
        return EMPTY_ALLELE
    if not _check_bases(text, ref_at, ref_len):
        return BAD_BASE
    row[KIND], row[END] = VARIANT, position - 1 + ref_len
    if _is_reference_alt(text, alt_at, alt_len):
        row[KIND], row[N_ALT] = BLOCK, text[alt_at] != _DOT
        end = _info_end(text, tabs[6] + 1, tabs[7])
        if end != -1 and end < position:
            return BAD_END
        if end != -1:
            row[END] = end
    else:
        row[N_ALT], alt_len = _alternates(text, alt_at, alt_len)
    row[START], row[REF_AT], row[REF_LEN], row[ALT_AT], row[ALT_LEN] = position - 1, ref_at, ref_len, alt_at, alt_len
    row[FILTER_AT], row[FILTER_LEN] = tabs[5] + 1, tabs[6] - tabs[5] - 1
    return OK


@leaf
def _sample(text: np.ndarray, at: int, end: int, roles: np.ndarray, n_keys: int, row: np.ndarray) -> int:
    """The sample's column text[at:end] into `row`; `roles` says what each field is. Returns the status."""
    status, min_dp = NO_GT, -1
    number = 0
    while at <= end and number < n_keys:
        role = roles[number]
        number += 1
        value, j = _digits(text, at, end, _COLON)
        if value == -2:
            j = _next(text, j, end, _COLON)
        if role == ALLELE1:
            status, row[ALLELE1], row[ALLELE2], row[PHASED] = _genotype(text, at, j)
            named = row[N_ALT] if row[N_ALT] > 0 else 1 << 30  # ALT `.` names nothing: the caller takes it as a no-call
            if status != OK:
                return status
            if row[ALLELE1] > named or row[ALLELE2] > named:
                return ALLELE_OUT_OF_RANGE
        elif role == AD_AT:
            row[AD_AT], row[AD_LEN] = at, j - at
        elif role == PL_AT:
            row[PL_AT], row[PL_LEN] = at, j - at
        elif role != _SKIP:
            if value == -2:
                value = _number(text, at, j)
            if value == -2:
                return BAD_NUMBER
            if role == _MIN_DP:
                min_dp = value
            else:
                row[role] = value
        at = j + 1
    row[DEPTH] = row[DP]
    if row[KIND] == BLOCK and min_dp >= 0:
        row[DP] = min_dp
    return status


@kernel
def tokenise(
    text: np.ndarray, contig_text: np.ndarray, contig_at: np.ndarray, first_contig: int, lines: np.ndarray
) -> tuple[int, int, int]:
    """Fill `lines` with the records of `text`, whole lines of one sample's gVCF without its header.

    text (bytes,) uint8. contig_text uint8 and contig_at (contigs + 1,) int64: the names of the header's contigs, one
    after another. first_contig: where the last chunk ended (a hint). lines (records, N_COLUMNS) int32, filled in place.
    Returns (records, status, byte offset of the line at fault).
    """
    tabs = np.zeros(10, np.int64)
    formats = np.zeros((_MAX_FORMATS, 3), np.int64)  # place, length and number of keys of each FORMAT seen last
    roles = np.zeros((_MAX_FORMATS, _MAX_KEYS), np.int8)
    return _lines(text, contig_text, contig_at, first_contig, tabs, formats, roles, lines)


@leaf
def _lines(
    text: np.ndarray, contig_text: np.ndarray, contig_at: np.ndarray, contig: int,
    tabs: np.ndarray, formats: np.ndarray, roles: np.ndarray, lines: np.ndarray,
) -> tuple[int, int, int]:  # fmt: skip
    slot, known = 0, 0
    at, n = 0, 0
    while at < text.size:
        line_at = at
        end, n_tabs = _columns(text, at, tabs)
        at = end + 1
        end -= end > line_at and text[end - 1] == _CR
        if end == line_at or text[line_at] == _HASH:
            continue
        if n_tabs < 9:
            return n, SHORT_ROW, line_at
        if contig < 0 or not _is_contig(text, line_at, tabs[0] - line_at, contig_text, contig_at, contig):
            contig = _find_contig(text, line_at, tabs[0] - line_at, contig_text, contig_at)
            if contig < 0:
                return n, UNKNOWN_CONTIG, line_at
        if n_tabs > 9:
            return n, MANY_SAMPLES, line_at
        row = lines[n]
        for i in range(N_COLUMNS):
            row[i] = -1
        row[CONTIG] = contig
        status = _site(text, tabs, row)
        if status != OK:
            return n, status, line_at
        length = tabs[8] - tabs[7] - 1
        if formats[slot, 1] != length or not _same(text, formats[slot, 0], text, tabs[7] + 1, length):
            slot = _format_slot(text, tabs[7] + 1, length, formats, roles, known)
            known += slot == known % _MAX_FORMATS
        status = _sample(text, tabs[8] + 1, end, roles[slot], formats[slot, 2], row)
        if status != OK:
            return n, status, line_at
        n += 1
    return n, OK, 0


@kernel
def gather(text: np.ndarray, at: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copy the slices text[at:at+length] one after another.

    Returns (offsets (slices + 1,) int32, bytes uint8): the two buffers of an Arrow string array. A length below 0 is
    taken as 0.
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

    Returns (offsets (slices + 1,) int32, values int32 with -1 for a dot, first slice at fault or -1). A slice that is
    absent (length below 1) or just a dot gives an empty list.
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
            value = _number(text, k, j)
            if value == -2:
                return offsets, values, i
            values[out] = value
            k = j + 1
    return offsets, values, -1


@leaf
def first_disorder(contig: np.ndarray, start: np.ndarray, last_contig: int, last_start: int) -> int:
    """Index of the first record that starts before its forerunner on the same contig; -1 where all are in order."""
    for i in range(start.size):
        if contig[i] == last_contig and start[i] < last_start:
            return i
        last_contig = contig[i]
        last_start = start[i]
    return -1
