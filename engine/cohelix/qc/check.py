"""The release check: every gate asked again, of the data, for each sample that is to be released.

Why it exists: 4,030 genomes that fail a coverage gate were once released all the same, and gnomAD found them. The flags
that quality control wrote are not read here. What a callset can state is worked out anew (`qc.derive`); the folder of
`cohelix qc samples` adds what it cannot (arrays, fingerprints), and where both speak, both must pass and agree.
"""

from __future__ import annotations

import json
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import storage
from cohelix.dataset import digest_of
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.callset import Callset, open_callset, parquet_bytes
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, read_table, texts
from cohelix.genotypes.outputs import new_folder
from cohelix.qc.derive import Metrics, derive, read_measured, stated_sexes
from cohelix.qc.gates import Gate, GateSet, in_words, load_gates

Value = float | str | None
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "at_least": operator.ge, "above": operator.gt, "at_most": operator.le, "below": operator.lt,
}  # fmt: skip
FAILURES = pa.schema(
    [
        ("sample_id", pa.string()), ("gate", pa.string()), ("why", pa.string()), ("witness", pa.string()),
        ("metric", pa.string()), ("value", pa.float64()), ("text", pa.string()), ("passes", pa.string()),
        ("source", pa.string()),
    ]
)  # fmt: skip
"""why: fails, not evaluated, differs, or not in the callset. witness: measured, callset or qc."""
NOT_EVALUATED = "not evaluated"
AGREE = 1e-6
"""Recorded and derived values that differ by less are one value (relative, or absolute near 0)."""


@dataclass(frozen=True)
class Failure:
    """One reason why a sample may not be released."""

    sample_id: str
    gate: str
    why: str
    witness: str = ""
    value: Value = None
    rule: Gate | None = None

    def to_row(self) -> dict[str, object]:
        number = self.value if isinstance(self.value, float) else None
        word = self.value if isinstance(self.value, str) else None
        passes = in_words(self.rule) if self.rule else ""
        metric, source = (self.rule.metric, self.rule.source) if self.rule else ("", "")
        row = {"sample_id": self.sample_id, "gate": self.gate, "why": self.why, "witness": self.witness}
        return row | {"metric": metric, "value": number, "text": word, "passes": passes, "source": source}


def check_release(
    callset_root: str,
    released: str,
    gates: str,
    *,
    qc: str | None = None,
    measured: str | None = None,
    out: str | None = None,
    allow_missing: Sequence[str] = (),
) -> Iterator[str]:
    """Lines of counts, one for each gate; the table of failures goes to the folder `out`.

    released: a file with one sample id per line, or a table with a column of them. qc: the folder of `cohelix qc
    samples`; measured: the table of metrics that it was given. allow_missing: gates that a sample need not be
    evaluated for. After the last line, InputError where a released sample fails a gate, could not be evaluated, or is
    not in the callset.
    """
    rules = load_gates(gates, "samples")
    if not rules.gates:
        raise ConfigError("the gates file has outlier rules only, which flag. A release check needs a [[gate]].")
    _check_allowed(rules, allow_missing)
    callset = open_callset(callset_root)
    ids, repeated = _read_released(released)
    theirs = read_measured(measured, callset.samples().column("sample_id").to_pylist()) if measured else {}
    made_of = _inputs_of(qc)
    if "measured" in made_of and not measured:
        raise ConfigError("cohelix qc samples was given a table of measured metrics. Give it to the check, too.")
    recorded = _read_recorded(callset, qc, rules)
    failures, unasked = examine(callset, ids, rules, recorded, set(allow_missing), theirs)
    if out is not None:
        _write(out, failures)
    yield f"{len(ids):,} samples are released; gates {rules.name} ({rules.digest[:12]})"
    if repeated:
        yield f"{repeated:,} of their ids are listed more than once"
    if made_of.get("callset", _digest(callset)) != _digest(callset):
        yield "the folder of cohelix qc samples was made of another callset, or of another version of this one"
    yield from _lines(rules, failures, unasked)
    failing = len({failure.sample_id for failure in failures})
    if failing:
        where = "failures.tsv in the folder of --out names them" if out else "with --out, a table names them"
        raise InputError(
            f"{failing:,} of {len(ids):,} released samples fail a gate, could not be evaluated or are not in the "
            f"callset. Take them out of the release: {where}."
        )


def examine(
    callset: Callset,
    released: Sequence[str],
    rules: GateSet,
    recorded: Metrics,
    allowed: set[str],
    measured: Metrics | None = None,
) -> tuple[list[Failure], Counter[str]]:
    """Failures in order of the release, then of the gates; and by gate how many were allowed not to be evaluated.

    recorded: metric -> value of each sample of the callset, as quality control wrote it down. measured: what others
    measured of them, which counts before what the callset says.
    """
    theirs = measured or {}
    said = recorded["sex_stated"].tolist() if "sex_stated" in recorded else stated_sexes(callset)
    own = derive(callset, said)
    place = {sample: row for row, sample in enumerate(callset.samples().column("sample_id").to_pylist())}
    failures: list[Failure] = []
    unasked: Counter[str] = Counter()
    for sample in released:
        if sample not in place:
            failures.append(Failure(sample, "", "not in the callset"))
            continue
        for gate in rules.gates:
            found = _ask(gate, place[sample], {"measured": theirs, "callset": own, "qc": recorded})
            if found is None:
                continue
            why, witness, value = found
            if why == NOT_EVALUATED and gate.name in allowed:
                unasked[gate.name] += 1
            else:
                failures.append(Failure(sample, gate.name, why, witness, value, gate))
    return failures, unasked


def _ask(gate: Gate, row: int, witnesses: dict[str, Metrics]) -> tuple[str, str, Value] | None:
    """(why, witness, value); None where every witness that knows the metric says pass, and they agree."""
    heard: list[Value] = []
    for name, witness in witnesses.items():
        concerned = _concerned(gate, row, witness)
        value = _value(witness, gate.metric, row)
        if concerned is False:
            return None
        if value is None or concerned is None or (name == "callset" and heard):
            continue
        if not _good(gate, value):
            return "fails", name, value
        heard.append(value)
    if not heard:
        return NOT_EVALUATED, "", None
    if len(heard) == 2 and isinstance(heard[0], float) and not _same(heard[0], heard[1]):
        return "differs", "qc", heard[1]
    return None


def _concerned(gate: Gate, row: int, witness: Metrics) -> bool | None:
    """Whether the gate is for this sample; None where that is not known."""
    for metric, words in gate.when:
        value = _value(witness, metric, row)
        if value is None:
            return None
        if value not in words:
            return False
    return True


def _value(witness: Metrics, metric: str, row: int) -> Value:
    if metric not in witness:
        return None
    value: Value = witness[metric][row]
    if isinstance(value, float):  # numpy's is one
        return None if math.isnan(value) else float(value)
    return value or None


def _good(gate: Gate, value: Value) -> bool:
    if isinstance(gate.cutoff, tuple):
        return value in gate.cutoff
    return isinstance(value, float) and COMPARE[gate.direction](value, gate.cutoff)


def _same(one: float, other: Value) -> bool:
    return isinstance(other, float) and math.isclose(one, other, rel_tol=AGREE, abs_tol=AGREE)


def _check_allowed(rules: GateSet, allowed: Sequence[str]) -> None:
    names = [gate.name for gate in rules.gates]
    for name in allowed:
        if name not in names:
            raise ConfigError(f"--allow-missing {name}: there is no such gate. Known: {', '.join(names)}.")


def _read_released(path: str) -> tuple[list[str], int]:
    """Distinct ids in order, and how many are listed more than once."""
    try:
        data = storage.read(path)
    except OSError:
        raise InputError(
            "expected a file of the released samples, found none that can be read. Check the path."
        ) from None
    if data[:4] == b"PAR1" or data[:2] == b"\x1f\x8b" or _is_header(data.split(b"\n", 1)[0]):
        table = read_table(path, "table of released samples")
        names = [name for name in SAMPLE_COLUMNS if name in table.column_names]
        if not names and table.num_columns == 1:  # a list of ids, packed
            names = table.column_names
            table = pa.table({names[0]: [names[0], *texts(table, names[0])]})
        if not names:
            wanted = ", ".join(SAMPLE_COLUMNS)
            raise InputError(f"the table of released samples has no column of ids. Call it one of {wanted}.")
        listed = texts(table, names[0])
    else:
        try:
            listed = [line.strip() for line in data.decode("utf-8-sig").splitlines() if line.strip()]
        except UnicodeDecodeError:
            raise InputError("the file of released samples is not text. Write one id per line.") from None
    if not listed:
        raise InputError("expected the released samples, found an empty file. Write one id per line.")
    counts = Counter(listed)
    return list(counts), sum(count > 1 for count in counts.values())


def _is_header(line: bytes) -> bool:
    name = line.removeprefix(b"\xef\xbb\xbf").strip().decode("utf-8", "replace")
    return "\t" in name or "," in name or name in SAMPLE_COLUMNS


def _read_recorded(callset: Callset, qc: str | None, rules: GateSet) -> Metrics:
    """The metrics that gates ask, of sample_metrics.parquet, in the order of the callset's samples."""
    if qc is None:
        return {}
    try:
        data = storage.read(storage.join(qc, "sample_metrics.parquet"))
        table = pq.ParquetFile(pa.BufferReader(data)).read()
        ids = table.column("sample_id").to_pylist()
    except (OSError, pa.ArrowInvalid, KeyError):
        raise InputError(
            "expected a folder of cohelix qc samples, found no sound sample_metrics.parquet in it."
        ) from None
    row_of = {sample: row for row, sample in enumerate(ids)}
    samples = callset.samples().column("sample_id").to_pylist()
    if not any(sample in row_of for sample in samples):
        raise InputError("the folder of cohelix qc samples is of other samples than the callset. Check both paths.")
    asked = {"sex_stated"} | {gate.metric for gate in rules.gates} | {n for gate in rules.gates for n, _ in gate.when}
    rows = np.array([row_of.get(sample, -1) for sample in samples], np.int64)
    recorded: Metrics = {}
    for name in asked & set(table.column_names):
        column = table.column(name)
        if column.null_count == table.num_rows:
            continue
        if pa.types.is_string(column.type):
            recorded[name] = np.array([*column.to_pylist(), None], object)[rows]
        else:
            numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
            recorded[name] = np.append(numbers, np.nan)[rows]
    return recorded


def _inputs_of(qc: str | None) -> dict[str, str]:
    """Role and digest of what `cohelix qc samples` read, as its qc.json says; empty where that says nothing."""
    try:
        entries = json.loads(storage.read(storage.join(qc, "qc.json")))["provenance"]["inputs"] if qc else []
        return {entry["role"]: entry["sha256"] for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _digest(callset: Callset) -> str:
    return digest_of([asdict(entry) for entry in callset.commit.files])


def _lines(rules: GateSet, failures: Sequence[Failure], unasked: Counter[str]) -> Iterator[str]:
    counts = Counter((failure.gate, failure.why) for failure in failures)
    for gate in rules.gates:
        line = f"{gate.name} ({gate.metric} {in_words(gate)}): {counts[gate.name, 'fails']:,} fail"
        if counts[gate.name, NOT_EVALUATED]:
            line += f", {counts[gate.name, NOT_EVALUATED]:,} not evaluated"
        if counts[gate.name, "differs"]:
            line += f", {counts[gate.name, 'differs']:,} recorded otherwise than the callset says"
        if unasked[gate.name]:
            line += f", {unasked[gate.name]:,} not evaluated (allowed)"
        yield line
    if counts["", "not in the callset"]:
        yield f"not in the callset: {counts['', 'not in the callset']:,}"


def _write(out: str, failures: Sequence[Failure]) -> None:
    table = pa.Table.from_pylist([failure.to_row() for failure in failures], schema=FAILURES)
    with new_folder(out) as folder:
        (folder / "failures.parquet").write_bytes(parquet_bytes(table))
        lines = ["\t".join(FAILURES.names)]
        for row in table.to_pylist():
            lines.append("\t".join("" if value is None else str(value) for value in row.values()))
        (folder / "failures.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
