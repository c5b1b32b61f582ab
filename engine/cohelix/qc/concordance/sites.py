"""Sites at which an array and a genome can be compared, and those among them that make the fingerprint.

A site of the array is a site of the genomes where contig, position and the pair of alleles agree; REF and ALT may be
exchanged. Only SNPs of chromosomes 1 to 22 that are alone at their position in both callsets are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import dataset, genome
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genotypes.callset import Callset
from cohelix.qc.concordance import kernels
from cohelix.qc.schema import ConcordanceParams
from cohelix.runtime.protocol import Runtime

_BASES = "ACGT"
_AUTOSOMES = tuple(str(number) for number in range(1, 23))
_COLUMNS = ["position", "ref", "alt", "n_called", "ac", "an"]
_SITES_PER_TASK = 1 << 20  # rows of sites tables that one task looks through


@dataclass(frozen=True)
class Candidates:
    """SNPs of one callset, sorted by contig and position: arrays of one length.

    contig: 1 to 22. ref, alt: index in ACGT. ac, an: copies of ALT, and of any allele, among called genotypes.
    shard, row: where the genotypes are.
    """

    contig: np.ndarray
    position: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    ac: np.ndarray
    an: np.ndarray
    shard: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.position)

    @property
    def key(self) -> np.ndarray:
        """int64 that sorts as contig and position do."""
        key: np.ndarray = (self.contig.astype(np.int64) << 32) | self.position
        return key

    def take(self, indexes: np.ndarray) -> Candidates:
        return Candidates(*(getattr(self, field.name)[indexes] for field in fields(self)))


@dataclass(frozen=True)
class FingerprintSites:
    """Sites of the fingerprint, in genomic order: where they are in both callsets.

    flip: the array's REF is the genomes' ALT. found: how many sites were left after each step, for the record.
    """

    arrays: Candidates
    wgs: Candidates
    flip: np.ndarray
    found: dict[str, int]


@dataclass(frozen=True)
class _Look:
    callset: Callable[[], Callset]
    shards: tuple[int, ...]
    params: ConcordanceParams
    min_maf: float
    among: Callable[[], np.ndarray] | None  # keys of the other callset's candidates


def choose_sites(arrays: Callset, wgs: Callset, params: ConcordanceParams, runtime: Runtime) -> FingerprintSites:
    """The sites of the fingerprint. ReferenceMismatch where builds differ, InputError where no site is shared."""
    if arrays.build != wgs.build:
        raise ReferenceMismatch(
            f"expected arrays and genomes on one build, found {arrays.build} and {wgs.build}. "
            "Lift one of them over, or state the build when importing (cohelix genotypes import --build)."
        )
    of_arrays = _candidates(arrays, params, 0.0, None, runtime)
    of_wgs = _candidates(wgs, params, params.min_maf, runtime.share(of_arrays.key), runtime)
    found = {"n_sites_arrays": arrays.n_sites, "n_sites_wgs": wgs.n_sites, "n_array_candidates": len(of_arrays)}
    # Positions are distinct within each callset.
    _, in_arrays, in_wgs = np.intersect1d(of_arrays.key, of_wgs.key, assume_unique=True, return_indices=True)
    one, other = of_arrays.take(in_arrays), of_wgs.take(in_wgs)
    same = (one.ref == other.ref) & (one.alt == other.alt)
    flip = (one.ref == other.alt) & (one.alt == other.ref)
    agree = same | flip
    found["n_same_position"] = len(one)
    found["n_same_alleles"] = int(agree.sum())
    likely = _frequencies_agree(one, other, flip, params.max_frequency_difference)
    kept = np.flatnonzero(agree & likely)
    found["n_shared"] = len(kept)
    if not len(kept):
        raise InputError(
            f"expected common SNPs that arrays and genomes share, found none (of {len(of_arrays)} array markers, "
            f"{found['n_same_position']} lie at a common SNP of the genomes, {found['n_same_alleles']} with its "
            "alleles). Check that both callsets cover the same part of the genome, and that builds are what they say."
        )
    one, other, flip = one.take(kept), other.take(kept), flip[kept]
    chosen = fingerprint_of(other, params)
    found["n_fingerprint"] = len(chosen)
    return FingerprintSites(one.take(chosen), other.take(chosen), flip[chosen], found)


def fingerprint_of(candidates: Candidates, params: ConcordanceParams) -> np.ndarray:
    """Indexes of the sites taken, the most common first: `min_distance` apart, up to `max_sites`."""
    minor = np.minimum(candidates.ac, candidates.an - candidates.ac) / candidates.an
    order = np.argsort(-minor, kind="stable").astype(np.int64)  # of equal ones, the first along the genome
    indexes: np.ndarray = kernels.thin(
        order, candidates.contig, candidates.position, params.min_distance, params.max_sites
    )
    return indexes


def _frequencies_agree(arrays: Candidates, wgs: Candidates, flip: np.ndarray, limit: float) -> np.ndarray:
    one = arrays.ac / arrays.an
    one = np.where(flip, 1 - one, one)
    other = wgs.ac / wgs.an
    spread = np.sqrt(0.25 / arrays.an + 0.25 / wgs.an)  # that of a frequency of one half, the widest
    agree: np.ndarray = np.abs(one - other) <= limit + 5 * spread
    return agree


def _candidates(
    callset: Callset, params: ConcordanceParams, min_maf: float, among: Callable[[], np.ndarray] | None,
    runtime: Runtime,
) -> Candidates:  # fmt: skip
    shared = runtime.share(callset)
    tasks = [_Look(shared, shards, params, min_maf, among) for shards in _groups(callset)]
    parts = list(runtime.map(_look, tasks, label="sites"))
    joined = Candidates(*(
        np.concatenate([getattr(part, field.name) for part in parts]) if parts else np.zeros(0, np.int64)
        for field in fields(Candidates)
    ))  # fmt: skip
    return joined.take(np.argsort(joined.key, kind="stable"))


def _groups(callset: Callset) -> list[tuple[int, ...]]:
    """Autosomal shards in runs of about `_SITES_PER_TASK` sites."""
    groups: list[list[int]] = []
    filled = 0
    for index, shard in enumerate(callset.shards):
        if genome.plain_name(shard.contig) not in _AUTOSOMES:
            continue
        if not groups or filled + shard.n_sites > _SITES_PER_TASK:
            groups.append([])
            filled = 0
        groups[-1].append(index)
        filled += shard.n_sites
    return [tuple(group) for group in groups]


def _look(task: _Look) -> Candidates:
    among = None if task.among is None else task.among()
    parts = [_look_at(task, index, among) for index in task.shards]
    return Candidates(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Candidates)))


def _look_at(task: _Look, index: int, among: np.ndarray | None) -> Candidates:
    """Candidates of one shard; the numbers decide first, so that few rows are left when alleles are read as text."""
    callset = task.callset()
    shard = callset.shards[index]
    # of some fifty columns, those that are needed
    content = pa.BufferReader(dataset.read_file(callset.root, callset.commit.entry(shard.sites)))
    table = pq.ParquetFile(content).read(columns=_COLUMNS)
    position, called, ac, an = (
        table.column(name).to_numpy().astype(np.int64) for name in ("position", "n_called", "ac", "an")
    )
    minor = np.minimum(ac, an - ac)
    alone = np.ones(len(position), bool)
    alone[1:] &= position[1:] != position[:-1]
    alone[:-1] &= position[1:] != position[:-1]
    enough = (an > 0) & (called >= task.params.min_call_rate * callset.n_samples)
    usable = alone & enough & (minor > 0 if task.min_maf else True) & (minor >= task.min_maf * an)
    number = int(genome.plain_name(shard.contig))
    if among is not None:
        key = (np.int64(number) << 32) | position
        at = np.minimum(np.searchsorted(among, key), max(0, len(among) - 1))
        usable &= among[at] == key if len(among) else False
    rows = np.flatnonzero(usable)
    ref, alt = (_base_codes(table.column(name).take(pa.array(rows))) for name in ("ref", "alt"))
    snp = (ref >= 0) & (alt >= 0)
    if not task.params.palindromes:
        snp &= ref + alt != len(_BASES) - 1  # A and T, C and G
    rows = rows[snp]
    return Candidates(
        np.full(len(rows), number, np.int64), position[rows], ref[snp], alt[snp], ac[rows], an[rows],
        np.full(len(rows), index, np.int64), rows,
    )  # fmt: skip


def _base_codes(column: pa.ChunkedArray) -> np.ndarray:
    """Index in ACGT; -1 for what is not one of the four."""
    codes = {base: code for code, base in enumerate(_BASES)}
    return np.array([codes.get(text, -1) for text in column.to_pylist()], np.int64)
