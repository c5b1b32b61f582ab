"""Metrics of samples that others measured from reads: a sequencing centre, or All of Us (genomic_metrics.tsv)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cohelix.errors import InputError
from cohelix.genotypes import inputs
from cohelix.qc.gates import METRICS, TEXT_METRICS
from cohelix.qc.samples.tables import is_count

WHAT = "table of measured metrics"
OF_ALL_OF_US = {
    "aou_hdr_coverage": "hdr_coverage_20x",
    "genome_coverage": "coverage_20x",
    "verify_bam_id2_contamination": "contamination",
}
"""Columns of genomic_metrics.tsv whose names are not ours."""
SHARES = ("call_rate", "coverage_10x", "coverage_20x", "coverage_30x", "hdr_coverage_20x", "contamination",
          "array_contamination", "array_call_rate", "array_concordance", "chimera_rate", "share_gq20")  # fmt: skip
"""Metrics between 0 and 1. Other programs write them as percentages."""


MOST = 1 << 53
"""No count is more: above it, a float holds not every whole number."""


def read_measured(path: str, sample_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """float64 (samples,) of each column that names a metric; NaN where the table says nothing of a sample.

    Raises InputError where no column names one, where samples are others, and for a value that is none of its metric.
    """
    table = inputs.read_table(path, WHAT)
    named = {OF_ALL_OF_US.get(name, name): name for name in table.column_names}
    metrics = [name for name in METRICS["samples"] if name in named and name not in TEXT_METRICS]
    if not metrics:
        raise InputError(
            f"expected a column of the {WHAT} to be named as a metric is, such as aligned_q30_bases or chimera_rate; "
            "found none. docs/methods/qc-samples.md lists the names."
        )
    rows = inputs.rows_of(table, sample_ids, WHAT)
    found = {}
    for name in metrics:
        values = inputs.numbers(inputs.texts(table, named[name]), WHAT)
        _check(name, named[name], values)
        found[name] = np.where(rows >= 0, values[rows], np.nan)
    return found


def _check(metric: str, column: str, values: np.ndarray) -> None:
    """InputError, with the row, where a value cannot be one of the metric. NaN is not known, and passes."""
    odd = np.isinf(values)
    wanted, way_out = "a number", "Correct it."
    if metric in SHARES:
        odd, wanted, way_out = (values < 0) | (values > 1), "a share between 0 and 1", "Divide percentages by 100."
    elif is_count(metric):
        known = np.where(np.isfinite(values), values, 0)
        odd, wanted = odd | (known < 0) | (known % 1 != 0) | (known > MOST), "a count"
    if odd.any():
        raise InputError(
            f"expected {column} of the {WHAT} to be {wanted}, found another value in row {np.flatnonzero(odd)[0] + 2}. "
            f"{way_out}"
        )


def preferred(measured: dict[str, np.ndarray], metrics: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`measured`, with what `metrics` hold where it is unknown."""
    return {
        name: np.where(np.isnan(values), np.asarray(metrics[name], np.float64), values) if name in metrics else values
        for name, values in measured.items()
    }
