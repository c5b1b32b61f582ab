"""What releases are made of, drawn from a fixed seed: people, genotypes, health records; and a program with its gate.

Health records are about 60 rows a person, in Parquet tables of 10,000 people a row group, each drawn by itself, so that
memory does not grow with people here either. Concepts follow Zipf's law, as codes in records do.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import score_sets
from benchmarks.programs import cohelix, size_of

SEED = 8
AT_ONCE = 10_000
CONCEPTS = 300
GROUPS = ("afr", "amr", "eas", "eur", "sas")
AUDIENCE, DATASET, ISSUER = "https://gate.example/cohelix", "https://cohort.example/releases", "https://dac.example"
AS_OF = "2025-01-01"
ROWS = {"visit_occurrence": 9, "condition_occurrence": 10, "drug_exposure": 10, "measurement": 24, "observation": 5}
"""Rows a person of each table; one more each of person, observation_period and specimen."""
_TODAY = (np.datetime64(AS_OF) - np.datetime64("1970-01-01")).astype(int).item()
_FIRST_CONCEPT = {"condition_occurrence": 400_000, "drug_exposure": 1_100_000, "measurement": 3_000_000,
                  "observation": 4_100_000}  # fmt: skip


@dataclass(frozen=True)
class Cohort:
    """A folder with omop/, cohort.callset, ancestry.tsv; `inputs` writes the file that `release build` takes."""

    folder: Path
    n_people: int
    n_sites: int

    @property
    def callset(self) -> Path:
        return self.folder / "cohort.callset"

    @property
    def prefix(self) -> Path:
        return self.folder / "drawn"

    @property
    def n_bytes(self) -> dict[str, int]:
        return {"records": size_of(self.folder / "omop"), "genotypes": size_of(self.callset)}

    def inputs(self, path: Path, **more: str) -> Path:
        """The ledger lies beside the file, so that each build has one of its own."""
        said = {"omop": "omop", "callset": "cohort.callset", "ancestry": "ancestry.tsv"}
        lines = [f'{key} = "{self.folder / name}"' for key, name in said.items()]
        lines += [f'{key} = "{value}"' for key, value in more.items()]
        head = ["[program]", 'name = "Drawn cohort"', f'dataset = "{DATASET}"', "[inputs]"]
        path.write_text("\n".join([*head, *lines]) + "\n")
        return path


@dataclass(frozen=True)
class Gate:
    """Keys of a program, and a reader with a grant of the Controlled tier."""

    folder: Path

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def trust(self) -> Path:
        return self.folder / "trust.toml"

    @property
    def passport(self) -> Path:
        return self.folder / "visa.jwt"

    @property
    def shown(self) -> dict[str, str]:
        """The environment of a reader."""
        return {"COHELIX_PASSPORT": str(self.passport), "COHELIX_TRUST": str(self.trust)}


def draw(folder: Path, n_people: int, n_sites: int) -> Cohort:
    """Genotypes on all autosomes as a callset, health records of the same people."""
    folder.mkdir(parents=True, exist_ok=True)
    cohort = Cohort(folder, n_people, n_sites)
    draw_genotypes(cohort)
    draw_records(folder / "omop", n_people)
    group = np.random.default_rng(SEED).choice(len(GROUPS), n_people, p=(0.2, 0.15, 0.1, 0.45, 0.1))
    rows = (f"{sample_name(i)}\t{GROUPS[at]}\n" for i, at in enumerate(group.tolist()))
    (folder / "ancestry.tsv").write_text("sample_id\tgroup\n" + "".join(rows))
    return cohort


def draw_genotypes(cohort: Cohort) -> None:
    """The BED stays beside the callset: what is true of it is counted there."""
    score_sets.draw_people(cohort.prefix, cohort.n_people, cohort.n_sites)
    run(cohelix("genotypes", "import", cohort.prefix.with_suffix(".bed"), "-o", cohort.callset, "--build", "GRCh38"))


def sample_name(place: int) -> str:
    return f"S{place:07d}"


def run(argv: list[str]) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def alternate_alleles(cohort: Cohort) -> np.ndarray:
    """int64 (sites,): copies of the alternate allele by the bytes of the BED, by a table of what is in a byte."""
    n = cohort.n_people
    copies = np.array([2, 0, 1, 0])  # by code; 1: missing
    table = np.array([sum(copies[byte >> shift & 3] for shift in (0, 2, 4, 6)) for byte in range(256)], np.int64)
    rows = np.memmap(cohort.prefix.with_suffix(".bed"), np.uint8, "r", offset=3).reshape(-1, -(-n // 4))
    out = [table[np.array(rows[low : low + 1024])].sum(axis=1) for low in range(0, len(rows), 1024)]
    return np.asarray(np.concatenate(out) - 2 * (-n % 4))  # what fills the last byte reads as two copies


def draw_records(folder: Path, n_people: int) -> None:
    """Tables of the CDM, in Parquet."""
    folder.mkdir()
    numbers = np.random.default_rng(SEED).permutation(n_people)
    writers: dict[str, pq.ParquetWriter] = {}
    try:
        for low in range(0, n_people, AT_ONCE):
            places = np.arange(low, min(low + AT_ONCE, n_people))
            rng = np.random.default_rng((SEED, low))
            for name, columns in _tables(rng, 1_000_003 + 13 * numbers[places], places):
                table = pa.table(columns)
                if name not in writers:
                    writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", table.schema, compression="zstd")
                writers[name].write_table(table)
    finally:
        for writer in writers.values():
            writer.close()
    pq.write_table(_concepts(), folder / "concept.parquet")
    source = {"cdm_source_name": "Drawn", "cdm_source_abbreviation": "drawn", "cdm_holder": "nobody"}
    days = pa.array([_TODAY], pa.int32()).cast(pa.date32())
    columns: dict[str, Any] = {name: [text] for name, text in source.items()}
    columns |= {"source_release_date": days, "cdm_release_date": days, "cdm_version": ["5.4"]}
    columns |= {"cdm_version_concept_id": pa.array([756265], pa.int32()), "vocabulary_version": ["v5.0"]}
    pq.write_table(pa.table(columns), folder / "cdm_source.parquet")


def _tables(rng: np.random.Generator, person: np.ndarray, place: np.ndarray) -> Iterator[tuple[str, dict[str, Any]]]:
    n = len(person)
    zero = np.zeros(n, np.int64)
    first = _TODAY - rng.integers(1000, 3000, n)
    yield "person", {
        "person_id": _ids(person), "gender_concept_id": _ids(np.where(place % 2, 8532, 8507)),
        "year_of_birth": _ids(rng.integers(1945, 2005, n)), "month_of_birth": _ids(rng.integers(1, 13, n)),
        "day_of_birth": _ids(rng.integers(1, 29, n)), "race_concept_id": _ids(zero),
        "ethnicity_concept_id": _ids(zero),
    }  # fmt: skip
    yield "observation_period", {
        "observation_period_id": _ids(1 + place), "person_id": _ids(person),
        "observation_period_start_date": _days(first), "observation_period_end_date": _days(zero + _TODAY),
        "period_type_concept_id": _ids(zero + 32817),
    }  # fmt: skip
    yield "specimen", {
        "specimen_id": _ids(1 + place), "person_id": _ids(person), "specimen_concept_id": _ids(zero + 4047495),
        "specimen_type_concept_id": _ids(zero + 32817), "specimen_date": _days(first + 100),
        "specimen_source_id": pa.array([sample_name(one) for one in place.tolist()]),
    }  # fmt: skip
    for name, each in ROWS.items():
        yield name, _events(rng, name, each, person, place, first)


def _events(
    rng: np.random.Generator, name: str, each: int, person: np.ndarray, place: np.ndarray, first: np.ndarray
) -> dict[str, Any]:
    """Rows in the order of their days, not of their persons, as a warehouse has them."""
    n = each * len(person)
    day = np.repeat(first, each) + rng.integers(0, 900, n)
    order = np.argsort(day, kind="stable")
    day, who = day[order], np.repeat(np.arange(len(person)), each)[order]
    number = 1 + each * int(place[0]) + np.arange(n)
    visit = 1 + ROWS["visit_occurrence"] * int(place[0]) + rng.integers(0, ROWS["visit_occurrence"] * len(person), n)
    stem = {"visit_occurrence": "visit", "condition_occurrence": "condition", "drug_exposure": "drug"}.get(name, name)
    start = {"measurement": "measurement_date", "observation": "observation_date",
             "drug_exposure": "drug_exposure_start_date"}.get(name, f"{stem}_start_date")  # fmt: skip
    concept = _FIRST_CONCEPT.get(name, 0) + np.minimum(rng.zipf(1.3, n), CONCEPTS) if name in _FIRST_CONCEPT else 9202
    columns: dict[str, Any] = {
        f"{name}_id": _ids(number), "person_id": _ids(person[who]), f"{stem}_concept_id": _ids(np.zeros(n) + concept),
        start: _days(day), f"{stem}_type_concept_id": _ids(np.zeros(n) + 32817),
    }  # fmt: skip
    if name in ("visit_occurrence", "drug_exposure"):
        columns[start.replace("start", "end")] = _days(day + 1)
    if name != "visit_occurrence":
        columns["visit_occurrence_id"] = _ids(visit)
    if name == "measurement":
        columns |= {"value_as_number": np.round(rng.normal(100, 15, n), 1), "unit_concept_id": _ids(np.zeros(n) + 8840)}
    return columns


def _concepts() -> pa.Table:
    numbers = np.concatenate([first + np.arange(1, CONCEPTS + 1) for first in _FIRST_CONCEPT.values()])
    domains = [name.partition("_")[0].capitalize() for name in _FIRST_CONCEPT for _ in range(CONCEPTS)]
    n = len(numbers)
    texts = {"concept_name": [f"concept {one}" for one in numbers], "domain_id": domains,
             "vocabulary_id": ["SNOMED"] * n, "concept_class_id": ["Clinical Finding"] * n,
             "standard_concept": ["S"] * n, "concept_code": [str(one) for one in numbers]}  # fmt: skip
    days = {"valid_start_date": _days(np.zeros(n)), "valid_end_date": _days(np.zeros(n) + 47_481)}
    return pa.table({"concept_id": _ids(numbers), **texts, **days})


def _ids(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.int32))


def _days(values: np.ndarray) -> pa.Array:
    return _ids(values).cast(pa.date32())


def make_gate(folder: Path) -> Gate:
    """Keys, an access committee, its grant to one reader, and a trust file."""
    from cohelix.release.gate.issue import Terms, make_issuer, make_visa
    from cohelix.release.keys import make_keys, make_reader_keys, open_keys
    from cohelix.tier import Tier

    folder.mkdir(parents=True)
    gate = Gate(folder)
    make_keys(gate.keys)
    make_reader_keys(open_keys(str(gate.keys)), Tier.CONTROLLED, folder / "reader")
    make_issuer(folder / "issuer")
    trained = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 30 * 86_400))
    terms = Terms("extended", trained, "1", "A university", False, review_board="IRB-1")
    visa = make_visa(folder / "issuer", ISSUER, "researcher", AUDIENCE, DATASET, Tier.CONTROLLED, terms)[1]
    gate.passport.write_text(visa + "\n")
    gate.trust.write_text(
        f'audience = "{AUDIENCE}"\nkeys = "reader"\naudit = "audit"\n\n'
        f'[[issuer]]\niss = "{ISSUER}"\njwks = "issuer/jwks.json"\n'
    )
    return gate


def build_words(inputs: Path, tier: str, root: Path, keys: Path) -> list[str]:
    words = ["--tier", tier, "-o", str(root), "--name", "R1", "--keys", str(keys), "--as-of", AS_OF]
    return cohelix("release", "build", inputs, *words)
