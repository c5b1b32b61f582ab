"""Tables that sample quality control writes: Parquet of its own, and TSV under the names that All of Us uses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.qc.gates import METRICS, TEXT_METRICS
from cohelix.qc.samples.outliers import Outliers

FROM_READS = ("aligned_q30_bases", "hdr_coverage_20x", "chimera_rate")
"""Metrics that gates may name and a callset cannot state: a column only where a table hands them in."""
FURTHER = ("f_inbreeding_small", "n_contamination_sites", "contamination_rho")
"""Columns behind those that gates may name."""

GENOMIC_METRICS = (
    "research_id", "sample_source", "site_id", "sex_at_birth", "dragen_sex_ploidy", "mean_coverage", "genome_coverage",
    "aou_hdr_coverage", "dragen_contamination", "aligned_q30_bases", "verify_bam_id2_contamination",
    "biosample_collection_date",
)  # fmt: skip
"""Columns of All of Us genomic_metrics.tsv. What a callset cannot state stays empty."""

ANCESTRY_COLUMNS = ("ancestry_pred", "probabilities", "pca_features", "ancestry_pred_other")
"""Columns of All of Us ancestry_preds.tsv that its flagged_samples.tsv repeats."""


def is_count(name: str) -> bool:
    return name.startswith(("n_", "missing_"))


def metrics_table(
    sample_ids: Sequence[str], ancestry: Sequence[str] | None, batches: Sequence[str], metrics: Mapping[str, Any]
) -> pa.Table:
    """One row per sample; a metric that was not measured is a column of nulls, NaN and "" are null."""
    columns: dict[str, pa.Array] = {
        "sample_id": pa.array(sample_ids, pa.string()),
        "ancestry": pa.array([one or None for one in ancestry or [""] * len(sample_ids)], pa.string()),
        "batch": pa.array([one or None for one in batches], pa.string()),
    }
    for name in [*(name for name in METRICS["samples"] if name in metrics or name not in FROM_READS), *FURTHER]:
        kind = pa.string() if name in TEXT_METRICS else pa.int64() if is_count(name) else pa.float64()
        columns[name] = _column(metrics[name], kind) if name in metrics else pa.nulls(len(sample_ids), kind)
    return pa.table(columns)


def _column(values: Any, kind: pa.DataType) -> pa.Array:
    if kind == pa.string():
        return pa.array([value or None for value in values], kind)
    numbers = np.asarray(values)
    return pa.array(numbers, kind, mask=np.isnan(numbers) if numbers.dtype.kind == "f" else None)


def residuals_table(sample_ids: Sequence[str], outliers: Outliers) -> pa.Table:
    """sample_id, stratum, and `<rule>_residual` of each rule (the metric itself where nothing was regressed out)."""
    columns = {"sample_id": pa.array(sample_ids, pa.string()), "stratum": pa.array(outliers.strata, pa.string())}
    return pa.table(
        columns | {f"{name}_residual": _column(values, pa.float64()) for name, values in outliers.residuals.items()}
    )


def sexes_rows(sample_ids: Sequence[str], sexes: Sequence[str], karyotypes: Sequence[str]) -> list[list[object]]:
    """sample_id, sex, karyotype: what `joint call` can be given."""
    return [list(row) for row in zip(sample_ids, sexes, [one or "NA" for one in karyotypes], strict=True)]


def genomic_metrics_rows(sample_ids: Sequence[str], stated: Sequence[str], table: pa.Table) -> list[list[object]]:
    """Rows of `GENOMIC_METRICS`; ploidy and contamination are cohelix's own, in the columns of DRAGEN's."""
    ours = {
        "dragen_sex_ploidy": "karyotype",
        "mean_coverage": "mean_coverage",
        "genome_coverage": "coverage_20x",
        "dragen_contamination": "contamination",
        "aou_hdr_coverage": "hdr_coverage_20x",
        "aligned_q30_bases": "aligned_q30_bases",
    }
    ours = {name: source for name, source in ours.items() if source in table.column_names}
    columns: dict[str, Sequence[object]] = {name: table.column(source).to_pylist() for name, source in ours.items()}
    columns["research_id"] = sample_ids
    columns["sex_at_birth"] = [{"male": "M", "female": "F"}.get(sex) for sex in stated]
    nothing = [None] * len(sample_ids)
    return [list(row) for row in zip(*(columns.get(name, nothing) for name in GENOMIC_METRICS), strict=True)]


def flagged_samples(
    sample_ids: Sequence[str], ancestry: Mapping[str, Sequence[str]], metrics: Mapping[str, Any], outliers: Outliers
) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of All of Us flagged_samples.tsv: samples with an outlier flag, and which metric it is.

    As run_sample_outlier_qc.wdl exports them, with research_id for its `s`. A metric is named by its rule.
    """
    names = list(outliers.residuals)
    metric_of = {judged.name: judged.metric for judged in outliers.judged}
    flags = outliers.flags
    failed: dict[int, set[str]] = {}
    for row, name in zip(flags.column("row").to_pylist(), flags.column("gate").to_pylist(), strict=True):
        failed.setdefault(row, set()).add(name)
    columns = ["research_id", *ANCESTRY_COLUMNS, *names, *(f"fail_{name}_residual" for name in names)]
    columns.append("qc_metrics_filters")
    rows = []
    for row in sorted(failed):
        listed = json.dumps(sorted(f"{name}_residual" for name in failed[row]), separators=(",", ":"))
        rows.append(
            [
                sample_ids[row],
                *(ancestry[name][row] if name in ancestry else None for name in ANCESTRY_COLUMNS),
                *(np.asarray(metrics[metric_of[name]])[row].item() for name in names),
                *(name in failed[row] for name in names),
                listed,
            ]
        )
    return columns, rows
