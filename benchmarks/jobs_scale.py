"""What our commands take as their input grows, for `cohelix estimate`: `fit_commands.py` makes rates of these lines.

No peer takes part: their jobs are those of each noun. A line is a command (its step), at some people, sites, and what
else it grows with (`settings`). Sizes in `PLAN` that are marked are left for the check, which a test makes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import cohorts, jobs_pgx, programs, release_sets, score_sets
from benchmarks.jobs_release import Steps, Work
from benchmarks.programs import cohelix, size_of
from benchmarks.registry import Engine, Job, register
from benchmarks.turns import Bench, take_turns

CALLSET, SCORES, PGX, RELEASE = "scale-callset", "scale-prs", "scale-pgx", "scale-release"
MORE_SITES = {"min_call_rate": 0, "min_maf": 0, "ld_window": "1000", "ld_unit": "kb", "ld_r2": 0.1,
              "long_range_ld": "keep"}  # fmt: skip


class Size(NamedTuple):
    """People, sites; scores and weights of all scores, where there are any. is_checked: nothing is fitted to it."""

    people: int
    sites: int
    scores: int = 0
    weights: int = 0
    is_checked: bool = False


PLAN = {
    CALLSET: (
        Size(2_000, 40_000), Size(2_000, 120_000), Size(8_000, 40_000), Size(8_000, 100_000),
        Size(20_000, 120_000), Size(40_000, 80_000, is_checked=True),
    ),
    SCORES: (
        Size(2_000, 50_000, 100, 1_000_000), Size(10_000, 50_000, 100, 1_000_000), Size(2_000, 50_000, 500, 5_000_000),
        Size(10_000, 50_000, 500, 5_000_000), Size(10_000, 200_000, 100, 1_000_000),
        Size(40_000, 200_000, 500, 10_000_000, is_checked=True),
    ),
    PGX: (Size(10_000, 0), Size(40_000, 0), Size(100_000, 0), Size(200_000, 0), Size(800_000, 0, is_checked=True)),
    RELEASE: (
        Size(4_000, 5_000), Size(16_000, 5_000), Size(4_000, 40_000), Size(16_000, 40_000),
        Size(64_000, 40_000), Size(200_000, 40_000, is_checked=True),
    ),
}  # fmt: skip
QUICK = {
    CALLSET: (Size(600, 8_000),), SCORES: (Size(1_000, 5_000, 10, 20_000),), PGX: (Size(1_000, 0),),
    RELEASE: (Size(1_000, 2_000),),
}  # fmt: skip


def on_callset(work: Work, folder: Path) -> Steps:
    """Every command that reads a callset of structured people, each from what the one before it left."""
    callset, labels = work.at["callset"], work.at["labels"]
    chosen = [word for name, value in MORE_SITES.items() for word in ("--set", f"genotypes.select.{name}={value}")]
    all_pairs = ("--set", "relatedness.estimate.screen=false")
    model, projected = folder / "fit", folder / "project"
    return [
        ("variants", cohelix("qc", "variants", callset, "-o", folder / "variants")),
        ("groups", cohelix("qc", "variants", callset, "-o", folder / "groups", "--ancestry", labels)),
        ("samples", cohelix("qc", "samples", callset, "-o", folder / "samples")),
        ("select", cohelix("genotypes", "select", callset, "-o", folder / "select", *chosen)),
        ("screened", cohelix("relatedness", "estimate", callset, "-o", folder / "screened")),
        ("all-pairs", cohelix("relatedness", "estimate", callset, "-o", folder / "all-pairs", *all_pairs)),
        ("fit", cohelix("ancestry", "fit", callset, "-o", model)),
        ("project", cohelix("ancestry", "project", model, callset, "-o", projected)),
        ("assign", cohelix("ancestry", "assign", model, projected, "-o", folder / "assign", "--labels", labels)),
    ]


def _callset_counts(folder: Path) -> dict[str, Any]:
    with (folder / "assign" / "ancestry_preds.tsv").open() as lines:
        n_people = sum(1 for _ in lines) - 1
    made = json.loads(max((folder / "variants" / "_commit").glob("*.json")).read_text())["meta"]
    found = json.loads((folder / "fit" / "pca.json").read_text())
    kept = json.loads(max((folder / "select" / "_commit").glob("*.json")).read_text())["meta"]["n_sites"]
    return {"people": n_people, "of": made["n_samples"], "passes": found["passes"], "kept": kept}


def scoring(work: Work, folder: Path) -> Steps:
    return [
        ("score", cohelix("prs", "score", work.at["callset"], "--scores", work.at["scores"], "-o", folder / "score"))
    ]


def _score_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    rows = sum(pq.read_metadata(part).num_rows for part in (folder / "score").glob("scores.parquet/*.parquet"))
    one = folder / "score" / "scores.parquet"
    return {"cells": rows if one.is_dir() else pq.read_metadata(one).num_rows}


def releasing(work: Work, folder: Path) -> Steps:
    steps = []
    for tier in ("public", "registered", "controlled"):
        (folder / tier).mkdir()
        inputs = work.at["cohort"].inputs(folder / tier / "inputs.toml")
        steps.append((tier, release_sets.build_words(inputs, tier, folder / tier / "root", work.at["keys"])))
    return steps


def _release_counts(folder: Path) -> dict[str, Any]:
    files = json.loads((folder / "controlled" / "root" / "R1" / "manifest.json").read_bytes())["files"]
    rows = {line["table"]: line["rows"] for line in files if line.get("table")}
    return {"people": rows["omop.person"]}


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes that each step left: its output has its name."""
    return {path.name: size_of(path) for path in folder.iterdir()}


def _released(folder: Path) -> dict[str, int]:
    return {tier: size_of(folder / tier / "root") for tier in ("public", "registered", "controlled")}


def _called(folder: Path) -> dict[str, int]:
    return {"call": size_of(folder / "pgx.parquet")}


def _ours(steps: Callable[[Any, Path], Steps], counts: Callable[[Path], dict[str, Any]], sizes: Any) -> Engine:
    return Engine("ours", programs.cohelix_version, steps, counts, sizes)


def _sites(size: Size) -> tuple[str, ...]:
    return (f"sites={size.sites}",)


def _callset_work(size: Size, folder: Path) -> Work:
    made = cohorts.draw(folder, size.people, size.sites)
    cohorts.take_in(made, folder)
    at = {"callset": made.made["callset"], "labels": made.labels}
    return Work(CALLSET, size.people, size.sites, _sites(size), at, {"people": size.people, "of": size.people})


def _score_work(size: Size, folder: Path) -> Work:
    score_sets.draw_people(folder / "people", size.people, size.sites)
    callset, bed = folder / "people.callset", folder / "people.bed"
    release_sets.run(cohelix("genotypes", "import", bed, "-o", callset, "--build", "GRCh38"))
    bed.unlink()
    rows = score_sets.sizes(size.scores, size.weights, size.sites)
    score_sets.write_catalogue(folder / "scores", score_sets.draw_scores(rows, size.sites), size.sites)
    settings = (*_sites(size), f"scores={size.scores}", f"weights={int(rows.sum())}")
    at = {"callset": callset, "scores": folder / "scores"}
    return Work(SCORES, size.people, size.sites, settings, at, {"cells": size.people * size.scores})


def _release_work(size: Size, folder: Path) -> Work:
    gate = release_sets.make_gate(folder / "gate")
    cohort = release_sets.draw(folder / "cohort", size.people, size.sites)
    at = {"cohort": cohort, "keys": gate.keys}
    rows = size.people * (sum(release_sets.ROWS.values()) + 3)
    return Work(RELEASE, size.people, size.sites, (*_sites(size), f"rows={rows}"), at, {"people": size.people})


def _pgx_work(size: Size, folder: Path) -> Any:
    made = jobs_pgx.made(jobs_pgx.CALL, size.people, jobs_pgx.FEW, folder / "drawn")
    return replace(made, job=PGX)


WORKS: dict[str, Callable[[Size, Path], Any]] = {
    CALLSET: _callset_work, SCORES: _score_work, PGX: _pgx_work, RELEASE: _release_work,
}  # fmt: skip
ENGINES = {
    CALLSET: _ours(on_callset, _callset_counts, _sizes), SCORES: _ours(scoring, _score_counts, _sizes),
    PGX: _ours(jobs_pgx.ours, jobs_pgx.ours_counts, _called), RELEASE: _ours(releasing, _release_counts, _released),
}  # fmt: skip


def _growing(job: str) -> Callable[[argparse.Namespace, Bench], None]:
    def run(wish: argparse.Namespace, bench: Bench) -> None:
        for size in (QUICK if wish.quick else PLAN)[job]:
            folder = bench.scratch / job
            folder.mkdir()
            work = WORKS[job](size, folder)
            print(f"# made {size.people} people x {size.sites} sites", file=sys.stderr)
            take_turns(work, [ENGINES[job]], bench)
            shutil.rmtree(folder)

    return run


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    for job in ENGINES:
        _growing(job)(wish, bench)


register(Job("scale", _all))
TITLES = {
    CALLSET: "Growth of commands on a callset", SCORES: "Growth of polygenic scores", PGX: "Growth of star alleles",
    RELEASE: "Growth of releases",
}  # fmt: skip
for _job, _title in TITLES.items():
    register(Job(_job, _growing(_job), _title, ("people", "people")))
