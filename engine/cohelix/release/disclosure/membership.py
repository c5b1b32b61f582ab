"""Who is in a group cannot be told from its frequencies: the bound, the thinning that keeps it, and the attack.

An attacker holds a genome and asks whether it is in the group. The likelihood ratio of "in the group" against "of the
same population" separates the two by d = sqrt(M / N) standard deviations, with N people and M numbers told of their
genotypes (Sankararaman and others 2009), and finds Phi(d - z) of the members at a rate of false positives of
1 - Phi(z). M counts every number that is told, without a discount for linkage: who knows the linkage takes it out.

    d <= z(1 - fpr) + z(max_power)        so that        M <= d * d * N

Where a group has more, sites are left out by a hash of the site alone: the same ones in every release, and those of a
small group among those of a large one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from cohelix.errors import ContractError

FALSE_POSITIVES = 0.01
THINNING = "cohelix sites of a release 1"
"""What is hashed with a site. A constant of the policy: another one would tell other sites of the same people."""

STEPS = 8
"""Steps of the share of sites by which it halves."""

LEVELS = 40 * STEPS


def separation(max_power: float, fpr: float = FALSE_POSITIVES) -> float:
    """d: the greatest separation at which an attack finds `max_power` of the members at a rate `fpr`."""
    normal = NormalDist()
    return max(0.0, normal.inv_cdf(1 - fpr) + normal.inv_cdf(max_power))


def power(told: float, people: float, fpr: float = FALSE_POSITIVES) -> float:
    """Share of members that the attack finds, of `people` of whom `told` numbers are told."""
    if people <= 0:
        return 1.0 if told else fpr
    normal = NormalDist()
    return float(normal.cdf((told / people) ** 0.5 - normal.inv_cdf(1 - fpr)))


def levels_of(sites: Sequence[str]) -> np.ndarray:
    """int32 (sites,): the last level of thinning at which a site is still told; a level in `STEPS` halves them."""
    first = [hashlib.sha256(f"{THINNING}\n{site}".encode()).digest()[:8] for site in sites]
    drawn = np.frombuffer(b"".join(first), ">u8").astype(np.uint64)
    return np.searchsorted(_EDGES, ~drawn, side="right").astype(np.int32)


def share_of(level: int) -> float:
    """Share of sites told at a level."""
    return float(2.0 ** (-level / STEPS))


_EDGES = np.array([2**64 - int(2**64 * share_of(level)) for level in range(1, LEVELS)], np.uint64)


def level_for(cost: np.ndarray, max_power: float) -> int:
    """The lowest level at which a group keeps the bound. cost: float64 (LEVELS,): numbers told for each person, of
    the sites whose last level it is. `LEVELS` where none does."""
    if cost.shape != (LEVELS,):
        raise ContractError(f"expected {LEVELS} sums of cost, got {cost.shape}.")
    told = np.cumsum(cost[::-1])[::-1]
    fine = np.flatnonzero(told <= separation(max_power) ** 2)
    return int(fine[0]) if fine.size else LEVELS


def likelihood_ratios(
    genotypes: np.ndarray, told: np.ndarray, population: np.ndarray, people: np.ndarray | float
) -> np.ndarray:
    """float64 (persons,): log likelihood ratio of being in the group against being of the population.

    genotypes: (sites, persons) 0, 1, 2 copies. told, population: (sites,) frequencies of the group and of the
    population; NaN of `told`: the site is not told. people: size of the group, by which told frequencies of 0 or 1
    are kept off the ends.
    """
    known = ~np.isnan(told)
    edge = np.broadcast_to(np.asarray(0.25 / np.asarray(people, float)), told.shape)[known]
    inside = np.clip(told[known], edge, 1 - edge)
    outside = np.clip(population[known], edge, 1 - edge)
    with_alt, without = np.log(inside / outside), np.log((1 - inside) / (1 - outside))
    copies = genotypes[known].astype(np.float64)
    return np.asarray(with_alt @ copies + without @ (2 - copies))


def true_positives(members: np.ndarray, others: np.ndarray, fpr: float = FALSE_POSITIVES) -> float:
    """Share of `members` above the value that a share `fpr` of `others` exceeds."""
    return float((members > np.quantile(others, 1 - fpr)).mean())
