"""`cohelix relatedness estimate`: the folder, whatever the threads, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.errors import InputError
from cohelix.relatedness import degrees
from cohelix.relatedness.prune import prune_related
from cohelix.relatedness.run import estimate, read_components
from cohelix.relatedness.schema import PcRelateParams, PruneParams, RelatednessParams
from cohelix.runtime.local import LocalRuntime
from tests.oracles import king as oracle
from tests.relatedness.made import callset_of, families

CHOICES = RelatednessParams(min_kinship=0.0884, screen_sites=800)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, np.ndarray, str]:
    """Root of the callset, genotypes (samples, sites), table of components of all samples but one."""
    folder = tmp_path_factory.mktemp("cohort")
    genotypes, scores = families(2000, seed=2)
    matrix = callset_of(genotypes, folder)
    rows = [f"{sample}\t{a}\t{b}\n" for sample, (a, b) in zip(matrix.sample_ids(), scores.tolist(), strict=True)]
    (folder / "pcs.tsv").write_text("sample_id\tPC1\tPC2\n" + "".join(rows[:-1]))
    return matrix.callset.root, genotypes.T, str(folder / "pcs.tsv")


def run(root: str, out: Path, cores: int = 1, params: RelatednessParams = CHOICES, **given: Any) -> dict[str, Any]:
    return estimate(root, str(out), params, PcRelateParams(), LocalRuntime(cores), **given)


def test_pairs_are_those_of_the_definition(cohort: tuple[str, np.ndarray, str], tmp_path: Path) -> None:
    root, genotypes, _ = cohort
    summary = run(root, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out/pairs.parquet").to_pylist()
    lists = genotypes.tolist()
    expected = {}
    for i in range(len(lists)):
        for j in range(i + 1, len(lists)):
            a, b = genotypes[i], genotypes[j]
            het = min(((a == 1) & (b != 3)).sum(), ((b == 1) & (a != 3)).sum())
            different = ((a - b) ** 2)[(a != 3) & (b != 3)].sum()
            if 0.5 - different / (4 * het) >= 0.0884:
                expected[f"s{i:04d}", f"s{j:04d}"] = (lists[i], lists[j])
    assert [(row["sample_id_1"], row["sample_id_2"]) for row in rows] == sorted(expected)
    for row, (one, other) in zip(rows, (expected[key] for key in sorted(expected)), strict=True):
        ibs0, both, first, second, homs = oracle.counts(one, other)
        assert (row["n_ibs0"], row["n_het_het"]) == (ibs0, both)
        assert (row["n_het_1"], row["n_het_2"]) == (both + first, both + second)
        assert row["n_sites"] == both + first + second + homs
        assert row["kinship"] == pytest.approx(oracle.kinship(one, other), abs=1e-12)
        assert row["ibs0_rate"] == pytest.approx(ibs0 / row["n_sites"])
        assert np.isnan([row[name] for name in ("pc_kinship", "ibd0", "ibd1", "ibd2")]).all()
    named = {(row["sample_id_1"], row["sample_id_2"]): row["relationship"] for row in rows}
    assert named["s0126", "s0127"] == "duplicate_or_twin"
    assert named["s0000", "s0120"] == named["s0001", "s0121"] == "parent_child"
    assert named["s0120", "s0121"] == named["s0124", "s0125"] == "full_siblings"
    assert summary["counts"]["by_relationship"]["duplicate_or_twin"] == 1
    assert sum(summary["counts"]["by_degree"].values()) == len(rows) == summary["n_pairs"]


def test_what_the_folder_holds(cohort: tuple[str, np.ndarray, str], tmp_path: Path) -> None:
    root, genotypes, _ = cohort
    run(root, tmp_path / "out")
    folder = tmp_path / "out"
    assert sorted(path.name for path in folder.iterdir()) == [
        "pairs.parquet", "relatedness.json", "relatedness.tsv", "samples.tsv"
    ]  # fmt: skip
    summary = json.loads((folder / "relatedness.json").read_text())
    histogram, n = summary["histogram"], len(genotypes)
    assert np.sum(histogram["counts"]) == n * (n - 1) / 2
    assert len(histogram["kinship_edges"]) == len(histogram["counts"]) + 1
    assert len(histogram["ibs0_edges"]) == len(histogram["counts"][0]) + 1
    assert summary["screen"]["n_sites"] == 800
    assert not summary["screen"]["all_sites"]
    pairs = pq.read_table(folder / "pairs.parquet").to_pylist()
    lines = (folder / "relatedness.tsv").read_text().splitlines()
    assert lines[0] == "i.s\tj.s\tkin"
    assert [line.split("\t")[:2] for line in lines[1:]] == [
        [row["sample_id_1"], row["sample_id_2"]] for row in pairs if row["kinship"] > 0.1
    ]
    assert (folder / "samples.tsv").read_text().splitlines() == ["sample_id", *(f"s{i:04d}" for i in range(n))]


@pytest.mark.parametrize("with_pcs", [False, True])
def test_same_bytes_with_one_thread_and_two(
    cohort: tuple[str, np.ndarray, str], tmp_path: Path, with_pcs: bool
) -> None:
    root, _, pcs = cohort
    for cores in (1, 2):
        run(root, tmp_path / str(cores), cores, pcs=pcs if with_pcs else None)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


@pytest.mark.jvm
def test_same_bytes_on_spark(cohort: tuple[str, np.ndarray, str], tmp_path: Path, spark: Any) -> None:
    root, _, pcs = cohort
    run(root, tmp_path / "local", pcs=pcs)
    estimate(root, str(tmp_path / "spark"), CHOICES, PcRelateParams(), spark, pcs=pcs)
    for path in (tmp_path / "local").iterdir():
        assert path.read_bytes() == (tmp_path / "spark" / path.name).read_bytes()


def test_with_components(cohort: tuple[str, np.ndarray, str], tmp_path: Path) -> None:
    """A pair is kept by either kinship; the sample that the table lacks has KING's alone."""
    root, _, pcs = cohort
    alone, aware = run(root, tmp_path / "alone"), run(root, tmp_path / "aware", pcs=pcs)
    before = pq.read_table(tmp_path / "alone/pairs.parquet").to_pylist()
    rows = pq.read_table(tmp_path / "aware/pairs.parquet").to_pylist()
    keys = {(row["sample_id_1"], row["sample_id_2"]): row for row in rows}
    assert {(row["sample_id_1"], row["sample_id_2"]) for row in before} <= set(keys)
    for key, row in keys.items():
        assert np.isnan(row["pc_kinship"]) == ("s0127" in key)
        assert not max(row["kinship"], row["pc_kinship"]) < 0.0884
        best = row["kinship"] if "s0127" in key or row["kinship"] >= 2**-2.5 else row["pc_kinship"]
        assert row["degree"] == degrees.degrees(np.array([best]))[0]
    assert keys["s0120", "s0121"]["ibd1"] == pytest.approx(0.5, abs=0.15)
    assert {"pcs", "callset"} == {item["role"] for item in aware["provenance"]["inputs"]}
    assert alone["provenance"]["digest"] != aware["provenance"]["digest"]


def test_hopeless_genotypes(tmp_path: Path) -> None:
    """Sites of one genotype, a sample without calls and one without heterozygotes: no pair of theirs has a kinship."""
    genotypes = np.random.default_rng(3).integers(0, 3, (200, 6))
    genotypes[:50] = 0
    genotypes[:, 1] = 3
    genotypes[:, 4] = 2 * (genotypes[:, 4] // 2)
    genotypes[:, 5] = genotypes[:, 0]
    root = callset_of(genotypes, tmp_path).callset.root
    summary = run(root, tmp_path / "out", params=RelatednessParams())
    assert summary["n_pairs_without_kinship"] == 9
    rows = pq.read_table(tmp_path / "out/pairs.parquet").to_pylist()
    assert [(row["sample_id_1"], row["sample_id_2"], row["kinship"]) for row in rows] == [("s0000", "s0005", 0.5)]
    assert summary["screen"]["all_sites"]


def test_what_is_refused(cohort: tuple[str, np.ndarray, str], tmp_path: Path) -> None:
    root, _, _ = cohort
    genotypes = np.random.default_rng(4).integers(0, 3, (120, 3))
    for name, some, expected in (("one", genotypes[:, :1], "two samples"), ("few", genotypes[:60], "at least 100")):
        (tmp_path / name).mkdir()
        own = callset_of(some, tmp_path / name).callset.root
        with pytest.raises(InputError, match=expected):
            run(own, tmp_path / "out")
    (tmp_path / "others.tsv").write_text("sample_id\tPC1\n" + "".join(f"x{i}\t0.1\n" for i in range(128)))
    with pytest.raises(InputError, match="other samples"):
        run(root, tmp_path / "out", pcs=str(tmp_path / "others.tsv"))
    (tmp_path / "none.tsv").write_text("sample_id\tscore\n" + "".join(f"s{i:04d}\t0.1\n" for i in range(128)))
    with pytest.raises(InputError, match="PC1"):
        run(root, tmp_path / "out", pcs=str(tmp_path / "none.tsv"))
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_of_a_run_that_failed(
    cohort: tuple[str, np.ndarray, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr("cohelix.relatedness.king.scan._scan_square", fail)
    (tmp_path / "here").mkdir()
    with pytest.raises(InputError, match="full"):
        run(cohort[0], tmp_path / "here/out")
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample_id\tpca_features\n", "of other samples"),
        ("sample_id\tpca_features\ns0\t[]\n", "row 2 .* has no list of numbers"),
        ("sample_id\tpca_features\ns0\t\n", "row 2 .* has no list of numbers"),
        ("sample_id\tpca_features\ns0\t[0.1\n", "row 2 .* has no list of numbers"),
        ("sample_id\tpca_features\ns0\t5\n", "row 2 .* has no list of numbers"),
        ("sample_id\tPC1\ns0\t1e200\n", "these are no components"),
    ],
)
def test_components_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pcs.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_components(str(tmp_path / "pcs.tsv"), ["s0"])


def test_prune_reads_what_estimate_wrote(cohort: tuple[str, np.ndarray, str], tmp_path: Path) -> None:
    run(cohort[0], tmp_path / "out")
    summary = prune_related(str(tmp_path / "out"), str(tmp_path / "kept"), PruneParams())
    assert summary["n_samples"] == len(cohort[1]) and summary["n_dropped"] > 0


@pytest.mark.parametrize("genotype", [0, 2, 3])
def test_nobody_is_unrelated_for_want_of_genotypes(tmp_path: Path, genotype: int) -> None:
    """Nothing called, or every site the same: no pair has a kinship, and none was found is not the answer."""
    root = callset_of(np.full((200, 4), genotype), tmp_path).callset.root
    with pytest.raises(InputError, match="no pair of the 4 samples"):
        run(root, tmp_path / "out", params=RelatednessParams())
    assert not (tmp_path / "out").exists()
