"""Picard's own test files, read as they are. Counts are those that Picard's tests expect of the same files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.dataset import digest_of
from cohelix.errors import InputError
from cohelix.genotypes.callset import open_callset, read_genotypes
from cohelix.qc.arrays import inputs
from cohelix.qc.arrays.manifest import read_manifest
from cohelix.qc.arrays.run import qc_arrays
from cohelix.qc.schema import ArrayQcParams
from cohelix.runtime.protocol import open_runtime

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def arrays(data: Path) -> Path:
    return data / "arrays"


def _run(folder: Path, *paths: Path, **options: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of array_metrics and marker_metrics."""
    params = ArrayQcParams(**options)
    qc_arrays(
        [str(path) for path in paths], str(folder / "qc"), params, open_runtime("local", cores=1),
        callset=str(folder / "x.callset"), gates="aou-v8",
    )  # fmt: skip
    names = ("array_metrics", "marker_metrics")
    of_samples, of_markers = (pq.read_table(folder / "qc" / f"{name}.parquet").to_pylist() for name in names)
    return of_samples, of_markers


@pytest.mark.parametrize(
    ("name", "calls"), [("7991775143_R01C01.vcf", 636), ("7991775143_R01C01_wo_optional_fields.vcf", 631)]
)
def test_counts_are_those_of_picard(arrays: Path, tmp_path: Path, name: str, calls: int) -> None:
    """CollectArraysVariantCallingMetricsTest: 638 assays, 637 not filtered, 1 zeroed; HET_PCT = hets / 637."""
    (sample,), markers = _run(tmp_path, arrays / name)
    assert (sample["n_markers"], sample["n_counted"], sample["n_called"]) == (638, 637, calls)
    assert sum(marker["status"] == "zeroed" for marker in markers) == 1
    assert sample["array_call_rate"] == calls / 637
    assert sample["n_het"] / 637 == pytest.approx(0.010989, abs=1e-6)
    kept = [marker for marker in markers if marker["status"] == "kept"]
    assert {marker["kind"] for marker in kept} == {"snp"}
    counted = [marker for marker in markers if marker["filters"] in (".", "DUPE")]
    homozygous = [m["n_bb"] if m["ref"] == m["allele_a"] else m["n_aa"] for m in counted]
    assert sum(m["n_ab"] for m in counted) / sum(homozygous) == pytest.approx(0.777778, abs=1e-6)  # HET_HOMVAR_RATIO


def test_two_samples_in_one_file(arrays: Path, tmp_path: Path) -> None:
    """Picard: 1,272 calls of 1,274."""
    samples, _ = _run(tmp_path, arrays / "two_samples.vcf")
    assert sum(sample["n_called"] for sample in samples) == 1272
    assert sum(sample["n_counted"] for sample in samples) == 1274
    pairs = pq.read_table(tmp_path / "qc" / "duplicates.parquet")
    assert pairs.num_rows == 0  # rare markers of an exome array: none is common enough to compare
    summary = json.loads((tmp_path / "qc" / "qc.json").read_text())
    assert (summary["kind"], summary["n_samples"], summary["build"]) == ("arrays", 2, "GRCh37")
    flags = pq.read_table(tmp_path / "qc" / "array_flags.parquet").column("gate").to_pylist()
    asked = {rule["gate"]: rule for rule in summary["gates"]["rules"]}
    assert {name: rule["failed"] for name, rule in asked.items() if rule["failed"]} == Counter(flags)
    assert {rule["kind"] for rule in asked.values()} == {"array", "marker"}
    record = summary["provenance"]
    assert record["operation"] == "qc arrays"
    assert record["digest"] == digest_of({name: value for name, value in record.items() if name != "digest"})


def test_two_files_are_what_picard_combines_them_into(arrays: Path, tmp_path: Path) -> None:
    """CombineGenotypingArrayVcfs: combined_output is made of the two inputs; so are our callsets."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    apart = _run(tmp_path / "a", arrays / "input_for_combine.vcf", arrays / "input2_for_combine.vcf")
    together = _run(tmp_path / "b", arrays / "combined_output.vcf")
    for one, other in zip(*apart[:1], *together[:1], strict=True):
        assert {name: value for name, value in one.items() if name != "input" and value == value} == {
            name: value for name, value in other.items() if name != "input" and value == value
        }
    left, right = (open_callset(str(tmp_path / name / "x.callset")) for name in "ab")
    for mine, theirs in zip(left.shards, right.shards, strict=True):
        assert left.sites(mine).equals(right.sites(theirs))
        np.testing.assert_array_equal(
            read_genotypes(left, mine, 0, mine.n_sites), read_genotypes(right, theirs, 0, theirs.n_sites)
        )


def test_what_zcall_adds_is_read(arrays: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before, _ = _run(tmp_path / "a", arrays / "input.vcf")
    after, _ = _run(tmp_path / "b", arrays / "expected_merge_output.vcf")
    assert (before[0]["n_called"], after[0]["n_called"]) == (3, 7)
    assert before[0]["lrr_deviation"] == after[0]["lrr_deviation"]


def test_strands_of_the_real_triallelic_markers(arrays: Path, tmp_path: Path) -> None:
    """M:8851-T-C lies on chromosome 1 too, where REF is A; its alleles there are A and G on the other strand."""
    _, markers = _run(tmp_path, arrays / "combined_output.vcf")
    found = {marker["name"]: marker for marker in markers}
    assert found["M:8851-T-C"]["strand"] == "flipped"
    assert (found["M:8851-T-C"]["ref"], found["M:8851-T-C"]["alt"], found["M:8851-T-C"]["af"]) == ("A", "G", 0.0)
    assert {marker["palindrome"] for marker in markers if marker["allele_a"] + marker["allele_b"] == "AT"} == {
        "unresolved"
    }


@pytest.mark.parametrize("name", ["TestAdpc1.vcf", "TestAdpc23.vcf", "TestVcfToAdpc.vcf"])
def test_other_files_of_picard(arrays: Path, tmp_path: Path, name: str) -> None:
    lines = [line.split("\t") for line in (arrays / "illumina" / name).read_text().splitlines() if line[:2] != "##"]
    samples, markers = _run(tmp_path, arrays / "illumina" / name)
    assert [sample["sample_id"] for sample in samples] == sorted(lines[0][9:])
    assert len(markers) == len(lines) - 1
    assert sum(m["n_no_call"] for m in markers) == sum(cell.startswith("./.") for row in lines[1:] for cell in row[9:])


def test_a_file_without_markers_is_refused(arrays: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected markers behind the header, found none"):
        _run(tmp_path, arrays / "illumina" / "Test.vcf")
    assert list(tmp_path.iterdir()) == []


def test_tables_of_contamination(arrays: Path) -> None:
    (estimate,) = inputs.read_baf_regress(str(arrays / "BafRegress.output.txt")).values()
    assert estimate == -0.000538639821316378
    found = inputs.read_verify_id(str(arrays / "VerifyIDIntensity.txt"))
    assert found == {0: 0.214766, 1: 0.214767, 2: 0.0994769, 3: 0.234567}
    sorted_ = inputs.sort_inputs([str(arrays / name) for name in ("BafRegress.output.txt", "input.vcf")])
    assert (list(sorted_.vcfs), len(sorted_.baf_regress)) == ([2], 1)


def test_a_table_of_contamination_fills_in_for_baf(arrays: Path, tmp_path: Path) -> None:
    """Nine markers tell nothing of contamination; the other program's table does."""
    table = tmp_path / "table.txt"
    table.write_text("sample\testimate\tstderr\n201004840016_R01C01\t0.125\t0.001\n")
    (sample,), _ = _run(tmp_path, arrays / "input.vcf", table)
    assert (sample["array_contamination"], sample["contamination_source"]) == (0.125, "bafregress")
    flags = pq.read_table(tmp_path / "qc" / "array_flags.parquet").to_pylist()
    assert ("contamination", 0.125, 0.1, "at_most") in [
        (f["gate"], f["value"], f["cutoff"], f["direction"]) for f in flags
    ]


def test_manifests_of_all_kinds(arrays: Path) -> None:
    """Plain and extended ones, of four arrays."""
    found = {}
    for path in sorted((arrays / "illumina").glob("*.csv")):
        if "bpm" in path.name or "gtc" in path.name:
            with pytest.raises(InputError, match="a section \\[Assay\\]"):
                read_manifest(str(path))
            continue
        stated = next(line for line in path.read_text().splitlines() if line.startswith("Loci Count"))
        assays = read_manifest(str(path))
        assert len(assays) == int(stated.split(",")[1])
        found |= assays
    assert found["1:10001102-G-T"].alleles == ("A", "C")
    assert found["1:10001102-G-T"].plus_alleles == ("T", "G")  # RefStrand is -
    assert found["exm-rs1000026"].strand == "TOP"
