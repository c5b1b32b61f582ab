"""Assign ancestry groups: who is of which, how far from each, and of what mixture."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import storage
from cohelix.ancestry.groups import forest as forests
from cohelix.ancestry.groups.distance import centres_of, distances
from cohelix.ancestry.groups.forest import Forest
from cohelix.ancestry.groups.proportions import proportions
from cohelix.ancestry.groups.recipe import Recipe, recipe_of
from cohelix.ancestry.groups.tables import Assigned, Projected, read_projection, write_groups
from cohelix.ancestry.groups.training import fit_and_measure, keeps, training_of
from cohelix.ancestry.labels import read_labels
from cohelix.ancestry.pca.tables import Model, read_model
from cohelix.ancestry.schema import AssignParams
from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes.inputs import digests_of
from cohelix.genotypes.outputs import new_folder, write_parquet
from cohelix.provenance import provenance

KIND = "ancestry"


@dataclass(frozen=True)
class _Classifier:
    """What assigns groups: the forest, centres float64 (groups, components), and what assign.json says of both."""

    forest: Forest
    centres: np.ndarray
    trained: dict[str, Any]


def assign(
    model: str,
    projection: str,
    out: str,
    params: AssignParams,
    *,
    labels: str | None = None,
    forest: str | None = None,
) -> dict[str, Any]:
    """Write ancestry_preds.tsv, ancestry.parquet, forest.parquet and assign.json to `out`. Returns what the last holds.

    model, projection: folders that `cohelix ancestry fit` and `project` made. labels: a table with the groups of
    samples of the model; None: those that the model's callset had. forest: a folder that this made earlier from the
    same model; its forest is applied, and none is trained.
    Raises ConfigError where the model has fewer components than the preset asks for, InputError where labels cannot be
    trained with, ReferenceMismatch where the projection or the forest is of another model.
    """
    recipe = recipe_of(params)
    fitted = read_model(model)
    if fitted.scores.shape[1] < recipe.n_pcs:
        raise ConfigError(
            f"the preset {params.preset} takes {recipe.n_pcs} components, and the model has {fitted.scores.shape[1]}. "
            f"Fit the model with k = {recipe.n_pcs}, or set n_pcs to {fitted.scores.shape[1]}."
        )
    projected = read_projection(projection, recipe.n_pcs)
    _check_model(projected.meta, fitted, "projection")
    if forest is not None and labels is not None:
        raise ConfigError("expected labels to train with or a forest that is trained, found both. Give one of them.")
    classifier = _read(forest, fitted, recipe) if forest is not None else _train(fitted, labels, recipe, params)
    assigned = _assign(classifier, projected, recipe, params)
    with new_folder(out) as folder:
        write_groups(folder, projected, assigned)
        write_parquet(folder / "forest.parquet", forests.table_of(classifier.forest))
        summary = _summary(classifier, projected, assigned, recipe, params, fitted, digests_of(labels=labels))
        summary["files"] = {path.name: _seal(path) for path in sorted(folder.iterdir())}
        (folder / "assign.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


def _train(model: Model, labels: str | None, recipe: Recipe, params: AssignParams) -> _Classifier:
    stated = read_labels(labels, model.sample_ids, params.label_column)[0] if labels else _own_labels(model)
    training = training_of(stated, model.scores[:, : recipe.n_pcs], model.sample_ids, recipe, params)
    fitted, accuracy = fit_and_measure(training, recipe, params)
    trained = {
        "n_by_group": training.sizes(),
        "n_label_dropped": training.n_dropped,
        "n_small_groups_dropped": len(training.small),
        "n_in_small_groups": sum(training.small),
        "accuracy": accuracy,
    }
    return _Classifier(fitted.forest, centres_of(training.scores, training.codes, len(training.groups)), trained)


def _own_labels(model: Model) -> list[str]:
    if model.labels is None:
        raise InputError(
            "expected labels to train with, found none in the model. Give --labels, or fit on a panel that "
            "`cohelix ancestry panel` made."
        )
    group = dict(zip(model.labels["sample_id"].to_pylist(), model.labels["group"].to_pylist(), strict=True))
    return [group.get(sample) or "" for sample in model.sample_ids]


def _read(folder: str, model: Model, recipe: Recipe) -> _Classifier:
    """The classifier in a folder of an earlier run, checked."""
    try:
        document = json.loads(storage.read(storage.join(folder, "assign.json")))
        data = storage.read(storage.join(folder, "forest.parquet"))
        if document["kind"] != KIND:
            raise ValueError(document["kind"])
        names = [str(name) for name in document["groups"]]
        centres = np.array(document["centres"], np.float64)
        sealed, n_pcs, trained = document["files"]["forest.parquet"], document["recipe"]["n_pcs"], document["trained"]
    except OSError:
        raise InputError(
            "expected assign.json and forest.parquet in the folder of the forest, found no such files. Give one that "
            "`cohelix ancestry assign` made."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InputError("the folder of the forest is damaged: assign.json does not hold what was written.") from None
    _check_model(document, model, "forest")
    if n_pcs != recipe.n_pcs:
        raise ConfigError(f"the forest was trained with {n_pcs} components, and {recipe.n_pcs} are asked for.")
    if {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} != sealed:
        raise InputError("the folder of the forest is damaged: forest.parquet is not what was written. Copy it whole.")
    if names != sorted(set(names)) or centres.shape != (len(names), n_pcs) or not np.isfinite(centres).all():
        raise InputError("the folder of the forest is damaged: its centres are not those of its groups.")
    return _Classifier(forests.read_forest(data, names, n_pcs), centres, trained)


def _check_model(meta: dict[str, Any], model: Model, what: str) -> None:
    """ReferenceMismatch unless `meta` says that it was made from this model."""
    try:
        made_from = [entry["sha256"] for entry in meta["provenance"]["inputs"] if entry["role"] == "model"]
    except (KeyError, TypeError):
        made_from = []
    if made_from != [model.meta["provenance"]["digest"]]:
        raise ReferenceMismatch(
            f"expected a {what} made from this model, found one made from another. Give the model that it was made "
            "from, or make it again."
        )


def _assign(classifier: _Classifier, projected: Projected, recipe: Recipe, params: AssignParams) -> Assigned:
    names = list(classifier.forest.groups)
    for name in params.not_sources:
        if name not in names:
            raise ConfigError(f"not_sources names {name!r}, and the groups are {', '.join(names)}. Correct it.")
    sources = [place for place, name in enumerate(names) if name not in params.not_sources]
    if not sources:
        raise ConfigError("not_sources leaves no group for proportions. Name fewer.")
    probabilities = classifier.forest.predict(projected.scores)
    known = ~np.isnan(probabilities).any(axis=1)
    best = np.where(known, np.nan_to_num(probabilities).argmax(axis=1), len(names))
    kept = keeps(probabilities.max(axis=1), recipe)
    shown = np.array([*names, recipe.other], object)
    group, ruled = shown[best], np.where(kept, shown[best], recipe.other)
    both = np.where(projected.ood, recipe.other, ruled)
    return Assigned(
        groups=names,
        group=group.tolist(),
        group_other=both.tolist(),
        pred_other=(both if params.ood_is_oth else ruled).tolist(),
        probabilities=probabilities,
        distances=distances(projected.scores, classifier.centres),
        sources=[names[place] for place in sources],
        proportions=proportions(projected.scores, classifier.centres[sources]),
    )


def _summary(
    classifier: _Classifier, projected: Projected, assigned: Assigned, recipe: Recipe, params: AssignParams,
    model: Model, handed_in: list[tuple[str, str]],
) -> dict[str, Any]:  # fmt: skip
    forest = classifier.forest
    inputs = [("model", model.meta["provenance"]["digest"])]
    inputs.append(("projection", projected.meta["provenance"]["digest"]))
    return {
        "kind": KIND,
        "groups": assigned.groups,
        "recipe": {
            "preset": params.preset,
            "n_pcs": recipe.n_pcs,
            "threshold": recipe.threshold,
            "keeps_at_threshold": recipe.keeps_at,
            "other": recipe.other,
        },
        "forest": {"n_trees": forest.n_trees, "n_nodes": len(forest.feature), "seed": recipe.seed},
        "trained": classifier.trained,
        "centres": classifier.centres.tolist(),
        "n_samples": len(projected.sample_ids),
        "n_ood": int(projected.ood.sum()),
        "n_without_components": int(np.isnan(assigned.probabilities).any(axis=1).sum()),
        "n_by_group": dict(sorted(Counter(assigned.group).items())),
        "n_by_pred_other": dict(sorted(Counter(assigned.pred_other).items())),
        "n_by_group_other": dict(sorted(Counter(assigned.group_other).items())),
        "provenance": provenance("ancestry assign", params, [*inputs, *handed_in], recipe.seed),
    }


def _seal(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
