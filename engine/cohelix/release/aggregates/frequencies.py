"""Variant frequencies by ancestry group, for everybody: columns of the Variant Annotation Table, none too telling.

One pass over the genotypes counts them by group and sex and keeps what the rule of a site lets be told
(`disclosure.site_rule`); then each group's sites are thinned to the bound on membership inference
(`disclosure.membership`), and what differs from the former release by few people is held (`frequency_former`).
Memory is a block of genotypes, and the rows of one contig of which something is told.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import DisclosureError
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.release.aggregates.frequency_cells import NUMBERS, Groups, groups_of, shard_cells
from cohelix.release.aggregates.frequency_former import FormerFrequencies, changed_people, settle
from cohelix.release.aggregates.frequency_rows import KEY, joined, told_rows, told_schema
from cohelix.release.disclosure import membership
from cohelix.release.disclosure.membership import LEVELS
from cohelix.release.disclosure.site_rule import HIDDEN
from cohelix.release.labels import Public, declassifier
from cohelix.release.people import People
from cohelix.release.schema import MadeFile, ReleaseParams
from cohelix.release.site_filters import SiteFilters, site_filters

TABLE = "aggregates/variants/frequencies.parquet"
GROUPS = "aggregates/variants/groups.tsv"


@declassifier(Public)
def public(
    callset: str, people: People, params: ReleaseParams, former: Path | None, folder: Path, sites_qc: str = ""
) -> list[MadeFile]:
    """Frequencies of the sites of a callset in the groups of `people`; none where no group is large enough.

    former: plain files of the former release. sites_qc: a folder of qc variants; sites that fail are left out.
    Raises DisclosureError where `release.frequencies` or `release.differencing` is "refuse" and something would be
    thinned or carried, InputError where sites_qc is of another callset.
    """
    called = open_callset(callset)
    groups = groups_of(people, params.least)
    if not groups.names:
        return []
    before = FormerFrequencies.of(former, TABLE, GROUPS)
    work = folder / "cells"
    work.mkdir(parents=True)
    try:
        parts, cost = _counted(called, groups, site_filters(sites_qc, called), work)
        levels = _levels(groups, cost, params)
        changing = _changing(groups, cost, levels, before, params)
        table, of_groups = folder / TABLE, folder / GROUPS
        told = np.zeros(len(groups.names), np.int64)
        rows = 0
        with pq.ParquetWriter(
            work / "told", told_schema(groups.names), compression="zstd", store_schema=False
        ) as writer:
            for contig in _contigs(called, before):
                cells = _thinned(contig, parts, groups, levels)
                cells = cells if before is None else _settled(cells, before, contig, groups, changing, params)
                told += [(cells.column(f"ac_{name}").to_numpy() != HIDDEN).sum() for name in groups.names]
                made = told_rows(cells, groups.names)
                rows += made.num_rows
                if made.num_rows:  # a row group lies on one contig
                    writer.write_table(made, row_group_size=1 << 17)
        table.parent.mkdir(parents=True)
        (work / "told").rename(table)
        _write_groups(of_groups, groups, told, cost, levels, changing, before)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return [
        MadeFile(TABLE, table, rows, "variant_frequencies"),
        MadeFile(GROUPS, of_groups, len(groups.names), "variant_groups"),
    ]


def _counted(
    called: Callset, groups: Groups, filters: SiteFilters | None, work: Path
) -> tuple[list[tuple[str, Path]], np.ndarray]:
    """(contig, file of cells) of each shard, and the cost float64 (groups, LEVELS) of all cells."""
    parts = []
    cost = np.zeros((len(groups.names), LEVELS))
    for number, shard in enumerate(called.shards):
        passes = None if filters is None else filters.passing(shard)
        tables = list(shard_cells(called, shard, groups, passes))
        if not tables:
            continue
        cells = pa.concat_tables(tables).combine_chunks()
        level = cells.column("level").to_numpy()
        for at, name in enumerate(groups.names):
            cost[at] += np.bincount(level, cells.column(f"cost_{name}").to_numpy(), LEVELS)
        parts.append((shard.contig, work / f"{number}.parquet"))
        pq.write_table(cells, parts[-1][1], compression="lz4")
    return parts, cost


def _levels(groups: Groups, cost: np.ndarray, params: ReleaseParams) -> np.ndarray:
    """int64 (groups,): the level of thinning of each."""
    levels = np.array([membership.level_for(each, params.max_power) for each in cost], np.int64)
    if params.frequencies == "refuse" and (levels > 0).any():
        worst = int(np.argmax(cost.sum(axis=1)))
        raise DisclosureError(
            f"{int((levels > 0).sum())} of {len(levels)} groups tell more numbers than people allow: membership would "
            f"be found with power {membership.power(float(cost[worst].sum()), 1):.2f}, the bound is "
            f'{params.max_power}. Set release.frequencies = "thin", or give fewer sites.'
        )
    return levels


def _changing(
    groups: Groups, cost: np.ndarray, levels: np.ndarray, before: FormerFrequencies | None, params: ReleaseParams
) -> np.ndarray:
    """int64 (groups,): the level from which sites of a group are brought up to date; above LEVELS: none."""
    changing = levels.copy()
    for at, name in enumerate(groups.names if before is not None else ()):
        assert before is not None
        if name not in before.people:
            continue
        people = int(groups.people[at])
        changed = changed_people(people, before.people[name], params.least)
        enough = membership.level_for(cost[at] * (people / changed), params.max_power) if changed else LEVELS
        changing[at] = LEVELS + 1 if enough >= LEVELS else max(enough, int(levels[at]))
    return changing


def _contigs(called: Callset, before: FormerFrequencies | None) -> Iterator[str]:
    known = [contig.name for contig in called.contigs]
    yield from known
    if before is not None:
        yield from sorted(set(before.contigs()) - set(known))


def _thinned(contig: str, parts: list[tuple[str, Path]], groups: Groups, levels: np.ndarray) -> pa.Table:
    """Cells of one contig after thinning: KEY, level, and numbers of each group."""
    names = [*KEY, "level", *(f"{number}_{group}" for group in groups.names for number in NUMBERS)]
    kinds = [pa.string(), pa.int32(), pa.string(), pa.string(), pa.int32()]
    schema = pa.schema(list(zip(names, kinds + [pa.int64()] * (len(names) - len(kinds)), strict=True)))
    files = [pq.ParquetFile(path).read(names) for of, path in parts if of == contig]
    cells = pa.concat_tables(files) if files else schema.empty_table()
    level = cells.column("level").to_numpy()
    for at, group in enumerate(groups.names):
        for number in NUMBERS:
            name = f"{number}_{group}"
            values = np.where(level >= levels[at], cells.column(name).to_numpy(), HIDDEN)
            cells = cells.set_column(cells.column_names.index(name), name, pa.array(values, pa.int64()))
    return cells


def _settled(
    cells: pa.Table, before: FormerFrequencies, contig: str, groups: Groups, changing: np.ndarray, params: ReleaseParams
) -> pa.Table:
    """The cells with those of the former release that are carried."""
    rows, new, old = joined(cells, before.rows(contig), groups.names)
    level = rows.column("level").to_numpy()
    for at, group in enumerate(groups.names):
        known = group in before.people
        may_change = level >= changing[at] if known else np.ones(len(level), bool)
        how = params.differencing
        settled = settle(new[group], old[group], may_change, params.least, how) if known else new[group]
        for number in NUMBERS:
            rows = rows.append_column(f"{number}_{group}", pa.array(settled[number], pa.int64()))
    return rows


def _write_groups(
    path: Path,
    groups: Groups,
    told: np.ndarray,
    cost: np.ndarray,
    levels: np.ndarray,
    changing: np.ndarray,
    before: FormerFrequencies | None,
) -> None:
    """The table of groups. A group of which nothing is brought up to date keeps its former line's people and share."""
    lines = ["group\tpeople\tsites\tshare\tpower"]
    for at, name in enumerate(groups.names):
        people, share = int(groups.people[at]), f"{membership.share_of(int(levels[at])):.4f}"
        power = f"{membership.power(float(cost[at][levels[at] :].sum()), 1):.2f}"
        if before is not None and name in before.people and changing[at] > LEVELS:
            people, share, power = before.people[name], before.share[name], before.power[name]
        lines.append(f"{name}\t{people}\t{told[at]}\t{share}\t{power}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
