"""Quantiles of numbers of people by group, none of which is one person's number."""

from __future__ import annotations

import numpy as np

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


def safe_quantile(ordered: np.ndarray, share: float, least: int) -> float | None:
    """Mean of the `least` values nearest to a quantile, of sorted values, to four digits.

    None where fewer than `least` people would lie beyond those on either side. So the windows of two of `SHARES` have
    nobody in common, and nothing follows from two of them for fewer people than one of them is of.
    """
    first = round(len(ordered) * share - least / 2)
    if first < least or first + 2 * least > len(ordered):
        return None
    mean = float(ordered[first : first + least].mean())
    return float(f"{mean:.4g}")


def by_group(
    values: np.ndarray, group: np.ndarray, names: tuple[str, ...], least: int
) -> list[tuple[str, int, float, float]]:
    """(group, n rounded up to a multiple of least - 1, share, quantile) of those that may be published.

    values: float64 (people,), NaN for none. group: int16 (people,) place in names, -1 for people who are not counted.
    "all" is over the groups of the tables, all of which hold `least` people or more.
    """
    found = []
    counted = (group >= 0) & np.isfinite(values)
    for name, chosen in [("all", counted), *((label, counted & (group == i)) for i, label in enumerate(names))]:
        ordered = np.sort(values[chosen])
        about = -(-len(ordered) // (least - 1)) * (least - 1)
        for share in SHARES:
            value = safe_quantile(ordered, share, least)
            if value is not None:
                found.append((name, about, share, value))
    return found
