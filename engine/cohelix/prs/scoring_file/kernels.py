"""Fields of text tables: cut, and read as numbers or as codes of equal texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from cohelix.kernel import leaf, load_word, popcount

SKIP, CODED, WHOLE, REAL = 0, 1, 2, 3
"""What a column is read as: not at all, codes of its texts, int64 (0 where empty), or float64 (NaN where empty)."""

ODD = -1
"""In place of the number of rows: some field is none of this, and the text is to be read in another way."""

LEAST_POWER, MOST_POWER = -80, 40
"""Powers of ten that `POWERS` has; weights beyond them are odd."""


def _powers() -> np.ndarray:
    """uint64 (powers, 2): the first 128 bits of 5^q, high and low, for q from `LEAST_POWER` to `MOST_POWER`.

    As Lemire (2021), "Number parsing at a gigabyte per second", needs them: truncated for q >= 0; for q < 0 the
    reciprocal of 5^-q, rounded up.
    """
    rows = []
    for q in range(LEAST_POWER, MOST_POWER + 1):
        if q < 0:
            bits = (5**-q - 1).bit_length()
            value = 2 ** (bits + 127 if q >= -27 else 2 * bits + 128) // 5**-q + 1
        else:
            value = 5**q << 128
        value >>= max(0, value.bit_length() - 128)
        rows.append((value >> 64, value & (2**64 - 1)))
    return np.array(rows, np.uint64)


POWERS = _powers()

_ONE, _LOW = np.uint64(1), np.uint64(0xFFFFFFFF)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_PRIME = np.uint64(0x100000001B3)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_BYTES, _HIGH_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_NEWLINES = np.uint64(10) * _BYTES
_MOST_EXACT = np.uint64(1 << 53)
_IMPLIED = np.uint64(1 << 52)


@leaf
def _product(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The high and the low half of a * b."""
    half = np.uint64(32)
    a_low, a_high, b_low, b_high = a & _LOW, a >> half, b & _LOW, b >> half
    low, middle, cross = a_low * b_low, a_high * b_low, a_low * b_high
    carried = (low >> half) + (middle & _LOW) + cross
    return a_high * b_high + (middle >> half) + (carried >> half), (carried << half) | (low & _LOW)


@leaf
def nearest(digits: np.uint64, power: int, powers: np.ndarray, room: np.ndarray) -> bool:
    """Put the float64 nearest to digits * 10^power (ties to even) into room[0]; False where this cannot be told.

    digits > 0; `powers`: `POWERS`; room: float64 (1,). Exact in any case: where both fit a float64 and its powers of
    ten one operation is, else the product of 128 bits decides (Lemire 2021), or nothing does.
    """
    if digits <= _MOST_EXACT and -22 <= power <= 22:
        scale = 1.0
        for _ in range(abs(power)):
            scale *= 10.0  # exact up to 10^22
        room[0] = np.float64(digits) / scale if power < 0 else np.float64(digits) * scale
        return True
    if power < LEAST_POWER or power > MOST_POWER:
        return False
    zeros = 0
    w = digits
    for step in (32, 16, 8, 4, 2, 1):
        if w >> np.uint64(64 - step) == 0:
            w = w << np.uint64(step)
            zeros += step
    high, low = _product(w, powers[power - LEAST_POWER, 0])
    guard = _ALL >> np.uint64(55)
    if high & guard == guard:
        more, _ = _product(w, powers[power - LEAST_POWER, 1])
        low = low + more
        if more > low:
            high = high + _ONE
    if low == _ALL and not -27 <= power <= 55:
        return False
    top = high >> np.uint64(63)
    shift = top + np.uint64(9)
    mantissa = high >> shift
    exponent = ((217706 * power) >> 16) + 63 + np.int64(top) - zeros + 1023
    if low <= _ONE and -4 <= power <= 23 and mantissa & np.uint64(3) == _ONE and (mantissa << shift) == high:
        mantissa = mantissa & ~_ONE  # halfway, to even
    mantissa = (mantissa + (mantissa & _ONE)) >> _ONE
    if mantissa >= _IMPLIED << _ONE:
        mantissa = _IMPLIED
        exponent += 1
    if exponent <= 0 or exponent >= 2047:
        return False
    bits = room.view(np.uint64)
    bits[0] = (mantissa & ~_IMPLIED) | (np.uint64(exponent) << np.uint64(52))
    return True


@leaf
def parse_real(text: np.ndarray, at: int, end: int, powers: np.ndarray, room: np.ndarray) -> bool:
    """Put the number in text[at:end] (digits, a point, an exponent; no blanks) into room[0]; False where it is none.

    False also where its first 19 digits do not tell the nearest float64. text: uint8.
    """
    negative = at < end and text[at] == 45
    if at < end and (text[at] == 45 or text[at] == 43):
        at += 1
    digits, power, seen, used = np.uint64(0), 0, 0, 0
    behind = False
    while at < end:
        byte = text[at]
        if 48 <= byte <= 57:
            seen += 1
            if used > 0 or byte != 48:
                used += 1
            if used > 19:
                return False
            digits = digits * np.uint64(10) + np.uint64(byte - 48)
            power -= behind
        elif byte == 46 and not behind:
            behind = True
        else:
            break
        at += 1
    if seen == 0:
        return False
    if at < end and (text[at] == 69 or text[at] == 101):
        at += 1
        down = at < end and text[at] == 45
        if at < end and (text[at] == 45 or text[at] == 43):
            at += 1
        if at >= end or end - at > 4:
            return False
        exponent = 0
        while at < end and 48 <= text[at] <= 57:
            exponent = exponent * 10 + int(text[at]) - 48
            at += 1
        power += -exponent if down else exponent
    if at != end:
        return False
    room[0] = 0.0
    if digits != 0 and not nearest(digits, power, powers, room):
        return False
    if negative:
        room[0] = -room[0]
    return True


@leaf
def field_end(text: np.ndarray, at: int, delimiters: np.uint64) -> int:
    """Where the first delimiter or newline from byte `at` on is; the size of `text` where there is none.

    delimiters: the delimiter in each of 8 bytes. Eight bytes are compared at a time: one that is 0 once it is
    exclusive-ored is the lowest that borrows from its high bit.
    """
    size = text.size
    while at + 8 <= size:
        word = load_word(text, at)
        other, line = word ^ delimiters, word ^ _NEWLINES
        found: Any = ((other - _BYTES) & ~other | (line - _BYTES) & ~line) & _HIGH_BITS
        if found != 0:
            return at + (popcount((found & (~found + _ONE)) - _ONE) >> 3)
        at += 8
    while at < size and text[at] != 10 and np.uint64(text[at]) != delimiters & np.uint64(0xFF):
        at += 1
    return at


@leaf
def _key_of(text: np.ndarray, at: int, end: int) -> np.uint64:
    """Of up to 8 bytes themselves, of more a hash."""
    if end - at <= 8 and at + 8 <= text.size:
        return load_word(text, at) & (_ALL >> np.uint64(64 - 8 * (end - at))) if end > at else np.uint64(0)
    key = np.uint64(0)
    if end - at <= 8:
        for place in range(at, end):
            key |= np.uint64(text[place]) << np.uint64(8 * (place - at))
        return key
    for place in range(at, end):
        key = (key ^ np.uint64(text[place])) * _PRIME
    return key


@leaf
def code_of(
    text: np.ndarray, at: int, end: int, column: int, slots: np.ndarray, keys: np.ndarray, starts: np.ndarray,
    ends: np.ndarray, n: int,
) -> int:  # fmt: skip
    """The code of text[at:end] among the n texts met so far in its column; n where it is new.

    It is then kept if there is room. Arrays have a row for each column: slots int32 (columns, a power of two), codes by
    hash, -1 free; keys uint64, starts and ends int64 (columns, texts), of the texts kept, the latter where each was
    first met.
    """
    key = _key_of(text, at, end)
    last, length = slots.shape[1] - 1, end - at
    slot = np.int64(((key + np.uint64(length)) * _SPREAD) >> np.uint64(32)) & last
    while slots[column, slot] >= 0:
        code = int(slots[column, slot])
        if keys[column, code] == key and ends[column, code] - starts[column, code] == length:
            same = True
            if length > 8:
                first = starts[column, code]
                for step in range(length):
                    same &= text[first + step] == text[at + step]
            if same:
                return code
        slot = (slot + 1) & last
    if n < starts.shape[1]:
        slots[column, slot] = n
        keys[column, n], starts[column, n], ends[column, n] = key, at, end
    return n


@leaf
def read_fields(
    text: np.ndarray, delimiter: int, kinds: np.ndarray, places: np.ndarray, powers: np.ndarray,
    codes: np.ndarray, slots: np.ndarray, keys: np.ndarray, starts: np.ndarray, ends: np.ndarray, met: np.ndarray,
    wholes: np.ndarray, reals: np.ndarray, begins: np.ndarray, room: np.ndarray,
) -> int:  # fmt: skip
    """Read the lines of `text` (uint8); returns how many rows there are, or `ODD`. Lines without a byte are no rows.

    kinds (columns,): SKIP ... REAL. places (columns,): which row of codes, wholes or reals a column goes to.
    codes int32 (coded, rows), with slots, keys, starts and ends as in `code_of` and met (coded,), numbers of texts: a
    row for each column. wholes int64, reals float64 (columns, rows). There is room for every line.
    begins int64 (rows,): where each row begins. room: float64 (1,).
    """
    at, size, row, n_columns = 0, text.size, 0, kinds.size
    delimiters = np.uint64(delimiter) * _BYTES
    while at < size:
        if text[at] == 10 or (text[at] == 13 and at + 1 < size and text[at + 1] == 10):
            at += 1 if text[at] == 10 else 2
            continue
        begins[row] = at
        for column in range(n_columns):
            begin = at
            at = field_end(text, at, delimiters)
            closed = at < size and text[at] == delimiter
            if closed == (column == n_columns - 1):
                return ODD
            end = at - 1 if not closed and at > begin and text[at - 1] == 13 else at
            at += 1
            kind, place = kinds[column], places[column]
            if kind == CODED:
                code = code_of(text, begin, end, place, slots, keys, starts, ends, met[place])
                if code == met[place]:
                    if code == starts.shape[1]:
                        return ODD
                    met[place] += 1
                codes[place, row] = code
            elif kind == WHOLE:
                number = np.int64(0)
                if end - begin > 15 or (end > begin and text[begin] == 48):
                    return ODD
                for step in range(begin, end):
                    if not 48 <= text[step] <= 57:
                        return ODD
                    number = number * 10 + np.int64(text[step]) - 48
                wholes[place, row] = number
            elif kind == REAL:
                reals[place, row] = np.nan
                if end > begin:
                    if not parse_real(text, begin, end, powers, room):
                        return ODD
                    reals[place, row] = room[0]
        row += 1
    return row
