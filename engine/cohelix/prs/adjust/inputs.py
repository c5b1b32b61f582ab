"""What is handed in to be adjusted, or trained on: scores, components and groups of the same people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohelix.errors import InputError
from cohelix.genotypes import inputs
from cohelix.prs.adjust.tables import read_matrices
from cohelix.prs.tables import FILE

BEST_GUESS = ("ancestry_pred", "group")
NO_GROUP = frozenset(["oth", "other", "remaining"])
"""What tables of groups call those who are in none: they have nothing in common to be compared with."""


@dataclass(frozen=True)
class Scored:
    """Scores float64 (scores, samples), NaN where one could not be given; most_alleles int64 (scores,): the greatest
    number of alleles used for somebody; pcs float64 (samples, k), NaN rows for those without.
    """

    score_ids: list[str]
    sample_ids: list[str]
    scores: np.ndarray
    most_alleles: np.ndarray
    pcs: np.ndarray

    @property
    def placed(self) -> np.ndarray:
        """bool (samples,): who has components."""
        return np.asarray(np.isfinite(self.pcs).all(axis=1))


@dataclass(frozen=True)
class Labels:
    """names of groups, sorted, and codes int32 (samples,), -1 without one."""

    names: list[str]
    codes: np.ndarray


def read_scored(folder: str, pcs: str, n_pcs: int, what: str) -> Scored:
    """A folder of `cohelix prs score` with the components of its samples. what: "cohort" or "reference", for messages.

    Raises InputError where ids repeat, a score is infinite, or components are of other people or too few.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise InputError(
            f"expected the scores of the {what} as a folder of `cohelix prs score` with {FILE} in it, found none there."
        )
    score_ids, sample_ids, (scores, alleles) = read_matrices(path, ["sum"], ["n_alleles"])
    if not scores.size:
        raise InputError(f"expected scores of the {what}, found a table without rows. Score somebody.")
    infinite = int(np.isinf(scores).any(axis=1).sum())
    if infinite:
        raise InputError(
            f"expected scores of the {what} to be numbers, found infinite ones in {infinite} of {len(score_ids)} "
            "scores. Correct their weights, and score anew."
        )
    found = inputs.read_pcs(pcs, sample_ids, n_pcs)
    infinite = int(np.isinf(found).any(axis=1).sum())
    if infinite:
        raise InputError(
            f"expected components of the {what} to be numbers, found infinite ones of {infinite} samples. Leave them "
            "empty where they are not known."
        )
    found[~np.isfinite(found).all(axis=1)] = np.nan
    return Scored(score_ids, sample_ids, scores, alleles.astype(np.int64), found)


def read_labels(path: str, sample_ids: list[str], column: str | None) -> Labels:
    """Groups of people; of a table of `cohelix ancestry assign`, the best guess where no column is named.

    Those whom the table puts in none (`NO_GROUP`) have none.
    """
    if column is None:
        names = inputs.read_table(path, "table of groups").column_names
        column = next((name for name in BEST_GUESS if name in names), None)
    groups = inputs.read_groups(path, sample_ids, column)
    names = [name for name in groups.names if name not in NO_GROUP]
    return Labels(names, in_groups(Labels(groups.names, groups.codes), names))


def read_chosen(path: str, sample_ids: list[str]) -> np.ndarray:
    """bool (samples,): who is in the table of people to train on, as unrelated.tsv of `cohelix relatedness prune`."""
    what = "table of people to train on"
    return np.asarray(inputs.rows_of(inputs.read_table(path, what), sample_ids, what) >= 0)


def in_groups(labels: Labels, names: list[str]) -> np.ndarray:
    """int32 (samples,): codes into `names`, of the training groups; -1 where somebody has another group, or none."""
    place = {name: code for code, name in enumerate(names)}
    codes = np.array([*(place.get(name, -1) for name in labels.names), -1], np.int32)
    return np.asarray(codes[labels.codes])
