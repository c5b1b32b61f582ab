"""What diplotypes mean, by hand and against toy genes: copies, tandems, lowest function, wording."""

from __future__ import annotations

import itertools
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.pgx import names
from cohelix.pgx.definition import Gene, NamedAllele, Rule
from cohelix.pgx.phenotype import Interpreter, Meaning, judge, phenotypes_of, presence, wording
from cohelix.pgx.phenotype.alleles import Unit, split, units
from cohelix.pgx.schema import ANSWERS, PHENOTYPES

NORMAL, DECREASED, NO = "Normal function", "Decreased function", "No function"
MALIGNANT = "Malignant Hyperthermia associated"


def allele(name: str, function: str = "", activity: float | None = None, reference: bool = False) -> NamedAllele:
    return NamedAllele(name, "", reference, (), 1, (), function, activity)


def gene(symbol: str, *alleles: NamedAllele, **more: Any) -> Gene:
    more = {"ploidy": "autosome", "method": "standard"} | more
    ordered = tuple(sorted(alleles, key=lambda one: names.key(one.name)))
    return Gene(symbol, "chr1", positions=(), alleles=ordered, undocumented_as_reference=False, source="toy",
                version="1", **more)  # fmt: skip


CYP2D6 = gene(
    "CYP2D6",
    allele("*1", "", 1.0, True),
    allele("*2", "", 1.0),
    allele("*4", "", 0.0),
    allele("*10", "", 0.25),
    allele("*22", "", None),
    allele("*36", "", 0.0),
    allele("*68", "", 0.0),
    scored_by_activity=True,
    functions_only=(allele("*5", "", 0.0), allele("*1x2", "", 2.0), allele("*1x≥3", "", 3.0), allele("*4x≥3", "", 0.0)),
    rules=(
        Rule("Poor Metabolizer", (), 0.0, 0.0),
        Rule("Intermediate Metabolizer", (), 0.25, 1.0),
        Rule("Normal Metabolizer", (), 1.25, 2.25),
        Rule("Ultrarapid Metabolizer", (), 2.5, None),
    ),
)

TOY = gene(
    "TOY",
    allele("*1", NORMAL, reference=True),
    allele("*2", NO),
    allele("*3"),
    allele("*80+*28", DECREASED),
    rules=(
        Rule("Normal Metabolizer", (NORMAL, NORMAL)),
        Rule("Intermediate Metabolizer", (NO, NORMAL)),
        Rule("Intermediate Metabolizer", (DECREASED, NORMAL)),
        Rule("Poor Metabolizer", (NO, NO)),
    ),
)

DPYD = gene(
    "DPYD",
    allele("Reference", NORMAL, 1.0, True),
    allele("c.85T>C (*9A)", NORMAL, 1.0),
    allele("c.496A>G", NORMAL, 1.0),
    allele("c.1129-5923C>G, c.1236G>A (HapB3)", DECREASED, 0.5),
    allele("c.1905+1G>A (*2A)", NO, 0.0),
    allele("c.2846A>T", DECREASED, 0.5),
    scored_by_activity=True,
    method="lowest_function",
    rules=(
        Rule("Poor Metabolizer", (), 0.0, 0.5),
        Rule("Intermediate Metabolizer", (), 1.0, 1.5),
        Rule("Normal Metabolizer", (), 2.0, 2.0),
    ),
)

RYR1 = gene(
    "RYR1",
    allele("Reference", NORMAL, reference=True),
    allele("c.38T>G", MALIGNANT),
    allele("c.51_53del", "Uncertain function"),
    allele("c.7522C>G", MALIGNANT),
    method="lowest_function",
    rules=(Rule("Malignant Hyperthermia Susceptibility", (MALIGNANT, "Uncertain function")),),
)


def answers(*rows: dict[str, Any]) -> pa.Table:
    plain = {"status": "called", "diplotypes": [], "scores": [], "n_top": 0, "haplotypes": [], "warnings": []}
    return pa.Table.from_pylist([plain | row for row in rows], schema=ANSWERS)


def score(*alleles: str) -> tuple[float | None, str | None]:
    found = Interpreter(CYP2D6).diplotype(*alleles)
    return found.activity_score, found.phenotype


@pytest.mark.parametrize(
    ("alleles", "expected"),
    [
        (("*1", "*4"), (1.0, "Intermediate Metabolizer")),
        (("*1", "*5"), (1.0, "Intermediate Metabolizer")),
        (("*4", "*5"), (0.0, "Poor Metabolizer")),
        (("*1", "*1x2"), (3.0, "Ultrarapid Metabolizer")),
        (("*1", "*1x7"), (4.0, "Ultrarapid Metabolizer")),  # CPIC: *1x≥3 counts at least 3
        (("*1", "*4x5"), (1.0, "Intermediate Metabolizer")),
        (("*1", "*10x3"), (1.75, "Normal Metabolizer")),  # no bin: the allele's value three times
        (("*1", "*10X2"), (1.5, "Normal Metabolizer")),
        (("*1", "*36+*10"), (1.25, "Normal Metabolizer")),  # a hybrid in tandem adds nothing
        (("*2", "*68+*4"), (1.0, "Intermediate Metabolizer")),
        (("*2", "*36x2+*10x2"), (1.5, "Normal Metabolizer")),
        (("*1", "*22"), (None, "Indeterminate")),
        (("*1", "*36+*22"), (None, "Indeterminate")),
        (("*1", "*999"), (None, "Indeterminate")),
        (("*1", "[*2 + *10]"), (None, "Indeterminate")),
    ],
)
def test_copies_and_tandems_count_as_cpic_has_them(alleles: tuple[str, str], expected: tuple[float, str]) -> None:
    assert score(*alleles) == expected
    assert score(*reversed(alleles)) == expected


def test_one_allele_of_two_says_nothing_of_the_sum() -> None:
    assert score("*1") == (None, "Indeterminate")
    assert judge(Interpreter(DPYD), [], ["c.2846A>T"])[0].phenotype == "Indeterminate"


def test_copies_are_reported_by_the_name_that_the_rules_know() -> None:
    rules = Interpreter(CYP2D6)
    assert rules.diplotype("*4", "*1x5").reported == "*1x≥3/*4"
    assert rules.diplotype("*1x≥3", "*4").reported == "*1x≥3/*4"
    assert rules.diplotype("*10x3", "*1").reported == "*1/*10x3"
    found = rules.diplotype("*1x2", "*36+*10")
    assert (found.function1, found.function2) == ("Increased function", "Decreased function")
    assert wording.activity_text(CYP2D6, "*1x≥3/*4", 3.0) == "≥3.0"
    assert wording.activity_text(CYP2D6, "*1/*4x≥3", 1.0) == "1.0"  # more copies of nothing add nothing
    assert wording.activity_text(CYP2D6, "*1/*22", None) == "n/a"
    assert wording.activity_text(TOY, "*1/*2", None) is None


def test_functions_decide_in_either_order_and_what_no_rule_knows_is_said() -> None:
    rules = Interpreter(TOY)
    for first, second in itertools.product(("*1", "*2"), repeat=2):
        expected = {0: "Normal Metabolizer", 1: "Intermediate Metabolizer", 2: "Poor Metabolizer"}
        assert rules.diplotype(first, second).phenotype == expected[(first, second).count("*2")]
    assert rules.diplotype("*1", "*3") == Meaning("*1/*3", NORMAL, "Unassigned function", None, "n/a")
    assert rules.diplotype("*80+*28", "*1").phenotype == "Intermediate Metabolizer"  # one allele, no tandem
    assert rules.diplotype("*1", "[*2 + g.5A>T]").phenotype == "n/a"
    silent = Interpreter(gene("CYP4F2", allele("*1", reference=True), allele("*3")))
    assert silent.diplotype("*1", "*3") == Meaning("*1/*3")


def test_an_activity_score_between_the_rules_is_indeterminate() -> None:
    rules = Interpreter(CYP2D6)
    assert [rules.of_score(value) for value in (0.0, 0.1, 1.0, 2.25, 2.3, 17.0)] == [
        "Poor Metabolizer", "Indeterminate", "Intermediate Metabolizer", "Normal Metabolizer", "Indeterminate",
        "Ultrarapid Metabolizer",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("diplotypes", "expected", "phenotype"),
    [
        (["Reference/[c.85T>C (*9A) + c.496A>G]"], "Reference/c.85T>C (*9A)", "Normal Metabolizer"),
        (["[c.85T>C (*9A) + c.1905+1G>A (*2A)]/c.2846A>T"], "c.1905+1G>A (*2A)/c.2846A>T", "Poor Metabolizer"),
        (
            ["c.496A>G/c.2846A>T", "c.496A>G/c.1905+1G>A (*2A)"],
            "c.496A>G/c.1905+1G>A (*2A)",
            "Intermediate Metabolizer",
        ),
        (["Reference/c.496A>G", "Reference/c.85T>C (*9A)"], "Reference/c.85T>C (*9A)", "Normal Metabolizer"),
        (["Reference/[c.2846A>T + g.97305364C>T]"], "Reference/g.97305364C>T", "Indeterminate"),
    ],
)
def test_dpyd_counts_the_least_active_allele_of_each_strand(
    diplotypes: list[str], expected: str, phenotype: str
) -> None:
    (found,) = judge(Interpreter(DPYD), diplotypes)
    assert (found.reported, found.phenotype) == (expected, phenotype)


def test_without_strands_the_two_least_active_count() -> None:
    hapb3 = "c.1129-5923C>G, c.1236G>A (HapB3)"
    table = phenotypes_of(
        DPYD,
        answers(
            {"status": "haplotypes", "haplotypes": ["c.85T>C (*9A)", "c.496A>G", hapb3, "c.2846A>T"]},
            {"status": "haplotypes", "haplotypes": ["c.496A>G", "c.85T>C (*9A)", "c.85T>C (*9A)"]},
        ),
    )
    assert table["reported"].to_pylist() == [[f"{hapb3}/c.2846A>T"], ["c.85T>C (*9A)/c.85T>C (*9A)"]]
    assert table["activity_score"].to_pylist() == [1.0, 2.0]
    assert table["phenotype"].to_pylist() == ["Intermediate Metabolizer", "Normal Metabolizer"]


def test_ryr1_counts_what_is_malignant_first() -> None:
    """Of PharmCAT's own tests: malignant before uncertain, two before one."""
    rules = Interpreter(RYR1)
    mixed, both, none = "c.38T>G/c.51_53del", "c.38T>G/c.38T>G", "c.51_53del/c.51_53del"
    for diplotypes, expected in (([mixed], mixed), ([none, mixed], mixed), ([none, both], both), ([mixed, both], both)):
        assert judge(rules, diplotypes)[0].reported == expected
    assert judge(rules, ["Reference/[c.51_53del + c.7522C>G]"])[0].reported == "Reference/c.7522C>G"
    assert judge(rules, [], ["c.51_53del", "c.7522C>G", "c.38T>G"])[0].reported == "c.38T>G/c.7522C>G"


def test_entries_agree_or_nothing_is_said_for_all() -> None:
    table = phenotypes_of(
        TOY,
        answers(
            {"diplotypes": ["*1/*2", "*1/*80+*28", "*2/*2"], "n_top": 2, "status": "ambiguous"},
            {"diplotypes": ["*1/*2", "*2/*2"], "n_top": 2, "status": "ambiguous"},
            {"status": "no_call_no_match"},
            {"status": "no_call_no_match", "haplotypes": ["*2", "*1"]},  # called by a single position (SLCO1B1)
        ),
    )
    assert table.schema == PHENOTYPES
    assert table["reported"].to_pylist() == [["*1/*2", "*1/*80+*28"], ["*1/*2", "*2/*2"], [], ["*1/*2"]]
    assert table["phenotypes"].to_pylist()[:2] == [["Intermediate Metabolizer"] * 2,
                                                   ["Intermediate Metabolizer", "Poor Metabolizer"]]  # fmt: skip
    assert table["phenotype"].to_pylist() == ["Intermediate Metabolizer", None, None, "Intermediate Metabolizer"]


def test_haploid_calls_have_one_function() -> None:
    x = gene(
        "G6PD",
        allele("B (reference)", "IV/Normal", reference=True),
        allele("Telti/Kobe", "I/Deficient"),
        ploidy="X",
        rules=(Rule("Normal", ("IV/Normal",)), Rule("Variable", ("I/Deficient", "IV/Normal"))),
    )
    table = phenotypes_of(x, answers({"diplotypes": ["B (reference)"], "n_top": 1},
                                     {"diplotypes": ["B (reference)/Telti/Kobe"], "n_top": 1},
                                     {"diplotypes": ["Telti/Kobe"], "n_top": 1}))  # fmt: skip
    assert table["phenotype"].to_pylist() == ["Normal", "Variable", "n/a"]
    assert table["function2"].to_pylist() == [[None], ["I/Deficient"], [None]]


def test_hla_says_of_each_allele_that_matters_whether_it_is_there() -> None:
    hla = gene("HLA-B", method="outside", functions_only=tuple(
        allele(f"{one} {sign}") for one in ("*57:01", "*15:02") for sign in ("positive", "negative")))  # fmt: skip
    assert presence.markers(hla) == ("*15:02", "*57:01")
    (found,) = judge(Interpreter(hla), ["*07:02/*57:01"])
    assert found == Meaning("*07:02/*57:01", phenotype="*15:02 negative; *57:01 positive")


UNITS = st.builds(Unit, st.sampled_from(["*1", "*10", "*4", "*36"]), st.integers(1, 9), st.booleans())


@given(st.lists(UNITS, min_size=1, max_size=3))
def test_names_of_units_are_read_back(parts: list[Unit]) -> None:
    assert units("+".join(part.name for part in parts)) == tuple(parts)


@given(st.lists(st.sampled_from(["A", "B (reference)", "Telti/Kobe", "Kobe"]), min_size=1, max_size=2))
def test_a_slash_in_a_name_is_no_end_of_it(alleles: list[str]) -> None:
    known = {"A", "B (reference)", "Telti/Kobe", "Kobe"}
    assert split("/".join(alleles), known) == tuple(alleles)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CYP2D6 ultrarapid metabolisers (UM)", "Ultrarapid Metabolizer"),
        ("EM", "Normal Metabolizer"),
        ("extensive metabolizer", "Normal Metabolizer"),
        ("likely CYP2D6  poor metaboliser", "Likely Poor Metabolizer"),
        ("Rapid Metabolizer", "Rapid Metabolizer"),
        ("*57:01 positive", "*57:01 positive"),
        (" ", None),
    ],
)
def test_phenotypes_of_others_in_cpics_words(text: str, expected: str | None) -> None:
    assert wording.normal_phenotype(text, "CYP2D6") == expected
