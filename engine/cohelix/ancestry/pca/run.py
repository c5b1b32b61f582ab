"""`cohelix ancestry fit`: principal components of the samples of a callset, and the loadings that project others."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from cohelix.ancestry.pca import passes
from cohelix.ancestry.pca.solver import FIRST_LOOK, Pairs, random_block, solve
from cohelix.ancestry.pca.spectrum import spectrum_of
from cohelix.ancestry.pca.tables import KIND, LABEL_COLUMNS, Model, write_model
from cohelix.ancestry.schema import FitParams
from cohelix.dataset import digest_of
from cohelix.errors import InputError
from cohelix.genotypes import inputs
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.outputs import new_folder
from cohelix.genotypes.packed.matrix import Matrix, matrix_of
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime

NOTHING = 1e-6
"""Eigenvalues below this share of the first are rounding: float32 products carry seven digits."""


COARSE_SITES = 32_768
"""A matrix of so many sites is first solved on a sixteenth of them, which saves two passes over all."""
COARSE_SHARE, COARSE_ROWS, COARSE_PASSES = 16, 64, 4
"""One of so many stretches of so many sites, and how often they are gone through."""


class Standardised:
    """The matrix of a fit. The first product counts its genotypes and drops the sites that fail."""

    def __init__(self, matrix: Matrix, params: FitParams, runtime: Runtime, *, whole: bool = True) -> None:
        self.matrix, self.params, self.runtime, self.whole = matrix, params, runtime, whole
        self.counts: np.ndarray | None = None
        self.dropped: dict[str, int] = {}
        self.lefts: list[np.ndarray] = []

    def multiply(self, q: np.ndarray) -> np.ndarray:
        """X X' q / sites. X' q is kept: loadings are made of it."""
        found = passes.multiply(self.matrix, q, self.params, self.runtime, counts=self.counts)
        self.lefts.append(found.left)
        if found.counts is not None:
            keep = passes.passing(found.counts, self.params)
            self.dropped = _reasons(found.counts, keep, self.params)
            if self.whole:
                _check_sizes(self.matrix.n_samples, int(keep.sum()), self.params, self.dropped)
            self.matrix, self.counts = self.matrix.take(np.flatnonzero(keep)), found.counts[keep]
            self.lefts = [found.left[keep]]
        return found.y / max(1, self.matrix.n_sites)

    def loadings(self, weights: np.ndarray) -> np.ndarray:
        """float64 (sites, n) of unit length: X' of the vectors that `weights` make of all columns multiplied."""
        out, row = np.zeros((self.matrix.n_sites, weights.shape[1])), 0
        for left in self.lefts:
            out += left @ weights[row : row + left.shape[1]]
            row += left.shape[1]
        return np.asarray(out / np.linalg.norm(out, axis=0))

    def total_variance(self) -> float:
        """The trace of X X' / sites, exact: from the counts of each site."""
        assert self.counts is not None
        scale, shift = passes.standardise(self.counts, self.params)
        squares = (scale[:, None] * np.arange(3) + shift[:, None]) ** 2
        return float((squares * self.counts[:, :3]).sum() / len(self.counts))


def fit(
    callset_root: str, out: str, params: FitParams, runtime: Runtime, *, samples: str | None = None
) -> dict[str, Any]:
    """Write the folder `out` (`tables.Model`), which appears whole. Returns what its pca.json holds.

    samples: a table of the samples to fit on, as `cohelix relatedness prune` writes it; None: all.

    Agrees with: hl.hwe_normalized_pca(k, compute_loadings=True), up to the sign of a component, where min_maf and
    min_call_rate are 0 (tests/parity/test_hail_ancestry.py).
    """
    callset = open_callset(callset_root)
    matrix = matrix_of(callset, samples=_chosen(callset, samples))
    _check_sizes(matrix.n_samples, matrix.n_sites, params, {})
    digests = [("callset", digest_of([asdict(entry) for entry in callset.commit.files]))]
    digests += inputs.digests_of(samples=samples)
    with threadpool_limits(1, "blas"), new_folder(out) as folder:
        source = Standardised(matrix, params, runtime)
        count = params.k + (params.k if params.k_extra is None else params.k_extra)
        start, first_look = _first_block(matrix, params, runtime)
        pairs = solve(
            source.multiply, start, wanted=params.k, count=max(count, params.k + 1), tolerance=params.tolerance,
            max_passes=params.max_passes, first_look=first_look,
        )  # fmt: skip
        model, residuals = _model_of(callset, source, pairs, count, digests)
        write_model(folder, model, residuals)
    return model.meta


def _first_block(matrix: Matrix, params: FitParams, runtime: Runtime) -> tuple[np.ndarray, int]:
    """Where the solver starts, and when it first looks: at random, or, with many sites, where a part of them leads."""
    start = random_block(matrix.n_samples, params.block, params.seed)
    columns = start.shape[1]
    if matrix.n_sites < COARSE_SITES:
        return start, FIRST_LOOK
    rows = np.flatnonzero(np.arange(matrix.n_sites) // COARSE_ROWS % COARSE_SHARE == 0)
    part = Standardised(matrix.take(rows), params, runtime, whole=False)
    found = solve(
        part.multiply, start, wanted=columns, count=columns, tolerance=0.0, max_passes=COARSE_PASSES,
        first_look=COARSE_PASSES,
    )  # fmt: skip
    usable = found.vectors.shape[1] == columns and bool((found.values > NOTHING * found.values[0]).all())
    return (found.vectors, FIRST_LOOK - 2) if usable else (start, FIRST_LOOK)


def _chosen(callset: Callset, samples: str | None) -> np.ndarray | None:
    if samples is None:
        return None
    what = "table of samples to fit on"
    rows = inputs.rows_of(inputs.read_table(samples, what), callset.samples().column("sample_id").to_pylist(), what)
    return np.flatnonzero(rows >= 0)


def _check_sizes(n_samples: int, n_sites: int, params: FitParams, dropped: dict[str, int]) -> None:
    """InputError where fewer components exist than were asked for."""
    if n_samples > params.k and n_sites >= params.k:
        return
    because = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    left_out = f" (left out: {because})" if because else ""
    raise InputError(
        f"{params.k} components need at least {params.k + 1} samples and {params.k} sites that vary; found {n_samples} "
        f"samples and {n_sites} such sites{left_out}. Ask for fewer with --set ancestry.fit.k=..., "
        "or give more samples or sites, or change ancestry.fit.min_maf or min_call_rate."
    )


def _reasons(counts: np.ndarray, keep: np.ndarray, params: FitParams) -> dict[str, int]:
    """How many sites fail by the first reason that applies."""
    called, alternate = counts[:, :3].sum(axis=1), counts[:, 1] + 2 * counts[:, 2]
    minor, open_ = np.minimum(alternate, 2 * called - alternate), ~keep
    found = {}
    for name, fails in (
        ("never called", called == 0),
        ("without variation", minor == 0),
        ("below min_call_rate", called < params.min_call_rate * counts.sum(axis=1)),
        ("below min_maf", minor < params.min_maf * 2 * called),
        ("out of Hardy-Weinberg equilibrium", np.ones(len(keep), bool)),
    ):
        found[name] = int((open_ & fails).sum())
        open_ = open_ & ~fails
    return found


def _model_of(
    callset: Callset, source: Standardised, pairs: Pairs, count: int, digests: list[tuple[str, str]]
) -> tuple[Model, np.ndarray]:
    """What was found, without another pass, and its residuals."""
    params, matrix, counts = source.params, source.matrix, source.counts
    assert counts is not None
    real = int((pairs.values > NOTHING * max(pairs.values[0], 0)).sum())
    if real < params.k:
        way_out = f"Ask for fewer with --set ancestry.fit.k={real}." if real else "Check what the callset holds."
        raise InputError(
            f"expected {params.k} components, found {real} with any variance among {matrix.n_samples} samples and "
            f"{matrix.n_sites} sites: samples or sites repeat each other. {way_out}"
        )
    total = min(count, real)
    values, vectors, residuals = pairs.values[:total], pairs.vectors[:, :total], pairs.residuals[:total]
    loadings = source.loadings(pairs.weights[:, :total])
    signs = np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(total)])
    small = matrix.n_samples <= params.spectrum_up_to
    sample_ids, sites = matrix.sample_ids(), matrix.sites().drop_columns(["id"])
    model = Model(
        sites=sites.append_column("n_called", pa.array(counts[:, :3].sum(axis=1))),
        af=passes.frequencies(counts),
        loadings=loadings * signs,
        eigenvalues=values,
        scores=(vectors * signs * np.sqrt(values))[:, : params.k],
        sample_ids=sample_ids,
        spectrum=spectrum_of(matrix, counts, params, source.runtime) if small else None,
        labels=_labels(callset, sample_ids),
        meta=_meta(callset, source, pairs, residuals, digests),
    )
    return model, residuals


def _labels(callset: Callset, sample_ids: list[str]) -> pa.Table | None:
    """The labels of a panel's samples, of those in the fit."""
    path = callset.commit.meta.get("tables", {}).get("labels")
    if path is None:
        return None
    table = callset.table(path).select(list(LABEL_COLUMNS))
    rows = inputs.rows_of(table, sample_ids, "labels of the panel")
    return table.take(pa.array(rows[rows >= 0]))


def _meta(
    callset: Callset, source: Standardised, pairs: Pairs, residuals: np.ndarray, digests: list[tuple[str, str]]
) -> dict[str, Any]:
    params, matrix, k = source.params, source.matrix, source.params.k
    following = float(pairs.values[k]) if len(pairs.values) > k else 0.0
    within = residuals[:k] <= params.tolerance
    return {
        "kind": KIND,
        "build": callset.build,
        "n_samples": matrix.n_samples,
        "n_sites": matrix.n_sites,
        "sites_left_out": source.dropped,
        "k": k,
        "k_extra": len(residuals) - k,
        "total_variance": source.total_variance(),
        "eigenvalues": pairs.values[: len(residuals)].tolist(),
        "residuals": residuals.tolist(),
        "converged": bool(within.all()),
        "n_converged": int(np.logical_and.accumulate(within).sum()),
        "gap": {
            "absolute": float(pairs.values[k - 1]) - following,
            "relative": 1 - following / float(pairs.values[k - 1]),
        },
        "passes": pairs.passes,
        "seed": params.seed,
        "memory_mib": params.memory_mib,
        "provenance": provenance("ancestry fit", params, digests, seed=params.seed),
    }
