"""The people whom count tables are of: by ancestry group, sex and age, without strata of too few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.release.people import People
from cohelix.release.schema import ReleaseParams

DIMS = ("group", "sex", "age_band")
NOT_KNOWN = "not known"
SEXES = ("female", "male", NOT_KNOWN)


@dataclass(frozen=True)
class Strata:
    """categories: names by dim of `DIMS`. cell: int32 (people,) place of a person's stratum in `shape`, C order; -1 for
    people of no count. frame: int64, how many are in each.
    """

    categories: tuple[tuple[str, ...], ...]
    cell: np.ndarray
    frame: np.ndarray

    @property
    def group(self) -> np.ndarray:
        """int16 (people,): place of a person's group among the groups of the tables; -1 for people of no count."""
        per_group = max(1, int(np.prod(self.frame.shape[1:])))
        return np.where(self.cell < 0, -1, self.cell // per_group).astype(np.int16)

    @property
    def empty(self) -> bool:
        return self.frame.size == 0


def strata_of(people: People, params: ReleaseParams) -> Strata:
    """Groups, sexes and bands of age that hold `least` people or more of those who are in such of the other dims.

    There is one largest set of these, and whoever is not in it changes nothing: neither which strata these are, nor a
    count. People older than `age_cap` are not counted: Registered does not have them, and tiers could be compared.
    """
    bands = [f"{low}-{min(low + params.age_band - 1, params.age_cap)}" for low in _lows(params)]
    groups = (*people.groups, NOT_KNOWN)
    sex = np.array([2, 1, 0])[np.clip(people.sex, 0, 2)]
    codes = np.stack([
        np.where(people.group < 0, len(groups) - 1, people.group),
        sex,
        np.maximum(people.age, 0) // params.age_band,
    ]).astype(np.int64)  # fmt: skip
    names = (groups, SEXES, tuple(bands))
    inside = people.age <= params.age_cap
    keep = [np.ones(len(labels), bool) for labels in names]
    while True:
        enough = [
            np.bincount(codes[dim][inside], minlength=len(labels))[: len(labels)] >= params.least
            for dim, labels in enumerate(names)
        ]
        if all((a == b).all() for a, b in zip(keep, enough, strict=True)):
            break
        keep = enough
        inside = inside & np.logical_and.reduce(
            [keep[dim][np.minimum(codes[dim], len(keep[dim]) - 1)] for dim in range(3)]
        )
    return _numbered(names, keep, codes, inside)


def _lows(params: ReleaseParams) -> range:
    return range(0, params.age_cap + 1, params.age_band)


def _numbered(
    names: tuple[tuple[str, ...], ...], keep: list[np.ndarray], codes: np.ndarray, inside: np.ndarray
) -> Strata:
    categories = tuple(
        tuple(label for label, kept in zip(labels, kept_, strict=True) if kept)
        for labels, kept_ in zip(names, keep, strict=True)
    )
    shape = tuple(len(labels) for labels in categories)
    cell = np.full(len(inside), -1, np.int32)
    if min(shape) == 0:
        return Strata(categories, cell, np.zeros(shape, np.int64))
    new = [np.cumsum(kept) - 1 for kept in keep]
    rows = np.flatnonzero(inside)
    cell[rows] = np.ravel_multi_index(tuple(new[dim][codes[dim][rows]] for dim in range(3)), shape)
    frame = np.bincount(cell[rows], minlength=int(np.prod(shape))).reshape(shape)
    return Strata(categories, cell, frame)
