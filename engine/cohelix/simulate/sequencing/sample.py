"""A sequenced sample, and what is in front of the sequencer in one region."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cohelix.simulate.haplotypes import CarriedHere
from cohelix.simulate.regions import Region
from cohelix.simulate.schema import SequencingParams
from cohelix.simulate.sequence import Reference
from cohelix.simulate.sequencing.artefacts import Artefacts
from cohelix.simulate.streams import stream

LOW_COVERAGE_SD = 0.1  # of the depth of low-coverage samples, as a share of it
LEAST_COVERAGE = 1.0
WAVE, WAVE_SD = 0.06, 0.25  # amplitude of the waves of depth along the genome, and the spread of its log over batches


@dataclass(frozen=True)
class Sample:
    """One sequenced sample.

    index: unique in the cohort. coverage: mean depth where there are two copies, batch effect included. contamination:
    share of reads that are another person's. dialect: "gatk" or "dragen".
    """

    index: int
    sample_id: str
    batch: int
    coverage: float
    contamination: float
    dialect: str
    low_coverage: bool


@dataclass(frozen=True)
class Here:
    """One region of one sample. All stretches are (start, end, value) in offsets from the region's start, in order.

    carried: the sample's own genome. contaminant: another person's, None where there is none. copies: how many
    copies there are of each base; covers the region. called_ploidy: what the caller takes for granted, 2, 1 or 0 (not
    called: no records); covers the region. A gene deleted from a chromosome is a stretch of fewer copies, its alleles
    there are `NO_COPY`. depth_factors: where depth is not what `copies` says (one of two chromosomes has the gene
    twice: 1.5; reads of the two chromosomes stay even). artefacts: what all samples have in common;
    None for a region without.
    """

    region: Region
    reference: Reference
    carried: CarriedHere
    contaminant: CarriedHere | None
    copies: list[tuple[int, int, int]]
    called_ploidy: list[tuple[int, int, int]]
    depth_factors: list[tuple[int, int, float]] = field(default_factory=list)
    artefacts: Artefacts | None = None


def draw_sample(params: SequencingParams, seed: int, index: int, sample_id: str, batch: int) -> Sample:
    """The sample `index`, of plate `batch`: the same whoever else is in the cohort."""
    rng = stream(seed, "sequenced sample", index)
    low, contaminated = bool(rng.random() < params.low_coverage), bool(rng.random() < params.contaminated)
    which, z = rng.random(), rng.standard_normal()
    mean, sd = params.coverage, params.coverage_sd
    if low:
        mean, sd = params.low_coverage_depth, LOW_COVERAGE_SD * params.low_coverage_depth
    coverage = (mean + sd * z) * float(np.exp(params.batch_effect * _of_batch(seed, batch)[0]))
    fractions = params.contamination
    fraction = fractions[int(which * len(fractions))] if contaminated else 0.0
    dialect = ("gatk", "dragen")[batch % 2] if params.dialect == "both" else params.dialect
    return Sample(index, sample_id, batch, max(coverage, LEAST_COVERAGE), fraction, dialect, low)


def wave_amplitude(seed: int, batch: int) -> float:
    """How much depth follows the waves of the genome in this batch: a standard deviation of log depth."""
    return WAVE * float(np.exp(WAVE_SD * _of_batch(seed, batch)[1]))


def _of_batch(seed: int, batch: int) -> list[float]:
    drawn: list[float] = stream(seed, "sequencing batch", batch).standard_normal(2).tolist()
    return drawn
