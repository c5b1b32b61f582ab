"""One batch of samples over one bin: its files read, its records turned into the arrays that the kernels take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from cohelix.dataset import FileEntry
from cohelix.joint import kernels, store, unify
from cohelix.joint.annotation import kernels as a
from cohelix.joint.genotype import kernels as g
from cohelix.joint.overlap import kernels as o

_BLOCK_COLUMNS = ["sample", "start", "end", "gq", "dp", "state", "depth"]
_VARIANT_COLUMNS = ["sample", "start", "end", "gq", "dp", "allele1", "allele2", "ref", "alts", "ad", "pl"]
_ANNOTATIONS = ["sb", "mq", "rank_sums"]


@dataclass(frozen=True)
class Batch:
    """Samples of one batch, and where its two files of this bin lie (None: no sample of the batch has anything there).

    numbers: the samples' numbers in the store, ascending. columns: their columns in the callset.
    """

    numbers: np.ndarray
    columns: np.ndarray
    variants: FileEntry | None
    blocks: FileEntry | None


@dataclass(frozen=True)
class Records:
    """Variant records of a batch: `records` (records, R_COLUMNS) int32 sorted by sample and start, `at` (samples + 1,).

    keys: the distinct alleles that the codes in `records` number; found: what the batch says of each (see
    collect_alleles). evidence, annotations, mq_squared: as `annotation.kernels.sum_carriers` takes them.
    """

    records: np.ndarray
    at: np.ndarray
    keys: list[unify.Key]
    found: np.ndarray
    evidence: np.ndarray
    annotations: np.ndarray
    mq_squared: np.ndarray

    @property
    def nbytes(self) -> int:
        arrays = (self.records, self.found, self.evidence, self.annotations, self.mq_squared)
        return sum(array.nbytes for array in arrays) + 200 * len(self.keys)


def read_records(root: str, batch: Batch, gq0_is_nocall: bool) -> Records:
    """Read and digest the variant records of a batch."""
    table = (
        store.empty(store.VARIANT_SCHEMA)
        if batch.variants is None
        else store.read_variants(root, batch.variants, columns=[*_VARIANT_COLUMNS, *_ANNOTATIONS])
    )
    table, at = _of_samples(table, batch.numbers)
    start, end, gq, dp = (store.values(table, name) for name in ("start", "end", "gq", "dp"))
    allele = np.stack([store.values(table, "allele1"), store.values(table, "allele2")], axis=1)
    ref_at, ref = _text(table["ref"])
    alts_at, alts = _text(table["alts"])
    ad_at, ad = _numbers(table["ad"])
    pl_at, pl = _numbers(table["pl"])
    codes, found, lead, quality = kernels.collect_alleles(
        start, gq, allele, ref_at, ref, alts_at, alts, pl_at, pl, gq0_is_nocall
    )
    records = np.empty((start.size, o.R_COLUMNS), np.int32)
    records[:, o.R_START], records[:, o.R_END] = start, end
    records[:, o.R_BODY_START], records[:, o.R_BODY_END] = start + lead, end
    records[:, o.R_GQ], records[:, o.R_DP] = gq, dp
    records[:, o.R_CODE1 : o.R_CODE2 + 1] = codes
    records[:, o.R_REF_READS : o.R_READS2 + 1] = kernels.called_depths(allele, ad_at, ad)
    records[:, o.R_QUALITY] = quality
    evidence = a.reference_evidence(pl_at, pl, ad_at, ad)
    return Records(records, at, unify.keys_of(found, ref, alts), found, evidence, *_annotations(table))


def _annotations(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Annotations of each record, (records, COLUMNS) int32, and its sum of squared mapping qualities."""
    out = np.full((len(table), a.COLUMNS), -1, np.int32)
    out[:, a.MQ_RANK :] = a.NO_RANK
    mq_squared = np.full(len(table), -1, np.int64)
    known, values = _fixed(table["sb"], 4)
    out[known, : a.MQ_DEPTH] = values
    known, values = _fixed(table["mq"], 2)
    mq_squared[known], out[known, a.MQ_DEPTH] = values.T
    known, values = _fixed(table["rank_sums"], 2)
    out[known, a.MQ_RANK :] = values
    return out, mq_squared


def _fixed(column: pa.ChunkedArray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have a list, and these lists, of `size` numbers each."""
    at, values = _numbers(column)
    known = np.flatnonzero(np.diff(at) == size)
    return known, values[at[known][:, None] + np.arange(size)]


class Blocks(NamedTuple):
    """Reference blocks of a batch, sorted by sample and start; at (samples + 1,).

    dp: the lowest depth within a block, where the gVCF has it, else the block's depth; that is what `depth` is.
    """

    start: np.ndarray
    end: np.ndarray
    gq: np.ndarray
    dp: np.ndarray
    state: np.ndarray
    at: np.ndarray
    depth: np.ndarray


def read_blocks(root: str, batch: Batch) -> Blocks:
    """Read the reference blocks of a batch."""
    table = (
        store.empty(store.BLOCK_SCHEMA)
        if batch.blocks is None
        else store.read_blocks(root, batch.blocks, columns=_BLOCK_COLUMNS)
    )
    table, at = _of_samples(table, batch.numbers)
    columns = {name: store.values(table, name) for name in _BLOCK_COLUMNS}
    depth = np.where(columns["depth"] >= 0, columns["depth"], columns["dp"])
    return Blocks(columns["start"], columns["end"], columns["gq"], columns["dp"], columns["state"], at, depth)


def allele_table(
    records: Records, rows: dict[unify.Key, int], align: dict[unify.Key, unify.Key], owned: Sequence[int]
) -> np.ndarray:
    """(alleles, L_COLUMNS) int32 for the kernel: the row of each allele of the batch, and the bases it deletes.

    `align` gives the left-aligned key of a key; `owned` is the [start, end) of the bin.
    """
    table = np.zeros((max(len(records.keys), 1), g.L_COLUMNS), np.int32)
    for i, key in enumerate(records.keys):
        start, ref, alt = align.get(key, key)
        table[i, g.L_ROW] = rows.get((start, ref, alt), g.LOST if owned[0] <= start < owned[1] else g.ELSEWHERE)
        if len(ref) > len(alt):
            table[i, g.L_DELETED_START], table[i, g.L_DELETED_END] = start + len(alt), start + len(ref)
    return table


def _of_samples(table: pa.Table, numbers: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """Rows of the samples `numbers` (ascending), and where each sample's rows begin; the last entry is their end."""
    sample = store.values(table, "sample")
    at = np.searchsorted(sample, numbers, "left")
    sizes = np.searchsorted(sample, numbers, "right") - at
    if sizes.sum() != sample.size:
        table = table.filter(store.column(np.isin(sample, numbers)))
    return table.combine_chunks(), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _text(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    array = _one(column, pa.string())
    _, offsets, data = array.buffers()
    at = (
        np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
        if len(array)
        else np.zeros(1, np.int32)
    )
    return at, np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)


def _numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    kind = column.type.value_type.to_pandas_dtype()
    array = _one(column, column.type)
    if not len(array):
        return np.zeros(1, np.int32), np.zeros(1, kind)
    at = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    if not len(array.values):
        return at, np.zeros(1, kind)
    return at, np.frombuffer(array.values.buffers()[1], kind)[array.values.offset :]


def _one(column: pa.ChunkedArray, type_: pa.DataType) -> pa.Array:
    if column.num_chunks == 0:
        return pa.array([], type_)
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
