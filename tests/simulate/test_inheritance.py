"""Meiosis, ancestry tracts, and the mosaics that they make of founder haplotypes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cohelix.simulate.cohort import kinship
from cohelix.simulate.inheritance import (
    AUTOSOMES,
    FEMALE_RATE,
    PAR1_END,
    Inheritance,
    Layout,
    Pieces,
    X,
    ancestry,
)
from cohelix.simulate.people.pedigree import Block
from cohelix.simulate.people.person import SOURCES, Human
from cohelix.simulate.regions import parse

EUR = tuple(float(source == "eur") for source in SOURCES)


def founder(number: int, karyotype: str, shares: tuple[float, ...] = EUR, generations: int = 0) -> Human:
    return Human(number, None, None, karyotype, "eur", shares, generations, 1970)


def child(number: int, mother: int, father: int, karyotype: str) -> Human:
    return Human(number, mother, father, karyotype, "eur", EUR, 0, 2000)


def family(n_children: int, *karyotypes: str) -> Inheritance:
    """Mother 0, father 1, children from 2 on."""
    humans = [founder(0, "XX"), founder(1, "XY")]
    humans += [child(2 + k, 0, 1, karyotypes[k % len(karyotypes)]) for k in range(n_children)]
    return Inheritance(Block(0, {human.number: human for human in humans}), 11)


def at(pieces: Pieces, place: int) -> int:
    return int(pieces.founder[np.searchsorted(pieces.start, place, side="right") - 1])


def test_a_child_has_one_copy_of_each_parent_everywhere() -> None:
    inheritance = family(20, "XX", "XY")
    for number in range(2, 22):
        maternal, paternal = inheritance.genome(number).autosomes
        assert set((maternal.founder // 4).tolist()) == {0}
        assert set((paternal.founder // 4).tolist()) == {1}
        assert maternal.start[0] == 0 and (np.diff(maternal.start) > 0).all()
        assert (maternal.founder[1:] != maternal.founder[:-1]).all()


def test_crossovers_have_their_rate_and_chromosomes_assort_freely() -> None:
    inheritance = family(300, "XX")
    switches, begins = [], []
    for number in range(2, 302):
        maternal = inheritance.genome(number).autosomes[0]
        switches.append(np.setdiff1d(maternal.start, AUTOSOMES.starts).size)
        begins.append([at(maternal, int(start)) % 4 for start in AUTOSOMES.starts[:-1]])
    expected = FEMALE_RATE * AUTOSOMES.length
    assert np.mean(switches) == pytest.approx(expected, abs=5 * (expected / 300) ** 0.5)
    assert np.mean(begins) == pytest.approx(0.5, abs=0.03)
    neighbours = np.corrcoef(np.array(begins)[:, :-1].ravel(), np.array(begins)[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.05


def test_sex_chromosomes_pass_as_they_do() -> None:
    inheritance = family(200, "XX", "XY")
    exchanged = 0
    for number in range(2, 202):
        genome = inheritance.genome(number)
        middle = (PAR1_END + X.length) // 2
        assert genome.mt == 0  # the mother's
        if number % 2 == 0:  # daughters
            assert len(genome.x) == 2 and not genome.y and not genome.y_par
            assert at(genome.x[1], middle) == 4  # the father's only X: his mother's
        else:
            assert len(genome.x) == 1 and genome.y == (5,)
            assert set((genome.x[0].founder // 4).tolist()) == {0}
            assert at(genome.y_par[0], middle) == 5
            exchanged += at(genome.y_par[0], 1) == 4
    assert 30 < exchanged < 70  # half of 100 sons have the end of PAR1 from the father's X


@pytest.mark.parametrize(
    ("karyotype", "x", "y"), [("X", 1, 0), ("XXX", 3, 0), ("XXY", 2, 1), ("XYY", 1, 2), ("XX", 2, 0), ("XY", 1, 1)]
)
@pytest.mark.parametrize("inherited", [False, True])
def test_karyotypes_have_their_copies(karyotype: str, x: int, y: int, inherited: bool) -> None:
    if inherited:
        genome = family(1, karyotype).genome(2)
    else:
        genome = Inheritance(Block(0, {0: founder(0, karyotype)}), 1).genome(0)
    assert (len(genome.x), len(genome.y), len(genome.y_par)) == (x, y, y)
    if karyotype in ("XXX", "XXY") and inherited:
        middle = (PAR1_END + X.length) // 2
        assert {at(genome.x[0], middle), at(genome.x[1], middle)} == {0, 1}  # both of the mother's


def test_kinship_has_its_expected_mean() -> None:
    inheritance = family(80, "XX")
    genomes = [inheritance.genome(number).autosomes for number in range(2, 82)]
    sibs = [kinship.shared(genomes[k], genomes[k + 1]) for k in range(0, 80, 2)]
    assert np.mean([pair.kinship for pair in sibs]) == pytest.approx(0.25, abs=0.015)
    assert np.mean([pair.ibd2 for pair in sibs]) == pytest.approx(0.25, abs=0.03)
    # Standard deviation of sibs' sharing over the genome: 0.036 of IBD/2 (Visscher 2006), half of it in kinship.
    assert 0.01 < np.std([pair.kinship for pair in sibs]) < 0.03
    mother = inheritance.genome(0).autosomes
    for genome in genomes[:5]:
        found = kinship.shared(mother, genome)
        assert (found.kinship, found.ibd0, found.ibd1) == (0.25, 0.0, 1.0)
    assert kinship.shared(genomes[0], genomes[0]).kinship == 0.5
    assert kinship.shared(mother, inheritance.genome(1).autosomes).kinship == 0.0


def test_kinship_within_stretches_is_that_of_the_stretches() -> None:
    half = AUTOSOMES.length // 2
    one = (Pieces(np.array([0]), np.array([0])), Pieces(np.array([0]), np.array([1])))
    other = (Pieces(np.array([0, half]), np.array([0, 9])), Pieces(np.array([0]), np.array([8])))
    assert kinship.shared(one, other).kinship == pytest.approx(0.125)
    assert kinship.shared(one, other, np.array([[0, 1000]])).kinship == 0.25
    assert kinship.shared(one, other, np.array([[half - 500, half + 500], [half + 700, half + 1700]])).ibd0 == 0.75


def test_tracts_have_the_shares_and_the_age_of_the_mixture() -> None:
    shares = (0.3, 0.0, 0.0, 0.7, 0.0, 0.0)
    humans = {k: founder(k, "XX", shares, 10) for k in range(40)}
    inheritance = Inheritance(Block(0, humans), 2)
    lengths, afr = [], []
    for number in range(40):
        for pieces in inheritance.genome(number).autosomes:
            found = ancestry(inheritance, pieces, AUTOSOMES)
            length = np.diff(np.append(found.start, AUTOSOMES.length))
            afr.append(length[found.source == 0].sum() / AUTOSOMES.length)
            lengths.append(found.start.size)
    assert np.mean(afr) == pytest.approx(0.3, abs=0.02)
    # A crossover changes the source with probability 2pq; each chromosome begins a tract.
    expected = 22 + 1.2e-8 * AUTOSOMES.length * 10 * 2 * 0.3 * 0.7
    assert np.mean(lengths) == pytest.approx(expected, rel=0.05)


REGIONS = parse(
    ["chr1:1,000,001-1,100,000", "chr1:200,000,001-200,050,000", "chr2:5,000,001-5,010,000", "chrX:2,700,001-2,800,000",
     "chrX:100,000,001-100,010,000", "chrY:12,000,001-12,010,000", "chrM:1-16000"]
)  # fmt: skip


def layout(spans: np.ndarray | None = None) -> Layout:
    empty = np.empty((0, 2), np.int64)
    return Layout(REGIONS, 50, [empty if spans is None else spans for _ in REGIONS])


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_mosaic_covers_every_copy_once(number: int) -> None:
    inheritance = family(2, "XX", "XY")
    human = inheritance._humans[number]
    mosaic = layout().mosaic(inheritance, human, 5)
    male = human.sex == "male"
    for region in REGIONS:
        here = slice(mosaic.first[region.index], mosaic.first[region.index + 1])
        for copy in np.unique(mosaic.copy[here]).tolist():
            rows = np.flatnonzero(mosaic.copy[here] == copy) + mosaic.first[region.index]
            end = region.length
            if region.index == 3 and male and copy == 1:
                end = PAR1_END - region.start  # the Y has this stretch only up to the end of PAR1
            assert mosaic.start[rows][0] == 0 and mosaic.end[rows][-1] == end
            assert (mosaic.start[rows][1:] == mosaic.end[rows][:-1]).all()
    copies = [2, 2, 2, 2, 1 if male else 2, 1 if male else 0, 1]
    assert mosaic.copies.tolist() == copies
    assert (mosaic.row // 50 == mosaic.source).all()


def test_rows_follow_the_founder_haplotype() -> None:
    """Whoever inherits a founder haplotype has the same row of the panel."""
    inheritance = family(30, "XX", "XY")
    of: dict[tuple[int, int], set[int]] = {}
    for number in range(32):
        mosaic = layout().mosaic(inheritance, inheritance._humans[number], 5)
        for founder_, region, row in zip(
            mosaic.founder.tolist(), mosaic.region.tolist(), mosaic.row.tolist(), strict=True
        ):
            of.setdefault((founder_, region), set()).add(row)
    assert all(len(rows) == 1 for rows in of.values())


def test_no_change_of_haplotype_within_a_deletion() -> None:
    """Crossovers are made so frequent that they fall everywhere; cuts move to the ends of the spans."""
    spans = np.array([[start, start + 90] for start in range(0, 9_900, 100)], np.int64)
    inheritance = family(60, "XX")
    pieces = inheritance.genome(0).autosomes
    begin = AUTOSOMES.at("2", REGIONS[2].start)
    cuts = np.concatenate([[0], begin + np.arange(3, 9_990, 7)])
    striped = Pieces(cuts, np.arange(cuts.size) % 2)
    inheritance._genomes[0] = replace(inheritance.genome(0), autosomes=(striped, pieces[1]))
    mosaic = layout(spans).mosaic(inheritance, inheritance._humans[0], 5)
    here = (mosaic.region == 2) & (mosaic.copy == 0)
    inner = mosaic.start[here][1:]
    assert inner.size > 50
    assert not any(low < cut < high for cut in inner.tolist() for low, high in spans.tolist())
