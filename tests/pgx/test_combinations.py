"""Combinations and parts of named alleles."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.pgx import names
from cohelix.pgx.definition import Gene, NamedAllele, Position
from cohelix.pgx.genotype import ABSENT, MISSING, NO_CALL, Genotypes
from cohelix.pgx.matching.combinations import Table
from cohelix.pgx.schema import CallParams
from cohelix.pgx.solve import solve

HET, HOM = 0 | 1 << 4, 1 | 1 << 4
CELLS = {"*2": "C----", "*3": "-C---", "*4": "CC---", "*5": "--M--", "*6": "---CC"}
SEARCH = CallParams(combinations=True)


def toy(cells: dict[str, str] = CELLS) -> Gene:
    n = len(next(iter(cells.values())))
    positions = tuple(Position("chr1", 10 + at, f"rs{at}", "A", ("C",), (f"g.{10 + at}A>C",)) for at in range(n))
    alleles = [NamedAllele("*1", "1", True, ("A",) * n, n, ())]
    for name, row in cells.items():
        stated = tuple(None if cell == "-" else cell for cell in row)
        alleles.append(NamedAllele(name, name, False, stated, n - row.count("-"), ()))
    return Gene("TOY", "chr1", "autosome", "standard", positions, tuple(alleles), False, "toy", "1")


def answer(gene: Gene, codes: list[int], phase: int = 0, params: CallParams = SEARCH, also: str = "") -> dict:
    texts = tuple((position.ref, *position.alts, *also) for position in gene.positions)
    genotypes = Genotypes(
        gene.symbol, np.array(codes, dtype=np.uint8)[:, None], np.full((len(codes), 1), phase, dtype=np.uint8), texts
    )
    solved = solve(gene, genotypes, params)
    found: dict = solved.answers.to_pylist()[solved.answer[0]]
    return found


def told(gene: Gene, name: str) -> list[set[int]]:
    """The alterations that a strand's name tells, in every way its wobbles may be meant."""
    certain, possible = set(), []
    for part in names.parts(name):
        if names.is_partial(part):
            certain.add(int(part[2:4]) - 10)
            continue
        allele = next(allele for allele in gene.alleles if allele.name == part)
        for site, cell in enumerate(allele.cells):
            if cell == "C":
                certain.add(site)
            elif cell == "M":
                possible.append(site)
    return [
        certain | {site for site, there in zip(possible, which, strict=True) if there}
        for which in product((False, True), repeat=len(possible))
    ]


@settings(max_examples=150)
@given(st.lists(st.sampled_from([0, HET, HOM]), min_size=5, max_size=5), st.sampled_from([0, 1]))
def test_every_diplotype_tells_the_genotypes_and_nothing_else(codes: list[int], phase: int) -> None:
    gene = toy()
    found = answer(gene, codes, phase)
    assert found["diplotypes"] and found["n_top"] >= 1
    for diplotype in found["diplotypes"]:
        first, second = diplotype.split("/")
        fits = [
            all((site in one) + (site in other) == bin(codes[site]).count("1") for site in range(5))
            for one in told(gene, first)
            for other in told(gene, second)
        ]
        assert any(fits), (codes, diplotype)


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0, HET, HOM]), min_size=5, max_size=5))
def test_a_pair_of_single_alleles_is_preferred(codes: list[int]) -> None:
    """Where the ordinary matching finds a pair, combinations are not looked for."""
    gene = toy()
    plain = answer(gene, codes, params=CallParams())
    if plain["diplotypes"]:
        assert answer(gene, codes) == plain
    else:
        assert plain["status"] == "no_call_no_match"
        assert any("[" in diplotype or "g." in diplotype for diplotype in answer(gene, codes)["diplotypes"])


def test_the_largest_allele_is_taken_and_what_overlaps_it_left_out() -> None:
    # *5, which may have A or C, is on either strand
    assert answer(toy(), [HET, HET, 0, HET, HET], 1)["diplotypes"] == ["*5/[*4 + *5 + *6]"]
    table = Table(toy({"*2": "C--", "*3": "-C-", "*4": "CC-"}))
    parts = table.parts({0: "C", 1: "C", 2: "C"})
    assert [part.name(table) for part in parts] == ["[*4 + g.12A>C]"] and parts[0].score == 2 - 1


def test_alleles_that_a_missing_position_makes_alike_are_alternatives() -> None:
    table = Table(toy({"*2": "CC-", "*3": "C-C"}))
    assert [part.name(table) for part in table.parts({0: "C"})] == ["*2", "*3"]


def test_more_than_the_cap_is_said_and_not_listed() -> None:
    gene = toy({f"*{at + 2}": "-" * at + "C" + "-" * (7 - at) for at in range(8)})
    found = answer(gene, [HET] * 8)
    assert found["status"] == "too_many_combinations" and found["diplotypes"] == []
    assert found["warnings"] == ["combination-cap"]
    whole = answer(gene, [HET] * 8, params=CallParams(combinations=True, max_combinations=128))
    assert len(whole["diplotypes"]) == 128 == whole["n_top"]


def test_an_allele_that_no_definition_knows_is_named_by_itself() -> None:
    gene = replace(toy({"*2": "C--"}), undocumented_as_reference=True)
    codes = [HET, 0 | 2 << 4, 0]
    assert answer(gene, codes, 1, also="G")["diplotypes"] == ["*1/[*2 + g.11A>G]"]
    assert answer(gene, codes, 1, CallParams(), also="G")["diplotypes"] == ["*1/*2"]


def test_half_a_genotype_is_named_as_not_seen() -> None:
    gene = toy({"*2": "C--"})
    codes = [HET, 1 | MISSING << 4, NO_CALL]
    assert answer(gene, codes, 1, CallParams())["status"] == "no_call_half_genotype"
    assert answer(gene, codes, 1)["diplotypes"] == ["g.11A>C/[*2 + g.11?]"]


def test_one_copy_here_and_two_there_are_no_strands_to_combine() -> None:
    gene = toy({"*2": "C--"})
    one = 1 | ABSENT << 4
    assert answer(gene, [one, HOM, HOM], 1)["status"] == "no_call_half_genotype"
    assert answer(gene, [one, one, NO_CALL], 1)["diplotypes"] == ["[*2 + g.11A>C]"]


@pytest.mark.parametrize("name", ["*7", "*4"])
def test_alleles_kept_out_of_combinations(name: str) -> None:
    gene = replace(toy({"*2": "C--", "*4": "CC-", "*7": "-CC"}), no_combination=frozenset([name]))
    found = answer(gene, [HOM, HOM, HOM])
    parts = {
        part for diplotype in found["diplotypes"] for strand in diplotype.split("/") for part in names.parts(strand)
    }
    assert parts and name not in parts
