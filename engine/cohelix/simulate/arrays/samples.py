"""The chips of a batch: which ones fail, whose DNA is not theirs alone, and which two were exchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.simulate.schema import ArrayParams
from cohelix.simulate.streams import stream

FAILED_CALL_RATE = (0.80, 0.96)
BESIDE = 8  # wells of a column of a plate: the well beside is so many samples on


@dataclass(frozen=True)
class ArraySample:
    """One chip. index: place among all array samples. call_rate: expected, over markers that can be called.
    contamination: share of the DNA that is another person's."""

    index: int
    sample_id: str
    batch: int
    failed: bool
    call_rate: float
    contamination: float


def draw_array_sample(params: ArrayParams, seed: int, index: int, sample_id: str, batch: int) -> ArraySample:
    """The chip of sample `index`: the same in a cohort of any size."""
    rng = stream(seed, "array sample", index)
    failed = bool(rng.random() < params.failed_samples)
    low, high = FAILED_CALL_RATE
    rate = rng.uniform(low, high) if failed else 1 - params.no_call * rng.gamma(4.0, 0.25)
    contaminated = rng.random() < params.contaminated
    fraction = float(params.contamination[rng.integers(len(params.contamination))]) if contaminated else 0.0
    return ArraySample(index, sample_id, batch, failed, float(min(max(rate, 0.0), 1.0)), fraction)


def draw_swaps(params: ArrayParams, seed: int, batch: int, n: int) -> np.ndarray:
    """(n,) permutation of the batch: sample k's chip holds the DNA of sample [k].

    Wells beside one another are exchanged. The first n of a larger batch are the same, but for a sample whose
    partner is not there yet.
    """
    rng = stream(seed, "array swaps", batch)
    order = np.arange(n)
    for column in range(0, n, 2 * BESIDE):
        for well, chance in enumerate(rng.random(BESIDE).tolist(), start=column):
            if chance < params.swapped and well + BESIDE < n:
                order[well], order[well + BESIDE] = well + BESIDE, well
    return order
