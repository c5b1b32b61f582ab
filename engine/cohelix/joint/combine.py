"""What Hail's combiner does not check of its inputs: done here, from heads, tails and indexes, before a JVM starts.

The combiner reads every gVCF by the header of the first one, reads a BGZF file that was cut at a block as a shorter
one, and cuts the genome into 2,586 pieces however small the data. Here headers are merged or refused, the end-of-file
block is looked for, and the genome is cut by what the tabix indexes say lies where.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cohelix import genome, storage
from cohelix.dataset import digest_of
from cohelix.errors import CohelixError, InputError, ReferenceMismatch
from cohelix.genome import Contig
from cohelix.joint.gvcf import bgzf, header, index
from cohelix.joint.manifest import Row

PARTITION_BYTES = 32 << 20
"""Compressed bytes of all inputs in one partition: some tens of seconds of work, and few enough partitions to plan."""

REFERENCE_FIELDS = ("GT", "GQ", "DP", "MIN_DP")
"""What reference blocks of a VDS keep where the header has it. Without GT, a haploid reference comes back diploid."""

_DEFINITION = re.compile(r"##(INFO|FORMAT|FILTER)=<ID=([^,>]+)(.*)")
_KIND = re.compile(r"Number=([^,>]+)|Type=([^,>]+)")


@dataclass(frozen=True)
class Inputs:
    """What a combiner needs to know: one header for all files, the build, and (contig, start, end) pieces."""

    sample_ids: list[str]
    paths: list[str]
    header: str
    build: str
    reference_fields: tuple[str, ...]
    pieces: list[tuple[str, int, int]]
    digest: str


@dataclass(frozen=True)
class _File:
    meta: list[str]
    contigs: tuple[Contig, ...]
    bytes_on: dict[str, int]
    size: int


def examine(rows: Sequence[Row], *, partition_bytes: int = PARTITION_BYTES) -> Inputs:
    """Check the gVCFs of a manifest. InputError names the manifest row of a damaged one or of one without its .tbi.

    Raises ReferenceMismatch where builds or contig lengths differ, or where the build is not known.
    """
    files = []
    for row in rows:
        try:
            files.append(_examine(row.path))
        except CohelixError as error:
            raise type(error)(f"gVCF of manifest row {row.number}: {error}") from None
    contigs = _merge_contigs(rows, files)
    build = genome.build_of(contigs)
    if build == genome.UNKNOWN_BUILD:
        raise ReferenceMismatch(
            "expected ##contig lines with the lengths of GRCh37 or GRCh38, found neither; Hail needs one of the two. "
            "Add the lengths (bcftools reheader)."
        )
    definitions = _merge_definitions(rows, files)
    fields = tuple(name for name in REFERENCE_FIELDS if ("FORMAT", name) in definitions)
    what = {
        "rows": [[row.sample_id, row.path, file.size] for row, file in zip(rows, files, strict=True)],
        "partition_bytes": partition_bytes,
    }
    return Inputs(
        [row.sample_id for row in rows], [row.path for row in rows], _header_text(definitions, contigs), build, fields,
        _pieces(contigs, files, partition_bytes), digest_of(what),
    )  # fmt: skip


def _examine(path: str) -> _File:
    with bgzf.open_binary(path) as handle:
        head = handle.read(64)
        if not bgzf.is_bgzf(head):
            raise InputError("expected a BGZF file, found another kind. Compress it with bgzip, index it with tabix.")
        size = int(handle.seek(0, 2))
        handle.seek(max(0, size - len(bgzf.EOF_BLOCK)))
        if handle.read() != bgzf.EOF_BLOCK:
            raise InputError(
                "the compressed file lacks the empty block that ends every BGZF file: it was cut short. Copy it again."
            )
    if not storage.exists(path + ".tbi"):
        raise InputError("expected a tabix index (.tbi) beside the file, found none. Make one: tabix -p vcf.")
    text = b""
    for chunk in bgzf.text_chunks(path, chunk_bytes=1 << 20):
        text += chunk
        if not text.rstrip(b"\n").rpartition(b"\n")[2].startswith(b"##"):
            break
    parsed, end = header.split(text)
    tabix = index.read(path + ".tbi")
    index.check(path, tabix)
    spans = zip(tabix.names, tabix.chunks, strict=True)
    bytes_on = {name: max(1, (chunks[-1][1] >> 16) - (chunks[0][1] >> 16)) for name, chunks in spans if chunks}
    meta = [line.rstrip("\r") for line in text[:end].decode("utf-8", "replace").split("\n") if line.startswith("##")]
    return _File(meta, parsed.contigs, bytes_on, size)


def _merge_contigs(rows: Sequence[Row], files: Sequence[_File]) -> list[Contig]:
    lengths: dict[str, tuple[int, int]] = {}
    builds: dict[str, int] = {}
    for row, file in zip(rows, files, strict=True):
        builds.setdefault(genome.build_of(file.contigs), row.number)
        for contig in file.contigs:
            first, length = lengths.setdefault(contig.name, (row.number, contig.length))
            if length != contig.length:
                raise ReferenceMismatch(
                    f"manifest rows {first} and {row.number} give contig {contig.name} different lengths "
                    f"({length} and {contig.length}). Combine files of one reference."
                )
    known = [build for build in builds if build != genome.UNKNOWN_BUILD]
    if len(known) > 1:
        raise ReferenceMismatch(
            f"manifest rows {builds[known[0]]} and {builds[known[1]]} are of different builds "
            f"({known[0]} and {known[1]}). Combine files of one build."
        )
    return [Contig(name, length) for name, (_, length) in lengths.items()]


def _merge_definitions(rows: Sequence[Row], files: Sequence[_File]) -> dict[tuple[str, str], str]:
    """(kind, ID) to header line, over all files. InputError where two give a field another Number or Type."""
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for row, file in zip(rows, files, strict=True):
        for line in file.meta:
            match = _DEFINITION.match(line)
            if match is None:
                continue
            first, text = found.setdefault((match[1], match[2]), (row.number, line))
            if text != line and _KIND.findall(text)[:2] != _KIND.findall(line)[:2] and match[1] != "FILTER":
                raise InputError(
                    f"manifest rows {first} and {row.number} define {match[1]} {match[2]} with another Number or Type. "
                    "Combine files of one caller and version, or make their headers agree."
                )
    return {key: line for key, (_, line) in found.items()}


def _header_text(definitions: dict[tuple[str, str], str], contigs: Sequence[Contig]) -> str:
    lines = ["##fileformat=VCFv4.2", *definitions.values(), '##ALT=<ID=NON_REF,Description="Any other allele">']
    lines += [f"##contig=<ID={contig.name},length={contig.length}>" for contig in contigs]
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", "sample"]
    return "\n".join([*lines, "\t".join(columns)]) + "\n"


def _pieces(contigs: Sequence[Contig], files: Sequence[_File], partition_bytes: int) -> list[tuple[str, int, int]]:
    pieces = []
    for contig in contigs:
        total = sum(file.bytes_on.get(contig.name, 0) for file in files)
        n = -(-total // partition_bytes)
        edges = [contig.length * i // n for i in range(n + 1)] if n else []
        pieces += [(contig.name, low, high) for low, high in itertools.pairwise(edges)]
    if not pieces:
        raise InputError("expected records in at least one gVCF, found none in any index. Check the inputs.")
    listed = {contig.name for contig in contigs}
    absent = sorted({name for file in files for name in file.bytes_on} - listed)
    if absent:
        raise InputError(f"records lie on {absent[0]}, which no header lists. Add a ##contig line (bcftools reheader).")
    return pieces
