"""Jobs of the simulator. No other program makes such cohorts: what is measured is how cost grows with people."""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import programs
from benchmarks.programs import CORES, cohelix, size_of, sizes_of
from benchmarks.registry import Engine, Job, chosen, register
from benchmarks.turns import Bench, take_turns

SEED = 1
REGION = "chr22:20,000,001-22,000,000"
SHORT_REGION = "chr22:20,000,001-20,200,000"
# (people, region): two lengths, so that what a person costs is told from what a base does; the last is for the check.
PLAN = ((50, REGION), (100, REGION), (50, SHORT_REGION), (250, SHORT_REGION), (500, SHORT_REGION))
COHORTS_OF = (50, 100, 250)
QUICK_SAMPLES = 20


@dataclass(frozen=True)
class Wanted:
    """A cohort to make. bases: of its regions; 0 where the command chooses them (a named size)."""

    job: str
    n_samples: int
    region: str
    bases: int
    size: str

    @property
    def n_records(self) -> int:
        return 0

    @property
    def inputs(self) -> list[Path]:
        return []

    @property
    def sizes(self) -> dict[str, int]:
        return {}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where there are not as many samples as were asked for, each with records. In a cohort
        (a named size) some people have no genome and some have two."""
        low, high = (0.5 * self.n_samples, 1.5 * self.n_samples) if self.size else (self.n_samples, self.n_samples)
        assert low <= counts["samples"] <= high, f"{engine.name}: {counts['samples']} samples for {self.n_samples}"
        assert counts["records"] >= counts["samples"], f"{engine.name}: {counts['records']} records"


def _gvcfs_steps(work: Wanted, folder: Path) -> list[tuple[str, list[str]]]:
    words = ("--samples", str(work.n_samples), "--region", work.region, "--seed", str(SEED), "--cores", str(CORES))
    return [("gvcfs", cohelix("simulate", "gvcfs", "-o", folder / "cohort", *words))]


def _cohort_steps(work: Wanted, folder: Path) -> list[tuple[str, list[str]]]:
    words = ("--persons", str(work.n_samples), "--seed", str(SEED), "--size", work.size, "--cores", str(CORES))
    return [("cohort", cohelix("simulate", "cohort", "-o", folder / "cohort", *words))]


def _gvcf_counts(folder: Path) -> dict[str, Any]:
    return _counted(folder / "cohort" / "manifest.tsv")


def _cohort_counts(folder: Path) -> dict[str, Any]:
    regions = json.loads((folder / "cohort" / "cohort.json").read_text())["regions"]
    spans = (region.split(":")[1].split("-") for region in regions)
    bases = sum(int(end) - int(start) + 1 for start, end in spans)
    return {**_counted(folder / "cohort" / "wgs" / "manifest.tsv"), "bases": bases}


def _counted(manifest: Path) -> dict[str, Any]:
    """Samples of a manifest, and the records of all their gVCFs, from the indexes."""
    from cohelix.scale.inputs import indexed_records

    with manifest.open() as lines:
        paths = [manifest.parent / row["path"] for row in csv.DictReader(lines, delimiter="\t")]
    return {"samples": len(paths), "records": sum(indexed_records(str(path)) or 0 for path in paths)}


def _gvcf_sizes(folder: Path) -> dict[str, int]:
    return {"gvcf": sum(size_of(path) for path in (folder / "cohort" / "gvcfs").glob("*.gz"))}


def _cohort_sizes(folder: Path) -> dict[str, int]:
    return {"gvcf": sum(size_of(path) for path in (folder / "cohort" / "wgs" / "gvcfs").glob("*.gz")),
            **sizes_of(cohort="cohort")(folder)}  # fmt: skip


GVCFS = {"ours": Engine("ours", programs.cohelix_version, _gvcfs_steps, _gvcf_counts, _gvcf_sizes)}
COHORTS = {
    "ours": Engine(
        "ours", programs.cohelix_version, _cohort_steps, _cohort_counts, _cohort_sizes,
        missing=lambda: programs.cohelix_lacks("simulate", "cohort"),
    )
}  # fmt: skip


def _gvcfs(wish: argparse.Namespace, bench: Bench) -> None:
    region = SHORT_REGION if wish.quick else wish.region or REGION
    start, end = (int(text.replace(",", "")) for text in region.split(":")[1].split("-"))
    work = Wanted("simulate-gvcfs", QUICK_SAMPLES if wish.quick else wish.samples, region, end - start + 1, "")
    take_turns(work, chosen(GVCFS, None), bench)


def _cohort(wish: argparse.Namespace, bench: Bench) -> None:
    work = Wanted("simulate-cohort", QUICK_SAMPLES if wish.quick else wish.samples, "", 0, "tiny")
    take_turns(work, chosen(COHORTS, None), bench)


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    for samples, region in PLAN[:1] if wish.quick else PLAN:
        _gvcfs(argparse.Namespace(**{**vars(wish), "samples": samples, "region": region}), bench)
    for samples in (QUICK_SAMPLES,) if wish.quick else COHORTS_OF:
        _cohort(argparse.Namespace(**{**vars(wish), "samples": samples}), bench)


SIZES = {"gvcf": "gVCF", "cohort": "whole cohort"}
register(Job("simulate", _all))
register(
    Job("simulate-gvcfs", _gvcfs, "gVCFs made by `cohelix simulate gvcfs`", counted=("records", "records"), sizes=SIZES)
)
register(
    Job(
        "simulate-cohort", _cohort, "A cohort made by `cohelix simulate cohort`",
        counted=("records", "gVCF records"), sizes=SIZES,
    )
)  # fmt: skip
