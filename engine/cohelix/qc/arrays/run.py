"""Quality control of arrays: from files of calls and intensities to metrics, flags, duplicates and a callset.

A task reads one file, once; what follows works on two bits a genotype. The folder appears whole, after the callset.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import genome, storage
from cohelix.errors import ConfigError
from cohelix.genotypes import assembly
from cohelix.genotypes.inputs import digests_of, read_frequencies, read_sexes
from cohelix.genotypes.outputs import check_outside, new_folder
from cohelix.provenance import provenance
from cohelix.qc import gates as gates_
from cohelix.qc.arrays import duplicates, inputs, intensities, kernels, markers, merge, samples, strands
from cohelix.qc.arrays.gather import Cohort, gather
from cohelix.qc.arrays.inputs import Inputs
from cohelix.qc.arrays.intensities import ArrayBatch, ArrayFile
from cohelix.qc.arrays.manifest import read_manifest
from cohelix.qc.arrays.strands import Bases, Placed
from cohelix.qc.gates import Flags, GateSet
from cohelix.qc.schema import ArrayQcParams
from cohelix.runtime.protocol import Runtime

_BILLION = 1_000_000_000


@dataclass(frozen=True)
class _Markers:
    """The markers of a cohort, judged: where each goes, what becomes of it, its metrics and flags."""

    placed: list[Placed]
    status: list[str]
    counts: markers.MarkerCounts
    metrics: dict[str, np.ndarray]
    flags: Flags

    @property
    def kept(self) -> np.ndarray:
        return _kept(self.status)


def _kept(status: Sequence[str]) -> np.ndarray:
    return np.flatnonzero([one == markers.KEPT for one in status])


@dataclass(frozen=True)
class _Samples:
    """The samples of a cohort, measured: columns of `array_metrics.parquet`, sexes of the callset, and flags."""

    columns: dict[str, Any]
    sexes: list[str]


def qc_arrays(
    paths: Sequence[str], out: str, params: ArrayQcParams, runtime: Runtime, *, callset: str, gates: str,
    reference: str | None = None, sexes: str | None = None, manifest: str | None = None, frequencies: str | None = None,
) -> None:  # fmt: skip
    """Write the folder `out` and the callset at `callset`. See `docs/methods/qc-arrays.md`.

    paths: array VCFs, prefixes of PLINK filesets, callsets, and tables of BAFRegress or VerifyIDIntensity, which tell
    the contamination of samples without intensities. reference: indexed FASTA. frequencies: of ALT, for palindromes.
    """
    gate_set = markers.gates_of(gates_.load_gates(gates, "arrays"), params)
    assays = read_manifest(manifest) if manifest else {}
    known = read_frequencies(frequencies) if frequencies else None
    given = inputs.sort_inputs(paths)
    _check_places(out, callset)
    tables = digests_of(manifest=manifest, frequencies=frequencies, sexes=sexes, reference=reference)
    settings = {"source": "arrays", "gates": gate_set.digest, **asdict(params)}
    with (
        new_folder(out) as folder,
        _parts(folder) as parts,
        assembly.destination(callset, settings, given.hashed, overwrite=False) as (writer, after, read),
    ):
        listed = [(entry["role"], entry["sha256"]) for entry in read["inputs"]]
        record = provenance("qc arrays", settings, [*listed, *tables])
        cohort = gather(_read(given, parts, params, runtime, reference))
        first = markers.count_calls(cohort, np.ones(len(cohort.sample_ids), bool)).all
        of_b = markers.frequency_of_b(first)
        af = _known_frequencies(cohort, known)
        placed = strands.place_all(cohort.markers, params, reference=reference, assays=assays, of_b=of_b, known=af)
        people = _measure(cohort, given, _kept(markers.decide(cohort, placed, first)), of_b, params, sexes)
        counts = markers.count_calls(cohort, _good(people, gate_set), _usual_sexes(people))
        status = markers.decide(cohort, placed, counts.all)
        kept = _kept(status)
        measured = markers.measure(cohort, placed, counts, params, af)
        judged = _Markers(placed, status, counts, measured, _marker_flags(gate_set, measured, kept))
        rows = duplicates.choose_markers(cohort, _unflagged(judged), measured["maf"], params)
        pairs = duplicates.find(cohort, rows, parts, params, runtime)
        flags = _write(folder, cohort, people, judged, pairs, gate_set)
        merge.write_callset(writer, after, record, cohort, placed, kept, people.sexes, _filters(judged), settings)
        _write_summary(folder, cohort, judged, flags, gate_set, record, len(rows), len(pairs))


def _check_places(out: str, callset: str) -> None:
    """ConfigError where the callset would lie in the folder `out`, which appears whole, or in another data set."""
    check_outside(callset)
    if storage.is_local(callset):
        place, folder = storage.local_path(callset).resolve(), Path(out).resolve()
        if folder in (place, *place.parents):
            raise ConfigError("expected the callset outside of the folder of --out, found it within. Name another.")


@contextmanager
def _parts(folder: Path) -> Iterator[Path]:
    """A folder for what the tasks write, below the one that is being made, where every task can reach it."""
    parts = folder / "parts"
    parts.mkdir()
    try:
        yield parts
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _read(
    given: Inputs, parts: Path, params: ArrayQcParams, runtime: Runtime, reference: str | None
) -> list[ArrayBatch]:
    build = params.build
    if build == "auto" and given.filesets:
        build = Bases(reference).build if reference else genome.UNKNOWN_BUILD
    callsets = dict(given.callsets)
    for number, path in given.filesets.items():
        callsets[number] = str(parts / f"fileset-{number}")
        inputs.import_fileset(path, callsets[number], build)
    files = [
        ArrayFile(number, path, str(parts / f"input-{number}"), params)
        for number, path in sorted((given.vcfs | callsets).items())
    ]
    return list(runtime.map(intensities.read_arrays, files, label="read arrays"))


def _known_frequencies(cohort: Cohort, known: Any) -> np.ndarray:
    """float64 (M,): frequency of the allele that is not REF, as the file spells both; NaN where not known."""
    out = np.full(len(cohort.markers), np.nan)
    if known is None:
        return out
    by_contig: dict[str, list[int]] = {}
    for row, marker in enumerate(cohort.markers):
        by_contig.setdefault(marker.contig, []).append(row)
    for contig, rows in by_contig.items():
        here = [cohort.markers[row] for row in rows]
        alts = [marker.allele_b if marker.allele_a == marker.ref else marker.allele_a for marker in here]
        positions = np.array([marker.position for marker in here], np.int64)
        out[rows] = known.lookup(contig, positions, [marker.ref for marker in here], alts)
    return out


def _measure(
    cohort: Cohort, given: Inputs, kept: np.ndarray, of_b: np.ndarray, params: ArrayQcParams, sexes: str | None
) -> _Samples:
    counts, sums = cohort.of_samples("counts"), cohort.of_samples("sums")
    metrics = samples.measure(
        counts, sums, cohort.of_samples("gencall"), cohort.of_batches("counted"), cohort.of_batches("counted_off_y")
    )
    for name, place in (("f_inbreeding", kernels.AUTOSOME), ("x_f", kernels.ON_X)):
        metrics[name] = samples.inbreeding(_called(cohort, kept[cohort.places[kept] == place], of_b))
    inferred, karyotypes = samples.infer_sex(metrics, counts, params)
    stated = read_sexes(sexes, cohort.sample_ids) if sexes else cohort.of_samples("stated").tolist()
    source = _fill_contamination(cohort, given, metrics)
    outlying = np.abs(np.nan_to_num(metrics["het_outlier"])) > params.heterozygosity_mads
    columns = {
        "sample_id": cohort.sample_ids,
        "input": cohort.of_batches("number"),
        **metrics,
        "het_is_outlier": outlying,
        "contamination_source": source,
        "n_markers": cohort.of_batches("n_markers"),
        "n_counted": cohort.of_batches("counted"),
        "n_called": counts[:, kernels.CALLED],
        "n_het": counts[:, kernels.AUTO_HET],
        "sex_stated": stated,
        "sex_inferred": inferred,
        "karyotype": karyotypes,
        "sex_concordant": samples.concordance(stated, inferred),
    }
    found = [seen if seen != "unknown" else said for said, seen in zip(stated, inferred, strict=True)]
    return _Samples(columns, found)


def _called(cohort: Cohort, rows: np.ndarray, of_b: np.ndarray) -> np.ndarray:
    """`kernels.sum_called` of the markers `rows` where both alleles are seen: int64 (N, 3)."""
    out = np.zeros((len(cohort.sample_ids), 3), np.int64)
    q = np.nan_to_num(of_b)
    expected = np.where((q > 0) & (q < 1), np.rint((1 - 2 * q * (1 - q)) * _BILLION), -1).astype(np.int64)
    for chosen, calls in cohort.blocks(rows):
        kernels.sum_called(calls, expected[chosen], np.array([1, 0, 1], np.int64), out)
    return out


def _fill_contamination(cohort: Cohort, given: Inputs, metrics: dict[str, np.ndarray]) -> list[str]:
    """Take from tables what BAF does not tell; where each estimate is from, "" for none."""
    estimate = metrics["array_contamination"]
    source = np.where(np.isnan(estimate), "", "baf").astype(object)
    by_id = {sample: row for row, sample in enumerate(cohort.sample_ids)}
    for path in given.baf_regress:
        for sample, share in inputs.read_baf_regress(path).items():
            row = by_id.get(sample, -1)
            if row >= 0 and np.isnan(estimate[row]):
                estimate[row], source[row] = share, "bafregress"
    for path in given.verify_id:
        listed = inputs.read_verify_id(path)
        if len(cohort.batches) != 1 or len(listed) != len(by_id):
            raise ConfigError(
                f"VerifyIDIntensity numbers the samples of one file, from 0; its table has {len(listed)} of them, and "
                f"the arrays {len(by_id)} in {len(cohort.batches)} inputs. Give it with the array VCF that it is of."
            )
        for column, share in listed.items():
            row = by_id[cohort.batches[0].sample_ids[column]]
            if np.isnan(estimate[row]):
                estimate[row], source[row] = share, "verifyidintensity"
    return [str(name) for name in source]


def _marker_flags(gates: GateSet, metrics: dict[str, np.ndarray], kept: np.ndarray) -> Flags:
    """Gates of markers, asked of those that are kept; `row` is the row among all."""
    flags = gates_.evaluate(gates, {name: values[kept] for name, values in metrics.items()}, of="markers")
    rows = kept[flags.table.column("row").to_numpy()]
    table = flags.table.set_column(0, "row", pa.array(rows, pa.int64()))
    return Flags(table, flags.not_evaluated)


def _unflagged(judged: _Markers) -> np.ndarray:
    """bool (M,): kept markers that fail no gate."""
    usable = np.zeros(len(judged.status), bool)
    usable[judged.kept] = True
    usable[judged.flags.table.column("row").to_numpy()] = False
    return usable


def _filters(judged: _Markers) -> list[str]:
    """FILTER of the callset's sites: the gates that a marker fails, or PASS."""
    failed: dict[int, list[str]] = {}
    for row, gate in zip(*(judged.flags.table.column(name).to_pylist() for name in ("row", "gate")), strict=True):
        failed.setdefault(row, []).append(gate)
    return [";".join(failed.get(row, ["PASS"])) for row in range(len(judged.status))]


def _asked(columns: dict[str, Any]) -> dict[str, np.ndarray]:
    """Columns of the samples under the names that gates of arrays know."""
    metrics = {name: np.asarray(values) for name, values in columns.items() if name != "sample_id"}
    return metrics | {"call_rate": metrics["array_call_rate"], "contamination": metrics["array_contamination"]}


def _usual_sexes(people: _Samples) -> list[str]:
    """Sexes, but unknown for another karyotype than XX and XY: its hets on X say nothing against a marker."""
    karyotypes = people.columns["karyotype"]
    return [sex if kind in ("XX", "XY", "") else "unknown" for sex, kind in zip(people.sexes, karyotypes, strict=True)]


def _good(people: _Samples, gates: GateSet) -> np.ndarray:
    """bool (N,): samples that markers are judged by: those that fail no gate of call rate or contamination, or all."""
    table = gates_.evaluate(gates, _asked(people.columns)).table
    bad = [
        row
        for row, metric in zip(table.column("row").to_pylist(), table.column("metric").to_pylist(), strict=True)
        if metric in ("call_rate", "contamination")
    ]
    good = np.ones(len(people.sexes), bool)
    good[bad] = False
    return good if good.any() else ~good


def _write(
    folder: Path, cohort: Cohort, people: _Samples, judged: _Markers, pairs: np.ndarray, gates: GateSet
) -> Flags:
    """The tables of the folder; flags of samples and markers."""
    n = len(cohort.sample_ids)
    twins = np.bincount(pairs[:, :2].ravel(), minlength=n)
    columns = people.columns | {"n_duplicates": twins}
    of_samples = gates_.evaluate(gates, _asked(columns))
    failed = np.bincount(of_samples.table.column("row").to_numpy(), minlength=n)
    written = {name: markers.column(values) for name, values in (columns | {"n_flags": failed}).items()}
    pq.write_table(pa.table(written), folder / "array_metrics.parquet", compression="zstd")
    of_markers = markers.table_of(cohort, judged.placed, judged.status, judged.counts, judged.metrics)
    pq.write_table(of_markers, folder / "marker_metrics.parquet", compression="zstd")
    table = pa.concat_tables([of_samples.table, judged.flags.table])
    pq.write_table(table.combine_chunks(), folder / "array_flags.parquet", compression="zstd")
    pq.write_table(duplicates.table_of(cohort, pairs), folder / "duplicates.parquet", compression="zstd")
    lines = [f"{name}\t{out}\t{count}" for name, out, count in markers.strand_report(judged.status, judged.placed)]
    (folder / "strand_report.tsv").write_text("\n".join(["strand\tbecame\tmarkers", *lines]) + "\n")
    return Flags(table, (*of_samples.not_evaluated, *judged.flags.not_evaluated))


def _write_summary(
    folder: Path, cohort: Cohort, judged: _Markers, flags: Flags, gates: GateSet, record: dict[str, Any],
    compared_at: int, pairs: int,
) -> None:  # fmt: skip
    summary = {
        "kind": "arrays",
        "n_samples": len(cohort.sample_ids),
        "n_markers": len(cohort.markers),
        "gates": gates_.record(gates, flags.table, flags.not_evaluated),
        "not_evaluated": [asdict(one) for one in flags.not_evaluated],
        "markers_by_status": dict(sorted(Counter(judged.status).items())),
        "duplicates": {"markers_compared": compared_at, "pairs": pairs},
        "build": cohort.build,
        "provenance": record,
    }
    (folder / "qc.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
