"""A made reference sequence with repeats in it, so that an indel can be written at more than one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
    import pysam

    contig, line_of_n = reference.contig, "N" * LINE + "\n"
    first = reference.start // LINE  # whole lines of N before the region
    middle_end = min(-(-reference.end // LINE) * LINE, contig.length)
    middle = "N" * (reference.start - first * LINE) + reference.bases + "N" * (middle_end - reference.end)
    lines = "".join(f"{middle[i : i + LINE]}\n" for i in range(0, len(middle), LINE))
    rest = contig.length - middle_end
    tail = "N" * (rest % LINE) + "\n" if rest % LINE else ""
    with path.open("wb") as handle:
        handle.write(compress(f">{contig.name}\n".encode()))
        repeated_block(handle, line_of_n.encode(), first)
        handle.write(compress(lines.encode()))
        repeated_block(handle, line_of_n.encode(), rest // LINE)
        write_blocks(handle, tail.encode())
    pysam.faidx(str(path))
