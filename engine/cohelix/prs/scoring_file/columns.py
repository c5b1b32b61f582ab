"""Columns of a scoring file as arrays: Arrow reads them typed, or, where a value is odd, as text to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv

from cohelix.errors import InputError
from cohelix.prs.scoring_file.header import BLANKS, Head
from cohelix.prs.scoring_file.layout import Layout

MISSING = ("", ".", "NA", "N/A", "NR", "nan", "NaN", "None", "null", "NULL")
"""What stands for no value."""

NO_NUMBER = -2
"""Position of a row whose text is no whole number."""

_CODED = pa.dictionary(pa.int32(), pa.string())
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"(\d{1,15})(\.0*)?", re.ASCII)
_LONGEST_BLOCK = 1 << 30


@dataclass(frozen=True)
class Coded:
    """Text of a column: codes int32 (rows,) into `values`, without blanks and quotes around them."""

    codes: np.ndarray
    values: list[str]


@dataclass(frozen=True)
class Columns:
    """Columns (rows,) of one file. position int64: 0 not given, `NO_NUMBER`. floats: NaN where not given.

    coded and floats: by name. table: as read, for the columns that stay text.
    """

    n: int
    position: np.ndarray
    coded: dict[str, Coded]
    floats: dict[str, np.ndarray]
    ids: list[str] | None
    quoted: bool


@dataclass(frozen=True)
class Text:
    """The text of a scoring file, its head, and how messages name it; `quoted`: whether quotes enclose fields."""

    data: bytes
    head: Head
    number: int
    quoted: bool

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


def read_columns(text: Text, layout: Layout, floats: Sequence[str]) -> tuple[Text, Columns]:
    """The columns that scores need; `floats`: names of those that hold numbers. The text, with how it is quoted.

    InputError where a row has another number of fields than the header, or a number is none.
    """
    if not text.data[text.head.start :].strip():
        raise InputError(
            f"scoring file {text.number} has no rows below its column names (line {text.head.line}). Fetch it again."
        )
    named = (layout.chromosome, layout.effect, layout.other, layout.inferred, layout.accession, layout.variant_type)
    coded = [name for name in (*named, *layout.flags, *layout.models) if name]
    types: dict[str, pa.DataType] = dict.fromkeys(coded, _CODED)
    types |= dict.fromkeys(floats, pa.float64())
    if layout.position:
        types[layout.position] = pa.int64()
    if layout.row_nr:
        types[layout.row_nr] = pa.float64()
    try:
        table = read_table(text, types)
    except pa.ArrowInvalid:
        text, table = _read_carefully(text, types, layout.position)
    found = {name: _floats(table, name) for name, kind in types.items() if kind == pa.float64()}
    position = np.zeros(table.num_rows, np.int64)
    if layout.position:
        position = _filled(table.column(layout.position), 0)
    return text, Columns(
        table.num_rows, position, {name: _coded(table, name) for name in coded}, found, None, text.quoted
    )


def read_table(text: Text, types: dict[str, pa.DataType]) -> pa.Table:
    """The named columns of the data lines. Raises ArrowInvalid where they do not have those types."""
    head = text.head
    names = [name or f"\0{place}" for place, name in enumerate(head.columns)]
    lines: pa.Buffer = pa.py_buffer(text.data).slice(head.start)
    if head.delimiter == BLANKS:
        lines = pa.py_buffer(_tabbed(text.data[head.start :]))
    block = min(lines.size + 1, _LONGEST_BLOCK)
    return pyarrow.csv.read_csv(
        pa.BufferReader(lines),
        pyarrow.csv.ReadOptions(use_threads=False, block_size=block, column_names=names),
        pyarrow.csv.ParseOptions(
            delimiter="\t" if head.delimiter == BLANKS else head.delimiter, quote_char='"' if text.quoted else False
        ),
        pyarrow.csv.ConvertOptions(
            include_columns=list(types), column_types=types, null_values=list(MISSING), strings_can_be_null=False
        ),
    )


def texts_of(text: Text, rows: np.ndarray, names: Sequence[str] | None = None) -> list[dict[str, str]]:
    """All columns, or `names`, of some rows as text; empty ones left out, and what is no UTF-8 as U+FFFD."""
    wanted = [name for name in (text.head.columns if names is None else names) if name]
    taken = read_table(text, dict.fromkeys(wanted, pa.binary())).take(pa.array(rows))
    found: list[dict[str, str]] = [{} for _ in range(len(rows))]
    for name in wanted:
        for place, raw in enumerate(taken.column(name).to_pylist()):
            value = bare((raw or b"").decode("utf-8", "replace"))
            if value:
                found[place][name] = value
    return found


def bare(value: str) -> str:
    """A field without blanks and quotes around it."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('""', '"').strip()
    return value


def _read_carefully(text: Text, types: dict[str, pa.DataType], position: str) -> tuple[Text, pa.Table]:
    """The same columns through their text. Numbers may have quotes, blanks or ".0"; positions may be none."""
    strings = dict.fromkeys(types, pa.string())
    try:
        table = read_table(text, strings)
    except pa.ArrowInvalid:
        text, table = _read_quoted(text, strings)
    columns = {}
    for name, kind in types.items():
        values = table.column(name)
        if name == position:
            columns[name] = pa.chunked_array([_whole_numbers(values)])
        elif kind == pa.float64():
            columns[name] = pa.chunked_array([_numbers(text, name, values)])
        else:
            columns[name] = values.cast(kind) if pa.types.is_string(kind) else values.dictionary_encode()
    return text, pa.table(columns)


def _read_quoted(text: Text, strings: dict[str, pa.DataType]) -> tuple[Text, pa.Table]:
    """The last try: fields in quotes may hold the delimiter."""
    quoted = Text(text.data, text.head, text.number, True)
    try:
        if b'"' in text.data:
            return quoted, read_table(quoted, strings)
    except pa.ArrowInvalid:
        pass
    raise _not_a_table(text)


def _not_a_table(text: Text) -> InputError:
    """Why the data lines cannot be cut into fields."""
    head = text.head
    for line, raw in enumerate(text.data[head.start :].splitlines(), start=head.line + 1):
        fields = raw.split() if head.delimiter == BLANKS else raw.split(head.delimiter.encode())
        if raw.strip() and len(fields) != len(head.columns):
            return InputError(
                f"scoring file {text.number}, line {line}: expected {len(head.columns)} fields as in line {head.line}, "
                f"found {len(fields)}. Correct the line, or fetch the file again."
            )
        try:
            raw.decode()
        except UnicodeDecodeError:
            return InputError(f"scoring file {text.number}, line {line} is no UTF-8 text. Save the file as UTF-8.")
    return InputError(f"scoring file {text.number} is no table of text. Fetch it again.")


def _whole_numbers(values: pa.ChunkedArray) -> pa.Array:
    """Positions int64: 0 where the field is empty, `NO_NUMBER` where it holds anything else than a whole number."""
    found = np.zeros(len(values), np.int64)
    for row, value in enumerate(values.to_pylist()):
        value = bare(value)
        whole = _WHOLE.fullmatch(value)
        if whole is not None:
            found[row] = int(whole.group(1)) or NO_NUMBER
        elif value not in MISSING:
            found[row] = NO_NUMBER
    return pa.array(found)


def _numbers(text: Text, name: str, values: pa.ChunkedArray) -> pa.Array:
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values.to_pylist()):
        value = bare(value)
        if value in MISSING:
            continue
        if _NUMBER.fullmatch(value) is None:
            raise InputError(
                f"{text.where(row)}: expected a number as {name[:40]}, found {value[:40]!r}. Correct the file."
            )
        found[row] = float(value)
    return pa.array(found)


def _filled(column: pa.ChunkedArray, value: int) -> np.ndarray:
    filled = column.fill_null(value) if column.null_count else column
    return np.asarray(filled.to_numpy())


def _floats(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name)
    return np.asarray(column.to_numpy())  # a null is NaN


def _coded(table: pa.Table, name: str) -> Coded:
    column = table.column(name)
    if column.num_chunks != 1:
        column = column.unify_dictionaries()
    codes = [chunk.indices.to_numpy() for chunk in column.chunks]
    values = [bare(value) for value in column.chunk(0).dictionary.to_pylist()]
    return Coded(codes[0] if len(codes) == 1 else np.concatenate(codes), values)


def _tabbed(lines: bytes) -> bytes:
    """Runs of blanks as one tab."""
    return re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", lines))
