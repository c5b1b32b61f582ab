"""Sample metrics are those of plink2 and scikit-allel on the same genotypes: counts exactly, floats to 1e-6."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import allel
import numpy as np
import pytest

from cohelix.genome import REGIONS
from cohelix.genotypes import plink, plink_out
from cohelix.genotypes.callset import Callset, read_genotypes
from cohelix.genotypes.selection import select
from cohelix.qc.samples import imported, metrics, sex
from cohelix.runtime.local import LocalRuntime
from tests.qc.samples import made

pytestmark = pytest.mark.external


def plink2(*arguments: object) -> None:
    subprocess.run(["plink2", *map(str, arguments)], check=True, capture_output=True)


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def exported(opened: Callset, folder: Path) -> Path:
    prefix = folder / "merged"
    plink_out.export_pgen(opened, str(prefix), select(opened))
    return prefix


def counts_of(opened: Callset) -> metrics.SampleCounts:
    return imported.count_imported(opened, LocalRuntime(2))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Callset:
    """60 people of known sex with autosomes, X, Y, MT and alleles of every kind.

    Without the pseudo-autosomal regions of Y, where plink2 gives men one copy.
    """
    sexes = list(np.random.default_rng(8).choice(["male", "female"], 60))
    return made.imported(tmp_path_factory.mktemp("mixed"), sexes, y_par=False)


@pytest.fixture(scope="module")
def thousand_genomes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Callset, Path]:
    """2,504 real people, 23,770 SNPs; and the fileset that plink2 reads."""
    folder = tmp_path_factory.mktemp("kg")
    source = folder / "kg"
    for suffix in ("bed", "fam"):
        (folder / f"kg.{suffix}").symlink_to(data / "kg_phase3" / f"kg23k.{suffix}")
    (folder / "kg.bim").symlink_to(data / "kg_phase3" / "kg23k.grch38.bim")
    opened = plink.import_bed(str(source), str(folder / "kg.callset"), build="GRCh38", duplicates="first")
    return opened, exported(opened, folder)


def check_missing(opened: Callset, prefix: Path, found: dict[str, np.ndarray]) -> None:
    plink2("--pfile", prefix, "--missing", "sample-only", "--out", prefix)
    rows = table(Path(f"{prefix}.smiss"))
    assert [row["#IID"] for row in rows] == opened.samples().column("sample_id").to_pylist()
    assert found["n_missing"].tolist() == column(rows, "MISSING_CT").tolist()
    assert (found["n_called"] + found["n_missing"]).tolist() == column(rows, "OBS_CT").tolist()
    assert 1 - found["call_rate"] == pytest.approx(column(rows, "F_MISS"), rel=1e-5, abs=1e-9)  # six digits are printed


def check_sample_counts(opened: Callset, prefix: Path, counts: metrics.SampleCounts) -> None:
    columns = "homref,homalt,homaltsnp,refalt,hetsnp,ts,tv,nonsnp,single,hapref,hapalt,missing"
    plink2("--pfile", prefix, "--sample-counts", f"cols={columns}", "--out", prefix)
    rows = table(Path(f"{prefix}.scount"))
    own, regions = counts.samples, counts.regions
    ours = {
        "HOM_REF_CT": regions["n_hom_ref"].sum(axis=1),
        "HOM_ALT_CT": regions["n_hom_alt"].sum(axis=1),
        "HOM_ALT_SNP_CT": own["n_hom_alt_snp"],
        "HET_REF_ALT_CT": regions["n_het"].sum(axis=1),
        "HET_SNP_CT": own["n_het_snp"],
        "TRANSITION_CT": own["n_transition"],
        "TRANSVERSION_CT": own["n_transversion"],
        "NONSNP_CT": own["n_non_ref"] - own["n_snp"],
        "SINGLETON_CT": own["n_singleton"],
        "HAP_REF_CT": regions["n_haploid_ref"].sum(axis=1),
        "HAP_ALT_CT": regions["n_haploid_alt"].sum(axis=1),
    }
    for name, values in ours.items():
        assert values.tolist() == column(rows, name).tolist(), name


def check_het(prefix: Path, counts: metrics.SampleCounts, found: dict[str, np.ndarray]) -> None:
    for modifier, name, expected in (
        ((), "f_inbreeding", "f_expected_nano"),
        (("small-sample",), "f_inbreeding_small", "f_expected_small_nano"),
    ):
        plink2("--pfile", prefix, "--autosome", "--bad-freqs", "--het", *modifier, "--out", prefix)
        rows = table(Path(f"{prefix}.het"))
        assert column(rows, "F") == pytest.approx(found[name], rel=1e-5, abs=1e-6)
        observed, called = (counts.over(one, metrics.AUTOSOMES) for one in ("n_f_hom", "n_f_called"))
        # plink2 counts sites at which only one allele is seen among both
        assert (called - observed).tolist() == (column(rows, "OBS_CT") - column(rows, "O(HOM)")).tolist()
        het = called - counts.over(expected, metrics.AUTOSOMES) / metrics.NANO
        assert het == pytest.approx(column(rows, "OBS_CT") - column(rows, "E(HOM)"), rel=1e-4, abs=0.06)


def test_missing_and_sample_counts_on_every_kind_of_chromosome(mixed: Callset, tmp_path: Path) -> None:
    prefix, counts = exported(mixed, tmp_path), counts_of(mixed)
    found = metrics.metrics_of(counts, mixed.samples().column("sex").to_pylist())
    check_missing(mixed, prefix, found)
    check_sample_counts(mixed, prefix, counts)
    check_het(prefix, counts, found)


@pytest.mark.real
def test_a_thousand_genomes(thousand_genomes: tuple[Callset, Path]) -> None:
    opened, prefix = thousand_genomes
    counts = counts_of(opened)
    found = metrics.metrics_of(counts, opened.samples().column("sex").to_pylist())
    check_missing(opened, prefix, found)
    check_sample_counts(opened, prefix, counts)
    check_het(prefix, counts, found)


def test_f_on_x_is_plink2s_of_the_same_rows_taken_as_diploid(mixed: Callset, tmp_path: Path) -> None:
    """plink2 of Debian has no --check-sex; its --het of the rows of X, as an autosome, is what that reports."""
    women = [i for i, one in enumerate(mixed.samples().column("sex").to_pylist()) if one == "female"]
    inner = [at for at, position in enumerate(made.PLACES["chrX"]) if 2_781_479 < position < 155_701_383]
    shard = next(one for one in mixed.shards if one.contig == "chrX")
    block = read_genotypes(mixed, shard, 0, shard.n_sites)[inner]
    path = tmp_path / "x.vcf"
    text = {0: "0/0", 1: "0/1", 2: "1/1", -9: "./."}
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=1>", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split() + made.ids(block.shape[1])))
    for i, row in enumerate(block.tolist()):
        lines.append("\t".join(["1", str(i + 1), f"v{i}", "A", "G", ".", ".", ".", "GT", *(text[g] for g in row)]))
    path.write_text("\n".join(lines) + "\n")
    sites = mixed.sites(shard).take(inner)
    shares = ["#CHROM\tID\tREF\tALT\tALT_FREQS\tOBS_CT"]
    ac, an = (sites.column(name).to_pylist() for name in ("ac", "an"))
    shares += [f"1\tv{i}\tA\tG\t{ac[i] / an[i]:.17g}\t{an[i]}" for i in range(len(inner))]
    (tmp_path / "x.afreq").write_text("\n".join(shares) + "\n")
    plink2("--vcf", path, "--read-freq", tmp_path / "x.afreq", "--het", "--out", tmp_path / "x")
    theirs = column(table(tmp_path / "x.het"), "F")
    ours = sex.x_inbreeding(counts_of(mixed), ["unknown"] * block.shape[1], float("nan"))
    assert ours[women] == pytest.approx(theirs[women], rel=1e-5, abs=1e-6)


def test_scikit_allel_counts_the_same(mixed: Callset) -> None:
    counts, place = counts_of(mixed), REGIONS.index("autosome")
    shard = next(one for one in mixed.shards if one.contig == "chr1")
    block = read_genotypes(mixed, shard, 0, shard.n_sites)
    first, second = np.where(block < 0, -1, block > 1), np.where(block < 0, -1, block > 0)
    array = allel.GenotypeArray(np.stack([first, second], axis=2).astype("i1"))
    assert counts.regions["n_called"][:, place].tolist() == array.count_called(axis=0).tolist()
    assert counts.regions["n_het"][:, place].tolist() == array.count_het(axis=0).tolist()
    assert counts.regions["n_hom_ref"][:, place].tolist() == array.count_hom_ref(axis=0).tolist()
    assert counts.regions["n_hom_alt"][:, place].tolist() == array.count_hom_alt(axis=0).tolist()
    frequencies = array.count_alleles().to_frequencies()
    seen = (frequencies[:, 1] > 0) & (frequencies[:, 1] < 1)
    het = allel.heterozygosity_expected(frequencies[seen], ploidy=2)
    called = array.is_called()[seen]
    expected = ((1 - het)[:, None] * called).sum(axis=0)
    assert counts.regions["f_expected_nano"][:, place] / metrics.NANO == pytest.approx(expected, rel=1e-6)
    assert counts.samples["n_singleton"].sum() > 0
