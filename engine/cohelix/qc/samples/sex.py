"""Sex chromosomes: ploidy from depth, F on X, karyotype classes, and what was stated.

x_ploidy is twice the mean depth of X over that of chromosome 20 (of all autosomes where a callset has no base of 20);
y_ploidy likewise; both outside the pseudo-autosomal regions. Bases that no read covers say nothing of copies and are
left out, where the callset counts them apart. Cut-offs are those of gnomad_methods get_ploidy_cutoffs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.genome import REGIONS
from cohelix.qc.samples.metrics import AUTOSOMES, COVERED, NANO, SampleCounts, inbreeding, ratio
from cohelix.qc.schema import SampleQcParams

X, Y, CHR20 = (REGIONS.index(name) for name in ("x", "y", "chr20"))
SEX_OF = {"XX": "female", "XXX": "female", "XY": "male", "XYY": "male"}
"""What a karyotype means to `joint call`; the others leave ploidy to the calls themselves."""


@dataclass(frozen=True)
class Cutoffs:
    """Ploidy cut-offs, as gnomad_methods names them.

    x: upper of one copy, lower and upper of two, lower of three. y: lower of one copy, upper of one, lower of two.
    method: "data", "fixed" (asked for, or why the data did not do), "f_stat" (no depth) or "none".
    """

    method: str
    x: tuple[float, float, float, float] | None = None
    y: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class SexCalls:
    """Of every sample: `metrics` by name, `karyotype` and `sex_inferred` words, "" where nothing can be said."""

    metrics: dict[str, np.ndarray]
    karyotype: list[str]
    sex_inferred: list[str]
    cutoffs: Cutoffs
    yardstick: str


def call_sexes(counts: SampleCounts, stated: Sequence[str], x_homozygosity: float, params: SampleQcParams) -> SexCalls:
    """Karyotypes from depth where there is any, else from F on X and calls on Y.

    stated: the sexes that genotypes were made with: hets of a man on X were masked. x_homozygosity: mean expected
    homozygosity of a genotype on X, NaN where it has no site.
    """
    metrics = {"x_het_rate": het_rate(counts), "x_f": x_inbreeding(counts, stated, x_homozygosity)}
    if not counts.has_depth:
        karyotype, cutoffs = _from_calls(counts, stated, metrics["x_f"], params)
        return SexCalls(metrics, karyotype, _sexes(karyotype), cutoffs, "none")
    x_ploidy, y_ploidy, yardstick = ploidies(counts)
    metrics |= {"x_ploidy": x_ploidy, "y_ploidy": y_ploidy}
    cutoffs = cutoffs_of(x_ploidy, y_ploidy, metrics["x_f"], params)
    karyotype = [karyotype_of(x, y, cutoffs) for x, y in zip(x_ploidy.tolist(), y_ploidy.tolist(), strict=True)]
    return SexCalls(metrics, karyotype, _sexes(karyotype), cutoffs, yardstick)


def _sexes(karyotypes: Sequence[str]) -> list[str]:
    return [SEX_OF.get(one, "unknown") for one in karyotypes]


def concordance(stated: Sequence[str], inferred: Sequence[str]) -> list[str]:
    """yes, no, or not_stated; "" where the sex could not be inferred."""
    return [
        "" if ours == "unknown" else "not_stated" if theirs == "unknown" else "yes" if ours == theirs else "no"
        for theirs, ours in zip(stated, inferred, strict=True)
    ]


def ploidies(counts: SampleCounts) -> tuple[np.ndarray, np.ndarray, str]:
    """x_ploidy and y_ploidy float64 (samples,), and which depth they are relative to: "chr20" or "autosomes"."""
    bases, depth = counts.regions.get(COVERED, counts.regions["n_bases"]), counts.regions["depth_sum"]
    on_20 = bool(bases[:, CHR20].any())
    chosen = [CHR20] if on_20 else list(AUTOSOMES)
    yardstick = ratio(depth[:, chosen].sum(axis=1), bases[:, chosen].sum(axis=1))
    x_depth = ratio(depth[:, X], bases[:, X])
    # Files of women say nothing of Y, or that nothing covers it: what others have there and they do not has depth 0.
    most = int(bases[:, Y].max(initial=0))
    y_depth = ratio(depth[:, Y], np.where(2 * bases[:, Y] < most, most, bases[:, Y]))
    return 2 * ratio(x_depth, yardstick), 2 * ratio(y_depth, yardstick), "chr20" if on_20 else "autosomes"


def het_rate(counts: SampleCounts) -> np.ndarray:
    """Share of calls on X that are het, the masked hets of men among them."""
    het = counts.regions["n_het"][:, X] + counts.regions["n_ploidy_conflict"][:, X]
    return ratio(het, counts.regions["n_called"][:, X] + counts.regions["n_ploidy_conflict"][:, X])


def x_inbreeding(counts: SampleCounts, stated: Sequence[str], x_homozygosity: float) -> np.ndarray:
    """F on X: 0 for two copies, 1 for one.

    The joint call counts diploid calls; of a stated man's, who has none, the haploid ones are homozygous, the masked
    hets are het, and the mean of the sites is what would be expected of each.
    """
    called, hom = counts.regions["n_f_called"][:, X], counts.regions["n_f_hom"][:, X]
    expected = counts.regions["f_expected_nano"][:, X] / NANO
    haploid = counts.regions["n_haploid_ref"][:, X] + counts.regions["n_haploid_alt"][:, X]
    conflicts = counts.regions["n_ploidy_conflict"][:, X]
    men = (np.array(stated) == "male") & (called == 0)
    called = np.where(men, haploid + conflicts, called)
    return inbreeding(np.where(men, haploid, hom), called, np.where(men, called * x_homozygosity, expected))


def cutoffs_of(x: np.ndarray, y: np.ndarray, f: np.ndarray, params: SampleQcParams) -> Cutoffs:
    """Mean ± SDs of this cohort's XX and XY samples, or fixed ones where these cannot be told apart."""
    low, high = params.ploidy_tolerance, 1 - params.ploidy_tolerance
    fixed_x, fixed_y = (1 + low, 1 + high, 2 + low, 2 + high), (low, 1 + low, 1 + high)
    if params.sex_cutoffs == "fixed":
        return Cutoffs("fixed: as set", fixed_x, fixed_y)
    known = np.isfinite(x) & np.isfinite(y)
    if params.sex_split == "f_stat":
        two, one = known & (f < params.f_split), known & (f >= params.f_split)
    else:
        two, one = known & (abs(x - 2) < 0.5) & (y < 0.5), known & (abs(x - 1) < 0.5) & (abs(y - 1) < 0.5)
    if min(two.sum(), one.sum()) < params.min_sex_cluster:
        return Cutoffs(f"fixed: {two.sum()} samples of XX and {one.sum()} of XY", fixed_x, fixed_y)

    def around(values: np.ndarray, sds: float) -> float:
        return float(values.mean() + sds * max(float(values.std()), params.min_ploidy_sd))

    near, far = params.normal_sds, params.aneuploidy_sds
    x_cuts = (around(x[one], near), around(x[two], -near), around(x[two], near), around(x[two], far))
    y_cuts = (around(y[two], near), around(y[one], near), around(y[one], far))
    if x_cuts[0] >= x_cuts[1] or y_cuts[0] >= float(y[one].mean()):
        return Cutoffs("fixed: the clusters of XX and XY overlap", fixed_x, fixed_y)
    return Cutoffs("data", x_cuts, y_cuts)


def karyotype_of(x: float, y: float, cutoffs: Cutoffs) -> str:
    """XX, XY, X0, XXY, ... or "ambiguous"; "" where a ploidy is not known."""
    if cutoffs.x is None or cutoffs.y is None or np.isnan(x) or np.isnan(y):
        return ""
    upper_one, lower_two, upper_two, lower_three = cutoffs.x
    lower_y, upper_y, lower_yy = cutoffs.y
    xs = "X" if x < upper_one else "XX" if lower_two < x < upper_two else "XXX" if x >= lower_three else None
    ys = "" if y < lower_y else "Y" if lower_y < y < upper_y else "YY" if y >= lower_yy else None
    if xs is None or ys is None:
        return "ambiguous"
    return "X0" if xs + ys == "X" else xs + ys


def _from_calls(
    counts: SampleCounts, stated: Sequence[str], f: np.ndarray, params: SampleQcParams
) -> tuple[list[str], Cutoffs]:
    """Karyotypes without depth: one X or two by F, and Y by the share of its sites that are called.

    Import drops what stated women are called on Y: of them, only F speaks.
    """
    n_sites = counts.regions["n_sites"][:, Y]
    share = ratio(counts.regions["n_called"][:, Y], n_sites)
    out = []
    for one, sex, called, sites in zip(f.tolist(), stated, share.tolist(), n_sites.tolist(), strict=True):
        has_y = called >= 0.5 if sites >= params.min_y_sites and sex != "female" else None
        if np.isnan(one):
            out.append("")
        elif one < params.max_female_f:
            out.append("XXY" if has_y else "XX")
        elif one > params.min_male_f:
            out.append("X0" if has_y is False else "XY")
        else:
            out.append("ambiguous")
    return out, Cutoffs("f_stat" if any(out) else "none")
