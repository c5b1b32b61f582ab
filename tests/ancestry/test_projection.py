"""Projection against plain definitions: every step, whole folders, and what people hand in by mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.ancestry.pca.tables import Model
from cohelix.ancestry.projection import kernels
from cohelix.ancestry.projection.oadp import oadp_scores
from cohelix.ancestry.projection.run import project
from cohelix.ancestry.projection.shrinkage import completed_spectrum, factors_of, shrinkage_factors
from cohelix.ancestry.schema import ProjectParams
from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.runtime.local import LocalRuntime
from tests.ancestry import reference_panel as panel
from tests.oracles import packed
from tests.oracles import projection as oracle

K, EXTRA = 4, 4
LOOSE = 1e-6
"""Of scores of order 0.1, whose products are float32."""


@pytest.fixture(scope="module")
def frequency() -> np.ndarray:
    return panel.frequencies()


@pytest.fixture(scope="module")
def model(frequency: np.ndarray) -> Model:
    return panel.fit(panel.draw(frequency, [50, 50, 50, 50], 40, seed=2), K, EXTRA)


@pytest.fixture(scope="module")
def new(frequency: np.ndarray) -> np.ndarray:
    """int8 (sites, 70): people who were not in the fit, 3 % of genotypes missing (-9), and one wholly."""
    genotypes = panel.draw(frequency, [20, 20, 10, 10], 10, seed=3).genotypes
    lost = np.random.default_rng(4).random(genotypes.shape) < 0.03
    lost[:, -1] = True
    return np.where(lost, np.int8(-9), genotypes)


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> str:
    return panel.write(tmp_path_factory.mktemp("model") / "pca", model)


@pytest.fixture(scope="module")
def callset(new: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> str:
    return panel.as_callset(tmp_path_factory.mktemp("new") / "c", new, panel.names(new.shape[1]))


def run(model: str, callset: str, out: Path, **choices: Any) -> tuple[np.ndarray, dict[str, Any], dict[str, list[Any]]]:
    """(scores, summary, columns of projection.parquet)."""
    summary = project(model, callset, str(out), ProjectParams(**choices), LocalRuntime(2))
    columns = pq.read_table(out / "projection.parquet").to_pydict()
    k = sum(name.startswith("pc") for name in columns)
    return np.column_stack([columns[f"pc{i + 1}"] for i in range(k)]).astype(float), summary, columns


def coded(genotypes: np.ndarray) -> np.ndarray:
    return np.where(genotypes < 0, 3, genotypes)


# ---- kernels


def test_standardise_gives_each_genotype_its_value_and_adds_squares() -> None:
    rng = np.random.default_rng(5)
    rows, values = rng.integers(0, 4, (7, 150)), rng.normal(size=(7, 4)).astype(np.float32)
    block = packed.pack(rows.tolist())
    out, norms = np.empty((7, 86), np.float32), np.full(86, 0.5)
    kernels.standardise(block, 2, values, out, norms)
    expected = np.array([[values[row, rows[row, 64 + s]] for s in range(86)] for row in range(7)])
    assert (out == expected).all()
    assert norms == pytest.approx([0.5 + sum(float(v) ** 2 for v in expected[:, s]) for s in range(86)], rel=1e-14)


def test_add_missing_counts_and_weighs_what_is_missing() -> None:
    rng = np.random.default_rng(6)
    rows, weights = rng.integers(0, 4, (9, 150)), rng.random((9, 3))
    n_missing, lost = np.ones(118, np.int64), np.zeros((118, 3))
    kernels.add_missing(packed.pack(rows.tolist()), 1, weights, n_missing, lost)
    absent = rows[:, 32:] == 3
    assert (n_missing == 1 + absent.sum(axis=0)).all()
    expected = [[sum(weights[r, j] for r in range(9) if absent[r, s]) for j in range(3)] for s in range(118)]
    assert lost == pytest.approx(np.array(expected), rel=1e-14)


# ---- methods


def test_naive__as_defined(folder: str, model: Model, callset: str, new: np.ndarray, tmp_path: Path) -> None:
    scores, _, _ = run(folder, callset, tmp_path / "p", method="naive", missing="mean", min_called=0.2)
    for person in (0, 31, 68):
        expected = oracle.naive(coded(new[:, person]).tolist(), model.af.tolist(), model.loadings[:, :K].tolist())
        assert scores[person] == pytest.approx(expected, abs=LOOSE)


def test_least_squares__the_components_fitted_at_the_sites_that_are_there(
    folder: str, model: Model, new: np.ndarray, tmp_path: Path
) -> None:
    """With sites absent for all and none missing besides, it is NumPy's least squares to the last digits."""
    rows = np.flatnonzero(np.arange(len(new)) % 3 != 0)
    whole = np.where(new < 0, np.int8(1), new)
    callset = panel.as_callset(tmp_path / "c", whole, panel.names(whole.shape[1]), rows=rows)
    scores, summary, columns = run(folder, callset, tmp_path / "p", method="naive")
    assert summary["sites"]["n_absent"] == 500 and set(columns["n_sites_used"]) == {1000}
    assert columns["share_used"] == pytest.approx([2 / 3] * 70)
    x = (whole - 2 * model.af[:, None]) / np.sqrt(2 * model.af * (1 - model.af))[:, None] / np.sqrt(len(model.af))
    expected = np.linalg.lstsq(model.loadings[rows], x[rows], rcond=None)[0].T
    assert scores == pytest.approx(expected[:, :K], abs=LOOSE)


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_missing_genotypes_do_not_draw_people_to_the_middle(
    folder: str, frequency: np.ndarray, tmp_path: Path, share: float
) -> None:
    whole = panel.draw(frequency, [20, 20, 10, 10], 0, seed=8).genotypes
    lost = np.random.default_rng(9).random(whole.shape) < share
    ids = panel.names(60)
    full = panel.as_callset(tmp_path / "full", whole, ids)
    thin = panel.as_callset(tmp_path / "thin", np.where(lost, np.int8(-9), whole), ids)
    expected, _, _ = run(folder, full, tmp_path / "p1")
    drawn, _, _ = run(folder, thin, tmp_path / "p2", missing="mean")
    scores, _, _ = run(folder, thin, tmp_path / "p3")
    size = [np.sqrt((table[:, :3] ** 2).sum()) for table in (expected, drawn, scores)]
    assert size[1] / size[0] == pytest.approx(1 - share, abs=0.03)
    assert size[2] / size[0] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("beyond", [0, 5])
def test_oadp__as_if_the_person_had_been_in_the_fit(beyond: int) -> None:
    """The reference has rank k + beyond here, so that the online decomposition is the whole one."""
    rng, k = np.random.default_rng(10), 3
    reference = rng.normal(size=(40, k + beyond)) @ (rng.normal(size=(k + beyond, 90)) * 3 / np.sqrt(90))
    people = rng.normal(size=(12, 90)) / np.sqrt(90) + reference[:12] * 0.7
    _, lengths, right = np.linalg.svd(reference, full_matrices=False)
    total = k + beyond
    naive, norms = people @ right[:total].T, (people**2).sum(axis=1)
    found = oadp_scores(naive, norms, lengths[:total] ** 2, k)
    for person in range(12):
        assert found[person] == pytest.approx(oracle.augmented(reference, people[person], k), abs=1e-10)


def test_oadp__unknown_people_stay_unknown_and_others_do_not_change() -> None:
    rng = np.random.default_rng(11)
    naive, norms, values = rng.normal(size=(9, 4)), rng.random(9) + 20, np.array([40.0, 30.0, 20.0, 10.0])
    alone = oadp_scores(naive, norms, values, 2)
    naive[4] = np.nan
    found = oadp_scores(naive, norms, values, 2)
    assert np.isnan(found[4]).all()
    assert (np.delete(found, 4, 0) == np.delete(alone, 4, 0)).all()


def test_shrinkage__the_d_estimator_of_hdpca() -> None:
    eigenvalues = np.sort(np.random.default_rng(12).random(60))[::-1] * np.array([40, 20, 9] + [1] * 57)
    found = shrinkage_factors(eigenvalues, 3, 900)
    assert found == pytest.approx(oracle.d_estimator(eigenvalues.tolist(), 3, 900), rel=1e-12)
    assert ((found > 0) & (found < 1)).all()


def test_shrinkage_is_what_new_people_of_a_made_population_show(
    folder: str, model: Model, frequency: np.ndarray, tmp_path: Path
) -> None:
    """Projected over fitted scores of the same mixture of groups: three components have signal here."""
    people = panel.draw(frequency, [200, 200, 200, 200], 160, seed=13).genotypes
    callset = panel.as_callset(tmp_path / "c", people, panel.names(people.shape[1]))
    naive, _, _ = run(folder, callset, tmp_path / "p1", method="naive")
    measured = naive.std(axis=0)[:3] / model.scores.std(axis=0)[:3]
    assert factors_of(model)[:3] == pytest.approx(measured, abs=0.025)
    for method in ("ap", "oadp"):
        scores, _, _ = run(folder, callset, tmp_path / method, method=method)
        assert scores.std(axis=0)[:3] / model.scores.std(axis=0)[:3] == pytest.approx([1, 1, 1], abs=0.025)


def test_shrinkage_without_the_spectrum_is_near_that_with_it(model: Model) -> None:
    rest = completed_spectrum(model.eigenvalues, float(model.meta["total_variance"]), len(model.sample_ids))
    assert len(rest) == len(model.sample_ids) - 1
    assert rest.sum() == pytest.approx(model.meta["total_variance"])
    assert (np.diff(rest) <= 1e-9).all()
    guessed = shrinkage_factors(rest, K + EXTRA, len(model.af))
    assert guessed[:K] == pytest.approx(factors_of(model)[:K], abs=0.03)


# ---- folders


def test_a_folder_of_projected_people(folder: str, model: Model, callset: str, tmp_path: Path) -> None:
    scores, summary, columns = run(folder, callset, tmp_path / "p")
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "projection.json", "projection.parquet", "scores.tsv",
    ]  # fmt: skip
    lines = [line.split("\t") for line in (tmp_path / "p/scores.tsv").read_text().splitlines()]
    assert lines[0] == ["sample_id", "PC1", "PC2", "PC3", "PC4"]
    assert [line[0] for line in lines[1:]] == columns["sample_id"] == panel.names(70)
    assert all([float(x) for x in line[1:]] == list(row) for line, row in zip(lines[1:-1], scores, strict=False))
    assert summary == json.loads((tmp_path / "p/projection.json").read_text())
    assert summary["kind"] == "projection" and summary["method"] == "oadp" and summary["n_samples"] == 70
    assert summary["sites"] == {
        "n_model": 1500, "n_matched": 1500, "n_swapped": 0, "n_absent": 0, "n_other_alleles": 0,
        "absent_are": "missing",
    }  # fmt: skip
    roles = {entry["role"]: entry["sha256"] for entry in summary["provenance"]["inputs"]}
    assert roles["model"] == model.meta["provenance"]["digest"]
    assert not any(name in (tmp_path / "p/projection.json").read_text() for name in columns["sample_id"])


def test_a_sample_without_genotypes_has_no_scores_and_is_out_of_distribution(
    folder: str, callset: str, tmp_path: Path
) -> None:
    scores, summary, columns = run(folder, callset, tmp_path / "p")
    assert np.isnan(scores[-1]).all() and np.isfinite(scores[:-1]).all()
    assert columns["ood"][-1] is True and np.isnan(columns["residual"][-1]) and columns["n_sites_used"][-1] == 0
    assert summary["samples"]["n_without_scores"] == 1
    assert (tmp_path / "p/scores.tsv").read_text().splitlines()[-1] == f"{panel.names(70)[-1]}\t\t\t\t"


def test_swapped_alleles_are_matched(folder: str, callset: str, new: np.ndarray, tmp_path: Path) -> None:
    swapped = np.arange(len(new)) % 2 == 0
    other = panel.as_callset(tmp_path / "c", new, panel.names(70), swapped=swapped)
    scores, summary, _ = run(folder, other, tmp_path / "p1")
    assert summary["sites"]["n_swapped"] == 750
    assert scores == pytest.approx(run(folder, callset, tmp_path / "p2")[0], abs=LOOSE, nan_ok=True)


def test_the_same_bits_for_any_number_of_threads_and_people_beside(
    folder: str, callset: str, new: np.ndarray, tmp_path: Path
) -> None:
    project(folder, callset, str(tmp_path / "one"), ProjectParams(), LocalRuntime(1))
    project(folder, callset, str(tmp_path / "two"), ProjectParams(), LocalRuntime(2))
    for name in ("scores.tsv", "projection.parquet", "projection.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_one_sample(folder: str, callset: str, new: np.ndarray, tmp_path: Path) -> None:
    single = panel.as_callset(tmp_path / "c", new[:, :1], ["p"])
    scores, _, columns = run(folder, single, tmp_path / "p1")
    assert scores[0] == pytest.approx(run(folder, callset, tmp_path / "p2")[0][0], abs=LOOSE)
    assert columns["ood"] == [False]


def test_people_of_the_fit_keep_their_fitted_scores(
    folder: str, model: Model, frequency: np.ndarray, tmp_path: Path
) -> None:
    """They have no shrinkage to correct. The id of one of them, on another person, changes nothing."""
    people = panel.draw(frequency, [50, 50, 50, 50], 40, seed=2).genotypes
    ids = panel.names(240, "ref")
    same = panel.as_callset(tmp_path / "same", people, ids)
    scores, summary, _ = run(folder, same, tmp_path / "p1")
    assert (scores == model.scores).all() and summary["samples"]["n_of_fit"] == 240
    others = panel.as_callset(tmp_path / "others", people[:, ::-1], ids)
    _, summary, _ = run(folder, others, tmp_path / "p2")
    assert summary["samples"]["n_of_fit"] < 10


# ---- sites that are not there


def test_absent_sites_of_a_joint_call_are_hom_ref(
    folder: str, callset: str, frequency: np.ndarray, tmp_path: Path
) -> None:
    """A joint call has no row where nobody carries ALT. Left out or counted as hom-ref, the scores differ."""
    few = panel.draw(frequency, [3], 0, seed=14).genotypes
    ids = panel.names(3)
    carried = np.flatnonzero((few > 0).any(axis=1))
    assert len(carried) < 1450
    whole, _, _ = run(folder, panel.as_callset(tmp_path / "whole", few, ids), tmp_path / "p1")
    joint = panel.as_callset(tmp_path / "joint", few, ids, rows=carried)
    found, summary, columns = run(folder, joint, tmp_path / "p2", absent="hom-ref")
    assert found == pytest.approx(whole, abs=LOOSE)
    assert summary["sites"]["absent_are"] == "hom-ref" and columns["share_used"] == [1.0] * 3
    without, summary, _ = run(folder, joint, tmp_path / "p3", absent="auto")
    assert summary["sites"]["absent_are"] == "missing"  # an import does not say what an absent row means
    assert np.abs(without - whole).max() > 0.01


# ---- what is handed in by mistake


def test_a_callset_of_another_build_is_refused(folder: str, new: np.ndarray, tmp_path: Path) -> None:
    other = panel.as_callset(tmp_path / "c", new, panel.names(70), build="GRCh37")
    with pytest.raises(ReferenceMismatch, match=r"GRCh38 and the callset of GRCh37"):
        run(folder, other, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_too_few_sites_are_refused(folder: str, new: np.ndarray, tmp_path: Path) -> None:
    few = panel.as_callset(tmp_path / "c", new, panel.names(70), rows=np.arange(0, 1500, 3))
    with pytest.raises(InputError, match=r"expected at least 50% of 1500 sites .* found 500"):
        run(folder, few, tmp_path / "p")
    with pytest.raises(InputError, match=r"expected at least 50% of 1500 sites .* found 500"):
        run(folder, few, tmp_path / "p", absent="hom-ref")  # 70 people carry more than a third of common alleles
    assert np.isfinite(run(folder, few, tmp_path / "p", min_share=0.3)[0][:-1]).all()


def test_fewer_sites_than_components_are_refused(folder: str, new: np.ndarray, tmp_path: Path) -> None:
    few = panel.as_callset(tmp_path / "c", new, panel.names(70), rows=np.arange(8))
    with pytest.raises(InputError, match=r"more than its 8 components, found 8"):
        run(folder, few, tmp_path / "p", min_share=0.001)


def test_a_folder_that_holds_no_model_is_refused(callset: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pca\.json"):
        run(str(tmp_path), callset, tmp_path / "p")


@pytest.mark.parametrize(
    "choice", [{"method": "sp"}, {"missing": "drop"}, {"absent": "ref"}, {"min_share": 0.0}, {"ood_rate": 0.6}]
)
def test_choices_that_are_none(choice: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(choice))):
        ProjectParams(**choice)
