"""What a report is made of: figures, tables and sections, as plain values.

They hold aggregates that may be shown and nothing else; the page and the MultiQC files are both made from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bins:
    """A distribution: share (of the series) in each bin, drawn as its height over its width. Ends hold all beyond."""

    name: str
    people: str
    edges: tuple[tuple[float, float], ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """Points joined by a line."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Box:
    """Quantiles of one group; None where too few people lie beyond."""

    name: str
    people: str
    mean: float
    quantiles: tuple[float | None, float | None, float | None, float | None, float | None]
    """At 5, 25, 50, 75 and 95 per cent."""


@dataclass(frozen=True)
class Cell:
    """A rectangle of a density, with a count that is rounded up; of one group where there are several."""

    x: tuple[float, float]
    y: tuple[float, float]
    count: int
    group: str = ""


@dataclass(frozen=True)
class Cut:
    """A cut-off: its place on the axis and what passes; or, where nothing is asked, what lies there."""

    value: float
    text: str
    asked: bool = True

    @property
    def label(self) -> str:
        return f"passes {self.text}" if self.asked else self.text


@dataclass(frozen=True)
class Figure:
    """One picture. Exactly one of the tuples of marks is filled."""

    name: str
    title: str
    x_label: str
    y_label: str = ""
    bins: tuple[Bins, ...] = ()
    lines: tuple[Line, ...] = ()
    boxes: tuple[Box, ...] = ()
    cells: tuple[Cell, ...] = ()
    bars: tuple[tuple[str, float], ...] = ()
    cuts: tuple[Cut, ...] = ()
    note: str = ""
    log_x: bool = False
    log_y: bool = False
    diagonal: bool = False
    one_unit: bool = False
    """Of cells: both axes count copies, and are drawn alike."""
    of_pairs: bool = False
    """Of cells: they count pairs of people."""


@dataclass(frozen=True)
class Table:
    """Rows of text."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    numbers: tuple[int, ...] = ()
    """Columns that hold numbers: set to the right."""


@dataclass(frozen=True)
class Section:
    """A heading, a few words, and what stands below them."""

    name: str
    title: str
    text: str
    parts: tuple[Figure | Table, ...] = field(default=())
