"""A whole cohort: its files, its truth, and that the two belong together."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pgenlib
import pyarrow.parquet as pq
import pysam
import pytest
from typer.testing import CliRunner

from cohelix.cli.__main__ import run
from cohelix.errors import InputError
from cohelix.genotypes.callset import open_callset, read_blocks
from cohelix.genotypes.plink import read_psam
from cohelix.jobs.cohort_sizes import load_wishes, sizes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.simulate import compare as comparing
from cohelix.simulate.cohort.plan import make_plan
from cohelix.simulate.compare import compare
from cohelix.simulate.people.pedigree import BLOCK

RUNNER = CliRunner()
PERSONS = BLOCK + 8  # a whole block and the begin of another
SMALL = [
    "simulate.region_count=22", "simulate.region_bases=1500", "simulate.haplotypes=40", "simulate.related=0.5",
    "simulate.duplicates=0.1", "simulate.aneuploidies=20", "simulate.traits.causal=5", "simulate.traits.training=60",
    "simulate.genotypes=both", "simulate.arrays.swapped=0.1",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "cohort"
    make_cohort(out, make_plan(load_wishes(None, None, SMALL), persons=PERSONS, seed=3), cores=2)
    return out


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def table(folder: Path, name: str) -> list[dict]:
    return pq.read_table(folder / "truth" / f"{name}.parquet").to_pylist()


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "wgs" / "manifest.tsv").open() as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def truth_genotypes(folder: Path) -> tuple[list[tuple[str, int, str, str]], np.ndarray]:
    """Rows, and (V, N) genotypes."""
    keys = []
    for line in (folder / "truth" / "genotypes.pvar").read_text().splitlines()[1:]:
        contig, position, ref, alt = line.split("\t")[2].split(":")
        keys.append((contig, int(position), ref, alt))
    ids, _ = read_psam(folder / "truth" / "genotypes.psam")
    out = np.empty((len(keys), len(ids)), np.int8)
    with pgenlib.PgenReader(str(folder / "truth" / "genotypes.pgen").encode()) as reader:
        reader.read_range(0, len(keys), out)
    return keys, out


def test_equal_bytes_with_one_worker_and_two(folder: Path, tmp_path: Path) -> None:
    make_cohort(tmp_path / "again", make_plan(load_wishes(None, None, SMALL), persons=PERSONS, seed=3), cores=1)
    assert digests(tmp_path / "again") == digests(folder)


def test_a_smaller_cohort_is_the_begin_of_it(folder: Path, tmp_path: Path) -> None:
    """People, their genomes and their gVCFs do not depend on how many come after them."""
    make_cohort(tmp_path / "few", make_plan(load_wishes(None, None, SMALL), persons=5, seed=3), cores=1)
    people = table(folder, "people")
    assert table(tmp_path / "few", "people") == people[:5]
    mixed = {row["sample_id"] for row in table(folder, "samples") if row["contamination"]}  # the next person's reads
    for row in manifest(tmp_path / "few"):
        if row["sample_id"] not in mixed:
            path = Path("wgs") / row["path"]
            assert (tmp_path / "few" / path).read_bytes() == (folder / path).read_bytes()
    assert (tmp_path / "few" / "omop").exists()


def test_another_seed_gives_another_cohort(folder: Path, tmp_path: Path) -> None:
    make_cohort(tmp_path / "other", make_plan(load_wishes(None, None, SMALL), persons=2, seed=4), cores=1)
    ours, other = digests(folder), digests(tmp_path / "other")
    assert ours["reference/genome.fa.gz"] != other["reference/genome.fa.gz"]


def test_the_record_says_how_to_make_it_again(folder: Path) -> None:
    record = json.loads((folder / "cohort.json").read_text())
    assert (record["operation"], record["seed"], record["persons"]) == ("simulate cohort", 3, PERSONS)
    assert record["params"]["cohort"]["region_bases"] == 1500
    assert not (folder / ".scratch").exists()


def test_truth_lies_apart(folder: Path) -> None:
    """Nothing that a pipeline reads tells who is whose relative, or what a true genotype is."""
    assert {path.name for path in folder.iterdir()} == {
        "arrays", "cohort.callset", "cohort.json", "links.tsv", "omop", "panel", "phenotypes.tsv", "prs", "reference",
        "truth", "wgs",
    }  # fmt: skip
    columns = [row.split("\t") for row in (folder / "wgs" / "manifest.tsv").read_text().splitlines()[:1]]
    assert columns == [["sample_id", "path", "sex", "batch"]]


def test_every_sample_is_in_the_truth_and_has_a_person(folder: Path) -> None:
    samples, people = table(folder, "samples"), {row["person"]: row for row in table(folder, "people")}
    wgs = {row["sample_id"]: row for row in samples if row["kind"] == "wgs"}
    rows = manifest(folder)
    assert {row["sample_id"] for row in rows} == set(wgs)
    for row in rows:
        assert row["sex"] == people[wgs[row["sample_id"]]["person"]]["reported_sex"]
        assert (folder / "wgs" / row["path"]).exists()
    links = {row["sample_id"]: row for row in table(folder, "links") if row["kind"] != "none"}
    assert set(links) == {row["sample_id"] for row in samples}
    for row in samples:
        assert links[row["sample_id"]]["person_id"] == people[row["person"]]["person_id"]
    specimens = pq.read_table(folder / "omop" / "specimen.parquet").to_pylist()
    named = {row["specimen_source_id"]: row["person_id"] for row in specimens}
    assert all(named[sample] == link["person_id"] for sample, link in links.items())


def test_links_join_the_array_of_a_person_to_each_genome_of_theirs(folder: Path) -> None:
    of_person: dict[int, dict[str, list[str]]] = {}
    for row in table(folder, "samples"):
        of_person.setdefault(row["person"], {"wgs": [], "array": []})[row["kind"]].append(row["sample_id"])
    pairs = {f"{array}\t{wgs}" for kinds in of_person.values() for array in kinds["array"] for wgs in kinds["wgs"]}
    lines = (folder / "links.tsv").read_text().splitlines()
    assert lines[0] == "array_sample_id\twgs_sample_id"
    assert pairs and set(lines[1:]) == pairs and len(lines) == 1 + len(pairs)


def test_alleles_of_the_truth_are_on_the_reference(folder: Path) -> None:
    keys, genotypes = truth_genotypes(folder)
    assert keys and len(set(keys)) == len(keys)
    fasta = pysam.FastaFile(str(folder / "reference" / "genome.fa.gz"))
    for contig, position, ref, _ in keys:
        assert fasta.fetch(contig, position - 1, position - 1 + len(ref)) == ref
    assert ((genotypes > 0).sum(axis=1) > 0).all()  # a row is there because somebody carries it


def test_twins_and_duplicates_have_one_genome_and_children_their_parents(folder: Path) -> None:
    _, genotypes = truth_genotypes(folder)
    keys, _ = truth_genotypes(folder)
    autosomal = np.array([key[0][3:].isdigit() for key in keys])
    seen = set()
    for pair in table(folder, "kinship"):
        one, other = genotypes[:, pair["person1"]], genotypes[:, pair["person2"]]
        seen.add(pair["relationship"])
        if pair["relationship"] in ("monozygotic twins", "duplicate"):
            assert (one == other).all() and pair["kinship"] == 0.5
        elif pair["relationship"] == "parent-child":
            called = autosomal & (one >= 0) & (other >= 0)
            assert (np.abs(one - other)[called] < 2).mean() > 0.999  # a deleted gene makes a hemizygote look homozygous
            assert pair["kinship"] == 0.25
    assert {"parent-child", "full sibs", "monozygotic twins", "duplicate"} <= seen


def test_the_callset_without_gvcfs_is_the_truth(folder: Path) -> None:
    callset = open_callset(str(folder / "cohort.callset"))
    keys, genotypes = truth_genotypes(folder)
    row_of = {key: row for row, key in enumerate(keys)}
    person_of = {row["sample_id"]: row["person"] for row in table(folder, "samples") if row["kind"] == "wgs"}
    samples = pq.read_table(folder / "cohort.callset" / callset.commit.meta["samples"]).to_pylist()
    people = np.array([person_of[row["sample_id"]] for row in samples])
    rows = 0
    for shard in callset.shards:
        sites = pq.read_table(folder / "cohort.callset" / shard.sites).to_pylist()
        called = np.concatenate([block for _, block in read_blocks(callset, shard)])
        for site, line in zip(sites, called, strict=True):
            true = genotypes[row_of[site["contig"], site["position"], site["ref"], site["alt"]]][people]
            there = line != -9  # a call that contradicts the reported sex is missing
            assert (line[there] == true[there]).all()
            assert (~there).sum() < len(people) / 2 or site["contig"] == "chrY"
            rows += 1
    assert rows == len(keys)


def test_joint_call_and_truth(folder: Path, tmp_path: Path) -> None:
    """Whatever differs from the truth is explained by what the made sequencer saw."""
    store, root = str(tmp_path / "x.calls"), str(tmp_path / "y.callset")
    assert run(["joint", "ingest", str(folder / "wgs" / "manifest.tsv"), "-o", store]) == 0
    assert run(["joint", "call", store, "-o", root]) == 0
    found = compare(folder, root)
    carriers = sum(n for (_, t, _, _), n in found.cells.items() if t > 0)
    right = sum(n for (_, t, c, _), n in found.cells.items() if t > 0 and t == c)
    assert carriers > 5_000
    assert found.unexplained == 0
    assert right / carriers > 0.97
    reasons = {reason for *_, reason in found.cells if reason}
    assert {"uncalled stretch", "stray reads", "copies that the reported sex does not allow"} <= reasons
    callset = open_callset(root)
    truth = comparing._open_truth(folder, callset)
    sites = [
        pq.read_table(Path(root) / shard.sites, columns=["contig", "position", "ref", "alt"])
        for shard in callset.shards
    ]
    rows = {tuple(row.values()) for table in sites for row in table.to_pylist()}
    assert comparing._called_somewhere(truth, set(truth.row)) == rows & set(truth.row)


def test_compare_sees_a_wrong_genotype(folder: Path, tmp_path: Path) -> None:
    """A callset of one person's gVCF under another's name differs everywhere, without an explanation."""
    rows = manifest(folder)[:2]
    swapped = [dict(rows[0], path=rows[1]["path"]), dict(rows[1], path=rows[0]["path"])]
    for row in swapped:
        text = gzip.decompress((folder / "wgs" / row["path"]).read_bytes()).decode()
        other = next(r["sample_id"] for r in rows if r["path"] == row["path"])
        with pysam.BGZFile(str(tmp_path / f"{row['sample_id']}.g.vcf.gz"), "w") as out:
            out.write(text.replace(other, row["sample_id"]).encode())
        pysam.tabix_index(str(tmp_path / f"{row['sample_id']}.g.vcf.gz"), preset="vcf", force=True)
    lines = ["sample_id\tpath\tsex", *(f"{r['sample_id']}\t{r['sample_id']}.g.vcf.gz\t" for r in rows)]
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    store, root = str(tmp_path / "x.calls"), str(tmp_path / "y.callset")
    assert run(["joint", "ingest", str(tmp_path / "m.tsv"), "-o", store]) == 0
    assert run(["joint", "call", store, "-o", root]) == 0
    assert compare(folder, root).unexplained > 20


@pytest.mark.parametrize(
    "name", ["samples.parquet", "people.parquet", "calls.parquet", "genotypes.pvar", "genotypes.pgen"]
)
def test_compare_names_a_damaged_file(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder / "truth", tmp_path / "truth")
    content = (folder / "truth" / name).read_bytes()
    (tmp_path / "truth" / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"truth/genotypes\.p" if "genotypes" in name else f"truth/{name}"):
        compare(tmp_path, str(folder / "cohort.callset"))


def test_star_alleles_are_where_the_truth_says(folder: Path) -> None:
    keys, genotypes = truth_genotypes(folder)
    row = keys.index(("chr12", 21178615, "T", "C"))  # SLCO1B1*5
    carried = np.zeros(PERSONS, int)
    for star in table(folder, "star_alleles"):
        if star["gene"] == "SLCO1B1":
            carried[star["person"]] += star["allele"] == "*5"
    assert (genotypes[row] == carried).all() and carried.sum() > 0


def test_a_deleted_gene_halves_the_depth(folder: Path) -> None:
    copies = np.zeros(PERSONS, int)
    for star in table(folder, "star_alleles"):
        if star["gene"] == "CYP2D6":
            copies[star["person"]] += star["copies"]
    depth: dict[int, list[float]] = {}
    person_of = {row["sample_id"]: row for row in table(folder, "samples") if row["kind"] == "wgs"}
    for line in manifest(folder):
        sample = person_of[line["sample_id"]]
        sums = np.zeros(2)
        for record in pysam.VariantFile(str(folder / "wgs" / line["path"])).fetch("chr22", 42_126_498, 42_130_865):
            span = min(record.stop, 42_130_865) - max(record.start, 42_126_498)
            sums += span * (record.samples[0]["DP"] or 0), span
        depth.setdefault(int(copies[sample["person"]]), []).append(sums[0] / sums[1] / sample["coverage"])
    assert np.median(depth[2]) == pytest.approx(1.0, abs=0.15)
    assert np.median(depth[1]) == pytest.approx(0.5, abs=0.15)
    if 3 in depth:
        assert np.median(depth[3]) == pytest.approx(1.5, abs=0.25)


def test_plink2_reads_truth_and_callset(folder: Path, tmp_path: Path) -> None:
    for prefix in (
        folder / "truth" / "genotypes",
        next((folder / "cohort.callset" / "genotypes").glob("*.pgen")).with_suffix(""),
    ):
        done = subprocess.run(
            ["plink2", "--pfile", str(prefix), "--validate", "--out", str(tmp_path / "x")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--persons", "0"], 3, "at least one person"),
        ([], 3, "Give --persons or a --size"),
        (["--persons", "5", "--seed", "-1"], 3, "seed of 0 or more"),
        (["--size", "hgue"], 3, "'hgue' is not known"),
        (["--persons", "5", "--set", "simulate.shares={martian=1.0}"], 3, "'martian' is not known"),
        (["--persons", "5", "--set", "simulate.regions=[\"chr22:50000000-60000000\"]"], 3, "within the 50,818,468"),
        (["--persons", "5", "--set", "simulate.regions=[\"chr99:1-5000\"]"], 3, "contig 'chr99'"),
        (["--persons", "5", "--set", "simulate.regions=[\"chr1:5000-1\"]"], 3, "expected a region such as"),
        (["--persons", "5", "--set", "simulate.genotypes=callset", "--set", "simulate.sequencing.share=0"], 3,
         "Raise the share"),
        (["--persons", "5", "--set", "simulate.sequencing.share=2"], 3, "[simulate.sequencing]: share"),
        (["--persons", "5", "--set", "simulate.omop.last_year=2099"], 3, "out of range"),
        (["--persons", "10000001"], 3, "at most 10,000,000 people"),
        (["--persons", "5", "--set", "simulate.regions=[\"chrY:10001-20000\"]"], 3, "Name it on chrX"),
        (["--persons", "5", "--set", "simulate.regions=[\"chr1:1-9000\",\"chr1:5000-20000\"]"], 3, "do not overlap"),
        (["--persons", "5", "--set", "simulate.traits.heritability=0.9", "--set", "simulate.traits.confounding=0.2"],
         3, "more than 1"),
        (["--persons", "5", "--set", "simulate.traits.causal=100000", "--set", "simulate.region_bases=1000"], 3,
         "Lower causal"),
        (["--persons", "5", "--set", "simulate.sequencing.coverage=-3"], 3, "out of range"),
        (["--persons", "5", "--set", "simulate.sequencing.contamination=[0.9]"], 3, "out of range"),
        (["--persons", "5", "--set", "joint.gq0=homref"], 3, "a setting of simulate"),
        (["--persons", "5", "--set", "simulate.haplotype=40"], 3, "Did you mean 'haplotypes'"),
        (["--persons", "5", "--set", "simulate.star_alleles=nowhere.tsv"], 3, "cannot be read"),
    ],
)  # fmt: skip
def test_wrong_wishes_are_refused_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert run(["simulate", "cohort", "-o", str(tmp_path / "out"), "--cores", "1", *words]) == code
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").write_text("x")
    assert run(["simulate", "cohort", "-o", str(tmp_path), "--persons", "3"]) == 3
    assert "found files" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "x"


@pytest.mark.parametrize("limit", [40_000, 400_000])
def test_a_full_disk_ends_with_an_error_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    """No file may grow beyond `limit`, as if the disk were full."""
    words = ["simulate", "cohort", "-o", str(tmp_path / "out"), "--persons", "6", "--cores", "2"]
    for setting in SMALL:
        words += ["--set", setting]

    def small_disk() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [str(Path(sys.executable).with_name("cohelix")), *words],
        capture_output=True, text=True, check=False, preexec_fn=small_disk,
    )  # fmt: skip
    assert done.returncode not in (0, 5), done.stderr
    assert "the system refused" in done.stderr, done.stderr
    assert errno.errorcode[errno.EFBIG] not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_named_sizes() -> None:
    assert sizes() == ["bench-100k", "bench-10k", "bench-1k", "demo", "tiny"]
    for name, persons in (
        ("tiny", 24),
        ("demo", 288),
        ("bench-1k", 1_000),
        ("bench-10k", 10_000),
        ("bench-100k", 100_000),
    ):
        plan = make_plan(load_wishes(name, None, []), persons=None, seed=1)
        assert plan.n_persons == persons
        assert plan.writes_gvcfs == (name != "bench-100k")
        chromosomes = {region.chromosome for region in plan.regions}
        assert {*map(str, range(1, 23)), "X", "Y", "MT"} == chromosomes


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        '[simulate]\npersons = 7\nregions = ["chr1:1,000,001-1,005,000"]\nstar_alleles = ""\n'
        '[simulate.sequencing]\ndialect = "gatk"\n'
    )
    wishes = load_wishes("tiny", str(path), ["simulate.sequencing.coverage=20"])
    assert (wishes.cohort.persons, wishes.cohort.haplotypes) == (7, 60)
    assert (wishes.sequencing.dialect, wishes.sequencing.coverage) == ("gatk", 20.0)
    plan = make_plan(wishes, persons=None, seed=0)
    assert [region.name for region in plan.regions] == ["chr1:1000001-1005000"]


def test_without_msprime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Independent sites need no msprime; linked haplotypes say how to get it."""
    monkeypatch.setitem(sys.modules, "msprime", None)
    words = ["simulate", "cohort", "--persons", "3", "--cores", "1"]
    for setting in [*SMALL, "simulate.region_count=3", "simulate.genotypes=gvcf", "simulate.traits.causal=2"]:
        words += ["--set", setting]
    assert run([*words, "-o", str(tmp_path / "linked")]) == 3
    assert "pip install" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert run([*words, "-o", str(tmp_path / "sites"), "--set", "simulate.mode=sites"]) == 0
    keys, genotypes = truth_genotypes(tmp_path / "sites")
    assert len(keys) > 10 and genotypes.shape[1] == 3


def test_nothing_but_people(tmp_path: Path) -> None:
    """No sequencing, no array, no traits, no star alleles: health records and the truth about the people are left."""
    words = ["simulate", "cohort", "--persons", "3", "--cores", "1", "-o", str(tmp_path / "c")]
    nothing = (
        "sequencing.share=0",
        "arrays.share=0",
        "traits.quantitative=[]",
        "traits.binary=[]",
        "traits.training=0",
    )
    for setting in (*nothing, "region_count=2", "genotypes=gvcf", 'star_alleles=""'):
        words += ["--set", f"simulate.{setting}"]
    for setting in SMALL[1:3]:
        words += ["--set", setting]
    assert run(words) == 0
    assert len(table(tmp_path / "c", "people")) == 3
    assert table(tmp_path / "c", "samples") == [] and table(tmp_path / "c", "star_alleles") == []
    assert pq.read_table(tmp_path / "c" / "omop" / "person.parquet").num_rows == 3
