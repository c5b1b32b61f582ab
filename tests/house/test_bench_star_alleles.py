"""The people that star-allele benchmarks are checked with: their PGEN holds the haplotypes that were planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pgenlib
import pytest

from benchmarks import jobs_pgx
from benchmarks.jobs_pgx import ENGINES, Work
from benchmarks.star_allele_sets import draw_people
from cohelix.pgx import reference
from cohelix.pgx.definition import IUPAC

N = 300
GENES = ("CYP2C19", "NUDT15", "UGT1A1")


def test_genotypes_are_those_of_the_planted_alleles(tmp_path: Path) -> None:
    drawn = draw_people(tmp_path / "p", N, GENES, 0.01)
    genes = reference.load("clinpgx/2025-11-05", GENES)
    lines = [line.split("\t") for line in (tmp_path / "p.pvar").read_text().splitlines()[1:]]
    assert drawn.n_sites == len(lines) == sum(len(gene.positions) for gene in genes.values())
    compared = missing = 0
    counts = np.array([1 + len(line[4].split(",")) for line in lines], np.uintp)
    offsets = np.concatenate([np.zeros(1, np.uintp), counts.cumsum()]).astype(np.uintp)
    path = bytes(tmp_path / "p.pgen")
    with pgenlib.PgenReader(path, raw_sample_ct=N, allele_idx_offsets=offsets) as reader:
        for row, (_, position, _, ref, alts) in enumerate(lines):
            symbol, at = next(
                (symbol, at)
                for symbol, gene in genes.items()
                for at, place in enumerate(gene.positions)
                if place.position == int(position)
            )
            codes = np.empty(2 * N, np.int32)
            reader.read_alleles(row, codes)
            texts = [ref, *alts.split(",")]
            of = drawn.genes.index(symbol)
            alleles = {one.name: one for one in genes[symbol].alleles}
            for person in range(N):
                missing += codes[2 * person] == -9
                if drawn.touched[person, of]:
                    continue
                for copy in (0, 1):
                    allele = alleles[drawn.names[of][drawn.planted[person, of, copy]]]
                    cell = allele.cells[at] or ref
                    assert texts[codes[2 * person + copy]] in (cell, *IUPAC.get(cell, "")), (symbol, position)
                    compared += 1
    assert compared > 5_000 and missing > 0


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    drawn = draw_people(tmp_path / "p", N, GENES)
    work = Work("pgx-call", tmp_path / "p", N, drawn.n_sites, drawn, GENES, jobs_pgx.FEW)
    called = {
        (person, gene): ["/".join(drawn.names[of][number] for number in drawn.planted[person, of])]
        for of, gene in enumerate(drawn.genes)
        for person in jobs_pgx.probed(N)
    }
    ours = ENGINES["pgx-call"]["ours"]
    work.check(ours, {"people": N, "patterns": 5, "called": dict(called)})
    first = next(key for key in called if not drawn.touched[key[0], drawn.genes.index(key[1])])
    with pytest.raises(AssertionError, match="1 of"):
        work.check(ours, {"people": N, "patterns": 5, "called": called | {first: ["*9/*9"]}})
    with pytest.raises(AssertionError, match="people"):
        replace(work, n_samples=N + 1).check(ours, {"people": N, "patterns": 5, "called": dict(called)})
