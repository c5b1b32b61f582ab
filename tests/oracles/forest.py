"""Plain definitions for groups: one person, one tree, one mixture at a time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np


def vote(nodes: Sequence[dict[str, Any]], scores: Sequence[float]) -> list[float]:
    """Mean of the leaves that one person falls into. nodes: rows of forest.parquet."""
    trees: dict[int, dict[int, dict[str, Any]]] = {}
    for node in nodes:
        trees.setdefault(node["tree"], {})[node["node"]] = node
    total: list[float] = []
    for tree in trees.values():
        node = tree[0]
        while node["probabilities"] is None:
            value = float(np.float32(scores[node["feature"]]))
            node = tree[node["left"] if value <= node["threshold"] else node["right"]]
        leaf = node["probabilities"]
        total = [before + own for before, own in zip(total, leaf, strict=True)] if total else list(leaf)
    return [value / len(trees) for value in total]


def mixture(point: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The mixture of centres, none negative and of sum one, that lies nearest to a point: every choice is tried."""
    n = len(centres)
    best, nearest = np.zeros(n), np.inf
    for size in range(1, n + 1):
        for chosen in itertools.combinations(range(n), size):
            last, *others = (centres[group] for group in chosen)
            q = np.zeros(n)
            free = np.zeros(0)
            if others:
                free = np.linalg.lstsq(np.stack(others, axis=1) - last[:, None], point - last, rcond=None)[0]
            q[list(chosen)] = [1 - free.sum(), *free]
            away = float(np.linalg.norm(q @ centres - point))
            if (q >= 0).all() and away < nearest:
                best, nearest = q, away
    return best


def admixed_genotypes(frequencies: np.ndarray, proportions: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """int8 (people, sites): each allele is drawn from a group by the person's proportions, then by its frequency.

    frequencies: (groups, sites). proportions: (people, groups).
    """
    mean = proportions @ frequencies  # of an allele whose group is drawn first
    return generator.binomial(2, mean).astype(np.int8)


def components(genotypes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, eigenvalues, loadings and frequencies of int8 genotypes (people, sites), none missing: dense."""
    af = genotypes.mean(axis=0) / 2
    z = standardised(genotypes, af) / np.sqrt(genotypes.shape[1])
    values, vectors = np.linalg.eigh(z @ z.T)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    return vectors * np.sqrt(values), values, z.T @ vectors / np.sqrt(values), af


def standardised(genotypes: np.ndarray, af: np.ndarray) -> np.ndarray:
    return (genotypes - 2 * af) / np.sqrt(2 * af * (1 - af))
