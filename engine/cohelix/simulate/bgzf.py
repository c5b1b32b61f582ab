"""Bytes into BGZF: gzip members of at most 64 KiB, each with its length in it, so that an index can point at it."""

from __future__ import annotations

import struct
from typing import BinaryIO

import deflate

LARGEST_INPUT = 0xFF00  # bytes a block, as htslib does it: they fit in 64 KiB even where they do not shrink
END_OF_FILE = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_HEAD = bytes.fromhex("1f8b08040000000000ff060042430200")


def compress(data: bytes, level: int = 6) -> bytes:
    """`data` as whole BGZF blocks, without the empty block that ends a file."""
    view = memoryview(data)
    return b"".join(_block(view[i : i + LARGEST_INPUT], level) for i in range(0, len(data), LARGEST_INPUT))


def write_blocks(handle: BinaryIO, data: bytes) -> None:
    """The last bytes of a file, and the empty block that says it is whole."""
    handle.write(compress(data))
    handle.write(END_OF_FILE)


def repeated_block(handle: BinaryIO, unit: bytes, times: int) -> None:
    """`unit` written `times` times: compressed once, since contigs hold millions of equal lines."""
    per_block = LARGEST_INPUT // len(unit)
    whole, rest = divmod(times, per_block)
    if whole:
        block = compress(unit * per_block)
        for _ in range(whole):
            handle.write(block)
    handle.write(compress(unit * rest))


def _block(data: memoryview, level: int) -> bytes:
    body = deflate.deflate_compress(data, level)
    total = len(_HEAD) + 2 + len(body) + 8
    return b"".join((_HEAD, struct.pack("<H", total - 1), body, struct.pack("<II", deflate.crc32(data), len(data))))
