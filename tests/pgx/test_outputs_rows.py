"""Rows of people from patterns and answers: each value as a plain reading of the person's genotypes has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cohelix.pgx.definition import Gene, Position
from cohelix.pgx.outputs.rows import rows
from cohelix.pgx.patterns import Patterns
from cohelix.pgx.schema import ANSWERS, CALLS, PHENOTYPES, CallParams

M, A = 15, 14  # missing, no second allele
PLACES = (100, 205, 310)
ALLELES = (("A", "C", "T"), ("G", "A"), ("CT", "C", "CTT", "CTTT"))  # the last of sites 0 and 2 is undocumented


def gene(symbol: str = "CYP2C19") -> Gene:
    known = (("C",), ("A",), ("C", "CTT"))
    places = tuple(
        Position("chr1", place, "rs", alleles[0], alts, alts)
        for place, alleles, alts in zip(PLACES, ALLELES, known, strict=True)
    )
    return Gene(symbol, "chr1", "autosome", "standard", places, (), False, "clinpgx", "2025-11-05")


def patterns(columns: list[list[tuple[int, int]]], phase: list[list[int]], phased: list[bool], sets: list[bool],
             of_person: list[int]) -> Patterns:  # fmt: skip
    codes = np.array([[first | second << 4 for first, second in column] for column in columns], np.uint8).T
    m = codes.shape[1]
    return Patterns(
        "g", codes, np.array(phase, np.uint8).T, np.array(phased), np.array(sets),
        2 * (np.arange(m, dtype=np.uint64) + 1000), np.ones(m, np.int64), np.array(of_person, np.int32), ALLELES,
    )  # fmt: skip


ANSWER_ROWS: list[dict[str, Any]] = [
    {"status": "called", "diplotypes": ["*1/*2", "*3/*4"], "scores": [9, 7], "n_top": 1, "warnings": ["w"]},
    {"status": "ambiguous", "diplotypes": ["*1/*2", "*1/*3", "*5/*6"], "scores": [4, 4, 2], "n_top": 2},
    {"status": "no_call_no_match", "diplotypes": [], "scores": [], "n_top": 0},
    {"status": "haplotypes", "diplotypes": [], "scores": [], "n_top": 0, "haplotypes": ["x", "y"]},
    {"status": "called", "diplotypes": ["*7/*7"], "scores": [6], "n_top": 1},
]
MEANING_ROWS: list[dict[str, Any]] = [
    {"reported": [f"r{i}"], "function1": ["Normal function"], "function2": [f"f{i}"], "activity_scores": [i / 2],
     "phenotypes": [f"p{i}"], "activity_score": i / 2, "phenotype": f"p{i}" if i != 2 else None}
    for i in range(5)
]  # fmt: skip


def table(found: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(found, schema)


def solved(found: Patterns, answer: list[int]) -> Any:
    return SimpleNamespace(patterns=found, answers=table(ANSWER_ROWS, ANSWERS), answer=np.array(answer, np.int32))


REF = (0, 0)
COLUMNS = [
    [REF, (0, 1), (1, 0)],  # 0 phased, two sites
    [(0, 1), REF, (M, M)],  # 1 one unphased heterozygous site, one missing
    [(0, 1), (0, 1), REF],  # 2 two unphased
    [(0, 1), (1, 0), REF],  # 3 two sets
    [(M, M), (M, M), (M, M)],  # 4 nothing
    [(2, 0), (M, A), (3, 12)],  # 5 undocumented alleles, a haploid missing one
    [(0, 1), (1, 0), REF],  # 6 one set: only one way to read it
    [(0, M), REF, REF],  # 7 half a genotype: not missing
]
PHASE = [[0, 1, 1], [0, 0, 0], [0, 0, 0], [2, 3, 0], [0, 0, 0], [1, 0, 1], [2, 2, 0], [0, 0, 0]]
ALL_PHASED = [True, False, False, True, True, True, True, False]
SETS = [False, False, False, True, False, False, True, False]
OF_PERSON = [3, 0, 1, 2, 2, 4, 5, 6, 7, 0]
ANSWER = [0, 0, 0, 1, 2, 4, 3, 4]
PEOPLE = pa.array([f"s{i}" for i in range(len(OF_PERSON))])


def made(symbol: str = "CYP2C19", **more: Any) -> list[dict[str, Any]]:
    one = solved(patterns(COLUMNS, PHASE, ALL_PHASED, SETS, OF_PERSON), ANSWER)
    found = rows(gene(symbol), one, table(MEANING_ROWS, PHENOTYPES), PEOPLE, CallParams(), **more)
    assert found.schema.equals(CALLS)
    found.validate(full=True)
    return list(found.to_pylist())


def test_what_follows_from_the_answer() -> None:
    for row, pattern in zip(made(), OF_PERSON, strict=True):
        said, meant = ANSWER_ROWS[ANSWER[pattern]], MEANING_ROWS[ANSWER[pattern]]
        assert row["status"] == said["status"]
        assert row["diplotypes"] == said["diplotypes"][: said["n_top"]]
        assert (row["candidates"], row["scores"]) == (said["diplotypes"], said["scores"])
        assert row["haplotypes"] == said.get("haplotypes") and row["warnings"] == said.get("warnings")
        assert {name: row[name] for name in meant} == meant
        assert (row["gene"], row["definition"], row["source"]) == ("CYP2C19", "clinpgx/2025-11-05", "matcher")
        assert row["pattern"] == 1000 + pattern and row["copy_number"] is None
    assert [row["sample_id"] for row in made()] == PEOPLE.to_pylist()


def test_what_is_not_seen_is_listed_once_and_in_order() -> None:
    by_pattern = dict(zip(OF_PERSON, made(), strict=True))
    assert [by_pattern[i]["missing"] for i in range(8)] == [[], [310], [], [], [100, 205, 310], [205], [], []]
    assert all(row["n_missing"] == len(row["missing"]) and row["n_positions"] == 3 for row in by_pattern.values())
    assert by_pattern[5]["undocumented"] == ["100:T", "310:CTTT", "310:other"]
    assert [i for i in range(8) if by_pattern[i]["undocumented"]] == [5]


def test_phase_counts_what_can_be_read_in_two_ways() -> None:
    by_pattern = dict(zip(OF_PERSON, made(), strict=True))
    assert [by_pattern[i]["phase"] for i in range(8)] == [
        "phased", "effectively_phased", "unphased", "phase_sets", None, "phased", "effectively_phased",
        "effectively_phased",
    ]  # fmt: skip


def test_confidence_is_the_worst_that_holds() -> None:
    by_pattern = dict(zip(OF_PERSON, made(), strict=True))
    assert [by_pattern[i]["confidence"] for i in range(8)] == [
        "high",  # other candidates, but the phase is known
        "missing_positions", "phase_assumed", "ambiguous", "none", "missing_positions", "high", "high",
    ]  # fmt: skip


def test_cyp2d6_of_small_variants_says_so() -> None:
    found = made("CYP2D6")
    assert {row["source"] for row in found} == {"snv_only"}
    assert {row["confidence"] for row in found} == {"snv_only", "none"}


def outside(sample_ids: tuple[str, ...]) -> Any:
    answers = [
        {"status": "outside", "diplotypes": ["*1x2/*4"], "scores": [], "n_top": 1, "haplotypes": None},
        {"status": "outside", "diplotypes": ["*1/*4", "*2/*5"], "scores": [], "n_top": 2},
    ]
    return SimpleNamespace(
        sample_ids=sample_ids, answers=table(answers, ANSWERS), meanings=table(MEANING_ROWS[3:], PHENOTYPES),
        answer=np.array([1, 0, 0][: len(sample_ids)], np.int32), copy_number=np.array([-1, 3, -1], np.int32),
        tool=("cyrius",) * 3,
    )  # fmt: skip


def test_outside_calls_stand_before_ours_and_what_was_seen_stays() -> None:
    found, plain = made("CYP2D6", outside=outside(("s2", "s1", "elsewhere"))), made("CYP2D6")
    for row, before in zip(found, plain, strict=True):
        if row["sample_id"] not in ("s1", "s2"):
            assert row == before
            continue
        assert (row["status"], row["source"], row["phase"]) == ("outside", "outside", None)
        for name in ("missing", "n_missing", "undocumented", "pattern", "n_positions"):
            assert row[name] == before[name]
    assert (found[1]["diplotypes"], found[1]["copy_number"], found[1]["confidence"]) == (["*1x2/*4"], 3, None)
    assert (found[2]["diplotypes"], found[2]["copy_number"]) == (["*1/*4", "*2/*5"], None)
    assert (found[1]["phenotype"], found[2]["phenotype"]) == ("p3", "p4")
    assert found[2]["confidence"] == "ambiguous"


@pytest.mark.parametrize("people", [("s5", "s0"), ()])
def test_a_gene_that_is_called_elsewhere_has_rows_of_those_called(people: tuple[str, ...]) -> None:
    found = rows(gene("HLA-A"), None, None, PEOPLE, CallParams(), outside(people))
    found.validate(full=True)
    assert found.schema.equals(CALLS)
    listed = found.to_pylist()
    assert [row["sample_id"] for row in listed] == sorted(people)
    assert [row["diplotypes"] for row in listed] == ([["*1x2/*4"], ["*1/*4", "*2/*5"]] if people else [])
    assert all(row["missing"] == [] and row["phase"] is None and row["pattern"] is None for row in listed)


def test_nobody() -> None:
    empty = patterns(COLUMNS, PHASE, ALL_PHASED, SETS, [])
    found = rows(gene(), solved(empty, ANSWER), table(MEANING_ROWS, PHENOTYPES), PEOPLE[:0], CallParams())
    assert found.num_rows == 0 and found.schema.equals(CALLS)


def test_rows_are_the_same_however_answers_are_chunked_and_people_split() -> None:
    whole = rows(gene(), solved(patterns(COLUMNS, PHASE, ALL_PHASED, SETS, OF_PERSON), ANSWER),
                 table(MEANING_ROWS, PHENOTYPES), PEOPLE, CallParams())  # fmt: skip
    parts = []
    for first, last in ((0, 4), (4, 10)):
        one = solved(patterns(COLUMNS, PHASE, ALL_PHASED, SETS, OF_PERSON[first:last]), ANSWER)
        one.answers = pa.concat_tables([one.answers.slice(0, 2), one.answers.slice(2)])
        meant = table(MEANING_ROWS, PHENOTYPES)
        meant = pa.concat_tables([meant.slice(0, 3), meant.slice(3)])
        parts.append(rows(gene(), one, meant, PEOPLE[first:last], CallParams()))
    assert pa.concat_tables(parts).to_pylist() == whole.to_pylist()
