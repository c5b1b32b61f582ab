"""Groups of samples that are counted apart: a group that a table names, and sex."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.errors import InputError
from cohelix.genome import SEXES
from cohelix.joint.sample_table import read_column

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
    return read_column(path, "group", "groups", _name, "a name of letters, digits, _ . and -")


def _name(text: str) -> str | None:
    return text if _NAME.fullmatch(text) else None
