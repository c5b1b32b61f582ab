"""What a projection hands in, and the tables of groups: All of Us's columns, and ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import storage
from cohelix.errors import InputError
from cohelix.genotypes.callset import check_sample_ids
from cohelix.genotypes.outputs import seal_of, write_parquet

AOU_COLUMNS = ("research_id", "ancestry_pred", "probabilities", "pca_features", "ancestry_pred_other")
_ROWS = 1 << 14


@dataclass(frozen=True)
class Projected:
    """Samples in the space of a model: float64 scores (samples, components), and whether each is out of distribution.

    meta: what projection.json holds.
    """

    sample_ids: list[str]
    scores: np.ndarray
    ood: np.ndarray
    meta: dict[str, Any]


@dataclass(frozen=True)
class Assigned:
    """Of each sample: its group and the one with `other` in its place, and what they come from.

    Arrays (samples, groups) are float64, NaN where a sample has no components. `sources` are the groups of
    `proportions`.
    """

    groups: list[str]
    group: list[str]
    group_other: list[str]
    pred_other: list[str]
    probabilities: np.ndarray
    distances: np.ndarray
    sources: list[str]
    proportions: np.ndarray


def read_projection(folder: str, count: int) -> Projected:
    """The first `count` components of every sample in a folder that `cohelix ancestry project` made."""
    try:
        meta = json.loads(storage.read(storage.join(folder, "projection.json")))
        data = storage.read(storage.join(folder, "projection.parquet"))
    except OSError:
        raise InputError(
            "expected projection.json and projection.parquet in the folder of the projection, found no such files. "
            "Give one that `cohelix ancestry project` made."
        ) from None
    except ValueError:
        raise _damaged("projection.json is not JSON") from None
    if not isinstance(meta, dict) or meta.get("kind") != "projection":
        raise _damaged("projection.json is of another kind")
    try:
        sealed, _ = meta["files"]["projection.parquet"], str(meta["provenance"]["digest"])
    except (KeyError, TypeError):
        raise _damaged("projection.json does not hold what was written") from None
    if seal_of(data) != sealed:
        raise _damaged("projection.parquet is not the file that was written (its size or sha256 differs)")
    names = [f"pc{i + 1}" for i in range(count)]
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read()
        missing = [name for name in ("sample_id", *names, "ood") if name not in table.column_names]
        if missing:
            raise InputError(
                f"expected the columns sample_id, pc1 to pc{count} and ood in projection.parquet, found no "
                f"{missing[0]}. Fit and project at least {count} components, or set n_pcs to fewer."
            )
        scores = np.column_stack([_floats(table.column(name)) for name in names])
        ood = table.column("ood").fill_null(True).to_numpy()
        ids: list[str] = table.column("sample_id").to_pylist()
    except (pa.ArrowException, TypeError, AttributeError):
        raise _damaged("projection.parquet cannot be read, or holds something that is not a number") from None
    check_sample_ids(ids)
    return Projected(ids, scores, np.asarray(ood, bool), meta)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.float64()).fill_null(float("nan")).to_numpy(), np.float64)


def _damaged(why: str) -> InputError:
    return InputError(f"the projection is damaged: {why}. Copy the folder whole, or project again.")


def write_groups(folder: Path, projected: Projected, assigned: Assigned) -> None:
    """ancestry_preds.tsv and ancestry.parquet."""
    _write_preds(folder / "ancestry_preds.tsv", projected, assigned)
    columns = {
        "sample_id": pa.array(projected.sample_ids, pa.string()),
        "group": pa.array(assigned.group, pa.string()),
        "group_other": pa.array(assigned.group_other, pa.string()),
        "ood": pa.array(projected.ood),
    }
    for prefix, names, values in (
        ("probability", assigned.groups, assigned.probabilities),
        ("distance", assigned.groups, assigned.distances),
        ("proportion", assigned.sources, assigned.proportions),
    ):
        for place, name in enumerate(names):
            own = np.ascontiguousarray(values[:, place])
            columns[f"{prefix}_{name}"] = pa.array(own, mask=np.isnan(own))
    write_parquet(folder / "ancestry.parquet", pa.table(columns))


def _write_preds(path: Path, projected: Projected, assigned: Assigned) -> None:
    """As pandas writes lists of floats: [0.0, 1.0], shortest digits that give the same float64.

    NaN where a sample has no components: what JSON readers take, where Python prints nan.
    """
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        handle.write("\t".join(AOU_COLUMNS) + "\n")
        for start in range(0, len(projected.sample_ids), _ROWS):
            rows = slice(start, start + _ROWS)
            lines = zip(
                projected.sample_ids[rows], assigned.group[rows], _listed(assigned.probabilities[rows]),
                _listed(projected.scores[rows]), assigned.pred_other[rows], strict=True,
            )  # fmt: skip
            handle.writelines("\t".join(line) + "\n" for line in lines)


def _listed(values: np.ndarray) -> Sequence[str]:
    return [str(row).replace("nan", "NaN") for row in values.tolist()]
