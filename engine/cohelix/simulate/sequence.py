"""A made reference sequence with repeats in it, so that an indel can be written at more than one place."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cohelix.genome import Contig
from cohelix.simulate.bgzf import compress, repeated_block, write_blocks

BASES = "ACGT"
GC_SHARE = 0.41  # of the human genome
BASES_PER_REPEAT = 800
LONGEST_UNIT = 4
LINE = 60  # bases on a line of FASTA


@dataclass(frozen=True)
class Reference:
    """Bases of [start, end) of `contig`; the rest of the contig is N.

    `repeat_offsets` (R,): where each run of a repeated unit begins, counted from `start`; `repeat_units` (R,): bases in
    its unit. A later run may have overwritten part of an earlier one.
    """

    contig: Contig
    start: int
    end: int
    bases: str
    repeat_offsets: np.ndarray
    repeat_units: np.ndarray


def make_reference(contig: Contig, start: int, end: int, rng: np.random.Generator) -> Reference:
    """Independent bases, and on them a homopolymer or short tandem repeat about every `BASES_PER_REPEAT` bases."""
    length = end - start
    share = [(1 - GC_SHARE) / 2, GC_SHARE / 2, GC_SHARE / 2, (1 - GC_SHARE) / 2]
    codes = rng.choice(4, size=length, p=share).astype(np.uint8)
    count = length // BASES_PER_REPEAT
    offsets = np.sort(rng.integers(1, max(length - 100, 2), size=count))
    units = rng.choice([1, 2, 3, LONGEST_UNIT], size=count, p=[0.5, 0.25, 0.1, 0.15])
    copies = rng.integers(5, 16, size=count)
    for offset, unit, times in zip(offsets.tolist(), units.tolist(), copies.tolist(), strict=True):
        run = np.tile(rng.integers(0, 4, size=unit, dtype=np.uint8), times)[: length - offset]
        codes[offset : offset + len(run)] = run
    bases = np.frombuffer(BASES.encode(), np.uint8)[codes].tobytes().decode()
    return Reference(contig, start, end, bases, offsets, units)


def write_fasta(reference: Reference, path: Path) -> None:
    """The whole contig as FASTA compressed in BGZF blocks, with `.fai` and `.gzi` beside it; N outside the region."""
    write_genome([reference], path)


def write_genome(references: Sequence[Reference], path: Path) -> None:
    """Whole contigs as FASTA in BGZF blocks, with `.fai` and `.gzi`: made bases in the regions, N elsewhere.

    `references` in the order of the contigs, those of one contig by their start; they do not overlap.
    """
    entries, place = [], 0  # bytes of text so far
    with path.open("wb") as handle:
        for contig, group in groupby(references, key=lambda reference: reference.contig):
            title = f">{contig.name}\n"
            place += len(title)
            entries.append(f"{contig.name}\t{contig.length}\t{place}\t{LINE}\t{LINE + 1}\n")
            handle.write(compress(title.encode()))
            _write_contig(handle, contig, list(group))
            place += contig.length + -(-contig.length // LINE)
        write_blocks(handle, b"")
    path.with_name(path.name + ".fai").write_text("".join(entries))
    path.with_name(path.name + ".gzi").write_bytes(_block_index(path))


def _write_contig(handle: BinaryIO, contig: Contig, references: list[Reference]) -> None:
    line_of_n, written = ("N" * LINE + "\n").encode(), 0  # lines
    for first, text in _stretches(contig, references):
        lines = "".join(f"{text[i : i + LINE]}\n" for i in range(0, len(text), LINE))
        repeated_block(handle, line_of_n, first - written)
        handle.write(compress(lines.encode()))
        written = first + -(-len(text) // LINE)
    rest = max(contig.length - written * LINE, 0)
    repeated_block(handle, line_of_n, rest // LINE)
    handle.write(compress(("N" * (rest % LINE) + "\n").encode() if rest % LINE else b""))


def _stretches(contig: Contig, references: list[Reference]) -> Iterator[tuple[int, str]]:
    """(line, bases from its begin) of stretches of whole lines that hold regions; regions on one line go together."""
    first, text = -1, ""
    for reference in references:
        line = reference.start // LINE
        if first < 0 or line > first + (len(text) - 1) // LINE:
            if first >= 0:
                yield first, _to_line_end(contig, first, text)
            first, text = line, ""
        text += "N" * (reference.start - first * LINE - len(text)) + reference.bases
    yield first, _to_line_end(contig, first, text)


def _to_line_end(contig: Contig, first: int, text: str) -> str:
    end = min((first + -(-len(text) // LINE)) * LINE, contig.length)
    return text + "N" * (end - first * LINE - len(text))


def _block_index(path: Path) -> bytes:
    """What bgzip writes as `.gzi`: where each BGZF block but the first begins, in the file and in the text.

    Made from the blocks' own heads: htslib would read the text to do so, and whole genomes are 3 GB of it.
    """
    places, here, text = [], 0, 0
    with path.open("rb") as handle:
        while head := handle.read(18):
            size = int.from_bytes(head[16:18], "little") + 1
            handle.seek(here + size - 4)
            here, text = here + size, text + int.from_bytes(handle.read(4), "little")
            places.append((here, text))
    places = places[:-2]  # behind the last block of text, and behind the empty block
    return struct.pack("<Q", len(places)) + b"".join(struct.pack("<QQ", *place) for place in places)
