"""Choices of the components, projection, groups and panels, each default with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from cohelix import choices


@dataclass(frozen=True)
class AssignParams:
    """How groups, distances and proportions are made from components. None: what the preset says."""

    preset: str = "aou-v8"
    """Recipe, as `reference/ancestry` holds it: the groups of a cohort are then those of a programme's release."""
    n_pcs: int | None = None
    """Components for the forest, the distances and the proportions."""
    n_trees: int | None = None
    seed: int | None = None
    min_probability: float | None = None
    """Highest probability that the forest must give to a sample for it to keep its group."""
    label_column: str | None = None
    """Column of the table of labels; None: the first of those that `read_groups` knows."""
    min_group: int = 2
    """Labelled samples that a group needs: one has no spread, and none of it can be held out."""
    small_groups: str = "refuse"
    """Groups smaller than that are refused ("refuse": a label seen once is mostly a slip of the pen), or left out
    and counted ("drop").
    """
    holdout: float = 0.2
    """Share of each group held out to measure the forest; gnomAD withholds a fifth. 0: not measured."""
    ood_is_oth: bool = False
    """Whether ancestry_preds.tsv, too, has the other label where a sample is out of distribution.

    By default its columns follow the programme's rule, so that they can be compared with its release; `group_other` of
    ancestry.parquet has the other label in either case.
    """
    not_sources: list[str] = field(default_factory=list)
    """Groups that proportions are not made of, as they are mixtures themselves; amr, where unmixed people are labelled.
    """

    def __post_init__(self) -> None:
        choices.choose("ancestry.assign.small_groups", self.small_groups, ("refuse", "drop"))
        for name, low, high in (("n_pcs", 1, 1000), ("n_trees", 1, 100_000), ("seed", 0, 2**32 - 1)):
            if getattr(self, name) is not None:
                choices.between(f"ancestry.assign.{name}", getattr(self, name), low, high)
        if self.min_probability is not None:
            choices.between("ancestry.assign.min_probability", self.min_probability, 0.0, 1.0)
        choices.between("ancestry.assign.min_group", self.min_group, 2, 1_000_000)
        choices.between("ancestry.assign.holdout", self.holdout, 0.0, 0.5)


@dataclass(frozen=True)
class PanelParams:
    """How a reference panel is made from a callset with labels."""

    label_column: str | None = None
    """Column of the groups; None: the first of those that `read_groups` knows."""
    subgroup_column: str | None = None
    """Column of the subgroups (populations); None: no subgroups."""
    drop: list[str] = field(default_factory=lambda: ["oth", "other", "remaining", "rmi"])
    """Labels that name no group: their samples are left out (All of Us and gnomAD train without them)."""
    min_group: int = 2
    small_groups: str = "refuse"
    """As in `AssignParams`."""
    max_per_group: int | None = None
    """Samples of a group that are taken, drawn with `seed`: a group of many bends the first components towards it.

    None: all, as in All of Us and gnomAD.
    """
    seed: int = 1

    def __post_init__(self) -> None:
        choices.choose("ancestry.panel.small_groups", self.small_groups, ("refuse", "drop"))
        choices.between("ancestry.panel.min_group", self.min_group, 2, 1_000_000)
        choices.between("ancestry.panel.seed", self.seed, 0, 2**32 - 1)
        if self.max_per_group is not None:
            choices.between("ancestry.panel.max_per_group", self.max_per_group, self.min_group, 10_000_000)
