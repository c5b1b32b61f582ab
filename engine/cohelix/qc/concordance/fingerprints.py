"""Genotypes of every sample at the sites of the fingerprint: 2 bits each, so that a whole cohort fits in memory.

400,000 samples at 2,000 sites are 200 MB. Tasks read chosen rows of the shards and hand them back packed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.genotypes import callset as store
from cohelix.genotypes.callset import Callset
from cohelix.qc.concordance import kernels
from cohelix.qc.concordance.sites import Candidates
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class _Read:
    callset: Callable[[], Callset]
    shard: int
    rows: np.ndarray
    flip: np.ndarray


def n_words(n_samples: int) -> int:
    return (n_samples + 31) // 32


def read_fingerprints(callset: Callset, sites: Candidates, flip: np.ndarray, runtime: Runtime) -> np.ndarray:
    """uint64 (sites, words): genotype of sample s is (word[s // 32] >> 2 * (s % 32)) & 3, and 3 is missing.

    Where `flip`, copies are counted of the other allele.
    """
    shards = np.unique(sites.shard)
    places = [np.flatnonzero(sites.shard == shard) for shard in shards]
    shared = runtime.share(callset)
    tasks = [
        _Read(shared, int(shard), sites.row[place], flip[place]) for shard, place in zip(shards, places, strict=True)
    ]
    packed = np.zeros((len(sites), n_words(callset.n_samples)), np.uint64)
    for place, part in zip(places, runtime.map(_read, tasks, label="fingerprints"), strict=True):
        packed[place] = part
    return packed


def _read(task: _Read) -> np.ndarray:
    callset = task.callset()
    n_samples = callset.n_samples
    packed = np.zeros((len(task.rows), n_words(n_samples)), np.uint64)
    step = max(1, store.BLOCK_VALUES // max(1, n_samples))
    with store.open_pgen(callset, callset.shards[task.shard]) as reader:
        for start in range(0, len(task.rows), step):
            rows = task.rows[start : start + step]
            block = np.empty((len(rows), n_samples), np.int8)
            reader.read_list(rows.astype(np.uint32), block)
            kernels.pack(block, task.flip[start : start + step], packed[start : start + step])
    return packed


def genotypes_of(packed: np.ndarray, samples: Sequence[int] | np.ndarray) -> np.ndarray:
    """int8 (sites, samples) of the chosen samples; 3 is missing."""
    chosen = np.asarray(samples, np.int64)
    out = np.empty((len(packed), len(chosen)), np.int8)
    kernels.unpack(packed, chosen, out)
    return out
