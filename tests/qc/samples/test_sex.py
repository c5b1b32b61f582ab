"""Karyotypes from depth and from calls; cut-offs as gnomad_methods makes them, and fixed ones where they cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cohelix.genome import REGIONS
from cohelix.qc.samples import imported, sex
from cohelix.qc.samples.metrics import REGION_COUNTS, SampleCounts, x_homozygosity
from cohelix.qc.schema import SampleQcParams
from cohelix.runtime.local import LocalRuntime
from tests.oracles import samples as oracle
from tests.qc.samples import made

COPIES = {"XX": (2, 0), "XY": (1, 1), "X0": (1, 0), "XXY": (2, 1), "XYY": (1, 2), "XXX": (3, 0), "XXYY": (2, 2)}
BASES = 10_000


def counted(karyotypes: list[str], *, seed: int = 1, depth: float = 30, silent_y: bool = True) -> SampleCounts:
    """Counts with the depth of each karyotype, 2 % noise; women's files say nothing of Y where `silent_y`."""
    draw = np.random.default_rng(seed)
    grid = {name: np.zeros((len(karyotypes), len(REGIONS)), np.int64) for name in REGION_COUNTS}
    for row, karyotype in enumerate(karyotypes):
        x, y = COPIES[karyotype]
        for name, copies in (("autosome", 2), ("chr20", 2), ("x", x), ("y", y)):
            place = REGIONS.index(name)
            if name == "y" and copies == 0 and silent_y:
                continue
            noise = draw.normal(1, 0.02) if name != "chr20" else 1
            grid["n_bases"][row, place] = BASES
            grid["depth_sum"][row, place] = round(BASES * depth * copies / 2 * noise)
    return SampleCounts({}, grid, 0)


def called(karyotypes: list[str], params: SampleQcParams | None = None, **how: object) -> sex.SexCalls:
    counts = counted(karyotypes, **how)  # type: ignore[arg-type]
    return sex.call_sexes(counts, ["unknown"] * len(karyotypes), np.nan, params or SampleQcParams())


@pytest.mark.parametrize("silent_y", [True, False])
@pytest.mark.parametrize("depth", [12, 30])
def test_every_class_is_found_in_a_cohort_and_alone(silent_y: bool, depth: float) -> None:
    odd = [name for name in COPIES if name not in ("XX", "XY")]
    cohort = ["XX"] * 60 + ["XY"] * 50 + odd
    found = called(cohort, silent_y=silent_y, depth=depth)
    assert found.cutoffs.method == "data"
    assert found.karyotype == cohort
    few = ["XX", "XY", *odd]
    found = called(few, silent_y=silent_y, depth=depth)
    assert found.cutoffs.method == "fixed: 1 samples of XX and 1 of XY"
    assert found.karyotype == few
    assert found.sex_inferred == ["female", "male", "unknown", "unknown", "male", "female", "unknown"]


def test_a_cohort_of_one_sex_has_fixed_cut_offs() -> None:
    found = called(["XX"] * 40 + ["XXX"], silent_y=False)
    assert found.cutoffs.method.startswith("fixed: 40 samples of XX and 0 of XY")
    assert found.karyotype == ["XX"] * 40 + ["XXX"]


def test_cut_offs_are_means_and_standard_deviations() -> None:
    draw = np.random.default_rng(3)
    x = np.r_[draw.normal(2, 0.06, 40), draw.normal(1, 0.05, 50)]
    y = np.r_[draw.normal(0.02, 0.04, 40), draw.normal(1, 0.05, 50)]
    f = np.r_[np.zeros(40), np.ones(50)]
    for split in ("ploidy", "f_stat"):
        found = sex.cutoffs_of(x, y, f, SampleQcParams(sex_split=split))
        xx, xy = x[:40], x[40:]
        expected = (
            xy.mean() + 5 * xy.std(),
            xx.mean() - 5 * xx.std(),
            xx.mean() + 5 * xx.std(),
            xx.mean() + 6 * xx.std(),
        )
        assert found.x == pytest.approx(expected)
        none, one = y[:40], y[40:]
        expected_y = (none.mean() + 5 * none.std(), one.mean() + 5 * one.std(), one.mean() + 6 * one.std())
        assert found.y == pytest.approx(expected_y)
    wide = sex.cutoffs_of(x, y, f, SampleQcParams(normal_sds=12, aneuploidy_sds=13))
    assert wide.method == "fixed: the clusters of XX and XY overlap"
    fixed = sex.cutoffs_of(x, y, f, SampleQcParams(sex_cutoffs="fixed"))
    assert fixed.x == pytest.approx((1.3, 1.7, 2.3, 2.7))
    assert sex.karyotype_of(1.5, 0.0, fixed) == "ambiguous"
    assert sex.karyotype_of(float("nan"), 0.0, fixed) == ""


def test_bases_without_a_read_say_nothing_of_copies() -> None:
    cohort = ["XX"] * 40 + ["XY"] * 40
    counts = counted(cohort, silent_y=False)
    covered = np.where(counts.regions["depth_sum"] > 0, counts.regions["n_bases"], 0)
    place = REGIONS.index("x")
    counts.regions["depth_sum"][3, place] //= 2  # half of X is a hole
    covered[3, place] //= 2
    holed = sex.call_sexes(counts, ["unknown"] * 80, np.nan, SampleQcParams())
    assert holed.karyotype[3] != "XX"
    counts.regions["n_bases_1x"] = covered
    found = sex.call_sexes(counts, ["unknown"] * 80, np.nan, SampleQcParams())
    assert found.karyotype == cohort
    assert found.metrics["y_ploidy"][:40].tolist() == [0.0] * 40


def test_the_yardstick_is_chromosome_20_or_all_autosomes() -> None:
    counts = counted(["XX", "XY"])
    assert sex.ploidies(counts)[2] == "chr20"
    for name in ("n_bases", "depth_sum"):
        counts.regions[name][:, REGIONS.index("chr20")] = 0
    x, y, yardstick = sex.ploidies(counts)
    assert yardstick == "autosomes"
    assert x == pytest.approx([2, 1], abs=0.2) and y == pytest.approx([0, 1], abs=0.2)


def test_without_x_nothing_is_said() -> None:
    counts = counted(["XX", "XY"] * 30)
    for values in counts.regions.values():
        values[:, [REGIONS.index("x"), REGIONS.index("y")]] = 0
    found = sex.call_sexes(counts, ["male"] * 60, np.nan, SampleQcParams())
    assert set(found.karyotype) == {""} and set(found.sex_inferred) == {"unknown"}
    assert np.isnan(found.metrics["x_f"]).all() and np.isnan(found.metrics["x_het_rate"]).all()
    assert sex.concordance(["male"] * 60, found.sex_inferred) == [""] * 60


def test_concordance_with_what_was_stated() -> None:
    stated = ["male", "female", "male", "unknown", "female"]
    inferred = ["male", "male", "unknown", "female", "female"]
    assert sex.concordance(stated, inferred) == ["yes", "no", "", "not_stated", "yes"]


def test_f_of_a_joint_call_counts_masked_hets_of_stated_men() -> None:
    grid = {name: np.zeros((3, len(REGIONS)), np.int64) for name in REGION_COUNTS}
    x = REGIONS.index("x")
    # a woman, a man, and a woman who was stated to be a man
    grid["n_f_called"][0, x], grid["n_f_hom"][0, x], grid["f_expected_nano"][0, x] = 100, 71, 70_000_000_000
    grid["n_called"][:, x], grid["n_het"][0, x] = (100, 100, 70), 29
    grid["n_haploid_ref"][1:, x], grid["n_haploid_alt"][1:, x] = (60, 45), (40, 25)
    grid["n_ploidy_conflict"][2, x] = 30
    counts = SampleCounts({}, grid, 0)
    found = sex.x_inbreeding(counts, ["female", "male", "male"], 0.7)
    assert found == pytest.approx([(71 - 70) / 30, 1.0, (70 - 70) / 30])
    assert sex.het_rate(counts) == pytest.approx([0.29, 0.0, 0.3])


def test_f_on_x_of_an_imported_callset(tmp_path: Path) -> None:
    sexes = ["male", "female", "unknown"] * 12
    opened = made.imported(tmp_path, sexes)
    counts = imported.count_imported(opened, LocalRuntime(2))
    sites, rows, conflicts = made.genotypes_of(opened)
    _, by_region = oracle.count("GRCh38", sites, rows, sexes, conflicts)
    found = sex.call_sexes(counts, sexes, x_homozygosity(opened), SampleQcParams())
    for sample, own in enumerate(by_region):
        o, n, e = (own["x"][name] for name in ("n_f_hom", "n_f_called", "f_expected_nano"))
        assert found.metrics["x_f"][sample] == pytest.approx((o - e) / (n - e), rel=1e-6)
    rates = [own["x"] for own in by_region]
    hets = [r.get("n_het", 0) + r["n_ploidy_conflict"] for r in rates]
    assert found.metrics["x_het_rate"] == pytest.approx(
        [h / (r["n_called"] + r["n_ploidy_conflict"]) for h, r in zip(hets, rates, strict=True)]
    )
    assert "x_ploidy" not in found.metrics
    on_x = [s for s in sites if s["contig"] == "chrX" and 0 < s["ac"] < s["an"]]
    inner = [s for s in on_x if oracle.region("GRCh38", "chrX", s["position"]) == "x"]
    shares = [s["ac"] / s["an"] for s in inner]
    assert x_homozygosity(opened) == pytest.approx(sum(1 - 2 * q * (1 - q) for q in shares) / len(shares))


@pytest.mark.parametrize(
    ("f", "stated", "y_called", "y_sites", "karyotype"),
    [
        (0.1, "female", 0, 20, "XX"),
        (0.1, "male", 20, 20, "XXY"),
        (0.1, "male", 2, 20, "XX"),
        (0.95, "male", 20, 20, "XY"),
        (0.95, "unknown", 1, 20, "X0"),
        (0.95, "unknown", 0, 5, "XY"),  # five sites on Y say nothing
        (0.95, "female", 0, 20, "XY"),
        (0.5, "male", 20, 20, "ambiguous"),
    ],
)
def test_without_depth_f_and_the_calls_on_y_tell(
    f: float, stated: str, y_called: int, y_sites: int, karyotype: str
) -> None:
    grid = {
        name: np.zeros((1, len(REGIONS)), np.int64) for name in REGION_COUNTS if name not in ("n_bases", "depth_sum")
    }
    x, y = REGIONS.index("x"), REGIONS.index("y")
    grid["n_f_called"][0, x], grid["f_expected_nano"][0, x] = 1000, 500 * 10**9
    grid["n_f_hom"][0, x] = round(500 + 500 * f)
    grid["n_sites"][0, y], grid["n_called"][0, y] = y_sites, y_called
    found = sex.call_sexes(SampleCounts({}, grid, y_sites), [stated], 0.5, SampleQcParams())
    assert found.karyotype == [karyotype]
    assert found.cutoffs.method == "f_stat"


def test_the_floor_of_the_sd_keeps_a_clean_cohort_whole() -> None:
    x, y = np.r_[np.full(30, 2.0), np.full(30, 1.0)], np.r_[np.zeros(30), np.ones(30)]
    params = SampleQcParams()
    found = sex.cutoffs_of(x, y, x, params)
    assert found.x == pytest.approx((1.15, 1.85, 2.15, 2.18))
    none = sex.cutoffs_of(x, y, x, replace(params, min_ploidy_sd=0.0))
    assert none.x == pytest.approx((1, 2, 2, 2))
