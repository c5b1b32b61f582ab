"""Where in a BGZF file a region starts, by its tabix (.tbi) or CSI index.

Format: the SAM/tabix specification of hts-specs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cohelix import storage
from cohelix.errors import InputError
from cohelix.joint.gvcf import bgzf

_LINEAR_SHIFT = 14


@dataclass(frozen=True)
class Index:
    """names: contigs with records.

    chunks[contig]: (first base, virtual offset) pairs, ascending by base, for windows of `window` bases.
    """

    names: tuple[str, ...]
    chunks: tuple[tuple[tuple[int, int], ...], ...]
    window: int

    def offset(self, contig: str, start: int) -> int | None:
        """Virtual offset at or before the first record that overlaps base `start`;

        None where the contig has no record.
        """
        if contig not in self.names:
            return None
        best = None
        for base, offset in self.chunks[self.names.index(contig)]:
            if base > start and best is not None:
                break
            best = offset
        return best


def find(path: str) -> str | None:
    """The index beside `path`, None where there is none."""
    return next((path + suffix for suffix in (".tbi", ".csi") if storage.exists(path + suffix)), None)


def read(path: str) -> Index:
    """Parse the index file at `path`. Raises InputError."""
    data = b"".join(_whole(path))
    try:
        if data[:4] == b"TBI\x01":
            return _tabix(data)
        if data[:4] == b"CSI\x01":
            return _csi(data)
    except (struct.error, IndexError, UnicodeDecodeError):
        raise InputError("the index is cut short. Make it again with tabix.") from None
    raise InputError("expected a tabix or CSI index, found other bytes. Make it again with tabix.")


def check(path: str, index: Index) -> None:
    """Refuse an index that does not belong to the BGZF file at `path`:

    where it points, there must be the records it tells of.
    """
    for name, chunks in zip(index.names, index.chunks, strict=False):
        for at in sorted({0, len(chunks) // 2, len(chunks) - 1}) if chunks else ():
            base, offset = chunks[at]
            check_offset(path, offset)
            text = next(bgzf.text_chunks(path, offset=offset >> 16, chunk_bytes=1), b"")
            fields = text[offset & 0xFFFF :].split(b"\n", 1)[0].split(b"\t", 2)
            fits = len(fields) == 3 and fields[0] == name.encode() and fields[1].isdigit()
            if not fits or (at == len(chunks) - 1 and int(fields[1]) > base + index.window):
                raise _misfit()


def _misfit() -> InputError:
    return InputError("the index does not fit the file (it is stale, or of another file). Make it again with tabix.")


def check_offset(path: str, offset: int) -> None:
    """Refuse a virtual offset that is not within a block of the BGZF file at `path`."""
    with bgzf.open_binary(path) as handle:
        handle.seek(offset >> 16)
        if not bgzf.is_bgzf(handle.read(bgzf.HEAD_BYTES)):
            raise _misfit()


def _whole(path: str) -> list[bytes]:
    raw = storage.read(path)
    if not bgzf.is_gzip(raw):
        return [raw]
    at, texts = 0, []
    while at < len(raw):
        size = bgzf.block_size(raw, at)
        if size == 0 or at + size > len(raw):
            raise InputError("the index is cut short. Make it again with tabix.")
        texts.append(bgzf.inflate_block(raw, at, size))
        at += size
    return texts


def _tabix(data: bytes) -> Index:
    n_ref, *_, name_bytes = struct.unpack_from("<8i", data, 4)
    names = tuple(data[36 : 36 + name_bytes].decode().split("\0")[:n_ref])
    at = 36 + name_bytes
    found = []
    for _ in range(n_ref):
        (n_bin,) = struct.unpack_from("<i", data, at)
        at += 4
        first = None
        for _ in range(n_bin):
            number, n_chunk = struct.unpack_from("<Ii", data, at)
            if number != 37450 and n_chunk:  # 37450 holds statistics, not records
                begin = struct.unpack_from("<Q", data, at + 8)[0]
                first = begin if first is None else min(first, begin)
            at += 8 + 16 * n_chunk
        (n_linear,) = struct.unpack_from("<i", data, at)
        linear = struct.unpack_from(f"<{n_linear}Q", data, at + 4)
        at += 4 + 8 * n_linear
        pairs = [(window << _LINEAR_SHIFT, offset) for window, offset in enumerate(linear) if offset]
        if first is not None:
            pairs = [(0, first), *pairs]
        found.append(tuple(pairs))
    return Index(names, tuple(found), 1 << _LINEAR_SHIFT)


def _csi(data: bytes) -> Index:
    min_shift, depth, aux = struct.unpack_from("<3i", data, 4)
    name_bytes = struct.unpack_from("<i", data, 16 + 24)[0]
    names = data[16 + 28 : 16 + 28 + name_bytes].decode().split("\0")
    at = 16 + aux
    (n_ref,) = struct.unpack_from("<i", data, at)
    at += 4
    first_leaf = ((1 << 3 * depth) - 1) // 7
    found = []
    for _ in range(n_ref):
        (n_bin,) = struct.unpack_from("<i", data, at)
        at += 4
        pairs, begins = [], []
        for _ in range(n_bin):
            number, left, n_chunk = struct.unpack_from("<IQi", data, at)
            if n_chunk and number < first_leaf + (1 << 3 * depth):
                begins.append(struct.unpack_from("<Q", data, at + 16)[0])
                if number >= first_leaf:
                    pairs.append(((number - first_leaf) << min_shift, left))
            at += 16 + 16 * n_chunk
        found.append(((0, min(begins)), *sorted(pairs)) if begins else ())
    return Index(tuple(names[:n_ref]), tuple(found), 1 << min_shift)
