"""What commands on a callset, star alleles and releases are given, by people and by what else they grow with.

One process does a command; its memory stands with blocks and with the people, not with the cells. The work of a callset
falls into tasks by sites, so that more cores share it; star alleles and releases go one part after another. Genotypes
are those of common variants, as in the measured callsets: rare ones take less.
"""

from __future__ import annotations

import math

from cohelix.scale.model import Load

TASK_CELLS = 1 << 27
"""Genotypes that one task goes through, about."""
WINDOW_BASES, GENOME_BASES = 1_000_000, 2_875_001_522
"""A window of pruning, and the autosomes of GRCh38: how many sites are beside one another."""
RANGE_SITES, RANGE_SITES_A_SCORE = 65_536, 64
"""Sites of a task of `prs score`, at least; parts of the sums of each lie on disk."""

BYTES_OF_A_SUM = 24
"""A sum, two counts, and the bits of the counters."""
HELD_WEIGHTS = 1 << 24
"""Weights beyond which the memory of a run no longer grows with them: 30 million took what 17 million would."""
PATTERNS = 0.66
"""Distinct patterns of genotypes at the genes' positions grow with this power of the people (docs/scale.md)."""


def qc(samples: int, sites: int, *, groups: bool = False) -> list[Load]:
    """Variants (by groups and sexes, or without), then samples of the same callset. bytes kept: tables."""
    return [_of_cells("groups" if groups else "variants", samples, sites), _of_cells("samples", samples, sites)]


def relatedness(samples: int, sites: int, screen_sites: int, *, all_pairs: bool = False) -> list[Load]:
    """Kinship after a screen by so many sites, or of all pairs from all sites."""
    all_pairs = all_pairs or sites < 2 * screen_sites  # a screen of more than half of the sites saves nothing
    pair_sites = samples * (samples - 1) / 2 * (sites if all_pairs else screen_sites)
    more = {"pair_sites": pair_sites}
    return [_of_cells("all-pairs" if all_pairs else "screened", samples, sites, more, pair_sites / TASK_CELLS / 64)]


def ancestry(samples: int, sites: int, panel: int, passes: int, bases: int = GENOME_BASES) -> list[Load]:
    """Sites in linkage equilibrium out of `sites`; components fitted to a panel on all of these; projection; groups.

    panel: people of it, each of whom is compared with all of them, as everybody is. passes: over the genotypes, of a
    fit. bases: that the sites are spread over.
    """
    window = sites * min(1.0, WINDOW_BASES / bases)
    passing = {"pass_sites": float(sites * passes), "pass_cells": float(panel * sites * passes)}
    return [
        _of_cells("select", samples, sites, {"window_cells": samples * sites * window}),
        _of_cells("fit", panel, sites, passing),
        _of_cells("project", samples, sites, {"panel_pairs": float(panel * (panel + samples))}),
        _of_cells("assign", samples, 0),
    ]


def prs(samples: int, sites: int, scores: int, weights: int, memory_mib: int) -> list[Load]:
    """Scores of everybody. sites: that any score has. weights: rows of all scoring files together. memory_mib: of a
    task's sums, as in the settings."""
    ranges = math.ceil(sites / max(RANGE_SITES, RANGE_SITES_A_SCORE * scores))
    sums = float(scores * samples)
    more = {
        "weights": float(weights), "products": float(weights * samples), "sums": sums, "part_sums": sums * ranges,
        "held_weights": float(min(weights, HELD_WEIGHTS)), "held_sums": min(sums, memory_mib * 2**20 / BYTES_OF_A_SUM),
    }  # fmt: skip
    return [_of_cells("score", samples, sites, more, ranges)]


def pgx(samples: int, block_people: int) -> list[Load]:
    """Genotypes at the positions of all genes, then calls, in blocks of so many people."""
    whole = {"samples": float(samples), "patterns": float(samples) ** PATTERNS}
    block = {"block_samples": float(min(samples, block_people))}
    return [Load("extract", whole, 1, {}, held=whole), Load("call", whole, 1, {}, held=whole | block)]


def release(persons: int, sites: int, rows: int, tiers: tuple[str, ...], tables_rows: int) -> list[Load]:
    """A release of each tier. sites: of the genotypes. rows: of all tables of health records; `tables_rows` of them are
    sorted at a time."""
    whole = {
        "samples": float(persons), "sites": float(sites), "rows": float(rows), "cells": float(persons * sites),
        "concepts": math.sqrt(rows),  # distinct words grow with the root of a text (Heaps' law)
    }  # fmt: skip
    held = whole | {"block_rows": float(min(rows, tables_rows))}
    return [Load(tier, whole, 1, {}, held=held) for tier in tiers]


def _of_cells(stage: str, samples: int, sites: int, more: dict[str, float] | None = None, tasks: float = 0.0) -> Load:
    cells = float(samples * sites)
    whole = {"samples": float(samples), "sites": float(sites), "cells": cells} | (more or {})
    return Load(stage, whole, max(1, math.ceil(max(tasks, cells / TASK_CELLS))), {}, held=whole)
