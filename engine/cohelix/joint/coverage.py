"""Which bases and rows of a bin lie in which region of the genome, and how deep each sample is read there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix import genome
from cohelix.genome import Bin
from cohelix.joint.batch import Blocks, Records
from cohelix.joint.counting import kernels


@dataclass(frozen=True)
class Regions:
    """The regions that a bin has bases or rows in.

    numbers: their indexes in `genome.REGIONS`, ascending. stretches (n, 3) int64: [start, end) of the bin's bases and
    the place of their region in `numbers`. of_rows (rows,): that place for each row.
    """

    numbers: np.ndarray
    stretches: np.ndarray
    of_rows: np.ndarray


def regions_of(build: str, bin_: Bin, window: tuple[int, int] | None, positions: np.ndarray) -> Regions:
    """The regions of a bin of which [start, end) of `window` is called; positions (rows,) are 0-based."""
    low, high = bin_.start, bin_.end
    if window:
        low, high = max(low, window[0]), min(high, window[1])
    inner = {end for span in genome.par_of(build, bin_.contig) for end in span if low < end < high}
    cuts = np.array([low, *sorted(inner), max(low, high)], np.int64)
    of_bases = genome.region_of(build, bin_.contig, cuts[:-1] + 1)
    of_rows = genome.region_of(build, bin_.contig, positions + 1)
    numbers = np.unique(np.concatenate([of_bases, of_rows]))
    stretches = np.stack([cuts[:-1], cuts[1:], np.searchsorted(numbers, of_bases)], axis=1)
    return Regions(numbers, stretches.astype(np.int64), np.searchsorted(numbers, of_rows).astype(np.int32))


def cover(regions: Regions, records: Records, blocks: Blocks, columns: np.ndarray, out: np.ndarray) -> None:
    """Add the depth that a batch states to rows `columns` of out (samples, regions, COVERAGE) int64."""
    found = np.zeros((columns.size, *out.shape[1:]), np.int64)
    kernels.cover(
        records.records, records.at, blocks.start, blocks.end, blocks.depth, blocks.at, regions.stretches, found
    )
    out[columns] += found
