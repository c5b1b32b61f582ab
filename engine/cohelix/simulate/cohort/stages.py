"""What each stage of a cohort does, once or for one task."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.simulate import haplotypes
from cohelix.simulate.arrays import markers
from cohelix.simulate.arrays.design import design_from
from cohelix.simulate.arrays.manifest import write_manifest
from cohelix.simulate.arrays.truth import ArrayTruth, write_markers
from cohelix.simulate.cohort import genotypes, reference_people
from cohelix.simulate.cohort.block import Made
from cohelix.simulate.cohort.context import ARCHITECTURE, DESIGN, SCRATCH, Context, open_context, stars_of
from cohelix.simulate.cohort.plan import Plan
from cohelix.simulate.cohort.truth import TABLES, TableFile
from cohelix.simulate.inheritance import Inheritance
from cohelix.simulate.omop.writer import LINKS, OmopWriter
from cohelix.simulate.panel.founders import make_region, open_region
from cohelix.simulate.people.ancestry import draw_shares
from cohelix.simulate.people.pedigree import HUMANS, Block
from cohelix.simulate.people.person import GROUPS, Human
from cohelix.simulate.sequence import write_genome
from cohelix.simulate.sequencing.calls import CallsFile
from cohelix.simulate.streams import stream
from cohelix.simulate.traits import scores
from cohelix.simulate.traits.architecture import draw_architecture
from cohelix.simulate.traits.association import run_gwas
from cohelix.simulate.traits.phenotype import PhenotypeFile, TraitTruth, write_effects
from cohelix.simulate.traits.summary_statistics import write_gwas

CALLSET = "cohort.callset"
TRAINING_BLOCK = 1 << 33  # numbers of the blocks of people who are not enrolled


def make_panel(task: tuple[Plan, str, int]) -> None:
    """Founder haplotypes of one region."""
    plan, folder, index = task
    region, scratch = plan.regions[index], Path(folder) / SCRATCH
    make_region(scratch, region, plan.wishes.cohort, plan.seed, placed=stars_of(plan).placed(region))
    alleles = np.load(scratch / f"{index}.alleles.npy", mmap_mode="r+")
    sites = open_region(scratch, region).sites
    step = max(1, (1 << 24) // max(1, sites.offset.size))
    for first in range(0, alleles.shape[0], step):
        block = np.array(alleles[first : first + step])
        haplotypes.mark_spanned(sites, block)
        alleles[first : first + step] = block
    alleles.flush()


def draw_once(task: tuple[Plan, Path]) -> None:
    """The reference, the array and the architecture of the traits: what all people have in common."""
    plan, folder = task
    context = open_context(plan, folder)
    write_genome([panel.reference for panel in context.panels], folder / "reference" / "genome.fa.gz")
    wishes = plan.wishes
    if wishes.arrays.share and wishes.arrays.markers_per_megabase:
        chosen = [
            markers.choose_markers(wishes.arrays, plan.seed, region, panel)
            for region, panel in zip(plan.regions, context.panels, strict=True)
        ]
        design = design_from(chosen)
        if design.size:
            design.save(context.scratch / DESIGN)
            write_manifest(design, folder / "arrays" / "manifest.csv")
            write_markers(design, folder / "truth" / "array_markers.parquet")
    architecture = draw_architecture(wishes.traits, plan.seed, context.panels, plan.regions, wishes.cohort.shares)
    architecture.save(context.scratch / ARCHITECTURE)
    write_effects(folder / "truth" / "effects.parquet", architecture)


def run_training(task: tuple[Plan, str, str]) -> list[scores.Score]:
    """Summary statistics of one group's training set, whose people are founders and not enrolled; scores from them."""
    plan, folder, group = task
    context = open_context(plan, Path(folder))
    params, n = plan.wishes.traits, plan.wishes.traits.training
    people = _training_people(plan, group)
    dosages = _training_dosages(context, people)
    shares = np.array([human.expected for human in people])
    tests = run_gwas(params, context.architecture, plan.seed, group, dosages, n, shares, context.panels, plan.regions)
    written = write_gwas(
        Path(folder) / "prs" / "gwas", context.architecture, group, tests, context.panels, plan.regions,
        f"{plan.wishes.omop.last_year}-12-31",
    )  # fmt: skip
    return scores.estimated_scores(params, context.architecture, group, written, context.panels, plan.regions)


def _training_people(plan: Plan, group: str) -> list[Human]:
    first = (TRAINING_BLOCK + GROUPS.index(group)) * HUMANS
    people = []
    for k in range(plan.wishes.traits.training):
        number = first + k * len(GROUPS) * HUMANS
        shares, generations = draw_shares(group, stream(plan.seed, "training", number))
        people.append(Human(number, None, None, "XX", group, shares, generations, 0))
    return people


def _training_dosages(context: Context, people: list[Human]) -> Callable[[int, int, int], np.ndarray]:
    block = Block(0, {human.number: human for human in people})
    inheritance = Inheritance(block, context.plan.seed)
    mosaics = [context.layout.mosaic(inheritance, human, context.plan.seed) for human in people]

    def dosages(region: int, first: int, last: int) -> np.ndarray:
        panel = context.panels[region]
        parts = [(m, slice(m.first[region], m.first[region + 1])) for m in mosaics[first:last]]
        target = np.concatenate([2 * k + m.copy[here] for k, (m, here) in enumerate(parts)])
        row, start, end = (
            np.concatenate([getattr(m, name)[here] for m, here in parts]) for name in ("row", "start", "end")
        )
        n = last - first
        found = haplotypes.gather_alleles(panel.alleles, panel.sites.offset, target, row, start, end, 2 * n)
        return np.asarray((found.reshape(n, 2, -1) == 1).sum(axis=1, dtype=np.int8))

    return dosages


def write_scores(plan: Plan, folder: Path, estimated: list[list[scores.Score]]) -> None:
    context = open_context(plan, folder)
    every = [*scores.true_scores(context.architecture), *(score for found in estimated for score in found)]
    scores.write_scores(folder / "prs" / "scores", plan.wishes.traits, every)


def open_tables(plan: Plan, folder: Path, stack: ExitStack) -> Callable[[Made], None]:
    """Opens all files that grow with the people; what is returned takes a block's share of them, in order."""
    context, truth = open_context(plan, folder), folder / "truth"
    tables = {
        name: stack.enter_context(TableFile(truth / f"{name}.parquet", schema)) for name, schema in TABLES.items()
    }
    omop = stack.enter_context(OmopWriter(folder / "omop", plan.wishes.omop, plan.seed, truth / LINKS))
    calls = stack.enter_context(CallsFile(truth / "calls.parquet")) if plan.writes_gvcfs else None
    arrays = stack.enter_context(ArrayTruth(truth)) if context.design is not None else None
    phenotypes = PhenotypeFile(folder / "phenotypes.tsv", context.architecture.traits.tolist())
    traits = TraitTruth(truth / "traits.parquet")
    stack.callback(phenotypes.close)
    stack.callback(traits.close)
    manifest = stack.enter_context((folder / "wgs" / "manifest.tsv").open("w")) if plan.writes_gvcfs else None
    if manifest is not None:
        manifest.write("sample_id\tpath\tsex\tbatch\n")
    chips = stack.enter_context((folder / "arrays" / "samples.tsv").open("w")) if arrays is not None else None
    if chips is not None:
        chips.write("sample_id\tpath\tsex\tbatch\n")
    links = stack.enter_context((folder / "links.tsv").open("w")) if arrays is not None else None
    if links is not None:
        links.write("array_sample_id\twgs_sample_id\n")

    def add(made: Made) -> None:
        for name, table in made.tables.items():
            tables[name].add(table)
        omop.append(made.omop)
        phenotypes.append(made.persons, made.health)
        traits.append(made.persons, made.health)
        if arrays is not None and made.arrays is not None:
            arrays.add(made.arrays)
        if calls is not None:
            for index, rows in made.calls:
                calls.add(index, rows)
        for person in made.persons:
            for sample, batch in zip(person.wgs, person.wgs_batches, strict=True):
                if manifest is not None:
                    manifest.write(f"{sample}\tgvcfs/{sample}.g.vcf.gz\t{person.sex}\tbatch{batch:05d}\n")
            if chips is not None and person.array:
                batch = person.array_batch
                chips.write(f"{person.array}\tbatch{batch:05d}.vcf.gz\t{person.sex}\tbatch{batch:05d}\n")
            if links is not None and person.array:
                links.writelines(f"{person.array}\t{sample}\n" for sample in person.wgs)

    return add


def write_genotypes(plan: Plan, folder: Path, record: dict[str, Any]) -> None:
    """Of everybody, site by site: the phased truth beside gVCFs, or a callset; then the people of the reference."""
    import pyarrow.parquet as pq

    context = open_context(plan, folder)
    for name in (CALLSET, reference_people.FOLDER):  # of a run that was stopped in their midst
        shutil.rmtree(folder / name, ignore_errors=True)
    if plan.writes_gvcfs:
        genotypes.write_truth(context, folder / "truth" / "genotypes")
    if plan.writes_callset:
        columns = ["sample_id", "kind", "person"]
        samples = pq.read_table(folder / "truth" / "samples.parquet", columns=columns).to_pylist()
        sexes = pq.read_table(folder / "truth" / "people.parquet", columns=["reported_sex"]).column(0).to_pylist()
        chosen = [(s["sample_id"], s["person"], sexes[s["person"]]) for s in samples if s["kind"] == "wgs"]
        genotypes.write_callset(context, folder / CALLSET, chosen, record)
    reference_people.write_reference_people(context, folder / reference_people.FOLDER)
