"""Text of a gVCF in chunks of whole lines: BGZF, other gzip, or plain.

BGZF is inflated block by block with libdeflate, which checks each block's CRC. A BGZF file must end with the empty
end-of-file block: a copy that was cut, even between two blocks, lacks it, and half a genome would pass for a whole
one.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from cohelix import storage
from cohelix.errors import InputError

EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
CHUNK_BYTES = 16 << 20
HEAD_BYTES = 64
"""What `is_bgzf` wants to see of a file or block."""
_READ_BYTES = 4 << 20
_LARGEST_TEXT = 1 << 16
_SMALLEST_BLOCK = 26  # its header and its checksum
_LONGEST_LINE = 256 << 20  # the longest real ones, of structural variants, have some megabytes


def open_binary(path: str) -> Any:
    """A readable binary file, local or remote. Raises InputError where it cannot be opened."""
    try:
        if storage.is_local(path):
            return storage.local_path(path).open("rb")
        import fsspec

        return fsspec.open(path, "rb").open()
    except FileNotFoundError:
        raise InputError("expected a file, found none at that path. Correct the path in the manifest.") from None
    except PermissionError:
        raise InputError(
            "expected a readable file, found one this user may not read. Change its permissions."
        ) from None
    except IsADirectoryError:
        raise InputError("expected a file, found a folder. Correct the path in the manifest.") from None
    except OSError as error:  # strerror without the file name, which may hold a sample's name
        raise InputError(f"the file cannot be opened ({error.strerror}). Correct the path in the manifest.") from None


def is_gzip(head: bytes) -> bool:
    return head[:2] == b"\x1f\x8b"


def is_bgzf(head: bytes) -> bool:
    return len(head) >= 18 and is_gzip(head) and bool(head[3] & 4) and b"BC\x02\x00" in head[12:40]


def block_size(data: bytes, at: int) -> int:
    """Compressed size of the BGZF block at `at`; 0 where fewer bytes than its header are at hand. Raises InputError."""
    if len(data) - at < 18:
        return 0
    if data[at : at + 4] != b"\x1f\x8b\x08\x04":
        raise InputError(
            "expected a BGZF block, found other bytes. The file is damaged: restore it or compress it again."
        )
    extra = struct.unpack_from("<H", data, at + 10)[0]
    if data[at + 12 : at + 16] == b"BC\x02\x00":
        return int(struct.unpack_from("<H", data, at + 16)[0]) + 1
    field = at + 12
    while field + 4 <= at + 12 + extra and field + 6 <= len(data):
        name, length = data[field : field + 2], struct.unpack_from("<H", data, field + 2)[0]
        if name == b"BC":
            return int(struct.unpack_from("<H", data, field + 4)[0]) + 1
        field += 4 + length
    raise InputError("expected a BGZF block, found a gzip block without its size. Compress the file again with bgzip.")


def inflate_block(data: bytes, at: int, size: int) -> bytes:
    """Text of one whole block. Raises InputError where its checksum or its stream is wrong."""
    import deflate

    block = data[at : at + size]
    if block == EOF_BLOCK:
        return b""
    expected = struct.unpack_from("<I", block, size - 4)[0] if size >= _SMALLEST_BLOCK else _LARGEST_TEXT + 1
    try:
        if expected <= _LARGEST_TEXT:  # else the length itself is damaged, and would have gigabytes reserved
            return bytes(deflate.gzip_decompress(block, max(expected, 1)))
    except (deflate.DeflateError, ValueError):
        pass
    raise InputError("a compressed block does not inflate to what its checksum says. The file is damaged: restore it.")


def text_chunks(path: str, *, offset: int = 0, digest: Any = None, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Chunks of about `chunk_bytes`, each ending with a whole line; the last one with a newline.

    `offset`: where a BGZF block starts, to read from there on. `digest`: a hashlib object that sees every stored byte.
    """
    rest: list[bytes] = []
    held = 0
    for piece in _pieces(path, offset, digest):
        if held + len(piece) < chunk_bytes:
            rest.append(piece)
            held += len(piece)
            continue
        cut = piece.rfind(b"\n") + 1
        if cut == 0:  # one line longer than a chunk: go on until it ends
            if held > _LONGEST_LINE:
                raise InputError(
                    f"expected lines of up to {_LONGEST_LINE >> 20} MiB, found a longer one. Is this a gVCF?"
                )
            rest.append(piece)
            held += len(piece)
            continue
        yield b"".join([*rest, piece[:cut]])
        rest, held = [piece[cut:]], len(piece) - cut
    last = b"".join(rest)
    if last:
        yield last if last.endswith(b"\n") else last + b"\n"


def _pieces(path: str, offset: int, digest: Any) -> Iterator[bytes]:
    with open_binary(path) as handle:
        head = handle.read(HEAD_BYTES)
        if not head:
            raise InputError("expected a gVCF, found an empty file. Restore it or take it off the manifest.")
        if not is_gzip(head):
            handle.seek(0)
            yield from _plain(handle, digest)
        elif is_bgzf(head):
            handle.seek(offset)
            yield from _bgzf(handle, digest)
        else:
            handle.seek(0)
            yield from _gzip(handle, digest)


def _plain(handle: BinaryIO, digest: Any) -> Iterator[bytes]:
    while piece := handle.read(_READ_BYTES):
        if digest is not None:
            digest.update(piece)
        yield piece


def _bgzf(handle: BinaryIO, digest: Any) -> Iterator[bytes]:
    data, at, ended = b"", 0, False
    while piece := handle.read(_READ_BYTES):
        if digest is not None:
            digest.update(piece)
        data, at = data[at:] + piece, 0
        texts = []
        while True:
            size = block_size(data, at)
            if size == 0 or at + size > len(data):
                break
            text = inflate_block(data, at, size)
            ended = not text
            texts.append(text)
            at += size
        yield b"".join(texts)
    if at != len(data):
        raise InputError("the compressed file ends inside a block: it was cut short. Copy it again.")
    if not ended:
        raise InputError(
            "the compressed file lacks the empty block that ends every BGZF file: it was cut short between two blocks, "
            "or written by a program that did not finish. Copy it again, or compress it again with bgzip."
        )


def _gzip(handle: BinaryIO, digest: Any) -> Iterator[bytes]:
    from isal import igzip, igzip_lib

    damaged: Any = (EOFError, OSError, igzip.BadGzipFile, igzip_lib.IsalError)
    open_stream: Any = igzip.GzipFile  # isal has no types, or wrong ones
    raw = handle if digest is None else _Hashing(handle, digest)
    try:
        with open_stream(fileobj=raw, mode="rb") as stream:
            while piece := stream.read(_READ_BYTES):
                yield piece
    except damaged:
        raise InputError(
            "the gzip file is cut short or damaged. Restore it, or compress it again with bgzip."
        ) from None


class _Hashing(io.RawIOBase):
    """A file that shows every byte it reads to a digest."""

    def __init__(self, handle: BinaryIO, digest: Any) -> None:
        self._handle, self._digest = handle, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._handle.read(len(buffer))
        self._digest.update(piece)
        buffer[: len(piece)] = piece
        return len(piece)


def file_digest(path: str) -> str:
    """sha256 of the stored bytes."""
    digest = hashlib.sha256()
    with open_binary(path) as handle:
        while piece := handle.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
