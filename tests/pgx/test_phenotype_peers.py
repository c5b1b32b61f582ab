"""Phenotypes against what PharmCAT and CPIC have published: every diplotype, every call, each reported allele."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from cohelix.pgx.definition import Gene
from cohelix.pgx.phenotype import Interpreter, judge, wording
from cohelix.pgx.reference import load

pytestmark = pytest.mark.real

REVISED = {
    "CYP2B6": {"*22", "*24", "*35"},
    "SLCO1B1": {"*39", "*41", "*45"},
}
"""Alleles whose function CPIC has revised since its table of March 2024: SLCO1B1*39 was uncertain then."""


@pytest.fixture(scope="module")
def genes() -> dict[str, Gene]:
    return load("clinpgx/2025-11-05")


@pytest.fixture(scope="module")
def rules(genes: dict[str, Gene]) -> dict[str, Interpreter]:
    return {symbol: Interpreter(gene) for symbol, gene in genes.items()}


def table(path: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(1 << 26)
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open()
    with opened as lines:
        plain = (line for line in lines if not line.startswith("# "))
        yield from csv.DictReader(plain, delimiter="\t", quoting=csv.QUOTE_NONE)


def test_every_diplotype_of_pharmcat_has_its_phenotype_and_score(data: Path, rules: dict[str, Interpreter]) -> None:
    counted = 0
    for path in sorted((data / "pgx" / "phenotypes").glob("*.json")):
        stated = json.loads(path.read_text())
        of = rules[stated["gene"]]
        for row in stated["diplotypes"]:
            found = of.diplotype(*(name for name, copies in row["diplotypekey"].items() for _ in range(copies)))
            score = wording.activity_text(of.gene, found.reported, found.activity_score)
            assert (found.phenotype, score) == (row["phenotype"], row["activityScore"]), (stated["gene"], row)
            counted += 1
    assert counted == 17_066


def test_every_diplotype_of_cpic_that_was_not_revised(data: Path, rules: dict[str, Interpreter]) -> None:
    """101,130 rows, CYP2D6 with its copies and RYR1 among them; others are of alleles renamed or dropped since."""
    same: dict[str, int] = defaultdict(int)
    other: dict[str, set[str]] = defaultdict(set)
    gone: dict[str, int] = defaultdict(int)
    for row in table(data / "pgx" / "reference_candidate" / "cpic_1.38.0_diplotype_to_phenotype.tsv.gz"):
        symbol, text = row["gene"], row["diplotype"]
        if symbol.startswith("HLA"):
            continue
        of = rules[symbol]
        alleles = of.split(text)
        if any(name not in of.known or not (of.known[name].function or of.known[name].activity is not None)
               for name in alleles) and symbol not in ("CYP2D6", "CYP2C9"):  # fmt: skip
            gone[symbol] += 1
            continue
        found = of.diplotype(*alleles)
        score = wording.activity_text(of.gene, found.reported, found.activity_score) or "n/a"
        if (found.phenotype, score) == (row["phenotype"], row["activity_score"]):
            same[symbol] += 1
        else:
            assert set(alleles) & REVISED.get(symbol, set()), row
            other[symbol] |= set(alleles) & REVISED[symbol]
    assert other == REVISED
    assert (same["CYP2D6"], same["RYR1"], same["DPYD"], same["CYP2C9"]) == (14_706, 57_970, 3_570, 2_850)
    assert set(gone) <= {"SLCO1B1", "MT-RNR1"}
    assert sum(same.values()) > 100_000


@pytest.mark.parametrize(
    "name", ["kg3202.expected.phased", "kg2504.dpyd.expected.phased", "kg2504.dpyd.expected.unphased"]
)
def test_reported_calls_of_real_people(data: Path, rules: dict[str, Interpreter], name: str) -> None:
    seen = set()
    for row in table(data / "pgx" / "kg1k" / f"{name}.tsv.gz"):
        call = (row["gene"], row["expected_diplotypes"], row["expected_haplotypes"], row["reported"])
        if call in seen:
            continue
        seen.add(call)
        of = rules[row["gene"]]
        diplotypes, haplotypes = ([one for one in text.split(";;") if one] for text in call[1:3])
        if not diplotypes and not haplotypes and row["gene"] == "SLCO1B1" and "Unknown" not in row["reported"]:
            haplotypes = row["reported"].split(" =>")[0].split("/")  # called by rs4149056 alone
        texts = []
        for found in judge(of, diplotypes, haplotypes):
            score = wording.activity_text(of.gene, found.reported, found.activity_score) or "null"
            texts.append(f"{wording.label(of.gene, found.reported or '')} => {found.phenotype or ''} AS={score}")
        if texts:
            assert " ;; ".join(texts) == row["reported"]
        else:
            assert row["reported"].startswith("Unknown")
    assert len(seen) > 100


def test_reported_alleles_and_phenotypes_of_the_cases(data: Path, rules: dict[str, Interpreter]) -> None:
    counted = 0
    for row in table(data / "pgx" / "cases" / "cases.tsv"):
        of = rules[row["gene"]]
        diplotypes, haplotypes = (
            [one for one in row[name].split(";;") if one] for name in ("expected_diplotypes", "expected_haplotypes")
        )
        if not (diplotypes or haplotypes) or row["definition"] != "default":
            continue
        found = judge(of, diplotypes, haplotypes)
        if row["expected_recommendation_alleles"]:
            counted += 1
            stated = sorted(row["expected_recommendation_alleles"].split(";;"))
            assert sorted(of.split(found[0].reported or "")) == stated
        if row["expected_phenotype"]:
            assert found[0].phenotype == row["expected_phenotype"]
        if row["expected_print_calls"] and row["gene"] not in ("DPYD", "RYR1"):
            printed = [wording.label(of.gene, one.reported or "") for one in found]
            assert printed == row["expected_print_calls"].split(";;")
    assert counted > 30
