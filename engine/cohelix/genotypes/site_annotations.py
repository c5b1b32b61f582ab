"""Annotations of VCF records that a callset keeps per site: QUAL, and those of INFO that hard filters and VETS look at.

Where the header declares the form by allele (`AS_QD`, Number=A), each row of a split record has its own value; else
all rows of a record share the record's. NaN is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NAMES = ("QD", "FS", "SOR", "MQ", "MQRankSum", "ReadPosRankSum")
"""INFO fields; the columns of the sites table are `info_<name>`."""


@dataclass(frozen=True)
class Kept:
    """Which of `NAMES` a header declares: (name, whether its AS_ form is there with a value per alternate allele)."""

    fields: tuple[tuple[str, bool], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the sites table, in the order of `of_allele`."""
        return ("qual", *(f"info_{name}" for name, _ in self.fields))

    @property
    def keys(self) -> frozenset[str]:
        """INFO fields to read."""
        return frozenset(key for name, by_allele in self.fields for key in (name, *[f"AS_{name}"] * by_allele))

    def of_allele(self, quality: float, info: Mapping[str, Sequence[float]], allele: int) -> tuple[float, ...]:
        """Values of `columns` for the alternate allele number `allele`, from 1."""
        return (quality, *(self._value(info, name, by_allele, allele) for name, by_allele in self.fields))

    def _value(self, info: Mapping[str, Sequence[float]], name: str, by_allele: bool, allele: int) -> float:
        own = info.get(f"AS_{name}", ()) if by_allele else ()
        if len(own) >= allele:
            return own[allele - 1]
        return next(iter(info.get(name, ())), math.nan)


def kept(declared: Mapping[str, str]) -> Kept:
    """What of the INFO fields `declared` (name to Number) is kept."""
    by_allele = {name: declared.get(f"AS_{name}") == "A" for name in NAMES}
    return Kept(tuple((name, by_allele[name]) for name in NAMES if name in declared or by_allele[name]))


def number(text: str) -> float:
    """A number of VCF; NaN of a dot or of anything else."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def from_text(info: str, keys: frozenset[str]) -> dict[str, list[float]]:
    """Values of the INFO fields `keys` in a record's INFO column."""
    found: dict[str, list[float]] = {}
    if keys:
        for item in info.split(";"):
            key, _, value = item.partition("=")
            if key in keys:
                found[key] = [number(one) for one in value.split(",")]
    return found
