"""A made cohort: folders of scores and tables as users hand them in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cohelix.prs.tables import ScoreBlock, write_scores


@dataclass
class Made:
    """Scores (m, n) and what belongs to them; `write` puts a table of sample_id and columns beside them."""

    folder: Path
    ids: list[str]
    scores: np.ndarray
    measure: np.ndarray
    cases: np.ndarray
    age: np.ndarray
    components: np.ndarray
    groups: list[str]
    score_ids: list[str] = field(default_factory=list)

    def write(self, name: str, id_column: str = "sample_id", ids: list[str] | None = None, **columns: object) -> str:
        path = self.folder / name
        rows = zip(ids or self.ids, *(list(column) for column in columns.values()), strict=True)  # type: ignore[call-overload]
        text = "\n".join("\t".join(map(str, row)) for row in rows)
        path.write_text("\t".join([id_column, *columns]) + "\n" + text + "\n")
        return str(path)

    def phenotypes(self) -> str:
        return self.write("phenotypes.tsv", height=self.measure, diabetes=self.cases)


def write_folder(folder: Path, score_ids: list[str], ids: list[str], sums: np.ndarray) -> str:
    folder.mkdir()
    counts = np.zeros(sums.shape, np.int32)
    block = ScoreBlock(range(len(score_ids)), sums, counts, counts, counts)
    write_scores(folder / "scores.parquet", score_ids, ids, [block])
    return str(folder)


def make(folder: Path, n: int = 900) -> Made:
    """Three scores of falling quality; groups afr, eas (15 people) and eur; a first component that tells them apart."""
    rng = np.random.default_rng(30)
    groups = ["afr" if i % 3 == 0 else "eas" if i < 22 and i % 3 == 1 else "eur" for i in range(n)]
    groups = ["eas" if i in range(1, 45, 3) else g if g != "eas" else "eur" for i, g in enumerate(groups)]
    african = np.array([group == "afr" for group in groups])
    genetic, age = rng.normal(size=n), rng.uniform(20, 80, size=n)
    scores = np.stack([genetic + rng.normal(size=n) * (noise + african) for noise in (0.5, 1.0, 2.0)])
    measure = 0.7 * genetic + 0.02 * age + rng.normal(size=n)
    cases = (0.9 * genetic + rng.normal(size=n) > 0.8).astype(int)
    components = rng.normal(size=(n, 2)) + np.outer(african * 6.0, [1, 0])
    ids = [f"PERSON{i * 7919 % 100_000:05}" for i in range(n)]
    made = Made(folder, ids, scores, measure, cases, age, components, groups, ["PGS000001", "../x/y", "PGS$_3"])
    write_folder(folder / "scores", made.score_ids, ids, scores)
    return made
