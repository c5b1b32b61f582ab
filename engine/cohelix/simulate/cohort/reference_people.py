"""A reference panel for the cohort: people of one source each, who are not enrolled, with labels.

In each region they have founder haplotypes that nobody of the cohort copies there, as far as there are any (haplotypes
of a source are alike by chance alone, so it does not matter which these are), and no haplotype twice. So they are
strangers to the cohort and to one another. They are fixed after the people of the cohort are, and change nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.genotypes import callset
from cohelix.simulate.cohort.context import Context
from cohelix.simulate.cohort.genotypes import pieces_of
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.people.pedigree import scattered
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.regions import BUILD, Region, contigs
from cohelix.simulate.schema import CohortParams
from cohelix.simulate.streams import stream

FOLDER = "panel"
LABELS = {source: source for source in SOURCES} | {"nat": "amr"}
"""Groups as All of Us names them. Unlike those of the cohort, people of `amr` here are of that source alone."""


def people_of_a_source(params: CohortParams) -> int:
    """As many as were asked for, but no more than half of a source's haplotypes make."""
    return min(params.reference_people, params.haplotypes // 4)


def write_reference_people(context: Context, folder: Path) -> None:
    """genotypes.pgen, .pvar and .psam, and labels.tsv, in `folder`: SNPs of chromosomes 1 to 22 that somebody carries.

    Needs the mosaics of all people of the cohort. Nothing where no reference people were asked for.
    """
    n = people_of_a_source(context.plan.wishes.cohort)
    if not n:
        return
    blocks, rows = [], []
    for region in context.plan.regions:
        if region.chromosome.isdigit():
            chosen = chosen_haplotypes(context, region, n)
            snps, calls = _genotypes(context.panels[region.index], chosen)
            blocks.append(calls)
            rows += _rows(region, context.panels[region.index], snps)
    folder.mkdir()
    numbers = np.arange(n * len(SOURCES))
    ids = [f"R{scattered(number, context.plan.seed, 'reference'):08d}" for number in numbers.tolist()]
    order = sorted(range(len(ids)), key=lambda number: ids[number].encode())
    calls = np.concatenate(blocks) if blocks else np.empty((0, numbers.size), np.int8)
    prefix = folder / "genotypes"
    callset.write_pgen(
        prefix.with_suffix(".pgen"), [np.ascontiguousarray(calls[:, order])], n_samples=len(ids), n_variants=len(calls)
    )
    columns = list(zip(*rows, strict=True)) or [()] * 5
    sites = pa.table(dict(zip(("contig", "position", "id", "ref", "alt"), map(list, columns), strict=True)))
    header = "".join(f"##contig=<ID={c.name},length={c.length}>\n" for c in contigs() if c.name[3:].isdigit())
    prefix.with_suffix(".pvar").write_bytes(header.encode() + callset.pvar_bytes(sites, BUILD))
    prefix.with_suffix(".psam").write_bytes(callset.psam_bytes([ids[k] for k in order], ["unknown"] * len(ids)))
    labels = "".join(f"{ids[k]}\t{LABELS[SOURCES[k // n]]}\n" for k in order)
    (folder / "labels.tsv").write_text("sample_id\tgroup\n" + labels, encoding="utf-8")


def chosen_haplotypes(context: Context, region: Region, n: int) -> np.ndarray:
    """(sources, 2 n) rows of the region's panel: those that the fewest of the cohort copy, at random among equals."""
    per_source = context.panels[region.index].per_source
    copied = np.bincount(pieces_of(context, region.index)[:, 5], minlength=per_source * len(SOURCES))
    rng = stream(context.plan.seed, "reference people", region.index)
    chance = rng.random(copied.size)
    order = np.lexsort((chance.reshape(-1, per_source), copied.reshape(-1, per_source)), axis=1)
    first = np.arange(len(SOURCES))[:, None] * per_source
    return np.asarray(first + rng.permuted(order[:, : 2 * n], axis=1))


def _genotypes(panel: RegionPanel, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (S,) of SNPs that one of the chosen carries, and copies (S, people) of their alternate."""
    sites = panel.sites
    is_snp = [len(ref) == 1 and len(alts) == 1 == len(alts[0]) for ref, alts in zip(sites.ref, sites.alts, strict=True)]
    snps = np.flatnonzero(is_snp)
    carried = panel.alleles[chosen.ravel()][:, snps] == 1
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
