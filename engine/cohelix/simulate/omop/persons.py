"""Rows that are not of a visit: PERSON, OBSERVATION_PERIOD, OBSERVATION, SPECIMEN, DEATH, and which sample is whose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cohelix.simulate.omop import vocabulary
from cohelix.simulate.omop.columns import Columns, dates, ids, nullable
from cohelix.simulate.omop.lives import NEVER, Lives
from cohelix.simulate.people.person import Person
from cohelix.simulate.schema import OmopParams

SALIVA = 0.06  # of people who give saliva in place of blood
WITHDRAWN = "consent withdrawn"
_GENDER = {"male": vocabulary.MALE, "female": vocabulary.FEMALE}
# Which of a person's draws is for what; events.py has 8 and those behind.
_RACE, _ETHNICITY, _SMOKING, _COLLECTED, _SECOND, _SALIVA = 40, 41, 42, 43, 44, 45
_UNLINKED = 46  # to 49: one for each sample of a person


def person(persons: Sequence[Person], lives: Lives) -> Columns:
    birth = dates(lives.birth)
    race = [_answer(p.human.group, "race", u) for p, u in zip(persons, lives.person_draws[:, _RACE], strict=True)]
    ethnicity = [
        _answer(p.human.group, "ethnicity", u) for p, u in zip(persons, lives.person_draws[:, _ETHNICITY], strict=True)
    ]
    month = birth.astype("datetime64[M]")
    nothing = np.zeros(len(persons), np.int64)
    return {
        "person_id": lives.person_id,
        "gender_concept_id": np.array([_GENDER.get(p.sex, 0) for p in persons]),
        "year_of_birth": birth.astype("datetime64[Y]").astype(np.int64) + 1970,
        "month_of_birth": month.astype(np.int64) % 12 + 1,
        "day_of_birth": (birth - month.astype("datetime64[D]")).astype(np.int64) + 1,
        "birth_datetime": birth.astype("datetime64[ms]"),
        "race_concept_id": np.array([concept for concept, _ in race]),
        "ethnicity_concept_id": np.array([concept for concept, _ in ethnicity]),
        "gender_source_value": np.array([p.sex for p in persons]),
        "gender_source_concept_id": nothing,
        "race_source_value": np.array([text for _, text in race]),
        "race_source_concept_id": nothing,
        "ethnicity_source_value": np.array([text for _, text in ethnicity]),
        "ethnicity_source_concept_id": nothing,
    }


def _answer(group: str, question: str, uniform: float) -> tuple[int, str]:
    answers = vocabulary.answers(group, question)
    place = min(int(np.searchsorted(answers.reached, uniform, side="right")), len(answers.concept) - 1)
    return int(answers.concept[place]), str(answers.source[place])


def observation_period(lives: Lives) -> Columns:
    twice = lives.pause < lives.end
    who = np.repeat(np.arange(len(lives.start)), 1 + twice)
    second = np.append(False, who[1:] == who[:-1])
    return {
        "observation_period_id": ids(len(who)),
        "person_id": lives.person_id[who],
        "observation_period_start_date": dates(np.where(second, lives.resume[who], lives.start[who])),
        "observation_period_end_date": dates(np.where(second, lives.end[who], lives.pause[who])),
        "period_type_concept_id": np.full(len(who), vocabulary.ENCOUNTER),
    }


def observation(persons: Sequence[Person], lives: Lives) -> Columns:
    """What people say of smoking, at their first visit, and that they withdrew, on the last day of observation."""
    first = np.flatnonzero(np.append(True, lives.person[1:] != lives.person[:-1]))
    smoking = np.array(["never smoker", "former smoker", "current smoker", "no answer"])
    said = smoking[np.searchsorted([0.6, 0.84, 0.97], lives.person_draws[:, _SMOKING], side="right")]
    withdrawn = np.flatnonzero([p.withdrawn for p in persons])
    who = np.concatenate([np.arange(len(persons)), withdrawn])
    leaves = np.arange(len(who)) >= len(persons)
    visit = np.concatenate([first, np.zeros(len(withdrawn), np.int64)])
    day = np.concatenate([lives.day[first], lives.end[withdrawn]])
    order = np.lexsort((leaves, who))
    arrays = {
        "person_id": lives.person_id[who],
        "observation_concept_id": np.where(leaves, 0, vocabulary.SMOKING),
        "observation_date": dates(day),
        "observation_type_concept_id": np.full(len(who), vocabulary.SELF_REPORT),
        "value_as_string": np.where(leaves, WITHDRAWN, np.concatenate([said, said[withdrawn]])),
        "observation_source_value": np.where(leaves, "consent", "72166-2"),
        "observation_source_concept_id": np.where(leaves, 0, vocabulary.SMOKING),
    }
    columns: Columns = {name: values[order] for name, values in arrays.items()}
    return columns | {
        "observation_id": ids(len(who)),
        "visit_occurrence_id": nullable(visit[order] + 1, leaves[order]),
    }


def specimen(persons: Sequence[Person], lives: Lives, params: OmopParams) -> tuple[Columns, dict[str, Any]]:
    """Rows of SPECIMEN, one for each sample and a few more whose sample was lost; and of the truth: whose each is."""
    extra = params.unlinked_specimens / (1 - params.unlinked_specimens)
    who, day, names, kinds = [], [], [], []
    for row, (p, draws) in enumerate(zip(persons, lives.person_draws, strict=True)):
        length = lives.pause[row] - lives.start[row]
        enrolled = lives.start[row] + int(draws[_COLLECTED] * 0.5 * length)
        again = enrolled + int(draws[_SECOND] * (lives.pause[row] - enrolled))
        samples = [(name, "wgs") for name in p.wgs] + [(p.array, "array")] * bool(p.array)
        tried = range(min(len(samples), 4))
        lost = [(f"LOST{p.number:08d}{'ABCD'[k]}", "none") for k in tried if draws[_UNLINKED + k] < extra]
        for name, kind in [*samples, *lost]:
            who.append(row)
            day.append(again if len(p.wgs) > 1 and name == p.wgs[1] else enrolled)
            names.append(name)
            kinds.append(kind)
    owner = np.array(who, np.int64)
    saliva = lives.person_draws[owner, _SALIVA] < SALIVA
    columns = {
        "specimen_id": ids(len(owner)),
        "person_id": lives.person_id[owner],
        "specimen_concept_id": np.where(saliva, vocabulary.ANY_SPECIMEN, vocabulary.BLOOD),
        "specimen_type_concept_id": np.full(len(owner), vocabulary.LAB),
        "specimen_date": dates(np.array(day, np.int64)),
        "specimen_source_id": np.array(names, dtype=np.str_),
        "specimen_source_value": np.where(saliva, "saliva", "whole blood"),
    }
    links = {
        "sample_id": names,
        "kind": kinds,
        "specimen_id": columns["specimen_id"],
        "person_id": columns["person_id"],
        "person": lives.number[owner],
        "withdrawn": [persons[row].withdrawn for row in who],
        "role": [persons[row].role for row in who],
    }
    return columns, links


def death(lives: Lives) -> Columns:
    dead = np.flatnonzero(lives.death != NEVER)
    return {
        "person_id": lives.person_id[dead],
        "death_date": dates(lives.death[dead]),
        "death_type_concept_id": np.full(len(dead), vocabulary.EHR),
    }
