"""Genotypes of the whole cohort, site by site: the phased truth, and a callset made without gVCFs.

Blocks of people leave what they are made of in scratch files; here it is read back region by region. Memory is that of
one region's pieces and of a block of sites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.genotypes import alleles as naming
from cohelix.genotypes import assembly, callset
from cohelix.genotypes.assembly import Site
from cohelix.simulate import kernels
from cohelix.simulate.cohort.context import Context
from cohelix.simulate.cohort.genomes import COPY, END, ROW, START, Genomes
from cohelix.simulate.people.pedigree import Block
from cohelix.simulate.population import NO_COPY
from cohelix.simulate.regions import BUILD, contigs

BLOCK_VALUES = 1 << 25  # alleles held at once
KEPT_VALUES = 1 << 28  # calls of a region that are kept, so that they are made once
_OWN = pa.schema(
    [("region", pa.int32()), ("offset", pa.int32()), ("ref", pa.string()), ("alt", pa.string()), ("person", pa.int32()),
     ("copy", pa.int8())]
)  # fmt: skip


def keep_block(scratch: Path, block: Block, genomes: Genomes, of_person: list[int]) -> None:
    """What the people of a block are made of: (region, person, copy, start, end, row) and sites of their own."""
    mosaics, own = [], []
    for person, human in zip(block.persons, of_person, strict=True):
        for region, pieces in enumerate(genomes.pieces[human]):
            named = np.empty((len(pieces), 6), np.int32)
            named[:, 0], named[:, 1] = region, person.number
            named[:, 2:] = pieces[:, [COPY, START, END, ROW]]
            mosaics.append(named)
            for site, copy in genomes.own_sites(human, region):
                own.append((region, site.offset, site.ref, site.alt, person.number, copy))
    rows = np.concatenate(mosaics)
    np.save(scratch / f"mosaic-{block.number}.npy", rows[np.argsort(rows[:, 0], kind="stable")])
    columns = list(zip(*sorted(own), strict=True)) or [()] * len(_OWN)
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, _OWN, strict=True)], schema=_OWN)
    pq.write_table(table, scratch / f"own-{block.number}.parquet")


@dataclass(frozen=True)
class _Row:
    """One alternate allele: of the panel's site `place`, or of people's own, with the (person, copy) who carry it."""

    position: int
    ref: str
    alt: str
    place: int
    allele: int
    carriers: tuple[tuple[int, int], ...] = ()

    @property
    def key(self) -> tuple[int, str, str]:
        return self.position, self.ref, self.alt


class RegionGenotypes:
    """All genotypes of one region. rows: alternate alleles that somebody carries, in order of position, ref, alt."""

    def __init__(self, context: Context, region: int) -> None:
        self._context, self._region = context, context.plan.regions[region]
        self._panel = context.panels[region]
        self._pieces = pieces_of(context, region)
        offset = self._panel.sites.offset
        low = np.searchsorted(offset, self._pieces[:, 3])
        high = np.searchsorted(offset, self._pieces[:, 4])
        carried = np.zeros((offset.size, 2), np.int64)
        kernels.count_alleles(self._panel.alleles, self._pieces[:, 5].astype(np.int64), low, high, carried)
        self.rows = sorted([*self._of_panel(carried), *self._of_people()], key=lambda row: row.key)
        self.n_copies = max(2, int(self._pieces[:, 2].max(initial=0)) + 1)

    @property
    def block_rows(self) -> int:
        return max(1, BLOCK_VALUES // (self._context.plan.n_persons * self.n_copies))

    def blocks(self) -> Iterator[np.ndarray]:
        """(V, N, 2) int8 of consecutive rows: 1 where a copy is the alternate, otherwise 0; -9 without a copy."""
        for first in range(0, len(self.rows), self.block_rows):
            yield self._block(self.rows[first : first + self.block_rows])

    def _block(self, rows: Sequence[_Row]) -> np.ndarray:
        out = np.empty((len(rows), self._context.plan.n_persons, 2), np.int8)
        places = np.unique(np.array([row.place for row in rows if row.place >= 0], np.int64))
        column_of = {place: k for k, place in enumerate(places.tolist())}
        own = [row for row in rows if row.place < 0]
        found = self._of_places(places)
        others = self._beside(np.array([row.position - 1 - self._region.start for row in own], np.int64))
        beside = iter(others)
        for k, row in enumerate(rows):
            here = found[column_of[row.place]] if row.place >= 0 else next(beside)
            for person, copy in row.carriers:
                here[person, copy] = row.allele
            kernels.two_copies(here, row.allele, NO_COPY, out[k])
        return out

    def _of_places(self, places: np.ndarray) -> np.ndarray:
        """(P, N, K) int8 at sites of the panel."""
        panel = np.ascontiguousarray(self._panel.alleles[:, places].T) if places.size else np.empty((0, 1), np.int8)
        return self._gathered(panel, self._panel.sites.offset[places])

    def _beside(self, offsets: np.ndarray) -> np.ndarray:
        """(V, N, K) int8 at other offsets, ascending: 0, or `NO_COPY`."""
        return self._gathered(np.zeros((offsets.size, int(self._pieces[:, 5].max(initial=0)) + 1), np.int8), offsets)

    def _gathered(self, panel: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        n, pieces = self._context.plan.n_persons, self._pieces
        out = np.full((offsets.size, n * self.n_copies), NO_COPY, np.int8)
        target = pieces[:, 1].astype(np.int64) * self.n_copies + pieces[:, 2]
        low, high = np.searchsorted(offsets, pieces[:, 3]), np.searchsorted(offsets, pieces[:, 4])
        kernels.gather_sites(panel, target, pieces[:, 5].astype(np.int64), low, high, out)
        return out.reshape(offsets.size, n, self.n_copies)

    def _of_panel(self, carried: np.ndarray) -> list[_Row]:
        sites, begin, found = self._panel.sites, self._region.start, []
        for place, which in zip(*(index.tolist() for index in np.nonzero(carried)), strict=True):
            position, ref, alt = naming.trim(
                begin + int(sites.offset[place]) + 1, sites.ref[place], sites.alts[place][which]
            )
            found.append(_Row(position, ref, alt, place, which + 1))
        return found

    def _of_people(self) -> list[_Row]:
        carriers: dict[tuple[int, str, str], list[tuple[int, int]]] = {}
        for row in _own_sites(self._context.scratch, self._context.plan.n_blocks, self._region.index).to_pylist():
            key = naming.trim(self._region.start + row["offset"] + 1, row["ref"], row["alt"])
            carriers.setdefault(key, []).append((row["person"], row["copy"]))
        return [_Row(*key, -1, 1, tuple(found)) for key, found in carriers.items()]


def _own_sites(scratch: Path, n_blocks: int, region: int) -> pa.Table:
    """Rows of _OWN in a region, people in order."""
    every, regions = _all_own_sites(scratch, n_blocks)
    low, high = np.searchsorted(regions, [region, region + 1]).tolist()
    return every.slice(low, high - low)


@lru_cache(maxsize=1)
def _all_own_sites(scratch: Path, n_blocks: int) -> tuple[pa.Table, np.ndarray]:
    """Rows of all blocks by region, and the region of each: some 40 bytes a row, and few rows a person."""
    table = pa.concat_tables([pq.read_table(scratch / f"own-{number}.parquet") for number in range(n_blocks)])
    region = table.column("region").to_numpy()
    order = np.argsort(region, kind="stable")
    return table.take(pa.array(order)), region[order]


def pieces_of(context: Context, region: int) -> np.ndarray:
    """(n, 6): region, person, copy, start, end, row of everybody's pieces of a region."""
    parts = []
    for number in range(context.plan.n_blocks):
        rows = np.load(context.scratch / f"mosaic-{number}.npy", mmap_mode="r")
        low, high = np.searchsorted(rows[:, 0], [region, region + 1])
        parts.append(np.array(rows[low:high]))
    return np.concatenate(parts)


def write_truth(context: Context, prefix: Path) -> None:
    """`prefix`.pgen, .pvar, .psam:

    phased; one column a person, named by number. Where a person has one copy, both are it.
    """
    import pgenlib

    regions = [RegionGenotypes(context, region.index) for region in context.plan.regions]
    n, n_rows = context.plan.n_persons, sum(len(region.rows) for region in regions)
    writer = pgenlib.PgenWriter(
        str(prefix.with_suffix(".pgen")).encode(), n, n_rows, nonref_flags=False, hardcall_phase_present=True
    )
    names: dict[str, list[object]] = {name: [] for name in ("contig", "position", "id", "ref", "alt")}
    for region, home in zip(regions, context.plan.regions, strict=True):
        for block in region.blocks():
            writer.append_alleles_batch(
                np.ascontiguousarray(block.reshape(len(block), -1).astype(np.int32)), all_phased=True
            )
        for row in region.rows:
            words = (
                home.contig.name,
                row.position,
                f"{home.contig.name}:{row.position}:{row.ref}:{row.alt}",
                row.ref,
                row.alt,
            )
            for column, word in zip(names.values(), words, strict=True):
                column.append(word)
    writer.close()
    prefix.with_suffix(".pvar").write_bytes(callset.pvar_bytes(pa.table(names), BUILD))
    sexes = pq.read_table(prefix.with_name("people.parquet"), columns=["sex"]).column("sex").to_pylist()
    prefix.with_suffix(".psam").write_bytes(callset.psam_bytes([f"P{k:08d}" for k in range(n)], sexes))


def write_callset(
    context: Context, root: Path, samples: Sequence[tuple[str, int, str]], record: dict[str, object]
) -> None:
    """A callset of `samples` (id, person, sex) straight from the haplotypes: every genotype called, and right."""
    from cohelix import dataset

    ordered = sorted(samples, key=lambda sample: sample[0].encode())
    people = np.array([person for _, person, _ in ordered], np.int64)
    writer = dataset.begin(str(root), callset.KIND, record["digest"], after=0)
    with writer.working():
        builder = assembly.Builder(
            writer, build=BUILD, contigs=contigs(), sample_ids=[name for name, _, _ in ordered],
            sexes=[sex for _, _, sex in ordered],
        )  # fmt: skip
        for home in context.plan.regions:
            region = RegionGenotypes(context, home.index)
            if region.rows:
                sites = [Site(*row.key) for row in region.rows]
                builder.add(home.contig.name, home.start, home.end, sites, _hard_calls(region, people))
        builder.commit(alleles_are="left-aligned", params={"source": "simulate cohort"}, provenance=record, after=0)


def _hard_calls(region: RegionGenotypes, people: np.ndarray) -> Callable[[], Iterator[np.ndarray]]:
    """Blocks of calls of `people`, which are asked for twice: made once where a region's fit in memory."""
    kept: list[np.ndarray] = []
    keep = len(region.rows) * people.size <= KEPT_VALUES

    def blocks() -> Iterator[np.ndarray]:
        if kept:
            yield from kept
            return
        for block in region.blocks():
            calls = block[:, :, 0] + block[:, :, 1]
            calls[calls < 0] = -9
            chosen = np.ascontiguousarray(calls[:, people])
            if keep:
                kept.append(chosen)
            yield chosen

    return blocks
