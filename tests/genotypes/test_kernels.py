"""Kernels that read and pack genotypes, against their plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.genotypes import kernels
from tests.oracles import genotypes as plain

ALLELE = st.one_of(st.just("."), st.integers(0, 300).map(str))
GT = st.one_of(ALLELE, st.tuples(ALLELE, st.sampled_from("/|"), ALLELE).map("".join))
FIELD = st.tuples(GT, st.sampled_from(["", ":12", ":99:0,1,2", ":./.", ":"])).map("".join)


def parse(line: bytes, samples: int) -> tuple[int, np.ndarray]:
    alleles = np.zeros((samples, 2), np.int16)
    return int(kernels.parse_gt(np.frombuffer(line, np.uint8), alleles)), alleles


@given(st.lists(FIELD, min_size=1, max_size=12))
def test_gt_is_read_as_its_definition_says(fields: list[str]) -> None:
    bad, alleles = parse("\t".join(fields).encode(), len(fields))
    assert bad == -1
    assert [tuple(row) for row in alleles.tolist()] == [plain.parse_gt(field) for field in fields]


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("0/1\t0/1", 2), ("0/1\t0/1\t0/1\t0/1", 3), ("0/1\t\t0/1", 1), ("0/1\tx\t0/1", 1), ("0/1\t0/1/1\t0/1", 1),
        ("0/\t0/1\t0/1", 0), ("/1\t0/1\t0/1", 0), ("0/1\t0/1\t0/1\t", 3), ("0/1\t0/1\t", 2), ("0-1\t0/1\t0/1", 0),
        ("", 0), ("0/1\t0/1\t0/1 ", 2), ("0/1\t0/1\t-1", 2),
    ],
)  # fmt: skip
def test_gt_that_cannot_be_read_is_found(line: str, bad: int) -> None:
    assert parse(line.encode(), 3)[0] == bad


def test_huge_allele_numbers_stay_out_of_range() -> None:
    bad, alleles = parse(b"99999999999999999999/1", 1)
    assert bad == -1 and alleles[0, 0] == 32767


CALLS = st.lists(st.tuples(st.integers(-1, 4), st.integers(-2, 4)), min_size=1, max_size=30)


@given(CALLS, st.integers(1, 4), st.data())
def test_allele_row_counts_copies(calls: list[tuple[int, int]], allele: int, data: st.DataObject) -> None:
    star = data.draw(st.sampled_from([3, 32767]))
    order = np.array(data.draw(st.permutations(range(len(calls)))), np.int64)
    out = np.zeros(len(calls), np.int8)
    partial = kernels.allele_row(np.array(calls, np.int16), allele, star, order, out)
    expected = [plain.dosage(call, allele, star) for call in calls]
    assert out[order].tolist() == expected
    nothing = [call for call in calls if call in ((-1, -1), (-1, -2))]
    assert partial == expected.count(-9) - len(nothing)


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5, 8, 13])
def test_bed_rows_are_packed_as_plink_says(samples: int) -> None:
    block = plain.random_block(samples, 20, samples)
    out = np.zeros((20, (samples + 3) // 4), np.uint8)
    kernels.pack_bed(block, out)
    assert [row.tobytes() for row in out] == [plain.bed_bytes(row) for row in block.tolist()]
