"""Large gVCFs are read in stretches of the genome, by their index;

and it is proved that the stretches make up the whole file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from cohelix import storage
from cohelix.errors import InputError
from cohelix.joint import manifest
from cohelix.joint.gvcf import index
from cohelix.joint.gvcf.reader import END_OF_FILE, GvcfReader, Region
from cohelix.joint.schema import MARGIN_BP, IngestParams

_HEADER_BYTES = 1 << 20


def file_stamp(path: str) -> tuple[int, int]:
    """(bytes, time of the last change in ns) of a local file; (-1, 0) where that cannot be told."""
    if not storage.is_local(path):
        return -1, 0
    try:
        stat = storage.local_path(path).stat()
    except OSError:
        return -1, 0
    return stat.st_size, stat.st_mtime_ns


def plan(batch: Sequence[manifest.Row], params: IngestParams) -> list[Region | None]:
    """[None], all in one go, unless the batch is larger than a task may be and every file has an index and contig
    lengths.
    """
    mebibytes = sum(max(file_stamp(row.path)[0], 0) for row in batch) / (1 << 20)
    if mebibytes <= params.stretch_mib or not all(index.find(row.path) for row in batch):
        return [None]
    lengths: dict[str, int] = {}
    for row in batch:
        try:
            contigs = GvcfReader(row.path, digest=False, chunk_bytes=_HEADER_BYTES).contigs
            names = set(index.read(index.find(row.path) or "").names)  # of thousands of contigs, most have no record
        except InputError as error:
            raise InputError(f"gVCF of manifest row {row.number}: {error}") from None
        if not all(contig.length for contig in contigs) or not names <= {contig.name for contig in contigs}:
            return [None]
        for contig in contigs:
            if contig.name in names:
                lengths[contig.name] = max(lengths.get(contig.name, 0), contig.length)
    if not lengths:
        return [None]
    step = max(1, round(sum(lengths.values()) * params.stretch_mib / mebibytes / params.bin_bp)) * params.bin_bp
    # Joined blocks take their depth from all of a bin, so the bins beside a stretch are read whole.
    before, behind = (params.bin_bp, params.bin_bp) if params.bands == "aou" else (2, MARGIN_BP)
    return [
        Region(name, start, min(start + step, length), before, behind)
        for name, length in lengths.items()
        for start in range(0, length, step)
    ]


def seam_of(reader: GvcfReader) -> dict[str, Any]:
    return asdict(reader.seam)


def check(row: manifest.Row, seams: Sequence[tuple[Region, dict[str, Any]]]) -> None:
    """Refuse an index that led past records: each stretch must begin at the very record at which the one before it
    ended.

    Raises InputError. seams: of all stretches of one file, with neighbours on a contig one after another.
    """
    follows = {seam["first"]: seam["next"] for _, seam in seams if seam["first"] != seam["next"]}
    at = seams[0][1]["head"]
    while at != END_OF_FILE:
        if at not in follows:
            raise _misled(row)
        at = follows.pop(at)
    for (before, left), (behind, right) in pairwise(seams):
        if before.contig == behind.contig and left["across_end"] != right["across_start"]:
            raise _misled(row)


def _misled(row: manifest.Row) -> InputError:
    return InputError(
        f"gVCF of manifest row {row.number}: the index leads past some of the records (it is stale, or of another "
        "file). "
        "Make it again with tabix."
    )
