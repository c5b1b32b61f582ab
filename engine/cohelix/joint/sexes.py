"""Sexes that a table states in place of the call store's: `cohelix qc samples` writes one from what the reads show."""

from __future__ import annotations

from collections.abc import Sequence

from cohelix.errors import InputError
from cohelix.genome import parse_sex
from cohelix.joint.sample_table import read_column


def read(path: str) -> tuple[dict[str, str], str]:
    """Sex by sample id, and the sha256 of the file. Raises InputError with the line at fault."""
    return read_column(path, "sex", "sexes", _sex, "male, female or unknown (M, F, 1, 2, 0, XX, XY or NA)")


def _sex(text: str) -> str | None:
    try:
        return parse_sex(text)
    except InputError:
        return None


def replaced(sample_ids: Sequence[str], sexes: Sequence[str], table: dict[str, str]) -> list[str]:
    """`sexes` of the samples, but those of `table` where it has them. InputError where it has none of the samples."""
    if not any(sample in table for sample in sample_ids):
        raise InputError(
            f"none of the {len(table)} samples in the table of sexes is among the {len(sample_ids)} of the call store. "
            "Give the table that belongs to this store."
        )
    return [table.get(sample, sex) for sample, sex in zip(sample_ids, sexes, strict=True)]
