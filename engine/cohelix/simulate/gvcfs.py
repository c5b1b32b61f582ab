"""A made cohort of single-sample gVCFs, with the truth beside it.

    DIR/manifest.tsv          sample_id, path (from here), sex, batch
    DIR/gvcfs/*.g.vcf.gz      one file a person, with .tbi
    DIR/reference.fa.gz       the made reference, with .fai and .gzi
    DIR/truth.parquet         one row per person and alternate allele carried: contig, position, ref, alt (trimmed),
                              sample (row of the manifest, from 0), copies, ploidy, called (false: not in the gVCF)

Every person has an own random stream, made from the seed and the person's number: the bytes do not depend on the number
of processes, and person k is the same in a cohort of any size.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import genome
from cohelix.errors import ConfigError
from cohelix.folder import appearing_whole
from cohelix.genome import Contig
from cohelix.simulate import blocks, dialects, evidence, population
from cohelix.simulate.bgzf import END_OF_FILE, compress
from cohelix.simulate.population import NO_COPY, SPANNED, Carried, Sites
from cohelix.simulate.regions import BUILD, contigs
from cohelix.simulate.sequence import Reference, make_reference, write_fasta
from cohelix.simulate.truth import Truth, TruthFile

MEAN_COVERAGE, COVERAGE_SD, COVERAGE_RANGE = 32.0, 4.0, (18.0, 60.0)
BATCH = 96  # people in a batch: a plate
SHORTEST_REGION = 1_000
_OF_POPULATION, _OF_PERSON, _OF_SEX = 0, 1, 2  # first word of the key of a random stream


@dataclass(frozen=True)
class Cohort:
    """What a cohort is made from. `region` [start, end) on `contig`, 0-based."""

    contig: Contig
    start: int
    end: int
    seed: int
    dialect: str


def plan(region: str, *, seed: int, dialect: str = "gatk") -> Cohort:
    """Check the wishes. Raises ConfigError for an unknown dialect, Y and M, and a region too short or too long."""
    if dialect not in dialects.DIALECTS:
        raise ConfigError(f"expected a dialect of {', '.join(dialects.DIALECTS)}, found {dialect!r}.")
    known = contigs()
    index, start, end = genome.parse_region(region, known)
    contig = known[index]
    if genome.plain_name(contig.name) in ("Y", "MT"):
        raise ConfigError(f"expected a region on chromosomes 1 to 22 or X, found {contig.name}. Choose one of them.")
    if end > contig.length or end - start < SHORTEST_REGION:
        raise ConfigError(
            f"expected a region of at least {SHORTEST_REGION:,} bases within the {contig.length:,} of {contig.name}, "
            f"found {region}."
        )
    if seed < 0:
        raise ConfigError(f"expected a seed of 0 or more, found {seed}.")
    return Cohort(contig, start, end, seed, dialect)


def make_cohort(folder: Path, cohort: Cohort, n_samples: int, *, cores: int = 1, index: bool = True) -> None:
    """Write the cohort to `folder`, which must be new or empty; it appears whole or not at all.

    `cores` processes; `index`: write `.tbi` beside each gVCF.
    """
    if n_samples < 1 or cores < 1:
        raise ConfigError(f"expected at least one sample and one core, found {n_samples} and {cores}.")
    with appearing_whole(folder) as passing:
        (passing / "gvcfs").mkdir()
        reference, _ = _shared_by_all(cohort)
        write_fasta(reference, passing / "reference.fa.gz")
        tasks = [(cohort, str(passing), number, index) for number in range(n_samples)]
        truth_file = TruthFile(passing / "truth.parquet", cohort.contig.name)
        with _mapper(min(cores, n_samples)) as apply, truth_file as truth:
            for number, of_person in enumerate(apply(_write_person, tasks)):
                truth.add(number, of_person)
        rows = [(_name(n), _path(n), _sex(cohort, n), f"batch{n // BATCH + 1:03d}") for n in range(n_samples)]
        lines = ["\t".join(row) + "\n" for row in [("sample_id", "path", "sex", "batch"), *rows]]
        (passing / "manifest.tsv").write_text("".join(lines))


def _write_person(task: tuple[Cohort, str, int, bool]) -> Truth:
    cohort, folder, number, index = task
    path = Path(folder) / _path(number)
    text, truth = person(cohort, number)
    path.write_bytes(compress(text.encode()) + END_OF_FILE)
    if index:
        import pysam

        pysam.tabix_index(str(path), preset="vcf", force=True)
    return truth


def person(cohort: Cohort, number: int) -> tuple[str, Truth]:
    """The gVCF of person `number` as text, and the truth about that person."""
    reference, shared = _shared_by_all(cohort)
    dialect = dialects.DIALECTS[cohort.dialect]
    rng = _stream(cohort, _OF_PERSON, number)
    ploidy = _ploidy(cohort, _sex(cohort, number))
    coverage = float(np.clip(rng.normal(MEAN_COVERAGE, COVERAGE_SD), *COVERAGE_RANGE))
    carried = population.carry(reference, shared, ploidy, rng)
    ends = _ends(carried)
    clusters = blocks.merged(carried.sites.offset, ends)
    uncalled = blocks.uncalled_stretches(cohort.end - cohort.start, clusters, rng)
    called = ~blocks.inside(carried.sites.offset, uncalled)
    between = blocks.draw(clusters, uncalled, ploidy, coverage, rng)
    starts, lines = _variants(cohort, dialect, carried, called, coverage, rng)
    order = np.argsort(np.concatenate([between.start, starts]), kind="stable")
    body = [*dialects.block_lines(dialect, reference, between), *lines]
    source = f"cohelix simulate gvcfs, seed {cohort.seed}"
    head = dialects.header(dialect, contigs(), _name(number), source)
    return head + "\n".join([body[i] for i in order.tolist()]) + "\n", _truth(cohort, carried, called)


def _variants(
    cohort: Cohort,
    dialect: dialects.Dialect,
    carried: Carried,
    called: np.ndarray,
    coverage: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[str]]:
    """Offsets (n,) and lines of the variant records, those of one shape (alleles and ploidy) together."""
    shapes: dict[tuple[int, int], list[tuple[int, tuple[int, str, list[str]], tuple[int, ...]]]] = {}
    for row in np.flatnonzero(called).tolist():
        offset = int(carried.sites.offset[row])
        ref, alts, genotype = _record(carried.sites, row, carried.alleles[row].tolist(), star=dialect.star)
        if genotype:
            site = (cohort.start + offset + 1, ref, alts)
            shapes.setdefault((len(alts), len(genotype)), []).append((offset, site, genotype))
    starts: list[int] = []
    lines: list[str] = []
    for (n_alts, _), records in sorted(shapes.items()):
        genotypes = np.array([genotype for _, _, genotype in records])
        seen = evidence.draw(genotypes, n_alts + 2, coverage, dialect.max_quality, rng)
        texts = ["/".join(map(str, genotype)) for _, _, genotype in records]
        lines += dialects.variant_lines(dialect, cohort.contig.name, [site for _, site, _ in records], texts, seen)
        starts += [offset for offset, _, _ in records]
    return np.array(starts, np.int64), lines


def _record(sites: Sites, row: int, alleles: list[int], *, star: bool) -> tuple[str, list[str], tuple[int, ...]]:
    """(ref, alts, genotype) of one record, trimmed; no genotype where no alternate of this site is left."""
    real = sorted({allele for allele in alleles if allele > 0 and allele != SPANNED})
    if not real:
        return "", [], ()
    ref, alts = population.trim(sites.ref[row], [sites.alts[row][allele - 1] for allele in real])
    code = {0: 0, **{allele: place for place, allele in enumerate(real, start=1)}}
    code[SPANNED] = len(alts) + 1 if star else 0
    if star and SPANNED in alleles:
        alts = [*alts, "*"]
    return ref, alts, tuple(sorted(code[allele] for allele in alleles if allele != NO_COPY))


def _ends(carried: Carried) -> np.ndarray:
    """(n,) offset behind the last reference base of each record."""
    real = np.where((carried.alleles > 0) & (carried.alleles != SPANNED), carried.alleles, 0)
    spans = np.where(real > 0, np.take_along_axis(carried.sites.spans, real.astype(np.int64), axis=1), 1)
    return np.asarray(carried.sites.offset + spans.max(axis=1, initial=1))


def _truth(cohort: Cohort, carried: Carried, called: np.ndarray) -> Truth:
    truth = Truth([], [], [], [], [], [])
    for row, alleles in enumerate(carried.alleles.tolist()):
        for allele in (1, 2):
            if allele in alleles:
                ref, (alt,) = population.trim(carried.sites.ref[row], [carried.sites.alts[row][allele - 1]])
                truth.position.append(cohort.start + int(carried.sites.offset[row]) + 1)
                truth.ref.append(ref)
                truth.alt.append(alt)
                truth.copies.append(alleles.count(allele))
                truth.ploidy.append(1 if NO_COPY in alleles else 2)
                truth.called.append(bool(called[row]))
    return truth


@cache
def _shared_by_all(cohort: Cohort) -> tuple[Reference, Sites]:
    """The reference and the sites: made once in each process."""
    rng = _stream(cohort, _OF_POPULATION, 0)
    reference = make_reference(cohort.contig, cohort.start, cohort.end, rng)
    changes = np.array([start for start, _, _ in _ploidy(cohort, "male")[1:]], np.int64)
    return reference, population.make_sites(reference, rng, avoid=changes)


def _ploidy(cohort: Cohort, sex: str) -> list[tuple[int, int, int]]:
    """(start, end, copies) in offsets, covering the region."""
    stretches = genome.ploidy_segments(BUILD, cohort.contig.name, sex, cohort.contig.length)
    within = [(max(low, cohort.start), min(high, cohort.end), copies) for low, high, copies in stretches]
    return [(low - cohort.start, high - cohort.start, copies) for low, high, copies in within if low < high]


def _stream(cohort: Cohort, kind: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([cohort.seed, kind, number])))


def _sex(cohort: Cohort, number: int) -> str:
    """Half of the people are men; a stream apart, so that the manifest needs no other draw of the person."""
    return "male" if np.random.SeedSequence([cohort.seed, _OF_SEX, number]).generate_state(1)[0] & 1 else "female"


def _name(number: int) -> str:
    return f"S{number + 1:07d}"


def _path(number: int) -> str:
    return f"gvcfs/{_name(number)}.g.vcf.gz"


@contextmanager
def _mapper(cores: int) -> Iterator[Any]:
    """`map` in this process, or over `cores` processes: text is made under the GIL, so threads would not help."""
    if cores == 1:
        yield map
        return
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda function, tasks: pool.map(function, tasks, chunksize=4)
