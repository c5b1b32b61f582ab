"""How time and memory grow with people and with sites: `.venv/bin/python benchmarks/plot_growth.py`.

Draws benchmarks/growth-people.svg and growth-sites.svg from the raw lines of the jobs of relatedness and ancestry: CPU
time (user and system) and peak memory, medians of the warm repeats, ours and the peers', on logarithmic axes; and
growth-star-alleles.svg from those of star-allele calling: distinct patterns, CPU time of each step, and peak memory.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import HERE, load

JOBS = {
    "ancestry-ld": "linkage pruning", "ancestry-pca": "10 components", "relatedness-king": "kinship, all pairs",
    "relatedness-estimate": "kinship, screened",
}  # fmt: skip
STYLES = {"ours": ("#1b6ca8", "o", "cohelix"), "plink2": ("#c2571a", "s", "plink2"), "hail": ("#5a8f3c", "^", "Hail")}
QUANTITIES = (("CPU seconds", "cpu"), ("peak memory, MiB", "memory"))
Points = dict[tuple[str, str], dict[tuple[int, int], dict[str, float]]]


def points(lines: list[dict[str, Any]]) -> Points:
    """(job, engine) -> (people, sites) -> cpu (s) and memory (MiB) of all steps together."""
    turns: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if line["job"] in JOBS and "missing" not in line and not line["timed_out"] and line["cache"] == "warm":
            turns[line["job"], line["engine"], line["n_samples"], line["n_records"], line["repeat"]].append(line)
    found: dict[Any, dict[Any, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for (job, engine, people, sites, _), of_turn in turns.items():
        cpu = sum(line["user_s"] + line["sys_s"] for line in of_turn)
        found[job, engine][people, sites].append((cpu, max(line["peak_rss_mib"] for line in of_turn)))
    return {key: {size: _medians(runs) for size, runs in at.items()} for key, at in found.items()}


def _medians(runs: list[tuple[float, float]]) -> dict[str, float]:
    return {"cpu": median(cpu for cpu, _ in runs), "memory": median(memory for _, memory in runs)}


def series(at: dict[tuple[int, int], dict[str, float]], axis: int, quantity: str) -> tuple[list[int], list[float]]:
    """What grows along one axis while the other stays at the value that most sizes share."""
    others = [size[1 - axis] for size in at]
    fixed = max(set(others), key=lambda other: (others.count(other), other))
    rows = sorted((size[axis], values[quantity]) for size, values in at.items() if size[1 - axis] == fixed)
    return [where for where, _ in rows], [value for _, value in rows]


def draw(found: Points, axis: int, path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "cohelix"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(QUANTITIES), len(JOBS), figsize=(14, 6.2), sharex=True, squeeze=False)
    for column, (job, title) in enumerate(JOBS.items()):
        for row, (label, quantity) in enumerate(QUANTITIES):
            place = axes[row][column]
            for engine, (colour, marker, name) in STYLES.items():
                if (job, engine) in found:
                    place.loglog(
                        *series(found[job, engine], axis, quantity), color=colour, marker=marker, label=name, lw=1.5
                    )
            place.set_title(title if row == 0 else "", fontsize=11)
            place.set_ylabel(label if column == 0 else "")
            place.set_xlabel(("people", "sites")[axis] if row == len(QUANTITIES) - 1 else "")
            place.grid(True, which="major", alpha=0.3)
            place.spines[["top", "right"]].set_visible(False)
            sizes = sorted({where for at in found.values() for where in series(at, axis, quantity)[0]})
            place.set_xticks(sizes, [f"{size // 1000}k" for size in sizes])
            place.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
            low, high = place.get_ylim()
            place.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
            place.tick_params(axis="y", which="minor", labelleft=False)
    axes[0][1].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


STEPS = {
    "extract": ("#5a8f3c", "^", "genotypes out of PGEN"),
    "call": ("#1b6ca8", "o", "matching, phenotypes, writing"),
}


def draw_star_alleles(lines: list[dict[str, Any]], path: Path) -> None:
    """The newest line of each size and step; the share of missing genotypes is that of most sizes."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "cohelix"
    import matplotlib.pyplot as plt

    own = [line for line in lines if line["job"] == "pgx-call" and line["cache"] == "warm" and not line["timed_out"]]
    settings = [tuple(line["settings"]) for line in own]
    usual = max(set(settings), key=settings.count)
    at = {(line["step"], line["n_samples"]): line for line in own if tuple(line["settings"]) == usual}
    sizes = sorted({size for _, size in at})
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
    axes[0].loglog(sizes, [at["call", size]["counts"]["patterns"] for size in sizes], color="#c2571a", marker="s")
    for step, (colour, marker, name) in STEPS.items():
        of = [at[step, size] for size in sizes]
        cpu = [line["user_s"] + line["sys_s"] for line in of]
        axes[1].loglog(sizes, cpu, color=colour, marker=marker, label=name)
        axes[2].loglog(sizes, [line["peak_rss_mib"] for line in of], color=colour, marker=marker)
    for place, title in zip(axes, ("distinct patterns, 20 genes", "CPU seconds", "peak memory, MiB"), strict=True):
        place.set_title(title, fontsize=11)
        place.set_xlabel("people")
        place.grid(True, which="major", alpha=0.3)
        place.spines[["top", "right"]].set_visible(False)
        place.set_xticks(sizes, [f"{size // 1000}k" for size in sizes])
        place.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        low, high = place.get_ylim()
        place.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
        place.tick_params(axis="y", which="minor", labelleft=False)
    axes[1].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    lines = load(HERE / "results")
    found = points(lines)
    draw(found, 0, HERE / "growth-people.svg")
    draw(found, 1, HERE / "growth-sites.svg")
    draw_star_alleles(lines, HERE / "growth-star-alleles.svg")


if __name__ == "__main__":
    main()
