"""Families, in blocks of enrolled people.

A block stands for a plate of samples: `BLOCK` persons who were enrolled one after another. All that is drawn about
them comes from the block's own stream, so that person k is the same in a cohort of any size.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from cohelix.reference import read_rows
from cohelix.simulate.people.ancestry import draw_shares
from cohelix.simulate.people.person import GROUPS, Human, Person
from cohelix.simulate.schema import CohortParams, Wishes
from cohelix.simulate.streams import stream

BLOCK = 96
HUMANS = 1_024  # numbers set apart for a block: enrolled people and those of their ancestors who are needed
SAME_GROUP = 0.9  # of couples
YOUNGEST, OLDEST = 18, 85  # years at enrolment
ENROLLED = 2020
GENERATION = 28  # years from mother to child
YOUNGEST_MOTHER = 18
OLDER, YOUNGER = 8, 3  # most years a man is older or younger than the mother of his child
ADULTS = (ENROLLED - OLDEST, ENROLLED - YOUNGEST)
"""First and last year of birth of who can be enrolled."""

KARYOTYPE_RATES = ("simulate", "karyotypes", "1", "karyotypes.tsv")
WITHHELD = 0.01  # of people do not state their sex
FIRST_PERSON_ID = 1_000_000

FAMILIES = ("trio", "sibs", "half sibs", "cousins", "twins")
_CHANCES = (0.3, 0.3, 0.12, 0.18, 0.1)
_SIZES = (3, 2, 2, 2, 2)


@dataclass
class Block:
    """humans: by number, parents before children. persons: those enrolled, in order. first: number of the first."""

    number: int
    humans: dict[int, Human] = field(default_factory=dict)
    persons: list[Person] = field(default_factory=list)

    @property
    def first(self) -> int:
        return self.number * BLOCK


@dataclass(frozen=True)
class _Place:
    """A person to enrol: whose body, in what family and role."""

    human: Human
    family: int
    role: str


def make_block(wishes: Wishes, seed: int, number: int, n_persons: int) -> Block:
    """Block `number` of a cohort of `n_persons`."""
    block, params = Block(number), wishes.cohort
    rng = stream(seed, "people", number)
    places: list[_Place] = []
    mean = float(np.dot(_SIZES, _CHANCES))
    family_chance = params.related / (mean - params.related * (mean - 1))
    while len(places) < BLOCK:
        family = number * BLOCK + len(places)
        kind = "single"
        if rng.random() < family_chance:
            kind = FAMILIES[int(rng.choice(len(FAMILIES), p=_CHANCES))]
        if kind != "single" and len(places) + _SIZES[FAMILIES.index(kind)] > BLOCK:
            kind = "single"
        made = [_Place(human, family, role) for human, role in _family(block, kind, params, rng)]
        for place in made:
            places.append(place)
            if place.role == "single" and rng.random() < params.duplicates:
                places.append(replace(place, role="duplicate"))
    _with_karyotypes(block, places, params, rng)
    for offset, place in enumerate(places[: min(BLOCK, n_persons - block.first)]):
        whole = replace(place, human=block.humans[place.human.number])
        block.persons.append(_enrol(whole, block.first + offset, wishes, seed))
    return block


def _family(block: Block, kind: str, params: CohortParams, rng: np.random.Generator) -> list[tuple[Human, str]]:
    """Who of a family is enrolled; the others are made, and stay outside."""
    group = _draw_group(params, rng)
    if kind == "single":
        return [(_adult(block, group, params, rng, ADULTS), "single")]
    if kind == "trio":  # both generations are enrolled
        mother, father = _couple(block, group, params, rng, (ADULTS[0], ADULTS[1] - GENERATION))
        return [(mother, "mother"), (father, "father"), (_child(block, mother, father, rng), "child")]
    mother, father = _couple(block, group, params, rng, _before(ADULTS, 2 if kind == "cousins" else 1))
    if kind == "sibs":
        return [(_child(block, mother, father, rng), "sib") for _ in range(2)]
    if kind == "half sibs":
        other = _adult(block, father.group, params, rng, _partner(mother.birth_year, "male"), sex="male")
        return [(_child(block, mother, man, rng), "half sib") for man in (father, other)]
    if kind == "cousins":
        cousins = []
        for _ in range(2):
            parent = _child(block, mother, father, rng, _before(ADULTS, 1))
            sex = "male" if parent.sex == "female" else "female"
            spouse = _adult(block, group, params, rng, _partner(parent.birth_year, sex), sex=sex)
            pair = (parent, spouse) if parent.sex == "female" else (spouse, parent)
            cousins.append((_child(block, *pair, rng), "cousin"))
        return cousins
    twin = _child(block, mother, father, rng)
    return [(twin, "twin"), (twin, "twin")]


def _draw_group(params: CohortParams, rng: np.random.Generator) -> str:
    shares = np.array([params.shares.get(group, 0.0) for group in GROUPS])
    return GROUPS[int(rng.choice(len(GROUPS), p=shares / shares.sum()))]


def _before(born: tuple[int, int], generations: int) -> tuple[int, int]:
    """Years of birth of the ancestors of people with these."""
    return born[0] - generations * GENERATION, born[1] - generations * GENERATION


def _partner(birth_year: int, sex: str) -> tuple[int, int]:
    """Years of birth of a partner, of `sex`, of somebody born in a year."""
    below, above = (OLDER, YOUNGER) if sex == "male" else (YOUNGER, OLDER)
    return birth_year - below, birth_year + above


def _couple(
    block: Block, group: str, params: CohortParams, rng: np.random.Generator, born: tuple[int, int]
) -> tuple[Human, Human]:
    """The mother was born in these years; the father not before the first of them."""
    other = group if rng.random() < SAME_GROUP else _draw_group(params, rng)
    pair = (group, other) if rng.random() < 0.5 else (other, group)
    mother = _adult(block, pair[0], params, rng, born, sex="female")
    low, high = _partner(mother.birth_year, "male")
    return mother, _adult(block, pair[1], params, rng, (max(low, born[0]), high), sex="male")


def _adult(
    block: Block, group: str, params: CohortParams, rng: np.random.Generator, born: tuple[int, int],
    *, sex: str | None = None,
) -> Human:  # fmt: skip
    """A founder, born in these years (both ends in); of group "oth", the child of founders of two groups."""
    chosen = sex or ("male" if rng.random() < 0.5 else "female")
    if group == "oth":
        first, second = (GROUPS[k] for k in rng.choice(len(GROUPS) - 1, 2, replace=False).tolist())
        mother = _adult(block, first, params, rng, _before(born, 1), sex="female")
        father = _adult(block, second, params, rng, _partner(mother.birth_year, "male"), sex="male")
        return _child(block, mother, father, rng, born, sex=chosen)
    expected, generations = draw_shares(group, rng)
    year = born[1] - int(rng.integers(0, born[1] - born[0] + 1))
    return _add(block, None, None, chosen, group, expected, generations, year)


def _child(
    block: Block, mother: Human, father: Human, rng: np.random.Generator, within: tuple[int, int] = ADULTS,
    *, sex: str | None = None,
) -> Human:  # fmt: skip
    """A child born in the years `within`."""
    chosen = sex or ("male" if rng.random() < 0.512 else "female")
    expected = tuple((a + b) / 2 for a, b in zip(mother.expected, father.expected, strict=True))
    group = mother.group if mother.group == father.group else "oth"
    born = mother.birth_year + max(round(rng.normal(GENERATION, 4)), YOUNGEST_MOTHER)
    born = min(max(born, within[0]), within[1])
    return _add(block, mother.number, father.number, chosen, group, expected, 0, born)


def _add(
    block: Block, mother: int | None, father: int | None, sex: str, group: str,
    expected: tuple[float, ...], generations: int, born: int,
) -> Human:  # fmt: skip
    number = block.number * HUMANS + len(block.humans)
    human = Human(number, mother, father, "XY" if sex == "male" else "XX", group, expected, generations, born)
    block.humans[number] = human
    return human


def _with_karyotypes(block: Block, places: list[_Place], params: CohortParams, rng: np.random.Generator) -> None:
    """Aneuploidies, at their rates at birth, in people without children (most of those who have one have none)."""
    rates = _karyotype_rates()
    parents = {parent for human in block.humans.values() for parent in (human.mother, human.father)}
    for human in dict.fromkeys(place.human for place in places):
        chance = rng.random()
        for sex, karyotype, rate in rates:
            if human.sex == sex and human.number not in parents:
                if chance < rate * params.aneuploidies:
                    block.humans[human.number] = replace(human, karyotype=karyotype)
                    break
                chance -= rate * params.aneuploidies


@cache
def _karyotype_rates() -> list[tuple[str, str, float]]:
    return [(row["sex"], row["karyotype"], int(row["per_100000"]) / 1e5) for row in read_rows(*KARYOTYPE_RATES)]


def _enrol(place: _Place, number: int, wishes: Wishes, seed: int) -> Person:
    """What the programme knows of a person: ids, reported sex, samples."""
    chance = stream(seed, "enrolment", number).random(5)
    sex = place.human.sex
    if chance[0] < wishes.cohort.mislabelled_sex:
        sex = "female" if sex == "male" else "male"
    elif chance[0] > 1 - WITHHELD:
        sex = "unknown"
    n_wgs = int(chance[1] < wishes.sequencing.share) * (1 + int(chance[2] < wishes.sequencing.second_sample))
    plate = number // BLOCK + 1
    return Person(
        number=number,
        person_id=FIRST_PERSON_ID + scattered(number, seed, "person"),
        human=place.human,
        family=place.family,
        role=place.role,
        sex=sex,
        wgs=tuple(f"W{scattered(2 * number + k, seed, 'wgs'):08d}" for k in range(n_wgs)),
        wgs_batches=(plate,) * n_wgs,
        array=f"A{scattered(number, seed, 'array'):08d}" if chance[3] < wishes.arrays.share else "",
        array_batch=plate,
        withdrawn=bool(chance[4] < wishes.cohort.withdrawn),
    )


def scattered(number: int, seed: int, kind: str) -> int:
    """`number` as an id that tells nothing of the order: one to one below 2^24, and below 2^32 (a Feistel network)."""
    half = 12 if number < 1 << 24 else 16
    mask = (1 << half) - 1
    keys = stream(seed, f"{kind} ids").integers(0, 1 << 32, 6).tolist()
    left, right = number >> half, number & mask
    for key in keys:
        mixed = (right * 0x9E3779B1 ^ key) & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 15) * 0x2C1B3C6D & 0xFFFFFFFF
        left, right = right, left ^ (mixed >> 13 & mask)
    return (left << half | right) + (0 if half == 12 else 1 << 24)
