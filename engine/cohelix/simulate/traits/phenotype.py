"""Values of traits: genetic value, environment of the group, and noise of the body; and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.simulate.people.person import GROUPS, SOURCES, Person
from cohelix.simulate.schema import TraitParams
from cohelix.simulate.streams import stream
from cohelix.simulate.traits.architecture import Architecture

DECIMALS = 6


@dataclass(frozen=True)
class Health:
    """n persons. genetic, environment, noise (T, n) by the architecture's traits, in standard units; they add up to
    `liability`. measured (T, n): False where a study has no value. values: by trait, (n,) float in standard units
    (mean 0 expected over people) or, of a binary trait, bool."""

    traits: tuple[str, ...]
    genetic: np.ndarray
    environment: np.ndarray
    noise: np.ndarray
    measured: np.ndarray
    values: dict[str, np.ndarray]

    @property
    def liability(self) -> np.ndarray:
        return np.asarray(self.genetic + self.environment + self.noise)


def expected_shares(persons: Sequence[Person]) -> np.ndarray:
    """(n, 6): ancestry by SOURCES, as `genetic_values` wants it."""
    return np.array([person.human.expected for person in persons], np.float64).reshape(-1, len(SOURCES))


def phenotypes(
    params: TraitParams,
    architecture: Architecture,
    seed: int,
    persons: Sequence[Person],
    genetic: Mapping[str, np.ndarray],
) -> Health:
    """Health of `persons`; genetic: (n,) by trait, from `genetic_values`.

    A duplicate is the same body enrolled again and shares the noise; twins share the genome alone. Whether a value was
    measured is drawn for each enrolment.
    """
    names = architecture.traits.tolist()
    noise, measured = np.zeros((len(names), len(persons))), np.ones((len(names), len(persons)), bool)
    for column, person in enumerate(persons):
        rng = _body(seed, person)
        noise[:, column] = rng.standard_normal(len(names)) * architecture.noise
        chance = stream(seed, "trait measured", person.number).random(len(names))
        measured[:, column] = chance >= params.missing
    of_group = np.array([GROUPS.index(person.human.group) for person in persons], np.int64)
    value = np.array([genetic[name] for name in names]).reshape(noise.shape)
    environment = architecture.shift[:, of_group]
    return Health(
        tuple(names), value, environment, noise, measured, observed(architecture, value + environment + noise)
    )


def observed(architecture: Architecture, liability: np.ndarray) -> dict[str, np.ndarray]:
    """Values by trait of liabilities (T, n): the liability itself or, of a binary trait, whether it is over the
    threshold."""
    return {
        name: liability[row] > architecture.threshold[row] if architecture.binary[row] else liability[row]
        for row, name in enumerate(architecture.traits.tolist())
    }


def _body(seed: int, person: Person) -> np.random.Generator:
    if person.role == "twin":
        return stream(seed, "trait noise of a twin", person.number)
    return stream(seed, "trait noise", person.human.number)


class PhenotypeFile:
    """`phenotypes.tsv` as plink2 reads it: `#FID IID` and a column for each trait, a row for each WGS sample.

    Quantitative traits are in standard units; binary ones 2 (affected) or 1; NA is missing. FID is 0.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._names = list(names)
        self._handle = path.open("w", encoding="ascii", newline="\n")
        self._handle.write("\t".join(["#FID", "IID", *self._names]) + "\n")

    def append(self, persons: Sequence[Person], health: Health) -> None:
        columns = [self._texts(health, row, name) for row, name in enumerate(self._names)]
        for place, person in enumerate(persons):
            for sample in person.wgs:
                self._handle.write("\t".join(["0", sample, *(column[place] for column in columns)]) + "\n")

    def _texts(self, health: Health, row: int, name: str) -> list[str]:
        values, measured = health.values[name], health.measured[row].tolist()
        if values.dtype == bool:
            texts = ["2" if value else "1" for value in values.tolist()]
        else:
            texts = [f"{value:.{DECIMALS}f}" for value in values.tolist()]
        return [text if there else "NA" for text, there in zip(texts, measured, strict=True)]

    def close(self) -> None:
        self._handle.close()


class TraitTruth:
    """`truth/traits.parquet`: a row for each person and trait, a row group for each block.

    genetic, environment, noise, liability: in standard units. value: as `Health.values`, True as 1. measured: whether
    `phenotypes.tsv` has it.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        numbers = ("genetic", "environment", "noise", "liability", "value")
        self._schema = pa.schema(
            [
                ("person", pa.int64()), ("trait", pa.dictionary(pa.int8(), pa.string())),
                *((name, pa.float64()) for name in numbers), ("measured", pa.bool_()),
            ]
        )  # fmt: skip
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def append(self, persons: Sequence[Person], health: Health) -> None:
        import pyarrow as pa

        n, count = len(persons), len(health.traits)
        values = [health.values[name].astype(np.float64) for name in health.traits]
        codes = pa.array(np.tile(np.arange(count, dtype=np.int8), n), pa.int8())
        columns: list[Any] = [
            np.repeat(np.array([person.number for person in persons], np.int64), count),
            pa.DictionaryArray.from_arrays(codes, pa.array(health.traits, pa.string())),
            *(
                np.asarray(one).T.ravel()
                for one in (health.genetic, health.environment, health.noise, health.liability)
            ),
            np.array(values).reshape(count, n).T.ravel(),
            health.measured.T.ravel(),
        ]
        arrays = [pa.array(one, field.type) for one, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def write_effects(path: Path, architecture: Architecture) -> None:
    """`truth/effects.parquet`: a row for each trait and causal variant; effect_<source>, frequency_<source>: of alt."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = architecture.site.shape[1]
    columns: dict[str, Any] = {
        "trait": pa.array(np.repeat(architecture.traits, count).tolist(), pa.string()),
        "contig": pa.array(architecture.contig.ravel().tolist(), pa.string()),
        "position": pa.array(architecture.position.ravel(), pa.int32()),
        "ref": pa.array(architecture.ref.ravel().tolist(), pa.string()),
        "alt": pa.array(architecture.alt.ravel().tolist(), pa.string()),
    }
    for name, values in (("effect", architecture.effects), ("frequency", architecture.frequency)):
        for place, source in enumerate(SOURCES):
            columns[f"{name}_{source}"] = pa.array(values[:, :, place].ravel(), pa.float64())
    pq.write_table(pa.table(columns), path, compression="zstd")
