"""PC-Relate as Conomos and others (2016) write it: whole matrices of floats, a missing genotype is NaN.

Also the plain definitions of what the kernels of `cohelix.relatedness.pcrelate` sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def individual_frequencies(genotypes: np.ndarray, pcs: np.ndarray) -> np.ndarray:
    """mu, (sites, samples): half the least-squares fit of mean-imputed genotypes by an intercept and the components."""
    called = ~np.isnan(genotypes)
    mean = np.where(called, genotypes, 0).sum(axis=1) / called.sum(axis=1)
    filled = np.where(called, genotypes, mean[:, None])
    design = np.column_stack([np.ones(len(pcs)), pcs])
    weights, *_ = np.linalg.lstsq(design, filled.T, rcond=None)
    return (design @ weights).T / 2


def estimates(genotypes: np.ndarray, pcs: np.ndarray, min_maf: float) -> dict[str, np.ndarray]:
    """kinship, ibd0, ibd1, ibd2 and n_sites, each (samples, samples)."""
    mu = individual_frequencies(genotypes, pcs)
    counts = ~np.isnan(genotypes) & (mu > min_maf) & (mu < 1 - min_maf)
    variance = np.where(counts, mu * (1 - mu), 0)
    residual = np.where(counts, genotypes - 2 * mu, 0)
    deviation = np.sqrt(variance)
    kinship = residual.T @ residual / (4 * deviation.T @ deviation)
    inbreeding = 2 * np.diag(kinship) - 1
    dominance = np.select([genotypes == 0, genotypes == 1, genotypes == 2], [mu, 0, 1 - mu])
    coded = np.where(counts, dominance - variance * (1 + inbreeding), 0)
    ibd2 = coded.T @ coded / (variance.T @ variance)
    ref, alt = ((genotypes == value) & counts for value in (0, 2))
    opposite = ref.T.astype(int) @ alt
    squared, other = np.where(counts, mu**2, 0), np.where(counts, (1 - mu) ** 2, 0)
    expected = squared.T @ other
    counted = (opposite + opposite.T) / (expected + expected.T)
    ibd0 = np.where(kinship > 2**-2.5, counted, 1 - 4 * kinship + ibd2)
    n_sites = counts.T.astype(int) @ counts
    return {"kinship": kinship, "ibd0": ibd0, "ibd1": 1 - ibd0 - ibd2, "ibd2": ibd2, "n_sites": n_sites}


def projection(rows: Sequence[Sequence[int]], basis: np.ndarray) -> tuple[list[list[float]], list[list[float]]]:
    """By row and column of `basis` (columns, samples): sums of genotype times basis, and of basis where missing (3)."""
    dose = [[sum(g * b for g, b in zip(row, line, strict=True) if g != 3) for line in basis] for row in rows]
    gone = [[sum(b for g, b in zip(row, line, strict=True) if g == 3) for line in basis] for row in rows]
    return dose, gone


def pair_sums(rows: Sequence[Sequence[int]], mu: np.ndarray, floor: float, i: int, j: int) -> tuple[list[float], int]:
    """The seven sums of `add_pairs` over sites that count for both, and how many these are. mu: (samples, sites)."""
    out, n_sites = [0.0] * 7, 0
    for site, row in enumerate(rows):
        (g, m), (h, n) = ((row[sample], float(mu[sample, site])) for sample in (i, j))
        if 3 in (g, h) or not (floor < m < 1 - floor and floor < n < 1 - floor):
            continue
        v, w = m * (1 - m), n * (1 - n)
        d, e = ({0: f, 1: 0.0, 2: 1 - f}[value] for value, f in ((g, m), (h, n)))
        terms = (
            (g - 2 * m) * (h - 2 * n), (v * w) ** 0.5, d * e, d * w, v * e, v * w,
            (m * (1 - n)) ** 2 + ((1 - m) * n) ** 2,
        )  # fmt: skip
        out = [total + term for total, term in zip(out, terms, strict=True)]
        n_sites += 1
    return out, n_sites
