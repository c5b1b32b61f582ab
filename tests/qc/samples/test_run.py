"""`cohelix qc samples` from end to end: the folder it makes, and input that is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import CohelixError, InputError
from cohelix.genotypes.callset import Callset
from cohelix.joint.schema import CONTAMINATION_GRID, SAMPLE_COUNTS
from cohelix.qc.gates import FLAGS
from cohelix.qc.samples import tables
from cohelix.qc.samples.run import qc_samples
from cohelix.qc.schema import SampleQcParams
from cohelix.runtime.local import LocalRuntime
from tests.qc.samples import made

SEXES = ["male", "female"] * 35
NAMES = ("sample_metrics.parquet", "sample_flags.parquet", "residuals.parquet", "sexes.tsv", "genomic_metrics.tsv")


def run(callset: Callset, out: Path, params: SampleQcParams | None = None, **how: Any) -> dict[str, Any]:
    how = {"gates": "aou-v8"} | how
    return qc_samples(callset.root, str(out), params or SampleQcParams(), LocalRuntime(2), **how)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def joint(folder: Path) -> Callset:
    """70 people as a joint call would count them: XY and XX, one XXY, one of low coverage, one contaminated.

    Sample 0 is XXY, 1 of 12x, 2 contaminated by 5 %, 3 is a man who was stated to be a woman.
    """
    draw = np.random.default_rng(5)
    n = len(SEXES)
    samples: dict[str, list[Any]] = {"sex": SEXES} | {name: [1000] * n for name in SAMPLE_COUNTS}
    for name in ("n_snp", "n_insertion", "n_het_snp", "n_singleton"):
        samples[name] = draw.integers(900, 1100, n).tolist()
    samples["n_singleton"][10] = 9_000
    samples |= {f"n_gq_{decade}0": [1 if decade < 8 else 4] * n for decade in range(10)}
    samples |= {"missing_gq0": [3] * n, "charr_sum_nano": [2 * 10**9] * n, "n_charr": [100] * n}
    regions, contamination = [], []
    for row, sex in enumerate(SEXES):
        depth = 12 if row == 1 else 36
        x, y = (2, 1) if row == 0 else (1, 1) if sex == "male" or row == 3 else (2, 0)
        counts = {
            name: {"n_bases": 1000, "depth_sum": round(1000 * depth * copies / 2 * draw.normal(1, 0.02)),
                   "n_bases_10x": 1000, "n_bases_20x": 0 if row == 1 else 950, "n_bases_30x": 900,
                   "n_f_called": 100, "n_f_hom": 71, "f_expected_nano": 70 * 10**9, "f_expected_small_nano": 70 * 10**9}
            for name, copies in (("autosome", 2), ("chr20", 2), ("x", x), ("y", y))
        }  # fmt: skip
        regions += made.region_rows(row, **counts)
        share = 0.05 if row == 2 else 0.0
        grid = [round(-1e6 * 20_000 * (a**0.5 - share**0.5) ** 2) for a in CONTAMINATION_GRID]
        contamination.append({"sample": row, "n_sites": 500, "grid": grid})
    return made.called(folder, samples, regions, contamination, CONTAMINATION_GRID)


def test_a_joint_call_is_judged_from_its_counts(tmp_path: Path) -> None:
    summary = run(joint(tmp_path), tmp_path / "qc")
    assert summary["counts"] == "joint call" and summary["sex"]["method"] == "data"
    table = pq.read_table(tmp_path / "qc/sample_metrics.parquet").to_pylist()
    assert [row["karyotype"] for row in table[:4]] == ["XXY", "XX", "XY", "XY"]
    assert table[0]["sex_concordant"] is None and table[3]["sex_concordant"] == "no"
    assert table[1]["mean_coverage"] == pytest.approx(12, rel=0.05) and table[1]["coverage_20x"] == 0
    assert table[2]["contamination"] == pytest.approx(0.05) and table[4]["contamination"] == pytest.approx(0, abs=1e-9)
    assert table[0]["share_gq20"] == 14 / 16 and table[0]["charr"] == 0.02 and table[0]["missing_gq0"] == 3
    assert table[0]["mean_depth"] == 1.0 and table[0]["n_novel"] is None and table[0]["array_call_rate"] is None
    flags = pq.read_table(tmp_path / "qc/sample_flags.parquet")
    assert flags.schema.equals(FLAGS)
    seen = {(row["row"], row["gate"]) for row in flags.to_pylist()}
    assert seen == {
        (1, "mean_coverage"), (1, "coverage_20x"), (2, "contamination"), (3, "sex_concordance"), (10, "singleton"),
    }  # fmt: skip
    failed = {rule["gate"]: rule["failed"] for rule in summary["gates"]["rules"]}
    assert (failed["mean_coverage"], failed["singleton"], failed["fingerprint"]) == (1, 1, 0)
    missing = {(one["gate"], one["why"]): one["count"] for one in summary["not_evaluated"]}
    assert missing[("fingerprint", "absent")] == 70 and missing[("sex_concordance", "unknown")] == 1


def test_the_folder_holds_what_is_promised(tmp_path: Path) -> None:
    callset = joint(tmp_path)
    run(callset, tmp_path / "qc")
    assert {path.name for path in (tmp_path / "qc").iterdir()} == {*NAMES, "flagged_samples.tsv", "qc.json"}
    sexes = rows_of(tmp_path / "qc/sexes.tsv")
    assert list(sexes[0]) == ["sample_id", "sex", "karyotype"]
    assert [row["sex"] for row in sexes[:4]] == ["unknown", "female", "male", "male"]
    genomic = rows_of(tmp_path / "qc/genomic_metrics.tsv")
    assert tuple(genomic[0]) == tables.GENOMIC_METRICS
    assert genomic[2]["dragen_contamination"] == "0.05" and genomic[2]["aligned_q30_bases"] == ""
    assert [row["dragen_sex_ploidy"] for row in genomic[:2]] == ["XXY", "XX"]
    assert [row["sex_at_birth"] for row in genomic[:2]] == ["M", "F"]
    flagged = rows_of(tmp_path / "qc/flagged_samples.tsv")
    assert [row["research_id"] for row in flagged] == ["s010"]
    assert flagged[0]["qc_metrics_filters"] == '["singleton_residual"]'
    assert flagged[0]["fail_singleton_residual"] == "true" and flagged[0]["fail_snp_count_residual"] == "false"
    assert flagged[0]["singleton"] == "9000"
    text = (tmp_path / "qc/qc.json").read_text()
    assert json.loads(text)["kind"] == "samples"
    assert not any(name in text for name in made.ids(70)) and str(tmp_path) not in text
    run(callset, tmp_path / "again")
    for path in (tmp_path / "qc").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_components_are_regressed_out_within_ancestry(tmp_path: Path) -> None:
    callset = joint(tmp_path)
    draw = np.random.default_rng(2)
    ids = made.ids(70)
    scores = draw.normal(size=(70, 16))
    groups = ["afr"] * 35 + ["eur"] * 35
    texts = ["[" + ",".join(map(str, pcs)) + "]" for pcs in scores.tolist()]
    lines = ["\t".join(row) for row in zip(ids, groups, texts, strict=True)]
    path = tmp_path / "ancestry_preds.tsv"
    path.write_text("research_id\tancestry_pred_other\tpca_features\n" + "\n".join(lines) + "\n")
    summary = run(callset, tmp_path / "qc", pcs=str(path), ancestry=str(path))
    assert summary["strata"] == {"afr": 35, "eur": 35}
    assert {one["stratum"] for one in summary["outliers"]} == {"afr", "eur"}
    table = pq.read_table(tmp_path / "qc/residuals.parquet")
    metrics = pq.read_table(tmp_path / "qc/sample_metrics.parquet")
    design = np.column_stack([np.ones(70), scores, scores**2])
    values = metrics.column("n_snp").to_numpy().astype(float)
    beta = np.linalg.solve(design.T @ design, design.T @ values)
    assert table.column("snp_count_residual").to_numpy() == pytest.approx(values - design @ beta, abs=1e-6)
    assert set(metrics.column("ancestry").to_pylist()) == {"afr", "eur"}
    flagged = rows_of(tmp_path / "qc/flagged_samples.tsv")
    assert all(row["ancestry_pred_other"] in ("afr", "eur") and row["pca_features"].startswith("[") for row in flagged)


def test_an_imported_callset_gets_what_genotypes_can_state(tmp_path: Path) -> None:
    callset = made.imported(tmp_path, SEXES)
    summary = run(callset, tmp_path / "qc")
    assert summary["counts"] == "one pass over genotypes"
    table = pq.read_table(tmp_path / "qc/sample_metrics.parquet")
    for name in ("mean_depth", "mean_coverage", "coverage_20x", "charr", "contamination", "x_ploidy", "mean_gq"):
        assert table.column(name).null_count == 70, name
    assert table.column("call_rate").null_count == table.column("x_f").null_count == 0
    absent = {one["gate"] for one in summary["not_evaluated"] if one["why"] == "absent"}
    assert {"mean_coverage", "coverage_20x", "contamination"} <= absent


def test_arrays_and_concordance_are_joined_by_link_and_the_worst_counts(tmp_path: Path) -> None:
    callset = joint(tmp_path)
    links = {
        "array_sample_id": ["a1", "a2", "a3", "a4"], "wgs_sample_id": ["s004", "s004", "s005", "gone"],
        "fingerprint_llr": [50.0, -40.0, 30.0, 1.0], "genotype_concordance": [0.999, 0.5, None, 1.0],
    }  # fmt: skip
    arrays = {"sample_id": ["a1", "a2", "a3"]}
    arrays |= {"array_call_rate": [0.99, 0.97, 0.995], "array_contamination": [0.0, 0.2, None]}
    for folder, name, table in (("c", "concordance", links), ("a", "array_metrics", arrays)):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table(table), tmp_path / folder / f"{name}.parquet")
    run(callset, tmp_path / "qc", arrays=str(tmp_path / "a"), concordance=str(tmp_path / "c"))
    rows = pq.read_table(tmp_path / "qc/sample_metrics.parquet").to_pylist()
    names = ("fingerprint_llr", "array_concordance", "array_call_rate", "array_contamination")
    assert [rows[4][name] for name in names] == [-40.0, 0.5, 0.97, 0.2]
    assert [rows[5][name] for name in names] == [30.0, None, 0.995, None]
    assert [rows[6][name] for name in names] == [None] * 4
    gates = {row["gate"] for row in pq.read_table(tmp_path / "qc/sample_flags.parquet").to_pylist() if row["row"] == 4}
    assert gates == {"fingerprint", "array_call_rate", "array_contamination"}
    with pytest.raises(InputError, match="cohelix qc concordance"):
        run(callset, tmp_path / "no", concordance=str(tmp_path / "a"))
    pq.write_table(pa.table({"sample_id": ["a1"]}), tmp_path / "a" / "array_metrics.parquet")
    with pytest.raises(InputError, match="cohelix qc arrays"):
        run(callset, tmp_path / "no", arrays=str(tmp_path / "a"))


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("pcs", "s\t" + "\t".join(f"PC{i}" for i in range(1, 17)) + "\nother\t" + "\t".join(["0"] * 16) + "\n"),
        ("pcs", "s\tPC1\n" + "".join(f"{one}\t0\n" for one in made.ids(70))),
        ("sexes", "s\tsex\ns000\tmale\ns001\t7\n"),
        ("sexes", "s\tsex\nother\tmale\n"),
        ("ancestry", "s\tcolour\ns000\tblue\n"),
        ("frequencies", "contig\tposition\n1\t2\n"),
        ("gates", '[[gate]]\nname = "x"\nmetrc = "call_rate"\nat_least = 1\nsource = "s"\n'),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(tmp_path: Path, option: str, text: str) -> None:
    callset = joint(tmp_path)
    path = tmp_path / ("bad.toml" if option == "gates" else "bad.tsv")
    path.write_text(text)
    with pytest.raises(CohelixError) as caught:
        run(callset, tmp_path / "qc", **{option: str(path)})
    assert "s000" not in str(caught.value) and "other\t" not in str(caught.value) and str(path) not in str(caught.value)
    assert not (tmp_path / "qc").exists()


def test_a_call_with_inferred_sexes_still_knows_who_was_mislabelled(tmp_path: Path) -> None:
    """Its samples table keeps what the manifest said beside the sex that ploidy follows."""
    callset = joint(tmp_path)
    run(callset, tmp_path / "first")
    names = callset.samples().column_names[1:]
    samples = {name: callset.samples().column(name).to_pylist() for name in names}
    tables = [callset.table(callset.commit.meta["tables"][name]).to_pylist() for name in ("regions", "contamination")]
    inferred = pq.read_table(tmp_path / "first" / "sample_metrics.parquet").column("sex_inferred").to_pylist()
    samples |= {"sex": [sex or "unknown" for sex in inferred], "sex_stated": samples["sex"]}
    (tmp_path / "again").mkdir()
    again = made.called(tmp_path / "again", samples, *tables, CONTAMINATION_GRID)
    run(again, tmp_path / "second")
    flagged = [
        [row["row"] for row in pq.read_table(tmp_path / name / "sample_flags.parquet").to_pylist()
         if row["gate"] == "sex_concordance"]
        for name in ("first", "second")
    ]  # fmt: skip
    assert flagged[0] == flagged[1] and 3 in flagged[0]


@pytest.mark.parametrize("sexes", [["female"], ["male"], ["unknown"]])
def test_a_cohort_of_one(tmp_path: Path, sexes: list[str]) -> None:
    summary = run(made.imported(tmp_path, sexes), tmp_path / "qc")
    assert all(one["why"] for one in summary["outliers"])  # nobody to compare with
    table = pq.read_table(tmp_path / "qc/sample_metrics.parquet")
    assert table.num_rows == 1 and table.column("call_rate").null_count == 0


def test_a_callset_without_x(tmp_path: Path) -> None:
    summary = run(made.imported(tmp_path, SEXES, contigs=["chr1", "chrM"]), tmp_path / "qc")
    assert summary["sex"]["method"] == "none" and summary["sex"]["karyotypes"] == {"unknown": 70}
    assert [row["sex"] for row in rows_of(tmp_path / "qc/sexes.tsv")] == ["unknown"] * 70
    missing = {(one["gate"], one["count"]) for one in summary["not_evaluated"]}
    assert ("sex_concordance", 70) in missing


def test_strata_without_anybody_and_samples_of_none(tmp_path: Path) -> None:
    callset = joint(tmp_path)
    lines = [f"{one}\t{'eur' if i < 40 else '' if i < 60 else 'sas'}\n" for i, one in enumerate(made.ids(70))]
    (tmp_path / "g.tsv").write_text("s\tgroup\n" + "".join(lines) + "other\tafr\n")
    summary = run(callset, tmp_path / "qc", ancestry=str(tmp_path / "g.tsv"))
    assert summary["strata"] == {"eur": 40, "sas": 10}
    assert {(one["stratum"], one["n"]) for one in summary["outliers"]} >= {("eur", 40), ("pooled", 30)}


@pytest.mark.jvm
def test_spark_makes_the_same_bytes(tmp_path: Path, spark: Any) -> None:
    callset = made.imported(tmp_path, SEXES)
    (tmp_path / "f.tsv").write_text("contig\tposition\tref\talt\taf\nchr1\t1000\tA\tG\t0.5\n")
    options = {"gates": "aou-v8", "frequencies": str(tmp_path / "f.tsv")}
    for name, runtime in (("local", LocalRuntime(2)), ("spark", spark)):
        qc_samples(callset.root, str(tmp_path / name), SampleQcParams(), runtime, **options)
    for path in (tmp_path / "local").iterdir():
        assert path.read_bytes() == (tmp_path / "spark" / path.name).read_bytes(), path.name
    assert pq.read_table(tmp_path / "spark/sample_metrics.parquet").column("n_novel").null_count == 0
