"""Array VCFs, block by block: markers, calls as copies of allele B, and the values GenCall, BAF and LRR.

One pass, memory of one block. Genotypes are parsed as those of any VCF (`cohelix.genotypes.kernels.parse_gt`); the
fields IGC, BAF and LRR may be absent, or lie anywhere in FORMAT. A file that was cut off is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import igzip
from isal.igzip_lib import IsalError

from cohelix.errors import InputError
from cohelix.genotypes import kernels as genotype_kernels
from cohelix.genotypes import vcf_header
from cohelix.genotypes.vcf_header import Header
from cohelix.genotypes.vcf_records import BGZF_END
from cohelix.qc.arrays import kernels
from cohelix.qc.arrays.info import Marker, read_marker

_DAMAGED: tuple[type[Exception], ...] = (EOFError, OSError, IsalError)  # type: ignore[assignment]  # a class, stubs err
"""What the readers of compressed streams raise."""

MOST_ROWS = 8_192
"""Markers in one block at most: what a line states of its marker is a kilobyte."""

VALUES = ("IGC", "BAF", "LRR")
"""Fields of FORMAT, in the order of the columns of `Block.values`."""


@dataclass(frozen=True)
class Block:
    """m markers of n samples: calls int8 (m, n), -9 none; values float64 (m, n, 3), NaN absent.

    strange: int64 (m,), calls with an allele that is neither A nor B.
    """

    markers: list[Marker]
    calls: np.ndarray
    values: np.ndarray
    strange: np.ndarray


@contextmanager
def open_array(path: Path, block_calls: int) -> Iterator[tuple[Header, Iterator[Block]]]:
    """(header, blocks of about `block_calls` calls) of a VCF, plain, gzip or BGZF. InputError where it is damaged."""
    try:
        with _open(path) as lines:
            header = _header(lines)
            rows = min(MOST_ROWS, max(1, block_calls // len(header.sample_ids)))
            yield header, _whole(_blocks(lines, header, rows))
    except FileNotFoundError:
        raise InputError("expected an array VCF, found no file there. Check the path.") from None
    except _DAMAGED as error:
        raise _cut_off() from error


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as handle:
        head = handle.read(18)
        if head[:2] != b"\x1f\x8b":
            return path.open("rb")
        handle.seek(max(0, path.stat().st_size - len(BGZF_END)))
        if head[12:14] == b"BC" and handle.read() != BGZF_END:
            raise _cut_off()
    return igzip.open(path, "rb")  # type: ignore[no-untyped-call,no-any-return]  # isal has no types


def _header(lines: BinaryIO) -> Header:
    read = []
    for raw in lines:
        read.append(raw)
        if raw.startswith(b"#CHROM"):
            return vcf_header.parse(b"".join(read).decode("utf-8", "surrogateescape"))
        if not raw.startswith(b"#"):
            break
    raise InputError("expected a VCF header that ends with a #CHROM line, found something else. Check the file.")


def _whole(blocks: Iterator[Block]) -> Iterator[Block]:
    """`blocks`, with what a damaged stream raises turned into InputError."""
    try:
        yield from blocks
    except _DAMAGED as error:
        raise _cut_off() from error


def _cut_off() -> InputError:
    return InputError("expected a complete array VCF, found one that was cut off or is damaged. Copy it again.")


def _blocks(lines: BinaryIO, header: Header, rows: int) -> Iterator[Block]:
    n = len(header.sample_ids)
    alleles = np.empty((n, 2), np.int16)
    contigs = {contig.name for contig in header.contigs}
    number, waiting = 0, _Waiting(rows, n)
    for raw in lines:
        number += 1
        fields = _fields(raw, number, n)
        marker = _marker(fields, number, contigs)
        _genotypes(fields, number, alleles)
        _add(waiting, marker, fields, alleles)
        if len(waiting.markers) == rows:
            yield waiting.block()
            waiting = _Waiting(rows, n)
    if number == 0:
        raise InputError("expected markers behind the header, found none. Check that the VCF is not empty.")
    if waiting.markers:
        yield waiting.block()


class _Waiting:
    """A block that is being filled."""

    def __init__(self, rows: int, n: int) -> None:
        self.markers: list[Marker] = []
        self.calls = np.empty((rows, n), np.int8)
        self.values = np.empty((rows, n, len(VALUES)), np.float64)
        self.strange = np.zeros(rows, np.int64)

    def block(self) -> Block:
        m = len(self.markers)
        return Block(self.markers, self.calls[:m], self.values[:m], self.strange[:m])


def _fields(raw: bytes, number: int, n: int) -> list[bytes]:
    if not raw.endswith(b"\n"):
        raise InputError(f"expected a line break after record {number}, found the end of the file: it was cut off.")
    fields = raw.rstrip(b"\r\n").split(b"\t", 9)
    if len(fields) != 10:
        raise InputError(f"expected {9 + n} columns in record {number}, found fewer. Check the file.")
    if fields[8] != b"GT" and not fields[8].startswith(b"GT:"):
        raise InputError(
            f"expected GT first in FORMAT of record {number}, found none. Array quality control needs genotypes: "
            "write them with picard GtcToVcf."
        )
    return fields


def _marker(fields: list[bytes], number: int, contigs: set[str]) -> Marker:
    head = [field.decode("utf-8", "replace") for field in fields[:7]]
    if not head[1].isdigit():
        raise InputError(f"expected a position in record {number}, found something else. Check the file.")
    if contigs and head[0] not in contigs:
        raise InputError(
            f"expected a contig of the header in record {number}, found {head[0]!r}. "
            "Add its ##contig line (bcftools reheader) or drop the record."
        )
    return read_marker(head, fields[7].decode("utf-8", "replace"))


def _genotypes(fields: list[bytes], number: int, alleles: np.ndarray) -> None:
    bad = genotype_kernels.parse_gt(np.frombuffer(fields[9], np.uint8), alleles)
    if bad >= 0:
        raise InputError(
            f"expected a genotype such as 0/1 in each of {len(alleles)} sample columns of record {number}, found "
            f"something else in sample column {bad + 1}. Correct or drop that record."
        )


def _add(waiting: _Waiting, marker: Marker, fields: list[bytes], alleles: np.ndarray) -> None:
    row = len(waiting.markers)
    a, b = (code if code >= 0 else kernels.NO_ALLELE for code in (marker.code_a, marker.code_b))
    waiting.strange[row] = kernels.copies_of_b(alleles, a, b, waiting.calls[row])
    names = fields[8].decode("ascii", "replace").split(":")
    columns = np.array([names.index(name) if name in names else -1 for name in VALUES], np.int64)
    kernels.parse_values(np.frombuffer(fields[9], np.uint8), columns, waiting.values[row])
    waiting.markers.append(marker)
