"""VCF text (plain, gzip or BGZF) and BCF into a draft: with an index only what lies near loci is read, else the whole
file once. Of a line without a locus no more than its first columns are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import genome
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genotypes import vcf_header, vcf_records
from cohelix.genotypes.vcf_header import Header
from cohelix.pgx.extraction import kernels
from cohelix.pgx.extraction.draft import Draft
from cohelix.pgx.extraction.loci import Loci

_AD = re.compile(r"##FORMAT=<ID=AD,.*?Number=([^,>]+)")


@contextmanager
def opened(path: Path, loci: Loci) -> Iterator[tuple[Header, str, Iterator[bytes]]]:
    """(header, its text, lines that may hold a locus) of the VCF or BCF at `path`. InputError where it is neither."""
    with path.open("rb") as handle:
        head = handle.read(18)
    if head[:2] == b"\x1f\x8b" and head[12:14] == b"BC":
        vcf_records._check_end(path)
    with _stream(path, head) as stream:
        try:
            binary = stream.peek(5)[:5] in (b"BCF\x02\x02", b"BCF\x02\x01")
            if not binary:
                text = _header_text(stream)
        except (EOFError, OSError) as error:
            raise vcf_records._cut_off() from error
        if binary:
            with _by_htslib(path, loci) as (text, lines):
                yield _header(text), text, lines
        elif _index(path):
            yield _header(text), text, _fetched(path, loci)
        else:
            yield _header(text), text, _lines(stream)


def read(lines: Iterator[bytes], header: Header, text: str, draft: Draft, *, check_depths: bool) -> int:
    """Put the genotypes of `lines` into `draft`. Returns how many records lie at loci."""
    n, at_loci = draft.n, 0
    codes, phase, sets = np.empty(n, np.uint8), np.empty(n, np.uint8), np.empty(n, np.int32)
    number_of_ad = _AD.search(text)
    use_depths = check_depths and (number_of_ad is None or number_of_ad.group(1) == "R")
    plain: dict[bytes, str] = {}
    for line in lines:
        fields = line.split(b"\t", 4)
        if len(fields) < 5 or not fields[1].isdigit():
            raise InputError(
                "expected a position in the second of the tab-separated columns of every record, found one without. "
                "Check the file; it may have been cut off."
            )
        contig = plain.get(fields[0]) or plain.setdefault(
            fields[0], genome.plain_name(fields[0].decode("utf-8", "replace"))
        )
        position, ref = int(fields[1]), fields[3].decode("utf-8", "replace")
        if not draft.loci.near(contig, position, ref):
            continue
        rest = fields[4].rstrip(b"\r\n").split(b"\t", 5)
        where = f"the record at {contig}:{position}"
        if len(rest) != 6:
            raise InputError(
                f"expected {9 + n} columns in {where}, found fewer. Check the file; it may have been cut off."
            )
        names = rest[4].split(b":")
        if names[0] != b"GT":
            continue  # no genotypes: what the position has is not known
        alts = [alt.decode("utf-8", "replace") for alt in rest[0].split(b",")]
        ps, ad = (names.index(name) if name in names else 0 for name in (b"PS", b"AD"))
        columns = np.frombuffer(rest[5], np.uint8)
        for place in draft.places(contig, position, ref, alts):
            bad = kernels.read_line(
                columns, place.codes_of, place.locus.ploidy, (ps, ad if use_depths else 0), codes, phase,
                sets if ps else sets[:0], draft.counts[place.locus.gene],
            )  # fmt: skip
            if bad >= 0:
                raise InputError(
                    f"expected a genotype such as 0/1, .|. or 1, of the alleles of the record, in each of {n} sample "
                    f"columns of {where}, found something else in sample column {bad + 1}. Correct or drop that record."
                )
            draft.put(place, codes, phase, sets if ps else None)
            at_loci += 1
    return at_loci


def check_build(header: Header) -> None:
    """ReferenceMismatch where the header's contigs are those of another build than the definitions'."""
    build = genome.build_of(header.contigs)
    if build not in ("GRCh38", genome.UNKNOWN_BUILD):
        raise ReferenceMismatch(
            f"expected genotypes of GRCh38, as the definitions, found a header with the contig lengths of {build}. "
            "Lift the genotypes over, or call them on GRCh38."
        )


def _header(text: str) -> Header:
    return vcf_header.parse(text.rstrip("\r\n").replace("\r\n", "\n"))


@contextmanager
def _stream(path: Path, head: bytes) -> Iterator[Any]:
    from isal import igzip

    if not head:
        raise InputError("expected a VCF or BCF file, found an empty one. Check the file.")
    opened = igzip.open(path, "rb") if head[:2] == b"\x1f\x8b" else path.open("rb")  # type: ignore[no-untyped-call]
    with opened as stream:
        yield stream


def _header_text(stream: Any) -> str:
    lines: list[bytes] = []
    for raw in stream:
        lines.append(raw)
        if raw.startswith(b"#CHROM"):
            return b"".join(lines).decode("utf-8", "surrogateescape")
        if not raw.startswith(b"#") or (len(lines) == 1 and not raw.startswith(b"##fileformat")):
            break
    raise InputError(
        "expected a VCF or BCF header that ends with a #CHROM line, found something else. Check the file's format."
    )


def _lines(stream: Any) -> Iterator[bytes]:
    """Lines of records; empty ones and remarks between them are passed over."""
    try:
        for line in stream:
            if line[:1] not in (b"#", b"\n", b"\r"):
                yield line
    except (EOFError, OSError) as error:
        raise vcf_records._cut_off() from error


def _index(path: Path) -> Path | None:
    for suffix in (".tbi", ".csi"):
        beside = path.with_name(path.name + suffix)
        if beside.is_file() and beside.stat().st_mtime_ns >= path.stat().st_mtime_ns:
            return beside
    return None


def _fetched(path: Path, loci: Loci) -> Iterator[bytes]:
    """Lines near loci, through the tabix index."""
    import pysam

    try:
        with pysam.TabixFile(str(path), index=str(_index(path))) as file:
            names = {genome.plain_name(name): name for name in file.contigs}
            yield from _near(loci, names, lambda *region: (line.encode() for line in file.fetch(*region)))
    except (OSError, ValueError) as error:
        raise InputError(
            "the VCF or its index is damaged, or they do not belong together. Make the index again (bcftools index -t)."
        ) from error


@contextmanager
def _by_htslib(path: Path, loci: Loci) -> Iterator[tuple[str, Iterator[bytes]]]:
    """(header text, lines) of a BCF, written as VCF text by htslib."""
    import pysam

    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(path)) as file:
            names = {genome.plain_name(name): name for name in map(str, file.header.contigs)}
            text = str(file.header)

            def fetch(*region: Any) -> Iterator[bytes]:
                return (str(record).encode() for record in file.fetch(*region))

            if _index(path):
                yield text, _near(loci, names, fetch)
            else:
                yield text, _only_near(file, loci)
    except (OSError, ValueError) as error:
        raise vcf_records._cut_off() from error
    finally:
        pysam.set_verbosity(verbosity)


def _near(loci: Loci, names: dict[str, str], fetch: Callable[..., Iterator[bytes]]) -> Iterator[bytes]:
    """Lines of each stretch of loci, once each."""
    for contig, start, end in loci.stretches():
        if contig in names:
            yield from fetch(names[contig], start, end)


def _only_near(file: Any, loci: Loci) -> Iterator[bytes]:
    for record in file:
        if loci.near(genome.plain_name(record.contig), record.pos, record.ref or "N"):
            yield str(record).encode()
