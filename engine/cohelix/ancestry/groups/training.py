"""Labelled samples: which there are, which are held out, and how well the forest finds them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from cohelix.ancestry.groups.forest import Fitted, fit_forest
from cohelix.ancestry.groups.recipe import Recipe
from cohelix.ancestry.labels import settle_groups
from cohelix.ancestry.schema import AssignParams
from cohelix.errors import InputError


@dataclass(frozen=True)
class Training:
    """Labelled samples: float64 scores (samples, components), codes int64 (samples,) of `groups`, which are sorted.

    n_dropped: samples whose label names no group. small: sizes of the groups that were left out for theirs.
    """

    scores: np.ndarray
    codes: np.ndarray
    groups: list[str]
    n_dropped: int
    small: list[int]

    def sizes(self) -> dict[str, int]:
        return dict(zip(self.groups, np.bincount(self.codes, minlength=len(self.groups)).tolist(), strict=True))


def training_of(labels: list[str], scores: np.ndarray, sample_ids: list[str], recipe: Recipe,
                params: AssignParams) -> Training:  # fmt: skip
    """The samples to train with. labels: of each row of `scores`, "" for none.

    InputError where groups are too small, fewer than two are left, or labels are ids.
    """
    taken = [recipe.label(label) for label in labels]
    n_dropped = sum(1 for label, stated in zip(taken, labels, strict=True) if stated and not label)
    names, small = settle_groups(taken, sample_ids, params.min_group, params.small_groups)
    place = {name: code for code, name in enumerate(names)}
    rows = [row for row, label in enumerate(taken) if label in place]
    codes = np.array([place[taken[row]] for row in rows], np.int64)
    chosen = scores[rows]
    if not np.isfinite(chosen).all():
        raise InputError("expected scores of every labelled sample of the model, found some that are not numbers.")
    return Training(chosen, codes, names, n_dropped, small)


def fit_and_measure(training: Training, recipe: Recipe, params: AssignParams) -> tuple[Fitted, dict[str, Any]]:
    """The forest, and its accuracy out of bag and on samples held out: what assign.json says of it.

    A recipe that trains with a share only, as gnomAD's, is measured on the rest, with the forest itself. Else a second
    forest, without `params.holdout` of each group, is measured.
    """
    n = len(training.codes)
    if recipe.train_share < 1:
        rows = np.array(random.Random(recipe.seed).sample(range(n), int(n * recipe.train_share)), np.int64)
        if len(np.unique(training.codes[rows])) < len(training.groups):
            raise InputError(
                f"expected every group among the {len(rows)} of {n} labelled samples that this preset trains with, and "
                "one has none there. Give more samples of the smallest groups, or another preset."
            )
        fitted = _fit(training, rows, recipe)
        held, measured, how = np.setdiff1d(np.arange(n), rows), fitted, "the forest was trained without them"
    else:
        rows = np.arange(n)
        fitted = _fit(training, rows, recipe)
        held = _held_out(training, params.holdout, recipe.seed)
        how = "measured with a forest trained without them; the one that was kept has seen them"
        measured = _fit(training, np.setdiff1d(rows, held), recipe) if len(held) else fitted
    own = training.codes[rows]
    seen = fitted.out_of_bag >= 0
    report: dict[str, Any] = {"out_of_bag": _accuracy(fitted.out_of_bag[seen], own[seen], training.groups)}
    if len(held):
        votes = measured.forest.predict(training.scores[held])
        right = training.codes[held]
        kept = keeps(votes.max(axis=1), recipe)
        found = votes.argmax(axis=1)
        report["held_out"] = _accuracy(found, right, training.groups) | {
            "share_assigned": float(kept.mean()),
            "accuracy_of_assigned": float((found == right)[kept].mean()) if kept.any() else None,
            "how": how,
        }
    return fitted, report


def keeps(probability: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Whether a sample whose highest probability this is keeps its group; NaN does not."""
    return np.asarray(probability >= recipe.threshold if recipe.keeps_at else probability > recipe.threshold)


def _fit(training: Training, rows: np.ndarray, recipe: Recipe) -> Fitted:
    return fit_forest(
        training.scores[rows, : recipe.n_pcs], training.codes[rows], training.groups, recipe.n_trees, recipe.seed
    )


def _held_out(training: Training, share: float, seed: int) -> np.ndarray:
    """Rows of a share of each group, drawn group by group; at least one sample of each is left."""
    drawn = np.random.default_rng(seed)
    held = []
    for group in range(len(training.groups)):
        rows = drawn.permutation(np.flatnonzero(training.codes == group))
        held.append(rows[: min(round(share * len(rows)), len(rows) - 1)])
    return np.sort(np.concatenate(held))


def _accuracy(found: np.ndarray, right: np.ndarray, groups: list[str]) -> dict[str, Any]:
    by_group = {}
    for code, name in enumerate(groups):
        own = right == code
        by_group[name] = {"n": int(own.sum()), "accuracy": float((found[own] == code).mean()) if own.any() else None}
    return {"n": len(right), "accuracy": float((found == right).mean()) if len(right) else None, "by_group": by_group}
