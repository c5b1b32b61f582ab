"""Two releases together: every pair of tables that agrees with both is tried, of people who only left or only came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cohelix.release.disclosure.differencing import changed_by_few, fits, tells
from cohelix.release.disclosure.suppression import protect
from cohelix.release.disclosure.tables import CountTable, Protected
from tests.oracles import count_tables as plain
from tests.release.test_count_suppression import published, table_of


def renewed(table: CountTable, before: Protected, least: int) -> Protected | None:
    also = changed_by_few(table, before, least)
    now = None if also is None else protect(table, least, also)
    return None if now is None or tells(table, now, before, least) else now


@st.composite
def two_versions(draw):
    """Counts before and after: people only left, or only came."""
    shape = draw(st.sampled_from([(3,), (2, 2)]))
    n = int(np.prod(shape))
    more = np.array(draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)))
    part = np.array([draw(st.integers(0, int(one))) for one in more])
    assume(more.sum() <= 14)
    more, part = more.reshape(shape), part.reshape(shape)
    return (more, part) if draw(st.booleans()) else (part, more)


@settings(max_examples=120, deadline=None)
@given(versions=two_versions(), least=st.integers(2, 4))
def test_two_releases_tell_of_nobody_who_left_or_came(versions, least):
    old, new = versions
    before = protect(table_of(old), least)
    assume(before is not None)
    table = table_of(new)
    now = renewed(table, before, least)
    if now is None:
        return
    firsts = plain.tables_of(old.shape, published(before))
    thens = plain.tables_of(new.shape, published(now))
    left = (firsts[:, None, :] - thens[None, :, :]).reshape(-1, old.size)
    then = np.broadcast_to(thens, (len(firsts), *thens.shape)).reshape(-1, old.size)
    for sign in (1, -1):
        agrees = (sign * left >= 0).all(1)
        if not agrees.any():
            continue
        for place, value in zip(map(tuple, table.places.tolist()), table.values.tolist(), strict=True):
            change = {sign * one for one in plain.values_of(left[agrees], old.shape, place)}
            assert min(change) == 0 or max(change) >= least, (place, published(before), published(now))
            if 0 < value < least:
                could = plain.values_of(then[agrees], old.shape, place)
                assert min(could) <= 1 and max(could) >= least - 1


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(0, 300), min_size=4, max_size=4), place=st.integers(0, 3), n=st.integers(1, 20))
def test_a_few_people_less_are_never_published(counts, place, n):
    assume(counts[place] >= n)
    counts = np.array(counts).reshape(2, 2)
    before = protect(table_of(counts), 21)
    assume(before is not None)
    fewer = counts.copy()
    fewer.flat[place] -= n
    assert renewed(table_of(fewer), before, 21) is None


def test_same_table_again_is_published_again():
    table = table_of([[100, 60, 3], [80, 7, 40]])
    before = protect(table, 21)
    assert renewed(table, before, 21).rows() == before.rows()


def test_few_who_moved_within_a_table_are_hidden():
    """Five people are a year older: two bands have changed by few, and are not shown any more."""
    before = protect(table_of([300, 300, 300, 300]), 21)
    now = renewed(table_of([295, 305, 300, 340]), before, 21)
    assert published(now) == {(-1,): 1240, (0,): None, (1,): None, (2,): 300, (3,): 340}


@pytest.mark.parametrize(("count", "stands"), [(100, True), (300, True), (290, False), (310, False)])
def test_former_table_stands_only_in_a_frame_it_fits(count, stands):
    """Beside a frame of 300, 290 would tell of ten who are not counted, and 310 cannot be."""
    before = protect(table_of([[count, 100]], ((), (1,)), np.array([[400, 400]])), 21)
    table = table_of([[150, 150]], ((), (1,)), np.array([[300, 300]]))
    assert fits(table, before, 21) == stands
