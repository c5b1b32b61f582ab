"""Alleles that each sample carries and a table of frequencies does not know: only the rows of such alleles are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cohelix.genotypes.callset import Callset, Shard
from cohelix.genotypes.inputs import Frequencies
from cohelix.genotypes.packed.counting import tally_samples
from cohelix.genotypes.packed.reader import open_packed, rows_of_block
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Task:
    """One shard; the callset and the frequencies as a runtime shares them."""

    callset: Callable[[], Callset]
    frequencies: Callable[[], Frequencies]
    shard: Shard


def count_novel(callset: Callset, frequencies: Frequencies, runtime: Runtime) -> np.ndarray:
    """int64 (samples,): rows at which a sample carries an allele that the table does not list."""
    shared = runtime.share(callset), runtime.share(frequencies)
    tasks = [Task(*shared, shard) for shard in callset.shards]
    total = np.zeros(callset.n_samples, np.int64)
    for counted in runtime.map(count_shard, tasks, label="alleles that are not in the table"):
        total += counted
    return total


def count_shard(task: Task) -> np.ndarray:
    callset = task.callset()
    n_samples = callset.n_samples
    sites = callset.sites(task.shard)
    refs, alts = (sites.column(name).to_pylist() for name in ("ref", "alt"))
    known = task.frequencies().lookup(task.shard.contig, sites.column("position").to_numpy(), refs, alts)
    total = np.zeros(n_samples, np.int64)
    with open_packed(callset, task.shard) as reader:
        for start, end in _runs(np.flatnonzero(np.isnan(known)), rows_of_block(n_samples)):
            seen = tally_samples(reader.read(start, end), np.zeros(end - start, np.int64), 1, n_samples)[0]
            total += seen[:, 1] + seen[:, 2]
    return total


def _runs(rows: np.ndarray, longest: int) -> Iterator[tuple[int, int]]:
    """Stretches [start, end) of consecutive numbers in `rows`, none longer than `longest`."""
    for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
        for first in range(0, len(run), longest):
            part = run[first : first + longest]
            yield int(part[0]), int(part[-1]) + 1
