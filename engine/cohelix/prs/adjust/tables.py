"""The table of adjusted scores: written some scores at a time, read a column as a matrix."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import InputError
from cohelix.prs.tables import ScoreMatrix

FILE = "adjusted.parquet"
VALUES = ("sum", "percentile_most_similar", "z_most_similar", "z_norm1", "z_norm2")
ADJUSTED = pa.schema(
    [
        ("score", pa.dictionary(pa.int32(), pa.string())),
        ("sample_id", pa.dictionary(pa.int32(), pa.string())),
        *((name, pa.float64()) for name in VALUES),
        ("outside", pa.bool_()),
    ]
)
"""adjusted.parquet, in the order of scores.parquet. NaN where a value cannot be said. outside: the person lies
outside of the training people, or this score's variance there does; null without components."""

PGS_COLUMNS = (
    "sampleset", "FID", "IID", "PGS", "SUM", "Z_MostSimilarPop", "Z_norm1", "Z_norm2", "percentile_MostSimilarPop"
)  # fmt: skip
"""Of pgs.txt.gz, in the order of `pgscatalog-ancestry-adjust`."""


@dataclass(frozen=True)
class AdjustedBlock:
    """Some scores of everybody: their places int32; float64 (scores, samples) by the names `VALUES`; outside bool, and
    known bool (samples,): who has components."""

    scores: np.ndarray
    values: dict[str, np.ndarray]
    outside: np.ndarray
    known: np.ndarray


def write_adjusted(
    folder: Path,
    score_ids: Sequence[str],
    sample_ids: Sequence[str],
    blocks: Iterable[AdjustedBlock],
    sampleset: str | None,
) -> None:
    """Write adjusted.parquet, and pgs.txt.gz where a sampleset is named. A row group is a block."""
    names, people = pa.array(score_ids, pa.string()), pa.array(sample_ids, pa.string())
    # Sums and Z have no pattern to compress; percentiles take as many values as a group has people.
    plain = set(VALUES)
    with ExitStack() as stack:
        writer = stack.enter_context(
            pq.ParquetWriter(
                folder / FILE,
                ADJUSTED,
                compression={name: "none" if name in plain else "snappy" for name in ADJUSTED.names},
                use_dictionary=["score", "sample_id", "percentile_most_similar"],
                write_statistics=False,
            )
        )
        text = stack.enter_context(_PgsText(folder / "pgs.txt.gz", sampleset)) if sampleset is not None else None
        for block in blocks:
            table = _table(block, names, people)
            writer.write_table(table, row_group_size=table.num_rows)
            if text is not None:
                text.write(table)


def _table(block: AdjustedBlock, names: pa.Array, people: pa.Array) -> pa.Table:
    n = len(people)
    columns: dict[str, Any] = {
        "score": pa.DictionaryArray.from_arrays(np.repeat(np.asarray(block.scores, np.int32), n), names),
        "sample_id": pa.DictionaryArray.from_arrays(np.tile(np.arange(n, dtype=np.int32), len(block.scores)), people),
    }
    columns |= {name: pa.array(block.values[name].reshape(-1)) for name in VALUES}
    unknown = None if block.known.all() else np.tile(~block.known, len(block.scores))
    columns["outside"] = pa.array(block.outside.reshape(-1), mask=unknown)
    return pa.table(columns, ADJUSTED)


class _PgsText:
    """pgs.txt.gz, filled a table at a time. Equal tables give equal bytes."""

    def __init__(self, path: Path, sampleset: str) -> None:
        self._sampleset = sampleset
        self._file = path.open("wb")
        self._packed = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, compresslevel=4, mtime=0)
        self._packed.write(("\t".join(PGS_COLUMNS) + "\n").encode())

    def __enter__(self) -> _PgsText:
        return self

    def __exit__(self, *_: object) -> None:
        self._packed.close()
        self._file.close()

    def write(self, table: pa.Table) -> None:
        import pyarrow.csv

        people = table.column("sample_id").cast(pa.string())
        taken = {
            "sampleset": pa.DictionaryArray.from_arrays(np.zeros(table.num_rows, np.int32), [self._sampleset]).cast(
                pa.string()
            ),
            "FID": people,
            "IID": people,
            "PGS": table.column("score").cast(pa.string()),
            "SUM": _nulled(table, "sum"),
            "Z_MostSimilarPop": _nulled(table, "z_most_similar"),
            "Z_norm1": _nulled(table, "z_norm1"),
            "Z_norm2": _nulled(table, "z_norm2"),
            "percentile_MostSimilarPop": _nulled(table, "percentile_most_similar"),
        }
        lines = io.BytesIO()
        options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
        pyarrow.csv.write_csv(pa.table({name: taken[name] for name in PGS_COLUMNS}), lines, options)
        self._packed.write(lines.getbuffer())


def _nulled(table: pa.Table, name: str) -> pa.Array:
    values = table.column(name).to_numpy()
    return pa.array(values, mask=~np.isfinite(values))


def read_adjusted(folder: str | Path, column: str) -> ScoreMatrix:
    """A column of adjusted.parquet (`VALUES`, or outside, as 1, 0 and NaN) as the `sums` of a matrix of scores.

    Raises InputError where the folder holds no such table or column, or not one row for each score and sample.
    """
    path = Path(folder) / FILE
    if column not in (*VALUES, "outside"):
        raise InputError(f"expected a column of adjusted scores, found {column!r}. Choose of {', '.join(VALUES)}.")
    if not path.is_file():
        raise InputError(f"expected a folder of `cohelix prs adjust` with {FILE} in it, found none there.")
    score_ids, sample_ids, (matrix,) = read_matrices(path, [column])
    return ScoreMatrix(score_ids, sample_ids, matrix)


def read_matrices(
    path: Path, columns: Sequence[str], greatest: Sequence[str] = ()
) -> tuple[list[str], list[str], list[np.ndarray]]:
    """Ids of scores and samples, and columns as matrices float64 (scores, samples), of a table that is sorted by both;
    behind them, of the columns `greatest`, the greatest value of each score, (scores,).

    A row group holds whole scores. Raises InputError where it does not, or a score or a sample is there twice.
    """
    try:
        with pq.ParquetFile(path) as file:
            names = ["score", "sample_id", *columns, *greatest]
            parts = [
                _part(file.read_row_group(place, names), columns, greatest) for place in range(file.num_row_groups)
            ]
    except (pa.ArrowException, KeyError, OSError, ValueError, IndexError):
        raise InputError(f"{path.name} is damaged or has other columns. Restore it, or make it again.") from None
    score_ids = [name for part in parts for name in part[0]]
    sample_ids = parts[0][1] if parts else []
    if any(part[1] != sample_ids for part in parts) or len(set(score_ids)) != len(score_ids):
        raise InputError(
            f"{path.name} has not one row for each score and sample, in order. Restore it, or make it again."
        )
    empty = [np.zeros((0, len(sample_ids)))] * len(columns) + [np.zeros(0, np.int64)] * len(greatest)
    matrices = [np.concatenate([none, *(part[2][i] for part in parts)]) for i, none in enumerate(empty)]
    return score_ids, sample_ids, matrices


def _part(
    table: pa.Table, columns: Sequence[str], greatest: Sequence[str]
) -> tuple[list[str], list[str], list[np.ndarray]]:
    """Scores, samples, matrices (scores, samples) and greatest values of a row group.

    ValueError where it holds no whole scores.
    """
    table = table.unify_dictionaries()
    scores, samples = (table.column(name).combine_chunks() for name in ("score", "sample_id"))
    codes, people = scores.indices.to_numpy(), samples.indices.to_numpy()
    n = int((codes == codes[0]).sum())
    codes, people = codes.reshape(-1, n), people.reshape(-1, n)
    names = scores.dictionary.take(pa.array(codes[:, 0])).to_pylist()
    ids = samples.dictionary.take(pa.array(people[0])).to_pylist()
    if (codes != codes[:, :1]).any() or (people != people[:1]).any() or len(set(ids)) != n:
        raise ValueError("rows are not sorted by score and sample")
    most = [table.column(name).to_numpy().reshape(-1, n).max(axis=1) for name in greatest]
    return names, ids, [*(_floats(table.column(name)).reshape(-1, n) for name in columns), *most]


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """Null as NaN; true as 1."""
    column = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
