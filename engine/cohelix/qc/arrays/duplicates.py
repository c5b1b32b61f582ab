"""Samples of one person, or of identical twins: pairs whose genotypes agree at nearly all common markers.

Every pair is looked at, 64 markers at a time, and most are left after a few hundred markers: two bits a genotype,
1 KiB a sample for 4,096 markers. A task is a band of samples against all behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.qc.arrays import kernels
from cohelix.qc.arrays.gather import Cohort
from cohelix.qc.schema import ArrayQcParams
from cohelix.runtime.protocol import Runtime

_STRETCH = 10_000_000  # bases that share the markers to be taken, so that they lie all over the genome
_WORDS = 4  # of 64 markers that are unpacked at a time
_PAIRS = 4_000_000  # in a task, about a second


@dataclass(frozen=True)
class Band:
    """Samples [first, last) against all behind them; `planes` is a file of their bits (see `kernels.pack_planes`)."""

    planes: str
    first: int
    last: int
    n_markers: int
    at_least: float
    fewest: int


def choose_markers(cohort: Cohort, usable: np.ndarray, maf: np.ndarray, params: ArrayQcParams) -> np.ndarray:
    """Rows of the markers to compare at, ascending: usable autosomal ones with `duplicate_maf`, the most common of each

    stretch of the genome in turn.
    """
    rows = np.flatnonzero(usable & (cohort.places == kernels.AUTOSOME) & (np.nan_to_num(maf) >= params.duplicate_maf))
    stretches = [(cohort.markers[row].contig, cohort.markers[row].position // _STRETCH) for row in rows]
    by_maf = np.argsort(-maf[rows], kind="stable")
    met: dict[tuple[str, int], int] = {}
    turn = np.zeros(len(rows), np.int64)
    for place in by_maf:
        turn[place] = met[stretches[place]] = met.get(stretches[place], -1) + 1
    chosen = np.lexsort((np.arange(len(rows)), -maf[rows], turn))[: params.duplicate_markers]
    return np.sort(rows[chosen])


def find(cohort: Cohort, rows: np.ndarray, folder: Path, params: ArrayQcParams, runtime: Runtime) -> np.ndarray:
    """int64 (pairs, 4): samples i < j, markers compared, markers alike; sorted. None where markers are too few."""
    n = len(cohort.sample_ids)
    if n < 2 or len(rows) < params.min_duplicate_markers:
        return np.zeros((0, 4), np.int64)
    low, high = (np.zeros((n, (len(rows) + 63) // 64), np.uint64) for _ in range(2))
    for word in range(0, low.shape[1], _WORDS):
        calls = cohort.calls(rows[64 * word : 64 * (word + _WORDS)])
        kernels.pack_planes(calls, low[:, word : word + _WORDS], high[:, word : word + _WORDS])
    planes = folder / "planes.npz"
    np.savez(planes, low=low, high=high)
    bands = [
        Band(str(planes), first, last, len(rows), params.duplicate_concordance, params.min_duplicate_markers)
        for first, last in _bands(n)
    ]
    return np.concatenate(list(runtime.map(compare, bands, label="find duplicates")))


def compare(band: Band) -> np.ndarray:
    """Pairs of one band, as `find` gives them."""
    with np.load(band.planes) as planes:
        low, high = planes["low"], planes["high"]
    size = 1_024
    while True:
        out = np.empty((size, 4), np.int64)
        found = kernels.alike_pairs(low, high, band.first, band.last, band.n_markers, band.at_least, band.fewest, out)
        if found <= size:
            return out[:found]
        size = found


def _bands(n: int) -> list[tuple[int, int]]:
    """Bands with about as many pairs each: sample i has n - 1 - i behind it."""
    behind = np.cumsum(np.arange(n - 1, -1, -1))
    bands = min(n, 1 + int(behind[-1]) // _PAIRS)
    edges = np.searchsorted(behind, np.linspace(0, behind[-1], bands + 1)[1:-1])
    cuts = np.unique(np.concatenate([[0], edges + 1, [n]]))
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))


def table_of(cohort: Cohort, pairs: np.ndarray) -> pa.Table:
    """`duplicates.parquet`: both samples, by row of the metrics and by id, and how alike they are."""
    ids = cohort.sample_ids
    return pa.table(
        {
            "left": pa.array(pairs[:, 0]), "right": pa.array(pairs[:, 1]),
            "left_id": pa.array([ids[i] for i in pairs[:, 0]], pa.string()),
            "right_id": pa.array([ids[i] for i in pairs[:, 1]], pa.string()),
            "n_compared": pa.array(pairs[:, 2]), "n_alike": pa.array(pairs[:, 3]),
            "concordance": pa.array(pairs[:, 3] / np.maximum(pairs[:, 2], 1)),
        }
    )  # fmt: skip
