"""What is true of a made cohort: one row per person and alternate allele carried."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

GROUP = 96  # people in a row group


@dataclass(frozen=True)
class Truth:
    """Alternate alleles of one person: lists of one length."""

    position: list[int]
    ref: list[str]
    alt: list[str]
    copies: list[int]
    ploidy: list[int]
    called: list[bool]


class TruthFile:
    """Truth to Parquet, a row group for every `GROUP` people, so that memory does not grow with the cohort."""

    def __init__(self, path: Path, contig: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._contig = contig
        self._schema = pa.schema(
            [
                ("contig", pa.string()), ("position", pa.int32()), ("ref", pa.string()), ("alt", pa.string()),
                ("sample", pa.int32()), ("copies", pa.int8()), ("ploidy", pa.int8()), ("called", pa.bool_()),
            ]
        )  # fmt: skip
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Any] = []

    def add(self, number: int, truth: Truth) -> None:
        import pyarrow as pa

        n = len(truth.position)
        columns = [
            [self._contig] * n, truth.position, truth.ref, truth.alt,
            [number] * n, truth.copies, truth.ploidy, truth.called,
        ]  # fmt: skip
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._waiting.append(pa.Table.from_arrays(arrays, schema=self._schema))
        if len(self._waiting) == GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
            self._waiting = []

    def __enter__(self) -> TruthFile:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._flush()
        self._writer.close()
