"""The callset: PGEN shards, the tables beside them, and the commit that names them.

A genotype is an int8: 0, 1 or 2 copies of the alternate allele, -9 where it is missing; a haploid alternate is 2.
Blocks are C-contiguous int8 arrays of shape (variants, samples). Samples are sorted by the bytes of their id.
"""

from __future__ import annotations

import errno
import operator
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pgenlib
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cohelix import dataset, genome, storage
from cohelix.dataset import Commit, FileEntry, Writer
from cohelix.errors import ContractError, InputError
from cohelix.genome import Contig
from cohelix.genotypes import schema

KIND = "callset"
MISSING = -9
"""A missing genotype in an int8 block."""

BLOCK_VALUES = 1 << 24
"""Genotypes in one block when a shard is read through: 16 MiB of int8, whatever the number of samples."""

_PSAM_SEX = {"male": "1", "female": "2", "unknown": "NA"}


@dataclass(frozen=True)
class Shard:
    """The sites of [start, end) of one contig: a PLINK 2 fileset and its tables, as paths below the root."""

    name: str
    contig: str
    start: int
    end: int
    n_sites: int
    pgen: str
    pvar: str
    psam: str
    sites: str
    partial: str | None = None
    adj: str | None = None
    """A PGEN of the same rows and samples: 1 where a genotype is called but fails adj, else 0. None: not known."""

    @staticmethod
    def from_meta(meta: dict[str, Any]) -> Shard:
        return Shard(**meta)

    def to_meta(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def paths(self) -> tuple[str, ...]:
        always = (self.pgen, self.pvar, self.psam, self.sites)
        return (*always, *(path for path in (self.partial, self.adj) if path is not None))


@dataclass(frozen=True)
class Callset:
    """One version of a callset. `shards` are in genomic order; `contigs` in the order of the input."""

    root: str
    commit: Commit
    build: str
    contigs: tuple[Contig, ...]
    shards: tuple[Shard, ...]

    @property
    def n_samples(self) -> int:
        return int(self.commit.meta["n_samples"])

    @property
    def n_sites(self) -> int:
        return int(self.commit.meta["n_sites"])

    def samples(self) -> pa.Table:
        """The samples table (`schema.SAMPLES`), in the order of the columns of every genotype block."""
        return self.table(self.commit.meta["samples"])

    def stated_sexes(self) -> list[str]:
        """Of each sample, as its manifest said: where the call was given other sexes, these are not `samples.sex`."""
        samples = self.samples()
        return list(samples.column("sex_stated" if "sex_stated" in samples.column_names else "sex").to_pylist())

    def sites(self, shard: Shard) -> pa.Table:
        """The sites table (`schema.SITES`), one row per row of the shard's PGEN."""
        return self.table(shard.sites)

    def partial(self, shard: Shard) -> pa.Table | None:
        """Half calls and spanning deletions of the shard (`schema.PARTIAL`), None where there are none."""
        return None if shard.partial is None else self.table(shard.partial)

    def table(self, path: str, columns: Sequence[str] | None = None) -> pa.Table:
        """One of the callset's Parquet files; `columns`: these only."""
        # not pq.read_table: that imports pandas and the dataset layer for one file
        file = pq.ParquetFile(pa.BufferReader(dataset.read_file(self.root, self.commit.entry(path))))
        return file.read(None if columns is None else list(columns))


def open_callset(root: str, *, version: int | None = None) -> Callset:
    """The newest version of the callset at `root`, or the one asked for. InputError where there is none."""
    commit = dataset.open_existing(root, KIND, version=version)
    contigs = tuple(Contig(contig["name"], contig["length"]) for contig in commit.meta["contigs"])
    shards = tuple(Shard.from_meta(shard) for shard in commit.meta["shards"])
    return Callset(root, commit, commit.meta["build"], contigs, shards)


def write_shard(
    writer: Writer,
    *,
    name: str,
    contig: str,
    start: int,
    end: int,
    build: str,
    sites: pa.Table,
    blocks: Iterable[np.ndarray],
    sample_ids: list[str],
    sexes: list[str],
    partial: pa.Table | None = None,
    adj_blocks: Iterable[np.ndarray] | None = None,
) -> tuple[Shard, list[FileEntry]]:
    """Write one shard: `blocks` of int8 (variants, samples) in the order of `sites` rows, and the tables.

    adj_blocks: likewise, what `Shard.adj` holds; taken when `blocks` has ended. Equal input gives equal bytes, however
    it is cut into blocks. Rows of `partial` must be sorted by (row, sample).
    """
    sites = schema.conform(sites, schema.SITES, "sites")
    if sites.num_rows == 0:
        raise ContractError(f"shard {name} has no sites; a shard holds at least one (plink2 opens no empty fileset).")
    check_sample_ids(sample_ids)
    with tempfile.TemporaryDirectory(prefix="cohelix-") as folder:
        pgen = Path(folder) / "shard.pgen"
        write_pgen(pgen, blocks, n_samples=len(sample_ids), n_variants=sites.num_rows)
        adj = Path(folder) / "adj.pgen"
        if adj_blocks is not None:
            write_pgen(adj, adj_blocks, n_samples=len(sample_ids), n_variants=sites.num_rows)
        members: dict[str, Path | bytes] = {
            ".pgen": pgen,
            ".pvar": pvar_bytes(sites, build),
            ".psam": psam_bytes(sample_ids, sexes),
        }
        group = writer.put_group(f"genotypes/{name}", members)
        fails = writer.put(f"adj/{name}", ".pgen", adj.read_bytes()) if adj_blocks is not None else None
    files = [*group.values(), writer.put(f"sites/{name}", ".parquet", parquet_bytes(sites))]
    files += [fails] if fails else []
    partial_path = None
    if partial is not None and partial.num_rows:
        content = parquet_bytes(schema.conform(partial, schema.PARTIAL, "partial"))
        files.append(writer.put(f"partial/{name}", ".parquet", content))
        partial_path = files[-1].path
    shard = Shard(
        name, contig, start, end, sites.num_rows,
        group[".pgen"].path, group[".pvar"].path, group[".psam"].path, files[3].path, partial_path,
        fails.path if fails else None,
    )  # fmt: skip
    return shard, files


def write_samples(writer: Writer, table: pa.Table) -> FileEntry:
    """Write the samples table. Rows must be sorted by the bytes of `sample_id`, without repeats."""
    table = schema.conform(table, schema.SAMPLES, "samples")
    check_sample_ids(table.column("sample_id").to_pylist())
    return writer.put("samples", ".parquet", parquet_bytes(table))


def commit_callset(
    writer: Writer,
    *,
    build: str,
    contigs: Sequence[Contig],
    shards: Sequence[Shard],
    samples: FileEntry,
    n_samples: int,
    files: Iterable[FileEntry],
    alleles: str,
    params: dict[str, Any],
    tables: dict[str, FileEntry] | None = None,
    further: dict[str, Any] | None = None,
    provenance: dict[str, Any] | None = None,
    after: int,
) -> Callset:
    """Make the new version visible. `files` are those of the shards; `alleles` says how alleles were normalised.

    tables: further tables by name, Parquet files that `Callset.table` reads. further: entries of `Commit.meta`.
    """
    ordered = _genomic_order(tuple(contigs), tuple(shards))
    meta = {
        "build": build,
        "contigs": [{"name": contig.name, "length": contig.length} for contig in contigs],
        "n_samples": n_samples,
        "n_sites": sum(shard.n_sites for shard in ordered),
        "alleles": alleles,
        "params": params,
        "samples": samples.path,
        "shards": [shard.to_meta() for shard in ordered],
    }
    meta |= further or {}
    if tables:
        meta["tables"] = {name: entry.path for name, entry in sorted(tables.items())}
    entries = {entry.path: entry for entry in [*files, samples, *(tables or {}).values()]}
    for shard in ordered:
        for path in shard.paths:
            if path not in entries:
                raise ContractError(f"shard {shard.name} names {path}, which is not among the files to be committed.")
    writer.commit(entries.values(), meta, provenance or {}, after=after)
    return open_callset(writer.root, version=after + 1)


def read_genotypes(callset: Callset, shard: Shard, start_row: int, end_row: int) -> np.ndarray:
    """Rows [start_row, end_row) of a shard as int8 (variants, samples); -9 is missing."""
    with open_pgen(callset, shard) as reader:
        return read_rows(reader, start_row, end_row)


def read_blocks(callset: Callset, shard: Shard, *, block_rows: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, int8 block) through a whole shard; memory is that of one block."""
    rows = block_rows or max(1, BLOCK_VALUES // max(1, callset.n_samples))
    with open_pgen(callset, shard) as reader:
        for start in range(0, shard.n_sites, rows):
            yield start, read_rows(reader, start, min(start + rows, shard.n_sites))


@contextmanager
def open_pgen(callset: Callset, shard: Shard) -> Iterator[Any]:
    """A pgenlib.PgenReader on the shard. InputError where the file is damaged or of another size than committed."""
    entry = callset.commit.entry(shard.pgen)
    path = storage.join(callset.root, shard.pgen)
    if not storage.exists(path):
        raise InputError(f"{callset.root} lacks {shard.pgen}, which its commit names. Restore it.")
    with storage.as_local_file(path) as local:
        if local.stat().st_size != entry.bytes:
            raise InputError(
                f"expected {entry.bytes} bytes in {shard.pgen}, as committed, found {local.stat().st_size}. Restore it."
            )
        reader = pgenlib.PgenReader(str(local).encode(), raw_sample_ct=callset.n_samples, variant_ct=shard.n_sites)
        try:
            yield reader
        finally:
            reader.close()


def read_rows(reader: Any, start_row: int, end_row: int) -> np.ndarray:
    """Rows [start_row, end_row) of an open PgenReader as int8 (variants, samples)."""
    block = np.empty((end_row - start_row, reader.get_raw_sample_ct()), np.int8)
    if block.size:
        reader.read_range(start_row, end_row, block)
    return block


def write_pgen(path: Path, blocks: Iterable[np.ndarray], *, n_samples: int, n_variants: int) -> None:
    """Write int8 blocks (variants, samples) as one PGEN file with exactly `n_variants` variants."""
    writer = pgenlib.PgenWriter(str(path).encode(), n_samples, n_variants, nonref_flags=False)
    written = 0
    for block in blocks:
        if block.dtype != np.int8 or block.ndim != 2 or block.shape[1] != n_samples:
            raise ContractError(f"expected int8 blocks (variants, {n_samples}), got {block.dtype} {block.shape}.")
        written += len(block)
        if written > n_variants:
            raise ContractError(f"expected {n_variants} variants in all, got at least {written}.")
        if len(block):
            _called(writer, "append_biallelic_batch", np.ascontiguousarray(block))
    if written != n_variants:
        raise ContractError(f"expected {n_variants} variants in all, got {written}.")
    _called(writer, "close")


def _called(writer: Any, method: str, *arguments: Any) -> None:
    try:
        getattr(writer, method)(*arguments)
    except RuntimeError:  # the system refuses to write
        _refused.append(writer)
        raise OSError(errno.EIO, "a PGEN file cannot be written (no room on the disk?)") from None


_refused: list[Any] = []
"""Writers that are kept: pgenlib's print a traceback when they are let go unfinished."""


def pvar_chromosomes(sites: pa.Table, build: str) -> pa.Array:
    """The CHROM column of .pvar: the contig, but PAR1 and PAR2 on X, as plink2 splits it.

    Like `plink2 --split-par`, PAR1 begins with the chromosome and PAR2 ends with it, so that each stays in one piece.
    """
    column = sites.column("contig").combine_chunks()
    for contig in sorted(set(column.to_pylist())):
        regions = genome.par_of(build, contig) if genome.plain_name(contig) == "X" else ()
        if regions:
            import pyarrow.compute as pc  # a tenth of a second to import, and seldom needed here

            on_x = pc.equal(column, contig)
            start = pc.subtract(sites.column("position"), 1).combine_chunks()
            column = pc.if_else(pc.and_(on_x, pc.less(start, regions[0][1])), "PAR1", column)
            column = pc.if_else(pc.and_(on_x, pc.greater_equal(start, regions[1][0])), "PAR2", column)
    return column


def pvar_bytes(sites: pa.Table, build: str) -> bytes:
    """The .pvar file: `#CHROM POS ID REF ALT`, and FILTER where sites have one; a line per row of `sites`."""
    names = {"position": "POS", "id": "ID", "ref": "REF", "alt": "ALT"}
    columns = {"#CHROM": pvar_chromosomes(sites, build)}
    columns |= {title: sites.column(name).combine_chunks() for name, title in names.items()}
    if "filter" in sites.column_names:
        columns["FILTER"] = sites.column("filter").combine_chunks().fill_null(".")
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    sink.write("\t".join(columns).encode() + b"\n")
    pyarrow.csv.write_csv(
        table, sink, pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    )
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types


def psam_bytes(sample_ids: list[str], sexes: list[str]) -> bytes:
    """The .psam file: `#IID SEX`, sex as 1, 2 or NA."""
    if len(sample_ids) != len(sexes):
        raise ContractError(f"got {len(sample_ids)} samples and {len(sexes)} sexes.")
    lines = map("\t".join, zip(sample_ids, map(_PSAM_SEX.__getitem__, sexes), strict=True))
    return "\n".join(["#IID\tSEX", *lines, ""]).encode()


def parquet_bytes(table: pa.Table) -> bytes:
    """`table` as Parquet with fixed options and without metadata: equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata(None).combine_chunks(),
        sink,
        compression="zstd",
        compression_level=3,
        row_group_size=1 << 20,
        version="2.6",
        store_schema=False,
    )
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types


def order_of(sample_ids: Sequence[str]) -> list[int]:
    """Places of samples by the bytes of their ids. InputError where one is not UTF-8."""
    try:
        return sorted(range(len(sample_ids)), key=lambda place: sample_ids[place].encode())
    except UnicodeEncodeError:
        raise InputError("expected ids of samples in UTF-8, found others. Rename them in the input.") from None


def check_sample_ids(sample_ids: list[str]) -> None:
    """InputError unless ids are sorted by their bytes, distinct, printable, and fit a .psam file."""
    encoded = [sample.encode() for sample in sample_ids]
    if not encoded:
        raise InputError("expected at least one sample, found none. Check the input's header.")
    whole = b" ".join(encoded)  # every shard asks, so all of a million ids are looked at as one
    spaced = whole.count(b" ") != len(encoded) - 1 or not whole.decode().isprintable()
    strange = spaced or b"" in encoded or b"0" in encoded
    if not strange and all(map(operator.lt, encoded, encoded[1:])):
        return
    for row, sample in enumerate(encoded):
        if not sample or sample == b"0" or b" " in sample or not sample.decode().isprintable():
            raise InputError(
                f"sample {row + 1} (by sorted id) has an id that is empty, 0, or contains white space or signs that "
                "cannot be printed; PLINK filesets cannot hold it. Rename it in the input."
            )
        if row and sample == encoded[row - 1]:
            raise InputError(f"samples {row} and {row + 1} (by sorted id) have the same id. Rename or drop one.")
        if row and sample < encoded[row - 1]:
            raise ContractError("sample ids are not sorted by their bytes.")


def _genomic_order(contigs: tuple[Contig, ...], shards: tuple[Shard, ...]) -> list[Shard]:
    rank = {contig.name: index for index, contig in enumerate(contigs)}
    for shard in shards:
        if shard.contig not in rank:
            raise ContractError(f"shard {shard.name} lies on contig {shard.contig}, which the callset does not list.")
    return sorted(shards, key=lambda shard: (rank[shard.contig], shard.start, shard.name))
