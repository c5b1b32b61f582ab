"""What may be shown of each site of a shard, by group, before sites are thinned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset, Shard
from cohelix.qc.variants.frequencies import ALL, CONFLICT, Strata, copies_of, count_shard
from cohelix.release.disclosure import membership, site_rule
from cohelix.release.disclosure.site_rule import HIDDEN, Genotypes, Shown
from cohelix.release.people import People

BLOCK_ROWS = 16_384
NUMBERS = ("ac", "an", "hom", "hemi")
_RESERVED = ("max",)
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,30}")


@dataclass(frozen=True)
class Groups:
    """Groups that are large enough to be told of, by name; `strata`: their people by sex.

    members: bool (groups, strata). sizes: int64 (strata,) people. people: int64 (groups,), rounded down to `least`.
    """

    names: tuple[str, ...]
    strata: Strata
    members: np.ndarray
    sizes: np.ndarray
    people: np.ndarray
    least: int


def groups_of(people: People, least: int) -> Groups:
    """Groups of the people with a genome. People of a group and sex of fewer than `least` are left out of all numbers.

    Without groups everybody is in one, "all". Raises InputError for a group whose name no column can have.
    """
    has = people.genome >= 0
    place, sex = people.genome[has], people.sex[has].astype(np.int64)
    names = tuple(name.lower() for name in people.groups) or (ALL,)
    reserved = (*_RESERVED, *((ALL,) if people.groups else ()))
    for number, name in enumerate(names, 1):
        if not _NAME.fullmatch(name) or name in reserved or names.index(name) != number - 1:
            raise InputError(
                f"group {number} of the table of ancestry has a name that no column can have. Use letters, digits and "
                f"underscores, each name once, and none of {', '.join((*_RESERVED, ALL))}."
            )
    group = people.group[has].astype(np.int64) if people.groups else np.zeros(len(place), np.int64)
    by_sex = np.array([2, 0, 1])[sex]  # 0 not known, 1 male, 2 female: their places in genome.SEXES
    stratum = np.where(group >= 0, group * len(genome.SEXES) + by_sex, -1)
    sizes = np.bincount(stratum[stratum >= 0], minlength=len(names) * len(genome.SEXES))
    kept = np.where(sizes >= least, sizes, 0).reshape(len(names), -1)
    fine = kept.sum(axis=1) // least >= site_rule.CALLED_FACTOR
    order = sorted(np.flatnonzero(fine).tolist(), key=lambda at: names[at])
    used = [(at, code) for at in order for code in np.flatnonzero(kept[at]).tolist()]
    renumbered = np.full(len(names) * len(genome.SEXES) + 1, -1, np.int64)  # the last: of people in no group
    for new, (at, code) in enumerate(used):
        renumbered[at * len(genome.SEXES) + code] = new
    codes = np.full(len(people.genome_ids), -1, np.int64)
    codes[place] = renumbered[stratum]
    new_names = tuple(names[at] for at in order)
    strata = Strata(
        new_names, codes, np.array([order.index(at) for at, _ in used], np.int64),
        np.array([code for _, code in used], np.int64),
    )  # fmt: skip
    members = np.array([strata.group == at for at in range(len(order))]).reshape(len(order), len(used))
    sizes = np.array([kept[at, code] for at, code in used], np.int64)
    return Groups(new_names, strata, members, sizes, site_rule.rounded(members @ sizes, least), least)


def shard_cells(callset: Callset, shard: Shard, groups: Groups, passes: np.ndarray | None) -> Iterator[pa.Table]:
    """Tables of the sites of which something may be shown, block by block.

    contig, position, ref, alt; level: the last level of thinning that tells of the site; <number>_<group> int64;
    cost_<group>: numbers told for each person. passes: bool (sites,), None: all.
    """
    sites = callset.sites(shard)
    positions = sites.column("position").to_numpy()
    for counted in count_shard(callset, shard, groups.strata, edges_of(positions)):
        rows = np.arange(counted.start, counted.end)
        here = positions[rows]
        copies = copies_of(callset.build, shard.contig, here)[:, groups.strata.sex]
        two, one = ((copies == n) * groups.sizes @ groups.members.T for n in (2, 1))
        by_group = (counted.raw[..., at] @ groups.members.T for at in range(CONFLICT))
        hom_ref, het, hom_alt, haploid_ref, haploid_alt = by_group
        genotypes = Genotypes(hom_ref, het, hom_alt, haploid_ref, haploid_alt, diploid=two > 0, haploid=one > 0)
        told = site_rule.shown(genotypes, groups.least)
        if passes is not None:
            told = told.where(np.broadcast_to(passes[rows][:, None], told.ac.shape))
        told = site_rule.together(told, here, groups.least)
        cost = _cost(told, two, one, groups.least)
        kept = np.flatnonzero((told.ac != HIDDEN).any(axis=1))
        if kept.size:
            yield _table(sites.take(pa.array(rows[kept])), told, cost, kept, groups)


def edges_of(positions: np.ndarray) -> np.ndarray:
    """Edges of blocks of rows, such that the rows of one position are in one block."""
    n = len(positions)
    edges = [0]
    while edges[-1] < n:
        end = min(edges[-1] + BLOCK_ROWS, n)
        edges.append(int(np.searchsorted(positions, positions[end - 1], side="right")))
    return np.array(edges, np.int64)


def _cost(told: Shown, two: np.ndarray, one: np.ndarray, least: int) -> np.ndarray:
    """float64 (sites, groups): numbers told for each person, of those of whom most is told.

    That calls are missing is a number too, where `an` shows it.
    """
    two, one = site_rule.rounded(two, least), site_rule.rounded(one, least)
    called_two, called_one = (told.an - told.one) // 2, told.one
    numbers_two = 1.0 + (told.hom > 0) + (called_two < two)
    numbers_one = 1.0 + (called_one < one)
    each = np.maximum(
        np.divide(numbers_two, two, out=np.zeros(two.shape), where=two > 0),
        np.divide(numbers_one, one, out=np.zeros(one.shape), where=one > 0),
    )
    return np.where(told.ac == HIDDEN, 0.0, each)


def _table(sites: pa.Table, told: Shown, cost: np.ndarray, kept: np.ndarray, groups: Groups) -> pa.Table:
    columns = {name: sites.column(name).combine_chunks() for name in ("contig", "position", "ref", "alt")}
    columns["level"] = pa.array(membership.levels_of(vids(sites)))
    for at, group in enumerate(groups.names):
        for field in fields(told):
            if field.name in NUMBERS:
                columns[f"{field.name}_{group}"] = pa.array(getattr(told, field.name)[kept, at])
        columns[f"cost_{group}"] = pa.array(cost[kept, at])
    return pa.table(columns)


def vids(sites: pa.Table) -> list[str]:
    """Names of sites as the Variant Annotation Table has them: the plain contig, position, ref and alt."""
    plain: dict[str, str] = {}
    names = []
    for contig, *rest in zip(*(sites.column(name).to_pylist() for name in ("contig", "position", "ref", "alt")),
                             strict=True):  # fmt: skip
        if contig not in plain:
            plain[contig] = genome.plain_name(contig)
        names.append("-".join((plain[contig], *map(str, rest))))
    return names
