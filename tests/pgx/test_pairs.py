"""Pairs of named alleles by bit sets against every strand written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.pgx.definition import Gene, NamedAllele, Position
from cohelix.pgx.genotype import ABSENT, Genotypes
from cohelix.pgx.matching.pairs import match_pairs
from cohelix.pgx.patterns import distinct
from tests.oracles.pgx_permutations import candidates
from tests.pgx.toy import genes, genotypes


def of_person(gene: Gene, people: Genotypes) -> list[list[tuple[int, int, int]]]:
    """(first, second, score) by person, of the kernel pairs_of_patterns."""
    patterns = distinct(people)
    pairs = match_pairs(gene, patterns)
    assert pairs.start[-1] == len(pairs.first) == len(pairs.second) == len(pairs.score)
    rows = list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.score.tolist(), strict=True))
    return [rows[pairs.start[i] : pairs.start[i + 1]] for i in patterns.of_person]


def written_out(gene: Gene, people: Genotypes) -> list[list[tuple[int, int, int]]]:
    phase = np.broadcast_to(people.phase, people.codes.shape)
    return [candidates(gene, people.codes[:, i], phase[:, i], people.alleles) for i in range(people.codes.shape[1])]


@settings(max_examples=200)
@given(genes().flatmap(lambda gene: st.tuples(st.just(gene), genotypes(gene))))
def test_every_candidate_and_its_score_as_if_all_strands_were_written_out(drawn: tuple[Gene, Genotypes]) -> None:
    gene, people = drawn
    assert of_person(gene, people) == written_out(gene, people)


def toy(cells: list[tuple[str | None, ...]], *, undocumented_as_reference: bool = False) -> Gene:
    """Alleles *1 (reference, A everywhere) and one for each of `cells`."""
    n = len(cells[0])
    positions = tuple(Position("chr1", i + 1, "", "A", ("G",), (f"g.{i + 1}A>G",)) for i in range(n))
    rows: list[tuple[str | None, ...]] = [("A",) * n, *cells]
    alleles = tuple(NamedAllele(f"*{i + 1}", "", i == 0, row, 0, ()) for i, row in enumerate(rows))
    return Gene("TOY", "chr1", "autosome", "standard", positions, alleles, undocumented_as_reference, "toy", "1")


def one_person(codes: list[tuple[int, int]], phase: list[int]) -> Genotypes:
    column = np.array([[a | b << 4] for a, b in codes], dtype=np.uint8)
    alleles = (("A", "G", "C"),) * len(codes)
    return Genotypes("TOY", column, np.array(phase, dtype=np.uint8)[:, None], alleles)


def called(gene: Gene, codes: list[tuple[int, int]], phase: list[int]) -> list[tuple[int, int, int]]:
    return of_person(gene, one_person(codes, phase))[0]


TWO = toy([("G", None), (None, "G"), ("G", "G")])


def test_phase_decides_between_two_alleles_and_one_with_both() -> None:
    assert called(TWO, [(0, 1), (0, 1)], [1, 1]) == [(0, 3, 4)]
    assert called(TWO, [(0, 1), (1, 0)], [1, 1]) == [(1, 2, 2)]
    assert called(TWO, [(0, 1), (0, 1)], [0, 0]) == [(0, 3, 4), (1, 2, 2)]
    assert called(TWO, [(0, 1), (0, 1)], [2, 3]) == [(0, 3, 4), (1, 2, 2)]
    assert called(TWO, [(0, 1), (1, 0)], [2, 2]) == [(1, 2, 2)]


def test_a_missing_position_takes_its_cells_from_the_scores_and_alleles_without_others_away() -> None:
    assert called(TWO, [(15, 15), (0, 1)], [0, 0]) == [(0, 2, 2), (0, 3, 2)]
    assert called(TWO, [(15, 15), (0, 0)], [0, 0]) == [(0, 0, 2)]
    assert called(TWO, [(15, 15), (15, 15)], [0, 0]) == []


def test_no_candidate_where_a_genotype_is_half_missing_or_one_strand_is_only_partly_there() -> None:
    assert called(TWO, [(1, 15), (0, 0)], [0, 0]) == []
    assert called(TWO, [(1, ABSENT), (0, 0)], [1, 1]) == []


def test_one_allele_where_haploid() -> None:
    assert called(TWO, [(1, ABSENT), (0, ABSENT)], [1, 1]) == [(1, -1, 1)]
    assert called(TWO, [(1, ABSENT), (15, 15)], [1, 1]) == [(1, -1, 1), (3, -1, 1)]


def test_an_unknown_allele_matches_nothing_unless_the_gene_reads_it_as_reference() -> None:
    codes = [(0, 2), (0, 1)]
    assert called(TWO, codes, [0, 0]) == []
    assert called(replace(TWO, undocumented_as_reference=True), codes, [0, 0]) == [(0, 2, 3)]


def test_a_wobble_cell_counts_where_the_strand_differs_from_ref() -> None:
    wobble = toy([("R", "G")])
    assert called(wobble, [(0, 1), (0, 1)], [1, 1]) == [(0, 1, 4)]
    assert called(wobble, [(1, 0), (0, 1)], [1, 1]) == []  # *1 has A, and G is on its strand
    assert called(wobble, [(0, 0), (1, 1)], [0, 0]) == [(1, 1, 2)]  # *2 twice, both wobbles at REF
    assert called(wobble, [(0, 1), (1, 1)], [0, 0]) == [(1, 1, 3)]


def test_thirty_unphased_heterozygous_genotypes_need_no_list_of_a_billion_strands() -> None:
    gene = toy([tuple("G" if i == j else None for j in range(30)) for i in range(30)] + [("G",) * 30])
    assert called(gene, [(0, 1)] * 30, [0] * 30) == [(0, 31, 60)]
    assert called(gene, [(15, 15)] * 29 + [(0, 1)], [0] * 30) == [(0, 30, 2), (0, 31, 2)]
