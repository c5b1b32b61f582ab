"""Small callsets with population structure, for the tests of components."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cohelix.genotypes import plink
from cohelix.genotypes.callset import Callset


def structured(n_sites: int, n_samples: int, groups: int = 4, *, missing: float = 0.02, seed: int = 1) -> np.ndarray:
    """int (sites, samples) of 0, 1, 2 and 3 (missing): groups whose frequencies differ."""
    rng = np.random.default_rng(seed)
    spread = np.clip(rng.uniform(0.15, 0.85, n_sites)[:, None] + rng.normal(0, 0.2, (n_sites, groups)), 0.03, 0.97)
    out = rng.binomial(2, spread[:, np.arange(n_samples) % groups])
    return np.where(rng.random(out.shape) < missing, 3, out)


def write_bed(prefix: Path, genotypes: np.ndarray, *, chromosomes: int = 3) -> None:
    """A fileset of SNPs on the first chromosomes."""
    n_sites, n_samples = genotypes.shape
    codes = np.array([3, 2, 0, 1])[np.pad(genotypes, ((0, 0), (0, -n_samples % 4)))].reshape(n_sites, -1, 4)
    body = (codes << np.array([0, 2, 4, 6])).sum(axis=2).astype(np.uint8)
    prefix.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + body.tobytes())
    prefix.with_suffix(".fam").write_text("".join(f"0\tP{i:04d}\t0\t0\t{1 + i % 2}\t-9\n" for i in range(n_samples)))
    where = [(1 + row * chromosomes // n_sites, 1000 + 7 * row) for row in range(n_sites)]
    lines = [f"{chrom}\t{chrom}_{position}\t0\t{position}\tC\tA\n" for chrom, position in where]
    prefix.with_suffix(".bim").write_text("".join(lines))


def callset_of(folder: Path, genotypes: np.ndarray, *, chromosomes: int = 3) -> Callset:
    """A callset of these genotypes; its samples are P0000, P0001, ... in the order of the columns."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bed(folder / "in", genotypes, chromosomes=chromosomes)
    return plink.import_bed(str(folder / "in"), str(folder / "made.callset"), build="GRCh38")
