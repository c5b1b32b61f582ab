"""Genotypes of VCF lines and their merging, against a plain reading of one person at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.pgx.extraction import kernels
from cohelix.pgx.genotype import ABSENT, MISSING, NO_CALL
from tests.oracles import pgx_extraction as plain

PLOIDY = {"autosome": kernels.AUTOSOME, "X": kernels.X, "MT": kernels.HAPLOID}
TEXTS = ["A", "C", None, "G"]
CODES_OF = np.array([0, 1, kernels.UNUSABLE, 3], np.uint8)
ALLELES = ["A", "C", "T", "G"]


@st.composite
def columns(draw: Any) -> tuple[str, str]:
    """(FORMAT, a sample column of it)."""
    form = draw(st.sampled_from(("GT", "GT:PS", "GT:AD", "GT:DP:AD:PS", "GT:PS:AD")))
    allele = st.sampled_from("0113.02")
    gt = draw(allele)
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 1, 2)))):
        gt += draw(st.sampled_from("/|")) + draw(allele)
    values = {
        "GT": gt,
        "PS": draw(st.sampled_from((".", "7", "97079005", "a:b".replace(":", "_")))),
        "DP": "12",
        "AD": draw(st.sampled_from((".", "9,0,0,0", "0,11,0,0", "4,5,0,0", "9,.,.,.", "9,0", "0,0,0,0"))),
    }
    kept = [values[name] for name in form.split(":")]
    return form, ":".join(kept[: draw(st.integers(1, len(kept)))])


@given(st.lists(columns(), min_size=1, max_size=8), st.sampled_from(sorted(PLOIDY)))
def test_read_line_reads_each_genotype_as_a_person_would(drawn: list[tuple[str, str]], ploidy: str) -> None:
    form = drawn[0][0]
    people = [column for own, column in drawn if own == form]
    names = form.split(":")
    fields = tuple(names.index(name) if name in names else 0 for name in ("PS", "AD"))
    n = len(people)
    codes, phase, sets = np.empty(n, np.uint8), np.empty(n, np.uint8), np.empty(n if fields[0] else 0, np.int32)
    counts = np.zeros(len(kernels.REASONS), np.int64)
    line = np.frombuffer("\t".join(people).encode(), np.uint8)
    assert kernels.read_line(line, CODES_OF, PLOIDY[ploidy], fields, codes, phase, sets, counts) == -1
    counts[kernels.HALF_CALL] += kernels.drop_half_references(codes.reshape(1, n))
    expected = [plain.genotype(column, form, TEXTS, ploidy) for column in people]
    assert codes.tolist() == [plain.code(pair, ALLELES) for pair, _ in expected]
    reasons = [reason for _, reason in expected if reason]
    ours = {name: int(count) for name, count in zip(kernels.REASONS, counts, strict=True)}
    assert {name: reasons.count(name) for name in kernels.REASONS if name != "more_than_two_alleles"} == {
        name: count for name, count in ours.items() if name != "more_than_two_alleles"
    }
    assert ours["more_than_two_alleles"] == sum(
        column.split(":")[0].replace("|", "/").count("/") > 1 for column in people
    )
    for at, column in enumerate(people):
        phased = plain.phase(column, form)
        assert phase[at] == (kernels.UNPHASED if phased is None else kernels.PHASED)
        if fields[0]:
            assert (sets[at] >= 0) == (phased not in (None, ""))
            same = [other for other in range(n) if plain.phase(people[other], form) == phased and phased]
            assert all(sets[other] == sets[at] for other in same)


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("0/1\t0/4", 1), ("0/1\tx", 1), ("0/1", 1), ("0/1\t0/1\t0/1", 2), ("0/\t0/1", 0), ("0/1 \t0/1", 0),
        ("0/1\t", 1), ("0/99999999999999\t0/0", 0), ("\t0/0", 0), ("0/1\t0/1:", -1), ("0/1\t0/1:.:.,3", -1),
    ],
)  # fmt: skip
def test_read_line_names_the_column_that_is_no_genotype(text: str, bad: int) -> None:
    codes, phase = np.empty(2, np.uint8), np.empty(2, np.uint8)
    counts = np.zeros(len(kernels.REASONS), np.int64)
    line, nothing = np.frombuffer(text.encode(), np.uint8), np.empty(0, np.int32)
    assert kernels.read_line(line, CODES_OF, kernels.AUTOSOME, (0, 0), codes, phase, nothing, counts) == bad


OLD = [(0, 0), (0, 1), (1, 0), (1, 1), (1, "."), (".", 1), (0, "."), (1, ""), (0, ""), None]
NEW = [(0, 0), (0, 2), (2, 0), (2, 2), (2, "."), (".", 2), (".", 0), (2, 3), (2, ""), (0, ""), None]


@pytest.mark.parametrize("phased", [True, False])
def test_join_rows_joins_rows_of_different_alternates(phased: bool) -> None:
    pairs = [(one, other) for one in OLD for other in NEW]
    codes = np.array([plain.code(one) for one, _ in pairs], np.uint8)
    new = np.array([plain.code(other) for _, other in pairs], np.uint8)
    phase, new_phase = (np.full(len(pairs), phased, np.uint8) for _ in range(2))
    counts, nothing = np.zeros(len(kernels.REASONS), np.int64), np.empty(0, np.int32)
    kernels.join_rows(codes, phase, nothing, new, new_phase, nothing, counts)
    conflicts = 0
    for (one, other), code in zip(pairs, codes.tolist(), strict=True):
        expected = plain.joined(one, other, phased)
        conflicts += expected == "conflict"
        own = plain.code(None if expected == "conflict" else expected)
        unordered = {(code & 15, code >> 4), (code >> 4, code & 15)} if not phased else {(code & 15, code >> 4)}
        assert (own & 15, own >> 4) in unordered, (one, other)
    assert counts[kernels.CONFLICT] == conflicts > 0


def test_keep_first_reads_the_first_genotype_there_is() -> None:
    half, alt = MISSING << 4, MISSING | 1 << 4
    codes = np.array([NO_CALL, 0x00, 0x10, NO_CALL, half, alt], np.uint8)
    new = np.array([0x11, 0x11, NO_CALL, NO_CALL, 0x10, half], np.uint8)
    phase, sets = np.array([0, 1, 1, 0, 0, 0], np.uint8), np.array([-1, -1, 5, -1, -1, -1], np.int32)
    counts = np.zeros(len(kernels.REASONS), np.int64)
    kernels.keep_first(codes, phase, sets, new, np.ones(6, np.uint8), np.full(6, 9, np.int32), counts)
    assert codes.tolist() == [0x11, 0x00, 0x10, NO_CALL, 0x10, alt]
    assert phase.tolist() == [1, 1, 1, 0, 1, 0]
    assert sets.tolist() == [9, -1, 5, -1, 9, -1]
    assert counts[kernels.TWICE] == counts.sum() == 1


def test_place_pairs_and_one_copy_agree_on_how_many_copies_there_are() -> None:
    pairs = [(0, 0), (0, 1), (3, 3), (1, 3), (-1, -1), (2, 0)] * 3
    copies = np.repeat(np.array([0, 1, 2], np.uint8), 6)
    codes, counts = np.empty(18, np.uint8), np.zeros(len(kernels.REASONS), np.int64)
    kernels.place_pairs(np.array(pairs, np.int32), CODES_OF, copies, codes, counts)
    one = [0 | ABSENT << 4, NO_CALL, 3 | ABSENT << 4, NO_CALL, NO_CALL, NO_CALL]
    two = [0x00, 0x10, 0x33, 0x31, NO_CALL, NO_CALL]
    assert codes.tolist() == [NO_CALL] * 6 + one + two
    assert counts[kernels.SEX_UNKNOWN] == 4
    assert counts[kernels.ONE_COPY_HET] == 2
    assert counts[kernels.SYMBOLIC] == 3
    stated, phase = np.array(two * 2 + [0 | ABSENT << 4], np.uint8), np.zeros(13, np.uint8)
    kernels.one_copy(stated, phase, np.array([1] * 6 + [2] * 6 + [1], np.uint8), counts)
    assert stated.tolist() == [*one, *two, 0 | ABSENT << 4]
    assert phase.tolist() == [1, 0, 1] + [0] * 10
    halves = np.array([MISSING | 1 << 4, 0 | MISSING << 4, MISSING | 1 << 4], np.uint8)
    kernels.one_copy(halves, phase[:3], np.array([1, 1, 2], np.uint8), counts)
    assert halves.tolist() == [1 | ABSENT << 4, 0 | ABSENT << 4, MISSING | 1 << 4]
    assert counts[kernels.ONE_COPY_HET] == 4


def test_phase_of_row_and_of_homozygous_genotypes() -> None:
    het, hom, hap = 0x10, 0x11, 1 | ABSENT << 4
    codes = np.array([[het, het, hom, hap, hom], [hom, het, hom, hap, NO_CALL], [0, 0, 0, 0, het]], np.uint8)
    phase = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], np.uint8)
    kernels.phase_of_homozygous(codes, phase)
    assert phase[:, :4].tolist() == [[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 1, 1]]
    assert phase[:, 4].tolist() == [0, 0, 0]
    row = np.array([0, NO_CALL, MISSING << 4 | 1], np.uint8)
    assert kernels.phase_of_row(row, np.array([1, 0, 1], np.uint8)) == 1
    assert kernels.phase_of_row(row, np.array([1, 0, 0], np.uint8)) == 255
    assert kernels.phase_of_row(np.full(3, NO_CALL, np.uint8), np.zeros(3, np.uint8)) == 254


@given(st.lists(st.tuples(st.integers(-1, 3), st.booleans()), min_size=1, max_size=9))
def test_number_sets_counts_from_two_as_sets_are_met(sites: list[tuple[int, bool]]) -> None:
    sets = np.array([[value] for value, _ in sites], np.int32)
    phase = np.array([[phased] for _, phased in sites], np.uint8)
    kernels.number_sets(phase, sets)
    met = list(dict.fromkeys(value for value, phased in sites if phased and value >= 0))
    expected = [0 if not phased else 1 if value < 0 else 2 + met.index(value) for value, phased in sites]
    assert phase[:, 0].tolist() == expected
