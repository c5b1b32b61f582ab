"""Traits of the people that were scored: columns of a table, as measures or as cases and controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.inputs import column_of, read_table
from cohelix.prs.evaluate.people import IDS, Persons, column_values, rows_by_id, taken
from cohelix.prs.schema import EvaluateParams

WHAT = "table of phenotypes"
PLINK_MISSING = -9.0


@dataclass(frozen=True)
class Trait:
    """values: float64 (samples,), NaN where not known; of a binary trait 1 is a case and 0 a control.

    coding: how the values stood where they came from, for the record.
    """

    name: str
    binary: bool
    values: np.ndarray
    coding: str


def read_traits(path: str, sample_ids: Sequence[str], persons: Persons | None, params: EvaluateParams) -> list[Trait]:
    """The traits of a table of sample_id (or person_id) and a column for each, as `params` choose them.

    Raises InputError where a column holds text or one value only, or the table is of other people.
    """
    table = read_table(path, WHAT)
    names = [column_of(table, (), WHAT, name) for name in params.traits] or [
        name for name in table.column_names if name and name not in IDS
    ]
    if not names:
        raise InputError(f"expected a column for each trait in the {WHAT}, found ids alone.")
    lacking = sorted({*params.binary, *params.quantitative} - set(names))
    if lacking and not params.concepts:
        raise ConfigError(f"prs.evaluate names {lacking[0]!r} as a trait, and the {WHAT} has it not. Correct it.")
    rows = rows_by_id(table, sample_ids, persons, WHAT)
    return [_trait(table, name, rows, params) for name in names]


def _trait(table: pa.Table, name: str, rows: np.ndarray, params: EvaluateParams) -> Trait:
    values = taken(column_values(table, name, WHAT), rows)
    held = set(np.unique(values[~np.isnan(values)]).tolist())
    if not held:
        raise InputError(f"trait {name!r} of the {WHAT} is not known of anybody that was scored. Leave it out.")
    if name in params.quantitative:
        return _measured(name, values, held)
    if held <= {0.0, 1.0}:
        return _of_two(name, values, held, "0/1")
    if held <= {1.0, 2.0, PLINK_MISSING}:
        return _of_two(name, np.where(values == PLINK_MISSING, np.nan, values - 1), held - {PLINK_MISSING}, "1/2")
    if held <= {0.0, 1.0, 2.0, PLINK_MISSING}:
        if name in params.binary:  # plink's 0 is missing, beside 1 and 2
            return _of_two(name, np.where(values <= 0, np.nan, values - 1), held - {0.0, PLINK_MISSING}, "0/1/2")
        raise InputError(
            f"trait {name!r} holds 0, 1 and 2: controls, cases and not known as plink writes them, or a measure. "
            "Name it in prs.evaluate.binary or prs.evaluate.quantitative."
        )
    if name in params.binary:
        raise InputError(f"trait {name!r} is named as binary, and holds other values than 0 and 1 (or 1 and 2).")
    return _measured(name, values, held)


def _measured(name: str, values: np.ndarray, held: set[float]) -> Trait:
    if len(held) == 1:
        raise InputError(
            f"trait {name!r} has one value in everybody that was scored: nothing to foretell. Leave it out."
        )
    return Trait(name, False, values, "measure")


def _of_two(name: str, values: np.ndarray, held: set[float], coding: str) -> Trait:
    if len(held) < 2:
        raise InputError(
            f"trait {name!r} has one value in everybody that was scored: cases alone, or controls alone. Leave it out, "
            "or give the others."
        )
    return Trait(name, True, values, coding)


def read_pairs(path: str | None, score_ids: Sequence[str], traits: Sequence[Trait], most: int) -> list[list[int]]:
    """For each trait the places of its scores, ascending: of a table of score and trait, or all where there is none."""
    if path is None:
        if len(score_ids) * len(traits) > most:
            raise ConfigError(
                f"{len(score_ids)} scores and {len(traits)} traits are {len(score_ids) * len(traits):,} pairs, more "
                f"than prs.evaluate.max_pairs ({most:,}). Give --pairs, a table of score and trait, or raise it."
            )
        return [list(range(len(score_ids))) for _ in traits]
    what = "table of pairs"
    table = read_table(path, what)
    scores = [str(one) for one in table.column(column_of(table, ("score", "pgs_id"), what)).to_pylist()]
    named = [str(one) for one in table.column(column_of(table, ("trait", "phenotype"), what)).to_pylist()]
    place = {name: row for row, name in enumerate(score_ids)}
    trait_of = {trait.name: row for row, trait in enumerate(traits)}
    found: list[set[int]] = [set() for _ in traits]
    for row, (score, trait) in enumerate(zip(scores, named, strict=True)):
        if score not in place or trait not in trait_of:
            which = "score" if score not in place else "trait"
            raise InputError(f"row {row + 2} of the {what} names a {which} that is not there. Correct or drop it.")
        found[trait_of[trait]].add(place[score])
    if not any(found):
        raise InputError(f"expected at least one pair in the {what}, found none.")
    return [sorted(places) for places in found]
