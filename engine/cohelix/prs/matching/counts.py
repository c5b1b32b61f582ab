"""What is said of each score of a batch: rows by what became of them, and the variance of its weights that is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cohelix.prs.matching import codes
from cohelix.prs.matching.decide import Decisions, variances
from cohelix.prs.matching.prepared import Prepared


@dataclass(frozen=True)
class Counts:
    """Arrays (scores,) by their column in scores.parquet; reasons: (score in the batch, status, reason, rows)."""

    columns: dict[str, np.ndarray]
    reasons: list[tuple[int, str, str, int]]


def count(batch: Prepared, found: Decisions, min_overlap: float) -> Counts:
    """A score passes where the share `min_overlap` of its rows is matched; special rows are counted apart."""
    n, rows = len(batch.headers), batch.rows
    special = np.bincount([row.score for row in batch.special], minlength=n)
    refused = np.bincount(batch.rejected.column("score").to_numpy(), minlength=n)
    total = np.array([header.n_rows for header in batch.headers], np.int64)
    by_status = [np.bincount(rows.score[found.status == status], minlength=n) for status in range(len(codes.STATUSES))]
    told, unknown = ~np.isnan(rows.frequency), np.isnan(found.p)
    ordinary = total - special
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(ordinary > 0, by_status[codes.MATCHED] / ordinary, np.nan)
    columns: dict[str, np.ndarray] = {
        "n_rows": total,
        "n_matched": by_status[codes.MATCHED],
        "n_excluded": by_status[codes.EXCLUDED],
        "n_unmatched": by_status[codes.UNMATCHED],
        "n_not_scorable": by_status[codes.NOT_SCORABLE] + refused,
        "n_special": special,
        "share_matched": share,
        "share_weight_variance_lost": _lost(batch, found, n),
        "n_frequency_file": np.bincount(rows.score[told], minlength=n),
        "n_frequency_callset": np.bincount(rows.score[~told & ~unknown], minlength=n),
        "n_frequency_unknown": np.bincount(rows.score[unknown], minlength=n) + refused,
        "passed": np.where(ordinary > 0, share >= min_overlap, special > 0),
    }
    return Counts(columns, _reasons(batch, found, n))


def _lost(batch: Prepared, found: Decisions, n: int) -> np.ndarray:
    """float64 (scores,): 1 - variance of the matched rows over that of all; NaN where a score has no variance."""
    each = variances(batch.rows, found.p)
    matched = found.status == codes.MATCHED
    kept = np.bincount(batch.rows.score[matched], weights=each[matched], minlength=n)
    gone = np.bincount(batch.rows.score[~matched], weights=each[~matched], minlength=n)
    weight = np.nan_to_num(batch.rejected.column("weight").to_numpy())
    gone += np.bincount(batch.rejected.column("score").to_numpy(), weights=0.5 * weight**2, minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(gone / (kept + gone))


def _reasons(batch: Prepared, found: Decisions, n: int) -> list[tuple[int, str, str, int]]:
    size = len(codes.REASONS)
    joined = found.status.astype(np.int64) * size + found.reason
    table = np.bincount(batch.rows.score * (size * 4) + joined, minlength=n * size * 4).reshape(n, 4, size)
    rows = [
        (int(score), codes.STATUSES[status], codes.REASONS[reason], int(table[score, status, reason]))
        for score, status, reason in np.argwhere(table).tolist()
    ]
    other: dict[tuple[int, str], int] = {}
    refused = zip(batch.rejected.column("score").to_pylist(), batch.rejected.column("reason").to_pylist(), strict=True)
    for key in (*refused, *((row.score, row.kind) for row in batch.special)):
        other[key] = other.get(key, 0) + 1
    rows += [(score, codes.STATUSES[codes.NOT_SCORABLE], reason, count) for (score, reason), count in other.items()]
    order: dict[str, Any] = {name: place for place, name in enumerate(codes.STATUSES)}
    return sorted(rows, key=lambda row: (row[0], order[row[1]], -row[3], row[2]))
