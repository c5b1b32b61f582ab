"""Loops over packed rows of a projection: arrays in, arrays out."""

from __future__ import annotations

import numpy as np

from cohelix.genotypes.packed.kernels import LOW, ONE, THREE
from cohelix.kernel import kernel, popcount


@kernel
def standardise(block: np.ndarray, first: int, values: np.ndarray, out: np.ndarray, norms: np.ndarray) -> None:
    """Set `out` float32 (variants, samples) to standardised genotypes; add their squares to `norms` float64 (samples,).

    block: packed, uint64 (variants, words). first: word of the first sample. values: float32 (variants, 4), what 0, 1,
    2 and missing stand for. Rows are added in their order.
    """
    n_samples = out.shape[1]
    for row in range(block.shape[0]):
        zero, one, two, missing = values[row, 0], values[row, 1], values[row, 2], values[row, 3]
        line = out[row]
        for word in range((n_samples + 31) // 32):
            packed = block[row, first + word]
            start = 32 * word
            for place in range(min(32, n_samples - start)):
                code = (packed >> np.uint64(2 * place)) & THREE
                low = zero if code == np.uint64(0) else one
                high = two if code == np.uint64(2) else missing
                value = low if code < np.uint64(2) else high
                line[start + place] = value
                norms[start + place] += np.float64(value) * np.float64(value)


@kernel
def add_missing(block: np.ndarray, first: int, weights: np.ndarray, n_missing: np.ndarray, lost: np.ndarray) -> None:
    """Add 1 to `n_missing` int64 (samples,) and a row of `weights` float64 (variants, k) to `lost` float64 (samples, k)
    wherever a sample's genotype is missing in the packed `block`. first: word of the first sample.
    """
    n_samples = n_missing.size
    for row in range(block.shape[0]):
        for word in range((n_samples + 31) // 32):
            packed = block[row, first + word]
            places = packed & (packed >> ONE) & LOW
            while places != np.uint64(0):
                sample = 32 * word + popcount((places & (~places + ONE)) - ONE) // 2
                n_missing[sample] += 1
                for component in range(weights.shape[1]):
                    lost[sample, component] += weights[row, component]
                places &= places - ONE
