"""Which sites and samples of a callset an export takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.errors import InputError
from cohelix.genotypes import callset as store
from cohelix.genotypes.callset import Callset, Shard


@dataclass(frozen=True)
class Part:
    """Rows [first_row, first_row + sites.num_rows) of one shard, for the chosen samples."""

    callset: Callset
    shard: Shard
    first_row: int
    sites: pa.Table
    samples: np.ndarray | None

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """(row counted from this part's first, int8 block of the chosen samples)."""
        step = max(1, store.BLOCK_VALUES // max(1, self.callset.n_samples))
        with store.open_pgen(self.callset, self.shard) as reader:
            for start in range(0, self.sites.num_rows, step):
                end = min(start + step, self.sites.num_rows)
                block = store.read_rows(reader, self.first_row + start, self.first_row + end)
                yield start, block if self.samples is None else np.take(block, self.samples, axis=1)

    def partial(self) -> dict[int, list[tuple[int, str, str]]]:
        """row of this part -> (column of the block, first, second) of genotypes that are known in part."""
        table = self.callset.partial(self.shard)
        if table is None:
            return {}
        column_of = None if self.samples is None else {int(sample): at for at, sample in enumerate(self.samples)}
        found: dict[int, list[tuple[int, str, str]]] = {}
        for row, sample, first, second in zip(
            *(table.column(name).to_pylist() for name in ("row", "sample", "first", "second")), strict=True
        ):
            here = row - self.first_row
            at = sample if column_of is None else column_of.get(sample)
            if 0 <= here < self.sites.num_rows and at is not None:
                found.setdefault(here, []).append((at, first, second))
        return found


@dataclass(frozen=True)
class Selection:
    """Sites of `region` (contig index, start, end; None: all) and `samples` (rows of the samples table; None: all)."""

    callset: Callset
    region: tuple[int, int, int] | None
    samples: np.ndarray | None
    sample_ids: list[str]
    sexes: list[str]

    def parts(self) -> Iterator[Part]:
        """The shards that hold chosen sites, in genomic order."""
        for shard in self.callset.shards:
            if self.region is None:
                yield Part(self.callset, shard, 0, self.callset.sites(shard), self.samples)
                continue
            index, start, end = self.region
            if shard.contig != self.callset.contigs[index].name or shard.end <= start or shard.start >= end:
                continue
            sites = self.callset.sites(shard)
            position = sites.column("position").to_numpy()
            first, last = np.searchsorted(position, [start + 1, end + 1])
            if last > first:
                yield Part(self.callset, shard, int(first), sites.slice(first, last - first), self.samples)


def select(callset: Callset, *, region: str | None = None, sample_ids: Sequence[str] | None = None) -> Selection:
    """Sites in `region` (`chr22:1-2000`, 1-based, both ends in) of the named samples, which keep the callset's order.

    InputError where a sample is not in the callset, or no site lies in the region.
    """
    table = callset.samples()
    ids, sexes = table.column("sample_id").to_pylist(), table.column("sex").to_pylist()
    chosen: np.ndarray | None = None
    if sample_ids is not None:
        place = {sample: row for row, sample in enumerate(ids)}
        for number, sample in enumerate(sample_ids, start=1):
            if sample not in place:
                raise InputError(f"the sample on line {number} of the samples file is not in the callset. Correct it.")
        chosen = np.unique(np.array([place[sample] for sample in sample_ids], np.int64))
        if not len(chosen):
            raise InputError("expected at least one sample id in the samples file, found none.")
        ids, sexes = [ids[row] for row in chosen], [sexes[row] for row in chosen]
    where = None if region is None else genome.parse_region(region, callset.contigs)
    selection = Selection(callset, where, chosen, ids, sexes)
    if where is not None and next(iter(selection.parts()), None) is None:
        raise InputError(f"no site of the callset lies in {region}. Check the region with cohelix genotypes describe.")
    return selection


def read_sample_ids(path: str) -> list[str]:
    """Sample ids, one a line; empty lines are passed over. InputError where the file cannot be read."""
    try:
        return [line.strip() for line in Path(path).read_text().splitlines() if line.strip()]
    except OSError:
        raise InputError("expected a file of sample ids, found none that can be read. Check its path.") from None
