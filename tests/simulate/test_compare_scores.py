"""Scores beside true genetic values: counted and tested from tables made by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from typer.testing import CliRunner

from cohelix.cli.simulate import app
from cohelix.errors import InputError
from cohelix.simulate.compare_scores import Comparison, as_text, compare_scores
from cohelix.simulate.people.person import SOURCES

N = {"afr": 80, "eur": 60, "oth": 40, "sas": 5}
NAMES = [*(f"height_true_{source}" for source in SOURCES), "height_true_mean", "height_estimated_eur"]
CONSTANTS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """People of one source, and people of two; each source's score is made so that the genetic value follows."""
    rng = np.random.default_rng(7)
    group = np.repeat(list(N), list(N.values()))
    n = len(group)
    shares = np.zeros((n, 6))
    for name in ("afr", "eur", "sas"):
        shares[group == name, SOURCES.index(name)] = 1.0
    shares[group == "oth"] = rng.dirichlet([1, 0.001, 0.001, 1, 0.001, 0.001], N["oth"])
    per_source = rng.standard_normal((6, n)) + CONSTANTS[:, None]
    genetic = (shares.T * (per_source - CONSTANTS[:, None])).sum(axis=0)
    mean = genetic + rng.standard_normal(n) * 0.5 + np.where(group == "afr", 2.0, 0.0)
    estimated = np.where(group == "eur", genetic, rng.standard_normal(n)) * np.where(group == "afr", 3.0, 1.0)
    write(tmp_path / "truth/people.parquet", {"person": np.arange(n), "group": group.tolist()} | {
        source: shares[:, k].astype(np.float32) for k, source in enumerate(SOURCES)
    })  # fmt: skip
    samples = [f"w{k:03d}" for k in range(n)]
    write(tmp_path / "truth/samples.parquet", {
        "sample_id": samples, "person": np.arange(n), "swapped_with": pa.nulls(n, pa.int32())
    })  # fmt: skip
    write(tmp_path / "truth/traits.parquet", {
        "person": np.arange(n), "trait": ["height"] * n, "genetic": genetic, "environment": (group == "afr") * 0.3,
        "noise": rng.standard_normal(n),
    })  # fmt: skip
    for k, name in enumerate(NAMES):
        path = tmp_path / f"prs/scores/MADE{k:06d}.txt.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(f"#pgs_id=MADE{k:06d}\n#pgs_name={name}\nchr_name\n".encode()))
    table(tmp_path / "prs-out/scores.parquet", samples, np.vstack([per_source, mean, estimated]), "sum")
    return tmp_path


def write(path: Path, columns: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def table(path: Path, samples: list[str], values: np.ndarray, *columns: str, ids: str = "MADE{:06d}") -> Path:
    named = [ids.format(k) for k in range(len(values))]
    write(path, {
        "score": np.repeat(named, len(samples)).tolist(), "sample_id": samples * len(values),
        **{column: values.ravel() for column in columns},
    })  # fmt: skip
    return path.parent


def truth(cohort: Path, column: str) -> np.ndarray:
    return np.array(pq.read_table(cohort / "truth/traits.parquet").column(column).to_pylist())


def sums(cohort: Path) -> tuple[list[str], np.ndarray]:
    found = pq.read_table(cohort / "prs-out/scores.parquet")
    samples = list(dict.fromkeys(found.column("sample_id").to_pylist()))
    return samples, found.column("sum").to_numpy().reshape(len(NAMES), -1).copy()


def test_scores_of_true_weights_are_the_genetic_value_less_a_constant(cohort: Path) -> None:
    (exact,) = compare_scores(cohort, cohort / "prs-out").exact
    assert (exact.trait, exact.n, exact.equal) == ("height", 145, 145)
    assert exact.off < 1e-12
    assert exact.correlation == pytest.approx(1.0, abs=1e-6)


def test_who_is_off_is_counted(cohort: Path) -> None:
    samples, values = sums(cohort)
    values[SOURCES.index("eur"), 80:83] += 0.5  # three of the people of group eur
    table(cohort / "prs-out/scores.parquet", samples, values, "sum")
    (exact,) = compare_scores(cohort, cohort / "prs-out").exact
    assert (exact.n, exact.equal) == (145, 142)
    assert exact.off == pytest.approx(np.sqrt(3 * 0.25 / 145) / truth(cohort, "genetic").std())
    assert exact.correlation < 0.9999


def test_accuracy_inside_groups_and_shifts_between_them(cohort: Path) -> None:
    found = compare_scores(cohort, cohort / "prs-out")
    _, values = sums(cohort)
    genetic, score = truth(cohort, "genetic"), values[NAMES.index("height_true_mean")]
    parts = {"afr": slice(0, 80), "eur": slice(80, 140), "oth": slice(140, 180), "sas": slice(180, 185)}
    r2 = {name: np.corrcoef(score[at], genetic[at])[0, 1] ** 2 for name, at in parts.items()}
    told = {line.group: line for line in found.accuracy if line.score == "height_true_mean"}
    assert {name: told[name].r2 for name in ("afr", "eur", "oth")} == pytest.approx({k: r2[k] for k in list(r2)[:3]})
    assert told["sas"].n == 5 and np.isnan(told["sas"].r2)  # too few to say
    (shift,) = [line for line in found.shifts if line.score == "height_true_mean"]
    of_groups = [score[parts[name]] for name in ("afr", "eur", "oth")]
    within = np.sqrt(sum(len(one) * one.var(ddof=1) for one in of_groups) / 180)
    means, spreads = [one.mean() for one in of_groups], [one.std(ddof=1) for one in of_groups]
    assert shift.means == pytest.approx((max(means) - min(means)) / within)
    assert shift.spreads == pytest.approx(max(spreads) / min(spreads))
    assert shift.p_means < 1e-6
    assert shift.p_spreads == pytest.approx(stats.levene(*of_groups).pvalue)
    inside = 80 * r2["afr"] + 60 * r2["eur"] + 40 * partial_r2(cohort, score[parts["oth"]], parts["oth"])
    assert shift.r2 == pytest.approx(inside / 180)


def partial_r2(cohort: Path, score: np.ndarray, at: slice) -> float:
    """Of what is left of score and genetic value after a regression on five of the six shares and a constant."""
    people = pq.read_table(cohort / "truth/people.parquet")
    columns = [np.ones(len(score)), *(people.column(source).to_numpy()[at] for source in SOURCES[1:])]
    shares = np.column_stack(columns).astype(np.float64)
    left = [y - shares @ np.linalg.lstsq(shares, y, rcond=None)[0] for y in (score, truth(cohort, "genetic")[at])]
    return float(np.corrcoef(*left)[0, 1] ** 2)


def test_what_adjusting_took_away(cohort: Path) -> None:
    samples, values = sums(cohort)
    made = values.copy()
    for at in (slice(0, 80), slice(80, 140), slice(140, 180)):
        made[:, at] = (values[:, at] - values[:, at].mean(axis=1)[:, None]) / values[:, at].std(axis=1)[:, None]
    adjusted = table(cohort / "adjusted/adjusted.parquet", samples, made, "z_most_similar", "z_norm1", "z_norm2")
    found = compare_scores(cohort, cohort / "prs-out", adjusted)
    shifts = {line.value: line for line in found.shifts if line.score == "height_estimated_eur"}
    assert list(shifts) == ["sum", "z_most_similar", "z_norm1", "z_norm2"]
    assert shifts["sum"].p_spreads < 1e-6 and shifts["sum"].spreads > 2
    assert shifts["z_norm2"].means < 1e-12 and shifts["z_norm2"].p_means > 0.99
    assert shifts["z_norm2"].spreads == pytest.approx(1.0, abs=0.01) and shifts["z_norm2"].p_spreads > 0.05
    assert shifts["z_norm2"].r2 == pytest.approx(shifts["sum"].r2)


def test_measured_accuracy_beside_what_the_truth_lets_expect(cohort: Path) -> None:
    rows = {
        "score": ["MADE000006"] * 4 + ["MADE000007", "OTHER"], "trait": ["height"] * 4 + ["ldl", "height"],
        "stratum_kind": ["all", "group", "group", "distance", "all", "all"],
        "stratum": ["all", "afr", "sas", "1", "all", "all"], "n": [185, 80, 5, 20, 185, 185],
        "metric": ["r2"] * 6, "estimate": [0.1, 0.4, 0.9, 0.1, 0.1, 0.1], "low": [0.0, 0.1, 0.8, 0.0, 0.0, 0.0],
        "high": [0.01, 0.9, 1.0, 0.2, 0.2, 0.2],
    }  # fmt: skip
    write(cohort / "ev/metrics.parquet", rows)
    found = compare_scores(cohort, cohort / "prs-out", None, cohort / "ev")
    assert [(line.group, line.n, line.inside) for line in found.measured] == [("all", 185, False), ("afr", 80, True)]
    _, values = sums(cohort)
    genetic, noise = truth(cohort, "genetic"), truth(cohort, "noise").var()
    score = values[NAMES.index("height_true_mean"), :80]
    r2 = np.corrcoef(score, genetic[:80])[0, 1] ** 2 * genetic[:80].var() / (genetic[:80].var() + noise)
    assert found.measured[1].expected == pytest.approx(r2)
    assert "1 of 2 intervals hold what the truth lets expect" in as_text(found)


def test_a_sample_that_was_exchanged_is_the_person_whose_dna_it_holds(cohort: Path) -> None:
    n = sum(N.values())
    other: list[int | None] = [None] * n
    other[3], other[90] = 90, 3
    samples, values = sums(cohort)
    values[:, [3, 90]] = values[:, [90, 3]]
    table(cohort / "prs-out/scores.parquet", samples, values, "sum")
    assert compare_scores(cohort, cohort / "prs-out").exact[0].equal == 143
    write(cohort / "truth/samples.parquet", {"sample_id": samples, "person": np.arange(n), "swapped_with": other})
    assert compare_scores(cohort, cohort / "prs-out").exact[0].equal == 145


def test_the_command_tells_counts_and_names_no_sample(cohort: Path) -> None:
    outcome = CliRunner().invoke(app, ["compare-prs", str(cohort), "--scores", str(cohort / "prs-out")])
    assert outcome.exit_code == 0
    assert "height_estimated_eur" in outcome.stdout and "height_true_afr" not in outcome.stdout
    assert "w000" not in outcome.stdout


@pytest.mark.parametrize("damage", ["no table", "other scores", "other samples", "no column", "no truth"])
def test_what_is_not_of_this_cohort_is_refused(cohort: Path, damage: str) -> None:
    samples, values = sums(cohort)
    path = cohort / "prs-out/scores.parquet"
    if damage == "no table":
        path.unlink()
    elif damage == "other scores":
        table(path, samples, values, "sum", ids="PGS{:06d}")
    elif damage == "other samples":
        table(path, ["someone", *samples[1:]], values, "sum")
    elif damage == "no column":
        table(path, samples, values, "total")
    else:
        (cohort / "truth/people.parquet").unlink()
    expected = {
        "no table": "expected scores.parquet", "other scores": "found none of 8", "other samples": "found 1 of 185",
        "no column": "missing or damaged", "no truth": "expected truth",
    }  # fmt: skip
    with pytest.raises(InputError, match=expected[damage]) as caught:
        compare_scores(cohort, cohort / "prs-out")
    assert "someone" not in str(caught.value)


def test_nothing_to_tell_is_told_as_nothing() -> None:
    text = as_text(Comparison((), (), (), ()))
    assert "genetic value" in text
