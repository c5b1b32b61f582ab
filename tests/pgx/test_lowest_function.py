"""DPYD and RYR1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.pgx.definition import Gene, NamedAllele, Position
from cohelix.pgx.genotype import HAPLOID_REF, MISSING, NO_CALL, Genotypes
from cohelix.pgx.matching.hapb3 import EXON_ONLY, HAPB3, INTRONIC, MISMATCH
from cohelix.pgx.schema import CallParams
from cohelix.pgx.solve import Solved, solve
from tests.oracles.pgx_lowest_function import haplotypes
from tests.pgx import pharmcat

HET, HOM = 0 | 1 << 4, 1 | 1 << 4


def toy(n_sites: int = 5) -> Gene:
    """One allele a site but the last two, which have one together; and the reference."""
    positions = tuple(
        Position("chr1", 100 + at, f"rs{at}", "A", ("C",), (f"g.{100 + at}A>C",)) for at in range(n_sites)
    )
    cells = [(*(None,) * at, "C", *(None,) * (n_sites - at - 1)) for at in range(n_sites - 2)]
    cells.append((*(None,) * (n_sites - 2), "C", "C"))
    alleles = [NamedAllele("Reference", "0", True, ("A",) * n_sites, n_sites, ())]
    alleles += [NamedAllele(f"c.{at + 1}A>C", str(at), False, row, 1, ()) for at, row in enumerate(cells)]
    return Gene("TOY", "chr1", "autosome", "lowest_function", positions, tuple(alleles), True, "toy", "1")


def made(gene: Gene, codes: list[int], phase: list[int] | int = 0) -> Genotypes:
    texts = tuple((position.ref, *position.alts) for position in gene.positions)
    phases = np.full((len(codes), 1), 0, dtype=np.uint8)
    phases[:, 0] = phase
    return Genotypes(gene.symbol, np.array(codes, dtype=np.uint8)[:, None], phases, texts)


def only(solved: Solved) -> dict[str, object]:
    found: dict[str, object] = solved.answers.to_pylist()[solved.answer[0]]
    return found


@settings(max_examples=150)
@given(st.lists(st.sampled_from([0, HET, HOM, NO_CALL]), min_size=5, max_size=5))
def test_unphased_alleles_are_those_of_every_strand_written_out(codes: list[int]) -> None:
    gene = toy()
    found = only(solve(gene, made(gene, codes), CallParams()))
    if sum(code == HET for code in codes) < 2:
        assert found["status"] in ("called", "no_data")
        return
    texts = {0: ("A", "A"), HET: ("A", "C"), HOM: ("C", "C"), NO_CALL: None}
    assert found["status"] == "haplotypes"
    assert found["haplotypes"] == haplotypes(gene, [texts[code] for code in codes])


@settings(max_examples=100)
@given(st.lists(st.sampled_from([0, HET, HOM, NO_CALL, 1 << 0]), min_size=5, max_size=5), st.booleans())
def test_phased_strands_are_made_of_their_own_alterations(codes: list[int], numbered: bool) -> None:
    """Each strand's alleles, written from the strand alone; their cells are the score."""
    gene = toy()
    found = only(solve(gene, made(gene, codes, 2 if numbered else 1), CallParams()))
    if all(code == NO_CALL for code in codes):
        assert found["status"] == "no_data"
        return
    n_seen = sum(code != NO_CALL for code in codes)
    strands, score = [], 0
    for shift in (0, 4):
        altered = {at for at, code in enumerate(codes) if code != NO_CALL and code >> shift & 15 == 1}
        last = {at for at in (3, 4) if codes[at] != NO_CALL}
        parts = [f"c.{at + 1}A>C" for at in range(3) if at in altered]
        cells = len(parts)
        if last and last <= altered:
            parts.append("c.4A>C")
            cells += len(last)
        others = [f"g.{100 + at}A>C" for at in (3, 4) if at in altered and not last <= altered]
        score += (cells if parts else n_seen) - len(others)
        parts += others
        strands.append("Reference" if not parts else parts[0] if len(parts) == 1 else f"[{' + '.join(parts)}]")
    assert found["status"] == "called"
    first, second = found["diplotypes"][0].split("/")  # type: ignore[index]  # a list of str
    assert sorted([first, second]) == sorted(strands)
    assert found["scores"] == [score]


@pytest.mark.real
@pytest.mark.parametrize(
    ("intron", "exon", "phase", "expected", "warnings"),
    [
        (HET, HET, 1, ["Reference/" + HAPB3], []),
        (HET, 0, 1, ["Reference/" + INTRONIC], []),
        (HOM, HET, 1, [f"{INTRONIC}/{HAPB3}"], []),
        (HOM, HOM, 1, [f"{HAPB3}/{HAPB3}"], []),
        (0, HET, 1, ["Reference/Reference"], [MISMATCH]),
        (NO_CALL, HET, 1, ["Reference/" + HAPB3], [EXON_ONLY]),
        (NO_CALL, HOM, 0, [f"{HAPB3}/{HAPB3}"], [EXON_ONLY]),
        (HET, NO_CALL, 0, ["Reference/" + INTRONIC], []),
        (HET, HET, 0, ["Reference", HAPB3], []),
        (HET, HOM, 0, ["Reference/" + HAPB3], [MISMATCH]),
    ],
)
def test_hapb3(data: Path, intron: int, exon: int, phase: int, expected: list[str], warnings: list[str]) -> None:
    """The intron decides; an exon alone stands for HapB3 only where the intron is missing."""
    gene = pharmcat.gene(data / "pgx" / "definitions" / "DPYD_translation.json")
    at = {position.rsid: site for site, position in enumerate(gene.positions)}
    codes = [0] * len(gene.positions)
    codes[at["rs75017182"]], codes[at["rs56038477"]] = intron, exon
    found = only(solve(gene, made(gene, codes, phase), CallParams()))
    assert (found["haplotypes"] or found["diplotypes"]) == expected
    assert found["warnings"] == warnings


@pytest.mark.real
def test_an_unphased_exon_beside_half_an_intron_tells_nothing_of_hapb3(data: Path) -> None:
    gene = pharmcat.gene(data / "pgx" / "definitions" / "DPYD_translation.json")
    at = {position.rsid: site for site, position in enumerate(gene.positions)}
    codes = [0] * len(gene.positions)
    codes[at["rs75017182"]], codes[at["rs56038477"]], codes[0] = 1 | MISSING << 4, HET, HET
    found = only(solve(gene, made(gene, codes), CallParams()))
    assert found["status"] == "haplotypes" and HAPB3 not in found["haplotypes"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("codes", "phase", "expected"),
    [
        # ./1 and 1/.: as they stand they are on different strands
        ((MISSING | 1 << 4, 1 | MISSING << 4, 0, 0, 0), 0, "[c.1A>C + g.101?]/[c.2A>C + g.100?]"),
        ((MISSING | 1 << 4, MISSING | 1 << 4, 0, 0, 0), 0, "[c.1A>C + c.2A>C]/[g.100? + g.101?]"),
        # 1|. and 1|0: the strand that is not seen is that of 0, also where the half one has a phase set of its own
        ((1 | MISSING << 4, 1, 0, 0, 0), (2, 1, 1, 1, 1), "g.100?/[c.1A>C + c.2A>C]"),
    ],
)
def test_half_a_genotype_is_read_as_it_stands(
    codes: tuple[int, ...], phase: tuple[int, ...] | int, expected: str
) -> None:
    gene = toy()
    phases = list(phase) if isinstance(phase, tuple) else phase
    assert only(solve(gene, made(gene, list(codes), phases), CallParams()))["diplotypes"] == [expected]


def test_patterns_alike_are_answered_once_and_as_each_alone() -> None:
    gene = toy()
    rng = np.random.default_rng(7)
    codes = rng.choice([0, HET, HOM, NO_CALL], size=(5, 200), p=[0.5, 0.2, 0.1, 0.2]).astype(np.uint8)
    texts = tuple((position.ref, *position.alts) for position in gene.positions)
    phase = rng.choice([0, 1, 2, 3], size=(5, 200)).astype(np.uint8)
    together = solve(gene, Genotypes("TOY", codes, phase, texts), CallParams())
    rows = together.answers.to_pylist()
    assert len(rows) < 200
    for person in range(200):
        one = solve(gene, Genotypes("TOY", codes[:, [person]], phase[:, [person]], texts), CallParams())
        assert rows[together.answer[together.patterns.of_person[person]]] == only(one)


def test_a_haploid_gene_of_this_kind_has_single_names() -> None:
    gene = toy()
    found = only(solve(gene, made(gene, [HAPLOID_REF] * 5, 1), CallParams()))
    assert found["diplotypes"] == ["Reference"] and found["scores"] == [5]
