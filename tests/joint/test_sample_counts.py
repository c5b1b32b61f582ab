"""Counts by region (depth over bases, homozygous calls) and singletons, against plain definitions."""

from __future__ import annotations

import os
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohelix import genome
from cohelix.genome import Bin
from cohelix.genotypes import callset
from cohelix.joint import coverage, finish, unify
from cohelix.joint.call import call
from cohelix.joint.counting import kernels
from cohelix.joint.genotype import kernels as g
from cohelix.joint.ingest import ingest
from cohelix.joint.overlap import kernels as o
from cohelix.joint.schema import (
    COVERAGE,
    HOMOZYGOSITY,
    OUTCOMES,
    REASONS,
    SAMPLE_COUNTS,
    SITE_COUNTS,
    CallParams,
    IngestParams,
)
from cohelix.runtime.local import LocalRuntime
from tests.joint import made
from tests.oracles import joint as plain

EXAMPLES = int(os.environ.get("COHELIX_EXAMPLES", "300"))
small = settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

DEPTH = st.sampled_from([None, 0, 9, 10, 19, 20, 29, 30, 500])


@st.composite
def stated(draw: st.DrawFn) -> dict[str, Any]:
    """Variant records that may lie over one another, and blocks that do not overlap."""
    starts = sorted(draw(st.lists(st.integers(0, 30), max_size=5)))
    records = [{"start": at, "ref": "A" * draw(st.integers(1, 12)), "dp": draw(DEPTH)} for at in starts]
    blocks, at = [], 0
    for _ in range(draw(st.integers(0, 6))):
        start = at + draw(st.sampled_from([0, 0, 1, 3]))
        at = start + draw(st.integers(1, 12))
        blocks.append({"start": start, "end": at, "dp": draw(DEPTH)})
    return {"records": records, "blocks": blocks}


def depth(dp: int | None) -> int:
    return -1 if dp is None else dp


@small
@given(st.lists(stated(), min_size=1, max_size=3), st.lists(st.integers(0, 40), min_size=2, max_size=4, unique=True))
def test_each_base_counts_once_with_the_depth_that_is_stated(samples: list[dict[str, Any]], cuts: list[int]) -> None:
    cuts = sorted(cuts)
    stretches = np.array([(a, b, i % 2) for i, (a, b) in enumerate(pairwise(cuts))], np.int64)
    regions = {base: "ab"[place] for low, high, place in stretches.tolist() for base in range(low, high)}
    table = np.zeros((sum(len(s["records"]) for s in samples), o.R_COLUMNS), np.int32)
    found = [(r["start"], r["start"] + len(r["ref"]), depth(r["dp"])) for s in samples for r in s["records"]]
    table[:, [o.R_START, o.R_END, o.R_DP]] = np.array(found, np.int32).reshape(-1, 3)
    blocks = [(b["start"], b["end"], depth(b["dp"])) for s in samples for b in s["blocks"]]
    start, end, dp = np.array(blocks, np.int32).reshape(-1, 3).T.copy()
    at = [np.cumsum([0, *(len(s[name]) for s in samples)], dtype=np.int64) for name in ("records", "blocks")]
    out = np.zeros((len(samples), 2, len(COVERAGE)), np.int64)
    kernels.cover(table, at[0], start, end, dp, at[1], stretches, out)
    for sample, counts in zip(samples, out, strict=True):
        expected = plain.coverage(sample["records"], sample["blocks"], regions)
        assert counts.tolist() == [expected.get(region, [0] * len(COVERAGE)) for region in "ab"]


def test_the_bases_of_a_bin_by_region() -> None:
    low, high = genome.par_of("GRCh38", "chrX")[0]
    bin_ = Bin(22, 2_000_000, 3_000_000, "chrX")
    positions = np.array([2_000_000, high - 1, high, 2_999_999], np.int32)
    regions = coverage.regions_of("GRCh38", bin_, None, positions)
    names = [genome.REGIONS[n] for n in regions.numbers]
    assert names == ["x", "x_par"]
    assert [(a, b, names[n]) for a, b, n in regions.stretches.tolist()] == [
        (2_000_000, high, "x_par"),
        (high, 3_000_000, "x"),
    ]
    assert [names[n] for n in regions.of_rows] == ["x_par", "x_par", "x", "x"]
    window = coverage.regions_of("GRCh38", bin_, (high + 5, high + 10), positions[:0])
    assert window.stretches.tolist() == [[high + 5, high + 10, 0]]
    whole = coverage.regions_of("GRCh38", Bin(19, 0, 1_000_000, "20"), None, positions[:0])
    assert (whole.stretches.tolist(), [genome.REGIONS[n] for n in whole.numbers]) == ([[0, 1_000_000, 0]], ["chr20"])
    assert low > 0


LENGTHS = {"chr2": 242_193_529, "chr20": 64_444_167, "chrX": 156_040_895, "chrY": 57_227_415}
PLACES = [
    ("chr2", 995_000),
    ("chr20", 5_000),
    ("chrX", genome.par_of("GRCh38", "chrX")[0][1] - 1_500),
    ("chrY", 5_000_000),
]


def person(number: int) -> made.Gvcf:
    """SNPs, deletions and multiallelic SNPs at places that people share, across the ends of bins and regions."""
    draw = random.Random(number)
    gvcf = made.Gvcf(f"made{number:02d}", dict(LENGTHS))
    for contig, begin in PLACES:
        at = begin
        for site in range(begin + 100, begin + 12_000, 400):
            gvcf.records.append(made.block(contig, at, site - 1, dp=draw.randint(0, 40), gq=draw.choice([0, 20, 99])))
            gvcf.set_value(gvcf.records[-1], "DP", str(draw.randint(0, 45)))  # MIN_DP is another
            gt, ad = draw.choice([("0/1", "14,13,0"), ("1/1", "1,26,0"), ("1/1", "0,31,0"), ("0/0", "30,0,0")])
            ref, alt = ("ACG", "A") if site % 1600 == 500 else ("A", draw.choice("CG" if site % 2000 == 300 else "C"))
            gvcf.records.append(made.variant(contig, site, ref, alt, gt, ad=ad, gq=draw.choice([15, 50, 99])))
            at = site + len(ref) - (len(ref) > 1 and draw.random() < 0.5)  # some blocks lie over a deleted base
        gvcf.records.append(made.block(contig, at, begin + 13_000, dp=draw.randint(5, 40)))
    return gvcf


def tables(opened: callset.Callset) -> dict[str, list[dict[str, Any]]]:
    found = {name: opened.table(path).to_pylist() for name, path in opened.commit.meta["tables"].items()}
    return found | {"samples": opened.samples().to_pylist()}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[made.Gvcf], list[str]]:
    folder = tmp_path_factory.mktemp("cohort")
    people = [person(number) for number in range(7)]
    sexes = ["male", "female", "unknown", "male", "female", "male", "female"]
    rows = made.write(folder / "gvcfs", people)
    lines = [f"{name}\t{path}\t{sex}" for (name, path), sex in zip(rows, sexes, strict=True)]
    (folder / "manifest.tsv").write_text("\n".join(["sample_id\tpath\tsex", *lines]) + "\n")
    return folder, people, sexes


def called(folder: Path, name: str, **choices: Any) -> callset.Callset:
    ingest(str(folder / "manifest.tsv"), str(folder / f"{name}.calls"), IngestParams(**choices), LocalRuntime(1))
    return call(str(folder / f"{name}.calls"), str(folder / f"{name}.callset"), CallParams(), LocalRuntime(1))


@pytest.mark.parametrize(("bin_bp", "batch_samples"), [(10_000, 100), (1_000_000, 2), (30_000_000, 3)])
def test_totals_do_not_depend_on_how_the_work_is_cut(
    cohort: tuple[Path, list[made.Gvcf], list[str]], bin_bp: int, batch_samples: int
) -> None:
    folder, people, sexes = cohort
    opened = called(folder, f"cut-{bin_bp}", bin_bp=bin_bp, batch_samples=batch_samples)
    found = tables(opened)
    whole = folder / "whole.callset"
    expected = tables(callset.open_callset(str(whole)) if whole.exists() else called(folder, "whole"))
    assert found == expected
    assert any(row["n_charr"] for row in found["samples"]) and any(row["n_sites"] for row in found["contamination"])
    regions = {(row["sample"], row["region"]): row for row in found["regions"]}
    assert {region for _, region in regions} == {"autosome", "chr20", "x_par", "x", "y"}
    for s, gvcf in enumerate(people):
        for region, counts in bases_of(gvcf).items():
            assert [regions[s, region][name] for name in COVERAGE] == counts
        rows = [row for (sample, _), row in regions.items() if sample == s]
        for name in ("n_sites", "n_called", "n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt"):
            assert sum(row[name] for row in rows) == found["samples"][s][name]
        assert sum(row["n_ploidy_conflict"] for row in rows) == found["samples"][s]["missing_ploidy"]
        hets = sum(record[0] == "chrX" and record[9].startswith("0/1") for record in gvcf.records)
        conflicts = {"male": 0 < regions[s, "x"]["n_ploidy_conflict"] <= hets, "female": True, "unknown": True}
        assert conflicts[sexes[s]] and (regions[s, "y"]["n_called"] == 0) == (sexes[s] == "female")


def bases_of(gvcf: made.Gvcf) -> dict[str, list[int]]:
    """Coverage by region, base by base, from the lines of a gVCF."""
    out: dict[str, list[int]] = {}
    for contig, begin in PLACES:
        records, blocks = [], []
        for line in gvcf.records:
            if line[0] == contig:
                parsed = plain.parse_line("\t".join(line), [contig])
                if parsed["kind"] == "block":
                    parsed["depth"] = int(line[9].split(":")[1])
                (blocks if parsed["kind"] == "block" else records).append(parsed)
        bases = np.arange(begin, begin + 13_001)
        names = [genome.REGIONS[n] for n in genome.region_of("GRCh38", contig, bases)]
        out |= plain.coverage(records, blocks, dict(zip((bases - 1).tolist(), names, strict=True)))
    return out


A_CALL = st.tuples(st.integers(0, 4), st.booleans(), DEPTH, DEPTH, DEPTH, DEPTH, st.sampled_from(["C", "G", "AT", ""]))


@small
@given(st.lists(A_CALL, max_size=5), st.lists(st.integers(1, len(REASONS) - 1), max_size=4))
def test_counts_of_single_genotypes(calls: list[tuple[Any, ...]], missing: list[int]) -> None:
    site, sample = np.zeros(len(SITE_COUNTS), np.int64), np.zeros(len(SAMPLE_COUNTS), np.int64)
    outcomes = np.zeros((2, OUTCOMES), np.int64)
    cells = [plain.Cell(None, reason=REASONS[reason]) for reason in missing]
    spelled = [("A", "C") for _ in missing]
    for reason in missing:
        outcomes[0, len(REASONS) - 1 - reason] += 1
    for cell, adj, gq, dp, ref_reads, reads, other in calls:
        one = plain.Cell(cell - 3 if cell > 2 else cell, cell > 2, "called", None, gq, dp, ref_reads, reads, adj)
        ref, alt = ("A", other) if other else ("AT", "A")
        said = (cell, adj, depth(gq), depth(dp), depth(ref_reads), depth(reads))
        kernels.count_site(*said, site)
        kernels.count_sample(*said, unify.kind_of(ref, alt), unify.substitution_of(ref, alt), sample)
        outcomes[cell % 2, len(REASONS) - 1 + cell] += 1
        cells.append(one)
        spelled.append((ref, alt))
    kernels.sum_outcomes(outcomes, sample)
    expected = plain.counts(cells)
    assert dict(zip(SITE_COUNTS, site.tolist(), strict=True)) == {name: expected[name] for name in SITE_COUNTS}
    expected = plain.sample_counts(cells, spelled)
    named = dict(zip(SAMPLE_COUNTS, sample.tolist(), strict=True))
    assert named == {name: expected.get(name, 0) for name in SAMPLE_COUNTS}


CELL = st.sampled_from([*range(-11, 5), *(g.FAILS_ADJ + cell for cell in range(5)), 0, 0, 1, 2])


@small
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_what_needs_the_totals_of_a_row(table: list[list[int]]) -> None:
    cells = np.array(table, np.int8)
    classes = [[cell % g.FAILS_ADJ if cell >= 0 else None for cell in row] for row in table]
    ac = [sum({1: 1, 2: 2, 4: 1}.get(c, 0) for c in row if c is not None) for row in classes]
    an = [sum(2 if c <= 2 else 1 for c in row if c is not None) for row in classes]
    regions = np.arange(len(table), dtype=np.int32) % 2
    substitution = [w % 3 for w in range(len(table))]
    singleton = np.array([s if n == 1 else -1 for s, n in zip(substitution, ac, strict=True)], np.int8)
    weights = finish.homozygosity_weights(np.array(ac), np.array(an))
    counts = np.zeros((cells.shape[1], len(SAMPLE_COUNTS)), np.int64)
    homozygosity = np.zeros((cells.shape[1], 2, len(HOMOZYGOSITY)), np.int64)
    for place in (0, 1):
        homozygosity[:, place] = weights[regions == place].sum(axis=0)
    kernels.finish_rows(cells, regions, singleton, weights, counts, homozygosity)
    for s in range(cells.shape[1]):
        own = [row[s] for row in classes]
        carried = [w for w, c in enumerate(own) if ac[w] == 1 and c in (1, g.HAPLOID_ALT)]
        named = dict(zip(SAMPLE_COUNTS, counts[s].tolist(), strict=True))
        assert named["n_singleton"] == len(carried)
        assert named["n_singleton_transition"] == sum(substitution[w] == 1 for w in carried)
        assert named["n_singleton_transversion"] == sum(substitution[w] == 2 for w in carried)
        for place in (0, 1):
            diploid = [w for w, c in enumerate(own) if c in (0, 1, 2) and 0 < ac[w] < an[w] and w % 2 == place]
            expected = [plain.expected_homozygotes(ac[w], an[w]) for w in diploid]
            assert homozygosity[s, place].tolist() == [
                len(diploid),
                *(sum(round(1_000_000_000 * pair[i]) for pair in expected) for i in (0, 1)),
            ]
