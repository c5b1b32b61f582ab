"""The table of scores: written a score at a time, read as a matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import InputError
from cohelix.prs.schema import SCORES

_ROW_GROUP = 1 << 20
"""Rows to a row group, about: whole scores, so that one score is read without the others."""

FILE = "scores.parquet"


@dataclass(frozen=True)
class ScoreBlock:
    """Some scores of everybody, in order: sums float64, and counts int32, all (scores, samples)."""

    scores: Sequence[int]
    sums: np.ndarray
    n_alleles: np.ndarray
    n_imputed: np.ndarray
    n_hom_ref: np.ndarray


@dataclass(frozen=True)
class ScoreMatrix:
    """score_ids and sample_ids; sums float64 (scores, samples), NaN where a score could not be given."""

    score_ids: list[str]
    sample_ids: list[str]
    sums: np.ndarray


def write_scores(path: Path, score_ids: Sequence[str], sample_ids: Sequence[str], blocks: Iterable[ScoreBlock]) -> None:
    """Write `SCORES` from blocks in the order of the scores. Memory is that of some scores of everybody.

    Equal sums give equal bytes, however they are cut into blocks.
    """
    names, people = pa.array(score_ids, pa.string()), pa.array(sample_ids, pa.string())
    n_samples = len(sample_ids)
    per_group = max(1, _ROW_GROUP // max(1, n_samples))
    coded = [name for name in SCORES.names if name != "sum"]
    how = dict.fromkeys(coded, "zstd") | {"sum": "none"}  # digits of sums do not compress
    with pq.ParquetWriter(path, SCORES, compression=how, use_dictionary=coded, write_statistics=["score"]) as writer:
        for block in _of_equal_size(blocks, per_group):
            columns = {
                "score": pa.DictionaryArray.from_arrays(
                    np.repeat(np.asarray(block.scores, np.int32), n_samples), names
                ),
                "sample_id": pa.DictionaryArray.from_arrays(
                    np.tile(np.arange(n_samples, dtype=np.int32), len(block.scores)), people
                ),
                "sum": pa.array(block.sums.reshape(-1)),
                "n_alleles": pa.array(block.n_alleles.reshape(-1)),
                "n_imputed": pa.array(block.n_imputed.reshape(-1)),
                "n_hom_ref": pa.array(block.n_hom_ref.reshape(-1)),
            }
            writer.write_table(pa.table(columns, SCORES), row_group_size=per_group * n_samples)


def read_scores(folder: str | Path, *, scores: Sequence[str] | None = None) -> ScoreMatrix:
    """The sums of a folder of `cohelix prs score`; `scores`: these ids only, in the order of the file.

    Raises InputError where the folder holds no table of scores, or not one row for each score and sample.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise InputError(f"expected a folder of `cohelix prs score` with {FILE} in it, found none there.")
    try:
        file = pq.ParquetFile(path)
        table = file.read(["score", "sample_id", "sum"])
    except (pa.ArrowException, KeyError, OSError):
        raise InputError(f"{FILE} is damaged or has other columns. Restore it, or score again.") from None
    score_codes, score_ids = _coded(table.column("score"))
    sample_codes, sample_ids = _coded(table.column("sample_id"))
    n = len(sample_ids)
    sums = table.column("sum").to_numpy()
    regular = len(sums) == len(score_ids) * n
    if not regular or not (score_codes.reshape(-1, n) == np.arange(len(score_ids))[:, None]).all() or not (
        sample_codes.reshape(-1, n) == np.arange(n)
    ).all():  # fmt: skip
        raise InputError(f"{FILE} has not one row for each score and sample, in order. Restore it, or score again.")
    matrix = sums.reshape(len(score_ids), n)
    if scores is None:
        return ScoreMatrix(score_ids, sample_ids, matrix)
    lacking = sorted(set(scores) - set(score_ids))
    if lacking:
        raise InputError(f"{len(lacking)} of {len(set(scores))} scores asked for are not in {FILE}: {lacking[:3]}.")
    rows = [row for row, name in enumerate(score_ids) if name in set(scores)]
    return ScoreMatrix([score_ids[row] for row in rows], sample_ids, matrix[rows])


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Codes in the order of first appearance, and the names that they stand for."""
    coded = column.unify_dictionaries().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0)
    codes, names = coded.indices.to_numpy(), coded.dictionary.to_pylist()
    used, first = np.unique(codes, return_index=True)
    order = used[np.argsort(first)]
    place = np.zeros(len(names), np.int64)
    place[order] = np.arange(len(order))
    return place[codes], [names[code] for code in order.tolist()]


def _of_equal_size(blocks: Iterable[ScoreBlock], per_group: int) -> Iterator[ScoreBlock]:
    """The same rows, `per_group` scores at a time."""
    held: list[ScoreBlock] = []
    for block in blocks:
        for row in range(len(block.scores)):
            held.append(_rows(block, row))
            if len(held) == per_group:
                yield _joined(held)
                held = []
    if held:
        yield _joined(held)


def _rows(block: ScoreBlock, row: int) -> ScoreBlock:
    at = slice(row, row + 1)
    counts = (block.n_alleles[at], block.n_imputed[at], block.n_hom_ref[at])
    return ScoreBlock(block.scores[at], block.sums[at], *counts)


def _joined(blocks: Sequence[ScoreBlock]) -> ScoreBlock:
    names = [name for block in blocks for name in block.scores]
    arrays = [
        np.concatenate([getattr(block, field) for block in blocks])
        for field in ("sums", "n_alleles", "n_imputed", "n_hom_ref")
    ]
    return ScoreBlock(names, *arrays)
