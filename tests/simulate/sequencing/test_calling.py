"""Calls against the plain definition of their likelihoods."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.simulate.sequencing.calling import COLUMNS, LISTED, LISTED_IN, OTHER, STAR, call, reference_quality
from tests.oracles import sequencing as oracle

counts_of_reads = st.lists(st.integers(0, 40), min_size=COLUMNS, max_size=COLUMNS)


@settings(deadline=None, max_examples=200)
@given(counts_of_reads, st.sampled_from([1, 2]), st.booleans(), st.sampled_from([0.001, 0.01]))
def test_a_call_is_the_likeliest_genotype_of_the_alleles_considered(
    reads: list[int], ploidy: int, spanned: bool, error: float
) -> None:
    found = call(np.array([reads]), np.array([ploidy]), np.array([spanned]), error)
    depth = sum(number for c, number in enumerate(reads) if c != STAR or spanned)
    least = [max(1 if c == STAR else LISTED, depth // LISTED_IN) for c in range(COLUMNS)]
    considered = [c for c in range(1, OTHER) if reads[c] >= least[c] and (c != STAR or spanned)]
    left = [c for c in range(1, COLUMNS) if c not in considered and (c != STAR or spanned)]
    shown = [reads[0], *(reads[c] for c in considered), sum(reads[c] for c in left)]
    expected = np.array(oracle.likelihoods(shown, ploidy, error))
    known = oracle.genotypes(len(shown), ploidy)
    named = [i for i, alleles in enumerate(known) if len(shown) - 1 not in alleles]
    (group,) = found.groups
    assert group.columns == (0, *considered)
    assert group.counts.tolist() == [shown]
    best = int(group.genotype[0])
    # integer costs: each read is off by at most half a thousandth of a phred
    slack = 0.001 * sum(shown) + 0.01
    assert best in named
    assert expected[best] <= expected[named].min() + slack
    assert np.abs(group.likelihood[0] - np.maximum(expected - expected[best], 0)).max() <= 0.5 + slack
    assert found.second[0] == sorted(group.likelihood[0])[1]
    assert found.copies[0].tolist() == [known[best].count(([0, *considered]).index(c)) if c in (0, *considered) else 0
                                        for c in range(OTHER)]  # fmt: skip


def test_of_two_genotypes_alike_the_lower_is_called() -> None:
    none = np.zeros((1, COLUMNS), np.int64)
    found = call(none, np.array([2]), np.array([False]), 0.001)
    assert found.copies[0].tolist() == [2, 0, 0, 0, 0, 0]
    assert found.second[0] == 0


@pytest.mark.parametrize(("ploidy", "per_read"), [(2, 10 * np.log10(2)), (1, 10 * np.log10(0.999 / (0.001 / 3)))])
def test_reference_reads_speak_for_the_reference(ploidy: int, per_read: float) -> None:
    depth = np.arange(0, 40)
    found = reference_quality(depth, np.full(depth.size, ploidy), 0.001)
    assert np.abs(found - depth * per_read).max() < 0.6
