"""What a batch of chips shows: intensities and calls, from the genomes really on them.

Every chip draws from streams of its own, chunk of markers by chunk, so that no number depends on the other chips.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cohelix.errors import ContractError
from cohelix.simulate.arrays import kernels
from cohelix.simulate.arrays.design import ArrayDesign
from cohelix.simulate.arrays.samples import ArraySample
from cohelix.simulate.schema import ArrayParams
from cohelix.simulate.streams import stream

CHUNK = 2_048  # markers whose numbers are in memory at once; the draws are in this order, so it is part of the format
FAILED_ERRORS = 10.0  # times as many wrong calls on a failed chip
BATCH_LEVEL = 0.03  # standard deviation of the log of R, over batches
_RAW_PER_NORM = 3_800.0


@dataclass(frozen=True)
class Shown:
    """m markers from row `first` of the design, on n chips: calls, reasons (m, n) int8, values (m, n, 9) int32 (see
    `kernels.read_chip`), copies and alternates (m, n) int8: of the genome on the chip."""

    first: int
    calls: np.ndarray
    reasons: np.ndarray
    values: np.ndarray
    copies: np.ndarray
    alternates: np.ndarray


def chip_of(params: ArrayParams, seed: int, sample: ArraySample) -> np.ndarray:
    """Eight numbers: chance of no call, and of a wrong one; share of another person's DNA; noise, as a multiple of a
    good chip's; level of R; shift of theta between the homozygotes; raw counts per unit of X, and of Y."""
    rng = stream(seed, "array chip", sample.index)
    of_batch = stream(seed, "array batch", sample.batch).normal(0, 1, 2)
    low, high = (1.5, 2.4) if sample.failed else (0.85, 1.2)
    spread = rng.uniform(low, high)
    level = np.exp(rng.normal(0, 0.02) + BATCH_LEVEL * of_batch[0])
    tilt = rng.normal(0, 0.004) + 0.004 * of_batch[1]
    raw = _RAW_PER_NORM * np.exp(rng.normal(0, 0.15, 2))
    errors = params.error * (FAILED_ERRORS if sample.failed else 1.0)
    return np.array([1 - sample.call_rate, errors, sample.contamination, spread, level, tilt, *raw], np.float64)


def show(
    design: ArrayDesign, samples: list[ArraySample], alleles: np.ndarray, params: ArrayParams, seed: int
) -> Iterator[Shown]:
    """All markers, in chunks of `CHUNK`. alleles (n, M, K) int8. Raises ContractError for another shape."""
    n, markers, found = len(samples), design.markers, design.clusters
    if alleles.ndim != 3 or alleles.shape[:2] != (n, design.size):
        raise ContractError(
            f"expected alleles of {n} samples at {design.size} markers, found an array of shape {alleles.shape}."
        )
    chips = [chip_of(params, seed, sample) for sample in samples]
    streams = [stream(seed, "array intensities", sample.index) for sample in samples]
    for first in range(0, design.size, CHUNK):
        rows = slice(first, min(first + CHUNK, design.size))
        here = np.ascontiguousarray(alleles[:, rows])
        m = here.shape[1]
        calls, reasons = np.empty((m, n), np.int8), np.empty((m, n), np.int8)
        values = np.empty((m, n, kernels.N_VALUES), np.int32)
        for k, (chip, rng) in enumerate(zip(chips, streams, strict=True)):
            chance, noise = rng.random((2, m), np.float32), rng.standard_normal((2, m), np.float32)
            other = np.zeros(m, np.int8)
            if samples[k].contamination:
                other = (rng.random((2, m), np.float32) < markers.frequency[rows]).sum(axis=0).astype(np.int8)
            kernels.read_chip(
                here[k], design.a_is_ref[rows], markers.copies[rows], markers.failed[rows], found.theta[rows],
                found.r[rows], found.dev_theta[rows], found.score[rows], chance, noise, other, chip, k, calls, reasons,
                values,
            )  # fmt: skip
        alternates = (here == 1).sum(axis=2).T.astype(np.int8)
        copies = alternates + (here == 0).sum(axis=2).T.astype(np.int8)
        yield Shown(first, calls, reasons, values, copies, alternates)
