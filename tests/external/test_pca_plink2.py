"""Components are those of plink2's exact PCA, on real people."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from cohelix.ancestry.pca.run import fit
from cohelix.ancestry.pca.tables import read_model
from cohelix.ancestry.schema import FitParams
from cohelix.genotypes import plink, plink_out
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.selection import select
from cohelix.runtime.local import LocalRuntime
from tests.ancestry.pca_cohorts import callset_of, structured
from tests.oracles.pca import canonical

pytestmark = pytest.mark.external

COMPONENTS = 10


def plink2(*arguments: object) -> None:
    subprocess.run(["plink2", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def thousand_genomes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callset:
    """2,504 real people, 23,770 SNPs."""
    folder = tmp_path_factory.mktemp("kg")
    for suffix in ("bed", "fam"):
        (folder / f"kg.{suffix}").symlink_to(data / "kg_phase3" / f"kg23k.{suffix}")
    (folder / "kg.bim").symlink_to(data / "kg_phase3" / "kg23k.grch38.bim")
    return plink.import_bed(str(folder / "kg"), str(folder / "kg.callset"), build="GRCh38", duplicates="first")


@pytest.mark.real
def test_components_of_a_thousand_genomes_are_plink2s(thousand_genomes: Callset, tmp_path: Path) -> None:
    params = FitParams(k=COMPONENTS, spectrum_up_to=0)
    meta = fit(thousand_genomes.root, str(tmp_path / "m"), params, LocalRuntime(2))
    model, prefix = read_model(str(tmp_path / "m")), tmp_path / "kg"
    plink_out.export_pgen(thousand_genomes, str(prefix), select(thousand_genomes))
    # without meanimpute, plink2 divides each pair of samples by the sites that both have called
    filters = ("--autosome", "--snps-only", "--max-alleles", 2, "--maf", params.min_maf, "--geno", 0.05)
    plink2("--pfile", prefix, *filters, "--pca", COMPONENTS, "meanimpute", "--out", prefix)
    assert f"{meta['n_sites']} variants remaining after main filters" in Path(f"{prefix}.log").read_text()
    rows = [line.split("\t") for line in Path(f"{prefix}.eigenvec").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == model.sample_ids
    theirs = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(model.eigenvalues[:COMPONENTS], np.loadtxt(f"{prefix}.eigenval"), rtol=1e-5)
    for count in range(1, 9):
        assert canonical(model.scores[:, :count], theirs[:, :count]) >= 0.9999, count
    unit = model.scores / np.linalg.norm(model.scores, axis=0)
    single = np.abs((unit * theirs).sum(axis=0))
    assert (single[:8] >= 0.9999).all(), single


def test_a_cohort_with_missing_calls(tmp_path: Path) -> None:
    """5 % of the calls are missing: mean imputation, frequencies and scales are plink2's."""
    opened = callset_of(tmp_path, structured(4000, 200, groups=5, missing=0.05))
    fit(opened.root, str(tmp_path / "m"), FitParams(k=4, min_call_rate=0.0, tolerance=1e-5), LocalRuntime(2))
    model, prefix = read_model(str(tmp_path / "m")), tmp_path / "out"
    plink2("--bfile", tmp_path / "in", "--maf", 0.01, "--pca", 4, "meanimpute", "--out", prefix)
    rows = [line.split("\t") for line in Path(f"{prefix}.eigenvec").read_text().splitlines()[1:]]
    theirs = np.array([row[-4:] for row in rows], float)
    np.testing.assert_allclose(model.eigenvalues[:4], np.loadtxt(f"{prefix}.eigenval"), rtol=1e-5)
    unit = model.scores / np.linalg.norm(model.scores, axis=0)
    np.testing.assert_allclose(np.abs((unit * theirs).sum(axis=0)), 1, atol=1e-6)
