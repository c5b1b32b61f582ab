"""Loops over haplotypes against their plain definitions, and what one person carries."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.simulate import haplotypes, kernels
from cohelix.simulate.haplotypes import Extra, carried_here, copies_along, deletion_spans
from cohelix.simulate.population import NO_COPY, SPANNED, Sites


def sites(*rows: tuple[int, str, tuple[str, ...]]) -> Sites:
    spans = np.array(
        [[1, *(len(r) if len(a) < len(r) else 1 for a in alts), 1][:3] for _, r, alts in rows], np.int64
    ).reshape(-1, 3)
    offset = np.array([row[0] for row in rows], np.int64)
    return Sites(offset, [r for _, r, _ in rows], [a for _, _, a in rows], spans, np.zeros((len(rows), 6)))


@st.composite
def pieces(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    n_sites, n_rows, n_targets = draw(st.integers(0, 12)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    panel = rng.integers(0, 3, (n_rows, n_sites)).astype(np.int8)
    n = draw(st.integers(0, 6))
    low = rng.integers(0, n_sites + 1, n)
    high = np.array([rng.integers(a, n_sites + 1) for a in low.tolist()], np.int64)
    return panel, rng.integers(0, n_targets, n), rng.integers(0, n_rows, n), low, high, np.array(n_targets)


@given(pieces())
@settings(deadline=None)
def test_gather_and_gather_sites(drawn: tuple[np.ndarray, ...]) -> None:
    panel, target, row, low, high, n_targets = drawn
    expected = np.full((int(n_targets), panel.shape[1]), NO_COPY, np.int8)
    for t, r, a, b in zip(target.tolist(), row.tolist(), low.tolist(), high.tolist(), strict=True):
        expected[t, a:b] = panel[r, a:b]
    found = np.full_like(expected, NO_COPY)
    kernels.gather(panel, target, row, low, high, found)
    assert (found == expected).all()
    by_site = np.full(expected.T.shape, NO_COPY, np.int8)
    kernels.gather_sites(np.ascontiguousarray(panel.T), target, row, low, high, by_site)
    assert (by_site.T == expected).all()


@given(pieces())
@settings(deadline=None)
def test_count_alleles(drawn: tuple[np.ndarray, ...]) -> None:
    panel, _, row, low, high, _ = drawn
    expected = np.zeros((panel.shape[1], 2), np.int64)
    for r, a, b in zip(row.tolist(), low.tolist(), high.tolist(), strict=True):
        for s in range(a, b):
            for allele in (1, 2):
                expected[s, allele - 1] += int(panel[r, s] == allele)
    found = np.zeros_like(expected)
    kernels.count_alleles(panel, row, low, high, found)
    assert (found == expected).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 2))
@settings(deadline=None)
def test_two_copies(seed: int, n_copies: int, allele: int) -> None:
    codes = np.random.default_rng(seed).choice([0, 1, 2, NO_COPY, SPANNED], (7, n_copies)).astype(np.int8)
    found = np.empty((7, 2), np.int8)
    kernels.two_copies(codes, allele, NO_COPY, found)
    for line, out in zip(codes.tolist(), found.tolist(), strict=True):
        there = [int(code == allele) for code in line if code != NO_COPY][:2]
        assert out == {0: [-9, -9], 1: there * 2}.get(len(there), there)


def _without_spanned(offset: list[int], spans: np.ndarray, line: list[int]) -> list[int]:
    """Plain definition: a base is gone where some deletion that stands on this haplotype has taken it."""
    out: list[int] = []
    for s, (place, allele) in enumerate(zip(offset, line, strict=True)):
        gone = any(
            out[k] in (1, 2) and spans[k, out[k]] > 1 and offset[k] < place < offset[k] + spans[k, out[k]]
            for k in range(s)
        )
        out.append(allele if allele == NO_COPY else SPANNED if gone else allele)
    return out


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_without_spanned(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offset = np.sort(rng.choice(40, 10, replace=False)).astype(np.int64)
    spans = np.concatenate([np.ones((10, 1), np.int64), rng.choice([1, 1, 4, 9], (10, 2))], axis=1)
    drawn = rng.choice([0, 0, 1, 2, NO_COPY], (3, 10)).astype(np.int8)
    found = drawn.copy()
    kernels.without_spanned(offset, spans, NO_COPY, SPANNED, found)
    assert found.tolist() == [_without_spanned(offset.tolist(), spans, line) for line in drawn.tolist()]


def test_what_a_person_carries() -> None:
    panel = sites((10, "A", ("G",)), (20, "ACGT", ("A",)), (22, "G", ("C",)), (40, "T", ("C", "A")))
    alleles = np.array([[1, 1, SPANNED, 0], [0, 0, 1, 2]], np.int8)
    own = [(Extra(30, "G", "T"), 0), (Extra(23, "T", "A"), 1), (Extra(23, "T", "A"), 0)]
    whole = np.array([[0, 0, 100], [1, 0, 100]])
    here = carried_here(panel, alleles, own, whole, 100)
    assert here.sites.offset.tolist() == [10, 20, 22, 23, 30, 40]
    assert here.alleles.T.tolist() == [[1, 1, SPANNED, SPANNED, 1, 0], [0, 0, 1, 1, 0, 2]]
    assert here.stretches == [(0, 100, 2)]
    assert here.sites.alts[3:5] == [("A",), ("T",)]


def test_sites_of_one_offset_become_one() -> None:
    own = [(Extra(30, "GA", "G"), 0), (Extra(30, "G", "T"), 1)]
    here = carried_here(sites(), np.empty((2, 0), np.int8), own, np.array([[0, 0, 100], [1, 0, 100]]), 100)
    assert (here.sites.ref, here.sites.alts) == (["GA"], [("G", "TA")])
    assert here.alleles.tolist() == [[1, 2]]
    assert here.sites.spans.tolist() == [[1, 2, 1]]


def test_a_copy_that_is_not_there_shows_no_allele() -> None:
    own = [(Extra(30, "G", "T"), 0)]
    cut = np.array([[0, 0, 100], [1, 0, 25], [1, 60, 100]])
    here = carried_here(sites(), np.empty((2, 0), np.int8), own, cut, 100)
    assert here.alleles.tolist() == [[1, NO_COPY]]
    assert here.stretches == [(0, 25, 2), (25, 60, 1), (60, 100, 2)]


def test_stretches_and_spans() -> None:
    assert copies_along(np.empty((0, 3), np.int64), 50) == [(0, 50, 0)]
    assert copies_along(np.array([[0, 0, 50], [1, 0, 30], [1, 30, 50]]), 50) == [(0, 50, 2)]
    panel = sites((10, "ACG", ("A",)), (12, "GT", ("G",)), (20, "A", ("C",)), (30, "AT", ("A",)))
    assert deletion_spans(panel).tolist() == [[10, 14], [30, 32]]


def test_pieces_of_a_panel_are_gathered_by_offset() -> None:
    panel = np.array([[1, 1, 1], [2, 2, 2]], np.int8)
    found = haplotypes.gather_alleles(
        panel, np.array([5, 10, 15]), np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0, 10, 6]),
        np.array([10, 20, 15]), 2,
    )  # fmt: skip
    assert found.tolist() == [[1, 2, 2], [NO_COPY, 2, NO_COPY]]
