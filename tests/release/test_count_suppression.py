"""What is hidden cannot be worked out: every table that agrees with the published one is tried."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.release.disclosure.binning import binned, confined, protect_binned
from cohelix.release.disclosure.linear import bounds_of, knowledge_of
from cohelix.release.disclosure.suppression import protect
from cohelix.release.disclosure.tables import CountTable, Protected, State, parse
from tests.oracles import count_tables as plain

MARGINS = {
    1: ((), (0,)),
    2: ((), (0,), (1,), (0, 1)),
    3: ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)),
}
MOST = {1: 24, 2: 16, 4: 16, 6: 14, 8: 10, 9: 10}
"""Largest total that is enumerated, by number of base cells."""


def table_of(counts, margins=None, frame=None, given=()) -> CountTable:
    counts = np.asarray(counts)
    names = tuple(tuple(f"{dim}{i}" for i in range(n)) for dim, n in enumerate(counts.shape))
    dims = tuple(f"dim{i}" for i in range(counts.ndim))
    return CountTable("made", dims, names, counts, margins or MARGINS[counts.ndim], frame, given)


def published(made: Protected) -> dict:
    told = zip(map(tuple, made.places.tolist()), made.state.tolist(), made.values.tolist(), strict=True)
    return {place: value if state == State.SHOWN else None for place, state, value in told if state != State.ABSENT}


@st.composite
def counted(draw, shapes=((3,), (4,), (2, 2), (2, 3), (2, 2, 2))):
    shape = draw(st.sampled_from(shapes))
    n = int(np.prod(shape))
    counts = draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))
    most = MOST.get(n, 10)
    while sum(counts) > most:
        counts[counts.index(max(counts))] -= 1
    return np.array(counts).reshape(shape)


@settings(max_examples=150, deadline=None)
@given(counts=counted(), least=st.integers(2, 5))
def test_hidden_cell_is_anything_the_rule_allows(counts, least):
    table = table_of(counts)
    made = protect(table, least)
    if made is None:
        return
    told = published(made)
    assert not [value for value in told.values() if value is not None and 0 < value < least]
    tables = plain.tables_of(counts.shape, told)
    assert (tables == counts.ravel()).all(1).any()
    for place, value in zip(map(tuple, table.places.tolist()), table.values.tolist(), strict=True):
        if 0 < value < least:
            assert set(range(1, least)) <= plain.values_of(tables, counts.shape, place), (place, told)


@settings(max_examples=100, deadline=None)
@given(
    counts=counted(shapes=((3,), (2, 2))),
    more=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    least=st.integers(2, 4),
)
def test_those_of_the_frame_who_are_not_counted_are_hidden_too(counts, more, least):
    frame = counts + np.array(more[: counts.size]).reshape(counts.shape)
    frame = np.where(frame > 0, np.maximum(frame, least), 0)
    table = table_of(counts, MARGINS[counts.ndim][:3], frame)
    made = protect(table, least)
    if made is None:
        return
    told = published(made)
    tables = plain.tables_of(counts.shape, told, frame)
    for place, value, of in zip(
        map(tuple, table.places.tolist()), table.values.tolist(), table.of.tolist(), strict=True
    ):
        could = plain.values_of(tables, counts.shape, place)
        if 0 < value < least:
            assert set(range(1, least)) <= could
        if 0 < of - value < least:
            assert set(range(1, least)) <= {of - one for one in could}
            assert told.get(place) is None


@settings(max_examples=60, deadline=None)
@given(counts=counted(), seed=st.integers(0, 1000))
def test_bounds_are_those_of_all_tables(counts, seed):
    """For whatever pattern of hidden cells, safe or not."""
    table = table_of(counts)
    rng = np.random.default_rng(seed)
    state = np.where(rng.random(len(table.values)) < 0.5, State.HIDDEN, State.SHOWN)
    state = np.where(rng.random(len(state)) < 0.2, State.ABSENT, state)
    state[(table.values == 0) & (state == State.HIDDEN)] = State.SHOWN
    state[0] = State.SHOWN
    told = {
        tuple(place): int(value) if one == State.SHOWN else None
        for place, value, one in zip(table.places.tolist(), table.values, state, strict=True)
        if one != State.ABSENT
    }
    tables = plain.tables_of(counts.shape, told)
    known = knowledge_of(table, state)
    for cell, place in enumerate(map(tuple, table.places.tolist())):
        could = plain.values_of(tables, counts.shape, place)
        assert bounds_of(known, table.members[[cell]].toarray()[0]) == (min(could), max(could))


def test_a_lone_small_cell_takes_another_with_it():
    """Hidden alone, 3 would be the total less the others."""
    made = protect(table_of([100, 60, 3]), 21)
    assert published(made) == {(-1,): 163, (0,): 100, (1,): None, (2,): None}


def test_two_small_cells_whose_sum_tells_take_a_third():
    """1 + 1 hidden alone: each is known to be 1."""
    made = protect(table_of([100, 60, 1, 1]), 21)
    assert published(made) == {(-1,): 162, (0,): 100, (1,): None, (2,): None, (3,): None}


def test_nothing_is_published_of_a_small_total():
    assert protect(table_of([9, 11]), 21) is None
    assert published(protect(table_of([9, 12]), 21)) == {(-1,): 21}


def test_everybody_but_a_few_is_as_telling_as_a_few():
    frame = np.array([[300, 300]])
    told = published(protect(table_of([[100, 295]], ((), (1,)), frame), 21))
    assert told == {(-1, -1): 395}


def test_given_margins_stay():
    """A rare phenotype in one group, where the groups' totals are known."""
    counts = [[300, 200], [40, 5], [30, 30]]
    made = protect(table_of(counts, ((), (1,), (0,), (0, 1)), given=((), (1,))), 21)
    told = published(made)
    assert told[-1, 0] == 370 and told[-1, 1] == 235
    assert told[1, 1] is None and sum(value is None for value in told.values()) >= 4


@settings(max_examples=50, deadline=None)
@given(counts=counted())
def test_rows_read_back(counts):
    made = protect(table_of(counts), 3)
    if made is not None:
        again = parse(made.name, made.dims, made.rows())
        assert again.rows() == made.rows()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 40))
def test_binned_counts_hold_small_ones_in_one_bin(count, least):
    rounded = int(binned(np.array([count]), least)[0])
    assert rounded % (least - 1) == 0 and 0 <= rounded - count < least - 1
    assert (rounded == least - 1) == (0 < count < least)


@settings(max_examples=60, deadline=None)
@given(counts=counted(shapes=((3,), (2, 2))), least=st.integers(3, 5))
def test_binned_tables_are_audited_as_by_enumeration(counts, least):
    table = table_of(counts)
    made = protect_binned(table, least)
    width = least - 1
    total = int(made.values[0])
    every = np.concatenate([plain.compositions(n, counts.size) for n in range(max(0, total - width + 1), total + 1)])
    for place, value in zip(map(tuple, table.places.tolist()), made.values.tolist(), strict=True):
        sums = every[:, plain.members_of(counts.shape, place)].sum(1)
        every = every[(-(-sums // width) * width) == value]
    bad = set(confined(table, least).tolist())
    for cell, (place, value) in enumerate(zip(map(tuple, table.places.tolist()), table.values.tolist(), strict=True)):
        if 0 < value < least:
            could = plain.values_of(every, counts.shape, place)
            assert (cell in bad) == (min(could) > 1 or max(could) < width)
