"""A reference panel for the cohort: people who are not enrolled, with labels; of one source each, and admixed ones.

In each region they have founder haplotypes that nobody of the cohort copies there, as far as there are any (haplotypes
of a source are alike by chance alone, so it does not matter which these are), and no haplotype twice; where such
haplotypes are not enough, admixed people have some that others of the panel have. So they are strangers to the cohort
and, as strangers in it are, to one another. They are fixed after the people of the cohort are, and change nothing;
admixed ones are fixed last, and change nothing of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.genotypes import callset
from cohelix.simulate.cohort.context import Context
from cohelix.simulate.cohort.genotypes import pieces_of
from cohelix.simulate.cohort.plan import Plan
from cohelix.simulate.haplotypes import RegionPanel, gather_alleles
from cohelix.simulate.inheritance import Inheritance, Mosaic
from cohelix.simulate.people.ancestry import admixtures, draw_shares
from cohelix.simulate.people.pedigree import HUMANS, Block, scattered
from cohelix.simulate.people.person import GROUPS, SOURCES, Human
from cohelix.simulate.regions import BUILD, Region, contigs
from cohelix.simulate.schema import CohortParams
from cohelix.simulate.streams import stream

FOLDER = "panel"
LABELS = {source: source for source in SOURCES} | {"nat": "amr"}
"""Groups as All of Us names them."""
UNMIXED, ADMIXED = "unmixed", "admixed"
"""Subgroups."""
ADMIXED_BLOCK = 1 << 34  # numbers of blocks of people that nobody else has


def people_of_a_source(params: CohortParams) -> int:
    """As many as were asked for, but no more than half of a source's haplotypes make."""
    return min(params.reference_people, params.haplotypes // 4)


def admixed_people(plan: Plan) -> list[Human]:
    """As many of each mixed group as were asked for, by the same limit; none without people of one source.

    Shares and generations are drawn as those of the group's founders in the cohort, but for the unmixed among these.
    """
    params = plan.wishes.cohort
    n = min(params.reference_admixed, params.haplotypes // 4) if params.reference_people else 0
    found = []
    for group, admixture in admixtures().items():
        if sum(share > 0 for share in admixture.mean) == 1 or admixture.unmixed == 1:
            continue
        for k in range(n):
            number = (ADMIXED_BLOCK + GROUPS.index(group)) * HUMANS + k * len(GROUPS) * HUMANS
            rng, generations = stream(plan.seed, "reference admixture", number), 0
            while not generations:
                shares, generations = draw_shares(group, rng)
            found.append(Human(number, None, None, "XX", group, shares, generations, 0))
    return found


def mosaics_of(context: Context, people: list[Human]) -> list[Mosaic]:
    """Tracts of the sources along both copies of each; which haplotypes they are of is not looked at."""
    inheritance = Inheritance(Block(0, {human.number: human for human in people}), context.plan.seed)
    return [context.layout.mosaic(inheritance, human, context.plan.seed) for human in people]


def write_reference_people(context: Context, folder: Path) -> None:
    """genotypes.pgen, .pvar and .psam, and labels.tsv, in `folder`: SNPs of chromosomes 1 to 22 that somebody carries.

    Needs the mosaics of all people of the cohort. Nothing where no reference people were asked for.
    """
    n = people_of_a_source(context.plan.wishes.cohort)
    if not n:
        return
    admixed = admixed_people(context.plan)
    mosaics = mosaics_of(context, admixed)
    blocks, rows = [], []
    for region in context.plan.regions:
        if region.chromosome.isdigit():
            panel, chosen = context.panels[region.index], chosen_haplotypes(context, region, n)
            alleles = [panel.alleles[chosen.unmixed.ravel()]]
            if mosaics:
                alleles.append(alleles_of_admixed(context, region, mosaics, chosen.further))
            snps, calls = _genotypes(panel, np.concatenate(alleles))
            blocks.append(calls)
            rows += _rows(region, panel, snps)
    labels = [(LABELS[source], UNMIXED) for source in SOURCES for _ in range(n)]
    labels += [(human.group, ADMIXED) for human in admixed]
    _write(context.plan.seed, folder, blocks, rows, labels)


def _write(
    seed: int, folder: Path, blocks: list[np.ndarray], rows: list[tuple[str, int, str, str, str]],
    labels: list[tuple[str, str]],
) -> None:  # fmt: skip
    """blocks (S, people): copies at the sites `rows`. labels: group and subgroup of each of the people."""
    folder.mkdir()
    ids = [f"R{scattered(number, seed, 'reference'):08d}" for number in range(len(labels))]
    order = sorted(range(len(ids)), key=lambda number: ids[number].encode())
    calls = np.concatenate(blocks) if blocks else np.empty((0, len(ids)), np.int8)
    prefix = folder / "genotypes"
    callset.write_pgen(
        prefix.with_suffix(".pgen"), [np.ascontiguousarray(calls[:, order])], n_samples=len(ids), n_variants=len(calls)
    )
    columns = list(zip(*rows, strict=True)) or [()] * 5
    sites = pa.table(dict(zip(("contig", "position", "id", "ref", "alt"), map(list, columns), strict=True)))
    header = "".join(f"##contig=<ID={c.name},length={c.length}>\n" for c in contigs() if c.name[3:].isdigit())
    prefix.with_suffix(".pvar").write_bytes(header.encode() + callset.pvar_bytes(sites, BUILD))
    prefix.with_suffix(".psam").write_bytes(callset.psam_bytes([ids[k] for k in order], ["unknown"] * len(ids)))
    lines = "".join("\t".join((ids[k], *labels[k])) + "\n" for k in order)
    (folder / "labels.tsv").write_text("sample_id\tgroup\tsubgroup\n" + lines, encoding="utf-8")


@dataclass(frozen=True)
class Chosen:
    """Rows of a region's panel: unmixed (sources, 2 n), for people of one source; further (sources, all), for admixed
    people: those that the fewest of the cohort copy first, and among equals those of nobody in the panel."""

    unmixed: np.ndarray
    further: np.ndarray


def chosen_haplotypes(context: Context, region: Region, n: int) -> Chosen:
    """Those that the fewest of the cohort copy, at random among equals."""
    per_source = context.panels[region.index].per_source
    copied = np.bincount(pieces_of(context, region.index)[:, 5], minlength=per_source * len(SOURCES))
    rng = stream(context.plan.seed, "reference people", region.index)
    chance = rng.random(copied.size)
    order = np.lexsort((chance.reshape(-1, per_source), copied.reshape(-1, per_source)), axis=1)
    taken = np.arange(per_source) < 2 * n
    few_first = np.take_along_axis(copied.reshape(-1, per_source), order, axis=1)
    again = np.lexsort((np.broadcast_to(taken, order.shape), few_first), axis=1)
    rows = np.arange(len(SOURCES))[:, None] * per_source + order
    return Chosen(rng.permuted(rows[:, : 2 * n], axis=1), np.take_along_axis(rows, again, axis=1))


def alleles_of_admixed(context: Context, region: Region, mosaics: list[Mosaic], further: np.ndarray) -> np.ndarray:
    """(copies, S) int8 of a region: where a copy is of a source it has one of that source's `further` haplotypes.

    The first of them, each by one copy until all are taken.
    """
    parts = [(m, slice(m.first[region.index], m.first[region.index + 1])) for m in mosaics]
    target = np.concatenate([2 * k + m.copy[here] for k, (m, here) in enumerate(parts)])
    source, start, end = (
        np.concatenate([getattr(m, name)[here] for m, here in parts]) for name in ("source", "start", "end")
    )
    rng = stream(context.plan.seed, "reference admixed", region.index)
    row = np.empty_like(target)
    for which, rows in enumerate(further):
        here = np.flatnonzero(source == which)
        copies, copy = np.unique(target[here], return_inverse=True)
        row[here] = rng.permutation(np.resize(rows, copies.size))[copy]
    panel = context.panels[region.index]
    return gather_alleles(panel.alleles, panel.sites.offset, target, row, start, end, 2 * len(mosaics))


def _genotypes(panel: RegionPanel, alleles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (S,) of SNPs that somebody carries, and copies (S, people). alleles: two rows a person, columns sites."""
    sites = panel.sites
    is_snp = [len(ref) == 1 and len(alts) == 1 == len(alts[0]) for ref, alts in zip(sites.ref, sites.alts, strict=True)]
    snps = np.flatnonzero(is_snp)
    carried = alleles[:, snps] == 1
    calls = carried.reshape(-1, 2, snps.size).sum(axis=1, dtype=np.int8).T
    there = calls.any(axis=1)
    return snps[there], calls[there]


def _rows(region: Region, panel: RegionPanel, places: np.ndarray) -> list[tuple[str, int, str, str, str]]:
    found = []
    for place in places.tolist():
        position = region.start + int(panel.sites.offset[place]) + 1
        ref, (alt,) = panel.sites.ref[place], panel.sites.alts[place]
        found.append((region.contig.name, position, f"{region.contig.name}:{position}:{ref}:{alt}", ref, alt))
    return found
