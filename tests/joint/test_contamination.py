"""CHARR and the likelihood of contamination: the sums against plain definitions, and shares that were planted found."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohelix.genome import Bin
from cohelix.joint import coverage, unify
from cohelix.joint.contamination import kernels, model
from cohelix.joint.contamination.profile import profile
from cohelix.joint.contamination.reads import NotedReads, lone_snps
from cohelix.joint.schema import (
    CONTAMINATION_GRID,
    CONTAMINATION_RHO,
    CONTAMINATION_SHEETS,
    CONTAMINATION_SUMS,
    HET_REFERENCE_SHARES,
    MIN_ALT_SHARE,
    READ_ERROR,
    RHO_FLOOR,
    RHO_SPREAD,
    SAMPLE_COUNTS,
)
from cohelix.joint.totals import Totals
from tests.oracles import joint as plain

EXAMPLES = int(os.environ.get("COHELIX_EXAMPLES", "300"))
small = settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

READS = st.sampled_from([-1, 0, 1, 4, 9, 10, 30, 70, 100, 101, 255, 256, 70_000])


@small
@given(st.integers(0, 2**21), st.sampled_from([-3, 0, 1, 2, 3, 4]), st.sampled_from([-1, 0, 19, 20, 99]), READS, READS,
       READS)  # fmt: skip
def test_a_note_says_what_it_was_given(row: int, cell: int, gq: int, dp: int, ref_reads: int, reads: int) -> None:
    def known(value: int) -> int | None:
        return None if value < 0 else value

    found = int(kernels.note(row, cell, gq, dp, ref_reads, reads))
    call = None if cell < 0 else cell - 3 if cell > 2 else cell
    said = plain.noted(plain.Cell(call, cell > 2, "", None, known(gq), known(dp), known(ref_reads), known(reads)))
    if said is None or max(ref_reads, reads) > 255:
        assert found == -1
    else:
        assert (found >> 17, found >> 9 & 255, found >> 1 & 255, bool(found & 1)) == (row, *said)


@pytest.mark.parametrize("n", [10, 11, 29, 64, 100])
def test_the_table_is_the_likelihood_at_the_middle_of_a_bin(n: int) -> None:
    table = model.likelihoods()
    assert kernels.place_of(100, 100) == len(table) - 1
    sheets = table.reshape(len(table), -1, len(CONTAMINATION_SHEETS), len(CONTAMINATION_GRID))
    for bin_ in (0, 7, 14):
        q = 0.05 + (bin_ + 0.5) * 0.06
        assert model.bins_of(np.array([round(q * 1000)]), np.array([1000])).tolist() == [bin_]
        for sheet, (rho, het) in enumerate(CONTAMINATION_SHEETS):
            for place in (0, 9, 24):
                for k in (0, 1, n // 2, int(n * (1 - MIN_ALT_SHARE))):
                    alpha = CONTAMINATION_GRID[place]
                    expected = plain.mixed_reads(k, n, q, alpha, READ_ERROR, MIN_ALT_SHARE, rho, het)
                    found = int(sheets[kernels.place_of(k, n), bin_, sheet, place])
                    assert abs(found - 1e6 * expected) <= 0.51


def test_the_bounds_of_what_is_common() -> None:
    ac, an = np.array([0, 5, 6, 50, 94, 95, 100, 0]), np.array([100] * 7 + [0])
    assert (model.bins_of(ac, an) >= 0).tolist() == [False, False, True, True, True, False, False, False]


@small
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 60), st.booleans()), max_size=12),
       st.integers(0, 12))  # fmt: skip
def test_sums_of_reads(genotypes: list[tuple[int, int, int, bool]], cut: int) -> None:
    genotypes = [one for one in genotypes if one[1] + one[2]]
    ac, an = np.array([10, 50, 96, 199]), np.array([200, 201, 101, 202])
    packed = [(w << 17) | (k << 9) | (reads << 1) | charr for w, k, reads, charr in genotypes]
    at = np.array([0, min(cut, len(packed)), len(packed)], np.int64)
    counts = np.zeros((2, len(SAMPLE_COUNTS)), np.int64)
    sums = np.zeros((2, 1 + CONTAMINATION_SUMS), np.int64)
    bins, table = model.bins_of(ac, an), model.likelihoods()
    kernels.sum_reads(np.array(packed, np.int64), at, ac, an, bins, table, counts, sums)
    for s in (0, 1):
        own = [one for one in genotypes[at[s] : at[s + 1]] if 0.05 < ac[one[0]] / an[one[0]] < 0.95]
        named = dict(zip(SAMPLE_COUNTS, counts[s].tolist(), strict=True))
        terms = [plain.charr(k, reads, ac[w], an[w]) for w, k, reads, charr in own if charr]
        assert named["n_charr"] == len(terms)
        assert abs(named["charr_sum_nano"] - 1e9 * sum(terms)) <= len(terms)
        used = [(w, k, reads) for w, k, reads, _ in own if 10 <= k + reads <= 100 and reads >= (k + reads) / 4]
        assert sums[s, 0] == len(used)
        lines = [table[kernels.place_of(k, k + reads), bins[w]].astype(np.int64) for w, k, reads in used]
        assert sums[s, 1:].tolist() == np.sum([np.zeros(CONTAMINATION_SUMS, np.int64), *lines], axis=0).tolist()


CURVES = st.lists(st.integers(-50_000_000, 0), min_size=CONTAMINATION_SUMS, max_size=CONTAMINATION_SUMS)


@settings(small, max_examples=20)
@given(CURVES, st.sampled_from([0, 24]))
def test_the_best_of_what_else_is_not_known(values: list[int], lifted: int) -> None:
    size = len(CONTAMINATION_GRID)
    sums = np.array([values], np.int64)
    sums[:, lifted::size] += 100_000_000  # this share is the best
    grid, rho = profile(sums)
    for place in range(size):
        at = dict(zip(CONTAMINATION_SHEETS, (sums[0, place::size] / 1e6).tolist(), strict=True))
        middle = HET_REFERENCE_SHARES[1]
        gain = plain.parabola(list(HET_REFERENCE_SHARES), [at[0.0, s] for s in HET_REFERENCE_SHARES])[0] - at[0, middle]
        prior = [math.exp(-(rho**2) / (2 * RHO_SPREAD**2)) + RHO_FLOOR for rho in CONTAMINATION_RHO]
        leaning = [at[rho, middle] + math.log(p / prior[1]) for rho, p in zip(CONTAMINATION_RHO, prior, strict=True)]
        height, where = plain.parabola(list(CONTAMINATION_RHO), leaning)
        assert abs(int(grid[0, place]) - 1e6 * (height + gain)) <= 0.51
        if place == lifted:
            assert np.isnan(rho[0]) if place == 0 else rho[0] == pytest.approx(where, abs=1e-9)


def test_without_reads_nothing_is_said_of_another_person() -> None:
    grid, rho = profile(np.zeros((2, CONTAMINATION_SUMS), np.int64))
    assert not grid.any() and np.isnan(rho).all()


def genotypes_of(kind: str, q: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Copies that the sample and the other person carry. groups: two ancestries whose frequencies differ as they do
    where Fst is 0.1, half the cohort each. rare: both of an ancestry that is rare in the cohort.
    """
    own = theirs = q
    if kind in ("groups", "rare"):
        theirs = rng.beta(9 * q, 9 * (1 - q))
        own = np.clip(2 * q - theirs, 0, 1) if kind == "groups" else theirs
    first, second = rng.binomial(1, own), rng.binomial(1, own)
    other = rng.binomial(1, theirs, (2, q.size))
    if kind == "parent":
        other[0] = first
    if kind == "sibling":
        other = np.where(rng.random(other.shape) < 0.5, [first, second], other)
    return first + second, other.sum(axis=0)


def planted(
    alpha: float, rng: np.random.Generator, n_sites: int = 4000, kind: str = "strangers", het: float = 0.52
) -> tuple[Any, ...]:
    """(ac, an, noted) of one sample of which another person has a share alpha, called as a caller would."""
    q = rng.uniform(0.06, 0.94, n_sites)
    shown = np.array([0.9997, het, 0.0003])  # errors and a pull to the reference that the model does not know
    mine, other = genotypes_of(kind, q, rng)
    n = rng.poisson(30, n_sites)
    k = rng.binomial(n, (1 - alpha) * shown[mine] + alpha * shown[other])
    fit = [k * np.log(p) + (n - k) * np.log(1 - p) for p in (0.998, 0.5, 0.002)]
    called = np.argmax(fit + np.array([[0.0], [-6.9], [-7.6]]), axis=0)  # priors of one variant in a thousand bases
    noted = [
        int(kernels.note(w, int(called[w]), 60, int(n[w]), int(k[w]), int(n[w] - k[w])))
        for w in range(n_sites)
        if called[w] > 0
    ]
    return np.rint(2000 * q).astype(np.int64), np.full(n_sites, 2000), np.array([v for v in noted if v >= 0], np.int64)


def found_in(ac: np.ndarray, an: np.ndarray, noted: np.ndarray) -> tuple[float, float]:
    """(share, rho): where the parabola through the highest point of the grid and its neighbours is highest."""
    sums = np.zeros((1, 1 + CONTAMINATION_SUMS), np.int64)
    counts = np.zeros((1, len(SAMPLE_COUNTS)), np.int64)
    at = np.array([0, noted.size], np.int64)
    kernels.sum_reads(noted, at, ac, an, model.bins_of(ac, an), model.likelihoods(), counts, sums)
    assert sums[0, 0] > 1500
    grid, rho = profile(sums[:, 1:])
    i = int(np.clip(np.argmax(grid), 1, grid.size - 2))
    a, b, _ = np.polyfit(np.array(CONTAMINATION_GRID)[i - 1 : i + 2], grid[0, i - 1 : i + 2].astype(float), 2)
    return 0.0 if np.argmax(grid) == 0 else float(-b / (2 * a)), float(rho[0])


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.03, 0.1, 0.15])
def test_a_planted_share_is_found(alpha: float) -> None:
    rng = np.random.default_rng(round(alpha * 1000))
    for het in (0.5, 0.52, 0.53):
        share, rho = found_in(*planted(alpha, rng, het=het))
        assert abs(share - alpha) < 0.01
        assert np.isnan(rho) if alpha == 0 else abs(rho) < 0.1


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("sibling", 0.4, 0.5), ("parent", 0.35, 0.5), ("rare", 0.1, 0.35), ("groups", -0.25, -0.05)],
)
def test_a_tenth_is_found_whoever_the_other_person_is(kind: str, low: float, high: float) -> None:
    rng = np.random.default_rng(8)
    shares, rhos = zip(*(found_in(*planted(0.1, rng, kind=kind)) for _ in range(5)), strict=True)
    assert all(abs(share - 0.1) < 0.025 for share in shares), shares
    assert abs(np.mean(shares) - 0.1) < 0.0125
    assert low <= np.median(rhos) <= high


@pytest.mark.parametrize("held", [0, 1 << 20])
def test_reads_are_summed_from_memory_and_from_the_scratch_folder(tmp_path: Any, held: int) -> None:
    ac, an, noted = planted(0.05, np.random.default_rng(5), 300)
    reads = NotedReads(tmp_path, held)
    half = noted.size // 2
    padded = np.concatenate([noted, noted[:7]])  # the kernel's array is longer than what it fills
    reads.add(np.array([2, 0]), padded, np.array([0, half, noted.size]))
    reads.add(np.array([1]), noted, np.array([0, noted.size]))
    totals = Totals.none(3, np.array([0]))
    reads.sum_into(totals, ac, an)
    assert len(list(tmp_path.iterdir())) == (2 if held == 0 else 0)
    assert totals.contamination[1, 0] > 100 and totals.samples[1].any()
    assert (totals.contamination[0] + totals.contamination[2] == totals.contamination[1]).all()
    assert (totals.samples[0] + totals.samples[2] == totals.samples[1]).all()


def test_a_lone_snp_is_autosomal_and_the_only_row_that_changes_its_base() -> None:
    def row(position: int, ref: str, alt: str) -> unify.Row:
        start, r, a = plain.trim(position, ref, alt)
        return unify.Row(position, ref, alt, (start, r.encode(), a.encode()))

    rows = [row(10, "A", "C"), row(20, "A", "C"), row(20, "A", "G"), row(30, "A", "C"), row(30, "AG", "A"),
            row(39, "TA", "T"), row(40, "A", "G"), row(50, "A", "AT")]  # fmt: skip
    positions = np.array([r.position for r in rows], np.int32)
    for contig, lone in (("chr1", [0, 3]), ("20", [0, 3]), ("chrX", [])):
        regions = coverage.regions_of("GRCh38", Bin(0, 0, 1000, contig), None, positions)
        assert np.flatnonzero(lone_snps(rows, regions)).tolist() == lone
