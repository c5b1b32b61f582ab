"""One file of arrays in one pass: the sums that metrics of its samples are made from, its markers, and its calls.

Calls go to `calls.bed` (PLINK 1 bytes, A1 allele B), markers and what each of them adds up to into tables beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import genome
from cohelix.dataset import canonical_json
from cohelix.errors import CohelixError
from cohelix.genome import Contig
from cohelix.genotypes import kernels as genotype_kernels
from cohelix.genotypes.callset import open_callset, read_blocks
from cohelix.qc.arrays import info, kernels
from cohelix.qc.arrays.info import Marker
from cohelix.qc.arrays.reader import Block, open_array
from cohelix.qc.schema import ArrayQcParams

_UNPACKED = np.array([[(2, -9, 1, 0)[byte >> 2 * slot & 3] for slot in range(4)] for byte in range(256)], np.int8)


@dataclass(frozen=True)
class ArrayFile:
    """A task: input `number` (from 1), an array VCF or the folder of a callset; `folder` is where its parts go."""

    number: int
    path: str
    folder: str
    params: ArrayQcParams


@dataclass(frozen=True)
class ArrayBatch:
    """What a file holds. n samples in the order of the file; counts int64 (n, N_COUNTS), sums float64 (n, N_SUMS),

    gencall int32 (n, 1001): see `kernels`. counted, counted_off_y: markers that the call rate is of. design: equal for
    files with the same lines. stated: sexes that the file states, "unknown" for a VCF's.
    """

    number: int
    folder: str
    sample_ids: tuple[str, ...]
    stated: tuple[str, ...]
    contigs: tuple[Contig, ...]
    build: str
    design: str
    n_markers: int
    counted: int
    counted_off_y: int
    zeroed: int
    counts: np.ndarray
    sums: np.ndarray
    gencall: np.ndarray

    def markers(self) -> list[Marker]:
        return info.markers_of(pq.ParquetFile(Path(self.folder) / "markers.parquet").read())

    def of_markers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """int64 (markers,) calls that name a strange allele; float64, int64: sum and number of GenCall scores."""
        with np.load(Path(self.folder) / "rows.npz") as rows:
            return rows["strange"], rows["gencall"], rows["scored"]

    def calls(self, rows: np.ndarray) -> np.ndarray:
        """int8 (rows, n): copies of B at the markers `rows`, ascending; -9 none. A row below 0 is none for all."""
        out = np.full((len(rows), len(self.sample_ids)), -9, np.int8)
        there = np.flatnonzero(rows >= 0)
        if there.size:
            path = Path(self.folder) / "calls.bed"
            width = (len(self.sample_ids) + 3) // 4
            packed = np.memmap(path, np.uint8, "r", shape=(self.n_markers, width))
            out[there] = _UNPACKED[packed[rows[there]]].reshape(there.size, -1)[:, : len(self.sample_ids)]
        return out


def read_arrays(file: ArrayFile) -> ArrayBatch:
    """Read one array VCF or callset. Raises InputError, with the number of the input, where it is damaged."""
    folder = Path(file.folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if Path(file.path).is_dir():
            return _read_callset(file)
        with open_array(Path(file.path), file.params.block_calls) as (header, blocks):
            build = genome.build_of(header.contigs)
            unknown = ["unknown"] * len(header.sample_ids)
            return _read(file, header.sample_ids, unknown, header.contigs, build, blocks)
    except CohelixError as error:
        raise type(error)(f"input {file.number}: {error}") from None


def _read_callset(file: ArrayFile) -> ArrayBatch:
    callset = open_callset(file.path)
    samples = callset.samples()
    known = callset.commit.meta["params"].get("source") not in ("bed", "pgen")

    def blocks() -> Iterator[Block]:
        for shard in callset.shards:
            sites = callset.sites(shard)
            for first, calls in read_blocks(callset, shard):
                values = np.full((*calls.shape, 3), np.nan)
                yield Block(
                    _markers(sites.slice(first, len(calls)), known), calls, values, np.zeros(len(calls), np.int64)
                )

    ids, sexes = (samples.column(name).to_pylist() for name in ("sample_id", "sex"))
    return _read(file, ids, sexes, callset.contigs, callset.build, blocks())


def _markers(sites: pa.Table, ref_is_known: bool) -> list[Marker]:
    """Markers of a callset's sites: A the reference, B the alternate."""
    names = ("contig", "position", "source_id" if "source_id" in sites.column_names else "id", "ref", "alt")
    rows = zip(*(sites.column(name).to_pylist() for name in names), strict=True)
    filters = sites.column("filter").to_pylist() if "filter" in sites.column_names else ["."] * sites.num_rows
    return [
        Marker(
            contig, position, name, ref, alt, status, ref, "" if alt == "." else alt, 0, 1, ref_is_known=ref_is_known
        )
        for (contig, position, name, ref, alt), status in zip(rows, filters, strict=True)
    ]


def _read(
    file: ArrayFile, ids: Sequence[str], stated: Sequence[str], contigs: Sequence[Contig], build: str,
    blocks: Iterator[Block],
) -> ArrayBatch:  # fmt: skip
    n = len(ids)
    counts, sums = np.zeros((n, kernels.N_COUNTS), np.int64), np.zeros((n, kernels.N_SUMS), np.float64)
    gencall = np.zeros((n, kernels.GENCALL_BINS), np.int32)
    markers: list[pa.Table] = []
    design = hashlib.sha256()
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    counted = counted_off_y = zeroed = 0
    with (Path(file.folder) / "calls.bed").open("wb") as calls:
        for block in blocks:
            _write_calls(calls, block.calls)
            added = _add(block, build, file.params, counts, sums, gencall)
            counted, counted_off_y, zeroed = counted + added[0], counted_off_y + added[1], zeroed + added[2]
            score = np.where(block.calls >= 0, block.values[:, :, kernels.GENCALL], np.nan)
            rows.append((block.strange.copy(), np.nansum(score, axis=1), np.isfinite(score).sum(axis=1)))
            markers.append(info.table_of(block.markers))
            design.update(canonical_json([info.key_of(marker) for marker in block.markers])[1:-1] + b",")
    table = pa.concat_tables(markers)
    pq.write_table(table, Path(file.folder) / "markers.parquet", compression="zstd")
    strange, scores, scored = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    np.savez(Path(file.folder) / "rows.npz", strange=strange, gencall=scores, scored=scored)
    return ArrayBatch(
        file.number, file.folder, tuple(ids), tuple(stated), tuple(contigs), build, design.hexdigest(),
        table.num_rows, counted, counted_off_y, zeroed, counts, sums, gencall,
    )  # fmt: skip


def _write_calls(handle: BinaryIO, calls: np.ndarray) -> None:
    packed = np.empty((len(calls), (calls.shape[1] + 3) // 4), np.uint8)
    genotype_kernels.pack_bed(np.ascontiguousarray(calls), packed)
    handle.write(packed.tobytes())


def _add(
    block: Block, build: str, params: ArrayQcParams, counts: np.ndarray, sums: np.ndarray, gencall: np.ndarray
) -> tuple[int, int, int]:
    """Add a block to the sums of its samples; markers of the call rate, those off Y, and zeroed ones."""
    zeroed = np.array([marker.is_zeroed for marker in block.markers], bool)
    counted = np.array([marker.is_counted for marker in block.markers], bool) & ~zeroed
    place = places(build, [marker.contig for marker in block.markers], [marker.position for marker in block.markers])
    x_a, x_b = _regressed_on(_frequencies(block, params), params.contamination_frequency)
    kernels.tally(
        block.calls, block.values, place, counted, zeroed, x_a, x_b, params.no_call_baf, counts, sums, gencall
    )
    return int(counted.sum()), int((counted & (place != kernels.ON_Y)).sum()), int(zeroed.sum())


def places(build: str, contigs: Sequence[str], positions: Sequence[int]) -> np.ndarray:
    """int8 (markers,): AUTOSOME, ON_X, ON_Y or ELSEWHERE of `kernels`."""
    known = {"autosome": kernels.AUTOSOME, "chr20": kernels.AUTOSOME, "x": kernels.ON_X, "y": kernels.ON_Y}
    code = np.array([known.get(name, kernels.ELSEWHERE) for name in genome.REGIONS], np.int8)
    where, names = np.asarray(positions, np.int64), np.asarray(contigs)
    out = np.empty(len(where), np.int8)
    for contig in set(contigs):
        here = names == contig
        out[here] = code[genome.region_of(build, contig, where[here])]
    return out


def _frequencies(block: Block, params: ArrayQcParams) -> np.ndarray:
    """float64 (markers,): frequency of B in the training set of the clusters, else in the batch.

    NaN where both are of too few, or where the clusters are bad: BAF means nothing there.
    """
    fewest = params.min_frequency_calls
    called = block.calls >= 0
    n = called.sum(axis=1)
    in_batch = np.where(called, block.calls, 0).sum(axis=1) / np.maximum(2 * n, 1)
    trained, trained_on = np.array([marker.frequency_b for marker in block.markers], np.float64).reshape(-1, 2).T
    known = np.where(trained_on >= fewest, trained, np.where(n >= fewest, in_batch, np.nan))
    bad = np.array([marker.gentrain < params.min_gentrain for marker in block.markers], bool)  # NaN is not
    return np.where(bad, np.nan, known)


def _regressed_on(frequency: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """x of AA and of BB: strange DNA moves BAF by its share, up by the frequency of B or down by that of A."""
    if how == "minor":
        minor = np.minimum(frequency, 1 - frequency)
        return minor, -minor
    return frequency, frequency - 1
