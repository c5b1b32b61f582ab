"""People, their genomes and their arrays: what the tests of concordance share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cohelix.dataset import Writer
from cohelix.genome import chromosomes_of
from cohelix.genotypes import callset as store
from cohelix.genotypes.assembly import Builder, Site
from cohelix.genotypes.callset import Callset

CONTIGS = chromosomes_of("GRCh38")


@dataclass(frozen=True)
class Snp:
    contig: str
    position: int
    ref: str
    alt: str


def snps(n: int, *, contigs: int = 22, distance: int = 50_000) -> list[Snp]:
    """`n` SNPs along the autosomes, of all kinds that are not palindromic."""
    alleles = ["AC", "AG", "CA", "CT", "GA", "GT", "TC", "TG"]
    per = -(-n // contigs)
    return [Snp(str(1 + k // per), 1_000_000 + (k % per) * distance, *alleles[k % len(alleles)]) for k in range(n)]


def write_callset(
    root: Path, sites: list[Snp], genotypes: np.ndarray, sample_ids: list[str], *, build: str = "GRCh38",
    prefix: str = "chr",
) -> Callset:  # fmt: skip
    """A callset as an import makes it, from int8 genotypes (sites, samples) in any order of sites and samples."""
    columns = np.array(sorted(range(len(sample_ids)), key=lambda i: sample_ids[i].encode()))
    writer = Writer(str(root), store.KIND, "run")
    contigs = [type(c)(prefix + c.name, c.length) for c in (CONTIGS if build != "GRCh37" else chromosomes_of(build))]
    ids = [sample_ids[i] for i in columns]
    builder = Builder(writer, build=build, contigs=contigs, sample_ids=ids, sexes=["unknown"] * len(ids))
    for contig in contigs:
        rows = [k for k, site in enumerate(sites) if prefix + site.contig == contig.name]
        rows.sort(key=lambda k: (sites[k].position, sites[k].ref, sites[k].alt))
        half = len(rows) // 2
        while 0 < half < len(rows) and sites[rows[half]].position == sites[rows[half - 1]].position:
            half += 1
        middle = sites[rows[half]].position - 1 if half < len(rows) else 0
        for part, start, end in ((rows[:half], 0, middle), (rows[half:], middle, contig.length)):
            if part:
                block = np.ascontiguousarray(genotypes[np.ix_(part, columns)]).astype(np.int8)
                listed = [Site(sites[k].position, sites[k].ref, sites[k].alt) for k in part]
                builder.add(contig.name, start, end, listed, lambda block=block: [block.copy()])
    return builder.commit(alleles_are="trimmed", params={}, provenance={}, after=0)


@dataclass
class People:
    """Genotypes int8 (sites, people), drawn one family after another; `frequency` of each site."""

    frequency: np.ndarray
    rng: np.random.Generator
    haplotypes: list[np.ndarray] = field(default_factory=list)  # (sites, 2) of each person

    def stranger(self) -> int:
        self.haplotypes.append((self.rng.random((len(self.frequency), 2)) < self.frequency[:, None]).astype(np.int8))
        return len(self.haplotypes) - 1

    def child(self, mother: int, father: int) -> int:
        handed = [
            np.take_along_axis(self.haplotypes[p], self.rng.integers(0, 2, (len(self.frequency), 1)), axis=1)[:, 0]
            for p in (mother, father)
        ]
        self.haplotypes.append(np.column_stack(handed))
        return len(self.haplotypes) - 1

    def twin(self, person: int) -> int:
        self.haplotypes.append(self.haplotypes[person].copy())
        return len(self.haplotypes) - 1

    def genotypes(self, people: list[int] | np.ndarray) -> np.ndarray:
        return np.column_stack([self.haplotypes[p].sum(axis=1) for p in people]).astype(np.int8)


def observed(true: np.ndarray, rng: np.random.Generator, *, error: float, missing: float | np.ndarray) -> np.ndarray:
    """`true` as a machine shows it: another genotype by error, -9 where there is no call (a share of each sample)."""
    shift = rng.integers(1, 3, true.shape) * (rng.random(true.shape) < error)
    shown = ((true + shift) % 3).astype(np.int8)
    shown[rng.random(true.shape) < np.asarray(missing)] = -9
    return shown


def flipped(genotypes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Copies of the other allele in the rows chosen."""
    out = genotypes.copy()
    turned = out[rows]
    out[rows] = np.where(turned >= 0, 2 - turned, turned)
    return out


def write_links(path: Path, pairs: list[tuple[str, str]]) -> str:
    path.write_text("array_sample_id\twgs_sample_id\n" + "".join(f"{a}\t{w}\n" for a, w in pairs))
    return str(path)
