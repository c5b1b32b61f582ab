"""Rows of what happened at visits: VISIT_OCCURRENCE, CONDITION_OCCURRENCE, DRUG_EXPOSURE.

Each function gives columns of one table by name; a column that is not given is null. Row ids count from 1 in the block.
"""

from __future__ import annotations

import numpy as np

from cohelix.simulate.omop import vocabulary
from cohelix.simulate.omop.columns import Columns, dates, ids, nullable, words
from cohelix.simulate.omop.lives import NEVER, Lives

FIRST_NOTED = 0.9  # chance that a disease is noted at the first visit after it began
WRONGLY_CODED = 0.005  # of people: one code of a disease that they do not have (a test ordered to rule it out)
COMPLAINTS = 0.3  # share of visits
PRESCRIBED = 0.55  # of visits of somebody who takes a drug
SUPPLIES = np.array([30, 60, 90, 90])  # days


def visits(lives: Lives) -> Columns:
    kind = np.searchsorted([0.85, 0.94], lives.visit_draws["kind"], side="right")
    stay = np.where(kind == 2, 1 + (8 * lives.visit_draws["stay"] ** 2).astype(np.int64), 0)
    last = np.minimum(lives.day + stay, lives.until)
    begin = dates(lives.day).astype("datetime64[ms]") + moment(lives)
    first = np.append(True, lives.person[1:] != lives.person[:-1])
    return {
        "visit_occurrence_id": ids(len(lives.day)),
        "person_id": lives.person_id[lives.person],
        "visit_concept_id": np.array([vocabulary.OUTPATIENT, vocabulary.EMERGENCY, vocabulary.INPATIENT])[kind],
        "visit_start_date": dates(lives.day),
        "visit_start_datetime": begin,
        "visit_end_date": dates(last),
        "visit_end_datetime": np.where(last > lives.day, dates(last).astype("datetime64[ms]"), begin)
        + np.timedelta64(20, "m"),
        "visit_type_concept_id": np.full(len(kind), vocabulary.ENCOUNTER),
        "visit_source_value": words(["outpatient", "emergency", "inpatient"], kind),
        "visit_source_concept_id": np.zeros(len(kind), np.int64),
        "preceding_visit_occurrence_id": nullable(np.arange(len(kind)), first),
    }


def moment(lives: Lives) -> np.ndarray:
    """(V,) time of day of each visit: from 7:00 to 19:00."""
    minutes: np.ndarray = (420 + 720 * lives.visit_draws["time"]).astype("timedelta64[m]")
    return minutes


def ill(lives: Lives) -> np.ndarray:
    """(V, C): whether each disease has begun by each visit."""
    begun: np.ndarray = lives.day[:, None] >= lives.onset[lives.person]
    return begun


def complaint(lives: Lives) -> np.ndarray:
    """(V,) what acute condition the visit is for, -1 for none."""
    draws = lives.visit_draws["complaint"]
    which = np.searchsorted(np.cumsum(vocabulary.complaints().share), draws[:, 1], side="right")
    which = np.minimum(which, len(vocabulary.complaints().trait) - 1)
    found: np.ndarray = np.where(draws[:, 0] < COMPLAINTS, which, -1)
    return found


def conditions(lives: Lives) -> Columns:
    table, acute = vocabulary.diseases(), vocabulary.complaints()
    now, draws = ill(lives), lives.visit_draws["disease"]
    first_visit = np.append(True, lives.person[1:] != lives.person[:-1])
    before = np.vstack([np.zeros((1, now.shape[1]), bool), now[:-1]]) & ~first_visit[:, None]
    noted = now & (draws < np.where(~before, FIRST_NOTED, table.recorded))
    mistaken = lives.person_draws[:, 8 : 8 + len(table.trait)] < WRONGLY_CODED
    noted |= first_visit[:, None] & (mistaken & (lives.onset == NEVER))[lives.person]
    seen_for = complaint(lives)
    visit, what = np.nonzero(np.column_stack([noted, seen_for >= 0]))
    is_acute = what == len(table.trait)
    a, c = seen_for[visit], np.minimum(what, len(table.trait) - 1)
    day = lives.day[visit]
    return {
        "condition_occurrence_id": ids(len(visit)),
        "person_id": lives.person_id[lives.person[visit]],
        "condition_concept_id": np.where(is_acute, acute.concept[a], table.concept[c]),
        "condition_start_date": dates(day),
        "condition_end_date": nullable(dates(np.minimum(day + acute.days[a], lives.until[visit])), ~is_acute),
        "condition_type_concept_id": np.full(len(visit), vocabulary.EHR),
        "visit_occurrence_id": visit + 1,
        "condition_source_value": words(
            np.append(table.source, acute.source), np.where(is_acute, len(table.trait) + a, c)
        ),
        "condition_source_concept_id": np.zeros(len(visit), np.int64),
    }


def treated(lives: Lives) -> np.ndarray:
    """(V, L): whether the person takes the drug of each line of treatment at each visit."""
    table, acute = vocabulary.diseases(), vocabulary.complaints()
    now, seen_for = ill(lives), complaint(lives)
    has = [
        now[:, table.trait.index(line.trait)]
        if line.trait in table.trait
        else seen_for == acute.trait.index(line.trait)
        for line in vocabulary.lines()
    ]
    takes: np.ndarray = np.column_stack(has) & (lives.takes[lives.person] >= 0)
    return takes


def drugs(lives: Lives) -> Columns:
    table, lines = vocabulary.diseases(), vocabulary.lines()
    acute = np.array([line.trait not in table.trait for line in lines])
    visit, line = np.nonzero(treated(lives) & (acute | (lives.visit_draws["drug"] < PRESCRIBED)))
    # Drugs of all lines in one row, each line's from `begin` on.
    begin = np.cumsum([0, *(len(one.drug) for one in lines)])[:-1]
    place = begin[line] + lives.takes[lives.person[visit], line]
    pick = lives.visit_draws["supply"][visit, line]
    days = np.where(acute[line], 7 + (pick * 8).astype(np.int64), SUPPLIES[(pick * len(SUPPLIES)).astype(np.int64)])
    start = lives.day[visit]
    routes = np.concatenate([one.route for one in lines])[place]
    return {
        "drug_exposure_id": ids(len(visit)),
        "person_id": lives.person_id[lives.person[visit]],
        "drug_concept_id": np.concatenate([one.drug for one in lines])[place],
        "drug_exposure_start_date": dates(start),
        "drug_exposure_end_date": dates(np.minimum(start + days - 1, lives.until[visit])),
        "drug_type_concept_id": np.full(len(visit), vocabulary.PRESCRIPTION),
        "refills": np.where(acute[line], 0, (pick * 1000).astype(np.int64) % 4),
        "quantity": days.astype(np.float64),
        "days_supply": days,
        "route_concept_id": routes,
        "visit_occurrence_id": visit + 1,
        "drug_source_value": words(np.concatenate([one.source for one in lines]), place),
        "drug_source_concept_id": np.zeros(len(visit), np.int64),
        "route_source_value": words(["oral"], np.zeros(len(visit), np.int64), routes == 0),
    }
