"""The search for partners: the same answer from one matrix product, from many, and from the plain definition."""

from __future__ import annotations

import numpy as np
import pytest

from cohelix.qc.concordance import kernels, likelihood, partners
from cohelix.qc.concordance.fingerprints import n_words
from cohelix.qc.concordance.partners import Linked, Partner
from cohelix.qc.schema import ConcordanceParams
from cohelix.runtime.local import LocalRuntime
from tests.oracles import fingerprint as plain


def packed(block: np.ndarray) -> np.ndarray:
    out = np.zeros((len(block), n_words(block.shape[1])), np.uint64)
    kernels.pack(block, np.zeros(len(block), bool), out)
    return out


def cohort(sites: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two blocks of n samples, some of them equal, and the coarse scores of the fingerprint."""
    rng = np.random.default_rng(n)
    one, other = (rng.choice(np.array([0, 1, 2, -9], np.int8), (sites, n), p=[0.4, 0.35, 0.2, 0.05]) for _ in range(2))
    other[:, : n // 2] = one[:, n // 2 : 2 * (n // 2)]
    other[:, -3:] = other[:, :1]  # one person four times: scores that are equal
    scores = likelihood.score_tables(rng.uniform(0.05, 0.5, sites), 0.01, 0.02)[:, 0]
    return one, other, scores


@pytest.mark.parametrize("kept", [1, 5])
def test_search_finds_the_best_by_definition(kept: int) -> None:
    one, other, scores = cohort(60, 37)
    chosen = np.array([0, 3, 20, 36])
    found = partners.search(packed(one), packed(other), chosen, 37, scores, kept, LocalRuntime(1), candidate_block=10)
    codes = [np.where(block < 0, 3, block) for block in (one, other)]
    for query, rows in zip(chosen, found.tolist(), strict=True):
        of = []
        for column in codes[1].T:
            cells = 4 * codes[0][:, query] + column
            of.append(sum(round(int(scores[site, cell]) / 1000) for site, cell in enumerate(cells)))
        assert rows == plain.best(of, kept)


def test_blocks_threads_and_stretches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, scores = cohort(80, 90)
    chosen = np.arange(0, 90, 2)
    expected = partners.search(packed(one), packed(other), chosen, 90, scores, 4, LocalRuntime(1))
    monkeypatch.setattr(partners, "QUERY_BLOCK", 7)
    monkeypatch.setattr(partners, "_EXACT", 20_000)  # a dozen products for each block, instead of one
    for block, wave, cores in ((1, 5, 2), (13, 100, 2), (64, 9, 1)):
        found = partners.search(
            packed(one), packed(other), chosen, 90, scores, 4, LocalRuntime(cores), candidate_block=block, wave=wave
        )
        assert np.array_equal(found, expected)


def test_products_are_exact_beyond_what_float32_holds() -> None:
    """Scores whose sum passes 2^24: one product in float32 would round it."""
    sites = 40
    scores = np.zeros((sites, 16), np.int64)
    scores[:, 0] = 999_999_000
    scores[0, 5] = 1_000
    one = np.zeros((sites, 2), np.int8)
    one[0, 1] = 1
    other = np.zeros((sites, 3), np.int8)
    other[0, 0] = 1
    other[0, 1] = 1
    runs = partners._stretches(np.abs(np.rint(scores / 1000)).max(axis=1).astype(np.int64))
    assert len(runs) > 1 and [row for low, high in runs for row in range(low, high)] == list(range(sites))
    found = partners.search(packed(one), packed(other), np.array([0, 1]), 3, scores, 3, LocalRuntime(1))
    assert found.tolist() == [[2, 0, 1], [0, 1, 2]]


def test_either_side_is_scored_with_its_own_genotypes_first() -> None:
    """Scores that tell (array 0, genome 1) from (array 1, genome 0): the genome looked for is 1, its array is 0."""
    scores = np.zeros((20, len(likelihood.MODELS), 16), np.int64)
    scores[:, 0, 1], scores[:, 0, 4] = 1_000_000, -1_000_000
    arrays = np.ones((20, 12), np.int8)
    arrays[:, 11] = 0
    links = Linked(np.array([0]), np.array([0]), np.array([False]))
    given = packed(arrays), packed(np.ones((20, 1), np.int8))
    params = ConcordanceParams(min_sites=20, candidates=2)
    found = partners.find_partners("wgs", *given, 12, links, scores, params, LocalRuntime(1))
    assert [(p.partner, p.llr, p.second_llr) for p in found[0]] == [(11, 20.0, 0.0)]


def same(link: int, side: str, sample: int, partner: int) -> Partner:
    return Partner(link, side, sample, partner, 100, 50.0, -20.0, "same", 50.0)


def test_kinds_follow_from_who_is_linked_to_whom() -> None:
    #            swap   shift    unlinked duplicate relative none
    left = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    right = left.copy()
    matches = np.array([False] * 9 + [True])
    found = [
        same(0, "array", 0, 1), same(1, "array", 1, 0), same(0, "wgs", 0, 1), same(1, "wgs", 1, 0),
        same(2, "array", 2, 3), same(3, "array", 3, 4), same(4, "array", 4, 2),
        same(5, "array", 5, 77), same(6, "array", 6, 9),
        Partner(7, "array", 7, 9, 100, -90.0, -200.0, "full_sibs", 12.0), Partner(8, "array", 8),
    ]  # fmt: skip
    kinds, owners = partners.kinds_of(found, Linked(left, right, matches))
    assert kinds == ["swap"] * 4 + ["shift"] * 3 + ["unlinked", "duplicate", "relative", "none"]
    assert owners == [1, 0, 1, 0, 3, 4, 2, -1, 9, -1, -1]
    assert set(kinds) == set(partners.KINDS)
    edges = [(p.link, owner) for p, owner, kind in zip(found, owners, kinds, strict=True) if kind in ("swap", "shift")]
    assert partners.links_involved(10, edges).tolist() == [2, 2, 3, 3, 3, 1, 1, 1, 1, 1]
