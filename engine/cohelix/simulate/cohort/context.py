"""What every block of people needs: panels, layout, star alleles. Opened once in each process."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from cohelix.simulate import haplotypes, star_alleles
from cohelix.simulate.arrays.design import ArrayDesign
from cohelix.simulate.arrays.design import load as load_design
from cohelix.simulate.cohort.plan import Plan
from cohelix.simulate.extras import ExtraSites
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.inheritance import Layout
from cohelix.simulate.panel.founders import open_region
from cohelix.simulate.sequencing.artefacts import Artefacts, region_artefacts
from cohelix.simulate.star_alleles import StarAlleles
from cohelix.simulate.traits.architecture import Architecture

SCRATCH = ".scratch"
DESIGN, ARCHITECTURE = "design.npz", "architecture.npz"


@dataclass(frozen=True)
class Context:
    """panels: of each region, in their order."""

    plan: Plan
    folder: Path
    panels: list[RegionPanel]
    layout: Layout
    stars: StarAlleles
    _artefacts: dict[int, Artefacts] = field(default_factory=dict)

    @cached_property
    def design(self) -> ArrayDesign | None:
        """None where there is no array."""
        path = self.scratch / DESIGN
        return load_design(path) if path.exists() else None

    @cached_property
    def architecture(self) -> Architecture:
        return Architecture.load(self.scratch / ARCHITECTURE)

    @property
    def source(self) -> str:
        """What the headers of made files say: not the seed, from which the truth could be made."""
        return "cohelix simulate cohort"

    def artefacts(self, region: int) -> Artefacts:
        """What all sequenced samples meet in a region."""
        if region not in self._artefacts:
            here, panel = self.plan.regions[region], self.panels[region]
            params, seed = self.plan.wishes.sequencing, self.plan.seed
            reserved = np.array([offset for offset, _ in self.stars.placed(here)], np.int64)
            taken = np.union1d(panel.sites.offset, reserved)
            self._artefacts[region] = region_artefacts(params, seed, here, panel.reference, taken)
        return self._artefacts[region]

    @property
    def scratch(self) -> Path:
        return self.folder / SCRATCH

    def extras(self) -> ExtraSites:
        """A new memory of the founders' own sites: one for each block."""
        rate = self.plan.wishes.cohort.private_sites
        return ExtraSites(self.panels, self.layout, self.stars, self.plan.seed, rate)


@lru_cache(maxsize=1)
def open_context(plan: Plan, folder: Path) -> Context:
    """Panels are mapped from disk, so that the processes share their memory."""
    panels = [open_region(folder / SCRATCH, region) for region in plan.regions]
    spans = [haplotypes.deletion_spans(panel.sites) for panel in panels]
    layout = Layout(list(plan.regions), plan.wishes.cohort.haplotypes, spans)
    return Context(plan, folder, panels, layout, stars_of(plan))


def stars_of(plan: Plan) -> StarAlleles:
    table = star_alleles.read_table(plan.wishes.cohort.star_alleles) if plan.wishes.cohort.star_alleles else {}
    return StarAlleles(table, plan.regions, plan.seed)
