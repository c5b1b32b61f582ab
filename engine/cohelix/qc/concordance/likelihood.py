"""How much more likely two genotypes are for one person, or for two relatives, than for two strangers.

The LLR of a pair of samples is the sum over sites of

    log10  sum over g of F(g) P(a | g) P(w | g)  -  log10 P(a)  -  log10 P(w),    P(x) = sum over g of F(g) P(x | g)

with F(g) the frequencies of the three genotypes in Hardy-Weinberg proportions, a and w the genotypes seen by the array
and in the genome, and P(seen | true) = 1 - error for the true one and error / 2 for each other. This is the LOD of
Picard's CheckFingerprint and CrosscheckFingerprints for genotypes. A site that either side lacks adds nothing.

Scores are rounded to whole millionths and added up as integers: the sum is the same in every order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cohelix.qc.concordance import kernels
from cohelix.qc.schema import ConcordanceParams

MODELS = ("same", "parent_child", "full_sibs", "second_degree")
"""Who two samples may be, against two strangers. Second degree: half sibs, grandparents, aunts and uncles."""

SCALE = 1_000_000
"""Scores are in millionths of a unit of log10."""

# Chances that two such people share 0, 1 or 2 alleles by descent.
_SHARING = {
    "same": (0, 0, 1),
    "parent_child": (0, 1, 0),
    "full_sibs": (0.25, 0.5, 0.25),
    "second_degree": (0.5, 0.5, 0),
}

GENOTYPES = ("ref", "het", "alt", "missing")
"""Rows (array) and columns (genome) of the table of a pair; REF and ALT are those of the genomes."""


def frequencies_of(ac: np.ndarray, an: np.ndarray, floor: float) -> np.ndarray:
    """float64: alternate allele frequencies, kept between `floor` and 1 - `floor`; `an` above 0."""
    clipped: np.ndarray = np.clip(ac / an, floor, 1 - floor)
    return clipped


def joint_by_sharing(frequency: np.ndarray) -> np.ndarray:
    """float64 (site, shared, one, other): P(genotypes of two people | 0, 1 or 2 alleles shared by descent)."""
    q = frequency[:, None]
    p = 1 - q
    alone = np.concatenate([p * p, 2 * p * q, q * q], axis=1)
    # One shared allele is ref or alt; each person has one more, drawn from everybody.
    given_ref = np.concatenate([p, q, np.zeros_like(p)], axis=1)
    given_alt = np.concatenate([np.zeros_like(p), p, q], axis=1)
    none = alone[:, :, None] * alone[:, None, :]
    one = p[:, :, None] * given_ref[:, :, None] * given_ref[:, None, :]
    one = one + q[:, :, None] * given_alt[:, :, None] * given_alt[:, None, :]
    both = alone[:, :, None] * np.eye(3)
    return np.stack([none, one, both], axis=1)


def seen(error: float) -> np.ndarray:
    """float64 (3, 3): P(seen | true), axes true, seen."""
    return np.where(np.eye(3, dtype=bool), 1 - error, error / 2)


def score_tables(frequency: np.ndarray, array_error: float, wgs_error: float) -> np.ndarray:
    """int64 (sites, models, 16): `MODELS` against strangers, log10 * `SCALE`, by 4 * array + genome genotype."""
    shared = np.einsum("skij,ia,jw->skaw", joint_by_sharing(frequency), seen(array_error), seen(wgs_error))
    scores = np.zeros((len(frequency), len(MODELS), 4, 4), np.int64)
    for index, model in enumerate(MODELS):
        likelihood = np.einsum("k,skaw->saw", np.array(_SHARING[model], np.float64), shared)
        scores[:, index, :3, :3] = np.rint(np.log10(likelihood / shared[:, 0]) * SCALE).astype(np.int64)
    return np.ascontiguousarray(scores.reshape(len(frequency), len(MODELS), 16))


@dataclass(frozen=True)
class Compared:
    """Pairs of samples over the sites of the fingerprint: genotypes by genotypes, and scores by `MODELS`."""

    tables: np.ndarray
    sums: np.ndarray

    @cached_property
    def n_compared(self) -> np.ndarray:
        """int64: sites called in both samples."""
        called: np.ndarray = self.tables.reshape(-1, 4, 4)[:, :3, :3].sum(axis=(1, 2))
        return called

    @cached_property
    def llr(self) -> np.ndarray:
        """float64 (pairs, models), log10."""
        llr: np.ndarray = self.sums / SCALE
        return llr

    @property
    def concordance(self) -> np.ndarray:
        """float64: equal genotypes among those called in both; NaN where there are none."""
        table = self.tables.reshape(-1, 4, 4)
        return _share(table[:, 0, 0] + table[:, 1, 1] + table[:, 2, 2], self.n_compared)

    @property
    def non_reference_concordance(self) -> np.ndarray:
        """float64: the same among those that are not hom-ref in both; NaN where there are none."""
        table = self.tables.reshape(-1, 4, 4)
        return _share(table[:, 1, 1] + table[:, 2, 2], self.n_compared - table[:, 0, 0])


def compare(arrays: np.ndarray, wgs: np.ndarray, left: np.ndarray, right: np.ndarray, scores: np.ndarray) -> Compared:
    """Sample left[p] of packed `arrays` with right[p] of packed `wgs`, for every p."""
    tables = np.zeros((len(left), 16), np.int64)
    sums = np.zeros((len(left), scores.shape[1]), np.int64)
    kernels.compare_pairs(arrays, wgs, left, right, scores, tables, sums)
    return Compared(tables, sums)


def relation_of(llr: np.ndarray, threshold: float) -> tuple[str, float]:
    """(parent_child or full_sibs, its LLR) where that is the likeliest of `MODELS`; ("", NaN) where it is not.

    `llr` (models,). Second degree is there so that half sibs are not taken for sibs; it is not told from the likeness
    of two strangers of one ancestry, and never named.
    """
    name, best = max(zip(MODELS, llr.tolist(), strict=True), key=lambda pair: pair[1])
    return (name, best) if best >= threshold and name in ("parent_child", "full_sibs") else ("", float("nan"))


def verdicts(n_compared: np.ndarray, llr: np.ndarray, params: ConcordanceParams) -> np.ndarray:
    """str: match, mismatch, or inconclusive, where there are few sites or little evidence either way."""
    verdict = np.where(llr > params.match_llr, "match", "inconclusive")
    verdict = np.where(llr <= params.mismatch_llr, "mismatch", verdict)
    return np.where(n_compared < params.min_sites, "inconclusive", verdict)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return share
