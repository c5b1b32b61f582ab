"""Decisions of a batch as they are kept until all are made, and the files of a match that are written from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.prs.matching import codes
from cohelix.prs.matching.counts import Counts, count
from cohelix.prs.matching.decide import Decisions, Entries, decide, entries
from cohelix.prs.matching.prepared import Prepared, prepared
from cohelix.prs.matching.stored import arrays_of, keep, kept
from cohelix.prs.matching.target import Target
from cohelix.prs.matching.variants import in_order
from cohelix.prs.schema import CHROMOSOMES, MatchParams

_DECISIONS = ("target", "kind", "status", "reason", "ambiguous", "multiallelic", "several", "duplicate")
_ENTRIES = ("target", "score", "form", "weight")
_ROW_GROUP = 1 << 18
"""Few enough that scoring reads the weights of some sites without the others."""

WEIGHTS = pa.schema([("site", pa.int32()), ("score", pa.int32()), ("form", pa.int8()), ("weight", pa.float64())])
"""weights-*.parquet, sorted by (site, score, row); entries of one scoring row stand side by side."""

_WORDS = pa.dictionary(pa.int32(), pa.string())
LOG = pa.schema(
    [
        ("score", pa.int32()),
        ("row", pa.int32()),
        ("chr", _WORDS),
        ("pos", pa.int32()),
        ("effect_allele", _WORDS),
        ("other_allele", _WORDS),
        ("effect_weight", pa.float64()),
        ("site", pa.int32()),
        ("match_type", _WORDS),
        ("status", _WORDS),
        ("reason", _WORDS),
        ("ambiguous", pa.bool_()),
        ("multiallelic", pa.bool_()),
        ("match_flipped", pa.bool_()),
        ("duplicate_best_match", pa.bool_()),
        ("duplicate", pa.bool_()),
    ]
)
"""log-*.parquet: a row for each scoring row. site: null where it is not used by a score that passed."""


@dataclass(frozen=True)
class DecideTask:
    """batch: file of a prepared one; path: where its decisions are kept under `digest`."""

    batch: Path
    target: Callable[[], Target]
    params: MatchParams
    digest: str
    path: Path


@dataclass(frozen=True)
class WriteTask:
    """first: number of the batch's first score among all; sites: int32 (target rows,), -1 where a row is not used;
    exceptions: the log has no rows that are matched as they stand."""

    batch: Path
    decided: Path
    first: int
    sites: Callable[[], np.ndarray]
    weights: Path
    log: Path
    exceptions: bool


def decide_batch(task: DecideTask) -> Counts:
    """Decide on the rows of a batch, and keep what was decided. Returns what is said of its scores."""
    done = kept(task.path, task.digest)
    if done is not None:
        return Counts(_columns_of(task.path), [tuple(row) for row in done["reasons"]])
    batch, target = prepared(task.batch), task.target()
    found = decide(batch.rows, batch.variants, target, task.params)
    counts = count(batch, found, task.params.min_overlap)
    used = (found.status == codes.MATCHED) & counts.columns["passed"][batch.rows.score].astype(bool)
    weights = entries(batch.rows, found, used)
    arrays = {name: getattr(found, name) for name in _DECISIONS}
    arrays |= {f"entry_{name}": getattr(weights, name) for name in _ENTRIES}
    arrays |= {f"column_{name}": values for name, values in counts.columns.items()}
    arrays["used"] = in_order(weights.target)
    arrays |= _stated_frequencies(batch, found, used)
    keep(task.path, task.digest, arrays, {"reasons": counts.reasons})
    return counts


def _columns_of(path: Path) -> dict[str, np.ndarray]:
    arrays = arrays_of(path).items()
    return {name.removeprefix("column_"): array for name, array in arrays if name.startswith("column_")}


def _stated_frequencies(batch: Prepared, found: Decisions, used: np.ndarray) -> dict[str, np.ndarray]:
    """Frequencies of ALT that the rows used state: their sum and their number for each site that has any."""
    told = np.flatnonzero(used & ~np.isnan(batch.rows.frequency))
    of_alt = np.where(found.kind[told] % 2 == 0, 1.0 - batch.rows.frequency[told], batch.rows.frequency[told])
    at, place = np.unique(found.target[told], return_inverse=True)
    sums = np.bincount(place, weights=of_alt, minlength=len(at))
    return {"stated_at": at, "stated_sum": sums, "stated_n": np.bincount(place, minlength=len(at))}


def used_of(path: Path) -> np.ndarray:
    """Rows of the target that the passed scores of a batch use."""
    return arrays_of(path)["used"]


def stated_frequencies(paths: Sequence[Path], n_rows: int) -> np.ndarray:
    """float64 (target rows,): the mean frequency of ALT that scoring files state; NaN where none does."""
    sums, counts = np.zeros(n_rows), np.zeros(n_rows, np.int64)
    for path in paths:
        arrays = arrays_of(path)
        at = arrays["stated_at"]
        sums[at] += arrays["stated_sum"]
        counts[at] += arrays["stated_n"]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / counts)


def write_batch(task: WriteTask) -> int:
    """Write the weights and the log of a batch. Returns how many weights there are."""
    batch, arrays, sites = prepared(task.batch), arrays_of(task.decided), task.sites()
    weights = Entries(*(arrays[f"entry_{name}"] for name in _ENTRIES))
    table = pa.table(
        {
            "site": sites[weights.target],
            "score": weights.score + np.int32(task.first),
            "form": weights.form,
            "weight": weights.weight,
        },
        WEIGHTS,
    )
    _write(task.weights, table, ["score", "form"], statistics=["site"])
    found = Decisions(**{name: arrays[name] for name in _DECISIONS}, p=np.empty(0))
    log = _log(batch, found, sites)
    if task.exceptions:
        log = log.filter(pa.array(_exceptional(found)))
    log = pa.concat_tables([log, _log_of_others(batch)]).unify_dictionaries()
    if len(batch.special) or batch.rejected.num_rows:
        order = np.lexsort((log.column("row").to_numpy(), log.column("score").to_numpy()))
        log = log.take(pa.array(order))
    shifted = pa.array(log.column("score").to_numpy() + np.int32(task.first))
    log = log.set_column(0, LOG.field("score"), shifted)
    words = [field.name for field in LOG if pa.types.is_dictionary(field.type)]
    _write(task.log, log, [*words, "score"], statistics=["score"])
    return len(weights.target)


def _write(path: Path, table: pa.Table, dictionaries: list[str], *, statistics: bool | list[str]) -> None:
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": dictionaries}
    pq.write_table(table, path, row_group_size=_ROW_GROUP, store_schema=False, write_statistics=statistics, **options)


def _log(batch: Prepared, found: Decisions, sites: np.ndarray) -> pa.Table:
    """Of rows that name a variant."""
    rows, stated = batch.rows, batch.stated
    site = np.append(sites, np.int32(-1))[found.target]
    columns = [
        rows.score,
        rows.row,
        _words(stated["chromosome"], CHROMOSOMES, missing=0),
        pa.array(stated["position"], pa.int32(), mask=stated["position"] == 0),
        _words(stated["effect"], batch.alleles),
        _words(stated["other"], batch.alleles, missing=-1),
        pa.array(rows.weight, mask=np.isnan(rows.weight)),
        pa.array(site, pa.int32(), mask=(site < 0) | (found.status != codes.MATCHED)),
        _words(found.kind, codes.MATCH_TYPES, missing=codes.NO_MATCH),
        _words(found.status, codes.STATUSES),
        _words(found.reason, codes.REASONS, missing=codes.USED),
        found.ambiguous,
        found.multiallelic,
        found.flipped,
        found.several,
        found.duplicate,
    ]
    return pa.table(dict(zip(LOG.names, columns, strict=True)), LOG)


def _exceptional(found: Decisions) -> np.ndarray:
    """bool (rows,): of which there is more to say than which site it has."""
    plain = (found.status == codes.MATCHED) & (found.kind < codes.MATCH_TYPES.index("refalt_flip"))
    return np.asarray(~plain | found.ambiguous | found.multiallelic | found.several | found.duplicate)


def _words(numbers: np.ndarray, names: tuple[str, ...], missing: int | None = None) -> pa.Array:
    mask = None if missing is None else numbers == missing
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32), mask=mask), pa.array(names, pa.string()))


def _log_of_others(batch: Prepared) -> pa.Table:
    """Of rows that name no variant: special ones, and those that cannot be read as one."""
    named = ("chr_name", "effect_allele", "other_allele")
    rows = [
        (row.score, row.row, row.kind, row.weight, row.fields.get("chr_position", ""))
        + tuple(row.fields.get(name, "") for name in named)
        for row in batch.special
    ]
    rejected = batch.rejected.select(["score", "row", "reason", "weight", "chr_position", *named])
    rows += zip(*(column.to_pylist() for column in rejected.columns), strict=True)
    score, row, reason, weight, position, chromosome, effect, other = zip(*rows, strict=True) if rows else ((),) * 8
    places = [int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None for text in position]
    weights = [None if value is None or value != value else value for value in weight]
    none, no = [None] * len(rows), [False] * len(rows)
    columns = [
        score, row, chromosome, places, effect, other, weights, none, none,
        [codes.STATUSES[codes.NOT_SCORABLE]] * len(rows), reason, no, no, no, no, no,
    ]  # fmt: skip
    arrays = [
        pa.array([text or None for text in values], pa.string()).cast(field.type)
        if pa.types.is_dictionary(field.type)
        else pa.array(values, field.type)
        for field, values in zip(LOG, columns, strict=True)
    ]
    return pa.table(arrays, schema=LOG)
