"""Filtering allele frequency, and the group in which an allele is most frequent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cohelix.qc.variants.frequencies import ratio

_TABLED = 1 << 13


def filtering_frequency(ac: np.ndarray, an: np.ndarray, confidence: float) -> np.ndarray:
    """float64: the highest true frequency at which `ac` copies or more are still that improbable (Whiffin 2017).

    The frequency f at which a Poisson count of mean an * f stays below ac with probability `confidence`; 0 for an
    allele seen once or never, as Hail's filtering_allele_frequency, which gives this to within 1e-6.
    """
    ac, an = np.asarray(ac, np.int64), np.asarray(an, np.int64)
    mean = _means(confidence)[np.clip(ac, 0, _TABLED - 1)]
    many = np.flatnonzero(ac >= _TABLED)
    if len(many):
        distinct, place = np.unique(ac[many], return_inverse=True)
        mean[many] = _mean(distinct, confidence)[place]
    return np.where((ac > 1) & (an > 0), ratio(mean, an), 0.0)


@lru_cache(maxsize=8)
def _means(confidence: float) -> np.ndarray:
    """`_mean` of every count below `_TABLED`: nearly all rows have one of these, in every block and group."""
    means = _mean(np.arange(_TABLED), confidence)
    means.flags.writeable = False
    return means


def _mean(counts: np.ndarray, confidence: float) -> np.ndarray:
    """float64: the mean at which a Poisson count stays below each of `counts` with probability `confidence`."""
    from scipy.special import gammaincinv  # a third of a second to import

    return np.asarray(gammaincinv(np.maximum(counts, 1), 1 - confidence), np.float64)


@dataclass(frozen=True)
class Largest:
    """The group with the largest value in each row: its name (None where no group has one) and its place, -1 none."""

    names: list[str | None]
    places: np.ndarray

    def pick(self, columns: np.ndarray) -> np.ndarray:
        """Values of the chosen group from (variants, groups); 0 where there is none."""
        rows = np.arange(len(self.places))
        return np.where(self.places >= 0, columns[rows, np.maximum(self.places, 0)], 0)


def largest(values: np.ndarray, eligible: np.ndarray, names: Sequence[str]) -> Largest:
    """The largest of values (variants, groups) among `eligible` bool (variants, groups).

    Of equal ones the first group by name counts, as in gnomAD's and GVS's tables.
    """
    if not names:
        return Largest([None] * len(values), np.full(len(values), -1))
    held = np.where(eligible & ~np.isnan(values), values, -np.inf)
    places = np.where(np.isinf(held.max(axis=1)), -1, held.argmax(axis=1))
    return Largest([None if place < 0 else names[place] for place in places.tolist()], places)
