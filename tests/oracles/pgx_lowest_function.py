"""DPYD and RYR1 without phase, by writing out every strand: which alleles can be there, and which are on both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from cohelix.pgx.definition import Gene

HAPB3 = ("c.1129-5923C>G, c.1236G>A (HapB3)", "c.1129-5923C>G")


def haplotypes(gene: Gene, genotypes: Sequence[tuple[str, str] | None]) -> list[str]:
    """Names, in the order of gene.alleles, of a person none of whose genotypes are phased (but HapB3's two alleles,
    which must not be there). genotypes: by site two alleles, None where missing."""
    present = [site for site, pair in enumerate(genotypes) if pair is not None]
    pairs = []
    for turns in product((0, 1), repeat=len(present)):
        one = {site: genotypes[site][turn] for site, turn in zip(present, turns, strict=True)}
        other = {site: genotypes[site][1 - turn] for site, turn in zip(present, turns, strict=True)}
        pairs.append((one, other))
    found: dict[int, int] = {}
    for index, allele in enumerate(gene.alleles):
        cells = {site: cell for site, cell in enumerate(allele.cells) if cell is not None and site in present}
        if not cells or allele.name in HAPB3:
            continue
        for one, other in pairs:
            on_one = all(one[site] == cell for site, cell in cells.items())
            on_other = all(other[site] == cell for site, cell in cells.items())
            found[index] = max(found.get(index, 0), on_one + (on_other and on_one and not allele.reference))
    found = {index: copies for index, copies in found.items() if copies}
    if len(found) > 2:
        found = {index: copies for index, copies in found.items() if not gene.alleles[index].reference}
    return [gene.alleles[index].name for index, copies in found.items() for _ in range(copies)]
