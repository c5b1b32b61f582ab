"""Rates for `cohelix estimate` from the raw lines: `.venv/bin/python benchmarks/fit_scale.py`.

For each stage and quantity, rates that are not negative are fitted by least squares (relative errors) to the medians of
the warm runs of the newest commit at the sizes in FITTED, and written to reference/scale/<noun>/1/. The larger sizes in
the same files are left for the check, which a test makes: nothing of them enters here.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from scipy.optimize import nnls

from benchmarks.report import load
from cohelix.joint.schema import SAMPLE_COUNTS, IngestParams
from cohelix.scale import joint, simulate
from cohelix.scale.model import Load, memory_features
from cohelix.scale.sites import harmonic

ROOT = Path(__file__).resolve().parents[1]
Line = dict[str, Any]
FITTED = (50, 100, 250)
CORES = 2  # of the machine that the lines were measured on

# What each quantity may grow with. A rate that the measurements do not ask for comes out as zero, and is left out.
FEATURES = {
    "ingest": {
        "cpu_s": ("one", "records"), "memory_mib": ("one", "records"), "read_bytes": ("one", "input_bytes"),
        "written_bytes": ("one", "records"), "kept_bytes": ("one", "records"),
    },
    "call": {
        "cpu_s": ("one", "records", "sites", "cells"), "memory_mib": ("one", "batch_records", "sites", "cells"),
        "read_bytes": ("one", "records"), "written_bytes": ("one", "sites", "records"),
        "kept_bytes": ("sites", "records"),
    },
    "gvcfs": {
        "cpu_s": ("one", "bases", "samples", "person_bases"), "memory_mib": ("one+worker", "bases"),
        "read_bytes": ("one", "samples", "person_bases"), "written_bytes": ("one", "bases", "samples", "person_bases"),
        "kept_bytes": ("samples", "person_bases"),
    },
}  # fmt: skip
# MiB that are not fitted, as they are too small to be seen at the sizes in FITTED: counts of 8 bytes that a task of the
# call holds for each sample. Taken off before the fit.
KNOWN = {("call", "memory_mib"): {"samples": 8 * len(SAMPLE_COUNTS) / 2**20}}
KEPT = {
    "ingest": ("store", "call store"), "call": ("callset", "callset"), "gvcfs": ("gvcf", "gVCFs"),
    "cohort": ("cohort", "cohort"),
}  # fmt: skip
JOBS = {"joint": "joint-made", "simulate": "simulate-gvcfs"}
# Calls of the same samples with many more rows tell a genotype's cost from a record's. They have no more carriers, so
# they say nothing of the bytes of a callset.
MORE_ROWS = {("call", "cpu_s"): "joint-sites", ("call", "memory_mib"): "joint-sites"}


def joint_loads(line: Line, sites: float | None = None) -> list[Load]:
    """The load of a line of joint-made, as it was; with `sites` in place of those that were found."""
    params, n = IngestParams(), line["n_samples"]
    return joint.loads(
        joint.Cohort(
            n, line["bytes"]["gvcf"] / n, line["n_records"] / n, line["bases"],
            sites if sites is not None else line["counts"]["alleles"],
            params.batch_samples, params.bin_bp, params.stretch_mib << 20,
        )
    )  # fmt: skip


def simulate_loads(line: Line) -> list[Load]:
    return simulate.loads(simulate.Cohort(line["n_samples"], line["bases"]))


def of_job(noun: str, job: str | None = None) -> list[Line]:
    """Warm lines of ours, of the newest commit at each size. `job`: another than the noun's own."""
    lines = warm(job or JOBS[noun])
    newest = {(line["n_samples"], line["bases"]): line["commit"] for line in lines}
    return [line for line in lines if line["commit"] == newest[line["n_samples"], line["bases"]]]


def warm(job: str) -> list[Line]:
    """Warm lines of ours that ended."""
    return [
        line for line in load(ROOT / "benchmarks" / "results")
        if line["job"] == job and line["engine"] == "ours" and "missing" not in line
        and line.get("cache", "warm") == "warm" and not line["timed_out"]
    ]  # fmt: skip


def busy_share(noun: str, step: str) -> float:
    """Of all runs at a fitted size."""
    return busiest([line for line in warm(JOBS[noun]) if line["step"] == step and line["n_samples"] in FITTED])


def busiest(lines: list[Line]) -> float:
    """The largest share of the cores that a run kept busy: other work on the machine can only lower it."""
    return min(1.0, max((line["user_s"] + line["sys_s"]) / line["wall_s"] / CORES for line in lines))


def observed(lines: list[Line], quantity: str, kept: str) -> float | None:
    """Median of the repeats, None where the lines do not have it. kept: name of the bytes of what is kept."""
    look: dict[str, Callable[[Line], float]] = {
        "cpu_s": lambda line: line["user_s"] + line["sys_s"],
        "memory_mib": lambda line: line["peak_rss_mib"],
        "read_bytes": lambda line: line["io"]["rchar"],
        "written_bytes": lambda line: line["io"]["wchar"],
        "kept_bytes": lambda line: line["bytes"][kept],
    }
    try:
        return float(median(look[quantity](line) for line in lines))
    except KeyError:
        return None


def features(load: Load, quantity: str) -> dict[str, float]:
    """Of the whole; for memory those of the tasks that run at a time."""
    if quantity != "memory_mib":
        return {**load.whole, "one": 1.0}
    return memory_features(load, CORES)


def fit(rows: list[tuple[dict[str, float], float]], names: tuple[str, ...]) -> dict[str, float]:
    """Rates of `names`, none negative, for rows of (features, value), by relative least squares.

    A name such as `one+worker` gives both the same rate: the process that hands out work is as large as a worker.
    """
    parts = {name: name.split("+") for name in names}
    grown = [[sum(row[part] for part in parts[name]) for name in names] for row, _ in rows]
    scale = np.max(grown, axis=0)
    values = np.array([value for _, value in rows])
    solved, _ = nnls(np.array(grown) / scale / values[:, None], np.ones(len(rows)))
    rates = zip(names, solved / scale, strict=True)
    return {part: float(rate) for name, rate in rates if rate > 0 for part in parts[name]}


def fit_noun(noun: str, loads: Callable[[Line], list[Load]]) -> str:
    """rates.toml of a noun."""
    small = [line for line in of_job(noun) if line["n_samples"] in FITTED]
    out = head(JOBS[noun], small)
    for number, stage in enumerate(one.stage for one in loads(small[0])):
        of_stage = [line for line in small if line["step"] == stage]
        tables: dict[str, dict[str, float]] = {}
        for quantity, names in FEATURES[stage].items():
            more = of_job(noun, MORE_ROWS[stage, quantity]) if (stage, quantity) in MORE_ROWS else []
            lines = [*of_stage, *(line for line in more if line["n_samples"] in FITTED)]
            rates = _fit_quantity([(line, loads(line)[number]) for line in lines], stage, quantity, names)
            tables |= {quantity: rates} if rates else {}
        out += stage_text(stage, KEPT[stage][1], busy_share(noun, stage), of_stage, f"step {stage}", tables)
    return "\n".join([*out, *_sample(noun, small)])


def head(job: str, lines: list[Line]) -> list[str]:
    """The first lines of a rates.toml. SystemExit where nothing was measured at the sizes that are fitted."""
    if not lines:
        raise SystemExit(f"no lines of {job} at the sizes that are fitted: run benchmarks/jobs.py {job}")
    return [f"# Written by benchmarks/fit_scale.py from benchmarks/results/{job}.jsonl. Not to be edited.", ""]


def stage_text(
    stage: str, keeps: str, busy: float, lines: list[Line], said: str, tables: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """The tables of a stage in a rates.toml. lines: that its rates were fitted to; said: which ones of their file.
    tables: rates by quantity."""
    commits = ", ".join(sorted({line["commit"] for line in lines}))
    which = ", ".join(filter(None, (f"{lines[0]['job']}.jsonl", said, f"commit {commits}")))
    out = [
        f"[stage.{stage}]", f'keeps = "{keeps}"', f"busy = {busy:.3f}",
        f"fitted_at = {sorted({line['n_samples'] for line in lines})}", f'lines = "{which}"', "",
    ]  # fmt: skip
    for quantity, rates in tables.items():
        out += [f"[stage.{stage}.{quantity}]", *(f"{name} = {rate:.6g}" for name, rate in rates.items()), ""]
    return out


def _fit_quantity(
    lines: list[tuple[Line, Load]], stage: str, quantity: str, names: tuple[str, ...]
) -> dict[str, float]:
    """Rates of one quantity from lines and their loads; none where the lines do not have it."""
    rows = []
    for size in dict.fromkeys(_size(line) for line, _ in lines):
        same = [(line, load_) for line, load_ in lines if _size(line) == size]
        rows.append((features(same[-1][1], quantity), observed([line for line, _ in same], quantity, KEPT[stage][0])))
    return fit_rest(rows, names, KNOWN.get((stage, quantity), {}))


def fit_rest(
    rows: list[tuple[dict[str, float], float | None]], names: tuple[str, ...], known: dict[str, float]
) -> dict[str, float]:
    """Rates `known`, and those of `names` fitted to what they leave. None where no row has a value."""
    left = [
        (grown, value - sum(rate * grown[name] for name, rate in known.items()))
        for grown, value in rows if value is not None
    ]  # fmt: skip
    return fit(left, names) | known if left else {}


def repeats(lines: list[Line], key: Callable[[Line], Any]) -> list[list[Line]]:
    """Lines of one key together, in the order in which keys appear."""
    return [[line for line in lines if key(line) == one] for one in dict.fromkeys(map(key, lines))]


def _size(line: Line) -> tuple[str, int, int]:
    return line["job"], line["n_samples"], line["bases"]


def _sample(noun: str, lines: list[Line]) -> list[str]:
    """What a sample of the measured cohorts was like, and the law of the sites."""
    if noun != "joint":
        return ["[sample]", ""]
    largest = max(lines, key=lambda line: line["n_samples"])
    whole = largest["n_samples"] * largest["bases"]
    of_size = {line["n_samples"]: line for line in lines}.values()
    rows = [
        ({"theta": line["bases"] * harmonic(2 * line["n_samples"]), "private": line["bases"] * line["n_samples"]},
         float(line["counts"]["alleles"]))
        for line in of_size
    ]  # fmt: skip
    law = fit([({k: float(v) for k, v in row.items()}, value) for row, value in rows], ("theta", "private"))
    return [
        "[sample]", f"bytes_per_base = {largest['bytes']['gvcf'] / whole:.6g}",
        f"records_per_base = {largest['n_records'] / whole:.6g}", "",
        "[sites]", *(f"{name} = {rate:.6g}" for name, rate in law.items()), "",
    ]  # fmt: skip


def write(noun: str, text: str, job: str, hosts: set[str]) -> None:
    folder = ROOT / "reference" / "scale" / noun / "1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rates.toml").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / "SOURCE.toml").write_text(
        f"# Rates of `cohelix estimate {noun}` as measured; see docs/scale.md. Written by benchmarks/fit_scale.py.\n"
        f'version = "1"\npublisher = "the project"\nlicence = "Apache-2.0"\nhosts = {json.dumps(sorted(hosts))}\n\n'
        f'[[file]]\npath = "rates.toml"\nread_from = "benchmarks/results/{job}.jsonl"\nsha256 = "{digest}"\n'
    )


if __name__ == "__main__":
    from benchmarks import fit_cohort, fit_commands

    for noun, loads in (("joint", joint_loads), ("simulate", simulate_loads)):
        write(noun, fit_noun(noun, loads), JOBS[noun], {line["host"] for line in of_job(noun)})
    of_cohorts = {line["host"] for line in fit_cohort.lines(*fit_cohort.FITTED)}
    write("cohort", fit_cohort.fit_rates(), fit_cohort.JOB, of_cohorts)
    for noun, (job, _) in fit_commands.NOUNS.items():
        hosts = {line["host"] for line in fit_commands.lines(noun, checked=False)}
        write(noun, fit_commands.fit_rates(noun), job, hosts)
