"""Noted reads of all batches of a bin, in memory or in the scratch folder, until the frequencies are known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from cohelix import genome
from cohelix.arrays import mapped
from cohelix.joint import unify
from cohelix.joint.contamination import kernels, model
from cohelix.joint.coverage import Regions
from cohelix.joint.totals import Totals


def lone_snps(rows: list[unify.Row], regions: Regions) -> np.ndarray:
    """(rows,) bool: autosomal SNPs that are the only row whose allele changes that base first.

    By the allele and not by POS, which an indel spelled with the base before it may share from the next bin.
    """
    first = [row.key[0] for row in rows]
    times = Counter(first)
    autosomes = np.isin(regions.numbers, [genome.REGIONS.index("autosome"), genome.REGIONS.index("chr20")])
    snp = [len(row.ref) == len(row.alt) == 1 and times[at] == 1 for row, at in zip(rows, first, strict=True)]
    return np.asarray(np.array(snp, bool) & autosomes[regions.of_rows])


class NotedReads:
    """`held` bytes stay in memory, what is beyond goes to files in `scratch`."""

    def __init__(self, scratch: Path, held: int) -> None:
        self._scratch = scratch
        self._left = held
        self._batches: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, columns: np.ndarray, noted: np.ndarray, at: np.ndarray) -> None:
        """A batch: samples `columns` (n,), what was noted of each, by sample, at (n + 1,)."""
        noted = noted[: at[-1]]
        if noted.nbytes > self._left:
            path = self._scratch / f"reads-{len(self._batches)}.npy"
            np.save(path, noted)
            self._batches.append((columns, mapped(path), at))
        else:
            self._left -= noted.nbytes
            self._batches.append((columns, noted.copy(), at))

    def sum_into(self, totals: Totals, ac: np.ndarray, an: np.ndarray) -> None:
        """Add CHARR and the likelihoods of all samples, for rows of `ac` copies among `an`."""
        bins = model.bins_of(ac, an)
        if not any(noted.size for _, noted, _ in self._batches) or bins.max(initial=-1) < 0:
            return
        table = model.likelihoods()
        for columns, noted, at in self._batches:
            counts, sums = totals.samples[columns], totals.contamination[columns]
            kernels.sum_reads(np.asarray(noted), at, ac, an, bins, table, counts, sums)
            totals.samples[columns], totals.contamination[columns] = counts, sums
