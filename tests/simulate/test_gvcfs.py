"""The made cohort is what it says it is: read back here with plain text handling, pysam and bcftools."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cohelix.cli.simulate import app
from cohelix.errors import ConfigError
from cohelix.simulate import evidence
from cohelix.simulate.gvcfs import make_cohort, person, plan
from cohelix.simulate.regions import contigs

AUTOSOME = ("chr22:20,000,001-20,400,000", 400_000)
# PAR1 of X ends at base 2,781,479 of GRCh38
ACROSS_PAR = ("chrX:2,681,480-2,881,479", 200_000)
PAR1_END = 2_781_479
SYMBOLS = ("<NON_REF>", "<*>")

needs_htslib = pytest.mark.skipif(
    not (shutil.which("bcftools") and shutil.which("bgzip")), reason="bcftools and bgzip are not installed"
)


def records(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt") as lines:
        return [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]


def fields(record: list[str]) -> dict[str, str]:
    return dict(zip(record[8].split(":"), record[9].split(":"), strict=True))


def is_block(record: list[str]) -> bool:
    return record[4] in SYMBOLS


def last_position(record: list[str]) -> int:
    if is_block(record):
        return int(record[7].removeprefix("END="))
    return int(record[1]) + len(record[3]) - 1


def manifest(folder: Path) -> list[dict[str, str]]:
    header, *rows = [line.split("\t") for line in (folder / "manifest.tsv").read_text().splitlines()]
    return [dict(zip(header, row, strict=True)) for row in rows]


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module", params=["gatk", "dragen", "deepvariant"])
def autosome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "cohort"
    make_cohort(folder, plan(AUTOSOME[0], seed=11, dialect=request.param), 12)
    return folder


@pytest.fixture(scope="module")
def sex_chromosome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "cohort"
    make_cohort(folder, plan(ACROSS_PAR[0], seed=5), 12)
    return folder


def test_bytes_depend_on_the_seed_only(tmp_path: Path) -> None:
    wish = plan("chr22:20,000,001-20,050,000", seed=3)
    make_cohort(tmp_path / "one", wish, 6, cores=1)
    make_cohort(tmp_path / "two", wish, 6, cores=2)
    make_cohort(tmp_path / "other", plan("chr22:20,000,001-20,050,000", seed=4), 6)
    one, two, other = (digests(tmp_path / name) for name in ("one", "two", "other"))
    assert len(one) == 6 * 2 + 5
    assert one == two
    assert all(one[name] != other[name] for name in one if name.endswith("vcf.gz"))


def test_people_are_the_same_in_a_larger_cohort(tmp_path: Path) -> None:
    wish = plan("chr22:20,000,001-20,050,000", seed=3)
    make_cohort(tmp_path / "few", wish, 2)
    make_cohort(tmp_path / "more", wish, 5)
    few, more = digests(tmp_path / "few"), digests(tmp_path / "more")
    same = [name for name in few if name.startswith(("gvcfs/", "reference"))]
    assert len(same) == 2 * 2 + 3
    assert {name: few[name] for name in same} == {name: more[name] for name in same}
    assert manifest(tmp_path / "more")[:2] == manifest(tmp_path / "few")


@pytest.mark.external
@needs_htslib
def test_bcftools_reads_every_file_and_finds_the_bases_of_the_reference(autosome: Path) -> None:
    for row in manifest(autosome):
        path = autosome / row["path"]
        done = subprocess.run(
            ["bcftools", "norm", "--check-ref", "e", "-f", autosome / "reference.fa.gz", "-o", "/dev/null", path],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        n = len(records(path))
        # bcftools says here how many lines it changed: indels are left-aligned and trimmed as they stand
        assert done.stderr.split() == ["Lines", "total/split/realigned/skipped:", f"{n}/0/0/0"]
        region = subprocess.run(
            ["bcftools", "view", "-H", "-r", "chr22:20200000-20210000", path],
            capture_output=True,
            text=True,
            check=True,
        )
        assert region.stderr == ""
        assert region.stdout.count("\n") == sum(
            int(r[1]) <= 20_210_000 and last_position(r) >= 20_200_000 for r in records(path)
        )


def test_reference_has_the_length_of_the_real_contig(autosome: Path) -> None:
    with pysam.FastaFile(str(autosome / "reference.fa.gz")) as fasta:
        assert fasta.get_reference_length("chr22") == 50_818_468
        assert fasta.fetch("chr22", 19_999_990, 20_000_000) == "N" * 10
        inside = fasta.fetch("chr22", 20_000_000, 20_400_000)
        assert set(inside) == set("ACGT")
        assert fasta.fetch("chr22", 20_400_000, 20_400_100) == "N" * 100
        assert fasta.fetch("chr22", 50_818_460, 50_818_468) == "N" * 8
    assert any(base * 8 in inside for base in "ACGT")
    with pysam.VariantFile(str(autosome / manifest(autosome)[0]["path"])) as gvcf:
        assert [(c.name, c.length) for c in gvcf.header.contigs.values()] == [(c.name, c.length) for c in contigs()]


@pytest.mark.external
@needs_htslib
def test_bgzf_is_whole(autosome: Path) -> None:
    for row in manifest(autosome):
        done = subprocess.run(["bgzip", "--test", autosome / row["path"]], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        end_of_file = bytes.fromhex("1f8b08040000000000ff0600424302001b0003") + b"\0" * 9  # SAM specification, 4.1.2
        assert (autosome / row["path"]).read_bytes().endswith(end_of_file)


def test_records_tile_the_region(autosome: Path) -> None:
    start, length = 20_000_001, AUTOSOME[1]
    for row in manifest(autosome):
        said = records(autosome / row["path"])
        positions = [int(record[1]) for record in said]
        assert positions == sorted(positions)
        by_block, by_variant = np.zeros(length, int), np.zeros(length, int)
        for record in said:
            into = by_block if is_block(record) else by_variant
            into[int(record[1]) - start : last_position(record) - start + 1] += 1
        assert by_block.max() == 1
        assert ((by_block == 1) ^ (by_variant > 0)).all()
        blocks = [record for record in said if is_block(record)]
        mean = np.mean([last_position(record) - int(record[1]) + 1 for record in blocks])
        assert 70 < mean < 130
        uncalled = [record for record in blocks if fields(record)["GT"] == "./."]
        assert sum(last_position(record) - int(record[1]) + 1 for record in uncalled) < 0.03 * length
        assert {int(fields(record)["GQ"]) for record in blocks} == {0, 10, 20, 30, 40, 60}


def test_blocks_agree_with_themselves(autosome: Path) -> None:
    for record in records(autosome / manifest(autosome)[0]["path"]):
        if not is_block(record):
            continue
        said = fields(record)
        depth = int(said.get("DP", said["MIN_DP"]))
        assert 0 <= int(said["MIN_DP"]) <= depth
        if said["GT"] == "./.":
            assert depth == int(said["GQ"]) == 0
        if "PL" in said:
            assert sorted(map(int, said["PL"].split(",")))[1] == int(said["GQ"])


def test_likelihoods_agree_with_the_calls(autosome: Path) -> None:
    """The definition: PL is 0 for the call, GQ is the second lowest, AD sums up to DP."""
    shapes = Counter()
    for row in manifest(autosome):
        for record in records(autosome / row["path"]):
            if is_block(record):
                continue
            said = fields(record)
            alleles = [record[3], *record[4].split(",")]
            first, second = sorted(map(int, said["GT"].split("/")))
            likelihood = list(map(int, said["PL"].split(",")))
            reads = list(map(int, said["AD"].split(",")))
            assert len(reads) == len(alleles)
            assert len(likelihood) == len(alleles) * (len(alleles) + 1) // 2
            assert likelihood[second * (second + 1) // 2 + first] == 0
            largest = 60 if "<*>" in alleles else 99
            assert int(said["GQ"]) == min(sorted(likelihood)[1], largest) > 0
            assert sum(reads) == int(said["DP"])
            assert "*" not in alleles or alleles[-1] == "<NON_REF>"
            shapes[len(alleles)] += 1
    assert shapes[3] > 0
    assert shapes[4] > 0


def test_truth_equals_the_genotypes_in_the_files(autosome: Path) -> None:
    assert_truth_equals_files(autosome)


def test_truth_equals_the_genotypes_on_x(sex_chromosome: Path) -> None:
    assert_truth_equals_files(sex_chromosome)


def assert_truth_equals_files(folder: Path) -> None:
    stated = {}
    uncalled = 0
    for row in pq.read_table(folder / "truth.parquet").to_pylist():
        if row["called"]:
            stated[row["sample"], row["position"], row["ref"], row["alt"]] = (row["copies"], row["ploidy"])
        else:
            uncalled += 1
    seen = {}
    for number, row in enumerate(manifest(folder)):
        for record in records(folder / row["path"]):
            alts = record[4].split(",")
            called = fields(record)["GT"].split("/")
            for place, alt in enumerate(alts, start=1):
                if alt in ("*", *SYMBOLS):
                    assert alt == "*" or str(place) not in called
                    continue
                ref = record[3]
                while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
                    ref, alt = ref[:-1], alt[:-1]
                seen[number, int(record[1]), ref, alt] = (called.count(str(place)), len(called))
    assert seen == stated
    assert uncalled < 0.03 * len(stated)


def test_sites_uncalled_in_truth_lie_in_blocks_without_a_call(autosome: Path) -> None:
    rows = [row for row in pq.read_table(autosome / "truth.parquet").to_pylist() if not row["called"]]
    assert rows
    files = [row["path"] for row in manifest(autosome)]
    for row in rows:
        over = [r for r in records(autosome / files[row["sample"]]) if int(r[1]) <= row["position"] <= last_position(r)]
        assert [fields(record)["GT"] for record in over] == ["./."]


def test_shares_are_those_of_a_human_cohort() -> None:
    wish, n_people, bases = plan("chr22:20,000,001-22,000,000", seed=8), 12, 2_000_000
    carried, het, kinds, sites, singles = [], [], Counter(), [set()], Counter()
    for number in range(n_people):
        _, truth = person(wish, number)
        keys = list(zip(truth.position, truth.ref, truth.alt, strict=True))
        carried.append(len(set(truth.position)))
        copies = dict.fromkeys(truth.position, 0)
        for position, n in zip(truth.position, truth.copies, strict=True):
            copies[position] += n if n == 2 else 0
        het.append(np.mean([n == 0 for n in copies.values()]))
        sites.append(sites[-1] | set(keys))
        singles.update(keys)
        for _, ref, alt in keys:
            if len(ref) == len(alt) == 1:
                kinds["ti" if {ref, alt} in ({"A", "G"}, {"C", "T"}) else "tv"] += 1
            else:
                kinds["indel"] += 1
    assert 0.9 < np.mean(carried) / bases * 1000 < 1.15
    assert 0.55 < np.mean(het) < 0.66
    assert 7 < (kinds["ti"] + kinds["tv"]) / kinds["indel"] < 12
    assert 1.8 < kinds["ti"] / kinds["tv"] < 2.4
    growth = np.diff([len(known) for known in sites])
    assert (growth > 0).all()
    # of the sites of n diploids, neutral theory has 1 / (1 + 1/2 + ... + 1/(2n-1)) seen once: 27 % for n = 12
    assert 0.2 < np.mean([n == 1 for n in singles.values()]) < 0.5


def test_some_sites_are_multiallelic_and_some_lie_in_deletions(tmp_path: Path) -> None:
    wish = plan("chr22:20,000,001-22,000,000", seed=8)
    genotypes: Counter[str] = Counter()
    stars = 0
    for number in range(10):
        text, _ = person(wish, number)
        for line in text.splitlines():
            if not line.startswith("#"):
                record = line.split("\t")
                genotypes[fields(record)["GT"]] += not is_block(record)
                stars += ",*," in record[4]
    assert stars > 0
    assert genotypes["1/2"] > stars


def test_men_have_one_x_outside_the_pseudo_autosomal_region(sex_chromosome: Path) -> None:
    sexes = Counter()
    for row in manifest(sex_chromosome):
        sexes[row["sex"]] += 1
        for record in records(sex_chromosome / row["path"]):
            copies = len(fields(record)["GT"].split("/"))
            alone = row["sex"] == "male" and int(record[1]) > PAR1_END
            assert copies == (1 if alone else 2)
            if row["sex"] == "male":
                assert (int(record[1]) > PAR1_END) == (last_position(record) > PAR1_END)
            if alone and not is_block(record):
                assert len(fields(record)["PL"].split(",")) == len(record[4].split(",")) + 1
    assert sexes["male"] > 0
    assert sexes["female"] > 0


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([(1, 2), (1, 3), (2, 2), (2, 3)]), st.floats(2, 80))
def test_the_call_is_the_likeliest_genotype(seed: int, shape: tuple[int, int], coverage: float) -> None:
    ploidy, n_seen = shape
    known = evidence.genotypes(n_seen + 1, ploidy)
    calls = [call for call in evidence.genotypes(n_seen, ploidy) if any(call)]
    drawn = evidence.draw(np.array(calls * 20), n_seen + 1, coverage, 99, np.random.default_rng(seed))
    assert [known[place] for place in drawn.likelihood.argmin(axis=1)] == calls * 20
    assert (drawn.quality > 0).all()
    assert (drawn.allele_depth.sum(axis=1) == drawn.depth).all()
    assert (drawn.strands.sum(axis=1) == drawn.depth).all()


def test_likelihoods_are_those_of_the_read_model() -> None:
    counts, error = np.array([[11, 9, 0], [0, 7, 1]]), evidence.ERROR
    for row, likelihood in zip(counts, evidence.likelihoods(counts, 2), strict=True):
        logs = []
        for a, b in [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]:
            shows = [np.mean([1 - error if read == x else error / 2 for x in (a, b)]) for read in range(3)]
            logs.append(-10 * float(row @ np.log10(shows)))
        assert np.abs(likelihood - (np.array(logs) - min(logs))).max() <= 0.52


@pytest.mark.parametrize(
    ("region", "dialect"),
    [
        ("chrY:3,000,000-4,000,000", "gatk"),
        ("chr22:1-100", "gatk"),
        ("chr21:46,700,000-46,800,000", "gatk"),
        (AUTOSOME[0], "caller"),
    ],
)
def test_wishes_that_cannot_be_met(region: str, dialect: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        plan(region, seed=1, dialect=dialect)


def test_nothing_is_left_of_a_cohort_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("cohelix.simulate.truth.TruthFile.add", full_disk)
    with pytest.raises(OSError, match="no space left"):
        make_cohort(tmp_path / "cohort", plan("chr22:20,000,001-20,010,000", seed=1), 2)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("data")
    with pytest.raises(ConfigError, match="new or empty folder"):
        make_cohort(tmp_path, plan("chr22:20,000,001-20,010,000", seed=1), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_command_line(tmp_path: Path) -> None:
    wish = ["-o", str(tmp_path / "a"), "--samples", "2", "--region", "chr22:20,000,001-20,010,000", "--seed", "9"]
    done = CliRunner().invoke(app, ["gvcfs", *wish, "--cores", "1", "--no-index"])
    assert done.exit_code == 0, done.output
    assert done.output == ""
    make_cohort(tmp_path / "b", plan("chr22:20,000,001-20,010,000", seed=9), 2, index=False)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert not list(tmp_path.rglob("*.tbi"))
