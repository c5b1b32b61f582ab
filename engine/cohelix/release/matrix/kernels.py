"""Loops over genotypes: arrays in, arrays out."""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel

_RUN = 32
_SPARSE = 50
"""A row is sparse where fewer than one genotype in so many is other than hom-ref."""


@kernel
def move_samples(block: np.ndarray, samples: np.ndarray, place: np.ndarray, out: np.ndarray) -> None:
    """Chosen columns of `block` int8 (variants, samples) into `out` int8 (variants, chosen), which is all 0.

    samples: int32 (chosen,), columns in their new order. place: int32 (samples,), new column of each, -1 for none.
    In sparse rows, most of a cohort's, runs of hom-ref are passed over.
    """
    n_samples = block.shape[1]
    for row in range(block.shape[0]):
        others = 0
        for sample in range(n_samples):
            others += block[row, sample] != 0
        if others * _SPARSE >= n_samples:
            for at in range(samples.size):
                out[row, at] = block[row, samples[at]]
            continue
        for start in range(0, n_samples, _RUN):
            end = min(start + _RUN, n_samples)
            any_other = np.int8(0)
            for sample in range(start, end):
                any_other |= block[row, sample]
            if any_other != 0:
                for sample in range(start, end):
                    if block[row, sample] != 0 and place[sample] >= 0:
                        out[row, place[sample]] = block[row, sample]
