"""Choices of quality control. Thresholds are not here: they are gates, in `reference/qc`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SampleQcParams:
    """How metrics of samples are made from the counts of a callset."""


@dataclass(frozen=True)
class VariantQcParams:
    """How metrics of variants are made from the counts of a callset."""


@dataclass(frozen=True)
class ArrayQcParams:
    """How array genotypes and intensities are read and judged."""


@dataclass(frozen=True)
class ConcordanceParams:
    """How an array and a genome are compared."""
