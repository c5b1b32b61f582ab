"""Principal components by their definition: dense matrices, one genotype at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def standardised(genotypes: Sequence[Sequence[int]]) -> np.ndarray:
    """float64 (samples, sites) from rows of sites with values 0, 1, 2 and 3 (missing)."""
    columns = []
    for row in genotypes:
        called = [g for g in row if g != 3]
        p = sum(called) / (2 * len(called))
        columns.append([0.0 if g == 3 else (g - 2 * p) / (2 * p * (1 - p)) ** 0.5 for g in row])
    return np.array(columns).T


def components(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues of x x' / sites, scores and loadings, of every component; largest |loading| positive."""
    u, s, v = np.linalg.svd(x / np.sqrt(x.shape[1]), full_matrices=False)
    for i in range(len(s)):
        if v[i, np.argmax(np.abs(v[i]))] < 0:
            v[i], u[:, i] = -v[i], -u[:, i]
    return s**2, u * s, v.T


def tile(genotypes: Sequence[Sequence[int]], scale: Sequence[float], shift: Sequence[float], pieces: int) -> np.ndarray:
    """What `unpack_tile` makes of the first 16 * pieces genotypes: those at the same place of each piece together."""
    out = np.zeros((len(genotypes), 16 * pieces), np.float32)
    for row, values in enumerate(genotypes):
        for sample in range(16 * pieces):
            g = values[sample] if sample < len(values) else 0
            x = np.float32(scale[row]) * np.float32(g) + np.float32(shift[row])
            out[row, sample % 16 * pieces + sample // 16] = 0 if g == 3 else x
    return out


def canonical(a: np.ndarray, b: np.ndarray) -> float:
    """The smallest canonical correlation between the spaces that the columns of a and b span."""
    return float(np.linalg.svd(np.linalg.qr(a)[0].T @ np.linalg.qr(b)[0])[1].min())
