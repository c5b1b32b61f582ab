"""Health records as files: PERSON.csv, person.csv.gz, person.parquet, or folders of parts named so."""

from __future__ import annotations

import csv as text
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from cohelix.errors import InputError
from cohelix.omop.source.cdm import digest_of_files, plain_name

_ENDINGS = (".parquet", ".csv.gz", ".csv", ".tsv.gz", ".tsv")
_BLOCK = 8 << 20


class FolderReader:
    """Tables of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, list[Path]] = {}
        for path in sorted(folder.iterdir()):
            name = _stem(path) if path.is_file() else path.name.removesuffix(".parquet")
            parts = [path] if path.is_file() else sorted(one for one in path.rglob("*") if _stem(one) and one.is_file())
            if not name or not parts or name.startswith(("_", ".")):
                continue
            if name.lower() in self._files:
                raise InputError(f"the table {name.lower()} is twice in the folder of health records. Remove one.")
            self._files[name.lower()] = parts

    def tables(self) -> dict[str, str]:
        return {name: name for name in self._files}

    def columns(self, name: str) -> list[str]:
        """Of all parts together: a part may lack a column, and its rows are null there."""
        together: dict[str, str] = {}
        for path in self._files[name]:
            there = self._columns(path, name)
            if len({plain_name(column) for column in there}) < len(there):
                return there
            together = {plain_name(column): column for column in there} | together
        return list(together.values())

    def n_rows(self, name: str) -> int:
        import pyarrow.parquet as pq

        n = 0
        for path in self._files[name]:
            with _reading(name):
                if path.suffix == ".parquet":
                    n += pq.read_metadata(path).num_rows
                else:
                    n += sum(batch.num_rows for batch in self._csv(path, name, self._columns(path, name)[:1]))
        return n

    def batches(self, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as pq

        for path in self._files[name]:
            there = {plain_name(column): column for column in self._columns(path, name)}
            spelt = [there.get(plain_name(column)) for column in columns]
            have = [column for column in spelt if column is not None] or list(there.values())[:1]
            with _reading(name):
                if path.suffix == ".parquet":
                    with pq.ParquetFile(path) as file:
                        for batch in file.iter_batches(rows, columns=have):
                            yield _whole(batch, spelt, columns)
                else:
                    for batch in self._csv(path, name, have):
                        for start in range(0, batch.num_rows, rows):
                            yield _whole(batch.slice(start, rows), spelt, columns)

    def _columns(self, path: Path, name: str) -> list[str]:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            with _reading(name):
                return list(pq.read_schema(path).names)
        return _header(path, _separator(path), name)

    def _csv(self, path: Path, name: str, columns: Sequence[str] | None) -> pa.csv.CSVStreamingReader:
        from pyarrow import csv

        separator = _separator(path)
        names = _header(path, separator, name)
        read = csv.ReadOptions(block_size=_BLOCK, column_names=names, skip_rows=1)
        parse = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
        try:
            types = dict.fromkeys(names, pa.string())
            convert = csv.ConvertOptions(
                column_types=types, strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=True,
                include_columns=list(columns) if columns is not None else None,
            )  # fmt: skip
            return csv.open_csv(path, read, parse, convert)
        except (pa.ArrowInvalid, OSError):
            raise InputError(f"a file of the table {name} cannot be read as a table of text.") from None

    def digest(self) -> str:
        return digest_of_files(self.folder, [path for parts in self._files.values() for path in parts])


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, EOFError):
        raise InputError(f"a file of the table {name} is damaged or is not what its ending says.") from None


def _whole(batch: pa.RecordBatch, spelt: Sequence[str | None], columns: Sequence[str]) -> pa.RecordBatch:
    """A part's batch under the names of the table. spelt: the part's own names, None where it lacks the column."""
    arrays = [pa.nulls(batch.num_rows) if name is None else batch.column(name) for name in spelt]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _separator(path: Path) -> str:
    return "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","


def _header(path: Path, separator: str, name: str) -> list[str]:
    """Names of the columns. Some exports write more fields in a row than the header names: these have no name."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with _reading(name), opener(path, "rt", newline="", encoding="utf-8-sig", errors="replace") as handle:
        rows = text.reader(handle, delimiter=separator)
        names, first = next(rows, []), next(rows, [])
    names += [""] * (len(first) - len(names))
    return [one if one.strip() else f"?{number}" for number, one in enumerate(names)]


def _stem(path: Path) -> str:
    return next((path.name[: -len(end)] for end in _ENDINGS if path.name.lower().endswith(end)), "")
