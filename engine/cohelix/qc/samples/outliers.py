"""Cohort outliers: residuals on ancestry components, then distance from the median of a stratum in MADs.

As gnomad_methods compute_qc_metrics_residuals (least squares on an intercept, the components and their squares) and
compute_stratified_metrics_filter (median and 1.4826 MAD; a value on the cut-off fails), which All of Us runs.
What cannot be judged is listed, not passed over: small strata are pooled, and a pool that is too small is not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from cohelix.genotypes.inputs import Groups
from cohelix.qc.gates import FLAGS, NotEvaluated, OutlierRule

MAD_SCALE = 1.4826
"""gnomad_methods get_median_and_mad_expr: a MAD so scaled is the SD of a normal distribution."""
POOLED, ALL = "pooled", "all"


@dataclass(frozen=True)
class Judged:
    """One rule in one stratum. lower, upper: cut-offs, None where that side passes. why: empty where it was judged."""

    name: str
    metric: str
    stratum: str
    n: int
    median: float | None
    mad: float | None
    lower: float | None
    upper: float | None
    why: str = ""

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"judged": not self.why}


@dataclass(frozen=True)
class Outliers:
    """`flags` (gates.FLAGS), `residuals` by rule (samples,), the strata, what was judged and what could not be."""

    flags: pa.Table
    residuals: dict[str, np.ndarray]
    strata: list[str]
    judged: list[Judged]
    not_evaluated: list[NotEvaluated]


def find_outliers(
    rules: Sequence[OutlierRule],
    metrics: dict[str, np.ndarray],
    pcs: np.ndarray | None,
    groups: Groups | None,
    n_samples: int,
    min_stratum: int,
) -> Outliers:
    """Every rule asked of every sample. pcs: float64 (samples, components) or None; groups: None is one stratum."""
    strata = strata_of(groups, n_samples, min_stratum)
    flags, residuals, judged, missing = [], {}, [], []
    for rule in rules:
        metric = rule.metric if rule.metric in metrics else rule.otherwise
        if metric is None or metric not in metrics:
            missing.append(NotEvaluated(rule.name, rule.metric, "absent", n_samples))
            continue
        values = np.asarray(metrics[metric], np.float64)
        if pcs is not None and rule.pcs:
            values = residuals_of(values, pcs[:, : rule.pcs], rule.squares)
        residuals[rule.name] = values
        compared = strata if rule.strata else [ALL] * n_samples
        table, some, unknown = _judge(rule, metric, values, compared, min_stratum)
        flags.append(table)
        judged += some
        if unknown:
            missing.append(NotEvaluated(rule.name, metric, "unknown", unknown))
    table = pa.concat_tables(flags).combine_chunks() if flags else FLAGS.empty_table()
    return Outliers(table, residuals, strata, judged, missing)


def strata_of(groups: Groups | None, n_samples: int, min_stratum: int) -> list[str]:
    """The stratum of each sample: its group, or "pooled" where that has too few or none is stated; "all" for all."""
    if groups is None:
        return [ALL] * n_samples
    small = groups.sizes < min_stratum
    return [POOLED if code < 0 or small[code] else groups.names[code] for code in groups.codes.tolist()]


def residuals_of(values: np.ndarray, pcs: np.ndarray, squares: bool) -> np.ndarray:
    """float64 (samples,): what is left of `values` after least squares on 1, the components and their squares.

    NaN where a value or a component is not known, and everywhere where there are no more samples than coefficients.
    """
    largest = np.abs(np.where(np.isfinite(pcs), pcs, 0)).max(axis=0, initial=0)
    pcs = pcs / np.where(largest > 0, largest, 1.0)  # components of any length: squares neither overflow nor vanish
    design = np.column_stack([np.ones(len(values)), pcs] + ([pcs * pcs] if squares else []))
    known = np.isfinite(values) & np.isfinite(design).all(axis=1)
    out = np.full(len(values), np.nan)
    if known.sum() <= design.shape[1]:
        return out
    columns = design[known]
    scale = np.sqrt((columns * columns).mean(axis=0))
    columns = columns / np.where(scale > 0, scale, 1.0)  # the fit is the same
    beta, *_ = np.linalg.lstsq(columns, values[known], rcond=None)
    out[known] = values[known] - columns @ beta
    return out


def median_and_mad(values: np.ndarray) -> tuple[float, float]:
    """Median, and 1.4826 times the median distance from it."""
    median = float(np.median(values))
    return median, MAD_SCALE * float(np.median(np.abs(values - median)))


def _judge(
    rule: OutlierRule, metric: str, values: np.ndarray, strata: Sequence[str], min_stratum: int
) -> tuple[pa.Table, list[Judged], int]:
    """Flags of one rule, what was judged, and how many samples could not be."""
    names = np.array(strata)
    known = np.isfinite(values)
    judged, found, unknown = [], [], int((~known).sum())
    for stratum in sorted(set(strata)):
        here = np.flatnonzero((names == stratum) & known)
        if not len(here):
            judged.append(Judged(rule.name, metric, stratum, 0, None, None, None, None, "no values"))
            continue
        median, mad = median_and_mad(values[here])
        why = "too few samples" if len(here) < min_stratum else "no spread" if mad == 0 else ""
        if why:
            judged.append(Judged(rule.name, metric, stratum, len(here), median, mad, None, None, why))
            unknown += len(here)
            continue
        lower = median - rule.mads * mad if rule.side in ("both", "lower") else None
        upper = median + rule.mads * mad if rule.side in ("both", "upper") else None
        judged.append(Judged(rule.name, metric, stratum, len(here), median, mad, lower, upper))
        if lower is not None:
            found += [(int(row), lower, "above", stratum) for row in here[values[here] <= lower]]
        if upper is not None:
            found += [(int(row), upper, "below", stratum) for row in here[values[here] >= upper]]
    return _flags(rule, metric, values, sorted(found)), judged, unknown


def _flags(
    rule: OutlierRule, metric: str, values: np.ndarray, found: Sequence[tuple[int, float, str, str]]
) -> pa.Table:
    """`value` and `cutoff` are residuals where components were regressed out."""
    count = len(found)
    rows, cutoffs, directions, strata = (list(column) for column in zip(*found, strict=True)) if found else ([],) * 4
    columns = {
        "row": rows, "gate": [rule.name] * count, "kind": ["outlier"] * count, "metric": [metric] * count,
        "value": [float(values[row]) for row in rows], "text": [None] * count, "cutoff": cutoffs,
        "allowed": [None] * count, "direction": directions, "stratum": strata, "source": [rule.source] * count,
    }  # fmt: skip
    return pa.table(columns, schema=FLAGS)
