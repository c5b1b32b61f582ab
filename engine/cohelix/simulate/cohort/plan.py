"""What a cohort will be: all that can be refused is refused here, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from cohelix.errors import ConfigError
from cohelix.simulate import regions as places
from cohelix.simulate import star_alleles
from cohelix.simulate.people.pedigree import BLOCK
from cohelix.simulate.regions import Region
from cohelix.simulate.schema import MOST_PERSONS, CohortParams, Wishes

ACROCENTRIC = ("13", "14", "15", "21", "22")  # their short arms have no sequence in GRCh38
ON_X, ON_PAR1, ON_Y, ON_M = "chrX:70,000,001", "chrX:2,000,001", "chrY:12,000,001", "chrM:1"


@dataclass(frozen=True)
class Plan:
    """wishes: all settings. regions: in genomic order, with those of the pharmacogenes."""

    wishes: Wishes
    seed: int
    n_persons: int
    regions: tuple[Region, ...]

    def __hash__(self) -> int:
        return hash((self.seed, self.n_persons, self.regions))

    @property
    def n_blocks(self) -> int:
        return -(-self.n_persons // BLOCK)

    @property
    def writes_gvcfs(self) -> bool:
        return self.wishes.cohort.genotypes in ("gvcf", "both")

    @property
    def writes_callset(self) -> bool:
        return self.wishes.cohort.genotypes in ("callset", "both")


def make_plan(wishes: Wishes, *, persons: int | None, seed: int) -> Plan:
    """Raises ConfigError for wishes that cannot be met."""
    n_persons = wishes.cohort.persons if persons is None else persons
    if n_persons < 1:
        raise ConfigError(
            f"expected at least one person, found {n_persons}. Give --persons or a --size, as in --size demo."
        )
    if n_persons > MOST_PERSONS:
        raise ConfigError(f"expected at most {MOST_PERSONS:,} people, found {n_persons:,}. Make several cohorts.")
    if seed < 0:
        raise ConfigError(f"expected a seed of 0 or more, found {seed}.")
    if wishes.cohort.genotypes != "gvcf" and wishes.sequencing.share == 0:
        raise ConfigError(
            f"genotypes = {wishes.cohort.genotypes!r} makes a callset of sequenced samples, and simulate.sequencing "
            "has a share of 0. Raise the share, or choose genotypes = 'gvcf'."
        )
    table = star_alleles.read_table(wishes.cohort.star_alleles) if wishes.cohort.star_alleles else {}
    texts = wishes.cohort.regions or _spread(wishes.cohort)
    found = places.parse(texts)
    needed = star_alleles.stretches(table)
    return Plan(wishes, seed, n_persons, tuple(places.parse(_joined(found, needed))))


def _spread(params: CohortParams) -> list[str]:
    """Stretches over the autosomes, away from centromeres, and one each on X, PAR1, Y and M."""
    count, bases = params.region_count, params.region_bases
    step = count // params.long_regions if params.long_regions else count + 1
    autosomes = [contig for contig in places.contigs() if contig.name[3:].isdigit()]
    per_chromosome = [count // 22 + (k < count % 22) for k in range(22)]
    texts: list[str] = []
    for contig, n in zip(autosomes, per_chromosome, strict=True):
        stretches = ((0.42, 0.96),) if contig.name[3:] in ACROCENTRIC else ((0.06, 0.28), (0.62, 0.96))
        total = sum(high - low for low, high in stretches)
        for k in range(n):
            along = total * (k + 0.5) / n
            for low, high in stretches:
                if along < high - low:
                    start = int((low + along) * contig.length) // 1000 * 1000
                    is_long = len(texts) % step == 0 and len(texts) // step < params.long_regions
                    texts.append(f"{contig.name}:{start + 1}-{start + (params.long_bases if is_long else bases)}")
                    break
                along -= high - low
    for text in (ON_X, ON_PAR1, ON_Y):
        name, _, first = text.replace(",", "").partition(":")
        texts.append(f"{name}:{first}-{int(first) + bases - 1}")
    return [*texts, f"{ON_M}-{min(bases, places.MITOCHONDRIAL_BASES)}"]


def _joined(found: list[Region], needed: list[tuple[str, int, int]]) -> list[str]:
    """Regions with those that the pharmacogenes need; what overlaps becomes one."""
    order = {contig.name: place for place, contig in enumerate(places.contigs())}
    spans = sorted(
        [(order[r.contig.name], r.start, r.end) for r in found]
        + [(order[name], low, high) for name, low, high in needed]
    )
    joined: list[list[int]] = []
    for contig, start, end in spans:
        if joined and joined[-1][0] == contig and start <= joined[-1][2]:
            joined[-1][2] = max(joined[-1][2], end)
        else:
            joined.append([contig, start, end])
    names = list(order)
    return [f"{names[contig]}:{start + 1}-{end}" for contig, start, end in joined]
