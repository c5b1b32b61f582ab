"""Records of VCF text, BGZF-compressed VCF and BCF, one at a time: the fixed columns and the GT of every sample.

Of the samples' fields only GT is decoded. Memory is that of one record. A file that was cut off is refused: BGZF ends
with an empty block, gzip with its length, and text with a line break.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from isal import igzip

from cohelix.errors import InputError
from cohelix.genotypes import kernels, site_annotations, vcf_header
from cohelix.genotypes.vcf_header import Header

BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that ends every complete BGZF file."""

_FLOAT, _TEXT = 5, 7
_SIZES = {1: ("<i1", -128), 2: ("<i2", -32768), 3: ("<i4", -(2**31))}


@dataclass(frozen=True)
class Record:
    """One record. `alleles` int16 (samples, 2) is overwritten by the next one; see `kernels.parse_gt`.

    quality: QUAL, NaN where missing. info: values of the INFO fields that `header.kept` names.
    """

    number: int
    contig: str
    position: int
    name: str
    ref: str
    alts: list[str]
    filter: str
    quality: float
    info: dict[str, list[float]]
    alleles: np.ndarray


@contextmanager
def open_records(path: Path) -> Iterator[tuple[Header, Iterator[Record]]]:
    """(header, records) of a VCF, gzip or BGZF VCF, or BCF file; which it is, its bytes say."""
    with path.open("rb") as handle:
        head = handle.read(18)
    if head[:2] == b"\x1f\x8b":
        if head[12:14] == b"BC":
            _check_end(path)
        stream: Any = igzip.open(path, "rb")  # type: ignore[no-untyped-call]  # isal has no types
    elif not head:
        raise InputError("expected a VCF or BCF file, found an empty one. Check the file.")
    else:
        stream = path.open("rb")
    with stream:
        try:
            binary = stream.peek(5)[:5] in (b"BCF\x02\x02", b"BCF\x02\x01")
            header = _bcf_header(stream) if binary else _text_header(stream)
        except (EOFError, OSError) as error:
            raise _cut_off() from error
        yield header, _guarded(_bcf_records(stream, header) if binary else _text_records(stream, header))


def _guarded(records: Iterator[Record]) -> Iterator[Record]:
    """`records`, with what a damaged file makes its readers raise turned into InputError."""
    try:
        yield from records
    except (EOFError, OSError, struct.error, IndexError, KeyError) as error:
        raise _cut_off() from error


def _text_header(stream: BinaryIO) -> Header:
    lines = []
    for raw in stream:
        lines.append(raw)
        if raw.startswith(b"#CHROM"):
            return vcf_header.parse(b"".join(lines).decode("utf-8", "surrogateescape"))
        if not raw.startswith(b"#") or (len(lines) == 1 and not raw.startswith(b"##fileformat")):
            break
    raise InputError(
        "expected a VCF or BCF header that ends with a #CHROM line, found something else. Check the file's format."
    )


def _text_records(stream: BinaryIO, header: Header) -> Iterator[Record]:
    n_samples = len(header.sample_ids)
    alleles = np.empty((n_samples, 2), np.int16)
    for number, raw in enumerate(stream, start=1):
        if not raw.endswith(b"\n"):
            raise InputError(f"expected a line break after record {number}, found the end of the file: it was cut off.")
        fields = raw.rstrip(b"\r\n").split(b"\t", 9)
        if len(fields) != 10:
            raise InputError(f"expected {9 + n_samples} columns in record {number}, found fewer. Check the file.")
        if fields[8] != b"GT" and not fields[8].startswith(b"GT:"):
            raise InputError(f"expected GT first in FORMAT of record {number}, found none. A callset needs genotypes.")
        bad = kernels.parse_gt(np.frombuffer(fields[9], np.uint8), alleles)
        if bad >= 0:
            raise InputError(
                f"expected a genotype such as 0/1, .|. or 1 (one or two copies) in each of {n_samples} sample columns "
                f"of record {number}, found something else in sample column {bad + 1}. Correct or drop that record."
            )
        contig, position, name, ref, alt, quality, filters, info = (
            field.decode("utf-8", "replace") for field in fields[:8]
        )
        if not position.isdigit():
            raise InputError(f"expected a position in record {number}, found something else. Check the file.")
        values = site_annotations.from_text(info, header.kept.keys)
        quality_ = site_annotations.number(quality)
        yield Record(number, contig, int(position), name, ref, alt.split(","), filters, quality_, values, alleles)


def _bcf_header(stream: BinaryIO) -> Header:
    stream.read(5)
    text = _exactly(stream, struct.unpack("<I", _exactly(stream, 4))[0])
    return vcf_header.parse(text.rstrip(b"\x00").decode("utf-8", "surrogateescape"))


def _bcf_records(stream: BinaryIO, header: Header) -> Iterator[Record]:
    number = 0
    while sizes := stream.read(8):
        number += 1
        if len(sizes) < 8:
            raise _cut_off()
        shared_size, own_size = struct.unpack("<II", sizes)
        shared, own = _exactly(stream, shared_size), _exactly(stream, own_size)
        contig, start, _, quality, counts, more = struct.unpack_from("<iiifII", shared)
        n_alleles, n_formats, n_samples = counts >> 16, more >> 24, more & 0xFFFFFF
        if n_samples != len(header.sample_ids) or contig not in header.contig_index:
            raise InputError(f"record {number} of the BCF does not fit its header (samples or contig). Make it again.")
        texts = []
        at = 24
        for _ in range(1 + n_alleles):
            kind, size, at = _descriptor(shared, at)
            texts.append(shared[at : at + size].decode("utf-8", "replace"))
            at += size
        kind, size, at = _descriptor(shared, at)
        codes = np.frombuffer(shared, _SIZES[kind][0], size, at) if size else ()
        filters = [header.strings[int(code)] for code in codes]
        yield Record(
            number,
            header.contig_index[contig],
            start + 1,
            texts[0] or ".",
            texts[1],
            texts[2:] or ["."],
            ";".join(filters) or ".",
            quality,
            _bcf_info(shared, at + size * _width(kind), header, counts & 0xFFFF),
            _bcf_genotypes(own, header, n_formats, number),
        )


def _bcf_info(shared: bytes, at: int, header: Header, n_info: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for _ in range(n_info if header.kept.keys else 0):
        kind, size, at = _descriptor(shared, at)
        key = header.strings.get(int(np.frombuffer(shared, _SIZES[kind][0], 1, at)[0]), "")
        kind, size, at = _descriptor(shared, at + _width(kind))
        if key in header.kept.keys and kind in (*_SIZES, _FLOAT):
            dtype, missing = _SIZES.get(kind, ("<f4", None))
            values = np.frombuffer(shared, dtype, size, at)
            found[key] = [math.nan if missing is not None and v <= missing + 1 else float(v) for v in values]
        elif key in header.kept.keys and kind == _TEXT:
            text = shared[at : at + size].decode("utf-8", "replace")
            found[key] = [site_annotations.number(value) for value in text.split(",")]
        at += size * _width(kind)
    return found


def _width(kind: int) -> int:
    """Bytes of one value of a BCF type; 0 of a flag's."""
    return {0: 0, _FLOAT: 4, _TEXT: 1}.get(kind) or (int(_SIZES[kind][0][2]) if kind in _SIZES else 0)


def _bcf_genotypes(own: bytes, header: Header, n_formats: int, number: int) -> np.ndarray:
    at, n_samples = 0, len(header.sample_ids)
    for _ in range(n_formats):
        kind, size, at = _descriptor(own, at)
        key = int(np.frombuffer(own, _SIZES[kind][0], 1, at)[0])
        kind, size, at = _descriptor(own, at + int(_SIZES[kind][0][2]))
        width = _width(kind)
        if header.strings.get(key) != "GT":
            at += width * size * n_samples
            continue
        codes = np.frombuffer(own, _SIZES[kind][0], n_samples * size, at).reshape(n_samples, size).astype(np.int32)
        ended = codes == _SIZES[kind][1] + 1
        copies = np.where(codes == _SIZES[kind][1], kernels.UNKNOWN, (codes >> 1) - 1)
        copies[ended] = kernels.ABSENT
        if size > 2 and not ended[:, 2:].all():
            raise InputError(f"expected one or two copies per genotype in record {number}, found more. Drop it.")
        alleles = np.full((n_samples, 2), kernels.ABSENT, np.int16)
        alleles[:, : min(size, 2)] = copies[:, :2]
        alleles[:, 0][alleles[:, 0] == kernels.ABSENT] = kernels.UNKNOWN
        return alleles
    raise InputError(f"expected GT in FORMAT of record {number}, found none. A callset is made of genotypes.")


def _descriptor(data: bytes, at: int) -> tuple[int, int, int]:
    """(type, number of values, where they begin) of a typed BCF value."""
    kind, size = data[at] & 15, data[at] >> 4
    if size < 15:
        return kind, size, at + 1
    dtype = _SIZES[data[at + 1] & 15][0]
    return kind, int(np.frombuffer(data, dtype, 1, at + 2)[0]), at + 2 + int(dtype[2])


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise _cut_off()
    return data


def _check_end(path: Path) -> None:
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - len(BGZF_END)))
        if handle.read() != BGZF_END:
            raise _cut_off()


def _cut_off() -> InputError:
    return InputError(
        "expected a complete VCF or BCF file, found one that was cut off or is damaged (a BGZF file ends with an empty "
        "block). Copy it again."
    )
