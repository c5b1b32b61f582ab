"""A matrix of packed genotypes: chosen variants of a callset, and some or all of its samples.

Methods that go over a callset's genotypes several times (components, kinship, projection) take one. It holds numbers of
rows and no genotypes, so that it travels to a task; rows are counted through all shards, so that what is computed does
not depend on how the callset is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cohelix import genome
from cohelix.errors import ContractError, InputError
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.packed import kernels
from cohelix.genotypes.packed.reader import PackedReader, open_packed, rows_of_block

SITE_COLUMNS = ("contig", "position", "ref", "alt", "id")
AUTOSOMES = frozenset(str(number) for number in range(1, 23))
_GAP = 16
"""Rows that are not wanted are read along with those around them where there are at most so many in a row."""


@dataclass(frozen=True)
class Part:
    """Rows of the matrix in one shard: `rows` int32, increasing, of its PGEN; `first`, the row of the matrix."""

    shard: int
    rows: np.ndarray
    first: int

    @property
    def end(self) -> int:
        return self.first + len(self.rows)


@dataclass(frozen=True)
class Matrix:
    """Variants of a callset in genomic order. samples: int64 rows of the samples table, increasing; None: all."""

    callset: Callset
    parts: tuple[Part, ...]
    samples: np.ndarray | None
    n_sites: int
    n_samples: int

    def sites(self) -> pa.Table:
        """contig, position, ref, alt and id of every row."""
        tables = []
        for part in self.parts:
            shard = self.callset.shards[part.shard]
            tables.append(self.callset.table(shard.sites, columns=SITE_COLUMNS).take(pa.array(part.rows)))
        return pa.concat_tables(tables).combine_chunks()

    def sample_ids(self) -> list[str]:
        ids: list[str] = self.callset.samples().column("sample_id").to_pylist()
        return ids if self.samples is None else [ids[row] for row in self.samples.tolist()]

    def read(self, start: int, end: int) -> np.ndarray:
        """Rows [start, end) as a packed block, uint64 (end - start, words)."""
        out = np.empty((end - start, -(-self.n_samples // 32)), np.uint64)
        for first, block in self.blocks(start, end, max(1, end - start)):
            out[first - start : first - start + len(block)] = block
        return out

    def blocks(
        self, start: int = 0, end: int | None = None, block_rows: int | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, packed block) over rows [start, end): of `block_rows` each but the last, across shards."""
        end = self.n_sites if end is None else end
        if not 0 <= start <= end <= self.n_sites:
            raise ContractError(f"rows {start} to {end} were asked for of a matrix of {self.n_sites}.")
        rows = block_rows or rows_of_block(self.callset.n_samples)
        held, first = _empty(rows, self.n_samples), start
        filled = 0
        for part in self.parts:
            low, high = max(start, part.first), min(end, part.end)
            if low >= high:
                continue
            with open_packed(self.callset, self.callset.shards[part.shard]) as reader:
                while low < high:
                    count = min(rows - filled, high - low)
                    wanted = part.rows[low - part.first : low - part.first + count]
                    self._fill(reader, wanted, held[filled : filled + count])
                    low, filled = low + count, filled + count
                    if filled == rows:
                        yield first, held
                        held, first, filled = _empty(rows, self.n_samples), first + rows, 0
        if filled:
            yield first, held[:filled]

    def take(self, rows: np.ndarray) -> Matrix:
        """The matrix of these rows only, increasing."""
        rows = np.asarray(rows, np.int64)
        if rows.size and (rows[0] < 0 or rows[-1] >= self.n_sites or (np.diff(rows) <= 0).any()):
            raise ContractError(f"expected increasing rows of a matrix of {self.n_sites}.")
        chosen = []
        for part in self.parts:
            low, high = np.searchsorted(rows, [part.first, part.end])
            chosen.append((part.shard, part.rows[rows[low:high] - part.first]))
        return replace(self, parts=_parts(chosen), n_sites=len(rows))

    def of_samples(self, samples: np.ndarray) -> Matrix:
        """The matrix of these samples only: increasing rows of this matrix's samples."""
        samples = np.asarray(samples, np.int64)
        if samples.size and (samples[0] < 0 or samples[-1] >= self.n_samples or (np.diff(samples) <= 0).any()):
            raise ContractError(f"expected increasing rows of {self.n_samples} samples.")
        rows = samples if self.samples is None else self.samples[samples]
        return replace(self, samples=rows, n_samples=len(rows))

    def _fill(self, reader: PackedReader, rows: np.ndarray, out: np.ndarray) -> None:
        """Set `out` to increasing rows of an open PGEN."""
        cuts = np.flatnonzero(np.diff(rows) > _GAP) + 1
        done = 0
        for run in np.split(rows, cuts):
            first = int(run[0])
            block = reader.read(first, int(run[-1]) + 1)
            if len(block) > len(run):
                block = block[run - first]
            place = out[done : done + len(run)]
            if self.samples is None:
                place[:] = block
            else:
                kernels.take_samples(block, self.samples, place)
            done += len(run)


def matrix_of(callset: Callset, *, samples: np.ndarray | None = None) -> Matrix:
    """Autosomal biallelic SNPs, each alone at its position. InputError where there is none."""
    chosen = []
    for number, shard in enumerate(callset.shards):
        if genome.plain_name(shard.contig) in AUTOSOMES:
            sites = callset.table(shard.sites, columns=("position", "kind"))
            position = sites.column("position").to_numpy()
            repeated = np.zeros(len(position) + 1, bool)
            repeated[1:-1] = position[1:] == position[:-1]
            alone = ~(repeated[1:] | repeated[:-1])
            chosen.append((number, np.flatnonzero(alone & is_snp(sites))))
    every = matrix_at(callset, chosen)
    if not every.n_sites:
        raise InputError(
            f"expected autosomal biallelic SNPs in the callset, found none among its {callset.n_sites} sites. "
            "Check its contigs (1 to 22, with or without chr)."
        )
    return every if samples is None else every.of_samples(samples)


def matrix_at(callset: Callset, rows: Sequence[tuple[int, np.ndarray]]) -> Matrix:
    """The matrix of given rows: (number of a shard, increasing rows of its PGEN), in the order of the shards."""
    parts = _parts(rows)
    return Matrix(callset, parts, None, sum(len(part.rows) for part in parts), callset.n_samples)


def block_edges(n_rows: int, block_rows: int) -> list[tuple[int, int]]:
    """[start, end) of blocks of `block_rows`, the last shorter."""
    return [(start, min(start + block_rows, n_rows)) for start in range(0, n_rows, block_rows)]


def is_snp(sites: pa.Table) -> np.ndarray:
    """bool (sites,): one base for another."""
    return np.asarray(pc.equal(sites.column("kind"), "snp").to_numpy())


def _parts(rows: Sequence[tuple[int, np.ndarray]]) -> tuple[Part, ...]:
    parts, first = [], 0
    for shard, own in rows:
        if len(own):
            parts.append(Part(shard, np.asarray(own, np.int32), first))
            first += len(own)
    return tuple(parts)


def _empty(rows: int, n_samples: int) -> np.ndarray:
    return np.empty((rows, -(-n_samples // 32)), np.uint64)
