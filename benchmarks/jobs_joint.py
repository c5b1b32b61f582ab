"""Jobs of the joint call: real gVCFs, made gVCFs of growing cohorts, and more samples onto a store."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import programs, workloads
from benchmarks.programs import CORES, cohelix, size_of, sizes_of
from benchmarks.registry import HERE, Engine, Job, chosen, register
from benchmarks.turns import Bench, line_of, record, take_turns, timed
from benchmarks.workloads import Workload

REGION = "chr22:20,000,001-22,000,000"
QUICK_REGION = "chr22:20,000,001-20,200,000"
SEED = 1
ADDED = 10  # samples of the N+1 job
# (samples, engines). Hail on 50 only, to keep the whole within an hour or two. 50 to 250 are what the scale model is
# fitted to, 500 and 1,000 what it is checked with.
PLAN = ((50, "ours,bcftools,hail"), (100, "ours"), (250, "ours,bcftools"), (500, "ours"), (1000, "ours,bcftools"))
QUICK_SAMPLES = 20
FORCED, QUICK_FORCED = 50_000, 2_000  # rows of the job with more rows

SIZES = {
    "gvcf": "gVCF (input)", "store": "call store (ours)", "callset": "callset (ours)", "vcf": "merged VCF (bcftools)",
    "vds": "VDS (Hail)", "matrix_table": "MatrixTable (Hail)",
}  # fmt: skip


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


def _hail_steps(work: Workload, folder: Path) -> list[tuple[str, list[str]]]:
    wishes = {"list": work.manifest.with_suffix(".list"), "out": folder, "contig": work.contig, "start": work.start,
              "end": work.end, "parts": work.parts}  # fmt: skip
    words = [word for key, value in wishes.items() for word in (f"--{key}", str(value))]
    return [("combine and densify", [sys.executable, str(HERE / "peers" / "hail_joint.py"), *words])]


def _hail_counts(folder: Path) -> dict[str, Any]:
    counts: dict[str, Any] = json.loads((folder / "counts.json").read_text())
    return counts


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "ours", programs.cohelix_version, _ours_steps, _ours_counts,
            sizes_of(store="x.calls", callset="y.callset"),
        ),
        Engine(
            "bcftools", programs.bcftools_version, _bcftools_steps, _bcftools_counts, sizes_of(vcf="merged.vcf.gz"),
            missing=programs.lacks_program("bcftools"), tolerance=0.02,
        ),
        Engine(
            "hail", programs.hail_version, _hail_steps, _hail_counts,
            sizes_of(vds="cohort.vds", matrix_table="cohort.mt"), missing=programs.lacks_hail, tolerance=0.03,
        ),
    )
}  # fmt: skip


def _joint(wish: argparse.Namespace, bench: Bench) -> None:
    if not wish.quick:
        _real(wish, bench)
    largest = QUICK_SAMPLES if wish.quick else max(samples for samples, _ in PLAN)
    wish = argparse.Namespace(
        **{**vars(wish), "cohort": wish.cohort or _simulate(largest + ADDED, bench.scratch, wish)}
    )
    for samples, engines in [(largest, wish.engines)] if wish.quick else PLAN:
        sized = argparse.Namespace(**{**vars(wish), "samples": samples, "engines": engines})
        _made(sized, bench)
        if samples <= 250:
            _forced(sized, bench)
    _n_plus_1(argparse.Namespace(**{**vars(wish), "samples": largest}), bench)


def _real(wish: argparse.Namespace, bench: Bench) -> None:
    if not workloads.REAL.is_dir():
        print("# joint-real is left out: the real gVCFs are not here", file=sys.stderr)
        return
    take_turns(workloads.real(bench.scratch), chosen(ENGINES, wish.engines), bench)


def _made(wish: argparse.Namespace, bench: Bench) -> None:
    cohort = wish.cohort or _simulate(wish.samples, bench.scratch, wish)
    work = workloads.made(cohort, bench.scratch, _region(wish), 0, wish.samples)
    take_turns(work, chosen(ENGINES, wish.engines), bench)


def _n_plus_1(wish: argparse.Namespace, bench: Bench) -> None:
    """`ADDED` samples onto a store of N, and the call of all; the store of N is made once, then linked."""
    n, ours = wish.samples, ENGINES["ours"]
    cohort = wish.cohort or _simulate(n + ADDED, bench.scratch, wish)
    base, added, both = (
        workloads.made(cohort, bench.scratch, _region(wish), low, high)
        for low, high in ((0, n), (n, n + ADDED), (0, n + ADDED))
    )
    made = bench.scratch / "base"
    made.mkdir()
    timed(ours.steps(base, made)[0][1], bench)
    for repeat in range(bench.repeats):
        folder = bench.scratch / "more"
        shutil.copytree(made / "x.calls", folder / "x.calls", copy_function=os.link)
        lines = []
        for step, argv in [("ingest", ours.steps(added, folder)[0][1]), ("call", ours.steps(both, folder)[1][1])]:
            lines.append(
                line_of(ours, added, step, repeat, timed(argv, bench), bench) | {"job": "joint-n-plus-1", "onto": n}
            )
        counts = ours.counts(folder)
        both.check(ours, counts)
        record([line | {"counts": counts} for line in lines], bench)
        shutil.rmtree(folder)
    shutil.rmtree(made)


def _forced(wish: argparse.Namespace, bench: Bench) -> None:
    """A call of N samples with many more rows: what a genotype costs, apart from what a record does."""
    ours, n = ENGINES["ours"], wish.samples
    cohort = wish.cohort or _simulate(n, bench.scratch, wish)
    work = workloads.made(cohort, bench.scratch, _region(wish), 0, n)
    made = bench.scratch / "base"
    made.mkdir()
    timed(ours.steps(work, made)[0][1], bench)
    more = workloads.forced(work, cohort, made / "x.calls", QUICK_FORCED if wish.quick else FORCED, bench.scratch)
    take_turns(more, [replace(ours, steps=_forced_steps, sizes=sizes_of(callset="y.callset"))], bench)
    shutil.rmtree(made)


def _forced_steps(work: workloads.Forced, folder: Path) -> list[tuple[str, list[str]]]:
    return [("call", cohelix("joint", "call", work.store, "-o", folder / "y.callset", "--sites", work.wanted))]


def _simulate(samples: int, scratch: Path, wish: argparse.Namespace) -> Path:
    folder = scratch / "cohort"
    if not folder.exists():
        words = ("-o", folder, "--samples", str(samples), "--region", _region(wish), "--seed", str(SEED))
        subprocess.run(cohelix("simulate", "gvcfs", *words), check=True)
        print(f"# made {samples} gVCFs, {size_of(folder / 'gvcfs') / 2**20:.0f} MiB", file=sys.stderr)
    return folder


def _region(wish: argparse.Namespace) -> str:
    return wish.region or (QUICK_REGION if wish.quick else REGION)


register(Job("joint", _joint))
register(Job("joint-real", _real, "Joint call of 50 real gVCFs (1000 Genomes, start of chr22)", sizes=SIZES))
register(Job("joint-made", _made, "Joint call of made gVCFs (`cohelix simulate gvcfs`)", sizes=SIZES))
register(Job("joint-n-plus-1", _n_plus_1, "More samples onto a call store that exists", sizes=SIZES))
register(Job("joint-sites", _forced, "Joint call with a row for each of many given alleles (`--sites`)", sizes=SIZES))
