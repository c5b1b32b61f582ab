"""What a row of frequencies tells, by its plain definition: every cohort that would give the row is written down.

A world is one possible cohort: how many of its people have each genotype. Who reads a row knows the rule and the
number of people, so what is possible is every world that gives this row. A count of people is told where it is from 1
to least - 1 in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

DIPLOID = ("hom_ref", "het", "hom_alt", "missing")
HAPLOID = ("ref", "alt", "missing")
POSITION = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Genotypes of two copies of a position with two alternate alleles, besides missing ones."""


def worlds(people: int, kinds: int) -> np.ndarray:
    """int64 (worlds, kinds): all ways to divide `people` among `kinds`."""
    return np.array(list(_divided(people, kinds)), np.int64)


def _divided(people: int, kinds: int) -> Iterator[tuple[int, ...]]:
    if kinds == 1:
        yield (people,)
        return
    for first in range(people + 1):
        for rest in _divided(people - first, kinds - 1):
            yield (first, *rest)


def told_counts(rows: np.ndarray, counts: dict[str, np.ndarray], least: int) -> list[tuple[str, tuple[int, ...]]]:
    """(name of the count, row) wherever a row tells a count.

    rows: int64 (worlds, numbers), what each world would publish. counts: int64 (worlds,) by name.
    """
    found = []
    _, of = np.unique(rows, axis=0, return_inverse=True)
    of = of.reshape(-1)
    for name, values in counts.items():
        outside = np.zeros(of.max() + 1, bool)
        outside[of[(values < 1) | (values >= least)]] = True
        for row in np.flatnonzero(~outside):
            found.append((name, tuple(rows[of == row][0].tolist())))
    return found


def diploid_counts(worlds: np.ndarray) -> dict[str, np.ndarray]:
    """Every count of people of a site with two copies, from worlds (worlds, `DIPLOID`)."""
    hom_ref, het, hom_alt, missing = worlds.T
    return {
        "hom_ref": hom_ref, "het": het, "hom_alt": hom_alt, "missing": missing, "carriers": het + hom_alt,
        "not carriers": hom_ref + missing, "with the reference allele": hom_ref + het,
        "homozygotes": hom_ref + hom_alt, "called": hom_ref + het + hom_alt,
    }  # fmt: skip


def haploid_counts(worlds: np.ndarray) -> dict[str, np.ndarray]:
    ref, alt, missing = worlds.T
    return {"one ref": ref, "one alt": alt, "one missing": missing, "one without alt": ref + missing,
            "one called": ref + alt}  # fmt: skip


def position_counts(worlds: np.ndarray) -> dict[str, np.ndarray]:
    """Every count of people of a position with two alternate alleles, from worlds (worlds, POSITION and missing)."""
    counts = {f"{first}/{second}": worlds[:, at] for at, (first, second) in enumerate(POSITION)}
    counts["missing"] = worlds[:, -1]
    for allele in range(3):
        has = [at for at, pair in enumerate(POSITION) if allele in pair]
        counts[f"with {allele}"] = worlds[:, has].sum(axis=1)
        counts[f"without {allele}"] = np.delete(worlds[:, :-1], has, axis=1).sum(axis=1)
        one = [at for at, pair in enumerate(POSITION) if pair.count(allele) == 1]
        counts[f"heterozygous for {allele}"] = worlds[:, one].sum(axis=1)
    return counts


def row_of(worlds: np.ndarray, alt: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(hom_ref, het, hom_alt) of the row of one alternate allele: the other one counts as not this one."""
    by_copies = [[at for at, pair in enumerate(POSITION) if pair.count(alt) == copies] for copies in range(3)]
    hom_ref, het, hom_alt = (worlds[:, at].sum(axis=1) for at in by_copies)
    return hom_ref, het, hom_alt
