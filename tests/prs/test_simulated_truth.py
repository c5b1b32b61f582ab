"""Scores of made people against the truth: known weights, known genetic values, and the accuracy that follows.

The whole way by commands, on some hundred people; `benchmarks/prove_prs.py` is the same with 5,000.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.cli.__main__ import run
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.prs.tables import read_scores
from cohelix.simulate.cohort.plan import make_plan
from cohelix.simulate.compare_scores import Comparison, compare_scores
from tests.oracles.score_sums import plain_sums

SETTINGS = [
    "simulate.region_count=22", "simulate.region_bases=3000", "simulate.haplotypes=200", "simulate.related=0.0",
    "simulate.duplicates=0.0", 'simulate.genotypes="callset"', "simulate.arrays.share=0.0",
    "simulate.sequencing.second_sample=0.0", "simulate.traits.training=0", "simulate.traits.causal=40",
    "simulate.private_sites=0.0", "simulate.reference_people=0", 'simulate.star_alleles=""',
    'simulate.traits.quantitative=["height", "ldl_cholesterol"]', "simulate.traits.binary=[]",
    "simulate.omop.visits_per_year=0.1",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort, its scores, and the components that its shares of ancestry are."""
    folder = tmp_path_factory.mktemp("made")
    make_cohort(folder / "cohort", make_plan(load_wishes(None, None, SETTINGS), persons=600, seed=5), cores=1)
    line = ["prs", "score", str(folder / "cohort/cohort.callset"), "--scores", str(folder / "cohort/prs/scores")]
    assert run([*line, "-o", str(folder / "prs"), "--preset", "plink2", "--cores", "1"]) == 0
    people = pq.read_table(folder / "cohort/truth/people.parquet").to_pylist()
    samples = pq.read_table(folder / "cohort/truth/samples.parquet").to_pylist()
    of_sample = {row["sample_id"]: people[row["person"]] for row in samples if row["kind"] == "wgs"}
    sources = ("afr", "nat", "eas", "eur", "mid")  # the sixth follows
    components = [[sample, *(repr(row[s]) for s in sources)] for sample, row in sorted(of_sample.items())]
    header = ["sample_id", *(f"PC{k + 1}" for k in range(len(sources)))]
    (folder / "shares.tsv").write_text("".join("\t".join(line) + "\n" for line in [header, *components]))
    groups = [("sample_id", "group"), *((sample, row["group"]) for sample, row in sorted(of_sample.items()))]
    (folder / "groups.tsv").write_text("".join("\t".join(line) + "\n" for line in groups))
    return folder


@pytest.fixture(scope="module")
def found(made: Path) -> Comparison:
    """All of it beside the truth: scores, those adjusted, and accuracy."""
    shares, groups = ["--pcs", str(made / "shares.tsv")], ["--ancestry", str(made / "groups.tsv")]
    line = ["prs", "adjust", str(made / "prs"), "-o", str(made / "adjusted"), *shares, *groups]
    assert run([*line, "--train", str(made / "shares.tsv"), "--set", "prs.adjust.n_pcs=5"]) == 0
    line = ["prs", "evaluate", str(made / "prs"), "-o", str(made / "evaluated"), *shares, *groups]
    settings = ["prs.evaluate.centre_group=eur", "prs.evaluate.n_pcs=0", "prs.evaluate.bootstrap=100"]
    settings += ["prs.evaluate.distance_bins=3", "prs.evaluate.plots=false"]
    phenotypes = ["--phenotypes", str(made / "cohort/phenotypes.tsv")]
    assert run([*line, *phenotypes, *(word for one in settings for word in ("--set", one))]) == 0
    return compare_scores(made / "cohort", made / "prs", made / "adjusted", made / "evaluated")


def test_scores_are_sums_of_weights_times_copies(made: Path) -> None:
    files = sorted((made / "cohort/prs/scores").glob("*.txt.gz"))
    samples, sums, n_rows = plain_sums(str(made / "cohort/cohort.callset"), files)
    matrix = read_scores(made / "prs")
    assert matrix.sample_ids == samples
    assert matrix.score_ids == [path.name.split(".")[0] for path in files]
    np.testing.assert_allclose(matrix.sums, sums, rtol=0, atol=1e-12 * np.abs(sums).max())
    report = pq.read_table(made / "prs/match/scores.parquet")
    assert report.column("n_matched").to_pylist() == n_rows.tolist()


def test_true_weights_give_the_genetic_value_of_everybody_who_was_called(made: Path, found: Comparison) -> None:
    assert [line.trait for line in found.exact] == ["height", "ldl_cholesterol"]
    imputed = pq.read_table(made / "prs/scores.parquet", columns=["sample_id", "n_imputed"])
    n_imputed = len({s for s, n in zip(*(c.to_pylist() for c in imputed.columns), strict=True) if n})
    for line in found.exact:
        assert line.n > 250
        assert line.n - line.equal <= n_imputed
        assert line.correlation > 0.999


def test_measured_accuracy_is_what_the_truth_lets_expect(found: Comparison) -> None:
    groups = {line.group for line in found.measured}
    assert {"all", "afr", "amr", "eur"} <= groups
    inside = [line.inside for line in found.measured]
    assert len(inside) >= 50
    assert np.mean(inside) >= 0.9  # of 95 % intervals, which are of few and the same people


def test_adjusting_takes_the_shift_between_groups_and_nothing_inside(found: Comparison) -> None:
    raw = {line.score: line for line in found.shifts if line.value == "sum"}
    full = {line.score: line for line in found.shifts if line.value == "z_norm2"}
    assert len(full) == 14
    assert sum(line.p_means < 0.001 for line in raw.values()) >= 8
    assert sum(line.p_spreads < 0.001 for line in raw.values()) >= 8
    for score, line in full.items():
        assert line.p_means > 0.001 and line.p_spreads > 0.001
        assert line.means < 0.5 * raw[score].means
        assert raw[score].r2 - line.r2 < 0.02


def test_adjusting_means_alone_leaves_spreads(found: Comparison) -> None:
    raw = {line.score: line for line in found.shifts if line.value == "sum"}
    mean = {line.score: line for line in found.shifts if line.value == "z_norm1"}
    assert all(line.p_means > 0.001 for line in mean.values())
    differ = [score for score, line in raw.items() if line.p_spreads < 1e-6]
    assert differ and all(mean[score].p_spreads < 0.001 for score in differ)


def test_distance_is_drawn_with_people_of_all_bins(made: Path, found: Comparison) -> None:
    metrics = pq.read_table(made / "evaluated/metrics.parquet").to_pylist()
    bins = {row["stratum"]: row["n"] for row in metrics if row["stratum_kind"] == "distance" and row["metric"] == "r2"}
    assert len(bins) == 3
    n_all = {row["n"] for row in metrics if row["stratum_kind"] == "all" and row["trait"] == "ldl_cholesterol"}
    assert abs(sum(bins.values()) - n_all.pop()) <= 30  # values that were not measured, by trait


def test_an_exported_table_has_everybody(made: Path) -> None:
    out = made / "aggregated_scores.txt.gz"
    assert run(["prs", "export", str(made / "prs"), "-o", str(out), "--sampleset", "made"]) == 0
    matrix = read_scores(made / "prs")
    with gzip.open(out, "rt") as lines:
        assert sum(1 for _ in lines) == 1 + len(matrix.score_ids) * len(matrix.sample_ids)
