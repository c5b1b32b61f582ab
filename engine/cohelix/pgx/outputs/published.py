"""Published allele frequencies (`reference/pgx/frequencies`), and which of them a cohort's group stands beside."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from cohelix.reference import read_rows, reference_path

FOLDER = ("pgx", "frequencies", "1")


@dataclass(frozen=True)
class Published:
    """frequency: at most this where `below`. group: as the source has it."""

    gene: str
    allele: str
    group: str
    frequency: float
    below: bool
    source: str


def read_published() -> list[Published]:
    """All of them, in the order of the file."""
    return [
        Published(row["gene"], row["allele"], row["group"], float(row["frequency"]), row["relation"] == "below",
                  row["source"])
        for row in read_rows(*FOLDER, "frequencies.tsv")
    ]  # fmt: skip


def published_groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """By name of a cohort's group, the published groups it is set beside; a name that is not known has none."""
    known: dict[str, list[str]] = {}
    for row in read_rows(*FOLDER, "groups.tsv"):
        known.setdefault(row["name"], []).append(row["group"])
    return {name: tuple(known.get(name.strip().lower(), ())) for name in names}


def addresses() -> dict[str, str]:
    """Where each source is found."""
    source = tomllib.loads(reference_path(*FOLDER, "SOURCE.toml").read_text(encoding="utf-8"))
    return {one["key"]: one["url"] for one in source["source"]}
