"""Tables of an evaluation: metrics, tenths by what was foretold, agreement. Aggregates only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cohelix.genotypes.outputs import write_parquet, write_tsv
from cohelix.prs.evaluate.agreement import Agreement
from cohelix.prs.evaluate.measure import Calibrated, Row
from cohelix.prs.evaluate.strata import Stratum

METRICS = pa.schema(
    [
        ("score", pa.string()), ("trait", pa.string()), ("stratum_kind", pa.string()), ("stratum", pa.string()),
        ("n", pa.int64()), ("n_cases", pa.int64()), ("metric", pa.string()), ("estimate", pa.float64()),
        ("low", pa.float64()), ("high", pa.float64()), ("suppressed", pa.bool_()), ("note", pa.string()),
    ]
)  # fmt: skip
"""metrics.parquet and .tsv. suppressed: n, n_cases and the numbers are withheld. note: why a number is lacking."""

CALIBRATION = pa.schema(
    [
        ("score", pa.string()), ("trait", pa.string()), ("stratum_kind", pa.string()), ("stratum", pa.string()),
        ("bin", pa.int64()), ("n", pa.int64()), ("n_cases", pa.int64()), ("predicted", pa.float64()),
        ("observed", pa.float64()), ("low", pa.float64()), ("high", pa.float64()),
    ]
)  # fmt: skip
"""calibration.parquet and .tsv: tenths, joined until nothing must be withheld."""

AGREEMENT = pa.schema(
    [
        ("trait", pa.string()), ("score", pa.string()), ("other", pa.string()), ("n", pa.int64()),
        ("measure", pa.string()), ("estimate", pa.float64()), ("low", pa.float64()), ("high", pa.float64()),
        ("suppressed", pa.bool_()),
    ]
)  # fmt: skip
"""agreement.tsv; score and other are null where all scores of the trait are meant."""


@dataclass(frozen=True)
class Compared:
    """Agreement of the scores at `places` for a trait, in `n` people."""

    trait: str
    places: list[int]
    n: int
    found: list[Agreement]


def write_metrics(folder: Path, rows: Sequence[Row], score_ids: Sequence[str]) -> None:
    lines = [
        (score_ids[row.score], row.trait, *_named(row.stratum), row.metric,
         *map(_known, (row.estimate, row.low, row.high)), row.stratum.suppressed, row.note)
        for row in rows
    ]  # fmt: skip
    _write(folder, "metrics", METRICS, lines)


def write_calibration(folder: Path, calibrated: Sequence[Calibrated], score_ids: Sequence[str]) -> None:
    lines = [
        (score_ids[one.score], one.trait, one.stratum.kind, one.stratum.name, place + 1, held.n, held.n_cases,
         held.predicted, held.observed, held.low, held.high)
        for one in calibrated
        for place, held in enumerate(one.bins)
    ]  # fmt: skip
    _write(folder, "calibration", CALIBRATION, lines)


def write_agreement(folder: Path, compared: Sequence[Compared], score_ids: Sequence[str]) -> None:
    lines = []
    for one in compared:
        for found in one.found:
            names = [None if at is None else score_ids[one.places[at]] for at in (found.first, found.second)]
            numbers = map(_known, (found.value, found.low, found.high))
            lines.append((one.trait, *names, one.n, found.measure, *numbers, found.suppressed))
    _write(folder, "agreement", AGREEMENT, lines)


def _named(stratum: Stratum) -> tuple[str, str, int | None, int | None]:
    if stratum.suppressed:
        return stratum.kind, stratum.name, None, None
    return stratum.kind, stratum.name, stratum.n, stratum.n_cases


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _write(folder: Path, name: str, schema: pa.Schema, lines: Sequence[Sequence[object]]) -> None:
    columns = list(zip(*lines, strict=True)) if lines else [()] * len(schema)
    table = pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
    write_parquet(folder / f"{name}.parquet", table)
    write_tsv(folder / f"{name}.tsv", schema.names, lines)
