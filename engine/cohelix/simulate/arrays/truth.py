"""What is true of the chips of a made cohort, and what of it their files get wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from cohelix.simulate.arrays import kernels
from cohelix.simulate.arrays.chips import Shown
from cohelix.simulate.arrays.design import ArrayDesign

REASONS = {
    kernels.NO_CALL: "no call",
    kernels.ERROR: "error",
    kernels.MARKER: "failed marker",
    kernels.CONTAMINATION: "contamination",
    kernels.NOISE: "noise",
    kernels.SPANNED: "deletion",
    kernels.NO_COPY: "no copy",
}


@dataclass(frozen=True)
class BatchTruth:
    """One batch. samples: columns of `arrays.parquet`; calls: columns of `array_calls.parquet` (see `ArrayTruth`)."""

    samples: dict[str, Any]
    calls: dict[str, Any]


def wrong_calls(design: ArrayDesign, shown: Shown, indices: list[int]) -> dict[str, np.ndarray]:
    """Columns of `array_calls.parquet` of a chunk of markers, but for the order: by marker, then by sample."""
    marker, sample = np.nonzero(shown.reasons)
    b = shown.calls[marker, sample]
    called = np.where(design.a_is_ref[shown.first + marker] | (b < 0), b, 2 - b)
    return {
        "sample": np.array(indices, np.int32)[sample],
        "marker": (shown.first + marker).astype(np.int32),
        "copies": shown.copies[marker, sample],
        "true_copies": shown.alternates[marker, sample],
        "called_copies": called.astype(np.int8),
        "reason": shown.reasons[marker, sample],
    }


class ArrayTruth:
    """`arrays.parquet` and `array_calls.parquet` in a folder, a row group for each batch, in the order of `add`.

    arrays: sample (index), sample_id, batch, failed, call_rate (expected), contamination, swapped_with (index of the
    sample whose genome is on the chip; -1: its own).
    array_calls: sample (index), marker (row of `array_markers.parquet`), copies (of the genome on the chip, 0 to 3),
    true_copies (of the alternate), called_copies (of two; -1: no call), reason. A row for each genotype whose call is
    not the expected one (homozygous where all copies are alike; none where there is no copy), and for each where a
    copy is deleted. called_copies count the allele that the probe bound: what a wrong strand makes of it, and the empty
    rows of zeroed markers, are in `array_markers.parquet`.
    """

    def __init__(self, folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._samples = pa.schema(
            [
                ("sample", pa.int32()), ("sample_id", pa.string()), ("batch", pa.int32()), ("failed", pa.bool_()),
                ("call_rate", pa.float64()), ("contamination", pa.float64()), ("swapped_with", pa.int32()),
            ]
        )  # fmt: skip
        self._calls = pa.schema(
            [
                ("sample", pa.int32()), ("marker", pa.int32()), ("copies", pa.int8()), ("true_copies", pa.int8()),
                ("called_copies", pa.int8()), ("reason", pa.dictionary(pa.int8(), pa.string())),
            ]
        )  # fmt: skip
        self._writers = [
            pq.ParquetWriter(folder / "arrays.parquet", self._samples, compression="zstd"),
            pq.ParquetWriter(folder / "array_calls.parquet", self._calls, compression="zstd"),
        ]

    def add(self, batch: BatchTruth) -> None:
        import pyarrow as pa

        self._writers[0].write_table(pa.table(batch.samples, schema=self._samples))
        names = pa.array(list(REASONS.values()))
        codes = np.searchsorted(np.array(list(REASONS)), batch.calls["reason"]).astype(np.int8)
        columns = {**batch.calls, "reason": pa.DictionaryArray.from_arrays(pa.array(codes), names)}
        self._writers[1].write_table(pa.table(columns, schema=self._calls))

    def close(self) -> None:
        for writer in self._writers:
            writer.close()

    def __enter__(self) -> ArrayTruth:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def write_markers(design: ArrayDesign, path: Path) -> None:
    """`array_markers.parquet`, a row for each row of the VCFs.

    contig, position, ref, alt (as the genome has them), name, flipped, palindromic, failed, zeroed, monomorphic,
    duplicate, a_is_ref, frequency (mean over sources).

    A flipped palindromic marker shows 2 - copies of `alt`; any other flipped one shows two alleles that nobody has.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    m = design.markers
    names = ("flipped", "palindromic", "failed", "zeroed", "monomorphic", "duplicate")
    table = pa.table(
        {
            "contig": m.contig.tolist(),
            "position": pa.array(m.position.astype(np.int32)),
            "ref": m.ref.tolist(),
            "alt": m.alt.tolist(),
            "name": design.names,
            **{name: pa.array(getattr(m, name)) for name in names},
            "a_is_ref": pa.array(design.a_is_ref),
            "frequency": pa.array(m.frequency),
        }
    )
    pq.write_table(table, path, compression="zstd")
