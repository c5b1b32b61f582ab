"""Site annotations from the counts of a callset, or as the imported VCF stated them.

Formulas are those of GATK's allele-specific annotations. A callset has some of the columns they need, or none; an
annotation that cannot be made is absent, and one that a row lacks is NaN.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cohelix.qc.variants import kernels
from cohelix.qc.variants.frequencies import ratio

STATED = {
    "qd": "info_QD", "fs": "info_FS", "sor": "info_SOR", "mq": "info_MQ",
    "mq_rank_sum": "info_MQRankSum", "read_pos_rank_sum": "info_ReadPosRankSum",
}  # fmt: skip
"""Annotations that an imported VCF may state, and the column it is kept in."""

STRANDS = ("sb_ref_forward", "sb_ref_reverse", "sb_alt_forward", "sb_alt_reverse")


def annotations_of(sites: pa.Table) -> dict[str, np.ndarray]:
    """float64 columns that can be made from `sites`, by name."""

    def has(*names: str) -> bool:
        return all(name in sites.column_names for name in names)

    def get(name: str) -> np.ndarray:
        return np.asarray(sites.column(name).to_numpy(), np.float64)

    found: dict[str, np.ndarray] = {name: get(column) for name, column in STATED.items() if has(column)}
    if has("qual_approx"):
        found["qual_approx"] = get("qual_approx")
    if has("qual_approx", "variant_depth"):
        found["qd"] = ratio(get("qual_approx"), get("variant_depth"))
    if has(*STRANDS):
        tables = np.column_stack([sites.column(name).to_numpy() for name in STRANDS]).astype(np.int64)
        found["fs"], found["sor"] = strand_bias(tables)
    if has("mq_sum_squared", "mq_depth"):
        found["mq"] = np.sqrt(ratio(get("mq_sum_squared"), get("mq_depth")))
    for name in ("mq_rank_sum", "read_pos_rank_sum", "n_high_quality"):
        if has(name):
            found[name] = get(name)
    if has("het_ref_reads", "het_alt_reads"):
        found["allele_balance"] = ratio(get("het_alt_reads"), get("het_ref_reads") + get("het_alt_reads"))
    if has("depth_sum", "n_with_depth"):
        found["mean_depth"] = ratio(get("depth_sum"), get("n_with_depth"))
    return found


def strand_bias(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """FS and SOR of int64 (rows, 4: ref forward, ref reverse, alt forward, alt reverse); NaN where there are no reads.

    SOR is the symmetric odds ratio after 1 is added to each count.
    """
    fs = np.empty(len(tables))
    kernels.fisher_strand(np.ascontiguousarray(tables, np.int64), fs)
    ref_forward, ref_reverse, alt_forward, alt_reverse = tables.T + 1.0
    odds = ref_forward * alt_reverse / (ref_reverse * alt_forward)
    ref_ratio = np.minimum(ref_forward, ref_reverse) / np.maximum(ref_forward, ref_reverse)
    alt_ratio = np.minimum(alt_forward, alt_reverse) / np.maximum(alt_forward, alt_reverse)
    sor = np.log(odds + 1 / odds) + np.log(ref_ratio) - np.log(alt_ratio)
    unread = tables.sum(axis=1) == 0
    return np.where(unread, np.nan, fs), np.where(unread, np.nan, sor)
