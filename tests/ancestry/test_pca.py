"""Components are those of the dense matrix; bits do not depend on threads; what cannot be fitted is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.ancestry.panel import make_panel
from cohelix.ancestry.pca import passes, run
from cohelix.ancestry.pca.kernels import unpack_tile
from cohelix.ancestry.pca.run import fit
from cohelix.ancestry.pca.tables import read_model
from cohelix.ancestry.schema import FitParams, PanelParams
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.packed.counting import pack
from cohelix.genotypes.packed.matrix import matrix_of
from cohelix.genotypes.schema_select import SelectParams
from cohelix.runtime.local import LocalRuntime
from tests.ancestry.pca_cohorts import callset_of, structured
from tests.oracles import pca as plain

EVERY = {"min_maf": 0.0, "min_call_rate": 0.0}
N_SITES, N_SAMPLES = 1300, 90


@pytest.fixture(scope="module")
def genotypes() -> np.ndarray:
    return structured(N_SITES, N_SAMPLES)


@pytest.fixture(scope="module")
def cohort(genotypes: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Callset:
    return callset_of(tmp_path_factory.mktemp("cohort"), genotypes)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("n_samples", [1, 16, 33, 64, 100])
def test_unpack_tile_by_its_definition(n_samples: int) -> None:
    rng = np.random.default_rng(n_samples)
    rows = rng.integers(0, 4, (5, n_samples))
    scale, shift = rng.normal(size=5).astype(np.float32), rng.normal(size=5).astype(np.float32)
    block = pack(np.where(rows == 3, -9, rows).astype(np.int8))
    found = np.empty((5, 32 * block.shape[1]), np.float32)
    unpack_tile(block, 0, scale, shift, found)
    expected = plain.tile(rows.tolist(), scale.tolist(), shift.tolist(), 2 * block.shape[1])
    np.testing.assert_array_equal(found, expected)
    if block.shape[1] > 1:  # a tile that begins within a row
        part = np.empty((5, 32), np.float32)
        unpack_tile(block, 2, scale, shift, part)
        expected = plain.tile(rows[:, 32:].tolist(), scale.tolist(), shift.tolist(), 2)
        np.testing.assert_array_equal(part, expected)


def test_the_planar_order_names_every_sample_once() -> None:
    for n_samples in (1, 31, 512, 513, 2000):
        order = passes.planar_order(n_samples)
        assert sorted(order.tolist()) == list(range(-(-n_samples // 32) * 32))


def test_tasks_cover_all_sites_and_keep_to_the_memory() -> None:
    for n_sites, bytes_, memory in (
        (1, 100, 16),
        (512, 100, 16),
        (100_000, 4 * 10_000 * 32, 1024),
        (150_000, 1 << 28, 64),
    ):
        edges = passes.task_edges(n_sites, bytes_, memory)
        assert [start for start, _ in edges] == [0, *(end for _, end in edges[:-1])] and edges[-1][1] == n_sites
        assert all(start % passes.BLOCK_ROWS == 0 for start, _ in edges)
        assert len(edges) <= passes.MAX_TASKS
        assert len(edges) == 1 or len(edges) * bytes_ <= memory << 19


def test_a_pass_is_the_product_of_the_dense_matrix(cohort: Callset, genotypes: np.ndarray) -> None:
    q = np.random.default_rng(3).normal(size=(N_SAMPLES, 5))
    x = plain.standardised(genotypes.tolist())
    found = passes.multiply(matrix_of(cohort), q, FitParams(**EVERY), LocalRuntime(1))
    assert found.counts is not None and found.left is not None
    np.testing.assert_array_equal(found.counts, [[(row == value).sum() for value in range(4)] for row in genotypes])
    np.testing.assert_allclose(found.left, x.T @ q, atol=1e-5)
    np.testing.assert_allclose(found.y, x @ (x.T @ q), rtol=1e-5, atol=2e-3)


def test_components_are_those_of_the_dense_matrix(cohort: Callset, genotypes: np.ndarray, tmp_path: Path) -> None:
    meta = fit(cohort.root, str(tmp_path / "m"), FitParams(k=3, tolerance=1e-5, **EVERY), LocalRuntime(2))
    model, x = read_model(str(tmp_path / "m")), plain.standardised(genotypes.tolist())
    values, scores, loadings = plain.components(x)
    np.testing.assert_allclose(model.eigenvalues, values[:6], rtol=1e-6)
    np.testing.assert_allclose(model.scores, scores[:, :3], atol=1e-4)
    np.testing.assert_allclose(model.loadings[:, :3], loadings[:, :3], atol=1e-5)
    assert plain.canonical(model.loadings, loadings[:, :6]) > 1 - 1e-6
    assert model.spectrum is not None
    np.testing.assert_allclose(model.spectrum, values[: len(model.spectrum)], rtol=1e-4, atol=1e-6)
    assert len(model.spectrum) == N_SAMPLES - 1  # each site is centred
    np.testing.assert_allclose(x @ model.loadings[:, :3] / np.sqrt(N_SITES), model.scores, atol=1e-4)
    assert meta["total_variance"] == pytest.approx((x**2).sum() / N_SITES, rel=1e-12)
    assert meta["converged"] and meta["n_converged"] == 3 and max(meta["residuals"][:3]) <= 1e-5
    assert meta["gap"]["absolute"] == pytest.approx(values[2] - values[3], rel=1e-4)
    assert (meta["k"], meta["k_extra"], meta["n_sites"], meta["n_samples"]) == (3, 3, N_SITES, N_SAMPLES)
    called = [row[row != 3] for row in genotypes]
    assert model.sites.column("n_called").to_pylist() == [len(row) for row in called]
    np.testing.assert_allclose(model.af, [row.mean() / 2 for row in called], rtol=1e-15)
    assert (model.loadings[np.abs(model.loadings).argmax(axis=0), np.arange(6)] > 0).all()
    np.testing.assert_allclose(np.linalg.norm(model.loadings, axis=0), 1, rtol=1e-12)


def test_a_start_on_a_part_of_the_sites_finds_the_same(
    cohort: Callset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = FitParams(k=3, tolerance=1e-6, **EVERY)
    fit(cohort.root, str(tmp_path / "plain"), params, LocalRuntime(1))
    monkeypatch.setattr(run, "COARSE_SITES", 64)
    monkeypatch.setattr(run, "COARSE_ROWS", 4)
    monkeypatch.setattr(run, "COARSE_SHARE", 2)
    fit(cohort.root, str(tmp_path / "coarse"), params, LocalRuntime(1))
    plain_, coarse = read_model(str(tmp_path / "plain")), read_model(str(tmp_path / "coarse"))
    np.testing.assert_allclose(coarse.eigenvalues[:3], plain_.eigenvalues[:3], rtol=1e-6)
    np.testing.assert_allclose(coarse.scores[:, :2], plain_.scores[:, :2], atol=1e-4)
    assert not np.array_equal(coarse.scores, plain_.scores)  # it did start elsewhere
    monkeypatch.setattr(run, "COARSE_SHARE", 10**6)  # hardly a site: the random start takes over
    fit(cohort.root, str(tmp_path / "bare"), params, LocalRuntime(1))
    np.testing.assert_array_equal(read_model(str(tmp_path / "bare")).scores, plain_.scores)


def test_one_thread_and_two_write_the_same_bytes(cohort: Callset, tmp_path: Path) -> None:
    for cores in (1, 2):
        fit(cohort.root, str(tmp_path / str(cores)), FitParams(k=4), LocalRuntime(cores))
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_components_do_not_depend_on_how_a_callset_is_cut(
    cohort: Callset, genotypes: np.ndarray, tmp_path: Path
) -> None:
    whole = callset_of(tmp_path / "whole", genotypes, chromosomes=1)
    models = []
    for place, one in enumerate((cohort, whole)):
        fit(one.root, str(tmp_path / str(place)), FitParams(k=4), LocalRuntime(2))
        models.append(read_model(str(tmp_path / str(place))))
    assert len(whole.shards) < len(cohort.shards)
    np.testing.assert_array_equal(models[0].loadings, models[1].loadings)
    np.testing.assert_array_equal(models[0].scores, models[1].scores)


@pytest.mark.jvm
def test_spark_writes_the_bytes_that_threads_write(spark: Any, cohort: Callset, tmp_path: Path) -> None:
    for name, runtime in (("local", LocalRuntime(2)), ("spark", spark)):
        fit(cohort.root, str(tmp_path / name), FitParams(k=4), runtime)
    assert contents(tmp_path / "local") == contents(tmp_path / "spark")


def test_sites_that_fail_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = structured(300, 50, missing=0.0)
    rows[:2] = 3  # never called
    rows[2:5], rows[5] = 0, 2  # without variation
    rows[6:8, :10] = 3  # 20 % missing
    rows[8], rows[8, 0] = 0, 1  # one allele in a hundred
    rows[9:11] = 1  # all heterozygous: chi-squared is 50
    opened = callset_of(tmp_path, rows)
    params = FitParams(k=3, min_call_rate=0.9, min_maf=0.02, max_hwe_chi2=49.0)
    meta = fit(opened.root, str(tmp_path / "m"), params, LocalRuntime(1))
    assert meta["sites_left_out"] == {
        "never called": 2,
        "without variation": 4,
        "below min_call_rate": 2,
        "below min_maf": 1,
        "out of Hardy-Weinberg equilibrium": 2,
    }
    values, scores, _ = plain.components(plain.standardised(rows[11:].tolist()))
    model = read_model(str(tmp_path / "m"))
    np.testing.assert_allclose(model.eigenvalues[:3], values[:3], rtol=1e-5)
    assert plain.canonical(model.scores, scores[:, :3]) > 1 - 1e-6
    assert meta["n_sites"] == 289 == model.sites.num_rows


def test_some_samples_are_fitted_as_if_there_were_no_others(
    cohort: Callset, genotypes: np.ndarray, tmp_path: Path
) -> None:
    chosen = list(range(0, N_SAMPLES, 2))
    (tmp_path / "unrelated.tsv").write_text("sample_id\n" + "".join(f"P{i:04d}\n" for i in reversed(chosen)))
    params = FitParams(k=3)
    fit(cohort.root, str(tmp_path / "a"), params, LocalRuntime(2), samples=str(tmp_path / "unrelated.tsv"))
    alone = callset_of(tmp_path / "alone", genotypes[:, chosen])
    fit(alone.root, str(tmp_path / "b"), params, LocalRuntime(2))
    one, other = read_model(str(tmp_path / "a")), read_model(str(tmp_path / "b"))
    assert one.sample_ids == [f"P{i:04d}" for i in chosen]
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.loadings, other.loadings)


def test_labels_of_a_panel_go_with_the_samples_of_the_fit(cohort: Callset, tmp_path: Path) -> None:
    ids = [f"P{i:04d}" for i in range(N_SAMPLES)]
    labels, chosen = tmp_path / "labels.tsv", tmp_path / "chosen.tsv"
    labels.write_text("sample_id\tgroup\n" + "".join(f"{one}\tg{i % 4}\n" for i, one in enumerate(ids)))
    select = SelectParams(long_range_ld="keep", ld_r2=1.0)
    panel = make_panel(
        cohort.root,
        str(labels),
        str(tmp_path / "panel.callset"),
        PanelParams(label_column="group"),
        select,
        LocalRuntime(2),
    )
    chosen.write_text("sample_id\n" + "".join(f"{one}\n" for one in ids[10:60]))
    fit(panel.root, str(tmp_path / "m"), FitParams(k=3), LocalRuntime(2), samples=str(chosen))
    found = read_model(str(tmp_path / "m"))
    assert found.labels is not None
    expected = [{"sample_id": ids[i], "group": f"g{i % 4}", "subgroup": None} for i in range(10, 60)]
    assert found.labels.to_pylist() == expected
    assert found.sample_ids == ids[10:60]


def test_large_cohorts_have_no_spectrum(cohort: Callset, tmp_path: Path) -> None:
    fit(cohort.root, str(tmp_path / "m"), FitParams(k=2, spectrum_up_to=N_SAMPLES - 1), LocalRuntime(1))
    assert read_model(str(tmp_path / "m")).spectrum is None


def test_a_sample_without_calls_and_twins_do_no_harm(tmp_path: Path) -> None:
    rows = structured(400, 30, missing=0.0)
    rows[:, 4] = 3
    rows[:, 9] = rows[:, 10]
    opened = callset_of(tmp_path, rows)
    fit(opened.root, str(tmp_path / "m"), FitParams(k=3), LocalRuntime(1))
    model = read_model(str(tmp_path / "m"))
    np.testing.assert_allclose(model.scores[4], 0, atol=1e-6)
    np.testing.assert_allclose(model.scores[9], model.scores[10], atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (structured(100, 1), "found 1 samples and 100 such sites"),
        (structured(100, 4), "found 4 samples and 100 such sites"),
        (structured(3, 40), "found 40 samples and 3 such sites"),
        (np.full((20, 40), 3), "found 40 samples and 0 such sites .left out: 20 never called"),
        (np.full((20, 40), 2), "left out: 20 without variation"),
        (np.tile(structured(1, 40, missing=0.0), (20, 1)), "found 1 with any variance"),
        (np.repeat(structured(200, 2, missing=0.0), 20, axis=1), "found 1 with any variance"),
    ],
    ids=["one_sample", "few_samples", "few_sites", "all_missing", "monomorphic", "repeated_sites", "repeated_samples"],
)
def test_what_has_no_components_is_refused(rows: np.ndarray, message: str, tmp_path: Path) -> None:
    opened = callset_of(tmp_path, rows, chromosomes=1)
    with pytest.raises(InputError, match=message) as caught:
        fit(opened.root, str(tmp_path / "m"), FitParams(k=4, min_call_rate=0.0), LocalRuntime(1))
    assert "ancestry.fit.k" in str(caught.value) and "P00" not in str(caught.value)
    assert not (tmp_path / "m").exists()


def test_a_table_of_other_samples_or_of_one_twice_is_refused(cohort: Callset, tmp_path: Path) -> None:
    table = tmp_path / "s.tsv"
    for text, message in (("sample_id\nQ1\nQ2\n", "other samples"), ("sample_id\nP0001\nP0001\n", "same sample")):
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            fit(cohort.root, str(tmp_path / "m"), FitParams(k=2), LocalRuntime(1), samples=str(table))


def test_noise_is_said_not_to_have_converged(tmp_path: Path) -> None:
    opened = callset_of(tmp_path, structured(2000, 400, groups=2), chromosomes=1)
    meta = fit(opened.root, str(tmp_path / "m"), FitParams(k=8, block=4, max_passes=8), LocalRuntime(2))
    assert meta["residuals"][0] < 1e-5 and meta["n_converged"] < 8 and not meta["converged"]
    assert meta["passes"] <= 9
    written = json.loads((tmp_path / "m" / "pca.json").read_text())
    assert written["converged"] is False and written["residuals"] == meta["residuals"]


def test_choices_that_cannot_be_are_refused() -> None:
    for wrong in ({"k": 0}, {"block": 1, "k": 50}, {"tolerance": 0.0}, {"min_maf": 0.6}, {"memory_mib": 1}):
        with pytest.raises(ConfigError, match=r"ancestry\.fit"):
            FitParams(**wrong)
