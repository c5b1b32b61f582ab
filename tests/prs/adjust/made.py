"""Scores whose mean and variance depend on where people lie, and the files that `prs adjust` reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohelix.prs.tables import ScoreBlock, write_scores

GROUPS = ("afr", "amr", "eas", "eur", "sas")


@dataclass(frozen=True)
class World:
    """Where groups lie, and how scores depend on it: mean and log variance (scores, 1 + 5)."""

    centres: np.ndarray
    mean: np.ndarray
    log_variance: np.ndarray


@dataclass(frozen=True)
class People:
    """sample_ids; group (n,) codes; pcs (n, 5); scores (scores, n); noise (scores, n): scores within their group."""

    score_ids: list[str]
    sample_ids: list[str]
    group: np.ndarray
    pcs: np.ndarray
    scores: np.ndarray
    noise: np.ndarray

    def with_scores(self, scores: np.ndarray) -> People:
        ids = [f"PGS{row:06d}" for row in range(len(scores))]
        return People(ids, self.sample_ids, self.group, self.pcs, scores, self.noise)

    def write(self, folder: Path) -> dict[str, str]:
        """Paths by the names of `adjust`'s options: scores, pcs, groups."""
        folder.mkdir(parents=True)
        write_table(folder, self.score_ids, self.sample_ids, self.scores)
        rows = [[one, *map(repr, pcs)] for one, pcs in zip(self.sample_ids, self.pcs.tolist(), strict=True)]
        write_rows(folder / "pcs.tsv", ["sample_id", *(f"PC{i + 1}" for i in range(5))], rows)
        named = [[one, GROUPS[code]] for one, code in zip(self.sample_ids, self.group, strict=True)]
        write_rows(folder / "groups.tsv", ["sample_id", "group"], named)
        return {"scores": str(folder), "pcs": str(folder / "pcs.tsv"), "groups": str(folder / "groups.tsv")}


def write_table(
    folder: Path, score_ids: list[str], sample_ids: list[str], scores: np.ndarray, alleles: int = 80
) -> None:
    counts, none = np.full(scores.shape, alleles, np.int32), np.zeros(scores.shape, np.int32)
    block = ScoreBlock(range(len(scores)), scores, counts, none, none)
    write_scores(folder / "scores.parquet", score_ids, sample_ids, [block])


def write_rows(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")


def world(n_scores: int, seed: int = 1, slope: float = 0.4) -> World:
    draw = np.random.default_rng(seed)
    centres = draw.normal(0.0, 2.0, (5, 5))
    return World(centres, draw.normal(0.0, 0.5, (n_scores, 6)), draw.normal(0.0, 0.3 * slope, (n_scores, 6)))


def people(of: World, n: int, seed: int, prefix: str = "p", spread: float = 0.3) -> People:
    """n people, the groups in turn."""
    draw = np.random.default_rng(seed)
    group = np.arange(n) % 5
    pcs = of.centres[group] + draw.normal(0.0, spread, (n, 5))
    design = np.column_stack([np.ones(n), pcs])
    noise = draw.normal(size=(len(of.mean), n)) * np.exp(0.5 * of.log_variance @ design.T)
    score_ids = [f"PGS{row:06d}" for row in range(len(of.mean))]
    return People(score_ids, [f"{prefix}{i:05d}" for i in range(n)], group, pcs, of.mean @ design.T + noise, noise)
