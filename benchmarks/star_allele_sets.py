"""People with star alleles, as a phased PGEN: random pairs of planted haplotypes, a few altered, some not seen.

Haplotypes are those that made cohorts carry (reference/simulate/star_alleles), at frequencies of their source; each
haplotype of a gene has an allele changed at `ALTERED` of its positions, and a share of all genotypes has no call. So
distinct patterns grow with people as they do in life, where rare variants and gaps go on turning up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pgenlib

from cohelix.pgx import reference
from cohelix.pgx.definition import Gene
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.star_alleles import Named, read_table

ALTERED = 5e-5  # of positions of a haplotype
FEW_MISSING, MANY_MISSING = 0.001, 0.01  # of genotypes
SHARES = (0.2, 0.1, 0.1, 0.45, 0.05, 0.1)  # of people, by source
BLOCK = 50_000
SEED = 7


@dataclass(frozen=True)
class Site:
    """A position of a gene. row: its place among the gene's positions."""

    gene: str
    row: int
    contig: str
    position: int
    ref: str
    alts: tuple[str, ...]


@dataclass(frozen=True)
class Drawn:
    """planted (n, G, 2) int16: number of the haplotype of each gene; touched (n, G): altered or with a missing
    genotype. names: of haplotypes, by gene."""

    genes: list[str]
    names: list[list[str]]
    planted: np.ndarray
    touched: np.ndarray
    n_sites: int


def draw_people(prefix: Path, n: int, only: Sequence[str] = (), missing: float = FEW_MISSING) -> Drawn:
    """Write prefix.pgen, .pvar and .psam: women only, so that all have two haplotypes of every gene.

    missing: share of genotypes without a call.
    """
    rng = np.random.default_rng(SEED)
    genes = {name: gene for name, gene in reference.load("clinpgx/2025-11-05", tuple(only)).items() if gene.positions}
    table = read_table("pharmacogenes")
    symbols = [name for name in table if name in genes]
    haplotypes = [[one for one in _reference_first(table[name]) if one.copies == 1] for name in symbols]
    sites = _sites([genes[name] for name in symbols])
    source = rng.choice(len(SOURCES), size=n, p=SHARES)
    planted = np.stack([_pairs(of, source, rng) for of in haplotypes], axis=1)
    cells = [np.array([_codes(genes[name], one) for one in of]) for name, of in zip(symbols, haplotypes, strict=True)]
    touched = np.zeros((n, len(symbols)), bool)
    psam = ["#IID\tSEX", *(f"{name_of(person)}\t2" for person in range(n)), ""]
    prefix.with_suffix(".psam").write_text("\n".join(psam))
    pvar = ["#CHROM\tPOS\tID\tREF\tALT"]
    most = max(len(site.alts) for site in sites) + 1
    writer = pgenlib.PgenWriter(
        bytes(prefix.with_suffix(".pgen")), n, len(sites), nonref_flags=False, allele_ct_limit=most,
        hardcall_phase_present=True,
    )  # fmt: skip
    place = {name: number for number, name in enumerate(symbols)}
    with writer:
        for site in sites:
            of = place[site.gene]
            codes = cells[of][:, site.row][planted[:, of]].astype(np.int32)
            changed = rng.random((n, 2)) < ALTERED
            codes[changed] = (codes[changed] + 1) % (len(site.alts) + 1)
            gone = rng.random(n) < missing
            codes[gone] = -9
            touched[:, of] |= changed.any(axis=1) | gone
            writer.append_alleles(
                np.ascontiguousarray(codes.reshape(-1)), all_phased=True, allele_ct=len(site.alts) + 1
            )
            pvar.append(f"{site.contig}\t{site.position}\t.\t{site.ref}\t{','.join(site.alts)}")
    prefix.with_suffix(".pvar").write_text("\n".join([*pvar, ""]))
    return Drawn(symbols, [[one.name for one in of] for of in haplotypes], planted, touched, len(sites))


def name_of(person: int) -> str:
    return f"S{person:07d}"


def _reference_first(named: list[Named]) -> list[Named]:
    return sorted(named, key=lambda one: not one.is_reference)


def _pairs(haplotypes: list[Named], source: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 2): haplotypes by frequency of a person's source; the first one is what the others leave over."""
    frequency = np.array([one.frequency for one in haplotypes])
    frequency[0] = 1 - frequency[1:].sum(axis=0)
    edges = np.cumsum(frequency, axis=0)[:, source]
    return np.stack([(rng.random(len(source)) > edges).sum(axis=0) for _ in range(2)], axis=1).clip(
        0, len(haplotypes) - 1
    )


def _sites(genes: Sequence[Gene]) -> list[Site]:
    """In genomic order."""
    found = [
        Site(gene.symbol, row, one.contig, one.position, one.ref, tuple(alt for alt in one.alts if alt.isalpha()))
        for gene in genes
        for row, one in enumerate(gene.positions)
    ]
    order = {f"chr{name}": place for place, name in enumerate([*map(str, range(1, 23)), "X"])}
    return sorted(found, key=lambda site: (order[site.contig], site.position))


def _codes(gene: Gene, haplotype: Named) -> list[int]:
    """At each position 0 for REF, else the number of the ALT that the haplotype's variant makes there."""
    found = []
    for place in gene.positions:
        alts = [alt for alt in place.alts if alt.isalpha()]
        text = place.ref
        for at, ref, alt in haplotype.variants:
            if at + 1 == place.position and place.ref.startswith(ref):
                text = alt + place.ref[len(ref) :]
        found.append(0 if text == place.ref else 1 + alts.index(text))
    return found
