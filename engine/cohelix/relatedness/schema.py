"""Choices of relatedness: each default with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from cohelix import choices
from cohelix.errors import ConfigError


@dataclass(frozen=True)
class PcRelateParams:
    """How kinship is estimated given ancestry."""

    min_individual_maf: float = 0.01
    """A site counts for a sample where its ancestry makes both alleles more frequent than this (All of Us, GENESIS)."""

    def __post_init__(self) -> None:
        choices.between("relatedness.pc_relate.min_individual_maf", self.min_individual_maf, 0.0, 0.5)


@dataclass(frozen=True)
class PruneParams:
    """Which samples of related pairs are kept."""

    max_kinship: float = 0.1
    """Pairs above this are related: 0.1 as All of Us and gnomAD have it. Second degree begins at 0.0884, which is

    2^-3.5, the middle (geometric) of the 1/8 of second and the 1/16 of third degree.
    """
    priority_columns: list[str] = field(default_factory=lambda: ["priority"])
    """Columns of the table of priorities, numbers from 0: the total of the first over kept samples is made as great as

    can be, then that of the next, and only then the number of samples. 1 for a case and 0 for others keeps all cases
    that can be kept.
    """
    tie_columns: list[str] = field(default_factory=list)
    """Columns whose totals decide between sets of equal priority and number: better quality, such as call_rate."""
    exact_size: int = 64
    """Families of more undecided samples than this are solved by a greedy choice that is then improved."""

    def __post_init__(self) -> None:
        choices.between("relatedness.prune.max_kinship", self.max_kinship, 0.0, 0.5)
        choices.between("relatedness.prune.exact_size", self.exact_size, 0, 128)
        if set(self.priority_columns) & set(self.tie_columns):
            raise ConfigError("a column is in both priority_columns and tie_columns of relatedness.prune. Drop one.")
