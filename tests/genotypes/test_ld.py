"""Pruning by linkage disequilibrium: kernels and the walk over windows, against plain definitions."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.genotypes import plink
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.ld import kernels
from cohelix.genotypes.ld import prune as ld
from cohelix.genotypes.ld.prune import Window
from cohelix.genotypes.packed.counting import pack
from cohelix.genotypes.packed.matrix import matrix_of
from cohelix.runtime.local import LocalRuntime
from tests.oracles import ld as oracle


def genotypes(rng: np.random.Generator, n_sites: int, n_samples: int, missing: float) -> np.ndarray:
    """int8 (sites, samples): runs of correlated variants, constant ones, equal ones, and missing genotypes."""
    block = np.empty((n_sites, n_samples), np.int8)
    for row in range(n_sites):
        frequency = rng.choice([0.05, 0.2, 0.5])
        drawn = rng.binomial(2, frequency, n_samples)
        kept = rng.random(n_samples) < rng.choice([0.0, 0.5, 0.9, 1.0])
        block[row] = np.where(kept, block[row - 1], drawn) if row and rng.random() < 0.7 else drawn
        if rng.random() < 0.2 and row:
            block[row] = 2 - block[row - 1]
        if rng.random() < 0.05:
            block[row] = rng.integers(0, 3)
    block[rng.random(block.shape) < missing * (rng.random((n_sites, 1)) < 0.7)] = -9
    if missing:
        block[rng.integers(n_sites)] = -9
    return block


def held_of(block: np.ndarray) -> tuple[kernels.Held, np.ndarray, int]:
    members = ld._members(block.shape[1])
    held, removed = ld._room(len(block), len(members)), np.zeros(len(block), bool)
    slots = kernels.hold_rows(pack(block), members, 0, 0, held, removed)
    return held, removed, slots


@pytest.mark.parametrize("n_samples", [1, 2, 31, 32, 33, 64, 65, 97, 200])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_planes_counts_and_correlations(n_samples: int, missing: float) -> None:
    rng = np.random.default_rng(n_samples)
    block = genotypes(rng, 20, n_samples, missing)
    held, removed, slots = held_of(block)
    assert removed.tolist() == [oracle.is_constant(row) for row in block.tolist()]
    assert held.site[:slots].tolist() == np.flatnonzero(~removed).tolist()
    room = np.empty(5, np.int64)
    for one in range(slots):
        mine = block[held.site[one]]
        called, coded = mine >= 0, np.where(mine >= 0, 1 - mine, 0).astype(int)
        major = oracle.major_frequency(mine.tolist()) * 2 * int(called.sum())
        assert held.counts[one].tolist() == [called.sum(), coded.sum(), (coded != 0).sum(), major]
        for other in range(slots):
            theirs = block[held.site[other]]
            both = called & (theirs >= 0)
            a, b = 1 - mine[both].astype(int), 1 - theirs[both].astype(int)
            kernels.joint_counts(held.planes[one], held.planes[other], room)
            assert room.tolist() == [both.sum(), a.sum(), (a * a).sum(), b.sum(), (b * b).sum()]
            products = kernels.product_sum(held.planes[one], held.planes[other])
            assert products == (a * b).sum()
            counts = held.counts[one], held.counts[other]
            least, largest = kernels.product_limits(n_samples, *counts)
            up, down = np.sort(coded), np.sort(np.where(theirs >= 0, 1 - theirs, 0).astype(int))
            assert (least, largest) == ((up * down[::-1]).sum(), (up * down).sum())
            r2 = oracle.r_squared(mine.tolist(), theirs.tolist())
            for threshold in (float(r2) * 0.999, float(r2) * 1.001 + 1e-9):
                is_linked = float(r2) > threshold
                assert kernels.linked(held, one, other, n_samples, threshold, room) == is_linked
                for low, high in ((least, largest), (products, products)):
                    may = kernels.may_be_linked(low, high, n_samples, *counts, threshold)
                    assert may or not is_linked
                    if not missing and low == high:
                        assert may == is_linked


def test_windows_of_bases_are_those_of_a_plain_search() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        positions = np.sort(rng.integers(1, 80, rng.integers(2, 25)))
        size = int(rng.integers(1, 40))
        if (np.diff(positions) > size).any():
            continue
        starts, ends = Window(size, in_bases=True).edges(positions)
        room = np.empty((2, len(positions)), np.int64)
        assert kernels.windows_of_bases(positions, size, room[0], room[1]) == len(starts)
        assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == oracle.windows(
            positions.tolist(), size, 1, True
        )


def test_windows_of_variants() -> None:
    for n in range(2, 20):
        for size in range(2, 12):
            for step in range(1, size + 1):
                starts, ends = Window(size, step).edges(np.arange(n))
                found = list(zip(starts.tolist(), ends.tolist(), strict=True))
                assert found == oracle.windows(list(range(n)), size, step, False)


def callset_of(block: np.ndarray, places: list[tuple[int, int]], folder: Path) -> Callset:
    """A callset of `block` (sites, samples) at (chromosome, position), by way of a BED."""
    folder.mkdir()
    codes = np.select([block == 2, block == 1, block == 0], [0, 2, 3], 1).astype(np.uint8)
    padded = np.zeros((len(block), -(-block.shape[1] // 4) * 4), np.uint8)
    padded[:, : block.shape[1]] = codes
    quads = padded.reshape(len(block), -1, 4) << np.array([0, 2, 4, 6], np.uint8)
    (folder / "drawn.bed").write_bytes(b"\x6c\x1b\x01" + quads.sum(axis=2).astype(np.uint8).tobytes())
    bim = [f"{contig}\t{contig}:{position}\t0\t{position}\tG\tA\n" for contig, position in places]
    (folder / "drawn.bim").write_text("".join(bim))
    fam = [f"s{sample:04d}\ts{sample:04d}\t0\t0\t0\t-9\n" for sample in range(block.shape[1])]
    (folder / "drawn.fam").write_text("".join(fam))
    plink.import_bed(str(folder / "drawn"), str(folder / "drawn.callset"), build="GRCh38")
    return open_callset(str(folder / "drawn.callset"))


def places_of(rng: np.random.Generator, n_sites: int) -> list[tuple[int, int]]:
    per = -(-n_sites // 3)
    gaps = rng.choice([1, 7, 60, 400, 5000], (3, per))
    return [(contig + 1, int(at)) for contig in range(3) for at in np.cumsum(gaps[contig])][:n_sites]


SETTINGS = [(Window(10, 3), "0.2"), (Window(5, 5), "0.5"), (Window(50, 1), "0.1"), (Window(300, 1, True), "0.2"),
            (Window(1000, 1, True), "0.05"), (Window(2, 1), "0.9")]  # fmt: skip


@pytest.mark.parametrize(("seed", "missing", "n_samples"), [(1, 0.0, 40), (2, 0.1, 41), (3, 0.3, 7)])
def test_it_keeps_what_the_plain_definition_keeps(
    seed: int, missing: float, n_samples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    block = genotypes(rng, 90, n_samples, missing)
    places = places_of(rng, len(block))
    matrix = matrix_of(callset_of(block, places, tmp_path / "made"))
    positions, contigs = [at for _, at in places], [str(contig) for contig, _ in places]
    for window, r2 in SETTINGS:
        expected = oracle.prune(
            block.tolist(), positions, contigs, window.size, window.step, Fraction(r2), window.in_bases
        )
        assert 0 < sum(expected) < len(block)
        for rows in (1, 4, 33, 1000):
            monkeypatch.setattr(ld, "rows_of_block", lambda _, rows=rows: rows)
            for runtime, together in ((LocalRuntime(1), 20_000), (LocalRuntime(2), 1)):
                monkeypatch.setattr(ld, "_TASK_ROWS", together)
                assert ld.prune(matrix, window, float(r2), runtime).tolist() == expected


def test_ties_keep_the_earlier_and_r2_at_the_threshold_is_not_above_it(tmp_path: Path) -> None:
    one = np.array([0, 1, 2, 0, 1, 2, 0, 0], np.int8)
    other = np.array([0, 1, 2, 0, 1, 2, 0, 1], np.int8)
    block = np.stack([one, 2 - one, other])
    callset = callset_of(block, [(1, 10), (1, 20), (1, 30)], tmp_path / "made")
    matrix, runtime = matrix_of(callset), LocalRuntime(1)
    assert ld.prune(matrix, Window(3), 0.99, runtime).tolist() == [True, False, True]
    exact = float(oracle.r_squared(one.tolist(), other.tolist()))
    assert ld.prune(matrix, Window(3), exact, runtime).tolist() == [True, False, True]
    assert ld.prune(matrix, Window(3), exact * (1 - 1e-9), runtime).tolist() == [False, False, True]


def test_slots_close_ranks() -> None:
    block = genotypes(np.random.default_rng(9), 30, 50, 0.0)
    held, removed, slots = held_of(block)
    before: list[Any] = [array[:slots].copy() for array in held]
    removed[held.site[3]] = removed[held.site[slots - 2]] = True
    start = int(held.site[6])
    left = kernels.close_ranks(start, slots, held, removed)
    stays = np.array([not removed[site] and site >= start for site in before[2]])
    assert left == stays.sum()
    for array, was in zip(held, before, strict=True):
        np.testing.assert_array_equal(array[:left], was[stays])


def test_windows_are_walked_as_far_as_rows_are_loaded() -> None:
    block = genotypes(np.random.default_rng(4), 12, 60, 0.0)
    held, removed, slots = held_of(block)
    starts, ends = Window(4, 2).edges(np.arange(12))
    assert kernels.walk_windows(starts, ends, 0, 7, slots, held, 60, 0.2, removed) == 2
    whole = removed.copy()
    kernels.check_window(held, np.arange(0), 0, 12, 60, 0.2, np.empty(5, np.int64), whole)
    assert (whole == removed).all()
    assert kernels.walk_windows(starts, ends, 2, 12, slots, held, 60, 0.2, removed) == len(starts)
    expected = oracle.prune(block.tolist(), list(range(12)), ["1"] * 12, 4, 2, Fraction("0.2"), False)
    assert (~removed).tolist() == expected
