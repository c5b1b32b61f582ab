"""plink2 opens what cohelix writes and counts what cohelix counts; bcftools reads the same calls."""

from __future__ import annotations

import csv
import filecmp
import subprocess
from pathlib import Path

import numpy as np
import pysam
import pytest

from cohelix import storage
from cohelix.genotypes import plink, plink_out, vcf, vcf_out
from cohelix.genotypes.callset import Callset, Shard, read_genotypes
from cohelix.genotypes.selection import select
from tests.oracles.genotypes import random_block

pytestmark = pytest.mark.external

PLACES = {
    "chr1": range(1000, 1040),
    "chrX": [10_001, 2_781_479, 2_781_480, 30_000_000, 155_701_382, 155_701_383, 156_030_895],
    "chrY": range(20_000_000, 20_000_010),
    "chrM": range(100, 110),
}


def run(*arguments: object) -> str:
    return subprocess.run([str(one) for one in arguments], check=True, capture_output=True, text=True).stdout


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def bcf_calls(path: Path, *more: str) -> list[str]:
    return run("bcftools", "query", "-f", "%CHROM %POS %REF %ALT[ %GT]\\n", *more, path).splitlines()


def made_vcf(folder: Path, sexes: list[str], *, haploid_text: bool) -> Path:
    """Random calls on an autosome, X with its pseudo-autosomal regions, Y and MT."""
    lengths = {"chr1": 248956422, "chrX": 156040895, "chrY": 57227415, "chrM": 16569}
    path = folder / "made.vcf"
    with path.open("w") as handle:
        handle.write('##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        handle.writelines(f"##contig=<ID={name},length={length}>\n" for name, length in lengths.items())
        names = "\t".join(f"s{i:03d}" for i in range(len(sexes)))
        handle.write(f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}\n")
        for contig, positions in PLACES.items():
            block = random_block(len(contig), len(positions), len(sexes))
            for position, row in zip(positions, block.tolist(), strict=True):
                one = contig in ("chrM", "chrY") or (contig == "chrX" and 2_781_479 < position < 155_701_383)
                texts = []
                for genotype, sex in zip(row, sexes, strict=True):
                    single = haploid_text and one and (sex == "male" or contig == "chrM")
                    diploid = {0: "0/0", 1: "0/1", 2: "1/1", -9: "./."}
                    texts.append({0: "0", 1: "1", 2: "1", -9: "."}[genotype] if single else diploid[genotype])
                handle.write("\t".join([contig, str(position), ".", "A", "G", ".", ".", ".", "GT", *texts]) + "\n")
    return path


@pytest.fixture(params=[False, True], ids=["diploid", "haploid"])
def mixed(request: pytest.FixtureRequest, tmp_path: Path) -> Callset:
    """40 samples of known sex; conflicts are in it where all calls are diploid."""
    sexes = list(np.random.default_rng(8).choice(["male", "female"], 40))
    path = made_vcf(tmp_path, sexes, haploid_text=request.param)
    table = {f"s{i:03d}": sex for i, sex in enumerate(sexes)}
    return vcf.import_vcf(str(path), str(tmp_path / "x.callset"), sexes=table)


def check_shard(opened: Callset, shard: Shard, out: Path) -> None:
    """plink2's allele counts, genotype counts and missingness of a shard are those of its sites table."""
    prefix = storage.join(opened.root, shard.pgen).removesuffix(".pgen")
    run("plink2", "--pfile", prefix, "--validate", "--out", out)
    run("plink2", "--pfile", prefix, "--freq", "counts", "--geno-counts", "--missing", "--out", out)
    frequencies, counts = table(Path(f"{out}.acount")), table(Path(f"{out}.gcount"))
    missing = table(Path(f"{out}.vmiss"))
    sites = opened.sites(shard).to_pylist()
    assert len(frequencies) == len(counts) == len(missing) == len(sites) == shard.n_sites
    for site, frequency, count, absent in zip(sites, frequencies, counts, missing, strict=True):
        assert frequency["ID"] == site["id"]
        assert (int(frequency["ALT_CTS"]), int(frequency["OBS_CT"])) == (site["ac"], site["an"])
        names = ("HOM_REF_CT", "HET_REF_ALT_CTS", "TWO_ALT_GENO_CTS", "HAP_REF_CT", "HAP_ALT_CTS")
        ours = ("n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt")
        assert [int(count[name]) for name in names] == [site[name] for name in ours]
        # plink2 leaves women out of Y; here they are `missing_no_copy`, or conflicts where they were called.
        assert int(absent["OBS_CT"]) - int(absent["MISSING_CT"]) == site["n_called"]


def test_plink2_counts_the_same_on_sex_chromosomes(mixed: Callset, tmp_path: Path) -> None:
    for number, shard in enumerate(mixed.shards):
        check_shard(mixed, shard, tmp_path / f"shard{number}")
    # X is in it as PAR1, chrX and PAR2, and men have one copy on chrX only.
    sites = [site for shard in mixed.shards for site in mixed.sites(shard).to_pylist() if site["contig"] == "chrX"]
    assert [bool(site["n_haploid_ref"]) for site in sites] == [False, False, True, True, True, False, False]


def test_plink2_counts_the_same_per_sample(mixed: Callset, tmp_path: Path) -> None:
    prefix = str(tmp_path / "merged")
    plink_out.export_pgen(mixed, prefix, select(mixed))
    run("plink2", "--pfile", prefix, "--missing", "--out", prefix)
    for row, sample in zip(table(Path(f"{prefix}.smiss")), mixed.samples().to_pylist(), strict=True):
        assert row["#IID"] == sample["sample_id"]
        assert int(row["OBS_CT"]) - int(row["MISSING_CT"]) == sample["n_called"]


def test_plink2_exports_the_vcf_that_cohelix_exports(mixed: Callset, tmp_path: Path) -> None:
    prefix = str(tmp_path / "merged")
    plink_out.export_pgen(mixed, prefix, select(mixed))
    run("plink2", "--pfile", prefix, "--export", "vcf", "--output-chr", "chrM", "--out", prefix)
    vcf_out.export_vcf(mixed, str(tmp_path / "ours.vcf"), select(mixed), form="vcf")
    ours, theirs = bcf_calls(tmp_path / "ours.vcf"), bcf_calls(Path(f"{prefix}.vcf"))
    assert len(ours) == sum(len(positions) for positions in PLACES.values())
    for one, other in zip(ours, theirs, strict=True):
        left, right = one.split(), other.split()
        # plink2 writes the regions of X as PAR1 and PAR2
        assert left[1:4] == right[1:4] and (left[0] == right[0] or right[0].startswith(("PAR", "chrPAR")))
        # A missing haploid call and a missing diploid call are both missing.
        assert [gt if "." not in gt else "." for gt in left[4:]] == [gt if "." not in gt else "." for gt in right[4:]]


@pytest.mark.parametrize("form", ["vcf", "vcf.gz", "bcf"])
def test_bcftools_reads_what_went_in(tmp_path: Path, form: str) -> None:
    """VCF, callset, VCF: the same as bcftools split and trimmed."""
    rows = [
        ("chr1", 100, "A", "C,G", ["0/1", "1/2", "./.", "0/2"]),
        ("chr1", 200, "CAA", "C,CA", ["0/1", "1/2", "2/2", "./."]),
        ("chr1", 300, "GTC", "GTA", ["0/1", "1/1", "0/0", "./."]),
        ("chr2", 5, "A", "T", ["0/0", "0/1", "./1", "1/."]),
    ]
    path = tmp_path / "in.vcf"
    with path.open("w") as handle:
        handle.write('##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        handle.write("##contig=<ID=chr1,length=1000>\n##contig=<ID=chr2,length=1000>\n")
        handle.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\td\n")
        for contig, position, ref, alt, calls in rows:
            handle.write("\t".join([contig, str(position), ".", ref, alt, ".", ".", ".", "GT", *calls]) + "\n")
    opened = vcf.import_vcf(str(path), str(tmp_path / "x"))
    out = tmp_path / f"out.{form}"
    vcf_out.export_vcf(opened, str(out), select(opened), form=form)
    # A reference that makes left alignment idle: bcftools norm needs one, the trimming is what we compare.
    bases = {"chr1": list("ACGT" * 250), "chr2": list("ACGT" * 250)}
    for contig, position, ref, _, _ in rows:
        bases[contig][position - 1 : position - 1 + len(ref)] = list(ref)
    (tmp_path / "ref.fa").write_text("".join(f">{name}\n{''.join(sequence)}\n" for name, sequence in bases.items()))
    pysam.faidx(str(tmp_path / "ref.fa"))
    run("bcftools", "norm", "-m", "-any", "-f", tmp_path / "ref.fa", "-o", tmp_path / "theirs.vcf", path)

    def unordered(line: str) -> str:
        # bcftools splits 1/2 into 1/0 and 0/1; a callset keeps the order of copies in half calls only
        return " ".join(word if "." in word else "/".join(sorted(word.split("/"))) for word in line.split())

    assert sorted(map(unordered, bcf_calls(out))) == sorted(map(unordered, bcf_calls(tmp_path / "theirs.vcf")))
    if form != "vcf":
        run("bcftools", "index", out)
        assert len(bcf_calls(out, "-r", "chr2")) == 1


def test_plink2_splits_alternates_as_cohelix_does(tmp_path: Path) -> None:
    """A PGEN with several alternates, made by plink2 from VCF, and the VCF itself give the same callset."""
    path = tmp_path / "in.vcf"
    rng = np.random.default_rng(5)
    with path.open("w") as handle:
        handle.write('##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        handle.write("##contig=<ID=chr1,length=248956422>\n")
        handle.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + "\t".join("abcdefgh") + "\n")
        for position in range(100, 160):
            calls = [f"{one}/{other}" if one >= 0 else "./." for one, other in rng.integers(0, 4, (8, 2))]
            calls[int(rng.integers(8))] = "./."
            handle.write("\t".join(["chr1", str(position), ".", "A", "C,G,T", ".", ".", ".", "GT", *calls]) + "\n")
    run("plink2", "--vcf", path, "--make-pgen", "--output-chr", "chrM", "--out", tmp_path / "p")
    one = vcf.import_vcf(str(path), str(tmp_path / "one"))
    other = plink.import_pgen(str(tmp_path / "p"), str(tmp_path / "other"))
    assert one.n_sites == other.n_sites == 180
    for left, right in zip(one.shards, other.shards, strict=True):
        assert one.sites(left).column("id").equals(other.sites(right).column("id"))
        assert np.array_equal(read_genotypes(one, left, 0, 180), read_genotypes(other, right, 0, 180))
    # Without --output-chr, rows say 1 under a header that says chr1.
    run("plink2", "--vcf", path, "--make-pgen", "--out", tmp_path / "q")
    plain = plink.import_pgen(str(tmp_path / "q"), str(tmp_path / "plain"))
    assert (plain.build, plain.contigs[0].name, plain.contigs[0].length) == ("GRCh38", "1", 248956422)


@pytest.mark.real
def test_a_real_cohort_goes_in_and_out(tmp_path: Path, data: Path) -> None:
    """1000 Genomes: BED, callset, BED byte for byte; plink2 counts each shard as its sites table does."""
    for suffix, source in {".bed": "kg23k.bed", ".fam": "kg23k.fam", ".bim": "kg23k.grch37.bim"}.items():
        (tmp_path / f"kg{suffix}").symlink_to(data / "kg_phase3" / source)
    opened = plink.import_bed(str(tmp_path / "kg"), str(tmp_path / "x"), build="GRCh37")
    assert (opened.n_samples, opened.n_sites) == (2504, 23770)
    for shard in opened.shards:
        check_shard(opened, shard, tmp_path / "shard")
    out = str(tmp_path / "out")
    plink_out.export_bed(opened, out, select(opened))
    assert filecmp.cmp(f"{out}.bed", tmp_path / "kg.bed", shallow=False)
    assert filecmp.cmp(f"{out}.fam", tmp_path / "kg.fam", shallow=False)
    plink_out.export_pgen(opened, out, select(opened))
    run("plink2", "--pfile", out, "--make-bed", "--out", f"{out}.plink2")
    assert filecmp.cmp(f"{out}.bed", f"{out}.plink2.bed", shallow=False)
    vcf_out.export_vcf(opened, f"{out}.bcf", select(opened), form="bcf")
    run("plink2", "--bcf", f"{out}.bcf", "--make-bed", "--out", f"{out}.bcf")
    assert filecmp.cmp(f"{out}.bed", f"{out}.bcf.bed", shallow=False)
    sexes = dict(zip(*(opened.samples().column(name).to_pylist() for name in ("sample_id", "sex")), strict=True))
    again = vcf.import_vcf(f"{out}.bcf", str(tmp_path / "y"), sexes=sexes, build="GRCh37")
    assert [shard.pgen.rsplit("-", 1)[0] for shard in again.shards] == [
        shard.pgen.rsplit("-", 1)[0] for shard in opened.shards
    ]
    assert {entry.sha256 for entry in again.commit.files if entry.path.endswith(".pgen")} == {
        entry.sha256 for entry in opened.commit.files if entry.path.endswith(".pgen")
    }
    assert again.samples().equals(opened.samples())


def test_plink2_filters_by_what_the_sites_have(tmp_path: Path) -> None:
    """FILTER of a VCF is in the .pvar of its callset and of an export, where plink2 asks it, and comes back."""
    path = made_vcf(tmp_path, ["male", "female"], haploid_text=False)
    rows = path.read_text().replace("\t1000\t.\tA\tG\t.\t.\t", "\t1000\t.\tA\tG\t.\tlow;q10\t")
    path.write_text(rows.replace("\t1001\t.\tA\tG\t.\t.\t", "\t1001\t.\tA\tG\t.\tPASS\t"))
    opened = vcf.import_vcf(str(path), str(tmp_path / "x.callset"))
    prefix = tmp_path / "out"
    plink_out.export_pgen(opened, str(prefix), select(opened))
    run("plink2", "--pfile", prefix, "--var-filter", "--make-just-pvar", "--out", tmp_path / "kept")
    kept = [row["POS"] for row in table(tmp_path / "kept.pvar") if row["#CHROM"] in ("1", "chr1")]
    assert kept == [str(position) for position in PLACES["chr1"] if position != 1000]
    again = plink.import_pgen(str(prefix), str(tmp_path / "y.callset"), build="GRCh38")
    found = again.sites(again.shards[0]).column("filter").to_pylist()
    assert found[:3] == ["low;q10", "PASS", "."]
