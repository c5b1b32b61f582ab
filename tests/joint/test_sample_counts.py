"""Counts by region (depth over bases, homozygous calls) and singletons, against plain definitions."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohelix import genome
from cohelix.genome import Bin
from cohelix.joint import coverage, finish
from cohelix.joint.counting import kernels
from cohelix.joint.genotype import kernels as g
from cohelix.joint.overlap import kernels as o
from cohelix.joint.schema import COVERAGE, HOMOZYGOSITY, SAMPLE_COUNTS
from tests.oracles import joint as plain

EXAMPLES = int(os.environ.get("COHELIX_EXAMPLES", "300"))
small = settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

DEPTH = st.sampled_from([None, 0, 9, 10, 19, 20, 29, 30, 500])


@st.composite
def stated(draw: st.DrawFn) -> dict[str, Any]:
    """Variant records that may lie over one another, and blocks that do not overlap."""
    starts = sorted(draw(st.lists(st.integers(0, 30), max_size=5)))
    records = [{"start": at, "ref": "A" * draw(st.integers(1, 12)), "dp": draw(DEPTH)} for at in starts]
    blocks, at = [], 0
    for _ in range(draw(st.integers(0, 6))):
        start = at + draw(st.sampled_from([0, 0, 1, 3]))
        at = start + draw(st.integers(1, 12))
        blocks.append({"start": start, "end": at, "dp": draw(DEPTH)})
    return {"records": records, "blocks": blocks}


def depth(dp: int | None) -> int:
    return -1 if dp is None else dp


@small
@given(st.lists(stated(), min_size=1, max_size=3), st.lists(st.integers(0, 40), min_size=2, max_size=4, unique=True))
def test_each_base_counts_once_with_the_depth_that_is_stated(samples: list[dict[str, Any]], cuts: list[int]) -> None:
    cuts = sorted(cuts)
    stretches = np.array([(a, b, i % 2) for i, (a, b) in enumerate(pairwise(cuts))], np.int64)
    regions = {base: "ab"[place] for low, high, place in stretches.tolist() for base in range(low, high)}
    table = np.zeros((sum(len(s["records"]) for s in samples), o.R_COLUMNS), np.int32)
    found = [(r["start"], r["start"] + len(r["ref"]), depth(r["dp"])) for s in samples for r in s["records"]]
    table[:, [o.R_START, o.R_END, o.R_DP]] = np.array(found, np.int32).reshape(-1, 3)
    blocks = [(b["start"], b["end"], depth(b["dp"])) for s in samples for b in s["blocks"]]
    start, end, dp = np.array(blocks, np.int32).reshape(-1, 3).T.copy()
    at = [np.cumsum([0, *(len(s[name]) for s in samples)], dtype=np.int64) for name in ("records", "blocks")]
    out = np.zeros((len(samples), 2, len(COVERAGE)), np.int64)
    kernels.cover(table, at[0], start, end, dp, at[1], stretches, out)
    for sample, counts in zip(samples, out, strict=True):
        expected = plain.coverage(sample["records"], sample["blocks"], regions)
        assert counts.tolist() == [expected.get(region, [0] * 5) for region in "ab"]


def test_the_bases_of_a_bin_by_region() -> None:
    low, high = genome.par_of("GRCh38", "chrX")[0]
    bin_ = Bin(22, 2_000_000, 3_000_000, "chrX")
    positions = np.array([2_000_000, high - 1, high, 2_999_999], np.int32)
    regions = coverage.regions_of("GRCh38", bin_, None, positions)
    names = [genome.REGIONS[n] for n in regions.numbers]
    assert names == ["x", "x_par"]
    assert [(a, b, names[n]) for a, b, n in regions.stretches.tolist()] == [
        (2_000_000, high, "x_par"),
        (high, 3_000_000, "x"),
    ]
    assert [names[n] for n in regions.of_rows] == ["x_par", "x_par", "x", "x"]
    window = coverage.regions_of("GRCh38", bin_, (high + 5, high + 10), positions[:0])
    assert window.stretches.tolist() == [[high + 5, high + 10, 0]]
    whole = coverage.regions_of("GRCh38", Bin(19, 0, 1_000_000, "20"), None, positions[:0])
    assert (whole.stretches.tolist(), [genome.REGIONS[n] for n in whole.numbers]) == ([[0, 1_000_000, 0]], ["chr20"])
    assert low > 0


CELL = st.sampled_from([*range(-11, 5), *(g.FAILS_ADJ + cell for cell in range(5)), 0, 0, 1, 2])


@small
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_what_needs_the_totals_of_a_row(table: list[list[int]]) -> None:
    cells = np.array(table, np.int8)
    classes = [[cell % g.FAILS_ADJ if cell >= 0 else None for cell in row] for row in table]
    ac = [sum({1: 1, 2: 2, 4: 1}.get(c, 0) for c in row if c is not None) for row in classes]
    an = [sum(2 if c <= 2 else 1 for c in row if c is not None) for row in classes]
    regions = np.arange(len(table), dtype=np.int32) % 2
    substitution = [w % 3 for w in range(len(table))]
    singleton = np.array([s if n == 1 else -1 for s, n in zip(substitution, ac, strict=True)], np.int8)
    weights = finish.homozygosity_weights(np.array(ac), np.array(an))
    counts = np.zeros((cells.shape[1], len(SAMPLE_COUNTS)), np.int64)
    homozygosity = np.zeros((cells.shape[1], 2, len(HOMOZYGOSITY)), np.int64)
    for place in (0, 1):
        homozygosity[:, place] = weights[regions == place].sum(axis=0)
    kernels.finish_rows(cells, regions, singleton, weights, counts, homozygosity)
    for s in range(cells.shape[1]):
        own = [row[s] for row in classes]
        carried = [w for w, c in enumerate(own) if ac[w] == 1 and c in (1, g.HAPLOID_ALT)]
        named = dict(zip(SAMPLE_COUNTS, counts[s].tolist(), strict=True))
        assert named["n_singleton"] == len(carried)
        assert named["n_singleton_transition"] == sum(substitution[w] == 1 for w in carried)
        assert named["n_singleton_transversion"] == sum(substitution[w] == 2 for w in carried)
        for place in (0, 1):
            diploid = [w for w, c in enumerate(own) if c in (0, 1, 2) and 0 < ac[w] < an[w] and w % 2 == place]
            expected = [plain.expected_homozygotes(ac[w], an[w]) for w in diploid]
            assert homozygosity[s, place].tolist() == [
                len(diploid),
                *(sum(round(1_000_000_000 * pair[i]) for pair in expected) for i in (0, 1)),
            ]
