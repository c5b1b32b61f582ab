"""Patterns of genotypes against a plain definition of what makes two people the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.pgx import patterns
from cohelix.pgx.genotype import MISSING, NO_CALL, Genotypes
from cohelix.pgx.patterns import distinct
from tests.oracles.pgx_patterns import pattern_of
from tests.pgx.toy import genes, genotypes

DRAWN = genes(most_positions=4, most_alleles=2).flatmap(lambda gene: genotypes(gene, most_people=12))

FEWER = settings(max_examples=60)


def phase_of(people: Genotypes, person: int) -> np.ndarray:
    return people.phase[:, person if people.phase.shape[1] > 1 else 0]


def plain(people: Genotypes) -> list[tuple]:
    n = people.codes.shape[1]
    return [pattern_of(people.codes[:, i], phase_of(people, i), people.alleles) for i in range(n)]


def check(people: Genotypes) -> None:
    """Every person has the pattern that the plain definition gives, each pattern once, in the order met."""
    found, wanted = distinct(people), plain(people)
    order = list(dict.fromkeys(wanted))
    assert found.of_person.tolist() == [order.index(pattern) for pattern in wanted]
    assert found.count.tolist() == [wanted.count(pattern) for pattern in order]
    for i, pattern in enumerate(order):
        phase = found.phase[:, i].copy()
        again = pattern_of(found.codes[:, i], phase if len(phase) > 1 else phase[:1], people.alleles)
        assert again[:2] == pattern[:2]
        assert (bool(found.all_phased[i]), bool(found.phase_sets[i])) == pattern[2:]


@FEWER
@given(DRAWN)
def test_people_share_a_pattern_exactly_when_their_genotypes_are_the_same(people: Genotypes) -> None:
    """Kernels canonical, keys_of and put_patterns."""
    check(people)
    assert len(set(distinct(people).key.tolist())) == len(set(plain(people)))


@FEWER
@given(DRAWN)
def test_patterns_that_share_a_key_stay_apart(people: Genotypes) -> None:
    """A hash that is always 0: only the comparison tells patterns apart."""
    mixed = patterns._mixed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "_mixed", lambda *what: np.zeros_like(mixed(*what)))
        check(people)
        assert not distinct(people).key.any()


def shuffled(people: Genotypes, data: Any) -> Genotypes:
    """The same people: strands of a block swapped, phase sets numbered otherwise, alleles listed in another order."""
    codes, phase = people.codes.copy(), np.broadcast_to(people.phase, people.codes.shape).copy()
    draw = data.draw
    renumbered = {0: 0, 1: 1, 2: draw(st.sampled_from((2, 3, 200))), 3: draw(st.sampled_from((4, 9, 255)))}
    lists, recode = [], []
    for texts in people.alleles:  # REF and the definition's ALTs keep their place; what is unknown comes in any order
        lists.append((*texts[:-1], "TTT", texts[-1]))
        recode.append({len(texts) - 1: len(texts)})
    for i in range(codes.shape[1]):
        swap = {block: draw(st.booleans()) for block in (0, 1, 2, 3)}
        for site in range(len(codes)):
            a, b = (recode[site].get(int(c), int(c)) for c in (codes[site, i] & 15, codes[site, i] >> 4))
            block = int(phase[site, i])
            phase[site, i] = renumbered[block]
            if (a == MISSING) != (b == MISSING):
                block = 1
            if draw(st.booleans()) if block == 0 else swap[block]:
                a, b = b, a
            codes[site, i] = a | b << 4
    return Genotypes(people.gene, codes, phase, tuple(lists))


@FEWER
@given(DRAWN, st.data())
def test_keys_and_canonical_forms_depend_on_nothing_but_the_genotypes(people: Genotypes, data: Any) -> None:
    one, other = distinct(people), distinct(shuffled(people, data))
    assert other.of_person.tolist() == one.of_person.tolist()
    assert other.key.tolist() == one.key.tolist()
    assert np.array_equal(other.phase, one.phase)


@FEWER
@given(DRAWN, st.data())
def test_order_and_blocks_of_people_change_no_key(people: Genotypes, data: Any) -> None:
    n = people.codes.shape[1]
    order = np.array(data.draw(st.permutations(range(n))))
    phase = people.phase if people.phase.shape[1] == 1 else people.phase[:, order]
    whole, turned = distinct(people), distinct(Genotypes(people.gene, people.codes[:, order], phase, people.alleles))
    key = whole.key[whole.of_person]
    assert turned.key[turned.of_person].tolist() == key[order].tolist()
    middle = data.draw(st.integers(0, n))
    halves = [distinct(people.people(0, middle)), distinct(people.people(middle, n))]
    assert np.concatenate([half.key[half.of_person] for half in halves]).tolist() == key.tolist()


def test_half_a_genotype_is_read_as_it_stands() -> None:
    """Kernel canonical: which half is missing means something beside other halves and phased genotypes."""
    left, right = MISSING | 1 << 4, 1 | MISSING << 4  # ./1 and 1/.
    codes = np.array([[left, right, left, right], [left, right, right, left]], dtype=np.uint8)
    people = Genotypes("TOY", codes, np.zeros((2, 1), dtype=np.uint8), (("A", "C"),) * 2)
    assert distinct(people).of_person.tolist() == [0, 0, 1, 1]
    check(people)
    codes, phase = np.array([[left, right], [16, 16]], dtype=np.uint8), np.array([[2, 2], [1, 1]], dtype=np.uint8)
    assert distinct(Genotypes("TOY", codes, phase, people.alleles)).of_person.tolist() == [0, 1]


def test_a_cohort_larger_than_what_is_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of patterns grows (fill_slots); its result is that of one look."""
    rng = np.random.default_rng(7)
    codes = rng.choice(np.array([0, 0, 0, 16, 1, 17, NO_CALL], dtype=np.uint8), (5, 5000))
    people = Genotypes("TOY", codes, np.ones((5, 1), dtype=np.uint8), (("A", "C"),) * 5)
    one = distinct(people)
    monkeypatch.setattr(patterns, "PEOPLE_AT_A_TIME", 37)
    other = distinct(people)
    for name in ("codes", "phase", "key", "count", "of_person", "all_phased", "phase_sets"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert len(one.count) == len(set(plain(people)))
    assert one.count.sum() == 5000


def test_nobody_and_no_genotype() -> None:
    nobody = distinct(Genotypes("TOY", np.empty((3, 0), np.uint8), np.zeros((3, 1), np.uint8), (("A", "C"),) * 3))
    assert len(nobody.key) == len(nobody.of_person) == 0
    missing = Genotypes("TOY", np.full((3, 2), NO_CALL, np.uint8), np.ones((3, 1), np.uint8), (("A", "C"),) * 3)
    found = distinct(missing)
    assert found.count.tolist() == [2]
    assert found.all_phased.tolist() == [False]
