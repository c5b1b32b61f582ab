"""Reported families: kinship against every way of handing down alleles, what is compared, and what is no pedigree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import InputError
from cohelix.relatedness import families
from cohelix.relatedness.families import Pedigree, connected, kinship_of, read_pedigree
from cohelix.relatedness.pedigree import check_pedigree, degree_of, judge, summary_of
from tests.oracles import families as oracle

FAM = """\
F1 gf 0 0 1 -9
F1 gm 0 0 2 -9
F1 fa gf gm 1 -9
F1 au gf gm 2 -9
F1 mo 0 0 2 -9
F1 c1 fa mo 1 -9
F1 c2 fa mo 2 -9
F1 c3 fa other 2 -9
F1 co in au 0 -9
F2 x 0 0 1 -9
F2 y 0 0 2 -9
"""


def pairs_of(rows: list[tuple[str, str, float]], **more: list[object]) -> pa.Table:
    ones, others, kinship = zip(*rows, strict=True)
    return pa.table({"sample_id_1": ones, "sample_id_2": others, "kinship": kinship, **more})


def written(folder: Path, text: str, name: str = "families.fam") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@st.composite
def pedigrees(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[int]]:
    """Up to eight people, parents before children; with inbreeding, half sibs, unknown parents and a twin."""
    n = draw(st.integers(2, 8))
    parents, handed = [], 0
    for person in range(n):
        pair = (draw(st.integers(-1, person - 1)), draw(st.integers(-1, person - 1))) if person else (-1, -1)
        count = sum(parent >= 0 for parent in pair)
        if pair[0] == pair[1] >= 0 or handed + count > 9:
            pair, count = (-1, -1), 0
        handed += count
        parents.append(pair)
    same = list(range(n))
    if draw(st.booleans()):
        twin = draw(st.integers(0, n - 1))
        parents.append(parents[twin])
        same.append(twin)
    return parents, same


@settings(max_examples=60)
@given(pedigrees())
def test_kinship_is_that_over_every_way_of_handing_down(made: tuple[list[tuple[int, int]], list[int]]) -> None:
    parents, same = made
    generation = families._generations(parents)
    pedigree = Pedigree([str(one) for one in range(len(parents))], ["F"] * len(parents), parents, same, generation)
    expected = np.array(oracle.kinship(parents, same))
    groups = connected(pedigree)
    assert sorted(person for group in groups for person in group) == list(range(len(parents)))
    seen = np.zeros_like(expected)
    for group in groups:
        seen[np.ix_(group, group)] = kinship_of(pedigree, group)
    assert np.array_equal(seen, expected)


def test_relationships_of_a_family_and_what_agrees(tmp_path: Path) -> None:
    """Names by shape, expected kinship, a parent without a row, the note of each kind, and pairs across families."""
    ids = ["gf", "gm", "fa", "au", "mo", "c1", "c2", "c3", "co", "x", "y", "z"]
    found = pairs_of(
        [
            ("fa", "gf", 0.249), ("fa", "gm", 0.25), ("au", "gf", 0.25), ("au", "gm", 0.26), ("au", "fa", 0.23),
            ("c1", "fa", 0.25), ("c1", "mo", 0.25), ("c2", "fa", 0.12), ("c2", "mo", 0.24), ("c1", "c2", 0.5),
            ("c3", "fa", 0.24), ("c1", "c3", 0.13), ("c1", "gf", 0.2), ("co", "au", 0.25), ("c1", "co", 0.035),
            ("c1", "x", 0.11), ("y", "z", 0.25), ("x", "z", 0.01),
        ],
        relationship=["parent_child"] * 4 + ["parent_child"] + [None] * 13,
    )  # fmt: skip
    table = check_pedigree(written(tmp_path, FAM), ids, found)
    rows = {frozenset((row["sample_id_1"], row["sample_id_2"])): row for row in table.to_pylist()}
    assert len(rows) == table.num_rows

    def row(one: str, other: str) -> tuple[object, ...]:
        return tuple(rows[frozenset((one, other))][name] for name in ("reported", "expected_kinship", "agrees", "note"))

    assert row("gf", "fa") == ("parent_child", 0.25, True, None)
    assert row("au", "fa") == ("full_siblings", 0.25, False, "other_than_reported")
    assert row("c2", "fa") == ("parent_child", 0.25, False, "further_than_reported")
    assert row("c1", "c2") == ("full_siblings", 0.25, False, "closer_than_reported")
    assert row("c1", "c3") == ("half_siblings", 0.125, True, None)
    assert row("c2", "c3") == ("half_siblings", 0.125, False, "reported_but_unrelated")
    assert row("c1", "gf") == ("grandparent_grandchild", 0.125, False, "closer_than_reported")
    assert row("au", "c1") == ("avuncular", 0.125, False, "reported_but_unrelated")
    assert row("c1", "co") == ("first_cousins", 0.0625, True, None)
    assert row("c1", "x") == ("unrelated", 0.0, False, "related_but_not_reported")
    assert row("y", "z") == (None, None, None, None)
    assert frozenset(("x", "z")) not in rows  # not related, nor reported
    assert rows[frozenset(("c1", "x"))]["family"] is None and rows[frozenset(("c1", "c2"))]["family"] == "F1"
    order = [(one.encode(), other.encode()) for one, other in zip(*table.columns[:2], strict=True) for one, other in
             [(one.as_py(), other.as_py())]]  # fmt: skip
    assert order == sorted(order) and all(one < other for one, other in order)
    summary = summary_of(table)
    assert (summary["n_rows"], summary["n_samples"], summary["n_samples_without_row"]) == (11, 11, 1)
    assert summary["n_people"] == 13 and summary["n_not_in_callset"] == 0
    assert summary["notes"]["reported_but_unrelated"] == sum(
        one["note"] == "reported_but_unrelated" for one in rows.values()
    )
    assert summary["n_agree"] + summary["n_disagree"] == summary["n_pairs"] - 1


def test_kinship_given_ancestry_is_taken_where_it_is_known(tmp_path: Path) -> None:
    found = pairs_of([("c1", "fa", 0.1), ("c1", "mo", 0.25)], pc_kinship=[0.25, float("nan")])
    rows = check_pedigree(written(tmp_path, FAM), ["c1", "fa", "mo"], found).to_pylist()
    assert {(row["sample_id_2"], row["kinship"], row["agrees"]) for row in rows} == {
        ("fa", 0.25, True), ("mo", 0.25, True)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.psam", "##x\n#FID\tIID\tPAT\tMAT\tSEX\nA\ts1\t0\t0\t1\nA\ts2\ts1\t0\t2\n"),
        ("t.tsv", "sample_id\tfamily\tfather\tmother\tsex\ns1\tA\t\t\tmale\ns2\tA\ts1\t\tfemale\n"),
        ("t.csv", "IID,FID,PAT,MAT,SEX\ns1,A,0,0,M\ns2,A,s1,0,F\n"),
        ("bom.fam", "\ufeffA s1 0 0 1 0\nA s2 s1 0 2 0\n"),
        ("bom.psam", "\ufeff#FID\tIID\tPAT\tMAT\tSEX\nA\ts1\t0\t0\t1\nA\ts2\ts1\t0\t2\n"),
        ("t.ped", "A s1 0 0 1 0 A A\nA s2 s1 0 2 0 A C\n"),
    ],
)
def test_every_form_reads_alike(name: str, text: str, tmp_path: Path) -> None:
    pedigree = read_pedigree(written(tmp_path, text, name))
    assert (pedigree.ids, pedigree.families, pedigree.parents) == (["s1", "s2"], ["A", "A"], [(-1, -1), (0, -1)])


def test_twins_and_placeholders_of_two_families(tmp_path: Path) -> None:
    text = "IID\tFID\tPAT\tMAT\ttwin\na\t1\tdad\tmum\tT\nb\t1\tdad\tmum\tT\nc\t2\tdad\tmum\t\nd\t1\ta\t0\t\n"
    pedigree = read_pedigree(written(tmp_path, text, "t.tsv"))
    table = check_pedigree(written(tmp_path, text, "t.tsv"), list("abcd"), pairs_of([("a", "b", 0.5)]))
    expected = {(row["sample_id_1"], row["sample_id_2"]): row["expected_kinship"] for row in table.to_pylist()}
    assert expected == {("a", "b"): 0.5, ("a", "d"): 0.25, ("b", "d"): 0.25}  # c has other parents of the same names
    assert len(pedigree.parents) == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("F a b 0 1 0\nF b a 0 1 0\n", "own ancestor in the pedigree: 2 rows .* row 1"),
        ("F a a 0 1 0\n", "own ancestor"),
        ("F a b 0 1 0\nF b 0 0 2 0\n", "father on row 1 of the pedigree is female on row 2"),
        ("F a 0 b 1 0\nF b 0 0 1 0\n", "mother on row 1 of the pedigree is male on row 2"),
        ("F a b c 1 0\nF d c 0 1 0\n", "father and a mother, on rows 1 and 2"),
        ("F a b b 1 0\n", "father and a mother"),
        ("F a 0 0 1 0\nG a 0 0 1 0\n", "rows 1 and 2 of the pedigree are of the same id"),
        ("F a 0 0\n", "found 4 fields on row 1"),
        ("F 0 0 0 1 0\n", "row 1 of the pedigree has no id"),
        ("\n", "found none"),
        ("IID\tPAT\tx\n1\t0\t0\n", "columns of the sample, the father and the mother"),
        ("IID\tPAT\tMAT\ttwin\na\tf\tm\tT\nb\tf\t0\tT\n", "twins of one egg"),
    ],
)
def test_what_is_no_pedigree(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_pedigree(written(tmp_path, text))


def test_a_pedigree_of_others_and_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none of them among its 11"):
        check_pedigree(written(tmp_path, FAM), ["p", "q"], pairs_of([("p", "q", 0.25)]))
    with pytest.raises(InputError, match="can be read, found none"):
        read_pedigree(str(tmp_path / "none.fam"))


def test_degrees_are_those_of_king() -> None:
    assert [degree_of(value) for value in (0.5, 0.36, 0.35, 0.18, 0.17, 0.09, 0.08, 0.045, 0.044, 0.0, -0.1)] == [
        0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4
    ]  # fmt: skip
    assert judge("distant", 1 / 128, None) is None


def test_a_large_inbred_family(tmp_path: Path) -> None:
    """Two hundred people in ten generations that marry each other: a matrix of kinship is positive definite."""
    random = np.random.default_rng(1)
    lines, last = [], [f"p0_{i}" for i in range(20)]
    lines += [f"F {name} 0 0 {1 + i % 2} 0" for i, name in enumerate(last)]
    for generation in range(1, 10):
        own = []
        for child in range(20):
            father, mother = (last[2 * random.integers(10) + side] for side in (0, 1))
            own.append(f"p{generation}_{child}")
            lines.append(f"F {own[-1]} {father} {mother} {1 + child % 2} 0")
        last = own
    pedigree = read_pedigree(written(tmp_path, "\n".join(lines) + "\n"))
    (group,) = [one for one in connected(pedigree) if len(one) > 100]
    kinship = kinship_of(pedigree, group)
    assert np.array_equal(kinship, kinship.T) and (np.diag(kinship) >= 0.5).all() and (np.diag(kinship) > 0.5).any()
    assert np.linalg.eigvalsh(kinship).min() > 0  # as any matrix of kinship without twins
