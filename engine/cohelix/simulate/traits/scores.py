"""Polygenic scores as scoring files of the PGS Catalog, format 2.0: with the true weights, and with estimated ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cohelix import genome
from cohelix.simulate.bgzf import END_OF_FILE, compress
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.regions import BUILD, Region
from cohelix.simulate.schema import TraitParams
from cohelix.simulate.traits.architecture import Architecture
from cohelix.simulate.traits.association import Found
from cohelix.simulate.traits.catalogue import traits
from cohelix.simulate.traits.summary_statistics import digits

COLUMNS = ("chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight", "allelefrequency_effect")
MEAN = "mean"
DOCUMENTATION = "https://www.pgscatalog.org/downloads/#dl_ftp_scoring"


@dataclass(frozen=True)
class Score:
    """trait; name, unique; rows: as COLUMNS, in genomic order, weights as text."""

    trait: str
    name: str
    rows: list[tuple[str, int, str, str, str, str]]


@dataclass(frozen=True)
class Written:
    """A file of a score: its id, and which score it is."""

    id: str
    trait: str
    name: str
    path: Path
    variants: int


def true_scores(architecture: Architecture) -> list[Score]:
    """For each trait: the mean of the effects over sources, and those in each source; every weight to its last digit.

    The effect allele is the alternate. A score is the genetic value less a constant in people of that source alone.
    """
    scores = []
    for row, trait in enumerate(architecture.traits.tolist()):
        for place, source in enumerate((MEAN, *SOURCES)):
            effects, frequency = architecture.effects[row], architecture.frequency[row]
            weights = effects.mean(axis=1) if source == MEAN else effects[:, place - 1]
            known = frequency.mean(axis=1) if source == MEAN else frequency[:, place - 1]
            rows = [
                (
                    genome.plain_name(str(architecture.contig[row, k])), int(architecture.position[row, k]),
                    str(architecture.alt[row, k]), str(architecture.ref[row, k]), repr(float(weights[k])),
                    f"{known[k]:.6g}",
                )
                for k in range(weights.size)
            ]  # fmt: skip
            scores.append(Score(trait, f"{trait}_true_{source}", rows))
    return scores


@dataclass
class Estimate:
    """Collects the clumped variants of one training group, region by region, for each trait.

    The effect allele is the one that raises the trait, as authors write it; it is the reference in about half of the
    rows. A trait of which no variant reaches `clump_p` gets a score of its best one.
    """

    params: TraitParams
    architecture: Architecture
    group: str
    rows: list[list[tuple[str, int, str, str, str, str]]] = field(init=False)
    best: list[tuple[float, tuple[str, int, str, str, str, str]] | None] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [[] for _ in self.architecture.traits]
        self.best = [None for _ in self.architecture.traits]

    def add(self, found: Found, panel: RegionPanel, region: Region) -> None:
        for row, chosen in enumerate(found.chosen):
            self.rows[row] += [self._row(found, row, place, panel, region) for place in np.sort(chosen).tolist()]
            if np.isfinite(found.p[row]).any():
                place = int(np.nanargmin(found.p[row]))
                p, best = float(found.p[row, place]), self.best[row]
                if best is None or p < best[0]:
                    self.best[row] = (p, self._row(found, row, place, panel, region))

    def scores(self) -> list[Score]:
        """Of each trait that had a test."""
        out = []
        for trait, rows, best in zip(self.architecture.traits.tolist(), self.rows, self.best, strict=True):
            if best is not None:
                out.append(Score(trait, f"{trait}_estimated_{self.group}", rows or [best[1]]))
        return out

    def _row(
        self, found: Found, row: int, place: int, panel: RegionPanel, region: Region
    ) -> tuple[str, int, str, str, str, str]:
        site = int(found.site[place])
        effect, other = panel.sites.alts[site][0], panel.sites.ref[site]
        beta, frequency = digits(found.beta[row, place]), float(found.frequency[place])
        if beta.startswith("-"):
            effect, other, beta, frequency = other, effect, beta[1:], 1 - frequency
        position = region.start + int(panel.sites.offset[site]) + 1
        return region.chromosome, position, effect, other, beta, f"{frequency:.6g}"


def estimated_scores(
    params: TraitParams,
    architecture: Architecture,
    group: str,
    found: Iterable[Found],
    panels: Sequence[RegionPanel],
    regions: Sequence[Region],
) -> list[Score]:
    """Clumped scores of all traits, from the tests of one training group."""
    estimate = Estimate(params, architecture, group)
    for one in found:
        estimate.add(one, panels[one.region], regions[one.region])
    return estimate.scores()


def write_scores(folder: Path, params: TraitParams, scores: Sequence[Score]) -> list[Written]:
    """`<id>.txt.gz` for each score; ids are MADE000001 and so on, in the order given: no ids of real scores."""
    written = []
    for number, score in enumerate(scores, start=1):
        name = f"MADE{number:06d}"
        path = folder / f"{name}.txt.gz"
        lines = ["\t".join(COLUMNS), *("\t".join(map(str, row)) for row in score.rows)]
        text = "\n".join([*_header(params, name, score), *lines]) + "\n"
        path.write_bytes(compress(text.encode()) + END_OF_FILE)
        written.append(Written(name, score.trait, score.name, path, len(score.rows)))
    return written


def _header(params: TraitParams, name: str, score: Score) -> list[str]:
    known = traits()[score.trait]
    return [
        f"###PGS CATALOG SCORING FILE - see {DOCUMENTATION} for additional information",
        "#format_version=2.0",
        "##POLYGENIC SCORE (PGS) INFORMATION",
        f"#pgs_id={name}",
        f"#pgs_name={score.name}",
        f"#trait_reported={known.reported}",
        f"#trait_mapped={known.mapped}",
        f"#trait_efo={known.ontology}",
        f"#genome_build={BUILD}",
        f"#variants_number={len(score.rows)}",
        "#weight_type=beta",
        "##SOURCE INFORMATION",
        "#citation=Made data: a simulated cohort",
        "#license=CC0-1.0",
    ]
