"""A made cohort: founders of mixed ancestry, their children, and a twin; and a callset of any genotypes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cohelix.genotypes import vcf
from cohelix.genotypes.packed.matrix import Matrix, matrix_of

CALLS = ("0/0", "0/1", "1/1", "./.")


def callset_of(genotypes: np.ndarray, folder: Path) -> Matrix:
    """The matrix of genotypes (sites, samples), 3 missing, of a callset that holds them on two chromosomes."""
    half = len(genotypes) // 2
    contigs = "##contig=<ID=chr1,length=248956422>\n##contig=<ID=chr2,length=242193529>\n"
    ids = "\t".join(f"s{sample:04d}" for sample in range(genotypes.shape[1]))
    head = f'##fileformat=VCFv4.2\n{contigs}##FORMAT=<ID=GT,Number=1,Type=String,Description="GT">\n'
    lines = [f"{head}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{ids}\n"]
    for site, row in enumerate(genotypes.tolist()):
        place = ("chr1", 100 + site) if site < half else ("chr2", 100 + site - half)
        lines.append("\t".join([place[0], str(place[1]), ".", "A", "C", ".", ".", ".", "GT", *(CALLS[g] for g in row)]))
        lines[-1] += "\n"
    (folder / "made.vcf").write_text("".join(lines))
    return matrix_of(vcf.import_vcf(str(folder / "made.vcf"), str(folder / "made.callset"), overwrite=True))


def families(n_sites: int, seed: int, missing: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """Genotypes (sites, samples), 3 missing, and two components: admixed founders, their children, a twin."""
    random = np.random.default_rng(seed)
    n_founders = 120
    base = random.uniform(0.05, 0.95, n_sites)
    ends = np.clip(base[:, None] + random.normal(0, 0.2, (n_sites, 3)), 0.01, 0.99)
    share = random.dirichlet([0.5] * 3, n_founders)
    copies = [random.random((2, n_sites)) < ends @ one for one in share]
    scores = list(share[:, :2])
    for father, mother in [(0, 1), (0, 1), (2, 3), (2, 4), (5, 6), (5, 6), (5, 7)]:
        child = [np.where(random.random(n_sites) < 0.5, *copies[parent]) for parent in (father, mother)]
        copies.append(np.array(child))
        scores.append((scores[father] + scores[mother]) / 2)
    copies.append(copies[-1])
    scores.append(scores[-1])
    genotypes = np.array([pair.sum(axis=0) for pair in copies]).T
    genotypes[random.random(genotypes.shape) < missing] = 3
    return genotypes, np.array(scores)


def all_pairs(n: int) -> np.ndarray:
    return np.column_stack(np.triu_indices(n, 1))
