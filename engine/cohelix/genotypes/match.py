"""Sites that were chosen elsewhere, found among the rows of a callset.

A site is found by contig (`chr22` and `22` are the same), position and alleles, as they are or with REF and ALT
swapped. Callsets are on the + strand of their build. An allele of the other strand is not guessed at: A/T and C/G look
the same on both, and a guess that is right for the rest hides a panel of another build.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cohelix import genome
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genotypes.callset import Callset, Shard
from cohelix.genotypes.packed.matrix import Matrix, matrix_at

_LEAST_SHARE = 0.05
"""Of the sites where the callset has contigs, or of its own if these are fewer: where builds are not known and less is
found, they hardly agree. Stretches that two builds number alike hold about one site in a hundred."""


@dataclass(frozen=True)
class Matched:
    """Sites that a callset has: its rows in order, and of each the number of its site and whether REF is its ALT.

    site int64 (n,), swapped bool (n,). n_absent: sites at whose position the callset has no row. n_other_alleles: sites
    at whose position it has other alleles only.
    """

    matrix: Matrix
    site: np.ndarray
    swapped: np.ndarray
    n_absent: int
    n_other_alleles: int


@dataclass(frozen=True)
class _Found:
    """Pairs of a row of a shard and a site with equal alleles; `seen`: sites at whose position there is any row."""

    row: np.ndarray
    site: np.ndarray
    swapped: np.ndarray
    seen: np.ndarray


def match_sites(callset: Callset, sites: pa.Table, *, build: str = genome.UNKNOWN_BUILD) -> Matched:
    """Rows of the callset that are `sites` (contig, position, ref, alt), in the callset's order.

    A site that two rows have gets the row with its alleles as they are, else the first; a row that two sites have goes
    to the site with its alleles as they are, else to the first. Memory is that of four columns of one shard.

    build: that of `sites`. Raises ReferenceMismatch where it is not the callset's, or where one of the two is not known
    and most sites carry other alleles or are not there; InputError where no site is found in a callset of their build.
    """
    if genome.UNKNOWN_BUILD not in (build, callset.build) and build != callset.build:
        raise ReferenceMismatch(
            f"the sites are of {build} and the callset of {callset.build}: their positions do not agree. "
            "Take sites and callset of one build."
        )
    wanted = _by_contig(sites)
    chosen, found_sites, found_swapped = [], [], []
    seen, taken = np.zeros(sites.num_rows, bool), np.zeros(sites.num_rows, bool)
    pending: list[tuple[int, _Found]] = []
    for number, shard in enumerate(callset.shards):
        found = _in_shard(callset, shard, sites, wanted.get(genome.plain_name(shard.contig)))
        if found is not None:
            seen[found.seen] = True
            pending.append((number, found))
    for is_swapped in (False, True):  # a swapped row must not take what a later shard has as it is
        for place, (number, found) in enumerate(pending):
            pending[place] = (number, _settled(found, taken, swapped=is_swapped))
    for number, found in pending:
        if len(found.row):
            order = np.argsort(found.row)
            chosen.append((number, found.row[order]))
            found_sites.append(found.site[order])
            found_swapped.append(found.swapped[order])
    site = np.concatenate(found_sites) if found_sites else np.empty(0, np.int64)
    swapped = np.concatenate(found_swapped) if found_swapped else np.empty(0, bool)
    n_seen = int(seen.sum())
    matched = Matched(matrix_at(callset, chosen), site, swapped, sites.num_rows - n_seen, n_seen - len(site))
    _check(callset, matched, sites.num_rows, sum(len(wanted[name]) for name in _plain(callset) & set(wanted)), build)
    return matched


def _by_contig(sites: pa.Table) -> dict[str, np.ndarray]:
    """Numbers of the sites of each contig, by its plain name, in the order of their positions."""
    positions = sites.column("position").to_numpy()
    coded = pc.dictionary_encode(sites.column("contig").combine_chunks())
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    plain = [genome.plain_name(name) for name in coded.dictionary.to_pylist()]
    names = sorted(set(plain))
    codes = np.array([names.index(name) for name in plain], np.int64)[coded.indices.to_numpy()]
    order = np.lexsort((np.arange(len(positions)), positions, codes))
    edges = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return {name: order[edges[place] : edges[place + 1]] for place, name in enumerate(names)}


def _in_shard(callset: Callset, shard: Shard, sites: pa.Table, wanted: np.ndarray | None) -> _Found | None:
    """Pairs in one shard; None where no site lies in its stretch."""
    if wanted is None:
        return None
    positions = sites.column("position").to_numpy()[wanted]
    low, high = np.searchsorted(positions, [shard.start + 1, shard.end + 1])
    if low == high:
        return None
    wanted, positions = wanted[low:high], positions[low:high]
    table = callset.table(shard.sites, columns=("position", "ref", "alt"))
    theirs = table.column("position").to_numpy()
    first, last = np.searchsorted(theirs, positions), np.searchsorted(theirs, positions, side="right")
    many = last - first
    site = np.repeat(wanted, many)
    row = np.repeat(first - np.cumsum(many) + many, many) + np.arange(len(site))
    ref, alt = (table.column(name).take(pa.array(row)) for name in ("ref", "alt"))
    own_ref, own_alt = (sites.column(name).take(pa.array(site)) for name in ("ref", "alt"))
    same = _both(ref, own_ref, alt, own_alt)
    swapped = _both(ref, own_alt, alt, own_ref) & ~same
    kept = same | swapped
    return _Found(row[kept], site[kept], swapped[kept], wanted[many > 0])


def _both(one: pa.Array, other: pa.Array, left: pa.Array, right: pa.Array) -> np.ndarray:
    return np.asarray(pc.and_(pc.equal(one, other), pc.equal(left, right)).to_numpy(), bool)


def _settled(found: _Found, taken: np.ndarray, *, swapped: bool) -> _Found:
    """Without the pairs of this kind whose site is `taken`, or whose row or site another pair has; takes the rest."""
    use = found.swapped == swapped
    use &= ~taken[found.site]
    if swapped:
        use &= ~np.isin(found.row, found.row[~found.swapped])
    at = np.flatnonzero(use)
    at = at[np.unique(found.row[at], return_index=True)[1]]
    at = at[np.unique(found.site[at], return_index=True)[1]]
    taken[found.site[at]] = True
    kept = np.concatenate([at, np.flatnonzero(found.swapped != swapped)])
    return _Found(found.row[kept], found.site[kept], found.swapped[kept], found.seen)


def _plain(callset: Callset) -> set[str]:
    return {genome.plain_name(shard.contig) for shard in callset.shards}


def _check(callset: Callset, matched: Matched, n_sites: int, n_reachable: int, build: str) -> None:
    """Raises unless what was found can be of one build with the callset."""
    n_found = len(matched.site)
    counts = (
        f"of {n_sites} sites, {n_reachable} lie on contigs of the callset, {n_found} were found, "
        f"{matched.n_other_alleles} have other alleles there and {matched.n_absent} have no row"
    )
    known = genome.UNKNOWN_BUILD not in (build, callset.build)
    expected = _LEAST_SHARE * min(n_reachable, callset.n_sites)
    if not known and (matched.n_other_alleles > n_found or n_found < expected or not n_found):
        raise ReferenceMismatch(
            f"{counts}; the build of the {'sites' if build == genome.UNKNOWN_BUILD else 'callset'} is not known. They "
            "are likely of two builds: take sites of the callset's build, or import the callset with --build."
        )
    if not n_found:
        raise InputError(f"{counts}. Give sites that the callset has.")
