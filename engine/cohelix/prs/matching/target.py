"""Rows of a callset at the positions that scoring files name, gathered shard by shard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cohelix import genome
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.inputs import Frequencies
from cohelix.prs.matching.variants import PLACE_BITS
from cohelix.prs.schema import CHROMOSOMES, REGIONS
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Target:
    """Rows of a callset, in its order. shard, row int32; key int64 as in `Variants`; ref, alt int32 codes in `alleles`;
    af float64: frequency of ALT, NaN where not known; further bool: another alternate was seen at the position; region
    int8: place in `REGIONS`.
    """

    shard: np.ndarray
    row: np.ndarray
    key: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    alleles: tuple[str, ...]
    af: np.ndarray
    further: np.ndarray
    region: np.ndarray

    @cached_property
    def by_key(self) -> np.ndarray:
        """int64: rows in the order of their keys, those of one key in the callset's order."""
        return np.argsort(self.key, kind="stable")

    @cached_property
    def sorted_key(self) -> np.ndarray:
        return np.asarray(self.key[self.by_key])

    def code_of(self, allele: str) -> int:
        return self.alleles.index(allele) if allele in self.alleles else -3


@dataclass(frozen=True)
class _Task:
    callset: Callset
    shard: int
    wanted: Callable[[], np.ndarray]
    min_af: float
    frequencies: Callable[[], Frequencies | None]
    path: Path


def gather(
    callset: Callset,
    wanted: np.ndarray,
    min_af: float,
    frequencies: Frequencies | None,
    folder: Path,
    runtime: Runtime,
) -> Target:
    """All rows at the positions `wanted` (sorted keys). min_af: alternates that are not more frequent are not seen."""
    shared, known = runtime.share(wanted), runtime.share(frequencies)
    tasks = []
    for number, shard in enumerate(callset.shards):
        chromosome = chromosome_of(shard.contig)
        first = chromosome << PLACE_BITS
        low, high = np.searchsorted(wanted, [first | (shard.start + 1), first | (shard.end + 1)])
        if chromosome and low < high:
            tasks.append(_Task(callset, number, shared, min_af, known, folder / f"target-{number:05d}.arrow"))
    for _ in runtime.map(_take, tasks, label="sites"):
        pass
    pieces = []
    for task in tasks:
        with pa.memory_map(str(task.path)) as source:
            pieces.append(pa.ipc.open_file(source).read_all())
    return _target_of([piece for piece in pieces if piece.num_rows])


def chromosome_of(contig: str) -> int:
    """The code of a contig in `CHROMOSOMES`; 0 where it is none of them."""
    name = genome.plain_name(contig)
    return CHROMOSOMES.index(name) if name in CHROMOSOMES else 0


def _take(task: _Task) -> None:
    """Write the wanted rows of one shard."""
    shard, wanted = task.callset.shards[task.shard], task.wanted()
    sites = task.callset.table(shard.sites, columns=("position", "ref", "alt", "ac", "an"))
    positions = sites.column("position").to_numpy()
    key = (np.int64(chromosome_of(shard.contig)) << PLACE_BITS) | positions.astype(np.int64)
    place = np.minimum(np.searchsorted(wanted, key), max(0, len(wanted) - 1))
    rows = np.flatnonzero(wanted[place] == key)
    ac, an = (sites.column(name).to_numpy() for name in ("ac", "an"))
    with np.errstate(invalid="ignore", divide="ignore"):
        af = ac / an
    further = _further(positions, ~(af <= task.min_af))[rows]
    taken = sites.select(["ref", "alt"]).take(pa.array(rows))
    af = af[rows]
    frequencies = task.frequencies()
    if frequencies is not None:
        refs, alts = (taken.column(name).to_pylist() for name in ("ref", "alt"))
        told = frequencies.lookup(shard.contig, positions[rows], refs, alts)
        af = np.where(np.isnan(told), af, told)
    region = np.zeros(len(rows), np.int8)
    kinds = genome.region_of(task.callset.build, shard.contig, positions[rows])
    for name, region_name in (("x", "X"), ("x_par", "PAR"), ("mt", "MT")):
        region[kinds == genome.REGIONS.index(name)] = REGIONS.index(region_name)
    if genome.plain_name(shard.contig) == "Y":
        region[:] = REGIONS.index("Y")
    table = pa.table(
        {
            "shard": np.full(len(rows), task.shard, np.int32),
            "row": rows.astype(np.int32),
            "key": key[rows],
            "ref": pc.dictionary_encode(taken.column("ref").combine_chunks()),
            "alt": pc.dictionary_encode(taken.column("alt").combine_chunks()),
            "af": af,
            "further": further,
            "region": region,
        }
    )
    passing = task.path.with_suffix(".part")
    with pa.OSFile(str(passing), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    passing.replace(task.path)


def _further(positions: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """bool (sites,): another row at the same position is `seen`. Positions are sorted."""
    starts = np.flatnonzero(np.diff(positions, prepend=-1) != 0)
    if not len(starts):
        return np.zeros(0, bool)
    sizes = np.diff(np.append(starts, len(positions)))
    total = np.repeat(np.add.reduceat(seen.astype(np.int64), starts), sizes)
    return np.asarray(total - seen > 0, bool)


def _target_of(pieces: list[pa.Table]) -> Target:
    if not pieces:
        whole, half = np.empty(0, np.int64), np.empty(0, np.int32)
        return Target(half, half, whole, half, half, (), np.empty(0), np.empty(0, bool), np.empty(0, np.int8))
    table = pa.concat_tables(pieces)
    codes, alleles = _coded(table)
    numbers = {name: table.column(name).to_numpy() for name in ("shard", "row", "key", "af", "further", "region")}
    return Target(
        numbers["shard"], numbers["row"], numbers["key"], codes[0], codes[1], alleles, numbers["af"],
        numbers["further"].astype(bool), numbers["region"],
    )  # fmt: skip


def _coded(table: pa.Table) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """REF and ALT as codes of one list of alleles."""
    both = pa.chunked_array(table.column("ref").chunks + table.column("alt").chunks).unify_dictionaries()
    alleles = tuple(both.chunk(0).dictionary.to_pylist())
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in both.chunks]).astype(np.int32)
    return [codes[: table.num_rows], codes[table.num_rows :]], alleles
