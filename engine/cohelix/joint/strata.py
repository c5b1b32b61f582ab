"""Groups of samples that are counted apart: a group that a table names, and sex.

The table is tab-separated with the columns sample_id and group; further columns are left alone. Messages name lines,
never samples.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix import storage
from cohelix.errors import InputError
from cohelix.genome import SEXES

EVERYBODY = "all"
"""The group of every sample where no table of groups was given."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Strata:
    """names: (group, sex) of each stratum that has samples, sorted; codes int32 (samples,): the stratum of each.

    Samples that the table of groups lacks have the code `len(names)`: they count in the whole only.
    """

    names: tuple[tuple[str, str], ...]
    codes: np.ndarray

    def sizes(self) -> list[int]:
        """Samples of each stratum."""
        counts: list[int] = np.bincount(self.codes, minlength=len(self.names) + 1).tolist()
        return counts[: len(self.names)]


def strata_of(sample_ids: Sequence[str], sexes: Sequence[str], groups: dict[str, str] | None) -> Strata:
    """The stratum of each sample. InputError where `groups` has none of them."""
    if groups is not None and not any(sample in groups for sample in sample_ids):
        raise InputError(
            f"none of the {len(groups)} samples in the table of groups is among the {len(sample_ids)} of the call "
            "store. Give the table that belongs to this store."
        )
    of = [EVERYBODY if groups is None else groups.get(sample) for sample in sample_ids]
    found = {(group, sex) for group, sex in zip(of, sexes, strict=True) if group is not None}
    names = tuple(sorted(found, key=lambda name: (name[0], SEXES.index(name[1]))))
    number = {name: at for at, name in enumerate(names)}
    codes = [len(names) if group is None else number[group, sex] for group, sex in zip(of, sexes, strict=True)]
    return Strata(names, np.array(codes, np.int32))


def read_groups(path: str) -> tuple[dict[str, str], str]:
    """Group by sample id, and the sha256 of the file. Raises InputError with the line at fault."""
    try:
        raw = storage.read(path)
        lines = raw.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError("expected a table of groups, found none at that path. Correct --groups.") from None
    except UnicodeDecodeError:
        raise InputError("expected the table of groups in UTF-8, found other bytes. Save it as UTF-8 text.") from None
    header = lines[0].split("\t") if lines else []
    if header.count("sample_id") != 1 or header.count("group") != 1:
        raise InputError(
            "line 1 of the groups: expected the tab-separated columns sample_id and group, found others. Correct it."
        )
    sample_at, group_at = header.index("sample_id"), header.index("group")
    found: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(header):
            raise InputError(f"line {number} of the groups: expected {len(header)} fields, found {len(fields)}.")
        if fields[sample_at] in found:
            raise InputError(f"line {number} of the groups: its sample_id was there before. Keep one of the lines.")
        if not _NAME.fullmatch(fields[group_at]):
            raise InputError(
                f"line {number} of the groups: expected a name of letters, digits, _ . and -, found another text."
            )
        found[fields[sample_at]] = fields[group_at]
    return found, hashlib.sha256(raw).hexdigest()
