"""The folder of a model is read back exactly, and refused where anything in it was lost or changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cohelix.ancestry.pca.tables import Model, read_model, write_model
from cohelix.errors import InputError


def made(n_sites: int = 7, n_samples: int = 5, k: int = 2, total: int = 3) -> Model:
    random = np.random.default_rng(4)
    sites = pa.table(
        {
            "contig": ["chr1"] * n_sites,
            "position": pa.array(range(10, 10 + n_sites), pa.int32()),
            "ref": ["A"] * n_sites,
            "alt": ["C"] * n_sites,
            "n_called": pa.array([n_samples] * n_sites, pa.int64()),
        }
    )
    names = [f"p{i}" for i in range(n_samples)]
    groups = ["a", "a", "b", "b", "b"]
    labels = pa.table({"sample_id": names, "group": groups, "subgroup": pa.array(["x", None, "y", "y", None])})
    meta = {"kind": "pca", "k": k, "k_extra": total - k, "n_sites": n_sites, "n_samples": n_samples}
    return Model(
        sites, random.uniform(0.1, 0.9, n_sites), random.normal(size=(n_sites, total)), np.array([3.0, 2.0, 1.0]),
        random.normal(size=(n_samples, k)), names, np.array([3.0, 2.0, 1.0, 0.5]), labels,
        meta | {"build": "GRCh38", "total_variance": 6.5, "provenance": {"digest": "d" * 64}},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path, made(), np.array([1e-6, 1e-5, 1e-3]))
    return tmp_path


def test_a_model_comes_back_bit_for_bit(folder: Path) -> None:
    expected, found = made(), read_model(str(folder))
    for name in ("af", "loadings", "eigenvalues", "scores", "spectrum"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert found.sites.equals(expected.sites)
    assert found.labels is not None and found.labels.equals(expected.labels)
    assert found.sample_ids == expected.sample_ids
    header, first, *_ = (folder / "eigenvalues.tsv").read_text().splitlines()
    assert header.split("\t") == ["PC", "eigenvalue", "share_of_total", "residual"]
    assert first.split("\t") == ["PC1", "3.0", repr(3.0 / 6.5), "1e-06"]


def test_spectrum_and_labels_may_be_absent(tmp_path: Path) -> None:
    write_model(tmp_path, replace(made(), spectrum=None, labels=None), np.zeros(3))
    found = read_model(str(tmp_path))
    assert found.spectrum is None and found.labels is None
    assert not (tmp_path / "spectrum.parquet").exists()


@pytest.mark.parametrize("name", ["loadings.parquet", "scores.tsv", "eigenvalues.tsv", "spectrum.parquet"])
def test_a_file_that_was_cut_or_lost_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(InputError, match=f"{name} is not the file that was written"):
        read_model(str(folder))
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        read_model(str(folder))


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        read_model(str(tmp_path))
    (tmp_path / "pca.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read_model(str(tmp_path))
    (tmp_path / "pca.json").write_text(json.dumps({"kind": "unrelated", "files": {}}))
    with pytest.raises(InputError, match="another kind"):
        read_model(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_sites": 8}, "8 sites"),
        ({"n_samples": 6}, "6 samples"),
        ({"k_extra": 2}, "lack columns"),
        ({"k": "two"}, "lack columns"),
    ],
)
def test_tables_that_are_not_what_the_json_says_are_refused(
    folder: Path, change: dict[str, object], message: str
) -> None:
    meta = json.loads((folder / "pca.json").read_text())
    (folder / "pca.json").write_text(json.dumps(meta | change))
    with pytest.raises(InputError, match=message):
        read_model(str(folder))


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    loadings = made().loadings
    loadings[3, 1] = np.nan
    write_model(tmp_path, replace(made(), loadings=loadings), np.zeros(3))
    with pytest.raises(InputError, match="not a number"):
        read_model(str(tmp_path))


def test_sites_without_a_place_and_people_named_twice_are_refused(tmp_path: Path) -> None:
    sites = made().sites
    for name, value in (("contig", None), ("position", None), ("ref", None)):
        column = pa.array([value, *sites[name].to_pylist()[1:]], sites[name].type)
        changed = sites.set_column(sites.column_names.index(name), name, column)
        (tmp_path / name).mkdir()
        write_model(tmp_path / name, replace(made(), sites=changed), np.zeros(3))
        with pytest.raises(InputError, match="a site lacks its place or its alleles"):
            read_model(str(tmp_path / name))
    texts = sites.set_column(1, "position", pa.array(["x"] * sites.num_rows))
    twice = replace(made(), sample_ids=["p0", "p0", "p2", "p3", "p4"])
    for name, model, message in (
        ("texts", replace(made(), sites=texts), "lack columns, or hold something"),
        ("twice", twice, r"scores\.tsv has a sample twice"),
    ):
        (tmp_path / name).mkdir()
        write_model(tmp_path / name, model, np.zeros(3))
        with pytest.raises(InputError, match=message):
            read_model(str(tmp_path / name))


@pytest.mark.parametrize("change", [{"build": 38}, {"provenance": "x"}, {"provenance": {}}])
def test_a_model_of_no_known_run_is_refused(folder: Path, change: dict[str, object]) -> None:
    meta = json.loads((folder / "pca.json").read_text())
    (folder / "pca.json").write_text(json.dumps(meta | change))
    with pytest.raises(InputError, match="of which build it is, or which run made it"):
        read_model(str(folder))
