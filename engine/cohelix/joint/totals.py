"""What the rows and bases of a bin say of each sample, and the sums of that over the genome."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.joint import store
from cohelix.joint.schema import COVERAGE, HOMOZYGOSITY, OUTCOMES, REASONS, REGION_COUNTS, SAMPLE_COUNTS

_REF = len(REASONS) - 1
_HET, _PLOIDY = _REF + 1, _REF - REASONS.index("ploidy")


@dataclass
class Totals:
    """Of one bin, int64 throughout; the regions are those of `numbers`, indexes in `genome.REGIONS`.

    samples: (samples, SAMPLE_COUNTS). outcomes, coverage, homozygosity: (samples, regions, OUTCOMES | COVERAGE |
    HOMOZYGOSITY).
    """

    numbers: np.ndarray
    samples: np.ndarray
    outcomes: np.ndarray
    coverage: np.ndarray
    homozygosity: np.ndarray

    @staticmethod
    def none(n_samples: int, numbers: np.ndarray) -> Totals:
        def zeros(size: int) -> np.ndarray:
            return np.zeros((n_samples, numbers.size, size), np.int64)

        samples = np.zeros((n_samples, len(SAMPLE_COUNTS)), np.int64)
        return Totals(numbers, samples, zeros(OUTCOMES), zeros(len(COVERAGE)), zeros(len(HOMOZYGOSITY)))

    def to_bytes(self) -> bytes:
        """As `Sums.add` takes it."""
        plain, sink = io.BytesIO(), pa.BufferOutputStream()
        np.savez(plain, **self.__dict__)
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(plain.getbuffer())
        return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types


class Sums:
    """Totals of bins, added up."""

    def __init__(self, n_samples: int) -> None:
        self.samples = np.zeros((n_samples, len(SAMPLE_COUNTS)), np.int64)
        self.regions: dict[int, np.ndarray] = {}

    def add(self, content: bytes) -> None:
        with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
            totals = np.load(io.BytesIO(stream.read()))
        self.samples += totals["samples"]
        for place, number in enumerate(totals["numbers"]):
            parts = [totals[name][:, place] for name in ("outcomes", "coverage", "homozygosity")]
            found = _region_columns(*parts)
            self.regions[int(number)] = self.regions.get(int(number), 0) + found

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


def _region_columns(outcomes: np.ndarray, coverage: np.ndarray, homozygosity: np.ndarray) -> np.ndarray:
    """(samples, REGION_COUNTS) of one region."""
    classes = outcomes[:, _REF:]
    n_f_called, *expected = homozygosity.T
    columns: Sequence[np.ndarray] = [
        outcomes.sum(axis=1), classes.sum(axis=1), *classes.T, outcomes[:, _PLOIDY],
        *coverage.T, n_f_called, n_f_called - outcomes[:, _HET], *expected,
    ]  # fmt: skip
    return np.stack(columns, axis=1)
