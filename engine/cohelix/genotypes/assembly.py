"""Building a callset from somebody else's genotypes: the part that every input format shares.

Rows come sorted, one alternate allele each. A call that contradicts the ploidy (a het where a man has one X,
any call where a woman has no Y) becomes missing and is counted as `missing_ploidy`. For every site,
n_called and the `missing_` columns add up to the number of samples.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset, genome
from cohelix.dataset import FileEntry, Writer
from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genome import Contig
from cohelix.genotypes import alleles, callset, counts, schema
from cohelix.genotypes.callset import Callset, Shard
from cohelix.provenance import provenance

SHARD_GENOTYPES = 1 << 28
"""At most so many genotypes in an imported shard: 64 MiB packed, 256 MiB as int8."""

SHARD_ROWS = 1 << 16
"""At most so many sites in an imported shard: one PGEN variant block, which has one index entry."""

HALF_CALL, DELETION, PLOIDY_CONFLICT = "half_call", "deletion", "ploidy"
"""Reasons in the partial table of an imported callset."""


@dataclass(frozen=True, order=True)
class Site:
    """One row: 1-based position, trimmed alleles; the identifier and filter that the input gave, and the values of the
    builder's `annotations`.
    """

    position: int
    ref: str
    alt: str
    source_id: str = field(default=".", compare=False)
    filter: str = field(default=".", compare=False)
    annotations: tuple[float, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Half:
    """A genotype that is missing in PGEN although something is known: alleles as in `schema.PARTIAL_ALLELES`."""

    row: int
    sample: int
    first: str
    second: str

    @property
    def reason(self) -> str:
        return DELETION if "*" in (self.first, self.second) else HALF_CALL


def shard_rows(n_samples: int) -> int:
    """How many sites an imported shard may hold."""
    return max(1, min(SHARD_ROWS, SHARD_GENOTYPES // max(1, n_samples)))


class Builder:
    """Collects shards and counts, and commits them as one version of a callset.

    annotations: columns of the sites table whose values (float64, NaN missing) the sites bring.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        build: str,
        contigs: Sequence[Contig],
        sample_ids: list[str],
        sexes: list[str],
        annotations: Sequence[str] = (),
    ) -> None:
        callset.check_sample_ids(sample_ids)
        self.writer, self.build, self.contigs = writer, build, tuple(contigs)
        self.sample_ids, self.sexes, self.annotations = sample_ids, sexes, tuple(annotations)
        self.shards: list[Shard] = []
        self.files: list[FileEntry] = []
        self.per_sample = np.zeros((len(sample_ids), 7), np.int64)

    def add(
        self,
        contig: str,
        start: int,
        end: int,
        sites: Sequence[Site],
        blocks: Callable[[], Iterable[np.ndarray]],
        halves: Sequence[Half] = (),
    ) -> None:
        """Write the shard [start, end) of `contig`. `blocks()` is read twice: counted first, then written.

        Blocks are int8 (variants, samples in the order of `sample_ids`) and may be changed in place.
        """
        positions = np.array([site.position for site in sites], np.int32)
        ploidy = counts.ploidy_of(self.build, contig, positions, self.sexes)
        counted, conflicts = self._count(blocks(), ploidy)
        # Where a sample has no copy, nothing can be half known.
        halves = [half for half in halves if ploidy.table[ploidy.classes[half.row], half.sample]]
        partial = _partial_table(halves, conflicts)
        table = self._sites_table(contig, positions, sites, counted, halves)
        shard, files = callset.write_shard(
            self.writer,
            name=genome.Bin(0, start, end, contig).name,
            contig=contig,
            start=start,
            end=end,
            build=self.build,
            sites=table,
            blocks=_without_conflicts(blocks(), ploidy),
            sample_ids=self.sample_ids,
            sexes=self.sexes,
            partial=partial,
        )
        self.shards.append(shard)
        self.files.extend(files)

    def commit(self, *, alleles_are: str, params: dict[str, Any], provenance: dict[str, Any], after: int) -> Callset:
        """Write the samples table and make the version visible. InputError where there was not one site."""
        if not self.shards:
            raise InputError("expected at least one variant site, found none. Check that the input is not empty.")
        n_sites = sum(shard.n_sites for shard in self.shards)
        table = pa.table(
            {
                "sample_id": pa.array(self.sample_ids),
                "sex": pa.array(self.sexes),
                "n_sites": pa.array(np.full(len(self.sample_ids), n_sites, np.int64)),
            }
            | counts.called_columns(self.per_sample)
        )
        return callset.commit_callset(
            self.writer,
            build=self.build,
            contigs=self.contigs,
            shards=self.shards,
            samples=callset.write_samples(self.writer, table),
            n_samples=len(self.sample_ids),
            files=self.files,
            alleles=alleles_are,
            params=params,
            provenance=provenance,
            after=after,
        )

    def _count(self, blocks: Iterable[np.ndarray], ploidy: counts.Ploidy) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """Counts (variants, 7) and the (row, sample) of hets where one copy exists."""
        parts, conflicts, row = [], [], 0
        for block in blocks:
            here = ploidy.rows(row, row + len(block))
            parts.append(counts.count_variants(block, here))
            self.per_sample += counts.count_samples(block, here)
            for index in np.flatnonzero(parts[-1][:, counts.CONFLICT]):
                het = np.flatnonzero((block[index] == 1) & (here.table[here.classes[index]] == 1))
                conflicts += [(row + int(index), int(sample)) for sample in het]
            row += len(block)
        return np.concatenate(parts), conflicts

    def _sites_table(
        self, contig: str, positions: np.ndarray, sites: Sequence[Site], counted: np.ndarray, halves: Sequence[Half]
    ) -> pa.Table:
        by_reason = {HALF_CALL: np.zeros(len(sites), np.int64), DELETION: np.zeros(len(sites), np.int64)}
        for half in halves:
            by_reason[half.reason][half.row] += 1
        named = counted.sum(axis=1) + by_reason[HALF_CALL] + by_reason[DELETION]
        return pa.table(
            {
                "contig": pa.array([contig] * len(sites)),
                "position": pa.array(positions),
                "ref": pa.array([site.ref for site in sites]),
                "alt": pa.array([site.alt for site in sites]),
                "id": pa.array([f"{contig}:{site.position}:{site.ref}:{site.alt}" for site in sites]),
                "kind": pa.array([alleles.kind_of(site.ref, site.alt) for site in sites]),
            }
            | counts.site_columns(counted)
            | {
                "missing_no_call": pa.array(len(self.sample_ids) - named),
                "missing_half_call": pa.array(by_reason[HALF_CALL]),
                "missing_deletion": pa.array(by_reason[DELETION]),
                "missing_ploidy": pa.array(np.ascontiguousarray(counted[:, counts.CONFLICT])),
                "missing_no_copy": pa.array(np.ascontiguousarray(counted[:, counts.NO_COPY])),
                "source_id": pa.array([site.source_id for site in sites]),
                "filter": pa.array([site.filter for site in sites]),
            }
            | {
                name: pa.array(np.array([site.annotations[i] for site in sites], np.float64))
                for i, name in enumerate(self.annotations)
            }
        )


def cut(sites: Sequence[Site], limit: int) -> Iterator[tuple[int, int]]:
    """(first, last + 1) rows of pieces of about `limit` sites; rows of one position stay together."""
    first = 0
    while first < len(sites):
        last = min(first + limit, len(sites))
        while last < len(sites) and sites[last].position == sites[last - 1].position:
            last += 1
        yield first, last
        first = last


def distinct(contig: str, sites: Sequence[Site], *, duplicates: str) -> np.ndarray:
    """Indexes of sorted `sites` to keep: all of them, or with `duplicates="first"` the first of equal rows.

    InputError where two rows have the same position and alleles and `duplicates` is "error".
    """
    repeated = np.zeros(len(sites), bool)
    for index, (one, other) in enumerate(itertools.pairwise(sites), start=1):
        repeated[index] = one == other
    if repeated.any() and duplicates == "error":
        seen = sites[int(np.argmax(repeated))]
        raise InputError(
            f"expected each (position, ref, alt) once, found {contig}:{seen.position}:{seen.ref}:{seen.alt} twice "
            "(compared after trimming). Drop the duplicates (bcftools norm -d exact, plink2 --rm-dup), "
            "or pass --duplicates first."
        )
    return np.flatnonzero(~repeated)


def check_duplicates(duplicates: str) -> None:
    if duplicates not in ("error", "first"):
        raise ConfigError(f"expected duplicates to be 'error' or 'first', found {duplicates!r}.")


def check_build(build: str, contigs: Sequence[Contig]) -> str:
    """The build that was asked for, or the one that `contigs` show when `build` is "auto"."""
    seen = genome.build_of(contigs)
    if build == "auto":
        return seen
    if build not in ("GRCh37", "GRCh38", genome.UNKNOWN_BUILD):
        raise ConfigError(f"expected a build of GRCh37, GRCh38, unknown or auto, found {build!r}.")
    if genome.UNKNOWN_BUILD not in (seen, build) and seen != build:
        raise ReferenceMismatch(
            f"{build} was asked for, and the input's contig lengths are those of {seen}. Leave --build out."
        )
    return build


@contextmanager
def destination(
    root: str, params: dict[str, Any], inputs: Sequence[Path], *, overwrite: bool
) -> Iterator[tuple[Writer, int, dict[str, Any]]]:
    """(writer, version to follow, provenance) for a callset at `root`; where the work fails, its files are removed."""
    existing = dataset.find(root)
    if existing is not None and existing.kind != callset.KIND:
        raise InputError(f"{root} is a {existing.kind} data set; a callset needs a folder of its own.")
    if existing is not None and not overwrite:
        raise ConfigError(f"{root} holds a callset already. Choose another folder, or import with --force.")
    record = provenance("genotypes import", params, [("genotypes", _sha256(path)) for path in inputs])
    after = existing.version if existing else 0
    writer = dataset.begin(root, callset.KIND, record["digest"], after=after)
    with writer.working():
        yield writer, after, record


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _without_conflicts(blocks: Iterable[np.ndarray], ploidy: counts.Ploidy) -> Iterator[np.ndarray]:
    row = 0
    for block in blocks:
        counts.drop_conflicts(block, ploidy.rows(row, row + len(block)))
        yield block
        row += len(block)


def _partial_table(halves: Sequence[Half], conflicts: Sequence[tuple[int, int]]) -> pa.Table | None:
    rows = [(half.row, half.sample, half.first, half.second, half.reason) for half in halves]
    rows += [(row, sample, "0", "1", PLOIDY_CONFLICT) for row, sample in conflicts]
    if not rows:
        return None
    columns = zip(*sorted(rows), strict=True)
    fields = schema.arrow_schema(schema.PARTIAL)
    arrays = [pa.array(values, column.type) for values, column in zip(columns, fields, strict=True)]
    return pa.table(arrays, schema=fields)
