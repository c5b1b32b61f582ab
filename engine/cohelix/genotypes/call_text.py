"""Genotypes as text, one character each: the bridge over which a cluster hands a matrix to numpy, in parallel and once.

A line is `contig <tab> source position <tab> position <tab> ref <tab> alt <tab> calls`, `calls` being one character
per sample: `.` missing, `0` `1` `2` copies of the alternate allele of two, `r` reference and `a` alternate where one
copy exists. Lines come in the order of (contig, source position). `position`, `ref` and `alt` are trimmed, so
`position` may lie behind the source position, and two lines may describe the same allele: such lines become one row.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from isal import igzip

from cohelix import genome, storage
from cohelix.dataset import FileEntry, Writer
from cohelix.errors import ContractError
from cohelix.genome import Bin
from cohelix.genotypes import alleles, callset
from cohelix.genotypes.callset import Callset, Shard

BLOCK_BYTES = 16 << 20
"""Genotypes decoded at a time, one byte each: bounds memory whatever the number of samples."""

CODES = b".012ra"
_HARD_CALL = np.full(256, 127, np.int8)
_HARD_CALL[list(CODES)] = [callset.MISSING, 0, 1, 2, 0, 2]
_EVIDENCE = np.zeros(256, np.uint8)
_EVIDENCE[list(CODES)] = [0, 1, 2, 3, 1, 3]
"""Which of two calls of the same allele stays: an alternate call before a reference call before none."""

COUNTS = ("n_called", "n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt")


@dataclass
class Spool:
    """The rows of one bin on a scratch file: `sites` (position, ref, alt), and as many rows of one byte per sample."""

    bin: Bin
    path: Path
    handle: BinaryIO
    sites: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, site: tuple[int, str, str], calls: bytes) -> None:
        self.sites.append(site)
        self.handle.write(calls)


@dataclass
class Totals:
    """Counts per sample over all shards: int64 (samples,) for each of COUNTS; `n_sites`; rows that fell together."""

    per_sample: dict[str, np.ndarray]
    n_sites: int = 0
    n_collapsed: int = 0


def bins(parts: Iterable[str], *, contigs: Sequence[str], n_samples: int, bin_bp: int, folder: Path) -> Iterator[Spool]:
    """The lines of gzip files `parts` (read in turn) by genome bin, each bin as soon as it is complete.

    The caller removes the bin's file. ContractError where a line is out of order or has another number of genotypes.
    """
    rank = {name: index for index, name in enumerate(contigs)}
    spools: dict[int, Spool] = {}
    contig, last = "", 0
    try:
        for name, source, site, calls in _lines(parts, n_samples):
            if name != contig:
                yield from _finished(spools, None)
                contig, last = name, 0
            if source < last:
                raise ContractError("lines of genotypes are not in the order of the genome.")
            last = source
            yield from _finished(spools, (last - 1) // bin_bp)
            number = (site[0] - 1) // bin_bp
            if number not in spools:
                place = Bin(rank[name], number * bin_bp, (number + 1) * bin_bp, name)
                path = folder / place.name
                spools[number] = Spool(place, path, path.open("wb"))
            spools[number].add(site, calls)
        yield from _finished(spools, None)
    finally:
        for spool in spools.values():
            spool.handle.close()


def _lines(parts: Iterable[str], n_samples: int) -> Iterator[tuple[str, int, tuple[int, str, str], bytes]]:
    """(contig, source position, (position, ref, alt), calls) of each line."""
    for part in parts:
        with storage.as_local_file(part) as local, gzip.open(local, "rb") as lines:
            for line in lines:
                head, _, calls = line.rstrip(b"\n").rpartition(b"\t")
                if len(calls) != n_samples:
                    raise ContractError(f"expected {n_samples} genotypes in a line, got {len(calls)}.")
                name, source, position, ref, alt = head.decode().split("\t")
                yield name, int(source), (int(position), ref, alt), calls


def _finished(open_spools: dict[int, Spool], below: int | None) -> Iterator[Spool]:
    for number in sorted(open_spools):
        if below is None or number < below:
            spool = open_spools.pop(number)
            spool.handle.close()
            yield spool


def no_totals(n_samples: int) -> Totals:
    return Totals({name: np.zeros(n_samples, np.int64) for name in COUNTS})


def write_bin(
    writer: Writer, spool: Spool, *, build: str, order: np.ndarray, sample_ids: list[str], sexes: list[str],
    totals: Totals,
) -> tuple[Shard, list[FileEntry]]:  # fmt: skip
    """Write one bin as a shard and add it to `totals`.

    `order` (samples,): for each sample of the callset, its column in the text. Rows are sorted by (position, ref, alt).
    """
    rows = np.memmap(spool.path, np.uint8, "r", shape=(len(spool.sites), len(order)))
    ranked = sorted(range(len(spool.sites)), key=spool.sites.__getitem__)
    groups: list[list[int]] = []
    for row in ranked:
        if groups and spool.sites[groups[-1][0]] == spool.sites[row]:
            groups[-1].append(row)
        else:
            groups.append([row])
    counts: dict[str, list[np.ndarray]] = {name: [] for name in COUNTS}
    for block in _blocks(rows, groups, order):
        for name, per_site, per_sample in _count(block):
            counts[name].append(per_site)
            totals.per_sample[name] += per_sample
    totals.n_sites += len(groups)
    totals.n_collapsed += len(ranked) - len(groups)
    sites = _sites(spool, groups, {name: np.concatenate(parts) for name, parts in counts.items()}, len(order))
    place = spool.bin
    return callset.write_shard(
        writer, name=place.name, contig=place.contig, start=place.start, end=place.end, build=build, sites=sites,
        blocks=(_HARD_CALL[block] for block in _blocks(rows, groups, order)), sample_ids=sample_ids, sexes=sexes,
    )  # fmt: skip


def samples_table(sample_ids: list[str], sexes: list[str], totals: Totals) -> pa.Table:
    """The samples table of a callset (`schema.SAMPLES`)."""
    columns = {"sample_id": pa.array(sample_ids, pa.string()), "sex": pa.array(sexes, pa.string())}
    columns["n_sites"] = pa.array(np.full(len(sample_ids), totals.n_sites, np.int64))
    return pa.table(columns | {name: pa.array(totals.per_sample[name]) for name in COUNTS})


def encode_shard(opened: Callset, shard: Shard) -> bytes:
    """A shard as gzip text; source position and position are the same.

    A PGEN file does not tell 1 of 1 from 2 of 2: men count as haploid on X and Y outside the pseudo-autosomal regions,
    and everybody on MT.
    """
    sites = opened.sites(shard).select(["contig", "position", "ref", "alt"]).to_pylist()
    sexes = opened.samples().column("sex").to_pylist()
    diploid, haploid = np.full(256, ord("."), np.uint8), np.full(256, ord("."), np.uint8)
    diploid[:3], haploid[:3] = list(b"012"), list(b"r.a")
    lines = []
    for start, block in callset.read_blocks(opened, shard):
        for site, row in zip(sites[start : start + len(block)], block.view(np.uint8), strict=True):
            one_copy = haploid_samples(opened.build, site["contig"], site["position"] - 1, sexes)
            calls = np.where(one_copy, haploid[row], diploid[row]) if one_copy.any() else diploid[row]
            head = f"{site['contig']}\t{site['position']}\t{site['position']}\t{site['ref']}\t{site['alt']}\t"
            lines.append(head.encode() + calls.tobytes() + b"\n")
    return bytes(igzip.compress(b"".join(lines)))


def haploid_samples(build: str, contig: str, start: int, sexes: Sequence[str]) -> np.ndarray:
    """bool (samples,): who has one copy of base `start`. Nobody whose sex is unknown, save on MT."""
    name = genome.plain_name(contig)
    if name == "MT":
        return np.ones(len(sexes), bool)
    in_par = any(low <= start < high for low, high in genome.par_of(build, contig))
    return np.array([name in ("X", "Y") and not in_par and sex == "male" for sex in sexes], bool)


def _blocks(rows: np.ndarray, groups: list[list[int]], order: np.ndarray) -> Iterator[np.ndarray]:
    """uint8 codes (variants, samples) in blocks; rows of a group merged by evidence, the first one winning a tie."""
    height = max(1, BLOCK_BYTES // max(1, len(order)))
    for start in range(0, len(groups), height):
        some = groups[start : start + height]
        block = rows[[group[0] for group in some]][:, order]
        for index, group in enumerate(some):
            for row in group[1:]:
                other = rows[row][order]
                stronger = _EVIDENCE[other] > _EVIDENCE[block[index]]
                block[index][stronger] = other[stronger]
        yield block


def _count(block: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, per site, per sample) counts of a block of codes."""
    called = block != ord(".")
    yield "n_called", called.sum(1, dtype=np.int64), called.sum(0, dtype=np.int64)
    for name, code in zip(COUNTS[1:], b"012ra", strict=True):
        seen = block == code
        yield name, seen.sum(1, dtype=np.int64), seen.sum(0, dtype=np.int64)


def _sites(spool: Spool, groups: list[list[int]], counts: dict[str, np.ndarray], n_samples: int) -> pa.Table:
    sites = [spool.sites[group[0]] for group in groups]
    contig = spool.bin.contig
    diploid = counts["n_hom_ref"] + counts["n_het"] + counts["n_hom_alt"]
    haploid = counts["n_haploid_ref"] + counts["n_haploid_alt"]
    if not np.array_equal(diploid + haploid, counts["n_called"]):
        raise ContractError("a line of genotypes holds a character that is no genotype.")
    columns: dict[str, pa.Array] = {
        "contig": pa.array([contig] * len(sites), pa.string()),
        "position": pa.array([position for position, _, _ in sites], pa.int32()),
        "ref": pa.array([ref for _, ref, _ in sites], pa.string()),
        "alt": pa.array([alt for _, _, alt in sites], pa.string()),
        "id": pa.array([f"{contig}:{position}:{ref}:{alt}" for position, ref, alt in sites], pa.string()),
        "kind": pa.array([alleles.kind_of(ref, alt) for _, ref, alt in sites], pa.string()),
    }
    columns |= {name: pa.array(counts[name]) for name in COUNTS}
    columns["ac"] = pa.array(counts["n_het"] + 2 * counts["n_hom_alt"] + counts["n_haploid_alt"])
    columns["an"] = pa.array(2 * diploid + haploid)
    columns["missing_no_call"] = pa.array(n_samples - counts["n_called"])
    return pa.table(columns)
