"""Jobs of ancestry, on a structured cohort (cohorts.py).

`ancestry-ld`: sites in linkage equilibrium (plink2: --indep-pairwise). `ancestry-pca`: ten components (plink2: --pca
approx; Hail: hwe_normalized_pca, at a size it can do). `ancestry-place`: projection and groups of many people; ours
alone. Neither our callset nor plink2's fileset is timed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import programs
from benchmarks.cohorts import Structured, between, draw, labels_of, take_in
from benchmarks.programs import CORES, cohelix, size_of
from benchmarks.registry import HERE, Engine, Job, chosen, register
from benchmarks.turns import Bench, take_turns

Steps = list[tuple[str, list[str]]]

# (samples, variants, engines): the one that is asked about, one that Hail can do, and how each grows with both.
PLAN = (
    (10_000, 100_000, "ours,plink2"), (2_000, 50_000, None), (5_000, 50_000, "ours,plink2"), (10_000, 50_000, "ours"),
    (5_000, 100_000, "ours,plink2"), (5_000, 25_000, "ours,plink2"),
)  # fmt: skip
QUICK = ((600, 8_000, None),)
PLACED, QUICK_PLACED, PANEL, PANEL_SITES = (100_000,), (2_000,), 2_000, 10_000
COMPONENTS = 10
WINDOW, R2 = ("1000", "kb"), 0.1


def plink2(work: Structured, *words: str | Path | float) -> list[str]:
    return ["plink2", "--threads", str(CORES), "--bfile", str(work.prefix), *map(str, words)]


def hail(what: str) -> Callable[[Structured, Path], Steps]:
    def steps(work: Structured, folder: Path) -> Steps:
        words = [what, "--prefix", str(work.prefix), "--out", str(folder)]
        return [(what, [sys.executable, str(HERE / "peers" / "hail_ancestry.py"), *words])]

    return steps


def _ours_ld(work: Structured, folder: Path) -> Steps:
    choices = {"min_call_rate": 0, "min_maf": 0, "ld_window": WINDOW[0], "ld_unit": WINDOW[1], "ld_r2": R2,
               "long_range_ld": "keep"}  # fmt: skip
    words = [word for name, value in choices.items() for word in ("--set", f"genotypes.select.{name}={value}")]
    return [("select", cohelix("genotypes", "select", work.made["callset"], "-o", folder / "ld.callset", *words))]


def _plink2_ld(work: Structured, folder: Path) -> Steps:
    """Lists the sites, and writes the fileset of them, as ours does."""
    names = ("--set-all-var-ids", "@:#")
    return [
        ("prune", plink2(work, *names, "--indep-pairwise", *WINDOW, 1, R2, "--out", folder / "ld")),
        ("extract", plink2(work, *names, "--extract", folder / "ld.prune.in", "--make-pgen", "--out", folder / "ld")),
    ]


def _ours_ld_counts(folder: Path) -> dict[str, Any]:
    return {"rows": _newest(folder / "ld.callset")["n_sites"]}


def _plink2_ld_counts(folder: Path) -> dict[str, Any]:
    return {"rows": (folder / "ld.prune.in").read_bytes().count(b"\n")}


def _ours_pca(work: Structured, folder: Path) -> Steps:
    words = (work.made["callset"], "-o", folder / "pca", "--set", f"ancestry.fit.k={COMPONENTS}")
    return [("fit", cohelix("ancestry", "fit", *words))]


def _plink2_pca(work: Structured, folder: Path) -> Steps:
    return [("pca", plink2(work, "--pca", "approx", COMPONENTS, "--out", folder / "pca"))]


def _ours_pca_counts(folder: Path) -> dict[str, Any]:
    return _components(folder / "pca" / "scores.tsv", "PC1")


def _plink2_pca_counts(folder: Path) -> dict[str, Any]:
    return _components(folder / "pca.eigenvec", "PC1")


def _hail_pca_counts(folder: Path) -> dict[str, Any]:
    return _components(folder / "pca.tsv", "PC1")


def _components(path: Path, first: str) -> dict[str, Any]:
    """How many people have components, and how well these part the populations."""
    with path.open() as lines:
        names = next(lines).lstrip("#").split()
        rows = sorted(line.split() for line in lines)
    at, person = names.index(first), 1 if names[0] == "FID" else 0
    rows.sort(key=lambda row: row[person])
    scores = np.array([[float(value) for value in row[at : at + COMPONENTS]] for row in rows])
    return {"samples": len(rows), "between": round(between(scores, labels_of(len(rows))), 4)}


def _ours_place(work: Structured, folder: Path) -> Steps:
    model, projected = work.made["model"], folder / "projected"
    return [
        ("project", cohelix("ancestry", "project", model, work.made["callset"], "-o", projected)),
        ("assign", cohelix("ancestry", "assign", model, projected, "-o", folder / "ancestry",
                           "--labels", work.made["labels"])),
    ]  # fmt: skip


def _ours_place_counts(folder: Path) -> dict[str, Any]:
    with (folder / "ancestry" / "ancestry_preds.tsv").open() as lines:
        return {"samples": sum(1 for _ in lines) - 1}


def _newest(root: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads(max((root / "_commit").glob("*.json")).read_text())["meta"]
    return meta


def _nothing(folder: Path) -> dict[str, int]:
    return {}


def engine(name: str, steps: Callable[..., Steps], counts: Callable[[Path], dict[str, Any]]) -> Engine:
    version, missing = {
        "ours": (programs.cohelix_version, lambda: programs.cohelix_lacks("relatedness", "estimate")),
        "plink2": (programs.plink2_version, programs.lacks_program("plink2")),
        "hail": (programs.hail_version, programs.lacks_hail),
    }[name]
    return Engine(name, version, steps, counts, _nothing, missing)


ENGINES = {
    "ancestry-ld": {
        "ours": engine("ours", _ours_ld, _ours_ld_counts), "plink2": engine("plink2", _plink2_ld, _plink2_ld_counts),
    },
    "ancestry-pca": {
        "ours": engine("ours", _ours_pca, _ours_pca_counts),
        "plink2": engine("plink2", _plink2_pca, _plink2_pca_counts),
        "hail": engine("hail", hail("pca"), _hail_pca_counts),
    },
}  # fmt: skip
PLACE = {"ours": engine("ours", _ours_place, _ours_place_counts)}


def structured(known: dict[str, dict[str, Engine]], *jobs: str) -> Callable[[argparse.Namespace, Bench], None]:
    """All jobs take turns at the same genotypes, which are made once. known: the engines of each job."""

    def run(wish: argparse.Namespace, bench: Bench) -> None:
        for n_samples, n_variants, names in QUICK if wish.quick else PLAN:
            work = _made(bench.scratch / f"structured-{n_samples}", n_samples, n_variants)
            for job in jobs:
                wanted = (wish.engines or names or ",".join(known[job])).split(",")
                engines = chosen(known[job], ",".join(name for name in wanted if name in known[job]))
                take_turns(replace(work, job=job), engines, bench)
            shutil.rmtree(work.prefix.parent)

    return run


def _place(wish: argparse.Namespace, bench: Bench) -> None:
    """People are placed by the components of a panel whose sites are the first ones of theirs."""
    for n_samples in QUICK_PLACED if wish.quick else PLACED:
        panel = _made(bench.scratch / "panel", QUICK[0][0] if wish.quick else PANEL, PANEL_SITES)
        model = bench.scratch / "model"
        subprocess.run(cohelix("ancestry", "fit", panel.made["callset"], "-o", model), check=True)
        work = _made(bench.scratch / "placed", n_samples, PANEL_SITES)
        work.made.update(model=model, labels=panel.labels)
        take_turns(replace(work, job="ancestry-place"), chosen(PLACE, None), bench)
        for path in (panel.prefix.parent, work.prefix.parent, model):
            shutil.rmtree(path)


def _made(folder: Path, n_samples: int, n_variants: int) -> Structured:
    folder.mkdir()
    work = draw(folder, n_samples, n_variants)
    take_in(work, folder)
    print(f"# made {n_samples} x {n_variants} genotypes, {size_of(folder) >> 20} MiB", file=sys.stderr)
    return work


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    structured(ENGINES, *ENGINES)(wish, bench)
    _place(wish, bench)


register(Job("ancestry", _all))
register(Job("ancestry-ld", structured(ENGINES, "ancestry-ld"), "Sites in linkage equilibrium", ("rows", "sites kept")))
register(Job("ancestry-pca", structured(ENGINES, "ancestry-pca"), "Ten principal components", ("samples", "people")))
register(Job("ancestry-place", _place, "People placed among the components of a panel", ("samples", "people")))
