"""The filters of a site: gates asked of its metrics, with the reason of each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.qc.gates import METRICS, GateSet, NotEvaluated, evaluate, in_words

PASS = "PASS"

FLAGS = ("contig", "position", "ref", "alt")
"""Columns that a table of flags has before those of `gates.FLAGS`."""


def written_name(gate: str) -> str:
    """The filter that a gate writes: gates of SNPs and of indels (`LowQual_indel`) share one name."""
    return gate.removesuffix("_indel")


def ask(gates: GateSet, columns: dict[str, Any]) -> tuple[pa.Table, pa.Array, tuple[NotEvaluated, ...]]:
    """Flags of failing rows, the filters of every row ("PASS", or names joined by ";"), and what was not asked."""
    rows = len(columns["kind"])
    metrics = {name: np.asarray(columns[name]) for name in METRICS["variants"] if name in columns}
    flags = evaluate(gates, metrics)
    names: dict[int, set[str]] = {}
    listed = flags.table.select(["row", "gate"]).to_pydict()
    for row, gate in zip(listed["row"], listed["gate"], strict=True):
        names.setdefault(row, set()).add(written_name(gate))
    written = np.full(rows, PASS, object)
    written[list(names)] = [";".join(sorted(found)) for found in names.values()]
    filters = pa.array(written, pa.string())
    return flags.table, filters, flags.not_evaluated


def located(flags: pa.Table, sites: pa.Table, first_row: int) -> pa.Table:
    """Flags with contig, position, ref, alt before them, by row; `row` is counted from the shard's first row."""
    flags = flags.take(np.argsort(flags.column("row").to_numpy(), kind="stable"))
    rows = flags.column("row")
    columns = {name: sites.column(name).take(rows).combine_chunks() for name in FLAGS}
    columns |= {name: flags.column(name).combine_chunks() for name in flags.column_names}
    columns["row"] = pa.array(rows.to_numpy() + first_row, pa.int64())
    return pa.table(columns)


class Asked:
    """How often each gate failed and could not be asked, over blocks."""

    def __init__(self) -> None:
        self.failed: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()

    def add(self, flags: pa.Table, not_evaluated: tuple[NotEvaluated, ...]) -> None:
        self.failed.update(flags.column("gate").to_pylist())
        for entry in not_evaluated:
            self.missing[entry.gate] += entry.count


def record(gates: GateSet, failed: dict[str, int], missing: dict[str, int]) -> dict[str, Any]:
    """What was asked and how often it failed, for the commit."""
    rules = [
        {"gate": gate.name, "kind": "variant", "filter": written_name(gate.name), "metric": gate.metric,
         "passes": in_words(gate), "source": gate.source, "failed": failed.get(gate.name, 0),
         "not_evaluated": missing.get(gate.name, 0)}
        for gate in gates.gates
    ]  # fmt: skip
    return {"name": gates.name, "digest": gates.digest, "rules": rules}
