"""Rows of MEASUREMENT: what a person's body is like, what diseases and drugs do to it, and what a record makes of it.

Of a person with standardised trait z, a measure is mean of the sex + person_sd x z + per_year x (age - 50) over time;
each reading adds noise of noise_sd. These are columns of `reference/simulate/concepts/measurements.tsv`. Diseases and
drugs shift it (`reference/simulate/concepts/shifts.tsv`).
"""

from __future__ import annotations

import numpy as np

from cohelix.simulate.omop import vocabulary
from cohelix.simulate.omop.columns import Columns, dates, ids, words
from cohelix.simulate.omop.events import ill, moment, treated
from cohelix.simulate.omop.lives import YEAR, Lives

NO_UNIT = 0.02  # share of readings recorded without their unit
NO_VALUE = 0.004  # of readings: ordered, no result
TWICE = 0.01  # of readings: two rows


def values(lives: Lives) -> np.ndarray:
    """(V, M) what each measure would show at each visit, before rounding."""
    table = vocabulary.measures()
    usual = lives.usual.copy()
    for trait, standardised in lives.health.quantitative.items():
        if trait in table.name:
            usual[:, table.name.index(trait)] = standardised
    means = np.where(lives.male[:, None], table.mean_male, table.mean_female) + table.person_sd * usual
    years = (lives.day - lives.birth[lives.person]) / YEAR - 50
    true = means[lives.person] + years[:, None] * table.per_year
    now, takes, traits = ill(lives), treated(lives), vocabulary.diseases().trait
    for shift in vocabulary.shifts():
        if shift.cause in traits:
            here = now[:, traits.index(shift.cause)]
        else:
            here = np.any(takes[:, [line.name == shift.cause for line in vocabulary.lines()]], axis=1)
        true[here, shift.measure] = true[here, shift.measure] * shift.times + shift.add
    column = {name: true[:, place] for place, name in enumerate(table.name)}
    column["body_weight"] += column["body_mass_index"] * (column["height"] / 100) ** 2
    column["total_cholesterol"] += column["ldl_cholesterol"] + column["hdl_cholesterol"] + column["triglyceride"] / 5
    shown: np.ndarray = np.clip(true + table.noise_sd * lives.noise, table.low, table.high)
    return shown


def measurements(lives: Lives) -> Columns:
    import pyarrow as pa

    table, draws = vocabulary.measures(), lives.visit_draws
    share = np.broadcast_to(table.share, lives.noise.shape).copy()
    diabetes = ill(lives)[:, vocabulary.diseases().trait.index("type_2_diabetes")]
    followed = [table.name.index(name) for name in ("hemoglobin_a1c", "glucose")]
    share[:, followed] = np.where(diabetes[:, None], 0.7, share[:, followed])
    visit, what = np.nonzero(draws["measured"] < share)
    shown = np.round(values(lives)[visit, what] * 10.0 ** table.decimals[what]) / 10.0 ** table.decimals[what]
    copies = np.repeat(np.arange(len(visit)), 1 + (draws["twice"][visit, what] < TWICE))
    visit, what, shown = visit[copies], what[copies], shown[copies]
    no_unit, no_value = draws["no_unit"][visit, what] < NO_UNIT, draws["no_value"][visit, what] < NO_VALUE
    vital = table.vital[what]
    text = pa.array(np.where(no_value, np.nan, shown), from_pandas=True).cast(pa.string())
    return {
        "measurement_id": ids(len(visit)),
        "person_id": lives.person_id[lives.person[visit]],
        "measurement_concept_id": table.concept[what],
        "measurement_date": dates(lives.day[visit]),
        "measurement_datetime": dates(lives.day[visit]).astype("datetime64[ms]") + moment(lives)[visit],
        "measurement_type_concept_id": np.where(vital, vocabulary.EHR, vocabulary.LAB),
        "value_as_number": np.where(no_value, np.nan, shown),
        "unit_concept_id": np.where(no_unit, 0, table.unit_concept[what]),
        "range_low": table.range_low[what],
        "range_high": table.range_high[what],
        "visit_occurrence_id": visit + 1,
        "measurement_source_value": words(table.source, what),
        "measurement_source_concept_id": table.concept[what],
        "unit_source_value": words(table.unit, what, no_unit),
        "value_source_value": text,
    }
