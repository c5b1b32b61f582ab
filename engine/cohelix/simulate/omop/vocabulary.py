"""What made records speak of: concepts, diseases, drugs, measurements, self-report (`reference/simulate/concepts`)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

import numpy as np

from cohelix.simulate.omop.cdm import reference_folder

MALE, FEMALE = 8507, 8532
INPATIENT, OUTPATIENT, EMERGENCY = 9201, 9202, 9203
EHR, ENCOUNTER, PRESCRIPTION, LAB, SELF_REPORT = 32817, 32827, 32838, 32856, 32865
BLOOD, ANY_SPECIMEN = 4001225, 4048506
SMOKING = 43054909
CDM_5_4 = 756265


def rows(name: str) -> list[dict[str, str]]:
    """Rows of one of the tables, by column."""
    with (reference_folder() / "simulate" / "concepts" / f"{name}.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _numbers(table: list[dict[str, str]], column: str, type_: type = float) -> np.ndarray:
    return np.array([type_(row[column]) for row in table])


@dataclass(frozen=True)
class Diseases:
    """C diseases that stay, in an order in which `after` points backwards.

    lifetime: share of people who get it (of those with the disease `after`, where there is one). onset, onset_sd: age
    in years (years after `after`). female: odds for women. recorded: chance to be noted at a visit. after: place, -1
    for none. quantitative: name of a trait that raises the odds, by log_odds per standard deviation.
    """

    trait: tuple[str, ...]
    concept: np.ndarray
    source: np.ndarray
    lifetime: np.ndarray
    onset: np.ndarray
    onset_sd: np.ndarray
    female: np.ndarray
    recorded: np.ndarray
    after: tuple[int, ...]
    quantitative: tuple[str, ...]
    log_odds: np.ndarray


@dataclass(frozen=True)
class Complaints:
    """Acute conditions: share of visits for a complaint, and days until it is over."""

    trait: tuple[str, ...]
    concept: np.ndarray
    source: np.ndarray
    share: np.ndarray
    days: np.ndarray


@dataclass(frozen=True)
class Line:
    """A line of treatment: of the people with `trait`, share[i] get drug[i], the rest none."""

    name: str
    trait: str
    drug: np.ndarray
    share: np.ndarray
    route: np.ndarray
    source: np.ndarray


@dataclass(frozen=True)
class Measures:
    """M kinds of measurement: means by sex, spread between people, and from one day to another; see the table."""

    name: tuple[str, ...]
    concept: np.ndarray
    source: np.ndarray
    unit_concept: np.ndarray
    unit: np.ndarray
    vital: np.ndarray
    share: np.ndarray
    mean_male: np.ndarray
    mean_female: np.ndarray
    person_sd: np.ndarray
    noise_sd: np.ndarray
    per_year: np.ndarray
    low: np.ndarray
    high: np.ndarray
    range_low: np.ndarray
    range_high: np.ndarray
    decimals: np.ndarray


@cache
def diseases() -> Diseases:
    table = rows("conditions")
    traits = tuple(row["trait"] for row in table)
    return Diseases(
        traits, _numbers(table, "concept_id", int), _numbers(table, "source_value", str), _numbers(table, "lifetime"),
        _numbers(table, "onset_age"), _numbers(table, "onset_sd"), _numbers(table, "female"),
        _numbers(table, "recorded"),
        tuple(traits.index(row["after"]) if row["after"] else -1 for row in table),
        tuple(row["quantitative"] for row in table), _numbers(table, "log_odds"),
    )  # fmt: skip


@cache
def complaints() -> Complaints:
    table = rows("acute")
    return Complaints(
        tuple(row["trait"] for row in table), _numbers(table, "concept_id", int), _numbers(table, "source_value", str),
        _numbers(table, "share"), _numbers(table, "days", int),
    )  # fmt: skip


@cache
def lines() -> tuple[Line, ...]:
    """Lines of treatment, in the order of the table. One name may serve several diseases."""
    table = rows("treatments")
    found = []
    for key in dict.fromkeys((row["line"], row["trait"]) for row in table):
        here = [row for row in table if (row["line"], row["trait"]) == key]
        found.append(
            Line(
                *key,
                _numbers(here, "drug_concept_id", int),
                _numbers(here, "share"),
                *(_numbers(here, "route_concept_id", int), _numbers(here, "rxnorm", str)),
            )
        )
    return tuple(found)


@cache
def measures() -> Measures:
    table = rows("measurements")
    low, high = (np.array([float(row[name] or "nan") for row in table]) for name in ("range_low", "range_high"))
    return Measures(
        name=tuple(row["name"] for row in table),
        concept=_numbers(table, "concept_id", int),
        source=_numbers(table, "source_value", str),
        unit_concept=_numbers(table, "unit_concept_id", int),
        unit=_numbers(table, "unit", str),
        vital=np.array([row["kind"] == "vital" for row in table]),
        share=_numbers(table, "share"),
        mean_male=_numbers(table, "mean_male"),
        mean_female=_numbers(table, "mean_female"),
        person_sd=_numbers(table, "person_sd"),
        noise_sd=_numbers(table, "noise_sd"),
        per_year=_numbers(table, "per_year"),
        low=_numbers(table, "low"),
        high=_numbers(table, "high"),
        range_low=low,
        range_high=high,
        decimals=_numbers(table, "decimals", int),
    )


@dataclass(frozen=True)
class Shift:
    """What a disease, or a line of treatment, does to a measurement: value x times + add."""

    measure: int
    cause: str
    add: float
    times: float


@cache
def shifts() -> tuple[Shift, ...]:
    names = measures().name
    return tuple(
        Shift(names.index(row["measurement"]), row["cause"], float(row["add"]), float(row["times"]))
        for row in rows("shifts")
    )


@dataclass(frozen=True)
class Answers:
    """Answers to one question: reached: cumulative shares."""

    reached: np.ndarray
    concept: np.ndarray
    source: np.ndarray


@cache
def answers(group: str, question: str) -> Answers:
    """What people of `group` say when asked for their `question` ("race" or "ethnicity")."""
    here = [row for row in rows("self_report") if (row["group"], row["question"]) == (group, question)]
    return Answers(
        np.cumsum(_numbers(here, "share")), _numbers(here, "concept_id", int), _numbers(here, "source_value", str)
    )
