"""Sections about ancestry: components, projected people, groups. People appear as densities and distributions only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.qc.report.aggregates import Groups, densities, distribution
from cohelix.qc.report.disclosure import SMALL, shown, shown_parts
from cohelix.qc.report.figures import Cut, Figure, Line, Section, Table
from cohelix.qc.report.gather import Made, numbers

PAIRS = ((1, 2), (3, 4), (5, 6))
"""Components that are shown against one another."""
PROJECTED: tuple[tuple[str, str, str, tuple[Cut, ...]], ...] = (
    ("share_used", "Sites used", "share of the model's sites", ()),
    ("distance", "Distance to the reference", "distance, in units of its limit", (Cut(1.0, "≤ 1"),)),
    ("residual", "What the components do not explain", "residual", ()),
)
SITES = {
    "n_model": "of the model",
    "n_matched": "matched",
    "n_swapped": "of these with REF and ALT exchanged",
    "n_other_alleles": "with other alleles",
    "n_absent": "absent",
}
"""What became of the sites of a model, as projection.json counts them."""


def component_sections(made: Made) -> list[Section]:
    """Components of a fit: scree, numbers, and the people that it was made on by their labels."""
    record, rows = made.record, made.rows("eigenvalues.tsv")
    if not rows:
        raise InputError("expected eigenvalues.tsv in a folder of pca, found none, or nothing in it. Make it again.")
    kept = rows[: int(record.get("k", len(rows)))]
    values = [[_float(row.get(name)) for name in ("eigenvalue", "share_of_total", "residual")] for row in kept]
    numbered = tuple(float(number) for number in range(1, len(kept) + 1))
    line = Line("share", numbered, tuple(share for _, share, _ in values))
    lines = tuple(
        (row["PC"], f"{value:.4g}", f"{share:.3%}", "" if math.isnan(off) else f"{off:.1e}")
        for row, (value, share, off) in zip(kept, values, strict=True)
    )
    note = "Share: of the total variance, not of that of these components. Residual: how far from an eigenvector."
    parts: list[Figure | Table | None] = [
        Figure("pca-scree", "Scree", "component", "share of total variance", lines=(line,)),
        Table(
            "pca-eigenvalues", "Components", ("component", "eigenvalue", "share", "residual"), lines, note, (1, 2, 3)
        ),
        *_of_fit(made),
    ]
    text = f"Made on {shown(int(record['n_samples']))} people and {int(record['n_sites']):,} sites.{_gap(record)}"
    return [Section("pca", "Principal components", text, tuple(part for part in parts if part is not None))]


def _gap(record: Mapping[str, Any]) -> str:
    gap = record.get("gap")
    gap = gap.get("relative", gap.get("value")) if isinstance(gap, Mapping) else gap
    if not isinstance(gap, int | float):
        return ""
    return f" Gap between the last component and the next: {gap:.3g}. Where it is near 0, the last ones are not unique."


def _of_fit(made: Made) -> list[Figure | None]:
    scores, labels = made.rows("scores.tsv"), made.rows("labels.tsv")
    group = {row["sample_id"]: row.get("group") or "" for row in labels}
    groups = Groups.of(np.array([group.get(row["sample_id"], "") for row in scores], np.str_))
    columns = {name: np.array([_float(row[name]) for row in scores]) for name in (scores[0] if scores else ())
               if name.startswith("PC")}  # fmt: skip
    return _pairs("pca", columns, groups)


def _pairs(prefix: str, columns: Mapping[str, np.ndarray], groups: Groups) -> list[Figure | None]:
    if not groups.names:
        return []
    found = []
    for one, other in PAIRS:
        axes = (f"PC{one}", f"PC{other}")
        if set(axes) <= set(columns):
            title, (x, y) = " and ".join(axes), (columns[name] for name in axes)
            found.append(densities(f"{prefix}-pc{one}-pc{other}", title, axes, x, y, groups))
    return found


def _float(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


def projection_sections(made: Made) -> list[Section]:
    record, table = made.record, made.table("projection.parquet")
    if table is None:
        raise InputError("expected projection.parquet in a folder of projection, found none. Make it again.")
    if table.num_rows <= SMALL:
        text = f"{SMALL} people or fewer were projected: nothing of them is shown."
        return [Section("projection", "Projection", text)]
    everybody = Groups(("all",), np.zeros(table.num_rows, np.int64))
    counted = record.get("sites")
    sites = counted if isinstance(counted, Mapping) else {}
    rows = [(said, f"{sites[name]:,}") for name, said in SITES.items() if isinstance(sites.get(name), int)]
    outside = int(np.count_nonzero(_bools(table, "ood")))
    people = shown_parts({"within the reference": table.num_rows - outside, "out of distribution": outside})
    parts: list[Figure | Table | None] = [
        Table("projection-sites", "Sites of the model", ("sites", "n"), tuple(rows), "", (1,)) if rows else None,
        Table("projection-people", "People", ("people", "n"), tuple(people.items()), "", (1,)),
        *(
            distribution(f"projection-{name}".replace("_", "-"), title, axis, numbers(table, name), everybody, cuts)
            for name, title, axis, cuts in PROJECTED
        ),
    ]
    method = f" Method: {record['method']}." if isinstance(record.get("method"), str) else ""
    text = f"People in the space of components that others were fitted on.{method}"
    return [Section("projection", "Projection", text, tuple(part for part in parts if part is not None))]


def _bools(table: pa.Table, name: str) -> np.ndarray:
    if name not in table.column_names:
        return np.zeros(table.num_rows, bool)
    return np.array([value is True for value in table.column(name).to_pylist()], bool)


def ancestry_sections(made: Made) -> list[Section]:
    table = made.table("ancestry.parquet")
    if table is None or not {"group", "group_other"} <= set(table.column_names):
        raise InputError("expected ancestry.parquet with groups in a folder of ancestry, found none. Make it again.")
    if table.num_rows <= SMALL:
        text = f"The cohort has {SMALL} people or fewer: nothing of them is shown."
        return [Section("ancestry", "Ancestry groups", text)]
    assigned = np.array(["" if name is None else name for name in table.column("group_other").to_pylist()], np.str_)
    nearest = np.array(["" if name is None else name for name in table.column("group").to_pylist()], np.str_)
    groups = Groups.of(assigned)
    parts: list[Figure | Table | None] = [
        _sizes(table, assigned),
        _proportions(table, groups),
        *_pairs("ancestry", _components(made), groups),
        _probabilities(made.record, table, groups),
        distribution(
            "ancestry-distance", "Genetic distance to the centre of the likeliest group", "distance among components",
            _own(table, "distance", nearest), groups,
        ),
    ]  # fmt: skip
    text = "Groups of a random forest on principal components; distances and proportions, which need no group."
    return [Section("ancestry", "Ancestry groups", text, tuple(part for part in parts if part is not None))]


def _sizes(table: pa.Table, assigned: np.ndarray) -> Table:
    counts = dict(zip(*(values.tolist() for values in np.unique(assigned, return_counts=True)), strict=True))
    rows = tuple((name or "not known", count) for name, count in shown_parts(counts).items())
    outside = shown(int(np.count_nonzero(_bools(table, "ood"))), table.num_rows)
    note = f"Out of distribution, whatever the forest says: {outside}."
    return Table("ancestry-sizes", "Groups", ("group", "people"), rows, note, (1,))


def _own(table: pa.Table, prefix: str, groups: np.ndarray) -> np.ndarray:
    """Of each person, the column of the person's own group; NaN where there is none."""
    values = np.full(table.num_rows, np.nan)
    for name in np.unique(groups).tolist():
        here = groups == name
        values[here] = numbers(table, f"{prefix}_{name}")[here]
    return values


def _probabilities(record: Mapping[str, Any], table: pa.Table, groups: Groups) -> Figure | None:
    names = [name for name in table.column_names if name.startswith("probability_")]
    if not names:
        return None
    values = np.stack([numbers(table, name) for name in names])
    best = np.where(np.isnan(values).any(axis=0), np.nan, values.max(axis=0))
    recipe = record.get("recipe")
    recipe = recipe if isinstance(recipe, Mapping) else {}
    cuts = []
    if isinstance(recipe.get("threshold"), int | float):
        sign = "≥" if recipe.get("keeps_at_threshold") else ">"
        cuts = [Cut(float(recipe["threshold"]), f"{sign} {recipe['threshold']:g}")]
    title, axis = "Probability of the likeliest group", "share of the trees"
    note = "A probability does not tell who is of none of the groups."
    return distribution("ancestry-probability", title, axis, best, groups, cuts, note)


def _proportions(table: pa.Table, groups: Groups) -> Table | None:
    """Means by group, of groups in which more than 20 have proportions."""
    names = [name for name in table.column_names if name.startswith("proportion_")]
    rows = []
    for code, group in enumerate(groups.names):
        values = np.stack([numbers(table, name)[groups.codes == code] for name in names]) if names else np.empty((0, 0))
        known = np.isfinite(values).all(axis=0)
        if names and known.sum() > SMALL:
            rows.append((group, *(f"{100 * share:.1f}" for share in values[:, known].mean(axis=1).tolist())))
    if not rows:
        return None
    columns = ("group", *(name.removeprefix("proportion_") for name in names))
    note = "Per cent, means over the people of a group."
    return Table("ancestry-proportions", "Proportions", columns, tuple(rows), note, tuple(range(1, len(columns))))


def _components(made: Made) -> dict[str, np.ndarray]:
    """Components by name, in the order of ancestry.parquet, from ancestry_preds.tsv; none where that is missing."""
    wanted = 2 * len(PAIRS)
    try:
        rows = [json.loads(row["pca_features"])[:wanted] for row in made.rows("ancestry_preds.tsv")]
    except (ValueError, KeyError, TypeError):
        raise InputError("ancestry_preds.tsv in a folder of ancestry is damaged. Make the folder again.") from None
    if not rows:
        return {}
    values = np.array(rows, np.float64)
    return {f"PC{number + 1}": values[:, number] for number in range(values.shape[1])}
