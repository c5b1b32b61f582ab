"""Records of one sample's gVCF, as columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genome import Contig
from cohelix.joint.annotation import kernels as a
from cohelix.joint.gvcf import bgzf, header, index
from cohelix.joint.gvcf import kernels as k

HOM_REF, HOM_REF_HAPLOID, NO_CALL = 2, 1, 0
"""State of a reference block: reference on two copies, on one, or the caller made no call there."""

_LARGEST_HEADER = 64 << 20
_MESSAGES = {
    k.SHORT_ROW: "expected ten tab-separated columns, found fewer",
    k.BAD_POSITION: "expected POS to be a whole number from 1 on, found something else",
    k.BAD_END: "INFO/END lies before POS, or is not a number",
    k.NO_GT: "expected GT in FORMAT and in the sample's column, found none",
    k.PLOIDY_OVER_2: "found a call of three or more alleles; cohelix reads haploid and diploid calls",
    k.ALLELE_OUT_OF_RANGE: "GT names an allele that REF and ALT do not have (allele index out of range)",
    k.EMPTY_ALLELE: "REF or ALT is empty",
    k.BAD_NUMBER: "a DP, GQ, PS or MIN_DP is not a number",
    k.MANY_SAMPLES: "found more columns than the header names",
    k.BAD_BASE: "REF holds characters that are not bases",
    k.BAD_GT: "GT is not made of allele numbers, dots and / or |",
}


@dataclass(frozen=True)
class Blocks:
    """Reference blocks, sorted by contig and start, disjoint.

    contig, start, end int32; gq int32 and dp int32 (-1 missing; dp is MIN_DP where the file has it); state int8.
    depth int32: DP, -1 missing.
    """

    contig: np.ndarray
    start: np.ndarray
    end: np.ndarray
    gq: np.ndarray
    dp: np.ndarray
    state: np.ndarray
    depth: np.ndarray


@dataclass(frozen=True)
class Variants:
    """Variant records, sorted by contig and start. Text columns are (offsets int32 (records + 1,), bytes uint8) pairs.

    contig, start, end (start + length of REF), gq, dp, phase_set int32 (-1 missing). allele1, allele2 int16: 0 REF, k
    the k-th of `alts`, one more than there are alts the unnamed alternate (<NON_REF>), -1 a dot, -2 no second copy.
    phased int8. ref, alts (comma-separated), filters text; ad (REF, then each alt) and pl (VCF's genotype order)
    number lists. quality float32 (QUAL), annotations (records, COLUMNS) int32 and mq_squared int64: see
    `annotation.kernels.read_annotations`.
    """

    contig: np.ndarray
    start: np.ndarray
    end: np.ndarray
    gq: np.ndarray
    dp: np.ndarray
    allele1: np.ndarray
    allele2: np.ndarray
    phased: np.ndarray
    phase_set: np.ndarray
    ref: tuple[np.ndarray, np.ndarray]
    alts: tuple[np.ndarray, np.ndarray]
    filters: tuple[np.ndarray, np.ndarray]
    ad: tuple[np.ndarray, np.ndarray]
    pl: tuple[np.ndarray, np.ndarray]
    quality: np.ndarray
    annotations: np.ndarray
    mq_squared: np.ndarray


@dataclass(frozen=True)
class Region:
    """A stretch of one contig to read: `start` and `end` 0-based half-open, and bases around it that are read too."""

    contig: str
    start: int
    end: int
    before: int = 0
    behind: int = 0


END_OF_FILE = ""


@dataclass
class Seam:
    """Where the records of a region begin and end in the file. Records are told by the sha256 of their line.

    head: the file's first record. first: the first that starts in the region or behind it; next: the first that
    starts behind it. All three may be END_OF_FILE. across_start, across_end: records that lie over the region's first
    or last boundary.
    """

    head: str = END_OF_FILE
    first: str = END_OF_FILE
    next: str = END_OF_FILE
    across_start: int = 0
    across_end: int = 0


class GvcfReader:
    """Reads one gVCF, chunk by chunk: `header` first, then `records()` once.

    Contig indices in the columns are those of `contigs`. `digest` is the sha256 of the stored bytes after a whole
    read. `is_gvcf`, after a read: some record was a reference block, or named the unnamed alternate.
    """

    def __init__(self, path: str, *, region: Region | None = None, digest: bool = True, chunk_bytes: int = 0) -> None:
        self._path = path
        self._region = region
        self._hash = hashlib.sha256() if digest and region is None else None
        self._chunk_bytes = chunk_bytes or bgzf.CHUNK_BYTES
        self._chunks = bgzf.text_chunks(path, digest=self._hash, chunk_bytes=self._chunk_bytes)
        text = b""
        for piece in self._chunks:
            text += piece
            if _header_is_whole(text):
                break
            if len(text) > _LARGEST_HEADER:
                raise InputError(
                    f"expected a header of up to {_LARGEST_HEADER >> 20} MiB, found a larger one. Is this a gVCF?"
                )
        self.header, at = header.split(text)
        self._first = text[at:]
        self._found: list[Contig] = []  # of a header without contig lines: names are taken as they come
        self.is_gvcf = False
        self.seam = Seam()

    @property
    def contigs(self) -> Sequence[Contig]:
        """The header's contigs, or those met so far where it names none."""
        return self.header.contigs or self._found

    @property
    def digest(self) -> str:
        assert self._hash is not None, "only a whole read has a digest"
        return self._hash.hexdigest()

    def records(self) -> Iterator[tuple[Blocks, Variants]]:
        """Columns of each chunk in turn. Raises InputError or ReferenceMismatch with the place of what is wrong."""
        order = _Order()
        for text in self._text():
            data = np.frombuffer(text, np.uint8)
            lines = self._tokenise(text, data)
            order.check(lines, self.contigs)
            if self._region is not None:
                self._note_seam(self._region, text, lines)
            lines = self._cut_to_region(lines)
            blocks, variants = _blocks(lines), _variants(data, lines, self.contigs)
            self.is_gvcf = self.is_gvcf or blocks.start.size > 0 or _has_unnamed(lines, variants)
            yield blocks, variants
            if self._region is not None and self._is_past_region(order):
                return

    def _text(self) -> Iterator[bytes]:
        if self._region is None:
            yield from (piece for piece in (self._first,) if piece)
            yield from self._chunks
            return
        head = self._first or next(self._chunks, b"")
        self.seam.head = _digest_of_line(head, 0) if head else END_OF_FILE
        self._chunks.close()  # type: ignore[attr-defined]
        found = index.find(self._path)
        if found is None:
            raise InputError(
                "reading a region needs an index beside the file, found none. Make one with: tabix -p vcf FILE"
            )
        start = index.read(found).offset(self._region.contig, max(self._region.start - self._region.before, 0))
        if start is None:
            return
        index.check_offset(self._path, start)
        pieces = bgzf.text_chunks(self._path, offset=start >> 16, chunk_bytes=self._chunk_bytes)
        first = next(pieces, b"")
        yield first[start & 0xFFFF :]
        yield from pieces

    def _note_seam(self, region: Region, text: bytes, lines: np.ndarray) -> None:
        """Keep what proves later that the regions of a file leave no record out."""
        here = np.array([contig.name == region.contig for contig in self.contigs], bool)[lines[:, k.CONTIG]]
        start, end = lines[:, k.START], lines[:, k.END]
        for name, boundary in (("first", region.start), ("next", region.end)):
            from_here = np.flatnonzero(~here | (start >= boundary))
            if getattr(self.seam, name) == END_OF_FILE and from_here.size:
                setattr(self.seam, name, _digest_of_line(text, int(lines[from_here[0], k.REF_AT])))
        self.seam.across_start += int((here & (start < region.start) & (end > region.start)).sum())
        self.seam.across_end += int((here & (start < region.end) & (end > region.end)).sum())

    def _tokenise(self, text: bytes, data: np.ndarray) -> np.ndarray:
        lines = np.empty((int(k.count_lines(data)), k.N_COLUMNS), np.int32)
        while True:
            names = header.names_of(self.contigs)
            n, status, fault = k.tokenise(data, names.text, names.at, 0 if self.contigs else -1, lines)
            if status == k.OK:
                return lines[:n]
            if status == k.UNKNOWN_CONTIG and not self.header.contigs:
                name = text[fault : text.index(b"\n", fault)].split(b"\t", 1)[0]
                self._found.append(Contig(name.decode("utf-8", "replace"), 0))
                continue
            raise _fault(status, text, fault)

    def _cut_to_region(self, lines: np.ndarray) -> np.ndarray:
        if self._region is None:
            return lines
        wanted = [i for i, contig in enumerate(self.contigs) if contig.name == self._region.contig]
        keep = np.isin(lines[:, k.CONTIG], wanted)
        keep &= lines[:, k.START] < self._region.end + self._region.behind
        keep &= lines[:, k.END] >= self._region.start - self._region.before
        return lines[keep]

    def _is_past_region(self, order: _Order) -> bool:
        assert self._region is not None
        name = self.contigs[order.contig].name if order.contig >= 0 else self._region.contig
        return name != self._region.contig or order.start >= self._region.end + self._region.behind


class _Order:
    """Checks that records are sorted, that contigs do not come back, and that nothing lies beyond a contig's end."""

    def __init__(self) -> None:
        self.contig, self.start = -1, -1
        self._seen: set[int] = set()

    def check(self, lines: np.ndarray, contigs: Sequence[Contig]) -> None:
        if not len(lines):
            return
        contig, start = lines[:, k.CONTIG].copy(), lines[:, k.START].copy()
        at = int(k.first_disorder(contig, start, self.contig, self.start))
        if at >= 0:
            raise InputError(
                f"records are not sorted: {_place(contigs, lines[at])} follows a later position. Sort the file "
                "(bcftools sort)."
            )
        runs = contig[np.flatnonzero(np.diff(contig, prepend=-1))]
        for number in runs.tolist():
            if number in self._seen and number != self.contig:
                raise InputError(
                    f"records of contig {contigs[number].name} stand in two places. Sort the file (bcftools sort)."
                )
            self._seen.add(number)
            self.contig = number
        length = header.names_of(contigs).lengths[contig]
        length = np.where(length > 0, length, header.LONGEST_CONTIG)
        beyond = np.flatnonzero(lines[:, k.END] > length)
        if beyond.size:
            row = lines[beyond[0]]
            raise ReferenceMismatch(
                f"a record at {_place(contigs, row)} ends beyond the contig's {length[beyond[0]]} bases. "
                "The file and its header are of different builds, or the file is damaged."
            )
        self.start = int(start[-1])


def _header_is_whole(text: bytes) -> bool:
    at = 0 if text.startswith(b"#CHROM") else text.find(b"\n#CHROM")
    return (at >= 0 and text.find(b"\n", at + 1) >= 0) or not text.startswith(b"#")


def _digest_of_line(text: bytes, at: int) -> str:
    """sha256 of the line of `text` around `at`."""
    end = text.find(b"\n", at)
    return hashlib.sha256(text[text.rfind(b"\n", 0, at) + 1 : end if end >= 0 else len(text)]).hexdigest()


def _place(contigs: Sequence[Contig], row: np.ndarray) -> str:
    return f"{contigs[row[k.CONTIG]].name}:{row[k.START] + 1}"


def _fault(status: int, text: bytes, at: int) -> Exception:
    end = text.find(b"\n", at)
    fields = text[at : end if end >= 0 else len(text)].split(b"\t", 2)
    place = b":".join(fields[:2])[:80].decode("ascii", "replace")
    if status == k.UNKNOWN_CONTIG:
        return ReferenceMismatch(
            f"record {place} lies on a contig that the header does not name. The file was put together from different "
            "builds, "
            "or its header is incomplete."
        )
    return InputError(f"record {place}: {_MESSAGES[status]}. Correct the file, or make the gVCF again.")


def _blocks(lines: np.ndarray) -> Blocks:
    rows = lines[lines[:, k.KIND] == k.BLOCK]
    first, second = rows[:, k.ALLELE1], rows[:, k.ALLELE2]
    state = np.where(
        (first == 0) & (second == 0), HOM_REF, np.where((first == 0) & (second == k.ABSENT), HOM_REF_HAPLOID, NO_CALL)
    ).astype(np.int8)
    contig, start, end, gq, dp = (np.ascontiguousarray(rows[:, c]) for c in (k.CONTIG, k.START, k.END, k.GQ, k.DP))
    return Blocks(contig, start, end, gq, dp, state, np.ascontiguousarray(rows[:, k.DEPTH]))


def _variants(data: np.ndarray, lines: np.ndarray, contigs: Sequence[Contig]) -> Variants:
    rows = lines[lines[:, k.KIND] == k.VARIANT]

    def text(at: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        offsets, content = k.gather(data, rows[:, at].copy(), rows[:, length].copy())
        return offsets, content

    alts, filters = text(k.ALT_AT, k.ALT_LEN), text(k.FILTER_AT, k.FILTER_LEN)
    _check_text(alts, rows, contigs, "ALT")
    _check_text(filters, rows, contigs, "FILTER")
    named = 1 + _count_alts(alts)
    haploid = rows[:, k.ALLELE2] == k.ABSENT
    ad = _numbers(data, rows, k.AD_AT, k.AD_LEN, named, contigs)
    contig, start, end, gq, dp, phase_set = (
        np.ascontiguousarray(rows[:, c]) for c in (k.CONTIG, k.START, k.END, k.GQ, k.DP, k.PHASE_SET)
    )
    allele1, allele2 = rows[:, k.ALLELE1].astype(np.int16), rows[:, k.ALLELE2].astype(np.int16)
    annotations = np.empty((len(rows), a.COLUMNS), np.int32)
    mq_squared, quality = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    filter_at, filter_length = rows[:, k.FILTER_AT].copy(), rows[:, k.FILTER_LEN].copy()
    a.read_annotations(data, filter_at, filter_length, allele1, allele2, dp, annotations, mq_squared, quality)
    return Variants(
        contig,
        start,
        end,
        gq,
        dp,
        allele1,
        allele2,
        rows[:, k.PHASED].astype(np.int8),
        phase_set,
        text(k.REF_AT, k.REF_LEN),
        alts,
        filters,
        _with_ref_and_alt_depths(ad, rows),
        _numbers(data, rows, k.PL_AT, k.PL_LEN, np.where(haploid, named, named * (named + 1) // 2), contigs),
        quality,
        annotations,
        mq_squared,
    )


def _check_text(column: tuple[np.ndarray, np.ndarray], rows: np.ndarray, contigs: Sequence[Contig], name: str) -> None:
    """Refuse bytes that no VCF may hold there: they would make text columns that nobody can read."""
    odd = np.flatnonzero((column[1] <= 32) | (column[1] >= 127))
    if odd.size:
        row = rows[np.searchsorted(column[0], odd[0], side="right") - 1]
        raise InputError(
            f"record {_place(contigs, row)}: {name} holds blanks, control characters or non-ASCII text. Correct the "
            "file."
        )


def _has_unnamed(lines: np.ndarray, variants: Variants) -> bool:
    """Whether a variant record lists the unnamed alternate behind the named ones."""
    stated = lines[lines[:, k.KIND] == k.VARIANT, k.N_ALT]
    return bool((stated > _count_alts(variants.alts)).any())


def _count_alts(alts: tuple[np.ndarray, np.ndarray]) -> Any:
    commas = np.concatenate([[0], np.cumsum(alts[1] == ord(","))])
    return (1 + commas[alts[0][1:]] - commas[alts[0][:-1]]).astype(np.int32)


def _numbers(
    data: np.ndarray, rows: np.ndarray, at: int, length: int, limit: np.ndarray, contigs: Sequence[Contig]
) -> tuple[np.ndarray, np.ndarray]:
    offsets, values, fault = k.number_lists(data, rows[:, at].copy(), rows[:, length].copy(), limit.astype(np.int32))
    if fault >= 0:
        raise InputError(
            f"record {_place(contigs, rows[fault])}: AD or PL holds something that is not a number. Correct the file."
        )
    return offsets, values


def _with_ref_and_alt_depths(ad: tuple[np.ndarray, np.ndarray], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """xAtlas writes RR and VR (reference and variant reads) where others write AD."""
    use = (np.diff(ad[0]) == 0) & (rows[:, k.RR] >= 0) & (rows[:, k.VR] >= 0) & (rows[:, k.N_ALT] == 1)
    if not use.any():
        return ad
    lists = [ad[1][ad[0][i] : ad[0][i + 1]] for i in range(len(rows))]
    for i in np.flatnonzero(use):
        lists[i] = rows[i, [k.RR, k.VR]]
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int32)
    return offsets, np.concatenate([*lists, np.zeros(0, np.int32)]).astype(np.int32)
