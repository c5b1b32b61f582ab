"""A callset under a tier's ids: chosen samples, in the order of their new ids, everything counted anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset
from cohelix.dataset import FileEntry, Writer
from cohelix.genotypes import callset as store
from cohelix.genotypes import counts as counting
from cohelix.genotypes import schema
from cohelix.genotypes.callset import Callset, Shard
from cohelix.genotypes.packed import counting as packed
from cohelix.release.matrix import kernels
from cohelix.release.site_filters import SiteFilters

_SITE_COLUMNS = ("contig", "position", "ref", "alt", "id", "kind")
_OF_SITES = ("filter", "n_alleles")
"""Further columns that go along: what depends on who was called is counted anew or left out."""


@dataclass(frozen=True)
class Chosen:
    """Samples of a release. samples: int32, places in the callset, in the order of their ids. ids: text of the tier's
    person ids, sorted by bytes. sexes: as the callset was called with, which its ploidy follows.
    """

    callset: Callset
    samples: np.ndarray
    ids: list[str]
    sexes: list[str]

    @cached_property
    def place(self) -> np.ndarray:
        """int32 (samples of the callset,): place of each among the chosen ones, -1 for the others."""
        place = np.full(self.callset.n_samples, -1, np.int32)
        place[self.samples] = np.arange(len(self.samples))
        return place


def chosen(callset: Callset, places: np.ndarray, person_ids: np.ndarray) -> Chosen:
    """places: int32 (people,), -1 for none; person_ids: int64 (people,), of the tier."""
    has = np.flatnonzero(places >= 0)
    ids = [str(one) for one in person_ids[has].tolist()]
    order = sorted(range(len(ids)), key=lambda row: ids[row].encode())
    samples = places[has][order].astype(np.int32)
    sexes = callset.samples().column("sex").to_pylist()
    return Chosen(callset, samples, [ids[row] for row in order], [sexes[row] for row in samples.tolist()])


def rewrite(kept: Chosen, root: Path, filters: SiteFilters | None = None) -> None:
    """Write a callset data set of the chosen samples at `root`. All sites stay, with an alternate allele left or not.

    filters: of its sites, in place of those that the callset states.
    Memory is that of a block of genotypes a thread, and of counts of the samples.
    """
    callset = kept.callset
    writer = dataset.begin(str(root), store.KIND, {"operation": "release", "ids": kept.ids}, after=0)
    counted, adding = np.zeros((len(kept.ids), 7), np.int64), Lock()

    def run(shard: Shard) -> tuple[Shard, list[FileEntry]]:
        ploidy = _ploidy(kept, shard)
        written = _shard(writer, kept, shard, ploidy, filters)
        of_shard = _count_samples(kept, shard, ploidy)
        with adding:
            np.add(counted, of_shard, out=counted)
        return written

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(run, callset.shards))
    columns: dict[str, Any] = {"sample_id": pa.array(kept.ids), "sex": pa.array(kept.sexes)}
    columns["n_sites"] = pa.array(np.full(len(kept.ids), callset.n_sites, np.int64))
    samples = store.write_samples(writer, pa.table(columns | counting.called_columns(counted)))
    store.commit_callset(
        writer,
        build=callset.build,
        contigs=callset.contigs,
        shards=[shard for shard, _ in results],
        samples=samples,
        n_samples=len(kept.ids),
        files=[file for _, files in results for file in files],
        alleles=callset.commit.meta["alleles"],
        params={},
        after=0,
    )


def _shard(
    writer: Writer, kept: Chosen, shard: Shard, ploidy: counting.Ploidy, filters: SiteFilters | None
) -> tuple[Shard, list[FileEntry]]:
    partial = _partial(kept, shard)
    sites = _sites(kept.callset.sites(shard), _count_sites(kept, shard, ploidy), partial, len(kept.ids))
    if filters is not None:
        stated = [name for name in ("filter",) if name in sites.column_names]
        sites = sites.drop_columns(stated).append_column("filter", filters.of(shard))
    return store.write_shard(
        writer,
        name=shard.name,
        contig=shard.contig,
        start=shard.start,
        end=shard.end,
        build=kept.callset.build,
        sites=sites,
        blocks=_blocks(kept, shard),
        sample_ids=kept.ids,
        sexes=kept.sexes,
        partial=partial,
        adj_blocks=_blocks(kept, _adj(shard)) if shard.adj else None,
    )


def _ploidy(kept: Chosen, shard: Shard) -> counting.Ploidy:
    position = kept.callset.table(shard.sites, ["position"]).column("position").to_numpy()
    return counting.ploidy_of(kept.callset.build, shard.contig, position, kept.sexes)


def _count_sites(kept: Chosen, shard: Shard, ploidy: counting.Ploidy) -> np.ndarray:
    """int64 (sites, 7), as `counts.count_variants`, from the records as they lie: sparse ones are not unpacked."""
    tally = np.zeros((shard.n_sites, 3, 4), np.int64)
    for place, copies in enumerate(ploidy.table):
        groups = np.full(kept.callset.n_samples, -1, np.int64)
        groups[kept.samples] = copies
        rows = ploidy.classes == place
        tally[rows] = packed.count_shard(kept.callset, shard, packed.masks_of(groups, 3))[rows]
    return counting.named(tally)


def _count_samples(kept: Chosen, shard: Shard, ploidy: counting.Ploidy) -> np.ndarray:
    """int64 (samples, 7), as `counts.count_samples`."""
    by_class = packed.tally_shard(kept.callset, shard, ploidy.classes, len(ploidy.table))
    tally = np.zeros((len(kept.ids), 3, 4), np.int64)
    for copies, counted in zip(ploidy.table, by_class, strict=True):
        tally[np.arange(len(kept.ids)), copies] += counted[kept.samples]
    return counting.named(tally)


def _adj(shard: Shard) -> Shard:
    assert shard.adj is not None
    return replace(shard, pgen=shard.adj)


def _blocks(kept: Chosen, shard: Shard) -> Iterator[np.ndarray]:
    for _, block in store.read_blocks(kept.callset, shard):
        out = np.zeros((len(block), len(kept.ids)), np.int8)
        kernels.move_samples(block, kept.samples, kept.place, out)
        yield out


def _sites(known: pa.Table, counted: np.ndarray, partial: pa.Table | None, n_samples: int) -> pa.Table:
    """counted: (sites, 7). A missing genotype has the reason that `partial` gives, or no_copy, or no_call."""
    columns = {name: known.column(name) for name in _SITE_COLUMNS} | counting.site_columns(counted)
    no_copy = counted[:, counting.NO_COPY]
    missing = n_samples - counted[:, :5].sum(axis=1) - no_copy
    named: dict[str, np.ndarray] = {"no_copy": no_copy} if no_copy.any() else {}
    if partial is not None:
        reasons, rows = np.array(partial.column("reason").to_pylist()), partial.column("row").to_numpy()
        for reason in sorted(set(reasons.tolist()) - {"no_call"}):
            named[reason] = np.minimum(np.bincount(rows[reasons == reason], minlength=len(counted)), missing)
            missing = missing - named[reason]
    named = {"no_call": missing} | named
    columns |= {f"{schema.MISSING_PREFIX}{reason}": pa.array(count) for reason, count in named.items()}
    return pa.table(columns | {name: known.column(name) for name in _OF_SITES if name in known.column_names})


def _partial(kept: Chosen, shard: Shard) -> pa.Table | None:
    """Half calls and spanning deletions of the chosen samples, by their new places."""
    table = kept.callset.partial(shard)
    if table is None:
        return None
    at = kept.place[table.column("sample").to_numpy()]
    moved = table.set_column(table.column_names.index("sample"), "sample", pa.array(at)).filter(pa.array(at >= 0))
    return moved.sort_by([("row", "ascending"), ("sample", "ascending")]).select([c.name for c in schema.PARTIAL])
