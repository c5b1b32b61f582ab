"""Sexes that a table states in place of the call store's: `cohelix qc samples` writes one from what the reads show.

Tab-separated, with the columns sample_id and sex; further columns are left alone. Messages name lines, never samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cohelix import storage
from cohelix.errors import InputError
from cohelix.genome import parse_sex


def read(path: str) -> tuple[dict[str, str], str]:
    """Sex by sample id, and the sha256 of the file. Raises InputError with the line at fault."""
    try:
        raw = storage.read(path)
        lines = raw.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError("expected a table of sexes, found none at that path. Correct --sexes.") from None
    except UnicodeDecodeError:
        raise InputError("expected the table of sexes in UTF-8, found other bytes. Save it as UTF-8 text.") from None
    header = lines[0].split("\t") if lines else []
    if header.count("sample_id") != 1 or header.count("sex") != 1:
        raise InputError(
            "line 1 of the sexes: expected the tab-separated columns sample_id and sex, found others. Correct it."
        )
    sample_at, sex_at = header.index("sample_id"), header.index("sex")
    found: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(header):
            raise InputError(f"line {number} of the sexes: expected {len(header)} fields, found {len(fields)}.")
        if fields[sample_at] in found:
            raise InputError(f"line {number} of the sexes: its sample_id was there before. Keep one of the lines.")
        try:
            found[fields[sample_at]] = parse_sex(fields[sex_at])
        except InputError:
            raise InputError(
                f"line {number} of the sexes: expected male, female or unknown (M, F, 1, 2, 0, XX, XY or NA), found "
                "something else. Correct it."
            ) from None
    return found, hashlib.sha256(raw).hexdigest()


def replaced(sample_ids: Sequence[str], sexes: Sequence[str], table: dict[str, str]) -> list[str]:
    """`sexes` of the samples, but those of `table` where it has them. InputError where it has none of the samples."""
    if not any(sample in table for sample in sample_ids):
        raise InputError(
            f"none of the {len(table)} samples in the table of sexes is among the {len(sample_ids)} of the call store. "
            "Give the table that belongs to this store."
        )
    return [table.get(sample, sex) for sample, sex in zip(sample_ids, sexes, strict=True)]
