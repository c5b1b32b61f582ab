"""How many copies of a site each sample has, and which genotypes cannot be read.

Classes of sites: diploid (chromosomes 1 to 22, and the pseudo-autosomal regions), X, Y and MT.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix import genome
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.inputs import read_sexes
from cohelix.genotypes.packed.counting import masks_of
from cohelix.genotypes.packed.kernels import LOW

CLASSES = ("diploid", "X", "Y", "MT")

CLASS_OF = {"autosome": 0, "PAR": 0, "X": 1, "Y": 2, "MT": 3}
"""Class of a site by its region in the table of matched sites."""


@dataclass(frozen=True)
class Ploidy:
    """copies int8 (classes, samples): 0, 1 or 2; unread bool (samples,): the sex is not known, and neither is what a
    genotype on X means; sexes as they were taken; n_unknown: of how many samples the sex was not stated.
    """

    copies: np.ndarray
    unread: np.ndarray
    sexes: list[str]
    n_unknown: int


def ploidy_of(callset: Callset, sexes: str | None) -> Ploidy:
    """From the table `sexes` where one is given, else from the callset.

    Where the sex is not stated, haploid calls tell: more of them than the callset has sites on MT are a man's X or Y.
    Others count as having two X; none of their genotypes there can be trusted, and none is.
    """
    samples = callset.samples()
    ids = samples.column("sample_id").to_pylist()
    stated = read_sexes(sexes, ids) if sexes is not None else samples.column("sex").to_pylist()
    haploid = samples.column("n_haploid_ref").to_numpy() + samples.column("n_haploid_alt").to_numpy()
    n_on_mt = sum(shard.n_sites for shard in callset.shards if genome.plain_name(shard.contig) in ("M", "MT"))
    unknown = np.array([sex == "unknown" for sex in stated])
    shown = unknown & (haploid > n_on_mt)
    male = np.array([sex == "male" for sex in stated]) | shown
    copies = np.full((len(CLASSES), len(ids)), 2, np.int8)
    copies[1, male] = 1
    copies[2] = male
    copies[3] = 1
    taken = ["male" if is_male else sex for sex, is_male in zip(stated, male.tolist(), strict=True)]
    return Ploidy(copies, unknown & ~shown, taken, int(unknown.sum()))


@dataclass(frozen=True)
class Cells:
    """Samples of equal ploidy and group. code int32 (samples,); copies int8 and group int32 (cells,), -1 for the whole
    cohort; masks uint64 (cells, words), as counting takes them.
    """

    code: np.ndarray
    copies: np.ndarray
    group: np.ndarray
    masks: np.ndarray


def cells_of(copies: np.ndarray, groups: np.ndarray) -> Cells:
    """From copies int8 (samples,) of one class, and group int32 (samples,), -1 for none."""
    pairs, code = np.unique(np.stack([copies.astype(np.int32), groups]), axis=1, return_inverse=True)
    code = code.reshape(-1).astype(np.int32)
    return Cells(code, pairs[0].astype(np.int8), pairs[1].astype(np.int32), masks_of(code, pairs.shape[1]))


@dataclass(frozen=True)
class Reading:
    """Masks of a class: whose genotypes are haploid, absent, or not to be read. None where all are diploid."""

    haploid: np.ndarray
    absent: np.ndarray
    unread: np.ndarray


def reading_of(ploidy: Ploidy, kind: int) -> Reading | None:
    """The masks of class `kind`, uint64 (words,) each."""
    if kind == 0:
        return None
    copies = ploidy.copies[kind]
    unread = ploidy.unread if kind == 1 else np.zeros(len(copies), bool)
    haploid, absent, unread = (masks_of(np.where(chosen, 0, -1), 1)[0] for chosen in (copies == 1, copies == 0, unread))
    return Reading(haploid, absent, unread)


def apply_reading(block: np.ndarray, reading: Reading | None) -> None:
    """In a packed block: a heterozygous genotype of a haploid place is missing, and who has no copy has a 0."""
    if reading is None:
        return
    het = block & ~(block >> np.uint64(1)) & LOW & reading.haploid
    block |= het << np.uint64(1)
    block |= reading.unread | (reading.unread << np.uint64(1))
    block &= ~(reading.absent | (reading.absent << np.uint64(1)))
