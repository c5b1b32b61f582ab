"""Reported families against the kinship that was found: `cohelix relatedness estimate --pedigree`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.relatedness.families import Pedigree, connected, kinship_of, read_pedigree

DEGREES = (2.0**-1.5, 2.0**-2.5, 2.0**-3.5, 2.0**-4.5)
"""Kinship above which two are of degree 0, 1, 2 and 3 (KING): half a degree on either side of 1/2, 1/4, 1/8, 1/16."""

BY_DEGREE = ("duplicate_or_twin", "first_degree", "second_degree", "third_degree", "distant")
CLOSER, FURTHER, OTHER = "closer_than_reported", "further_than_reported", "other_than_reported"
NOT_FOUND, NOT_REPORTED = "reported_but_unrelated", "related_but_not_reported"
COLUMNS = {
    "sample_id_1": pa.string(), "sample_id_2": pa.string(), "family": pa.string(), "reported": pa.string(),
    "expected_kinship": pa.float64(), "kinship": pa.float64(), "relationship": pa.string(), "agrees": pa.bool_(),
    "note": pa.string(),
}  # fmt: skip
_FACTS = b"pedigree"


@dataclass(frozen=True)
class Found:
    """What was found of one pair of the table of pairs."""

    kinship: float
    relationship: str | None


def check_pedigree(path: str, sample_ids: Sequence[str], pairs_table: pa.Table) -> pa.Table:
    """Every pair of samples that is related by the pedigree at `path`, and every found one that is not (`COLUMNS`).

    pairs_table: sample_id_1, sample_id_2, kinship, and perhaps pc_kinship (taken where it is known) and relationship.
    A row has `agrees`, and a note where it is false; both are null where a sample of a related pair has no row in the
    pedigree. Raises InputError where the file is no pedigree, or of none of the samples.
    """
    pedigree = read_pedigree(path)
    known = set(sample_ids)
    present = [sample in known for sample in pedigree.ids]
    if not any(present):
        raise InputError(
            f"expected a pedigree of the callset's {len(known)} samples, found none of them among its "
            f"{len(present)} rows. Give ids as they stand in the callset."
        )
    found = dict(_found_pairs(pairs_table))
    rows = list(_reported_rows(pedigree, present, found))
    reported = {(row[0], row[1]) for row in rows}
    rows += _unreported_rows(pedigree, found, reported)
    rows.sort(key=lambda row: (row[0].encode(), row[1].encode()))
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    facts = {
        "n_people": len(pedigree.parents),
        "n_rows": len(present),
        "n_samples": sum(present),
        "n_not_in_callset": len(present) - sum(present),
        "n_samples_without_row": len(known) - sum(present),
    }
    arrays = [pa.array(list(values), kind) for values, kind in zip(columns, COLUMNS.values(), strict=True)]
    table = pa.table(dict(zip(COLUMNS, arrays, strict=True)))
    return table.replace_schema_metadata({_FACTS: json.dumps(facts)})


def summary_of(table: pa.Table) -> dict[str, Any]:
    """Counts of what `check_pedigree` returned: people, pairs by reported relationship, notes."""
    agrees = table.column("agrees").to_pylist()
    notes = Counter(note for note in table.column("note").to_pylist() if note)
    reported = Counter(one or "not in the pedigree" for one in table.column("reported").to_pylist())
    return {
        **json.loads((table.schema.metadata or {}).get(_FACTS, b"{}")),
        "n_pairs": table.num_rows,
        "n_agree": agrees.count(True),
        "n_disagree": agrees.count(False),
        "reported": dict(sorted(reported.items())),
        "notes": dict(sorted(notes.items())),
    }


def degree_of(kinship: float) -> int:
    """0 to 3, and 4 for what is more distant or unrelated."""
    return sum(kinship <= least for least in DEGREES)


def judge(reported: str, expected: float, found: Found | None) -> str | None:
    """The note on a reported pair, None where both agree.

    Kinship may be half a degree off what is expected up to second degree, and a whole one beyond, for the chance of
    recombination spreads it more there. More distant relatives need not be found.
    """
    degree = degree_of(expected)
    if found is None or (found.kinship <= DEGREES[3] and found.kinship < expected / 2):
        return NOT_FOUND if degree < 4 else None
    slack = 2.0**0.5 if degree < 3 else 2.0
    if found.kinship > max(expected * slack, DEGREES[3]) and degree > 0:
        return CLOSER
    if found.kinship < expected / slack and degree < 4:
        return FURTHER
    first = {"parent_child", "full_siblings"}
    if reported in first and found.relationship in first and found.relationship != reported:
        return OTHER
    return None


def _found_pairs(table: pa.Table) -> Iterator[tuple[tuple[str, str], Found]]:
    king = table.column("kinship").to_pylist()
    given = table.column("pc_kinship").to_pylist() if "pc_kinship" in table.column_names else [None] * len(king)
    named = table.column("relationship").to_pylist() if "relationship" in table.column_names else [None] * len(king)
    ids = zip(table.column("sample_id_1").to_pylist(), table.column("sample_id_2").to_pylist(), strict=True)
    for pair, own, other, name in zip(ids, king, given, named, strict=True):
        kinship = own if other is None or np.isnan(other) else other
        if kinship is not None and not np.isnan(kinship):
            yield _ordered(*pair), Found(kinship, name)


def _ordered(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one.encode() <= other.encode() else (other, one)


def _reported_rows(
    pedigree: Pedigree, present: Sequence[bool], found: dict[tuple[str, str], Found]
) -> Iterator[tuple[Any, ...]]:
    """A row for each pair of samples with some kinship by the pedigree."""
    for people in connected(pedigree):
        here = [at for at, person in enumerate(people) if person < len(present) and present[person]]
        if len(here) < 2:
            continue
        kinship = kinship_of(pedigree, people)[np.ix_(here, here)]
        for left, right in np.argwhere(np.triu(kinship, 1) > 0).tolist():
            one, other = people[here[left]], people[here[right]]
            expected = float(kinship[left, right])
            reported = name_of(pedigree, one, other, expected)
            pair = _ordered(pedigree.ids[one], pedigree.ids[other])
            seen = found.get(pair)
            note = judge(reported, expected, seen)
            family = _family(pedigree, one, other)
            values = (None, None) if seen is None else (seen.kinship, seen.relationship)
            yield (*pair, family, reported, expected, *values, note is None, note)


def _unreported_rows(
    pedigree: Pedigree, found: dict[tuple[str, str], Found], reported: set[tuple[str, str]]
) -> Iterator[tuple[Any, ...]]:
    """A row for each pair of third degree or closer that the pedigree does not relate, within families and across."""
    place = {sample: person for person, sample in enumerate(pedigree.ids)}
    for pair, seen in found.items():
        if pair in reported or not seen.kinship > DEGREES[3]:
            continue
        people = [place.get(sample, -1) for sample in pair]
        if min(people) < 0:
            yield (*pair, None, None, None, seen.kinship, seen.relationship, None, None)
        else:
            family = _family(pedigree, *people)
            yield (*pair, family, "unrelated", 0.0, seen.kinship, seen.relationship, False, NOT_REPORTED)


def _family(pedigree: Pedigree, one: int, other: int) -> str | None:
    """The family that both are of, None where they are not of one, or it has no name."""
    name = pedigree.families[one]
    return name if name and name == pedigree.families[other] else None


def name_of(pedigree: Pedigree, one: int, other: int, expected: float) -> str:
    """The relationship of two people by the pedigree: by its shape where it has a name, else by degree."""
    same = pedigree.same
    left, right = ({same[parent] for parent in pedigree.parents[person] if parent >= 0} for person in (one, other))
    if same[one] == same[other]:
        return "duplicate_or_twin"
    if same[one] in right or same[other] in left:
        return "parent_child"
    if len(left) == 2 and left == right:
        return "full_siblings"
    if left & right:
        return "half_siblings"
    if same[one] in _parents_of(pedigree, right) or same[other] in _parents_of(pedigree, left):
        return "grandparent_grandchild"
    if any(
        _are_full_siblings(pedigree, person, parent)
        for person, near in ((one, right), (other, left))
        for parent in near
    ):
        return "avuncular"
    if any(_are_full_siblings(pedigree, parent, near) for parent in left for near in right):
        return "first_cousins"
    return BY_DEGREE[degree_of(expected)]


def _parents_of(pedigree: Pedigree, people: set[int]) -> set[int]:
    return {pedigree.same[parent] for person in people for parent in pedigree.parents[person] if parent >= 0}


def _are_full_siblings(pedigree: Pedigree, one: int, other: int) -> bool:
    """Of the same two known parents, twins of one egg among them."""
    left, right = pedigree.parents[one], pedigree.parents[other]
    return pedigree.same[one] != pedigree.same[other] and min(left) >= 0 and left == right
