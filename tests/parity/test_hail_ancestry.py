"""Components and projection side by side with Hail, on a made cohort of four groups with missing genotypes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.ancestry.pca.run import fit
from cohelix.ancestry.pca.tables import Model, read_model
from cohelix.ancestry.projection.run import project
from cohelix.ancestry.schema import FitParams, ProjectParams
from cohelix.genotypes import vcf
from cohelix.jobs.config import load_params
from cohelix.runtime.local import LocalRuntime
from tests.ancestry.pca_cohorts import structured
from tests.relatedness.made import callset_of

pytestmark = pytest.mark.jvm

SITES, FITTED, K = 600, 96, 3
SIZES = (60, 40, 26, 18)  # of the groups; uneven, so that no two components are alike
FIXED = [10, 400, 500]  # sites of one allele among the fitted, or never called


@dataclass(frozen=True)
class Cohort:
    """A callset of everybody, and the components of the first `FITTED` of them: ours, and Hail's.

    table: Hail's genotypes. eigenvalues (K,), scores (samples, K), loadings (sites, K) and af
    (sites,): Hail's; a site that it leaves out is not there.
    """

    folder: Path
    genotypes: np.ndarray
    ours: Model
    table: Any
    eigenvalues: np.ndarray
    scores: np.ndarray
    loadings: np.ndarray
    af: np.ndarray


def made_genotypes() -> np.ndarray:
    """int (sites, samples): groups mixed at random, some people with many missing, and sites that do not vary."""
    rng = np.random.default_rng(5)
    drawn = structured(SITES, 4 * max(SIZES), missing=0.03, seed=5)
    taken = [np.arange(group, drawn.shape[1], 4)[:size] for group, size in enumerate(SIZES)]
    genotypes = drawn[:, rng.permutation(np.concatenate(taken))]
    for share, person in zip((0.2, 0.4, 0.6), (3, FITTED + 3, FITTED + 7), strict=True):
        genotypes[rng.random(SITES) < share, person] = 3
    fixed = genotypes[FIXED, :FITTED]
    genotypes[FIXED, :FITTED] = np.where(fixed == 3, 3, [[0], [2], [3]])
    return genotypes


@pytest.fixture(scope="module")
def cohort(hail: Any, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder, genotypes = tmp_path_factory.mktemp("groups"), made_genotypes()
    matrix = callset_of(genotypes, folder)
    chosen = matrix.sample_ids()[:FITTED]
    (folder / "chosen.tsv").write_text("\n".join(["sample_id", *chosen]) + "\n")
    # as Hail: every site that varies; as close as float32 products come
    params = FitParams(k=K, min_maf=0.0, min_call_rate=0.0, tolerance=1e-6, max_passes=40)
    model, samples = str(folder / "pca"), str(folder / "chosen.tsv")
    assert fit(matrix.callset.root, model, params, LocalRuntime(2), samples=samples)["converged"]
    table = hail.import_vcf(str(folder / "made.vcf"), reference_genome="GRCh38", min_partitions=2).cache()
    fitted = table.filter_cols(hail.literal(set(chosen)).contains(table.s))
    eigenvalues, scores, loadings = hail.hwe_normalized_pca(fitted.GT, k=K, compute_loadings=True)
    by_sample = {row.s: row.scores for row in scores.collect()}
    af = fitted.annotate_rows(af=hail.agg.mean(fitted.GT.n_alt_alleles()) / 2).rows()
    rows = loadings.annotate(af=af[loadings.key].af).collect()
    ours = read_model(model)
    assert [row.locus.position for row in rows] == ours.sites.column("position").to_pylist()
    return Cohort(
        folder, genotypes, ours, table, np.array(eigenvalues), np.array([by_sample[sample] for sample in chosen]),
        np.array([row.loadings for row in rows]), np.array([row.af for row in rows]),
    )  # fmt: skip


def far(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, as a share of a component's root mean square; the sign of a component is free."""
    ours = ours * np.sign((ours * theirs).sum(axis=0))
    return float((np.abs(ours - theirs) / np.sqrt((theirs**2).mean(axis=0))).max())


def test_components(cohort: Cohort) -> None:
    """Of the same sites, eigenvalues, scores and loadings, on the same scale: scores are U S, loadings of length 1."""
    ours, dense = cohort.ours, np.delete(cohort.genotypes[:, :FITTED], FIXED, axis=0)
    assert len(ours.af) == len(dense)
    assert np.abs(ours.af - cohort.af).max() < 1e-12
    values = ours.eigenvalues
    assert (values[: K - 1] / values[1:K] > 1.2).all() and values[K - 1] > 2 * values[K]
    assert np.abs(values[:K] / cohort.eigenvalues - 1).max() < 1e-6
    assert far(ours.scores, cohort.scores) < 5e-6
    assert far(ours.loadings[:, :K], cohort.loadings) < 5e-6
    af = cohort.af[:, None]
    x = np.where(dense == 3, 0.0, (dense - 2 * af) / np.sqrt(2 * af * (1 - af) * len(dense)))
    left, sizes, right = np.linalg.svd(x, full_matrices=False)
    assert np.abs(sizes[:K] ** 2 / cohort.eigenvalues - 1).max() < 1e-9
    assert far(cohort.scores, right[:K].T * sizes[:K]) < 1e-8
    assert far(cohort.loadings, left[:, :K]) < 1e-8


def test_projection(hail: Any, cohort: Cohort, tmp_path: Path) -> None:
    """Of others, with sites and genotypes missing, under the choices of All of Us: on our loadings, and on those of
    each side's own fit."""
    absent = np.arange(0, SITES, 7)
    others = cut(cohort, tmp_path / "others.vcf", set(absent.tolist()))
    root = str(tmp_path / "others.callset")
    vcf.import_vcf(str(tmp_path / "others.vcf"), root)
    params = load_params(ProjectParams, "ancestry.project", preset="aou-v8")
    assert (params.method, params.missing, params.absent) == ("naive", "mean", "missing")
    summary = project(str(cohort.folder / "pca"), root, str(tmp_path / "projected"), params, LocalRuntime(2))
    assert summary["sites"]["n_absent"] == len(set(absent) - set(FIXED))
    assert summary["samples"] == {"n_without_scores": 0, "n_of_fit": 0}
    placed = pq.read_table(tmp_path / "projected" / "projection.parquet")
    assert placed.column("share_used").to_numpy().min() < 0.4
    assert placed.column("sample_id").to_pylist() == others
    ours = np.column_stack([placed.column(f"pc{component + 1}") for component in range(K)])
    target = cohort.table.filter_cols(hail.literal(set(others)).contains(cohort.table.s))
    gone = hail.literal({place_of(site) for site in absent.tolist()})
    target = target.filter_rows(~gone.contains(hail.str(target.locus)))
    for af, loadings, most in ((cohort.ours.af, cohort.ours.loadings[:, :K], 1e-6), (cohort.af, cohort.loadings, 5e-6)):
        table = as_hail_table(hail, cohort.ours, af, loadings)
        rows = hail.experimental.pc_project(target.GT, table.loadings, table.af).collect()
        by_sample = {row.s: row.scores for row in rows}
        theirs = np.array([by_sample[sample] for sample in others])
        assert far(ours, theirs) < most


def place_of(site: int) -> str:
    """Where a row of the genotypes lies, as Hail writes a locus."""
    return f"chr{1 + site // (SITES // 2)}:{100 + site % (SITES // 2)}"


def cut(cohort: Cohort, out: Path, absent: set[int]) -> list[str]:
    """Write the VCF of the people who were not fitted, without some sites. Returns the people."""
    lines = (cohort.folder / "made.vcf").read_text().splitlines()
    head = [line for line in lines if line.startswith("##")]
    names, *rows = [line.split("\t") for line in lines[len(head) :]]
    kept = [names, *(row for site, row in enumerate(rows) if site not in absent)]
    out.write_text("\n".join([*head, *("\t".join(row[:9] + row[9 + FITTED :]) for row in kept)]) + "\n")
    return names[9 + FITTED :]


def as_hail_table(hail: Any, model: Model, af: np.ndarray, loadings: np.ndarray) -> Any:
    """Loadings and frequencies at the sites of a model as pc_project takes them."""
    rows = [
        {
            "chrom": site["contig"],
            "at": site["position"],
            "alleles": [site["ref"], site["alt"]],
            "af": p,
            "loadings": of,
        }
        for site, p, of in zip(model.sites.to_pylist(), af.tolist(), loadings.tolist(), strict=True)
    ]
    kind = "struct{chrom:str,at:int32,alleles:array<str>,af:float64,loadings:array<float64>}"
    table = hail.Table.parallelize(rows, kind)
    return table.annotate(locus=hail.locus(table.chrom, table.at, "GRCh38")).key_by("locus", "alleles")
