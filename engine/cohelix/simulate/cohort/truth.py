"""Truth tables: what a cohort was made from, in Parquet, never among the files that a pipeline reads."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.simulate.people.person import SOURCES

_SHARES = [(source, pa.float32()) for source in SOURCES]

TABLES = {
    # One row a person. human: equal for twins and duplicates. Shares: of the autosomes, as the tracts have them.
    "people": pa.schema(
        [("person", pa.int32()), ("person_id", pa.int64()), ("human", pa.int64()), ("family", pa.int64()),
         ("role", pa.string()), ("group", pa.string()), ("sex", pa.string()), ("reported_sex", pa.string()),
         ("karyotype", pa.string()), ("birth_year", pa.int16()), ("withdrawn", pa.bool_()), *_SHARES]
    ),
    # One row a pair of people of one family, or a pair of samples of one person. kinship and ibd: over the autosomes;
    # kinship_made: over the made regions of them.
    "kinship": pa.schema(
        [("person1", pa.int32()), ("person2", pa.int32()), ("relationship", pa.string()), ("expected", pa.float32()),
         ("kinship", pa.float32()), ("kinship_made", pa.float32()), ("ibd0", pa.float32()), ("ibd1", pa.float32()),
         ("ibd2", pa.float32())]
    ),
    # One row a tract of an autosome: start and end 0-based, half-open.
    "local_ancestry": pa.schema(
        [("person", pa.int32()), ("copy", pa.int8()), ("contig", pa.string()), ("start", pa.int32()),
         ("end", pa.int32()), ("source", pa.dictionary(pa.int8(), pa.string()))]
    ),
    # One row a sample. swapped_with: the person whose genome is on the chip, where that is not the person's own.
    "samples": pa.schema(
        [("sample_id", pa.string()), ("kind", pa.string()), ("sample", pa.int32()), ("person", pa.int32()),
         ("batch", pa.int32()), ("dialect", pa.string()), ("coverage", pa.float32()), ("low_coverage", pa.bool_()),
         ("contamination", pa.float32()), ("contaminant", pa.int32()), ("swapped_with", pa.int32()),
         ("failed", pa.bool_())]
    ),
    # One row a person, gene and copy of it. copies: of the gene on that haplotype. crossed: a crossover inside the gene
    # made the haplotype one of two named ones (allele is that of its first base).
    "star_alleles": pa.schema(
        [("person", pa.int32()), ("gene", pa.string()), ("copy", pa.int8()), ("allele", pa.string()),
         ("copies", pa.int8()), ("crossed", pa.bool_())]
    ),
}  # fmt: skip


class TableFile:
    """A Parquet file that tables are appended to, a row group each: memory does not grow with the cohort."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def add(self, table: pa.Table) -> None:
        if table.num_rows:
            self._writer.write_table(table.cast(self._schema))

    def __enter__(self) -> TableFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
