"""Definitions of phenotypes as data: who is a case, who is neither, who may be a control.

A TOML file, or the name of one of `reference/omop/phenotypes`:

    name = "type_2_diabetes"
    title = "Type 2 diabetes: two records on different days"
    dates = 2

    [cases]
    include = [201826]

    [excluded]
    include = [201254]

    [controls]
    without = [201820]
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohelix.errors import ConfigError, ContractError
from cohelix.omop.concepts import ConceptSet, set_of
from cohelix.reference import reference_path

EVENTS = {
    "condition_occurrence": ("condition_concept_id", "condition_start_date"),
    "drug_exposure": ("drug_concept_id", "drug_exposure_start_date"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date"),
    "device_exposure": ("device_concept_id", "device_exposure_start_date"),
    "measurement": ("measurement_concept_id", "measurement_date"),
    "observation": ("observation_concept_id", "observation_date"),
}
"""Tables that records can be in: the column of the concept and that of the date."""

REFERENCE = ("omop", "phenotypes", "1")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NUMBERS = {"dates": 1, "days_apart": 0, "observation_days": 0}


@dataclass(frozen=True)
class Definition:
    """A phenotype.

    cases: what makes a case, on at least `dates` different days, the last at least `days_apart` after the first.
    excluded: a person with a record of these is neither case nor control. without: controls have no record of these,
    nor of `cases`, and were under observation for at least `observation_days`; 0: nobody asks. tables: of `EVENTS`,
    where records are. text: the file, as COHORT_DEFINITION keeps it.
    """

    name: str
    title: str
    cases: ConceptSet
    excluded: ConceptSet
    without: ConceptSet
    dates: int
    days_apart: int
    observation_days: int
    tables: tuple[str, ...]
    text: str


def read_definition(named: str) -> Definition:
    """A definition by its path (ending in .toml) or the name of one that comes along. ConfigError where it is none."""
    path = Path(named)
    if path.suffix != ".toml":
        try:
            path = reference_path(*REFERENCE, f"{named}.toml") if _NAME.fullmatch(named) else path
        except ContractError:
            known = ", ".join(sorted(one.stem for one in reference_path(*REFERENCE).glob("[a-z]*.toml")))
            raise ConfigError(f"no phenotype is called {named!r}. Give a TOML file, or one of {known}.") from None
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, ValueError):
        raise ConfigError("expected the definition of a phenotype as a TOML file, found something else.") from None
    return _definition(document, path.parent, text)


def _definition(document: Mapping[str, Any], folder: Path, text: str) -> Definition:
    known = {"name", "title", "tables", "source", "cases", "excluded", "controls", *_NUMBERS}
    if strange := sorted(set(document) - known):
        raise ConfigError(f"a phenotype has {strange[0]!r}, which is not known. Choose of {', '.join(sorted(known))}.")
    name, title = document.get("name"), document.get("title", document.get("name"))
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(title, str):
        raise ConfigError("expected a name of a phenotype in small letters, digits and _, as in type_2_diabetes.")
    tables = document.get("tables", ["condition_occurrence"])
    if not isinstance(tables, list) or not tables or not set(tables) <= set(EVENTS):
        raise ConfigError(f"expected tables of {name} among {', '.join(EVENTS)}, found others or none.")
    numbers = {key: document.get(key, least) for key, least in _NUMBERS.items()}
    for key, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < _NUMBERS[key]:
            raise ConfigError(f"expected {key} of {name} as a whole number of at least {_NUMBERS[key]}.")
    sections = {key: document.get(key, {}) for key in ("cases", "excluded", "controls")}
    if not all(isinstance(section, dict) for section in sections.values()):
        raise ConfigError(f"expected [cases], [excluded] and [controls] of {name} as sections.")
    controls = {"include" if key == "without" else key: value for key, value in sections["controls"].items()}
    definition = Definition(
        name,
        title,
        set_of(sections["cases"], folder, f"[cases] of {name}"),
        set_of(sections["excluded"], folder, f"[excluded] of {name}"),
        set_of(controls, folder, f"[controls] of {name}"),
        tables=tuple(dict.fromkeys(tables)),
        text=text,
        **numbers,
    )
    if not any(not item.excluded for item in definition.cases.items):
        raise ConfigError(f"expected concepts that make a case of {name}, found none. Give [cases] include.")
    return definition
