"""Planted faults of made arrays are found, all of them, and nothing else is called one."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix import storage
from cohelix.genotypes.callset import open_callset, read_genotypes
from cohelix.qc.arrays.intensities import ArrayFile, read_arrays
from cohelix.qc.arrays.run import qc_arrays
from cohelix.qc.arrays.samples import contamination
from cohelix.qc.schema import ArrayQcParams
from cohelix.runtime.protocol import Runtime, open_runtime
from tests.oracles import arrays as oracle
from tests.qc.arrays import chips
from tests.qc.arrays.chips import CONTAMINATED, FAILED, TWINS, Chips


@dataclass(frozen=True)
class Judged:
    """What quality control made of the chips: its tables by row, samples in the order of the chips."""

    chips: Chips
    folder: Path
    samples: list[dict[str, Any]]
    markers: list[dict[str, Any]]
    flags: list[dict[str, Any]]
    pairs: list[dict[str, Any]]

    def rows_of(self, what: str) -> np.ndarray:
        return np.flatnonzero(getattr(self.chips.made.design.markers, what))

    def flagged(self, kind: str, *gates: str) -> set[int]:
        return {flag["row"] for flag in self.flags if flag["kind"] == kind and flag["gate"] in gates}


def _judge(made: Chips, folder: Path, runtime: Runtime, paths: list[str] | None = None, **options: Any) -> Judged:
    params = ArrayQcParams(build=options.pop("build", "auto"))
    given = {"reference": str(made.folder / "genome.fa"), "manifest": str(made.folder / "manifest.csv")} | options
    qc_arrays(
        paths or made.paths, str(folder / "qc"), params, runtime, callset=str(folder / "x.callset"),
        gates="aou-v8", **given,
    )  # fmt: skip
    names = ("array_metrics", "marker_metrics", "array_flags", "duplicates")
    samples, markers, flags, pairs = (pq.read_table(folder / "qc" / f"{name}.parquet").to_pylist() for name in names)
    by_id = {sample["sample_id"]: sample for sample in samples}
    return Judged(made, folder, [by_id[one] for one in made.ids if one in by_id], markers, flags, pairs)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Chips:
    return chips.make_chips(tmp_path_factory.mktemp("chips"))


@pytest.fixture(scope="module")
def judged(made: Chips, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return _judge(made, tmp_path_factory.mktemp("judged"), open_runtime("local", cores=2))


def test_failed_arrays_are_found(judged: Judged) -> None:
    """Those with a call rate below 0.98; DNA of another person leaves less than that, from 10 % on."""
    low = {k for k, sample in enumerate(judged.samples) if sample["array_call_rate"] < 0.98}
    assert low == {*FAILED, *(k for k, share in CONTAMINATED.items() if share >= 0.1)}
    ids = sorted(judged.chips.ids)
    flagged = {ids[row] for row in judged.flagged("array", "call_rate")}
    assert flagged == {judged.chips.ids[k] for k in low}
    for k, sample in enumerate(judged.samples):
        if k in FAILED:
            assert sample["lrr_deviation"] > max(
                s["lrr_deviation"] for i, s in enumerate(judged.samples) if i not in FAILED
            )


def test_contamination_is_found(judged: Judged) -> None:
    """Clipped at 0 and 1, BAF shows less of little; the gate of 10 % parts 15 % from 5 %."""
    for k, sample in enumerate(judged.samples):
        share, found = CONTAMINATED.get(k, 0.0), sample["array_contamination"]
        assert sample["contamination_source"] == "baf"
        assert sample["array_contamination_low"] < found < sample["array_contamination_high"]
        assert abs(found - share) < 0.01 + 0.1 * share, (share, found)
    ids = sorted(judged.chips.ids)
    flagged = {judged.chips.ids.index(ids[row]) for row in judged.flagged("array", "contamination")}
    assert flagged == {k for k, share in CONTAMINATED.items() if share > 0.1}


def test_sexes_and_karyotypes_are_right(judged: Judged) -> None:
    assert [sample["karyotype"] for sample in judged.samples] == judged.chips.karyotypes
    assert all((sample["sex_inferred"] == "male") == ("Y" in sample["karyotype"]) for sample in judged.samples)
    women, men = ([s["x_het_rate"] for s, k in zip(judged.samples, judged.chips.karyotypes, strict=True) if k == one]
                  for one in ("XX", "XY"))  # fmt: skip
    assert max(men) < min(women)


def test_twins_are_found_and_no_others(judged: Judged) -> None:
    ids = judged.chips.ids
    found = {frozenset((pair["left_id"], pair["right_id"])) for pair in judged.pairs}
    assert found == {frozenset(ids[k] for k in pair) for pair in TWINS}
    assert all(pair["concordance"] > 0.99 for pair in judged.pairs)
    assert sorted(ids)[judged.pairs[0]["left"]] == judged.pairs[0]["left_id"]
    assert [sample["n_duplicates"] for sample in judged.samples] == [
        sum(k in pair for pair in TWINS) for k in range(chips.N)
    ]


def test_strands_are_found(judged: Judged) -> None:
    """SNPs by their alleles, palindromes by their probes; of each class exactly the planted ones."""
    m = judged.chips.made.design.markers
    strands = np.array([marker["strand"] for marker in judged.markers])
    snps, palindromes = m.flipped & ~m.palindromic, m.flipped & m.palindromic
    assert snps.sum() > 40
    assert palindromes.sum() > 5
    np.testing.assert_array_equal(strands == "flipped", snps)
    np.testing.assert_array_equal(strands == "palindrome_flipped", palindromes)
    np.testing.assert_array_equal(strands == "palindrome_agrees", m.palindromic & ~m.flipped)
    lines = (judged.folder / "qc" / "strand_report.tsv").read_text().splitlines()
    assert sum(int(line.split("\t")[2]) for line in lines[1:] if line.startswith("flipped")) == snps.sum()


def test_markers_are_called_what_they_are(judged: Judged) -> None:
    m = judged.chips.made.design.markers
    status = np.array([marker["status"] for marker in judged.markers])
    np.testing.assert_array_equal(status == "zeroed", m.zeroed)
    known = {(marker["position"], marker["ref"], marker["alt"]) for marker in judged.markers}
    assert known == set(zip(m.position.tolist(), m.ref.tolist(), m.alt.tolist(), strict=True))
    failed = set(np.flatnonzero(m.failed & ~m.zeroed & (status == "kept")).tolist())
    assert judged.flagged("marker", "gentrain") == failed
    assert judged.flagged("marker", "cluster_separation") == failed
    others = ("call_rate_common", "hwe", "male_het", "ab_theta_low", "ab_theta_high", "strange_alleles", "palindrome")
    assert judged.flagged("marker", *others) <= failed


def test_of_markers_of_one_place_that_with_most_calls_is_kept(judged: Judged) -> None:
    places: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for marker in judged.markers:
        if marker["status"] in ("kept", "duplicate"):
            key = tuple(marker[name] for name in ("contig", "position", "ref", "alt"))
            places.setdefault(key, []).append(marker)
    doubles = [group for group in places.values() if len(group) > 1]
    assert len(doubles) > 20
    for group in doubles:
        (kept,) = [marker for marker in group if marker["status"] == "kept"]
        assert kept["n_no_call"] == min(marker["n_no_call"] for marker in group)
    assert all(group[0]["status"] == "kept" for group in places.values() if len(group) == 1)


def test_the_callset_has_the_genotypes_of_the_people(judged: Judged) -> None:
    """Calls of good arrays are the alternate copies of the genomes, turned markers too; 0.0005 are planted errors."""
    callset = open_callset(str(judged.folder / "x.callset"))
    assert callset.samples().column("sample_id").to_pylist() == sorted(judged.chips.ids)
    columns = [judged.chips.ids.index(one) for one in sorted(judged.chips.ids)]
    good = np.array([k not in CONTAMINATED and k not in FAILED for k in columns])
    m = judged.chips.made.design.markers
    names = {name: row for row, name in enumerate(judged.chips.made.design.names)}
    wrong = compared = n_sites = 0
    for shard in callset.shards:
        sites = callset.sites(shard)
        calls = read_genotypes(callset, shard, 0, shard.n_sites)[:, good]
        n_sites += shard.n_sites
        for name, ref, alt, row in zip(
            *(sites.column(key).to_pylist() for key in ("source_id", "ref", "alt")), calls, strict=True
        ):
            marker = names[name]
            assert (ref, alt) == (m.ref[marker], m.alt[marker])
            if m.failed[marker]:
                continue
            truth = judged.chips.alleles[np.array(columns)[good], marker]
            alternates, references = (truth == 1).sum(axis=1), (truth == 0).sum(axis=1)
            expected = np.where(alternates == 0, 0, np.where(references == 0, 2, 1))
            both = (row >= 0) & (alternates + references > 0)
            wrong += int((row[both] != expected[both]).sum())
            compared += int(both.sum())
    assert n_sites == sum(marker["status"] == "kept" for marker in judged.markers)
    assert compared > 150_000
    assert wrong / compared < 0.001


def test_the_filter_of_a_site_names_the_gates_it_fails(judged: Judged) -> None:
    callset = open_callset(str(judged.folder / "x.callset"))
    stated = {
        name: text
        for shard in callset.shards
        for name, text in zip(
            *(callset.sites(shard).column(key).to_pylist() for key in ("source_id", "filter")), strict=True
        )
    }
    failed: dict[str, list[str]] = {name: [] for name in stated}
    for flag in judged.flags:
        if flag["kind"] == "marker":
            failed[judged.markers[flag["row"]]["name"]].append(flag["gate"])
    assert stated == {name: ";".join(gates) or "PASS" for name, gates in failed.items()}


def test_without_a_reference_palindromes_are_what_the_manifest_says(
    made: Chips, judged: Judged, tmp_path: Path
) -> None:
    """Whose strand is wrong for the flipped ones; without it nothing is known, and that is said."""
    m = made.made.design.markers
    found = _judge(made, tmp_path, open_runtime("local", cores=1), made.paths[:1], reference=None)
    strands = np.array([marker["strand"] for marker in found.markers])
    np.testing.assert_array_equal(strands == "palindrome_agrees", m.palindromic)
    np.testing.assert_array_equal(strands == "flipped", m.flipped & ~m.palindromic)
    (tmp_path / "b").mkdir()
    nothing = _judge(made, tmp_path / "b", open_runtime("local"), made.paths[:1], reference=None, manifest=None)
    strands = np.array([marker["strand"] for marker in nothing.markers])
    np.testing.assert_array_equal(strands == "palindrome_unknown", m.palindromic)
    kept = {row for row, marker in enumerate(nothing.markers) if marker["status"] == "kept"}
    assert nothing.flagged("marker", "palindrome") == kept & set(np.flatnonzero(m.palindromic).tolist())


def test_palindromes_by_a_known_frequency(made: Chips, judged: Judged, tmp_path: Path) -> None:
    """Where the frequency is far from a half it decides, and never wrongly."""
    m = made.made.design.markers
    table = tmp_path / "known.tsv"
    counts = (made.alleles == 1).sum(axis=(0, 2)) / np.maximum((made.alleles >= 0).sum(axis=(0, 2)), 1)
    rows = zip(m.contig.tolist(), m.position.tolist(), m.ref.tolist(), m.alt.tolist(), counts.tolist(), strict=True)
    table.write_text("contig\tposition\tref\talt\taf\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    found = _judge(
        made, tmp_path, open_runtime("local"), made.paths[:1], reference=None, manifest=None, frequencies=str(table)
    )
    strands = np.array([marker["strand"] for marker in found.markers])
    decided = np.isin(strands, ["palindrome_agrees", "palindrome_flipped"])
    good = m.palindromic & ~m.failed
    assert (decided & good).sum() > 0.8 * good.sum()
    np.testing.assert_array_equal((strands == "palindrome_flipped")[decided & good], m.flipped[decided & good])


def test_bafregress_as_published(made: Chips, tmp_path: Path) -> None:
    """lm(baf ~ x + genotype) over called homozygotes, x the minor allele frequency, negative at BB: from the text."""
    rows: list[tuple[float, float, bool]] = []
    with gzip.open(made.paths[0], "rt") as handle:
        for line in handle:
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#") or "ZEROED" in fields[6] or not fields[0][3:].isdigit():
                continue
            stated = dict(part.split("=") for part in fields[7].split(";"))
            alleles = [fields[3], *fields[4].split(",")]
            a, b = (alleles.index(stated[name].rstrip("*")) for name in ("ALLELE_A", "ALLELE_B"))
            call, baf = fields[9 + 14].split(":")[:2]  # the fifteenth sample: 15 % contaminated
            n = [int(stated[f"N_{one}"]) for one in ("AA", "AB", "BB")]
            of_b = (n[1] + 2 * n[2]) / (2 * sum(n))
            minor = min(of_b, 1 - of_b)
            if call in (f"{a}/{a}", f"{b}/{b}"):
                of_bb = call == f"{b}/{b}"
                rows.append((float(baf), -minor if of_bb else minor, of_bb))
    slope, error = oracle.slope(*map(list, zip(*rows, strict=True)))
    params = ArrayQcParams(contamination_frequency="minor", no_call_baf=0.0, min_gentrain=0.0)
    batch = read_arrays(ArrayFile(1, made.paths[0], str(tmp_path / "parts"), params))
    found, its_error = contamination(batch.counts, batch.sums)
    assert found[14] == pytest.approx(slope, abs=1e-9)
    assert its_error[14] == pytest.approx(error, abs=1e-9)


@pytest.mark.jvm
def test_spark_gives_the_same_bytes(made: Chips, judged: Judged, tmp_path: Path, spark: Runtime) -> None:
    found = _judge(made, tmp_path, spark)
    for path in sorted((judged.folder / "qc").iterdir()):
        assert (found.folder / "qc" / path.name).read_bytes() == path.read_bytes()
    left, right = (storage.walk(str(one.folder / "x.callset")) for one in (judged, found))
    assert list(left) == list(right)


def test_the_order_of_the_files_changes_no_sample(made: Chips, judged: Judged, tmp_path: Path) -> None:
    found = _judge(made, tmp_path, open_runtime("local", cores=2), made.paths[::-1])
    for one, other in zip(judged.samples, found.samples, strict=True):
        assert {k: v for k, v in one.items() if k != "input"} == {k: v for k, v in other.items() if k != "input"}


def test_a_callset_and_a_fileset_are_judged_without_intensities(judged: Judged, tmp_path: Path) -> None:
    """What the first run wrote, as an input: F of X tells the sexes, and the genotypes stay."""
    from cohelix.cli.__main__ import run

    callset = str(judged.folder / "x.callset")
    assert run(["genotypes", "export", callset, "-o", str(tmp_path / "x.bed")]) == 0
    for number, source in enumerate((callset, str(tmp_path / "x"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = _judge(judged.chips, folder, open_runtime("local", cores=1), [source], manifest=None, build="GRCh38")
        sexes = [s["sex_inferred"] for s in found.samples]
        for k, (sex, sample) in enumerate(zip(sexes, judged.samples, strict=True)):
            if len(judged.chips.karyotypes[k]) == 2 and "0" not in judged.chips.karyotypes[k]:
                assert sex in (sample["sex_inferred"], "unknown")
        assert sexes.count("unknown") < 10
        assert all(sample["array_contamination"] is None for sample in found.samples)
        again = open_callset(str(folder / "x.callset"))
        first = open_callset(callset)
        assert again.n_sites == first.n_sites
        summary = json.loads((folder / "qc" / "qc.json").read_text())
        assert "contamination" in {one["gate"] for one in summary["not_evaluated"]}
