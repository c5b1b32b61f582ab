"""The call store: what each sample's gVCF said, in Parquet files by genome bin and sample batch.

`variants` holds variant records, `blocks` reference blocks, both sorted by sample and start. A file also holds what
lies in the margin of its bin (one base before, `MARGIN_BP` behind), marked `margin`, so that a bin can be called from
its own files; `WHERE NOT margin` gives each record once, blocks being cut where bins meet.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import dataset, genome
from cohelix.dataset import Commit, FileEntry
from cohelix.errors import ReferenceMismatch
from cohelix.genome import Bin, Contig

KIND = "calls"
CHROMOSOMES = {*map(str, range(1, 23)), "X", "Y"}

BLOCK_SCHEMA = pa.schema(
    [
        pa.field("sample", pa.int32(), nullable=False),  # the sample's number in the samples table
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("gq", pa.int32(), nullable=False),  # -1 missing
        pa.field("dp", pa.int32(), nullable=False),  # MIN_DP where the gVCF has it; -1 missing
        pa.field("state", pa.int8(), nullable=False),  # copies of the reference: 2, 1; 0 where the gVCF makes no call
        pa.field("depth", pa.int32(), nullable=False),  # DP; -1 missing. Old stores lack it: see `read_blocks`
        pa.field("margin", pa.bool_(), nullable=False),
    ]
)

VARIANT_SCHEMA = pa.schema(
    [
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),  # start + length of ref
        pa.field("gq", pa.int32(), nullable=False),
        pa.field("dp", pa.int32(), nullable=False),
        pa.field(
            "allele1", pa.int16(), nullable=False
        ),  # 0 ref, k the k-th of alts, one more the unnamed alternate, -1 "."
        pa.field("allele2", pa.int16(), nullable=False),  # -2: a haploid call
        pa.field("phased", pa.int8(), nullable=False),
        pa.field("phase_set", pa.int32(), nullable=False),
        pa.field("ref", pa.string(), nullable=False),
        pa.field("alts", pa.string(), nullable=False),  # comma-separated, without the unnamed alternate
        pa.field("filters", pa.string(), nullable=False),
        pa.field("ad", pa.list_(pa.int32()), nullable=False),  # ref, then each of alts; empty where missing
        pa.field("pl", pa.list_(pa.int32()), nullable=False),  # VCF's genotype order over ref and alts
        # Annotations; stores made before they were kept lack them: see `read_variants`.
        pa.field("qual", pa.float32(), nullable=False),  # -1 missing
        pa.field("sb", pa.list_(pa.int32()), nullable=False),  # FORMAT/SB; empty where missing
        pa.field("mq", pa.list_(pa.int64()), nullable=False),  # sum of squared mapping qualities, reads; or empty
        pa.field("rank_sums", pa.list_(pa.int16()), nullable=False),  # tenths: MQRankSum, ReadPosRankSum; or empty
        pa.field("margin", pa.bool_(), nullable=False),
    ]
)

ANNOTATIONS = ("qual", "sb", "mq", "rank_sums")
"""Columns of variant records that no genotype depends on: evidence behind the record, as its gVCF states it."""

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("sample_id", pa.string(), nullable=False),
        pa.field("sex", pa.string(), nullable=False),
        pa.field("batch_label", pa.string(), nullable=False),
        pa.field("batch", pa.int32(), nullable=False),
        pa.field("header", pa.int32(), nullable=False),  # which of the store's contig tables the gVCF has
        pa.field("gvcf_sha256", pa.string(), nullable=False),
        pa.field("n_variants", pa.int64(), nullable=False),
        pa.field("n_blocks", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Part:
    """One bin × batch: paths of its two files below the store's root."""

    contig: str
    start: int
    batch: int
    variants: str
    blocks: str
    n_variants: int
    n_blocks: int


@dataclass(frozen=True)
class CallStore:
    """An opened call store."""

    root: str
    commit: Commit

    @property
    def bin_bp(self) -> int:
        return int(self.commit.meta["bin_bp"])

    @property
    def build(self) -> str:
        return str(self.commit.meta["build"])

    def samples(self) -> pa.Table:
        """One row per sample, `SAMPLE_SCHEMA`, ordered by sample number."""
        return read_table(self.root, self.commit.entry(self.commit.meta["samples"]))

    def contigs(self) -> list[Contig]:
        """Contigs of the samples that are in the store, in genome order."""
        used = set(self.samples()["header"].to_pylist())
        tables = [self.commit.meta["headers"][number] for number in sorted(used)]
        return in_genome_order({name: length for table in tables for name, length in table})

    def parts(self) -> dict[tuple[str, int], list[Part]]:
        """Parts by (contig, bin start), each list in batch order."""
        found: dict[tuple[str, int], list[Part]] = {}
        for row in self.commit.meta["parts"]:
            part = Part(**row)
            found.setdefault((part.contig, part.start), []).append(part)
        return {key: sorted(parts, key=lambda part: part.batch) for key, parts in found.items()}

    def bins(self) -> list[Bin]:
        """Bins that hold something, in genome order."""
        order = {contig.name: number for number, contig in enumerate(self.contigs())}
        keys = sorted((order[name], start, name) for name, start in self.parts())
        return [Bin(number, start, start + self.bin_bp, name) for number, start, name in keys]


def open_store(root: str, *, version: int | None = None) -> CallStore:
    """The newest version of a call store. Raises InputError where there is none."""
    return CallStore(root, dataset.open_existing(root, KIND, version=version))


def in_genome_order(lengths: dict[str, int]) -> list[Contig]:
    """1 to 22, X, Y, MT, then the others by name."""
    known = {name: rank for rank, name in enumerate([*map(str, range(1, 23)), "X", "Y", "MT"])}
    ranked = sorted(lengths, key=lambda name: (known.get(genome.plain_name(name), len(known)), name))
    return [Contig(name, lengths[name]) for name in ranked]


def one_build(headers: Sequence[Sequence[Any]]) -> str:
    """The build of all contig tables together.

    Raises ReferenceMismatch where a contig has two lengths, or a chromosome two names.
    """
    lengths: dict[str, int] = {}
    spelled: dict[str, str] = {}
    for table in headers:
        for name, length in table:
            plain = genome.plain_name(name)
            if spelled.setdefault(plain, name) != name and plain in CHROMOSOMES:
                raise ReferenceMismatch(
                    f"a chromosome is called {spelled[plain]} in one gVCF and {name} in another: the inputs are of "
                    "different references. Put each into a store of its own (cohelix joint lint names the rows)."
                )
            if length and lengths.setdefault(name, length) != length:
                raise ReferenceMismatch(
                    f"contig {name} has {lengths[name]} bases in one gVCF and {length} in another: the inputs are of "
                    "different builds. Put each build into a store of its own (cohelix joint lint names the rows)."
                )
    return genome.build_of(Contig(name, length) for name, length in lengths.items())


def column(values: np.ndarray) -> pa.Array:
    """`values` as an Arrow array of the same type, without a copy (and without pandas, which `pa.array` imports where
    it is there).
    """
    values = np.ascontiguousarray(values)
    if values.dtype == bool:
        buffer = pa.py_buffer(np.packbits(values, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), values.size, [None, buffer])
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, [None, pa.py_buffer(values)])


def text(strings: Sequence[str]) -> pa.Array:
    """`strings` as an Arrow array (again without pandas, which `pa.array` imports where it is there)."""
    encoded = [string.encode() for string in strings]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def empty(schema: pa.Schema) -> pa.Table:
    """A table without rows (without pandas, which `Schema.empty_table` imports where it is there)."""
    return pa.Table.from_batches([], schema)


def values(table: pa.Table, name: str) -> np.ndarray:
    """A column of whole numbers as an array, without a copy (and without pandas)."""
    array = table.column(name).combine_chunks()
    if len(array) == 0:
        return np.zeros(0, array.type.to_pandas_dtype())
    return np.frombuffer(array.buffers()[1], array.type.to_pandas_dtype())[array.offset : array.offset + len(array)]


def to_parquet(table: pa.Table) -> bytes:
    """`table` as Parquet bytes; equal tables give equal bytes."""
    sink = io.BytesIO()
    delta = [name for name in ("start", "end") if name in table.column_names]
    pq.write_table(
        table.replace_schema_metadata(None),
        sink,
        compression="zstd",
        use_dictionary=[name for name in table.column_names if name not in delta],
        column_encoding=dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
        write_statistics=[name for name in ("sample", "start", "end") if name in table.column_names],
        row_group_size=1 << 20,
        store_schema=False,
    )
    return sink.getvalue()


def read_table(root: str, entry: FileEntry, columns: list[str] | None = None) -> pa.Table:
    """A Parquet file of a data set (some of its columns), its checksum verified."""
    return pq.ParquetFile(pa.BufferReader(dataset.read_file(root, entry))).read(columns, use_threads=False)


def read_variants(root: str, entry: FileEntry, columns: Sequence[str]) -> pa.Table:
    """Columns of a file of variant records. Annotations that it lacks, as stores of old do, are all missing."""
    table = read_table(root, entry, columns=list(columns))
    n = len(table)
    for name in (name for name in columns if name in ANNOTATIONS and name not in table.column_names):
        kind = VARIANT_SCHEMA.field(name).type
        lists = pa.types.is_list(kind) and pa.ListArray.from_arrays(
            column(np.zeros(n + 1, np.int32)), column(np.zeros(0, kind.value_type.to_pandas_dtype()))
        )
        table = table.append_column(VARIANT_SCHEMA.field(name), lists or column(np.full(n, -1, np.float32)))
    return table


def read_blocks(root: str, entry: FileEntry, columns: Sequence[str]) -> pa.Table:
    """Columns of a file of reference blocks. `depth`, which stores of old lack, is then missing."""
    table = read_table(root, entry, columns=list(columns))
    if "depth" in columns and "depth" not in table.column_names:
        table = table.append_column(BLOCK_SCHEMA.field("depth"), column(np.full(len(table), -1, np.int32)))
    return table


def cut_blocks(
    contig: np.ndarray, start: np.ndarray, end: np.ndarray, bin_bp: int, margin_bp: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut intervals where bins meet and copy what lies in a neighbour's margin.

    Returns (index of the interval, bin number, start, end, margin), ordered by contig, bin and start.
    """
    first, last = start // bin_bp, (end - 1) // bin_bp
    pieces = last - first + 1
    index = np.repeat(np.arange(start.size, dtype=np.int64), pieces)
    number = first[index] + np.arange(index.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    low, high = np.maximum(start[index], number * bin_bp), np.minimum(end[index], (number + 1) * bin_bp)
    before = high == (number + 1) * bin_bp
    behind = (low < number * bin_bp + margin_bp) & (number > 0)
    parts = [
        (index, number, low, high, np.zeros(index.size, bool)),
        (index[before], number[before] + 1, high[before] - 1, high[before], np.ones(before.sum(), bool)),
        (
            index[behind], number[behind] - 1, low[behind],
            np.minimum(high[behind], number[behind] * bin_bp + margin_bp), np.ones(behind.sum(), bool),
        ),
    ]  # fmt: skip
    index, number, low, high, margin = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if index.size > pieces.sum():
        order = np.lexsort((low, number, contig[index]))
        index, number, low, high, margin = (column[order] for column in (index, number, low, high, margin))
    return index, number, low.astype(np.int32), high.astype(np.int32), margin


def place_variants(
    contig: np.ndarray, start: np.ndarray, end: np.ndarray, bin_bp: int, margin_bp: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every bin that needs a record: those it overlaps, and those in whose margin it lies.

    Returns (index of the record, bin number, margin), ordered by contig, bin and start.
    """
    first, last = np.maximum(start - margin_bp, 0) // bin_bp, (end + 1) // bin_bp
    copies = last - first + 1
    index = np.repeat(np.arange(start.size, dtype=np.int64), copies)
    number = first[index] + np.arange(index.size) - np.repeat(np.cumsum(copies) - copies, copies)
    margin = number != start[index] // bin_bp
    if margin.any():
        order = np.lexsort((start[index], number, contig[index]))
        index, number, margin = index[order], number[order], margin[order]
    return index, number, margin
