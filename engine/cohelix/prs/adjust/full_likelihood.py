"""The mean and the variance of many scores as functions of components, by maximum likelihood.

score ~ Normal(X b, exp(X g)), with X the components and a column of ones: twice the negative log-likelihood is the sum,
over people, of h + u, where h = X g, r = score - X b, w = exp(-h) and u = r² w. Its first and second derivatives are
sums of w, r w and u times products of columns of X (`kernels.likelihood_sums`): people are seen once a step, and what
is kept of them is that. Each score takes its own steps: its result has the same bits whatever others are fitted beside
it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.prs.adjust.kernels import likelihood_sums

MAX_STEPS = 200
_LAST_STEP = 1e-8
"""Newton decrement at which the next step is the last: it is 1e-4 standard errors long, and leaves its square."""
_HALVINGS = 40
_LEAST_EIGENVALUE = 1e-9
_MEAN_LOG_SQUARE = 1.2703628454614782
"""-E log z² of a standard normal z: Euler's constant + log 2."""
_NEAR = 10.0
_LEAST_LOG_VARIANCE = -40.0
"""Of a score of unit variance. Some people then have no variance left but rounding: the likelihood has no maximum."""


@dataclass(frozen=True)
class Fitted:
    """mean and log_variance float64 (scores, p), the coefficients b and g; nll float64 (scores,), the negative
    log-likelihood before the last step, without its constant; converged bool (scores,): a maximum was reached; steps
    int32 (scores,).
    """

    mean: np.ndarray
    log_variance: np.ndarray
    nll: np.ndarray
    converged: np.ndarray
    steps: np.ndarray


@dataclass
class _Data:
    """float64: design (people, p), products of its columns (q, people), and all scores (scores, people)."""

    design: np.ndarray
    pairs: np.ndarray
    scores: np.ndarray


@dataclass
class _State:
    """Where the fits of some scores are: b, g (scores, p), and sums of w, rw, u times products (scores, 3, q)."""

    b: np.ndarray
    g: np.ndarray
    nll: np.ndarray
    least: np.ndarray
    sums: np.ndarray

    def of(self, rows: np.ndarray) -> _State:
        return _State(*(getattr(self, name)[rows] for name in _FIELDS))

    def put(self, rows: np.ndarray, other: _State, theirs: np.ndarray) -> None:
        for name in _FIELDS:
            getattr(self, name)[rows] = getattr(other, name)[theirs]


_FIELDS = ("b", "g", "nll", "least", "sums")


def fit(design: np.ndarray, scores: np.ndarray, mean: np.ndarray) -> Fitted:
    """design: float64 (people, p), the first column ones. scores: float64 (scores, people), each of about unit
    variance. mean: float64 (scores, p), coefficients of least squares, where the fit begins, with equal variances.

    A fit that has not converged after MAX_STEPS, or whose variance runs to 0 somewhere, is left where it was.
    """
    n_scores, p = mean.shape
    out = _empty(n_scores, p)
    pairs, place = _pairs(design)
    data = _Data(np.ascontiguousarray(design), pairs, np.ascontiguousarray(scores))
    total = pairs.sum(axis=1)
    rows = np.arange(n_scores)
    state = _state(data, rows, mean, _first_variance(design, scores - _predicted(design, mean)))
    for step in range(MAX_STEPS + 1):
        move, decrement, is_minimum = _newton(state, total, place, p)
        converged = is_minimum & (decrement <= _LAST_STEP)
        _record(out, rows, state, np.flatnonzero(converged), step + 1, move)
        going = np.flatnonzero(~converged & (state.least > _LEAST_LOG_VARIANCE) & (step < MAX_STEPS))
        _record(out, rows, state, np.setdiff1d(np.flatnonzero(~converged), going), step)
        if len(going) < len(rows):
            rows, state = rows[going], state.of(going)
            move, decrement = move[going], decrement[going]
        state, moved = _advance(data, rows, state, move, decrement)
        if not moved.all():  # as far as rounding lets it go, and no minimum
            _record(out, rows, state, np.flatnonzero(~moved), step)
            rows, state = rows[moved], state.of(moved)
        if not len(rows):
            break
    return out


def _record(
    out: Fitted, rows: np.ndarray, state: _State, ended: np.ndarray, steps: int, last: np.ndarray | None = None
) -> None:
    """Keep where the scores `ended` are, after a last step where there is one: they have then converged."""
    at, p = rows[ended], state.b.shape[1]
    out.mean[at], out.log_variance[at], out.nll[at] = state.b[ended], state.g[ended], state.nll[ended]
    out.steps[at], out.converged[at] = steps, last is not None
    if last is not None:
        out.mean[at] += last[ended, :p]
        out.log_variance[at] += last[ended, p:]


def _empty(n_scores: int, p: int) -> Fitted:
    nothing = np.zeros((n_scores, p))
    counts = np.zeros(n_scores, np.int32)
    return Fitted(nothing, nothing.copy(), np.zeros(n_scores), np.zeros(n_scores, bool), counts)


def _first_variance(design: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Coefficients of log variance, float64 (scores, p): least squares of log r², which has no need of a start.

    Where that is far off (r is 0 in many people), equal variances.
    """
    squares = residual * residual
    equal = np.zeros((len(residual), design.shape[1]))
    solve = np.linalg.solve(design.T @ design, design.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        equal[:, 0] = np.log(squares.mean(axis=1))
        np.log(squares, out=squares)
        found = np.matmul(squares[:, None, :], np.ascontiguousarray(solve.T))[:, 0, :]
    found[:, 0] += _MEAN_LOG_SQUARE
    h = _predicted(design, found)
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.isfinite(found).all(axis=1) & (np.abs(h - equal[:, :1]).max(axis=1) < _NEAR)
    return np.asarray(np.where(near[:, None], found, equal))


def _predicted(design: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """float64 (scores, people)."""
    return np.asarray(np.matmul(coefficients[:, None, :], np.ascontiguousarray(design.T))[:, 0, :])


def _pairs(design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Products of columns, float64 (p (p + 1) / 2, people), and int64 (p, p), where the product of two columns is."""
    p = design.shape[1]
    place = np.zeros((p, p), np.int64)
    place[np.triu_indices(p)] = np.arange(p * (p + 1) // 2)
    place = np.maximum(place, place.T)
    first, second = np.triu_indices(p)
    return np.ascontiguousarray((design[:, first] * design[:, second]).T), place


def _state(data: _Data, rows: np.ndarray, b: np.ndarray, g: np.ndarray) -> _State:
    sums, h, least = np.empty((len(rows), 3, len(data.pairs))), np.empty(len(rows)), np.empty(len(rows))
    b, g = np.ascontiguousarray(b), np.ascontiguousarray(g)
    likelihood_sums(data.design, data.pairs, data.scores, rows, b, g, sums, h, least)
    with np.errstate(over="ignore", invalid="ignore"):
        nll = 0.5 * (h + sums[:, 2, 0])  # the first product is that of ones
    return _State(b.copy(), g.copy(), nll, least, sums)


def _newton(state: _State, total: np.ndarray, place: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The next step float64 (scores, 2 p), its decrement, and whether second derivatives are those of a minimum.

    Where they are not, expected second derivatives stand in for them (Fisher scoring), which always lead downhill.
    """
    w, rw, u = state.sums[:, 0], state.sums[:, 1], state.sums[:, 2]
    gradient = np.concatenate([-rw[:, :p], 0.5 * (total[:p] - u[:, :p])], axis=1)
    hessian = np.empty((len(w), 2 * p, 2 * p))
    hessian[:, :p, :p], hessian[:, p:, p:] = w[:, place], 0.5 * u[:, place]
    hessian[:, :p, p:] = hessian[:, p:, :p] = rw[:, place]
    # Units in which each coefficient has a second derivative of 1, so that what is near 0 is so whatever its scale.
    unit = np.sqrt(np.einsum("sii->si", hessian))
    usable = np.isfinite(hessian).all(axis=(1, 2)) & (unit > 0).all(axis=1)
    hessian[~usable], unit[~usable] = np.eye(2 * p), 1.0
    scaled = hessian / (unit[:, :, None] * unit[:, None, :])
    is_minimum = usable & _definite(scaled)
    expected = usable & ~is_minimum
    if expected.any():
        fisher = np.zeros((int(expected.sum()), 2 * p, 2 * p))
        fisher[:, :p, :p], fisher[:, p:, p:] = w[expected][:, place], 0.5 * total[place]
        unit[expected] = np.sqrt(np.einsum("sii->si", fisher))
        scaled[expected] = fisher / (unit[expected][:, :, None] * unit[expected][:, None, :])
        scaled[expected & ~_definite(scaled)] = np.eye(2 * p)
    move = np.linalg.solve(scaled, (-gradient / unit)[:, :, None])[:, :, 0] / unit
    move[~usable] = 0.0
    return move, -(gradient * move).sum(axis=1), is_minimum


def _definite(matrices: np.ndarray) -> np.ndarray:
    """bool: whether all eigenvalues of matrices with ones on the diagonal are clearly greater than 0."""
    try:
        np.linalg.cholesky(matrices - _LEAST_EIGENVALUE * np.eye(matrices.shape[1]))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.eigvalsh(matrices)[:, 0] > _LEAST_EIGENVALUE)
    return np.ones(len(matrices), bool)


def _advance(
    data: _Data, rows: np.ndarray, state: _State, move: np.ndarray, decrement: np.ndarray
) -> tuple[_State, np.ndarray]:
    """Move each score by its step, halved until the likelihood gains by it. Also, bool: which have moved."""
    n_people, p = data.design.shape
    moved = np.zeros(len(rows), bool)
    share, left = 1.0, np.arange(len(rows))
    rounding = 1e-13 * n_people
    for _ in range(_HALVINGS):
        if not len(left):
            break
        every = len(left) == len(rows)
        way = share * move[left]
        tried = _state(data, rows[left], state.b[left] + way[:, :p], state.g[left] + way[:, p:])
        enough = state.nll[left] - 1e-4 * share * decrement[left] + rounding
        better = (tried.nll <= enough) & (decrement[left] > 0)
        moved[left[better]] = True
        if every and better.all():
            return tried, moved
        state.put(left[better], tried, np.flatnonzero(better))
        left, share = left[~better], 0.5 * share
    return state, moved
