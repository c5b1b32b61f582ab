"""What was computed from the genomes, by the tier's person ids: All of Us's files and columns where it has them.

Columns are an allow-list: what the data dictionary of the tier table does not describe is not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.genotypes.inputs import read_table, texts
from cohelix.genotypes.outputs import text_of, write_tsv
from cohelix.release.cells import harmless
from cohelix.release.describe import described_columns
from cohelix.release.ordered import write_ordered
from cohelix.release.schema import Inputs, MadeFile, ReleaseParams

AUX = "wgs/short_read/snpindel/aux"


@dataclass(frozen=True)
class Aside:
    """A table beside the matrix. name: in the release; table: in the dictionary; path: the input; ids: its columns of
    sample ids, which become the tier's person ids.
    """

    name: str
    table: str
    path: Path
    ids: tuple[str, ...]


def asides(inputs: Inputs) -> list[Aside]:
    """Tables of sample ids by TSV, with All of Us's names; only what there is."""
    listed = [
        (f"{AUX}/ancestry/ancestry_preds.tsv", inputs.ancestry, ("research_id",)),
        (f"{AUX}/relatedness/relatedness.tsv", inputs.relatedness, ("i.s", "j.s")),
        (f"{AUX}/relatedness/relatedness_flagged_samples.tsv", inputs.unrelated, ("sample_id",)),
        (f"{AUX}/qc/genomic_metrics.tsv", inputs.samples_qc, ("research_id",)),
        (f"{AUX}/qc/flagged_samples.tsv", inputs.samples_qc, ("research_id", "s")),
    ]
    found = []
    for name, folder, ids in listed:
        path = Path(folder) / name.rpartition("/")[2]
        if folder and path.is_file():
            found.append(Aside(name, Path(name).name.partition(".")[0], path, ids))
    return found


def flagged(inputs: Inputs, new_ids: dict[str, int]) -> dict[str, int]:
    """Of samples of a release, those with a relative in it: a flag without one would tell of somebody who is not."""
    pairs = Path(inputs.relatedness) / "pairs.parquet"
    if not inputs.relatedness or not pairs.is_file():
        return new_ids
    table = read_table(str(pairs), "table of relatives")
    both = zip(texts(table, "sample_id_1"), texts(table, "sample_id_2"), strict=True)
    related = {one for pair in both if all(sample in new_ids for sample in pair) for one in pair}
    return {sample: person for sample, person in new_ids.items() if sample in related}


def write_aside(one: Aside, new_ids: dict[str, int], folder: Path, sample_ids: Sequence[str] = ()) -> MadeFile:
    """A TSV with other ids, rows by ids; rows of samples that are not in the release are left out.

    sample_ids: of the callset. InputError where one is in another column, unless it is a number, which may be a value.
    """
    table = read_table(str(one.path), f"table {one.table}")
    ids = [name for name in one.ids if name in table.column_names]
    if not ids:
        raise InputError(f"expected a column {' or '.join(one.ids)} in the table {one.table}, found none.")
    columns = described_columns(one.table, table.column_names)
    rows = []
    values = {name: [harmless(text) for text in texts(table, name)] for name in columns}
    names = {sample for sample in sample_ids if not sample.isdigit()}
    for place, name in enumerate(columns, 1):
        if name not in ids and not names.isdisjoint(values[name]):
            raise InputError(
                f"column {place} of the table {one.table} has ids of samples, where values are expected. Drop it."
            )
    whose = list(zip(*(texts(table, name) for name in ids), strict=True))
    for row, samples in enumerate(whose):
        if any(sample not in new_ids for sample in samples):
            continue
        known = sorted(new_ids[sample] for sample in samples)  # of a pair, who is first says nothing of the source
        told = dict(zip(ids, known, strict=True))
        rows.append((known, [text_of(told[name]) if name in told else values[name][row] for name in columns]))
    rows.sort()
    target = folder / Path(one.name).name
    write_tsv(target, columns, [row for _, row in rows])
    return MadeFile(one.name, target, len(rows), one.table)


def write_by_person(
    name: str,
    table: str,
    pieces: Iterable[pa.Table],
    column: str,
    new_ids: dict[str, int],
    params: ReleaseParams,
    folder: Path,
    n_rows: int,
    keys: Sequence[str] = (),
) -> MadeFile | None:
    """A Parquet table of samples with person_id in place of `column`, rows by it and by `keys`; None without rows."""
    source = iter(pieces)
    first = next(source, None)
    if first is None:
        return None
    kept = [one for one in described_columns(table, first.column_names) if one != column]
    fields = [pa.field("person_id", pa.int64()), *(_plain(first.schema.field(one)) for one in kept)]
    schema = pa.schema(fields)
    target = folder / f"{table}.parquet"

    def changed() -> Iterator[pa.Table]:
        for piece in (first, *source):
            person, has = _mapped(piece.column(column), new_ids)
            columns = {"person_id": pa.array(person)} | {one: piece.column(one) for one in kept}
            yield pa.table(columns).filter(pa.array(has)).cast(schema)

    n_parts = max(1, -(-n_rows // params.tables_rows))
    n = write_ordered(changed(), schema, target, n_parts, ["person_id", *keys])
    return MadeFile(name, target, n, table)


def _plain(field: pa.Field) -> pa.Field:
    """Dictionaries are written as their values: the words of a dictionary are those of everybody."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return pa.field(field.name, kind)


def _mapped(samples: pa.ChunkedArray, new_ids: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    coded = samples.combine_chunks().dictionary_encode() if not pa.types.is_dictionary(samples.type) else samples
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.unify_dictionaries().combine_chunks()
    ids = np.array([new_ids.get(one, 0) for one in coded.dictionary.to_pylist()] or [0], np.int64)
    person = ids[np.asarray(coded.indices.fill_null(0).to_numpy(zero_copy_only=False), np.int64)]
    return person, person > 0


def pieces_of(path: Path, rows: int = 500_000) -> Iterator[pa.Table]:
    """Row batches of a Parquet file, or of all parts of a folder."""
    import pyarrow.parquet as pq

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                for batch in opened.iter_batches(rows):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError):
            raise InputError(
                "a Parquet table that is to be released is damaged, or is none. Make it again with its command."
            ) from None


def n_rows_of(path: Path) -> int:
    import pyarrow.parquet as pq

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    try:
        return sum(pq.read_metadata(file).num_rows for file in files)
    except (pa.ArrowInvalid, OSError):
        raise InputError("a Parquet table that is to be released is damaged, or is none. Make it again.") from None


def write_report(inputs: Inputs, folder: Path) -> list[MadeFile]:
    """What each score is and how much of it was found; nothing in it is of a person."""
    path = Path(inputs.prs) / "report.tsv"
    if not inputs.prs or not path.is_file():
        return []
    table = read_table(str(path), "report of scores")
    columns = described_columns("prs_report", table.column_names)
    rows = list(zip(*([harmless(text) for text in texts(table, name)] for name in columns), strict=True))
    target = folder / "report.tsv"
    write_tsv(target, ["score", *columns], [[number, *row] for number, row in enumerate(rows)])
    return [MadeFile(f"{AUX}/prs/report.tsv", target, len(rows), "prs_report")]
