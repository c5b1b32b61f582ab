"""The reference panel of a made cohort: strangers to it, of one source each or admixed, with no trace elsewhere."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pysam
import pytest

from cohelix.cli.__main__ import run
from cohelix.genotypes.callset import open_callset, read_blocks
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.simulate.cohort import reference_people
from cohelix.simulate.cohort.plan import Plan, make_plan
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.inheritance import AUTOSOMES, Layout
from cohelix.simulate.people.ancestry import admixtures
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.regions import parse
from cohelix.simulate.schema import CohortParams

PERSONS, PER_SOURCE, N, ADMIXED = 6, 60, 8, 5
SMALL = [
    "simulate.mode=sites", "simulate.region_count=22", "simulate.region_bases=6000", "simulate.arrays.share=0",
    f"simulate.haplotypes={PER_SOURCE}", "simulate.traits.causal=2", "simulate.traits.training=0",
    "simulate.genotypes=callset", "simulate.star_alleles=",
]  # fmt: skip


def plan_of(count: int, admixed: int = ADMIXED) -> Plan:
    asked = [f"simulate.reference_people={count}", f"simulate.reference_admixed={admixed}"]
    return make_plan(load_wishes(None, None, [*SMALL, *asked]), persons=PERSONS, seed=5)


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    for name, count, admixed in (("none", 0, ADMIXED), ("unmixed", N, 0), ("some", N, ADMIXED)):
        make_cohort(root / name, plan_of(count, admixed), cores=1)
    return root


def labels(folder: Path) -> dict[str, tuple[str, str]]:
    """Group and subgroup by sample."""
    with (folder / "panel" / "labels.tsv").open() as lines:
        return {row["sample_id"]: (row["group"], row["subgroup"]) for row in csv.DictReader(lines, delimiter="\t")}


def calls_of(root: Path) -> tuple[list[str], np.ndarray, list[tuple[str, int, str, str]]]:
    """Samples, copies (sites, samples), sites of a callset."""
    callset = open_callset(str(root))
    ids = pq.read_table(root / callset.commit.meta["samples"]).column("sample_id").to_pylist()
    calls = np.concatenate([block for shard in callset.shards for _, block in read_blocks(callset, shard)])
    rows = [row for shard in callset.shards for row in pq.read_table(root / shard.sites).to_pylist()]
    return ids, calls, [(row["contig"], row["position"], row["ref"], row["alt"]) for row in rows]


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
    unmixed = [(group, "unmixed") for group in ("afr", "amr", "eas", "eur", "mid", "sas")] * N
    assert sorted(named.values()) == sorted([*unmixed, *[("afr", "admixed"), ("amr", "admixed")] * ADMIXED])
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
    named, (ids, calls, _) = labels(cohorts / "some"), calls_of(imported)
    assert set(np.unique(calls).tolist()) <= {0, 1, 2}
    admixed = {g: calls[:, [named[one] == (g, "admixed") for one in ids]].astype(float) for g in ("afr", "amr")}
    names = {group for group, _ in named.values()}
    groups = {g: calls[:, [named[one] == (g, "unmixed") for one in ids]].astype(float) for g in names}

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

    def between(values: np.ndarray, one: str, other: str) -> float:
        """0 where alleles are as frequent as in `one`, 1 as in `other`: the share of the latter in a mixture."""
        p, q, mixed = (v.mean(axis=1) for v in (groups[one], groups[other], values))
        return float(((mixed - p) * (q - p)).sum() / ((q - p) ** 2).sum())

    assert 0.05 < between(admixed["afr"], "afr", "eur") < 0.45
    assert 0.3 < between(admixed["amr"], "amr", "eur") < 0.85


def test_admixed_people_change_nothing_of_the_others(cohorts: Path, imported: Path) -> None:
    source, root = cohorts / "unmixed" / "panel" / "genotypes.pgen", cohorts / "unmixed.callset"
    assert run(["genotypes", "import", str(source), "-o", str(root)]) == 0
    (ids, calls, sites), (all_ids, all_calls, all_sites) = calls_of(root), calls_of(imported)
    columns = [all_ids.index(one) for one in ids]
    rows = {site: row for row, site in enumerate(all_sites)}
    assert [rows[site] for site in sites] == [
        row for row, site in enumerate(all_sites) if all_calls[row, columns].any()
    ]
    np.testing.assert_array_equal(calls, all_calls[[rows[site] for site in sites]][:, columns])
    every, kept = labels(cohorts / "some"), labels(cohorts / "unmixed")
    assert kept == {one: label for one, label in every.items() if label[1] == "unmixed"}


def test_shares_and_tracts_are_those_of_the_groups() -> None:
    """Means and spread of a Dirichlet distribution; as many changes of source as the generations make."""
    plan = plan_of(15, 15)
    people = [
        human
        for seed in range(20)
        for human in reference_people.admixed_people(Plan(plan.wishes, seed, PERSONS, plan.regions))
    ]
    assert {human.group for human in people} == {"afr", "amr"}
    for group in ("afr", "amr"):
        admixture, shares = admixtures()[group], np.array([h.expected for h in people if h.group == group])
        mean = np.array(admixture.mean)
        spread = np.sqrt(mean * (1 - mean) / (admixture.concentration + 1))
        np.testing.assert_allclose(shares.mean(axis=0), mean, atol=0.04)
        np.testing.assert_allclose(shares.std(axis=0), spread, atol=0.03)
        assert {h.generations for h in people if h.group == group} == {admixture.generations}
    context = SimpleNamespace(plan=plan, layout=Layout(list(plan.regions), PER_SOURCE, [np.empty((0, 2), int)] * 99))
    few = [human for human in people[:15] if human.group == "afr"]
    mosaics = reference_people.mosaics_of(context, few)  # type: ignore[arg-type]  # as much as it reads
    autosomal = [region.index for region in plan.regions if region.chromosome in AUTOSOMES.names]
    found = np.array([np.bincount(m.source[np.isin(m.region, autosomal)], minlength=6) for m in mosaics])
    expected = np.array([human.expected for human in few]).mean(axis=0)
    np.testing.assert_allclose(found.sum(axis=0) / found.sum(), expected, atol=0.1)


def test_a_copy_has_haplotypes_of_the_source_of_its_tracts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alleles that say which haplotype they are of: right source, those copied least, none of two copies."""
    per_source, n_sites = 20, 30
    (region,) = parse(["chr2:1,000,001-2,000,000"])
    alleles = np.repeat(np.arange(6 * per_source, dtype=np.int8)[:, None], n_sites, axis=1)
    sites = SimpleNamespace(offset=np.linspace(0, region.length - 1, n_sites).astype(np.int64))
    panel = RegionPanel(None, sites, alleles, per_source)  # type: ignore[arg-type]  # as much as it reads
    plan = plan_of(N)
    layout = Layout([region], per_source, [np.empty((0, 2), np.int64)])
    context = SimpleNamespace(panels=[panel], plan=plan, layout=layout)
    people = [h for h in reference_people.admixed_people(plan) if h.group == "amr"]
    people = [replace(human, generations=200) for human in people]  # many tracts in the region
    mosaics = reference_people.mosaics_of(context, people)  # type: ignore[arg-type]
    further = np.arange(6)[:, None] * per_source + np.arange(per_source)[None, ::-1]
    rows = reference_people.alleles_of_admixed(context, region, mosaics, further[:, :12])  # type: ignore[arg-type]
    assert rows.shape == (2 * len(people), n_sites)
    source = np.full(rows.shape, -1)
    for k, mosaic in enumerate(mosaics):
        for copy, start, end, which in zip(mosaic.copy, mosaic.start, mosaic.end, mosaic.source, strict=True):
            source[2 * k + copy, (sites.offset >= start) & (sites.offset < end)] = which
    np.testing.assert_array_equal(rows // per_source, source)
    assert max(len(set(row)) for row in source.tolist()) > 1
    for which in range(6):
        having = [set(row[row // per_source == which].tolist()) for row in rows.astype(int)]
        having = [found for found in having if found]
        assert all(len(found) == 1 for found in having)
        taken = [found.pop() for found in having]
        assert len(set(taken)) == len(taken) <= 12
        assert set(taken) == set(further[which, : len(taken)].tolist())


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
    unmixed, further = chosen.unmixed, chosen.further
    assert unmixed.shape == (len(SOURCES), 2 * N)
    assert all(sorted(row) == list(range(k * 60, k * 60 + 60)) for k, row in enumerate(further))
    assert set(range(50, 60)) < set(unmixed[0].tolist())
    assert (unmixed[1] % 2 == 1).all()
    # The second source has 30 free ones, 16 of them taken: 14 of nobody, those 16, those of the cohort.
    free, shared, copied_ones = np.split(further[1], [30 - 2 * N, 30])
    assert (free % 2 == 1).all() and not set(free) & set(unmixed[1])
    assert set(shared) == set(unmixed[1])
    assert (copied_ones % 2 == 0).all()


def test_no_more_than_half_of_the_haplotypes_are_theirs() -> None:
    assert reference_people.people_of_a_source(CohortParams(haplotypes=60)) == 15
    assert reference_people.people_of_a_source(CohortParams(haplotypes=400)) == 40
    assert reference_people.people_of_a_source(CohortParams(reference_people=0)) == 0
    assert len(reference_people.admixed_people(plan_of(40, 40))) == 2 * 15
    assert reference_people.admixed_people(plan_of(0, 40)) == []
    assert reference_people.admixed_people(plan_of(40, 0)) == []
