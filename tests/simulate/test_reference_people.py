"""The reference panel of a made cohort: strangers to it, of one source each, with no trace elsewhere."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pysam
import pytest

from cohelix.cli.__main__ import run
from cohelix.genotypes.callset import open_callset, read_blocks
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.simulate.cohort import reference_people
from cohelix.simulate.cohort.make import make_cohort
from cohelix.simulate.cohort.plan import Plan, make_plan
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.regions import parse
from cohelix.simulate.schema import CohortParams

PERSONS, PER_SOURCE, N = 6, 60, 8
SMALL = [
    "simulate.mode=sites", "simulate.region_count=22", "simulate.region_bases=6000", "simulate.arrays.share=0",
    f"simulate.haplotypes={PER_SOURCE}", "simulate.traits.causal=2", "simulate.traits.training=0",
    "simulate.genotypes=callset", "simulate.star_alleles=",
]  # fmt: skip


def plan_of(count: int, persons: int = PERSONS) -> Plan:
    wishes = load_wishes(None, None, [*SMALL, f"simulate.reference_people={count}"])
    return make_plan(wishes, persons=persons, seed=5)


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    for name, count in (("none", 0), ("some", N)):
        make_cohort(root / name, plan_of(count), cores=1)
    return root


def labels(folder: Path) -> dict[str, str]:
    with (folder / "panel" / "labels.tsv").open() as lines:
        return {row["sample_id"]: row["group"] for row in csv.DictReader(lines, delimiter="\t")}


@pytest.fixture(scope="module")
def imported(cohorts: Path) -> Path:
    source, root = cohorts / "some" / "panel" / "genotypes.pgen", cohorts / "reference.callset"
    assert run(["genotypes", "import", str(source), "-o", str(root)]) == 0
    return root


def test_nothing_else_changes(cohorts: Path) -> None:
    """But the record of settings, which every commit has, too."""

    def digests(folder: Path) -> dict[str, str]:
        files = [path for path in folder.rglob("*") if path.is_file() and "_commit" not in path.parts]
        found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        return {name: digest for name, digest in found.items() if name != "cohort.json"}

    without, made = digests(cohorts / "none"), digests(cohorts / "some")
    panel = {f"panel/{name}" for name in ("genotypes.pgen", "genotypes.pvar", "genotypes.psam", "labels.tsv")}
    assert len(without) > 20
    assert {name: digest for name, digest in made.items() if name not in panel} == without
    assert panel == set(made) - set(without)


def test_it_is_imported_with_its_build_and_labels(cohorts: Path, imported: Path) -> None:
    callset, named = open_callset(str(imported)), labels(cohorts / "some")
    assert callset.commit.meta["build"] == "GRCh38"
    samples = pq.read_table(imported / callset.commit.meta["samples"]).column("sample_id").to_pylist()
    assert samples == sorted(named)
    assert sorted(named.values()) == sorted(["afr", "amr", "eas", "eur", "mid", "sas"] * N)
    cohort = open_callset(str(cohorts / "some" / "cohort.callset"))
    theirs = pq.read_table(cohorts / "some" / "cohort.callset" / cohort.commit.meta["samples"])
    assert not set(named) & set(theirs.column("sample_id").to_pylist())


def test_sites_are_snps_of_the_reference_and_many_are_those_of_the_cohort(cohorts: Path, imported: Path) -> None:
    def sites(root: Path) -> set[tuple[str, int, str, str]]:
        tables = [pq.read_table(root / shard.sites).to_pylist() for shard in open_callset(str(root)).shards]
        return {(row["contig"], row["position"], row["ref"], row["alt"]) for rows in tables for row in rows}

    ours, theirs = sites(imported), sites(cohorts / "some" / "cohort.callset")
    assert {contig for contig, *_ in ours} == {f"chr{number}" for number in range(1, 23)}
    fasta = pysam.FastaFile(str(cohorts / "some" / "reference" / "genome.fa.gz"))
    assert all(fasta.fetch(contig, position - 1, position) == ref for contig, position, ref, _ in ours)
    assert all(len(ref) == len(alt) == 1 for *_, ref, alt in ours)
    snps = {site for site in theirs if len(site[2]) == len(site[3]) == 1 and site[0][3:].isdigit()}
    assert len(ours & snps) > 0.5 * len(snps)


def test_groups_differ_and_people_of_one_do_not(cohorts: Path, imported: Path) -> None:
    """Hudson's F_ST between groups is that of the history; copies of one group fit Hardy-Weinberg proportions."""
    callset, named = open_callset(str(imported)), labels(cohorts / "some")
    ids = pq.read_table(imported / callset.commit.meta["samples"]).column("sample_id").to_pylist()
    calls = np.concatenate([block for shard in callset.shards for _, block in read_blocks(callset, shard)])
    assert set(np.unique(calls).tolist()) <= {0, 1, 2}
    groups = {g: calls[:, [named[one] == g for one in ids]].astype(float) for g in set(named.values())}

    def fst(one: str, other: str) -> float:
        (p, n), (q, m) = ((groups[g].mean(axis=1) / 2, 2 * groups[g].shape[1]) for g in (one, other))
        above = (p - q) ** 2 - p * (1 - p) / (n - 1) - q * (1 - q) / (m - 1)
        return float(above.sum() / (p * (1 - q) + q * (1 - p)).sum())

    assert 0.08 < fst("afr", "eas") < 0.26
    assert 0.05 < fst("amr", "afr") < 0.35
    assert 0 < fst("eur", "mid") < 0.04
    for values in groups.values():
        p = values.mean(axis=1) / 2
        expected = (2 * p * (1 - p)).sum() * 2 * N / (2 * N - 1)
        assert (values == 1).sum(axis=1).sum() / N == pytest.approx(expected, rel=0.12)


def test_haplotypes_that_the_cohort_copies_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each source those copied least, no one of them twice, whatever the order of people."""
    (region,) = parse(["chr2:1,000,001-1,010,000"])
    copied = np.zeros((len(SOURCES), PER_SOURCE), int)
    copied[0, :50] = 1  # ten of the first source are free, and 16 wanted
    copied[1, ::2] = 3
    rows = np.repeat(np.arange(copied.size), copied.ravel())
    pieces = np.zeros((rows.size, 6), np.int32)
    pieces[:, 5] = rows
    monkeypatch.setattr(reference_people, "pieces_of", lambda context, index: pieces)
    panel = RegionPanel(None, None, None, PER_SOURCE)  # type: ignore[arg-type]  # only its size is asked for
    context = SimpleNamespace(panels=[panel], plan=SimpleNamespace(seed=1))
    chosen = reference_people.chosen_haplotypes(context, region, N)  # type: ignore[arg-type]  # as much as it reads
    assert chosen.shape == (len(SOURCES), 2 * N)
    assert all(len(set(row)) == 2 * N for row in chosen.tolist())
    assert (chosen // PER_SOURCE == np.arange(len(SOURCES))[:, None]).all()
    assert set(range(50, 60)) < set(chosen[0].tolist())
    assert (chosen[1] % 2 == 1).all()


def test_no_more_than_half_of_the_haplotypes_are_theirs() -> None:
    assert reference_people.people_of_a_source(CohortParams(haplotypes=60)) == 15
    assert reference_people.people_of_a_source(CohortParams(haplotypes=400)) == 40
    assert reference_people.people_of_a_source(CohortParams(reference_people=0)) == 0
