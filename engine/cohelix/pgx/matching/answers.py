"""Answers as they are found, each distinct one once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.pgx.schema import ANSWERS


@dataclass(frozen=True)
class Answer:
    """A row of ANSWERS."""

    status: str
    diplotypes: tuple[str, ...] = ()
    scores: tuple[int, ...] = ()
    n_top: int = 0
    haplotypes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Answers:
    """Answers, and that of each of m patterns: `answer` (m,) int32, -1 where there is none yet."""

    def __init__(self, m: int) -> None:
        self.answer = np.full(m, -1, dtype=np.int32)
        self._rows: dict[Answer, int] = {}

    def row(self, answer: Answer) -> int:
        """The row of `answer`, a new one where it has not been met."""
        return self._rows.setdefault(answer, len(self._rows))

    def put(self, patterns: np.ndarray, answer: Answer) -> None:
        """Give `patterns` (indices) this answer; without patterns it is not kept."""
        if len(patterns):
            self.answer[patterns] = self.row(answer)

    def table(self) -> pa.Table:
        """Rows of ANSWERS."""
        columns = [pa.array([getattr(row, field.name) for row in self._rows], field.type) for field in ANSWERS]
        return pa.table(columns, schema=ANSWERS)
