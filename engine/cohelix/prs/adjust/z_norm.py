"""Z_norm1 and Z_norm2: a score relative to the mean, and to mean and variance, expected at a place in the components.

Z_norm1 (Khera et al. 2019): the residual of least squares on components, over the residuals' SD. Z_norm2 (Khan et al.
2022; eMERGE): mean and log variance are both linear in the components, fitted together (`full_likelihood`).
Components are standardised on the training people, and so is each score: a score's unit has no part in the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from cohelix.errors import InputError
from cohelix.prs.adjust import full_likelihood
from cohelix.prs.adjust.threads import in_threads

OK, CONSTANT, FEW, NO_MAXIMUM, NOT_TRAINED, EXTREME = range(6)
STATUS = ("ok", "constant", "few_people", "not_converged", "not_trained", "extreme_sd")
"""Of a score. constant: no variance, or none around its mean; few_people: with a value for it, in training;
not_converged: its likelihood has no maximum, or none was found, so that Z_norm2 is empty; not_trained: training had
no such score. Apart from not_converged, all of these leave everything empty. extreme_sd: fitted, but some people are
predicted an SD of more than EXTREME_SD times the score's own: everything is there, Z_norm2 to be looked at."""

EXTREME_SD = 5.0
"""Groups whose SDs differ by so much are not seen in scores of many variants: few people far out, or a score of a few
variants that one group carries, have made the log variance steep."""

_LEAST_SPREAD = 1e-12
"""SD, as a share of the largest value, below which a score varies by rounding only."""
_LEAST_SINGULAR = 1e-6
_IN_CACHE = 1 << 14
"""Scores times people adjusted at a time, about."""
_BLOCK = 256


@dataclass(frozen=True)
class Frame:
    """Means and SDs of components over the training people, float64 (k,)."""

    centre: np.ndarray
    spread: np.ndarray

    def standardised(self, pcs: np.ndarray) -> np.ndarray:
        """float64 (people, k), of the first k of `pcs`; NaN stays."""
        return np.ascontiguousarray((pcs[:, : len(self.centre)] - self.centre) / self.spread)


@dataclass(frozen=True)
class Norms:
    """What was trained, a row a score. status int8, n int32 people; offset and scale float64: of the score, mean and
    SD, in which all that follows is. z_norm1: mean1 float64 (scores, p), sd1. Z_norm2: mean2 and log_variance
    (scores, p), nll, steps int32, and low and high: of the log variance predicted in training. NaN: not trained.
    """

    status: np.ndarray
    n: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    mean1: np.ndarray
    sd1: np.ndarray
    mean2: np.ndarray
    log_variance: np.ndarray
    nll: np.ndarray
    steps: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def of(self, rows: slice | np.ndarray) -> Norms:
        return Norms(*(getattr(self, field.name)[rows] for field in fields(self)))


def frame_of(pcs: np.ndarray) -> Frame:
    """Of training people, float64 (people, k). InputError where components are constant or follow from each other."""
    centre, spread = pcs.mean(axis=0), pcs.std(axis=0)
    constant = int((spread <= _LEAST_SPREAD * np.abs(pcs).max(axis=0)).sum())
    if constant:
        raise InputError(
            f"expected components that vary among the training people, found {constant} of {len(spread)} constant. "
            "Train on more people, or ask for fewer components (prs.adjust.n_pcs)."
        )
    frame = Frame(centre, spread)
    if np.linalg.svd(design_of(frame.standardised(pcs)), compute_uv=False)[-1] < _LEAST_SINGULAR * np.sqrt(len(pcs)):
        raise InputError(
            "expected components that are independent among the training people, found one that follows from others. "
            "Train on more people, or ask for fewer components (prs.adjust.n_pcs)."
        )
    return frame


def design_of(standardised: np.ndarray) -> np.ndarray:
    """float64 (people, p): a column of ones, and the components."""
    return np.column_stack([np.ones(len(standardised)), standardised])


def train(design: np.ndarray, scores: np.ndarray) -> Norms:
    """Of scores float64 (scores, people), NaN where one could not be given: each is fitted to those who have it."""
    norms = empty(len(scores), design.shape[1])
    complete = np.isfinite(scores).all(axis=1)
    rows = np.flatnonzero(complete)
    tasks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    for _ in in_threads(lambda task: _train_complete(design, scores, task, norms), tasks):
        pass
    for row in np.flatnonzero(~complete):
        have = np.isfinite(scores[row])
        own = empty(1, design.shape[1])
        _train_complete(design[have], scores[row : row + 1, have], np.array([0]), own)
        for field in fields(norms):
            getattr(norms, field.name)[row] = getattr(own, field.name)[0]
    return norms


def empty(n_scores: int, p: int) -> Norms:
    def of(*shape: int) -> np.ndarray:
        return np.full(shape, np.nan)

    n, status, steps = (
        np.zeros(n_scores, np.int32),
        np.full(n_scores, NOT_TRAINED, np.int8),
        np.zeros(n_scores, np.int32),
    )
    one, several = (n_scores,), (n_scores, p)
    return Norms(
        status, n, of(*one), of(*one), of(*several), of(*one), of(*several), of(*several), of(*one), steps, of(*one),
        of(*one),
    )  # fmt: skip


def _train_complete(design: np.ndarray, all_scores: np.ndarray, rows: np.ndarray, norms: Norms) -> None:
    """Put what is trained on the chosen scores, all of them finite, in `norms`."""
    n_people, p = design.shape
    norms.n[rows] = n_people
    if n_people <= 2 * p or np.linalg.matrix_rank(design, tol=_LEAST_SINGULAR * np.sqrt(n_people)) < p:
        norms.status[rows] = FEW
        return
    scores = all_scores[rows]
    offset, scale = scores.mean(axis=1), scores.std(axis=1)
    varies = scale > _LEAST_SPREAD * np.abs(scores).max(axis=1)
    norms.status[rows[~varies]] = CONSTANT
    rows, scores, offset, scale = rows[varies], scores[varies], offset[varies], scale[varies]
    scores = (scores - offset[:, None]) / scale[:, None]
    q, r = np.linalg.qr(design)
    mean = np.linalg.solve(r, np.matmul(scores[:, None, :], q)[:, 0, :, None])[:, :, 0]
    sd = (scores - predicted(design[:, 1:], mean)).std(axis=1)
    varies = sd > _LEAST_SPREAD * n_people
    norms.status[rows[~varies]] = CONSTANT
    rows, scores, mean = rows[varies], scores[varies], mean[varies]
    norms.offset[rows], norms.scale[rows] = offset[varies], scale[varies]
    norms.mean1[rows], norms.sd1[rows] = mean, sd[varies]
    fitted = full_likelihood.fit(design, scores, mean)
    kept = np.where(fitted.converged[:, None], 0.0, np.nan)
    norms.mean2[rows], norms.log_variance[rows] = fitted.mean + kept, fitted.log_variance + kept
    norms.nll[rows], norms.steps[rows] = fitted.nll + kept[:, 0], fitted.steps
    norms.status[rows] = np.where(fitted.converged, OK, NO_MAXIMUM)
    h = predicted(design[:, 1:], norms.log_variance[rows])
    norms.low[rows], norms.high[rows] = h.min(axis=1), h.max(axis=1)
    norms.status[rows[norms.high[rows] > 2.0 * np.log(EXTREME_SD)]] = EXTREME


def predicted(standardised: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """float64 (scores, people). Added up in the order of the components: the same bits in any company."""
    out = np.repeat(coefficients[:, :1], len(standardised), axis=1)
    for place in range(standardised.shape[1]):
        out += coefficients[:, place + 1, None] * np.ascontiguousarray(standardised[:, place])
    return out


def apply(norms: Norms, standardised: np.ndarray, scores: np.ndarray, edge: float) -> tuple[np.ndarray, ...]:
    """Z_norm1 and Z_norm2 of scores float64 (scores, people), NaN where they cannot be said; and bool, of who is
    predicted an SD beyond those of the training people by more than the share `edge`.
    """
    z_norm1, z_norm2 = np.empty((2, *scores.shape))
    beyond = np.empty(scores.shape, bool)
    size = max(1, _IN_CACHE // max(1, scores.shape[1]))
    for rows in (slice(at, at + size) for at in range(0, len(scores), size)):
        z_norm1[rows], z_norm2[rows], beyond[rows] = _applied(norms.of(rows), standardised, scores[rows], edge)
    return z_norm1, z_norm2, beyond


def _applied(norms: Norms, standardised: np.ndarray, scores: np.ndarray, edge: float) -> tuple[np.ndarray, ...]:
    scaled = (scores - norms.offset[:, None]) / norms.scale[:, None]
    z_norm1 = (scaled - predicted(standardised, norms.mean1)) / norms.sd1[:, None]
    h = predicted(standardised, norms.log_variance)
    scaled -= predicted(standardised, norms.mean2)
    margin = 2.0 * np.log1p(edge)
    with np.errstate(invalid="ignore", over="ignore"):
        beyond = (h > norms.high[:, None] + margin) | (h < norms.low[:, None] - margin)
        scaled /= np.exp(0.5 * h)
    return z_norm1, scaled, beyond
