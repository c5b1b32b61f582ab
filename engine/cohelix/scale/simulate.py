"""What the simulator is given at a number of people: each person's files are made by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from cohelix.scale.model import Load

CHUNK_SAMPLES = 4
"""People that a worker is handed at a time."""


@dataclass(frozen=True)
class Cohort:
    """samples: people. bases: of the regions that are made."""

    samples: int
    bases: int


def loads(cohort: Cohort) -> list[Load]:
    """One stage: gVCFs. Memory of a worker follows the regions, not the people."""
    made = float(cohort.samples) * cohort.bases
    whole = {"samples": float(cohort.samples), "bases": float(cohort.bases), "person_bases": made}
    tasks = -(-cohort.samples // CHUNK_SAMPLES)
    return [Load("gvcfs", whole, tasks, {"worker": 1.0, "bases": float(cohort.bases)})]
