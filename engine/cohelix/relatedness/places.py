"""Where ancestry puts each sample: distances between samples are what their ancestries add to squared differences.

KING-robust is right for two people of one ancestry. Where their allele frequencies differ, so do their genotypes, and
kinship comes out too low by sum((2 mu_i - 2 mu_j)^2) / (4 sum(h)), with mu the frequencies that the ancestry of each
makes likely and h the heterozygotes of the sample with fewer. mu is the fit of a regression of genotypes on components
of ancestry, as in PC-Relate, so that the sum is a squared distance in as many dimensions as there are components. The
screen gives it back, and relatives of unlike ancestry stay candidates, of which PC-Relate then judges.
"""

from __future__ import annotations

import numpy as np

from cohelix.genotypes.packed.matrix import Matrix
from cohelix.relatedness.pc_relate import orthonormal, regress
from cohelix.runtime.protocol import Runtime


def places_of(matrix: Matrix, scores: np.ndarray, runtime: Runtime) -> np.ndarray:
    """float64 (samples, k) whose squared distance is the mean over sites of (2 mu_i - 2 mu_j)^2.

    scores: float64 (samples, components), NaN where a sample has none: it lies at the centre. What chance adds to the
    squares of fitted coefficients is taken off.
    """
    known = np.isfinite(scores).all(axis=1)
    basis = orthonormal(scores[known])
    fitted = 2 * regress(matrix.of_samples(np.flatnonzero(known)), basis, runtime)
    fitted = fitted[:, np.isfinite(fitted).all(axis=0)]  # sites with a call
    frequency = fitted[0] / (2 * np.sqrt(known.sum()))
    slopes, n_sites = fitted[1:], max(1, fitted.shape[1])
    chance = (2 * frequency * (1 - frequency)).sum()
    squares = np.array([[(one * other).sum() for other in slopes] for one in slopes]).reshape(len(slopes), len(slopes))
    values, vectors = np.linalg.eigh((squares - chance * np.eye(len(slopes))) / n_sites)
    out = np.zeros((len(scores), len(slopes)))
    # einsum adds in its own order; BLAS would in one that depends on its threads
    out[known] = np.einsum("sk,kj->sj", basis[:, 1:], vectors * np.sqrt(np.maximum(values, 0)))
    return out
