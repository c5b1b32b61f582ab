"""Online augmentation, decomposition and Procrustes: scores of a new person as if the reference had been fitted anew.

Zhang, Dey and Lee (2020), "Fast and robust ancestry prediction using principal component analysis", Bioinformatics 36
(FRAPOSA); the form below, which asks only for inner products, is that of Privé's bigutilsr::pca_OADP_proj2, here with
components beyond those wanted, as in FRAPOSA.

A person is added as a row to the K components of the reference, the (K + 1) x (K + 1) Gram matrix is decomposed, and
the reference's new scores are turned and scaled onto its old ones; the person goes along. Both are centred already.
"""

from __future__ import annotations

import numpy as np

BATCH = 4096
"""People at a time: 4096 matrices of 21 x 21 are 14 MB."""


def oadp_scores(naive: np.ndarray, norms: np.ndarray, eigenvalues: np.ndarray, k: int) -> np.ndarray:
    """float64 (samples, k). naive: float64 (samples, K), K >= k, x V. norms: float64 (samples,), |x|²; eigenvalues:
    float64 (K,), all in the scale of the scores (x divided by sqrt(sites)). Rows with NaN give NaN.
    """
    out = np.full((len(naive), k), np.nan)
    known = np.flatnonzero(np.isfinite(naive).all(axis=1) & np.isfinite(norms))
    for start in range(0, len(known), BATCH):
        rows = known[start : start + BATCH]
        out[rows] = _batch(naive[rows], norms[rows], eigenvalues, k)
    return out


def _batch(naive: np.ndarray, norms: np.ndarray, eigenvalues: np.ndarray, k: int) -> np.ndarray:
    n, size = naive.shape
    lengths = np.sqrt(eigenvalues)
    gram = np.zeros((n, size + 1, size + 1))
    gram[:, np.arange(size), np.arange(size)] = eigenvalues
    gram[:, :size, size] = gram[:, size, :size] = naive * lengths
    gram[:, size, size] = np.maximum(norms, (naive**2).sum(axis=1))  # no less than its part in the components
    values, vectors = np.linalg.eigh(gram)
    first = vectors[:, :, ::-1][:, :, :k] * np.sqrt(np.maximum(values[:, ::-1][:, None, :k], 0.0))
    reference, person = first[:, :size], first[:, size]
    left, singular, right = np.linalg.svd(reference[:, :k] * lengths[:k, None])
    scale = singular.sum(axis=1) / (reference**2).sum(axis=(1, 2))
    turned = np.einsum("nj,nij->ni", person, right)
    return np.asarray(scale[:, None] * np.einsum("ni,nji->nj", turned, left))
