"""gVCFs into a call store: the samples of a manifest are added, those that are there stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset, genome
from cohelix.dataset import FileEntry, Writer
from cohelix.errors import CohelixError, ConfigError, InputError
from cohelix.genome import Contig
from cohelix.joint import manifest, store, stretch
from cohelix.joint.annotation import kernels as a
from cohelix.joint.gvcf.reader import Blocks, GvcfReader, Region, Variants
from cohelix.joint.kernels import flatten_blocks, join_bands, mean_depths, overlapping_block
from cohelix.joint.schema import BANDS, MARGIN_BP, IngestParams
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Task:
    """One batch of samples over one stretch of the genome (None: all of it)."""

    writer: Writer
    params: IngestParams
    name: str
    batch: int
    first_sample: int
    rows: tuple[manifest.Row, ...]
    region: Region | None


def ingest(manifest_path: str, out: str, params: IngestParams, runtime: Runtime) -> dataset.Commit:
    """Add the samples of a manifest to the call store `out`, which is made where there is none.

    Returns the new commit. A run that was killed goes on where it stopped. Raises InputError for a damaged input or a
    sample that is there already, ReferenceMismatch where builds differ; the store then stays as it was.
    """
    rows = manifest.read(manifest_path)
    old = store.open_store(out) if dataset.find(out) else None
    params = _settle(params, old) if old else params
    work = {
        "operation": "ingest", "params": asdict(params),
        "rows": [[r.sample_id, r.path, r.sex, r.batch, stretch.file_stamp(r.path)] for r in rows],
    }  # fmt: skip
    done = dataset.completed(out, store.KIND, work)
    if done is not None:
        return done
    if old is not None:
        _refuse_known(rows, old)
    writer = dataset.begin(out, store.KIND, work, after=old.commit.version if old else 0)
    with writer.working():
        tasks = _plan(writer, rows, params, old)
        results = list(runtime.map(_run, tasks, label="ingest"))
        return _commit(writer, rows, tasks, results, params, old)


def _settle(params: IngestParams, old: store.CallStore) -> IngestParams:
    """A store keeps its bins and bands: mixing them would make equal samples differ."""
    kept = old.commit.meta["params"]
    for name in ("bin_bp", "bands"):
        asked, default = getattr(params, name), getattr(IngestParams(), name)
        if asked not in (kept[name], default):
            raise ConfigError(
                f"this store was made with ingest.{name} = {kept[name]!r}, and {asked!r} was asked for. Leave it out."
            )
    return replace(params, bin_bp=kept["bin_bp"], bands=kept["bands"])


def _refuse_known(rows: list[manifest.Row], old: store.CallStore) -> None:
    known = set(old.samples()["sample_id"].to_pylist())
    again = [row.number for row in rows if row.sample_id in known]
    if again:
        raise InputError(
            f"{len(again)} of {len(rows)} samples are in the store already (first: manifest row {again[0]}). "
            "Take them off the manifest, or withdraw them from the store first."
        )


def _plan(writer: Writer, rows: list[manifest.Row], params: IngestParams, old: store.CallStore | None) -> list[Task]:
    tasks = []
    next_sample = old.commit.meta["next_sample"] if old else 0
    next_batch = old.commit.meta["next_batch"] if old else 0
    for at in range(0, len(rows), params.batch_samples):
        batch = tuple(rows[at : at + params.batch_samples])
        for number, region in enumerate(stretch.plan(batch, params)):
            name = f"batch-{next_batch:06d}-{number:05d}"
            tasks.append(Task(writer, params, name, next_batch, next_sample + at, batch, region))
        next_batch += 1
    return tasks


def _run(task: Task) -> dict[str, Any]:
    """Read the samples of one task, write its parts, record them. What was recorded before is not done again."""
    known = task.writer.recall(task.name)
    if known is not None:
        return known
    pieces = _Pieces({}, {})
    tables = _ContigTables()
    samples = []
    for number, row in enumerate(task.rows):
        try:
            reader = GvcfReader(row.path, region=task.region)
            counts = _read_sample(reader, task, task.first_sample + number, tables, pieces)
        except CohelixError as error:
            raise type(error)(f"gVCF of manifest row {row.number}: {error}") from None
        digest = reader.digest if task.region is None else ""
        seam = stretch.seam_of(reader) if task.region else None
        samples.append(
            {
                "header": tables.number(reader.contigs),
                "sha256": digest,
                "n_blocks": counts[0],
                "n_variants": counts[1],
                "seam": seam,
            }
        )
    parts, files = _write_parts(task, list(tables.names), pieces)
    result = {"parts": parts, "files": files, "headers": tables.tables, "samples": samples}
    task.writer.record(task.name, result)
    return result


@dataclass(frozen=True)
class _Pieces:
    """What the samples read so far say of each bin, by contig number << 32 | bin number.

    Lists are in the order of samples.
    """

    blocks: dict[int, list[tuple[np.ndarray, ...]]]
    variants: dict[int, list[pa.Table]]


class _ContigTables:
    """Contig tables of a task's samples. Files of one pipeline share one, which is then looked at once."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.tables: list[list[list[Any]]] = []
        self._known: dict[int, tuple[Sequence[Contig], int, np.ndarray]] = {}

    def number(self, contigs: Sequence[Contig]) -> int:
        """Which of `tables` this one is."""
        return self._look_up(contigs)[1]

    def numbers(self, contigs: Sequence[Contig]) -> np.ndarray:
        """For each of `contigs` its number among all names of the task."""
        return self._look_up(contigs)[2]

    def _look_up(self, contigs: Sequence[Contig]) -> tuple[Sequence[Contig], int, np.ndarray]:
        known = self._known.get(id(contigs))
        if known is not None and known[0] is contigs and known[2].size == max(len(contigs), 1):
            return known
        table = [[contig.name, contig.length] for contig in contigs]
        if table not in self.tables:
            self.tables.append(table)
        numbers = np.array([self.names.setdefault(contig.name, len(self.names)) for contig in contigs] or [0], np.int64)
        self._known[id(contigs)] = (contigs, self.tables.index(table), numbers)
        return self._known[id(contigs)]


def _read_sample(
    reader: GvcfReader, task: Task, sample: int, tables: _ContigTables, pieces: _Pieces
) -> tuple[int, int]:
    chunks = list(reader.records())
    if not chunks and task.region is None:
        raise InputError("expected records behind the header, found none. The file is cut short, or it is not a gVCF.")
    contig_number = tables.numbers(reader.contigs)
    blocks = (
        Blocks(*(np.concatenate(columns) for columns in zip(*(vars(b).values() for b, _ in chunks), strict=True)))
        if chunks
        else None
    )
    n_blocks = n_variants = 0
    if blocks is not None and blocks.start.size:
        blocks = _prepare(blocks, task.params, reader)
        n_blocks = _owned(task, blocks.start)
        index, number, low, high, margin = store.cut_blocks(
            blocks.contig, blocks.start.astype(np.int64), blocks.end.astype(np.int64), task.params.bin_bp, MARGIN_BP
        )
        key = contig_number[blocks.contig[index]] << 32 | number
        columns = (
            np.full(index.size, sample, np.int32),
            low,
            high,
            blocks.gq[index],
            blocks.dp[index],
            blocks.state[index],
            blocks.depth[index],
            margin,
        )
        for one, begin, end in _runs(key, task):
            pieces.blocks.setdefault(one, []).append(tuple(column[begin:end] for column in columns))
    for _, variants in chunks:
        if variants.start.size:
            n_variants += _owned(task, variants.start)
            table, key = _variant_table(variants, task, sample, contig_number)
            for one, begin, end in _runs(key, task):
                pieces.variants.setdefault(one, []).append(table.slice(begin, end - begin))
    if not reader.is_gvcf and task.region is None and task.params.plain_vcf == "refuse":
        raise InputError(
            "expected a gVCF, with reference blocks or <NON_REF> (<*>) among the alternates; found variant records "
            "only. A plain VCF "
            "cannot tell hom-ref from no-call: have the caller write a gVCF, or take it as it is with --set "
            "ingest.plain_vcf=allow."
        )
    return n_blocks, n_variants


def _prepare(blocks: Blocks, params: IngestParams, reader: GvcfReader) -> Blocks:
    """Refuse or flatten overlaps; join bands where that was chosen."""
    at = int(overlapping_block(blocks.contig, blocks.start, blocks.end))
    columns: Any = (blocks.contig, blocks.start, blocks.end, blocks.gq, blocks.dp, blocks.state)
    if at >= 0:
        if params.overlapping_blocks == "refuse":
            raise InputError(
                f"reference blocks overlap at {reader.contigs[blocks.contig[at]].name}:{blocks.start[at] + 1}. Make "
                "the gVCF again, "
                "or let the lower GQ and DP count with --set ingest.overlapping_blocks=minimum."
            )
        columns = flatten_blocks(*columns)
    if params.bands == "aou":
        columns = _join_within_bins(columns, params.bin_bp)
    if columns[0] is blocks.contig:
        return blocks
    contig, start, end, gq, dp, state = columns
    depth = mean_depths(blocks.contig, blocks.start, blocks.end, blocks.depth, contig, start, end)
    return Blocks(contig, start, end, gq, dp, state, depth)


def _join_within_bins(columns: tuple[np.ndarray, ...], bin_bp: int) -> tuple[np.ndarray, ...]:
    """Join blocks up to the end of a bin: a bin's blocks are then the same whatever stretch they were read in."""
    contig, start, end, gq, dp, state = columns
    index, number, low, high, margin = store.cut_blocks(contig, start.astype(np.int64), end.astype(np.int64), bin_bp, 0)
    own = ~margin
    index, number, low, high = index[own], number[own], low[own], high[own]
    n_bins = int(number.max()) + 1
    place = (contig[index] * np.int64(n_bins) + number).astype(np.int32)
    joined = join_bands(place, low, high, gq[index], dp[index], state[index], np.array(BANDS, np.int32))
    return (joined[0] // n_bins, *joined[1:])


def _owned(task: Task, start: np.ndarray) -> int:
    """How many of the records belong to this stretch: what lies over its start is counted by the one before."""
    if task.region is None:
        return int(start.size)
    return int(((start >= task.region.start) & (start < task.region.end)).sum())


def _runs(key: np.ndarray, task: Task) -> list[tuple[int, int, int]]:
    """(key, begin, end) of each stretch of equal keys; with a region, of its own bins only: neighbours write theirs."""
    cuts = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), key.size]
    runs = [(int(key[begin]), begin, end) for begin, end in pairwise(cuts) if end > begin]
    if task.region is None:
        return runs
    first, last = task.region.start // task.params.bin_bp, -(-task.region.end // task.params.bin_bp)
    return [run for run in runs if first <= run[0] & 0xFFFFFFFF < last]


def _variant_table(
    variants: Variants, task: Task, sample: int, contig_number: np.ndarray
) -> tuple[pa.Table, np.ndarray]:
    """The records as rows of `VARIANT_SCHEMA`, and the bin key of each."""
    n = variants.start.size
    index, number, margin = store.place_variants(
        variants.contig, variants.start.astype(np.int64), variants.end.astype(np.int64), task.params.bin_bp, MARGIN_BP
    )
    numbers = [
        np.full(n, sample, np.int32), variants.start, variants.end, variants.gq, variants.dp,
        variants.allele1, variants.allele2, variants.phased, variants.phase_set,
    ]  # fmt: skip
    texts = [
        _strings(variants.ref), _strings(variants.alts), _strings(variants.filters),
        _lists(variants.ad), _lists(variants.pl),
    ]  # fmt: skip
    found = variants.annotations
    lists = [
        _rows(found[:, : a.MQ_DEPTH], found[:, a.SB_REF_FORWARD] >= 0),
        _rows(np.stack([variants.mq_squared, found[:, a.MQ_DEPTH]], axis=1), found[:, a.MQ_DEPTH] >= 0),
        _rows(found[:, a.MQ_RANK :].astype(np.int16), (found[:, a.MQ_RANK :] != a.NO_RANK).any(axis=1)),
    ]
    columns = [*map(store.column, numbers), *texts, store.column(variants.quality), *lists]
    table = pa.table(columns, schema=pa.schema(list(store.VARIANT_SCHEMA)[:-1]))
    if index.size != n:
        table = table.take(store.column(index))
    key = contig_number[variants.contig[index]] << 32 | number
    return table.append_column(store.VARIANT_SCHEMA.field("margin"), store.column(margin)), key


def _strings(pair: tuple[np.ndarray, np.ndarray]) -> pa.Array:
    offsets, data = pair
    return pa.StringArray.from_buffers(offsets.size - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def _lists(pair: tuple[np.ndarray, np.ndarray]) -> pa.Array:
    return pa.ListArray.from_arrays(store.column(pair[0]), store.column(pair[1]))


def _rows(values: np.ndarray, known: np.ndarray) -> pa.Array:
    """Rows of `values` as lists, empty where not known."""
    offsets = np.concatenate([[0], np.cumsum(known * values.shape[1])]).astype(np.int32)
    return _lists((offsets, values[known].ravel()))


def _write_parts(task: Task, names: list[str], pieces: _Pieces) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    parts, files = [], []
    for key in sorted({*pieces.blocks, *pieces.variants}):
        name = genome.Bin(0, (key & 0xFFFFFFFF) * task.params.bin_bp, 0, names[key >> 32])
        block_table = _block_table(pieces.blocks.pop(key, []))
        variant_table = pa.concat_tables([store.empty(store.VARIANT_SCHEMA), *pieces.variants.pop(key, [])])
        stem = f"bin={name.name}/batch={task.batch:06d}"
        entries = [
            task.writer.put(f"variants/{stem}", ".parquet", store.to_parquet(variant_table)),
            task.writer.put(f"blocks/{stem}", ".parquet", store.to_parquet(block_table)),
        ]
        files += [[entry.path, entry.bytes, entry.sha256] for entry in entries]
        part = store.Part(
            name.contig, name.start, task.batch, entries[0].path, entries[1].path, len(variant_table), len(block_table)
        )
        parts.append(asdict(part))
    return parts, files


def _block_table(parts: list[tuple[np.ndarray, ...]]) -> pa.Table:
    if not parts:
        return store.empty(store.BLOCK_SCHEMA)
    columns = [store.column(np.concatenate(column)) for column in zip(*parts, strict=True)]
    return pa.table(columns, schema=store.BLOCK_SCHEMA)


def _commit(
    writer: Writer, rows: list[manifest.Row], tasks: list[Task], results: list[dict[str, Any]],
    params: IngestParams, old: store.CallStore | None,
) -> dataset.Commit:  # fmt: skip
    headers: list[list[list[Any]]] = list(old.commit.meta["headers"]) if old else []
    lines = _sample_lines(tasks, results, headers)
    build = store.one_build(headers)
    table = _sample_table(lines)
    if old is not None:
        table = pa.concat_tables([old.samples(), table])
    _refuse_twins(table, rows, len(lines))
    samples = writer.put("samples", ".parquet", store.to_parquet(table))
    files = [FileEntry(*entry) for result in results for entry in result["files"]]
    parts = [part for result in results for part in result["parts"]]
    if old is not None:
        files += [entry for entry in old.commit.files if entry.path != old.commit.meta["samples"]]
        parts = old.commit.meta["parts"] + parts
    next_sample = (old.commit.meta["next_sample"] if old else 0) + len(rows)
    meta = {
        "build": build, "bin_bp": params.bin_bp, "margin_bp": MARGIN_BP, "params": asdict(params), "headers": headers,
        "samples": samples.path, "next_sample": next_sample,
        "next_batch": (old.commit.meta["next_batch"] if old else 0) + -(-len(rows) // params.batch_samples),
        "parts": parts,
    }  # fmt: skip
    inputs = sorted(("gvcf", line["gvcf_sha256"]) for line in lines)
    record = provenance("joint ingest", asdict(params), inputs)
    return writer.commit([samples, *files], meta, record, after=old.commit.version if old else 0)


def _sample_table(lines: list[dict[str, Any]]) -> pa.Table:
    columns = []
    for field in store.SAMPLE_SCHEMA:
        cells = [line[field.name] for line in lines]
        columns.append(
            store.text(cells)
            if field.type == pa.string()
            else store.column(np.array(cells, field.type.to_pandas_dtype()))
        )
    return pa.table(columns, schema=store.SAMPLE_SCHEMA)


def _sample_lines(tasks: list[Task], results: list[dict[str, Any]], headers: list[Any]) -> list[dict[str, Any]]:
    """One line per sample, put together from the stretches of its batch.

    New contig tables are appended to `headers`.
    """
    from cohelix.joint.gvcf.bgzf import file_digest

    lines: dict[int, dict[str, Any]] = {}
    seams: dict[int, tuple[manifest.Row, list[Any]]] = {}
    for task, result in zip(tasks, results, strict=True):
        for number, (row, sample) in enumerate(zip(task.rows, result["samples"], strict=True), start=task.first_sample):
            table = result["headers"][sample["header"]]
            if table not in headers:
                headers.append(table)
            if task.region is not None:
                seams.setdefault(number, (row, []))[1].append((task.region, sample["seam"]))
            line = lines.setdefault(number, {"n_variants": 0, "n_blocks": 0})
            line["n_variants"] += sample["n_variants"]
            line["n_blocks"] += sample["n_blocks"]
            line |= {
                "sample": number, "sample_id": row.sample_id, "sex": row.sex, "batch_label": row.batch,
                "batch": task.batch,
                "header": headers.index(table), "gvcf_sha256": sample["sha256"],
            }  # fmt: skip
    for number, (row, of_sample) in seams.items():
        stretch.check(row, of_sample)
        lines[number]["gvcf_sha256"] = file_digest(row.path)
    return [lines[number] for number in sorted(lines)]


def _refuse_twins(table: pa.Table, rows: list[manifest.Row], added: int) -> None:
    digests = table["gvcf_sha256"].to_pylist()
    first: dict[str, int] = {}
    for at, digest in enumerate(digests):
        if digest in first and at >= len(digests) - added:
            row = rows[at - (len(digests) - added)].number
            raise InputError(
                f"the gVCF of manifest row {row} has the same content as another sample's. Correct the path, or take "
                "the row off."
            )
        first.setdefault(digest, at)
