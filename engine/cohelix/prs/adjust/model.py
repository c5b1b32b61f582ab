"""What was trained, as a folder: applied later, it gives the same bits.

It holds scores and components of training people, each score sorted by itself within a group, components sorted, and no
ids: percentiles and the support need every value. Who may not take those of people elsewhere may not take the folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import InputError
from cohelix.genotypes.outputs import seal_of, write_parquet
from cohelix.prs.adjust import most_similar, support, z_norm

KIND = "prs_adjust_model"
_FILES = ("parameters.parquet", "distributions.parquet", "support.parquet")
_COEFFICIENTS = ("mean1", "mean2", "log_variance")


@dataclass(frozen=True)
class Model:
    """score_ids, and most_alleles int64 (scores,): the greatest number of alleles used for somebody; norms and
    distributions with a row a score; where people are: frame, support, and the clouds of groups, if there are groups.
    """

    score_ids: list[str]
    most_alleles: np.ndarray
    frame: z_norm.Frame
    norms: z_norm.Norms
    distributions: most_similar.Distributions
    clouds: most_similar.Clouds | None
    support: support.Support

    @property
    def n_pcs(self) -> int:
        return len(self.frame.centre)


def of_scores(model: Model, score_ids: list[str]) -> Model:
    """The model with a row for each of these scores; those that it has not are `not_trained`."""
    place = {name: row for row, name in enumerate(model.score_ids)}
    rows = np.array([place.get(name, -1) for name in score_ids], np.int64)
    norms = z_norm.empty(len(rows), model.n_pcs + 1)
    there, taken = np.flatnonzero(rows >= 0), rows[rows >= 0]
    for field in fields(norms):
        getattr(norms, field.name)[there] = getattr(model.norms, field.name)[taken]
    known = model.distributions
    ordered = [_spread(matrix[taken], there, len(rows)) for matrix in known.ordered]
    mean, sd = (_spread(matrix[taken], there, len(rows)) for matrix in (known.mean, known.sd))
    alleles = np.zeros(len(rows), np.int64)
    alleles[there] = model.most_alleles[taken]
    distributions = replace(known, ordered=ordered, mean=mean, sd=sd)
    return replace(model, score_ids=score_ids, most_alleles=alleles, norms=norms, distributions=distributions)


def _spread(values: np.ndarray, rows: np.ndarray, n_rows: int) -> np.ndarray:
    out = np.full((n_rows, values.shape[1]), np.nan)
    out[rows] = values
    return out


def write_model(folder: Path, model: Model, settings: dict[str, Any]) -> dict[str, Any]:
    """Fill `folder`. Returns what model.json holds. settings: of training, for the record."""
    folder.mkdir()
    _write_parameters(folder / "parameters.parquet", model)
    _write_distributions(folder / "distributions.parquet", model.distributions)
    points = {f"pc{i + 1}": np.ascontiguousarray(column) for i, column in enumerate(model.support.points.T)}
    write_parquet(folder / "support.parquet", pa.table(points))
    groups = [
        {"name": name, "n": int(n), "usable": bool(usable)} | _cloud(model.clouds, code)
        for code, (name, n, usable) in enumerate(
            zip(model.distributions.names, model.distributions.n, model.distributions.usable, strict=True)
        )
    ]
    meta = {
        "kind": KIND,
        "n_scores": len(model.score_ids),
        "n_pcs": model.n_pcs,
        "pcs": {"mean": model.frame.centre.tolist(), "sd": model.frame.spread.tolist()},
        "groups": groups,
        "support": {"neighbours": model.support.neighbours, "cutoff": model.support.cutoff},
        "settings": settings,
        "files": {name: seal_of((folder / name).read_bytes()) for name in _FILES},
    }
    (folder / "model.json").write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n")
    return meta


def _cloud(clouds: most_similar.Clouds | None, code: int) -> dict[str, Any]:
    if clouds is None or not np.isfinite(clouds.means[code]).all():
        return {}
    return {"mean": clouds.means[code].tolist(), "precision": clouds.precisions[code].tolist()}


def _write_parameters(path: Path, model: Model) -> None:
    norms, known = model.norms, model.distributions
    columns: dict[str, Any] = {
        "score": pa.array(model.score_ids, pa.string()),
        "status": pa.array([z_norm.STATUS[code] for code in norms.status.tolist()], pa.string()),
        "n_alleles": model.most_alleles,
    }
    for field in fields(norms):
        values = getattr(norms, field.name)
        if field.name in _COEFFICIENTS:
            names = ["intercept", *(f"pc{i + 1}" for i in range(model.n_pcs))]
            columns |= {f"{field.name}_{name}": np.ascontiguousarray(values[:, i]) for i, name in enumerate(names)}
        elif field.name != "status":
            columns[field.name] = values
    for code in range(len(known.names)):
        columns[f"group{code}_mean"] = np.ascontiguousarray(known.mean[:, code])
        columns[f"group{code}_sd"] = np.ascontiguousarray(known.sd[:, code])
    write_parquet(path, pa.table(columns))


def _write_distributions(path: Path, known: most_similar.Distributions) -> None:
    """A row a score, a column of lists a group. Written without compression: the values have no pattern."""
    columns = {}
    for code, matrix in enumerate(known.ordered):
        offsets = np.arange(len(matrix) + 1, dtype=np.int64) * matrix.shape[1]
        columns[f"group{code}"] = pa.LargeListArray.from_arrays(offsets, matrix.reshape(-1))
    n_scores = len(known.mean)
    columns["row"] = np.arange(n_scores, dtype=np.int32)
    per_group = max(1, (1 << 20) // max(1, int(known.n.sum())))
    pq.write_table(pa.table(columns), path, row_group_size=per_group, compression="none", use_dictionary=False)


def read_model(path: str) -> Model:
    """Raises InputError where the folder is none of `prs adjust`, or a file of it was changed."""
    folder = Path(path)
    folder = folder / "model" if (folder / "model" / "model.json").is_file() else folder
    try:
        meta = json.loads((folder / "model.json").read_text())
        if meta["kind"] != KIND:
            raise KeyError(KIND)
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "expected a model of `cohelix prs adjust` (the folder model in what it wrote), found none there. "
            "Check --model."
        ) from None
    try:
        for name in _FILES:
            if seal_of((folder / name).read_bytes()) != meta["files"][name]:
                raise ValueError(name)
        return _read(folder, meta)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        raise InputError(
            "the model of `cohelix prs adjust` is damaged: a file of it is lacking or was changed. "
            "Copy the folder whole, or train again."
        ) from None


def _read(folder: Path, meta: dict[str, Any]) -> Model:
    table = pq.read_table(folder / "parameters.parquet")
    names = ["intercept", *(f"pc{i + 1}" for i in range(meta["n_pcs"]))]
    read: dict[str, np.ndarray] = {}
    for field in fields(z_norm.Norms):
        if field.name in _COEFFICIENTS:
            read[field.name] = np.column_stack([table.column(f"{field.name}_{name}").to_numpy() for name in names])
        elif field.name != "status":
            read[field.name] = table.column(field.name).to_numpy()
    codes = [z_norm.STATUS.index(one) for one in table.column("status").to_pylist()]
    norms = z_norm.Norms(status=np.array(codes, np.int8), **read)
    groups = meta["groups"]
    sizes = np.array([group["n"] for group in groups], np.int64)
    usable = np.array([group["usable"] for group in groups], bool)
    lists = pq.read_table(folder / "distributions.parquet")
    ordered = [
        lists.column(f"group{code}").combine_chunks().flatten().to_numpy().reshape(table.num_rows, int(n))
        for code, n in enumerate(sizes)
    ]
    of_groups = np.full((2, table.num_rows, len(groups)), np.nan)
    for code in range(len(groups)):
        of_groups[:, :, code] = [table.column(f"group{code}_{what}").to_numpy() for what in ("mean", "sd")]
    known = most_similar.Distributions([group["name"] for group in groups], sizes, usable, ordered, *of_groups)
    points = pq.read_table(folder / "support.parquet")
    _check_numbers(meta, points.num_rows)
    return Model(
        table.column("score").to_pylist(),
        table.column("n_alleles").to_numpy(),
        z_norm.Frame(np.array(meta["pcs"]["mean"]), np.array(meta["pcs"]["sd"])),
        norms,
        known,
        _clouds(groups),
        support.Support(
            np.column_stack([points.column(name).to_numpy() for name in points.column_names]),
            meta["support"]["neighbours"],
            meta["support"]["cutoff"],
        ),
    )


def _check_numbers(meta: dict[str, Any], n_people: int) -> None:
    """model.json is what holds the seals, and has none itself. ValueError where its numbers are no model's."""
    for name in ("mean", "sd"):
        values = np.asarray(meta["pcs"][name], np.float64)
        if values.shape != (meta["n_pcs"],) or not np.isfinite(values).all():
            raise ValueError(name)
    if not (np.asarray(meta["pcs"]["sd"]) > 0).all():
        raise ValueError("sd")
    neighbours, cutoff = meta["support"]["neighbours"], meta["support"]["cutoff"]
    if not (isinstance(neighbours, int) and 1 <= neighbours <= n_people):
        raise ValueError("neighbours")
    if not (isinstance(cutoff, int | float) and cutoff >= 0):
        raise ValueError("cutoff")
    if not isinstance(meta["groups"], list):
        raise ValueError("groups")


def _clouds(groups: list[dict[str, Any]]) -> most_similar.Clouds | None:
    sizes = [len(group["mean"]) for group in groups if "mean" in group]
    if not sizes:
        return None
    m = sizes[0]
    clouds = most_similar.Clouds(np.full((len(groups), m), np.nan), np.full((len(groups), m, m), np.nan))
    for code, group in enumerate(groups):
        if "mean" in group:
            clouds.means[code], clouds.precisions[code] = group["mean"], group["precision"]
    return clouds
