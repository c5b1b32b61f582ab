"""What may be said of people in a report that others read: no count of 1 to 20, nor one that can be worked out."""

from __future__ import annotations

import numpy as np

SMALL = 20
"""Largest count of people that is not shown; 0 is.

All of Us Data and Statistics Dissemination Policy: no participant count of 1 to 20, direct or derived from others;
where totals would give one away, counts are rounded up to multiples of 20.
"""


TAIL = 0.6
"""Of a normal distribution of a thousand people, an axis then covers a little over three standard deviations."""


def is_small(count: int) -> bool:
    return 0 < count <= SMALL


def rounded_up(count: int) -> int:
    return -(-count // SMALL) * SMALL


def shown(count: int, total: int | None = None) -> str:
    """A count as it may stand on the page. `total`: a shown count of which this one is a part."""
    if is_small(count):
        return f"≤{SMALL}"
    if total is not None and is_small(total - count):
        return f">{total - SMALL - 1:,}"
    return f"{count:,}"


def shown_parts(counts: dict[str, int]) -> dict[str, str]:
    """Counts that add up to a shown total. Where one is small, the others are rounded up, lest it be worked out."""
    if not any(is_small(count) for count in counts.values()):
        return {name: shown(count) for name, count in counts.items()}
    return {name: shown(count) if count <= SMALL else f"about {rounded_up(count):,}" for name, count in counts.items()}


def pooled(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names of groups and the group of each person, after groups of few people have joined the next larger.

    labels: str (people,), "" where not known (a group of its own). No group is small then, unless all are few: then
    the list is empty and every code -1.
    """
    if len(labels) <= SMALL:
        return [], np.full(len(labels), -1)
    found, codes = np.unique(np.where(labels == "", "not known", labels), return_inverse=True)
    counts = np.bincount(codes, minlength=len(found))
    groups: list[tuple[int, list[int]]] = sorted((int(counts[i]), [i]) for i in range(len(found)))
    while len(groups) > 1 and is_small(groups[0][0]):
        (few, members), (more, others), *rest = groups
        groups = sorted([(few + more, sorted(members + others)), *rest])
    named = sorted((" + ".join(str(found[i]) for i in members), members) for _, members in groups)
    code_of = np.empty(len(found), np.int64)
    for place, (_, members) in enumerate(named):
        code_of[members] = place
    return [name for name, _ in named], code_of[codes]


def quantile(ordered: np.ndarray, share: float) -> float | None:
    """A quantile of sorted values; None where 20 people or fewer lie on one side of it: it would point at a person."""
    if len(ordered) * min(share, 1 - share) <= SMALL:
        return None
    return float(np.quantile(ordered, share))


def range_of(values: np.ndarray) -> tuple[float, float] | None:
    """Ends of an axis that no single person sets. None for too few.

    More than 20 people lie at or beyond the two places that it is made from; it reaches further out by `TAIL` of their
    distances from the median, and no further than 0, or 1, where nobody does.
    """
    if len(values) <= SMALL:
        return None
    ordered = np.sort(values)
    middle = float(np.median(ordered))
    inner = (float(ordered[SMALL]), float(ordered[-SMALL - 1]))
    low, high = (place + TAIL * (place - middle) for place in (min(*inner, middle), max(*inner, middle)))
    low = max(low, 0.0) if ordered[0] >= 0 else low
    high = min(high, 1.0) if ordered[-1] <= 1 < high else high
    return low, high


def merged_bins(counts: np.ndarray) -> list[tuple[int, int, int]]:
    """(first bin, one past the last, count) of neighbouring bins joined until each holds nobody or more than 20."""
    merged: list[tuple[int, int, int]] = []
    start, held = 0, 0
    for place, count in enumerate(counts.tolist()):
        if held == 0:
            start = place
        held += count
        if held > SMALL:
            merged.append((start, place + 1, held))
            held = 0
    if held:
        if not merged:
            return []
        first, _, before = merged.pop()
        merged.append((first, int(np.flatnonzero(counts)[-1]) + 1, before + held))
    return merged
