"""What a missing genotype counts as: expected copies, from frequencies of the alternate allele by policy."""

from __future__ import annotations

import numpy as np

from cohelix.genotypes.inputs import Frequencies
from cohelix.prs.schema import ALT, HET, HOM_ALT, HOM_REF, REF
from cohelix.prs.scoring.ploidy import Cells

IMPUTES = frozenset(["cohort-af", "reference-af", "ancestry-af"])
"""Policies that put expected copies in the place of a missing genotype."""


NOBODY = 0.5
"""Frequency at a site where nobody is called: as plink2, and the same for everybody."""


def alleles_of(counts: np.ndarray, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """int64 (sites, cells) each: ALT alleles, and alleles, among the called, from counts int64 (sites, cells, 4)."""
    haploid, diploid = cells.copies == 1, cells.copies == 2
    alternate = np.where(diploid, counts[:, :, 1] + 2 * counts[:, :, 2], np.where(haploid, counts[:, :, 2], 0))
    called = np.where(diploid, 2 * counts[:, :, :3].sum(axis=2), 0)
    called = np.where(haploid, counts[:, :, 0] + counts[:, :, 2], called)
    return alternate, called


def frequencies_of(
    policy: str, counts: np.ndarray, cells: Cells, reference: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """float64 (sites, cells): of ALT for the samples of each cell; bool (sites,): one is needed and not known.

    cohort-af: that of everybody called. ancestry-af: that of the cell's group, and of everybody where the group has
    no call or there is no group. reference-af: float64 (sites,) `reference`, NaN where not known. At a site where
    nobody at all is called it is `NOBODY`.
    """
    alternate, called = alleles_of(counts, cells)
    missing = (counts[:, :, 3] * (cells.copies > 0)).sum(axis=1) > 0
    unknown = np.zeros(len(counts), bool)
    if policy == "reference-af":
        assert reference is not None
        unknown = missing & np.isnan(reference)
        whole = np.where(np.isnan(reference), NOBODY, reference)
    else:
        whole = _share(alternate.sum(axis=1), called.sum(axis=1), NOBODY)
    p = np.repeat(whole[:, None], len(cells.copies), axis=1)
    if policy == "ancestry-af":
        for group in np.unique(cells.group[cells.group >= 0]).tolist():
            own = cells.group == group
            p[:, own] = _share(alternate[:, own].sum(axis=1), called[:, own].sum(axis=1), whole)[:, None]
    return p, unknown


def _share(part: np.ndarray, whole: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), otherwise)


def values_of(forms: np.ndarray, p: np.ndarray, copies: np.ndarray, imputes: bool) -> np.ndarray:
    """float64 (planes, cells, 4): what genotypes 0, 1, 2 and missing count as in each form, for each cell.

    forms int64 (planes,); p float64 (planes, cells); copies int8 (cells,). Where nothing is imputed, missing is 0.
    Expected indicators are those of Hardy-Weinberg.
    """
    out = np.zeros((*p.shape, 4))
    q = 1.0 - p
    one, two = (copies == 1)[None, :], (copies == 2)[None, :]
    diploid = {
        ALT: ((0.0, 1.0, 2.0), 2.0 * p),
        REF: ((2.0, 1.0, 0.0), 2.0 * q),
        HOM_REF: ((1.0, 0.0, 0.0), q * q),
        HET: ((0.0, 1.0, 0.0), 2.0 * p * q),
        HOM_ALT: ((0.0, 0.0, 1.0), p * p),
    }
    haploid = {
        ALT: ((0.0, 0.0, 1.0), p),
        REF: ((1.0, 0.0, 0.0), q),
        HOM_REF: ((1.0, 0.0, 0.0), q),
        HET: ((0.0, 0.0, 0.0), np.zeros_like(p)),
        HOM_ALT: ((0.0, 0.0, 1.0), p),
    }
    for form in np.unique(forms).tolist():
        at = (forms == form)[:, None]
        for chosen, (called, expected) in ((at & two, diploid[form]), (at & one, haploid[form])):
            out[chosen, :3] = called
            if imputes:
                out[chosen, 3] = expected[chosen]
    return out


def reference_of(contigs: np.ndarray, positions: np.ndarray, refs: np.ndarray, alts: np.ndarray, stated: np.ndarray,
                 table: Frequencies | None) -> np.ndarray:  # fmt: skip
    """float64 (sites,): frequencies of the table, else what scoring files state; NaN where neither has one."""
    if table is None:
        return stated
    found = np.full(len(positions), np.nan)
    for contig in dict.fromkeys(contigs.tolist()):
        at = np.flatnonzero(contigs == contig)
        found[at] = table.lookup(contig, positions[at], refs[at].tolist(), alts[at].tolist())
    return np.where(np.isnan(found), stated, found)
