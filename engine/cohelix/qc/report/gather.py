"""What `cohelix qc` made, as the report reads it: metrics, flags, and what was asked."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cohelix import dataset, storage
from cohelix.errors import InputError
from cohelix.qc.gates import FLAGS, NotEvaluated, gate_sets, load_gates, record
from cohelix.qc.report.figures import Cut

SITE_QC = "site-qc"
FLAG_FILES = {"samples": "sample_flags.parquet", "arrays": "array_flags.parquet"}
METRICS_FILES = {
    "samples": "sample_metrics.parquet",
    "arrays": "array_metrics.parquet",
    "concordance": "concordance.parquet",
}
RECORDS = {
    "relatedness": "relatedness.json",
    "unrelated": "prune.json",
    "pca": "pca.json",
    "projection": "projection.json",
    "ancestry": "assign.json",
}
"""Folders of relatedness and ancestry: each has a record that names its kind."""


@dataclass(frozen=True)
class Made:
    """One folder: its kind (variants, or a key of METRICS_FILES or RECORDS), where it is, and its record.

    record: qc.json, or of sites the meta of the newest version, or the file that RECORDS names.
    """

    kind: str
    root: str
    record: dict[str, Any]

    @cached_property
    def rules(self) -> list[dict[str, Any]]:
        """What was asked: gate, kind, metric, passes, source, failed, not_evaluated.

        From the record; what that does not say, from the set of gates that it names, and from the flags.
        """
        stated = self.record.get("gates")
        if not isinstance(stated, dict):
            return []
        rules: list[dict[str, Any]] = list(stated.get("rules", []))
        known: list[dict[str, Any]] = []
        if self.gates_name in gate_sets():
            missing = [NotEvaluated(**entry) for entry in self.record.get("not_evaluated", [])]
            known = record(load_gates(self.gates_name, self.kind), self.flags(), missing)["rules"]
        by_name = {rule["gate"]: rule for rule in known}
        nothing = {"kind": "", "passes": ""}
        found = [nothing | by_name.get(rule["gate"], {}) | rule for rule in rules] or known
        return found + self._flagged_by(self.flags(), {rule["gate"] for rule in found})

    def _flagged_by(self, flags: pa.Table, known: set[str]) -> list[dict[str, Any]]:
        """Gates that raised flags and are not among those `known`, as the flags themselves state them."""
        missing = Counter({entry["gate"]: entry["count"] for entry in self.record.get("not_evaluated", [])})
        failed = Counter(flags.column("gate").to_pylist())
        found = []
        for name in sorted(set(failed) - known):
            row = flags.filter(pc.equal(flags.column("gate"), name)).slice(0, 1).to_pylist()[0]
            sign = {"at_least": ">=", "above": ">", "at_most": "<=", "below": "<"}.get(row["direction"])
            passes = f"{sign} {row['cutoff']:g}" if sign and row["cutoff"] is not None else row["allowed"] or ""
            counts = {"failed": failed[name], "not_evaluated": missing[name]}
            found.append({key: row[key] for key in ("gate", "kind", "metric", "source")} | {"passes": passes} | counts)
        return found

    def flags(self) -> pa.Table:
        """The flags of a folder of samples or arrays."""
        table = self.table(FLAG_FILES.get(self.kind, ""))
        if table is not None and not set(FLAGS.names) <= set(table.column_names):
            raise InputError(f"{FLAG_FILES[self.kind]} in a folder of {self.kind} is of something else. Make it again.")
        return FLAGS.empty_table() if table is None else table

    @property
    def gates_name(self) -> str:
        gates = self.record.get("gates", {})
        return str(gates.get("name", "")) if isinstance(gates, dict) else str(gates)

    def table(self, name: str) -> pa.Table | None:
        """The Parquet file `name` of the folder, None where there is none."""
        path = storage.join(self.root, name)
        if not name or not storage.exists(path):
            return None
        try:
            return pq.ParquetFile(pa.BufferReader(storage.read(path))).read()
        except pa.ArrowInvalid:
            raise InputError(f"{name} in a folder of {self.kind} is damaged. Make the folder again.") from None

    def rows(self, name: str) -> list[dict[str, str]]:
        """Rows of the TSV `name` of the folder; none where there is no such file."""
        path = storage.join(self.root, name)
        if not storage.exists(path):
            return []
        try:
            text = storage.read(path).decode()
        except UnicodeDecodeError:
            raise InputError(f"{name} in a folder of {self.kind} is damaged. Make the folder again.") from None
        return list(csv.DictReader(io.StringIO(text), delimiter="\t"))

    def cuts(self, metric: str, markers: bool = False) -> list[Cut]:
        """Cut-offs of a metric (of markers, or of all else), from the rules that have a number."""
        found = []
        for rule in self.rules:
            stated = re.match(r"(>=|>|<=|<) (\S+)$", str(rule["passes"]))
            if rule["metric"] == metric and (rule["kind"] == "marker") == markers and stated:
                found.append(Cut(float(stated[2]), f"{stated[1].replace('>=', '≥').replace('<=', '≤')} {stated[2]}"))
        return found


def _record(path: str, kind: str) -> dict[str, Any]:
    if not storage.exists(path):
        return {}
    try:
        found = json.loads(storage.read(path))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path.rsplit('/', 1)[-1]} in a folder of {kind} is damaged. Make the folder again.")
    return found


def look(folder: str) -> Made:
    """What lies at `folder`. InputError where nothing of `cohelix qc`, `relatedness` or `ancestry` does."""
    for kind, name in METRICS_FILES.items():
        if storage.exists(storage.join(folder, name)):
            return Made(kind, folder, _record(storage.join(folder, "qc.json"), kind))
    for kind, name in RECORDS.items():
        found = _record(storage.join(folder, name), kind)
        if found.get("kind") == kind:
            return Made(kind, folder, found)
    commit = dataset.find(folder)
    if commit is not None and commit.kind == SITE_QC:
        return Made("variants", folder, commit.meta)
    raise InputError(
        "expected folders that cohelix qc, relatedness or ancestry made, found one of another kind. Check the paths."
    )


def numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column as float64 (rows,): NaN where it is null; all NaN where there is no such column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table.column(name)
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return np.full(table.num_rows, np.nan)
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def words(table: pa.Table, names: tuple[str, ...]) -> np.ndarray | None:
    """The first of the columns `names` that there is, as str (rows,), "" for null. None where there is none."""
    for name in names:
        if name in table.column_names:
            return np.array([str(v) if v is not None else "" for v in table.column(name).to_pylist()], np.str_)
    return None
