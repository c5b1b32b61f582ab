"""Counts and frequencies by ancestry group and sex, of all calls (raw) and of those that pass adj.

A stratum is one group and one sex; every sample is in exactly one. Ploidy is that of the stratum's sex at the row: a
man's one X outside the pseudo-autosomal regions counts one allele (hemi), a woman has no Y. Calls that contradict it
are dropped. Where sex is not known, X counts as two copies and Y as one, as in `genotypes.counts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cohelix import genome
from cohelix.genotypes.callset import Callset, Shard
from cohelix.genotypes.counts import ploidy_of
from cohelix.genotypes.packed.counting import count_groups, count_groups_adj, count_rows, masks_of, members_of
from cohelix.genotypes.packed.kernels import Members
from cohelix.genotypes.packed.reader import PackedReader, open_packed, rows_of_block

HOM_REF, HET, HOM_ALT, HAPLOID_REF, HAPLOID_ALT, CONFLICT = range(6)
"""Places of a tally's last axis."""

ALL = "all"
"""The group that holds every sample."""


@dataclass(frozen=True)
class Strata:
    """`codes` int64 (samples,): the stratum of each sample; `group` (-1: in none) and `sex` int64 (strata,)."""

    names: tuple[str, ...]
    codes: np.ndarray
    group: np.ndarray
    sex: np.ndarray

    @cached_property
    def layouts(self) -> tuple[np.ndarray, Members]:
        """Masks of the strata, and the same as the kernels ask for them."""
        masks = masks_of(self.codes, len(self.group))
        return masks, members_of(masks, len(self.codes))

    @property
    def groups(self) -> tuple[str, ...]:
        return (ALL, *self.names)

    def members(self, group: str, sex: str | None = None) -> np.ndarray:
        """bool (strata,): those of a group, or of all; of one sex where it is given."""
        chosen = np.ones(len(self.group), bool) if group == ALL else self.group == self.names.index(group)
        return chosen if sex is None else np.logical_and(chosen, self.sex == genome.SEXES.index(sex))


def strata_of(names: list[str], groups: np.ndarray, sexes: list[str]) -> Strata:
    """Strata that have samples. groups: int (samples,) places in `names`, -1 in none; sexes: male, female, unknown."""
    place = np.array([genome.SEXES.index(sex) for sex in sexes], np.int64)
    found, codes = np.unique(np.asarray(groups, np.int64) * len(genome.SEXES) + place, return_inverse=True)
    return Strata(tuple(names), codes.reshape(-1), found // len(genome.SEXES), found % len(genome.SEXES))


@dataclass(frozen=True)
class Counted:
    """Tallies int64 (variants, strata, 6: HOM_REF ... CONFLICT) of rows [start, end); adj None where not known."""

    start: int
    end: int
    raw: np.ndarray
    adj: np.ndarray | None

    def of(self, members: np.ndarray, track: str = "raw") -> np.ndarray:
        """int64 (variants, 6): a tally over the strata `members`, bool (strata,)."""
        tally = self.raw if track == "raw" else self.adj
        assert tally is not None
        return np.asarray(tally[:, members].sum(axis=1))


def count_shard(callset: Callset, shard: Shard, strata: Strata, edges: np.ndarray) -> Iterator[Counted]:
    """Tallies of a shard, from row edges[i] to edges[i + 1] at a time."""
    positions = callset.sites(shard).column("position").to_numpy()
    with ExitStack() as stack:
        genotypes = stack.enter_context(open_packed(callset, shard))
        fails = stack.enter_context(open_packed(callset, shard, "adj")) if shard.adj else None
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            copies = copies_of(callset.build, shard.contig, positions[start:end])[:, strata.sex]
            raw, adj = _count(genotypes, fails, strata, start, end)
            yield Counted(start, end, by_ploidy(raw, copies), None if adj is None else by_ploidy(adj, copies))


def _count(
    genotypes: PackedReader, fails: PackedReader | None, strata: Strata, start: int, end: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Genotypes int64 (variants, strata, 4) of all calls, and of those that pass adj where that is known."""
    masks, members = strata.layouts
    if fails is None:
        return count_rows(genotypes, members, start, end), None
    step = rows_of_block(len(strata.codes))
    pairs = []
    for low in range(start, end, step):
        high = min(low + step, end)
        block = genotypes.read(low, high)
        pairs.append((count_groups(block, masks), count_groups_adj(block, fails.read(low, high), masks)))
    raw, adj = zip(*pairs, strict=True)
    return np.concatenate(raw), np.concatenate(adj)


def copies_of(build: str, contig: str, positions: np.ndarray) -> np.ndarray:
    """uint8 (variants, sexes): copies of each row for each of `genome.SEXES`; those of `counts.ploidy_of`.

    Ploidy changes at the ends of segments only, so that it is asked once for each stretch between two of them.
    """
    length = int(positions.max()) if len(positions) else 1
    ends = {low for sex in genome.SEXES for low, _, _ in genome.ploidy_segments(build, contig, sex, length)}
    edges = np.array(sorted(ends), np.int64)
    ploidy = ploidy_of(build, contig, edges + 1, genome.SEXES)
    each = np.take(ploidy.table, ploidy.classes, axis=0)
    return np.take(each, np.searchsorted(edges, np.asarray(positions, np.int64) - 1, side="right") - 1, axis=0)


def by_ploidy(counts: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """A tally (variants, strata, 6) from counts of genotypes (variants, strata, 4: 0, 1, 2, missing)."""
    tally = np.zeros((*counts.shape[:2], 6), np.int64)
    two, one, none = copies == 2, copies == 1, copies == 0
    for place, genotype in ((HOM_REF, 0), (HET, 1), (HOM_ALT, 2)):
        tally[..., place] = np.where(two, counts[..., genotype], 0)
    tally[..., HAPLOID_REF] = np.where(one, counts[..., 0], 0)
    tally[..., HAPLOID_ALT] = np.where(one, counts[..., 2], 0)
    tally[..., CONFLICT] = np.where(one, counts[..., 1], 0) + np.where(none, counts[..., :3].sum(axis=2), 0)
    return tally


def frequency_columns(tally: np.ndarray) -> dict[str, np.ndarray]:
    """ac, an, af, hom, het and hemi of a tally (variants, 6); af is NaN where nobody was called.

    hom: samples with two alternate copies; hemi: with one where there is only one.
    """
    hom_ref, het, hom_alt, haploid_ref, haploid_alt = tally[:, :CONFLICT].T
    ac, an = het + 2 * hom_alt + haploid_alt, 2 * (hom_ref + het + hom_alt) + haploid_ref + haploid_alt
    return {"ac": ac, "an": an, "af": ratio(ac, an), "hom": hom_alt, "het": het, "hemi": haploid_alt}


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """float64 above / below, NaN where `below` is 0."""
    out = np.full(len(below), np.nan)
    np.divide(above, below, out=out, where=np.asarray(below) != 0)
    return out
