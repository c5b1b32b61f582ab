"""The text of a scoring file, and of its fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.prs.scoring_file.header import Head

MISSING = ("", ".", "NA", "N/A", "NR", "nan", "NaN", "None", "null", "NULL")
"""What stands for no value."""


@dataclass(frozen=True)
class Coded:
    """Text of a column: codes int32 (rows,) into `values`, without blanks and quotes around them."""

    codes: np.ndarray
    values: list[str]


@dataclass(frozen=True)
class Text:
    """The text of a scoring file, its head, and how messages name it; `quoted`: whether quotes enclose fields.

    begins int64 (rows,): the byte at which each row begins, where that is known.
    """

    data: bytes
    head: Head
    number: int
    quoted: bool
    begins: np.ndarray | None = None

    def where(self, row: int) -> str:
        """How messages name data row `row`."""
        return f"scoring file {self.number}, line {self._line(row)}"

    def _line(self, row: int) -> int:
        left = row
        for line, raw in enumerate(self.data[self.head.start :].splitlines(), start=self.head.line + 1):
            if raw.strip():
                left -= 1
                if left < 0:
                    return line
        return self.head.line + 1 + row


def bare(value: str) -> str:
    """A field without blanks and quotes around it."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('""', '"').strip()
    return value
