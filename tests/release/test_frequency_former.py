"""Numbers of a site in two releases: they differ by enough people, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import DisclosureError
from cohelix.release.aggregates.frequency_former import changed_people, settle
from cohelix.release.disclosure.site_rule import HIDDEN, Genotypes, shown

LEAST = 5
NAMES = ("ac", "an", "hom", "hemi")


def told(genotypes: list[tuple[int, ...]]) -> dict[str, np.ndarray]:
    hom_ref, het, hom_alt = np.array(genotypes, np.int64).reshape(-1, 3).T
    none, yes = np.zeros(len(hom_ref), np.int64), np.ones(len(hom_ref), bool)
    made = shown(Genotypes(hom_ref, het, hom_alt, none, none, yes, ~yes), LEAST)
    return {name: getattr(made, name) for name in NAMES}


sites = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 30))
pairs = st.lists(st.tuples(sites, sites, st.booleans()), min_size=1, max_size=12)


def cells(numbers: dict[str, np.ndarray]) -> list[tuple[int, ...]]:
    return list(zip(*(numbers[name].tolist() for name in NAMES), strict=True))


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_carried_numbers_differ_by_enough_or_not_at_all(
    drawn: list[tuple[tuple[int, ...], tuple[int, ...], bool]],
) -> None:
    old, new = told([one for one, _, _ in drawn]), told([two for _, two, _ in drawn])
    free = np.array([may for _, _, may in drawn])
    after = settle(new, old, free, LEAST, "carry")
    for was, is_new, now, may in zip(cells(old), cells(new), cells(after), free.tolist(), strict=True):
        assert now in (was, is_new)
        if not may:
            assert now == was
        if HIDDEN not in (was[0], now[0]):
            steps = [now[0] - was[0]]
            if HIDDEN not in (was[2], now[2]):
                het, hom = now[0] - 2 * now[2] - was[0] + 2 * was[2], now[2] - was[2]
                steps += [hom, het, het + hom]  # homozygotes, heterozygotes, carriers
            assert all(step == 0 or abs(step) >= LEAST for step in steps)
        if was[0] != HIDDEN and now[0] == HIDDEN:  # all of 0 ... LEAST - 1 carriers' alleles are far enough from `was`
            assert was[0] - (LEAST - 1) >= LEAST


@settings(max_examples=80, deadline=None)
@given(pairs)
def test_withheld_numbers_do_not_say_which_changed_a_little(
    drawn: list[tuple[tuple[int, ...], tuple[int, ...], bool]],
) -> None:
    old, new = told([one for one, _, _ in drawn]), told([two for _, two, _ in drawn])
    free = np.array([may for _, _, may in drawn])
    after = settle(new, old, free, LEAST, "withhold")
    same = settle(old, old, free, LEAST, "withhold")
    for was, is_new, now, unchanged in zip(cells(old), cells(new), cells(after), cells(same), strict=True):
        assert now[0] == HIDDEN or now == is_new
        if was[0] != HIDDEN and is_new[0] != HIDDEN and 0 < abs(is_new[0] - was[0]) < LEAST:
            assert now == unchanged  # as where nothing changed


def test_a_refusal_counts_what_differs_and_nothing_else() -> None:
    old, new = told([(40, 20, 10), (40, 20, 10)]), told([(40, 21, 10), (40, 20, 10)])
    may = np.ones(2, bool)
    with pytest.raises(DisclosureError, match=r"^1 frequencies"):
        settle(new, old, may, LEAST, "refuse")
    assert cells(settle(old, old, may, LEAST, "refuse")) == cells(old)


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(2, 50))
def test_people_who_changed_are_never_thought_more(new: int, old: int, least: int) -> None:
    guessed = changed_people(new // least * least, old // least * least, least)
    assert 0 <= guessed <= abs(new - old)
    assert guessed >= abs(new - old) - 2 * (least - 1)
