"""Records of a PGEN file as packed blocks, without decoding genotypes one by one.

Reads hard calls of every storage mode of the PGEN draft specification but those with a separate index: 0x01 (PLINK 1
.bed), 0x02 to 0x04 (records of equal size) and 0x10. Multiallelic, phase and dosage tracks lie behind the hard calls
of a record and are passed over; a call of any alternate allele counts as one of the alternate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from cohelix import storage
from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset, Shard
from cohelix.genotypes.packed.records import kernels

BLOCK_GENOTYPES = 1 << 23
"""Genotypes in one block when a shard is read through: 2 MiB, which stays in the processor's cache."""

_SPAN = 1 << 16
"""Variants between two offsets in the header of a PGEN of mode 0x10; the first of each refers to no other."""


@dataclass(frozen=True)
class PgenIndex:
    """Where the records of a PGEN lie: byte ranges [start, end), kinds as in `kernels`, and what each differs from."""

    n_samples: int
    starts: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray
    references: np.ndarray

    @property
    def n_variants(self) -> int:
        return len(self.starts)


@dataclass(frozen=True)
class PackedReader:
    """An open PGEN. `name` stands for the file in messages."""

    handle: BufferedReader
    index: PgenIndex
    name: str

    @property
    def n_words(self) -> int:
        return -(-self.index.n_samples // 32)

    def read(self, start_row: int, end_row: int) -> np.ndarray:
        """Rows [start_row, end_row) as a packed block. InputError where a record is damaged."""
        data, starts, ends, kinds, reference = self.records(start_row, end_row)
        out = np.empty((end_row - start_row, self.n_words), np.uint64)
        self.check(kernels.decode_rows(data, starts, ends, kinds, self.index.n_samples, reference, out), start_row)
        return out

    def records(self, start_row: int, end_row: int) -> tuple[np.ndarray, ...]:
        """The bytes that hold rows [start_row, end_row): data, starts, ends, kinds, and the row the first refers to."""
        index, reference = self.index, np.zeros(self.n_words, np.uint64)
        if start_row >= end_row:
            nothing = np.empty(0, np.int64)
            return np.zeros(8, np.uint8), nothing, nothing, np.empty(0, np.uint8), reference
        first = int(index.references[start_row])
        origin, size = int(index.starts[first]), int(index.ends[end_row - 1] - index.starts[first])
        self.handle.seek(origin)
        data = np.empty(size + 8, np.uint8)
        data[size:] = 0
        if self.handle.readinto(data[:size].data) != size:
            raise InputError(f"{self.name} became shorter while it was read. Restore it.")
        starts, ends = index.starts[first:end_row] - origin, index.ends[first:end_row] - origin
        if first < start_row:
            one = reference.reshape(1, -1)
            kinds = index.kinds[first : first + 1]
            self.check(kernels.decode_rows(data, starts[:1], ends[:1], kinds, index.n_samples, reference, one), first)
        skip = start_row - first
        return data, starts[skip:], ends[skip:], index.kinds[start_row:end_row], reference

    def check(self, damaged: int, start_row: int) -> None:
        """InputError unless `damaged`, which a kernel returned, is -1."""
        if damaged >= 0:
            raise InputError(f"record {start_row + damaged + 1} of {self.name} is damaged. Restore the file.")


@contextmanager
def open_packed(callset: Callset, shard: Shard, track: str = "genotypes") -> Iterator[PackedReader]:
    """A reader of the shard's PGEN, or with track="adj" of the PGEN that marks calls which fail adj."""
    path = shard.pgen if track == "genotypes" else shard.adj
    if path is None:
        raise InputError(f"{callset.root} does not say which calls fail adj: it was imported, not called.")
    entry = callset.commit.entry(path)
    place = storage.join(callset.root, path)
    if not storage.exists(place):
        raise InputError(f"{callset.root} lacks {path}, which its commit names. Restore it.")
    with storage.as_local_file(place) as local:
        if local.stat().st_size != entry.bytes:
            raise InputError(f"expected {entry.bytes} bytes in {path}, as committed, found {local.stat().st_size}.")
        with open_pgen_file(local, path, n_samples=callset.n_samples, n_variants=shard.n_sites) as reader:
            yield reader


@contextmanager
def open_pgen_file(local: Path, name: str, *, n_samples: int, n_variants: int) -> Iterator[PackedReader]:
    """A reader of one local PGEN (or .bed) of known size, called `name` in messages."""
    with local.open("rb") as handle:
        yield PackedReader(handle, _read_index(handle, name, n_samples, n_variants), name)


def packed_blocks(
    callset: Callset, shard: Shard, block_rows: int | None = None, *, track: str = "genotypes"
) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, packed block) through a whole shard; memory is that of one block."""
    rows = block_rows or rows_of_block(callset.n_samples)
    with open_packed(callset, shard, track) as reader:
        for start in range(0, shard.n_sites, rows):
            yield start, reader.read(start, min(start + rows, shard.n_sites))


def rows_of_block(n_samples: int) -> int:
    """Rows that make a block of `BLOCK_GENOTYPES`."""
    return max(1, BLOCK_GENOTYPES // max(1, n_samples))


def _read_index(handle: BufferedReader, name: str, n_samples: int, n_variants: int) -> PgenIndex:
    size = os.fstat(handle.fileno()).st_size
    head = handle.read(12)
    if len(head) < 3 or head[:2] != b"\x6c\x1b":
        raise InputError(f"{name} does not begin with the bytes of a PGEN file. Restore it.")
    mode, plain = head[2], (n_samples + 3) // 4
    if mode == 1:
        starts = 3 + plain * np.arange(n_variants + 1, dtype=np.int64)
        return _index(name, size, n_samples, starts[:-1], starts[1:], np.full(n_variants, kernels.BED, np.uint8))
    if mode not in (2, 3, 4, 16):
        raise InputError(f"{name} is a PGEN of storage mode {mode}; those with one file, 1 to 4 and 16, are read.")
    if len(head) < 12:
        raise InputError(f"{name} ends within its header. Restore it.")
    found = tuple(np.frombuffer(head, "<u4", 2, 3).tolist())
    if found != (n_variants, n_samples):
        raise InputError(
            f"expected {n_variants} variants of {n_samples} samples in {name}, found {found[0]} of {found[1]}."
        )
    if mode < 16:
        flags = (n_variants + 7) // 8 if head[11] >> 6 == 3 else 0
        starts = 12 + flags + (plain + 2 * (mode - 2) * n_samples) * np.arange(n_variants + 1, dtype=np.int64)
        return _index(name, size, n_samples, starts[:-1], starts[1:], np.zeros(n_variants, np.uint8))
    return _index(name, size, n_samples, *_variable_records(handle, name, size, head[11], n_samples, n_variants))


def _variable_records(
    handle: BufferedReader, name: str, size: int, layout: int, n_samples: int, n_variants: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """starts, ends and kinds of the records of a PGEN of mode 0x10, from its header."""
    form, allele_bytes, flagged = layout & 15, layout >> 4 & 3, layout >> 6 == 3
    if form > 9:
        raise InputError(f"{name} has a header of form {form}, which no PGEN has. Restore it.")
    spans = -(-n_variants // _SPAN)
    offsets = _take(handle, name, 8 * spans).view("<i8")
    starts, ends = np.empty(n_variants, np.int64), np.empty(n_variants, np.int64)
    kinds = np.empty(n_variants, np.uint8)
    for span in range(spans):
        low, high = span * _SPAN, min((span + 1) * _SPAN, n_variants)
        count = high - low
        if form < 8:
            kinds[low:high] = (
                _small(_take(handle, name, -(-count // 2)), 4, count) if form < 4 else _take(handle, name, count)
            )
            width = form % 4 + 1
            wide = np.zeros((count, 4), np.uint8)
            wide[:, :width] = _take(handle, name, width * count).reshape(count, width)
            lengths = wide.view("<u4").reshape(-1).astype(np.int64)
        else:
            width = 2 * (form - 7)
            more = _small(_take(handle, name, -(-count * width // 8)), width, count)
            lengths = (n_samples + 3) // 4 + more.astype(np.int64)
            kinds[low:high] = np.where(more > 0, 8, 0)
        _take(handle, name, allele_bytes * count + (-(-count // 8) if flagged else 0))
        if not 0 < offsets[span] <= size:
            raise InputError(f"{name} places records beyond its end. Restore it.")
        ends[low:high] = offsets[span] + np.cumsum(lengths)
        starts[low:high] = ends[low:high] - lengths
    return starts, ends, kinds & 7


def _index(name: str, size: int, n_samples: int, starts: np.ndarray, ends: np.ndarray, kinds: np.ndarray) -> PgenIndex:
    """The index, after a check that records follow one another inside the file and refer to earlier ones."""
    rows = np.arange(len(starts))
    refers = (kinds == 2) | (kinds == 3)
    if len(rows) and (ends[-1] > size or (starts[1:] < ends[:-1]).any()):
        raise InputError(f"{name} is shorter than its header says, or its records overlap. Restore it.")
    if refers[::_SPAN].any():
        raise InputError(f"{name} has a record that differs from one before the first. Restore it.")
    return PgenIndex(n_samples, starts, ends, kinds, np.maximum.accumulate(np.where(refers, -1, rows)))


def _take(handle: BufferedReader, name: str, count: int) -> np.ndarray:
    content = handle.read(count) if count else b""
    if len(content) != count:
        raise InputError(f"{name} ends within its header. Restore it.")
    return np.frombuffer(content, np.uint8)


def _small(packed: np.ndarray, width: int, count: int) -> np.ndarray:
    """`count` numbers of `width` bits each, the first in the lowest bits of the first byte."""
    per_byte = 8 // width
    shifts = (width * np.arange(per_byte)).astype(np.uint8)
    return ((packed[:, None] >> shifts) & ((1 << width) - 1)).reshape(-1)[:count]
