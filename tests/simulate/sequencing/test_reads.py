"""Depth, balance, contamination and misses against closed forms. Bounds are four standard errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cohelix.simulate.population import NO_COPY
from cohelix.simulate.schema import SequencingParams
from cohelix.simulate.sequencing.calling import LISTED
from cohelix.simulate.sequencing.gvcf import sequence_sample
from cohelix.simulate.sequencing.sample import Here, Sample, draw_sample
from cohelix.simulate.sequencing.stretches import TILE_SHAPE
from tests.oracles.sequencing import chance_to_miss
from tests.simulate.sequencing.made import CLEAN, Record, here, place, records, rows, sample, snps

REGION, REFERENCE = place("chr22:20,000,001-20,100,000")
ON_X, REFERENCE_X = place("chrX:50,000,001-50,050,000")
ON_M, REFERENCE_M = place("chrM:1-16,000")


def variants(one: Here, who: Sample, params: SequencingParams = CLEAN) -> list[Record]:
    data, _ = sequence_sample(params, 1, who, [one], source="test")
    return [record for record in records(data) if not record.is_block]


def balance(found: list[Record]) -> tuple[float, float]:
    """Share of reads of the alternate, and its standard error."""
    reads = np.array([record.numbers("AD")[:2] for record in found])
    total = int(reads.sum())
    share = float(reads[:, 1].sum() / total)
    return share, (share * (1 - share) / total) ** 0.5


def test_depth_is_negative_binomial_around_the_coverage() -> None:
    found = variants(here(REGION, REFERENCE, snps(REFERENCE, [1, 1])), sample(coverage=30.0))
    depth = np.array([int(record.values["DP"]) for record in found])
    assert depth.size > 1990
    variance = 30 + 30**2 / TILE_SHAPE
    # neighbours share a tile, so the sites are worth fewer than they are
    assert abs(depth.mean() - 30) < 4 * (1.5 * variance / depth.size) ** 0.5
    assert 0.85 < depth.var() / variance < 1.15


def test_blocks_have_the_depth_of_the_copies() -> None:
    carried = snps(REFERENCE, [0, 0], every=50_000)
    halves = [(0, 50_000, 2), (50_000, 100_000, 3)]
    one = here(REGION, REFERENCE, carried, copies=halves, depth_factors=[(0, 20_000, 0.5)])
    data, _ = sequence_sample(CLEAN, 1, sample(coverage=30.0), [one], source="test")
    stretch: dict[int, list[tuple[int, int]]] = {0: [], 20_000: [], 50_000: []}
    for record in records(data):
        offset = record.position - 1 - REGION.start
        begin = max(start for start in stretch if start <= offset)
        stretch[begin].append((int(record.values["DP"]), record.end - record.position + 1))
    for begin, mean in ((0, 15), (20_000, 30), (50_000, 45)):
        depth, bases = np.array(stretch[begin]).T
        assert abs((depth * bases).sum() / bases.sum() - mean) < 0.06 * mean


@pytest.mark.parametrize("share", [0.5, 0.55])
def test_reads_of_a_het_are_shared_out_as_asked(share: float) -> None:
    found = variants(here(REGION, REFERENCE, snps(REFERENCE, [0, 1])), sample(), replace(CLEAN, reference_share=share))
    seen, sd = balance(found)
    assert abs(seen - (1 - share)) < 4 * sd


@pytest.mark.parametrize("fraction", [0.03, 0.2])
def test_contamination_shows_at_homozygotes(fraction: float) -> None:
    other = snps(REFERENCE, [0, 0])
    one = here(REGION, REFERENCE, snps(REFERENCE, [1, 1]), contaminant=other)
    seen, sd = balance(variants(one, sample(contamination=fraction)))
    assert abs(seen - (1 - fraction)) < 4 * sd
    half = here(REGION, REFERENCE, snps(REFERENCE, [1, 1]), contaminant=snps(REFERENCE, [0, 1]))
    seen, sd = balance(variants(half, sample(contamination=fraction), replace(CLEAN, reference_share=0.5)))
    assert abs(seen - (1 - fraction / 2)) < 4 * sd


def test_a_contaminant_with_one_x_gives_half_the_reads() -> None:
    other = snps(REFERENCE_X, [0, NO_COPY])
    one = here(ON_X, REFERENCE_X, snps(REFERENCE_X, [1, 1]), contaminant=other)
    found = variants(one, sample(contamination=0.2, coverage=60.0))
    seen, sd = balance(found)
    assert abs((1 - seen) - 0.1 / 0.9) < 4 * sd
    assert abs(np.mean([int(record.values["DP"]) for record in found]) - 54) < 2


@pytest.mark.parametrize("coverage", [4.0, 8.0, 30.0])
def test_a_sample_of_low_coverage_misses_hets_as_the_binomial_says(coverage: float) -> None:
    params = replace(CLEAN, error=0.001, reference_share=0.5)
    one = here(REGION, REFERENCE, snps(REFERENCE, [0, 1]))
    missed = total = 0
    for number in range(3):
        _, truth = sequence_sample(params, 1, sample(number, coverage=coverage), [one], source="test")
        told = [row for row in rows(truth) if row["copies_true"] == 1]
        total += len(told)
        missed += sum(row["copies_called"] == 0 for row in told)
        assert {row["reason"] for row in told if row["copies_called"] == 0} <= {"few reads", "stray reads"}
    chance = chance_to_miss(coverage, TILE_SHAPE, 0.5, params.error, LISTED)
    assert total > 5_900
    assert abs(missed / total - chance) < 4 * (1.5 * chance * (1 - chance) / total) ** 0.5 + 0.002


def test_stray_reads_are_as_frequent_as_errors() -> None:
    params = replace(CLEAN, error=0.003)
    carried = snps(REFERENCE, [0, 0], every=50_000)
    data, truth = sequence_sample(params, 1, sample(coverage=30.0), [here(REGION, REFERENCE, carried)], source="test")
    found = [record for record in records(data) if not record.is_block]
    # two of 30 reads with the same of three wrong bases, averaged over the gamma noise of depth
    mean = np.random.default_rng(1).gamma(TILE_SHAPE, 30 / TILE_SHAPE, 100_000) * params.error / 3
    expected = 100_000 * 3 * float(np.mean(1 - np.exp(-mean) * (1 + mean)))
    assert abs(len(found) - expected) < 4 * (1.5 * expected) ** 0.5
    extra = [row for row in rows(truth) if row["outcome"] == "extra"]
    assert {row["reason"] for row in extra} == {"stray reads"}
    assert sum("1" in record.gt for record in found) == len(extra)


def test_three_x_called_as_two_have_a_third_of_the_reads() -> None:
    one = here(ON_X, REFERENCE_X, snps(REFERENCE_X, [0, 0, 1]))
    data, truth = sequence_sample(replace(CLEAN, reference_share=0.5), 1, sample(coverage=60.0), [one], source="test")
    seen, sd = balance([record for record in records(data) if not record.is_block])
    assert abs(seen - 1 / 3) < 4 * sd
    whole = here(ON_X, REFERENCE_X, snps(REFERENCE_X, [1, 1, 1]))
    _, truth = sequence_sample(CLEAN, 1, sample(coverage=60.0), [whole], source="test")
    told = {
        (row["copies_true"], row["copies_called"], row["copies"], row["outcome"], row["reason"]) for row in rows(truth)
    }
    assert told == {(3, 2, 3, "missed", "copies")}


def test_men_are_haploid_on_x_and_nothing_is_called_where_there_is_nothing_to_call() -> None:
    haploid = [(0, ON_X.length, 1)]
    man = here(ON_X, REFERENCE_X, snps(REFERENCE_X, [1, NO_COPY]), called_ploidy=haploid)
    data, truth = sequence_sample(CLEAN, 1, sample(coverage=30.0), [man], source="test")
    found = records(data)
    assert {len(record.gt) for record in found} == {1}
    depth = [int(record.values["DP"]) for record in found if not record.is_block]
    assert abs(np.mean(depth) - 15) < 1
    assert {row["outcome"] for row in rows(truth) if row["kind"] == "snp"} == {"right"}
    nobody = here(ON_X, REFERENCE_X, snps(REFERENCE_X, [NO_COPY, NO_COPY]), called_ploidy=[(0, ON_X.length, 0)])
    data, truth = sequence_sample(CLEAN, 1, sample(), [nobody], source="test")
    assert records(data) == []
    assert rows(truth) == []


def test_a_y_that_is_not_there_is_a_call_without_evidence() -> None:
    absent = here(ON_X, REFERENCE_X, snps(REFERENCE_X, [NO_COPY, NO_COPY]), called_ploidy=[(0, ON_X.length, 1)])
    data, truth = sequence_sample(CLEAN, 1, sample(), [absent], source="test")
    (block,) = records(data)
    assert (block.values["DP"], block.values["GQ"]) == ("0", "0")
    (row,) = rows(truth)
    assert (row["kind"], row["reason"], row["position"], row["end"]) == ("stretch", "copies", block.position, block.end)


def test_mitochondria_are_deep() -> None:
    one = here(ON_M, REFERENCE_M, snps(REFERENCE_M, [1]), called_ploidy=[(0, ON_M.length, 1)])
    found = variants(one, sample(coverage=30.0), replace(CLEAN, error=0.001))
    assert len(found) == one.carried.sites.offset.size
    assert 1_000 < np.mean([int(record.values["DP"]) for record in found]) < 1_400
    assert {record.values["GQ"] for record in found} == {"99"}


@pytest.mark.parametrize("told_as", ["copies", "factor"])
def test_a_deleted_gene_leaves_one_copy_that_is_called_as_two(told_as: str) -> None:
    carried = snps(REFERENCE, [0, 1])
    within = (carried.sites.offset >= 40_000) & (carried.sites.offset < 60_000)
    carried.alleles[within, 0] = NO_COPY
    if told_as == "factor":
        one = here(REGION, REFERENCE, carried, depth_factors=[(40_000, 60_000, 0.5)])
    else:
        one = here(REGION, REFERENCE, carried, copies=[(0, 40_000, 2), (40_000, 60_000, 1), (60_000, 100_000, 2)])
    _, truth = sequence_sample(CLEAN, 1, sample(), [one], source="test")
    told = [row for row in rows(truth) if 40_000 <= row["position"] - 1 - REGION.start < 60_000]
    assert {(row["copies_true"], row["copies_called"], row["reason"]) for row in told} == {(1, 2, "deleted")}
    assert abs(np.mean([row["depth"] for row in told]) - 15) < 1.5


def test_a_gene_deleted_from_both_chromosomes_has_no_evidence() -> None:
    carried = snps(REFERENCE, [0, 1])
    carried.alleles[(carried.sites.offset >= 40_000) & (carried.sites.offset < 60_000)] = NO_COPY
    copies = [(0, 40_000, 2), (40_000, 60_000, 0), (60_000, 100_000, 2)]
    _, truth = sequence_sample(CLEAN, 1, sample(), [here(REGION, REFERENCE, carried, copies=copies)], source="test")
    stretches = [row for row in rows(truth) if row["kind"] == "stretch"]
    assert {row["reason"] for row in stretches} == {"deleted"}
    assert sum(row["end"] - row["position"] + 1 for row in stretches) == 20_000


def test_samples_are_as_the_choices_say() -> None:
    params = SequencingParams(low_coverage=0.1, contaminated=0.2, batch_effect=0.0)
    drawn = [draw_sample(params, 3, index, f"S{index}", index // 96) for index in range(4_000)]
    low = np.array([one.low_coverage for one in drawn])
    coverage = np.array([one.coverage for one in drawn])
    assert abs(low.mean() - 0.1) < 0.02
    assert abs(coverage[low].mean() - 12) < 0.3
    assert abs(coverage[~low].mean() - 34) < 0.3
    assert abs(coverage[~low].std() - 4) < 0.2
    dirty = [one.contamination for one in drawn if one.contamination]
    assert abs(len(dirty) / 4_000 - 0.2) < 0.03
    assert set(dirty) == {0.01, 0.03, 0.1}
    assert {(one.batch % 2, one.dialect) for one in drawn} == {(0, "gatk"), (1, "dragen")}
    with_effect = [draw_sample(SequencingParams(batch_effect=0.1), 3, 5, "S", batch).coverage for batch in range(200)]
    assert abs(np.log(with_effect).std() - 0.1) < 0.02
    assert draw_sample(params, 3, 7, "S", 1) == draw_sample(params, 3, 7, "S", 1)
