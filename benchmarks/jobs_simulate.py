"""Jobs of the simulator. No other program makes such cohorts: what is measured is how cost grows with people."""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import programs
from benchmarks.programs import CORES, cohelix, size_of
from benchmarks.registry import Engine, Job, chosen, register
from benchmarks.turns import Bench, take_turns

SEED = 1
REGION = "chr22:20,000,001-22,000,000"
SHORT_REGION = "chr22:20,000,001-20,200,000"
# (people, region): two lengths, so that what a person costs is told from what a base does; the last is for the check.
PLAN = ((50, REGION), (100, REGION), (50, SHORT_REGION), (250, SHORT_REGION), (500, SHORT_REGION))
QUICK_SAMPLES = 20
SIZE = "tiny"


def settings(count: int, bases: int, haplotypes: int, training: int, genotypes: str) -> tuple[str, ...]:
    """Words for `--set`."""
    named = {
        "region_count": count, "region_bases": bases, "haplotypes": haplotypes, "traits.training": training,
        "genotypes": f'"{genotypes}"',
    }  # fmt: skip
    return tuple(f"simulate.{name}={value}" for name, value in named.items())


# (people, settings): each of what a cohort's cost grows with is changed while others stay. The last two are for the
# check: more people than in any other, with settings between theirs.
COHORTS = (
    (24, settings(22, 1500, 60, 0, "callset")),
    (24, settings(66, 1500, 60, 0, "callset")),
    (24, settings(22, 3000, 300, 0, "callset")),
    (24, settings(22, 3000, 60, 1000, "callset")),
    (192, settings(22, 1500, 60, 0, "callset")),
    (192, settings(66, 3000, 60, 0, "callset")),
    (48, settings(22, 1500, 60, 0, "gvcf")),
    (192, settings(22, 1500, 60, 200, "gvcf")),
    (96, settings(66, 1500, 100, 200, "gvcf")),
    (96, settings(22, 3000, 100, 200, "gvcf")),
    (576, settings(44, 2000, 120, 400, "gvcf")),
    (960, settings(44, 2000, 120, 400, "callset")),
)


@dataclass(frozen=True)
class Wanted:
    """A cohort to make. bases: of its regions; 0 where the command chooses them (a named size). settings: words for
    `--set`, which each line keeps."""

    job: str
    n_samples: int
    region: str
    bases: int
    size: str
    settings: tuple[str, ...] = ()

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
    chosen_ = [word for setting in work.settings for word in ("--set", setting)]
    return [("cohort", cohelix("simulate", "cohort", "-o", folder / "cohort", *words, *chosen_))]


def _gvcf_counts(folder: Path) -> dict[str, Any]:
    return _counted(folder / "cohort" / "manifest.tsv")


def _cohort_counts(folder: Path) -> dict[str, Any]:
    """Samples, records of their gVCFs (rows of the callset where there are none), rows of all genotypes, and what the
    regions came to."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    cohort = folder / "cohort"
    regions = json.loads((cohort / "cohort.json").read_text())["regions"]
    spans = (region.split(":")[1].split("-") for region in regions)
    found = {"bases": sum(int(end) - int(start) + 1 for start, end in spans), "regions": len(regions)}
    if (manifest := cohort / "wgs" / "manifest.tsv").exists():
        with (cohort / "truth" / "genotypes.pvar").open() as lines:
            return _counted(manifest) | found | {"sites": sum(not line.startswith("#") for line in lines)}
    from cohelix import dataset

    kinds = pq.read_table(cohort / "truth" / "samples.parquet", columns=["kind"]).column("kind")
    sites = dataset.open_existing(str(cohort / "cohort.callset"), "callset").meta["n_sites"]
    return {"samples": pc.sum(pc.equal(kinds, "wgs")).as_py(), "records": sites, "sites": sites} | found


def _counted(manifest: Path) -> dict[str, Any]:
    """Samples of a manifest, and the records of all their gVCFs, from the indexes."""
    from cohelix.scale.inputs import indexed_records

    with manifest.open() as lines:
        paths = [manifest.parent / row["path"] for row in csv.DictReader(lines, delimiter="\t")]
    return {"samples": len(paths), "records": sum(indexed_records(str(path)) or 0 for path in paths)}


def _gvcf_sizes(folder: Path) -> dict[str, int]:
    return {"gvcf": sum(size_of(path) for path in (folder / "cohort" / "gvcfs").glob("*.gz"))}


def _cohort_sizes(folder: Path) -> dict[str, int]:
    """What each stage leaves; of people, gVCFs and arrays by themselves."""
    cohort = folder / "cohort"
    of_panel = ("arrays/manifest.csv", "truth/array_markers.parquet", "truth/effects.parquet")
    found = {
        "panel": size_of(cohort / "reference") + sum(size_of(cohort / name) for name in of_panel),
        "training": size_of(cohort / "prs"), "gvcf": size_of(cohort / "wgs"),
        "arrays": size_of(cohort / "arrays") - size_of(cohort / "arrays" / "manifest.csv"),
        "genotypes": sum(size_of(path) for path in (cohort / "truth").glob("genotypes.*"))
        + size_of(cohort / "cohort.callset"),
    }  # fmt: skip
    whole = size_of(cohort)
    return {**found, "people": whole - sum(found.values()), "cohort": whole}


GVCFS = {"ours": Engine("ours", programs.cohelix_version, _gvcfs_steps, _gvcf_counts, _gvcf_sizes)}
MAKERS = {
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
    """One cohort with the settings of `--set`; without any, all of the plan."""
    asked = [(QUICK_SAMPLES, ())] if wish.quick else [(wish.samples, tuple(wish.set))] if wish.set else COHORTS
    for samples, words in asked:
        take_turns(Wanted("simulate-cohort", samples, "", 0, SIZE, words), chosen(MAKERS, None), bench)


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    for samples, region in PLAN[:1] if wish.quick else PLAN:
        _gvcfs(argparse.Namespace(**{**vars(wish), "samples": samples, "region": region}), bench)
    _cohort(argparse.Namespace(**{**vars(wish), "set": []}), bench)


SIZES = {"gvcf": "gVCF"}
COHORT_SIZES = {
    "gvcf": "gVCFs", "arrays": "arrays", "people": "records and truth", "genotypes": "genotypes",
    "cohort": "whole cohort",
}  # fmt: skip
register(Job("simulate", _all))
register(
    Job("simulate-gvcfs", _gvcfs, "gVCFs made by `cohelix simulate gvcfs`", counted=("records", "records"), sizes=SIZES)
)
register(
    Job(
        "simulate-cohort", _cohort, "A cohort made by `cohelix simulate cohort`",
        counted=("records", "gVCF records, or sites"), sizes=COHORT_SIZES,
    )
)  # fmt: skip
