"""Rates for `cohelix estimate cohort`, which `fit_scale.py` writes.

`cohelix simulate cohort` is one process, so a line tells what all its stages took together. The rates of all stages are
therefore fitted at once, to lines of cohorts whose settings differ in one thing at a time: people, regions, bases,
founder haplotypes, training sets, gVCFs or a callset. What each stage leaves is sized by itself.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks import fit_scale
from benchmarks.fit_scale import CORES, Line, fit
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.scale import cohort
from cohelix.scale.model import Load, memory_features

JOB, SIZE = "simulate-cohort", "tiny"
FITTED = (24, 48, 96, 192)
Names = dict[str, tuple[str, ...]]

# By quantity and stage, what it may grow with: fitted together. No CPU of the genotypes: a run has 0.4 million of them
# at most, which are a thing of milliseconds, and a rate would be noise.
TOGETHER: dict[str, Names] = {
    "cpu_s": {
        "panel": ("one", "regions", "haplotype_bases"), "training": ("trained", "training_bases"),
        "people": ("awake", "persons", "person_regions", "sequenced", "sequenced_bases"),
    },
    "read_bytes": {
        "panel": ("one", "regions", "haplotype_bases"), "training": ("training_bases",),
        "people": ("awake", "persons", "person_regions", "sequenced_bases"), "genotypes": ("called_regions",),
    },
    "written_bytes": {
        "panel": ("one", "haplotype_bases"), "training": ("tests",),
        "people": ("awake", "persons", "person_regions", "sequenced", "sequenced_bases"),
        "genotypes": ("called_regions", "rows"),
    },
    "memory_mib": {"people": ("one+worker", "haplotype_bases", "block_persons", "block_bases", "persons")},
}  # fmt: skip
# By stage and key of a line's bytes, what each data set may grow with: fitted one by one, and added up.
KEPT: dict[str, Names] = {
    "panel": {"panel": ("one", "bases")},
    "training": {"training": ("one", "tests")},
    "people": {
        "gvcf": ("sequenced", "sequenced_regions", "sequenced_bases"), "arrays": ("one", "arrays", "array_bases"),
        "people": ("one", "persons", "person_regions"),
    },
    "genotypes": {
        "genotypes": ("truth_sites", "truth_bases", "called_regions", "called_sites", "called_bases"),
    },
}  # fmt: skip
KEEPS = {
    "panel": "reference", "training": "scores", "people": "files of people", "genotypes": "genotypes",
}  # fmt: skip
# Too small to be seen at the sizes in FITTED: two pieces of 24 bytes that every person has of a region, or more.
KNOWN = {"person_pieces": 48 / 2**20}


def lines(*sizes: int) -> list[Line]:
    """Lines with settings at these numbers of people, of the newest commit of each."""
    found = [line for line in fit_scale.warm(JOB) if "settings" in line and line["n_samples"] in sizes]
    newest = {_key(line): line["commit"] for line in found}
    return [line for line in found if line["commit"] == newest[_key(line)]]


def _key(line: Line) -> tuple[int, tuple[str, ...]]:
    return line["n_samples"], tuple(line["settings"])


def loads(line: Line, sites: float | None = None) -> list[Load]:
    """The load of a line, as it was; with `sites` in place of those that were found."""
    wishes = load_wishes(SIZE, None, line["settings"])
    kind, counts = wishes.cohort.genotypes, line["counts"]
    return cohort.loads(
        cohort.Cohort(
            line["n_samples"], counts["regions"], counts["bases"], wishes.cohort.haplotypes, wishes.traits.training,
            len(wishes.traits.training_groups), wishes.sequencing.share * (1 + wishes.sequencing.second_sample),
            wishes.arrays.share, kind in ("gvcf", "both"), kind in ("callset", "both"),
            counts["sites"] if sites is None else sites,
        ),
        CORES,
    )  # fmt: skip


def sites_of(line: Line) -> cohort.Sites:
    """What the sites of a line's cohort follow from."""
    wishes = load_wishes(SIZE, None, line["settings"]).cohort
    return cohort.Sites(
        line["n_samples"], line["bases"], wishes.haplotypes, wishes.private_sites, wishes.related, wishes.duplicates
    )


def observed(found: list[Line], quantity: str) -> float:
    """Median of the repeats, of the whole command."""
    value = fit_scale.observed(found, quantity, fit_scale.KEPT["cohort"][0])
    assert value is not None
    return value


def fit_rates() -> str:
    """rates.toml."""
    small = lines(*FITTED)
    out = fit_scale.head(JOB, small)
    tables: dict[str, dict[str, dict[str, float]]] = {stage: {} for stage in KEEPS}
    kept = {stage: _fit_kept(small, stage, sets) for stage, sets in KEPT.items()}
    left = {f"{stage}.{feature}": rate for stage, rates in kept.items() for feature, rate in rates.items()}
    known = {
        "memory_mib": {f"people.{name}": rate for name, rate in KNOWN.items()},
        "written_bytes": left,  # what is kept was written; the rest are temporary files
    }
    for quantity, names in TOGETHER.items():
        for name, rate in _fit_together(small, quantity, names, known.get(quantity, {})).items():
            stage, feature = name.split(".")
            tables[stage].setdefault(quantity, {})[feature] = rate
    for stage, rates in kept.items():
        tables[stage]["kept_bytes"] = rates
    busy = fit_scale.busiest(small)
    for stage, quantities in tables.items():
        out += fit_scale.stage_text(stage, KEEPS[stage], busy, small, "", quantities)
    law = _fit_sites(small)
    return "\n".join([*out, "[sample]", "", "[sites]", *(f"{name} = {rate:.6g}" for name, rate in law.items()), ""])


def _fit_together(found: list[Line], quantity: str, names: Names, known: dict[str, float]) -> dict[str, float]:
    """Rates of all stages, by stage.feature: those `known`, and what is fitted to the rest."""
    rows = []
    for same in fit_scale.repeats(found, _key):
        grown = {
            f"{load.stage}.{name}": value
            for load in loads(same[0])
            for name, value in _features(load, quantity).items()
        }
        rows.append((grown, observed(same, quantity) - sum(rate * grown[name] for name, rate in known.items())))
    wanted = tuple(
        "+".join(f"{stage}.{part}" for part in name.split("+")) for stage, of in names.items() for name in of
    )
    rates = fit(rows, wanted)
    return {name: rates.get(name, 0.0) + known.get(name, 0.0) for name in {**rates, **known}}


def _features(load: Load, quantity: str) -> dict[str, float]:
    return memory_features(load, CORES) if quantity == "memory_mib" else {**load.whole, "one": 1.0}


def _fit_kept(found: list[Line], stage: str, sets: Names) -> dict[str, float]:
    """Rates of the bytes of a stage: those of its data sets, added up."""
    total: dict[str, float] = {}
    for key, names in sets.items():
        rows = []
        for same in fit_scale.repeats(found, _key):
            (load,) = (load for load in loads(same[0]) if load.stage == stage)
            if n_bytes := float(same[0]["bytes"][key]):
                rows.append(({**load.whole, "one": 1.0}, n_bytes))
        for name, rate in fit(rows, names).items():
            total[name] = total.get(name, 0.0) + rate
    return total


def _fit_sites(found: list[Line]) -> dict[str, float]:
    """A straight line in logarithms through the sites of the panel."""
    of_lines = [(sites_of(same[0]), same[0]["counts"]["sites"]) for same in fit_scale.repeats(found, _key)]
    panel = [math.log((seen - sites.own) / sites.bases) for sites, seen in of_lines]
    power, single = np.polyfit([math.log(sites.drawn) for sites, _ in of_lines], panel, 1)
    return {"single": math.exp(single), "power": float(power)}
