"""No count of 1 to 20 people is shown, and none can be worked out from those that are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.qc.report.aggregates import Groups, binned, boxes, density, distribution, edges_of, effect_size
from cohelix.qc.report.disclosure import SMALL, merged_bins, pooled, quantile, range_of, shown, shown_parts
from cohelix.qc.report.figures import Cut


def test_the_rule_is_that_of_the_policy() -> None:
    assert [shown(count) for count in (0, 1, 20, 21, 1234)] == ["0", "≤20", "≤20", "21", "1,234"]
    assert shown(95, total=100) == ">79"
    assert shown(79, total=100) == "79"
    assert shown(100, total=100) == "100"


def test_parts_of_a_total_do_not_give_each_other_away() -> None:
    assert shown_parts({"XX": 250, "XY": 240}) == {"XX": "250", "XY": "240"}
    assert shown_parts({"XX": 250, "XY": 241, "XXY": 9, "X0": 0}) == {
        "XX": "about 260", "XY": "about 260", "XXY": "≤20", "X0": "0",
    }  # fmt: skip


@given(st.lists(st.sampled_from("abcdef"), max_size=200))
def test_no_group_is_small_and_nobody_is_lost(labels: list[str]) -> None:
    names, codes = pooled(np.array(labels, np.str_))
    if len(labels) <= SMALL:
        assert names == []
        assert (codes == -1).all()
        return
    sizes = np.bincount(codes, minlength=len(names))
    assert sizes.sum() == len(labels)
    assert sizes.min() > SMALL
    for name, code in ((name, code) for code, name in enumerate(names)):
        members = {label for label, found in zip(labels, codes.tolist(), strict=True) if found == code}
        assert members == set(name.split(" + "))


def test_only_small_groups_are_joined() -> None:
    labels = np.array(["eur"] * 100 + ["afr"] * 50 + ["mid"] * 7 + ["eas"] * 30)
    assert pooled(labels)[0] == ["afr", "eas + mid", "eur"]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=60))
def test_merged_bins_hold_nobody_or_more_than_20(counts: list[int]) -> None:
    bins = merged_bins(np.array(counts))
    total = sum(counts)
    if total <= SMALL:
        assert bins == []
        return
    assert sum(count for _, _, count in bins) == total
    assert min(count for _, _, count in bins) > SMALL
    assert all(start < end for start, end, _ in bins)
    assert all(before[1] <= after[0] for before, after in pairwise(bins))
    for start, end, count in bins:
        assert sum(counts[start:end]) == count


@given(st.lists(st.floats(-1e6, 1e6), max_size=120))
def test_an_axis_does_not_depend_on_the_20_furthest(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    ends = range_of(ordered)
    if len(values) <= SMALL:
        assert ends is None
        return
    assert ends is not None
    further = ordered.copy()
    further[-SMALL:] += 1e9 if ordered[-1] > 1 else 0.0
    if len(values) > 2 * SMALL:
        assert range_of(further) == ends


def test_a_quantile_has_more_than_20_people_on_either_side() -> None:
    ordered = np.arange(81.0)
    assert quantile(ordered, 0.25) == 20.0
    assert quantile(ordered[:80], 0.25) is None
    assert quantile(ordered, 0.05) is None
    assert quantile(np.arange(1001.0), 0.95) == 950.0


def test_distributions_are_shares_of_the_people_counted() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(30, 2, 500)
    values[:40] = np.nan
    groups = Groups.of(np.array(["a"] * 300 + ["b"] * 200))
    figure = distribution("f", "F", "x", values, groups, [Cut(28, "≥ 28"), Cut(1e6, "≤ 1e6")])
    assert figure is not None
    assert [(bins.name, bins.people) for bins in figure.bins] == [("all", "460"), ("a", "260"), ("b", "200")]
    assert [cut.value for cut in figure.cuts] == [28]
    assert "≤ 1e6 lies outside" in figure.note
    known = values[40:]
    for bins in figure.bins:
        assert sum(bins.shares) == pytest.approx(1, abs=1e-2)
        people = {"all": known, "a": values[40:300], "b": values[300:]}[bins.name]
        for (start, end), share in list(zip(bins.edges, bins.shares, strict=True))[1:-1]:
            inside = int(((people >= start) & (people < end)).sum())
            assert inside > SMALL
            assert share == pytest.approx(inside / len(people), abs=1e-4)


def test_those_who_are_not_known_cannot_be_counted_from_the_labels() -> None:
    values = np.random.default_rng(2).normal(0, 1, 300)
    values[:5] = np.nan
    groups = Groups.of(np.array(["a"] * 150 + ["b"] * 150))
    figure = distribution("f", "F", "x", values, groups)
    assert figure is not None
    assert [bins.people for bins in figure.bins] == [">279", ">129", "150"]
    drawn = boxes("f", "F", "x", values, groups)
    assert drawn is not None
    assert [box.people for box in drawn.boxes] == [">129", "150"]


def test_too_few_people_make_no_picture() -> None:
    groups = Groups.of(np.array(["a"] * 30))
    few = np.where(np.arange(30) < 20, 1.0, np.nan)
    assert distribution("f", "F", "x", few, groups) is None
    assert boxes("f", "F", "x", few, groups) is None
    assert density("f", "F", ("x", "y"), few, few, (0.1,)) is None
    assert Groups.of(np.array(["a"] * 20)).names == ()


def test_bins_of_whole_numbers_hold_as_many_of_them() -> None:
    edges = edges_of(30, 50, (), whole=True)
    assert set(np.diff(edges)) == {1.0}
    assert edges_of(5.0, 5.0, ())[0] <= 5.0 < edges_of(5.0, 5.0, ())[-1]
    assert binned(np.full(30, 40.5), edges) != []


def test_squares_of_few_people_are_left_out() -> None:
    x = np.concatenate([np.full(100, 1.01), np.full(21, 2.01), np.full(20, 3.01)])
    figure = density("f", "F", ("x", "y"), x, np.zeros(141), (0.1,))
    assert figure is not None
    assert [(round(cell.x[0], 6), cell.count) for cell in figure.cells] == [(0.95, 100), (1.95, 40)]


def test_squares_are_as_large_as_it_takes_to_show_most_people() -> None:
    x = np.concatenate([np.linspace(0.8, 1.2, 60), np.linspace(1.8, 2.2, 60)])
    figure = density("f", "F", ("x", "y"), x, np.zeros(120), (0.05, 0.5, 1.0))
    assert figure is not None
    assert [(cell.x, cell.count) for cell in figure.cells] == [((0.75, 1.25), 60), ((1.75, 2.25), 60)]


def test_the_size_of_an_effect_is_cohens() -> None:
    draw = np.random.default_rng(3)
    values, inside = draw.normal(0, 1, 400), np.arange(400) < 150
    values[inside] += 0.8
    one, other = values[inside], values[~inside]
    spread = np.sqrt((149 * one.std(ddof=1) ** 2 + 249 * other.std(ddof=1) ** 2) / 398)
    assert effect_size(values, inside) == pytest.approx((one.mean() - other.mean()) / spread)
    assert np.isnan(effect_size(values, np.arange(400) < 20))
