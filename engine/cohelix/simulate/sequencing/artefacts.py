"""What all samples of a cohort meet in one region: sites of false reads, stretches nobody can map, waves of depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.simulate.regions import Region
from cohelix.simulate.schema import SequencingParams
from cohelix.simulate.sequence import BASES, Reference
from cohelix.simulate.streams import stream

EDGE = 64  # bases at both ends of a region without artefacts
APART = 32  # bases between an artefact and the next site of the population
INDEL_SHARE = 0.4  # of artefacts: most false calls of short reads lie in repeats
LOWEST_SHARE, HIGHEST_SHARE = 0.05, 0.5  # of the reads at an artefact
FORWARD = 0.92  # of its reads lie on one strand
LOWEST_MAPPING, HIGHEST_MAPPING = 2_500, 5_000  # mapping quality there, in hundredths
SHARED_UNCALLED = 0.5  # of the bases without a call are so in all samples
SHARED_UNCALLED_BASES = 1_500  # mean length of such a stretch
WAVE_BASES = 500  # between two knots of the waves of depth


@dataclass(frozen=True)
class Artefacts:
    """A artefacts in the order of their offsets, M stretches nobody can map, and K knots of the waves of depth.

    offset (A,); ref, alt: alleles; share (A,): of the reads, where a sample is affected; prevalence (A,): of samples
    that are; forward (A,): of its reads on the forward strand; mapping (A,): mapping quality, hundredths. unmappable
    (M, 2): [start, end) offsets. knots (K,): depth in units of the batch's amplitude, at offsets 0, `WAVE_BASES`, ...
    """

    offset: np.ndarray
    ref: list[str]
    alt: list[str]
    share: np.ndarray
    prevalence: np.ndarray
    forward: np.ndarray
    mapping: np.ndarray
    unmappable: np.ndarray
    knots: np.ndarray


def region_artefacts(
    params: SequencingParams, seed: int, region: Region, reference: Reference, sites_offsets: np.ndarray
) -> Artefacts:
    """Drawn once for a cohort. No artefact lies within `APART` bases of one of `sites_offsets` (S,) or of another."""
    rng = stream(seed, "artefacts", region.index)
    count = int(rng.poisson(params.artefacts * region.length))
    chance = rng.random((count, 4))
    rows = [_artefact(reference, u) for u in chance.tolist()] if region.length > 4 * EDGE else []
    kept: dict[int, tuple[str, str]] = {}
    taken = np.sort(np.asarray(sites_offsets, np.int64))
    for offset, ref, alt in rows:
        low = int(np.searchsorted(taken, offset - APART))
        if low == taken.size or taken[low] > offset + len(ref) + APART:
            kept[offset] = (ref, alt)
            taken = np.insert(taken, np.searchsorted(taken, offset), offset)
    offsets = sorted(kept)
    n = len(offsets)
    share = rng.uniform(LOWEST_SHARE, HIGHEST_SHARE, n)
    prevalence = rng.beta(0.5, 1.5, n)  # a few in nearly all samples, most in some
    forward = np.where(rng.random(n) < 0.5, FORWARD, 1 - FORWARD)
    mapping = rng.integers(LOWEST_MAPPING, HIGHEST_MAPPING, n)
    stretches = rng.poisson(params.uncalled * SHARED_UNCALLED * region.length / SHARED_UNCALLED_BASES)
    start = np.sort(rng.integers(0, region.length, stretches))
    end = np.minimum(start + rng.geometric(1 / SHARED_UNCALLED_BASES, stretches), region.length)
    knots = rng.standard_normal(region.length // WAVE_BASES + 2)
    return Artefacts(
        np.array(offsets, np.int64),
        [kept[offset][0] for offset in offsets],
        [kept[offset][1] for offset in offsets],
        share, prevalence, forward, mapping, np.stack([start, end], axis=1), knots,
    )  # fmt: skip


def _artefact(reference: Reference, u: list[float]) -> tuple[int, str, str]:
    """(offset, ref, alt) made from 4 numbers in [0, 1); an indel is one unit of a repeat, left-aligned."""
    bases, n_repeats = reference.bases, int(reference.repeat_offsets.size)
    if u[0] < INDEL_SHARE and n_repeats:
        which = int(u[1] * n_repeats)
        start, unit = int(reference.repeat_offsets[which]) - 1, int(reference.repeat_units[which])
        if EDGE <= start < len(bases) - EDGE and bases[start] != bases[start + unit]:
            longer, shorter = bases[start : start + unit + 1], bases[start]
            return (start, longer, shorter) if u[2] < 0.6 else (start, shorter, longer)
    offset = EDGE + int(u[1] * (len(bases) - 2 * EDGE))
    others = [base for base in BASES if base != bases[offset]]
    return offset, bases[offset], others[int(u[3] * 3)]
