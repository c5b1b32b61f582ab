"""The genomes of the people of one block, in the made regions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cohelix import genome
from cohelix.simulate import haplotypes
from cohelix.simulate.cohort.context import Context
from cohelix.simulate.extras import ExtraSites
from cohelix.simulate.haplotypes import CarriedHere, Extra
from cohelix.simulate.inheritance import Inheritance
from cohelix.simulate.people.pedigree import Block
from cohelix.simulate.people.person import Human
from cohelix.simulate.regions import BUILD, Region
from cohelix.simulate.star_alleles import Named

COPY, START, END, FOUNDER, ROW = range(5)
"""Columns of pieces."""


class Genomes:
    """Genomes of `humans`, each made once.

    mosaics[h][r] (n, 5) int64: copy, start, end (offsets), founder haplotype and row of the panel of what human h has
    of region r. pieces[h][r]: the same with deleted genes cut out.
    """

    def __init__(self, context: Context, block: Block, humans: Sequence[Human]) -> None:
        self.context, self.humans = context, list(humans)
        self.inheritance = Inheritance(block, context.plan.seed)
        self.extras: ExtraSites = context.extras()
        self.mosaics = [self._mosaic(human) for human in self.humans]
        self.pieces = [[self._without_deleted(piece, r) for r, piece in enumerate(of)] for of in self.mosaics]
        self._alleles: dict[int, np.ndarray] = {}

    def alleles(self, region: int) -> np.ndarray:
        """(H, K, S) int8 at the sites of the region's panel; K: most copies that anybody has, at least 2."""
        if region not in self._alleles:
            here = [pieces[region] for pieces in self.pieces]
            n_copies = max(2, *(int(piece[:, COPY].max(initial=-1)) + 1 for piece in here))
            target = np.concatenate([h * n_copies + piece[:, COPY] for h, piece in enumerate(here)])
            rows = np.concatenate(here)
            panel = self.context.panels[region]
            found = haplotypes.gather_alleles(
                panel.alleles, panel.sites.offset, target, rows[:, ROW], rows[:, START], rows[:, END],
                len(here) * n_copies,
            )  # fmt: skip
            self._alleles[region] = found.reshape(len(here), n_copies, -1)
        return self._alleles[region]

    def dosages(self, region: int) -> np.ndarray:
        """(H, S) int8: copies of the first alternate."""
        return np.asarray((self.alleles(region) == 1).sum(axis=1, dtype=np.int8))

    def own_sites(self, human: int, region: int) -> list[tuple[Extra, int]]:
        """(site, copy) of the sites that the panel does not have."""
        found = []
        for copy, start, end, founder, _ in self.pieces[human][region].tolist():
            for extra in self.extras.of(founder, self.inheritance).sites.get(region, ()):
                if start <= extra.offset and extra.offset + len(extra.ref) <= end:
                    found.append((extra, copy))
        return found

    def carried(self, human: int, region: int) -> CarriedHere:
        """What a human carries in a region."""
        panel = self.context.panels[region]
        pieces = self.pieces[human][region]
        length = self.context.plan.regions[region].length
        own = self.own_sites(human, region)
        return haplotypes.carried_here(panel.sites, self.alleles(region)[human], own, pieces[:, :FOUNDER], length)

    def gene_depth(self, human: int, region: int) -> list[tuple[int, int, float]]:
        """(start, end, factor) of genes of which a chromosome has more than one copy."""
        found = []
        for gene in self.context.stars.genes_in(region):
            home = self.context.stars.region[gene]
            copies, span = [], (0, 0)
            for founder in self._founders_of_gene(human, gene):
                star = self.extras.of(founder, self.inheritance).star[gene]
                copies.append(1 if star is None else star.copies)
                if star is not None and star.copies != 1:
                    span = (star.start - home.start, star.end - home.start)
            present = sum(count > 0 for count in copies)
            if present and sum(copies) != present:
                found.append((*span, sum(copies) / present))
        return found

    def stars(self, human: int) -> list[tuple[int, int, str, int, bool]]:
        """(gene, copy, named haplotype, gene copies, whether a crossover put another one's variants on it)."""
        found = []
        for gene in range(len(self.context.stars.genes)):
            for copy, founder in enumerate(self._founders_of_gene(human, gene)):
                star = self.extras.of(founder, self.inheritance).star[gene]
                name, copies = (self.context.stars.references[gene], 1) if star is None else (star.name, star.copies)
                found.append((gene, copy, name, copies, self._crossed(human, gene, copy, star)))
        return found

    def _crossed(self, human: int, gene: int, copy: int, star: Named | None) -> bool:
        """Whether a copy of a gene is of founders that have other named haplotypes as well."""
        pieces = [self.mosaics[human][region.index] for region in self.context.stars.regions_of[gene]]
        founders = {founder for piece in pieces for founder in piece[piece[:, COPY] == copy, FOUNDER].tolist()}
        return any(self.extras.of(founder, self.inheritance).star[gene] is not star for founder in founders)

    def _founders_of_gene(self, human: int, gene: int) -> list[int]:
        """Of each copy. A crossover inside a gene leaves it to the haplotype that has its first base."""
        home = self.context.stars.region[gene]
        pieces = self.mosaics[human][home.index]
        return pieces[pieces[:, START] == 0, FOUNDER].tolist()  # type: ignore[no-any-return]

    def _mosaic(self, human: Human) -> list[np.ndarray]:
        mosaic = self.context.layout.mosaic(self.inheritance, human, self.context.plan.seed)
        columns = np.stack([mosaic.copy, mosaic.start, mosaic.end, mosaic.founder, mosaic.row], axis=1)
        return [columns[low:high] for low, high in zip(mosaic.first[:-1], mosaic.first[1:], strict=True)]

    def _without_deleted(self, pieces: np.ndarray, region: int) -> np.ndarray:
        for gene in self.context.stars.genes_in(region):
            home, kept = self.context.stars.region[gene], []
            for copy, start, end, founder, row in pieces.tolist():
                star = self.extras.of(founder, self.inheritance).star[gene]
                low, high = (star.start - home.start, star.end - home.start) if star else (0, 0)
                if star is None or star.copies or high <= start or low >= end:
                    kept.append([copy, start, end, founder, row])
                else:
                    kept += [[copy, a, b, founder, row] for a, b in ((start, low), (high, end)) if a < b]
            pieces = np.array(kept, np.int64).reshape(-1, 5)
        return pieces


def called_ploidy(region: Region, human: Human) -> list[tuple[int, int, int]]:
    """(start, end, ploidy) that a caller takes for granted:

    DRAGEN and the programme go by the copies of X and Y that they see.
    """
    name = region.chromosome
    if name.isdigit():
        return [(0, region.length, 2)]
    if name in ("Y", "MT"):
        return [(0, region.length, 1 if name == "MT" else min(human.y_copies, 1))]
    found, cursor = [], 0
    for low, high in genome.par_of(BUILD, region.contig.name):
        start, end = (min(max(place - region.start, 0), region.length) for place in (low, high))
        found += [(cursor, start, min(human.x_copies, 2)), (start, end, 2)]
        cursor = end
    found.append((cursor, region.length, min(human.x_copies, 2)))
    return [stretch for stretch in found if stretch[0] < stretch[1]]
