"""Reads at the candidate sites, kept by where they came from, so that a wrong call has a cause and not a guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.simulate.sequencing.calling import COLUMNS, MOST_ALTS, OTHER, STAR
from cohelix.simulate.sequencing.candidates import Candidates


@dataclass(frozen=True)
class Reads:
    """Reads (n, COLUMNS) at n sites, by origin.

    clean: of the sample, as the copies are; own: the same reads with errors, stray reads with them; contaminant: of
    the other person, with errors; artefact: false reads.
    """

    clean: np.ndarray
    own: np.ndarray
    contaminant: np.ndarray
    artefact: np.ndarray

    @property
    def all(self) -> np.ndarray:
        return np.asarray(self.own + self.contaminant + self.artefact)


def draw_reads(
    sites: Candidates,
    own: np.ndarray,
    foreign: np.ndarray,
    error: float,
    reference_share: float,
    rng: np.random.Generator,
) -> Reads:
    """`own`, `foreign` (n,): mean reads of the sample and of its contaminant at the sites."""
    clean = _of_copies(sites.own, own * (1 - sites.share), reference_share, rng)
    others = _of_copies(sites.contaminant, foreign * (1 - sites.share), reference_share, rng)
    false = np.zeros_like(clean)
    false[:, 1] = rng.poisson((own + foreign) * sites.share)
    n_alts = np.array([len(alts) for alts in sites.alts], np.int64)
    noisy = _with_errors(clean, n_alts, error, rng)
    noisy[:, 1] += sites.stray
    return Reads(clean, noisy, _with_errors(others, n_alts, error, rng), false)


def shares(copies: np.ndarray, reference_share: float) -> np.ndarray:
    """Share of reads (n, OTHER) from copies (n, OTHER). At one to one, the reference has `reference_share`."""
    weight = np.full(OTHER, 1 - reference_share)
    weight[0] = reference_share
    weighed = copies * weight
    total = weighed.sum(axis=1, keepdims=True)
    weighed[:, 0] += total[:, 0] == 0
    return np.asarray(weighed / np.where(total == 0, 1.0, total))


def _of_copies(copies: np.ndarray, mean: np.ndarray, reference_share: float, rng: np.random.Generator) -> np.ndarray:
    depth = rng.poisson(np.where(copies.sum(axis=1) > 0, mean, 0.0))
    drawn = np.zeros((len(copies), COLUMNS), np.int64)
    drawn[:, :OTHER] = rng.multinomial(depth, shares(copies, reference_share))
    return drawn


def _with_errors(clean: np.ndarray, n_alts: np.ndarray, error: float, rng: np.random.Generator) -> np.ndarray:
    """Each read shows one of three wrong alleles with `error`: those named at the site first, then `OTHER`."""
    moved = rng.binomial(clean, error)
    rows, columns = np.nonzero(moved)
    times = moved[rows, columns]
    rows, columns = np.repeat(rows, times), np.repeat(columns, times)
    target = rng.integers(0, 3, rows.size)
    target += (target >= columns) & (columns <= MOST_ALTS)
    target = np.where((target > n_alts[rows]) | (target >= STAR), OTHER, target)
    noisy = clean - moved
    np.add.at(noisy, (rows, target), 1)
    return np.asarray(noisy)
