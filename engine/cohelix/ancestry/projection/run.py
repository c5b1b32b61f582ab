"""A folder of projected people: scores, how far each is from the reference, and what was matched."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.ancestry.pca.tables import Model, read_model
from cohelix.ancestry.projection import out_of_distribution as ood
from cohelix.ancestry.projection.dot import Sums, one_blas_thread, project_rows
from cohelix.ancestry.projection.oadp import oadp_scores
from cohelix.ancestry.projection.shrinkage import factors_of
from cohelix.ancestry.schema import ProjectParams
from cohelix.dataset import digest_of
from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.match import Matched, match_sites
from cohelix.genotypes.outputs import new_folder, seal_of, write_parquet, write_tsv
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime

JOINT_CALL = "joint call"
"""Operation that made a callset without rows for sites at which nobody differs from the reference."""

_SAME_PLACE = 0.25
"""SDs of noise by which scores of one person differ, where a few genotypes are missing or sites are not there."""


@dataclass(frozen=True)
class Projected:
    """Of each sample of a callset: scores float64 (n, k), n_used int64 (n,) sites with a genotype (or hom-ref by
    absence), residual and distance float64 (n,), ood bool (n,). NaN where too little is known, and ood is then true.
    """

    scores: np.ndarray
    n_used: np.ndarray
    residual: np.ndarray
    distance: np.ndarray
    ood: np.ndarray
    of_fit: np.ndarray


@dataclass(frozen=True)
class _Located:
    """Uncorrected: naive float64 (n, K), norms float64 (n,), in the scale of the model's scores; n_used int64 (n,)."""

    naive: np.ndarray
    norms: np.ndarray
    n_used: np.ndarray


def project(model: str, callset_root: str, out: str, params: ProjectParams, runtime: Runtime) -> dict[str, Any]:
    """Write scores.tsv, projection.parquet and projection.json to the folder `out`. Returns what projection.json holds.

    model: a folder of `cohelix ancestry fit`. Raises ReferenceMismatch where its build is not the callset's, InputError
    where too few of its sites are there.

    Agrees with: hl.experimental.pc_project, for method "naive", missing "mean" and absent "missing", of people who were
    not in the fit (tests/parity/test_hail_ancestry.py).
    """
    fitted, callset = read_model(model), open_callset(callset_root)
    matched = match_sites(callset, fitted.sites, build=fitted.meta["build"])
    absent = absent_are(callset, params)
    _check_sites(fitted, matched, absent, params)
    sample_ids = matched.matrix.sample_ids()
    with new_folder(out) as folder:
        projected = place(fitted, matched, absent, params, runtime)
        k = projected.scores.shape[1]
        scored = zip(sample_ids, projected.scores.tolist(), strict=True)
        rows = [(one, *("" if value != value else repr(value) for value in row)) for one, row in scored]
        write_tsv(folder / "scores.tsv", ("sample_id", *(f"PC{i + 1}" for i in range(k))), rows)
        write_parquet(folder / "projection.parquet", _table(sample_ids, projected, len(fitted.af)))
        summary = _summary(fitted, callset, matched, absent, projected, params)
        summary["files"] = {path.name: seal_of(path.read_bytes()) for path in sorted(folder.iterdir())}
        (folder / "projection.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


def place(model: Model, matched: Matched, absent: str, params: ProjectParams, runtime: Runtime) -> Projected:
    """Scores of everybody in a matched callset. absent: "missing" or "hom-ref"."""
    af, loadings = model.af[matched.site], model.loadings[matched.site]
    sums = project_rows(matched.matrix, af, loadings, matched.swapped, runtime)
    k = model.scores.shape[1]
    with one_blas_thread():
        found = _located(model, matched, absent, sums, params)
        factors = factors_of(model)
        scores = _corrected(found, model.eigenvalues, factors, k, params.method)
        reference = ood.reference_of(model.scores, factors, params)
        fitted = rows_of_fit(model, reference, matched.matrix.sample_ids(), found.naive)
        of_fit = fitted >= 0
        scores[of_fit] = model.scores[fitted[of_fit]]
        signal = ood.n_signal(factors[:k], params)
        residual = ood.residuals(found.naive, scores[:, :signal], found.norms, model.loadings, model.af)
        distance = ood.distances(reference, scores)
        if reference is not None:
            distance[of_fit] = reference.own[fitted[of_fit]] / reference.cutoff
    with np.errstate(invalid="ignore"):
        outside = (distance > 1.0) | (residual > params.max_residual) | ~np.isfinite(scores).all(axis=1)
    return Projected(scores, found.n_used, residual, distance, outside, of_fit)


def rows_of_fit(model: Model, reference: ood.Reference | None, sample_ids: list[str], naive: np.ndarray) -> np.ndarray:
    """int64 (samples,): row of a sample among those of the fit, -1 where it was not there.

    What is corrected is the shrinkage of new people; those of the fit have none. They have the id of one, and where the
    groups part, the place: ids alone are those of others too.
    """
    place = {sample: row for row, sample in enumerate(model.sample_ids)}
    rows = np.array([place.get(sample, -1) for sample in sample_ids], np.int64)
    known = np.flatnonzero(rows >= 0)
    if reference is None:
        near = np.isclose(naive[known, : model.scores.shape[1]], model.scores[rows[known]], rtol=0.01, atol=1e-6)
    else:
        signal = len(reference.noise)
        near = np.abs(naive[known, :signal] / reference.noise - reference.points[rows[known]]) < _SAME_PLACE
    rows[known[~near.all(axis=1)]] = -1
    return rows


def absent_are(callset: Callset, params: ProjectParams) -> str:
    """ "hom-ref" or "missing": what sites that the callset lacks count as."""
    if params.absent != "auto":
        return params.absent
    made = callset.commit.provenance
    at_chosen_sites = made.get("params", {}).get("only_sites", False)  # what was not asked for is not known
    return "hom-ref" if made.get("operation") == JOINT_CALL and not at_chosen_sites else "missing"


def _check_sites(model: Model, matched: Matched, absent: str, params: ProjectParams) -> None:
    """InputError where fewer sites were found than can be, given what their absence means."""
    n_sites, n_found, n_pcs = len(model.af), len(matched.site), model.loadings.shape[1]
    expected = float(n_sites)
    if absent == "hom-ref":  # of rare alleles, a few people carry few
        expected = float((1.0 - (1.0 - model.af) ** (2 * matched.matrix.n_samples)).sum())
    if n_found <= n_pcs or n_found < params.min_share * expected:
        raise InputError(
            f"expected at least {params.min_share:.0%} of {expected:.0f} sites of the model that such a callset would "
            f"have, and more than its {n_pcs} components, found {n_found}; at {matched.n_other_alleles} the callset "
            f"has other alleles, at {matched.n_absent} no row. Fit the model to sites that the callset has, set "
            "ancestry.project.absent to hom-ref if nobody differs from the reference where it has no row, or lower "
            "ancestry.project.min_share."
        )


def _located(model: Model, matched: Matched, absent: str, sums: Sums, params: ProjectParams) -> _Located:
    """Products over sites brought to the scale of scores, with what is missing made good."""
    n_sites = len(model.af)
    products, norms, n_used = sums.products, sums.norms, len(matched.site) - sums.n_missing
    present = np.zeros(n_sites, bool)
    present[matched.site] = True
    if absent == "hom-ref":
        lacking = np.flatnonzero(~present)  # also where it has other alleles only: nobody has the model's
        alone = -2.0 * model.af[lacking] / np.sqrt(2.0 * model.af[lacking] * (1.0 - model.af[lacking]))
        products = products + alone @ model.loadings[lacking]
        norms, n_used = norms + alone @ alone, n_used + len(lacking)
        present[:] = True
    naive, norms = products / np.sqrt(n_sites), norms / n_sites
    if params.missing == "least-squares":
        gram = model.loadings[present].T @ model.loadings[present]
        kept = 1.0 - sums.lost / np.diag(gram)
        with np.errstate(invalid="ignore", divide="ignore"):
            naive = np.linalg.solve(gram, (naive / np.where(kept > 1e-9, kept, np.nan)).T).T
            norms = norms * n_sites / n_used
    unknown = n_used < params.min_called * int(present.sum())
    return _Located(np.where(unknown[:, None], np.nan, naive), np.where(unknown, np.nan, norms), n_used)


def _corrected(found: _Located, eigenvalues: np.ndarray, factors: np.ndarray, k: int, method: str) -> np.ndarray:
    if method == "oadp":
        return oadp_scores(found.naive, found.norms, eigenvalues, k)
    return found.naive[:, :k] / factors[:k] if method == "ap" else found.naive[:, :k].copy()


def _table(sample_ids: list[str], projected: Projected, n_sites: int) -> pa.Table:
    columns = {
        "sample_id": pa.array(sample_ids, pa.string()),
        "n_sites_used": pa.array(projected.n_used, pa.int64()),
        "share_used": pa.array(projected.n_used / n_sites, pa.float64()),
    }
    for i in range(projected.scores.shape[1]):
        columns[f"pc{i + 1}"] = pa.array(np.ascontiguousarray(projected.scores[:, i]), pa.float64())
    columns["residual"] = pa.array(projected.residual, pa.float64())
    columns["distance"] = pa.array(projected.distance, pa.float64())
    columns["ood"] = pa.array(projected.ood, pa.bool_())
    return pa.table(columns)


def _summary(
    model: Model, callset: Callset, matched: Matched, absent: str, projected: Projected, params: ProjectParams
) -> dict[str, Any]:
    """Counts alone: no row of a person."""
    without = int((~np.isfinite(projected.scores).all(axis=1)).sum())
    return {
        "kind": "projection",
        "n_samples": len(projected.n_used),
        "n_ood": int(projected.ood.sum()),
        "k": projected.scores.shape[1],
        "method": params.method,
        "sites": {
            "n_model": len(model.af),
            "n_matched": len(matched.site),
            "n_swapped": int(matched.swapped.sum()),
            "n_absent": matched.n_absent,
            "n_other_alleles": matched.n_other_alleles,
            "absent_are": absent,
        },
        "samples": {
            "n_without_scores": without,
            "n_of_fit": int(projected.of_fit.sum()),
        },
        "provenance": record_of(model, callset, params),
    }


def record_of(model: Model, callset: Callset, params: ProjectParams) -> dict[str, Any]:
    """The record of a projection: equal for equal people, model and choices."""
    callset_digest = digest_of([asdict(entry) for entry in callset.commit.files])
    inputs = [("model", model.meta["provenance"]["digest"]), ("callset", callset_digest)]
    return provenance("ancestry project", params, inputs)
