"""`prs evaluate` from folders to folders: metrics by stratum, files, no ids, bad input."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.errors import CohelixError, ConfigError, InputError
from cohelix.prs.evaluate.run import evaluate
from cohelix.prs.schema import EvaluateParams
from tests.oracles import prs_evaluate as plain
from tests.prs.evaluate.made_cohort import Made, make, write_folder

PLAIN = EvaluateParams(plots=False, bootstrap=100)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path)


def _rows(folder: Path, name: str = "metrics.tsv") -> list[dict[str, str]]:
    with (folder / name).open() as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def _one(rows: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    (found,) = (row for row in rows if all(row[name] == value for name, value in wanted.items()))
    return found


def test_metrics_by_group_and_distance(made: Made, tmp_path: Path) -> None:
    params = EvaluateParams(
        plots=False, bootstrap=100, distance_bins=5, centre_group="eur", prevalence={"diabetes": 0.1}
    )
    summary = evaluate(
        str(tmp_path / "scores"), str(tmp_path / "out"), params, phenotypes=made.phenotypes(),
        covariates=made.write("covariates.tsv", age=made.age), ancestry=made.write("groups.tsv", group=made.groups),
        pcs=made.write("pcs.tsv", PC1=made.components[:, 0], PC2=made.components[:, 1]),
    )  # fmt: skip
    rows = _rows(tmp_path / "out")
    everybody = {"score": "PGS000001", "stratum_kind": "all"}
    one = _one(rows, trait="height", metric="incremental_r2", **everybody)
    known = [made.age, *made.components.T]
    expected = plain.r2(made.measure, *known, made.scores[0]) - plain.r2(made.measure, *known)
    assert float(one["estimate"]) == pytest.approx(expected, rel=1e-5) and one["n"] == "900"
    auc = _one(rows, trait="diabetes", metric="auc", **everybody)
    assert float(auc["estimate"]) == pytest.approx(plain.auc(made.cases.tolist(), made.scores[0].tolist()), rel=1e-5)
    assert auc["n_cases"] == str(made.cases.sum())
    # eas has 15 people: it is withheld, and with it the next smallest, from which it would follow
    assert made.groups.count("eas") == 15
    hidden = {row["stratum"] for row in rows if row["suppressed"] == "true"}
    assert hidden == {"eas", "afr"}
    assert all(row["n"] == row["n_cases"] == row["estimate"] == "" for row in rows if row["stratum"] in hidden)
    eur = np.array(made.groups) == "eur"
    in_eur = _one(rows, trait="diabetes", metric="auc", score="PGS000001", stratum="eur")
    assert float(in_eur["estimate"]) == pytest.approx(
        plain.auc(made.cases[eur].tolist(), made.scores[0][eur].tolist()), rel=1e-5
    )
    bins = [row for row in rows if row["stratum_kind"] == "distance" and row["metric"] == "r2"]
    assert {row["n"] for row in bins} == {"180"} and len(bins) == 15
    assert summary["kind"] == "prs_evaluation" and summary["distance"]["centre"] == "mean of group eur"
    means = list(summary["distance"]["mean_distance"].values())
    assert means == sorted(means) and len(means) == 5
    liability = _one(rows, trait="diabetes", metric="liability_r2", **everybody)
    observed = plain.r2(made.cases.astype(float), made.scores[0])
    assert float(liability["estimate"]) == pytest.approx(
        plain.liability_r2(observed, 0.1, float(made.cases.mean())), rel=1e-5
    )
    table = pq.read_table(tmp_path / "out" / "metrics.parquet")
    assert table.num_rows == len(rows) and table.column_names == list(rows[0])


def test_files_hold_no_ids_and_are_the_same_again(made: Made, tmp_path: Path) -> None:
    from threadpoolctl import threadpool_limits

    params = EvaluateParams(bootstrap=100, distance_bins=5, centre_group="eur", traits=["diabetes"])
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("score\ttrait\n../x/y\tdiabetes\nPGS$_3\tdiabetes\n")
    inputs = {
        "pairs": str(pairs),
        "phenotypes": made.phenotypes(),
        "ancestry": made.write("groups.tsv", group=made.groups),
        "pcs": made.write("pcs.tsv", PC1=made.components[:, 0], PC2=made.components[:, 1]),
    }
    for name, threads in (("one", 1), ("two", 2)):
        with threadpool_limits(threads, "blas"):
            evaluate(str(tmp_path / "scores"), str(tmp_path / name), params, **inputs)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert {"plots/000.svg", "plots/000.png", "index.html", "agreement.tsv"} <= {path.as_posix() for path in files}
    sealed = json.loads((tmp_path / "one" / "evaluation.json").read_text())["files"]
    assert set(sealed) == {path.as_posix() for path in files} - {"evaluation.json"}
    for path in files:
        content = (tmp_path / "one" / path).read_bytes()
        assert content == (tmp_path / "two" / path).read_bytes(), path
        assert b"PERSON" not in content, path
        assert not path.is_absolute() and ".." not in path.as_posix()
        if path.suffix == ".svg":
            assert b"<svg" in content and b"</svg>" in content
    assert not (tmp_path / "x").exists()
    page = (tmp_path / "one" / "index.html").read_text()
    assert page.count("<svg") == len([path for path in files if path.suffix == ".svg"]) == 6


def test_agreement_of_the_scores_of_a_trait(made: Made, tmp_path: Path) -> None:
    evaluate(str(tmp_path / "scores"), str(tmp_path / "out"), PLAIN, phenotypes=made.phenotypes())
    rows = _rows(tmp_path / "out", "agreement.tsv")
    one = _one(rows, trait="height", score="PGS000001", other="../x/y", measure="pearson")
    assert float(one["estimate"]) == pytest.approx(np.corrcoef(made.scores[:2])[0, 1], rel=1e-5)
    both = [plain.auc(made.cases.tolist(), made.scores[row].tolist()) for row in (0, 2)]
    gap = _one(rows, trait="diabetes", score="PGS000001", other="PGS$_3", measure="auc_difference")
    assert float(gap["estimate"]) == pytest.approx(both[0] - both[1], rel=1e-4)
    ratings = (made.scores - made.scores.mean(axis=1, keepdims=True)) / made.scores.std(axis=1, ddof=1, keepdims=True)
    people, _, left = plain.mean_squares(ratings.T.tolist())
    everything = _one(rows, trait="height", score="", measure="icc_3_1")
    assert float(everything["estimate"]) == pytest.approx((people - left) / (people + 2 * left), rel=1e-5)


def test_pairs_choose_what_is_compared(made: Made, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("score\ttrait\nPGS$_3\theight\nPGS000001\tdiabetes\n")
    summary = evaluate(
        str(tmp_path / "scores"), str(tmp_path / "out"), PLAIN, phenotypes=made.phenotypes(), pairs=str(pairs)
    )
    rows = _rows(tmp_path / "out")
    assert {(row["score"], row["trait"]) for row in rows} == {("PGS$_3", "height"), ("PGS000001", "diabetes")}
    assert summary["n_pairs"] == 2


def test_adjusted_scores_are_evaluated_by_their_column(made: Made, tmp_path: Path) -> None:
    from cohelix.prs.adjust.tables import VALUES, AdjustedBlock, write_adjusted

    folder = tmp_path / "adjusted"
    folder.mkdir()
    n = len(made.ids)
    values = {name: made.scores * (place + 1) for place, name in enumerate(VALUES)}
    values["z_norm2"] = -made.scores
    values["z_norm2"][:, 5] = np.nan
    block = AdjustedBlock(np.arange(3, dtype=np.int32), values, np.zeros((3, n), bool), np.ones(n, bool))
    write_adjusted(folder, made.score_ids, made.ids, [block], None)
    evaluate(str(folder), str(tmp_path / "out"), PLAIN, phenotypes=made.phenotypes())
    one = _one(_rows(tmp_path / "out"), score="PGS000001", trait="height", metric="correlation")
    kept = np.arange(n) != 5
    assert float(one["estimate"]) == pytest.approx(
        -np.corrcoef(made.scores[0][kept], made.measure[kept])[0, 1], rel=1e-5
    )
    assert one["n"] == "899"
    with pytest.raises(ConfigError, match="Choose of"):
        evaluate(str(folder), str(tmp_path / "no"), EvaluateParams(column="outside"), phenotypes=made.phenotypes())


def test_a_person_of_two_samples_counts_once_and_tables_may_be_of_persons(made: Made, tmp_path: Path) -> None:
    persons = [str(1000 + (0 if i == 1 else i)) for i in range(900)]
    links = made.write("links.tsv", person_id=persons)
    of_persons = made.write("persons.tsv", "person_id", list(dict.fromkeys(persons)), height=np.delete(made.measure, 1))
    evaluate(str(tmp_path / "scores"), str(tmp_path / "out"), PLAIN, phenotypes=of_persons, links=links)
    one = _one(_rows(tmp_path / "out"), score="PGS000001", metric="correlation")
    kept = np.arange(900) != 1
    assert one["n"] == "899"
    assert float(one["estimate"]) == pytest.approx(
        np.corrcoef(made.scores[0][kept], made.measure[kept])[0, 1], rel=1e-5
    )
    with pytest.raises(InputError, match="Give --links"):
        evaluate(str(tmp_path / "scores"), str(tmp_path / "no"), PLAIN, phenotypes=of_persons)


def test_covariates_may_be_words_for_sexes_and_not_known(made: Made, tmp_path: Path) -> None:
    sexes = ["female" if i % 2 else "male" for i in range(900)]
    sexes[7] = "NA"
    evaluate(
        str(tmp_path / "scores"), str(tmp_path / "out"), PLAIN, phenotypes=made.phenotypes(),
        covariates=made.write("covariates.tsv", sex=sexes, age=made.age),
    )  # fmt: skip
    one = _one(_rows(tmp_path / "out"), score="PGS000001", trait="height", metric="r2_covariates")
    kept = np.arange(900) != 7
    expected = plain.r2(made.measure[kept], (np.arange(900) % 2)[kept].astype(float), made.age[kept])
    assert one["n"] == "899" and float(one["estimate"]) == pytest.approx(expected, rel=1e-5)


def test_a_score_of_one_value_and_one_that_the_covariates_make_up_are_said_to_be(made: Made, tmp_path: Path) -> None:
    sums = np.stack([np.full(900, 0.25), made.age * 2 + 1, made.scores[0]])
    scores = write_folder(tmp_path / "odd", ["flat", "age", "good"], made.ids, sums)
    evaluate(
        scores, str(tmp_path / "out"), PLAIN, phenotypes=made.phenotypes(),
        covariates=made.write("covariates.tsv", age=made.age),
    )  # fmt: skip
    rows = _rows(tmp_path / "out")
    for score, word in (("flat", "one value"), ("age", "covariates make")):
        held = [row for row in rows if row["score"] == score]
        assert held and all(word in row["note"] and row["estimate"] == "" for row in held)
    assert all(row["estimate"] for row in rows if row["score"] == "good")


def test_strata_of_cases_alone_and_of_nobody(made: Made, tmp_path: Path) -> None:
    cases = made.cases.copy()
    groups = np.array(made.groups)
    cases[groups == "afr"] = 1
    unknown = [value if group != "eas" else "NA" for value, group in zip(cases.tolist(), made.groups, strict=True)]
    evaluate(
        str(tmp_path / "scores"), str(tmp_path / "out"), PLAIN, ancestry=made.write("groups.tsv", group=made.groups),
        phenotypes=made.write("phenotypes.tsv", diabetes=unknown),
    )  # fmt: skip
    rows = _rows(tmp_path / "out")
    for stratum, word in (("afr", "cases alone"), ("eas", "nobody")):
        held = [row for row in rows if row["stratum"] == stratum]
        assert held and all(word in row["note"] and not row["estimate"] and row["n"] for row in held)


def _refused(
    made: Made, tmp_path: Path, kind: type[CohelixError], word: str, params: EvaluateParams = PLAIN, **inputs: Any
) -> None:
    with pytest.raises(kind, match=word) as caught:
        evaluate(str(tmp_path / "scores"), str(tmp_path / "refused"), params, **inputs)
    assert "PERSON" not in str(caught.value)
    assert not (tmp_path / "refused").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_bad_tables_are_refused_and_leave_nothing(made: Made, tmp_path: Path) -> None:
    ones, text = np.ones(900), [f"{value:.3f}" if i != 3 else "tall" for i, value in enumerate(made.measure)]
    infinite = np.where(np.arange(900) == 4, np.inf, made.measure)
    others = made.write("others.tsv", ids=[f"OTHER{i}" for i in range(900)], height=made.measure)
    strangers = made.write("strangers.tsv", ids=[f"OTHER{i}" for i in range(900)], PC1=made.measure)
    cases: list[tuple[type[CohelixError], str, dict[str, object]]] = [
        (InputError, "one value", {"phenotypes": made.write("a.tsv", height=ones * 3)}),
        (InputError, "cases alone", {"phenotypes": made.write("b.tsv", diabetes=ones)}),
        (InputError, "row 5 of the column 'height'.*not a number", {"phenotypes": made.write("c.tsv", height=text)}),
        (InputError, "infinity", {"phenotypes": made.write("d.tsv", height=infinite)}),
        (InputError, "not known of anybody", {"phenotypes": made.write("e.tsv", height=["NA"] * 900)}),
        (InputError, "of other samples", {"phenotypes": others}),
        (InputError, "ids alone", {"phenotypes": made.write("f.tsv", person_id=range(900))}),
        (InputError, "prs.evaluate.binary", {"phenotypes": made.write("g.tsv", disease=np.arange(900) % 3)}),
        (InputError, "of other samples", {"phenotypes": made.phenotypes(), "covariates": others}),
        (InputError, "expected columns PC1", {"phenotypes": made.phenotypes(), "pcs": others}),
        (InputError, "of other samples", {"phenotypes": made.phenotypes(), "pcs": strangers}),
        (ConfigError, "--phenotypes", {}),
    ]
    for kind, word, inputs in cases:
        _refused(made, tmp_path, kind, word, **inputs)


def test_choices_that_do_not_fit_are_refused(made: Made, tmp_path: Path) -> None:
    phenotypes = made.phenotypes()
    pcs = made.write("pcs.tsv", PC1=made.components[:, 0], PC2=made.components[:, 1])
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("score\ttrait\nPGS000001\tweight\n")
    cases: list[tuple[type[CohelixError], str, EvaluateParams, dict[str, object]]] = [
        (InputError, "weight", EvaluateParams(plots=False, traits=["weight"]), {}),
        (ConfigError, "max_pairs", EvaluateParams(plots=False, max_pairs=5), {}),
        (InputError, "row 2.*trait that is not there", PLAIN, {"pairs": str(pairs)}),
        (ConfigError, "prevalence", EvaluateParams(plots=False, prevalence={"height": 0.1}), {}),
        (ConfigError, "--pcs", EvaluateParams(plots=False, centre_group="eur"), {}),
        (ConfigError, "not among the groups", EvaluateParams(plots=False, centre_group="eur"), {"pcs": pcs}),
        (ConfigError, "n_pcs is 3", EvaluateParams(plots=False, n_pcs=3), {"pcs": pcs}),
        (ConfigError, "not adjusted", EvaluateParams(plots=False, column="z_norm2"), {}),
        (ConfigError, "named as a|names 'weight'", EvaluateParams(plots=False, binary=["weight"]), {}),
    ]
    for kind, word, params, inputs in cases:
        _refused(made, tmp_path, kind, word, params, phenotypes=phenotypes, **inputs)
    with pytest.raises(ConfigError, match="prevalence"):
        EvaluateParams(prevalence={"diabetes": 1.5})
    with pytest.raises(ConfigError, match="binary and as quantitative"):
        EvaluateParams(binary=["a"], quantitative=["a"])


def test_without_matplotlib_it_says_what_to_install(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _refused(made, tmp_path, ConfigError, r"cohelix\[report\]", EvaluateParams(), phenotypes=made.phenotypes())


def test_plinks_coding_of_cases(made: Made, tmp_path: Path) -> None:
    coded = np.where(np.arange(900) == 3, -9, made.cases + 1)
    summary = evaluate(
        str(tmp_path / "scores"), str(tmp_path / "out"), PLAIN, phenotypes=made.write("p.tsv", "IID", diabetes=coded)
    )
    assert summary["traits"][0]["kind"] == "binary" and summary["traits"][0]["coding"] == "1/2"
    one = _one(_rows(tmp_path / "out"), score="PGS000001", metric="auc")
    kept = np.arange(900) != 3
    assert one["n"] == "899" and one["n_cases"] == str(made.cases[kept].sum())
