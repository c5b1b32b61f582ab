"""What a call store tells of alleles that neither a scoring row nor the genome settles: who carries which.

Two kinds of rows are left open: the effect allele is the reference and no other allele is given; or both alleles of an
insertion or deletion fit the genome (A and AT before a T), so that either may be the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.dataset import FileEntry
from cohelix.joint import store, unify
from cohelix.runtime.protocol import Runtime

_TRANSITION = {"A": "G", "G": "A", "C": "T", "T": "C"}
"""The base that SNPs exchange another for most often."""


@dataclass(frozen=True)
class Pair:
    """Alleles at a position (1-based) that both fit the genome; other "": not given."""

    position: int
    effect: str
    other: str


@dataclass(frozen=True)
class _Task:
    root: str
    entry: FileEntry
    positions: np.ndarray


def carried(
    opened: store.CallStore, pairs: Mapping[str, Sequence[Pair]], fasta: str, runtime: Runtime
) -> dict[str, set[tuple[int, str, str]]]:
    """(position, REF, ALT) by contig. Without another allele: each alternate of the reference that somebody carries;
    where nobody does, that of a transition, so that the site has a row. Of two alleles: those that somebody carries.
    """
    found: dict[str, set[tuple[int, str, str]]] = {}
    entries = {entry.path: entry for entry in opened.commit.files}
    parts = opened.parts()
    for contig, own in pairs.items():
        positions = np.unique(np.array([pair.position for pair in own], np.int64))
        tasks = []
        for (name, start), group in sorted(parts.items()):
            near = positions[(positions > start) & (positions <= start + opened.bin_bp)]
            if name == contig and len(near):
                tasks += [_Task(opened.root, entries[part.variants], near) for part in group]
        keys: set[unify.Key] = set()
        for some in runtime.map(_carried_near, tasks, label="carriers"):
            keys.update(some)
        fetch = unify.fetcher(fasta, contig)
        aligned = {unify.left_align(key, fetch) for key in keys}
        found[contig] = {site for pair in own for site in _sites_of(pair, aligned, fetch)}
    return found


def _carried_near(task: _Task) -> list[unify.Key]:
    """Keys of the alleles that samples of one file carry over any of the positions."""
    names = ("start", "end", "allele1", "allele2", "ref", "alts")
    table = store.read_variants(task.root, task.entry, names)
    start, end = (store.values(table, name).astype(np.int64) for name in ("start", "end"))
    low = np.searchsorted(task.positions, start)  # a position p is base p - 1
    high = np.searchsorted(task.positions, end + 1, side="right")
    rows = np.flatnonzero(high > low)
    if not len(rows):
        return []
    first, second = (store.values(table, name)[rows].tolist() for name in ("allele1", "allele2"))
    taken = table.select(["ref", "alts"]).take(rows)
    found = set()
    columns = zip(
        start[rows].tolist(), taken.column("ref").to_pylist(), taken.column("alts").to_pylist(), first, second,
        strict=True,
    )  # fmt: skip
    for at, ref, alts, *codes in columns:
        named = alts.split(",") if alts else []
        for code in codes:
            if 1 <= code <= len(named) and named[code - 1].isalpha():
                found.add(unify.trimmed(at, ref, named[code - 1]))
    return sorted(found)


def _sites_of(pair: Pair, keys: set[unify.Key], fetch: unify.Fetch) -> list[tuple[int, str, str]]:
    start = pair.position - 1
    if pair.other:
        orders = ((pair.effect, pair.other), (pair.other, pair.effect))
        return [
            (pair.position, ref, alt)
            for ref, alt in orders
            if unify.left_align(unify.trimmed(start, ref, alt), fetch) in keys
        ]
    base = pair.effect[:1]
    alternates = sorted(alt.decode() for at, ref, alt in keys if at == start and ref == base.encode() and len(alt) == 1)
    if len(pair.effect) > 1:
        return []
    return [(pair.position, base, alt) for alt in alternates or [_TRANSITION[base]]]
