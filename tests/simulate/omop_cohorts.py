"""Small cohorts with everything that health records have to get right, and OMOP tables read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.simulate.omop import Health, OmopWriter
from cohelix.simulate.people.person import GROUPS, Human, Person
from cohelix.simulate.schema import OmopParams

TWINS, COPIES = (10, 11), (20, 21)  # two bodies with one genome; one body enrolled twice


def people(n: int) -> list[Person]:
    """Person k does not depend on n. Adults of all groups; 1 in 20 has no WGS, 1 in 25 withdrew, 1 in 30 no sex."""
    found = []
    for k in range(n):
        rng = np.random.default_rng(k)
        karyotype = ("XX", "XY")[rng.integers(2)]
        body = Human(
            k + 24 * (k // 100), None, None, karyotype, GROUPS[k % 7], (0.0,) * 6, 5, int(rng.integers(1935, 2003))
        )
        role = "single"
        if k in (TWINS[1], COPIES[1]):
            body, role = found[k - 1].human, "twin" if k == TWINS[1] else "duplicate"
        wgs = (f"W{k}",) if k % 20 else ()
        wgs += (f"W{k}B",) if k % 40 == 1 else ()
        sex = "unknown" if k % 30 == 7 else body.sex
        array = f"A{k}" if k % 9 else ""
        found.append(Person(k, 5000 + 13 * k, body, k, role, sex, wgs, (0,) * len(wgs), array, 0, k % 25 == 3))
    return found


def health(persons: list[Person]) -> Health:
    """Traits of persons, each drawn by the number of the body."""
    draws = np.array([np.random.default_rng([7, p.human.number]).standard_normal(4) for p in persons])
    return Health(
        {"type_2_diabetes": draws[:, 0] > 1.0, "coronary_artery_disease": draws[:, 1] > 1.0},
        {"height": draws[:, 2], "ldl_cholesterol": draws[:, 3]},
    )


def write(folder: Path, persons: list[Person], params: OmopParams, seed: int = 5, block: int = 100) -> None:
    with OmopWriter(folder, params, seed, folder / "links.parquet") as writer:
        for start in range(0, len(persons), block):
            part = persons[start : start + block]
            writer.add(part, health(part))


def read(folder: Path) -> dict[str, pa.Table]:
    """Tables of a folder by name."""
    return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}


def column(table: pa.Table, name: str) -> np.ndarray:
    """A column without nulls; dates as days since 1970-01-01."""
    values = table[name].combine_chunks()
    if pa.types.is_date(values.type):
        values = values.cast(pa.int32())
    array: np.ndarray = values.to_numpy(zero_copy_only=False)
    return array


def by_person(table: pa.Table, name: str) -> dict[int, Any]:
    """Of the last row of each person: the value of a column."""
    return dict(zip(table["person_id"].to_pylist(), table[name].to_pylist(), strict=True))
