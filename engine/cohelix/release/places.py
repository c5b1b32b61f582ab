"""Where persons of a release are from, as roughly as the tier asks: LOCATION made anew, one row for an area.

An area is a state, and in the controlled tier the first three digits of the ZIP code. A state that too few persons of
the release are from is none; an area of three digits where 20,000 people live or fewer is 000; and so it is for persons
whose race is American Indian or Alaska Native, of whom few live in most areas. Source: the tier table.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from cohelix.omop.source import Cdm
from cohelix.release.policy import Policy
from cohelix.tier import Tier

NATIVE_AMERICAN = 8657
_STATE, _ZIP = re.compile("[A-Z]{2}"), re.compile(r"(\d{3})\d{2}(-?\d{4})?")


@dataclass(frozen=True)
class Places:
    """of: int32 (p,), number of the area of each person of the release, 0 for none. states, zips: of areas 1, 2, ...

    zips: as in `354**`; "" where the tier has none.
    """

    of: np.ndarray
    states: tuple[str, ...]
    zips: tuple[str, ...]


def find_places(cdm: Cdm, policy: Policy, tier: Tier, persons: np.ndarray) -> Places:
    """persons: int64 (p,) of the source, ascending. Areas are numbered by state and ZIP code, whatever the order of
    rows; text that is no code of a state or area is none."""
    none = Places(np.zeros(len(persons), np.int32), (), ())
    if "location" not in cdm.tables() or not len(persons):
        return none
    rows = cdm.read("location", ("location_id", "state", "zip")).to_pydict()
    known = {
        number: (_state(state), _zip(code, policy.small_areas))
        for number, state, code in zip(rows["location_id"], rows["state"], rows["zip"], strict=True)
    }
    with_zip = policy.actions(tier, "location")["zip"] == "zip3"
    areas = [("", "")] * len(persons)
    for batch in cdm.batches("person", ("person_id", "location_id", "race_concept_id")):
        columns = (batch.column(name).to_pylist() for name in ("person_id", "location_id", "race_concept_id"))
        for person, location, race in zip(*columns, strict=True):
            place = int(np.searchsorted(persons, person))
            if place < len(persons) and persons[place] == person:
                state, code = known.get(location, ("", ""))
                hidden = "000**" if code and race == NATIVE_AMERICAN else code
                areas[place] = (state, hidden if with_zip else "")
    n = Counter(state for state, _ in areas)
    least = policy.least_state(tier)
    areas = [(state if n[state] >= least else "", code) for state, code in areas]
    listed = sorted({area for area in areas if any(area)})
    number = {area: place for place, area in enumerate(listed, 1)}
    of = np.array([number.get(area, 0) for area in areas], np.int32)
    return Places(of, tuple(state for state, _ in listed), tuple(code for _, code in listed))


def _state(text: str | None) -> str:
    found = (text or "").strip().upper()
    return found if _STATE.fullmatch(found) else ""


def _zip(text: str | None, small: frozenset[str]) -> str:
    found = _ZIP.fullmatch((text or "").strip())
    if found is None:
        return ""
    return "000**" if found[1] in small else f"{found[1]}**"
