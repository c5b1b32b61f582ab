"""Scores of pairs against probabilities that are added up allele by allele, and against Picard's sum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.qc.concordance import kernels, likelihood
from cohelix.qc.concordance.fingerprints import n_words
from cohelix.qc.schema import ConcordanceParams
from tests.oracles import fingerprint as plain

FREQUENCY = st.floats(0.01, 0.99)
ERROR = st.floats(1e-4, 0.2)


@given(FREQUENCY, ERROR, ERROR)
def test_scores_are_those_of_families_drawn_allele_by_allele(q: float, array_error: float, wgs_error: float) -> None:
    scores = likelihood.score_tables(np.array([q]), array_error, wgs_error)
    for index, model in enumerate(likelihood.MODELS):
        for cell in range(16):
            expected = plain.site_llr(model, q, cell // 4, cell % 4, array_error, wgs_error)
            assert abs(scores[0, index, cell] / likelihood.SCALE - expected) < 1e-6


def compared(arrays: np.ndarray, wgs: np.ndarray, frequency: np.ndarray, error: float = 0.01) -> likelihood.Compared:
    """Column p of both blocks (0, 1, 2, -9) as pair p."""
    packed = [np.zeros((len(block), n_words(block.shape[1])), np.uint64) for block in (arrays, wgs)]
    for block, out in zip((arrays, wgs), packed, strict=True):
        kernels.pack(block, np.zeros(len(block), bool), out)
    pairs = np.arange(arrays.shape[1])
    return likelihood.compare(*packed, pairs, pairs, likelihood.score_tables(frequency, error, error))


def test_llr_is_picards_lod() -> None:
    rng = np.random.default_rng(2)
    frequency = rng.uniform(0.05, 0.95, 300)
    arrays, wgs = (rng.choice(np.array([0, 1, 2, -9], np.int8), (300, 12), p=[0.3, 0.4, 0.2, 0.1]) for _ in range(2))
    wgs[:, :6] = np.where(rng.random((300, 6)) < 0.95, arrays[:, :6], wgs[:, :6])  # half of them nearly alike
    found = compared(arrays, wgs, frequency)
    for pair in range(12):
        of_array, of_wgs = ([3 if g < 0 else g for g in block[:, pair].tolist()] for block in (arrays, wgs))
        expected = plain.picard_lod(frequency.tolist(), of_array, of_wgs, 0.01)
        assert abs(found.llr[pair, 0] - expected) < 300e-6
        assert (found.llr[pair, 0] > 0) == (pair < 6)
        for index, model in enumerate(likelihood.MODELS):
            of_model = plain.llr(model, frequency.tolist(), of_array, of_wgs, 0.01, 0.01)
            assert abs(found.llr[pair, index] - of_model) < 300e-6
        assert found.concordance[pair] == pytest.approx(plain.concordance(of_array, of_wgs), abs=1e-15)
        non_reference = plain.non_reference_concordance(of_array, of_wgs)
        assert found.non_reference_concordance[pair] == pytest.approx(non_reference, abs=1e-15)


def test_samples_without_a_call_compare_as_nothing() -> None:
    missing = np.full((40, 1), -9, np.int8)
    found = compared(missing, np.ones((40, 1), np.int8), np.full(40, 0.5))
    assert found.n_compared[0] == 0 and found.llr[0].tolist() == [0.0] * 4
    assert math.isnan(found.concordance[0]) and math.isnan(found.non_reference_concordance[0])
    assert likelihood.verdicts(found.n_compared, found.llr[:, 0], ConcordanceParams()).tolist() == ["inconclusive"]


def test_verdicts_turn_at_the_thresholds() -> None:
    params = ConcordanceParams(min_sites=30, match_llr=3, mismatch_llr=-3)
    n = np.array([30, 29, 30, 30, 30, 30])
    llr = np.array([3.1, 99, 3.0, -2.9, -3.0, -99])
    assert likelihood.verdicts(n, llr, params).tolist() == [
        "match", "inconclusive", "inconclusive", "inconclusive", "mismatch", "mismatch",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("llr", "name"),
    [
        ([0, 9, 5, 7], "parent_child"),
        ([0, 5, 9, 7], "full_sibs"),
        ([0, 5, 7, 9], ""),
        ([9, 2, 7, 2], ""),
        ([-9, 3, 2, 1], ""),
    ],
)
def test_only_relatives_of_the_first_degree_are_named(llr: list[float], name: str) -> None:
    assert likelihood.relation_of(np.array(llr, float), 4.0)[0] == name


def test_frequencies_stay_off_the_ends() -> None:
    assert likelihood.frequencies_of(np.array([0, 1, 4]), np.array([4, 4, 4]), 0.02).tolist() == [0.02, 0.25, 0.98]
