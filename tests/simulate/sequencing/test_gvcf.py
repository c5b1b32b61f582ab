"""Made gVCFs read back: whole, consistent, as their truth says, and readable by others."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pysam
import pytest

from cohelix.simulate.schema import SequencingParams
from cohelix.simulate.sequencing.calls import CallsFile, CallsTruth, samples_table
from cohelix.simulate.sequencing.gvcf import sequence_sample
from cohelix.simulate.sequencing.sample import Here, Sample
from tests.simulate.sequencing.made import (
    Record,
    World,
    carried_alleles,
    here,
    place,
    records,
    rows,
    sample,
    snps_within_deletions,
)

PARAMS = SequencingParams(artefacts=2e-4, uncalled=0.02)
TEXTS = ["chr21:1,000,001-1,120,000", "chr22:1,000,001-1,120,000", "chrX:3,000,001-3,050,000"]
WORLD = World(TEXTS, PARAMS)
PLAIN = (2, 2, 2)
KINDS = {
    "plain": (sample(1), PLAIN, PLAIN, None),
    "dragen": (sample(2, dialect="dragen", batch=1), PLAIN, PLAIN, None),
    "low": (sample(3, coverage=7.0, low_coverage=True), PLAIN, PLAIN, None),
    "contaminated": (sample(4, contamination=0.1), PLAIN, PLAIN, (77, PLAIN)),
    "man": (sample(5, contamination=0.1, dialect="dragen"), (2, 2, 1), (2, 2, 1), (78, PLAIN)),
    "triple": (sample(6), (2, 2, 3), PLAIN, None),
}
Made = tuple[Sample, list[Here], bytes, CallsTruth]

needs_bcftools = pytest.mark.skipif(not shutil.which("bcftools"), reason="bcftools is not installed")


@cache
def make(kind: str) -> Made:
    who, copies, called, contaminant = KINDS[kind]
    heres = WORLD.heres(who.index, copies, called, contaminant)
    return who, heres, *sequence_sample(PARAMS, 1, who, heres, source="test")


@pytest.fixture(scope="module", params=list(KINDS))
def made(request: pytest.FixtureRequest) -> Made:
    return make(request.param)


def by_region(heres: list[Here], found: list[Record]) -> list[tuple[Here, list[Record]]]:
    return [(one, [record for record in found if record.contig == one.region.contig.name]) for one in heres]


def test_every_base_lies_in_one_block_or_in_a_record(made: Made) -> None:
    _, heres, data, _ = made
    order = [(record.contig, record.position) for record in records(data)]
    assert order == sorted(set(order))
    for one, found in by_region(heres, records(data)):
        blocks, spanned = np.zeros(one.region.length, int), np.zeros(one.region.length, int)
        for record in found:
            within = slice(record.position - 1 - one.region.start, record.end - one.region.start)
            assert 0 <= within.start < within.stop <= one.region.length
            (blocks if record.is_block else spanned)[within] += 1
            assert record.ref == one.reference.bases[within][: len(record.ref)]
        assert blocks.max() == 1
        assert ((blocks == 1) == (spanned == 0)).all()


def test_likelihoods_genotypes_and_reads_agree(made: Made) -> None:
    who, _, data, _ = made
    for record in records(data):
        quality, depth = int(record.values["GQ"]), int(record.values["DP"])
        if record.is_block:
            assert int(record.values["MIN_DP"]) <= depth
            assert record.gt[0] in "0."
            if record.gt[0] == ".":
                assert (depth, quality) == (0, 0)
            if who.dialect == "dragen":
                assert sorted(record.numbers("PL"))[:2] == [0, quality]
            continue
        likelihood, n = record.numbers("PL"), len(record.alts) + 2
        copies = [int(allele) for allele in record.gt]
        place = copies[0] if len(copies) == 1 else copies[1] * (copies[1] + 1) // 2 + copies[0]
        assert len(likelihood) == (n if len(copies) == 1 else n * (n + 1) // 2)
        assert copies == sorted(copies)
        assert likelihood[place] == 0
        assert quality == min(sorted(likelihood)[1], 99)
        assert sum(record.numbers("AD")) == depth == sum(record.numbers("SB"))
        assert sum(record.numbers("SB")[:2]) == record.numbers("AD")[0]
        assert all(n >= (1 if alt == "*" else 2) for n, alt in zip(record.numbers("AD")[1:], record.alts, strict=False))
        if who.dialect == "dragen":
            assert (record.filter == "PASS") == (likelihood[0] > 10 and quality > 0)


def test_truth_is_what_is_carried_and_what_the_file_says(made: Made) -> None:
    _, heres, data, truth = made
    told = [row for row in rows(truth) if row["kind"] != "stretch"]
    for one, found in by_region(heres, records(data)):
        mine = [row for row in told if row["contig"] == one.region.contig.name]
        keys = [(row["position"], row["ref"], row["alt"]) for row in mine]
        assert len(set(keys)) == len(keys)
        carried = carried_alleles(one)
        assert {key: row["copies_true"] for key, row in zip(keys, mine, strict=True) if row["copies_true"]} == carried
        called: dict[tuple[int, str, str], int] = {}
        for record in found:
            called |= record.copies()
        said = {key: row["copies_called"] for key, row in zip(keys, mine, strict=True) if row["copies_called"] > 0}
        assert said == called
        for (position, _, _), row in zip(keys, mine, strict=True):
            over = [r for r in found if r.position <= position <= r.end and (r.is_block or r.position == position)]
            assert (row["outcome"] == "uncalled") == any(r.gt[0] == "." for r in over)
            if over:
                assert row["quality"] == int(over[-1].values["GQ"])
            assert row["end"] == position + len(row["ref"]) - 1


def test_every_wrong_call_has_a_cause_and_every_stretch_without_evidence_is_told(made: Made) -> None:
    who, _, data, truth = made
    for row in rows(truth):
        expected = "uncalled" if row["copies_called"] < 0 else "right"
        if row["copies_called"] >= 0 and row["copies_called"] != row["copies_true"]:
            expected = "missed" if row["copies_called"] < row["copies_true"] else "extra"
        assert row["outcome"] == expected
        if row["kind"] != "stretch":
            assert (row["reason"] == "") == (row["outcome"] == "right")
            assert row["reason"] != "contamination" or who.contamination
            assert (row["reason"] == "copies") <= (row["copies"] != row["ploidy"])
        assert (row["reason"] == "uncalled stretch") == (row["outcome"] == "uncalled")
    told = {(row["contig"], row["position"], row["end"]) for row in rows(truth) if row["kind"] == "stretch"}
    blocks = [record for record in records(data) if record.is_block and record.values["GQ"] == "0"]
    assert told == {(record.contig, record.position, record.end) for record in blocks}


def test_spanning_deletions_lie_in_called_deletions(made: Made) -> None:
    _, heres, data, _ = made
    for _, found in by_region(heres, records(data)):
        reach = 0
        for record in found:
            if "*" in record.alts:
                assert record.position <= reach
            for number, alt in enumerate(record.alts, start=1):
                if str(number) in record.gt and alt != "*" and len(alt) < len(record.ref):
                    reach = max(reach, record.end)


def calls_of_pairs(coverage: float) -> Counter[tuple[int, str, int, str]]:
    """Of each deletion with a SNP on the other copy: copies called and reason, of the deletion and of the SNP."""
    region, reference = place("chr22:1,000,001-1,100,000")
    one = here(region, reference, snps_within_deletions(reference))
    params = SequencingParams(artefacts=0.0, uncalled=0.0)
    data, truth = sequence_sample(params, 1, sample(coverage=coverage), [one], source="test")
    named = {record.position: record for record in records(data) if not record.is_block}
    told = {row["position"]: row for row in rows(truth) if row["kind"] != "stretch"}
    kinds: Counter[tuple[int, str, int, str]] = Counter()
    for position, row in told.items():
        inner = told.get(position + 2)
        if row["kind"] == "deletion" and inner is not None:
            kinds[row["copies_called"], row["reason"], inner["copies_called"], inner["reason"]] += 1
            if position + 2 in named and "*" in named[position + 2].alts:
                assert row["copies_called"] > 0
    return kinds


def test_a_snp_within_a_het_deletion_is_called_beside_it() -> None:
    kinds = calls_of_pairs(40.0)
    assert kinds[1, "", 1, ""] > 0.99 * kinds.total() > 1_000


def test_where_a_deletion_is_missed_the_snp_within_has_its_cause() -> None:
    kinds = calls_of_pairs(4.0)
    assert kinds[0, "few reads", 2, "few reads"] > 50
    assert {reason for _, first, _, second in kinds for reason in (first, second)} <= {"", "few reads", "stray reads"}


def test_kinds_of_calls_are_all_there() -> None:
    reasons, genotypes = set(), set()
    for kind in KINDS:
        *_, data, truth = make(kind)
        reasons |= set(truth.reason)
        genotypes |= {record.values["GT"] for record in records(data) if not record.is_block}
    assert reasons >= {"", "few reads", "stray reads", "contamination", "artefact", "uncalled stretch", "copies"}
    assert genotypes >= {"0/0", "0/1", "1/1", "1/2", "0", "1"}


def test_a_contaminated_sample_is_right_without_the_contaminant() -> None:
    params = SequencingParams(artefacts=0.0, uncalled=0.0, error=1e-6)
    who = sample(4, contamination=0.2, coverage=60.0)
    clean = [replace(one, artefacts=None) for one in WORLD.heres(4, PLAIN, PLAIN)]
    dirty = [replace(one, artefacts=None) for one in WORLD.heres(4, PLAIN, PLAIN, (77, PLAIN))]
    _, truth = sequence_sample(params, 1, who, dirty, source="test")
    reasons = {row["reason"] for row in rows(truth) if row["outcome"] != "right"}
    assert reasons == {"contamination"}
    _, truth = sequence_sample(params, 1, who, clean, source="test")
    assert {row["outcome"] for row in rows(truth)} == {"right"}


def test_bytes_depend_on_seed_and_sample_only(tmp_path: Path) -> None:
    _, heres, data, truth = make("contaminated")
    again = sequence_sample(PARAMS, 1, KINDS["contaminated"][0], heres, source="test")
    assert again == (data, truth)
    assert sequence_sample(PARAMS, 2, KINDS["contaminated"][0], heres, source="test")[0] != data
    program = (
        "import sys, hashlib\n"
        "from tests.simulate.sequencing.test_gvcf import make\n"
        "print(hashlib.sha256(make('contaminated')[2]).hexdigest())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(data).hexdigest()


@pytest.mark.external
@needs_bcftools
@pytest.mark.parametrize("kind", ["dragen", "contaminated", "man"])
def test_bcftools_and_pysam_read_without_a_warning_and_have_nothing_to_normalise(kind: str, tmp_path: Path) -> None:
    *_, data, _ = make(kind)
    path, fasta = tmp_path / "a.g.vcf.gz", tmp_path / "ref.fa"
    path.write_bytes(data)
    WORLD.write_fasta(fasta)
    pysam.tabix_index(str(path), preset="vcf", force=True)
    for command in (["view"], ["stats"], ["norm", "--check-ref", "e", "-f", str(fasta)]):
        done = subprocess.run(["bcftools", *command, str(path)], capture_output=True, text=True, check=True)
        assert [line for line in done.stderr.splitlines() if not line.startswith("Lines ")] == []
    normal = [line.split("\t")[:5] for line in done.stdout.splitlines() if not line.startswith("#")]
    lines = gzip.decompress(data).decode().splitlines()
    assert normal == [line.split("\t")[:5] for line in lines if not line.startswith("#")]
    with pysam.VariantFile(str(path)) as opened:
        declared = set(opened.header.formats) | set(opened.header.info) | set(opened.header.filters)
        used: set[str] = set()
        for record in opened:
            used |= {*record.format, *record.info, *record.filter}
    assert used <= declared
    assert declared - used <= {"END", "LowQual", "LowGQ", "DRAGENHardQUAL", "PASS"}  # pysam keeps END apart


def test_calls_of_samples_are_kept_in_order(tmp_path: Path) -> None:
    made = [make(kind) for kind in ("plain", "man")]
    with CallsFile(tmp_path / "calls.parquet") as kept:
        for who, _, _, truth in made:
            kept.add(who.index, truth)
    table = pq.read_table(tmp_path / "calls.parquet")
    expected = [{"sample": who.index, **row} for who, _, _, truth in made for row in rows(truth)]
    assert table.to_pylist() == expected
    listed = samples_table([who for who, *_ in made]).to_pylist()
    assert [row["index"] for row in listed] == [1, 5]
    assert listed[1]["contamination"] == 0.1
