"""The panel of one region on disk: reference bases, sites, and the alleles of all founder haplotypes.

    <index>.reference.npz     contig, start, end, bases, repeats
    <index>.sites.npz         offset, ref, alts (comma between), spans, frequency
    <index>.alleles.npy       (H, S) int8: rows of source k of SOURCES are those from k * per_source

A region is made from the seed and its own index alone, so that regions can be made in any order by any process.
Only one block of columns is in memory at a time, besides the trees.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cohelix.errors import ConfigError
from cohelix.genome import Contig
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.panel import columns, demography, naming
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.population import Sites, sites_of
from cohelix.simulate.regions import Region
from cohelix.simulate.schema import CohortParams
from cohelix.simulate.sequence import BASES, Reference, make_reference
from cohelix.simulate.streams import stream

BLOCK_BYTES = 32 << 20
STATES = 3


@dataclass(frozen=True)
class _Drawn:
    """Candidates in the order of the file. offset (C,); counts (C, sources, 3): copies of each state in the panel;
    reference (C,): state of the reference haplotype."""

    offset: np.ndarray
    counts: np.ndarray
    reference: np.ndarray


def make_region(
    folder: Path, region: Region, params: CohortParams, seed: int, *, placed: Sequence[tuple[int, str]] = ()
) -> None:
    """Write the panel of `region` to `folder`.

    placed: (offset, bases) that the reference shall have there, and no site of the panel on them.
    Raises ConfigError where a placed allele is beyond the region, and where msprime is missing in mode "linked".
    """
    made = make_reference(region.contig, region.start, region.end, stream(seed, "reference", region.index))
    reference = _with_placed(made, placed)
    raw = folder / f"{region.index}.columns"
    try:
        with raw.open("wb") as handle:
            drawn = _draw(handle, region, reference, params, stream(seed, "panel", region.index))
        _finish(folder, region, reference, drawn, raw, params.haplotypes, placed, seed)
    finally:
        raw.unlink(missing_ok=True)


def open_region(folder: Path, region: Region) -> RegionPanel:
    """The panel that `make_region` wrote; alleles stay on disk."""
    with np.load(folder / f"{region.index}.reference.npz") as parts:
        bases = parts["bases"].tobytes().decode()
        reference = Reference(
            Contig(str(parts["contig"]), int(parts["length"])),
            region.start, region.end, bases, parts["repeat_offsets"], parts["repeat_units"],
        )  # fmt: skip
    with np.load(folder / f"{region.index}.sites.npz") as parts:
        alts = [tuple(text.split(",")) for text in parts["alts"].tolist()]
        sites = Sites(parts["offset"], parts["ref"].tolist(), alts, parts["spans"], parts["frequency"])
    alleles = np.load(folder / f"{region.index}.alleles.npy", mmap_mode="r")
    return RegionPanel(reference, sites, alleles, alleles.shape[0] // len(SOURCES))


def _with_placed(reference: Reference, placed: Sequence[tuple[int, str]]) -> Reference:
    bases = reference.bases
    for offset, ref in placed:
        if offset < 0 or offset + len(ref) > len(bases) or not ref or set(ref) - set(BASES):
            place = f"{reference.contig.name}:{reference.start + offset + 1}"
            raise ConfigError(
                f"expected a placed allele of {BASES} that lies within its region, found one of {len(ref)} bases at "
                f"{place}. Name a region that holds it."
            )
        bases = bases[:offset] + ref + bases[offset + len(ref) :]
    return replace(reference, bases=bases)


def _draw(
    handle: BinaryIO, region: Region, reference: Reference, params: CohortParams, rng: np.random.Generator
) -> _Drawn:
    """Write the states of every candidate, a column of H bytes each."""
    make = columns.linked if params.mode == "linked" else columns.independent
    repeats = np.array(sorted(naming.units(reference)), np.int64)
    n = params.haplotypes
    offsets, counts, of_reference = [], [], []
    shift = np.arange(len(SOURCES))[:, None] * STATES
    for start, end, kind in demography.stretches(region):
        for offset, states in make(start, end, kind, repeats, n, rng):
            panel = states[:-1]
            found = np.bincount((panel.reshape(-1, n) + shift).ravel(), minlength=len(SOURCES) * STATES)
            offsets.append(offset)
            counts.append(found.reshape(-1, STATES).astype(np.int32))
            of_reference.append(int(states[-1]))
            handle.write(panel.tobytes())
    shape = (len(offsets), len(SOURCES), STATES)
    return _Drawn(np.array(offsets, np.int64), np.array(counts).reshape(shape), np.array(of_reference, np.int64))


def _finish(
    folder: Path,
    region: Region,
    reference: Reference,
    drawn: _Drawn,
    raw: Path,
    per_source: int,
    placed: Sequence[tuple[int, str]],
    seed: int,
) -> None:
    rng, units = stream(seed, "alleles", region.index), naming.units(reference)
    chance = rng.random((drawn.offset.size, 7)).tolist()
    rows, codes, source_row = [], [], []
    for c, (offset, counts, state) in enumerate(
        zip(drawn.offset.tolist(), drawn.counts, drawn.reference.tolist(), strict=True)
    ):
        coding = naming.coding(counts.sum(axis=0), state)
        if coding is not None:
            rows.append(naming.row(reference, offset, coding.n_alts, chance[c], units))
            codes.append(coding.code)
            source_row.append(c)
    boundaries = [start for start, _, _ in demography.stretches(region)[1:]]
    keep = naming.kept(rows, region.length, avoid=boundaries, taken=placed)
    code = np.array(codes, np.int8).reshape(-1, STATES)[keep]
    chosen = np.array(source_row, np.int64)[keep]
    carried = np.einsum("ckt,ct->ck", drawn.counts[chosen], (code > 0).astype(np.int64))
    sites = sites_of(rows, keep, carried / per_source)
    _write_reference(folder / f"{region.index}.reference.npz", reference)
    np.savez(
        folder / f"{region.index}.sites.npz", offset=sites.offset, ref=np.array(sites.ref, "U"),
        alts=np.array([",".join(alts) for alts in sites.alts], "U"), spans=sites.spans, frequency=sites.frequency,
    )  # fmt: skip
    _transpose(raw, folder / f"{region.index}.alleles.npy", chosen, code, per_source * len(SOURCES))


def _write_reference(path: Path, reference: Reference) -> None:
    np.savez(
        path, contig=np.array(reference.contig.name), length=np.array(reference.contig.length),
        bases=np.frombuffer(reference.bases.encode(), np.uint8),
        repeat_offsets=reference.repeat_offsets, repeat_units=reference.repeat_units,
    )  # fmt: skip


def _transpose(raw: Path, path: Path, chosen: np.ndarray, code: np.ndarray, n_haplotypes: int) -> None:
    """The columns `chosen` of the raw file, recoded by `code` (S, 3), as (H, S)."""
    shape = (n_haplotypes, chosen.size)
    if not chosen.size:
        np.save(path, np.zeros(shape, np.int8))
        return
    n_candidates = os.path.getsize(raw) // n_haplotypes
    np.lib.format.open_memmap(path, "w+", np.int8, shape).flush()
    block = max(1, BLOCK_BYTES // n_haplotypes)
    for start in range(0, chosen.size, block):
        part = slice(start, start + block)
        # Mapped anew for each block: pages of a mapping that stays open would all count as memory in use.
        states = np.memmap(raw, np.int8, "r", shape=(n_candidates, n_haplotypes))
        alleles = np.lib.format.open_memmap(path, "r+")
        here, (first, second, third) = states[chosen[part]], code[part].T[:, :, None]
        alleles[:, part] = np.where(here == 0, first, np.where(here == 1, second, third)).T
