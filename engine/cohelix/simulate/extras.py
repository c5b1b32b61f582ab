"""Sites that founder haplotypes have beside those of the panel: their own rare variants, and star alleles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cohelix.simulate import population
from cohelix.simulate.haplotypes import Extra, RegionPanel
from cohelix.simulate.inheritance import AUTOSOMES, Inheritance, Layout, X
from cohelix.simulate.panel import naming
from cohelix.simulate.star_alleles import Named, StarAlleles
from cohelix.simulate.streams import stream

MARGIN = population.MARGIN


@dataclass(frozen=True)
class OfFounder:
    """sites: by region, in order of offset. star: named haplotype of each gene (None: the reference haplotype)."""

    sites: dict[int, list[Extra]] = field(default_factory=dict)
    star: dict[int, Named | None] = field(default_factory=dict)


class ExtraSites:
    """Extras of founder haplotypes; each is drawn once. `rate`: rare sites per base and haplotype."""

    def __init__(
        self, panels: Sequence[RegionPanel], layout: Layout, stars: StarAlleles, seed: int, rate: float
    ) -> None:
        self._panels, self._layout, self._stars, self._seed, self._rate = panels, layout, stars, seed, rate
        lengths = [max(region.length - 2 * MARGIN, 0) for region in layout.regions]
        self._bounds = np.concatenate([[0], np.cumsum(lengths)])
        self._placed = [[offset for offset, _ in stars.placed(region)] for region in layout.regions]
        self._units = [naming.units(panel.reference) for panel in panels]
        self._of: dict[int, OfFounder] = {}

    def of(self, founder: int, inheritance: Inheritance) -> OfFounder:
        if founder not in self._of:
            found = OfFounder()
            self._place_stars(found, founder, inheritance)
            self._place_rare(found, founder)
            for sites in found.sites.values():
                sites.sort(key=lambda extra: extra.offset)
            self._of[founder] = found
        return self._of[founder]

    def _place_stars(self, found: OfFounder, founder: int, inheritance: Inheritance) -> None:
        for gene, region in enumerate(self._stars.region):
            axis = X if region.chromosome == "X" else AUTOSOMES
            place = axis.at(region.chromosome, region.start) if region.chromosome in axis.names else 0
            tracts = inheritance.tracts(founder, axis)
            source = int(tracts.source[np.searchsorted(tracts.start, place, side="right") - 1])
            haplotype = self._stars.draw(gene, founder, source)
            found.star[gene] = haplotype
            if haplotype is not None and haplotype.variants:
                for index, extra in self._stars.extras(gene, haplotype):
                    found.sites.setdefault(index, []).append(extra)

    def _place_rare(self, found: OfFounder, founder: int) -> None:
        """Rare sites keep clear of the panel's sites and of one another, so that no deletion hides another site."""
        rng = stream(self._seed, "rare sites", founder)
        total = int(self._bounds[-1])
        places = np.sort(rng.integers(0, max(total, 1), rng.poisson(self._rate * total)))
        chance = rng.random((places.size, 7))
        region = np.searchsorted(self._bounds, places, side="right") - 1
        for index, offset, u in zip(
            region.tolist(), (places - self._bounds[region] + MARGIN).tolist(), chance.tolist(), strict=True
        ):
            panel = self._panels[index]
            offset, ref, alts = naming.row(panel.reference, offset, 1, u, self._units[index])
            if self._is_free(index, offset, offset + len(ref)):
                here = found.sites.setdefault(index, [])
                if all(offset + len(ref) <= e.offset or e.offset + len(e.ref) <= offset for e in here):
                    here.append(Extra(offset, ref, alts[0]))

    def _is_free(self, index: int, start: int, end: int) -> bool:
        """Whether no site or deletion of the panel, and no base of a star allele, lies in [start, end)."""
        sites, spans = self._panels[index].sites.offset, self._layout.spans[index]
        if np.searchsorted(sites, start) != np.searchsorted(sites, end):
            return False
        place = int(np.searchsorted(spans[:, 0], end)) - 1
        if place >= 0 and spans[place, 1] > start:
            return False
        return not any(start <= offset < end for offset in self._reserved(index))

    def _reserved(self, index: int) -> list[int]:
        return self._placed[index]
