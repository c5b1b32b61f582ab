"""Columns of a scoring file as arrays.

Usual ones are read by the kernels (`fields`); where some field is odd, Arrow reads them typed; and where it cannot,
as text that is looked at field by field.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.csv

from cohelix.errors import InputError
from cohelix.prs.scoring_file.fields import fields_of
from cohelix.prs.scoring_file.header import BLANKS
from cohelix.prs.scoring_file.layout import Layout
from cohelix.prs.scoring_file.lines import MISSING, Coded, Text, bare

NO_NUMBER = -2
"""Position of a row whose text is no whole number."""

_CODED = pa.dictionary(pa.int32(), pa.string())
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"(\d{1,15})(\.0*)?", re.ASCII)
_LONGEST_BLOCK = 1 << 30
_SOME_BYTES = 1 << 16
FEW = 8
"""One row in so many is looked up by itself; where more are wanted, columns are read whole."""


@dataclass(frozen=True)
class Columns:
    """Columns (rows,) of one file, by name. position int64: 0 not given, `NO_NUMBER`. floats: NaN where not given."""

    n: int
    position: np.ndarray
    coded: dict[str, Coded]
    floats: dict[str, np.ndarray]


def read_columns(text: Text, layout: Layout, floats: Sequence[str]) -> tuple[Text, Columns]:
    """The columns that scores need; `floats`: names of those that hold numbers. The text, with how it is quoted.

    InputError where a row has another number of fields than the header, or a number is none.
    """
    if (
        not text.data[text.head.start : text.head.start + _SOME_BYTES].strip()
        and not text.data[text.head.start :].strip()
    ):
        raise InputError(
            f"scoring file {text.number} has no rows below its column names (line {text.head.line}). Fetch it again."
        )
    named = (layout.chromosome, layout.effect, layout.other, layout.inferred, layout.accession, layout.variant_type)
    coded = [name for name in (*named, *layout.flags, *layout.models) if name]
    floats = [*floats, layout.row_nr] if layout.row_nr else floats
    wholes = [layout.position] if layout.position else []
    fields = fields_of(text, coded, wholes, floats)
    if fields is not None:
        position = fields.wholes.get(layout.position, np.zeros(fields.n, np.int64))
        return replace(text, begins=fields.begins), Columns(fields.n, position, fields.coded, fields.reals)
    types: dict[str, pa.DataType] = dict.fromkeys(coded, _CODED)
    types |= dict.fromkeys(wholes, pa.int64()) | dict.fromkeys(floats, pa.float64())
    try:
        table = read_table(text, types)
    except pa.ArrowInvalid:
        text, table = _read_carefully(text, types, layout.position)
    position = np.zeros(table.num_rows, np.int64)
    if wholes:
        position = _filled(table.column(layout.position), 0)
        position = np.where(position < 0, NO_NUMBER, position)
    reals = {name: _floats(table, name) for name in floats}
    return text, Columns(table.num_rows, position, {name: _coded(table, name) for name in coded}, reals)


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


def text_columns(text: Text, names: Sequence[str]) -> list[pa.Array]:
    """Whole columns as strings, as they stand. InputError where they are no UTF-8 text."""
    try:
        table = read_table(text, dict.fromkeys(names, pa.string()))
    except pa.ArrowInvalid:
        raise _not_a_table(text) from None
    return [table.column(name).combine_chunks() for name in names]


def texts_of(text: Text, rows: np.ndarray, names: Sequence[str] | None = None) -> list[dict[str, str]]:
    """All columns, or `names`, of some rows as text; empty ones left out, and what is no UTF-8 as U+FFFD."""
    wanted = [name for name in (text.head.columns if names is None else names) if name]
    if text.begins is not None and len(rows) * FEW < len(text.begins):
        return [_texts_at(text, int(begin), wanted) for begin in text.begins[rows]]
    taken = read_table(text, dict.fromkeys(wanted, pa.binary())).take(pa.array(rows))
    found: list[dict[str, str]] = [{} for _ in range(len(rows))]
    for name in wanted:
        for place, raw in enumerate(taken.column(name).to_pylist()):
            value = bare((raw or b"").decode("utf-8", "replace"))
            if value:
                found[place][name] = value
    return found


def _texts_at(text: Text, begin: int, names: Sequence[str]) -> dict[str, str]:
    """The fields of the row that begins at a byte."""
    end = text.data.find(b"\n", begin)
    line = text.data[begin : end if end >= 0 else len(text.data)].removesuffix(b"\r")
    values = line.decode("utf-8", "replace").split(text.head.delimiter)
    fields = {name: bare(value) for name, value in zip(text.head.columns, values, strict=True)}
    return {name: fields[name] for name in names if fields[name]}


def _read_carefully(text: Text, types: dict[str, pa.DataType], position: str) -> tuple[Text, pa.Table]:
    """The same columns through their text. Numbers may have quotes, blanks or ".0"; positions may be none."""
    strings = dict.fromkeys(types, pa.string())
    try:
        table = read_table(text, strings)
    except pa.ArrowInvalid:
        text, table = _read_again(text, strings)
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


def _read_again(text: Text, strings: dict[str, pa.DataType]) -> tuple[Text, pa.Table]:
    """The last tries: fields in quotes may hold the delimiter; lines may lack empty fields at their end."""
    quoted = replace(text, quoted=True)
    padded = _padded(text, strings)
    for trial in [quoted] * (b'"' in text.data) + ([padded] if padded is not None else []):
        try:
            return trial, read_table(trial, strings)
        except pa.ArrowInvalid:
            continue
    raise _not_a_table(text)


def _padded(text: Text, wanted: Collection[str]) -> Text | None:
    """The text with lines filled up that lack empty fields at their end; None where a field in use would be filled.

    Some authors' programs, and some editors, drop the blanks at the end of a line.
    """
    head = text.head
    if head.delimiter == BLANKS:
        return None
    used = max(place for place, name in enumerate(head.columns) if name in wanted) + 1
    delimiter, lines = head.delimiter.encode(), []
    for raw in text.data[head.start :].splitlines():
        n = raw.count(delimiter) + 1
        if raw.strip() and n < used:
            return None
        lines.append(raw + delimiter * (len(head.columns) - n) if raw.strip() else raw)
    return replace(text, data=text.data[: head.start] + b"\n".join(lines) + b"\n")


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
    """Positions int64: 0 where the field is empty or 0, `NO_NUMBER` where it is no whole number."""
    found = np.zeros(len(values), np.int64)
    for row, value in enumerate(values.to_pylist()):
        value = bare(value)
        whole = _WHOLE.fullmatch(value)
        if whole is not None:
            found[row] = int(whole.group(1))
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
