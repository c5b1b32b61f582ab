"""Scores as the PGS Catalog Calculator writes them: `aggregated_scores.txt.gz`.

Columns, order and compression are those of `pgscatalog-aggregate`, so that `pgscatalog-ancestry-adjust` and reports of
the Calculator read it. FID is the sample's id, as there where families are not known. Two columns depart on purpose:
DENOM is the number of alleles that this score used in this sample, where the Calculator adds up the denominators of all
files of one run, those without the score as well; and AVG, which is SUM / DENOM, follows.

Agrees with: pgscatalog-aggregate of pgscatalog.calc 0.3.1 (tests/prs/test_aggregated.py).
"""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.csv
from isal import isal_zlib

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.exports import whole_file
from cohelix.prs.exports import SCORES, row_groups, table_of

COLUMNS = ("sampleset", "FID", "IID", "PGS", "SUM", "DENOM", "AVG")

_GZIP = 31
"""Window bits that ask zlib for a gzip file, with no name and no time in it."""


def write_aggregated(scores: str, out: str, *, sampleset: str = "cohort") -> None:
    """Write the table of the folder `scores` (of `cohelix prs score`) to the file `out`, a row a score and sample.

    sampleset: what the Calculator calls the people; "reference" is its name for a reference panel. A score that could
    not be given, and an average of no allele, are empty.

    Raises ConfigError for a name of another kind than theirs, InputError for a folder without sums and alleles.
    """
    if not sampleset or not all(sign.isalnum() or sign in "-." for sign in sampleset):
        raise ConfigError(
            "expected a sampleset of letters, digits, - and . only (the Calculator takes what follows _ for another "
            "word). Choose another name."
        )
    if table_of(scores) != SCORES:
        raise InputError(
            "expected a folder of `cohelix prs score`, found one of `cohelix prs adjust`, which does not say how many "
            "alleles were used. Give the scores that were adjusted."
        )
    with whole_file(out) as path, _Lines(path) as lines:
        for rows in row_groups(scores, SCORES, ("score", "sample_id", "sum", "n_alleles")):
            lines.add(_columns(rows, sampleset))


def _columns(rows: pa.Table, sampleset: str) -> pa.Table:
    sums, alleles = rows.column("sum").to_numpy(), rows.column("n_alleles").to_numpy()
    average = np.full(len(sums), np.nan)
    np.divide(sums, alleles, out=average, where=alleles > 0)
    people = rows.column("sample_id").cast(pa.string())
    columns = (
        pa.repeat(sampleset, len(sums)), people, people, rows.column("score").cast(pa.string()),
        pa.array(sums, from_pandas=True), alleles, pa.array(average, from_pandas=True),
    )  # fmt: skip
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


class _Lines:
    """Writes rows to a gzip file whose bytes depend on the rows alone."""

    def __init__(self, path: Path) -> None:
        self._handle = path.open("wb")
        self._gzip = isal_zlib.compressobj(level=3, wbits=_GZIP)
        self._write(("\t".join(COLUMNS) + "\n").encode())

    def add(self, rows: pa.Table) -> None:
        sink = io.BytesIO()
        options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
        try:
            pyarrow.csv.write_csv(rows, sink, options)
        except pa.ArrowInvalid:
            raise InputError(
                "expected ids of scores and samples without tabs, line breaks and quotes, found one with some, which "
                "the PGS Catalog Calculator cannot read. Rename it."
            ) from None
        self._write(sink.getvalue())

    def _write(self, text: bytes) -> None:
        self._handle.write(self._gzip.compress(text))

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._handle.write(self._gzip.flush())
        self._handle.close()
