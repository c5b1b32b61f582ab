"""Recipes of programmes as data: `reference/ancestry/<preset>/assign.toml`, and what a run takes from it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from cohelix.ancestry.schema import AssignParams
from cohelix.errors import ConfigError, ContractError
from cohelix.reference import reference_path

_KEYS = {
    "title", "n_pcs", "n_trees", "seed", "train_share", "threshold", "at_threshold", "other", "drop", "collapse",
    "source",
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How groups are assigned.

    A sample keeps its group where the highest probability is above `threshold`, or at it where `keeps_at` says so;
    else it gets `other`. drop: labels that are not trained with. collapse: labels that become another. train_share: of
    the labelled samples, drawn with `seed`, that the forest is trained with; 1: all.
    """

    n_pcs: int
    n_trees: int
    seed: int
    train_share: float
    threshold: float
    keeps_at: bool
    other: str
    drop: tuple[str, ...]
    collapse: dict[str, str]

    def label(self, stated: str) -> str:
        """The label to train with; "" where the sample is left out.

        Case counts, as to the programmes: fin is gnomAD's group, FIN a population of 1000 Genomes among 26.
        """
        taken = self.collapse.get(stated, stated)
        return "" if taken in self.drop else taken


def preset_names() -> list[str]:
    """Presets that exist: folders of `reference/ancestry` with an assign.toml."""
    return sorted(path.parent.name for path in reference_path("ancestry").glob("*/assign.toml"))


def recipe_of(params: AssignParams) -> Recipe:
    """The preset's recipe, with what the parameters say otherwise. ConfigError where there is no such preset."""
    known = preset_names()
    if params.preset not in known:
        raise ConfigError(f"preset {params.preset!r} is not known. Choose {' or '.join(known)}.")
    document = tomllib.loads(reference_path("ancestry", params.preset, "assign.toml").read_text(encoding="utf-8"))
    if set(document) != _KEYS or document["at_threshold"] not in ("group", "other"):
        raise ContractError(f"the preset {params.preset} does not hold what a recipe needs.")

    def chosen(name: str, own: Any) -> Any:
        return document[name] if own is None else own

    return Recipe(
        n_pcs=int(chosen("n_pcs", params.n_pcs)),
        n_trees=int(chosen("n_trees", params.n_trees)),
        seed=int(chosen("seed", params.seed)),
        train_share=float(document["train_share"]),
        threshold=float(chosen("threshold", params.min_probability)),
        keeps_at=document["at_threshold"] == "group",
        other=str(document["other"]),
        drop=tuple(document["drop"]),
        collapse={str(key): str(value) for key, value in document["collapse"].items()},
    )
