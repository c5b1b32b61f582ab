"""Marker ids of persons and samples, and marker texts in every free field, are in nothing that leaves the program."""

from __future__ import annotations

import base64
import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import cohorts
from cohelix.genotypes.omop import arrow_schema
from cohelix.release import container
from cohelix.release.keys import make_keys, open_keys
from cohelix.release.manifest import read
from cohelix.tier import tier_named

N = 240
FIRST = 1_918_273_000
TIERS = ("public", "registered", "controlled")


def _person(number: int) -> int:
    return FIRST + 7 * number


def _sample(number: int) -> str:
    return f"CANARY{number * 7919 % 100_000:05d}K"


def _write(folder: Path, name: str, n: int, **columns: list[object]) -> None:
    """Every text column that is not stated holds a marker."""
    arrays = []
    schema = arrow_schema(name)
    for field in schema:
        if field.name in columns:
            arrays.append(pa.array(columns[field.name], field.type))
        elif pa.types.is_string(field.type):
            arrays.append(pa.array([f"FREETEXT{row:04d}Q" for row in range(n)]))
        else:
            zero = pa.array(np.zeros(n, np.int32)) if not pa.types.is_floating(field.type) else pa.array(np.zeros(n))
            arrays.append(zero.cast(field.type) if not pa.types.is_timestamp(field.type) else pa.nulls(n, field.type))
    folder.mkdir(exist_ok=True)
    table = pa.Table.from_arrays(arrays, names=schema.names)
    pq.write_table(table.replace_schema_metadata({"made by": "CANARYMETA1K"}), folder / f"{name}.parquet")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Releases of three tiers, and all that the commands said."""
    folder = tmp_path_factory.mktemp("canary")
    work = cohorts.draw(folder, N, 88, 3)
    fam = work.prefix.with_suffix(".fam")
    lines = [line.split() for line in fam.read_text().splitlines()]
    fam.write_text("".join("\t".join([one[0], _sample(i), *one[2:]]) + "\n" for i, one in enumerate(lines)))
    cohorts.take_in(work, folder)
    persons = [_person(i) for i in range(N)]
    dates = np.datetime64("2015-01-01") + np.arange(N)
    born: dict[str, list[object]] = {
        "year_of_birth": list(range(1940, 1940 + 60)) * 4,
        "gender_concept_id": [8507, 8532] * 120,
    }
    _write(folder / "omop", "person", N, person_id=persons, **born)
    rows = persons * 2
    _write(
        folder / "omop", "condition_occurrence", 2 * N, person_id=rows, condition_concept_id=[201826] * (2 * N),
        condition_occurrence_id=[FIRST + 3 * i for i in range(2 * N)],
        visit_occurrence_id=[FIRST - i for i in range(2 * N)],
        condition_start_date=[*dates.astype(object)] * 2,
    )  # fmt: skip
    _write(
        folder / "omop", "observation", N, person_id=persons, observation_id=[FIRST + i for i in range(N)],
        observation_date=[*dates.astype(object)],
    )  # fmt: skip
    _write(
        folder / "omop", "specimen", N, person_id=persons, specimen_id=[FIRST + i for i in range(N)],
        specimen_source_id=[_sample(i) for i in range(N)], specimen_date=[*dates.astype(object)],
    )  # fmt: skip
    groups = ["research_id\tancestry_pred\tancestry_pred_other"]
    groups += [f"{_sample(i)}\t{'afr' if i % 2 else 'eur'}\t{'afr' if i % 2 else 'eur'}" for i in range(N)]
    (folder / "ancestry").mkdir()
    (folder / "ancestry" / "ancestry_preds.tsv").write_text("\n".join(groups) + "\n")
    (folder / "inputs.toml").write_text(
        '[program]\nname = "Made"\ndataset = "https://cohort.example/releases"\n[inputs]\nomop = "omop"\n'
        'callset = "structured.callset"\nancestry = "ancestry"\n'
    )
    make_keys(folder / "keys")
    said = ""
    for tier in TIERS:
        words = [
            str(Path(sys.executable).parent / "cohelix"),
            "--debug",
            "release",
            "build",
            "inputs.toml",
            "--tier",
            tier,
        ]
        words += ["-o", f"releases/{tier}", "--name", "R1", "--keys", "keys", "--as-of", "2025-01-01"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    return folder, said


def _forms() -> Iterator[bytes]:
    """Plainly, one after the other: what of an id somebody could find."""
    for i in range(N):
        for text in (_sample(i), str(_person(i))):
            raw = text.encode()
            yield from (raw, raw[::-1], text.encode("utf-16-le"), text.lower().encode())
            for before in range(3):
                coded = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
                yield coded[2 * (before > 0) + 2 : -2]
        yield from (_person(i).to_bytes(8, "little"), _person(i).to_bytes(8, "big"))
    yield from (b"FREETEXT", b"CANARY", b"KRANAC", "CANARY".encode("utf-16-le"))


FORMS = sorted(set(_forms()))


def _plain(folder: Path, tier: str) -> Iterator[tuple[str, bytes]]:
    """Every file of a release as it is stored, and as its reader sees it, unpacked."""
    keys = open_keys(str(folder / "keys"))
    at = folder / "releases" / tier / "R1"
    for path in sorted(at.rglob("*")):
        yield "name", path.name.encode()
        if path.is_file():
            yield path.name, path.read_bytes()
    for line in read(at, keys.verifying()).files:
        stored = at / line.path
        data = (
            stored.read_bytes()
            if tier == "public"
            else container.read_bytes(stored, keys.opening(tier_named(tier)), line)
        )
        yield line.path, data
        if data[:2] == b"\x1f\x8b":
            yield line.path, gzip.decompress(data)
        if data[:4] == b"PAR1":
            file = pq.ParquetFile(pa.BufferReader(data))
            yield line.path, repr(file.metadata.to_dict()).encode() + repr(file.schema_arrow.metadata).encode()
            yield line.path, "\n".join(map(str, file.read().to_pylist())).encode()
            for batch in file.iter_batches():
                for column in batch.columns:
                    if pa.types.is_integer(column.type):
                        yield line.path, column.fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False).tobytes()


@pytest.mark.parametrize("tier", TIERS)
def test_no_marker_in_any_byte(built: tuple[Path, str], tier: str) -> None:
    folder, _ = built
    n = 0
    for name, data in _plain(folder, tier):
        n += len(data)
        for form in FORMS:
            assert form not in data, (name, form)
    assert n > 10_000


def test_no_marker_in_what_the_commands_say(built: tuple[Path, str]) -> None:
    folder, said = built
    assert not any(form in said.encode() for form in FORMS)
    for path in (folder / "ledger").iterdir():
        assert not any(form in path.read_bytes() for form in FORMS)


def test_the_markers_are_in_the_source(built: tuple[Path, str]) -> None:
    """The search finds what it looks for where it is."""
    folder, _ = built
    assert any(form in (folder / "omop" / "specimen.parquet").read_bytes() for form in FORMS)
    assert any(form in path.read_bytes() for path in (folder / "structured.callset").rglob("*.psam") for form in FORMS)
