"""End-to-end jobs, ours and the peers' side by side: `.venv/bin/python benchmarks/jobs.py joint [--quick]`.

    jobs.py joint-real                          50 real gVCFs
    jobs.py joint-made --samples 250            made gVCFs of 2 Mb; --cohort DIR takes a cohort that exists
    jobs.py joint-n-plus-1 --samples 1000       10 more samples onto a store
    jobs.py joint                               all of it, as `PLAN` says; --quick: minutes, and nothing is recorded

Every engine is warmed up once; then the engines take turns, repeat by repeat. One JSON line for each timed process goes
to benchmarks/results/<job>.jsonl; `report.py` makes RESULTS.md of them. What an engine wrote is counted and compared
with what is known of the input; a wrong count ends the run. Scratch lies in a temporary folder that is removed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report
import workloads
from engines import ENGINES, Engine, cohelix, size_of
from measure import Measurement, run
from workloads import Workload

REGION = "chr22:20,000,001-22,000,000"
QUICK_REGION = "chr22:20,000,001-20,200,000"
SEED = 1
ADDED = 10  # samples of the N+1 job
ALL = "ours,bcftools,hail"
ONCE_S = 300
# (samples, engines). Hail on 50 only, to keep the whole within an hour or two.
PLAN = ((50, ALL), (250, "ours,bcftools"), (500, "ours"), (1000, "ours,bcftools"))


@dataclass(frozen=True)
class Bench:
    """How a run is made. `results`: folder of raw lines, None to print only."""

    scratch: Path
    results: Path | None
    repeats: int
    warm_up: bool
    limit_s: float
    note: str


def main(words: list[str] | None = None) -> None:
    wish = _parser().parse_args(words)
    scratch = Path(tempfile.mkdtemp(prefix="cohelix-bench-", dir=wish.scratch))
    try:
        results = None if wish.quick else wish.results
        bench = Bench(scratch, results, 1 if wish.quick else wish.repeats, not wish.quick, wish.limit, wish.note)
        {"joint": _joint, "joint-real": _real, "joint-made": _made, "joint-n-plus-1": _n_plus_1}[wish.job](wish, bench)
        if results is not None:
            report.write(results)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _joint(wish: argparse.Namespace, bench: Bench) -> None:
    _real(wish, bench)
    largest = 20 if wish.quick else max(samples for samples, _ in PLAN)
    wish.cohort = wish.cohort or _simulate(largest + ADDED, bench.scratch, wish)
    for samples, engines in [(largest, ALL)] if wish.quick else PLAN:
        _made(argparse.Namespace(**{**vars(wish), "samples": samples, "engines": engines}), bench)
    _n_plus_1(argparse.Namespace(**{**vars(wish), "samples": largest, "engines": "ours"}), bench)


def _real(wish: argparse.Namespace, bench: Bench) -> None:
    take_turns(workloads.real(bench.scratch), _chosen(wish), bench)


def _made(wish: argparse.Namespace, bench: Bench) -> None:
    cohort = wish.cohort or _simulate(wish.samples, bench.scratch, wish)
    take_turns(workloads.made(cohort, bench.scratch, _region(wish), 0, wish.samples), _chosen(wish), bench)


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
    _time(ours.steps(base, made)[0][1], bench)
    for repeat in range(bench.repeats):
        folder = bench.scratch / "more"
        shutil.copytree(made / "x.calls", folder / "x.calls", copy_function=os.link)
        lines = []
        for step, argv in [("ingest", ours.steps(added, folder)[0][1]), ("call", ours.steps(both, folder)[1][1])]:
            lines.append(
                _line(ours, added, step, repeat, _time(argv, bench), bench) | {"job": "joint-n-plus-1", "onto": n}
            )
        counts = _checked(ours, both, folder)
        _record([line | {"counts": counts} for line in lines], bench)
        shutil.rmtree(folder)
    shutil.rmtree(made)


def take_turns(work: Workload, engines: list[Engine], bench: Bench) -> None:
    """Warm-up, then A B A B. An engine that takes longer than `ONCE_S` runs once, and that run counts."""
    done: set[str] = set()
    for repeat in range(-1 if bench.warm_up else 0, bench.repeats):
        for engine in engines:
            if engine.name in done:
                continue
            lines = _one_turn(work, engine, repeat, bench)
            if lines[-1]["timed_out"] or sum(line["wall_s"] for line in lines) > ONCE_S:
                done.add(engine.name)
                if repeat < 0 and not lines[-1]["timed_out"]:
                    note = f"one run without warm-up, as it takes more than {ONCE_S} s"
                    lines = [line | {"note": "; ".join(filter(None, (note, bench.note)))} for line in lines]
            if repeat >= 0 or engine.name in done:
                _record(lines, bench)


def _one_turn(work: Workload, engine: Engine, repeat: int, bench: Bench) -> list[dict[str, Any]]:
    folder = bench.scratch / engine.name
    folder.mkdir()
    try:
        lines = []
        for step, argv in engine.steps(work, folder):
            took = _time(argv, bench)
            lines.append(_line(engine, work, step, max(repeat, 0), took, bench))
            if took.timed_out:
                lines[-1]["note"] = f"stopped at the limit of {bench.limit_s:.0f} s"
                return lines
        found = {"counts": _checked(engine, work, folder), "bytes": {"gvcf": work.gvcf_bytes, **engine.sizes(folder)}}
        return [line | found for line in lines]
    finally:
        shutil.rmtree(folder)


def _checked(engine: Engine, work: Workload, folder: Path) -> dict[str, Any]:
    """Counts of the output. Raises AssertionError where they are not those of the input."""
    counts = engine.counts(folder)
    assert counts["samples"] == work.n_samples, f"{engine.name}: {counts['samples']} samples, not {work.n_samples}"
    # Real files hold alternates that no sample is called with: whether they are alleles is a matter of policy.
    allowed = max(engine.tolerance, 0.02 if work.alt_copies is None else 0.0) * work.alleles
    assert abs(counts["alleles"] - work.alleles) <= allowed, (
        f"{engine.name}: {counts['alleles']} alleles, not {work.alleles}"
    )
    if work.alt_copies is not None and "alt_copies" in counts:
        assert counts["alt_copies"] == work.alt_copies, (
            f"{engine.name}: {counts['alt_copies']} copies, not {work.alt_copies}"
        )
    return counts


def _time(argv: list[str], bench: Bench) -> Measurement:
    env = {**os.environ, "TMPDIR": str(bench.scratch)}
    return run(argv, env=env, limit_s=bench.limit_s, log=bench.scratch / "log.txt")


def _line(engine: Engine, work: Workload, step: str, repeat: int, took: Measurement, bench: Bench) -> dict[str, Any]:
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
    ).stdout
    line: dict[str, Any] = {
        "commit": commit.strip(), "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "host": f"{len(os.sched_getaffinity(0))} cores, {gib:.0f} GiB", "job": work.job, "engine": engine.name,
        "version": engine.version(), "step": step, "n_samples": work.n_samples, "n_records": work.n_records,
        "bases": work.end - work.start + 1, "wall_s": took.wall_s, "user_s": took.user_s, "sys_s": took.sys_s,
        "peak_rss_mib": took.peak_rss_mib, "timed_out": took.timed_out, "repeat": repeat,
    }  # fmt: skip
    return line | ({"note": bench.note} if bench.note else {})


def _record(lines: list[dict[str, Any]], bench: Bench) -> None:
    for line in lines:
        text = json.dumps(line)
        print(text, flush=True)
        if bench.results is not None:
            bench.results.mkdir(parents=True, exist_ok=True)
            with (bench.results / f"{line['job']}.jsonl").open("a") as out:
                out.write(text + "\n")


def _simulate(samples: int, scratch: Path, wish: argparse.Namespace) -> Path:
    folder = scratch / "cohort"
    words = ("-o", folder, "--samples", str(samples), "--region", _region(wish), "--seed", str(SEED))
    subprocess.run(cohelix("simulate", "gvcfs", *words), check=True)
    print(f"# made {samples} gVCFs, {size_of(folder / 'gvcfs') / 2**20:.0f} MiB", file=sys.stderr)
    return folder


def _region(wish: argparse.Namespace) -> str:
    return QUICK_REGION if wish.quick else str(wish.region)


def _chosen(wish: argparse.Namespace) -> list[Engine]:
    return [ENGINES[name] for name in wish.engines.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=["joint", "joint-real", "joint-made", "joint-n-plus-1"])
    parser.add_argument("--engines", default=ALL)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one repeat on little data, printed and not recorded")
    parser.add_argument(
        "--cohort", type=Path, help="a folder of `cohelix simulate gvcfs`, with as many samples or more"
    )
    parser.add_argument("--region", default=REGION, help="that of the made cohort")
    parser.add_argument("--limit", type=float, default=1200, help="seconds after which a process is stopped")
    parser.add_argument("--note", default="", help="a remark for every line of this run")
    parser.add_argument("--results", type=Path, default=Path(__file__).resolve().parent / "results")
    parser.add_argument("--scratch", type=Path, help="where temporary files go; default: TMPDIR")
    return parser


if __name__ == "__main__":
    main()
