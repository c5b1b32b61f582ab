"""A batch of scoring files as it is kept until the match is done: rows, distinct variants, and what is neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import __version__, storage
from cohelix.dataset import digest_of
from cohelix.prs.matching.decide import Rows
from cohelix.prs.matching.stored import arrays_of, keep, kept, texts_as_array, texts_of_array
from cohelix.prs.matching.variants import Variants, distinct, in_order, keys_of
from cohelix.prs.scoring_file.batch import read_batch
from cohelix.prs.scoring_file.records import Batch, ScoreHeader, Source, SpecialRow

_ROWS = ("score", "row", "variant", "weight", "effect_type", "frequency", "dosage_row", "dosage")
_STATED = ("chromosome", "position", "effect", "other")


@dataclass(frozen=True)
class Prepared:
    """One batch. Arrays of `stated` are as the file has them: chromosome, position, effect and other allele (codes in
    `alleles`); scores count from 0 within the batch.
    """

    headers: tuple[ScoreHeader, ...]
    special: tuple[SpecialRow, ...]
    rejected: pa.Table
    rows: Rows
    variants: Variants
    stated: dict[str, np.ndarray]
    alleles: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """sources: of the batch; sealed: sha256 of each file; trimmed: whether longer alleles are."""

    sources: tuple[Source, ...]
    sealed: tuple[str, ...]
    trimmed: bool
    path: Path

    @property
    def digest(self) -> str:
        """Of all that the kept file depends on."""
        columns = [source.columns for source in self.sources]
        numbers = [source.number for source in self.sources]
        return digest_of([__version__, numbers, self.sealed, columns, self.trimmed])


def seals_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """sha256 of each file."""
    import hashlib

    found = []
    for source in sources:
        with storage.as_local_file(source.path) as local, local.open("rb") as handle:
            found.append(hashlib.file_digest(handle, "sha256").hexdigest())
    return tuple(found)


def prepare(task: Task) -> None:
    """Read a batch and keep it, unless it is kept already."""
    if kept(task.path, task.digest) is None:
        _keep(task, read_batch(task.sources))


def places_of(path: Path) -> np.ndarray:
    """int64: the distinct keys of a prepared batch, sorted."""
    return arrays_of(path)["places"]


def _keep(task: Task, batch: Batch) -> None:
    key = keys_of(batch.chromosome, batch.position)
    variants, of_row = distinct(key, batch.effect, batch.other, batch.alleles, trimmed=task.trimmed)
    frequency = batch.frequency if batch.frequency is not None else np.full(len(key), np.nan)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.rejected.schema) as writer:
        writer.write_table(batch.rejected)
    arrays = {name: getattr(batch, name) for name in (*_ROWS, *_STATED) if name not in ("variant", "frequency")}
    arrays |= {"variant": of_row, "frequency": frequency, "texts": texts_as_array(batch.alleles)}
    arrays |= {"key": variants.key, "variant_effect": variants.effect, "variant_other": variants.other}
    arrays |= {"variant_texts": texts_as_array(variants.alleles)}
    arrays |= {"rejected": np.frombuffer(sink.getvalue(), np.uint8)}
    places = in_order(variants.key)
    arrays["places"] = places[places > 0]
    special = [asdict(row) | {"weight": None if row.weight != row.weight else row.weight} for row in batch.special]
    meta: dict[str, Any] = {"headers": [asdict(header) for header in batch.scores], "special": special}
    meta |= {"alleles": len(batch.alleles), "variant_alleles": len(variants.alleles)}
    keep(task.path, task.digest, arrays, meta)


def headers_of(path: Path) -> tuple[ScoreHeader, ...]:
    meta = kept(path)
    assert meta is not None, "a batch was prepared"
    return tuple(ScoreHeader(**header) for header in meta["headers"])


def special_of(path: Path) -> tuple[list[dict[str, Any]], tuple[ScoreHeader, ...]]:
    """Special rows of a prepared batch as JSON has them, and its scores."""
    meta = kept(path)
    assert meta is not None, "a batch was prepared"
    return meta["special"], tuple(ScoreHeader(**header) for header in meta["headers"])


def prepared(path: Path) -> Prepared:
    """What `prepare` kept."""
    meta: dict[str, Any] | None = kept(path)
    assert meta is not None, "a batch was prepared"
    arrays = arrays_of(path)
    own = texts_of_array(arrays["variant_texts"], meta["variant_alleles"])
    special = tuple(
        SpecialRow(**row | {"weight": float("nan") if row["weight"] is None else row["weight"]})
        for row in meta["special"]
    )
    return Prepared(
        tuple(ScoreHeader(**header) for header in meta["headers"]),
        special,
        pa.ipc.open_stream(pa.py_buffer(arrays["rejected"])).read_all(),
        Rows(*(arrays[name] for name in _ROWS)),
        Variants(arrays["key"], arrays["variant_effect"], arrays["variant_other"], own),
        {name: arrays[name] for name in _STATED},
        texts_of_array(arrays["texts"], meta["alleles"]),
    )
