"""The site table: one row per row of the callset, made from tallies a block at a time.

Columns of counts are called `<count>_<group>[_male|_female]_<raw|adj>`: ac, an, af, hom, het, hemi. The group "all"
holds every sample, with or without a group of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.qc.schema import VariantQcParams
from cohelix.qc.variants import hardy_weinberg
from cohelix.qc.variants.annotations import annotations_of
from cohelix.qc.variants.filtering_frequency import filtering_frequency, largest
from cohelix.qc.variants.frequencies import (
    ALL,
    CONFLICT,
    HAPLOID_ALT,
    HAPLOID_REF,
    HOM_ALT,
    Counted,
    Strata,
    frequency_columns,
    ratio,
)  # fmt: skip
from cohelix.qc.variants.isolation_forest import ANNOTATIONS, CLASSES, Forest, classes_of
from cohelix.qc.variants.selection import acaf, alleles_at

_MALE, _FEMALE, _UNKNOWN = range(len(genome.SEXES))
_SEXES = (("", None), ("_male", "male"), ("_female", "female"))
_IDENTITY = ("contig", "position", "ref", "alt", "id", "kind")

Columns = dict[str, Any]
"""Columns of a block by name: arrays of numpy or Arrow, all with one value per row."""


def columns_of(
    sites: pa.Table, counted: Counted, copies: np.ndarray, strata: Strata, params: VariantQcParams,
    forests: dict[str, Forest],
) -> Columns:  # fmt: skip
    """All columns but the filters, of the rows of `sites` and their tallies.

    copies: uint8 (rows, sexes), see `frequencies.copies_of`.
    """
    columns: Columns = {name: sites.column(name).combine_chunks() for name in _IDENTITY}
    columns |= _called(counted, copies, strata)
    for track in ("raw", "adj") if counted.adj is not None else ("raw",):
        for group in strata.groups:
            for suffix, sex in _SEXES:
                tally = counted.of(strata.members(group, sex), track)
                found = frequency_columns(tally)
                columns |= {f"{name}_{group}{suffix}_{track}": values for name, values in found.items()}
    columns |= _equilibrium(counted, copies, strata)
    columns |= annotations_of(sites)
    positions = sites.column("position").to_numpy()
    stated = "n_alleles" in sites.column_names
    columns["n_alleles"] = sites.column("n_alleles").to_numpy() if stated else alleles_at(positions)
    if "filter" in sites.column_names:
        columns["stated_filter"] = sites.column("filter").combine_chunks()
    columns |= _group_maxima(columns, strata, params, "adj" if counted.adj is not None else "raw")
    groups = strata.names or (ALL,)
    columns["acaf"] = acaf(
        positions,
        np.column_stack([columns[f"ac_{group}_raw"] for group in groups]),
        np.column_stack([columns[f"af_{group}_raw"] for group in groups]),
        min_ac=params.acaf_min_ac,
        min_af=params.acaf_min_af,
        documented=params.acaf_rule == "documented",
    )
    return columns | (_scored(sites, columns, forests) if forests else {})


def metrics_of(columns: Columns) -> dict[str, Any]:
    """What gates may name, from the columns of a block (`gates.METRICS`)."""
    names = {"ac": "ac_all_raw", "an": "an_all_raw", "af": "af_all_raw", "ac_adj": "ac_all_adj"}
    return columns | {metric: columns[name] for metric, name in names.items() if name in columns}


def _called(counted: Counted, copies: np.ndarray, strata: Strata) -> Columns:
    """n_called, call_rate (of samples that have the chromosome) and n_conflict."""
    tally = counted.of(strata.members(ALL))
    sizes = np.bincount(strata.codes, minlength=len(strata.group))
    n_called = tally[:, :CONFLICT].sum(axis=1)
    eligible = ((copies[:, strata.sex] > 0) * sizes).sum(axis=1)
    return {"n_called": n_called, "call_rate": ratio(n_called, eligible), "n_conflict": tally[:, CONFLICT]}


def _equilibrium(counted: Counted, copies: np.ndarray, strata: Strata) -> Columns:
    """Tests of each group's calls of two copies: on X outside the PAR, of women; `hwe_x_` has men's alleles too."""
    on_x = (copies[:, _MALE] == 1) & (copies[:, _FEMALE] == 2)
    columns: Columns = {}
    for group in strata.groups:
        members = strata.members(group)
        known = members & (strata.sex != _UNKNOWN)
        two = np.where(on_x[:, None], counted.of(known), counted.of(members))[:, : HOM_ALT + 1]
        tested = hardy_weinberg.exact_test(two)
        columns[f"hwe_p_{group}"], columns[f"hwe_midp_{group}"] = tested.p, tested.midp
        with_men = {name: np.full(len(two), np.nan) for name in ("p", "midp")}
        if on_x.any():
            men = counted.of(strata.members(group, "male"))[:, [HAPLOID_REF, HAPLOID_ALT]]
            found = hardy_weinberg.exact_test_x(np.column_stack([two, men])[on_x])
            with_men["p"][on_x], with_men["midp"][on_x] = found.p, found.midp
        columns |= {f"hwe_x_{name}_{group}": values for name, values in with_men.items()}
        if group == ALL:
            columns["excess_het"] = tested.excess_het
            columns["inbreeding_coefficient"] = hardy_weinberg.inbreeding_coefficient(two)
    for name in ("hwe_p", "hwe_midp"):
        columns[name] = _smallest([columns[f"{name}_{group}"] for group in strata.names or (ALL,)])
    return columns


def _smallest(columns: list[np.ndarray]) -> np.ndarray:
    """The smallest value of each row that is known, NaN where none is."""
    least = columns[0]
    for column in columns[1:]:
        least = np.fmin(least, column)
    return least


def _group_maxima(columns: Columns, strata: Strata, params: VariantQcParams, best_track: str) -> Columns:
    """faf95 and faf99 of all and of groups; grpmax: the group with the highest frequency, and its counts."""
    track = params.frequency_track if best_track == "adj" else best_track
    groups = [group for group in strata.names if group.lower() not in params.left_out]
    rows = len(columns["n_called"])

    def stacked(name: str) -> np.ndarray:
        found = [columns[f"{name}_{group}_{track}"] for group in groups]
        return np.column_stack(found) if found else np.empty((rows, 0))

    made: Columns = {}
    for level in (95, 99):
        for group in (ALL, *groups):
            ac, an = columns[f"ac_{group}_{track}"], columns[f"an_{group}_{track}"]
            made[f"faf{level}_{group}"] = filtering_frequency(ac, an, level / 100)
        each = [made[f"faf{level}_{group}"] for group in groups]
        fafs = np.column_stack(each) if each else np.empty((rows, 0))
        top = largest(fafs, fafs > 0, groups)
        made[f"faf{level}_max"] = top.pick(fafs) if groups else np.zeros(rows)
        made[f"faf{level}_max_group"] = pa.array(top.names, pa.string())
    best = largest(stacked("af"), stacked("ac") > 0, groups)
    made["grpmax"] = pa.array(best.names, pa.string())
    for name in ("ac", "an", "hom"):
        made[f"grpmax_{name}"] = best.pick(stacked(name)).astype(np.int64) if groups else np.zeros(rows, np.int64)
    made["grpmax_af"] = (
        np.where(best.places >= 0, best.pick(stacked("af")), np.nan) if groups else np.full(rows, np.nan)
    )
    return made


def _scored(sites: pa.Table, columns: Columns, forests: dict[str, Forest]) -> Columns:
    """score and sensitivity of each row, by the forest of its class."""
    kinds, values = classes_of(sites.column("kind").to_pylist()), annotation_values(columns, sites.num_rows)
    score, sensitivity = np.full(len(kinds), np.nan), np.full(len(kinds), np.nan)
    for name, forest in forests.items():
        rows = np.flatnonzero(kinds == CLASSES.index(name))
        score[rows] = forest.scores(values[rows])
        sensitivity[rows] = forest.sensitivity(score[rows])
    return {"score": score, "sensitivity": sensitivity}


def annotation_values(columns: Columns, rows: int) -> np.ndarray:
    """float64 (rows, `ANNOTATIONS`); NaN where one is not known."""
    missing = np.full(rows, np.nan)
    return np.column_stack([columns.get(name, missing) for name in ANNOTATIONS])
