"""Whether ids that must not be in a release are in it: in any byte of it, in any form that somebody may have left.

A file is looked at as it is stored and, where it is a container, decrypted; what is compressed (gzip, BGZF, zlib
streams, Parquet) is looked at unpacked as well, and the integers of Parquet columns by value. Names of files count as
bytes. An id is looked for as its text, its UTF-16 text, its text reversed, the base64 of its text in each of three
alignments and, where it is a number, its 8 bytes in both orders; in unpacked tables its 4 bytes too. Letters with marks
are looked for composed and decomposed (NFC, NFD).
"""

from __future__ import annotations

import base64
import gzip
import os
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cohelix.arrays import distinct
from cohelix.errors import ConfigError, InputError

SHORTEST = 5
"""Texts shorter than this are found everywhere by chance, and are not looked for."""
SMALLEST = 1 << 16
"""Numbers below this are found everywhere by chance, and are not looked for."""
_DIGITS = 20
"""More than any number of 64 bits has."""
_WINDOW = 8
_PIECE = 32 << 20
_OF_NUMBERS = frozenset(b"0123456789.")
_AFTER = tuple(bytes([one]) for one in _OF_NUMBERS)


@dataclass(frozen=True)
class Found:
    """What was found where: how many ids, in which form. The ids themselves are not told, nor a path that has one."""

    path: str
    form: str
    n_ids: int


@dataclass(frozen=True)
class Markers:
    """Forms of ids to look for.

    patterns: form and number of the id by bytes. numbers: int64, sorted. n_short: ids that are too short to be told
    from chance, as text or as a number.
    """

    patterns: dict[bytes, tuple[str, int]]
    numbers: np.ndarray
    n_short: int

    @cached_property
    def longest(self) -> int:
        return max(map(len, self.patterns), default=0)

    @cached_property
    def starts(self) -> dict[int, tuple[np.ndarray, dict[int, list[bytes]]]]:
        """By how many bytes of them are compared first: these as uint64, sorted, and the patterns that begin so."""
        found: dict[int, dict[int, list[bytes]]] = {}
        for pattern in self.patterns:
            width = min(len(pattern), _WINDOW)
            first = int.from_bytes(pattern[:width].ljust(8, b"\0"), "little")
            found.setdefault(width, {}).setdefault(first, []).append(pattern)
        return {width: (np.array(sorted(begin), np.uint64), begin) for width, begin in found.items()}


def markers(ids: Iterable[str]) -> Markers:
    """Every form of every id. InputError where there is none to look for."""
    patterns: dict[bytes, tuple[str, int]] = {}
    numbers, n_short = [], 0
    for number, one in enumerate(ids):
        if one.isdigit() and one.isascii() and len(one) < _DIGITS and SMALLEST <= int(one) < 1 << 63:
            numbers.append(int(one))
            patterns.setdefault(int(one).to_bytes(8, "little"), ("integer", number))
            patterns.setdefault(int(one).to_bytes(8, "big"), ("integer", number))
        if len(one.encode()) < SHORTEST:
            n_short += 1
            continue
        for written in dict.fromkeys((one, unicodedata.normalize("NFC", one), unicodedata.normalize("NFD", one))):
            for form, pattern in _of_text(written):
                patterns.setdefault(pattern, (form, number))
    if not patterns and not numbers:
        raise InputError(f"expected ids of {SHORTEST} characters or more to look for, found none.")
    return Markers(patterns, distinct(np.array(numbers, np.int64)), n_short)


def _of_text(text: str) -> Iterator[tuple[str, bytes]]:
    raw = text.encode()
    yield "text", raw
    yield "UTF-16", text.encode("utf-16-le")
    if raw[::-1] != raw:
        yield "reversed", raw[::-1]
    for shift in range(3):
        inner = _base64_core(raw, shift)
        if len(inner) >= SHORTEST + 1:
            yield "base64", inner


def _base64_core(raw: bytes, shift: int) -> bytes:
    """Characters of the base64 of `raw`, `shift` bytes into a group of three, that do not depend on neighbours."""
    text = base64.b64encode(bytes(shift) + raw)
    first = -(-shift * 8 // 6)
    last = (shift + len(raw)) * 8 // 6
    return text[first:last]


def scan(folder: Path, wanted: Markers, *, opened: Iterable[tuple[str, bytes]] = ()) -> list[Found]:
    """What of `wanted` is below `folder`. opened: further contents by name, such as decrypted files.

    ConfigError where `folder` is none: nothing would be found in it.
    """
    if not folder.is_dir():
        raise ConfigError("expected a folder to look through, found none. Check its path.")
    found: list[Found] = []
    paths = sorted(path for path in folder.rglob("*"))
    found += _counted("", "name of a file", _in_bytes(os.fsencode("\n".join(_name(p, folder) for p in paths)), wanted))
    for number, path in enumerate(paths, 1):
        if path.is_file():  # a link's file as well: whoever copies the folder may follow it
            found += look(_told(_name(path, folder), number, wanted), path.read_bytes(), wanted)
    for name, data in opened:
        found += look(f"{name} (opened)", data, wanted)
    return found


def look(name: str, data: bytes, wanted: Markers) -> list[Found]:
    """What of `wanted` is in a file's bytes, stored and unpacked."""
    found = _counted(name, "", _in_bytes(data, wanted))
    for how, inner in _unpacked(data):
        found += _counted(name, how, _in_bytes(inner, wanted))
    if data[:4] == b"PAR1" == data[-4:]:
        found += _in_parquet(name, data, wanted)
    return found


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _told(name: str, number: int, wanted: Markers) -> str:
    """A path for the screen, which shows no id."""
    hidden = not name.isprintable() or _in_bytes(os.fsencode(name), wanted)
    return f"path {number} in order of names" if hidden else name


def _counted(name: str, how: str, hits: Counter[str]) -> list[Found]:
    return [Found(name, f"{form}, {how}" if how else form, n) for form, n in sorted(hits.items())]


def _in_bytes(data: bytes, wanted: Markers) -> Counter[str]:
    """Ids by form that are in `data`."""
    seen: set[tuple[str, int]] = set()
    for start in range(0, max(len(data), 1), _PIECE):
        piece = data[start : start + _PIECE + wanted.longest]
        for width, (keys, begin) in wanted.starts.items():
            seen.update(_hits(piece, width, keys, begin, wanted))
    return Counter(form for form, _ in seen)


def _hits(
    piece: bytes, width: int, keys: np.ndarray, begin: dict[int, list[bytes]], wanted: Markers
) -> Iterator[tuple[str, int]]:
    """Patterns whose first `width` bytes stand somewhere, and whose others follow."""
    if len(piece) < width:
        return
    padded = np.frombuffer(piece + bytes(16), np.uint8)
    mask = np.uint64((1 << (8 * width)) - 1)
    for offset in range(8):
        words = padded[offset : offset + (len(padded) - offset) // 8 * 8].view(np.uint64) & mask
        place = np.minimum(np.searchsorted(keys, words), len(keys) - 1)
        for word in np.flatnonzero(keys[place] == words).tolist():
            at = offset + 8 * word
            for pattern in begin[int(words[word])]:
                if piece[at : at + len(pattern)] == pattern and not _within_number(piece, at, pattern):
                    yield wanted.patterns[pattern]


def _within_number(piece: bytes, at: int, pattern: bytes) -> bool:
    """Whether digits are a part of a longer number, as of a component: then they are no id."""
    end = at + len(pattern)
    return pattern.isdigit() and ((at > 0 and piece[at - 1] in _OF_NUMBERS) or piece[end : end + 1] in _AFTER)


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:2] == b"\x1f\x8b":
        try:
            yield "unpacked", gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return
    elif data[:2] in (b"\x78\x01", b"\x78\x9c", b"\x78\xda"):
        try:
            yield "unpacked", zlib.decompress(data)
        except zlib.error:
            return


def _in_parquet(name: str, data: bytes, wanted: Markers) -> list[Found]:
    """Values of every column, its statistics and the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: list[Found] = []
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowInvalid, OSError):
        return found  # it only looks like one; its bytes were looked at
    said = [repr(file.metadata.to_dict()), repr(file.schema_arrow.metadata), repr(file.metadata.metadata)]
    found += _counted(name, "Parquet's metadata", _in_bytes("\n".join(said).encode(), wanted))
    texts: Counter[str] = Counter()
    numbers: set[int] = set()
    for batch in file.iter_batches(1 << 18):
        for column in batch.columns:
            while pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
                column = column.flatten()
            if pa.types.is_integer(column.type) and len(wanted.numbers):
                values = np.asarray(column.drop_null().to_numpy(zero_copy_only=False)).astype(np.int64)
                numbers.update(np.intersect1d(values, wanted.numbers).tolist())
            elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                distinct = [one for one in column.unique().to_pylist() if one]
                texts |= _in_bytes("\n".join(distinct).encode(), wanted)
    found += _counted(name, "a Parquet column", texts)
    return found + ([Found(name, "number, a Parquet column", len(numbers))] if numbers else [])
