"""What a site tells of a group: every cohort that gives a row is written down, and none of its counts is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.release.disclosure.site_rule import HIDDEN, Genotypes, Shown, rounded, shown, together
from tests.oracles import site_worlds

SIZES = [(2, 8), (2, 12), (3, 12), (3, 16), (3, 25), (4, 21), (4, 24), (4, 33), (5, 26), (5, 30)]


def rows_of(told: Shown) -> np.ndarray:
    return np.stack([told.ac, told.an, told.hom, told.hemi], axis=-1)


def diploid(worlds: np.ndarray) -> Genotypes:
    none, yes = np.zeros(len(worlds), np.int64), np.ones(len(worlds), bool)
    return Genotypes(worlds[:, 0], worlds[:, 1], worlds[:, 2], none, none, yes, ~yes)


def haploid(worlds: np.ndarray) -> Genotypes:
    none, yes = np.zeros(len(worlds), np.int64), np.ones(len(worlds), bool)
    return Genotypes(none, none, none, worlds[:, 0], worlds[:, 1], ~yes, yes)


@pytest.mark.parametrize(("least", "people"), SIZES)
def test_no_row_of_two_copies_tells_a_count(least: int, people: int) -> None:
    worlds = site_worlds.worlds(people, len(site_worlds.DIPLOID))
    told = shown(diploid(worlds), least)
    assert (told.ac != HIDDEN).any()
    assert not site_worlds.told_counts(rows_of(told), site_worlds.diploid_counts(worlds), least)


@pytest.mark.parametrize(("least", "people"), SIZES)
def test_no_row_of_one_copy_tells_a_count(least: int, people: int) -> None:
    worlds = site_worlds.worlds(people, len(site_worlds.HAPLOID))
    told = shown(haploid(worlds), least)
    assert (told.ac != HIDDEN).any()
    assert not site_worlds.told_counts(rows_of(told), site_worlds.haploid_counts(worlds), least)


def test_no_row_of_men_and_women_on_x_tells_a_count() -> None:
    women, men = site_worlds.worlds(9, 4), site_worlds.worlds(9, 3)
    two, one = np.divmod(np.arange(len(women) * len(men)), len(men))
    yes = np.ones(len(two), bool)
    counts = Genotypes(*women[two, :3].T, *men[one, :2].T, yes, yes)
    told = shown(counts, 2)
    assert (told.ac != HIDDEN).any()
    everything = site_worlds.diploid_counts(women[two]) | site_worlds.haploid_counts(men[one])
    assert not site_worlds.told_counts(rows_of(told), everything, 2)


@pytest.mark.parametrize(("least", "people"), [(2, 10), (2, 12), (3, 13)])
def test_two_alternate_alleles_of_a_position_tell_no_count_together(least: int, people: int) -> None:
    worlds = site_worlds.worlds(people, len(site_worlds.POSITION) + 1)
    rows = [site_worlds.row_of(worlds, alt) for alt in (1, 2)]
    parts = [np.stack([row[at] for row in rows]) for at in range(3)]  # (rows of the position, worlds)
    none, yes = np.zeros_like(parts[0]), np.ones(parts[0].shape, bool)
    alone = shown(Genotypes(*parts, none, none, yes, ~yes), least)
    told = together(alone, np.array([100, 100]), least)
    assert (told.ac != HIDDEN).all(axis=0).any()
    both = np.concatenate([rows_of(told)[0], rows_of(told)[1]], axis=1)
    assert not site_worlds.told_counts(both, site_worlds.position_counts(worlds), least)
    apart = np.concatenate([rows_of(alone)[0], rows_of(alone)[1]], axis=1)
    assert site_worlds.told_counts(apart, site_worlds.position_counts(worlds), least)  # so that the rule is needed


def test_the_oracle_finds_what_plain_hiding_of_small_counts_tells() -> None:
    worlds = site_worlds.worlds(16, 4)
    ac, called = worlds[:, 1] + 2 * worlds[:, 2], worlds[:, :3].sum(axis=1)
    rows = np.stack([np.where(ac >= 3, ac, HIDDEN), 2 * called], axis=1)
    found = {name for name, _ in site_worlds.told_counts(rows, site_worlds.diploid_counts(worlds), 3)}
    assert {"missing", "hom_ref"} <= found


counts = st.integers(0, 400)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(counts, counts, counts, counts, counts), min_size=1, max_size=6), st.integers(2, 40))
def test_numbers_are_those_of_the_genotypes_and_none_is_small(rows: list[tuple[int, ...]], least: int) -> None:
    hom_ref, het, hom_alt, ref, alt = np.array(rows, np.int64).T
    told = shown(Genotypes(hom_ref, het, hom_alt, ref, alt, hom_ref + het + hom_alt > 0, ref + alt > 0), least)
    seen = told.ac != HIDDEN
    for part in (told.an, told.hemi, told.one):
        assert (part[~seen] == HIDDEN).all()
    assert (told.hom[~seen] == HIDDEN).all()
    assert (told.ac == het + 2 * hom_alt + alt)[seen].all()
    assert (told.an == 2 * rounded(hom_ref + het + hom_alt, least) + rounded(ref + alt, least))[seen].all()
    homs = seen & (told.hom > 0)
    assert (told.hom == hom_alt)[homs].all() and (told.hom[homs] >= least).all() and (het[homs] >= least).all()
    assert ((told.hemi == 0) | (told.hemi >= least))[seen].all()
    assert (told.ac < told.an)[seen].all()  # a frequency is below 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20))
def test_a_count_below_the_least_changes_nothing(carriers: int, others: int) -> None:
    def told(n: int) -> list[int]:
        made = np.array([[2000 - n, n, 0, 0]])
        return rows_of(shown(diploid(made), 21))[0].tolist()  # type: ignore[no-any-return]

    assert told(carriers) == told(others)


def test_rows_of_different_positions_are_left_alone() -> None:
    worlds = np.array([[500, 400, 100, 0]] * 3)
    told = shown(diploid(worlds), 21)
    alone = Shown(*(getattr(told, name)[:, None] for name in ("ac", "an", "hom", "hemi", "one")))
    apart = together(alone, np.array([1, 2, 3]), 21)
    assert all((a == b).all() for a, b in zip(rows_of(apart), rows_of(alone), strict=True))
    both = together(alone, np.array([1, 2, 2]), 21)  # 500 carriers twice, among 1,000
    assert (both.ac[:, 0] != HIDDEN).tolist() == [True, False, False]
