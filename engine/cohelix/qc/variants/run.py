"""`cohelix qc variants`: a data set with a site table, flags and an annotation table for every shard of a callset.

A task is one shard. It holds the shard's sites table and a block of genotypes; what it writes goes to disk block by
block. A run that was killed goes on behind the last shard that was finished.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import dataset, storage
from cohelix.dataset import Commit, FileEntry, Writer
from cohelix.errors import ConfigError, ContractError, InputError
from cohelix.genotypes.callset import Callset, Shard, open_callset, parquet_bytes
from cohelix.genotypes.counts import CALLED
from cohelix.genotypes.inputs import digests_of, read_groups, read_sexes
from cohelix.genotypes.outputs import check_outside
from cohelix.provenance import provenance
from cohelix.qc import gates as gate_files
from cohelix.qc.gates import GateSet
from cohelix.qc.schema import VariantQcParams
from cohelix.qc.variants import filters, isolation_forest, table, vat
from cohelix.qc.variants.annotations import annotations_of
from cohelix.qc.variants.frequencies import (
    ALL,
    Counted,
    Strata,
    copies_of,
    count_shard,
    frequency_columns,
    strata_of,
)
from cohelix.qc.variants.isolation_forest import CLASSES, Forest, Sample
from cohelix.qc.variants.selection import block_edges
from cohelix.runtime.protocol import Runtime

KIND = "site-qc"

_RESERVED = (ALL, "max")
"""Names that columns have beside those of groups."""

_BLOCK_ROWS = 16_384
"""Rows of a block: 400 columns of them are 50 MiB."""

_GROUP_ROWS = 16_384
"""Rows of a row group."""

_ADJ_COLUMNS = (("ac", "ac_adj"), ("an", "an_adj"), ("hom", "n_hom_alt_adj"))
"""Our counts of calls that pass adj, and the columns of the sites table that state them."""


@dataclass(frozen=True)
class Shared:
    """What every task needs. by_sex: whether sexes are the callset's own, and all known (`check_counts`)."""

    strata: Strata
    by_sex: bool
    training: np.ndarray
    calibration: np.ndarray
    forests: dict[str, Forest]


@dataclass(frozen=True)
class Task:
    """One shard."""

    writer: Writer
    callset: Callset
    shard: Shard
    gates: GateSet
    params: VariantQcParams
    shared: Callable[[], Shared]


def qc_variants(
    callset_root: str,
    out: str,
    params: VariantQcParams,
    runtime: Runtime,
    *,
    gates: str,
    ancestry: str | None = None,
    sexes: str | None = None,
    training: str | None = None,
    calibration: str | None = None,
) -> Commit:
    """Site quality control of the callset into the data set `out`; its newest commit.

    ancestry: table of groups; without it there is one group, "all". sexes: table of sexes in place of the callset's.
    training, calibration: alleles known to be real, both or neither; an isolation forest is then grown.
    """
    if (training is None) != (calibration is None):
        raise ConfigError("--training and --calibration go together. Give both, or neither.")
    check_outside(out)
    callset = open_callset(callset_root)
    gate_set = gate_files.load_gates(gates, "variants")
    inputs = digests_of(ancestry=ancestry, sexes=sexes, training=training, calibration=calibration)
    identity = _identity(callset)
    work = {"operation": "qc variants", "params": asdict(params), "gates": gate_set.digest, "inputs": inputs,
            "callset": identity}  # fmt: skip
    done = dataset.completed(out, KIND, work)
    if done is not None:
        return done
    before = dataset.find(out)
    after = before.version if before else 0
    strata = _strata(callset, ancestry, sexes)
    by_sex = sexes is None and "unknown" not in callset.samples().column("sex").to_pylist()
    known = [
        isolation_forest.read_known(path, f"table of {what} sites") if path else np.empty(0, np.uint64)
        for what, path in (("training", training), ("calibration", calibration))
    ]
    writer = dataset.begin(out, KIND, work, after=after)
    with writer.working():
        forests: dict[str, Forest] = {}
        files: list[FileEntry] = []
        if training is not None:
            shared = runtime.share(Shared(strata, by_sex, known[0], known[1], {}))
            forests, files = _grow(runtime, writer, _tasks(writer, callset, gate_set, params, shared), params)
        shared = runtime.share(Shared(strata, by_sex, known[0][:0], known[1][:0], forests))
        tasks = _tasks(writer, callset, gate_set, params, shared)
        results = list(runtime.map(run, tasks, label="qc variants"))
        meta = _meta(callset, strata, gate_set, params, forests, files, results)
        files += [FileEntry(*entry) for result in results for entry in result["files"]]
        listed = [("callset", identity), *inputs, ("gates", gate_set.digest)]
        return writer.commit(files, meta, provenance("qc variants", params, listed), after=after)


def run(task: Task) -> dict[str, Any]:
    """One shard: its site table, flags and annotation table. What was recorded before is not done again."""
    name = task.shard.name
    known = task.writer.recall(f"sites-{name}")
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="cohelix-") as folder:
        sites, vat_path = Path(folder) / "sites.parquet", Path(folder) / "vat.tsv.gz"
        flags, asked, n_passing = _write_blocks(task, sites, vat_path)
        files = {
            "sites": task.writer.put(f"sites/{name}", ".parquet", sites.read_bytes()),
            "vat": task.writer.put(f"vat/{name}", ".tsv.gz", vat_path.read_bytes()),
            "flags": task.writer.put(f"flags/{name}", ".parquet", parquet_bytes(flags)),
        }
    result = {
        "shard": {"name": name, "contig": task.shard.contig, "start": task.shard.start, "end": task.shard.end,
                  "n_sites": task.shard.n_sites, "n_passing": n_passing}
        | {what: entry.path for what, entry in files.items()},
        "files": [[entry.path, entry.bytes, entry.sha256] for entry in files.values()],
        "failed": dict(asked.failed), "missing": dict(asked.missing),
    }  # fmt: skip
    task.writer.record(f"sites-{name}", result)
    return result


def _write_blocks(task: Task, sites_path: Path, vat_path: Path) -> tuple[pa.Table, filters.Asked, int]:
    """Write both tables of a shard; returns its flags, what was asked, and how many rows pass."""
    shared = task.shared()
    sites = task.callset.sites(task.shard)
    positions = sites.column("position").to_numpy()
    edges = block_edges(positions, _BLOCK_ROWS)
    asked, flags, n_passing = filters.Asked(), [], 0
    with SiteWriter(sites_path) as out, vat.VatWriter(vat_path) as annotated:
        for counted in count_shard(task.callset, task.shard, shared.strata, edges):
            block = sites.slice(counted.start, counted.end - counted.start)
            check_counts(block, counted, shared.strata, by_sex=shared.by_sex)
            copies = copies_of(task.callset.build, task.shard.contig, positions[counted.start : counted.end])
            columns = table.columns_of(block, counted, copies, shared.strata, task.params, shared.forests)
            failing, columns["filters"], not_evaluated = filters.ask(task.gates, table.metrics_of(columns))
            asked.add(failing, not_evaluated)
            flags.append(filters.located(failing, block, counted.start))
            n_passing += block.num_rows - len(set(failing.column("row").to_pylist()))
            out.add(pa.table(columns))
            annotated.add(vat.vat_rows(columns, shared.strata, task.params.vat_max_alleles))
    return pa.concat_tables(flags), asked, n_passing


def check_counts(sites: pa.Table, counted: Counted, strata: Strata, *, by_sex: bool) -> None:
    """ContractError unless the sums over strata are the counts of the sites table.

    by_sex: counts by ploidy must agree as well. They need not where sexes are not the callset's, or not known: a
    joint call counts a haploid genotype of unknown sex as the gVCF states it, and the PGEN does not say which it was.
    """
    everyone = strata.members(ALL)
    found = counted.of(everyone)
    stated = np.column_stack([sites.column(name).to_numpy() for name in CALLED])
    pairs = [(found.sum(axis=1), stated.sum(axis=1), "n_called")]
    if by_sex:
        pairs += [(found[:, place], stated[:, place], name) for place, name in enumerate(CALLED)]
        if counted.adj is not None:
            made, named = frequency_columns(counted.of(everyone, "adj")), _ADJ_COLUMNS
            pairs += [(made[ours], sites.column(theirs).to_numpy(), theirs) for ours, theirs in named]
    for ours, theirs, name in pairs:
        wrong = np.flatnonzero(ours != theirs)
        if len(wrong):
            raise ContractError(
                f"expected {theirs[wrong[0]]} ({name}, from the sites table) in row {counted.start + wrong[0]} of a "
                f"shard, counted {ours[wrong[0]]} in its genotypes; {len(wrong)} rows of a block differ. Report this."
            )


class SiteWriter:
    """A Parquet file in row groups of `_GROUP_ROWS`, whatever the blocks that come in."""

    def __init__(self, path: Path) -> None:
        self._path, self._held = path, pa.table({})
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table) -> None:
        self._held = pa.concat_tables([self._held, rows]) if self._held.num_columns else rows
        while self._held.num_rows >= _GROUP_ROWS:
            self._flush(_GROUP_ROWS)

    def _flush(self, rows: int) -> None:
        if self._writer is None:
            # frequencies and p-values seldom recur: a dictionary of them is larger than they are
            recur = [field.name for field in self._held.schema if not pa.types.is_floating(field.type)]
            options = {"compression": "zstd", "compression_level": 3, "version": "2.6", "store_schema": False}
            self._writer = pq.ParquetWriter(self._path, self._held.schema, use_dictionary=recur, **options)
        self._writer.write_table(self._held.slice(0, rows).combine_chunks(), row_group_size=rows)
        self._held = self._held.slice(rows)

    def __enter__(self) -> SiteWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._held.num_rows:
            self._flush(self._held.num_rows)
        if self._writer is not None:
            self._writer.close()


def _grow(
    runtime: Runtime, writer: Writer, tasks: list[Task], params: VariantQcParams
) -> tuple[dict[str, Forest], list[FileEntry]]:
    """A forest for each class, from the known sites of all shards; and the files that hold them."""
    paths = list(runtime.map(gather, tasks, label="known sites"))
    sample = isolation_forest.joined((_load_sample(path) for path in paths), params.max_training)
    forests, files = {}, []
    for kind, name in enumerate(CLASSES):
        forest = isolation_forest.grow(sample, kind, trees=params.forest_trees, min_training=params.min_training)
        forests[name] = forest
        files.append(writer.put(f"forest/{name}", ".parquet", parquet_bytes(forest.nodes())))
        scores = pa.table({"score": forest.calibration})
        files.append(writer.put(f"forest/{name}-calibration", ".parquet", parquet_bytes(scores)))
    return forests, files


def gather(task: Task) -> str:
    """The known sites of one shard with their annotations, as a file in the staging folder; its path."""
    path = storage.join(task.writer.staging, "known", f"{task.shard.name}.npz")
    if task.writer.recall(f"known-{task.shard.name}") is None:
        shared, sites = task.shared(), task.callset.sites(task.shard)
        values = table.annotation_values(annotations_of(sites), sites.num_rows)
        classes = isolation_forest.classes_of(sites.column("kind").to_pylist())
        keys, cap = isolation_forest.keys_of(sites), task.params.max_training
        sample = isolation_forest.known_rows(keys, classes, values, shared.training, shared.calibration, cap)
        sink = io.BytesIO()
        np.savez(sink, **vars(sample))
        storage.write(path, sink.getvalue())
        task.writer.record(f"known-{task.shard.name}", {})
    return path


def _load_sample(path: str) -> Sample:
    with np.load(io.BytesIO(storage.read(path))) as held:
        return Sample(**{name: held[name] for name in held.files})


def _tasks(
    writer: Writer, callset: Callset, gates: GateSet, params: VariantQcParams, shared: Callable[[], Shared]
) -> list[Task]:
    return [Task(writer, callset, shard, gates, params, shared) for shard in callset.shards]


def _strata(callset: Callset, ancestry: str | None, sexes: str | None) -> Strata:
    samples = callset.samples()
    ids = samples.column("sample_id").to_pylist()
    stated = read_sexes(sexes, ids) if sexes else samples.column("sex").to_pylist()
    if ancestry is None:
        return strata_of([], np.full(len(ids), -1), stated)
    groups = read_groups(ancestry, ids)
    plain = {name.lower() for name in groups.names} - set(_RESERVED)
    if len(plain) < len(groups.names) or not all(c.isalnum() or c in "-." for name in plain for c in name):
        raise InputError(
            "expected names of ancestry groups made of letters, digits, - and ., none of them 'all' or 'max', and no "
            f"two that differ in case only, found others among the {len(groups.names)}. They become parts of column "
            "names; rename the groups."
        )
    return strata_of(groups.names, groups.codes, stated)


def _identity(callset: Callset) -> str:
    return dataset.digest_of([[entry.path, entry.sha256] for entry in callset.commit.files])


def _meta(
    callset: Callset, strata: Strata, gates: GateSet, params: VariantQcParams, forests: dict[str, Forest],
    files: list[FileEntry], results: list[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    failed, missing = filters.Asked().failed, filters.Asked().missing
    for result in results:
        failed.update(result["failed"])
        missing.update(result["missing"])
    sizes = np.bincount(strata.codes, minlength=len(strata.group))
    with_adj = all(shard.adj is not None for shard in callset.shards)
    return {
        "build": callset.build,
        "callset": _identity(callset),
        "n_samples": callset.n_samples,
        "n_sites": callset.n_sites,
        "n_passing": sum(result["shard"]["n_passing"] for result in results),
        "groups": {group: int(sizes[strata.members(group)].sum()) for group in strata.groups},
        "tracks": ["raw", "adj"] if with_adj else ["raw"],
        "frequency_track": params.frequency_track if with_adj else "raw",
        "gates": filters.record(gates, failed, missing),
        "forest": {
            name: forest.describe() | {"nodes": files[2 * place].path, "calibration": files[2 * place + 1].path}
            for place, (name, forest) in enumerate(forests.items())
        },
        "shards": [result["shard"] for result in results],
    }
