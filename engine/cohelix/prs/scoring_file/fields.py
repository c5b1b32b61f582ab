"""Columns of the usual files, read by kernels in one pass over the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.prs.scoring_file import kernels
from cohelix.prs.scoring_file.header import BLANKS
from cohelix.prs.scoring_file.lines import Coded, Text, bare

_MOST_TEXTS = 1 << 17
"""Different texts in one column at most, beyond which it is none of codes (an allele of every second row)."""


@dataclass(frozen=True)
class Fields:
    """n rows; by name: codes of texts, whole numbers (0 where empty), float64 (NaN where empty).

    begins int64 (n,): the byte of the text at which each row begins.
    """

    n: int
    coded: dict[str, Coded]
    wholes: dict[str, np.ndarray]
    reals: dict[str, np.ndarray]
    begins: np.ndarray


def fields_of(text: Text, coded: Sequence[str], wholes: Sequence[str], reals: Sequence[str]) -> Fields | None:
    """The named columns; None where a line has another number of fields, or a number is odd."""
    head = text.head
    if text.quoted or head.delimiter == BLANKS or len(head.columns) < 2:
        return None
    data = text.data
    if data.find(b"\r", head.start) >= 0 and data.count(b"\r", head.start) != data.count(b"\r\n", head.start):
        return None  # old line ends, which Arrow knows
    kinds = np.zeros(len(head.columns), np.int8)
    places = np.zeros(len(head.columns), np.int64)
    for kind, names in ((kernels.CODED, coded), (kernels.WHOLE, wholes), (kernels.REAL, reals)):
        for place, name in enumerate(names):
            kinds[head.columns.index(name)], places[head.columns.index(name)] = kind, place
    lines = np.frombuffer(text.data, np.uint8)[head.start :]
    most = text.data.count(b"\n", head.start) + 1
    most_texts = min(most, _MOST_TEXTS)
    codes = np.empty((len(coded), most), np.int32)
    slots = np.full((len(coded), 2 << most_texts.bit_length()), -1, np.int32)
    starts, ends = np.empty((2, len(coded), most_texts), np.int64)
    keys = np.empty((len(coded), most_texts), np.uint64)
    met = np.zeros(len(coded), np.int64)
    integers, floats = np.empty((len(wholes), most), np.int64), np.empty((len(reals), most), np.float64)
    begins = np.empty(most, np.int64)
    n = kernels.read_fields(
        lines, ord(head.delimiter), kinds, places, kernels.POWERS, codes, slots, keys, starts, ends, met, integers,
        floats, begins, np.zeros(1),
    )  # fmt: skip
    if n == kernels.ODD:
        return None
    try:
        values = [
            [
                bare(lines[begin:end].tobytes().decode())
                for begin, end in zip(starts[place, :k], ends[place, :k], strict=True)
            ]
            for place, k in enumerate(met.tolist())
        ]
    except UnicodeDecodeError:
        return None
    return Fields(
        n,
        {name: Coded(codes[place, :n], values[place]) for place, name in enumerate(coded)},
        {name: integers[place, :n] for place, name in enumerate(wholes)},
        {name: floats[place, :n] for place, name in enumerate(reals)},
        begins[:n] + head.start,
    )
