"""Files with one column a score: their rows are read once, and every score takes those at which it has a weight."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cohelix.prs.scoring_file.columns import texts_of
from cohelix.prs.scoring_file.part import Opened, Part, check_finite, likely, rejected_table
from cohelix.prs.scoring_file.records import REJECTED, SpecialRow
from cohelix.prs.scoring_file.rows import FIRST_REASON, KINDS


def part_of(opened: Opened) -> Part:
    """The scores of a wide file, or those in the columns of its source. A weight of 0, or none: not in that score."""
    names = opened.layout.scores
    first, last = opened.source.columns or (0, len(names))
    state = opened.rows.state
    taken = [_used(opened, name) for name in names[first:last]]
    at = [used[state[used] == 0] for used in taken]
    lengths = [len(used) for used in at]
    at_all = np.concatenate(at) if at else np.zeros(0, np.int64)
    rows, frequency = opened.rows, opened.columns.floats.get(opened.layout.frequency)
    scores = [opened.header(name, len(used)) for name, used in zip(names[first:last], taken, strict=True)]
    weights = [opened.columns.floats[name][used] for name, used in zip(names[first:last], at, strict=True)]
    special, rejected = _others_of(opened, first, last, taken)
    return Part(
        scores,
        np.repeat(np.arange(len(at), dtype=np.int32), lengths),
        at_all.astype(np.int32), rows.chromosome[at_all], rows.position[at_all], rows.effect[at_all],
        rows.other[at_all], np.concatenate(weights), rows.effect_type[at_all],
        None if rows.rs_id is None else rows.rs_id.take(pa.array(at_all)),
        np.zeros(0, np.int64), np.zeros((0, 3)),
        None if frequency is None else likely(frequency)[at_all], special, rejected,
    )  # fmt: skip


def _used(opened: Opened, name: str) -> np.ndarray:
    """int64: rows at which the score has a weight."""
    weight = opened.columns.floats[name]
    check_finite(opened.text, name, weight)
    return np.flatnonzero((weight != 0) & ~np.isnan(weight))


def _others_of(opened: Opened, first: int, last: int, taken: list[np.ndarray]) -> tuple[list[SpecialRow], pa.Table]:
    """Special rows and rejected ones of all scores, by score and row."""
    state = opened.rows.state
    if not state.any():
        return [], REJECTED.empty_table()
    named = set(opened.layout.scores)
    strange = np.flatnonzero((state > 0) & (state < FIRST_REASON))
    variant = [name for name in opened.text.head.columns if name not in named]
    fields = dict(zip(strange.tolist(), texts_of(opened.text, strange, variant), strict=True)) if len(strange) else {}
    special, tables = [], [REJECTED.empty_table()]
    for score, (name, used) in enumerate(zip(opened.layout.scores[first:last], taken, strict=True)):
        weight, kinds = opened.columns.floats[name], state[used]
        for at in used[(kinds > 0) & (kinds < FIRST_REASON)].tolist():
            special.append(SpecialRow(score, at, KINDS[state[at]], fields[at], float(weight[at])))
        bad = used[kinds >= FIRST_REASON]
        tables.append(rejected_table(opened, bad, np.full(len(bad), score), bad, weight[bad]))
    return special, pa.concat_tables(tables)
