"""`cohelix genotypes select`: a callset of chosen sites, and of chosen samples.

A task is one shard: rules are asked of its sites table, then linkage disequilibrium is pruned contig by contig, then
the rows that stay are written. Genotypes are read for pruning and writing only, unless samples are chosen: their counts
are then made anew. A run that was killed goes on behind the last shard that was finished.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset, storage
from cohelix.dataset import Writer
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes import callset as store
from cohelix.genotypes import inputs, shard_subset
from cohelix.genotypes.callset import Callset, Shard, open_callset
from cohelix.genotypes.ld.prune import Window, prune
from cohelix.genotypes.match import match_sites
from cohelix.genotypes.outputs import check_outside
from cohelix.genotypes.packed.counting import count_shard, masks_of
from cohelix.genotypes.packed.matrix import Matrix, matrix_at
from cohelix.genotypes.schema_select import SelectParams
from cohelix.genotypes.shard_subset import Chosen
from cohelix.genotypes.site_rules import (
    COLUMNS,
    RULES,
    Counts,
    Sieve,
    by_counts,
    by_place,
    check_build,
    keeps_contig,
    read_sites,
)
from cohelix.provenance import provenance as provenance_of
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Asked:
    """What every task needs: the callset, the choices and the samples (None: all)."""

    callset: Callset
    params: SelectParams
    samples: np.ndarray | None


@dataclass(frozen=True)
class Judge:
    """One shard whose sites are judged. listed: rows of the list of sites (None: there is no list)."""

    asked: Callable[[], Asked]
    number: int
    listed: np.ndarray | None


def select_sites(
    callset_root: str,
    out_root: str,
    params: SelectParams,
    runtime: Runtime,
    *,
    sites: str | None = None,
    samples: str | np.ndarray | None = None,
    tables: dict[str, pa.Table] | None = None,
    further: dict[str, Any] | None = None,
    provenance: dict[str, Any] | None = None,
) -> Callset:
    """Write the chosen sites and samples of a callset as a callset: a new one, or a new version of `out_root`.

    sites: VCF or table; others are left out. samples: file of ids, or increasing rows of the samples table. tables,
    further: as `commit_callset` takes them. provenance: in place of ours. Of the commit's meta, "selection" says how
    many sites each rule removed. InputError where no site stays.
    """
    check_outside(out_root)
    if _place(callset_root) == _place(out_root):
        raise ConfigError("expected another folder to write to than the callset that is read. Choose one.")
    callset = open_callset(callset_root)
    if params.long_range_ld == "drop":
        check_build(callset.build)
    rows = read_sample_rows(samples, callset) if isinstance(samples, str) else samples
    files = inputs.digests_of(sites=sites, **({"samples-file": samples} if isinstance(samples, str) else {}))
    identity = dataset.digest_of([[entry.path, entry.sha256] for entry in callset.commit.files])
    made = provenance or provenance_of("genotypes select", params, [("callset", identity), *files])
    chosen = [] if rows is None else rows.tolist()
    work = {"operation": "genotypes select", "made": made, "callset": identity, "samples": chosen, "further": further,
            "tables": sorted(tables or {})}  # fmt: skip
    if dataset.completed(out_root, store.KIND, work) is not None:
        return open_callset(out_root)
    before = dataset.find(out_root)
    writer = dataset.begin(out_root, store.KIND, work, after=before.version if before else 0)
    with writer.working():
        matrix, selection = _choose(writer, Asked(callset, params, rows), sites, runtime)
        return _write(writer, matrix, params, selection, runtime, tables or {}, further or {}, made)


def read_sample_rows(path: str, callset: Callset) -> np.ndarray:
    """int64, increasing: rows of the samples that a file names, one id a line, or under a header in its first column.

    InputError where a sample is named twice or is not in the callset.
    """
    ids = callset.samples().column("sample_id").to_pylist()
    try:
        lines = storage.read(path).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError("expected a file of sample ids, found none that can be read. Check its path.") from None
    place = {sample: row for row, sample in enumerate(ids)}
    header = bool(lines) and lines[0].split("\t")[0].strip() in inputs.SAMPLE_COLUMNS and lines[0] not in place
    seen: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        sample = line.split("\t")[0].strip()
        if not sample or (header and number == 1):
            continue
        row = place.get(sample)
        if row is None:
            raise InputError(f"the sample on line {number} of the samples file is not in the callset. Correct it.")
        if seen.setdefault(row, number) != number:
            raise InputError(f"lines {seen[row]} and {number} of the samples file name the same sample. Drop one.")
    if not seen:
        raise InputError("expected at least one sample id in the samples file, found none.")
    return np.array(sorted(seen), np.int64)


def judge(task: Judge) -> tuple[np.ndarray, dict[str, int]]:
    """Rows of the shard that no rule removes, int32, and how many each removed."""
    asked = task.asked()
    callset, params = asked.callset, asked.params
    shard = callset.shards[task.number]
    sieve = Sieve(np.ones(shard.n_sites, bool))
    if not keeps_contig(sieve, shard.contig):
        return _NONE, sieve.removed
    table = callset.table(shard.sites, columns=COLUMNS)
    by_place(sieve, table, shard.contig, callset.build, params)
    if task.listed is not None:
        listed = np.zeros(shard.n_sites, bool)
        listed[task.listed] = True
        sieve.keep("not_listed", listed)
    if sieve.left.any():
        n_samples = callset.n_samples if asked.samples is None else len(asked.samples)
        by_counts(sieve, _counts(asked, shard, table, sieve), n_samples, params)
    return np.flatnonzero(sieve.left).astype(np.int32), sieve.removed


def _counts(asked: Asked, shard: Shard, table: pa.Table, sieve: Sieve) -> Counts:
    """Counts of the sites, in rows that are left: from the table, or of the chosen samples from their genotypes."""
    if asked.samples is None:
        return Counts.of_table(table)
    groups = np.full(asked.callset.n_samples, -1)
    groups[asked.samples] = 0
    rows = np.flatnonzero(sieve.left)
    counted = np.zeros((shard.n_sites, 4), np.int64)
    low, high = int(rows[0]), int(rows[-1]) + 1
    counted[low:high] = count_shard(asked.callset, shard, masks_of(groups, 1), low, high)[:, 0]
    return Counts.of_genotypes(counted)


def _choose(writer: Writer, asked: Asked, sites: str | None, runtime: Runtime) -> tuple[Matrix, dict[str, Any]]:
    """The sites that stay, and the account of those that go."""
    callset, params = asked.callset, asked.params
    n_samples = callset.n_samples if asked.samples is None else len(asked.samples)
    if params.ld_r2 < 1 and n_samples < 2:
        raise InputError(
            "expected at least two samples, found one: it has no correlation to prune by. Choose more, or do not "
            "prune: --set genotypes.select.ld_r2=1."
        )
    listed, account = _listed(callset, sites)
    shared = runtime.share(asked)
    tasks = [
        Judge(shared, number, None if listed is None else listed.get(number, _NONE))
        for number in range(len(callset.shards))
    ]
    judged = list(runtime.map(judge, tasks, label="site rules"))
    removed = {rule: sum(counts[rule] for _, counts in judged) for rule in RULES}
    matrix = matrix_at(callset, list(enumerate(rows for rows, _ in judged)))
    _check_any(matrix.n_sites, callset.n_sites, removed)
    if asked.samples is not None:
        matrix = matrix.of_samples(asked.samples)
    if params.ld_r2 < 1:
        stays = _pruned(writer, matrix, params, runtime)
        removed["ld"] = int((~stays).sum())
        matrix = matrix.take(np.flatnonzero(stays))
        _check_any(matrix.n_sites, callset.n_sites, removed)
    counts = {"n_sites_before": callset.n_sites, "n_sites": matrix.n_sites, "n_samples": n_samples}
    return matrix, counts | {"removed": removed} | account


_NONE = np.empty(0, np.int32)


def _listed(callset: Callset, sites: str | None) -> tuple[dict[int, np.ndarray] | None, dict[str, Any]]:
    """Rows by shard of the sites in a list, and how the list was matched."""
    if sites is None:
        return None, {}
    table = read_sites(sites)
    matched = match_sites(callset, table)
    account = {"n_listed": table.num_rows, "n_found": len(matched.site), "n_swapped": int(matched.swapped.sum()),
               "n_absent": matched.n_absent, "n_other_alleles": matched.n_other_alleles}  # fmt: skip
    return {part.shard: part.rows for part in matched.matrix.parts}, {"listed": account}


def _pruned(writer: Writer, matrix: Matrix, params: SelectParams, runtime: Runtime) -> np.ndarray:
    """bool: which rows of the matrix stay. What a run that was killed found is not looked for again."""
    path = storage.join(writer.staging, "pruned.npy")
    if writer.recall("pruned") is not None:
        return np.asarray(np.load(io.BytesIO(storage.read(path))))
    in_bases = params.ld_unit == "kb"
    window = Window(params.ld_window * (1000 if in_bases else 1), params.ld_step, in_bases)
    stays = prune(matrix, window, params.ld_r2, runtime)
    sink = io.BytesIO()
    np.save(sink, stays)
    storage.write(path, sink.getvalue())
    writer.record("pruned", {})
    return stays


def _check_any(n_left: int, n_sites: int, removed: dict[str, int]) -> None:
    if n_left:
        return
    rule = max(removed, key=lambda name: removed[name])
    raise InputError(
        f"no site is left of {n_sites}. {RULES[rule].capitalize()}: {removed[rule]}, more than under any other rule. "
        "Choose other settings of genotypes.select, or other sites and samples."
    )


def _write(
    writer: Writer, matrix: Matrix, params: SelectParams, selection: dict[str, Any], runtime: Runtime,
    tables: dict[str, pa.Table], further: dict[str, Any], made: dict[str, Any],
) -> Callset:  # fmt: skip
    """Write the shards that hold a row of the matrix, the samples and the commit."""
    callset = matrix.callset
    shared = runtime.share(Chosen.of(callset, matrix.samples))
    tasks = [shard_subset.Task(writer, shared, part.shard, part.rows) for part in matrix.parts]
    results = list(runtime.map(shard_subset.run, tasks, label="genotypes"))
    counted = shard_subset.counted_samples(writer, results)
    entries = [dataset.FileEntry(*entry) for result in results for entry in result["files"]]
    return store.commit_callset(
        writer,
        build=callset.build,
        contigs=callset.contigs,
        shards=[Shard.from_meta(result["shard"]) for result in results],
        samples=store.write_samples(writer, shard_subset.samples_table(shared(), counted, matrix.n_sites)),
        n_samples=matrix.n_samples,
        files=entries,
        alleles=callset.commit.meta["alleles"],
        params=asdict(params),
        tables={name: writer.put(name, ".parquet", store.parquet_bytes(table)) for name, table in tables.items()},
        further={"selection": selection} | further,
        provenance=made,
        after=int(writer.run.split("-")[0]),
    )


def _place(root: str) -> str:
    return str(storage.local_path(root).resolve()) if storage.is_local(root) else root.rstrip("/")
