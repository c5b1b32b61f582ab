"""Whom the tables beside a callset are of: one with nobody of the callset is refused, what others lack is counted.

Without this, tables of another cohort would be a release whose tables are empty, and nobody would notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from cohelix.errors import InputError
from cohelix.genotypes.inputs import read_table, texts
from cohelix.release.people import People
from cohelix.release.schema import Inputs

_OF = {
    "callset": {
        "samples_qc": "sample_metrics.parquet",
        "ancestry": "",
        "projected": "projection.parquet",
        "relatedness": "relatedness.tsv",
        "unrelated": "relatedness_flagged_samples.tsv",
        "prs": "scores.parquet",
        "prs_adjusted": "adjusted.parquet",
        "pgx": "",
    },
    "arrays": {"arrays_qc": "array_metrics.parquet"},
}
"""File of each entry's folder, by the entry of the callset that its samples are of."""

_SOME = {"relatedness": ("i.s", "j.s"), "unrelated": ("sample_id",)}
"""Tables of some samples: columns of ids. That they lack others is no news."""


def lacking(inputs: Inputs, people: People) -> dict[str, int]:
    """How many samples that stand for persons of the release an entry's table lacks, where it lacks some.

    InputError for a callset with nobody of the release, a table without its callset or with none of its samples.
    """
    found: dict[str, int] = {}
    for of, ids, places in (
        ("callset", people.genome_ids, people.genome),
        ("arrays", people.array_ids, people.array),
    ):
        standing = {ids[place] for place in places[places >= 0].tolist()}
        if getattr(inputs, of) and not standing:
            raise InputError(
                f"expected samples of persons of the release in {of}, found none. Check that links, or SPECIMEN, names "
                f"its samples, and that not all fail quality control; or leave {of} out."
            )
        for entry, name in _OF[of].items():
            path = str(getattr(inputs, entry))
            if path and not ids:
                raise InputError(f"expected {of} beside {entry}, which is of its samples, found none. Name it.")
            if path and entry != "ancestry":  # whose groups are looked at where they are read
                n = _lacking(entry, Path(path) / name, of, set(ids), standing)
                found |= {entry: n} if n else {}
    return found


def _lacking(entry: str, path: Path, of: str, ids: set[str], standing: set[str]) -> int:
    columns = _SOME.get(entry)
    named = _parquet(entry, path) if columns is None else _tsv(entry, path, columns)
    if (named or columns is None) and named.isdisjoint(ids):
        raise InputError(
            f"expected samples of {of} in {entry}, found none of its {len(ids):,} samples: it is of another cohort. "
            "Check its path."
        )
    return len(standing - named) if columns is None else 0


def _tsv(entry: str, path: Path, columns: Iterable[str]) -> set[str]:
    table = read_table(str(path), f"table of {entry}")
    return {one for name in columns if name in table.column_names for one in texts(table, name)}


def _parquet(entry: str, path: Path) -> set[str]:
    import pyarrow.parquet as pq

    named: set[str | None] = set()
    for file in sorted(path.glob("*.parquet")) if path.is_dir() else [path]:
        try:
            with pq.ParquetFile(file) as opened:
                for batch in opened.iter_batches(1_000_000, columns=["sample_id"]):
                    named.update(batch.column(0).unique().to_pylist())
        except (pa.ArrowException, OSError):
            raise InputError(f"expected Parquet as {entry}, found a file that is damaged. Make it again.") from None
    return {one for one in named if one is not None}
