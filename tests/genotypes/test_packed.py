"""Packed genotypes: records of every kind read and counted as their plain definitions say; damage is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.errors import ContractError
from cohelix.genotypes.packed import counting, kernels
from cohelix.genotypes.packed.counts import kernels as of_records
from cohelix.genotypes.packed.records import kernels as records
from tests.oracles import packed as plain

SIZES = st.one_of(st.integers(1, 70), st.sampled_from([127, 128, 129, 255, 256, 257, 300, 700]))
KINDS = (0, 1, 2, 3, 4, 6, 7, 8)


@st.composite
def tables(draw: st.DrawFn, most: int = 12) -> tuple[np.ndarray, list[int]]:
    """Genotypes (variants, samples) from 0 to 3, often like those above, and a kind of record for each row."""
    n_samples, n_rows = draw(SIZES), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = np.empty((n_rows, n_samples), np.int64)
    for row in range(n_rows):
        rows[row] = rng.choice(4, n_samples, p=rng.dirichlet([0.3] * 4))
        if row and rng.random() < 0.5:
            rows[row] = np.where(rng.random(n_samples) < 0.9, rows[row - 1], rows[row])
    kinds = [draw(st.sampled_from(KINDS if row else KINDS[:2] + KINDS[4:])) for row in range(n_rows)]
    return rows, kinds


def written(rows: np.ndarray, kinds: list[int]) -> tuple[np.ndarray, ...]:
    """data, starts, ends, kinds as the kernels take them."""
    parts, base = [], rows[0].tolist()
    for row, kind in zip(rows.tolist(), kinds, strict=True):
        parts.append(plain.record(row, kind, base))
        base = base if kind in (2, 3) else row
    ends = np.cumsum([len(part) for part in parts])
    data = np.frombuffer(b"".join(parts) + bytes(8), np.uint8)
    return data, np.concatenate([[0], ends[:-1]]), ends, np.array(kinds, np.uint8)


def decode(rows: np.ndarray, made: tuple[np.ndarray, ...]) -> tuple[int, np.ndarray]:
    out = np.empty((rows.shape[0], -(-rows.shape[1] // 32)), np.uint64)
    return records.decode_rows(*made, rows.shape[1], np.zeros(out.shape[1], np.uint64), out), out


@given(tables())
def test_records_of_every_kind_are_read(table: tuple[np.ndarray, list[int]]) -> None:
    rows, kinds = table
    damaged, out = decode(rows, written(rows, kinds))
    assert damaged == -1
    assert plain.unpack(out, rows.shape[1]) == rows.tolist()
    assert out.tolist() == plain.pack(rows.tolist()).tolist()


@given(tables(), st.data())
def test_records_are_counted_by_group_and_by_sample(table: tuple[np.ndarray, list[int]], data: st.DataObject) -> None:
    rows, kinds = table
    n_samples = rows.shape[1]
    made, reference = written(rows, kinds), np.zeros(-(-n_samples // 32), np.uint64)
    groups = data.draw(st.lists(st.sets(st.integers(0, n_samples - 1)), max_size=3))
    groups += data.draw(st.sampled_from([[], [set(range(n_samples))]]))
    masks = masks_of_sets(groups, n_samples)
    expected = plain.count_groups(rows.tolist(), groups)
    counts = np.full((len(rows), len(groups), 4), -5)
    assert of_records.count_records(*made, n_samples, reference, counting.members_of(masks, n_samples), counts) == -1
    assert counts.tolist() == expected
    assert counting.count_groups(plain.pack(rows.tolist()), masks).tolist() == expected

    classes = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=len(rows), max_size=len(rows))), np.int64)
    tally = np.zeros((3, n_samples, 4), np.int64)
    for turn in (1, 2):
        reference[:] = 0
        assert of_records.tally_records(*made, n_samples, reference, classes, tally) == -1
        assert (tally == turn * np.array(plain.tally(rows.tolist(), classes.tolist(), 3))).all()
    assert (2 * counting.tally_samples(plain.pack(rows.tolist()), classes, 3, n_samples) == tally).all()


@given(tables())
def test_int8_blocks_are_packed(table: tuple[np.ndarray, list[int]]) -> None:
    rows = table[0]
    block = np.where(rows == 3, -9, rows).astype(np.int8)
    out = np.full((len(rows), -(-rows.shape[1] // 32)), 7, np.uint64)
    kernels.pack_rows(block.view(np.uint8), out)
    assert (out == plain.pack(rows.tolist())).all()
    turned = np.asfortranarray(block)
    assert (counting.pack(turned) == out).all() and (counting.pack(block[:0]) == out[:0]).all()


def masks_of_sets(groups: list[set[int]], n_samples: int) -> np.ndarray:
    masks = [counting.masks_of(np.array([-1 + (s in group) for s in range(n_samples)]), 1) for group in groups]
    return np.concatenate([*masks, np.empty((0, -(-n_samples // 32)), np.uint64)])


@given(tables(), st.data())
def test_damaged_records_are_refused_or_read_within_bounds(
    table: tuple[np.ndarray, list[int]], data: st.DataObject
) -> None:
    rows, kinds = table
    content, starts, ends, kind_array = written(rows, kinds)
    n_samples, row = rows.shape[1], data.draw(st.integers(0, len(rows) - 1))
    broken = content.copy()
    for at in data.draw(st.lists(st.integers(int(starts[row]), int(ends[row]) - 1), min_size=1, max_size=4)):
        broken[at] = data.draw(st.integers(0, 255))
    cut = ends.copy()
    cut[row] -= data.draw(st.integers(0, int(ends[row] - starts[row])))
    made = broken, starts, cut, kind_array
    damaged, out = decode(rows, made)
    assert -1 <= damaged < len(rows)
    if damaged == -1 and n_samples % 32:
        assert (out[:, -1] >> np.uint64(2 * (n_samples % 32)) == 0).all()
    # counts agree on what is damaged, but for the sample numbers that counts of everybody do not read
    masks = masks_of_sets([set(range(0, n_samples, 2)), set(range(n_samples))], n_samples)
    counts, reference = np.empty((len(rows), 2, 4), np.int64), np.zeros(out.shape[1], np.uint64)
    found = of_records.count_records(*made, n_samples, reference, counting.members_of(masks, n_samples), counts)
    if n_samples > 1:
        assert found == damaged
    if found == -1:
        assert (counts.sum(axis=2) == [len(range(0, n_samples, 2)), n_samples]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_that_is_cut_off_is_refused(kind: int) -> None:
    rows = np.array([[0, 1, 2, 3] * 50, [1, 1, 2, 3, 0] * 40])
    content, starts, ends, kinds = written(rows, [0, kind])
    for lost in range(1, int(ends[1] - starts[1]) + 1):
        damaged, _ = decode(rows, (content, starts, ends - [0, lost], kinds))
        assert damaged == 1, lost


@pytest.mark.parametrize(
    "content",
    [
        plain.differences([3, 3], [1, 1], 100), plain.differences([3, 100], [1, 1], 100),
        plain.differences([100], [1], 100), plain.varint(101) + bytes(300), b"\xff" * 9, b"", b"\x81",
        plain.differences(list(range(64)) + [63], [1] * 65, 100), plain.differences([1, 2], [1, 1], 100)[:-1],
        plain.differences([1], [1], 100)[:-1],
    ],
)  # fmt: skip
def test_lists_out_of_order_or_range_are_refused(content: bytes) -> None:
    data = np.frombuffer(content + bytes(400), np.uint8)
    samples, values = np.empty(100 + records.ROOM, np.int32), np.empty(100 + records.ROOM, np.uint64)
    assert records.read_differences(data, 0, len(content), 100, samples, values) == -1


@given(tables())
def test_a_record_reads_alone(table: tuple[np.ndarray, list[int]]) -> None:
    rows, kinds = table
    data, starts, ends, _ = made = written(rows, kinds)
    n_samples, expected = rows.shape[1], plain.pack(rows.tolist())
    samples, values = np.empty(n_samples + records.ROOM, np.int32), np.empty(n_samples + records.ROOM, np.uint64)
    reference, dense, alone = np.zeros((3, expected.shape[1]), np.uint64)
    base = 0
    for row, kind in enumerate(kinds):
        base = base if kind in (2, 3) else row
        assert records.decode_dense(*made, row, n_samples, reference, dense, samples, values)
        start, end = starts[row], ends[row]
        assert records.decode_row(data, start, end, kind, n_samples, expected[base], alone, samples, values)
        assert (dense == expected[row]).all() and (alone == expected[row]).all()
        if kind == 1:
            behind = start + 1 + -(-n_samples // 8)
            assert records.bits_place(data, start, end, n_samples) == behind
            assert records.bits_place(data, start, behind - 1, n_samples) == -1
            assert records.bits_place(np.full_like(data, 4), start, end, n_samples) == -1


def test_kind_5_is_refused() -> None:
    rows = np.zeros((1, 5), np.int64)
    data, starts, ends, _ = written(rows, [4])
    assert decode(rows, (data, starts, ends, np.array([5], np.uint8)))[0] == 0


@given(st.integers(1, 300), st.data())
def test_lists_are_read(n_samples: int, data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.integers(0, n_samples - 1))))
    genotypes = data.draw(st.lists(st.integers(0, 3), min_size=len(chosen), max_size=len(chosen)))
    content = plain.differences(chosen, genotypes, n_samples)
    read = np.frombuffer(content + bytes(8), np.uint8)
    samples, values = np.empty(n_samples + records.ROOM, np.int32), np.empty(n_samples + records.ROOM, np.uint64)
    length, width, genotypes_at, _ = places = records.list_places(read, 0, len(content), n_samples)
    assert (length, width) == (len(chosen), 1 + (n_samples > 255))
    records.read_genotypes(read, genotypes_at, length, values)
    assert values.view(np.uint8)[:length].tolist() == genotypes
    assert records.read_samples(read, places, len(content), n_samples, samples)
    assert samples[:length].tolist() == chosen


def test_long_steps_between_samples_are_read() -> None:
    n_samples, chosen = 20_000_000, [5, 6, 133, 134, 16_999, 3_000_000, 3_000_001, 19_999_999]
    content = plain.differences(chosen, [1] * len(chosen), n_samples)
    samples = np.empty(100, np.int32)
    read = np.frombuffer(content + bytes(8), np.uint8)
    assert records.read_samples(
        read, records.list_places(read, 0, len(content), n_samples), len(content), n_samples, samples
    )
    assert samples[: len(chosen)].tolist() == chosen


@given(st.integers(1, 150), st.integers(0, 2**32))
def test_rows_are_split_counted_patched_and_cleared(n_samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    genotypes = rng.integers(0, 4, n_samples).tolist()
    row = plain.pack([genotypes])[0]
    half = -(-row.size // 2)
    low, high = np.empty(half, np.uint64), np.empty(half, np.uint64)
    kernels.split_row(row, low, high)
    for sample, genotype in enumerate(genotypes):
        word, bit = (sample // 32) % half, 2 * (sample % 32) + (sample // 32) // half
        assert (int(low[word]) >> bit & 1) + 2 * (int(high[word]) >> bit & 1) == genotype
    counts, paired = np.empty((1, 4), np.int64), np.full((1, half), kernels.LOW * np.uint64(3))
    kernels.count_planes(low, high, paired, np.array([n_samples]), counts)
    assert counts[0].tolist() == [genotypes.count(value) for value in range(4)]

    changed = sorted(rng.choice(n_samples, n_samples // 3, replace=False).tolist())
    values = np.zeros(n_samples, np.uint64)
    values.view(np.uint8)[: len(changed)] = new = rng.integers(0, 4, len(changed), np.uint8)
    kernels.patch_row(row, len(changed), np.array(changed, np.int32), values)
    for sample, genotype in zip(changed, new.tolist(), strict=True):
        genotypes[sample] = genotype
    assert plain.unpack(row[None], n_samples) == [genotypes]

    full = row.copy()
    if n_samples % 32:
        full[-1] |= np.uint64(2**64 - 4 ** (n_samples % 32))
    kernels.clear_padding(full, n_samples)
    assert full.tolist() == row.tolist()
    assert kernels.number(np.uint64(7)) == 7


@pytest.mark.parametrize("n_rows", [1, 3, 4, 251, 252, 253, 510])
def test_vertical_counters_carry(n_rows: int) -> None:
    """hold_row, empty_counters and settle_tally on many equal rows, where every counter is at its highest."""
    genotypes = [0, 1, 2, 3] * 10
    block = np.repeat(plain.pack([genotypes]), n_rows, axis=0)
    tally = counting.tally_samples(block, np.zeros(n_rows, np.int64), 1, 40)
    assert tally.tolist() == [[[n_rows * (value == g) for value in range(4)] for g in genotypes]]
    again = tally.copy()
    kernels.tally_packed(block, np.zeros(n_rows, np.int64), again)
    assert (again == 2 * tally).all()


@given(tables(), st.integers(0, 3), st.integers(0, 2**32))
def test_weights_are_summed_where_a_genotype_is(table: tuple[np.ndarray, list[int]], value: int, seed: int) -> None:
    rows = table[0].tolist()
    weights = np.random.default_rng(seed).integers(-(2**50), 2**50, (len(rows), 2))
    weights[np.random.default_rng(seed).random(len(rows)) < 0.3] = 0
    out = counting.sum_where(plain.pack(rows), weights, value, len(rows[0]))
    assert out.T.tolist() == [plain.sum_where(rows, kind, value) for kind in weights.T.tolist()]
    again = np.zeros_like(out)
    kernels.sum_matches(plain.pack(rows), weights, value, len(rows[0]), again)
    assert (again == out).all()


@given(tables(), st.integers(0, 2**32))
def test_calls_that_fail_adj_count_as_missing(table: tuple[np.ndarray, list[int]], seed: int) -> None:
    rows, n_samples = table[0], table[0].shape[1]
    rng = np.random.default_rng(seed)
    fails = (rng.random(rows.shape) < 0.3).astype(np.int64)
    groups = [set(np.flatnonzero(rng.random(n_samples) < 0.5).tolist()) for _ in range(2)]
    counts = counting.count_groups_adj(
        plain.pack(rows.tolist()), plain.pack(fails.tolist()), masks_of_sets(groups, n_samples)
    )
    assert counts.tolist() == plain.count_groups(np.where(fails == 1, 3, rows).tolist(), groups)
    masked = np.empty_like(counts)
    none = np.empty((0, -(-n_samples // 32)), np.uint64)
    paired = counting.members_of(masks_of_sets(groups, n_samples), n_samples).paired
    sizes = np.array([len(group) for group in groups])
    kernels.count_masked(plain.pack(rows.tolist()), none, paired, sizes, masked)
    assert masked.tolist() == plain.count_groups(rows.tolist(), groups)


def test_what_does_not_fit_is_refused() -> None:
    block = plain.pack([[0, 1, 2]])
    with pytest.raises(ContractError, match="group numbers from -1 to 1"):
        counting.masks_of(np.array([0, 2]), 2)
    with pytest.raises(ContractError, match="do not fit"):
        counting.count_groups(block, counting.masks_of(np.zeros(40, int), 1))
    with pytest.raises(ContractError, match="do not fit"):
        counting.count_groups_adj(block, plain.pack([[0, 0, 0]] * 2), counting.masks_of(np.zeros(3, int), 1))
    with pytest.raises(ContractError, match="classes -1 to 0"):
        counting.tally_samples(block, np.array([1]), 1, 3)
    with pytest.raises(ContractError, match="do not fit"):
        counting.sum_where(block, np.array([[1], [2]]), 1, 3)
