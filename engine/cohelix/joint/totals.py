"""What the rows and bases of a bin say of each sample, and the sums of that over the genome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.joint import store
from cohelix.joint.contamination.profile import profile
from cohelix.joint.schema import (
    CONTAMINATION_GRID,
    CONTAMINATION_SUMS,
    COVERAGE,
    HOMOZYGOSITY,
    OUTCOMES,
    REASONS,
    REGION_COUNTS,
    SAMPLE_COUNTS,
)

_REF = len(REASONS) - 1
_HET, _PLOIDY = _REF + 1, _REF - REASONS.index("ploidy")


@dataclass
class Totals:
    """Of one bin, int64 throughout; the regions are those of `numbers`, indexes in `genome.REGIONS`.

    samples: (samples, SAMPLE_COUNTS). outcomes, coverage, homozygosity: (samples, regions, OUTCOMES | COVERAGE |
    HOMOZYGOSITY). contamination: (samples, 1 + CONTAMINATION_SUMS), genotypes and the sums of their log-likelihoods.
    """

    numbers: np.ndarray
    samples: np.ndarray
    outcomes: np.ndarray
    coverage: np.ndarray
    homozygosity: np.ndarray
    contamination: np.ndarray

    @staticmethod
    def none(n_samples: int, numbers: np.ndarray) -> Totals:
        def zeros(size: int) -> np.ndarray:
            return np.zeros((n_samples, numbers.size, size), np.int64)

        samples = np.zeros((n_samples, len(SAMPLE_COUNTS)), np.int64)
        reads = np.zeros((n_samples, 1 + CONTAMINATION_SUMS), np.int64)
        return Totals(numbers, samples, zeros(OUTCOMES), zeros(len(COVERAGE)), zeros(len(HOMOZYGOSITY)), reads)

    def to_bytes(self) -> bytes:
        """As `Sums.add` takes it: the size of the rest, the regions, then a row per sample."""
        n_samples = len(self.samples)
        by_region = np.concatenate([self.outcomes, self.coverage, self.homozygosity], axis=2).reshape(n_samples, -1)
        rows = np.concatenate([self.samples, self.contamination, by_region], axis=1)
        plain = np.concatenate([[self.numbers.size], self.numbers, rows.ravel()]).astype(np.int64).tobytes()
        return len(plain).to_bytes(8, "little") + bytes(pa.compress(plain, "zstd", asbytes=True))


class Sums:
    """Totals of bins, added up."""

    def __init__(self, n_samples: int) -> None:
        self.samples = np.zeros((n_samples, len(SAMPLE_COUNTS)), np.int64)
        self.regions: dict[int, np.ndarray] = {}
        self.contamination = np.zeros((n_samples, 1 + CONTAMINATION_SUMS), np.int64)

    def add(self, content: bytes) -> None:
        plain = pa.decompress(content[8:], int.from_bytes(content[:8], "little"), "zstd", asbytes=True)
        values = np.frombuffer(plain, np.int64)
        n_regions = int(values[0])
        rows = values[1 + n_regions :].reshape(len(self.samples), -1)
        ends = np.cumsum([self.samples.shape[1], self.contamination.shape[1]])
        samples, contamination, by_region = np.split(rows, ends, axis=1)
        self.samples += samples
        self.contamination += contamination
        counts = by_region.reshape(len(rows), n_regions, -1)
        for place, number in enumerate(values[1 : 1 + n_regions].tolist()):
            self.regions[number] = self.regions.get(number, 0) + _region_columns(counts[:, place])

    def sample_columns(self) -> dict[str, pa.Array]:
        return {name: store.column(self.samples[:, i]) for i, name in enumerate(SAMPLE_COUNTS)}

    def region_table(self) -> pa.Table:
        """A row per sample and region in which the callset has rows or bases, sorted by both."""
        numbers = sorted(n for n, counts in self.regions.items() if counts.any())
        n_samples = len(self.samples)
        counts = np.zeros((n_samples, len(numbers), len(REGION_COUNTS)), np.int64)
        for place, number in enumerate(numbers):
            counts[:, place] = self.regions[number]
        return pa.table(
            {
                "sample": store.column(np.repeat(np.arange(n_samples, dtype=np.int32), len(numbers))),
                "region": store.text([genome.REGIONS[number] for number in numbers] * n_samples),
            }
            | {name: store.column(counts[:, :, i].ravel()) for i, name in enumerate(REGION_COUNTS)}
        )

    def contamination_table(self) -> pa.Table:
        """A row per sample: genotypes, the log-likelihood of their reads (1e-6) for each share of the grid at the best
        of what else is not known, and how the other person's genotypes lean to the sample's (null: no other's reads).
        """
        n_samples, size = len(self.samples), len(CONTAMINATION_GRID)
        grid, rho = profile(self.contamination[:, 1:])
        values = store.column(grid.ravel())
        offsets = store.column(np.arange(0, size * (n_samples + 1), size, dtype=np.int32))
        return pa.table(
            {
                "sample": store.column(np.arange(n_samples, dtype=np.int32)),
                "n_sites": store.column(self.contamination[:, 0]),
                "grid": pa.ListArray.from_arrays(offsets, values),
                "rho": pa.array(rho, from_pandas=True),  # null where it is not known
            }
        )


def _region_columns(counts: np.ndarray) -> np.ndarray:
    """(samples, REGION_COUNTS) of one region, from (samples, OUTCOMES + COVERAGE + HOMOZYGOSITY)."""
    outcomes, coverage, homozygosity = np.split(counts, [OUTCOMES, OUTCOMES + len(COVERAGE)], axis=1)
    classes = outcomes[:, _REF:]
    n_f_called, *expected = homozygosity.T
    columns: Sequence[np.ndarray] = [
        outcomes.sum(axis=1), classes.sum(axis=1), *classes.T, outcomes[:, _PLOIDY],
        *coverage.T, n_f_called, n_f_called - outcomes[:, _HET], *expected,
    ]  # fmt: skip
    return np.stack(columns, axis=1)
