"""The tier table against the CDM's own list of fields: nothing that tells a person has a way through."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cohelix.errors import ContractError
from cohelix.omop.tables import Field, fields
from cohelix.reference import read_rows, reference_path
from cohelix.release import policy as policy_module
from cohelix.release.policy import Policy, load_policy
from cohelix.release.vocabulary import TABLES
from cohelix.tier import Tier

INDIVIDUAL = (Tier.REGISTERED, Tier.CONTROLLED)
HIDDEN = {"location": {"state", "zip"}}
"""Columns of text that are let through, changed."""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy()


def _of_people(policy: Policy, tier: Tier) -> list[tuple[Field, str]]:
    """Each column of the tier that is not of a vocabulary, with its action."""
    known = {(field.table, field.name): field for table in fields().values() for field in table}
    return [
        (known[table, column], action)
        for table in policy.tables(tier)
        if table not in TABLES
        for column, action in policy.actions(tier, table).items()
    ]


def test_public_has_no_table_of_the_cdm(policy: Policy) -> None:
    assert policy.tables(Tier.PUBLIC) == []
    assert not policy.has_individuals(Tier.PUBLIC)
    assert [policy.has_genomes(tier) for tier in (Tier.PUBLIC, *INDIVIDUAL)] == [False, False, True]
    # Public as Registered: their aggregates are side by side for whoever has both, and must be of the same persons
    assert [policy.drops_old(tier) for tier in (Tier.PUBLIC, *INDIVIDUAL)] == [True, True, False]


@pytest.mark.parametrize("tier", INDIVIDUAL)
def test_keys_are_those_of_the_tier(policy: Policy, tier: Tier) -> None:
    for field, action in _of_people(policy, tier):
        if field.name == "person_id":
            assert action == "person", field
        elif field.primary_key:
            assert action in (f"row:{field.table}", "place"), field
        elif field.refers is not None and field.refers[0] != "concept":
            assert action in ("null", "place", f"row:{field.refers[0]}"), field


@pytest.mark.parametrize("tier", INDIVIDUAL)
def test_no_text_of_the_source_is_let_through(policy: Policy, tier: Tier) -> None:
    for field, action in _of_people(policy, tier):
        if field.type.startswith("varchar") or field.type in ("text", "CLOB", "string"):
            assert action == "null" or field.name in HIDDEN.get(field.table, ()), field


def test_every_date_of_registered_is_moved(policy: Policy) -> None:
    dates = [(f, action) for f, action in _of_people(policy, Tier.REGISTERED) if f.type in ("date", "datetime")]
    assert len(dates) > 20
    for field, action in dates:
        assert action in ({"date": "date", "datetime": "day"}[field.type], "null"), field


@pytest.mark.parametrize("tier", INDIVIDUAL)
def test_of_the_birth_the_year_alone(policy: Policy, tier: Tier) -> None:
    person = policy.actions(tier, "person")
    assert {person[name] for name in ("month_of_birth", "day_of_birth", "birth_datetime")} == {"null"}


@pytest.mark.parametrize("tier", INDIVIDUAL)
def test_tables_keep_the_shape_of_the_cdm(policy: Policy, tier: Tier) -> None:
    for table in policy.tables(tier):
        assert list(policy.actions(tier, table)) == [field.name for field in fields()[table]]
    for field, action in _of_people(policy, tier):
        assert not (field.required and action == "null"), field


def test_notes_and_names_of_staff_are_in_no_tier(policy: Policy) -> None:
    for tier in INDIVIDUAL:
        assert not {"note", "note_nlp", "provider", "care_site", "cost", "metadata"} & set(policy.tables(tier))


def test_controlled_has_what_registered_has(policy: Policy) -> None:
    assert set(policy.tables(Tier.REGISTERED)) < set(policy.tables(Tier.CONTROLLED))


def test_excluded_concepts_are_stated_with_a_reason() -> None:
    rows = read_rows("release", "tiers", "1", "concepts.tsv")
    with reference_path("release", "tiers", "1", "SOURCE.toml").open("rb") as handle:
        sources = {row["key"] for row in tomllib.load(handle)["source"]}
    for row in rows:
        assert row["meaning"] and row["source"] in sources
        re.compile(row["pattern"])
    assert len({(row["tier"], row["vocabulary"], row["pattern"], row["concept"]) for row in rows}) == len(rows)


def test_generalisations_say_what_becomes_of_everything(policy: Policy) -> None:
    for rule in policy.maps.values():
        assert "*" in rule
        for concept, becomes in rule.items():
            assert becomes > 2_000_000_000 if concept == "*" else becomes == int(concept)


def test_what_a_grant_must_hold() -> None:
    with reference_path("release", "tiers", "1", "requirements.toml").open("rb") as handle:
        asked = tomllib.load(handle)
    assert asked["public"] == {"grant": False}
    assert (asked["registered"]["training"], asked["controlled"]["training"]) == ("basic", "extended")
    assert asked["trainings"].index("basic") < asked["trainings"].index("extended")
    for tier in ("registered", "controlled"):
        assert asked[tier]["grant"] and 0 < asked[tier]["max_days"] <= 365
        assert asked[tier]["institution"] and asked[tier]["commercial_intent"]
        assert asked[tier]["linkage"] == "approval" and asked[tier]["agreements"]
    assert asked["controlled"]["review_board"] and not asked["registered"]["review_board"]
    assert asked["registered"].keys() == asked["controlled"].keys()


def test_codes_of_data_use() -> None:
    rows = read_rows("release", "tiers", "1", "duo.tsv")
    assert all(re.fullmatch(r"DUO:\d{7}", row["code"]) for row in rows)
    assert len({row["code"] for row in rows}) == len(rows) == len({row["short"] for row in rows})


def test_areas_where_few_people_live(policy: Policy) -> None:
    assert all(re.fullmatch(r"\d{3}", area) for area in policy.small_areas)
    assert {"036", "059", "102", "203", "556", "692", "821", "823", "878", "879", "884", "893"} <= policy.small_areas


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("columns.tsv", "registered\tperson\tgender_concept_id\tmap:sex", "registered\tperson\tgender_concept_id\tshow",
         "has an action"),
        ("columns.tsv", "registered\tperson\tperson_id\tperson", "public\tperson\tperson_id\tperson", "denies it them"),
        ("columns.tsv", "map:race", "map:colour", "has an action"),
        ("concepts.tsv", "registered\tPPI\t", "registered\t\t", "neither by number nor"),
    ],
)  # fmt: skip
def test_a_table_that_contradicts_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, message: str
) -> None:
    def changed(*parts: str) -> list[dict[str, str]]:
        source = reference_path(*parts)
        if source.name != file:
            return read_rows(*parts)
        text = source.read_text()
        assert old in text
        lines = text.replace(old, new, 1).splitlines()
        return [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]

    monkeypatch.setattr(policy_module, "read_rows", changed)
    with pytest.raises(ContractError, match=message):
        load_policy()
