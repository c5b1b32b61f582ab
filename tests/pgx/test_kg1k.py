"""Real 1000 Genomes genotypes: diplotypes, scores and alleles as PharmCAT calls them, phased and unphased."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.pgx import reference
from cohelix.pgx.definition import Gene
from cohelix.pgx.extraction.run import Extracted, extract
from cohelix.pgx.genotype import ABSENT, PHASED, UNPHASED, Genotypes
from cohelix.pgx.schema import CallParams
from cohelix.pgx.solve import solve
from cohelix.runtime.local import LocalRuntime

pytestmark = pytest.mark.real

PARAMS = CallParams()
SETS = {"kg3202.pgx.phased.vcf.gz": "kg3202.expected", "kg2504.dpyd.phased.vcf.gz": "kg2504.dpyd.expected"}


def expected(file: Path) -> dict[str, dict[str, tuple[Any, ...]]]:
    """By gene and person: diplotypes, their scores, alleles where there are no diplotypes."""
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    with gzip.open(file, "rt") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            found.setdefault(row["gene"], {})[row["sample"]] = (
                listed(row["expected_diplotypes"]),
                [int(score) for score in row["scores"].split(";") if score],
                listed(row["expected_haplotypes"]),
            )
    return found


def listed(text: str) -> list[str]:
    return text.split(";;") if text else []


@pytest.fixture(scope="module", params=list(SETS))
def people(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[tuple]:
    """(genes, extracted, folder with what is expected, its name)."""
    folder = data / "pgx" / "kg1k"
    wanted = expected(folder / f"{SETS[request.param]}.phased.tsv.gz")
    genes = reference.load(PARAMS.reference, sorted(wanted))
    work = tmp_path_factory.mktemp("kg1k")
    yield genes, extract(str(folder / request.param), genes, work, PARAMS, LocalRuntime()), folder, SETS[request.param]


def without_phase(genotypes: Genotypes) -> Genotypes:
    phase = np.where(genotypes.codes >> 4 == ABSENT, PHASED, UNPHASED).astype(np.uint8)
    return replace(genotypes, phase=phase)


def of_people(gene: Gene, genotypes: Genotypes) -> list[tuple[Any, ...]]:
    """What `expected` says, for each person."""
    solved = solve(gene, genotypes, PARAMS)
    answers = [
        (
            row["diplotypes"][: row["n_top"]],
            row["scores"][: row["n_top"]],
            row["haplotypes"] if row["status"] == "haplotypes" else [],  # SLCO1B1 by one position is no match
        )
        for row in solved.answers.to_pylist()
    ]
    return [answers[row] for row in solved.answer[solved.patterns.of_person].tolist()]


@pytest.mark.parametrize("phase", ["phased", "unphased"])
def test_calls_are_those_of_pharmcat(people: tuple[dict[str, Gene], Extracted, Path, str], phase: str) -> None:
    genes, extracted, folder, name = people
    wanted = expected(folder / f"{name}.{phase}.tsv.gz")
    assert set(wanted) == set(genes)
    sample_ids = extracted.samples().to_pylist()
    n_compared = 0
    differing: dict[str, list[tuple[Any, Any]]] = {}
    for symbol, gene in genes.items():
        genotypes = extracted.genotypes(symbol)
        found = of_people(gene, genotypes if phase == "phased" else without_phase(genotypes))
        for sample_id, call in zip(sample_ids, found, strict=True):
            if sample_id in wanted[symbol]:
                n_compared += 1
                if call != wanted[symbol][sample_id]:
                    differing.setdefault(symbol, []).append((call, wanted[symbol][sample_id]))
    assert n_compared == sum(map(len, wanted.values())) > 1000
    assert {symbol: (len(rows), rows[0]) for symbol, rows in differing.items()} == {}


def test_few_problems_stand_behind_many_people(people: tuple[dict[str, Gene], Extracted, Path, str]) -> None:
    genes, extracted, _, name = people
    problems = [len(solve(gene, extracted.genotypes(symbol), PARAMS).answer) for symbol, gene in genes.items()]
    assert sum(problems) == {"kg3202.expected": 994, "kg2504.dpyd.expected": 222}[name]
