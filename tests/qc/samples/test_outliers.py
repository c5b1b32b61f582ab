"""Residuals, medians and MADs by their plain definitions; who is flagged, and what could not be judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.genotypes.inputs import Groups
from cohelix.qc.gates import FLAGS, OutlierRule
from cohelix.qc.samples import outliers
from tests.oracles import samples as oracle

NUMBERS = st.integers(-1000, 1000).map(float)


def rule(metric: str = "n_snp", mads: float = 8, side: str = "both", **more: object) -> OutlierRule:
    return OutlierRule(metric, mads, side, "a source", name=f"{metric}_rule", **more)  # type: ignore[arg-type]


@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_median_and_mad_are_the_plain_ones(values: list[float]) -> None:
    assert outliers.median_and_mad(np.array(values)) == pytest.approx((oracle.median(values), oracle.mad(values)))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.booleans())
def test_residuals_are_those_of_least_squares(seed: int, n_pcs: int, squares: bool) -> None:
    draw = np.random.default_rng(seed)
    pcs = draw.normal(size=(14, n_pcs)) * 10.0 ** draw.integers(-3, 3, n_pcs)
    values = draw.normal(size=14) * 100 + 1000
    rows = [[1.0, *pc, *([one * one for one in pc] if squares else [])] for pc in pcs.tolist()]
    found = outliers.residuals_of(values, pcs, squares)
    assert found == pytest.approx(oracle.residuals(values.tolist(), rows), rel=1e-6, abs=1e-6)


def test_residuals_leave_out_what_is_unknown() -> None:
    draw = np.random.default_rng(1)
    pcs, values = draw.normal(size=(30, 2)), draw.normal(size=30)
    pcs[3, 1] = values[7] = np.nan
    found = outliers.residuals_of(values, pcs, squares=True)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3, 7]
    kept = np.delete(np.arange(30), [3, 7])
    assert found[kept] == pytest.approx(outliers.residuals_of(values[kept], pcs[kept], squares=True))
    assert np.isnan(outliers.residuals_of(values[:5], pcs[:5], squares=True)).all()  # no more samples than coefficients


@settings(max_examples=50)
@given(st.lists(st.tuples(NUMBERS, st.sampled_from(["afr", "eur", "x"])), min_size=5, max_size=60), st.floats(1, 4))
def test_flags_are_those_of_a_plain_loop(people: list[tuple[float, str]], mads: float) -> None:
    values = np.array([value for value, _ in people])
    names = sorted({name for _, name in people})
    groups = Groups(names, np.array([names.index(name) for _, name in people], np.int32))
    found = outliers.find_outliers([rule(mads=mads)], {"n_snp": values}, None, groups, len(people), 4)
    small = {name for name in names if sum(one == name for _, one in people) < 4}
    strata = ["pooled" if name in small else name for _, name in people]
    assert found.strata == strata
    expected, unknown = [], 0
    for row, (value, _) in enumerate(people):
        own = [other for (other, _), stratum in zip(people, strata, strict=True) if stratum == strata[row]]
        if len(own) < 4 or oracle.mad(own) == 0:
            unknown += 1
        elif abs(value - oracle.median(own)) >= mads * oracle.mad(own):
            expected.append(row)
    assert found.flags.column("row").to_pylist() == expected
    assert sum(one.count for one in found.not_evaluated) == unknown
    assert found.flags.schema.equals(FLAGS)


def test_one_sided_rules_and_the_cut_off_itself() -> None:
    values = np.array([-100.0, *np.linspace(-1, 1, 41), 100.0])
    median, mad = outliers.median_and_mad(values)
    values[0], values[-1] = median - 8 * mad, median + 8 * mad  # on the cut-off: gnomAD flags it
    for side, rows in (("both", [0, 42]), ("upper", [42]), ("lower", [0])):
        found = outliers.find_outliers([rule(side=side)], {"n_snp": values}, None, None, 43, 30)
        assert found.flags.column("row").to_pylist() == rows
        assert set(found.flags.column("stratum").to_pylist()) == {"all"}
    assert found.judged[0].upper is None and found.judged[0].lower == values[0]


def test_an_outlier_of_one_ancestry_is_found_within_it_only() -> None:
    draw = np.random.default_rng(4)
    values = np.concatenate([draw.normal(1000, 10, 100), draw.normal(2000, 10, 100)])
    values[7] = 1200  # ordinary among all, far from its own group
    groups = Groups(["afr", "eur"], np.repeat([0, 1], 100).astype(np.int32))
    apart = outliers.find_outliers([rule()], {"n_snp": values}, None, groups, 200, 30)
    assert apart.flags.column("row").to_pylist() == [7]
    assert apart.flags.column("stratum").to_pylist() == ["afr"]
    together = outliers.find_outliers([rule()], {"n_snp": values}, None, None, 200, 30)
    assert together.flags.num_rows == 0


def test_what_cannot_be_judged_is_listed() -> None:
    values = np.arange(6.0)
    groups = Groups(["a", "b"], np.array([0, 0, 1, 1, 1, -1], np.int32))
    found = outliers.find_outliers([rule()], {"n_snp": values}, None, groups, 6, 30)
    assert [(one.stratum, one.n, one.why) for one in found.judged] == [("pooled", 6, "too few samples")]
    assert [(one.gate, one.why, one.count) for one in found.not_evaluated] == [("n_snp_rule", "unknown", 6)]
    same = outliers.find_outliers([rule()], {"n_snp": np.full(40, 5.0)}, None, None, 40, 30)
    assert same.judged[0].why == "no spread" and same.flags.num_rows == 0
    absent = outliers.find_outliers([rule("n_novel")], {"n_snp": values}, None, None, 6, 30)
    assert [(one.metric, one.why, one.count) for one in absent.not_evaluated] == [("n_novel", "absent", 6)]
    nothing = outliers.find_outliers([rule()], {"n_snp": np.full(40, np.nan)}, None, None, 40, 30)
    assert [(one.n, one.why) for one in nothing.judged] == [(0, "no values")]


def test_another_metric_stands_in_where_one_was_not_measured() -> None:
    values = np.r_[np.linspace(-1, 1, 40), 99.0]
    stands_in = rule("n_novel", otherwise="n_singleton", side="upper")
    found = outliers.find_outliers([stands_in], {"n_singleton": values}, None, None, 41, 30)
    assert found.flags.column("metric").to_pylist() == ["n_singleton"]
    assert found.flags.column("row").to_pylist() == [40]


@pytest.mark.parametrize("length", [1e-200, 1e200])
def test_residuals_do_not_depend_on_the_length_of_components(length: float) -> None:
    draw = np.random.default_rng(2)
    pcs, values = draw.normal(size=(30, 3)), draw.normal(size=30)
    plain = outliers.residuals_of(values, pcs, squares=True)
    assert outliers.residuals_of(values, pcs * length, squares=True) == pytest.approx(plain)
