"""Engines take turns at one work, repeat by repeat, warm and cold; each timed process becomes one JSON line."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Measurement, run
from benchmarks.registry import HERE, Engine, Work

ONCE_S = 300
Line = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """How a run is made. `results`: folder of raw lines, None to print only. `cold`: each turn is taken warm, then
    cold. `lines`: what was recorded so far."""

    scratch: Path
    results: Path | None
    repeats: int
    warm_up: bool
    limit_s: float
    note: str
    cold: bool = False
    lines: list[Line] = field(default_factory=list)


def take_turns(work: Work, engines: list[Engine], bench: Bench) -> None:
    """Warm-up, then A B A B. An engine that takes longer than `ONCE_S` runs once, and that run counts. An engine that
    is not here gets a line that says so."""
    absent = {engine.name: why for engine in engines if (why := engine.missing())}
    record(
        [missing_line(engine, work, absent[engine.name], bench) for engine in engines if engine.name in absent], bench
    )
    done = set(absent)
    for repeat in range(-1 if bench.warm_up else 0, bench.repeats):
        for engine in engines:
            if engine.name in done:
                continue
            if bench.cold:
                bring_into_cache(work.inputs)  # a cold turn ends with them dropped
            lines = one_turn(work, engine, repeat, "warm", bench)
            if lines[-1]["timed_out"] or sum(line["wall_s"] for line in lines) > ONCE_S:
                done.add(engine.name)
                if repeat < 0 and not lines[-1]["timed_out"]:
                    note = f"one run without warm-up, as it takes more than {ONCE_S} s"
                    lines = [line | {"note": "; ".join(filter(None, (note, bench.note)))} for line in lines]
            if repeat >= 0 or engine.name in done:
                record(lines, bench)
            if bench.cold and repeat >= 0 and engine.name not in done:
                record(one_turn(work, engine, repeat, "cold", bench), bench)


def one_turn(work: Work, engine: Engine, repeat: int, cache: str, bench: Bench) -> list[Line]:
    """The lines of an engine's steps, after its output was checked against the work."""
    folder = bench.scratch / engine.name
    folder.mkdir()
    try:
        lines = []
        for step, argv in engine.steps(work, folder):
            took = timed(argv, bench, cold=[*work.inputs, folder] if cache == "cold" else None)
            lines.append(line_of(engine, work, step, max(repeat, 0), took, bench) | {"cache": cache})
            if took.timed_out:
                lines[-1]["note"] = f"stopped at the limit of {bench.limit_s:.0f} s"
                return lines
        counts = engine.counts(folder)
        work.check(engine, counts)
        found: Line = {"counts": counts, "bytes": {**work.sizes, **engine.sizes(folder)}}
        # of a job that makes its records, on stretches of the genome that it chooses
        found |= {to: counts[name] for name, to in (("records", "n_records"), ("bases", "bases")) if name in counts}
        return [line | found for line in lines]
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(bench.scratch / "machine-code", ignore_errors=True)


def timed(argv: list[str], bench: Bench, cold: list[Path] | None = None) -> Measurement:
    """Run a command. `cold`: files and folders that are first dropped from the page cache; Numba then has an empty
    cache too, one for all steps of a turn, as on the first day."""
    env = {**os.environ, "TMPDIR": str(bench.scratch)}
    if cold is not None:
        drop_from_cache(cold)
        env["NUMBA_CACHE_DIR"] = str(bench.scratch / "machine-code")
    return run(argv, env=env, limit_s=bench.limit_s, log=bench.scratch / "log.txt")


def bring_into_cache(paths: list[Path]) -> None:
    """Read all files (and all files in folders) once."""
    for file in _files(paths):
        with file.open("rb") as handle:
            while handle.read(1 << 20):
                pass


def drop_from_cache(paths: list[Path]) -> None:
    """Have the kernel forget the contents of files (and of all files in folders), which takes no privilege. What other
    processes map or write at the moment stays; so do the programs themselves."""
    for file in _files(paths):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)  # a page that is not on disk yet cannot be dropped
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def _files(paths: list[Path]) -> list[Path]:
    return [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]


def line_of(engine: Engine, work: Work, step: str, repeat: int, took: Measurement, bench: Bench) -> Line:
    io = {
        "rchar": took.io.asked_read, "wchar": took.io.asked_written,
        "read_bytes": took.io.disk_read, "write_bytes": took.io.disk_written,
    }  # fmt: skip
    line = _head(engine, work) | {
        "version": engine.version(), "step": step, "wall_s": took.wall_s, "user_s": took.user_s, "sys_s": took.sys_s,
        "peak_rss_mib": took.peak_rss_mib, "io": io, "timed_out": took.timed_out, "repeat": repeat, "cache": "warm",
    }  # fmt: skip
    return line | ({"note": bench.note} if bench.note else {})


def missing_line(engine: Engine, work: Work, why: str, bench: Bench) -> Line:
    return _head(engine, work) | {"missing": why} | ({"note": bench.note} if bench.note else {})


def record(lines: list[Line], bench: Bench) -> None:
    for line in lines:
        text = json.dumps(line)
        print(text, flush=True)
        bench.lines.append(line)
        if bench.results is not None:
            bench.results.mkdir(parents=True, exist_ok=True)
            with (bench.results / f"{line['job']}.jsonl").open("a") as out:
                out.write(text + "\n")


def _head(engine: Engine, work: Work) -> Line:
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout
    settings = getattr(work, "settings", ())  # only made cohorts have some
    head = {
        "commit": commit.strip() or "unknown", "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "host": f"{len(os.sched_getaffinity(0))} cores, {gib:.0f} GiB", "job": work.job, "engine": engine.name,
        "n_samples": work.n_samples, "n_records": work.n_records, "bases": work.bases,
    }  # fmt: skip
    return head | ({"settings": list(settings)} if settings else {})
