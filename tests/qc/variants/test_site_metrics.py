"""Frequencies, FAF, annotations and selections of rows against plain definitions."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.qc.variants import annotations, filtering_frequency, frequencies, kernels, selection
from tests.oracles import site_qc

COUNT = st.integers(0, 300)


@given(st.integers(2, 500), st.integers(1, 10**7), st.sampled_from([0.95, 0.99]))
def test_filtering_frequency_is_where_a_poisson_count_stays_below(ac: int, an: int, confidence: float) -> None:
    found = filtering_frequency.filtering_frequency(np.array([ac]), np.array([an]), confidence)[0]
    assert site_qc.poisson_below(ac, found * an) == pytest.approx(confidence, abs=1e-9)


def test_filtering_frequency_as_hail_prints_it() -> None:
    """hl.experimental.filtering_allele_frequency of Hail 0.2.139, which is made of steps of 1e-6."""
    rows = [
        (1, 100, 0.0, 0.0),
        (0, 10, 0.0, 0.0),
        (2, 100, 0.00355319, 0.00148538),
        (5, 1000, 0.00196991, 0.00127846),
        (50, 1000, 0.03896386, 0.03503241),
        (1000, 200000, 0.00474273, 0.00463926),
        (3, 600000, 1.33e-06, 3.7e-07),
        (100000, 200000, 0.49740188, 0.49632825),
    ]
    ac, an, faf95, faf99 = (np.array(column) for column in zip(*rows, strict=True))
    np.testing.assert_allclose(filtering_frequency.filtering_frequency(ac, an, 0.95), faf95, atol=1.1e-6)
    np.testing.assert_allclose(filtering_frequency.filtering_frequency(ac, an, 0.99), faf99, atol=1.1e-6)
    nobody = filtering_frequency.filtering_frequency(np.array([0, 3]), np.array([0, 0]), 0.95)
    assert nobody.tolist() == [0.0, 0.0]


def test_largest__ties_nothing_and_groups_left_out() -> None:
    values = np.array([[0.1, 0.3, 0.3], [np.nan, 0.0, np.nan], [np.nan] * 3, [0.5, 0.9, 0.1]])
    eligible = np.array([[True] * 3, [True] * 3, [True] * 3, [True, False, True]])
    found = filtering_frequency.largest(values, eligible, ["a", "b", "c"])
    assert found.names == ["b", "b", None, "a"]
    assert found.pick(np.arange(12).reshape(4, 3)).tolist() == [1, 4, 0, 9]
    assert filtering_frequency.largest(np.empty((2, 0)), np.empty((2, 0), bool), []).names == [None, None]


@given(st.tuples(COUNT, COUNT, COUNT, COUNT))
def test_kernel_fisher_strand_is_the_definition(table: tuple[int, int, int, int]) -> None:
    out = np.empty(1)
    kernels.fisher_strand(np.array([table]), out)
    assert out[0] == pytest.approx(site_qc.fisher_strand(*table), abs=1e-8)


def test_fisher_strand_is_scipys_where_the_table_is_small() -> None:
    from scipy.stats import fisher_exact

    tables = np.random.default_rng(4).integers(0, 60, (200, 4))
    fs, _ = annotations.strand_bias(tables)
    expected = [-10 * math.log10(min(1.0, fisher_exact(row.reshape(2, 2))[1])) for row in tables]
    np.testing.assert_allclose(fs, expected, atol=1e-6)


@given(st.lists(st.tuples(COUNT, COUNT, COUNT, COUNT), min_size=1, max_size=5))
def test_strand_odds_ratio(tables: list[tuple[int, int, int, int]]) -> None:
    _, sor = annotations.strand_bias(np.array(tables))
    for found, table in zip(sor, tables, strict=True):
        assert math.isnan(found) if sum(table) == 0 else found == pytest.approx(site_qc.strand_odds_ratio(*table))


def test_strand_odds_ratio_of_gatks_documentation() -> None:
    """SB_TABLE=1450,345,160,212 has SOR=0.592 there."""
    _, sor = annotations.strand_bias(np.array([[1450, 345, 160, 212]]))
    assert round(float(sor[0]), 3) == 0.592


def test_annotations__absent_columns_are_absent_and_empty_rows_are_nan() -> None:
    assert annotations.annotations_of(pa.table({"position": [1]})) == {}
    sites = pa.table(
        {"qual_approx": [60, 0], "variant_depth": [30, 0], "mq_sum_squared": [36000, 0], "mq_depth": [10, 0],
         "het_ref_reads": [30, 0], "het_alt_reads": [10, 0], "mq_rank_sum": [-1.5, math.nan], "n_high_quality": [2, 0]}
    )  # fmt: skip
    found = annotations.annotations_of(sites)
    assert {name: values[0] for name, values in found.items()} == {
        "qual_approx": 60.0, "qd": 2.0, "mq": 60.0, "mq_rank_sum": -1.5, "n_high_quality": 2.0, "allele_balance": 0.25,
    }  # fmt: skip
    assert all(math.isnan(found[name][1]) for name in ("qd", "mq", "mq_rank_sum", "allele_balance"))


def test_annotations__what_a_vcf_stated_gives_way_to_what_was_counted() -> None:
    sites = pa.table({"info_QD": [9.0], "info_FS": [1.0], "qual_approx": [60], "variant_depth": [30]})
    found = annotations.annotations_of(sites)
    assert found["qd"].tolist() == [2.0] and found["fs"].tolist() == [1.0]


ROWS = st.lists(st.tuples(st.integers(1, 6), st.integers(95, 105), st.floats(0, 0.02)), min_size=1, max_size=20)


@given(ROWS, st.booleans())
def test_acaf_keeps_every_allele_of_a_position(rows: list[tuple[int, int, float]], documented: bool) -> None:
    rows = sorted(rows)
    positions, ac, af = (np.array(column) for column in zip(*rows, strict=True))
    found = selection.acaf(positions, ac[:, None], af[:, None], min_ac=100, min_af=0.01, documented=documented)
    expected = site_qc.acaf([(p, [(a, f)]) for p, a, f in rows], 100, 0.01, documented)
    assert found.tolist() == expected


def test_acaf__at_the_thresholds() -> None:
    positions, nobody = np.array([1, 2, 3]), np.full((3, 1), np.nan)
    ac = np.array([[99], [100], [101]])
    settings = {"min_ac": 100, "min_af": 0.01}
    assert selection.acaf(positions, ac, nobody, **settings, documented=False).tolist() == [False, True, True]
    assert selection.acaf(positions, ac, nobody, **settings, documented=True).tolist() == [False, False, True]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 12))
def test_blocks_never_cut_a_position(positions: list[int], rows: int) -> None:
    held = np.array(sorted(positions))
    edges = selection.block_edges(held, rows)
    assert edges[0] == 0 and edges[-1] == len(held) and (np.diff(edges) > 0).all()
    for edge in edges[1:-1]:
        assert held[edge - 1] != held[edge]
    whole = selection.alleles_at(held)
    parts = [selection.alleles_at(held[low:high]) for low, high in pairwise(edges.tolist())]
    assert np.concatenate(parts).tolist() == whole.tolist() == [sorted(positions).count(p) for p in sorted(positions)]


def test_strata__groups_sexes_and_samples_of_no_group() -> None:
    strata = frequencies.strata_of(["a", "b"], np.array([0, 1, -1, 0]), ["male", "female", "female", "male"])
    assert len(strata.group) == 3  # nobody is a woman of a, or of unknown sex
    assert np.bincount(strata.codes)[strata.members("a")].sum() == 2
    assert not strata.members("a", "female").any()
    assert strata.members("all").all() and strata.members("all", "female").sum() == 2
