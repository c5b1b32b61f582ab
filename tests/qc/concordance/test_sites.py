"""Which of the shared sites make the fingerprint."""

from __future__ import annotations

import numpy as np
import pytest

from cohelix.qc.concordance.sites import Candidates, fingerprint_of
from cohelix.qc.schema import ConcordanceParams
from tests.oracles import fingerprint as plain


@pytest.mark.parametrize(("distance", "limit"), [(1, 10), (500, 1000), (2000, 1000), (2000, 15)])
def test_the_most_common_sites_are_taken_first(distance: int, limit: int) -> None:
    rng = np.random.default_rng(limit)
    places = sorted(
        {(int(c), int(p)) for c, p in zip(rng.integers(1, 4, 90), rng.integers(1, 40_000, 90), strict=True)}
    )
    n = len(places)
    contig, position = np.array(places, np.int64).T.copy()
    ac, an, none = rng.integers(1, 20, n), np.full(n, 20), np.zeros(n, np.int64)
    params = ConcordanceParams(min_distance=distance, max_sites=limit, min_sites=5)
    found = fingerprint_of(Candidates(contig, position, none, none, ac, an, none, none), params)
    order = sorted(range(n), key=lambda k: (-min(int(ac[k]), 20 - int(ac[k])), k))
    assert found.tolist() == plain.thin(order, places, distance, limit)
