"""What is withheld cannot be worked out; bins of distance; groups."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.errors import ConfigError
from cohelix.genotypes.inputs import Groups
from cohelix.prs.evaluate.strata import (
    NOT_KNOWN,
    centre_of,
    distances,
    mean_distances,
    of_distance,
    of_groups,
    strata_of,
    suppressed,
)
from tests.oracles import prs_evaluate as plain

COUNTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8)


@given(COUNTS, st.booleans())
def test_no_small_count_stands_or_follows_from_the_total(cells: list[tuple[int, int]], binary: bool) -> None:
    counts = [(a + b, a, b) if binary else (a + b,) for a, b in cells]
    hidden = suppressed(np.array(counts), 21)
    assert hidden.all() or not plain.could_be_told(counts, hidden.tolist(), 21)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[500], [300], [100]], [False, False, False]),
        ([[500], [300], [20]], [False, True, True]),  # 20 would be the total less the others
        ([[500], [300], [5], [6]], [False, True, True, True]),  # 11 would be
        ([[500], [300], [15], [16]], [False, False, True, True]),
        ([[500], [300], [0]], [False, False, False]),
        ([[500], [0], [5]], [True, False, True]),  # a stratum of nobody hides nothing
        ([[8], [7]], [True, True]),
        ([[200, 100, 100], [150, 5, 145], [300, 100, 200]], [True, True, False]),
        ([[200, 0, 200], [300, 100, 200]], [False, False]),
    ],
)
def test_which_strata_are_withheld(counts: list[list[int]], expected: list[bool]) -> None:
    assert suppressed(np.array(counts), 21).tolist() == expected


def test_people_without_a_group_are_a_stratum() -> None:
    partition = of_groups(Groups(["afr", "eur"], np.array([0, 1, -1, 1], np.int32)))
    assert partition.names == ("afr", "eur", NOT_KNOWN) and partition.codes.tolist() == [0, 1, 2, 1]
    strata = strata_of(partition, np.array([1, 2, 3]), np.array([True, False, False]), 1)
    assert [(one.name, one.n, one.n_cases) for one in strata] == [("afr", 0, 0), ("eur", 2, 1), (NOT_KNOWN, 1, 0)]


def test_distance_is_euclidean_and_bins_are_equal() -> None:
    rng = np.random.default_rng(1)
    components = rng.normal(size=(103, 3))
    components[5] = np.nan
    centre, source = centre_of(components, given=[0.5, 0.0, -0.5]) or (None, "")
    assert centre is not None and source == "given"
    distance = distances(components, centre)
    expected = [float(np.linalg.norm(row - [0.5, 0.0, -0.5])) for row in components]
    assert distance == pytest.approx(expected, nan_ok=True)
    partition = of_distance(distance, 10)
    assert partition.names == ("01", "02", "03", "04", "05", "06", "07", "08", "09", "10", NOT_KNOWN)
    sizes = np.bincount(partition.codes)
    assert set(sizes[:10]) == {10, 11} and sizes[10] == 1
    ends = [distance[partition.codes == place] for place in range(10)]
    assert all(one.max() <= other.min() for one, other in pairwise(ends))
    assert list(mean_distances(partition, distance, 11)) == [
        partition.names[place] for place in range(10) if sizes[place] == 11
    ]


def test_where_the_centre_is_from() -> None:
    components = np.array([[0.0, 0.0], [2.0, 4.0], [4.0, 0.0], [np.nan, 0.0]])
    groups = Groups(["a", "b"], np.array([0, 1, 1, -1], np.int32))
    found = centre_of(components, groups=groups, group="b")
    assert found is not None and found[0].tolist() == [3.0, 2.0]
    found = centre_of(components, reference=np.array([[1.0, 1.0, 9.0], [3.0, 5.0, 9.0]]))
    assert found is not None and found[0].tolist() == [2.0, 3.0]
    assert centre_of(components) is None
    for asked in ({"group": "c", "groups": groups}, {"given": [1.0]}, {"reference": np.zeros((2, 1))}, {"group": "b"}):
        with pytest.raises(ConfigError):
            centre_of(components, **asked)  # type: ignore[arg-type]
