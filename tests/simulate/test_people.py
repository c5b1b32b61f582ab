"""Who is enrolled: families, karyotypes, groups, ids."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cohelix.errors import ConfigError
from cohelix.simulate.people.ancestry import admixtures, draw_shares
from cohelix.simulate.people.pedigree import BLOCK, ENROLLED, HUMANS, OLDEST, YOUNGEST, Block, make_block, scattered
from cohelix.simulate.people.person import GROUPS, SOURCES
from cohelix.simulate.schema import ArrayParams, CohortParams, OmopParams, SequencingParams, TraitParams, Wishes
from cohelix.simulate.streams import stream


def wishes(**settings: object) -> Wishes:
    return Wishes(CohortParams(**settings), SequencingParams(), ArrayParams(), TraitParams(), OmopParams())  # type: ignore[arg-type]


def blocks(n: int, **settings: object) -> list[Block]:
    return [make_block(wishes(**settings), 3, number, n * BLOCK) for number in range(n)]


@pytest.fixture(scope="module")
def many() -> list[Block]:
    return blocks(120)


def test_a_person_is_the_same_in_a_cohort_of_any_size(many: list[Block]) -> None:
    alone = make_block(wishes(), 3, 1, BLOCK + 10)
    assert len(alone.persons) == 10
    assert alone.persons == many[1].persons[:10]


def test_groups_have_their_shares(many: list[Block]) -> None:
    singles = [p for b in many for p in b.persons if p.role == "single"]
    found = Counter(p.human.group for p in singles)
    for group, share in CohortParams().shares.items():
        sd = (share * (1 - share) / len(singles)) ** 0.5
        assert abs(found[group] / len(singles) - share) < 5 * sd, group
    assert found["eur"] < len(singles) / 2  # more than half are from groups underrepresented in research


def test_the_share_with_relatives_is_what_was_asked_for(many: list[Block]) -> None:
    persons = [p for b in many for p in b.persons]
    related = sum(p.role not in ("single", "duplicate") for p in persons) / len(persons)
    assert related == pytest.approx(CohortParams().related, abs=0.02)
    duplicates = sum(p.role == "duplicate" for p in persons) / len(persons)
    assert duplicates == pytest.approx(CohortParams().duplicates, abs=0.005)


def test_families_are_what_their_roles_say(many: list[Block]) -> None:
    seen = set()
    for block in many:
        by_family: dict[int, list] = {}
        for person in block.persons:
            by_family.setdefault(person.family, []).append(person)
        for members in by_family.values():
            roles = tuple(sorted(person.role for person in members))
            humans = [person.human for person in members]
            seen.add(roles)
            if roles == ("child", "father", "mother"):
                mother, father, child = members
                assert (child.human.mother, child.human.father) == (mother.human.number, father.human.number)
                assert (mother.human.sex, father.human.sex) == ("female", "male")
            elif roles == ("sib", "sib"):
                assert humans[0].number != humans[1].number
                assert (humans[0].mother, humans[0].father) == (humans[1].mother, humans[1].father)
            elif roles == ("half sib", "half sib"):
                assert humans[0].mother == humans[1].mother and humans[0].father != humans[1].father
            elif roles == ("cousin", "cousin"):
                assert _grandparents(block, humans[0]) & _grandparents(block, humans[1])
                assert {humans[0].mother, humans[0].father}.isdisjoint({humans[1].mother, humans[1].father})
            elif roles in (("twin", "twin"), ("duplicate", "single")):
                assert humans[0] == humans[1] and members[0].person_id != members[1].person_id
    kinds = {("child", "father", "mother"), ("sib", "sib"), ("half sib", "half sib"), ("cousin", "cousin")}
    assert kinds | {("twin", "twin"), ("duplicate", "single")} <= seen


def _grandparents(block: Block, human) -> set[int]:
    parents = [block.humans[number] for number in (human.mother, human.father)]
    return {number for parent in parents for number in (parent.mother, parent.father) if number is not None}


def test_parents_come_before_children_and_fit_the_block(many: list[Block]) -> None:
    for block in many:
        assert len(block.humans) <= HUMANS
        for number, human in block.humans.items():
            assert number // HUMANS == block.number
            for parent in (human.mother, human.father):
                assert parent is None or parent < number
            assert sum(human.expected) == pytest.approx(1)


def test_parents_are_a_generation_older_and_everybody_is_an_adult(many: list[Block]) -> None:
    ages = Counter()
    for block in many:
        for person in block.persons:
            ages[ENROLLED - person.human.birth_year] += person.role in ("sib", "half sib", "cousin", "twin")
            assert YOUNGEST <= ENROLLED - person.human.birth_year <= OLDEST
        for human in block.humans.values():
            if human.mother is not None and human.father is not None:
                assert 15 <= human.birth_year - block.humans[human.mother].birth_year <= 60
                assert 13 <= human.birth_year - block.humans[human.father].birth_year <= 65
    assert max(ages.values()) < 0.1 * sum(ages.values())  # and relatives are not all of one age


def test_karyotypes_have_their_rates_and_no_children() -> None:
    made = blocks(60, aneuploidies=30.0, related=0.5)
    humans = {p.human.number: p.human for b in made for p in b.persons}
    parents = {n for b in made for h in b.humans.values() for n in (h.mother, h.father)}
    free = [h for h in humans.values() if h.number not in parents]
    for sex, karyotype, rate in (
        ("male", "XXY", 174),
        ("male", "XYY", 118),
        ("female", "XXX", 106),
        ("female", "X", 53),
    ):
        of_sex = [h for h in free if h.sex == sex]
        share = sum(h.karyotype == karyotype for h in of_sex) / len(of_sex)
        expected = 30 * rate / 1e5
        assert abs(share - expected) < 5 * (expected / len(of_sex)) ** 0.5, karyotype
    assert all(h.karyotype in ("XX", "XY") for h in humans.values() if h.number in parents)


@pytest.mark.parametrize("kind", ["person", "wgs"])
def test_ids_are_one_to_one_and_tell_nothing_of_the_order(kind: str) -> None:
    numbers = [*range(30_000), (1 << 24) - 1, 1 << 24, (1 << 24) + 1]
    ids = [scattered(number, 5, kind) for number in numbers]
    assert len(set(ids)) == len(ids)
    assert abs(np.corrcoef(np.arange(30_000), ids[:30_000])[0, 1]) < 0.03
    assert ids[:10] != [scattered(number, 6, kind) for number in range(10)]


def test_ids_of_samples_and_persons_are_unique(many: list[Block]) -> None:
    persons = [p for b in many for p in b.persons]
    for ids in (
        [p.person_id for p in persons],
        [s for p in persons for s in p.wgs],
        [p.array for p in persons if p.array],
    ):
        assert len(set(ids)) == len(ids)


def test_samples_and_reported_sex_have_their_shares() -> None:
    made = Wishes(
        CohortParams(mislabelled_sex=0.1, withdrawn=0.2), SequencingParams(share=0.7, second_sample=0.3),
        ArrayParams(share=0.4), TraitParams(), OmopParams(),
    )  # fmt: skip
    persons = [p for number in range(60) for p in make_block(made, 4, number, 60 * BLOCK).persons]
    share = lambda found: sum(found) / len(persons)  # noqa: E731
    assert share(bool(p.wgs) for p in persons) == pytest.approx(0.7, abs=0.03)
    assert share(len(p.wgs) == 2 for p in persons) == pytest.approx(0.21, abs=0.03)
    assert share(bool(p.array) for p in persons) == pytest.approx(0.4, abs=0.03)
    assert share(p.withdrawn for p in persons) == pytest.approx(0.2, abs=0.03)
    assert share(p.sex not in (p.human.sex, "unknown") for p in persons) == pytest.approx(0.1, abs=0.02)


def test_shares_of_founders_follow_their_group() -> None:
    for group in GROUPS[:-1]:
        drawn = np.array([draw_shares(group, stream(1, "test", k))[0] for k in range(400)])
        assert np.allclose(drawn.sum(axis=1), 1)
        admixture = admixtures()[group]
        mean = np.array(admixture.mean)
        unmixed = np.eye(len(SOURCES))[int(np.argmax(mean))]
        expected = admixture.unmixed * unmixed + (1 - admixture.unmixed) * mean
        assert np.allclose(drawn.mean(axis=0), expected, atol=0.05), group


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shares": {"eur": 0.5}}, "add up to 0.5"),
        ({"shares": {"martian": 1.0}}, "'martian' is not known"),
        ({"shares": {"eur": 1.5, "afr": -0.5}}, "out of range"),
        ({"related": -0.1}, "out of range"),
        ({"persons": -1}, "out of range"),
        ({"mode": "magic"}, "'magic' is not known"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CohortParams(**settings)  # type: ignore[arg-type]
