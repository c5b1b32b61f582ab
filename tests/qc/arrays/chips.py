"""Array files with planted faults, and what was planted: made from the simulator's parts, small enough for a test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from cohelix.simulate.arrays.manifest import write_manifest
from cohelix.simulate.arrays.samples import ArraySample
from cohelix.simulate.arrays.vcf import write_batch
from cohelix.simulate.population import NO_COPY
from cohelix.simulate.schema import ArrayParams
from tests.simulate.arrays import made as tests_made
from tests.simulate.arrays.made import SEED, Made

PARAMS = ArrayParams(
    markers_per_megabase=3_000, flipped=0.04, palindromic=0.15, failed_markers=0.04, duplicates=0.02, indels=0.04
)
BATCH = 60
N = 2 * BATCH
FAILED = (7, 66, 67)
"""Samples with call rates of 0.90, 0.94 and 0.96."""
CONTAMINATED = {10: 0.01, 11: 0.02, 12: 0.05, 13: 0.10, 14: 0.15, 70: 0.01, 71: 0.02, 72: 0.05, 73: 0.10, 74: 0.15}
TWINS = ((20, 80), (21, 22), (23, 85))
"""Pairs whose second sample has the DNA of the first."""
KARYOTYPES = {31: "XXY", 33: "X0", 35: "XYY", 36: "XXX"}


@dataclass(frozen=True)
class Chips:
    """Files in `folder`: batch1.vcf.gz, batch2.vcf.gz, manifest.csv, genome.fa. karyotypes: of each sample."""

    folder: Path
    made: Made
    alleles: np.ndarray
    karyotypes: list[str]

    @property
    def paths(self) -> list[str]:
        return [str(self.folder / f"batch{number}.vcf.gz") for number in (1, 2)]

    @property
    def ids(self) -> list[str]:
        return [sample_id(index) for index in range(N)]


def sample_id(index: int) -> str:
    """Ids that sort otherwise than samples do."""
    return f"S{index * 37 % 1000:03d}"


def make_chips(folder: Path, params: ArrayParams = PARAMS) -> Chips:
    made = tests_made.make(params)
    alleles = tests_made.people(made, N)
    alleles = np.concatenate([alleles, np.full((N, made.design.size, 1), NO_COPY, np.int8)], axis=2)
    karyotypes = ["XY" if index % 2 else "XX" for index in range(N)]
    for first, second in TWINS:
        alleles[second] = alleles[first]
        karyotypes[second] = karyotypes[first]
    for index, karyotype in KARYOTYPES.items():
        _give(made, alleles, index, karyotype)
        karyotypes[index] = karyotype
    rates = dict(zip(FAILED, (0.90, 0.94, 0.96), strict=True))
    for number in (1, 2):
        indexes = range((number - 1) * BATCH, number * BATCH)
        samples = [
            ArraySample(k, sample_id(k), number, k in FAILED, rates.get(k, 0.9985), CONTAMINATED.get(k, 0.0))
            for k in indexes
        ]
        path = folder / f"batch{number}.vcf.gz"
        write_batch(path, made.design, samples, alleles[indexes.start : indexes.stop], params, SEED, source="made")
    write_manifest(made.design, folder / "manifest.csv")
    write_reference(made, folder / "genome.fa")
    return Chips(folder, made, alleles, karyotypes)


def write_reference(made: Made, path: Path) -> None:
    """The bases of the panels where they lie, N elsewhere; each contig on one line."""
    contigs: dict[str, bytearray] = {}
    for region, panel in zip(made.regions, made.panels, strict=True):
        bases = contigs.setdefault(region.contig.name, bytearray())
        bases.extend(b"N" * (region.end - len(bases)))
        bases[region.start : region.end] = panel.reference.bases.encode()
    with path.open("wb") as handle:
        for name, bases in contigs.items():
            handle.write(b">" + name.encode() + b"\n" + bases + b"\n")
    pysam.faidx(str(path))


def _give(made: Made, alleles: np.ndarray, index: int, karyotype: str) -> None:
    """Chromosomes X and Y outside the pseudo-autosomal regions as in `karyotype`, from those of other samples."""
    m = made.design.markers
    x = (m.contig == "chrX") & (m.position > tests_made.PAR1_END)
    y = m.contig == "chrY"
    alleles[index][x | y] = NO_COPY
    for copy in range(karyotype.count("X")):
        alleles[index][x, copy] = alleles[40 + copy][x, 0]
    for copy in range(karyotype.count("Y")):
        alleles[index][y, copy] = alleles[41][y, 0]
