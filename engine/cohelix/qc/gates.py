"""Gates as data: thresholds in TOML, each with its source, and the flags that they raise.

    [[gate]]
    name = "mean_coverage"
    metric = "mean_coverage"
    at_least = 30
    source = "where the number comes from"

A gate states what passes. `when` limits it to rows with certain values of a text metric; `[[outlier]]` states how far
from its group's median a residual may lie, `[[marker]]` (arrays only) is a gate for markers.
A value that is not known neither passes nor fails: it is counted as not evaluated.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.dataset import canonical_json
from cohelix.errors import ConfigError, ContractError
from cohelix.reference import reference_path

OWN = "own gates"
"""Name of a set that did not come with cohelix."""
KINDS = ("samples", "variants", "arrays")
DIRECTIONS = ("at_least", "above", "at_most", "below", "is_one_of")
SIDES = ("both", "upper", "lower")
_FLAG_KIND = {"samples": "hard", "variants": "variant", "arrays": "array", "markers": "marker"}
_GATE_KEYS = ("name", "metric", *DIRECTIONS, "source", "note", "when")
_OUTLIER_KEYS = ("name", "metric", "otherwise", "mads", "side", "pcs", "squares", "strata", "source", "note")

_REASONS = (
    "no_data", "partial", "no_call", "gq0", "low_depth", "deletion",
    "half_call", "ploidy", "overlap", "lost_allele", "filtered",
)  # fmt: skip
METRICS: dict[str, tuple[str, ...]] = {
    "samples": (
        "call_rate", "mean_depth", "mean_coverage", "coverage_10x", "coverage_20x", "coverage_30x",
        "n_snp", "n_insertion", "n_deletion", "ti_tv", "ins_del", "ti_tv_copies", "ins_del_copies",
        "snp_indel", "het_hom_snp", "het_hom_indel",
        "het_hom", "n_singleton", "singleton_ti_tv", "n_transition", "n_transversion", "n_novel",
        "mean_gq", "share_gq20", "f_inbreeding", "n_called", "n_missing",
        *(f"missing_{reason}" for reason in _REASONS),
        "charr", "contamination", "contamination_low", "contamination_high",
        "array_contamination", "array_call_rate", "array_concordance", "fingerprint_llr",
        "x_ploidy", "y_ploidy", "x_het_rate", "x_f", "sex_stated", "sex_inferred", "karyotype", "sex_concordant",
        # measured from reads, not from genotypes: evaluated where a table hands them in
        "aligned_q30_bases", "hdr_coverage_20x", "chimera_rate", "n_bases_1x", "n_bases_20x",
    ),
    "variants": (
        "kind", "call_rate", "n_called", "ac", "an", "af", "ac_adj", "hwe_p", "hwe_midp", "excess_het",
        "inbreeding_coefficient", "allele_balance", "qual_approx", "n_high_quality", "n_alleles",
        "qd", "fs", "sor", "mq", "mq_rank_sum", "read_pos_rank_sum", "score", "sensitivity",
    ),
    "arrays": (
        "call_rate", "mean_gencall", "het_rate", "f_inbreeding", "contamination", "wgs_concordance", "fingerprint_llr",
        "baf_deviation", "lrr_deviation", "n_duplicates", "sex_stated", "sex_inferred", "karyotype", "sex_concordant",
    ),
    "markers": (
        "call_rate", "maf", "maf_class", "hwe_p", "het_excess", "mean_gencall", "gentrain_score",
        "cluster_separation", "strand", "palindrome", "reference_match", "frequency_difference",
    ),
}  # fmt: skip
"""What a gate of each kind can name: columns of the metrics tables that `cohelix qc` writes."""
TEXT_METRICS = frozenset(
    {"sex_stated", "sex_inferred", "karyotype", "sex_concordant", "kind", "maf_class", "strand", "palindrome"}
    | {"reference_match"}
)
"""Metrics whose values are words; all others are numbers."""

FLAGS = pa.schema(
    [
        ("row", pa.int64()),  # row of the metrics table
        ("gate", pa.string()),
        ("kind", pa.string()),  # hard, outlier, variant, array or marker
        ("metric", pa.string()),
        ("value", pa.float64()),  # null where the metric is a word
        ("text", pa.string()),  # null where the metric is a number
        ("cutoff", pa.float64()),
        ("allowed", pa.string()),  # of is_one_of: the words, with commas
        ("direction", pa.string()),  # what would have passed
        ("stratum", pa.string()),  # of outliers: the group that was compared with
        ("source", pa.string()),
    ]
)


@dataclass(frozen=True)
class Gate:
    """What passes: `metric` in `direction` of `cutoff`, asked of rows whose `when` metrics have one of the words."""

    name: str
    metric: str
    direction: str
    cutoff: float | tuple[str, ...]
    source: str
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class OutlierRule:
    """How far a sample may lie from its stratum's median, in MADs, after PCs (and squares) are regressed out.

    otherwise: metric that stands in where `metric` was not measured. strata: compare within ancestry groups.
    """

    metric: str
    mads: float
    side: str
    source: str
    pcs: int = 0
    squares: bool = False
    strata: bool = True
    otherwise: str | None = None
    name: str = ""
    note: str = ""


@dataclass(frozen=True)
class GateSet:
    """The gates of one file. `digest` is that of their content, whatever the layout and comments."""

    name: str
    kind: str
    gates: tuple[Gate, ...]
    outliers: tuple[OutlierRule, ...]
    digest: str
    markers: tuple[Gate, ...] = ()


@dataclass(frozen=True)
class NotEvaluated:
    """A gate that could not be asked of `count` rows, and why: "absent" (no such metric) or "unknown" (no value)."""

    gate: str
    metric: str
    why: str
    count: int


@dataclass(frozen=True)
class Flags:
    """`table` (schema `FLAGS`, by gate, then row) and the gates that could not be asked."""

    table: pa.Table
    not_evaluated: tuple[NotEvaluated, ...]


def gate_sets() -> list[str]:
    """Names of the sets that come with cohelix."""
    return sorted(entry.name for entry in reference_path("qc").iterdir() if entry.is_dir())


def load_gates(name_or_path: str, kind: str) -> GateSet:
    """The gates of `kind` from a set that comes with cohelix, from a TOML file, or from a folder of `<kind>.toml`.

    Raises ConfigError, with the nearest key, where the file says something that cannot be meant.
    """
    if kind not in KINDS:
        raise ContractError(f"gates of kind {kind!r} do not exist; there are {', '.join(KINDS)}.")
    path = Path(name_or_path)
    if name_or_path in gate_sets():
        path, name = reference_path("qc", name_or_path, f"{kind}.toml"), name_or_path
    elif path.is_dir():
        path, name = path / f"{kind}.toml", OWN
    elif "/" in name_or_path or name_or_path.endswith(".toml"):
        name = OWN
    else:
        raise ConfigError(f"gates {name_or_path!r} are not known.{_nearest(name_or_path, gate_sets())}")
    found = parse_gates(_read(path), kind, name)
    if name == OWN and not (found.gates or found.outliers or found.markers):
        raise ConfigError("the gates file has no gate. Write one as [[gate]], or name a set such as aou-v8.")
    return found


def parse_gates(text: str, kind: str, name: str) -> GateSet:
    """`load_gates` of a file's text."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the gates file is not TOML: {error}.") from None
    known = ("title", "kind", "note", "gate", "outlier", "marker")
    _check_keys(document, known, "the gates file")
    if document.get("kind", kind) != kind:
        raise ConfigError(f"the gates file holds gates of {document['kind']!r}, and gates of {kind!r} are needed.")
    gates = _entries(document, "gate")
    markers = _entries(document, "marker")
    outliers = _entries(document, "outlier")
    if outliers and kind != "samples":
        raise ConfigError(f"the gates file: [[outlier]] is for samples, this file is for {kind}.")
    if markers and kind != "arrays":
        raise ConfigError(f"the gates file: [[marker]] is for arrays, this file is for {kind}.")
    found = tuple(_gate(entry, kind, f"[[gate]] {place}") for place, entry in enumerate(gates, 1))
    rules = tuple(_outlier(entry, f"[[outlier]] {place}") for place, entry in enumerate(outliers, 1))
    of_markers = tuple(_gate(entry, "markers", f"[[marker]] {place}") for place, entry in enumerate(markers, 1))
    for names in ([gate.name for gate in (*found, *of_markers)], [rule.name for rule in rules]):
        for repeated in sorted({entry for entry in names if names.count(entry) > 1}):
            raise ConfigError(f"the gates file has two entries named {repeated!r}. Rename one.")
    digest = hashlib.sha256(canonical_json(document)).hexdigest()
    return GateSet(name, kind, found, rules, digest, of_markers)


def evaluate(gates: GateSet, metrics: dict[str, np.ndarray], *, of: str = "gates") -> Flags:
    """Every gate of a set (`of="markers"`: those of its markers) asked of every row of `metrics`.

    metrics: name -> (rows,) numbers, with NaN for not known, or words, with None or "" for not known.
    """
    lengths = {len(values) for values in metrics.values()}
    if len(lengths) > 1:
        raise ContractError("metrics of different lengths were handed to the gates.")
    rows = lengths.pop() if lengths else 0
    asked = gates.gates if of == "gates" else gates.markers
    kind = _FLAG_KIND[gates.kind if of == "gates" else "markers"]
    tables, missing = [], []
    for gate in asked:
        absent = [name for name in (gate.metric, *(name for name, _ in gate.when)) if name not in metrics]
        if absent:
            missing.append(NotEvaluated(gate.name, absent[0], "absent", rows))
            continue
        fails, unknown = _ask(gate, metrics, rows)
        if unknown:
            missing.append(NotEvaluated(gate.name, gate.metric, "unknown", unknown))
        tables.append(_flag_table(gate, kind, np.flatnonzero(fails), metrics[gate.metric]))
    table = pa.concat_tables(tables).combine_chunks() if tables else FLAGS.empty_table()
    return Flags(table, tuple(missing))


def record(gates: GateSet, flags: pa.Table, not_evaluated: Iterable[NotEvaluated]) -> dict[str, Any]:
    """What was asked and how often it failed, for `qc.json`: counts only. `flags`: schema `FLAGS`, outliers too."""
    failed = Counter(flags.column("gate").to_pylist())
    missing: Counter[str] = Counter()
    for entry in not_evaluated:
        missing[entry.gate] += entry.count
    rules = [
        {"gate": gate.name, "kind": _FLAG_KIND[kind], "metric": gate.metric, "passes": in_words(gate)}
        | {"source": gate.source, "failed": failed[gate.name], "not_evaluated": missing[gate.name]}
        for kind, of in ((gates.kind, gates.gates), ("markers", gates.markers))
        for gate in of
    ]
    rules += [
        {"gate": rule.name, "kind": "outlier", "metric": rule.metric, "passes": outlier_in_words(rule)}
        | {"source": rule.source, "failed": failed[rule.name], "not_evaluated": missing[rule.name]}
        for rule in gates.outliers
    ]
    return {"name": gates.name, "digest": gates.digest, "rules": rules}


def in_words(gate: Gate) -> str:
    """What passes, as a reader says it: `>= 30`, or `XX or XY`."""
    if isinstance(gate.cutoff, tuple):
        return " or ".join(gate.cutoff)
    sign = {"at_least": ">=", "above": ">", "at_most": "<=", "below": "<"}[gate.direction]
    only = "".join(f" ({' or '.join(words)})" for _, words in gate.when)
    return f"{sign} {gate.cutoff:g}{only}"


def outlier_in_words(rule: OutlierRule) -> str:
    """How far from the median is not too far: `within 8 MADs, 16 PCs`."""
    bound = {"both": "within ", "upper": "< +", "lower": "> -"}[rule.side]
    of = f", {rule.pcs} PCs" if rule.pcs else ""
    return f"{bound}{rule.mads:g} MADs{of}"


def passes(values: np.ndarray, direction: str, cutoff: float) -> np.ndarray:
    """bool (rows,): which of `values` lie where `direction` wants them. NaN does not."""
    if direction == "at_least":
        return values >= cutoff
    if direction == "above":
        return values > cutoff
    if direction == "at_most":
        return values <= cutoff
    return values < cutoff


def _ask(gate: Gate, metrics: dict[str, np.ndarray], rows: int) -> tuple[np.ndarray, int]:
    """bool (rows,) of rows that fail, and the number of rows that could not be asked."""
    concerned, unknown = np.ones(rows, bool), np.zeros(rows, bool)
    for name, words in gate.when:
        found = _words(metrics[name])
        unknown |= found == ""
        concerned &= np.isin(found, words)
    if isinstance(gate.cutoff, tuple):
        found = _words(metrics[gate.metric])
        nothing, good = found == "", np.isin(found, gate.cutoff)
    else:
        values = np.asarray(metrics[gate.metric], np.float64)
        nothing, good = np.isnan(values), passes(values, gate.direction, gate.cutoff)
    unknown |= concerned & nothing
    return concerned & ~unknown & ~good, int(unknown.sum())


def _words(values: np.ndarray) -> np.ndarray:
    """Words as an array of str; "" where there is none; true and false of booleans."""
    if values.dtype == np.bool_:
        return np.where(values, "true", "false")
    words = ["" if value is None or value != value else str(value) for value in values.tolist()]  # NaN != NaN
    return np.array(words, dtype=np.str_)


def _flag_table(gate: Gate, kind: str, rows: np.ndarray, values: np.ndarray) -> pa.Table:
    count = len(rows)
    worded = isinstance(gate.cutoff, tuple)
    number: Any = pa.nulls(count, pa.float64()) if worded else np.asarray(values, np.float64)[rows]
    text: Any = pa.array(_words(values)[rows].tolist(), pa.string()) if worded else pa.nulls(count, pa.string())
    allowed = ", ".join(gate.cutoff) if isinstance(gate.cutoff, tuple) else None
    cutoff = None if isinstance(gate.cutoff, tuple) else gate.cutoff
    columns = {
        "row": rows.astype(np.int64), "gate": [gate.name] * count, "kind": [kind] * count,
        "metric": [gate.metric] * count, "value": number, "text": text, "cutoff": [cutoff] * count,
        "allowed": [allowed] * count, "direction": [gate.direction] * count, "stratum": [None] * count,
        "source": [gate.source] * count,
    }  # fmt: skip
    return pa.table(columns, schema=FLAGS)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the gates file cannot be read ({type(error).__name__}). Check the path.") from None


def _entries(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = document.get(key, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ConfigError(f"the gates file: {key} is written as [[{key}]], one for each.")
    return found


def _gate(entry: dict[str, Any], kind: str, where: str) -> Gate:
    _check_keys(entry, _GATE_KEYS, where)
    name, metric, source = (_text(entry, key, where) for key in ("name", "metric", "source"))
    where = f"{where} ({name})"
    _check_metric(metric, kind, where)
    directions = [key for key in DIRECTIONS if key in entry]
    if len(directions) != 1:
        stated = " and ".join(directions) or "none"
        raise ConfigError(f"{where}: expected exactly one of {', '.join(DIRECTIONS)}, found {stated}.")
    direction = directions[0]
    if (direction == "is_one_of") != (metric in TEXT_METRICS):
        way = "is_one_of" if metric in TEXT_METRICS else "at_least, above, at_most or below"
        raise ConfigError(f"{where}: {metric} cannot be compared with {direction}. Use {way}.")
    value = entry[direction]
    cutoff = _word_list(value, f"{where}: is_one_of") if direction == "is_one_of" else _number(value, where, direction)
    when = entry.get("when", {})
    if not isinstance(when, dict):
        raise ConfigError(f'{where}: when is written as {{ metric = ["word", ...] }}, found {when!r}.')
    for other in when:
        _check_metric(other, kind, f"{where}: when")
        if other not in TEXT_METRICS:
            raise ConfigError(f"{where}: when asks for words, and {other} is a number.")
    limits = tuple((other, _word_list(words, f"{where}: when.{other}")) for other, words in when.items())
    return Gate(name, metric, direction, cutoff, source, limits, _note(entry, where))


def _outlier(entry: dict[str, Any], where: str) -> OutlierRule:
    _check_keys(entry, _OUTLIER_KEYS, where)
    metric, source = _text(entry, "metric", where), _text(entry, "source", where)
    otherwise = _text(entry, "otherwise", where) if "otherwise" in entry else None
    for asked in (metric, *([otherwise] if otherwise else [])):
        _check_metric(asked, "samples", where)
        if asked in TEXT_METRICS:
            raise ConfigError(f"{where}: {asked} is a word; outliers are looked for among numbers.")
    side = _text(entry, "side", where)
    if side not in SIDES:
        raise ConfigError(f"{where}: side = {side!r} is not known.{_nearest(side, SIDES)}")
    mads, pcs = _number(entry.get("mads"), where, "mads"), entry.get("pcs", 0)
    if not mads > 0:
        raise ConfigError(f"{where}: mads = {mads} is out of range. Choose a number above 0.")
    if type(pcs) is not int or pcs < 0:
        raise ConfigError(f"{where}: pcs is the number of components, 0 or more; found {pcs!r}.")
    squares, strata = entry.get("squares", False), entry.get("strata", True)
    for key, value in (("squares", squares), ("strata", strata)):
        if type(value) is not bool:
            raise ConfigError(f"{where}: {key} is true or false, found {value!r}.")
    name = _text(entry, "name", where) if "name" in entry else metric
    return OutlierRule(metric, mads, side, source, pcs, squares, strata, otherwise, name, _note(entry, where))


def _check_keys(entry: dict[str, Any], known: Iterable[str], where: str) -> None:
    for key in entry:
        if key not in known:
            raise ConfigError(f"{where}: key {key!r} is not known.{_nearest(key, known)}")


def _check_metric(metric: str, kind: str, where: str) -> None:
    if metric not in METRICS[kind]:
        raise ConfigError(f"{where}: metric {metric!r} is not measured of {kind}.{_nearest(metric, METRICS[kind])}")


def _text(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if value is None:
        close = difflib.get_close_matches(key, list(entry), n=1, cutoff=0.6)
        hint = f" Did you mean it by {close[0]!r}?" if close else ""
        raise ConfigError(f"{where}: {key} is missing.{hint}")
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: {key} is a text, found {value!r}.")
    return value


def _note(entry: dict[str, Any], where: str) -> str:
    return _text(entry, "note", where) if "note" in entry else ""


def _number(value: Any, where: str, key: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ConfigError(f"{where}: {key} is a number, found {value!r}.")
    return float(value)


def _word_list(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ConfigError(f"{where}: expected a list of words, found {value!r}.")
    return tuple(value)


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(sorted(known))}."
