"""The engines, each at its best: the commands that are timed, and how their output is counted afterwards."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads import Workload

HERE = Path(__file__).resolve().parent
CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Engine:
    """`steps` names each timed process and its command; `counts` and `sizes` (bytes) look at what they left."""

    name: str
    version: Callable[[], str]
    steps: Callable[[Workload, Path], list[tuple[str, list[str]]]]
    counts: Callable[[Path], dict[str, Any]]
    sizes: Callable[[Path], dict[str, int]]
    tolerance: (
        float  # by how much the number of alleles may differ from the true one: how an engine counts `*`, and ties
    )


def cohelix(*words: str | Path) -> list[str]:
    return [str(Path(sys.executable).with_name("cohelix")), *map(str, words)]


def _ours_steps(work: Workload, folder: Path) -> list[tuple[str, list[str]]]:
    """Real: one process, as a person with 50 files would do it. Made: the two steps apart, as a cohort grows."""
    store, callset = folder / "x.calls", folder / "y.callset"
    if work.job == "joint-real":
        return [("ingest and call", cohelix("joint", "run", work.manifest, "--calls", store, "-o", callset))]
    return [
        ("ingest", cohelix("joint", "ingest", work.manifest, "-o", store)),
        ("call", cohelix("joint", "call", store, "-o", callset)),
    ]


def _ours_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    callset = folder / "y.callset"
    commit = json.loads(max((callset / "_commit").glob("*.json")).read_text())
    shards = commit["meta"]["shards"]
    copies = {"n_het": 1, "n_hom_alt": 2, "n_haploid_alt": 1}
    sites = [pq.read_table(callset / shard["sites"], columns=list(copies)) for shard in shards]
    # an alternate beside a deletion (`1/*`) or beside nothing (`1/.`) is a missing hard call, in a table apart
    partial = [pq.read_table(callset / shard["partial"]) for shard in shards if shard["partial"]]
    return {
        "samples": commit["meta"]["n_samples"],
        "alleles": sum(table.num_rows for table in sites),
        "alt_copies": sum(n * (pc.sum(table[name]).as_py() or 0) for table in sites for name, n in copies.items())
        + sum(table[side].to_pylist().count("1") for table in partial for side in ("first", "second")),
    }


def _ours_version() -> str:
    import cohelix as package

    return package.__version__


def _bcftools_steps(work: Workload, folder: Path) -> list[tuple[str, list[str]]]:
    """Real: all records, as a person would type it. Made: only sites with a variant are written, to the good of
    bcftools: with its reference rows, a merge of 1,000 samples would write tens of gigabytes."""
    listing, out = work.manifest.with_suffix(".list"), folder / "merged.vcf.gz"
    merge = ["bcftools", "merge", "--gvcf", "-", "-l", str(listing)]
    if work.job == "joint-real":
        return [("merge", [*merge, "-Oz", "--threads", str(CORES), "-o", str(out)])]
    view = ["bcftools", "view", "-i", "N_ALT>1", "-Oz", "--threads", str(CORES), "-o", str(out)]
    return [("merge", ["bash", "-c", f"set -o pipefail; {shlex.join([*merge, '-Ou'])} | {shlex.join(view)}"])]


def _bcftools_counts(folder: Path) -> dict[str, Any]:
    out = str(folder / "merged.vcf.gz")
    alts = subprocess.run(["bcftools", "query", "-f", "%ALT\n", out], capture_output=True, text=True, check=True).stdout
    samples = subprocess.run(["bcftools", "query", "-l", out], capture_output=True, text=True, check=True).stdout
    alleles = [alt for line in alts.split() for alt in line.split(",") if alt[0] not in "<*."]
    return {"samples": len(samples.split()), "alleles": len(alleles)}


def _bcftools_version() -> str:
    return subprocess.run(["bcftools", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


def _hail_steps(work: Workload, folder: Path) -> list[tuple[str, list[str]]]:
    wishes = {"list": work.manifest.with_suffix(".list"), "out": folder, "contig": work.contig, "start": work.start,
              "end": work.end, "parts": work.parts}  # fmt: skip
    words = [word for key, value in wishes.items() for word in (f"--{key}", str(value))]
    return [("combine and densify", [sys.executable, str(HERE / "peers" / "hail_joint.py"), *words])]


def _hail_counts(folder: Path) -> dict[str, Any]:
    counts: dict[str, Any] = json.loads((folder / "counts.json").read_text())
    return counts


def _hail_version() -> str:
    from importlib.metadata import version

    return re.sub(r"\+.*", "", version("hail"))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def _sizes(**named: str) -> Callable[[Path], dict[str, int]]:
    return lambda folder: {name: size_of(folder / path) for name, path in named.items()}


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("ours", _ours_version, _ours_steps, _ours_counts, _sizes(store="x.calls", callset="y.callset"), 0.0),
        Engine("bcftools", _bcftools_version, _bcftools_steps, _bcftools_counts, _sizes(vcf="merged.vcf.gz"), 0.02),
        Engine(
            "hail", _hail_version, _hail_steps, _hail_counts, _sizes(vds="cohort.vds", matrix_table="cohort.mt"), 0.03
        ),
    )
}
