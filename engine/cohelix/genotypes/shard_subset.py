"""Chosen rows and samples of one shard, written as a shard of another callset.

Autosomes only: every sample has two copies of a site. Where all samples stay, the columns of the sites table stay as
they are; of chosen samples only what genotypes say is counted anew, and other columns that depend on samples go.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import storage
from cohelix.dataset import Writer
from cohelix.errors import ContractError
from cohelix.genotypes import callset as store
from cohelix.genotypes import counts as counting
from cohelix.genotypes import schema
from cohelix.genotypes.callset import Callset, Shard

_OF_SITES = ("source_id", "filter", "n_alleles")
"""Further columns of a sites table that do not depend on who is in it."""

_OF_SAMPLES = ("sex_stated", "batch")
"""Further columns of a samples table that do not depend on which sites are in the callset."""


@dataclass(frozen=True)
class Chosen:
    """The callset that rows are taken from, its samples (None: all) and what is known of these."""

    callset: Callset
    samples: np.ndarray | None
    sample_ids: list[str]
    sexes: list[str]

    @staticmethod
    def of(callset: Callset, samples: np.ndarray | None) -> Chosen:
        table = callset.samples()
        table = table if samples is None else table.take(pa.array(samples))
        return Chosen(callset, samples, table.column("sample_id").to_pylist(), table.column("sex").to_pylist())

    @property
    def ploidy(self) -> counting.Ploidy:
        """Two copies, of any number of sites."""
        return counting.Ploidy(np.zeros(0, np.int64), np.full((1, len(self.sample_ids)), 2, np.uint8))


@dataclass(frozen=True)
class Task:
    """Rows int32, increasing, of shard number `shard`."""

    writer: Writer
    chosen: Callable[[], Chosen]
    shard: int
    rows: np.ndarray


def run(task: Task) -> dict[str, Any]:
    """Write the rows of one shard; what was recorded before is not done again. {"shard", "files", "counts"}."""
    chosen = task.chosen()
    shard = chosen.callset.shards[task.shard]
    known = task.writer.recall(f"shard-{shard.name}")
    if known is not None:
        return known
    per_sample = np.zeros((len(chosen.sample_ids), 7), np.int64)
    per_site: list[np.ndarray] = []
    if chosen.samples is not None:  # the sites table comes before the genotypes
        per_site = [counting.count_variants(block, _rows_of(chosen, block)) for block in _blocks(chosen, shard, task)]
    partial = _partial(chosen, shard, task.rows)
    sites = _sites(chosen, shard, task.rows, np.concatenate(per_site) if per_site else None, partial)
    written, files = store.write_shard(
        task.writer,
        name=shard.name,
        contig=shard.contig,
        start=shard.start,
        end=shard.end,
        build=chosen.callset.build,
        sites=sites,
        blocks=_counted(_blocks(chosen, shard, task), chosen, per_sample),
        sample_ids=chosen.sample_ids,
        sexes=chosen.sexes,
        partial=partial,
        adj_blocks=_blocks(chosen, replace(shard, pgen=shard.adj), task) if shard.adj else None,
    )
    path = storage.join(task.writer.staging, "counts", f"{shard.name}.npy")
    sink = io.BytesIO()
    np.save(sink, per_sample.astype(np.int32))  # a shard has fewer rows than that
    storage.write(path, sink.getvalue())
    result = {"shard": written.to_meta(), "files": [[file.path, file.bytes, file.sha256] for file in files],
              "counts": f"counts/{shard.name}.npy"}  # fmt: skip
    task.writer.record(f"shard-{shard.name}", result)
    return result


def counted_samples(writer: Writer, results: list[dict[str, Any]]) -> np.ndarray:
    """int64 (samples, 7): counts as `counts.count_samples` names them, over all shards."""
    total: np.ndarray | None = None
    for result in results:
        part = np.load(io.BytesIO(storage.read(storage.join(writer.staging, result["counts"]))))
        total = part.astype(np.int64) if total is None else total + part
    if total is None:
        raise ContractError("expected at least one shard with chosen sites.")
    return total


def samples_table(chosen: Chosen, counted: np.ndarray, n_sites: int) -> pa.Table:
    """The samples table over the chosen sites."""
    known = chosen.callset.samples()
    known = known if chosen.samples is None else known.take(pa.array(chosen.samples))
    columns = {"sample_id": known.column("sample_id"), "sex": known.column("sex")}
    columns["n_sites"] = pa.array(np.full(known.num_rows, n_sites, np.int64))
    columns |= counting.called_columns(counted)
    return pa.table(columns | {name: known.column(name) for name in _OF_SAMPLES if name in known.column_names})


def _blocks(chosen: Chosen, shard: Shard, task: Task) -> Iterator[np.ndarray]:
    """int8 blocks of the chosen rows and samples."""
    step = max(1, store.BLOCK_VALUES // chosen.callset.n_samples)
    with store.open_pgen(chosen.callset, shard) as reader:
        for start in range(0, len(task.rows), step):
            rows = task.rows[start : start + step].astype(np.uint32)
            block = np.empty((len(rows), chosen.callset.n_samples), np.int8)
            reader.read_list(rows, block)
            yield block if chosen.samples is None else np.take(block, chosen.samples, axis=1)


def _rows_of(chosen: Chosen, block: np.ndarray) -> counting.Ploidy:
    return replace(chosen.ploidy, classes=np.zeros(len(block), np.int64))


def _counted(blocks: Iterator[np.ndarray], chosen: Chosen, per_sample: np.ndarray) -> Iterator[np.ndarray]:
    """The blocks; adds their genotypes to `per_sample` int64 (samples, 7)."""
    for block in blocks:
        per_sample += counting.count_samples(block, _rows_of(chosen, block))
        yield block


def _sites(
    chosen: Chosen, shard: Shard, rows: np.ndarray, counted: np.ndarray | None, partial: pa.Table | None
) -> pa.Table:
    """The sites table of the rows. counted: (rows, 7) of the chosen samples, None where all stay."""
    known = chosen.callset.sites(shard).take(pa.array(rows))
    if counted is None:
        return known
    kept = [name for name in known.column_names if name in _OF_SITES or name == "qual" or name.startswith("info_")]
    columns = {name: known.column(name) for name in ("contig", "position", "ref", "alt", "id", "kind")}
    columns |= counting.site_columns(counted)
    missing = len(chosen.sample_ids) - counted[:, :5].sum(axis=1)
    named: dict[str, np.ndarray] = {}
    if partial is not None:
        reasons = np.array(partial.column("reason").to_pylist())
        for reason in sorted(set(reasons.tolist()) - {"no_call"}):
            of_reason = partial.column("row").to_numpy()[reasons == reason]
            named[reason] = np.minimum(np.bincount(of_reason, minlength=len(rows)), missing)
            missing = missing - named[reason]
    columns[f"{schema.MISSING_PREFIX}no_call"] = pa.array(missing)
    columns |= {f"{schema.MISSING_PREFIX}{reason}": pa.array(count) for reason, count in named.items()}
    return pa.table(columns | {name: known.column(name) for name in kept})


def _partial(chosen: Chosen, shard: Shard, rows: np.ndarray) -> pa.Table | None:
    """Half calls of the chosen rows and samples, by their new numbers."""
    table = chosen.callset.partial(shard)
    if table is None:
        return None
    row, sample = (table.column(name).to_numpy() for name in ("row", "sample"))
    at = np.searchsorted(rows, row)
    kept = (at < len(rows)) & (rows[np.minimum(at, len(rows) - 1)] == row)
    place = sample
    if chosen.samples is not None:
        place = np.searchsorted(chosen.samples, sample)
        kept &= chosen.samples[np.minimum(place, len(chosen.samples) - 1)] == sample
    table = table.append_column("at", pa.array(at, pa.int32())).append_column("place", pa.array(place, pa.int32()))
    table = table.filter(pa.array(kept))
    columns = {"row": table.column("at"), "sample": table.column("place")}
    return pa.table(columns | {name: table.column(name) for name in ("first", "second", "reason")})
