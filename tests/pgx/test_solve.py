"""Answers of a gene's patterns: what decides whether there is one, and which is reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cohelix.pgx.definition import Gene, Priority
from cohelix.pgx.genotype import ABSENT, MISSING, NO_CALL, Genotypes
from cohelix.pgx.schema import ANSWERS, STATUSES, CallParams
from cohelix.pgx.solve import solve
from tests.oracles.pgx_permutations import candidates
from tests.pgx import pharmcat
from tests.pgx.test_combinations import HET, HOM, toy

CELLS = {"*2": "C---", "*3": "-C--", "*4": "CC--", "*5": "--M-", "*6": "C-M-"}


def people(gene: Gene, codes: np.ndarray, phase: np.ndarray, also: str = "") -> Genotypes:
    texts = tuple((position.ref, *position.alts, *also) for position in gene.positions)
    return Genotypes(gene.symbol, codes.astype(np.uint8), phase.astype(np.uint8), texts)


def one(gene: Gene, codes: list[int], phase: int = 0, also: str = "", params: CallParams | None = None) -> dict:
    column = np.array(codes)[:, None]
    solved = solve(gene, people(gene, column, np.full(column.shape, phase), also), params or CallParams())
    found: dict = solved.answers.to_pylist()[solved.answer[0]]
    return found


def test_answers_are_those_of_strands_written_out() -> None:
    """Every candidate and score of 300 patterns at once, phased, unphased and in sets, with missing genotypes."""
    gene = toy(CELLS)
    rng = np.random.default_rng(3)
    codes = rng.choice([0, HET, HOM, 1, NO_CALL], size=(4, 300), p=[0.35, 0.25, 0.15, 0.1, 0.15])
    phase = rng.choice([0, 1, 2, 3], size=codes.shape)
    genotypes = people(gene, codes, phase)
    solved = solve(gene, genotypes, CallParams())
    assert solved.answers.schema == ANSWERS
    rows = solved.answers.to_pylist()
    assert len(rows) < 300 and {row["status"] for row in rows} <= set(STATUSES)
    n_found = 0
    for person in range(300):
        row = rows[solved.answer[solved.patterns.of_person[person]]]
        plain = candidates(gene, genotypes.codes[:, person], genotypes.phase[:, person], genotypes.alleles)
        texts = [f"{gene.alleles[a].name}/{gene.alleles[b].name}" for a, b, _ in plain]
        assert row["diplotypes"] == texts and row["scores"] == [score for _, _, score in plain]
        assert row["n_top"] == sum(score == plain[0][2] for _, _, score in plain) if plain else row["n_top"] == 0
        n_found += bool(plain)
    assert 100 < n_found < 300


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ([NO_CALL] * 4, "no_data"),
        ([NO_CALL, 0, 0, 0], "no_call_required_missing"),
        ([0, 1 | MISSING << 4, 0, 0], "no_call_half_genotype"),
        ([0, 1 | ABSENT << 4, 0, 0], "no_call_half_genotype"),
        ([0, 2 << 4, 0, 0], "no_call_undocumented"),
        ([0, 0, 0, HET], "no_call_no_match"),
        ([0, HET, 0, 0], "called"),
        ([HET, HET, 0, 0], "ambiguous"),
    ],
)
def test_status(codes: list[int], status: str) -> None:
    cells = {"*2": "C---", "*3": "-C--", "*4": "C---" if status == "ambiguous" else "CCC-"}
    gene = replace(toy(cells), required=frozenset([10]))
    found = one(gene, codes, also="G")
    assert found["status"] == status
    assert bool(found["diplotypes"]) == (status in ("called", "ambiguous"))
    assert found["warnings"] == (["missing-required-position"] if status == "no_call_required_missing" else [])


def test_an_unknown_allele_is_reference_only_where_the_gene_says_so() -> None:
    gene = toy({"*2": "C--"})
    assert one(gene, [HET, 2 << 4, 0], also="G")["status"] == "no_call_undocumented"
    as_reference = replace(gene, undocumented_as_reference=True)
    assert one(as_reference, [HET, 2 << 4, 0], also="G")["diplotypes"] == ["*1/*2"]


def test_haploid() -> None:
    gene = replace(toy({"*2": "C--", "*3": "CC-"}), ploidy="X")
    absent = ABSENT << 4
    assert one(gene, [1 | absent, 0 | absent, 0 | absent], 1)["diplotypes"] == ["*2"]
    missing = one(gene, [1 | absent, NO_CALL, 0 | absent], 1)
    assert missing["diplotypes"] == ["*2", "*3"] and missing["status"] == "ambiguous"


def test_a_priority_picks_one_of_equals_without_phase_only() -> None:
    cells = {"*2": "C--", "*3": "-C-", "*4": "CC-"}
    rule = Priority(frozenset(["*1/*4", "*2/*3"]), "*2/*3")
    gene = replace(toy(cells), priorities=(rule,))
    found = one(gene, [HET, HET, 0])
    assert found["n_top"] == 1 and found["diplotypes"] == ["*2/*3", "*1/*4"] and found["scores"] == [2, 5]
    assert found["warnings"] == ["unphased-priority"] and found["status"] == "called"
    other = replace(gene, priorities=(Priority(frozenset(["*1/*4", "*9/*9"]), "*1/*4"),))
    assert one(other, [HET, HET, 0])["n_top"] == 2  # no rule fits: all are kept, whatever their scores
    phased = one(gene, [HET, HET, 0], 1)
    assert phased["diplotypes"] == ["*1/*4"] and phased["warnings"] == []
    without = one(replace(gene, priorities=()), [HET, HET, 0])
    assert without["n_top"] == 1 and without["diplotypes"] == ["*1/*4", "*2/*3"]


def test_a_suballele_is_reported_by_its_allele() -> None:
    gene = replace(toy({"*45.001": "C--", "*45.002": "CC-"}), suballeles={"*45.001": "*45", "*45.002": "*45"})
    assert one(gene, [HET, 0, 0])["diplotypes"] == ["*1/*45"]
    assert one(gene, [HOM, HET, 0])["diplotypes"] == ["*45/*45"]


@pytest.mark.real
def test_slco1b1_by_rs4149056_alone(data: Path) -> None:
    gene = pharmcat.gene(data / "pgx" / "definitions" / "SLCO1B1_translation.json")
    at = next(site for site, position in enumerate(gene.positions) if position.rsid == "rs4149056")
    for genotype, expected in ((0, ["*1", "*1"]), (HET, ["*1", "*5"]), (HOM, ["*5", "*5"]), (NO_CALL, [])):
        codes = [2 << 4] * len(gene.positions)
        codes[at] = genotype
        found = one(gene, codes, also="N")
        assert found["diplotypes"] == [] and found["haplotypes"] == expected
        assert found["warnings"] == (["rs4149056-only"] if expected else [])


def test_nobody() -> None:
    gene = toy(CELLS)
    nothing = np.zeros((4, 0))
    solved = solve(gene, people(gene, nothing, nothing), CallParams())
    assert solved.answers.num_rows == 0 and len(solved.answer) == 0
