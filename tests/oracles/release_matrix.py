"""Plain definitions for matrices of a release: one genotype at a time."""

from __future__ import annotations


def moved(rows: list[list[int]], place: list[int], n_samples: int) -> list[list[int]]:
    """Each sample's genotypes at its place; samples with place -1 are left out."""
    out = [[0] * n_samples for _ in rows]
    for row, genotypes in enumerate(rows):
        for sample, genotype in enumerate(genotypes):
            if place[sample] != -1:
                out[row][place[sample]] = genotype
    return out
