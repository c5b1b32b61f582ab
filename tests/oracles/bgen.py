"""BGEN 1.2, layout 2, read byte by byte as its specification says."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """calls: of each sample (ploidy, whether missing, probabilities as 0 to 255). at: first byte and size."""

    name: str
    contig: str
    position: int
    alleles: list[str]
    calls: list[tuple[int, bool, tuple[int, ...]]]
    at: tuple[int, int]


def read(data: bytes) -> tuple[list[str], list[Variant]]:
    """Ids of samples, and variants."""
    offset, header, n_variants, n_samples, magic, flags = struct.unpack_from("<IIII4sI", data)
    assert (header, magic) == (20, b"bgen")
    assert flags & 3 == 1 and flags >> 2 & 15 == 2 and flags >> 31 == 1
    size, again = struct.unpack_from("<II", data, 24)
    assert again == n_samples and offset == header + size
    at, samples = 32, []
    for _ in range(n_samples):
        name, at = _text(data, at, "<H")
        samples.append(name)
    assert at == offset + 4
    variants = []
    for _ in range(n_variants):
        variant = _variant(data, at, n_samples)
        variants.append(variant)
        at += variant.at[1]
    assert at == len(data)
    return samples, variants


def _variant(data: bytes, start: int, n_samples: int) -> Variant:
    _, at = _text(data, start, "<H")
    name, at = _text(data, at, "<H")
    contig, at = _text(data, at, "<H")
    position, n_alleles = struct.unpack_from("<IH", data, at)
    at += 6
    alleles = []
    for _ in range(n_alleles):
        allele, at = _text(data, at, "<I")
        alleles.append(allele)
    packed, size = struct.unpack_from("<II", data, at)
    plain = zlib.decompress(data[at + 8 : at + 4 + packed])
    assert len(plain) == size
    return Variant(name, contig, position, alleles, _calls(plain, n_samples), (start, at + 4 + packed - start))


def _calls(plain: bytes, n_samples: int) -> list[tuple[int, bool, tuple[int, ...]]]:
    n, n_alleles, least, most = struct.unpack_from("<IHBB", plain)
    assert (n, n_alleles) == (n_samples, 2)
    flags, at = plain[8 : 8 + n], 8 + n
    assert plain[at : at + 2] == bytes([0, 8])  # not phased, 8 bits
    at += 2
    calls = []
    for flag in flags:
        ploidy = flag & 63
        assert least <= ploidy <= most
        calls.append((ploidy, bool(flag & 128), tuple(plain[at : at + ploidy])))
        at += ploidy
    assert at == len(plain)
    assert {least, most} == {min(one[0] for one in calls), max(one[0] for one in calls)}
    return calls


def _text(data: bytes, at: int, form: str) -> tuple[str, int]:
    (length,) = struct.unpack_from(form, data, at)
    begin = at + struct.calcsize(form)
    return data[begin : begin + length].decode(), begin + length
