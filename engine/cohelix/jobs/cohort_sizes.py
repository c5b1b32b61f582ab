"""Named sizes of made cohorts, and all settings of one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from cohelix.errors import ConfigError
from cohelix.jobs.config import load_params, preset_names
from cohelix.simulate.schema import ArrayParams, CohortParams, OmopParams, SequencingParams, TraitParams, Wishes

PREFIX = "cohort-"


def sizes() -> list[str]:
    """Presets whose names begin with `cohort-`."""
    return [name.removeprefix(PREFIX) for name in preset_names() if name.startswith(PREFIX)]


def load_wishes(size: str | None, config: str | None, overrides: Sequence[str]) -> Wishes:
    """Settings of a size, then of a file, then of `--set`. Raises ConfigError."""
    if size is not None and size not in sizes():
        close = difflib.get_close_matches(size, sizes(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(sizes())}."
        raise ConfigError(f"size {size!r} is not known.{hint}")
    preset = None if size is None else PREFIX + size
    for override in overrides:
        if not override.startswith("simulate."):
            raise ConfigError(f"--set {override}: expected a setting of simulate, as in simulate.region_bases=50000.")
    return Wishes(
        load_params(CohortParams, "simulate", preset=preset, config=config, overrides=overrides),
        load_params(SequencingParams, "simulate.sequencing", preset=preset, config=config, overrides=overrides),
        load_params(ArrayParams, "simulate.arrays", preset=preset, config=config, overrides=overrides),
        load_params(TraitParams, "simulate.traits", preset=preset, config=config, overrides=overrides),
        load_params(OmopParams, "simulate.omop", preset=preset, config=config, overrides=overrides),
    )
