"""What is measured of each marker, what becomes of it, and the gates that it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.genotypes.alleles import kind_of
from cohelix.qc.arrays import kernels
from cohelix.qc.arrays.gather import Cohort
from cohelix.qc.arrays.strands import DROPPED, PALINDROME_UNKNOWN, Placed
from cohelix.qc.gates import Gate, GateSet
from cohelix.qc.schema import ArrayQcParams
from cohelix.qc.variants.hardy_weinberg import exact_test, exact_test_x

KEPT, ZEROED, DUPLICATE = "kept", "zeroed", "duplicate"


@dataclass(frozen=True)
class MarkerCounts:
    """int64 (M, 4): samples with AA, AB, BB and no call; of all, and of males and females apart."""

    all: np.ndarray
    male: np.ndarray
    female: np.ndarray


def count_calls(cohort: Cohort, among: np.ndarray, sexes: Sequence[str] | None = None) -> MarkerCounts:
    """One pass over the calls of the samples `among` bool (N,). Without `sexes`, nobody is male or female."""
    found = np.array(sexes if sexes is not None else ["unknown"] * len(cohort.sample_ids))
    chosen = (among, among & (found == "male"), among & (found == "female"))
    counts = [np.zeros((len(cohort.markers), 4), np.int64) for _ in chosen]
    for rows, calls in cohort.blocks(np.arange(len(cohort.markers))):
        for total, who in zip(counts, chosen, strict=True):
            if who.any():
                mine = calls[:, who]
                total[rows] = np.stack([(mine == code).sum(axis=1) for code in (0, 1, 2, -9)], axis=1)
    return MarkerCounts(*counts)


def frequency_of_b(counts: np.ndarray) -> np.ndarray:
    """float64 (M,), NaN where nobody is called."""
    called = counts[:, :3].sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((counts[:, 1] + 2 * counts[:, 2]) / (2 * called))


def decide(cohort: Cohort, placed: Sequence[Placed], counts: np.ndarray) -> list[str]:
    """What becomes of each marker: kept, zeroed, duplicate, or the class of its strand that rules it out.

    Of markers with one place and equal alleles, the one with most calls is kept; then the better GenTrain score, then
    the first.
    """
    status = []
    best: dict[tuple[str, int, str, str], int] = {}
    called = counts[:, :3].sum(axis=1)
    gentrain = np.nan_to_num(np.array([marker.gentrain for marker in cohort.markers]), nan=-1.0)
    for row, (marker, where) in enumerate(zip(cohort.markers, placed, strict=True)):
        out = ZEROED if marker.is_zeroed else where.strand if where.strand in DROPPED or not where.keep else KEPT
        status.append(out)
        if out != KEPT:
            continue
        site = (marker.contig, where.position, where.ref, where.alt)
        other = best.setdefault(site, row)
        if other != row:
            better = (called[row], gentrain[row]) > (called[other], gentrain[other])
            status[other if better else row] = DUPLICATE
            best[site] = row if better else other
    return status


def measure(
    cohort: Cohort, placed: Sequence[Placed], counts: MarkerCounts, params: ArrayQcParams, known: np.ndarray
) -> dict[str, np.ndarray]:
    """Metrics by name, (M,) each; NaN or "" where not known. Names are those that gates of markers know, and more.

    What is said of Y is of men, where sexes are known. On X, men take part in the exact test with one allele each.
    With few calls a marker is neither common nor rare: one missing call is two in a hundred of fifty.
    """
    strange, scores, scored = cohort.summed()
    place = cohort.places
    on_x, on_y, auto = place == kernels.ON_X, place == kernels.ON_Y, place == kernels.AUTOSOME
    used = np.where(on_y[:, None] & (counts.male.sum() > 0), counts.male, counts.all)
    tested = np.where(on_x[:, None], counts.female, counts.all)
    called = used[:, :3].sum(axis=1)
    b_is_alt = np.array([where.b_is_alt for where in placed], bool)
    of_b = frequency_of_b(used)
    af = np.where(b_is_alt, of_b, 1 - of_b)
    maf = np.minimum(of_b, 1 - of_b)
    male_called, n = counts.male[:, :3].sum(axis=1), tested[:, :3].sum(axis=1)
    hwe = np.where(on_x, exact_test_x(_with_men(counts)).p, exact_test(counts.all[:, :3]).p)
    with np.errstate(invalid="ignore", divide="ignore"):
        het = tested[:, 1] / n
        expected = 2 * (q := frequency_of_b(tested)) * (1 - q)
        metrics = {
            "call_rate": called / used.sum(axis=1), "af": af, "maf": maf,
            "het_excess": np.where((auto | on_x) & (expected > 0), het / expected - 1, np.nan),
            "mean_gencall": scores / scored,
            "male_het": np.where(on_x & (male_called > 0), counts.male[:, 1] / male_called, np.nan),
            "strange_rate": strange / used.sum(axis=1), "frequency_difference": np.abs(af - known),
        }  # fmt: skip
    metrics["hwe_p"] = np.where((auto | on_x) & (n > 0), hwe, np.nan)
    metrics["maf_class"] = np.where(
        called < params.min_frequency_calls, "", np.where(maf >= params.common_maf, "common", "rare")
    )
    return metrics | _clusters(cohort) | _strands(placed)


def _with_men(counts: MarkerCounts) -> np.ndarray:
    """int64 (M, 5): women AA, AB, BB, and men A, B."""
    return np.concatenate([counts.female[:, :3], counts.male[:, [0, 2]]], axis=1)


def _clusters(cohort: Cohort) -> dict[str, np.ndarray]:
    """Facts of the cluster file. cluster_separation: least gap between neighbours in theta, over their deviations."""
    theta, dev = (np.array([getattr(m, name) for m in cohort.markers], np.float64) for name in ("theta", "dev_theta"))
    gaps = np.diff(theta, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        separation = (gaps / (dev[:, :2] + dev[:, 1:])).min(axis=1)
    return {
        "gentrain_score": np.array([marker.gentrain for marker in cohort.markers], np.float64),
        "cluster_separation": separation,
        "ab_theta": theta[:, 1],
        "ab_r": np.array([marker.r[1] for marker in cohort.markers], np.float64),
        "trained_on": np.array([sum(marker.n) for marker in cohort.markers], np.int64),
    }


def _strands(placed: Sequence[Placed]) -> dict[str, np.ndarray]:
    palindrome = {False: "no", True: "resolved"}
    unknown = [where.strand == PALINDROME_UNKNOWN for where in placed]
    return {
        "strand": np.array([where.strand for where in placed]),
        "palindrome": np.array(
            [
                "unresolved" if lost else palindrome[where.palindrome]
                for where, lost in zip(placed, unknown, strict=True)
            ]
        ),
        "reference_match": np.array(["no" if where.strand in DROPPED else "yes" for where in placed]),
    }


def gates_of(gates: GateSet, params: ArrayQcParams) -> GateSet:
    """`gates` with their own gates of markers, or where they have none, those that `params` state."""
    if gates.markers:
        return gates
    source = "cohelix, ArrayQcParams.{}: no programme publishes one"
    numbers = (
        ("call_rate_common", "call_rate", "at_least", params.min_call_rate_common, "min_call_rate_common", "common"),
        ("call_rate_rare", "call_rate", "at_least", params.min_call_rate_rare, "min_call_rate_rare", "rare"),
        ("hwe", "hwe_p", "at_least", params.min_hwe_p, "min_hwe_p", ""),
        ("male_het", "male_het", "at_most", params.max_male_het, "max_male_het", ""),
        ("gentrain", "gentrain_score", "at_least", params.min_gentrain, "min_gentrain", ""),
        ("cluster_separation", "cluster_separation", "at_least", params.min_separation, "min_separation", ""),
        ("ab_theta_low", "ab_theta", "at_least", params.ab_theta[0], "ab_theta", ""),
        ("ab_theta_high", "ab_theta", "at_most", params.ab_theta[1], "ab_theta", ""),
        ("strange_alleles", "strange_rate", "at_most", params.max_strange, "max_strange", ""),
    )
    made = tuple(
        Gate(name, metric, direction, cutoff, source.format(field), (("maf_class", (only,)),) if only else ())
        for name, metric, direction, cutoff, field, only in numbers
    )
    palindrome = Gate(
        "palindrome", "palindrome", "is_one_of", ("no", "resolved"), "cohelix: an A/T or C/G marker of unknown strand"
    )
    return GateSet(gates.name, gates.kind, gates.gates, gates.outliers, gates.digest, (*made, palindrome))


def table_of(
    cohort: Cohort,
    placed: Sequence[Placed],
    status: Sequence[str],
    counts: MarkerCounts,
    metrics: dict[str, np.ndarray],
) -> pa.Table:
    """`marker_metrics.parquet`: one row per marker, in the order of the inputs."""
    markers = cohort.markers
    columns: dict[str, object] = {
        "contig": [marker.contig for marker in markers],
        "position": np.array([where.position for where in placed], np.int32),
        "ref": [where.ref for where in placed],
        "alt": [where.alt for where in placed],
        "name": [marker.name for marker in markers],
        "allele_a": [marker.allele_a for marker in markers],
        "allele_b": [marker.allele_b for marker in markers],
        "kind": [kind_of(where.ref, where.alt) for where in placed],
        "filters": [marker.filters for marker in markers],
        "status": list(status),
        **{
            name: np.ascontiguousarray(counts.all[:, k]) for k, name in enumerate(("n_aa", "n_ab", "n_bb", "n_no_call"))
        },
    }
    return pa.table(columns | {name: column(values) for name, values in metrics.items()})


def column(values: Any) -> pa.Array:
    """As `sample_metrics.parquet` has it: null where nothing is known, which is NaN of numbers and "" of words."""
    found = np.asarray(values)
    if found.dtype.kind == "f":
        return pa.array(found, mask=np.isnan(found))
    if found.dtype.kind in "UO":
        return pa.array([value or None for value in found.tolist()], pa.string())
    return pa.array(found)


def strand_report(status: Sequence[str], placed: Sequence[Placed]) -> list[tuple[str, str, int]]:
    """(class of strand, what became of its markers, how many), sorted."""
    counts = Counter((where.strand, out) for where, out in zip(placed, status, strict=True))
    return [(*pair, count) for pair, count in sorted(counts.items())]
