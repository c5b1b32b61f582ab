"""Genotypes from reads: what a caller makes of them, and how sure it is.

Costs are integers, thousandths of a phred for each read, so that sums are the same on every machine. Reads are counted
in COLUMNS columns: reference, up to `MOST_ALTS` alternates, `STAR` (the base is deleted), `OTHER` (any other allele).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from cohelix.simulate.evidence import genotypes

MOST_ALTS = 4
STAR = MOST_ALTS + 1
OTHER = MOST_ALTS + 2
COLUMNS = MOST_ALTS + 3
LISTED = 2
"""Reads that make a caller consider an allele: assembly drops what a single read shows.

One is enough for `STAR`, which the deletion called before has put on the list.
"""
LISTED_IN = 50
"""An allele must also have one read in so many, or errors would fill the records of the deep mitochondria."""
_NEEDED = np.array([LISTED] * MOST_ALTS + [1])


@dataclass(frozen=True)
class Group:
    """m sites with the same columns considered.

    rows (m,): which sites. columns: the alleles in the order of the record, `<NON_REF>` behind them left out. counts
    (m, A): reads, those of `<NON_REF>` last. likelihood (m, G): phred, genotypes in VCF order. genotype (m,): called.
    """

    rows: np.ndarray
    columns: tuple[int, ...]
    ploidy: int
    counts: np.ndarray
    likelihood: np.ndarray
    genotype: np.ndarray


@dataclass(frozen=True)
class Calls:
    """Of n sites: copies (n, OTHER) called of each column, second (n,): phred to the second best genotype."""

    copies: np.ndarray
    second: np.ndarray
    groups: list[Group]


def call(counts: np.ndarray, ploidy: np.ndarray, star: np.ndarray, error: float) -> Calls:
    """The likeliest genotype from `counts` (n, COLUMNS), `ploidy` (n,) 1 or 2; the lower one of two that are alike.

    `star` (n,): whether an upstream deletion is called, so that deleted bases count as an allele; they are left out
    otherwise. No genotype with an allele that is not named is called: it can only lower the quality.
    """
    counts = counts.copy()
    counts[~star, STAR] = 0
    needed = np.maximum(_NEEDED, counts.sum(axis=1, keepdims=True) // LISTED_IN)
    bits = (counts[:, 1:OTHER] >= needed) @ (1 << np.arange(OTHER - 1))
    key = bits + (ploidy.astype(np.int64) << OTHER)
    copies, second = np.zeros((len(counts), OTHER), np.int64), np.zeros(len(counts), np.int64)
    groups = []
    for value in np.unique(key).tolist():
        rows = np.flatnonzero(key == value)
        columns = (0, *(column for column in range(1, OTHER) if value >> (column - 1) & 1))
        group = _call_alike(rows, columns, value >> OTHER, counts[rows], error)
        table = _copies(len(columns) + 1, group.ploidy)
        copies[rows[:, None], list(columns)] = table[group.genotype, :-1]
        second[rows] = np.partition(group.likelihood, 1, axis=1)[:, 1]
        groups.append(group)
    return Calls(copies, second, groups)


def _call_alike(rows: np.ndarray, columns: tuple[int, ...], ploidy: int, counts: np.ndarray, error: float) -> Group:
    named = counts[:, columns]
    seen = np.concatenate([named, (counts.sum(axis=1) - named.sum(axis=1))[:, None]], axis=1)
    cost = seen @ costs(seen.shape[1], ploidy, error).T
    of_named = _copies(seen.shape[1], ploidy)[:, -1] == 0
    best = np.where(of_named, cost, np.iinfo(np.int64).max).argmin(axis=1)
    above = np.maximum(cost - cost[np.arange(rows.size), best][:, None], 0)
    return Group(rows, columns, ploidy, seen, (above + 500) // 1000, best)


@cache
def costs(n_alleles: int, ploidy: int, error: float) -> np.ndarray:
    """(G, A): what one read of an allele costs under a genotype. A read shows each wrong base with `error` / 3."""
    shows = np.full((n_alleles, n_alleles), error / 3)
    np.fill_diagonal(shows, 1 - error)
    rows = [shows[list(genotype)].mean(axis=0) for genotype in genotypes(n_alleles, ploidy)]
    found: np.ndarray = np.rint(-10_000 * np.log10(np.array(rows))).astype(np.int64)
    return found


def reference_quality(depth: np.ndarray, ploidy: np.ndarray, error: float) -> np.ndarray:
    """Phred (n,) of hom-ref against the next genotype, where `depth` (n,) reads all show the reference."""
    alone = [0, *(int(np.sort(costs(2, copies, error)[1:, 0])[0] - costs(2, copies, error)[0, 0]) for copies in (1, 2))]
    return np.asarray((depth * np.array(alone, np.int64)[ploidy] + 500) // 1000)


@cache
def _copies(n_alleles: int, ploidy: int) -> np.ndarray:
    """(G, A): copies of each allele in each genotype."""
    return np.array([[genotype.count(a) for a in range(n_alleles)] for genotype in genotypes(n_alleles, ploidy)])
