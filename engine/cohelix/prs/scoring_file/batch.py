"""Scoring files that are read together, as arrays of all their rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.prs.scoring_file import part, wide
from cohelix.prs.scoring_file.part import Part
from cohelix.prs.scoring_file.records import REJECTED, Batch, ScoreHeader, Source, SpecialRow
from cohelix.prs.scoring_file.rows import Alleles


def read_batch(batch: Sequence[Source]) -> Batch:
    """All scores of some files (see `sources.batches`). InputError names a file by its number, and the line."""
    alleles = Alleles()
    parts = []
    for source in batch:
        opened = part.open_source(source, alleles)
        parts.append(wide.part_of(opened) if opened.layout.scores else part.part_of(opened))
    check_ids(header for piece in parts for header in piece.scores)
    return _joined(parts, tuple(alleles.codes))


def check_ids(scores: Iterable[ScoreHeader]) -> None:
    """InputError where two scores have one id."""
    first: dict[str, int] = {}
    for score in scores:
        if score.id in first:
            raise InputError(
                f"scoring files {first[score.id]} and {score.file} both hold a score {score.id[:60]!r}. Give each "
                "score once, or change the pgs_id of one of them."
            )
        first[score.id] = score.file


def _joined(parts: Sequence[Part], alleles: tuple[str, ...]) -> Batch:
    scores = [header for piece in parts for header in piece.scores]
    offsets = np.cumsum([0, *(len(piece.scores) for piece in parts)]).tolist()
    starts = np.cumsum([0, *(len(piece.score) for piece in parts)]).tolist()

    def joined(field: str) -> np.ndarray:
        arrays = [getattr(piece, field) for piece in parts]
        return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]

    pairs = list(zip(parts, offsets, strict=False))
    return Batch(
        scores=tuple(scores),
        score=np.concatenate([piece.score + np.int32(offset) for piece, offset in pairs]),
        row=joined("row"),
        chromosome=joined("chromosome"),
        position=joined("position"),
        effect=joined("effect"),
        other=joined("other"),
        weight=joined("weight"),
        effect_type=joined("effect_type"),
        rs_id=_rs_ids(parts),
        alleles=alleles,
        dosage_row=np.concatenate([piece.dosage_row + start for piece, start in zip(parts, starts, strict=False)]),
        dosage=joined("dosage"),
        frequency=_frequencies(parts),
        special=tuple(_moved(row, offset) for piece, offset in pairs for row in piece.special),
        rejected=_rejected(pairs),
    )


def _moved(row: SpecialRow, offset: int) -> SpecialRow:
    return SpecialRow(row.score + offset, row.row, row.kind, row.fields, row.weight)


def _rejected(pairs: Sequence[tuple[Part, int]]) -> pa.Table:
    tables = [REJECTED.empty_table()]
    for piece, offset in pairs:
        if piece.rejected.num_rows:
            score = pa.array(piece.rejected.column("score").to_numpy() + np.int32(offset))
            tables.append(piece.rejected.set_column(0, REJECTED.field("score"), score))
    return pa.concat_tables(tables)


def _rs_ids(parts: Sequence[Part]) -> pa.Array | None:
    if all(piece.rs_id is None for piece in parts):
        return None
    pieces = [pa.nulls(len(piece.score), pa.string()) if piece.rs_id is None else piece.rs_id for piece in parts]
    return pa.concat_arrays(pieces)


def _frequencies(parts: Sequence[Part]) -> np.ndarray | None:
    if all(piece.frequency is None for piece in parts):
        return None
    none = [np.full(len(piece.score), np.nan) if piece.frequency is None else piece.frequency for piece in parts]
    return np.concatenate(none)
