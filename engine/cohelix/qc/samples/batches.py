"""Whether a batch differs from the others: Cohen's d of each metric.

All of Us compares blood with saliva so, and calls more than 0.5 a batch effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

METRICS = (
    "mean_coverage", "call_rate", "mean_gq", "n_snp", "n_insertion", "n_deletion", "ti_tv", "ins_del", "het_hom_snp",
    "het_hom_indel", "n_singleton",
)  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """How far the mean of a batch of `n` samples is from that of all others, in pooled standard deviations."""

    metric: str
    batch: str
    n: int
    d: float


def batch_effects(metrics: Mapping[str, np.ndarray], batches: Sequence[str], least: int) -> list[Effect]:
    """Of each metric that was measured and each batch with at least `least` samples, where as many are outside it.

    Samples without a batch ("") are left out. d is NaN-free: a metric that does not vary has no effect.
    """
    labels = np.array(batches, dtype=np.str_)
    effects = []
    for name in (name for name in METRICS if name in metrics):
        values = np.asarray(metrics[name], np.float64)
        known = ~np.isnan(values) & (labels != "")
        for batch in np.unique(labels[known]).tolist():
            inside, outside = values[known & (labels == batch)], values[known & (labels != batch)]
            if min(inside.size, outside.size) >= max(least, 2):
                effects.append(Effect(name, batch, int(inside.size), cohens_d(inside, outside)))
    return effects


def cohens_d(first: np.ndarray, second: np.ndarray) -> float:
    """Difference of means over the pooled standard deviation; 0 where nothing varies. Source: Cohen 1988."""
    n, m = first.size, second.size
    pooled = ((n - 1) * first.var(ddof=1) + (m - 1) * second.var(ddof=1)) / (n + m - 2)
    return float((first.mean() - second.mean()) / np.sqrt(pooled)) if pooled > 0 else 0.0
