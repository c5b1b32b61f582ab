"""Strata: everybody, ancestry groups, bins of genetic distance; and which of them nothing may be said of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.errors import ConfigError
from cohelix.genotypes.inputs import Groups

NOT_KNOWN = "not known"
"""The people without a group, or without components: a stratum, or their number would be what is missing to all."""


@dataclass(frozen=True)
class Partition:
    """Strata of which everybody is in one. codes: int32 (samples,), places in `names`."""

    kind: str
    names: tuple[str, ...]
    codes: np.ndarray


@dataclass(frozen=True)
class Stratum:
    """Some people of a trait. rows: their places among the people. suppressed: nothing may be said of it."""

    kind: str
    name: str
    rows: np.ndarray
    n: int
    n_cases: int | None
    suppressed: bool


def everybody(n: int) -> Partition:
    return Partition("all", ("all",), np.zeros(n, np.int32))


def of_groups(groups: Groups) -> Partition:
    return _with_unknown("group", groups.names, groups.codes)


def _with_unknown(kind: str, names: Sequence[str], codes: np.ndarray) -> Partition:
    if not (codes < 0).any():
        return Partition(kind, tuple(names), codes.astype(np.int32))
    return Partition(kind, (*names, NOT_KNOWN), np.where(codes < 0, len(names), codes).astype(np.int32))


def centre_of(
    components: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    groups: Groups | None = None,
    group: str | None = None,
    given: Sequence[float] = (),
) -> tuple[np.ndarray, str] | None:
    """The centre of the training population, float64 (components,), and where it is from; None where nothing says it.

    Raises ConfigError where the group is not there, or the centre has fewer components than the people.
    """
    k = components.shape[1]
    if reference is not None:
        if reference.shape[1] < k:
            raise ConfigError(
                f"the reference has {reference.shape[1]} components and the people have {k}. Set "
                f"prs.evaluate.n_distance_pcs to {reference.shape[1]}, or give a reference with as many."
            )
        return np.nanmean(reference[:, :k], axis=0), "mean of the reference"
    if given:
        if len(given) < k:
            raise ConfigError(
                f"prs.evaluate.centre has {len(given)} numbers, and distance is measured in {k} components. Set "
                "prs.evaluate.n_distance_pcs to as many."
            )
        return np.asarray(given[:k], np.float64), "given"
    if group is None:
        return None
    if groups is None or group not in groups.names:
        have = ", ".join(groups.names) if groups else "none: give --ancestry"
        raise ConfigError(f"prs.evaluate.centre_group {group!r} is not among the groups ({have}). Correct it.")
    members = components[groups.codes == groups.names.index(group)]
    if not np.isfinite(members).all(axis=1).any():
        raise ConfigError(f"nobody of prs.evaluate.centre_group {group!r} has components. Choose another.")
    return np.nanmean(members, axis=0), f"mean of group {group}"


def distances(components: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Euclidean distance of each person from the centre, float64 (samples,); NaN where a component is not known."""
    total = np.zeros(len(components))
    for place in range(components.shape[1]):
        total += (components[:, place] - centre[place]) ** 2
    return np.sqrt(total)


def of_distance(distance: np.ndarray, n_bins: int) -> Partition:
    """Bins of equal size (to one person), the nearest first; equal distances in the order of the people."""
    known = np.flatnonzero(~np.isnan(distance))
    n_bins = min(n_bins, max(len(known), 1))
    codes = np.full(len(distance), -1, np.int64)
    codes[known[np.argsort(distance[known], kind="stable")]] = np.arange(len(known)) * n_bins // max(len(known), 1)
    width = len(str(n_bins))
    return _with_unknown("distance", [str(place + 1).zfill(width) for place in range(n_bins)], codes)


def mean_distances(partition: Partition, distance: np.ndarray, least: int) -> dict[str, float]:
    """Mean distance of each bin that has at least `least` people."""
    found = {}
    for place, name in enumerate(partition.names):
        held = distance[partition.codes == place]
        if name != NOT_KNOWN and len(held) >= least:
            found[name] = float(np.mean(held))
    return found


def strata_of(partition: Partition, people: np.ndarray, cases: np.ndarray | None, least: int) -> list[Stratum]:
    """The strata of some people. people: their places among all; cases: bool (people,), None for a measure."""
    codes = partition.codes[people]
    rows = [np.flatnonzero(codes == place) for place in range(len(partition.names))]
    counts = np.array([[len(one)] for one in rows])
    if cases is not None:
        n_cases = np.array([int(cases[one].sum()) for one in rows])
        counts = np.column_stack([counts[:, 0], n_cases, counts[:, 0] - n_cases])
    hidden = suppressed(counts, least)
    return [
        Stratum(partition.kind, name, one, int(count[0]), None if cases is None else int(count[1]), bool(hide))
        for name, one, count, hide in zip(partition.names, rows, counts, hidden, strict=True)
    ]


def suppressed(counts: np.ndarray, least: int) -> np.ndarray:
    """bool (strata,): which strata of a total that is shown must be withheld, with all their counts.

    counts: int (strata, kinds): people, and cases and controls where there are such; strata add up to the total.
    A stratum with a count of 1 to `least` - 1 is withheld. What is withheld can be worked out from the total and the
    rest as a sum: so the next smallest join until there are two at least, and each of their sums is 0 or `least`.
    Where the total itself is small, everything is withheld.
    """
    counts = np.asarray(counts, np.int64)
    small = (counts > 0) & (counts < least)
    hidden = np.asarray(small.any(axis=1))
    total = counts.sum(axis=0)
    if ((total > 0) & (total < least)).any():
        return np.ones(len(counts), bool)
    while hidden.any() and not hidden.all():
        together = counts[hidden].sum(axis=0)
        if hidden.sum() > 1 and not ((together > 0) & (together < least)).any():
            break
        left = np.flatnonzero(~hidden)
        sized = left[counts[left, 0] > 0]  # a stratum of nobody hides nothing
        if len(sized) == 0:
            break
        hidden[sized[np.lexsort((sized, counts[sized, 0]))[0]]] = True
    return hidden
