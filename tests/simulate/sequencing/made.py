"""Genomes to sequence, made by hand or by `population`, and plain readers of what comes back."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pysam

from cohelix.simulate import population
from cohelix.simulate.haplotypes import CarriedHere
from cohelix.simulate.population import NO_COPY, SPANNED, Sites
from cohelix.simulate.regions import Region, parse
from cohelix.simulate.schema import SequencingParams
from cohelix.simulate.sequence import LINE, Reference, make_reference
from cohelix.simulate.sequencing.artefacts import Artefacts, region_artefacts
from cohelix.simulate.sequencing.sample import Here, Sample

CLEAN = SequencingParams(error=1e-6, uncalled=0.0, artefacts=0.0)
TRANSITION = {"A": "G", "G": "A", "C": "T", "T": "C"}


def sample(index: int = 1, **wished: Any) -> Sample:
    facts = {"batch": 0, "coverage": 30.0, "contamination": 0.0, "dialect": "gatk", "low_coverage": False}
    return Sample(index, f"S{index:03d}", **{**facts, **wished})


def place(text: str, seed: int = 1) -> tuple[Region, Reference]:
    (region,) = parse([text])
    return region, make_reference(region.contig, region.start, region.end, np.random.default_rng(seed))


def snps(reference: Reference, alleles: Sequence[int], *, every: int = 50) -> CarriedHere:
    """A SNP at each `every` bases, all with the same `alleles` of the copies."""
    length = reference.end - reference.start
    offset = np.arange(every, length - every, every)
    ref = [reference.bases[o] for o in offset.tolist()]
    sites = Sites(
        offset,
        ref,
        [(TRANSITION[base],) for base in ref],
        np.ones((offset.size, 3), np.int64),
        np.zeros((offset.size, 2)),
    )
    copies = sum(allele != NO_COPY for allele in alleles)
    return CarriedHere(sites, np.tile(np.array(alleles, np.int8), (offset.size, 1)), [(0, length, copies)])


def snps_within_deletions(reference: Reference, *, every: int = 60) -> CarriedHere:
    """Deletions of five bases on the first copy, where left-aligned, with a SNP of the second copy two bases behind."""
    bases, rows = reference.bases, []
    for offset in range(every, len(bases) - every, every):
        if bases[offset] != bases[offset + 5]:
            rows.append((offset, bases[offset : offset + 6], bases[offset], 6, (1, 0)))
            rows.append((offset + 2, bases[offset + 2], TRANSITION[bases[offset + 2]], 1, (SPANNED, 1)))
    offsets, refs, alts, spans, alleles = zip(*rows, strict=True)
    of_alleles = np.ones((len(rows), 3), np.int64)
    of_alleles[:, 1] = spans
    sites = Sites(np.array(offsets), list(refs), [(alt,) for alt in alts], of_alleles, np.zeros((len(rows), 2)))
    return CarriedHere(sites, np.array(alleles, np.int8), [(0, len(bases), 2)])


def here(region: Region, reference: Reference, carried: CarriedHere, **wished: Any) -> Here:
    facts: dict[str, Any] = {"contaminant": None, "copies": carried.stretches, "called_ploidy": [(0, region.length, 2)]}
    return Here(region, reference, carried, **{**facts, **wished})


class World:
    """Regions with the sites and artefacts of one made population."""

    def __init__(self, texts: Sequence[str], params: SequencingParams, seed: int = 1) -> None:
        self.places: list[tuple[Region, Reference, Sites, Artefacts]] = []
        for region in parse(texts):
            rng = np.random.default_rng([seed, region.index])
            reference = make_reference(region.contig, region.start, region.end, rng)
            sites = population.make_sites(reference, rng, avoid=np.empty(0, np.int64))
            shared = region_artefacts(params, seed, region, reference, sites.offset)
            self.places.append((region, reference, sites, shared))

    def carried(self, person: int, number: int, copies: int) -> CarriedHere:
        """What `person` has in place `number`: copies of X beyond the second are a third haplotype."""
        region, reference, sites, _ = self.places[number]
        whole = [(0, region.length, copies)]
        drawn = population.carry(
            reference, sites, [(0, region.length, min(copies, 2))], np.random.default_rng([person, number])
        )
        alleles = drawn.alleles
        if copies > 2:
            alleles = np.concatenate([alleles, alleles[:, :1]], axis=1)
        if copies == 0:
            alleles = np.full_like(alleles, NO_COPY)
        return CarriedHere(drawn.sites, alleles, whole)

    def heres(
        self,
        person: int,
        copies: Sequence[int],
        called: Sequence[int],
        contaminant: tuple[int, Sequence[int]] | None = None,
    ) -> list[Here]:
        found = []
        for number, (region, reference, _, shared) in enumerate(self.places):
            other = None if contaminant is None else self.carried(contaminant[0], number, contaminant[1][number])
            carried = self.carried(person, number, copies[number])
            whole = [(0, region.length, called[number])]
            found.append(Here(region, reference, carried, other, carried.stretches, whole, [], shared))
        return found

    def write_fasta(self, path: Path) -> None:
        """Contigs up to the last base made; N elsewhere."""
        contigs: dict[str, bytearray] = {}
        for region, reference, _, _ in self.places:
            bases = contigs.setdefault(region.contig.name, bytearray())
            bases += b"N" * (region.end - len(bases))
            bases[region.start : region.end] = reference.bases.encode()
        with path.open("w") as out:
            for name, bases in contigs.items():
                text = bases.decode()
                out.write(f">{name}\n" + "".join(f"{text[i : i + LINE]}\n" for i in range(0, len(text), LINE)))
        pysam.faidx(str(path))


def carried_alleles(one: Here) -> dict[tuple[int, str, str], int]:
    """(position, ref, alt), trimmed, of each alternate in the genome, and its copies."""
    found = {}
    for row, alleles in enumerate(one.carried.alleles.tolist()):
        for allele in {a for a in alleles if a > 0 and a != SPANNED}:
            ref, alt = one.carried.sites.ref[row], one.carried.sites.alts[row][allele - 1]
            while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
                ref, alt = ref[:-1], alt[:-1]
            position = one.region.start + int(one.carried.sites.offset[row]) + 1
            found[position, ref, alt] = alleles.count(allele)
    return found


class Record:
    """One line of a gVCF."""

    def __init__(self, line: str) -> None:
        columns = line.split("\t")
        self.contig, self.position, self.ref = columns[0], int(columns[1]), columns[3]
        self.alts = columns[4].split(",")[:-1]
        self.symbol = columns[4].split(",")[-1]
        self.filter = columns[6]
        self.info = dict(item.split("=") for item in columns[7].split(";"))
        self.values = dict(zip(columns[8].split(":"), columns[9].split(":"), strict=True))
        self.is_block = "END" in self.info
        self.end = int(self.info["END"]) if self.is_block else self.position + len(self.ref) - 1
        self.gt = self.values["GT"].split("/")

    def numbers(self, key: str) -> list[int]:
        return [int(value) for value in self.values[key].split(",")]

    def copies(self) -> dict[tuple[int, str, str], int]:
        """(position, ref, alt), trimmed, of each alternate that is called."""
        found = {}
        for number, alt in enumerate(self.alts, start=1):
            ref = self.ref
            while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
                ref, alt = ref[:-1], alt[:-1]
            if alt != "*" and str(number) in self.gt:
                found[self.position, ref, alt] = self.gt.count(str(number))
        return found


@cache
def records(data: bytes) -> list[Record]:
    text = gzip.decompress(data).decode()
    return [Record(line) for line in text.splitlines() if not line.startswith("#")]


def rows(truth: Any) -> list[dict[str, Any]]:
    names = list(vars(truth))
    return [dict(zip(names, values, strict=True)) for values in zip(*vars(truth).values(), strict=True)]
