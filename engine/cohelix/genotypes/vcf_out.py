"""A callset as VCF, BGZF-compressed VCF or BCF.

GT only, never phased. Where sex and build say that one copy exists, the genotype has one allele; where none exists,
it is `.`. A half call stays a half call (`./1`), and a copy that lies in a spanning deletion is `.`, since a
row has one alternate allele and no `*`. Equal callsets give equal bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pysam

from cohelix import __version__
from cohelix.errors import ConfigError
from cohelix.genotypes import counts, vcf_header
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.plink_out import finished
from cohelix.genotypes.selection import Part, Selection

FORMATS = {"vcf": ".vcf", "vcf.gz": ".vcf.gz", "bcf": ".bcf"}

# Cells of one genotype, by 4 * ploidy + (genotype & 3): text with its tab in four bytes (padded with zeros), and BCF
# in two bytes (2 * (allele + 1); 0 missing; 0x81 ends a haploid call).
_NOTHING = [b".\t"] * 4
_TEXT = np.array(
    [*_NOTHING, b"0\t", b".\t", b"1\t", b".\t", b"0/0\t", b"0/1\t", b"1/1\t", b"./.\t"], "S4"
).view("<u4")  # fmt: skip
_HAPLOID = [0x8102, 0x8100, 0x8104, 0x8100]
_BINARY = np.array([*[0x8100] * 4, *_HAPLOID, 0x0202, 0x0402, 0x0404, 0x0000], "<u2")
_BCF_ALLELE = {".": 0, "*": 0, "0": 2, "1": 4}


def export_vcf(callset: Callset, path: str, selection: Selection, *, form: str, overwrite: bool = False) -> list[str]:
    """Write `path` as `form`: "vcf", "vcf.gz" or "bcf". Returns its path; ConfigError where it exists."""
    if form not in FORMATS:
        raise ConfigError(f"expected a format of {', '.join(FORMATS)}, found {form!r}.")
    with finished(path, ("",), overwrite=overwrite) as paths:
        filters = _filters(selection)
        header = vcf_header.lines(
            version=__version__,
            contigs=callset.contigs,
            build=callset.build,
            sample_ids=selection.sample_ids,
            filters=filters,
        )
        with _sink(paths[""], compressed=form != "vcf") as sink:
            if form == "bcf":
                encoded = header.encode() + b"\x00"
                sink.write(b"BCF\x02\x02" + struct.pack("<I", len(encoded)) + encoded)
                _write_rows(sink, callset, selection, _bcf_encoder(callset, filters, len(selection.sample_ids)))
            else:
                sink.write(header.encode())
                _write_rows(sink, callset, selection, _text_row)
    return [path]


Known = list[tuple[int, str, str]]
"""Column, first and second allele of calls that are known in part."""

Encoder = Callable[[dict[str, Any], np.ndarray, np.ndarray, Known], bytes]
"""Site, genotypes int8 (samples,), ploidy uint8 (samples,) and partly known calls of one row, as bytes."""


def _write_rows(sink: BinaryIO, callset: Callset, selection: Selection, encode: Encoder) -> None:
    for part in selection.parts():
        ploidy = counts.ploidy_of(
            callset.build, part.shard.contig, part.sites.column("position").to_numpy(), selection.sexes
        )
        partial = part.partial()
        for first, block in part.blocks():
            sites = _sites(part, first, len(block))
            for at, site in enumerate(sites):
                copies = ploidy.table[ploidy.classes[first + at]]
                sink.write(encode(site, block[at], copies, _shown(partial.get(first + at, []))))


def _sites(part: Part, first: int, rows: int) -> list[dict[str, Any]]:
    columns = ["contig", "position", "ref", "alt"]
    columns += [name for name in ("source_id", "filter") if name in part.sites.column_names]
    return list(part.sites.select(columns).slice(first, rows).to_pylist())


def _shown(partial: Known) -> Known:
    """Those of which a copy is unknown or deleted; a ploidy conflict stays missing."""
    return [one for one in partial if one[1] in ".*" or one[2] in ".*"]


def _text_row(site: dict[str, Any], genotypes: np.ndarray, copies: np.ndarray, partial: Known) -> bytes:
    cells = _TEXT[4 * copies + (genotypes & 3)]
    for sample, first, second in partial:
        text = _dot(first) if copies[sample] == 1 and first == second else f"{_dot(first)}/{_dot(second)}"
        cells[sample] = np.array([f"{text}\t"], "S4").view("<u4")[0]
    calls: bytes = cells.tobytes().replace(b"\x00", b"")  # the padding of haploid cells
    name, filters = site.get("source_id", "."), site.get("filter", ".")
    fixed = f"{site['contig']}\t{site['position']}\t{name}\t{site['ref']}\t{site['alt']}\t.\t{filters}\t.\tGT\t"
    return fixed.encode() + calls[:-1] + b"\n"


def _bcf_encoder(callset: Callset, filters: Sequence[str], n_samples: int) -> Encoder:
    contig_of = {contig.name: index for index, contig in enumerate(callset.contigs)}
    number = {"PASS": 0} | {name: index for index, name in enumerate(filters, start=1)}
    gt = len(number)

    def encode(site: dict[str, Any], genotypes: np.ndarray, copies: np.ndarray, partial: Known) -> bytes:
        cells = _BINARY[4 * copies + (genotypes & 3)]
        for sample, first, second in partial:
            single = copies[sample] == 1 and first == second
            cells[sample] = _BCF_ALLELE[first] | (0x81 if single else _BCF_ALLELE[second]) << 8
        alts = [] if site["alt"] == "." else [site["alt"]]
        texts = [site.get("source_id", "."), site["ref"], *alts]
        filter_codes = [number[name] for name in _split(site.get("filter", "."))]
        shared = struct.pack("<iii", contig_of[site["contig"]], site["position"] - 1, len(site["ref"]))
        shared += struct.pack("<III", 0x7F800001, (1 + len(alts)) << 16, 1 << 24 | n_samples)
        shared += b"".join(_typed_text("" if text == "." else text) for text in texts)
        shared += _typed_ints(filter_codes)
        own: bytes = _typed_ints([gt]) + b"\x21" + cells.tobytes()
        return struct.pack("<II", len(shared), len(own)) + shared + own

    return encode


def _typed_text(text: str) -> bytes:
    data = text.encode()
    return _typed_head(7, len(data)) + data


def _typed_ints(values: Sequence[int]) -> bytes:
    if not values:
        return b"\x00"
    wide = max(values) > 127
    return _typed_head(2 if wide else 1, len(values)) + np.array(values, "<i2" if wide else "<i1").tobytes()


def _typed_head(kind: int, size: int) -> bytes:
    if size < 15:
        return bytes([size << 4 | kind])
    return bytes([0xF0 | kind, 0x13]) + struct.pack("<i", size)


def _filters(selection: Selection) -> list[str]:
    names = {
        name
        for part in selection.parts()
        if "filter" in part.sites.column_names
        for value in part.sites.column("filter").unique().to_pylist()
        for name in _split(value)
    }
    return sorted(names - {"PASS"})


def _split(filters: str) -> list[str]:
    return [] if filters == "." else filters.split(";")


def _dot(allele: str) -> str:
    return "." if allele == "*" else allele


def _sink(path: Path, *, compressed: bool) -> Any:
    """A file to write to; BGZF where `compressed` (with the empty block that ends it)."""
    return pysam.BGZFile(str(path), "wb", None) if compressed else path.open("wb")
