"""1000 Genomes, a fifth of every population held out, or a whole super-population: corrected scores, groups, flags.

The components are those of NumPy's own decomposition here, so that what is shown is the projection's.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from cohelix.ancestry.pca.tables import Model, write_model
from cohelix.ancestry.projection.run import project
from cohelix.ancestry.schema import ProjectParams
from cohelix.genotypes import plink
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.packed.matrix import matrix_of
from cohelix.runtime.local import LocalRuntime

pytestmark = pytest.mark.real

K, EXTRA = 10, 10
SEEDS = (0, 1, 2)
GROUPS = ("AFR", "AMR", "EAS", "EUR", "SAS")


@dataclass(frozen=True)
class Genomes:
    """The callset, its genotypes int8 (sites, people), and the labels of its people."""

    root: str
    genotypes: np.ndarray
    sites: pa.Table
    sample_ids: list[str]
    population: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Held:
    """Scores of the held-out (projected) and of the others (fitted); held bool (people,); flags of the held-out."""

    projected: dict[str, np.ndarray]
    fitted: np.ndarray
    held: np.ndarray
    ood: np.ndarray


@pytest.fixture(scope="module")
def genomes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Genomes:
    folder = tmp_path_factory.mktemp("kg")
    for suffix, name in ((".bed", "kg23k.bed"), (".fam", "kg23k.fam"), (".bim", "kg23k.grch37.bim")):
        (folder / f"kg{suffix}").symlink_to(data / "kg_phase3" / name)
    root = str(folder / "kg.callset")
    plink.import_bed(str(folder / "kg"), root, build="GRCh37")
    matrix = matrix_of(open_callset(root))
    with (data / "kg_phase3" / "labels.tsv").open() as handle:
        labels = {row["IID"]: row for row in csv.DictReader(handle, delimiter="\t")}
    block = matrix.read(0, matrix.n_sites).astype("<u8").view(np.uint8)
    pairs = np.unpackbits(block, axis=1, bitorder="little").reshape(matrix.n_sites, -1, 2)[:, : matrix.n_samples]
    ids = matrix.sample_ids()
    return Genomes(
        root, (pairs[:, :, 0] + 2 * pairs[:, :, 1]).astype(np.int8), matrix.sites(), ids,
        np.array([labels[one]["pop"] for one in ids]), np.array([labels[one]["super_pop"] for one in ids]),
    )  # fmt: skip


def fit(genomes: Genomes, held: np.ndarray, folder: Path) -> Model:
    """Components of those who are not held out, at sites with a minor allele frequency of 1 % among them."""
    af = genomes.genotypes[:, ~held].mean(axis=1) / 2
    rows = np.flatnonzero(np.minimum(af, 1 - af) >= 0.01)
    af = af[rows]
    scale = np.sqrt(2 * af * (1 - af) * len(rows))[:, None]
    matrix = ((genomes.genotypes[rows][:, ~held] - 2 * af[:, None]) / scale).astype(np.float32)
    values, vectors = np.linalg.eigh((matrix.T @ matrix).astype(np.float64))
    values, vectors = values[::-1], vectors[:, ::-1][:, : K + EXTRA]
    n = matrix.shape[1]
    loadings = (matrix @ vectors.astype(np.float32)) / np.sqrt(values[: K + EXTRA])
    meta = {
        "kind": "pca", "k": K, "k_extra": EXTRA, "n_sites": len(rows), "n_samples": n, "build": "GRCh37",
        "total_variance": float(values[: n - 1].sum()), "provenance": {"digest": "0" * 64},
    }  # fmt: skip
    sites = genomes.sites.take(pa.array(rows)).append_column("n_called", pa.array(np.full(len(rows), n)))
    ids = [one for one, out in zip(genomes.sample_ids, held.tolist(), strict=True) if not out]
    scores = vectors[:, :K] * np.sqrt(values[:K])
    model = Model(sites, af, loadings.astype(np.float64), values[: K + EXTRA], scores, ids, values[: n - 1], None, meta)
    folder.mkdir()
    write_model(folder, model, np.zeros(K + EXTRA))
    return model


def fifth(genomes: Genomes, seed: int) -> np.ndarray:
    """bool (people,): a fifth of every population."""
    rng, held = np.random.default_rng(seed), np.zeros(len(genomes.population), bool)
    for population in np.unique(genomes.population):
        members = np.flatnonzero(genomes.population == population)
        held[rng.permutation(members)[: round(len(members) / 5)]] = True
    return held


def hold_out(genomes: Genomes, held: np.ndarray, folder: Path, methods: tuple[str, ...] = ("oadp",)) -> Held:
    model = fit(genomes, held, folder / "pca")
    found: dict[str, np.ndarray] = {}
    for method in methods:
        project(str(folder / "pca"), genomes.root, str(folder / method), ProjectParams(method=method), LocalRuntime(2))
        table = pq.read_table(folder / method / "projection.parquet")
        scores = np.column_stack([table.column(f"pc{i + 1}") for i in range(K)])
        assert np.array_equal(scores[~held], model.scores)  # those of the fit, as they were
        found[method] = scores[held]
    return Held(found, model.scores, held, table.column("ood").to_numpy()[held])


@pytest.fixture(scope="module")
def fifths(genomes: Genomes, tmp_path_factory: pytest.TempPathFactory) -> list[Held]:
    """Three times a fifth."""
    return [
        hold_out(genomes, fifth(genomes, seed), tmp_path_factory.mktemp("fifth"), ("naive", "ap", "oadp"))
        for seed in SEEDS
    ]


def ratios(fifths: list[Held], method: str) -> np.ndarray:
    """float64 (K,): SD of projected over SD of fitted scores, mean over the three draws."""
    return np.mean([one.projected[method].std(axis=0) / one.fitted.std(axis=0) for one in fifths], axis=0)


def test_corrected_scores_are_spread_as_fitted_ones(fifths: list[Held]) -> None:
    naive, corrected = ratios(fifths, "naive"), ratios(fifths, "oadp")
    assert naive[4] < 0.8 and naive[9] < 0.6  # what is to be corrected
    assert corrected[:4] == pytest.approx(np.ones(4), abs=0.04)
    assert 0.95 <= corrected[4] <= 1.05
    assert 0.84 <= corrected[9] <= 1.1
    assert (np.abs(np.log(corrected)) < np.abs(np.log(naive)) + 0.02).all()
    assert ratios(fifths, "ap")[9] >= 0.84


def accuracy(genomes: Genomes, one: Held, labels: np.ndarray, method: str) -> float:
    forest = RandomForestClassifier(n_estimators=100, random_state=337337, n_jobs=2)
    forest.fit(one.fitted, labels[~one.held])
    return float((forest.predict(one.projected[method]) == labels[one.held]).mean())


def test_populations_are_told_better_than_by_naive_scores(genomes: Genomes, fifths: list[Held]) -> None:
    found: dict[str, Any] = {
        method: np.mean([accuracy(genomes, one, genomes.population, method) for one in fifths])
        for method in ("naive", "oadp")
    }
    assert found["oadp"] > found["naive"] + 0.02
    assert found["oadp"] > 0.74


def test_super_populations(genomes: Genomes, fifths: list[Held]) -> None:
    assert np.mean([accuracy(genomes, one, genomes.group, "oadp") for one in fifths]) >= 0.995


def test_those_of_known_groups_are_not_flagged(genomes: Genomes, fifths: list[Held]) -> None:
    assert np.mean([one.ood.mean() for one in fifths]) <= 0.02


@pytest.mark.parametrize("left_out", GROUPS)
def test_a_super_population_that_was_left_out_is_flagged(genomes: Genomes, tmp_path: Path, left_out: str) -> None:
    """As `ood`, or by the forest's highest probability (0.75 or less, as All of Us has it)."""
    held = fifth(genomes, 0) | (genomes.group == left_out)
    one = hold_out(genomes, held, tmp_path)
    forest = RandomForestClassifier(n_estimators=100, random_state=337337, n_jobs=2)
    forest.fit(one.fitted, genomes.group[~held])
    other = forest.predict_proba(one.projected["oadp"]).max(axis=1) <= 0.75
    unknown = genomes.group[held] == left_out
    assert one.ood[unknown].mean() >= 0.93
    assert (one.ood | other)[unknown].mean() >= 0.95
    assert one.ood[~unknown].mean() <= 0.02
    assert (one.ood | other)[~unknown].mean() <= 0.02
