"""Who is in a release: persons, and which sample stands for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class People:
    """Persons of a release, by ascending person_id of the source.

    person: int64 (p,). birth: int32 (p,) days since 1970 of the date of birth (1 July, or the 1st, where not stated).
    genome, array: int32 (p,) place of the person's sample among the samples of the callset of genomes, of arrays; -1
    for none. group: int16 (p,) place in `groups` of the ancestry group; -1 where not known. sex: int8 (p,) 1 male, 2
    female, 0 not known, as the genome says (as PERSON says where there is none). genome_ids, array_ids: all sample ids
    of the two callsets, in their order. excluded: how many persons or samples are left out, by reason.
    as_of: int32, days since 1970: the day on which ages are counted.
    """

    person: np.ndarray
    birth: np.ndarray
    genome: np.ndarray
    array: np.ndarray
    group: np.ndarray
    sex: np.ndarray
    groups: tuple[str, ...]
    genome_ids: tuple[str, ...]
    array_ids: tuple[str, ...]
    excluded: dict[str, int]
    as_of: int

    def __len__(self) -> int:
        return len(self.person)

    @property
    def age(self) -> np.ndarray:
        """int32 (p,): whole years on the day `as_of`."""
        return ((self.as_of - self.birth) // 365.2425).astype(np.int32)

    def taken(self, rows: np.ndarray) -> People:
        """These people only. rows: int64, increasing."""
        parts = {name: getattr(self, name)[rows] for name in ("person", "birth", "genome", "array", "group", "sex")}
        return People(
            **parts,
            groups=self.groups,
            genome_ids=self.genome_ids,
            array_ids=self.array_ids,
            excluded=self.excluded,
            as_of=self.as_of,
        )
