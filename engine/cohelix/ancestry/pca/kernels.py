"""Packed genotypes into tiles of numbers that BLAS multiplies."""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel

PLANES = 16
"""Genotypes in a piece of 32 bits."""


@kernel
def unpack_tile(block: np.ndarray, first: int, scale: np.ndarray, shift: np.ndarray, out: np.ndarray) -> None:
    """Set `out` float32 (variants, 16 * pieces) to `scale * copies + shift` of each genotype, 0 where it is missing.

    block: packed uint64 (variants, words); first: its first piece of 32 bits; scale, shift: float32 (variants,).
    Column `j * pieces + i` is genotype j of piece `first + i`: one shift for all pieces is what vectors are good at.
    """
    pieces = out.shape[1] // PLANES
    for row in range(out.shape[0]):
        words = block[row].view(np.uint32)[first : first + pieces]
        slope, level = scale[row], shift[row]
        for plane in range(PLANES):
            place = out[row, plane * pieces : (plane + 1) * pieces]
            right = np.uint32(2 * plane)
            for piece in range(pieces):
                copies = np.int32((words[piece] >> right) & np.uint32(3))
                value = slope * np.float32(copies) + level
                place[piece] = np.float32(0) if copies == 3 else value
