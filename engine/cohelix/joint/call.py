"""A call store into a callset:

bin by bin, alleles are collected and chosen, and every sample is genotyped at every row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset, genome, storage
from cohelix.arrays import mapped
from cohelix.dataset import FileEntry, Writer
from cohelix.errors import InputError
from cohelix.genome import Bin, Contig
from cohelix.genotypes import callset
from cohelix.genotypes.schema import KINDS
from cohelix.joint import finish, store, unify
from cohelix.joint import sexes as stated_sexes
from cohelix.joint import sites as forced_sites
from cohelix.joint.annotations import SiteAnnotations
from cohelix.joint.batch import Batch, Records, allele_table, read_blocks, read_records
from cohelix.joint.contamination.reads import NotedReads, lone_snps
from cohelix.joint.coverage import Regions, cover, regions_of
from cohelix.joint.genotype import kernels as g
from cohelix.joint.gvcf import bgzf
from cohelix.joint.schema import CONTAMINATION_GRID, REASONS, SITE_COUNTS, CallParams
from cohelix.joint.totals import Sums, Totals
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime

_HELD_BYTES = 64 << 20
"""Digested records, and cells of a bin, that a task keeps in memory;

what is beyond is read again, or goes to a scratch file.
"""


@dataclass(frozen=True)
class Cohort:
    """Samples of the callset, in the order of its columns (bytes of sample_id).

    sexes: what ploidy follows; stated: what the manifest said, which a table may have replaced. batches: (batch number,
    sample numbers, columns). labels: the manifest's batch of each sample, "" for none.
    """

    sample_ids: list[str]
    sexes: list[str]
    batches: tuple[tuple[int, np.ndarray, np.ndarray], ...]
    labels: list[str]
    stated: list[str]


@dataclass(frozen=True)
class Task:
    """One bin."""

    writer: Writer
    root: str
    bin: Bin
    contig_length: int
    build: str
    parts: dict[int, tuple[FileEntry, FileEntry]]
    params: CallParams
    forced: tuple[tuple[unify.Key, bytes], ...]
    only_forced: bool
    fasta: str | None
    window: tuple[int, int] | None
    cohort: Callable[[], Cohort]


def call(
    calls: str,
    out: str,
    params: CallParams,
    runtime: Runtime,
    *,
    sites: str | None = None,
    only_sites: bool = False,
    fasta: str | None = None,
    region: str | None = None,
    sexes: str | None = None,
) -> callset.Callset:
    """Joint-call the samples of the store `calls` into the callset `out`.

    sites: alleles that get a row in any case; only_sites: no other rows. fasta: indexed reference; insertions and
    deletions are then left-aligned. region: `chr7:1-1000`, rows whose position lies in it. sexes: table that replaces
    the store's. A run that was killed goes on where it stopped.
    """
    opened = store.open_store(calls)
    contigs = opened.contigs()
    forced, sites_digest = forced_sites.read(sites, contigs) if sites else ({}, "")
    stated, sexes_digest = stated_sexes.read(sexes) if sexes else (None, "")
    if only_sites and not sites:
        raise InputError(
            "--only-sites keeps nothing but the alleles of --sites, and no --sites was given. Give the file."
        )
    digests = {"sites": sites_digest, "fasta": _fasta_digest(fasta) if fasta else "", "sexes": sexes_digest}
    window = genome.parse_region(region, contigs) if region else None
    before = dataset.find(out)
    after = before.version if before else 0
    work = {"operation": "call", "params": asdict(params), "only_sites": only_sites, **digests, "region": region,
            "samples": opened.commit.meta["samples"], "parts": opened.commit.meta["parts"]}  # fmt: skip
    if dataset.completed(out, callset.KIND, work):
        return callset.open_callset(out)
    samples = opened.samples()
    cohort = cohort_of(samples, stated)
    writer = dataset.begin(out, callset.KIND, work, after=after)
    tasks = plan(writer, opened, contigs, params, forced, only_sites, fasta, window, runtime.share(cohort))
    with writer.working():
        results = list(runtime.map(run, tasks, label="call"))
        inputs = sorted(("gvcf", digest) for digest in samples["gvcf_sha256"].to_pylist())
        inputs += [(name, digest) for name, digest in digests.items() if digest]
        choices = asdict(params) | {"only_sites": only_sites, "region": region, "sexes": sexes_digest or None}
        return _commit(
            writer,
            results,
            cohort,
            opened.build,
            contigs,
            choices,
            inputs,
            "left-aligned" if fasta else "trimmed",
            after,
        )


def _fasta_digest(fasta: str) -> str:
    """sha256 of the reference, which is part of what a callset was made from.

    Raises InputError where it cannot be read.
    """
    try:
        return bgzf.file_digest(fasta)
    except InputError:
        raise InputError(
            "expected a FASTA that this user can read, found none at that path. Correct --fasta."
        ) from None


def cohort_of(samples: pa.Table, stated: dict[str, str] | None = None) -> Cohort:
    """The samples of a store, with the sexes of `stated` where that has any."""
    ids = samples["sample_id"].to_pylist()
    order = sorted(range(len(ids)), key=lambda i: ids[i].encode())
    column = np.empty(len(ids), np.int64)
    column[order] = np.arange(len(ids))
    numbers, batch = store.values(samples, "sample"), store.values(samples, "batch")
    said = samples["sex"].to_pylist()
    sexes = stated_sexes.replaced(ids, said, stated) if stated is not None else said
    batches = tuple((int(b), numbers[batch == b], column[batch == b]) for b in np.unique(batch))
    labels = samples["batch_label"].to_pylist()
    ids, sexes, labels, said = ([values[i] for i in order] for values in (ids, sexes, labels, said))
    return Cohort(ids, sexes, batches, labels, said)


def plan(
    writer: Writer, opened: store.CallStore, contigs: list[Contig], params: CallParams,
    forced: dict[str, dict[unify.Key, bytes]], only_forced: bool,
    fasta: str | None, window: tuple[int, int, int] | None, cohort: Callable[[], Cohort],
) -> list[Task]:  # fmt: skip
    bins = {(b.contig_index, b.start): b for b in opened.bins()}
    wanted: dict[tuple[int, int], list[tuple[unify.Key, bytes]]] = {}
    for number, contig in enumerate(contigs):
        for key, before in sorted(forced.get(contig.name, {}).items()):
            at = (number, key[0] // opened.bin_bp * opened.bin_bp)
            bins.setdefault(at, Bin(*at, at[1] + opened.bin_bp, contig.name))
            wanted.setdefault(at, []).append((key, before))
    parts = opened.parts()
    entries = {entry.path: entry for entry in opened.commit.files}
    tasks = []
    for at in sorted(bins):
        bin_ = bins[at]
        if window and (bin_.contig_index != window[0] or bin_.end < window[1] or bin_.start > window[2]):
            continue
        if only_forced and at not in wanted:
            continue
        here = {
            part.batch: (entries[part.variants], entries[part.blocks])
            for part in parts.get((bin_.contig, bin_.start), [])
        }
        tasks.append(
            Task(
                writer,
                opened.root,
                bin_,
                contigs[bin_.contig_index].length,
                opened.build,
                here,
                params,
                tuple(wanted.get(at, ())),
                only_forced,
                fasta,
                window[1:] if window else None,
                cohort,
            )
        )
    return tasks


def run(task: Task) -> dict[str, Any]:
    """Call one bin, write its shard, record it. What was recorded before is not done again."""
    known = task.writer.recall(f"call-{task.bin.name}")
    if known is not None:
        return known
    cohort = task.cohort()
    batches = [Batch(numbers, columns, *task.parts.get(b, (None, None))) for b, numbers, columns in cohort.batches]
    held = Held(task, batches)
    rows, align, cut = collect_rows(task, held)
    result: dict[str, Any] = {"shard": None, "files": [], "cut": cut, "contig": task.bin.contig}
    with tempfile.TemporaryDirectory(prefix="cohelix-") as folder:
        genotyped = genotype(task, cohort, held, rows, align, Path(folder))
        if rows:
            result |= _write(task, cohort, rows, genotyped, cut)
    result["totals"] = storage.join(task.writer.staging, "totals", task.bin.name)
    storage.write(result["totals"], genotyped.totals.to_bytes())
    task.writer.record(f"call-{task.bin.name}", result)
    return result


class Held:
    """Digested records of the batches, kept while they fit."""

    def __init__(self, task: Task, batches: list[Batch]) -> None:
        self.batches = batches
        self._task = task
        self._kept: dict[int, Records] = {}
        self._bytes = 0

    def records(self, number: int) -> Records:
        if number in self._kept:
            return self._kept[number]
        records = read_records(self._task.root, self.batches[number], self._task.params.gq0 == "nocall")
        if self._bytes + records.nbytes <= _HELD_BYTES:
            self._kept[number] = records
            self._bytes += records.nbytes
        return records


def collect_rows(task: Task, held: Held) -> tuple[list[unify.Row], dict[unify.Key, unify.Key], list[list[int]]]:
    """Rows of the bin, the left-aligned key of each key that moved, and positions that were cut:

    [position, alleles, kept].
    """
    fetch = unify.fetcher(task.fasta, task.bin.contig) if task.fasta else None
    alleles: dict[unify.Key, unify.Allele] = {}
    align: dict[unify.Key, unify.Key] = {}
    for key, before in task.forced:
        alleles[_aligned(key, align, fetch, task)] = unify.Allele(left=before, forced=True)
    for number in range(len(held.batches)):
        records = held.records(number)
        unify.pool(alleles, (_aligned(key, align, fetch, task) for key in records.keys), records.found)
    if fetch:
        for key, allele in alleles.items():
            allele.left = fetch(key[0] - 1, key[0]) if key[0] else b""
    if task.only_forced:
        alleles = {key: allele for key, allele in alleles.items() if allele.forced}
    rows, cut = unify.choose(alleles, task.bin, task.params)
    if task.window:
        rows = [row for row in rows if task.window[0] <= row.position < task.window[1]]
    return rows, align, [[position + 1, n, kept] for position, n, kept in cut]


def _aligned(key: unify.Key, align: dict[unify.Key, unify.Key], fetch: unify.Fetch | None, task: Task) -> unify.Key:
    if fetch is None:
        return key
    if key not in align:
        unify.check_reference(key, fetch, task.bin.contig)
        align[key] = unify.left_align(key, fetch)
    return align[key]


@dataclass
class Genotyped:
    """cells of each batch as (rows, samples) int8, in memory or in a scratch file; partial rows; counts."""

    cells: list[tuple[np.ndarray, np.ndarray]]
    partial: list[np.ndarray]
    reasons: np.ndarray
    site_counts: np.ndarray
    regions: Regions
    totals: Totals
    annotations: SiteAnnotations
    reads: NotedReads


def genotype(
    task: Task, cohort: Cohort, held: Held, rows: list[unify.Row], align: dict[unify.Key, unify.Key], scratch: Path
) -> Genotyped:
    regions = regions_of(task.build, task.bin, task.window, np.array([row.position for row in rows], np.int32))
    table = _row_table(rows, regions, task.params)
    ploidy = _row_ploidy(task, table[:, g.W_POSITION])
    number_of = {row.key: number for number, row in enumerate(rows)}
    settings = settings_of(task.params)
    sex = np.array([genome.SEXES.index(s) for s in cohort.sexes], np.int8)
    out = Genotyped(
        [], [], np.zeros((len(rows), len(REASONS)), np.int64), np.zeros((len(rows), len(SITE_COUNTS)), np.int64),
        regions, Totals.none(len(cohort.sample_ids), regions.numbers), SiteAnnotations(len(rows)),
        NotedReads(scratch, _HELD_BYTES),
    )  # fmt: skip
    spill = len(rows) * len(cohort.sample_ids) > _HELD_BYTES
    for number, batch in enumerate(held.batches):
        records = held.records(number)
        blocks = read_blocks(task.root, batch)
        cover(regions, records, blocks, batch.columns, out.totals.coverage)
        if not rows:
            continue
        alleles = allele_table(records, number_of, align, (task.bin.start, task.bin.end))
        cells = np.empty((batch.numbers.size, len(rows)), np.int8)
        known = np.empty((batch.numbers.size, len(rows)), np.int8)
        totals = Totals.none(batch.numbers.size, regions.numbers)
        noted, noted_at = np.empty(2 * len(records.records), np.int64), np.empty(batch.numbers.size + 1, np.int64)
        g.genotype_samples(
            table, ploidy, sex[batch.columns], alleles, records.records, records.at,
            *blocks[:6], settings, cells, known, out.reasons, out.site_counts,
            totals.samples, totals.outcomes, noted, noted_at,
        )  # fmt: skip
        out.annotations.add(cells, alleles, records, best=task.params.overlap == "best")
        out.totals.samples[batch.columns] = totals.samples
        out.totals.outcomes[batch.columns] = totals.outcomes
        out.reads.add(batch.columns, noted, noted_at)
        out.partial.append(_partial(cells, known, batch.columns))
        by_row = np.ascontiguousarray(cells.T)
        if spill:
            path = scratch / f"cells-{number}.npy"
            np.save(path, by_row)
            by_row = mapped(path)
        out.cells.append((batch.columns, by_row))
    return out


def _row_table(rows: list[unify.Row], regions: Regions, params: CallParams) -> np.ndarray:
    table = np.empty((len(rows), g.W_COLUMNS), np.int32)
    lone = lone_snps(rows, regions)
    for i, row in enumerate(rows):
        table[i] = (
            row.position,
            min(row.end, row.position + params.max_span_bp),
            unify.kind_of(row.ref, row.alt),
            unify.substitution_of(row.ref, row.alt),
            regions.of_rows[i],
            lone[i],
        )
    return table


def _row_ploidy(task: Task, position: np.ndarray) -> np.ndarray:
    out = np.full((len(genome.SEXES), position.size), genome.AS_STATED, np.int8)
    length = max(task.contig_length, int(position.max(initial=0)) + 1)
    for number, sex in enumerate(genome.SEXES):
        for low, high, copies in genome.ploidy_segments(task.build, task.bin.contig, sex, length):
            out[number, (position >= low) & (position < high)] = copies
    return out


def settings_of(params: CallParams) -> np.ndarray:
    settings = np.zeros(g.S_COLUMNS, np.int64)
    settings[g.S_GQ0_NOCALL] = params.gq0 == "nocall"
    settings[g.S_PARTIAL_OK] = params.partial == "homref"
    settings[g.S_MIN_DEPTH] = params.min_allele_depth
    settings[g.S_BEST] = params.overlap == "best"
    settings[g.S_FILTER] = params.genotype_filter == "adj"
    settings[g.S_ADJ_GQ] = params.adj_min_gq
    settings[g.S_ADJ_DP], settings[g.S_ADJ_DP1] = params.adj_min_dp, params.adj_min_dp_haploid
    settings[g.S_ADJ_AB_PERMILLE] = round(1000 * params.adj_min_ab)
    return settings


def _partial(cells: np.ndarray, known: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(row, column, first, second, reason) of each genotype of which one copy is known or deleted."""
    sample, row = np.nonzero(known >= 0)
    code = known[sample, row]
    return np.stack([row, columns[sample], code >> 2, code & 3, -cells[sample, row].astype(np.int64)], axis=1)


def _write(task: Task, cohort: Cohort, rows: list[unify.Row], made: Genotyped, cut: list[list[int]]) -> dict[str, Any]:
    """Write the shard of finished cells, and add to the totals what these say only with their row's counts."""
    counts = dict(zip(SITE_COUNTS, np.ascontiguousarray(made.site_counts.T), strict=True))
    made.reads.sum_into(made.totals, counts["ac"], counts["an"])
    cells = finish.Cells(made.cells, len(rows), len(cohort.sample_ids))
    shard, files = callset.write_shard(
        task.writer,
        name=task.bin.name, contig=task.bin.contig, start=task.bin.start, end=task.bin.end, build=task.build,
        sites=_site_table(task, rows, made, cut), blocks=finish.genotypes(cells, rows, made.site_counts, made.regions,
        made.totals), sample_ids=cohort.sample_ids, sexes=cohort.sexes,
        partial=finish.partial_table(made.partial), adj_blocks=finish.fails_adj(cells),
    )  # fmt: skip
    return {"shard": shard.to_meta(), "files": [[f.path, f.bytes, f.sha256] for f in files]}


def _site_table(task: Task, rows: list[unify.Row], made: Genotyped, cut: list[list[int]]) -> pa.Table:
    contig = task.bin.contig
    columns: dict[str, Any] = {
        "contig": store.text([contig] * len(rows)),
        "position": store.column(np.array([row.position + 1 for row in rows], np.int32)),
        "ref": store.text([row.ref for row in rows]),
        "alt": store.text([row.alt for row in rows]),
        "id": store.text([f"{contig}:{row.position + 1}:{row.ref}:{row.alt}" for row in rows]),
        "kind": store.text([KINDS[unify.kind_of(row.ref, row.alt)] for row in rows]),
    }
    columns |= {name: store.column(made.site_counts[:, i]) for i, name in enumerate(SITE_COUNTS)}
    columns["forced"] = store.column(np.array([row.forced for row in rows], bool))
    columns |= {f"missing_{name}": store.column(made.reasons[:, i]) for i, name in enumerate(REASONS) if i}
    columns |= {name: store.column(values) for name, values in made.annotations.columns(rows, cut).items()}
    return pa.table(columns)


def _commit(
    writer: Writer, results: list[dict[str, Any]], cohort: Cohort, build: str, contigs: list[Contig],
    choices: dict[str, Any], inputs: list[tuple[str, str]], alleles: str, after: int,
) -> callset.Callset:  # fmt: skip
    sums = Sums(len(cohort.sample_ids))
    for result in results:
        sums.add(storage.read(result["totals"]))
    table = {"sample_id": store.text(cohort.sample_ids), "sex": store.text(cohort.sexes)}
    said = {"batch": store.text(cohort.labels)} if any(cohort.labels) else {}
    said |= {"sex_stated": store.text(cohort.stated)} if cohort.stated != cohort.sexes else {}
    samples = callset.write_samples(writer, pa.table(table | sums.sample_columns() | said))
    tables = {"regions": sums.region_table(), "contamination": sums.contamination_table()}
    files = [FileEntry(*entry) for result in results for entry in result["files"]]
    cut = [(result["contig"], *row) for result in results for row in result["cut"]]
    if cut:
        columns = zip(*cut, strict=True)
        names = ("contig", "position", "n_alleles", "n_kept")
        files.append(
            writer.put("cut", ".parquet", store.to_parquet(pa.table(dict(zip(names, map(list, columns), strict=True)))))
        )
    return callset.commit_callset(
        writer, build=build, contigs=contigs,
        shards=[callset.Shard.from_meta(r["shard"]) for r in results if r["shard"]],
        samples=samples, n_samples=len(cohort.sample_ids), files=files, alleles=alleles, params=choices,
        tables={name: writer.put(name, ".parquet", callset.parquet_bytes(made)) for name, made in tables.items()},
        further={"contamination_grid": CONTAMINATION_GRID},
        provenance=provenance("joint call", choices, inputs), after=after,
    )  # fmt: skip
