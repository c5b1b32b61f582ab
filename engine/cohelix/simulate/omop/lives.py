"""When people were born, fell ill, were seen by a doctor and died: a block of persons at a time.

All draws of a person come from streams of that person, in an order that does not depend on anybody else; what is made
of them is worked out for the whole block. Days are counted from 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.errors import ConfigError, ContractError
from cohelix.simulate.omop import vocabulary
from cohelix.simulate.people.person import Person
from cohelix.simulate.schema import OmopParams
from cohelix.simulate.streams import stream

NEVER = np.int64(1 << 40)
YEAR = 365.25
LATE = 50 * 365  # days of life after which a complication begins, in somebody who has not what it complicates
GAP_SHARE = 0.1  # of people whose records have a gap
RATE_SD = 0.5  # of the log of how often a person is seen
PERSON_DRAWS = 64
LIFE_DRAWS = 8


@dataclass(frozen=True)
class Health:
    """What other stages know of a block of n persons, aligned with them.

    binary: trait -> (n,) bool, has the disease. quantitative: trait -> (n,), mean 0 and standard deviation 1 in the
    population. A trait that `reference/simulate/concepts` does not know leaves no record; a disease there that is not
    given here is drawn.
    """

    binary: dict[str, np.ndarray]
    quantitative: dict[str, np.ndarray]


@dataclass(frozen=True)
class Lives:
    """n persons with C diseases, V visits in order of person and day.

    male (n,): by the karyotype. birth, start, end (n,): days; observed on [start, pause] and [resume, end] (pause = end
    and resume = end + 1 without a gap). death, onset (n,), (n, C): day, or NEVER. health: see Health.
    person_draws (n, PERSON_DRAWS) uniform; usual (n, M) normal: place of the person among others in each measure.
    takes (n, L): which drug of each line of treatment, -1 for none.
    person, day, until (V,): row of the person, and last day of that stretch of observation. visit_draws: one uniform
    array (V, ...) for each use. noise (V, M): normal.
    """

    number: np.ndarray
    person_id: np.ndarray
    male: np.ndarray
    birth: np.ndarray
    start: np.ndarray
    pause: np.ndarray
    resume: np.ndarray
    end: np.ndarray
    death: np.ndarray
    onset: np.ndarray
    health: Health
    person_draws: np.ndarray
    usual: np.ndarray
    takes: np.ndarray
    person: np.ndarray
    day: np.ndarray
    until: np.ndarray
    visit_draws: dict[str, np.ndarray]
    noise: np.ndarray


@dataclass(frozen=True)
class _Drawn:
    """Raw draws.

    Uniform: birth (n,), life (n, LIFE_DRAWS), has (n, C), line (n, L), person (n, PERSON_DRAWS). Normal: ages (n, C),
    usual (n, M), busy (n,). streams: of each person, for what is drawn by visit.
    """

    birth: np.ndarray
    life: np.ndarray
    has: np.ndarray
    line: np.ndarray
    ages: np.ndarray
    usual: np.ndarray
    person: np.ndarray
    busy: np.ndarray
    streams: list[np.random.Generator]


def _sizes() -> tuple[int, int, int]:
    """C, L and M."""
    return len(vocabulary.diseases().trait), len(vocabulary.lines()), len(vocabulary.measures().name)


def visit_uses() -> dict[str, int]:
    """Uniform draws of one visit: name -> how many."""
    diseases, lines, measures = _sizes()
    return {
        "day": 1, "time": 1, "kind": 1, "stay": 1, "disease": diseases, "complaint": 2, "drug": lines, "supply": lines,
        "measured": measures, "no_unit": measures, "no_value": measures, "twice": measures,
    }  # fmt: skip


def live(persons: Sequence[Person], health: Health, params: OmopParams, seed: int) -> Lives:
    """The lives of a block of persons.

    Raises ContractError where `health` is not aligned with `persons`, ConfigError for births after the last year.
    """
    for values in (*health.binary.values(), *health.quantitative.values()):
        if values.shape != (len(persons),):
            raise ContractError(f"expected traits of {len(persons)} persons, found an array of shape {values.shape}.")
    years = np.array([person.human.birth_year for person in persons])
    if years.max() > params.last_year:
        raise ConfigError(
            f"expected people born by {params.last_year}, found a year of birth of {years.max()}. Choose a later "
            f"[simulate.omop] last_year."
        )
    drawn = _draw(persons, seed)
    male = np.array([person.human.sex == "male" for person in persons])
    birth = _first_day(years) + (drawn.birth * (_first_day(years + 1) - _first_day(years))).astype(np.int64)
    start, pause, resume, end, death, surely = _observation(birth, drawn, params)
    person, day, until, draws, noise = _visits(start, pause, resume, end, drawn, params)
    onset = _onsets(birth, surely, male, drawn, health)
    return Lives(
        np.array([p.number for p in persons]), np.array([p.person_id for p in persons]), male,
        birth, start, pause, resume, end, death, onset, health, drawn.person, drawn.usual,
        _taken(drawn.line), person, day, until, draws, noise,
    )  # fmt: skip


def _first_day(years: np.ndarray) -> np.ndarray:
    days: np.ndarray = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    return days


def _draw(persons: Sequence[Person], seed: int) -> _Drawn:
    """Two enrolments of one body share birth and life; twins share the birth only."""
    diseases, lines, measures = _sizes()
    births, uniform, normal, own, busy, streams = [], [], [], [], [], []
    for person in persons:
        births.append(stream(seed, "omop birth", person.human.number).random())
        twin = person.role == "twin"
        life = stream(seed, "omop life", int(twin), person.number if twin else person.human.number)
        uniform.append(life.random(LIFE_DRAWS + diseases + lines))
        normal.append(life.standard_normal(diseases + measures))
        records = stream(seed, "omop records", person.number)
        own.append(records.random(PERSON_DRAWS))
        busy.append(records.standard_normal())
        streams.append(records)
    uniforms, normals = np.array(uniform), np.array(normal)
    return _Drawn(
        np.array(births), uniforms[:, :LIFE_DRAWS], uniforms[:, LIFE_DRAWS : LIFE_DRAWS + diseases],
        uniforms[:, LIFE_DRAWS + diseases :], normals[:, :diseases], normals[:, diseases:], np.array(own),
        np.array(busy), streams,
    )  # fmt: skip


def _observation(
    birth: np.ndarray, drawn: _Drawn, params: OmopParams
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """start, pause, resume, end and death, as in Lives, and a day until which every record of that body lasts.

    The chance to die grows with the square of age.
    """
    n = len(birth)
    first = np.maximum(_first_day(np.full(n, params.first_year)), birth)
    last = _first_day(np.full(n, params.last_year + 1)) - 1
    age = np.clip((last - birth) / YEAR, 1, 100)
    dies = drawn.life[:, 0] < 1 - (1 - params.deaths) ** np.clip((age / 55) ** 2, 0.02, 3)
    # Nobody dies in the first third of the time: there are records of everybody.
    death = np.where(dies, last - (drawn.life[:, 1] * 0.66 * (last - first)).astype(np.int64), NEVER)
    start = first + (drawn.person[:, 0] * 0.3 * (last - first)).astype(np.int64)
    end = last - (drawn.person[:, 1] ** 2 * 0.3 * (last - start)).astype(np.int64)
    end = np.maximum(np.where(dies, np.minimum(death, last), end), start)
    span = end - start
    gap = (drawn.person[:, 2] < GAP_SHARE) & (span > 3 * YEAR)
    pause = np.where(gap, start + (span * (0.2 + 0.3 * drawn.person[:, 3])).astype(np.int64), end)
    resume = np.where(gap, pause + 90 + (drawn.person[:, 4] * 300).astype(np.int64), end + 1)
    surely = np.where(dies, death, first + (0.69 * (last - first)).astype(np.int64))
    return start, pause, resume, end, death, surely


def _visits(
    start: np.ndarray, pause: np.ndarray, resume: np.ndarray, end: np.ndarray, drawn: _Drawn, params: OmopParams
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]:
    before, after = pause - start + 1, end - resume + 1
    busy = np.exp(RATE_SD * drawn.busy - RATE_SD**2 / 2)
    expected = params.visits_per_year * busy * (before + after) / YEAR
    uses, measures = visit_uses(), len(vocabulary.measures().name)
    uniform, normal = [], []
    for rng, mean in zip(drawn.streams, expected, strict=True):
        count = max(1, int(rng.poisson(mean)))
        uniform.append(rng.random((count, sum(uses.values()))))
        normal.append(rng.standard_normal((count, measures)))
    person = np.repeat(np.arange(len(start)), [len(part) for part in uniform])
    uniforms = np.concatenate(uniform)
    ends = np.cumsum(list(uses.values()))
    draws = {
        name: uniforms[:, stop - width : stop] if width > 1 else uniforms[:, stop - 1]
        for (name, width), stop in zip(uses.items(), ends, strict=True)
    }
    seen = (draws["day"] * (before + after)[person]).astype(np.int64)
    day = np.where(seen < before[person], start[person] + seen, resume[person] + seen - before[person])
    day = day[np.lexsort((day, person))]
    until = np.where(day <= pause[person], pause[person], end[person])
    return person, day, until, draws, np.concatenate(normal)


def _onsets(birth: np.ndarray, surely: np.ndarray, male: np.ndarray, drawn: _Drawn, health: Health) -> np.ndarray:
    """(n, C) day each disease begins.

    Somebody who is known to have a disease has it by the day `surely`, however young; somebody who is drawn to get it
    may live too short for that.
    """
    table = vocabulary.diseases()
    onset = np.full(drawn.has.shape, NEVER)
    for c, trait in enumerate(table.trait):
        age = np.maximum(table.onset[c] + table.onset_sd[c] * drawn.ages[:, c], 0.5)
        begin = birth + (age * YEAR).astype(np.int64)
        has = drawn.has[:, c] < _chance(c, male, health)
        if table.after[c] >= 0:
            earlier = onset[:, table.after[c]]
            has &= earlier != NEVER
            begin += np.where(earlier != NEVER, earlier, birth + LATE) - birth
        if trait in health.binary:
            has = health.binary[trait]
            sooner = surely - ((0.1 + 0.5 * drawn.has[:, c]) * (surely - birth)).astype(np.int64)
            begin = np.where(begin > surely, sooner, begin)
        onset[:, c] = np.where(has, begin, NEVER)
    return onset


def _chance(c: int, male: np.ndarray, health: Health) -> np.ndarray:
    """(n,) share of such people who get disease `c`."""
    table = vocabulary.diseases()
    odds = table.lifetime[c] / (1 - table.lifetime[c]) * np.where(male, 1.0, table.female[c])
    if table.quantitative[c] in health.quantitative:
        odds = odds * np.exp(table.log_odds[c] * health.quantitative[table.quantitative[c]])
    chance: np.ndarray = odds / (1 + odds)
    return chance


def _taken(uniform: np.ndarray) -> np.ndarray:
    """(n, L) which drug of each line a person gets, should they need one."""
    taken = np.full(uniform.shape, -1)
    for place, line in enumerate(vocabulary.lines()):
        drug = np.searchsorted(np.cumsum(line.share), uniform[:, place], side="right")
        taken[:, place] = np.where(drug < len(line.drug), drug, -1)
    return taken
