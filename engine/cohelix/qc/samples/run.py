"""`cohelix qc samples`: metrics, sex, contamination, gates and outliers of every sample of a callset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import storage
from cohelix.dataset import digest_of
from cohelix.errors import InputError
from cohelix.genotypes import inputs
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.outputs import new_folder, write_parquet, write_tsv
from cohelix.provenance import provenance
from cohelix.qc.gates import Flags, GateSet, evaluate, load_gates, record
from cohelix.qc.samples import tables
from cohelix.qc.samples.batches import batch_effects
from cohelix.qc.samples.contamination import contamination_of
from cohelix.qc.samples.imported import count_imported
from cohelix.qc.samples.measured import preferred, read_measured
from cohelix.qc.samples.metrics import SampleCounts, counts_of, metrics_of, x_homozygosity
from cohelix.qc.samples.novel import count_novel
from cohelix.qc.samples.outliers import Outliers, find_outliers
from cohelix.qc.samples.sex import SexCalls, call_sexes, concordance
from cohelix.qc.schema import SampleQcParams
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Handed:
    """What a user handed in, matched to the samples of the callset."""

    sample_ids: list[str]
    stated: list[str]
    batches: list[str]
    groups: inputs.Groups | None
    ancestry: dict[str, list[str]]
    pcs: np.ndarray | None
    digests: list[tuple[str, str]]


def qc_samples(
    callset_root: str,
    out: str,
    params: SampleQcParams,
    runtime: Runtime,
    *,
    gates: str,
    pcs: str | None = None,
    ancestry: str | None = None,
    sexes: str | None = None,
    frequencies: str | None = None,
    measured: str | None = None,
    arrays: str | None = None,
    concordance: str | None = None,
) -> dict[str, Any]:
    """Write the folder `out`, which appears whole. Returns what its qc.json holds.

    pcs, ancestry, sexes, frequencies: tables as in `genotypes.inputs`. arrays, concordance: folders that
    `cohelix qc arrays` and `cohelix qc concordance` made. measured: a table of metrics that others measured; they
    stand in for ours.
    """
    rules = load_gates(gates, "samples")
    callset = open_callset(callset_root)
    paths = {"pcs": pcs, "ancestry": ancestry, "sexes": sexes, "frequencies": frequencies, "measured": measured}
    handed = _read_handed(callset, rules, paths)
    known = inputs.read_frequencies(frequencies) if frequencies else None
    joined = _joined(handed.sample_ids, arrays, concordance)
    theirs = read_measured(measured, handed.sample_ids) if measured else {}
    with new_folder(out) as folder:
        counts = counts_of(callset) or count_imported(callset, runtime)
        made_with = callset.samples().column("sex").to_pylist()
        metrics: dict[str, Any] = dict(metrics_of(counts, made_with))
        if known is not None:
            metrics["n_novel"] = count_novel(callset, known, runtime)
        metrics |= contamination_of(callset, counts.samples, params) | joined
        found = call_sexes(counts, made_with, x_homozygosity(callset), params)
        metrics |= _sex_metrics(found, handed.stated)
        metrics |= preferred(theirs, metrics)
        flags = evaluate(rules, metrics)
        outliers = find_outliers(
            rules.outliers, metrics, handed.pcs, handed.groups, callset.n_samples, params.min_stratum
        )
        summary = _summary(callset, params, rules, handed, counts, found, flags, outliers)
        effects = batch_effects(metrics, handed.batches, params.min_stratum)
        summary["batch_effects"] = [asdict(one) for one in effects if abs(one.d) > params.batch_effect]
        _write(folder, handed, metrics, found, flags, outliers, summary)
    return summary


def _read_handed(callset: Callset, rules: GateSet, paths: Mapping[str, str | None]) -> Handed:
    table = callset.samples()
    ids = table.column("sample_id").to_pylist()
    wanted = max((rule.pcs for rule in rules.outliers), default=0)
    pcs, ancestry, sexes = paths["pcs"], paths["ancestry"], paths["sexes"]
    digests = [("callset", digest_of([asdict(entry) for entry in callset.commit.files]))]
    stated = inputs.read_sexes(sexes, ids) if sexes else callset.stated_sexes()
    batches = table.column("batch").to_pylist() if "batch" in table.column_names else [""] * len(ids)
    groups = inputs.read_groups(ancestry, ids) if ancestry else None
    scores = inputs.read_pcs(pcs, ids, wanted) if pcs and wanted else None
    digests += inputs.digests_of(**paths)
    return Handed(ids, stated, batches, groups, _ancestry_texts(ancestry, ids, groups), scores, digests)


def _ancestry_texts(path: str | None, ids: Sequence[str], groups: inputs.Groups | None) -> dict[str, list[str]]:
    """The columns of the ancestry table that All of Us repeats in flagged_samples.tsv."""
    if path is None or groups is None:
        return {}
    table = inputs.read_table(path)
    rows = inputs.rows_of(table, ids, "table of groups").tolist()
    named = [groups.names[code] if code >= 0 else "" for code in groups.codes.tolist()]
    out = {"ancestry_pred_other": named}
    for name in tables.ANCESTRY_COLUMNS:
        if name in table.column_names:
            values = inputs.texts(table, name)
            out[name] = [values[row] if row >= 0 else "" for row in rows]
    return out


def _joined(ids: Sequence[str], arrays: str | None, concordance: str | None) -> dict[str, np.ndarray]:
    """Metrics of the arrays, and of arrays against genomes, by genome; of several arrays the worst value counts."""
    columns: dict[str, np.ndarray] = {}
    links: list[tuple[str, str]] = []
    if concordance:
        needed = ("array_sample_id", "wgs_sample_id", "fingerprint_llr", "genotype_concordance")
        table = _parquet(concordance, "concordance.parquet", "cohelix qc concordance", needed)
        genomes = table.column("wgs_sample_id").to_pylist()
        links = list(zip(table.column("array_sample_id").to_pylist(), genomes, strict=True))
        for name, source in (("fingerprint_llr", "fingerprint_llr"), ("array_concordance", "genotype_concordance")):
            columns[name] = _worst(ids, genomes, table.column(source).to_pylist(), lowest=True)
    if arrays:
        wanted = ("sample_id", "array_call_rate", "array_contamination")
        table = _parquet(arrays, "array_metrics.parquet", "cohelix qc arrays", wanted)
        own = table.column("sample_id").to_pylist()
        genomes_of: dict[str, list[str]] = {}
        for left, right in links:
            genomes_of.setdefault(left, []).append(right)
        if not links:  # without links, an array and a genome of one id are of one person
            genomes_of = {sample: [sample] for sample in own}
        for name, lowest in (("array_call_rate", True), ("array_contamination", False)):
            pairs = zip(own, table.column(name).to_pylist(), strict=True)
            spread = [(one, value) for sample, value in pairs for one in genomes_of.get(sample, ())]
            columns[name] = _worst(ids, [one for one, _ in spread], [value for _, value in spread], lowest=lowest)
    return columns


def _worst(ids: Sequence[str], samples: Sequence[str], values: Sequence[float | None], *, lowest: bool) -> np.ndarray:
    place = {sample: row for row, sample in enumerate(ids)}
    out = np.full(len(ids), np.nan)
    for sample, value in zip(samples, values, strict=True):
        row = place.get(sample, -1)
        if row >= 0 and value is not None:
            out[row] = (np.fmin if lowest else np.fmax)(out[row], value)
    return out


def _parquet(folder: str, name: str, command: str, columns: Sequence[str]) -> pa.Table:
    try:
        table = pq.ParquetFile(pa.BufferReader(storage.read(storage.join(folder, name)))).read()
        return table.select(list(columns))
    except (OSError, ValueError, KeyError):
        raise InputError(
            f"expected {name} in the folder that `{command}` made, found none, or another file. Check the path."
        ) from None


def _sex_metrics(found: SexCalls, stated: Sequence[str]) -> dict[str, Any]:
    words = {
        "sex_stated": list(stated),
        "sex_inferred": found.sex_inferred,
        "karyotype": found.karyotype,
        "sex_concordant": concordance(stated, found.sex_inferred),
    }
    return found.metrics | {name: np.array(values, dtype=np.str_) for name, values in words.items()}


def _summary(
    callset: Callset,
    params: SampleQcParams,
    rules: GateSet,
    handed: Handed,
    counts: SampleCounts,
    found: SexCalls,
    flags: Flags,
    outliers: Outliers,
) -> dict[str, Any]:
    """Aggregates only: what was done, how many were flagged by each gate, and what could not be asked."""
    missing = [*flags.not_evaluated, *outliers.not_evaluated]
    every = pa.concat_tables([flags.table, outliers.flags])
    groups = handed.groups
    return {
        "kind": "samples",
        "n_samples": callset.n_samples,
        "counts": "joint call" if counts.has_depth else "one pass over genotypes",
        "gates": record(rules, every, missing),
        "not_evaluated": [asdict(one) for one in missing],
        "sex": {
            "method": found.cutoffs.method,
            "relative_to": found.yardstick,
            "x_cutoffs": found.cutoffs.x,
            "y_cutoffs": found.cutoffs.y,
            "karyotypes": _counted(found.karyotype),
        },
        "strata": {} if groups is None else dict(zip(groups.names, groups.sizes.tolist(), strict=True)),
        "outliers": [one.to_json() for one in outliers.judged],
        "provenance": provenance("qc samples", params, handed.digests),
    }


def _counted(words: Sequence[str]) -> dict[str, int]:
    return {word or "unknown": words.count(word) for word in sorted(set(words))}


def _write(
    folder: Path,
    handed: Handed,
    metrics: Mapping[str, Any],
    found: SexCalls,
    flags: Flags,
    outliers: Outliers,
    summary: Mapping[str, Any],
) -> None:
    ids = handed.sample_ids
    table = tables.metrics_table(ids, handed.ancestry.get("ancestry_pred_other"), handed.batches, metrics)
    write_parquet(folder / "sample_metrics.parquet", table)
    write_parquet(folder / "sample_flags.parquet", pa.concat_tables([flags.table, outliers.flags]))
    if outliers.residuals:
        write_parquet(folder / "residuals.parquet", tables.residuals_table(ids, outliers))
    sexes = tables.sexes_rows(ids, found.sex_inferred, found.karyotype)
    write_tsv(folder / "sexes.tsv", ("sample_id", "sex", "karyotype"), sexes)
    rows = tables.genomic_metrics_rows(ids, handed.stated, table)
    write_tsv(folder / "genomic_metrics.tsv", tables.GENOMIC_METRICS, rows)
    columns, flagged = tables.flagged_samples(ids, handed.ancestry, metrics, outliers)
    write_tsv(folder / "flagged_samples.tsv", columns, flagged)
    (folder / "qc.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
