"""Rates for `cohelix estimate` of commands on a callset, star alleles and releases, which `fit_scale.py` writes.

Each command is a step of its own in the lines of `jobs_scale.py`, so the rates of each are fitted by themselves, to the
sizes of the plan that are not left for the check.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import fit_scale, jobs_scale
from benchmarks.cohorts import BASES, CHROMOSOMES
from benchmarks.fit_scale import Line
from cohelix.pgx.schema import CallParams
from cohelix.prs.schema import ScoreParams
from cohelix.relatedness.schema import RelatednessParams
from cohelix.release.schema import ReleaseParams
from cohelix.scale import commands
from cohelix.scale.model import Load

Laws = dict[str, tuple[str, ...]]


def _of_callset(cpu: tuple[str, ...], kept: tuple[str, ...], read: tuple[str, ...] = ("one", "sites", "cells")) -> Laws:
    """What the quantities of a command on a callset may grow with."""
    return {
        "cpu_s": ("one", *cpu), "memory_mib": ("one", "samples", "sites"), "read_bytes": read,
        "written_bytes": ("one", *kept), "kept_bytes": ("one", *kept),
    }  # fmt: skip


def _of_release() -> Laws:
    """People have rows in proportion in the lines, so rows stand for both."""
    grown = ("one", "rows", "sites", "cells")
    return {"cpu_s": grown, "memory_mib": ("one", "block_rows"), "read_bytes": grown, "written_bytes": grown,
            "kept_bytes": grown}  # fmt: skip


_OF_PEOPLE = dict.fromkeys(("cpu_s", "memory_mib", "read_bytes", "written_bytes", "kept_bytes"), ("one", "samples"))
TABLES, SCORES = ("sites",), ("samples",)
_PAIRS = ("samples", "cells", "pair_sites")
NOUNS: dict[str, tuple[str, dict[str, tuple[str, Laws]]]] = {
    "qc": (jobs_scale.CALLSET, {
        "variants": ("tables of variants", _of_callset(("sites", "cells"), TABLES)),
        "groups": ("tables of variants", _of_callset(("sites", "cells"), TABLES)),
        "samples": ("tables of samples", _of_callset(("samples", "sites", "cells"), SCORES)),
    }),
    "relatedness": (jobs_scale.CALLSET, {
        "screened": ("pairs", _of_callset(_PAIRS, SCORES, ("one", "cells"))),
        "all-pairs": ("pairs", _of_callset(_PAIRS, SCORES, ("one", "cells")) | {"written_bytes": ("one", "cells")}),
    }),
    "ancestry": (jobs_scale.CALLSET, {
        "select": ("callset", _of_callset(("sites", "cells", "window_cells"), ("sites", "cells"))),
        "fit": ("components", _of_callset(("samples", "pass_sites", "pass_cells"), ("samples", "sites"),
                                          ("one", "sites", "pass_cells"))),
        "project": ("components", _of_callset(("samples", "cells", "panel_pairs"), SCORES)),
        "assign": ("groups", _OF_PEOPLE),
    }),
    "prs": (jobs_scale.SCORES, {
        "score": ("scores", {
            "cpu_s": ("one", "weights", "products", "cells", "sums"),
            "memory_mib": ("one", "sites", "samples", "held_weights", "held_sums"),
            "read_bytes": ("one", "weights", "cells", "sums", "part_sums"),
            "written_bytes": ("one", "sites", "weights", "sums", "part_sums"),
            "kept_bytes": ("one", "weights", "sums"),
        }),
    }),
    "pgx": (jobs_scale.PGX, {
        "extract": ("genotypes", _OF_PEOPLE),
        "call": ("calls", _OF_PEOPLE | {
            "memory_mib": ("one", "patterns", "block_samples")}),
    }),
    "release": (jobs_scale.RELEASE, {
        "public": ("release", _of_release() | {
            "memory_mib": ("one", "samples", "block_rows"), "kept_bytes": ("one", "concepts", "rows", "sites")}),
        "registered": ("release", _of_release()), "controlled": ("release", _of_release()),
    }),
}  # fmt: skip

# MiB that are not fitted, as they are too small to be seen at these sizes: half a kilobyte that a release holds of each
# person, as measured at a million. Taken off before the fit.
KNOWN = {("registered", "memory_mib"): {"samples": 5e-4}, ("controlled", "memory_mib"): {"samples": 5e-4}}


def lines(noun: str, *, checked: bool) -> list[Line]:
    """Warm lines of a noun's steps at sizes that are left for the check, or at the others; of the newest commit."""
    job, stages = NOUNS[noun]
    sizes = {(size.people, size.sites) for size in jobs_scale.PLAN[job] if size.is_checked == checked}
    found = [line for line in fit_scale.warm(job) if line["step"] in stages and _place(line) in sizes]
    newest = {_key(line): line["commit"] for line in found}
    return [line for line in found if line["commit"] == newest[_key(line)]]


def _place(line: Line) -> tuple[int, int]:
    return line["n_samples"], int(settings(line).get("sites", 0))


def _key(line: Line) -> tuple[str, int, tuple[str, ...]]:
    return line["step"], line["n_samples"], tuple(line["settings"])


def settings(line: Line) -> dict[str, float]:
    return {name: float(value) for name, _, value in (word.partition("=") for word in line["settings"])}


def load(noun: str, line: Line) -> Load:
    """What the step of a line was given."""
    n, said, step = line["n_samples"], settings(line), line["step"]
    sites = int(said.get("sites", 0))
    makers: dict[str, Callable[[], list[Load]]] = {
        "qc": lambda: commands.qc(n, sites, groups=step == "groups"),
        "relatedness": lambda: commands.relatedness(
            n, sites, RelatednessParams().screen_sites, all_pairs=step == "all-pairs"
        ),
        "ancestry": lambda: commands.ancestry(n, sites, n, line["counts"]["passes"], BASES * CHROMOSOMES),
        "prs": lambda: commands.prs(n, sites, int(said["scores"]), int(said["weights"]), ScoreParams().memory_mib),
        "pgx": lambda: commands.pgx(n, CallParams().block_people),
        "release": lambda: commands.release(n, sites, int(said["rows"]), (step,), ReleaseParams().tables_rows),
    }
    return next(one for one in makers[noun]() if one.stage == step)


def observed(found: list[Line], quantity: str) -> float | None:
    """Median of the repeats of one step. None where the step leaves nothing."""
    return fit_scale.observed(found, quantity, found[0]["step"])


def repeats(found: list[Line]) -> list[list[Line]]:
    """Lines of one step at one size together."""
    return fit_scale.repeats(found, _key)


def fit_rates(noun: str) -> str:
    """rates.toml."""
    job, stages = NOUNS[noun]
    small = lines(noun, checked=False)
    out = fit_scale.head(job, small)
    for stage, (keeps, laws) in stages.items():
        of_stage = [line for line in small if line["step"] == stage]
        tables = {}
        for quantity, names in laws.items():
            rows = [
                (fit_scale.features(load(noun, same[0]), quantity), observed(same, quantity))
                for same in repeats(of_stage)
            ]
            if rates := fit_scale.fit_rest(rows, names, KNOWN.get((stage, quantity), {})):
                tables[quantity] = rates
        out += fit_scale.stage_text(stage, keeps, fit_scale.busiest(of_stage), of_stage, f"step {stage}", tables)
    return "\n".join([*out, "[sample]", ""])
