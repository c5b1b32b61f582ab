"""Plain definitions for arrays: one call at a time, and the regression as a textbook has it."""

from __future__ import annotations

import math

import numpy as np


def number(text: str) -> float:
    """A VCF number, NaN for anything else."""
    try:
        return float(text) if set(text) <= set("0123456789.+-eE") and text[:1] != "+" else math.nan
    except ValueError:
        return math.nan


def values(line: str, columns: list[int]) -> list[list[float]]:
    """The fields `columns` of every sample column of a VCF line; NaN for a field that is not there."""
    rows = []
    for sample in line.split("\t"):
        fields = sample.split(":")
        rows.append([number(fields[k]) if 0 <= k < len(fields) else math.nan for k in columns])
    return rows


def copies_of_b(first: int, second: int, a: int, b: int) -> int:
    """Of alleles by number, -1 unknown, -2 no second copy: copies of B, -9 for none or a strange allele."""
    pair = (first, first) if second == -2 else (first, second)
    return sum(allele == b for allele in pair) if all(allele in (a, b) for allele in pair) else -9


def slope(bafs: list[float], xs: list[float], is_b: list[bool]) -> tuple[float, float]:
    """(slope, standard error) of BAF on x with an intercept for each of the genotypes that occur, as R's lm."""
    classes = [[float(not flag) for flag in is_b], [float(flag) for flag in is_b]]
    design = np.array([xs, *(column for column in classes if any(column))]).T
    target = np.array(bafs)
    found, _, _, _ = np.linalg.lstsq(design, target, rcond=None)
    left = target - design @ found
    variance = left @ left / (len(bafs) - design.shape[1]) * np.linalg.inv(design.T @ design)[0, 0]
    return float(found[0]), float(math.sqrt(variance))


def quantile(scores: list[float], share: float) -> float:
    """The least of the scores with at least `share` of them at or below it."""
    ordered = sorted(scores)
    return ordered[max(1, math.ceil(share * len(ordered))) - 1]


def alike(left: list[int], right: list[int]) -> tuple[int, int]:
    """(markers that both have called, markers alike among them); -9 is no call."""
    both = [(one, other) for one, other in zip(left, right, strict=True) if one >= 0 and other >= 0]
    return len(both), sum(one == other for one, other in both)
