"""The folder of fitted components: written whole, read back with checks.

`pca.json` holds the size and sha256 of every other file, so that a damaged or mixed folder is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cohelix import storage
from cohelix.errors import InputError
from cohelix.genotypes.outputs import write_parquet, write_tsv

KIND = "pca"
SITE_COLUMNS = ("contig", "position", "ref", "alt")
LABEL_COLUMNS = ("sample_id", "group", "subgroup")
_SITES = pa.schema(
    [(name, pa.int32() if name == "position" else pa.string()) for name in SITE_COLUMNS] + [("n_called", pa.int64())]
)
_FILES = ("loadings.parquet", "eigenvalues.tsv", "scores.tsv")
_OPTIONAL = ("spectrum.parquet", "labels.tsv")


@dataclass(frozen=True)
class Model:
    """Fitted components. The standardised matrix is X = (g - 2 af) / sqrt(2 af (1 - af)), 0 where missing.

    sites: contig, position, ref, alt, n_called, a row a site. af: float64 (n_sites,). loadings: float64 (n_sites, K),
    right singular vectors of X, of unit length. eigenvalues: float64 (K,), of X X' / n_sites. scores: float64
    (n_samples, k), k <= K: left singular vectors times sqrt(eigenvalues); sample_ids: their rows. spectrum: float64,
    every eigenvalue of X X' / n_sites that is not zero, largest first; None where it was not computed. labels:
    sample_id, group, subgroup; None where the callset had none. meta: what pca.json holds.
    """

    sites: pa.Table
    af: np.ndarray
    loadings: np.ndarray
    eigenvalues: np.ndarray
    scores: np.ndarray
    sample_ids: list[str]
    spectrum: np.ndarray | None
    labels: pa.Table | None
    meta: dict[str, Any]


def write_model(folder: Path, model: Model, residuals: np.ndarray) -> None:
    """Fill a new folder. residuals: float64 (K,), relative, of each pair. Numbers in text are exact float64."""
    columns = {f"pc{i + 1}": model.loadings[:, i] for i in range(model.loadings.shape[1])}
    sites = model.sites.select(list(SITE_COLUMNS))
    loadings = {name: sites.column(name) for name in SITE_COLUMNS}
    loadings |= {"af": pa.array(model.af), "n_called": model.sites.column("n_called")}
    loadings |= {name: pa.array(np.ascontiguousarray(values)) for name, values in columns.items()}
    write_parquet(folder / "loadings.parquet", pa.table(loadings))
    shares = model.eigenvalues / model.meta["total_variance"]
    triples = np.column_stack([model.eigenvalues, shares, residuals])
    rows = [(f"PC{i + 1}", *map(repr, row)) for i, row in enumerate(triples.tolist())]
    write_tsv(folder / "eigenvalues.tsv", ("PC", "eigenvalue", "share_of_total", "residual"), rows)
    names = [f"PC{i + 1}" for i in range(model.scores.shape[1])]
    scored = zip(model.sample_ids, model.scores.tolist(), strict=True)
    write_tsv(folder / "scores.tsv", ("sample_id", *names), [(one, *map(repr, row)) for one, row in scored])
    if model.spectrum is not None:
        write_parquet(folder / "spectrum.parquet", pa.table({"eigenvalue": pa.array(model.spectrum)}))
    if model.labels is not None:
        table = model.labels.select(list(LABEL_COLUMNS)).to_pydict()
        write_tsv(folder / "labels.tsv", LABEL_COLUMNS, list(zip(*table.values(), strict=True)))
    files = {path.name: _seal(path.read_bytes()) for path in sorted(folder.iterdir())}
    meta = model.meta | {"files": files}
    (folder / "pca.json").write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n")


def read_model(folder: str) -> Model:
    """The components in a folder that `cohelix ancestry fit` made. InputError where it is none, or damaged."""
    meta = _read_meta(folder)
    data = _read_files(folder, meta)
    try:
        return _model_of(data, meta)
    except (KeyError, TypeError, ValueError, OSError):  # pa.ArrowInvalid is a ValueError
        raise _damaged("its tables lack columns, or hold something that is not a number") from None


def _model_of(data: Mapping[str, bytes], meta: dict[str, Any]) -> Model:
    loadings = _parquet(data["loadings.parquet"])
    k, total, n_sites = int(meta["k"]), int(meta["k"]) + int(meta["k_extra"]), int(meta["n_sites"])
    eigenvalues = _tsv(data["eigenvalues.tsv"], ("PC",))
    scores = _tsv(data["scores.tsv"], ("sample_id",))
    spectrum = _parquet(data["spectrum.parquet"]) if "spectrum.parquet" in data else None
    model = Model(
        sites=loadings.select([*SITE_COLUMNS, "n_called"]).cast(_SITES),
        af=_numbers(loadings, "af"),
        loadings=np.column_stack([_numbers(loadings, f"pc{i + 1}") for i in range(total)]),
        eigenvalues=_numbers(eigenvalues, "eigenvalue"),
        scores=np.column_stack([_numbers(scores, f"PC{i + 1}") for i in range(k)]),
        sample_ids=scores.column("sample_id").to_pylist(),
        spectrum=None if spectrum is None else _numbers(spectrum, "eigenvalue"),
        labels=_labels(data["labels.tsv"]) if "labels.tsv" in data else None,
        meta=meta,
    )
    if model.loadings.shape != (n_sites, total) or len(model.eigenvalues) != total:
        raise _damaged(f"pca.json says {n_sites} sites and {total} components, and its tables hold others")
    if model.scores.shape != (int(meta["n_samples"]), k):
        raise _damaged(f"pca.json says {meta['n_samples']} samples and {k} components, and scores.tsv holds others")
    if any(column.null_count for column in model.sites.columns):
        raise _damaged("a site lacks its place or its alleles")
    if len(set(model.sample_ids)) < len(model.sample_ids):
        raise _damaged("scores.tsv has a sample twice")
    if not ((model.af > 0) & (model.af < 1)).all():
        raise _damaged("it has an allele frequency that is not between 0 and 1")
    return model


def _read_meta(folder: str) -> dict[str, Any]:
    try:
        meta = json.loads(storage.read(storage.join(folder, "pca.json")))
    except OSError:
        raise InputError(
            "expected pca.json in the folder of the model, found none. Give one that `cohelix ancestry fit` made."
        ) from None
    except ValueError:
        raise _damaged("pca.json is not JSON") from None
    if not isinstance(meta, dict) or meta.get("kind") != KIND or not isinstance(meta.get("files"), dict):
        raise _damaged("pca.json is of another kind")
    made = meta.get("provenance")
    if not isinstance(meta.get("build"), str) or not isinstance(made, dict) or not isinstance(made.get("digest"), str):
        raise _damaged("pca.json does not say of which build it is, or which run made it")
    return meta


def _read_files(folder: str, meta: Mapping[str, Any]) -> dict[str, bytes]:
    listed = meta["files"]
    if not set(_FILES) <= set(listed) <= {*_FILES, *_OPTIONAL}:
        raise _damaged("pca.json does not list the files of a model")
    data = {}
    for name in sorted(listed):
        try:
            data[name] = storage.read(storage.join(folder, name))
        except OSError:
            raise _damaged(f"{name} is missing") from None
        if _seal(data[name]) != listed[name]:
            raise _damaged(f"{name} is not the file that was written (its size or sha256 differs)")
    return data


def _seal(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _damaged(why: str) -> InputError:
    return InputError(f"the folder of the model is damaged: {why}. Copy it whole, or run `cohelix ancestry fit` again.")


def _parquet(data: bytes) -> pa.Table:
    return pq.ParquetFile(pa.BufferReader(data)).read()


def _tsv(data: bytes, texts: Sequence[str]) -> pa.Table:
    names = data.split(b"\n", 1)[0].decode().split("\t")
    types = {name: pa.string() if name in texts else pa.float64() for name in names}
    return pyarrow.csv.read_csv(
        io.BytesIO(data),
        pyarrow.csv.ReadOptions(use_threads=False),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
        pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=False),
    )


def _labels(data: bytes) -> pa.Table:
    table = _tsv(data, LABEL_COLUMNS).select(list(LABEL_COLUMNS))
    subgroup = [value or None for value in table.column("subgroup").to_pylist()]
    return table.set_column(2, "subgroup", pa.array(subgroup, pa.string()))


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    values = np.asarray(table.column(name).to_numpy(), np.float64)
    if not np.isfinite(values).all():
        raise ValueError(name)
    return values
