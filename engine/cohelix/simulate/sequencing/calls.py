"""What is true of the calls in a gVCF: each that is not reference, each that is missing, and why it is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.simulate.population import trim
from cohelix.simulate.sequencing.calling import STAR
from cohelix.simulate.sequencing.candidates import Candidates
from cohelix.simulate.sequencing.lines import Where
from cohelix.simulate.sequencing.sample import Sample
from cohelix.simulate.sequencing.stretches import Blocks

GROUP = 96  # samples in a row group
STRETCH_REASONS = (
    "", "few reads", "stray reads", "artefact", "contamination", "copies", "deleted", "uncalled stretch",
)  # fmt: skip


@dataclass(frozen=True)
class CallsTruth:
    """Lists of one length. A row is one alternate of one site, or a stretch without evidence (kind "stretch").

    position: 1-based; end: last reference base. ref, alt: trimmed, one alternate ("" of a stretch). copies_true: in the
    genome; copies_called: in the file, -1 where it makes no call. copies: chromosomes there are. ploidy: that the
    caller takes for granted. depth, alt_reads, quality: as in the file; of a site that the file does not name, what
    was seen there. kind: "snp", "insertion", "deletion", "other" or "stretch".

    outcome: "right", "missed" (fewer copies called), "extra" (more), "uncalled". reason: "" if right, else "few reads",
    "stray reads", "contamination", "artefact", "uncalled stretch", "copies" (the caller takes another number of
    chromosomes for granted), "deleted" (so, because a gene is). quality 0 is no evidence, whatever the outcome: a right
    call may have it. A stretch is `./.` or a reference block of GQ 0.
    """

    contig: list[str] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    ref: list[str] = field(default_factory=list)
    alt: list[str] = field(default_factory=list)
    copies_true: list[int] = field(default_factory=list)
    copies_called: list[int] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)
    ploidy: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    alt_reads: list[int] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    outcome: list[str] = field(default_factory=list)
    reason: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Iterable[tuple[Any, ...]]) -> CallsTruth:
        """From rows of (place, then each column in order), which are put in the order of places."""
        columns = list(zip(*sorted(rows, key=lambda row: row[0]), strict=True))[1:]
        return cls(*(list(column) for column in columns))


@dataclass(frozen=True)
class Seen:
    """Of n sites: called (n, OTHER) copies; counts (n, COLUMNS) reads; quality, ploidy, copies (n,); made (n,): false

    where the file makes no call; listed (n, OTHER): alleles that a record names; reason: of each site.
    """

    called: np.ndarray
    counts: np.ndarray
    quality: np.ndarray
    ploidy: np.ndarray
    copies: np.ndarray
    made: np.ndarray
    listed: np.ndarray
    reason: list[str]


def site_rows(where: Where, sites: Candidates, seen: Seen) -> Iterator[tuple[Any, ...]]:
    """Place and columns of all sites whose truth or call is not reference, or whose record has no quality."""
    empty = (seen.quality == 0) & seen.made
    told = (sites.own > 0) | ((seen.called > 0) & seen.made[:, None]) | (empty[:, None] & seen.listed)
    told[:, [0, STAR]] = False
    rows, columns = np.nonzero(told)
    place = sites.place[rows]
    region = where.region(place)
    arrays = (
        rows, columns, region, place, place + where.shift[region], sites.own[rows, columns],
        np.where(seen.made[rows], seen.called[rows, columns], -1), seen.copies[rows], seen.ploidy[rows],
        np.where(seen.made[rows], seen.counts[rows].sum(axis=1), 0),
        np.where(seen.made[rows], seen.counts[rows, columns], 0), np.where(seen.made[rows], seen.quality[rows], 0),
    )  # fmt: skip
    values = zip(*(array.tolist() for array in arrays), strict=True)
    for row, column, r, spot, position, true, called, copies, ploidy, depth, reads, quality in values:
        ref, (alt,) = trim(sites.ref[row], [sites.alts[row][column - 1]])
        outcome = "uncalled" if called < 0 else "right"
        if called >= 0 and called != true:
            outcome = "missed" if called < true else "extra"
        reason = "" if outcome == "right" else seen.reason[row]
        yield (
            spot, where.contig[r], position, position + len(ref) - 1, ref, alt, true, called, copies, ploidy, depth,
            reads, quality, _kind(ref, alt), outcome, reason,
        )  # fmt: skip


def stretch_rows(where: Where, blocks: Blocks, quality: np.ndarray, copies: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Place and columns of all blocks whose `quality` (B,), as written, is 0. copies (B,): chromosomes there are."""
    rows = np.flatnonzero(quality == 0)
    region = where.region(blocks.start[rows])
    shift = where.shift[region]
    columns = (
        region, blocks.start[rows], blocks.start[rows] + shift, blocks.end[rows] + shift - 1, blocks.called[rows],
        copies[rows], blocks.ploidy[rows], blocks.depth[rows], blocks.reason[rows],
    )  # fmt: skip
    for r, spot, position, end, called, number, ploidy, depth, why in zip(*(c.tolist() for c in columns), strict=True):
        yield (
            spot, where.contig[r], position, end, "", "", 0, 0 if called else -1, number, ploidy, depth, 0, 0,
            "stretch", "right" if called else "uncalled", STRETCH_REASONS[why],
        )  # fmt: skip


def _kind(ref: str, alt: str) -> str:
    if len(ref) == len(alt) == 1:
        return "snp"
    if len(alt) == 1 and ref[0] == alt:
        return "deletion"
    if len(ref) == 1 and alt[0] == ref:
        return "insertion"
    return "other"


class CallsFile:
    """Truth of calls to Parquet, samples in the order they are added, a row group for every `GROUP` of them."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        small, text = pa.int8(), pa.dictionary(pa.int8(), pa.string())
        types = dict.fromkeys(("contig", "kind", "outcome", "reason"), text)
        types |= dict.fromkeys(("ref", "alt"), pa.string())
        types |= dict.fromkeys(("copies_true", "copies_called", "copies", "ploidy"), small)
        named = [(column.name, types.get(column.name, pa.int32())) for column in fields(CallsTruth)]
        self._schema = pa.schema([("sample", pa.int32()), *named])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Any] = []

    def add(self, number: int, truth: CallsTruth) -> None:
        """`number`: index of the sample."""
        import pyarrow as pa

        columns = [[number] * len(truth.position), *(getattr(truth, column.name) for column in fields(truth))]
        arrays = [pa.array(values, of.type) for values, of in zip(columns, self._schema, strict=True)]
        self._waiting.append(pa.Table.from_arrays(arrays, schema=self._schema))
        if len(self._waiting) == GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting).unify_dictionaries())
            self._waiting = []

    def __enter__(self) -> CallsFile:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._flush()
        self._writer.close()


def samples_table(samples: Iterable[Sample]) -> Any:
    """What was true of each sample on the sequencer, as an Arrow table: the fields of `Sample`."""
    import pyarrow as pa

    of = {"int": pa.int32(), "str": pa.string(), "float": pa.float64(), "bool": pa.bool_()}
    schema = pa.schema([(column.name, of[str(column.type)]) for column in fields(Sample)])
    listed = list(samples)
    return pa.table({name: [getattr(sample, name) for sample in listed] for name in schema.names}, schema=schema)
