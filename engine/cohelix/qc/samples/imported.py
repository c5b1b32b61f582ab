"""The counts of an imported callset: one pass over its genotypes, a task per shard.

Gives what the joint call would have counted, without what only reads can tell. Sums are of integers, so that a result
does not depend on how shards are cut or in which order they are read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.genome import REGIONS
from cohelix.genotypes import alleles
from cohelix.genotypes.callset import Callset, Shard, open_callset
from cohelix.genotypes.packed.counting import sum_where
from cohelix.genotypes.packed.counting import tally_shard as tally_genotypes
from cohelix.genotypes.packed.reader import packed_blocks
from cohelix.qc.samples.metrics import SampleCounts, expected_homozygosity, sample_columns, y_sites
from cohelix.runtime.protocol import Runtime

TRANSITION, TRANSVERSION, INSERTION, DELETION, OTHER = range(5)
"""What a row changes."""

Y_PAR = len(REGIONS)
"""Place of one further region, which is added to "other" at the end: ploidy differs there."""
_SHAPE = (len(REGIONS) + 1, 5, 2, 2)
"""Classes of rows: region, change, whether both alleles are seen (it counts for F), whether one copy is (singleton)."""

MISSING_CODE = 3


@dataclass(frozen=True)
class Task:
    """One shard of a callset."""

    root: str
    version: int
    shard: Shard


@dataclass(frozen=True)
class Tally:
    """Counts of one shard.

    classes: int64 (classes,), places in `_SHAPE`. genotypes: int64 (classes, samples, 4). expected: region to int64
    (2, samples), the sums of expected homozygosity in 1e-9, without and with n/(n-1).
    conflicts: region to int64 (4, samples): hets where one copy exists, those of them that count for F, and their
    expected homozygosity, twice.
    """

    classes: np.ndarray
    genotypes: np.ndarray
    expected: dict[int, np.ndarray]
    conflicts: dict[int, np.ndarray]


def count_imported(callset: Callset, runtime: Runtime) -> SampleCounts:
    """Counts of every sample by region, and of what it carries."""
    version = callset.commit.version
    tasks = [Task(callset.root, version, shard) for shard in callset.shards]
    genotypes = np.zeros((int(np.prod(_SHAPE)), callset.n_samples, 4), np.int64)
    expected = np.zeros((_SHAPE[0], 2, callset.n_samples), np.int64)
    conflicts = np.zeros((_SHAPE[0], 4, callset.n_samples), np.int64)
    for tally in runtime.map(tally_shard, tasks, label="counting genotypes"):
        genotypes[tally.classes] += tally.genotypes
        for region, sums in tally.expected.items():
            expected[region] += sums
        for region, sums in tally.conflicts.items():
            conflicts[region] += sums
    by_class = genotypes.reshape(*_SHAPE, callset.n_samples, 4)
    sexes = np.array(callset.samples().column("sex").to_pylist())
    haploid = one_copy(sexes)
    regions = _regions(by_class, haploid, expected, conflicts)
    samples = sample_columns(callset.samples()) | _carried(by_class, haploid)
    return SampleCounts(samples, regions, y_sites(callset))


def one_copy(sexes: np.ndarray) -> np.ndarray:
    """bool (regions and Y_PAR, samples): where a sample has one copy, as `genotypes.counts` has it."""
    haploid = np.zeros((_SHAPE[0], len(sexes)), bool)
    haploid[REGIONS.index("x")] = sexes == "male"
    haploid[REGIONS.index("y")] = sexes != "female"
    haploid[REGIONS.index("mt")] = True
    haploid[Y_PAR] = sexes == "unknown"
    return haploid


def tally_shard(task: Task) -> Tally:
    """Read one shard once."""
    callset = open_callset(task.root, version=task.version)
    sites = callset.sites(task.shard)
    region = genome.region_of(callset.build, task.shard.contig, sites.column("position").to_numpy()).astype(np.int64)
    if genome.plain_name(task.shard.contig) == "Y":
        region[region == REGIONS.index("other")] = Y_PAR
    seen, weights = expected_homozygosity(sites)
    alone = sites.column("ac").to_numpy() == 1
    places = np.ravel_multi_index((region, _changes(sites), seen.astype(np.int64), alone.astype(np.int64)), _SHAPE)
    classes, row_class = np.unique(places, return_inverse=True)
    n_samples = callset.n_samples
    genotypes = tally_genotypes(callset, task.shard, row_class, len(classes))
    # Nearly all are called: what is missing is subtracted from what all would have.
    present = np.unique(region).tolist()
    of_regions = np.concatenate([np.where(region == code, weights, 0) for code in present]).T
    sums = np.repeat(of_regions.sum(axis=0)[None], n_samples, axis=0)
    for first, block in packed_blocks(callset, task.shard):
        sums -= sum_where(block, of_regions[first : first + len(block)], MISSING_CODE, n_samples)
    expected = {code: sums[:, 2 * place : 2 * place + 2].T for place, code in enumerate(present)}
    return Tally(classes, genotypes, expected, _conflicts(callset, task.shard, region, seen, weights))


def _changes(sites: pa.Table) -> np.ndarray:
    """int64 (sites,): `TRANSITION` to `OTHER`."""
    kinds = {"insertion": INSERTION, "deletion": DELETION}
    columns = (sites.column(name).to_pylist() for name in ("kind", "ref", "alt"))
    return np.array(
        [
            (TRANSVERSION, TRANSITION)[alleles.is_transition(ref, alt)] if kind == "snp" else kinds.get(kind, OTHER)
            for kind, ref, alt in zip(*columns, strict=True)
        ],
        np.int64,
    )


def _conflicts(
    callset: Callset, shard: Shard, region: np.ndarray, seen: np.ndarray, weights: np.ndarray
) -> dict[int, np.ndarray]:
    """Hets that import made missing because one copy exists there: they tell a wrong sex."""
    partial = callset.partial(shard)
    if partial is None:
        return {}
    chosen = np.array(partial.column("reason").to_pylist()) == "ploidy"
    row = partial.column("row").to_numpy()[chosen]
    sample = partial.column("sample").to_numpy()[chosen]
    out: dict[int, np.ndarray] = {}
    for code in np.unique(region[row]).tolist():
        here = region[row] == code
        out[code] = np.zeros((4, callset.n_samples), np.int64)
        for place, values in enumerate((np.ones(len(seen), np.int64), seen.astype(np.int64), *weights)):
            np.add.at(out[code][place], sample[here], values[row[here]])
    return out


def _regions(
    by_class: np.ndarray, haploid: np.ndarray, expected: np.ndarray, conflicts: np.ndarray
) -> dict[str, np.ndarray]:
    """int64 (samples, regions) of each count.

    On X, F counts the one copy of a man as homozygous, and the hets he should not have as het.
    """
    every = by_class.sum(axis=(1, 2, 3))  # regions, samples, genotype
    diploid, single = ~haploid, haploid
    for_f = by_class[:, :, 1].sum(axis=(1, 2))
    counted = {
        "n_sites": every.sum(axis=2),
        "n_called": every[..., :3].sum(axis=2),
        "n_hom_ref": every[..., 0] * diploid,
        "n_het": every[..., 1].copy(),
        "n_hom_alt": every[..., 2] * diploid,
        "n_haploid_ref": every[..., 0] * single,
        "n_haploid_alt": every[..., 2] * single,
        "n_ploidy_conflict": conflicts[:, 0].copy(),
        "n_f_called": for_f[..., :3].sum(axis=2) + conflicts[:, 1],
        "n_f_hom": for_f[..., 0] + for_f[..., 2],
        "f_expected_nano": expected[:, 0] + conflicts[:, 2],
        "f_expected_small_nano": expected[:, 1] + conflicts[:, 3],
    }
    for values in counted.values():
        values[REGIONS.index("other")] += values[Y_PAR]
    return {name: np.ascontiguousarray(values[:Y_PAR].T) for name, values in counted.items()}


def _carried(by_class: np.ndarray, haploid: np.ndarray) -> dict[str, np.ndarray]:
    """Alternate alleles that each sample carries, by what they change."""
    carried = by_class[..., 1] + by_class[..., 2]
    by_change = carried.sum(axis=(0, 2, 3))
    alone = carried[:, :, :, 1].sum(axis=(0, 2))
    het = by_class[..., 1].sum(axis=(0, 2, 3))
    hom = (by_class[..., 2].sum(axis=(2, 3)) * ~haploid[:, None, :]).sum(axis=0)
    snp, indel = [TRANSITION, TRANSVERSION], [INSERTION, DELETION]
    return {
        "n_non_ref": by_change.sum(axis=0),
        "n_snp": by_change[snp].sum(axis=0),
        "n_insertion": by_change[INSERTION],
        "n_deletion": by_change[DELETION],
        "n_transition": by_change[TRANSITION],
        "n_transversion": by_change[TRANSVERSION],
        "n_het_snp": het[snp].sum(axis=0),
        "n_hom_alt_snp": hom[snp].sum(axis=0),
        "n_het_indel": het[indel].sum(axis=0),
        "n_hom_alt_indel": hom[indel].sum(axis=0),
        "n_hom_alt_transition": hom[TRANSITION],
        "n_hom_alt_transversion": hom[TRANSVERSION],
        "n_hom_alt_insertion": hom[INSERTION],
        "n_hom_alt_deletion": hom[DELETION],
        "n_singleton": alone.sum(axis=0),
        "n_singleton_transition": alone[TRANSITION],
        "n_singleton_transversion": alone[TRANSVERSION],
    }
