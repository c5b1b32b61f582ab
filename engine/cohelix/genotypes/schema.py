"""Tables that lie beside the genotypes of a callset: what each column holds.

Writers check their tables against these definitions; the data model page is made from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from cohelix.errors import ContractError

KINDS = ("snp", "insertion", "deletion", "mnp", "other")
"""Values of `sites.kind`."""

MISSING_PREFIX = "missing_"
"""Columns `missing_<reason>` count missing genotypes by reason; which exist depends on how the callset was made."""


@dataclass(frozen=True)
class Column:
    """One column: its name, Arrow type, and what a value means (with its unit)."""

    name: str
    type: pa.DataType
    meaning: str


def _counts(what: str, of: str) -> tuple[Column, ...]:
    return (
        Column("n_called", pa.int64(), f"{what} with a called genotype; the sum of the five counts that follow"),
        Column("n_hom_ref", pa.int64(), f"{what} called with two copies of the reference allele{of}"),
        Column("n_het", pa.int64(), f"{what} called with one copy of each allele"),
        Column("n_hom_alt", pa.int64(), f"{what} called with two copies of the alternate allele{of}"),
        Column("n_haploid_ref", pa.int64(), f"{what} called with the reference allele where one copy exists"),
        Column("n_haploid_alt", pa.int64(), f"{what} called with the alternate allele where one copy exists"),
    )


SITES: tuple[Column, ...] = (
    Column("contig", pa.string(), "reference sequence, named as the input named it"),
    Column("position", pa.int32(), "1-based position of the first base of `ref`"),
    Column("ref", pa.string(), "reference allele, trimmed against `alt`"),
    Column("alt", pa.string(), "alternate allele"),
    Column("id", pa.string(), "contig:position:ref:alt; also the ID in the .pvar file"),
    Column("kind", pa.string(), "snp, insertion, deletion, mnp or other"),
    *_counts("samples", ""),
    Column("ac", pa.int64(), "copies of the alternate allele among called genotypes"),
    Column("an", pa.int64(), "copies of any allele among called genotypes; a haploid genotype counts one"),
)

SAMPLES: tuple[Column, ...] = (
    Column("sample_id", pa.string(), "identifier of the sample; rows are sorted by its bytes"),
    Column("sex", pa.string(), "male, female or unknown"),
    Column("n_sites", pa.int64(), "sites of the callset"),
    *_counts("sites", ""),
)

PARTIAL: tuple[Column, ...] = (
    Column("row", pa.int32(), "row of the site in its shard, from 0"),
    Column("sample", pa.int32(), "row of the sample in the samples table, from 0"),
    Column("first", pa.string(), "first allele: 0 reference, 1 alternate, * deleted, . not known"),
    Column("second", pa.string(), "second allele: 0 reference, 1 alternate, * deleted, . not known"),
    Column("reason", pa.string(), "why the genotype is missing in the PGEN file"),
)

PARTIAL_ALLELES = ("0", "1", "*", ".")


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    return pa.schema([pa.field(column.name, column.type) for column in columns])


def conform(table: pa.Table, columns: tuple[Column, ...], what: str) -> pa.Table:
    """`table` with its columns in the defined order, further columns behind them, one chunk each, no metadata.

    Raises ContractError where a column is absent, has another type or holds a null.
    """
    for column in columns:
        if column.name not in table.column_names:
            raise ContractError(f"the {what} table lacks its column {column.name} ({column.type}).")
        seen = table.schema.field(column.name).type
        if seen != column.type:
            raise ContractError(f"column {column.name} of the {what} table is {seen}, defined as {column.type}.")
    known = [column.name for column in columns]
    ordered = table.select(known + [name for name in table.column_names if name not in known])
    for name in known:
        if ordered.column(name).null_count:
            raise ContractError(f"column {name} of the {what} table holds nulls; every row needs a value.")
    fields = [pa.field(field.name, field.type) for field in ordered.schema]
    return ordered.cast(pa.schema(fields)).combine_chunks()
