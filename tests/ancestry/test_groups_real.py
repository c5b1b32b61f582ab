"""All of Us's recipe on 1000 Genomes: a fifth of each population held out of components and forest, and a continent."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.ancestry.groups.run import assign
from cohelix.ancestry.pca.run import fit
from cohelix.ancestry.projection.run import project
from cohelix.ancestry.schema import AssignParams, FitParams, ProjectParams
from cohelix.genotypes import plink
from cohelix.runtime.local import LocalRuntime

pytestmark = pytest.mark.real

POPULATION, CONTINENT = "pop", "super_pop"


@dataclass(frozen=True)
class Genomes:
    """1000 Genomes, phase 3: a callset, the table of labels, and of each sample its row there and whether held out."""

    callset: str
    labels: str
    rows: list[dict[str, str]]
    held: np.ndarray

    def of(self, column: str) -> np.ndarray:
        return np.array([row[column] for row in self.rows])


@pytest.fixture(scope="module")
def genomes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Genomes:
    folder = tmp_path_factory.mktemp("kg")
    for suffix in ("bed", "fam"):
        (folder / f"kg.{suffix}").symlink_to(data / "kg_phase3" / f"kg23k.{suffix}")
    (folder / "kg.bim").symlink_to(data / "kg_phase3" / "kg23k.grch38.bim")
    callset = plink.import_bed(str(folder / "kg"), str(folder / "kg.callset"), build="GRCh38", duplicates="first")
    labels = data / "kg_phase3" / "labels.tsv"
    with labels.open(newline="") as handle:
        stated = {row["IID"]: row for row in csv.DictReader(handle, delimiter="\t")}
    rows = [stated[sample] for sample in callset.samples()["sample_id"].to_pylist()]
    populations = np.array([row[POPULATION] for row in rows])
    drawn, held = np.random.default_rng(1), np.zeros(len(rows), bool)
    for population in sorted(set(populations.tolist())):
        own = drawn.permutation(np.flatnonzero(populations == population))
        held[own[: round(0.2 * len(own))]] = True
    return Genomes(callset.root, str(labels), rows, held)


def fitted(genomes: Genomes, left_out: np.ndarray, folder: Path) -> str:
    """Sixteen components of those who are not left out."""
    samples = folder / "training.tsv"
    ids = genomes.of("IID")[~left_out].tolist()
    samples.write_text("sample_id\n" + "".join(f"{one}\n" for one in ids))
    fit(genomes.callset, str(folder / "model"), FitParams(k=16), LocalRuntime(2), samples=str(samples))
    return str(folder / "model")


def groups(genomes: Genomes, model: str, params: ProjectParams, column: str, folder: Path) -> dict[str, np.ndarray]:
    """Columns of ancestry.parquet, and AoU's: `pred_other`."""
    projection = folder / f"{params.method}"
    if not projection.exists():
        project(model, genomes.callset, str(projection), params, LocalRuntime(2))
    out = folder / f"{params.method}-{column}"
    assign(model, str(projection), str(out), AssignParams(label_column=column, holdout=0.0), labels=genomes.labels)
    table = pq.read_table(out / "ancestry.parquet")
    with (out / "ancestry_preds.tsv").open(newline="") as handle:
        ruled = [row["ancestry_pred_other"] for row in csv.DictReader(handle, delimiter="\t")]
    found = {name: np.array(table[name].to_pylist()) for name in ("group", "group_other", "ood")}
    return found | {"pred_other": np.array(ruled)}


AOU = ProjectParams(method="naive", missing="mean")
CORRECTED = ProjectParams(method="oadp")


def test_a_fifth_held_out(genomes: Genomes, tmp_path: Path) -> None:
    held = genomes.held
    assert held.sum() == 502
    model = fitted(genomes, held, tmp_path)
    continent, population = genomes.of(CONTINENT), genomes.of(POPULATION)
    share = {}
    for params in (AOU, CORRECTED):
        found = groups(genomes, model, params, CONTINENT, tmp_path)
        right = (found["group"] == continent)[held]
        assert right.mean() >= 0.995, params.method
        kept = found["pred_other"][held] != "oth"
        assert kept.mean() >= 0.98, params.method
        assert right[kept].mean() >= 0.995, params.method
        assert found["ood"][held].mean() <= 0.02
        finer = groups(genomes, model, params, POPULATION, tmp_path)
        share[params.method] = (finer["group"] == population)[held].mean()
    assert share["oadp"] > share["naive"] + 0.03
    assert share["oadp"] > 0.74


@pytest.mark.parametrize("gone", ["AMR", "EUR"])
def test_a_continent_that_is_left_out_is_not_called_another(genomes: Genomes, gone: str, tmp_path: Path) -> None:
    """Of its people 95 % get no group; of the others who were held out, at most 2 %. The forest alone would not do."""
    absent = genomes.of(CONTINENT) == gone
    model = fitted(genomes, genomes.held | absent, tmp_path)
    found = groups(genomes, model, CORRECTED, CONTINENT, tmp_path)
    assert (found["group_other"] == "oth")[absent].mean() >= 0.95
    assert (found["group_other"] == "oth")[genomes.held & ~absent].mean() <= 0.02
    assert (found["pred_other"] == "oth")[absent].mean() < 0.95
