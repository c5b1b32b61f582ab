"""Sets of concepts: which concepts of the vocabulary are meant, with what lies below them.

A set is what its items include, less what they exclude, each with its descendants by CONCEPT_ANCESTOR unless the item
says otherwise; so do ATLAS and Circe mean it, whose JSON is read as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.errors import ConfigError, InputError
from cohelix.omop.source import Cdm

KEYS = ("include", "exclude", "descendants", "file", "set")


@dataclass(frozen=True)
class Item:
    """A concept; excluded: it is taken out. descendants: so are, or come in, those below it."""

    concept: int
    excluded: bool = False
    descendants: bool = True


@dataclass(frozen=True)
class ConceptSet:
    """Items that make a set."""

    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Resolved:
    """concepts: int64, ascending. unknown: items whose descendants CONCEPT_ANCESTOR knows nothing of.

    blind: descendants are asked for, and are not known of any concept that the set includes.
    """

    concepts: np.ndarray
    unknown: int
    blind: bool


def set_of(section: Mapping[str, Any], folder: Path, where: str) -> ConceptSet:
    """A set as a table of TOML: include, exclude (ids), descendants (true); or file (ATLAS), and set (its name or id).

    folder: that of the definition, which `file` is relative to. where: names the section in messages.
    """
    if strange := sorted(set(section) - set(KEYS)):
        raise ConfigError(f"{where} has {strange[0]!r}, which is not known. Choose of {', '.join(KEYS)}.")
    if "file" in section:
        if set(section) & {"include", "exclude", "descendants"}:
            raise ConfigError(f"{where} has a file and concepts beside it. Give one of the two.")
        return read_circe(folder / str(section["file"]), section.get("set"))
    below = section.get("descendants", True)
    if not isinstance(below, bool):
        raise ConfigError(f"expected true or false as descendants of {where}, found {below!r}.")
    items = [
        Item(_concept(one, where), key == "exclude", below)
        for key in ("include", "exclude")
        for one in _list(section.get(key, []), where)
    ]
    return ConceptSet(tuple(items))


def read_circe(path: Path, which: object = None) -> ConceptSet:
    """A set of ATLAS: its own JSON (`items`), or one of the `ConceptSets` of a cohort's, by name or id.

    ConfigError where it is another file, or asks for mapped (source) concepts, which no standard column holds.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        sets = document.get("ConceptSets")
        if sets is None:
            document = document.get("expression", document)
        else:
            chosen = [one for one in sets if which is None or which in (one.get("name"), one.get("id"))]
            if len(chosen) != 1:
                raise ConfigError(
                    f"expected one set of concepts in the file of a cohort, found {len(chosen)} of {len(sets)} that "
                    "fit. Name it by `set`."
                )
            document = chosen[0]["expression"]
        items = []
        for one in document["items"]:
            if one.get("includeMapped"):
                raise ConfigError("a set of concepts asks for mapped ones (includeMapped), which are not standard.")
            number = _concept(one["concept"]["CONCEPT_ID"], "a set of concepts")
            items.append(Item(number, bool(one.get("isExcluded")), bool(one.get("includeDescendants"))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError("expected the JSON of a set of concepts as ATLAS exports it, found something else.") from None
    return ConceptSet(tuple(items))


def resolve(cdm: Cdm, sets: Sequence[ConceptSet]) -> list[Resolved]:
    """The concepts of each set, in one pass over CONCEPT_ANCESTOR.

    InputError where descendants are asked for and there is no such table.
    """
    wanted = sorted({item.concept for one in sets for item in one.items if item.descendants})
    if wanted and "concept_ancestor" not in cdm.tables():
        raise InputError(
            "expected a table CONCEPT_ANCESTOR, which says what lies below a concept, found none. Add it, or name "
            "every concept and set descendants = false."
        )
    below = _descendants(cdm, np.array(wanted, np.int64)) if wanted else {}
    return [_resolved(one, below) for one in sets]


def _resolved(one: ConceptSet, below: Mapping[int, np.ndarray]) -> Resolved:
    taken: dict[bool, list[np.ndarray]] = {False: [np.empty(0, np.int64)], True: [np.empty(0, np.int64)]}
    unknown = 0
    for item in one.items:
        taken[item.excluded].append(np.array([item.concept], np.int64))
        if item.descendants:
            taken[item.excluded].append(below[item.concept])
            unknown += not below[item.concept].size
    included = [item for item in one.items if not item.excluded and item.descendants]
    blind = bool(included) and not any(below[item.concept].size for item in included)
    return Resolved(np.setdiff1d(np.concatenate(taken[False]), np.concatenate(taken[True])), unknown, blind)


def _descendants(cdm: Cdm, wanted: np.ndarray) -> dict[int, np.ndarray]:
    """Descendants of each concept; a standard concept is its own in the CDM, so none: it is not known."""
    found: dict[int, list[np.ndarray]] = {int(one): [np.empty(0, np.int64)] for one in wanted}
    for batch in cdm.batches("concept_ancestor", ("ancestor_concept_id", "descendant_concept_id")):
        above, below = (column.fill_null(0).to_numpy() for column in batch.columns)
        rows = np.flatnonzero(np.isin(above, wanted))
        for concept in np.unique(above[rows]).tolist():
            found[concept].append(below[rows][above[rows] == concept].astype(np.int64))
    return {concept: np.unique(np.concatenate(parts)) for concept, parts in found.items()}


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ConfigError(f"expected a list of concept ids in {where}, found something else.")
    return value


def _concept(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise ConfigError(f"expected concept ids between 1 and {2**31 - 1:,} in {where}, found {value!r}.")
    return value
