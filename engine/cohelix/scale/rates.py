"""Measured rates of each stage of a job, from `reference/scale/<noun>/<version>/rates.toml`.

A rate belongs to a quantity (`QUANTITIES`) and to something that it grows with (a feature, such as records; `one` is
what a stage costs however small its input is). A quantity is the sum of rate x feature. The file is written by
`benchmarks/fit_scale.py` from the raw lines of the benchmarks, which it names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from cohelix.errors import ContractError
from cohelix.reference import reference_path

QUANTITIES = ("cpu_s", "memory_mib", "read_bytes", "written_bytes", "kept_bytes")
"""CPU seconds; resident MiB of a process (its features are those of the tasks it runs at a time); bytes read, written
(temporary files among them), and left as the stage's output."""

Terms = Mapping[str, float]


@dataclass(frozen=True)
class StageRates:
    """`keeps`: what the stage leaves. `busy`: share of its cores that were at work while it ran, as measured.

    `fitted_at`: sizes in samples that the rates were fitted to. `lines`: where the measurements are.
    """

    name: str
    keeps: str
    busy: float
    fitted_at: tuple[int, ...]
    lines: str
    terms: Mapping[str, Terms]


@dataclass(frozen=True)
class Rates:
    """Of one noun: its stages in order, and what a sample of the measured cohorts was like."""

    stages: tuple[StageRates, ...]
    sample: Terms
    sites: Terms


def load(noun: str, version: str = "1") -> Rates:
    """The rates of a noun. Raises ContractError where the file is not what this version reads."""
    table = tomllib.loads(reference_path("scale", noun, version, "rates.toml").read_text("utf-8"))
    try:
        stages = tuple(_stage(name, stage) for name, stage in table["stage"].items())
        return Rates(stages, dict(table["sample"]), dict(table.get("sites", {})))
    except (KeyError, TypeError) as error:
        raise ContractError(f"the rates of {noun} are not of this version ({error}). Install cohelix again.") from None


def _stage(name: str, stage: Mapping[str, Mapping[str, float]] | Mapping[str, object]) -> StageRates:
    table: dict[str, object] = dict(stage)
    terms = {quantity: _numbers(table[quantity]) for quantity in QUANTITIES if quantity in table}
    fitted = table["fitted_at"]
    busy = table["busy"]
    if not isinstance(fitted, list) or not isinstance(busy, float):
        raise TypeError(f"stage {name}")
    return StageRates(name, str(table["keeps"]), busy, tuple(fitted), str(table["lines"]), terms)


def _numbers(table: object) -> Terms:
    if not isinstance(table, dict):
        raise TypeError("expected a table of rates")
    return {str(feature): float(value) for feature, value in table.items()}
