"""Sections about sites: frequencies, transitions, Hardy-Weinberg, filters. One pass over the shards' tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cohelix import dataset
from cohelix.qc.report.disclosure import is_small
from cohelix.qc.report.figures import Bins, Figure, Line, Section, Table
from cohelix.qc.report.gather import SITE_QC, Made, numbers, words

FREQUENCIES = (0.0, 0.0001, 0.001, 0.005, 0.01, 0.05, 0.2, 0.5, 1.0)
FREQUENCY_NAMES = (
    "seen once", "seen twice", "< 0.01 %", "0.01 to 0.1 %", "0.1 to 0.5 %", "0.5 to 1 %", "1 to 5 %", "5 to 20 %",
    "20 to 50 %", "> 50 %",
)  # fmt: skip
"""Classes of allele frequency; the first two are of alleles with one and two copies, whatever their frequency."""
CALL_RATES = np.linspace(0, 1, 51)
QQ_STEP = 0.02
QQ_TOP = 50.0
"""-log10 p beyond which it no longer matters how far."""
QQ_MIN_COPIES = 10
"""Hardy-Weinberg p of alleles with fewer copies in a group says nothing: 1, or near it."""
TRANSITIONS = frozenset(("AG", "GA", "CT", "TC"))
KINDS = ("snp", "insertion", "deletion", "mnp", "other")


@dataclass
class Tally:
    """Counts over all sites."""

    sites: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    filters: Counter[str] = field(default_factory=Counter)
    spectrum: dict[str, np.ndarray] = field(default_factory=dict)
    transitions: np.ndarray = field(default_factory=lambda: np.zeros(len(FREQUENCY_NAMES), np.int64))
    transversions: np.ndarray = field(default_factory=lambda: np.zeros(len(FREQUENCY_NAMES), np.int64))
    call_rates: np.ndarray = field(default_factory=lambda: np.zeros(len(CALL_RATES) - 1, np.int64))
    p_values: dict[str, np.ndarray] = field(default_factory=dict)


def site_sections(made: Made) -> list[Section]:
    tally = Tally()
    sizes = made.record.get("groups", {})
    few = {name for name, people in sizes.items() if is_small(people)}
    for table in _tables(made):
        add(tally, table, few)
    if not tally.sites:
        return []
    parts: list[Figure | Table | None] = [
        _kinds(tally), _call_rates(made, tally), _spectrum(tally), _ti_tv(tally), _hardy_weinberg(tally)
    ]  # fmt: skip
    text = (
        f"{tally.sites:,} alleles, one row each. These counts are of sites, not of people, and are shown as they are."
    )
    return [Section("sites", "Sites", text, tuple(part for part in parts if part is not None))]


def _tables(made: Made) -> Iterator[pa.Table]:
    commit = dataset.open_existing(made.root, SITE_QC)
    for shard in commit.meta["shards"]:
        yield pq.ParquetFile(pa.BufferReader(dataset.read_file(made.root, commit.entry(shard["sites"])))).read()


def add(tally: Tally, table: pa.Table, few: Collection[str] = ()) -> None:
    """Count the rows of one shard. few: groups of few people, which are left out."""
    kinds = words(table, ("kind",))
    assert kinds is not None
    tally.sites += table.num_rows
    tally.kinds.update(kinds.tolist())
    found = words(table, ("filters",))
    for stated in () if found is None else found.tolist():
        tally.filters.update((stated or "not filtered").split(";"))
    classes = frequency_class(_copies(table, "ac", "all"), _copies(table, "an", "all"))
    for kind in KINDS:
        counts = np.bincount(classes[(kinds == kind) & (classes >= 0)], minlength=len(FREQUENCY_NAMES))
        tally.spectrum[kind] = tally.spectrum.get(kind, 0) + counts
    change = np.array(pc.binary_join_element_wise(table.column("ref"), table.column("alt"), "").to_pylist(), np.str_)
    snp, transition = (kinds == "snp") & (classes >= 0), np.isin(change, list(TRANSITIONS))
    tally.transitions += np.bincount(classes[snp & transition], minlength=len(FREQUENCY_NAMES))
    tally.transversions += np.bincount(classes[snp & ~transition], minlength=len(FREQUENCY_NAMES))
    rates = numbers(table, "call_rate")
    tally.call_rates += np.histogram(rates[np.isfinite(rates)], CALL_RATES)[0]
    _add_p_values(tally, table, few)


def _copies(table: pa.Table, name: str, group: str) -> np.ndarray:
    """Allele copies in a group, of all calls, adj or not."""
    return numbers(table, f"{name}_{group}_raw")


def frequency_class(ac: np.ndarray, an: np.ndarray) -> np.ndarray:
    """Place in FREQUENCY_NAMES of each row, -1 where no copy of the allele is there."""
    with np.errstate(invalid="ignore", divide="ignore"):
        af = ac / an
    edges = np.array(FREQUENCIES[1:-1])
    classes = np.where(ac == 1, 0, np.where(ac == 2, 1, 2 + np.searchsorted(edges, af, side="left")))
    return np.where((ac > 0) & (an > 0), classes, -1).astype(np.int64)


def _add_p_values(tally: Tally, table: pa.Table, few: Collection[str]) -> None:
    """-log10 p of each group (of everybody, where there are no groups), in small steps."""
    names = [name for name in table.column_names if name.startswith("hwe_p_")] or ["hwe_p"]
    for name in names:
        group = name.removeprefix("hwe_p").removeprefix("_") or "all"
        if group in few:
            continue
        p, copies, total = numbers(table, name), _copies(table, "ac", group), _copies(table, "an", group)
        tested = np.isfinite(p) & ~(np.minimum(copies, total - copies) < QQ_MIN_COPIES)
        if tested.any():
            with np.errstate(divide="ignore"):
                minus_log = np.minimum(-np.log10(p[tested]), QQ_TOP)
            steps = np.bincount(np.round(minus_log / QQ_STEP).astype(int), minlength=round(QQ_TOP / QQ_STEP) + 1)
            tally.p_values[group] = tally.p_values.get(group, 0) + steps


def _kinds(tally: Tally) -> Table:
    rows = [(kind, f"{tally.kinds[kind]:,}") for kind in KINDS if tally.kinds[kind]]
    rows += [(f"filter: {name}", f"{count:,}") for name, count in sorted(tally.filters.items())]
    note = "A site may have several filters." if tally.filters else ""
    return Table("site-kinds", "Sites and filters", ("what", "sites"), tuple(rows), note, (1,))


def _call_rates(made: Made, tally: Tally) -> Figure | None:
    total = int(tally.call_rates.sum())
    if not total:
        return None
    places = [place for place, count in enumerate(tally.call_rates) if count]
    edges = tuple((float(CALL_RATES[place]), float(CALL_RATES[place + 1])) for place in places)
    shares = tuple(round(float(tally.call_rates[place] / total), 4) for place in places)
    bins = Bins("all", f"{total:,}", edges, shares)
    cuts = tuple(made.cuts("call_rate"))
    return Figure("site-call-rate", "Call rate of sites", "share of samples with a call", bins=(bins,), cuts=cuts)


def _spectrum(tally: Tally) -> Figure:
    lines = tuple(
        Line(
            kind, tuple(np.flatnonzero(counts).astype(float).tolist()), tuple(counts[counts > 0].astype(float).tolist())
        )
        for kind, counts in tally.spectrum.items()
        if counts.sum()
    )
    return Figure("site-spectrum", "Allele frequencies", "allele frequency", "sites", lines=lines, log_y=True)


def _ti_tv(tally: Tally) -> Figure | None:
    places = [place for place in range(len(FREQUENCY_NAMES)) if tally.transversions[place] > 0]
    if not places:
        return None
    ratios = tuple(round(float(tally.transitions[place] / tally.transversions[place]), 3) for place in places)
    line = Line("SNPs", tuple(map(float, places)), ratios)
    return Figure("site-ti-tv", "Transitions per transversion", "allele frequency", "ratio", lines=(line,))


def qq_line(group: str, steps: np.ndarray) -> Line:
    """Observed against expected -log10 p: one point for each step that holds p values, from the smallest p.

    The expected value of a step is that of the middle of its ranks.
    """
    total = int(steps.sum())
    held = np.flatnonzero(steps)[::-1]
    before = np.concatenate([[0], np.cumsum(steps[held])[:-1]])
    ranks = before + (steps[held] + 1) / 2
    expected = -np.log10((ranks - 0.5) / total)
    return Line(group, tuple(np.round(expected, 4).tolist()), tuple(np.round(held * QQ_STEP, 4).tolist()))


def _all_first(entry: tuple[str, object]) -> tuple[bool, str]:
    return entry[0] != "all", entry[0]


def _hardy_weinberg(tally: Tally) -> Figure | None:
    if not tally.p_values:
        return None
    lines = tuple(qq_line(group, steps) for group, steps in sorted(tally.p_values.items(), key=_all_first))
    note = f"Alleles with {QQ_MIN_COPIES} copies or more of either kind; p below 1e-{QQ_TOP:.0f} are drawn there."
    return Figure(
        "site-hwe", "Hardy-Weinberg equilibrium", "expected −log10 p", "observed −log10 p",
        lines=lines, note=note, diagonal=True,
    )  # fmt: skip
