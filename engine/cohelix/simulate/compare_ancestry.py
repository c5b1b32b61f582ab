"""Relatives and ancestry that were found against those that a cohort was made with.

Relatedness and ancestry are read from their tables, as anybody reads them. All that is told is counts and means.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import InputError
from cohelix.simulate.compare_qc import Line
from cohelix.simulate.compare_qc import as_text as text_of_lines
from cohelix.simulate.folder import reading
from cohelix.simulate.people.person import GROUPS, SOURCES

DEGREES = {0.5: 0, 0.25: 1, 0.125: 2, 0.0625: 3}
"""By expected kinship."""
DEGREE_NAMES = ("duplicates and twins", "first degree", "second degree", "third degree")
FIRST_DEGREE = {"parent-child": "parent_child", "full sibs": "full_siblings"}
"""Relationships that one kinship has, as the truth names them and as `cohelix relatedness` does."""
MIXED = "oth"
"""People with parents of two groups: no group is right for them."""
LABELS = {"nat": "amr"}
"""Sources that have another name as a group."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Shares:
    """Estimated against true proportions of one source, over people."""

    group: str
    n: int
    mean_true: float
    mean_found: float
    error: float
    """Mean of what they are off by."""
    correlation: float


@dataclass(frozen=True)
class Comparison:
    """relatives: a line for each degree and relationship. confusion: people by (group, assigned). likeliest: the same
    by the likeliest group, whether the forest is sure of it or not. shares: by source."""

    relatives: tuple[Line, ...]
    confusion: dict[tuple[str, str], int]
    shares: tuple[Shares, ...]
    likeliest: dict[tuple[str, str], int]


def accuracy(confusion: dict[tuple[str, str], int]) -> float:
    """Share of people of one group who are assigned to it."""
    of_one = {key: count for key, count in confusion.items() if key[0] != MIXED}
    right = sum(count for (true, found), count in of_one.items() if true == found)
    return right / sum(of_one.values()) if of_one else float("nan")


@dataclass(frozen=True)
class _Planted:
    """person: the one whose DNA a sample holds, by sample id. people: rows of the truth, by person. related:
    relationship, expected and true kinship, by pair of people (smaller number first)."""

    person: dict[str, int]
    people: dict[int, dict[str, Any]]
    related: dict[tuple[int, int], tuple[str, float, float]]


def compare_ancestry(
    cohort: Path, relatedness: Path | None = None, unrelated: Path | None = None, ancestry: Path | None = None
) -> Comparison:
    """For the folders of `cohelix relatedness estimate`, `relatedness prune` and `ancestry assign` of a cohort.

    Raises InputError where one is not of this cohort, or damaged.
    """
    planted = _planted(cohort)
    lines: list[Line] = []
    if relatedness is not None:
        lines += _relatives(planted, relatedness)
    if unrelated is not None:
        lines.append(_left(planted, unrelated))
    if ancestry is None:
        return Comparison(tuple(lines), {}, (), {})
    table, people = _assigned(planted, ancestry)
    confusion, likeliest = (_crossed(table, people, column) for column in ("group_other", "group"))
    return Comparison(tuple(lines), confusion, tuple(_shares(table, people)), likeliest)


def as_text(found: Comparison) -> str:
    """Tables one below the other, of what there is."""
    parts = []
    if found.relatives:
        parts.append(text_of_lines(found.relatives, "relatives"))
    if found.confusion:
        assigned = sorted({assigned for _, assigned in found.confusion}, key=_place)
        rows = [["group", *assigned]]
        for group in (group for group in GROUPS if any(true == group for true, _ in found.confusion)):
            rows.append([group, *(str(found.confusion.get((group, name), 0)) for name in assigned)])
        of = sum(count for (true, _), count in found.confusion.items() if true != MIXED)
        title = f"people by group (rows) and assigned group: {100 * accuracy(found.confusion):.2f} % of {of:,} right"
        likeliest = f"; by the likeliest group, sure or not, {100 * accuracy(found.likeliest):.2f} %"
        parts.append(f"{title}, those of {MIXED} left out{likeliest}\n{_aligned(rows)}")
    if found.shares:
        rows = [["proportion", "people", "true mean", "found mean", "mean error", "correlation"]]
        for one in found.shares:
            numbers = (one.mean_true, one.mean_found, one.error, one.correlation)
            rows.append([one.group, str(one.n), *("" if value != value else f"{value:.4f}" for value in numbers)])
        parts.append(_aligned(rows))
    return "\n".join(parts)


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        [row[0].ljust(widths[0]), *(word.rjust(w) for word, w in zip(row[1:], widths[1:], strict=True))] for row in rows
    )
    return "".join("  ".join(line).rstrip() + "\n" for line in lines)


def _place(group: str) -> tuple[int, str]:
    return GROUPS.index(group) if group in GROUPS else len(GROUPS), group


def _planted(cohort: Path) -> _Planted:
    with reading("truth"):
        samples = _rows(cohort / "truth" / "samples.parquet", ["sample_id", "person", "swapped_with"])
        people = {row["person"]: row for row in _rows(cohort / "truth" / "people.parquet", None)}
        kinship = _rows(cohort / "truth" / "kinship.parquet", None)
    person = {
        row["sample_id"]: row["person"] if row["swapped_with"] is None else row["swapped_with"] for row in samples
    }
    related = {
        (min(row["person1"], row["person2"]), max(row["person1"], row["person2"])): (
            row["relationship"], float(row["expected"]), float(row["kinship_made"]),
        )
        for row in kinship
    }  # fmt: skip
    return _Planted(person, people, related)


def _rows(path: Path, columns: list[str] | None) -> list[dict[str, Any]]:
    return list(pq.ParquetFile(path).read(columns).to_pylist())


def _looked_at(path: Path, planted: _Planted) -> list[str]:
    """Sample ids of a table with the column `sample_id`, all of this cohort."""
    try:
        with path.open(encoding="utf-8") as lines:
            samples = [row["sample_id"] for row in csv.DictReader(lines, delimiter="\t")]
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(path, error) from None
    _check(samples, planted, path.name)
    return samples


def _table(path: Path, columns: tuple[str, ...]) -> pa.Table:
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise InputError(
            f"expected columns {', '.join(columns)} in {path.name}, found no {missing[0]}. Check the path."
        )
    return table


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"expected {path.name} in that folder, found it missing or damaged ({type(error).__name__}). Check the path."
    )


def _check(samples: Iterable[str], planted: _Planted, name: str) -> None:
    named = list(samples)
    unknown = sum(sample not in planted.person for sample in named)
    if unknown or not named:
        raise InputError(
            f"expected samples of this cohort in {name}, found {unknown} of {len(named)} that it does not have. "
            "Give the cohort that was looked at."
        )


def _pairs(planted: _Planted, samples: Iterable[str]) -> dict[Pair, tuple[str, float, float]]:
    """Planted pairs of samples (smaller id first): relationship, expected and true kinship."""
    held: dict[int, list[str]] = defaultdict(list)
    for sample in samples:
        held[planted.person[sample]].append(sample)
    found = {}
    for of_one in held.values():
        for one, other in combinations(sorted(of_one), 2):
            found[one, other] = ("same person", 0.5, 0.5)
    for (a, b), what in planted.related.items():
        for one, other in product(held.get(a, ()), held.get(b, ())):
            found[min(one, other), max(one, other)] = what
    return found


def _relatives(planted: _Planted, folder: Path) -> list[Line]:
    truth = _pairs(planted, _looked_at(folder / "samples.tsv", planted))
    wanted = ("sample_id_1", "sample_id_2", "kinship", "degree", "relationship")
    table = _table(folder / "pairs.parquet", wanted)
    columns = [table.column(name).to_pylist() for name in wanted]
    listed: dict[Pair, tuple[float, int, str]] = {
        (min(one, other), max(one, other)): (kinship, degree, relationship)
        for one, other, kinship, degree, relationship in zip(*columns, strict=True)
    }
    if listed:
        _check({sample for pair in listed for sample in pair}, planted, "pairs.parquet")
    lines = [_of_degree(degree, truth, listed) for degree in range(len(DEGREE_NAMES))]
    for relationship, named in FIRST_DEGREE.items():
        near = {pair for pair, (_, degree, _) in listed.items() if degree == 1}
        are = {pair for pair, (name, _, _) in truth.items() if name == relationship}
        said = {pair for pair in near if listed[pair][2] == named}
        others = {pair for pair in said - are if pair in truth and truth[pair][0] in FIRST_DEGREE}
        lines.append(Line(f"{relationship} of the first degree", len(are & near), len(are & said), len(others)))
    return lines


def _of_degree(
    degree: int, truth: dict[Pair, tuple[str, float, float]], listed: dict[Pair, tuple[float, int, str]]
) -> Line:
    """found: those at this degree. false: pairs at this degree who are no relatives."""
    are = {pair for pair, (_, expected, _) in truth.items() if DEGREES[expected] == degree}
    here = {pair for pair, (_, at, _) in listed.items() if at == degree}
    at = Counter(listed[pair][1] for pair in are - here if pair in listed)
    words = [f"{count} at degree {other}" for other, count in sorted(at.items())]
    words += [f"{missed} not listed"] if (missed := len(are - set(listed))) else []
    off = [abs(listed[pair][0] - truth[pair][2]) for pair in are if pair in listed]
    off = [value for value in off if value == value]
    words += [f"kinship off by {np.mean(off):.4f}"] if off else []
    return Line(DEGREE_NAMES[degree], len(are), len(are & here), len(here - set(truth)), ", ".join(words))


def _left(planted: _Planted, folder: Path) -> Line:
    """Pairs of the second degree and closer, and those of whom both were kept: a line that counts them as not found."""
    kept = set(_looked_at(folder / "unrelated.tsv", planted))
    dropped = _looked_at_or_none(folder / "relatedness_flagged_samples.tsv", planted)
    truth = _pairs(planted, kept | set(dropped))
    close = {pair for pair, (_, expected, _) in truth.items() if DEGREES[expected] <= 2}
    parted = sum(not (one in kept and other in kept) for one, other in close)
    alone = set(dropped) - {sample for pair in truth for sample in pair}
    detail = f"{len(kept)} samples kept, {len(dropped)} left out"
    return Line("second degree and closer, of whom one was left out", len(close), parted, len(alone), detail)


def _looked_at_or_none(path: Path, planted: _Planted) -> list[str]:
    """As `_looked_at`, of a table that may be empty."""
    try:
        empty = len(path.read_text(encoding="utf-8").splitlines()) <= 1
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None
    return [] if empty else _looked_at(path, planted)


def _assigned(planted: _Planted, folder: Path) -> tuple[pa.Table, list[dict[str, Any]]]:
    """The table of groups, and what is true of the person of each row."""
    table = _table(folder / "ancestry.parquet", ("sample_id", "group", "group_other"))
    samples = table.column("sample_id").to_pylist()
    _check(samples, planted, "ancestry.parquet")
    return table, [planted.people[planted.person[sample]] for sample in samples]


def _crossed(table: pa.Table, people: list[dict[str, Any]], column: str) -> dict[tuple[str, str], int]:
    pairs = zip(people, table.column(column).to_pylist(), strict=True)
    return dict(Counter((person["group"], name or "none") for person, name in pairs))


def _shares(table: pa.Table, people: list[dict[str, Any]]) -> list[Shares]:
    lines = []
    for source in SOURCES:
        group = LABELS.get(source, source)
        if f"proportion_{group}" not in table.column_names:
            continue
        column = table.column(f"proportion_{group}").cast(pa.float64()).to_numpy(zero_copy_only=False)
        found, true = np.asarray(column, np.float64), np.array([person[source] for person in people], np.float64)
        known = np.isfinite(found)
        if not known.any():
            continue
        found, true = found[known], true[known]
        varies = len(found) > 1 and min(found.std(), true.std()) > 0
        correlation = float(np.corrcoef(found, true)[0, 1]) if varies else float("nan")
        error = float(np.abs(found - true).mean())
        lines.append(Shares(group, len(found), float(true.mean()), float(found.mean()), error, correlation))
    return lines
