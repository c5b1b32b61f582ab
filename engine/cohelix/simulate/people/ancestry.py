"""Ancestry of founders: shares of the source populations, and tracts of them along each haplotype.

The shares of a founder come from a Dirichlet distribution of the group; a haplotype of a person whose ancestors mixed g
generations ago changes source at g crossovers per Morgan (Pool and Nielsen 2009, their model of one pulse).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from cohelix.reference import read_rows
from cohelix.simulate.people.person import SOURCES


@dataclass(frozen=True)
class Admixture:
    """How a group came about. mean (6,): shares of SOURCES. concentration: of the Dirichlet distribution (larger:
    people more alike). unmixed: share of people who descend from the first source alone. generations: since the
    mixing."""

    mean: tuple[float, ...]
    concentration: float
    unmixed: float
    generations: int


@cache
def admixtures() -> dict[str, Admixture]:
    """By group, from `reference/simulate/groups`."""
    found = {}
    for row in read_rows("simulate", "groups", "1", "groups.tsv"):
        mean = tuple(float(row[source]) for source in SOURCES)
        found[row["group"]] = Admixture(
            mean, float(row["concentration"]), float(row["unmixed"]), int(row["generations"])
        )
    return found


def draw_shares(group: str, rng: np.random.Generator) -> tuple[tuple[float, ...], int]:
    """(shares of SOURCES, generations since admixture) of one founder of `group` (not "oth")."""
    admixture = admixtures()[group]
    mixed = [k for k, share in enumerate(admixture.mean) if share > 0]
    shares = np.zeros(len(SOURCES))
    if len(mixed) == 1 or rng.random() < admixture.unmixed:
        shares[int(np.argmax(admixture.mean))] = 1.0
        return tuple(shares.tolist()), 0
    shares[mixed] = rng.dirichlet(np.array(admixture.mean)[mixed] * admixture.concentration)
    return tuple(shares.tolist()), admixture.generations
