"""Diplotypes that cannot be told apart without phase: where the source says which is by far the more frequent one."""

from __future__ import annotations

from collections.abc import Sequence

from cohelix.pgx.definition import Gene

WARNING = "unphased-priority"


def picked(gene: Gene, diplotypes: Sequence[str]) -> str | None:
    """The diplotype to report of `diplotypes`; None where the source has no rule for them."""
    if len(diplotypes) < 2:
        return None
    there = set(diplotypes)
    return next((rule.pick for rule in gene.priorities if rule.diplotypes <= there), None)
