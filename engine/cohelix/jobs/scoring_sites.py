"""Sites of scoring files as alleles that a joint call is asked for: REF from the reference genome, ALT the other one.

A scoring row names an effect and another allele, and not which of them is the reference. A call store says what
differs from the reference, and nothing of the bases where nobody does, so the genome is asked. Forcing both orders
would do harm: at a site without carriers each has a row, and either could be taken for the effect allele's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import genome, storage
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.jobs.scoring_carried import Pair, carried
from cohelix.joint import store, unify
from cohelix.prs.schema import CHROMOSOMES
from cohelix.prs.scoring_file.batch import read_batch
from cohelix.prs.scoring_file.records import Batch, Source
from cohelix.prs.terms.rows import Term, read_term
from cohelix.runtime.protocol import Runtime

_WANTED = pa.schema(
    [
        ("chromosome", pa.int8()),
        ("position", pa.int32()),
        ("effect", pa.string()),
        ("other", pa.string()),
        ("stated", pa.bool_()),
    ]
)
"""Distinct rows of scoring files; other "" where it is not given; stated: the build of the row is known."""

_LEAST_AGREE = 0.75
"""Of SNPs whose build is not stated, the share that has an allele of the reference as it stands: by chance it is a
half, on the right build nearly all of a file on the + strand."""

_LEAST_TESTED = 20

_COMPLEMENT = np.zeros(256, np.uint8)
_COMPLEMENT[np.frombuffer(b"ACGT", np.uint8)] = np.frombuffer(b"TGCA", np.uint8)

Site = tuple[int, str, str]
"""Position (1-based), REF and ALT."""


@dataclass(frozen=True)
class _Task:
    batch: tuple[Source, ...]
    build: str
    path: Path


@dataclass
class _Found:
    """Of one contig: rows; pairs that only the carriers in the store can settle; SNPs compared with the genome."""

    sites: set[Site]
    open: list[Pair]
    tested: int = 0
    agree: int = 0


def write_sites(
    batches: Sequence[tuple[Source, ...]], model: pa.Table | None, calls: str, fasta: str, work: Path, runtime: Runtime
) -> str:
    """Path of the table of sites (contig, position, ref, alt) in `work`. model: further sites, with their REF and ALT.

    Left out: rows on no contig of the store; rows of which neither allele fits the genome; and insertions and deletions
    where both fit (A and AT before a T) and nobody carries either. InputError where nothing is left, ReferenceMismatch
    where the scoring files are of another build than the store.
    """
    _check_genome(fasta)
    opened = store.open_store(calls)
    tasks = [_Task(batch, opened.build, work / f"wanted-{number:05d}.parquet") for number, batch in enumerate(batches)]
    tables = [pq.ParquetFile(path).read() for path in runtime.map(_collect, tasks, label="scoring files")]
    wanted = pa.concat_tables([*tables, *([_of_model(model)] if model is not None else [])])
    contigs = {genome.plain_name(contig.name): contig.name for contig in opened.contigs()}
    found: dict[str, _Found] = {}
    for chromosome, rows in _by_chromosome(wanted).items():
        if chromosome in contigs:
            contig = contigs[chromosome]
            found[contig] = _look_up(rows, unify.fetcher(fasta, contig))
    _check_agreement(found.values())
    opens = {contig: one.open for contig, one in found.items() if one.open}
    for contig, sites in carried(opened, opens, fasta, runtime).items():
        found[contig].sites |= sites
    return _write(found, work)


def _check_genome(fasta: str) -> None:
    import pysam

    try:
        if not (storage.exists(fasta) and storage.exists(f"{fasta}.fai")):
            raise OSError
        pysam.FastaFile(fasta).close()
    except (OSError, ValueError):
        raise InputError(
            "expected --fasta to be a FASTA with its index (.fai) beside it, found none that can be read. Correct the "
            "path, or make the index with `samtools faidx`."
        ) from None


def _collect(task: _Task) -> Path:
    """Write the distinct rows of one batch."""
    batch = read_batch(task.batch)
    known = {"GRCh37", "GRCh38"}
    for header in batch.scores:
        if task.build in known and header.build != genome.UNKNOWN_BUILD and header.build != task.build:
            raise ReferenceMismatch(
                f"score {header.id[:60]} (file {header.file}) is of {header.build} and the call store of {task.build}. "
                "Give scoring files of the store's build, such as the harmonised ones of the PGS Catalog."
            )
    table = pa.concat_tables([_of_rows(batch, task.build), _of_terms(batch, task.build)])
    passing = task.path.with_suffix(".part")
    pq.write_table(_distinct(table), passing)
    passing.replace(task.path)
    return task.path


def _of_rows(batch: Batch, build: str) -> pa.Table:
    placed = np.flatnonzero((batch.chromosome > 0) & (batch.position > 0))
    names = pa.array([*batch.alleles, ""], pa.string())
    stated = np.array([header.build != genome.UNKNOWN_BUILD for header in batch.scores], bool)
    known = stated[batch.score[placed]] & (build != genome.UNKNOWN_BUILD)
    other = np.where(batch.other[placed] < 0, len(batch.alleles), batch.other[placed])
    columns = [
        pa.array(batch.chromosome[placed], pa.int8()),
        pa.array(batch.position[placed], pa.int32()),
        names.take(pa.array(batch.effect[placed])),
        names.take(pa.array(other)),
        pa.array(known),
    ]
    return pa.table(columns, schema=_WANTED)


def _of_terms(batch: Batch, build: str) -> pa.Table:
    """Variants of special rows. Their build is checked where they are read."""
    rows = []
    for row in batch.special:
        header = batch.scores[row.score].fields
        term = read_term(row.score, row.row, row.kind, row.fields, row.weight, header, build)
        if isinstance(term, Term):
            rows += [(CHROMOSOMES.index(v.chromosome), v.position, v.effect, v.other, True) for v in term.variants]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_WANTED.names)
    return pa.table([pa.array(one, kind.type) for one, kind in zip(columns, _WANTED, strict=True)], schema=_WANTED)


def _of_model(sites: pa.Table) -> pa.Table:
    """A model's sites as rows whose effect allele is ALT."""
    names = [genome.plain_name(name) for name in sites.column("contig").to_pylist()]
    codes = np.array([CHROMOSOMES.index(name) if name in CHROMOSOMES else 0 for name in names], np.int8)
    kept = np.flatnonzero(codes)
    taken = sites.take(pa.array(kept))
    columns = [
        pa.array(codes[kept], pa.int8()), taken.column("position").cast(pa.int32()).combine_chunks(),
        taken.column("alt").combine_chunks(), taken.column("ref").combine_chunks(), pa.array(np.ones(len(kept), bool)),
    ]  # fmt: skip
    return pa.table(columns, schema=_WANTED)


def _distinct(table: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    codes = [pc.dictionary_encode(table.column(name)).combine_chunks() for name in ("effect", "other")]
    effect, other = (
        np.asarray((one.chunk(0) if isinstance(one, pa.ChunkedArray) else one).indices.to_numpy(), np.int64)
        for one in codes
    )
    place = table.column("chromosome").to_numpy().astype(np.int64) << 32 | table.column("position").to_numpy()
    alleles = (effect << 32 | other) << 1 | table.column("stated").to_numpy().astype(np.int64)
    order = np.lexsort((alleles, place))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(place[order]) != 0) | (np.diff(alleles[order]) != 0)
    return table.take(pa.array(order[first]))


def _by_chromosome(table: pa.Table) -> dict[str, pa.Table]:
    if not table.num_rows:
        return {}
    table = _distinct(table.combine_chunks())
    codes = table.column("chromosome").to_numpy()
    edges = np.searchsorted(codes, np.arange(len(CHROMOSOMES) + 1))
    return {
        name: table.slice(edges[code], edges[code + 1] - edges[code])
        for code, name in enumerate(CHROMOSOMES)
        if code and edges[code] < edges[code + 1]
    }


def _look_up(rows: pa.Table, fetch: unify.Fetch) -> _Found:
    """Rows of one contig beside the genome: single bases together, longer alleles one by one."""
    position = rows.column("position").to_numpy().astype(np.int64)
    bases = np.frombuffer(fetch(0, int(position.max()) + 1), np.uint8)
    effects, others = (rows.column(name).combine_chunks() for name in ("effect", "other"))
    e, o = _single(effects), _single(others)
    inside = position <= len(bases)
    single = inside & (e > 0) & ((o > 0) | (_lengths(others) == 0))
    found = _snps(position[single], e[single], o[single], bases, rows.column("stated").to_numpy()[single])
    for row in np.flatnonzero(inside & ~single).tolist():
        _longer(int(position[row]), effects[row].as_py(), others[row].as_py(), fetch, found)
    return found


def _single(alleles: pa.Array) -> np.ndarray:
    """uint8: the letter of alleles that are one base, 0 of the others."""
    lengths = _lengths(alleles)
    offsets = np.frombuffer(alleles.buffers()[1], np.int32)[alleles.offset : alleles.offset + len(alleles)]
    letters = np.frombuffer(alleles.buffers()[2] or b"", np.uint8)
    out = np.zeros(len(alleles), np.uint8)
    one = lengths == 1
    out[one] = letters[offsets[one]]
    return np.where(_COMPLEMENT[out] > 0, out, 0).astype(np.uint8)


def _lengths(alleles: pa.Array) -> np.ndarray:
    import pyarrow.compute as pc

    return np.asarray(pc.binary_length(alleles).to_numpy(zero_copy_only=False), np.int64)


def _snps(position: np.ndarray, e: np.ndarray, o: np.ndarray, bases: np.ndarray, stated: np.ndarray) -> _Found:
    """The order of the matches: effect or other allele is REF, then on the other strand. o: 0 where not given."""
    base = bases[position - 1]
    alone = o == 0
    direct = (base == e) | (base == o)
    alt = np.where(base == e, o, np.where((base == o) | alone, e, 0)).astype(np.uint8)
    flipped = ~direct & ~alone
    alt = np.where(flipped & (base == _COMPLEMENT[e]), _COMPLEMENT[o], alt)
    alt = np.where(flipped & (base == _COMPLEMENT[o]), _COMPLEMENT[e], alt)
    tested = ~stated & ~alone & (_COMPLEMENT[e] != o)
    whole = (_COMPLEMENT[base] > 0) & (alt > 0) & (alt != base)
    letters = [chr(code) for code in range(256)]
    sites = {
        (at, letters[ref], letters[other])
        for at, ref, other in zip(*(values[whole].tolist() for values in (position, base, alt)), strict=True)
    }
    unsettled = position[alone & (base == e)].tolist()
    opened = [Pair(at, letters[int(bases[at - 1])], "") for at in unsettled]
    return _Found(sites, opened, int(tested.sum()), int((tested & direct).sum()))


def _longer(position: int, effect: str, other: str, fetch: unify.Fetch, found: _Found) -> None:
    start = position - 1
    fits_effect, fits_other = (
        fetch(start, start + len(one)).decode() == one if one else False for one in (effect, other)
    )
    if not other:
        base = fetch(start, position).decode()
        if fits_effect:
            found.open.append(Pair(position, effect, ""))
        elif effect[0] == base:
            found.sites.add((position, base, effect))
    elif fits_effect and fits_other:
        found.open.append(Pair(position, effect, other))
    elif fits_effect:
        found.sites.add((position, effect, other))
    elif fits_other:
        found.sites.add((position, other, effect))


def _check_agreement(found: Iterable[_Found]) -> None:
    every = list(found)
    tested, agree = sum(one.tested for one in every), sum(one.agree for one in every)
    if tested >= _LEAST_TESTED and agree < _LEAST_AGREE * tested:
        raise ReferenceMismatch(
            f"the build of scoring files or call store is not stated, and of {tested} SNPs {agree} have an allele that "
            "is the reference base: about as many as by chance. They are likely of two builds; give scoring files of "
            "the store's build."
        )


def _write(found: dict[str, _Found], work: Path) -> str:
    lines = [
        f"{contig}\t{position}\t{ref}\t{alt}\n"
        for contig in sorted(found)
        for position, ref, alt in sorted(found[contig].sites)
    ]
    if not lines:
        raise InputError(
            "expected sites of the scoring files on the contigs of the call store, found none whose alleles fit the "
            "reference genome. Check that the scoring files, the store and --fasta are of one build."
        )
    path = work / "sites.tsv"
    storage.write(str(path), ("contig\tposition\tref\talt\n" + "".join(lines)).encode())
    return str(path)
