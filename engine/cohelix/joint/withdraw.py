"""Samples out of a call store: the new version holds nothing of them, and calls as a store that never had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cohelix import dataset, storage
from cohelix.dataset import FileEntry, Writer
from cohelix.errors import InputError
from cohelix.joint import store
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Task:
    """One part that holds withdrawn samples, to be written without them."""

    writer: Writer
    root: str
    part: store.Part
    variants: FileEntry
    blocks: FileEntry
    numbers: tuple[int, ...]


def read_ids(path: str) -> list[str]:
    """Sample ids, one a line; a first line `sample_id` is a header. Raises InputError."""
    try:
        lines = storage.read(path).decode("utf-8-sig").split("\n")
    except FileNotFoundError:
        raise InputError("expected a file of sample ids, found none at that path. Correct the path.") from None
    except (PermissionError, IsADirectoryError):
        raise InputError(
            "expected a readable file of sample ids, found a folder or one this user may not read."
        ) from None
    except UnicodeDecodeError:
        raise InputError("expected the sample ids in UTF-8, found other bytes. Save the file as UTF-8 text.") from None
    ids = [line.strip() for line in lines if line.strip()]
    ids = ids[1:] if ids[:1] == ["sample_id"] else ids
    if not ids:
        raise InputError("the file of sample ids is empty. Give one id per line.")
    return ids


def withdraw(calls: str, sample_ids: Sequence[str], runtime: Runtime, *, purge: bool = False) -> dataset.Commit:
    """Write a new version of `calls` without `sample_ids`. With `purge`, older versions and their files are removed
    after it; ids that are no longer in the newest version, but in the files of an older one, are then fine.

    Raises InputError where an id is not in the store, or where nobody would be left; the store then stays as it was.
    """
    wanted = sorted(set(sample_ids))
    opened = store.open_store(calls)
    work = {"operation": "withdraw", "ids": wanted}
    commit = dataset.completed(calls, store.KIND, work)
    if commit is None:
        commit = _without(opened, wanted, work, runtime, purge)
    if purge:
        _purge(calls, commit)
    return commit


def _without(
    opened: store.CallStore, wanted: list[str], work: dict[str, Any], runtime: Runtime, purge: bool
) -> dataset.Commit:
    samples = opened.samples()
    leaving = pc.is_in(samples["sample_id"], pa.array(wanted, pa.string()))
    gone = samples.filter(leaving)
    unknown = set(wanted) - set(gone["sample_id"].to_pylist())
    unknown -= _ever_there(opened.root) if purge and unknown else set()
    if unknown:
        raise InputError(f"{len(unknown)} of {len(wanted)} sample ids are not in the store. Correct the list.")
    if len(gone) == len(samples):
        raise InputError(
            "this would leave the store without samples. Delete the store itself if that is what you want."
        )
    if not len(gone):
        return opened.commit
    writer = dataset.begin(opened.root, store.KIND, work, after=opened.commit.version)
    tasks = _plan(writer, opened, gone)
    with writer.working():
        results = list(runtime.map(run, tasks, label="withdraw"))
        return _commit(writer, opened, samples.filter(pc.invert(leaving)), tasks, results)


def _ever_there(root: str) -> set[str]:
    """Ids in every samples table that is still on disk, named by a commit or not:

    a purge that was killed has left some.
    """
    names = [name for name in storage.listing(root) if name.startswith("samples-")]
    tables = [pq.ParquetFile(pa.BufferReader(storage.read(storage.join(root, name)))) for name in names]
    return {sample_id for table in tables for sample_id in table.read(["sample_id"])["sample_id"].to_pylist()}


def _purge(calls: str, commit: dataset.Commit) -> None:
    """Remove every version but the newest, and every file that only those named.

    From the oldest on, the samples table of each last: as long as there is more to do, the ids are found again.
    """
    if dataset.unfinished(calls):
        raise InputError(
            "another run is writing to this store, so nothing was removed yet. Give the same command again when it is "
            "done."
        )
    for version in range(1, commit.version):
        storage.remove(storage.join(calls, "_commit", f"{version:06d}.json"))
        dataset.collect_garbage(calls)
    dataset.collect_garbage(calls)


def _plan(writer: Writer, opened: store.CallStore, gone: pa.Table) -> list[Task]:
    by_batch: dict[int, list[int]] = {}
    for number, batch in zip(gone["sample"].to_pylist(), gone["batch"].to_pylist(), strict=True):
        by_batch.setdefault(batch, []).append(number)
    entries = {entry.path: entry for entry in opened.commit.files}
    return [
        Task(writer, opened.root, part, entries[part.variants], entries[part.blocks], tuple(by_batch[part.batch]))
        for parts in opened.parts().values()
        for part in parts
        if part.batch in by_batch
    ]


def run(task: Task) -> dict[str, Any]:
    """Write one part without the withdrawn samples, record it."""
    name = f"withdraw-{dataset.digest_of([task.part.variants, task.part.blocks])[:16]}"
    known = task.writer.recall(name)
    if known is not None:
        return known
    numbers = np.array(task.numbers, np.int32)
    files, counts = [], []
    for entry in (task.variants, task.blocks):
        table = store.read_table(task.root, entry)
        table = table.filter(store.column(~np.isin(store.values(table, "sample"), numbers)))
        stem = entry.path.rsplit("-", 1)[0]
        files.append(task.writer.put(stem, ".parquet", store.to_parquet(table)))
        counts.append(len(table))
    result = {"files": [[f.path, f.bytes, f.sha256] for f in files], "counts": counts}
    task.writer.record(name, result)
    return result


def _commit(
    writer: Writer, opened: store.CallStore, samples: pa.Table, tasks: list[Task], results: list[dict[str, Any]]
) -> dataset.Commit:
    replaced = {
        (task.part.contig, task.part.start, task.part.batch): result
        for task, result in zip(tasks, results, strict=True)
    }
    parts, dropped, added = [], set(), []
    for row in opened.commit.meta["parts"]:
        result = replaced.get((row["contig"], row["start"], row["batch"]))
        if result is None:
            parts.append(row)
            continue
        dropped |= {row["variants"], row["blocks"]}
        if sum(result["counts"]):
            added += [FileEntry(*entry) for entry in result["files"]]
            (variants, *_), (blocks, *_) = result["files"]
            n_variants, n_blocks = result["counts"]
            parts.append(row | {"variants": variants, "blocks": blocks, "n_variants": n_variants, "n_blocks": n_blocks})
    table = writer.put("samples", ".parquet", store.to_parquet(samples))
    dropped.add(opened.commit.meta["samples"])
    files = [entry for entry in opened.commit.files if entry.path not in dropped] + [table, *added]
    used = set(samples["header"].to_pylist())
    headers = [header if number in used else [] for number, header in enumerate(opened.commit.meta["headers"])]
    meta = opened.commit.meta | {
        "parts": parts, "samples": table.path, "headers": headers, "build": store.one_build(headers),
    }  # fmt: skip
    inputs = sorted(("gvcf", digest) for digest in samples["gvcf_sha256"].to_pylist())
    return writer.commit(files, meta, provenance("joint withdraw", meta["params"], inputs), after=opened.commit.version)
