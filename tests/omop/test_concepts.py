"""Sets of concepts: what TOML and ATLAS say, resolved as the definition has it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import ConfigError, InputError
from cohelix.omop.concepts import ConceptSet, Item, read_circe, resolve, set_of
from tests.omop.made_cdm import made_cdm

TREE = {1: {1, 2, 3, 4}, 2: {2, 4}, 3: {3}, 4: {4}, 9: {9}}
ANCESTORS = {
    "ancestor_concept_id": [above for above, below in TREE.items() for _ in below],
    "descendant_concept_id": [one for below in TREE.values() for one in sorted(below)],
}
ITEMS = st.builds(Item, st.sampled_from([1, 2, 3, 4, 9, 77]), st.booleans(), st.booleans())


def circe_item(concept: int, excluded: bool = False, descendants: bool = True, mapped: bool = False) -> dict[str, Any]:
    return {
        "concept": {"CONCEPT_ID": concept, "CONCEPT_NAME": "x", "STANDARD_CONCEPT": "S"},
        "isExcluded": excluded, "includeDescendants": descendants, "includeMapped": mapped,
    }  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.lists(ITEMS, max_size=5), min_size=1, max_size=3))
def test_included_less_excluded_each_with_its_descendants(sets: list[list[Item]]) -> None:
    def below(item: Item) -> set[int]:
        return {item.concept} | (TREE.get(item.concept, set()) if item.descendants else set())

    with tempfile.TemporaryDirectory() as folder:
        cdm = made_cdm(Path(folder), person={"person_id": [1]}, concept_ancestor=ANCESTORS)
        found = resolve(cdm, [ConceptSet(tuple(items)) for items in sets])
    for items, one in zip(sets, found, strict=True):
        included = set().union(*(below(item) for item in items if not item.excluded))
        excluded = set().union(*(below(item) for item in items if item.excluded))
        assert one.concepts.tolist() == sorted(included - excluded)
        assert one.unknown == sum(item.descendants and item.concept == 77 for item in items)
        asked = [item for item in items if item.descendants and not item.excluded]
        assert one.blind == (bool(asked) and all(item.concept == 77 for item in asked))


def test_descendants_need_their_table(tmp_path: Path) -> None:
    cdm = made_cdm(tmp_path, person={"person_id": [1]})
    with pytest.raises(InputError, match="descendants = false"):
        resolve(cdm, [ConceptSet((Item(1),))])
    assert resolve(cdm, [ConceptSet((Item(1, descendants=False),))])[0].concepts.tolist() == [1]


def test_a_set_as_toml(tmp_path: Path) -> None:
    assert set_of({"include": [1, 2], "exclude": [3]}, tmp_path, "it") == ConceptSet(
        (Item(1), Item(2), Item(3, excluded=True))
    )
    assert set_of({"include": [1], "descendants": False}, tmp_path, "it").items[0].descendants is False
    assert set_of({}, tmp_path, "it") == ConceptSet()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"includes": [1]}, "'includes'"), ({"include": 1}, "a list"), ({"include": [0]}, "found 0"),
        ({"include": ["201826"]}, "found '201826'"), ({"include": [True]}, "found True"),
        ({"include": [2**31]}, "concept ids"), ({"include": [1], "descendants": "no"}, "true or false"),
        ({"file": "x.json", "include": [1]}, "one of the two"), ({"file": "x.json"}, "ATLAS"),
    ],
)  # fmt: skip
def test_a_set_that_is_none(section: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        set_of(section, tmp_path, "[cases]")


def test_sets_of_atlas(tmp_path: Path) -> None:
    items = [circe_item(1), circe_item(2, excluded=True), circe_item(9, descendants=False)]
    expected = ConceptSet((Item(1), Item(2, excluded=True), Item(9, descendants=False)))
    sets = [
        {"id": 0, "name": "wanted", "expression": {"items": items}},
        {"id": 1, "name": "other", "expression": {"items": [circe_item(3)]}},
    ]
    for name, document in (("a", {"items": items}), ("b", sets[0]), ("c", {"ConceptSets": sets})):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    assert read_circe(tmp_path / "a.json") == read_circe(tmp_path / "b.json") == expected
    assert set_of({"file": "c.json", "set": "wanted"}, tmp_path, "it") == expected
    assert read_circe(tmp_path / "c.json", 1) == ConceptSet((Item(3),))
    for which, said in ((None, "found 2 of 2"), ("absent", "found 0 of 2")):
        with pytest.raises(ConfigError, match=said):
            read_circe(tmp_path / "c.json", which)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"items": [{}]}', '{"items": 3}', '{"items": [{"concept": {}}]}'])
def test_json_of_something_else(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ConfigError, match="as ATLAS exports it"):
        read_circe(tmp_path / "x.json")


def test_mapped_concepts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"items": [circe_item(1, mapped=True)]}))
    with pytest.raises(ConfigError, match="includeMapped"):
        read_circe(tmp_path / "x.json")
