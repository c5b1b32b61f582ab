"""All regions of a sample on one line: what holds at each base, by number instead of by region and offset.

A *place* is the number of a base, counted over the regions in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.simulate.sequencing.artefacts import WAVE_BASES
from cohelix.simulate.sequencing.sample import Here, Sample

MITOCHONDRIAL_DEPTH = 80.0  # a cell has many mitochondria: depth there, as a multiple of that of one nuclear copy


@dataclass(frozen=True)
class Layout:
    """R regions and m segments in which nothing changes.

    begin (R + 1,): place of the first base of each region, then the number of bases. start (m,): place; copies, ploidy
    (m,): of chromosomes, there and called; lost (m,): fewer copies than in the rest of the region, a gene is deleted;
    own, foreign (m,): mean reads of the sample and of the contaminant, but for waves. wave_at, wave: knots of log depth
    by place.
    """

    regions: list[Here]
    begin: np.ndarray
    start: np.ndarray
    copies: np.ndarray
    ploidy: np.ndarray
    lost: np.ndarray
    own: np.ndarray
    foreign: np.ndarray
    wave_at: np.ndarray
    wave: np.ndarray

    @property
    def length(self) -> int:
        return int(self.begin[-1])

    def segment(self, places: np.ndarray) -> np.ndarray:
        """The segment (n,) that each of `places` (n,) lies in."""
        return np.searchsorted(self.start, places, side="right") - 1

    def depth_at(self, places: np.ndarray) -> np.ndarray:
        """(n,): depth relative to the segment's, as the waves have it."""
        return np.asarray(np.exp(np.interp(places, self.wave_at, self.wave)))


def lay_out(sample: Sample, regions: list[Here], amplitude: float) -> Layout:
    """Segments of all `regions`. `amplitude`: of the waves of depth, as a standard deviation of log depth."""
    begin = np.concatenate([[0], np.cumsum([here.region.length for here in regions])]).astype(np.int64)
    rows: list[tuple[int, int, int, int, int, float, float]] = []
    wave_at, wave = [], []
    for number, (here, first) in enumerate(zip(regions, begin.tolist(), strict=False)):
        foreign = here.contaminant.stretches if here.contaminant else [(0, here.region.length, 0)]
        factors = here.depth_factors
        cuts = {start for stretches in (here.copies, here.called_ploidy, foreign) for start, _, _ in stretches}
        cuts |= {edge for start, end, _ in factors for edge in (start, end)}
        many = MITOCHONDRIAL_DEPTH if here.region.chromosome == "MT" else 1.0
        for cut in sorted(cut for cut in cuts if cut < here.region.length):
            copies, ploidy = int(_value(here.copies, cut, 0)), int(_value(here.called_ploidy, cut, 0))
            other = int(_value(foreign, cut, 0))
            rows.append((first + cut, number, copies, other, ploidy, _value(factors, cut, 1.0), many))
        knots = here.artefacts.knots if here.artefacts else np.zeros(here.region.length // WAVE_BASES + 2)
        at = first + np.arange(knots.size) * WAVE_BASES
        inside = at < first + here.region.length
        wave_at += [at[inside], [first + here.region.length - 0.5]]
        wave += [knots[inside], knots[inside][-1:]]
    columns: list[np.ndarray] = [np.array(column) for column in zip(*rows, strict=True)]
    start, of, present, strangers, called, factor, times = columns
    lacking = called - present
    rest = np.minimum.reduceat(lacking, np.flatnonzero(np.append(True, of[1:] != of[:-1])))
    lost = (factor < 1) | (lacking > rest[of])
    half, share = sample.coverage / 2 * times, sample.contamination
    own, theirs = half * present * factor * (1 - share), half * strangers * share
    return Layout(
        regions, begin, start, present, called, lost, own, theirs,
        np.concatenate(wave_at), amplitude * np.concatenate(wave),
    )  # fmt: skip


def _value(stretches: list[tuple[int, int, int]] | list[tuple[int, int, float]], offset: int, rest: float) -> float:
    for start, end, value in stretches:
        if start <= offset < end:
            return value
    return rest
