"""Values of people into marks that may be shown: distributions, boxes, densities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cohelix.qc.report.disclosure import SMALL, merged_bins, pooled, quantile, range_of, rounded_up, shown
from cohelix.qc.report.figures import Bins, Box, Cell, Cut, Figure
from cohelix.qc.samples.batches import cohens_d

BINS = 48
COARSE = 4
"""Bins to a coarse edge."""
DEVIATIONS = 2.5
"""Standard deviations from the mean of a group to the edge of its rectangles."""
FINEST = 100
"""Steps across a density at which the rectangles of its groups may begin and end."""
QUARTERED = 5
"""Times that a rectangle of a density is quartered at most."""
HIDDEN = 0.1
"""Share of those in a rectangle whom quartering it may hide."""
BATCH_EFFECT = 0.5
"""Cohen's d of a batch against all others that All of Us calls an effect (genomic quality report, release v8)."""


@dataclass(frozen=True)
class Groups:
    """Groups of people as they are shown: none small. codes: (people,) place in names."""

    names: tuple[str, ...]
    codes: np.ndarray

    @staticmethod
    def of(labels: np.ndarray) -> Groups:
        names, codes = pooled(labels)
        return Groups(("all",) if len(names) == 1 else tuple(names), codes)


def step_of(span: float, pieces: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts `span` into at most `pieces` or so."""
    raw = span / pieces
    power = 10.0 ** math.floor(math.log10(raw))
    return min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(step - raw))


def edges_of(low: float, high: float, cuts: Sequence[Cut], whole: bool = False, pieces: int = BINS) -> np.ndarray:
    """Round edges from low to high, and on to cut-offs that lie less than one and a half spans away.

    whole: values are whole numbers, of which each bin then holds as many as any other.
    """
    span = high - low or abs(high) / 10 or 1.0
    near = [cut.value for cut in cuts if low - 1.5 * span <= cut.value <= high + 1.5 * span]
    step = step_of(max([high, *near]) - min([low, *near]) or span, pieces)
    step = max(step, 1.0) if whole else step
    room = 2 * step  # beyond a cut-off there is a place for those who fail
    low, high = min([low, *(value - room for value in near)]), max([high, *(value + room for value in near)])
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return np.arange(first, max(last, first + 1) + 1) * step


def distribution(
    name: str, title: str, x_label: str, values: np.ndarray, groups: Groups, cuts: Iterable[Cut] = (), note: str = ""
) -> Figure | None:
    """The distribution of a metric in each group, with its cut-offs. None where it is known of too few people."""
    cuts = tuple(cuts)
    known = np.isfinite(values)
    ends = range_of(values[known])
    if ends is None:
        return None
    edges = edges_of(*ends, cuts, whole=bool((values[known] == np.rint(values[known])).all()))
    everybody = [("all", np.ones(len(values), bool))] if len(groups.names) > 1 else []
    series = []
    for group, members in everybody + [(group, groups.codes == code) for code, group in enumerate(groups.names)]:
        inside = values[known & members]
        bins = binned(inside, edges)
        if bins:
            places = tuple((float(edges[start]), float(edges[end])) for start, end, _ in bins)
            shares = tuple(round(count / len(inside), 4) for _, _, count in bins)
            series.append(Bins(group, shown(len(inside), int(members.sum())), places, shares))
    if not series:
        return None
    beyond = [cut for cut in cuts if not edges[0] <= cut.value <= edges[-1]]
    remarks = [note, *(f"The cut-off {cut.text} lies outside the picture." for cut in beyond)]
    inner = tuple(cut for cut in cuts if cut not in beyond)
    return Figure(name, title, x_label, bins=tuple(series), cuts=inner, note=" ".join(filter(None, remarks)))


def binned(values: np.ndarray, edges: np.ndarray) -> list[tuple[int, int, int]]:
    """People by bin, with those beyond the ends in the end bins, and small bins merged.

    The outermost bins reach on to the next coarse edge: where they end says little of who is furthest out.
    """
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    bins = merged_bins(np.bincount(places, minlength=len(edges) - 1))
    if bins:
        start, end, count = bins[0]
        bins[0] = (start // COARSE * COARSE, end, count)
        start, end, count = bins[-1]
        bins[-1] = (start, min(len(edges) - 1, -(-end // COARSE) * COARSE), count)
    return bins


def boxes(name: str, title: str, x_label: str, values: np.ndarray, groups: Groups) -> Figure | None:
    """Quantiles of a metric by group."""
    found = []
    for code, group in enumerate(groups.names):
        members = groups.codes == code
        ordered = np.sort(values[np.isfinite(values) & members])
        if len(ordered) > SMALL:
            five = [quantile(ordered, share) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
            marks = (five[0], five[1], five[2], five[3], five[4])
            found.append(Box(group, shown(len(ordered), int(members.sum())), float(ordered.mean()), marks))
    return Figure(name, title, x_label, boxes=tuple(found)) if found else None


def effect_size(values: np.ndarray, inside: np.ndarray) -> float:
    """Cohen's d of the people inside against the others; NaN where either side has few."""
    known = np.isfinite(values)
    one, other = values[known & inside], values[known & ~inside]
    return math.nan if min(len(one), len(other)) <= SMALL else cohens_d(one, other)


def density(
    name: str, title: str, labels: tuple[str, str], x: np.ndarray, y: np.ndarray, steps: Sequence[float]
) -> Figure | None:
    """People by squares of two metrics; squares of few people are left out, counts are rounded up.

    Of `steps`, ascending, the first whose squares show nine people of ten; the last where none does. A square lies
    around each multiple of the step.
    """
    known = np.isfinite(x) & np.isfinite(y)
    for step in steps:
        places, counts = np.unique(np.rint(np.stack([x[known], y[known]], 1) / step), axis=0, return_counts=True)
        if counts[counts > SMALL].sum() >= 0.9 * known.sum():
            break
    edges = ((places[:, :, None] + np.array([-0.5, 0.5])) * step).tolist()
    cells = tuple(
        Cell((across[0], across[1]), (up[0], up[1]), rounded_up(count))
        for (across, up), count in zip(edges, counts.tolist(), strict=True)
        if count > SMALL
    )
    note = f"Squares with {SMALL} people or fewer are left empty."
    return Figure(name, title, labels[0], labels[1], cells=cells, note=note, one_unit=True) if cells else None


def densities(
    name: str, title: str, labels: tuple[str, str], x: np.ndarray, y: np.ndarray, groups: Groups
) -> Figure | None:
    """People of each group by rectangles of two metrics, as small ones as hold more than 20 each (`rectangles`).

    The rectangles of a group lie around its mean; those who are farther out count at the edge.
    """
    known = np.isfinite(x) & np.isfinite(y)
    cells: list[Cell] = []
    steps = [step_of(float(np.ptp(values[known])) or 1.0, FINEST) for values in (x, y)] if known.any() else []
    for code, group in enumerate(groups.names):
        inside = known & (groups.codes == code)
        edges, clipped = [], []
        for values, step in zip((x[inside], y[inside]), steps, strict=True):
            if len(values) > SMALL:
                middle, reach = float(values.mean()), DEVIATIONS * float(values.std())
                low, high = (
                    math.floor((middle - reach) / step) * step,
                    (math.floor((middle + reach) / step) + 1) * step,
                )
                edges.append(np.array([low, high]))
                clipped.append(np.clip(values, low, np.nextafter(high, low)))
        if len(edges) == 2:
            one = np.ones(int(inside.sum()), np.int64)
            named = group if len(groups.names) > 1 else ""
            cells += rectangles(clipped[0], clipped[1], one, (edges[0], edges[1]), named)
    note = f"Rectangles with {SMALL} people of a group or fewer are left empty; people farther out count at its edge."
    return Figure(name, title, labels[0], labels[1], cells=tuple(cells), note=note) if cells else None


def rectangles(
    x: np.ndarray, y: np.ndarray, counts: np.ndarray, edges: tuple[np.ndarray, np.ndarray], group: str = "",
    quartered: int = QUARTERED,
) -> list[Cell]:  # fmt: skip
    """Rectangles between `edges`, quartered again and again while that hides few of the counts in them.

    x, y (n,): places, each with so many `counts`. What lies beyond the edges is left out, as are rectangles of few.
    """
    found: list[Cell] = []
    roots = [
        (float(x0), float(x1), float(y0), float(y1))
        for x0, x1 in pairwise(edges[0].tolist()) for y0, y1 in pairwise(edges[1].tolist())
    ]  # fmt: skip
    waiting = [(root, quartered, _inside(x, y, root)) for root in reversed(roots)]
    while waiting:
        (x0, x1, y0, y1), depth, inside = waiting.pop()
        here = int(counts[inside].sum())
        if here <= SMALL:
            continue
        middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
        quarters = [
            (a, b, c, d) for a, b in ((x0, middle_x), (middle_x, x1)) for c, d in ((y0, middle_y), (middle_y, y1))
        ]
        parts = [(quarter, inside & _inside(x, y, quarter)) for quarter in quarters]
        hidden = sum(total for _, part in parts if (total := int(counts[part].sum())) <= SMALL)
        if depth and hidden <= HIDDEN * here:
            waiting += [(quarter, depth - 1, part) for quarter, part in reversed(parts)]
        else:
            found.append(Cell((x0, x1), (y0, y1), rounded_up(here), group))
    return found


def _inside(x: np.ndarray, y: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    return np.asarray((x >= box[0]) & (x < box[1]) & (y >= box[2]) & (y < box[3]))
