"""All that is made for one block of people: their files, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.simulate.arrays.samples import draw_array_sample, draw_swaps
from cohelix.simulate.arrays.truth import BatchTruth
from cohelix.simulate.arrays.vcf import write_batch
from cohelix.simulate.cohort import kinship
from cohelix.simulate.cohort.context import Context, open_context
from cohelix.simulate.cohort.genomes import Genomes, called_ploidy
from cohelix.simulate.cohort.plan import Plan
from cohelix.simulate.cohort.truth import TABLES
from cohelix.simulate.inheritance import AUTOSOMES, ancestry
from cohelix.simulate.omop import lives
from cohelix.simulate.omop import writer as omop_writer
from cohelix.simulate.people.pedigree import Block, make_block
from cohelix.simulate.people.person import SOURCES, Human, Person
from cohelix.simulate.sequencing.sample import Here, Sample, draw_sample
from cohelix.simulate.traits.architecture import all_genetic_values
from cohelix.simulate.traits.phenotype import Health, expected_shares, phenotypes

GVCFS, ARRAYS = Path("wgs", "gvcfs"), Path("arrays")


@dataclass(frozen=True)
class Made:
    """What is known of a block once its files are written. omop: rows of the health records. tables: rows of the
    truth tables, by name. calls: (index, what was called) of each sequenced sample."""

    persons: list[Person]
    health: Health
    omop: omop_writer.Block
    tables: dict[str, pa.Table]
    arrays: BatchTruth | None
    calls: list[Any]


def make_people(task: tuple[Plan, str, int]) -> Made:
    """Write the files of block `task[2]`."""
    plan, folder, number = task
    context = open_context(plan, Path(folder))
    block = make_block(plan.wishes, plan.seed, number, plan.n_persons)
    humans = list({person.human.number: person.human for person in block.persons}.values())
    place = {human.number: h for h, human in enumerate(humans)}
    genomes = Genomes(context, block, humans)
    of_person = [place[person.human.number] for person in block.persons]
    health = _health(context, genomes, block.persons, of_person)
    arrays = _write_arrays(context, genomes, block.persons, of_person)
    samples, calls = _write_gvcfs(context, genomes, block.persons, of_person)
    tables = {
        "people": _people(genomes, block.persons),
        "kinship": _kinship(genomes, block.persons),
        "local_ancestry": _local_ancestry(genomes, block.persons),
        "star_alleles": _stars(context, genomes, block.persons, of_person),
        "samples": _samples(block.persons, samples, arrays),
    }
    _keep_genotypes(context, genomes, block, of_person)
    return Made(block.persons, health, _records(plan, block.persons, health), tables, arrays, calls)


def _records(plan: Plan, persons: list[Person], health: Health) -> omop_writer.Block:
    binary = {name: values for name, values in health.values.items() if values.dtype == bool}
    rest = {name: values for name, values in health.values.items() if name not in binary}
    return omop_writer.make_block(persons, lives.Health(binary, rest), plan.wishes.omop, plan.seed)


def _health(context: Context, genomes: Genomes, persons: list[Person], of_person: list[int]) -> Health:
    wishes = context.plan.wishes

    def dosages(region: int, first: int, last: int) -> np.ndarray:
        return genomes.dosages(region)[of_person[first:last]]

    shares = expected_shares(persons)
    genetic = all_genetic_values(context.architecture, dosages, 0, len(persons), shares)
    return phenotypes(wishes.traits, context.architecture, context.plan.seed, persons, genetic)


def _write_arrays(context: Context, genomes: Genomes, persons: list[Person], of_person: list[int]) -> BatchTruth | None:
    """One VCF for the plate. A chip may hold the DNA of the person in the next well."""
    params, seed = context.plan.wishes.arrays, context.plan.seed
    rows = [row for row, person in enumerate(persons) if person.array]
    if not rows or context.design is None:
        return None
    batch = persons[0].array_batch
    swapped = draw_swaps(params, seed, batch, len(rows))
    samples = [draw_array_sample(params, seed, persons[k].number, persons[k].array, batch) for k in rows]
    n_copies = max(genomes.alleles(region).shape[1] for region in context.design.regions.tolist())
    alleles = np.full((len(rows), context.design.size, n_copies), -1, np.int8)
    for region in context.design.regions.tolist():
        here = context.design.rows(region)
        site = context.design.markers.site[here]
        found = genomes.alleles(region)[[of_person[rows[k]] for k in swapped.tolist()]]
        columns = found[:, :, np.maximum(site, 0)].transpose(0, 2, 1)
        alleles[:, here, : columns.shape[2]] = np.where((site < 0)[None, :, None] & (columns != -1), 0, columns)
    path = context.folder / ARRAYS / f"batch{batch:05d}.vcf.gz"
    return write_batch(path, context.design, samples, alleles, params, seed, source=context.source)


def _write_gvcfs(
    context: Context, genomes: Genomes, persons: list[Person], of_person: list[int]
) -> tuple[list[tuple[Person, Sample, int]], list[Any]]:
    """A gVCF for each sample; (person, sample, number of the contaminating person) of each, and its calls."""
    params, seed = context.plan.wishes.sequencing, context.plan.seed
    samples, calls = [], []
    for row, person in enumerate(persons):
        other = (row + 1) % len(persons)
        for replicate, sample_id in enumerate(person.wgs):
            index = 2 * person.number + replicate
            sample = draw_sample(params, seed, index, sample_id, person.wgs_batches[replicate])
            if other == row:  # nobody else is there whose reads could be among them
                sample = replace(sample, contamination=0.0)
            samples.append((person, sample, persons[other].number if sample.contamination else -1))
            if context.plan.writes_gvcfs:
                mixed = of_person[other] if sample.contamination else None
                calls.append(_write_gvcf(context, genomes, sample, of_person[row], mixed))
    return samples, calls


def _write_gvcf(context: Context, genomes: Genomes, sample: Sample, human: int, mixed: int | None) -> Any:
    import pysam

    from cohelix.simulate.sequencing.gvcf import sequence_sample

    def here(region: int) -> Here:
        carried = genomes.carried(human, region)
        return Here(
            region=context.plan.regions[region],
            reference=context.panels[region].reference,
            carried=carried,
            contaminant=None if mixed is None else genomes.carried(mixed, region),
            copies=carried.stretches,
            called_ploidy=called_ploidy(context.plan.regions[region], genomes.humans[human]),
            depth_factors=genomes.gene_depth(human, region),
            artefacts=context.artefacts(region),
        )

    params, seed = context.plan.wishes.sequencing, context.plan.seed
    regions = [here(region.index) for region in context.plan.regions]
    data, truth = sequence_sample(params, seed, sample, regions, source=context.source)
    path = context.folder / GVCFS / f"{sample.sample_id}.g.vcf.gz"
    path.write_bytes(data)
    pysam.tabix_index(str(path), preset="vcf", force=True)
    return sample.index, truth


def _people(genomes: Genomes, persons: list[Person]) -> pa.Table:
    shares = {human.number: _shares(genomes, human) for human in genomes.humans}
    columns: dict[str, Any] = {
        "person": [p.number for p in persons], "person_id": [p.person_id for p in persons],
        "human": [p.human.number for p in persons], "family": [p.family for p in persons],
        "role": [p.role for p in persons], "group": [p.human.group for p in persons],
        "sex": [p.human.sex for p in persons], "reported_sex": [p.sex for p in persons],
        "karyotype": [p.human.karyotype for p in persons], "birth_year": [p.human.birth_year for p in persons],
        "withdrawn": [p.withdrawn for p in persons],
    }  # fmt: skip
    for k, source in enumerate(SOURCES):
        columns[source] = [shares[p.human.number][k] for p in persons]
    return pa.table(columns, schema=TABLES["people"])


def _shares(genomes: Genomes, human: Human) -> list[float]:
    """Of each source, by length of autosomes."""
    total = np.zeros(len(SOURCES))
    for pieces in genomes.inheritance.genome(human.number).autosomes:
        found = ancestry(genomes.inheritance, pieces, AUTOSOMES)
        total += np.bincount(found.source, np.diff(np.append(found.start, AUTOSOMES.length)), minlength=len(SOURCES))
    return (total / total.sum()).tolist()  # type: ignore[no-any-return]


def _local_ancestry(genomes: Genomes, persons: list[Person]) -> pa.Table:
    parts: list[np.ndarray] = []
    for person in persons:
        for copy, pieces in enumerate(genomes.inheritance.genome(person.human.number).autosomes):
            found = ancestry(genomes.inheritance, pieces, AUTOSOMES)
            begins = np.isin(found.start, AUTOSOMES.starts)
            keep = begins | np.concatenate([[True], found.source[1:] != found.source[:-1]])
            start, source = found.start[keep], found.source[keep]
            chromosome = np.searchsorted(AUTOSOMES.starts, start, side="right") - 1
            base = AUTOSOMES.starts[chromosome]
            end = np.append(start[1:], AUTOSOMES.length)
            n = start.size
            columns = (np.full(n, person.number), np.full(n, copy), chromosome, start - base, end - base, source)
            parts.append(np.stack(columns, axis=1))
    rows = np.concatenate(parts) if parts else np.empty((0, 6), np.int64)
    names = pa.array([f"chr{name}" for name in AUTOSOMES.names])
    return pa.table(
        {
            "person": pa.array(rows[:, 0], pa.int32()), "copy": pa.array(rows[:, 1], pa.int8()),
            "contig": names.take(pa.array(rows[:, 2])), "start": pa.array(rows[:, 3], pa.int32()),
            "end": pa.array(rows[:, 4], pa.int32()),
            "source": pa.DictionaryArray.from_arrays(pa.array(rows[:, 5], pa.int8()), pa.array(SOURCES)),
        },
        schema=TABLES["local_ancestry"],
    )  # fmt: skip


def _kinship(genomes: Genomes, persons: list[Person]) -> pa.Table:
    """Pairs of one family who are related by descent within it."""
    regions = [region for region in genomes.context.plan.regions if region.chromosome.isdigit()]
    made = np.array([[AUTOSOMES.at(r.chromosome, r.start), AUTOSOMES.at(r.chromosome, r.end)] for r in regions])
    rows = []
    for one, other in combinations(persons, 2):
        named = kinship.RELATIONSHIPS.get(frozenset((one.role, other.role)))
        if one.family == other.family and named is not None:
            a, b = (genomes.inheritance.genome(person.human.number).autosomes for person in (one, other))
            whole = kinship.shared(a, b)
            here = kinship.shared(a, b, made.reshape(-1, 2)).kinship if made.size else float("nan")
            rows.append((one.number, other.number, *named, whole.kinship, here, whole.ibd0, whole.ibd1, whole.ibd2))
    columns = list(zip(*rows, strict=True)) or [()] * len(TABLES["kinship"])
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, TABLES["kinship"], strict=True)], TABLES["kinship"])


def _stars(context: Context, genomes: Genomes, persons: list[Person], of_person: list[int]) -> pa.Table:
    found = [genomes.stars(human) for human in range(len(genomes.humans))]
    rows = [
        (person.number, context.stars.genes[gene], copy, allele, copies, crossed)
        for person, human in zip(persons, of_person, strict=True)
        for gene, copy, allele, copies, crossed in found[human]
    ]
    schema = TABLES["star_alleles"]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema)


def _samples(persons: list[Person], sequenced: list[tuple[Person, Sample, int]], arrays: BatchTruth | None) -> pa.Table:
    rows: list[tuple[Any, ...]] = [
        (s.sample_id, "wgs", s.index, p.number, s.batch, s.dialect, s.coverage, s.low_coverage, s.contamination,
         other if other >= 0 else None, None, None)
        for p, s, other in sequenced
    ]  # fmt: skip
    if arrays is not None:
        a = arrays.samples
        for row, sample in enumerate(a["sample"]):
            other = a["swapped_with"][row]
            rows.append(
                (a["sample_id"][row], "array", sample, sample, a["batch"][row], None, None, None,
                 a["contamination"][row], None, other if other >= 0 else None, a["failed"][row])
            )  # fmt: skip
    schema = TABLES["samples"]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema)


def _keep_genotypes(context: Context, genomes: Genomes, block: Block, of_person: list[int]) -> None:
    """Everybody's mosaic, and own sites, to scratch: the genotypes are written later, site by site."""
    from cohelix.simulate.cohort import genotypes

    genotypes.keep_block(context.scratch, block, genomes, of_person)
