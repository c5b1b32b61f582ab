"""A made array says what its truth says: the text is read back here, and by bcftools and plink2."""

from __future__ import annotations

import csv
import gzip
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.errors import ConfigError, ContractError
from cohelix.simulate.arrays.design import design_from, load
from cohelix.simulate.arrays.manifest import write_manifest
from cohelix.simulate.arrays.markers import NO_SITE, choose_markers
from cohelix.simulate.arrays.samples import ArraySample, draw_array_sample, draw_swaps
from cohelix.simulate.arrays.strands import complement
from cohelix.simulate.arrays.truth import ArrayTruth, BatchTruth, write_markers
from cohelix.simulate.arrays.vcf import write_batch
from cohelix.simulate.population import NO_COPY
from cohelix.simulate.schema import ArrayParams
from tests.simulate.arrays import made as tests_made
from tests.simulate.arrays.made import SEED, Made

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "arrays"
PARAMS = ArrayParams(
    flipped=0.05, palindromic=0.15, failed_markers=0.06, failed_samples=0.15, contaminated=0.15, swapped=0.3,
    duplicates=0.02, error=0.004, indels=0.05,
)  # fmt: skip
N = 48


@dataclass(frozen=True)
class Written:
    made: Made
    samples: list[ArraySample]
    alleles: np.ndarray
    truth: BatchTruth
    path: Path
    header: list[str]
    rows: list[list[str]]

    fields: dict[str, np.ndarray]

    def field(self, name: str) -> np.ndarray:
        """(M, n) of one FORMAT field; text for GT, numbers otherwise."""
        return self.fields[name]

    def info(self, name: str) -> list[str]:
        return [dict(item.split("=", 1) for item in row[7].split(";"))[name] for row in self.rows]


def write(made: Made, samples: list[ArraySample], alleles: np.ndarray, path: Path) -> Written:
    truth = write_batch(path, made.design, samples, alleles, made.params, SEED, source="cohelix test")
    with gzip.open(path, "rt") as lines:
        text = lines.read().splitlines()
    header = [line for line in text if line.startswith("#")]
    rows = [line.split("\t") for line in text[len(header) :]]
    cells = [[cell.split(":") for cell in row[9:]] for row in rows]
    fields = {}
    for at, name in enumerate(rows[0][8].split(":")):
        found = np.array([[cell[at] for cell in row] for row in cells])
        fields[name] = found if name == "GT" else found.astype(float)
    return Written(made, samples, alleles, truth, path, header, rows, fields)


def chips(params: ArrayParams, n: int) -> list[ArraySample]:
    return [draw_array_sample(params, SEED, k, f"A{k:04d}", 3) for k in range(n)]


def good(params: ArrayParams) -> ArrayParams:
    return replace(
        params, failed_samples=0.0, contaminated=0.0, failed_markers=0.0, error=0.0, no_call=0.0, flipped=0.0
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    made = tests_made.make(PARAMS)
    folder = tmp_path_factory.mktemp("arrays")
    return write(made, chips(PARAMS, N), tests_made.people(made, N), folder / "batch.vcf.gz")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Chips on which nothing goes wrong but noise."""
    params = good(PARAMS)
    made = tests_made.make(params)
    folder = tmp_path_factory.mktemp("arrays")
    return write(made, chips(params, 24), tests_made.people(made, 24), folder / "clean.vcf.gz")


def expected_copies(found: Written) -> np.ndarray:
    """(M, n): of the panel's alternate that the file should show, -1 for no call; from the truth's tables."""
    alt = (found.alleles == 1).sum(axis=2).T
    total = alt + (found.alleles == 0).sum(axis=2).T
    shown = np.where(total == 0, -1, np.where(alt == 0, 0, np.where(alt == total, 2, 1)))
    calls = found.truth.calls
    column = {sample.index: k for k, sample in enumerate(found.samples)}
    for sample, marker, called in zip(calls["sample"], calls["marker"], calls["called_copies"], strict=True):
        assert shown[marker, column[int(sample)]] != called
        shown[marker, column[int(sample)]] = called
    shown[found.made.design.markers.zeroed] = -1
    return shown


def shown_copies(found: Written) -> np.ndarray:
    """(M, n): of the panel's alternate, from the text; a wrong strand is undone where the truth says so."""
    m = found.made.design.markers
    copies = np.full((len(found.rows), len(found.samples)), -1)
    for k, (row, texts) in enumerate(zip(found.rows, found.field("GT"), strict=True)):
        alleles = [row[3], *row[4].split(",")]
        alt = str(m.alt[k])
        wanted = complement(alt) if m.flipped[k] else alt
        for s, text in enumerate(texts):
            if text != "./.":
                copies[k, s] = sum(alleles[int(code)] == wanted for code in text.split("/"))
    return copies


def test_every_genotype_is_the_truth_or_in_the_table_of_wrong_calls(written: Written) -> None:
    np.testing.assert_array_equal(shown_copies(written), expected_copies(written))


def test_alleles_and_filters(written: Written) -> None:
    m = written.made.design.markers
    panels = {region.index: panel for region, panel in zip(written.made.regions, written.made.panels, strict=True)}
    assert (m.flipped & m.palindromic).any() and (m.flipped & ~m.palindromic).any()
    stated = list(zip(written.info("ALLELE_A"), written.info("ALLELE_B"), strict=True))
    for k, row in enumerate(written.rows):
        reference = panels[int(m.region[k])].reference
        ref = row[3]
        offset = int(row[1]) - 1 - reference.start
        assert reference.bases[offset : offset + len(ref)] == ref
        filters = set(row[6].split(";")) - {"."}
        wrong = bool(m.flipped[k] and not m.palindromic[k])
        assert row[4].split(",") == ([str(m.alt[k])] if not wrong else row[4].split(","))
        assert ("TRIALLELIC" in filters) == (row[4].count(",") == 1) == wrong
        assert ("ZEROED_OUT_ASSAY" in filters) == bool(m.zeroed[k])
        assert ("DUPE" in filters) == bool(m.duplicate[k])
        assert sum(allele.endswith("*") for allele in stated[k]) == (0 if wrong else 1)
        assert {allele.rstrip("*") for allele in stated[k]} | {ref} == {ref, *row[4].split(",")}


def test_counts_of_a_row_are_those_of_its_genotypes(written: Written) -> None:
    genotypes = written.field("GT")
    for row, texts, ac, an in zip(written.rows, genotypes, written.info("AC"), written.info("AN"), strict=True):
        codes = [code for text in texts if text != "./." for code in text.split("/")]
        assert int(an) == len(codes)
        assert [int(count) for count in ac.split(",")] == [
            codes.count(str(k + 1)) for k in range(len(row[4].split(",")))
        ]


def test_markers_of_a_design(written: Written) -> None:
    m, params = written.made.design.markers, written.made.params
    assert m.size == len(written.rows) > 600
    assert (np.diff(m.position)[np.diff(m.region) == 0] >= 0).all()
    for region, panel in zip(written.made.regions, written.made.panels, strict=True):
        rows = written.made.design.rows(region.index)
        for k in range(rows.start, rows.stop):
            site = int(m.site[k])
            assert (site == NO_SITE) == bool(m.monomorphic[k])
            if site != NO_SITE:
                assert panel.sites.alts[site] == (m.alt[k],) and panel.sites.ref[site] == m.ref[k]
                assert panel.sites.offset[site] == m.offset[k] and panel.sites.frequency[site].any()
            else:
                assert not (panel.sites.offset == m.offset[k]).any()
        wanted = params.markers_per_megabase * region.length / 1e6
        assert rows.stop - rows.start <= wanted * 1.1 + 3
    polymorphic = ~m.monomorphic
    frequency = np.concatenate(
        [p.sites.frequency[m.site[written.made.design.rows(r.index)]] for r, p in
         zip(written.made.regions, written.made.panels, strict=True)]
    )  # fmt: skip
    common = (np.minimum(frequency, 1 - frequency) > 0.01).any(axis=1)
    assert common[polymorphic].mean() >= params.common - 0.1
    assert m.palindromic.mean() == pytest.approx(params.palindromic, abs=0.05)
    assert m.monomorphic.mean() == pytest.approx(params.monomorphic, abs=0.03)
    assert m.flipped.mean() == pytest.approx(params.flipped, abs=0.03)
    assert (np.char.str_len(m.ref) != np.char.str_len(m.alt)).mean() == pytest.approx(params.indels, abs=0.04)
    assert not m.zeroed[~m.failed].any() and 0 < m.zeroed.sum() < m.failed.sum()


def test_call_rates(written: Written) -> None:
    """Of the markers that a cluster file fits, failed samples have 80 to 96 %, the others more than 98 %."""
    m = written.made.design.markers
    usable = ~m.failed & (m.contig != "chrY")
    rate = (written.field("GT")[usable] != "./.").mean(axis=0)
    failed = np.array([sample.failed for sample in written.samples])
    mixed = np.array([sample.contamination for sample in written.samples])
    little = mixed <= 0.05
    assert 0 < failed.sum() < N / 2 and 0 < little.sum() < N
    assert rate[~failed & little].min() > 0.98
    assert rate[failed].max() < 0.98
    aimed = np.array([sample.call_rate for sample in written.samples])
    np.testing.assert_allclose(rate[little], aimed[little], atol=0.04)
    assert (rate[~little] < aimed[~little]).all()  # homozygotes of two kinds in one tube lie between the clusters
    assert (written.field("IGC")[written.field("GT") == "./."] < 0.15).all()
    assert (written.field("IGC")[written.field("GT") != "./."] >= 0.15).all()


def test_clusters_of_genotypes(clean: Written) -> None:
    m = clean.made.design.markers
    alt = (clean.alleles == 1).sum(axis=2).T
    b = np.where(clean.made.design.a_is_ref[:, None], alt, 2 - alt)
    autosomal = np.isin(m.contig, ["chr1", "chr22"])
    baf, theta, r = clean.field("BAF"), clean.field("THETA"), clean.field("R")
    for copies, centre in ((0, 0.03), (1, 0.5), (2, 0.97)):
        here = autosomal[:, None] & (b == copies)
        assert np.median(theta[here]) == pytest.approx(centre, abs=0.02)
        assert np.median(baf[here]) == pytest.approx(copies / 2, abs=0.01)
        assert np.mean(np.abs(baf[here] - copies / 2) < 0.12) > 0.99
    assert np.median(clean.field("LRR")[autosomal]) == pytest.approx(0, abs=0.08)
    assert np.std(clean.field("LRR")[autosomal]) == pytest.approx(0.13, abs=0.05)
    x, y = clean.field("NORMX"), clean.field("NORMY")
    np.testing.assert_allclose(x + y, r, atol=0.0011)
    bright = r > 0.3
    np.testing.assert_allclose((2 / np.pi * np.arctan2(y, x))[bright], theta[bright], atol=0.003)
    assert len(clean.truth.calls["sample"]) <= 0.002 * b.size


def test_copies_of_sex_chromosomes(clean: Written) -> None:
    """Men have one X: homozygous calls at a lower R. Women have no Y: dark, and not called."""
    m = clean.made.design.markers
    lrr, genotypes = clean.field("LRR"), clean.field("GT")
    men = np.arange(24) % 2 == 1
    par = (m.contig == "chrX") & (m.position <= tests_made.PAR1_END)
    x, y = (m.contig == "chrX") & ~par, m.contig == "chrY"
    het = np.char.partition(genotypes, "/")[..., 0] != np.char.partition(genotypes, "/")[..., 2]
    assert not het[np.ix_(x, men)].any() and het[np.ix_(x, ~men)].any()
    assert not het[m.contig == "chrM"].any()
    assert het[np.ix_(par, men)].any() and np.median(lrr[np.ix_(par, men)]) == pytest.approx(0, abs=0.1)
    assert {c for c, inside in zip(clean.info("ILLUMINA_CHR"), par, strict=True) if inside} == {"XY"}
    assert np.median(lrr[np.ix_(x, men)]) == pytest.approx(-0.5, abs=0.1)
    assert np.median(lrr[np.ix_(x, ~men)]) == pytest.approx(0, abs=0.1)
    assert np.median(lrr[np.ix_(y, ~men)]) < -2
    assert (genotypes[np.ix_(y, ~men)] == "./.").mean() > 0.98
    assert (genotypes[np.ix_(y, men)] != "./.").mean() > 0.98


def test_three_copies_and_a_deleted_one(tmp_path: Path, clean: Written) -> None:
    made, n = clean.made, 2
    alleles = np.concatenate([clean.alleles[:n], np.full((n, made.design.size, 1), NO_COPY, np.int8)], axis=2)
    alleles[0, :, :] = [0, 1, 1]
    alleles[1, :, 0], alleles[1, :, 1] = 9, 1
    found = write(made, clean.samples[:n], alleles, tmp_path / "copies.vcf.gz")
    autosomal = np.isin(made.design.markers.contig, ["chr1", "chr22"])
    share = np.where(made.design.a_is_ref, found.field("BAF")[:, 0], 1 - found.field("BAF")[:, 0])[autosomal]
    assert np.median(share) == pytest.approx(2 / 3, abs=0.03)
    assert np.median(found.field("LRR")[autosomal, 0]) == pytest.approx(0.31, abs=0.1)
    assert np.median(found.field("LRR")[autosomal, 1]) == pytest.approx(-0.5, abs=0.1)
    assert (shown_copies(found)[autosomal, 1] == 2).mean() > 0.98
    told = found.truth.calls["sample"] == 1
    assert told.sum() >= 0.98 * made.design.size


def test_dna_of_another_person_pulls_homozygotes_inwards(tmp_path: Path, clean: Written) -> None:
    mixed = [replace(clean.samples[0], contamination=0.15)]
    found = write(clean.made, mixed, clean.alleles[:1], tmp_path / "mixed.vcf.gz")
    known = clean.made.design.markers.frequency > 0.2
    alone = clean.field("BAF")[known, 0]
    far = (np.minimum(alone, 1 - alone) < 0.05).nonzero()[0]
    apart = np.abs(found.field("BAF")[known, 0] - alone)[far]
    assert (
        apart.mean()
        > 0.02
        > np.abs(clean.field("BAF")[known, 1] - np.round(clean.field("BAF")[known, 1] * 2) / 2).mean()
    )


def test_header_is_that_of_the_real_files(written: Written) -> None:
    real = REAL / "7991775143_R01C01_wo_optional_fields.vcf"
    if not REAL.parents[1].exists():
        pytest.skip("the real data are not here")
    lines = real.read_text().splitlines()
    for kind in ("##fileformat", "##FILTER=", "##FORMAT=", "##INFO="):
        wanted = [line for line in lines if line.startswith(kind)]
        assert [line for line in written.header if line.startswith(kind)] == wanted
        assert wanted
    row = next(line.split("\t") for line in lines if not line.startswith("#"))
    keys = [item.split("=")[0] for item in row[7].split(";") if not item.startswith("refSNP")]
    for made_row in written.rows:
        assert [item.split("=")[0] for item in made_row[7].split(";")] == keys
        assert (made_row[8], made_row[5]) == (row[8], row[5])


def test_manifest(tmp_path: Path, written: Written) -> None:
    """Its columns are Illumina's; RefStrand is wrong for flipped markers, and for those only."""
    path = tmp_path / "manifest.csv"
    design = written.made.design
    write_manifest(design, path)
    lines = path.read_text().splitlines()
    start, end = lines.index("[Assay]") + 1, lines.index("[Controls]")
    assert lines[:2] == ["Illumina, Inc.", "[Heading]"] and f"Loci Count ,{design.size}" in lines
    rows = list(csv.DictReader(lines[start:end]))
    assert len(rows) == design.size == len({row["IlmnID"] for row in rows})
    if REAL.parents[1].exists():
        real = (REAL / "illumina" / "HumanExome-12v1-1_A.csv").read_text().splitlines()
        assert lines[start] in real
    panels = {region.index: panel for region, panel in zip(written.made.regions, written.made.panels, strict=True)}
    m = design.markers
    probes = zip(written.info("PROBE_A"), written.info("ILLUMINA_STRAND"), strict=True)
    for k, (row, shown) in enumerate(zip(rows, probes, strict=True)):
        assert (row["Name"], row["AlleleA_ProbeSeq"], row["IlmnStrand"]) == (written.rows[k][2], *shown)
        if row["IlmnStrand"] in ("PLUS", "MINUS"):
            continue
        reference = panels[int(m.region[k])].reference
        at = int(row["MapInfo"]) - 1 - reference.start
        a, b = row["SNP"][1], row["SNP"][3]
        body = row["AlleleA_ProbeSeq"][:-1] if row["AlleleB_ProbeSeq"] else row["AlleleA_ProbeSeq"]
        forward = reference.bases[at - len(body) : at] == body
        backward = reference.bases[at + 1 : at + 1 + len(body)] == complement(body)
        assert forward or backward
        if forward != backward:
            assert (row["RefStrand"] == "+") == (forward != bool(m.flipped[k]))
            assert reference.bases[at] in ((a, b) if forward else (complement(a), complement(b)))


def test_bytes_depend_on_the_seed_and_the_sample(tmp_path: Path, written: Written) -> None:
    """A design saved and read again gives the same bytes; a smaller batch has the same samples."""
    made = written.made
    made.design.save(tmp_path / "design.npz")
    again = replace(made, design=load(tmp_path / "design.npz"))
    same = write(again, written.samples, written.alleles, tmp_path / "same.vcf.gz")
    assert same.path.read_bytes() == written.path.read_bytes()
    few = write(again, written.samples[5:9], written.alleles[5:9], tmp_path / "few.vcf.gz")
    assert [row[9:] for row in few.rows] == [row[14:18] for row in written.rows]
    parts = [choose_markers(PARAMS, SEED + 1, r, p) for r, p in zip(made.regions, made.panels, strict=True)]
    assert not np.array_equal(design_from(parts).markers.position, made.design.markers.position)


def test_swaps() -> None:
    params = replace(PARAMS, swapped=0.2)
    order = draw_swaps(params, SEED, 4, 960)
    assert (order[order] == np.arange(960)).all()
    assert (order != np.arange(960)).mean() == pytest.approx(0.2, abs=0.05)
    assert not np.array_equal(order, draw_swaps(params, SEED, 5, 960))
    few = draw_swaps(params, SEED, 4, 100)
    here = order[:100] < 100
    np.testing.assert_array_equal(few[here], order[:100][here])
    assert (few[~here] == np.arange(100)[~here]).all()
    assert (draw_swaps(replace(params, swapped=0.0), SEED, 4, 96) == np.arange(96)).all()


def test_truth_files(tmp_path: Path, written: Written) -> None:
    with ArrayTruth(tmp_path) as truth:
        truth.add(written.truth)
        truth.add(written.truth)
    write_markers(written.made.design, tmp_path / "array_markers.parquet")
    samples = pq.read_table(tmp_path / "arrays.parquet").to_pylist()
    assert len(samples) == 2 * N
    swaps = draw_swaps(written.made.params, SEED, 3, N)
    assert [row["swapped_with"] for row in samples[:N]] == [int(k) if k != i else -1 for i, k in enumerate(swaps)]
    assert (swaps != np.arange(N)).any()
    calls = pq.read_table(tmp_path / "array_calls.parquet")
    assert calls.num_rows == 2 * written.truth.calls["sample"].size
    reasons = set(calls["reason"].to_pylist())
    assert reasons >= {"no call", "error", "failed marker"}
    markers = pq.read_table(tmp_path / "array_markers.parquet").to_pylist()
    assert [row["name"] for row in markers] == [row[2] for row in written.rows]
    failed = {k for k, row in enumerate(markers) if row["failed"]}
    for row in calls.slice(0, 200).to_pylist():
        if row["reason"] == "failed marker":
            assert row["marker"] in failed


@pytest.mark.external
def test_other_programs_read_it(tmp_path: Path, written: Written) -> None:
    """bcftools and plink2 say nothing, and count what the truth says."""
    read = subprocess.run(
        ["bcftools", "view", "-Ob", "-o", tmp_path / "a.bcf", written.path], capture_output=True, check=True
    )
    assert read.stderr == b""
    region = ["-H", "-r", "chr22:20000001-20100000"]
    indexed = subprocess.run(["bcftools", "view", *region, written.path], capture_output=True, check=True, text=True)
    assert len(indexed.stdout.splitlines()) == sum(r[0] == "chr22" and int(r[1]) <= 20_100_000 for r in written.rows)
    sexes = tmp_path / "sex.tsv"
    # plink2 counts a man's X once, and wants to be told who is one
    sexes.write_text("#IID\tSEX\n" + "".join(f"{s.sample_id}\t{2 - k % 2}\n" for k, s in enumerate(written.samples)))
    run = subprocess.run(
        ["plink2", "--vcf", written.path, "--update-sex", sexes, "--split-par", "hg38", "--geno-counts", "--out",
         tmp_path / "p"], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "arning" not in run.stdout + run.stderr
    with (tmp_path / "p.gcount").open() as lines:
        counts = list(csv.DictReader(lines, delimiter="\t"))
    shown, m = expected_copies(written), written.made.design.markers
    assert len(counts) == m.size
    checked = 0
    for k, row in enumerate(counts):
        if m.contig[k] not in ("chr1", "chr22") or "," in row["ALT"]:
            continue
        copies = np.where(shown[k] < 0, -1, 2 - shown[k]) if m.flipped[k] else shown[k]
        wanted = [int((copies == value).sum()) for value in (0, 1, 2, -1)]
        assert [int(row[c]) for c in ("HOM_REF_CT", "HET_REF_ALT_CTS", "TWO_ALT_GENO_CTS", "MISSING_CT")] == wanted
        checked += 1
    assert checked > 400


def test_what_does_not_fit_is_refused(tmp_path: Path, written: Written) -> None:
    with pytest.raises(ContractError, match="shape"):
        write_batch(
            tmp_path / "x.vcf.gz", written.made.design, written.samples, written.alleles[:3], PARAMS, SEED, source=""
        )
    with pytest.raises(ContractError, match="at least one marker"):
        design_from([])
    parts = [choose_markers(PARAMS, SEED, r, p) for r, p in zip(written.made.regions, written.made.panels, strict=True)]
    with pytest.raises(ContractError, match="genomic order"):
        design_from(parts[::-1])


WRONG = [
    {"flipped": -0.1}, {"palindromic": 0.7, "indels": 0.4}, {"contamination": []}, {"contamination": [0.9]},
    {"error": 2.0},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_choices(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ArrayParams(**wrong)  # type: ignore[arg-type]
