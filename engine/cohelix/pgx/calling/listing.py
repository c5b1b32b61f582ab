"""The table of patterns: the distinct genotypes of each gene, how many have each, and what was said of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.pgx.calling.seen import texts
from cohelix.pgx.definition import Gene

if TYPE_CHECKING:
    from cohelix.pgx.solve import Solved

PATTERNS = pa.schema(
    [
        ("gene", pa.string()),
        ("pattern", pa.int64()),
        ("n_people", pa.int64()),
        ("genotype", pa.string()),
        ("n_missing", pa.int32()),
        ("status", pa.string()),
        ("diplotypes", pa.list_(pa.string())),
    ]
)
"""The distinct genotypes of a gene. genotype: as `Texts`. status, diplotypes: what the matcher says of them."""

ROW_GROUP = 1 << 20


def patterns_of(gene: Gene, solved: Solved) -> pa.Table:
    """Table of `PATTERNS`, in the order of the patterns."""
    told = texts(gene, solved.patterns)
    answers = solved.answers
    tops = answers.column("n_top").to_pylist()
    calls = [names[: top or 0] for names, top in zip(answers.column("diplotypes").to_pylist(), tops, strict=True)]
    answer = pa.array(solved.answer)
    count = np.asarray(solved.patterns.count, np.int64)
    columns = [
        pa.repeat(pa.scalar(gene.symbol), len(count)),
        pa.array(solved.patterns.number),
        pa.array(count),
        told.genotype,
        pa.array(told.n_missing),
        answers.column("status").combine_chunks().take(answer),
        pa.array(calls, pa.list_(pa.string())).take(answer),
    ]
    return pa.table(columns, schema=PATTERNS)


def write_patterns(path: Path, blocks: Sequence[Path], symbols: Sequence[str]) -> dict[str, int]:
    """The patterns of all blocks, each once, the most frequent first; how many there are of each gene."""
    distinct = {}
    readers = [pq.ParquetFile(block) for block in blocks]
    with pq.ParquetWriter(
        path, PATTERNS, compression="zstd", compression_level=3, version="2.6", store_schema=False
    ) as writer:  # fmt: skip
        for symbol in symbols:
            own = [table for reader in readers for table in _groups_of(reader, symbol)]
            if own:
                table = merged(pa.concat_tables(own))
                distinct[symbol] = table.num_rows
                writer.write_table(table, row_group_size=ROW_GROUP)
    for reader in readers:
        reader.close()
    return distinct


def _groups_of(reader: pq.ParquetFile, symbol: str) -> list[pa.Table]:
    """A block has one row group a gene (more of a very large one)."""
    found = []
    for group in range(reader.metadata.num_row_groups):
        if reader.metadata.row_group(group).column(0).statistics.min == symbol:
            found.append(reader.read_row_group(group).cast(PATTERNS))
    return found


def merged(table: pa.Table) -> pa.Table:
    """Rows of the same pattern as one. Two genotypes with one key, should they be met, stay two."""
    import pyarrow.compute as pc

    order = [("pattern", "ascending"), ("genotype", "ascending"), ("n_missing", "ascending")]
    table = table.take(pc.sort_indices(table, sort_keys=order)).combine_chunks()
    key, texts = table.column("pattern").to_numpy(), table.column("genotype").combine_chunks()
    first = np.ones(len(key), bool)
    if len(key) > 1:
        same_text = pc.equal(texts[1:], texts[:-1]).to_numpy(zero_copy_only=False)
        first[1:] = (key[1:] != key[:-1]) | ~same_text
    people = np.add.reduceat(table.column("n_people").to_numpy(), np.flatnonzero(first))
    table = table.filter(pa.array(first)).set_column(2, PATTERNS.field("n_people"), pa.array(people))
    return table.take(pc.sort_indices(table, sort_keys=[("n_people", "descending"), ("pattern", "ascending")]))
