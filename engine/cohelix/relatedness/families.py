"""Reported families: a pedigree as PLINK or a table writes it, and the kinship that it implies.

Rows are people: family, id, father, mother, sex, and in a table perhaps a twin (people of one father and mother who
carry the same mark there are of one egg). A parent who has no row of their own is a founder of that family. An
unknown parent (0, NA, ., empty) is a person of whom nothing is known, another for every child.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix import genome, storage
from cohelix.errors import InputError
from cohelix.genotypes import inputs

UNKNOWN = frozenset(("0", "", "NA", ".", "-9"))
NAMES = {
    "family": ("#FID", "FID", "family_id", "family", "FamilyID"),
    "sample": ("#IID", "IID", *inputs.SAMPLE_COLUMNS, "individual_id", "id"),
    "father": ("PAT", "father_id", "father", "paternal_id", "pat_id"),
    "mother": ("MAT", "mother_id", "mother", "maternal_id", "mat_id"),
    "sex": ("SEX", "sex"),
    "twin": ("twin", "twin_id", "MZ"),
}
_LARGEST = 12_000
"""Connected people of one pedigree: their matrix of kinship takes 1.2 GB."""


@dataclass(frozen=True)
class Row:
    """A row of the file (its number in `place`): ids, "" where unknown."""

    place: int
    family: str
    sample: str
    father: str
    mother: str
    sex: str
    twin: str = ""


@dataclass(frozen=True)
class Pedigree:
    """People 0, 1, ...: those with a row first, in its order.

    ids: of people with a row. families: of all. parents: (father, mother) of all, -1 where unknown. same: a person of
    the same egg with a lower number, or oneself.
    """

    ids: list[str]
    families: list[str]
    parents: list[tuple[int, int]]
    same: list[int]
    generation: list[int]


def read_pedigree(path: str) -> Pedigree:
    """The pedigree of a .fam, .ped or .psam, or of a table with such columns. InputError where it cannot be one."""
    rows = _read_rows(path)
    _check_ids(rows)
    place = {row.sample: index for index, row in enumerate(rows)}
    families, outside = [row.family for row in rows], dict[tuple[str, str], int]()

    def person(row: Row, name: str) -> int:
        if not name:
            return -1
        if name in place:
            return place[name]
        key = (row.family, name)
        if key not in outside:
            outside[key] = len(families)
            families.append(row.family)
        return outside[key]

    parents = [(person(row, row.father), person(row, row.mother)) for row in rows]
    _check_sexes(rows, parents)
    parents += [(-1, -1)] * len(outside)
    generation = _generations(parents)
    _check_ancestors(generation, rows)
    return Pedigree([row.sample for row in rows], families, parents, _twins(rows, parents), generation)


def _read_rows(path: str) -> list[Row]:
    what = "pedigree"
    try:
        head = storage.read(path)[:65536]
    except OSError:
        raise InputError(f"expected the {what} to be a file that can be read, found none. Check its path.") from None
    first = next((line for line in head.decode("utf-8-sig", "replace").splitlines() if not line.startswith("##")), "")
    words = first.replace(",", " ").split()
    named = head[:4] == b"PAR1" or head[:2] == b"\x1f\x8b" or any(word in NAMES["father"] for word in words)
    if named or first.startswith("#"):
        return _table_rows(path, what)
    return _plain_rows(path, what)


def _plain_rows(path: str, what: str) -> list[Row]:
    """Rows of .fam and .ped: family, id, father, mother, sex and more, without a header."""
    rows = []
    try:
        lines = storage.read(path).decode("utf-8-sig").splitlines()
    except ValueError:
        raise InputError(f"expected the {what} as UTF-8 text, found something else. Write it again.") from None
    for place, line in enumerate(lines, 1):
        words = line.split(maxsplit=5)
        if not words:
            continue
        if len(words) < 5:
            raise InputError(
                f"expected family, id, father, mother and sex on every row of the {what}, found {len(words)} fields on "
                f"row {place}. Give a .fam, .ped or .psam, or a table with the columns FID, IID, PAT, MAT and SEX."
            )
        rows.append(_row(place, *words[:5], what=what))
    return rows


def _table_rows(path: str, what: str) -> list[Row]:
    table = inputs.read_table(path, what)
    columns: dict[str, list[str]] = {}
    for name, known in NAMES.items():
        there = [one for one in known if one in table.column_names]
        if there:
            columns[name] = inputs.texts(table, there[0])
    if "sample" not in columns or not ("father" in columns and "mother" in columns):
        raise InputError(
            f"expected the {what} to have columns of the sample, the father and the mother (IID, PAT, MAT; or "
            "sample_id, father, mother), found other names."
        )
    empty = [""] * table.num_rows
    lists = [columns.get(name, empty) for name in ("family", "sample", "father", "mother", "sex", "twin")]
    return [_row(place, *values, what=what) for place, values in enumerate(zip(*lists, strict=True), 2)]


def _row(place: int, family: str, sample: str, father: str, mother: str, sex: str, twin: str = "", *, what: str) -> Row:
    if sample in UNKNOWN:
        raise InputError(f"row {place} of the {what} has no id. Give one, or drop the row.")
    try:
        stated = "unknown" if sex in UNKNOWN else genome.parse_sex(sex) or "unknown"
    except InputError:
        stated = "unknown"  # PLINK: anything but 1 and 2
    known = ["" if one in UNKNOWN else one for one in (family, father, mother, twin)]
    return Row(place, known[0], sample, known[1], known[2], stated, known[3])


def _check_ids(rows: Sequence[Row]) -> None:
    if not rows:
        raise InputError("expected people in the pedigree, found none.")
    seen: dict[str, int] = {}
    for row in rows:
        if seen.setdefault(row.sample, row.place) != row.place:
            raise InputError(
                f"rows {seen[row.sample]} and {row.place} of the pedigree are of the same id. Ids of samples are "
                "distinct, also across families: keep one of them."
            )


def _check_sexes(rows: Sequence[Row], parents: Sequence[tuple[int, int]]) -> None:
    """Fathers are not female nor mothers male, and nobody is both."""
    role: dict[int, tuple[int, int]] = {}
    for row, pair in zip(rows, parents, strict=True):
        for side, parent in enumerate(pair):
            if parent < 0:
                continue
            if parent < len(rows) and rows[parent].sex == ("female", "male")[side]:
                raise InputError(
                    f"the {('father', 'mother')[side]} on row {row.place} of the pedigree is {rows[parent].sex} on row "
                    f"{rows[parent].place}. Exchange the two columns, or correct the sex."
                )
            if role.setdefault(parent, (side, row.place))[0] != side:
                raise InputError(
                    f"a person is a father and a mother, on rows {role[parent][1]} and {row.place} of the pedigree. "
                    "Correct one of them."
                )


def _check_ancestors(generation: Sequence[int], rows: Sequence[Row]) -> None:
    loops = [row.place for row, depth in zip(rows, generation, strict=False) if depth < 0]
    if loops:
        raise InputError(
            f"a person is their own ancestor in the pedigree: {len(loops)} rows are, or descend from, such people, the "
            f"first on row {loops[0]}. Correct who is whose parent."
        )


def _generations(parents: Sequence[tuple[int, int]]) -> list[int]:
    """Of every person, 0 for those without parents, else one more than the later parent's; -1 behind a loop."""
    children: list[list[int]] = [[] for _ in parents]
    waiting = [0] * len(parents)
    for person, pair in enumerate(parents):
        for parent in pair:
            if parent >= 0:
                children[parent].append(person)
                waiting[person] += 1
    depth = [-1] * len(parents)
    ready = [person for person, count in enumerate(waiting) if not count]
    for person in ready:
        depth[person] = 1 + max((depth[parent] for parent in parents[person] if parent >= 0), default=-1)
        for child in children[person]:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return depth


def _twins(rows: Sequence[Row], parents: Sequence[tuple[int, int]]) -> list[int]:
    """Who is of one egg with whom. InputError where such people differ in parents or sex."""
    same, first = list(range(len(parents))), dict[tuple[str, str], int]()
    for person, row in enumerate(rows):
        if row.twin:
            one = first.setdefault((row.family, row.twin), person)
            sexes = {rows[one].sex, row.sex} - {"unknown"}
            if parents[one] != parents[person] or len(sexes) > 1:
                raise InputError(
                    f"rows {rows[one].place} and {row.place} of the pedigree are twins of one egg, but differ in "
                    "parents or sex. Correct one of them."
                )
            same[person] = one
    return same


def connected(pedigree: Pedigree) -> list[list[int]]:
    """People linked by parents or as twins: one increasing list for each such group, in the order of the first."""
    root = list(range(len(pedigree.parents)))

    def find(person: int) -> int:
        while root[person] != person:
            root[person] = root[root[person]]
            person = root[person]
        return person

    for person, pair in enumerate(pedigree.parents):
        for other in (*pair, pedigree.same[person]):
            if other >= 0:
                one, two = sorted((find(person), find(other)))
                root[two] = one
    groups: dict[int, list[int]] = {}
    for person in range(len(root)):
        groups.setdefault(find(person), []).append(person)
    return list(groups.values())


def kinship_of(pedigree: Pedigree, people: Sequence[int]) -> np.ndarray:
    """float64 (people, people): kinship of one connected group; of oneself (1 + inbreeding) / 2.

    Of a person and one who is not their descendant: the mean over the person's parents. Twins of one egg are one.
    """
    if len(people) > _LARGEST:
        raise InputError(
            f"expected at most {_LARGEST} connected people in the pedigree, found {len(people)}. Cut it into families."
        )
    order = sorted({pedigree.same[one] for one in people}, key=lambda one: (pedigree.generation[one], one))
    place = {person: index for index, person in enumerate(order)}
    out = np.zeros((len(order), len(order)))
    for index, person in enumerate(order):
        rows = [place[pedigree.same[parent]] for parent in pedigree.parents[person] if parent >= 0]
        for row in rows:
            out[index, :index] += out[row, :index] / 2
        out[:index, index] = out[index, :index]
        out[index, index] = 0.5 + (out[rows[0], rows[1]] / 2 if len(rows) == 2 else 0.0)
    of = [place[pedigree.same[person]] for person in people]
    return out[np.ix_(of, of)]
