"""bcftools, tabix and plink2 read the files of a simulated cohort without a complaint, and count what the truth has."""

from __future__ import annotations

import csv
import gzip
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pgenlib
import pyarrow.parquet as pq
import pysam
import pytest

from cohelix.genotypes import plink_out
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.plink import read_psam
from cohelix.genotypes.selection import select
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.simulate.cohort.plan import make_plan

pytestmark = pytest.mark.external

PERSONS = 12
SMALL = [
    "simulate.region_count=22", "simulate.region_bases=1500", "simulate.haplotypes=40", "simulate.related=0.5",
    "simulate.duplicates=0.1", "simulate.aneuploidies=20", "simulate.traits.causal=5", "simulate.traits.training=60",
    "simulate.genotypes=both", "simulate.arrays.swapped=0.1", "simulate.arrays.markers_per_megabase=6000",
    "simulate.arrays.flipped=0.1", "simulate.arrays.no_call=0.02",
]  # fmt: skip
SEX = {"male": "1", "female": "2"}
Key = tuple[str, int, str, str]


@dataclass(frozen=True)
class Made:
    """A cohort: gvcfs by sample id; reference: its FASTA."""

    folder: Path
    gvcfs: dict[str, Path]
    reference: Path

    def truth(self, name: str) -> list[dict]:
        return pq.read_table(self.folder / "truth" / f"{name}.parquet").to_pylist()


@pytest.fixture(scope="module", params=["gatk", "dragen"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made") / "cohort"
    wishes = load_wishes(None, None, [*SMALL, f"simulate.sequencing.dialect={request.param}"])
    make_cohort(folder, make_plan(wishes, persons=PERSONS, seed=3), cores=2)
    with (folder / "wgs" / "manifest.tsv").open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    gvcfs = {row["sample_id"]: folder / "wgs" / row["path"] for row in rows}
    return Made(folder, gvcfs, folder / "reference" / "genome.fa.gz")


def run(*arguments: object, stdin: str | None = None) -> tuple[str, str]:
    """Standard output and error of a program that must end well."""
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False, input=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def quietly(*arguments: object) -> str:
    """Standard output of a program that has nothing to say beside it."""
    out, error = run(*arguments)
    assert error == ""
    return out


def body(text: str) -> list[str]:
    """Records; 60.00 as 60, as bcftools writes it."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [re.sub(r"(?<![\w.])\d+\.\d+", lambda number: f"{float(number[0]):g}", line) for line in lines]


def array_rows(path: Path) -> Iterator[dict[str, str]]:
    lines = [line for line in gzip.decompress(path.read_bytes()).decode().splitlines() if line[:2] != "##"]
    yield from csv.DictReader(lines, delimiter="\t")


def true_copies(made: Made) -> tuple[dict[Key, int], np.ndarray]:
    """Row of each allele in the truth, and (V, persons) copies of it, a haploid alternate as 2."""
    keys: dict[Key, int] = {}
    for line in body((made.folder / "truth" / "genotypes.pvar").read_text()):
        contig, position, ref, alt = line.split("\t")[2].split(":")
        keys[contig, int(position), ref, alt] = len(keys)
    ids, _ = read_psam(made.folder / "truth" / "genotypes.psam")
    out = np.empty((len(keys), len(ids)), np.int8)
    with pgenlib.PgenReader(str(made.folder / "truth" / "genotypes.pgen").encode()) as reader:
        reader.read_range(0, len(keys), out)
    return keys, out


def test_bcftools_reads_every_gvcf_without_a_word(made: Made) -> None:
    assert len(made.gvcfs) >= PERSONS - 2
    for sample, path in made.gvcfs.items():
        records = body(quietly("bcftools", "view", path))
        assert records == body(gzip.decompress(path.read_bytes()).decode())
        assert quietly("bcftools", "query", "-l", path).split() == [sample]
        stats = quietly("bcftools", "stats", path)
        numbers = {line.split("\t")[2]: int(line.split("\t")[3]) for line in stats.splitlines() if line[:2] == "SN"}
        assert numbers["number of records:"] == len(records)
        assert numbers["number of SNPs:"] > 20 and numbers["number of indels:"] > 0
        per_contig = quietly("bcftools", "index", "-s", path).splitlines()
        assert sum(int(line.split("\t")[2]) for line in per_contig) == len(records)
        assert {line.split("\t")[0] for line in per_contig} == {record.split("\t")[0] for record in records}


def test_bcftools_norm_changes_nothing(made: Made) -> None:
    """Every REF is the reference's base, every indel left-aligned; also where only the called alleles stay."""
    for path in made.gvcfs.values():
        out, error = run("bcftools", "norm", "-f", made.reference, "-c", "e", path)
        before = body(gzip.decompress(path.read_bytes()).decode())
        assert body(out) == before
        assert error.split("\t")[-1].strip() == f"{len(before)}/0/0/0"  # total, split, realigned, skipped
        called = quietly("bcftools", "view", "--trim-alt-alleles", "--min-ac", "1", path)
        out, error = run("bcftools", "norm", "-f", made.reference, "-c", "e", "-", stdin=called)
        assert body(out) == body(called) and len(body(called)) > 30
        assert error.split("\t")[-1].strip() == f"{len(body(called))}/0/0/0"


def test_bcftools_norm_would_see_a_shifted_indel_and_a_wrong_base(made: Made, tmp_path: Path) -> None:
    """What the test before this one asks is asked well."""
    fasta = pysam.FastaFile(str(made.reference))
    path = next(iter(made.gvcfs.values()))
    head = [line for line in gzip.decompress(path.read_bytes()).decode().splitlines() if line.startswith("#")]
    shifted = 0
    for record in body(gzip.decompress(path.read_bytes()).decode()):
        fields = record.split("\t")
        contig, position, ref, alt = fields[0], int(fields[1]), fields[3], fields[4].split(",")[0]
        after = fasta.fetch(contig, position + len(ref) - 1, position + len(ref))
        if len(alt) != 1 or len(ref) < 2 or after != ref[1]:
            continue
        right = ref[1:] + after  # the same deletion, one base further on
        # norm leaves a record with <NON_REF> where it is
        fields[1], fields[3:5], fields[8:10] = str(position + 1), [right, right[0]], ["GT", "0/1"]
        (tmp_path / "x.vcf").write_text("\n".join([*head, "\t".join(fields)]) + "\n")
        out, _ = run("bcftools", "norm", "-f", made.reference, "-c", "e", tmp_path / "x.vcf")
        assert body(out)[0].split("\t")[1:5] == [str(position), ".", ref, alt]
        shifted += 1
    assert shifted > 0
    wrong = str.maketrans("ACGT", "CGTA")
    fields[3] = fields[3].translate(wrong)
    (tmp_path / "x.vcf").write_text("\n".join([*head, "\t".join(fields)]) + "\n")
    done = subprocess.run(
        ["bcftools", "norm", "-f", made.reference, "-c", "e", tmp_path / "x.vcf"], capture_output=True, check=False
    )
    assert done.returncode != 0


def test_alleles_are_on_the_reference_and_blocks_do_not_overlap(made: Made) -> None:
    fasta = pysam.FastaFile(str(made.reference))
    for path in made.gvcfs.values():
        last = ("", 0)
        for record in pysam.VariantFile(str(path)):
            assert fasta.fetch(record.contig, record.start, record.start + len(record.ref)) == record.ref
            if record.alts == ("<NON_REF>",):
                assert record.contig != last[0] or record.start >= last[1]
                last = (record.contig, record.stop)
                assert 0 < record.stop <= fasta.get_reference_length(record.contig)


def test_tabix_and_bcftools_find_a_region(made: Made) -> None:
    for path in made.gvcfs.values():
        records = [line.split("\t") for line in body(gzip.decompress(path.read_bytes()).decode())]
        contigs = sorted({record[0] for record in records})
        assert quietly("tabix", "-l", path).split() == list(dict.fromkeys(record[0] for record in records))
        for contig in contigs[:: len(contigs) // 3]:
            here = [int(record[1]) for record in records if record[0] == contig]
            middle = here[len(here) // 2]
            found = quietly("tabix", path, f"{contig}:{middle}-{middle + 200}")
            expected = []
            for record in records:
                end = next((int(word[4:]) for word in record[7].split(";") if word.startswith("END=")), None)
                stop = end or int(record[1]) + len(record[3]) - 1
                if record[0] == contig and int(record[1]) <= middle + 200 and stop >= middle:
                    expected.append("\t".join(record))
            assert body(found) == expected and expected
            assert body(quietly("bcftools", "view", "-r", f"{contig}:{middle}-{middle + 200}", path)) == expected


def test_plink2_counts_the_callset_as_the_truth_does(made: Made, tmp_path: Path) -> None:
    """Allele counts on the autosomes: exactly those of the genomes of the sequenced samples."""
    callset = open_callset(str(made.folder / "cohort.callset"))
    plink_out.export_pgen(callset, str(tmp_path / "x"), select(callset))
    run("plink2", "--pfile", tmp_path / "x", "--autosome", "--freq", "counts", "--out", tmp_path / "x")
    person = [row["person"] for row in made.truth("samples") if row["kind"] == "wgs"]
    keys, copies = true_copies(made)
    with (tmp_path / "x.acount").open() as lines:
        counted = {row["ID"]: row for row in csv.DictReader(lines, delimiter="\t")}
    autosomal = {key: copies[row][person] for key, row in keys.items() if key[0][3:].isdigit()}
    assert len(counted) == len(autosomal) > 200
    for key, of_people in autosomal.items():
        row = counted[":".join(map(str, key))]
        called = of_people[of_people >= 0]
        assert (int(row["ALT_CTS"]), int(row["OBS_CT"])) == (called.sum(), 2 * called.size)


def expected_array(made: Made) -> tuple[list[dict], np.ndarray]:
    """Markers, and (M, N) copies of ALT that each chip is expected to show: the genome on it, or what the truth says of
    a call that differs from it; -1 no call."""
    markers, keys, copies = made.truth("array_markers"), *true_copies(made)
    chips = {row["sample"]: row for row in made.truth("samples") if row["kind"] == "array"}
    columns = {row["sample_id"]: place for place, row in enumerate(chips.values())}
    with (made.folder / "arrays" / "samples.tsv").open() as lines:
        assert [row["sample_id"] for row in csv.DictReader(lines, delimiter="\t")] == list(columns)
    on_chip = [
        row["person"] if row["swapped_with"] is None else chips[row["swapped_with"]]["person"] for row in chips.values()
    ]
    out = np.zeros((len(markers), len(chips)), int)
    for place, m in enumerate(markers):
        row = keys.get((m["contig"], m["position"], m["ref"], m["alt"]))
        out[place] = 0 if row is None else copies[row][on_chip]
    column = {sample: place for place, sample in enumerate(chips)}
    for call in made.truth("array_calls"):
        out[call["marker"], column[call["sample"]]] = call["called_copies"]
    return markers, out


def test_bcftools_and_plink2_read_the_arrays(made: Made, tmp_path: Path) -> None:
    path = made.folder / "arrays" / "batch00001.vcf.gz"
    rows = list(array_rows(path))
    assert len(body(quietly("bcftools", "view", path))) == len(rows)
    assert "number of records:" in quietly("bcftools", "stats", path)
    assert len(quietly("bcftools", "query", "-f", "%CHROM %POS[ %GT %IGC %BAF %LRR]\n", path).splitlines()) == len(rows)
    per_contig = quietly("bcftools", "index", "-s", path).splitlines()
    assert sum(int(line.split("\t")[2]) for line in per_contig) == len(rows)

    with (made.folder / "arrays" / "samples.tsv").open() as lines:
        samples = list(csv.DictReader(lines, delimiter="\t"))
    sexes = "".join(f"{row['sample_id']}\t{SEX.get(row['sex'], 'NA')}\n" for row in samples)
    (tmp_path / "sexes").write_text("#IID\tSEX\n" + sexes)
    _, error = run(
        "plink2", "--vcf", path, "--split-par", "hg38", "--update-sex", tmp_path / "sexes", "--freq", "counts",
        "--out", tmp_path / "x",
    )  # fmt: skip
    assert "warning" not in error.lower()
    with (tmp_path / "x.acount").open() as lines:
        counted = list(csv.DictReader(lines, delimiter="\t"))
    markers, expected = expected_array(made)
    assert [row["ID"] for row in counted] == [m["name"] for m in markers] == [row["ID"] for row in rows]
    compared = flipped = 0
    for row, m, copies in zip(counted, markers, expected, strict=True):
        if not m["contig"][3:].isdigit():
            continue
        called = copies[copies >= 0] * (not m["zeroed"])
        n = 0 if m["zeroed"] else called.size
        alternates = int(called.sum())
        if m["flipped"] and not m["palindromic"]:
            # both alleles are those of the other strand: two alternates, and no reference
            assert sum(map(int, row["ALT_CTS"].split(","))) == int(row["OBS_CT"]) == 2 * n
            assert n == 0 or alternates in map(int, row["ALT_CTS"].split(","))
            flipped += 1
            continue
        if m["flipped"]:
            alternates = 2 * n - alternates
        assert (int(row["ALT_CTS"]), int(row["OBS_CT"])) == (alternates, 2 * n), m["name"]
        compared += n > 0
    assert compared > 100 and flipped > 0


def test_summary_statistics_and_scores_parse(made: Made) -> None:
    fasta = pysam.FastaFile(str(made.reference))
    files = sorted((made.folder / "prs" / "gwas").glob("*.tsv.gz"))
    assert len(files) == 8  # four traits in two training groups
    for path in files:
        rows = list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines(), delimiter="\t"))
        assert len(rows) > 50
        for row in rows:
            ref, alt = row["other_allele"], row["effect_allele"]
            begin = int(row["base_pair_location"]) - 1
            assert fasta.fetch(f"chr{row['chromosome']}", begin, begin + len(ref)) == ref != alt
            assert 0 < float(row["p_value"]) <= 1 and 0 < float(row["effect_allele_frequency"]) < 1
            assert float(row["standard_error"]) > 0 and np.isfinite(float(row["beta"]))
    files = sorted((made.folder / "prs" / "scores").glob("*.txt.gz"))
    assert files
    for path in files:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        told = dict(line[1:].split("=", 1) for line in lines if line[0] == "#" and "=" in line and line[1] != "#")
        rows = list(csv.DictReader([line for line in lines if line[0] != "#"], delimiter="\t"))
        assert told["format_version"] == "2.0" and int(told["variants_number"]) == len(rows) > 0
        for row in rows:
            begin = int(row["chr_position"]) - 1
            alleles = (row["effect_allele"], row["other_allele"])
            assert any(fasta.fetch(f"chr{row['chr_name']}", begin, begin + len(a)) == a for a in alleles)
            assert np.isfinite(float(row["effect_weight"]))
