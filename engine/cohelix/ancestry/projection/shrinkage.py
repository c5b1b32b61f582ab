"""How much smaller the projected scores of new people are than those of the people the components were fitted to.

A fitted component bends towards the noise of its own people, and new people have other noise: their scores keep the
share of it that is signal. Dey and Lee (2019), "Asymptotic properties of principal component analysis and
shrinkage-bias adjustment under the generalized spiked population model", J. Multivariate Anal. 173, estimate that share
from the eigenvalues alone (the d-estimator, `d.gsp` of their R package hdpca).
"""

from __future__ import annotations

import numpy as np

from cohelix.ancestry.pca.tables import Model


def shrinkage_factors(spectrum: np.ndarray, n_spikes: int, n_sites: int) -> np.ndarray:
    """float64 (n_spikes,): projected over fitted scores of the first components, between 0 and 1.

    spectrum: float64, every eigenvalue that is not zero, largest first (its length is n - 1 where the matrix was
    centred). The components behind the first `n_spikes` are taken for noise.
    """
    n = len(spectrum)
    spikes, noise = spectrum[:n_spikes], spectrum[n_spikes:]
    gaps = np.maximum(spikes[:, None] - noise[None, :], 1e-12 * spectrum[0])
    taken = (n_sites / (n_sites - n_spikes)) * (noise[None, :] / gaps).sum(axis=1) / n
    return np.asarray(1.0 / (1.0 + taken))


def factors_of(model: Model) -> np.ndarray:
    """float64 (K,): the factors of all components of a model, from its spectrum, or where it has none from what is
    left of its total variance.
    """
    n_spikes = len(model.eigenvalues)
    spectrum = model.spectrum
    if spectrum is None or len(spectrum) <= n_spikes:
        spectrum = completed_spectrum(model.eigenvalues, float(model.meta["total_variance"]), len(model.sample_ids))
    return shrinkage_factors(spectrum, n_spikes, len(model.af))


def completed_spectrum(eigenvalues: np.ndarray, total: float, n_samples: int) -> np.ndarray:
    """All n_samples - 1 eigenvalues where the first K are known, and the sum of all.

    The rest follow Marchenko and Pastur's law with the mean that is left; its width (sites in linkage disequilibrium
    count as fewer) is such that its upper edge is the last known eigenvalue. Its quantiles stand for the unknown.
    """
    rest = max(n_samples - 1 - len(eigenvalues), 1)
    mean = max((total - float(eigenvalues.sum())) / rest, 1e-12 * float(eigenvalues[0]))
    ratio = max(float(np.sqrt(max(eigenvalues[-1] / mean, 1.0))) - 1.0, 1e-6) ** 2
    low, high = (1.0 - np.sqrt(ratio)) ** 2, (1.0 + np.sqrt(ratio)) ** 2
    edges = low + (high - low) * (1.0 - np.cos(np.linspace(0.0, np.pi, 4097))) / 2.0
    middle = (edges[1:] + edges[:-1]) / 2.0
    density = np.sqrt(np.maximum((high - middle) * (middle - low), 0.0)) / np.maximum(middle, 1e-300)
    weight = np.cumsum(density * np.diff(edges))
    quantiles = np.interp((np.arange(rest) + 0.5) / rest, weight / weight[-1], middle)
    return np.concatenate([eigenvalues, mean * quantiles[::-1] / quantiles.mean()])
