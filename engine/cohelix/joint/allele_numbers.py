"""Allele numbers at every base: how many chromosomes are called, variant site or not, by group and sex.

A task is one bin. Each sample's reference blocks and records are swept from edge to edge, and what changes there is
added up over samples: nothing of the size samples × bases is made. Runs of bases with equal numbers are one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset, genome
from cohelix.dataset import FileEntry
from cohelix.errors import InputError
from cohelix.joint import call, store
from cohelix.joint import sexes as stated_sexes
from cohelix.joint.batch import Batch, allele_table, read_blocks
from cohelix.joint.everywhere import kernels as e
from cohelix.joint.schema import CallParams
from cohelix.joint.strata import Strata, read_groups, strata_of
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime

KIND = "allele-numbers"

_STEPS = 16 << 20
"""Numbers of one window of bases, over all strata: 64 MiB. What a bin has beyond goes into further windows."""


@dataclass(frozen=True)
class Task:
    """One bin, with the strata of the samples."""

    bin: call.Task
    strata: Callable[[], Strata]


def allele_numbers(
    calls: str,
    out: str,
    params: CallParams,
    runtime: Runtime,
    *,
    groups: str | None = None,
    region: str | None = None,
    sexes: str | None = None,
) -> dataset.Commit:
    """Count, at every base of the store `calls`, the chromosomes that `joint call` would call there, into `out`.

    groups: table of sample_id and group. region: `chr7:1-1000`. sexes: table that replaces the store's. A run that was
    killed goes on where it stopped. Raises InputError.
    """
    opened = store.open_store(calls)
    contigs = opened.contigs()
    grouped, groups_digest = read_groups(groups) if groups else (None, "")
    stated, sexes_digest = stated_sexes.read(sexes) if sexes else (None, "")
    digests = {"groups": groups_digest, "sexes": sexes_digest}
    window = genome.parse_region(region, contigs) if region else None
    work = {"operation": KIND, "params": asdict(params), **digests, "region": region,
            "samples": opened.commit.meta["samples"], "parts": opened.commit.meta["parts"]}  # fmt: skip
    done = dataset.completed(out, KIND, work)
    if done is not None:
        return done
    samples = opened.samples()
    cohort = call.cohort_of(samples, stated)
    strata = strata_of(cohort.sample_ids, cohort.sexes, grouped)
    before = dataset.find(out)
    after = before.version if before else 0
    writer = dataset.begin(out, KIND, work, after=after)
    with writer.working():
        bins = call.plan(writer, opened, contigs, params, {}, False, None, window, runtime.share(cohort))
        shared = runtime.share(strata)
        results = list(runtime.map(run, [Task(bin_, shared) for bin_ in bins], label=KIND))
        parts = [result["part"] for result in results if result["part"]]
        if not parts:
            raise InputError("no base of the region is called in any sample. Ask for another region.")
        inputs = sorted(("gvcf", digest) for digest in samples["gvcf_sha256"].to_pylist())
        inputs += [(name, digest) for name, digest in digests.items() if digest]
        choices = asdict(params) | {name: digest or None for name, digest in digests.items()} | {"region": region}
        sizes = strata.sizes()
        meta = {
            "build": opened.build, "contigs": [asdict(contig) for contig in contigs],
            "n_samples": len(cohort.sample_ids), "params": choices, "bins": parts,
            "strata": [
                {"group": group, "sex": sex, "n_samples": n}
                for (group, sex), n in zip(strata.names, sizes, strict=True)
            ],
        }  # fmt: skip
        files = [FileEntry(*result["file"]) for result in results if result["part"]]
        return writer.commit(files, meta, provenance("joint allele-numbers", choices, inputs), after=after)


def run(task: Task) -> dict[str, Any]:
    """Count one bin, write its runs, record it. What was recorded before is not done again."""
    bin_ = task.bin.bin
    known = task.bin.writer.recall(bin_.name)
    if known is not None:
        return known
    table = runs_of(task)
    result: dict[str, Any] = {"part": None}
    if len(table):
        entry = task.bin.writer.put(f"runs/{bin_.name}", ".parquet", store.to_parquet(table))
        part = {"contig": bin_.contig, "start": bin_.start, "end": bin_.end, "path": entry.path, "n_runs": len(table)}
        result = {"part": part, "file": [entry.path, entry.bytes, entry.sha256]}
    task.bin.writer.record(bin_.name, result)
    return result


def runs_of(task: Task) -> pa.Table:
    """Runs of bases with equal numbers, those without any left out."""
    strata, bin_ = task.strata(), task.bin.bin
    low, high = bin_.start, min(bin_.end, task.bin.contig_length or bin_.end)
    if task.bin.window:
        low, high = max(low, task.bin.window[0]), min(high, task.bin.window[1])
    step = max(1, _STEPS // (e.LEVELS * (len(strata.names) + 1)))
    found = [_window(task, strata, at, min(at + step, high)) for at in range(low, high, step)]
    if not found:
        return pa.table({})
    start, end = (np.concatenate([part[i] for part in found]) for i in range(2))
    values = np.concatenate([part[2] for part in found], axis=2)
    same = (values[:, :, 1:] == values[:, :, :-1]).all(axis=(0, 1)) & (end[:-1] == start[1:])
    first = np.concatenate([[True], ~same])[: start.size]
    last = np.concatenate([~same, [True]])[: start.size]
    return _table(bin_.contig, start[first], end[last], values[:, :, first], strata)


def _window(task: Task, strata: Strata, low: int, high: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start, end, numbers (strata, LEVELS, runs)) of the bases [low, high)."""
    bin_task = task.bin
    cohort = bin_task.cohort()
    batches = [Batch(numbers, columns, *bin_task.parts.get(b, (None, None))) for b, numbers, columns in cohort.batches]
    held = call.Held(bin_task, batches)
    rows, align, _ = call.collect_rows(bin_task, held)
    snps = np.array([row.position if len(row.ref) == len(row.alt) == 1 else -1 for row in rows], np.int32)
    number_of = {row.key: number for number, row in enumerate(rows)}
    settings = call.settings_of(bin_task.params)
    ploidy_at, ploidy = ploidy_of(bin_task.build, bin_task.bin.contig, high)
    sex = np.array([genome.SEXES.index(s) for s in cohort.sexes], np.int8)
    steps = np.zeros((len(strata.names) + 1, e.LEVELS, high - low + 1), np.int32)
    for number, batch in enumerate(batches):
        records, blocks = held.records(number), read_blocks(bin_task.root, batch)
        alleles = allele_table(records, number_of, align, (bin_task.bin.start, bin_task.bin.end))
        e.sum_copies(
            snps, ploidy_at, ploidy, sex[batch.columns], strata.codes[batch.columns],
            alleles, records.records, records.at, blocks.start, blocks.end, blocks.gq, blocks.dp, blocks.state,
            blocks.at, settings, low, high, steps,
        )  # fmt: skip
    changes = np.flatnonzero(steps[:, :, :-1].any(axis=(0, 1)))
    at = np.union1d([0], changes)
    values = np.cumsum(steps[:, :, at], axis=2, dtype=np.int32)
    called = values[:, e.RAW].any(axis=0)
    return (at + low)[called], (np.append(at[1:], high - low) + low)[called], values[:, :, called]


def ploidy_of(build: str, contig: str, end: int) -> tuple[np.ndarray, np.ndarray]:
    """(where each stretch of equal ploidy begins, ploidy (3 sexes, stretches) int8) of [0, end) of a contig."""
    segments = [genome.ploidy_segments(build, contig, sex, end) for sex in genome.SEXES]
    starts = np.unique([low for of_sex in segments for low, _, _ in of_sex])
    ploidy = np.empty((len(segments), starts.size), np.int8)
    for number, of_sex in enumerate(segments):
        for low, _, copies in of_sex:
            ploidy[number, starts >= low] = copies
    return starts.astype(np.int64), ploidy


def _table(contig: str, start: np.ndarray, end: np.ndarray, values: np.ndarray, strata: Strata) -> pa.Table:
    columns: dict[str, Any] = {
        "contig": store.text([contig] * start.size),
        "start": store.column(start.astype(np.int32)),
        "end": store.column(end.astype(np.int32)),
    }
    levels = (("raw", e.RAW), ("adj", e.ADJ))
    columns |= {f"an_{name}": store.column(values[:, level].sum(axis=0, dtype=np.int32)) for name, level in levels}
    for name, level in levels:
        for number, (group, sex) in enumerate(strata.names):
            columns[f"an_{name}_{group}_{sex}"] = store.column(values[number, level])
    return pa.table(columns)
