"""What genetic values are expected to be, from the panel and the groups alone: never from the people enrolled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.people.ancestry import draw_shares
from cohelix.simulate.people.person import GROUPS, SOURCES
from cohelix.simulate.streams import stream

DRAWS = 48  # ancestries that stand for a group


@dataclass(frozen=True)
class Crowd:
    """N ancestries that stand for all people. ancestry (N, 6): shares of SOURCES. group (N,): place in GROUPS. weight
    (N,): adds up to 1. group_shares (7,): of people by GROUPS."""

    ancestry: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    group_shares: np.ndarray


def draw_crowd(seed: int, shares: Mapping[str, float]) -> Crowd:
    """`DRAWS` founders of each group with a share."""
    rng = stream(seed, "expected ancestry")
    group_shares = np.array([shares.get(group, 0.0) for group in GROUPS])
    group_shares = group_shares / group_shares.sum()
    drawn = [[*_founder(group, rng), place] for place, group in enumerate(GROUPS) for _ in range(DRAWS)]
    kinds, count = np.unique(np.array(drawn), axis=0, return_counts=True)
    group = kinds[:, -1].astype(np.int64)
    return Crowd(kinds[:, :-1], group, group_shares[group] * count / DRAWS, group_shares)


def moments(
    panels: Sequence[RegionPanel], region: np.ndarray, site: np.ndarray, effects: np.ndarray, ancestry: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (N,) of the genetic value of people with each of the ancestries (N, 6).

    effects (C, 6) of variants at (region, site), (C,) each. Linkage within a region counts; a person's two
    haplotypes, and different regions, are independent; each haplotype of a region is from one source.
    """
    mixed = effects @ ancestry.T
    mean, variance = np.zeros(len(ancestry)), np.zeros(len(ancestry))
    for index in np.unique(region).tolist():
        here = region == index
        first, second = _of_sources(panels[index], site[here], mixed[here])
        middle = np.sum(ancestry.T * first, axis=0)
        mean += 2 * middle
        variance += 2 * (np.sum(ancestry.T * second, axis=0) - middle**2)
    return mean, np.maximum(variance, 0.0)


def quantile(share: float, weight: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> float:
    """The value that `share` of a mixture of normal distributions lies below."""
    from scipy.special import ndtr

    sd = np.maximum(sd, 1e-9)
    low, high = float((mean - 12 * sd).min()), float((mean + 12 * sd).max())
    for _ in range(100):
        middle = (low + high) / 2
        if np.sum(weight * ndtr((middle - mean) / sd)) < share:
            low = middle
        else:
            high = middle
    return rounded((low + high) / 2)


def rounded(value: float) -> float:
    """To 10 significant digits: the last bits of a sum depend on how many threads made it."""
    return float(f"{value:.10g}")


def _of_sources(panel: RegionPanel, site: np.ndarray, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second moment (6, N) of the value of a haplotype of each source; effects (C, N)."""
    if panel.alleles.shape[0] == 0:  # sites without haplotypes are independent
        p = np.asarray(panel.sites.frequency)[site].T
        first = p @ effects
        return first, np.asarray((p * (1 - p)) @ effects**2 + first**2)
    carried = (np.asarray(panel.alleles[:, site]) == 1).astype(np.float64)
    means, squares = [], []
    for rows in carried.reshape(len(SOURCES), panel.per_source, -1):
        means.append(rows.mean(axis=0) @ effects)
        if site.size < panel.per_source:  # by pairs of variants, since there are fewer of them than of haplotypes
            squares.append(np.sum(effects * ((rows.T @ rows / panel.per_source) @ effects), axis=0))
        else:
            squares.append(np.mean((rows @ effects) ** 2, axis=0))
    return np.array(means), np.array(squares)


def _founder(group: str, rng: np.random.Generator) -> np.ndarray:
    """Shares (6,); those of "oth" are between founders of two other groups."""
    if group != "oth":
        return np.array(draw_shares(group, rng)[0])
    first, second = rng.choice(len(GROUPS) - 1, 2, replace=False).tolist()
    return np.asarray((_founder(GROUPS[first], rng) + _founder(GROUPS[second], rng)) / 2)
