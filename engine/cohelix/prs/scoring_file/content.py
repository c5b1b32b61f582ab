"""Text of a scoring file: plain, gzip of one or more members, BGZF, or zstd."""

from __future__ import annotations

import zlib
from typing import Any

import pyarrow as pa

from cohelix import storage
from cohelix.errors import InputError
from cohelix.genotypes.vcf_records import BGZF_END

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_HEAD_BYTES = 16 << 20
"""Stored bytes in which the column names of a file end: those of a million scores have about as many."""


def is_packed(path: str) -> bool:
    """Whether the name says so; it decides how files are batched, not how they are read."""
    return path.endswith((".gz", ".bgz", ".zst"))


def stored_bytes(path: str, number: int) -> bytes:
    """Bytes of scoring file `number` as stored. InputError where it cannot be read."""
    try:
        return storage.read(path)
    except OSError:
        raise InputError(f"scoring file {number} cannot be read. Check its path and permissions.") from None


def text_of(data: bytes, number: int) -> bytes:
    """The text of scoring file `number`, whose stored bytes are `data`. InputError where they are damaged."""
    from isal import igzip
    from isal.igzip_lib import IsalError

    damaged: Any = (EOFError, OSError, zlib.error, IsalError)
    if data[:2] == _GZIP and data[12:14] == b"BC" and not data.endswith(BGZF_END):
        raise _damaged(number)
    try:
        if data[:2] == _GZIP:
            text: bytes = igzip.decompress(data)  # type: ignore[no-untyped-call]  # isal has no types
        elif data[:4] == _ZSTD:
            text = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
        else:
            text = data
    except damaged:
        raise _damaged(number) from None
    return text


def head_of(path: str, number: int) -> bytes:
    """The first part of a large file's text, longer than its header and column names."""
    from isal import igzip

    try:
        with storage.as_local_file(path) as local, local.open("rb") as handle:
            mark = handle.read(4)
            handle.seek(0)
            stream: Any = handle
            if mark[:2] == _GZIP:
                stream = igzip.open(handle, "rb")  # type: ignore[no-untyped-call]  # isal has no types
            elif mark == _ZSTD:
                stream = pa.CompressedInputStream(handle, "zstd")
            return bytes(stream.read(_HEAD_BYTES))
    except (EOFError, OSError, zlib.error):
        raise _damaged(number) from None


def _damaged(number: int) -> InputError:
    return InputError(f"scoring file {number} is cut short or damaged (its compression says so). Copy it again.")
