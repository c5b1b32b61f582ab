"""Jobs of relatedness, on the structured cohort of ancestry (cohorts.py).

`relatedness-king`: kinship of every pair from all sites (plink2: --make-king-table with a filter, so that neither
writes millions of lines; Hail: king, at a size it can do). `relatedness-estimate`: ours as it runs by default, a screen
and then all sites; what the peers do to the same end is above.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cohorts import Structured
from benchmarks.jobs_ancestry import Steps, engine, hail, plink2, structured
from benchmarks.programs import cohelix
from benchmarks.registry import Job, register
from benchmarks.turns import Bench

CUTS = (2**-1.5, 2**-2.5, 2**-3.5, 2**-4.5)
KEPT = 0.0442  # what all of them are asked for: third degree and closer


def _ours_king(*words: str) -> Callable[[Structured, Path], Steps]:
    def steps(work: Structured, folder: Path) -> Steps:
        argv = cohelix("relatedness", "estimate", work.made["callset"], "-o", folder / "relatedness", *words)
        return [("estimate", argv)]

    return steps


def _plink2_king(work: Structured, folder: Path) -> Steps:
    return [("king", plink2(work, "--make-king-table", "--king-table-filter", KEPT, "--out", folder / "king"))]


def _ours_king_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    return _pairs(pq.read_table(folder / "relatedness" / "pairs.parquet", columns=["kinship"])["kinship"].to_pylist())


def _king_table(name: str, column: str) -> Callable[[Path], dict[str, Any]]:
    def counts(folder: Path) -> dict[str, Any]:
        with (folder / name).open() as lines:
            rows = csv.DictReader((line.removeprefix("#") for line in lines), delimiter="\t")
            return _pairs([float(row[column]) for row in rows])

    return counts


def _pairs(kinship: list[float]) -> dict[str, Any]:
    close = [one for one in kinship if one > KEPT]
    found = Counter(sum(one <= cut for cut in CUTS) for one in close)
    return {"third_or_closer": len(close), "pairs": {str(degree): found[degree] for degree in range(4)}}


ENGINES = {
    "relatedness-king": {
        "ours": engine("ours", _ours_king("--set", "relatedness.estimate.screen=false"), _ours_king_counts),
        "plink2": engine("plink2", _plink2_king, _king_table("king.kin0", "KINSHIP")),
        "hail": engine("hail", hail("king"), _king_table("king.tsv", "phi")),
    },
    "relatedness-estimate": {"ours": engine("ours", _ours_king(), _ours_king_counts)},
}


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    structured(ENGINES, *ENGINES)(wish, bench)


def _king(wish: argparse.Namespace, bench: Bench) -> None:
    structured(ENGINES, "relatedness-king")(wish, bench)


def _estimate(wish: argparse.Namespace, bench: Bench) -> None:
    structured(ENGINES, "relatedness-estimate")(wish, bench)


KIN = ("third_or_closer", "pairs of third degree or closer")
register(Job("relatedness", _all))
register(Job("relatedness-king", _king, "KING-robust of all pairs, from all sites", KIN))
register(Job("relatedness-estimate", _estimate, "Related pairs: a screen, then all sites", KIN))
