"""Metrics of arrays from their sums: call rate, GenCall, heterozygosity, intensities, contamination, sex.

Contamination is BAFRegress's model (Jun 2012): at a homozygous call, BAF moves off 0 or 1 by the share of strange DNA
times the frequency of the other allele. The slope, one for AA and BB with an intercept each, is the estimate.
"""

from __future__ import annotations

import numpy as np

from cohelix.qc.arrays import kernels
from cohelix.qc.schema import ArrayQcParams

K = kernels
FEWEST_HOMOZYGOTES = 30
"""Calls below which a slope is not worth stating: its interval would be wider than any gate."""

NORMAL_95 = 1.959963984540054
"""Standard errors on either side of a 95 % interval."""


def gencall_quantile(histogram: np.ndarray, share: float) -> np.ndarray:
    """float64 (samples,): the least score with at least `share` of the called markers at or below it; NaN of none.

    histogram int32 (samples, 1001): called markers by GenCall score in thousandths.
    """
    total = histogram.sum(axis=1)
    wanted = np.maximum(np.ceil(share * total), 1)
    place = (histogram.cumsum(axis=1) >= wanted[:, None]).argmax(axis=1)
    return np.where(total > 0, place / (K.GENCALL_BINS - 1), np.nan)


def contamination(counts: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(slope, standard error) of BAF on x and genotype by least squares, float64 (samples,); NaN where too few."""
    n = counts[:, [K.HOM_A, K.HOM_B]].astype(np.float64)
    sx, sy, sxx, sxy, syy = (sums[:, [k, k + 1]] for k in (K.X_A, K.BAF_A, K.XX_A, K.XBAF_A, K.BAF2_A))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(n > 0, 1 / n, 0.0)
        xx, xy, yy = (
            (both - one * other * means).sum(axis=1)
            for both, one, other in ((sxx, sx, sx), (sxy, sx, sy), (syy, sy, sy))
        )
        slope = xy / xx
        free = n.sum(axis=1) - (n > 0).sum(axis=1) - 1
        error = np.sqrt(np.maximum(yy - slope * xy, 0.0) / free / xx)
    known = (n.sum(axis=1) >= FEWEST_HOMOZYGOTES) & (xx > 1e-9)
    return np.where(known, slope, np.nan), np.where(known, error, np.nan)


def outlier_score(values: np.ndarray) -> np.ndarray:
    """Distance from the cohort's median in scaled median absolute deviations; NaN where they are all alike."""
    if not np.isfinite(values).any():
        return np.full(len(values), np.nan)
    centre = np.nanmedian(values)
    spread = 1.4826 * np.nanmedian(np.abs(values - centre))
    return np.asarray((values - centre) / spread if spread > 0 else np.full(len(values), np.nan))


def measure(
    counts: np.ndarray, sums: np.ndarray, gencall: np.ndarray, counted: np.ndarray, counted_off_y: np.ndarray
) -> dict[str, np.ndarray]:
    """Metrics by name, (samples,) each. counted, counted_off_y (samples,): markers that the call rate is of."""
    c, s = counts.astype(np.float64).T, sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        lrr = s[K.SUM_AUTO_LRR] / c[K.AUTO_LRR]
        het_rate = c[K.AUTO_HET] / c[K.AUTO_CALLED]
        het_baf = s[K.SUM_BAF_HET] / c[K.BAF_HET]
        scored = gencall.sum(axis=1)
        metrics = {
            "array_call_rate": c[K.CALLED_OFF_Y] / counted_off_y,
            "call_rate_all": c[K.CALLED] / counted,
            "mean_gencall": s[K.SUM_GENCALL] / np.where(scored > 0, scored, np.nan),
            "gencall_p10": gencall_quantile(gencall, 0.1),
            "gencall_p50": gencall_quantile(gencall, 0.5),
            "het_rate": het_rate,
            "het_outlier": outlier_score(het_rate),
            "lrr_deviation": np.sqrt(np.maximum(s[K.SUM_AUTO_LRR2] / c[K.AUTO_LRR] - lrr**2, 0.0)),
            "baf_deviation": np.sqrt(s[K.SUM_BAF_OFF2] / c[K.BAF_CALLED]),
            "baf_het_deviation": np.sqrt(np.maximum(s[K.SUM_BAF_HET2] / c[K.BAF_HET] - het_baf**2, 0.0)),
            "x_het_rate": c[K.X_HET] / c[K.X_CALLED],
            "x_lrr": s[K.SUM_X_LRR] / c[K.X_LRR] - lrr,
            "y_lrr": s[K.SUM_Y_LRR] / c[K.Y_LRR] - lrr,
        }
    slope, error = contamination(counts, sums)
    metrics["array_contamination"] = slope
    metrics["array_contamination_low"] = slope - NORMAL_95 * error
    metrics["array_contamination_high"] = slope + NORMAL_95 * error
    return metrics


def inbreeding(called: np.ndarray) -> np.ndarray:
    """F = (observed - expected) / (called - expected) homozygotes, from int64 (samples, 3) of `kernels.sum_called`."""
    n, homozygous, expected = called[:, 0], called[:, 1], called[:, 2] / 1e9
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n - expected > 1e-6, (homozygous - expected) / (n - expected), np.nan)


def infer_sex(metrics: dict[str, np.ndarray], counts: np.ndarray, params: ArrayQcParams) -> tuple[list[str], list[str]]:
    """(sex, karyotype) of each sample: by the intensities of X and Y where there are enough, otherwise by F of X.

    A Y makes a male, whatever the number of X (XXY), as its absence makes a female (X0, XXX). Without enough
    markers the sex is unknown and the karyotype "".
    """
    sexes, karyotypes = [], []
    enough_x = counts[:, K.X_LRR] >= params.sex_markers
    enough_y = counts[:, K.Y_LRR] >= params.sex_markers
    enough_f = counts[:, K.X_CALLED] >= params.sex_markers
    for s in range(len(counts)):
        x = 1 + int(np.searchsorted(params.x_lrr, metrics["x_lrr"][s])) if enough_x[s] else 0
        y = int(np.searchsorted(params.y_lrr, metrics["y_lrr"][s])) if enough_y[s] else -1
        f = metrics["x_f"][s] if enough_f[s] else np.nan
        if x and y >= 0:
            sexes.append("male" if y else "female")
            karyotypes.append("X0" if (x, y) == (1, 0) else "X" * x + "Y" * y)
        elif x:
            sexes.append({1: "male"}.get(x, "female"))
            karyotypes.append("")
        else:
            sexes.append("female" if f < params.x_f[0] else "male" if f > params.x_f[1] else "unknown")
            karyotypes.append("")
    return sexes, karyotypes


def concordance(stated: list[str], inferred: list[str]) -> list[str]:
    """yes, no, not_stated, or "" where nothing was inferred."""
    return [
        "" if found == "unknown" else "not_stated" if said == "unknown" else "yes" if said == found else "no"
        for said, found in zip(stated, inferred, strict=True)
    ]
