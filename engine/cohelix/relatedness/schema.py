"""Choices of relatedness: each default with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from cohelix import choices
from cohelix.errors import ConfigError


@dataclass(frozen=True)
class RelatednessParams:
    """Which pairs are looked for, and how."""

    min_kinship: float = 2.0**-4.5
    """Pairs of at least this kinship are kept: 2^-4.5 = 0.0442, where third degree ends. Below it, chance pairs of a

    large cohort outnumber relatives.
    """
    screen: bool = True
    """Look at all pairs on a subset of sites first, and at all sites only for pairs that may reach `min_kinship`."""
    screen_sites: int = 16_384
    """Sites of the screen, half of them for the first look. Of common SNPs, half of these leave about one unrelated

    pair of one ancestry in six, and all of them one in fifty. With half as many, the second look costs more than the
    first saves.
    """
    screen_sds: float = 4.0
    """A pair is set aside where its kinship on the subset is this many standard errors of sampling sites below

    `min_kinship`, or more: of pairs exactly there, at most 13 in 100,000 are lost, and far fewer of those above.
    """
    min_sites: int = 100
    """Fewer sites than this are refused: the standard error of kinship on 100 common SNPs is 0.09, a whole degree."""
    max_parent_child_ibs0: float = 0.08
    """A first-degree pair with fewer opposite homozygotes than this, as a share of what unrelated people have, is a

    parent and a child. They have none but from errors (1 % of wrong calls: about 0.03); full sibs share nothing over a
    quarter of the genome, 0.25 with an SD of about 0.045 between pairs of sibs.
    """
    min_tsv_kinship: float = 0.1
    """Pairs above this are in relatedness.tsv (All of Us, min_kinship = 0.1)."""

    def __post_init__(self) -> None:
        choices.between("relatedness.estimate.min_kinship", self.min_kinship, 0.01, 0.45)
        choices.between("relatedness.estimate.screen_sites", self.screen_sites, 64, 10_000_000)
        choices.between("relatedness.estimate.screen_sds", self.screen_sds, 1.0, 10.0)
        choices.between("relatedness.estimate.min_sites", self.min_sites, 1, 10_000_000)
        choices.between("relatedness.estimate.max_parent_child_ibs0", self.max_parent_child_ibs0, 0.0, 0.25)
        choices.between("relatedness.estimate.min_tsv_kinship", self.min_tsv_kinship, 0.0, 0.5)


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
