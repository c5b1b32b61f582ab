"""Kernels of scoring files, against float() and splits of text."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.prs.scoring_file import kernels


def real(text: str) -> float | None:
    """`parse_real` within other bytes; None where it says that it cannot tell."""
    data = np.frombuffer(f"7{text}7".encode(), np.uint8)
    room = np.zeros(1)
    return float(room[0]) if kernels.parse_real(data, 1, data.size - 1, kernels.POWERS, room) else None


def bits(value: float) -> bytes:
    return struct.pack("d", value)


@settings(max_examples=60)
@given(st.floats(1e-60, 1e40), st.integers(0, 18), st.booleans())
def test_parse_real_gives_the_nearest_float_of_numbers_with_few_or_many_digits(
    value: float, digits: int, negative: bool
) -> None:
    for text in (repr(value), f"{value:.{digits}e}"):
        text = "-" * negative + text
        found = real(text)
        assert found is not None
        assert bits(found) == bits(float(text))


def test_parse_real_rounds_halves_to_even() -> None:
    for below in range(2**53, 2**53 + 400, 2):
        for text in (f"{below + 1}", f"{(below + 1) * 5}e-1", f"{below + 1}e0"):
            assert real(text) == float(text)


@pytest.mark.parametrize(
    "text",
    ["0", "-0", "0.000", "+1.5", "1.", ".5", "1e5", "2E-07", "00012", "1e22", "1e23",
     "123456789012345678e-20"],
)  # fmt: skip
def test_parse_real_reads_every_way_to_write_a_number(text: str) -> None:
    found = real(text)
    assert found is not None
    assert bits(found) == bits(float(text))


@pytest.mark.parametrize(
    "text",
    ["", "-", ".", "e5", "1e", "1e+", "1_0", "1 ", " 1", "nan", "inf", "0x1", "1,5", "1.2.3",
     "--1",
     "12345678901234567890.5", "1e400"],
)  # fmt: skip
def test_parse_real_tells_what_it_cannot_read(text: str) -> None:
    assert real(text) is None


def test_nearest_of_all_powers_is_that_of_float() -> None:
    room, chance = np.zeros(1), random.Random(1)
    for power in range(kernels.LEAST_POWER, kernels.MOST_POWER + 1):
        for _ in range(20):
            digits = chance.randrange(1, 10 ** chance.randrange(1, 20))
            assert kernels.nearest(np.uint64(digits), power, kernels.POWERS, room)
            assert room[0] == float(f"{digits}e{power}")
    assert not kernels.nearest(np.uint64(1), kernels.LEAST_POWER - 1, kernels.POWERS, room)
    assert not kernels.nearest(np.uint64(1), kernels.MOST_POWER + 1, kernels.POWERS, room)


@settings(max_examples=60)
@given(st.binary(max_size=40), st.integers(0, 40))
def test_field_end_finds_the_first_delimiter_or_newline(data: bytes, start: int) -> None:
    start = min(start, len(data))
    ends = [place for place in (data.find(b"\t", start), data.find(b"\n", start)) if place >= 0]
    delimiters = np.uint64(9 * 0x0101010101010101)
    assert kernels.field_end(np.frombuffer(data, np.uint8), start, delimiters) == min(ends, default=len(data))


TEXTS = st.text("ACGT.x-é", max_size=12)


NUMBERS = st.integers(-(10**15), 10**15).map(lambda n: n / 7e9)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.integers(1, 10**9), NUMBERS), min_size=1, max_size=30)


@settings(max_examples=40)
@given(ROWS, st.booleans(), st.booleans())
def test_read_fields_is_a_split_of_lines(rows: list[tuple[str, str, int, float]], returns: bool, ends: bool) -> None:
    newline = "\r\n" if returns else "\n"
    data = newline.join(f"{a}\tskipped\t{b}\t{whole}\t{value!r}" for a, b, whole, value in rows) + newline * ends
    text = np.frombuffer(data.encode(), np.uint8)
    n = len(rows)
    codes, met = np.zeros((2, n), np.int32), np.zeros(2, np.int64)
    slots, keys = np.full((2, 64), -1, np.int32), np.zeros((2, n), np.uint64)
    starts, ended = np.zeros((2, n), np.int64), np.zeros((2, n), np.int64)
    wholes, reals = np.zeros((1, n), np.int64), np.zeros((1, n))
    begins = np.zeros(n, np.int64)
    kinds = np.array([kernels.CODED, kernels.SKIP, kernels.CODED, kernels.WHOLE, kernels.REAL], np.int8)
    found = kernels.read_fields(
        text, 9, kinds, np.array([0, 0, 1, 0, 0]), kernels.POWERS, codes, slots, keys, starts, ended, met,
        wholes, reals, begins, np.zeros(1),
    )  # fmt: skip
    assert found == n
    lines = data.encode().splitlines(keepends=True)
    assert begins.tolist() == [sum(map(len, lines[:row])) for row in range(n)]
    for column in range(2):
        texts = [text[a:b].tobytes().decode() for a, b in zip(starts[column], ended[column], strict=True)]
        assert [texts[code] for code in codes[column]] == [row[column] for row in rows]
        assert met[column] == len({row[column] for row in rows})
    assert wholes[0].tolist() == [row[2] for row in rows]
    assert reals[0].tolist() == [row[3] for row in rows]


def test_code_of_tells_long_texts_of_one_hash_apart_and_stops_where_there_is_no_room() -> None:
    words = [f"{'A' * 20}{number:03d}" for number in range(30)]
    text = np.frombuffer("".join(words).encode(), np.uint8)
    slots, keys = np.full((1, 64), -1, np.int32), np.zeros((1, 20), np.uint64)
    starts, ends = np.zeros((1, 20), np.int64), np.zeros((1, 20), np.int64)
    n = 0
    for _ in range(2):
        for number in range(20):
            code = kernels.code_of(text, 23 * number, 23 * number + 23, 0, slots, keys, starts, ends, n)
            assert code == number
            n = max(n, code + 1)
    assert kernels.code_of(text, 23 * 20, 23 * 21, 0, slots, keys, starts, ends, n) == 20
    assert n == 20
    assert (slots >= 0).sum() == 20
