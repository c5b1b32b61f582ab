"""Association studies in people who are not enrolled: one test per variant and trait.

Quantitative traits: least squares of the standardised value on the dosage. Binary traits: the score test of logistic
regression; beta is one Newton step from the model without the variant (near the estimate where effects are small), its
error what that model's information gives. Covariates of both: intercept and the ancestry shares that vary.

Sums over people are exact: what is summed is rounded to 2^-26, so that neither the size of a block nor the number of
threads changes a bit of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.errors import ConfigError
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.people.person import GROUPS
from cohelix.simulate.regions import Region
from cohelix.simulate.schema import TraitParams
from cohelix.simulate.streams import stream
from cohelix.simulate.traits.architecture import Architecture, Dosages, all_genetic_values
from cohelix.simulate.traits.clumping import clump
from cohelix.simulate.traits.phenotype import observed

BLOCK = 1_024  # people at a time
KEPT_BYTES = 128_000_000  # of dosages of one region; more are asked for again
_BITS = 26
_COLLINEAR = 1e-6  # share of a column's variance that the others leave over


@dataclass(frozen=True)
class Training:
    """n people of one group, and what does not change from variant to variant.

    covariates (n, q); quantitative (n, A) values; binary (n, B) residuals of the model without variants, with `weights`
    (n, B), its variances. cases (T,): affected people by trait (0 if quantitative). All rounded, see above.
    """

    group: str
    n: int
    covariates: np.ndarray
    quantitative: np.ndarray
    binary: np.ndarray
    weights: np.ndarray
    cases: np.ndarray


@dataclass(frozen=True)
class Found:
    """Tests of one region: V variants of T traits.

    site (V,): columns of the panel. frequency (V,): of alt, in the training set. beta, error, p (T, V): of a copy of
    alt, in standard units or log odds; nan where there is no test. chosen: by trait, the places among V of clumped
    variants, best first. n: people of the training set; cases (T,): those of them who are affected.
    """

    region: int
    site: np.ndarray
    frequency: np.ndarray
    beta: np.ndarray
    error: np.ndarray
    p: np.ndarray
    chosen: list[np.ndarray]
    n: int
    cases: np.ndarray


class RegionBlocks:
    """Dosages of one region by blocks of people, again and again; kept in memory where they are few."""

    def __init__(self, dosages: Dosages, region: int, n: int, n_sites: int) -> None:
        self._dosages, self._region, self._n = dosages, region, n
        self._kept: list[np.ndarray] | None = [] if n * n_sites <= KEPT_BYTES else None
        self._block = BLOCK

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """(first person, dosages)."""
        for place, first in enumerate(range(0, self._n, self._block)):
            if self._kept is not None and place < len(self._kept):
                yield first, self._kept[place]
                continue
            block = self._dosages(self._region, first, min(first + self._block, self._n))
            if self._kept is not None:
                self._kept.append(block)
            yield first, block


def run_gwas(
    params: TraitParams,
    architecture: Architecture,
    seed: int,
    group: str,
    training_dosages: Dosages,
    n_training: int,
    shares: np.ndarray,
    panels: Sequence[RegionPanel],
    regions: Sequence[Region],
) -> Iterator[Found]:
    """Tests of all autosomal biallelic variants with `params.minor_copies`, region by region. shares (n_training,
    6)."""
    training = train(architecture, seed, group, training_dosages, n_training, shares)
    for region in regions:
        if region.chromosome.isdigit():
            yield associate(params, architecture, training, training_dosages, panels[region.index], region)


def train(architecture: Architecture, seed: int, group: str, dosages: Dosages, n: int, shares: np.ndarray) -> Training:
    """Values of the training set, and models without variants. Raises ConfigError where it is too small for them."""
    liability = np.zeros((len(architecture.traits), n))
    for first in range(0, n, BLOCK):
        last = min(first + BLOCK, n)
        genetic = all_genetic_values(architecture, dosages, first, last, shares[first:last])
        liability[:, first:last] = np.array(list(genetic.values())).reshape(-1, last - first)
        rng = stream(seed, "trait noise of training", GROUPS.index(group), first // BLOCK)
        noise = rng.standard_normal((BLOCK, len(architecture.traits)))[: last - first].T
        liability[:, first:last] += noise * architecture.noise[:, None]
    liability += architecture.shift[:, GROUPS.index(group)][:, None]
    values = list(observed(architecture, liability).values())
    covariates = _exact(independent_columns(shares))
    if n < covariates.shape[1] + 3:
        raise ConfigError(f"training = {n} is too few for an association study. Give more, or 0 for none.")
    binary = [value for value in values if value.dtype == bool]
    models = [null_model(covariates, value) for value in binary]
    return Training(
        group=group,
        n=n,
        covariates=covariates,
        quantitative=_exact(_columns([value for value in values if value.dtype != bool], n)),
        binary=_exact(_columns([residual for residual, _ in models], n)),
        weights=_exact(_columns([weight for _, weight in models], n)),
        cases=np.array([int(value.sum()) if value.dtype == bool else 0 for value in values], np.int64),
    )


def associate(
    params: TraitParams,
    architecture: Architecture,
    training: Training,
    dosages: Dosages,
    panel: RegionPanel,
    region: Region,
) -> Found:
    """Tests of one region, and its clumps."""
    single = np.flatnonzero(np.array([len(alts) == 1 for alts in panel.sites.alts], bool))
    blocks = RegionBlocks(dosages, region.index, training.n, len(panel.sites.alts))
    by_one, by_square = _sums(training, blocks, single)
    copies = by_one[:, 0]
    kept = np.flatnonzero(np.minimum(copies, 2 * training.n - copies) >= params.minor_copies)
    site, by_one, by_square = single[kept], by_one[kept], by_square[kept]
    beta, error, p = (np.full((len(architecture.traits), site.size), np.nan) for _ in range(3))
    linear, logistic = np.flatnonzero(~architecture.binary), np.flatnonzero(architecture.binary)
    beta[linear], error[linear], p[linear] = _least_squares(training, by_one, by_square)
    for place, row in enumerate(logistic.tolist()):
        beta[row], error[row], p[row] = _score_test(training, place, by_one, by_square)
    positions = panel.sites.offset[site]
    chosen = [clump(params, p[row], positions, site, blocks) for row in range(len(architecture.traits))]
    frequency = by_one[:, 0] / (2 * training.n)
    return Found(region.index, site, frequency, beta, error, p, chosen, training.n, training.cases)


def independent_columns(shares: np.ndarray) -> np.ndarray:
    """(n, q): ones, and those columns of (n, 6) that are no linear combination of the ones before, to rounding."""
    columns = [np.ones(shares.shape[0])]
    for column in shares.T:
        basis = np.stack(columns, axis=1)
        left = column - basis @ np.linalg.lstsq(basis, column, rcond=None)[0]
        if np.mean(left**2) > _COLLINEAR * max(np.mean((column - column.mean()) ** 2), _COLLINEAR):
            columns.append(column)
    return np.stack(columns, axis=1)


def null_model(covariates: np.ndarray, affected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals and variances (n,) of logistic regression on the covariates; all 0 where everybody or nobody is
    affected."""
    n, q = covariates.shape
    y = affected.astype(np.float64)
    if not 0 < y.sum() < n:
        return np.zeros(n), np.zeros(n)
    beta = np.zeros(q)
    beta[0] = np.log(y.mean() / (1 - y.mean()))
    for _ in range(50):
        mean = 1 / (1 + np.exp(-np.einsum("nq,q->n", covariates, beta)))
        weight = mean * (1 - mean)
        information = np.einsum("ni,n,nj->ij", covariates, weight, covariates)
        step = np.linalg.lstsq(information, np.einsum("nq,n->q", covariates, y - mean), rcond=None)[0]
        beta += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-12:
            break
    mean = 1 / (1 + np.exp(-np.einsum("nq,q->n", covariates, beta)))
    return y - mean, mean * (1 - mean)


def _sums(training: Training, blocks: RegionBlocks, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over people of dosage times each of [covariates, values, residuals, weighted covariates], (V, many), and
    of its square times each of [1, weights], (V, 1 + B)."""
    weighted = [_exact(training.weights[:, [k]] * training.covariates) for k in range(training.weights.shape[1])]
    one = np.concatenate([training.covariates, training.quantitative, training.binary, *weighted], axis=1)
    square = np.concatenate([np.ones((training.n, 1)), training.weights], axis=1)
    by_one, by_square = np.zeros((sites.size, one.shape[1])), np.zeros((sites.size, square.shape[1]))
    for first, block in blocks:
        copies = block[:, sites].astype(np.float64)
        rows = slice(first, first + block.shape[0])
        by_one += copies.T @ one[rows]
        by_square += (copies * copies).T @ square[rows]
    return by_one, by_square


def _least_squares(
    training: Training, by_one: np.ndarray, by_square: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """beta, error, p (A, V)."""
    from scipy.special import stdtr

    q, count = training.covariates.shape[1], training.quantitative.shape[1]
    c, y = training.covariates, training.quantitative
    inverse = np.linalg.inv(np.einsum("ni,nj->ij", c, c))
    with_y = np.einsum("ij,ja->ia", inverse, np.einsum("nj,na->ja", c, y))
    on_c = np.einsum("vi,ij->vj", by_one[:, :q], inverse)
    left = by_square[:, 0] - np.einsum("vj,vj->v", on_c, by_one[:, :q])
    left = np.where(left > _COLLINEAR * by_square[:, 0], left, np.nan)
    shared = by_one[:, q : q + count] - np.einsum("vi,ia->va", by_one[:, :q], with_y)
    residual = y - np.einsum("ni,ia->na", c, with_y)
    total = np.einsum("na,na->a", residual, residual)
    beta = shared / left[:, None]
    freedom = training.n - q - 1
    rest = np.maximum(total - beta * shared, 0.0)
    error = np.sqrt(rest / freedom / left[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(freedom, -np.abs(beta / error))
    return beta.T, error.T, p.T


def _score_test(
    training: Training, place: int, by_one: np.ndarray, by_square: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """beta, error, p (V,) of binary trait `place`."""
    from scipy.special import ndtr

    q, values, count = training.covariates.shape[1], training.quantitative.shape[1], training.binary.shape[1]
    start = q + values + count + place * q
    with_c = by_one[:, start : start + q]
    c = training.covariates
    weighted = _exact(training.weights[:, [place]] * c)
    inverse = np.linalg.pinv(np.einsum("ni,nj->ij", weighted, c))
    on_c = np.einsum("vi,ij->vj", with_c, inverse)
    information = by_square[:, 1 + place] - np.einsum("vj,vj->v", on_c, with_c)
    information = np.where(information > _COLLINEAR * by_square[:, 1 + place], information, np.nan)
    off = np.einsum("ni,n->i", c, training.binary[:, place])
    score = by_one[:, q + values + place] - np.einsum("vj,j->v", on_c, off)
    error = 1 / np.sqrt(information)
    beta = score / information
    return beta, error, 2 * ndtr(-np.abs(beta / error))


def _columns(vectors: list[np.ndarray], n: int) -> np.ndarray:
    return np.stack(vectors, axis=1) if vectors else np.zeros((n, 0))


def _exact(values: np.ndarray) -> np.ndarray:
    """Rounded so that sums of up to a million, times a dosage or its square, are exact for values below 16."""
    return np.asarray(np.round(values * 2.0**_BITS) / 2.0**_BITS)
