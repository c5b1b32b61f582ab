"""Metrics of samples worked out a second time, from a callset's own counts.

This is the witness of the release check: it shares no code with `qc.samples`, so that a mistake there, or a table that
was changed or is of another callset, does not pass unseen. Nothing is known of what a callset has no counts of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, read_table
from cohelix.qc.gates import METRICS, TEXT_METRICS
from cohelix.qc.schema import SampleQcParams

Metrics = dict[str, np.ndarray]
"""float64 (samples,) with NaN, or words (samples,) as objects with None, where a value is not known."""

PLAIN = ("n_called", "n_snp", "n_insertion", "n_deletion", "n_singleton", "n_transition", "n_transversion")
RATIOS = {
    "mean_depth": ("depth_sum", "n_with_depth"),
    "mean_gq": ("gq_sum", "n_with_gq"),
    "ti_tv": ("n_transition", "n_transversion"),
    "ins_del": ("n_insertion", "n_deletion"),
    "het_hom": ("n_het", "n_hom_alt"),
    "het_hom_snp": ("n_het_snp", "n_hom_alt_snp"),
    "het_hom_indel": ("n_het_indel", "n_hom_alt_indel"),
    "singleton_ti_tv": ("n_singleton_transition", "n_singleton_transversion"),
}
"""Metric: count over count, of the samples table."""
MEASURED_NAMES = {
    "aou_hdr_coverage": "hdr_coverage_20x",
    "genome_coverage": "coverage_20x",
    "verify_bam_id2_contamination": "contamination",
}
"""Columns of All of Us genomic_metrics.tsv, and the metrics that they are."""
AUTOSOMES = ("autosome", "chr20")
CLUSTER = 20
"""Samples that the unit of a sex chromosome is taken from; with fewer it is one copy."""


def derive(callset: Callset, stated: Sequence[str | None]) -> Metrics:
    """What the callset states of each sample. stated: the sex that each sample is said to be of."""
    tables = callset.commit.meta.get("tables") or {}
    found = _of_samples(callset)
    if "regions" in tables:
        found |= _of_regions(callset.table(tables["regions"]), callset.n_samples)
    if "contamination" in tables:
        grid = np.array(callset.commit.meta["contamination_grid"], np.float64)
        found["contamination"] = _contamination(callset.table(tables["contamination"]), grid, callset.n_samples)
    if "x_ploidy" in found:
        karyotypes = _karyotypes(found["x_ploidy"], found["y_ploidy"])
        sexes = [{"XX": "female", "XXX": "female", "XY": "male", "XYY": "male"}.get(str(word)) for word in karyotypes]
        found["karyotype"], found["sex_inferred"] = karyotypes, np.array(sexes, object)
        found["sex_concordant"] = np.array([_agree(*pair) for pair in zip(sexes, stated, strict=True)], object)
    found["sex_stated"] = np.array(list(stated), object)
    return found


def _agree(inferred: str | None, stated: str | None) -> str | None:
    if inferred is None:
        return None
    if stated in (None, "", "unknown"):
        return "not_stated"
    return "yes" if inferred == stated else "no"


def _over(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def _of_samples(callset: Callset) -> Metrics:
    """From the samples table. Women have no site on Y to be missing at."""
    table = callset.samples()
    count = {name: table.column(name).to_numpy().astype(np.float64) for name in _numeric(table)}
    on_y = sum(shard.n_sites for shard in callset.shards if genome.plain_name(shard.contig) == "Y")
    women = np.array([sex == "female" for sex in table.column("sex").to_pylist()])
    expected = count["n_sites"] - on_y * women
    found = {name: values for name, values in count.items() if name in PLAIN or name.startswith("missing_")}
    found["call_rate"] = _over(count["n_called"], expected)
    found["n_missing"] = expected - count["n_called"]
    for metric, (numerator, denominator) in RATIOS.items():
        if numerator in count and denominator in count:
            found[metric] = _over(count[numerator], count[denominator])
    if "n_snp" in count:
        found["snp_indel"] = _over(count["n_snp"], count["n_insertion"] + count["n_deletion"])
    for metric, top, bottom in (("ti_tv", "transition", "transversion"), ("ins_del", "insertion", "deletion")):
        if f"n_hom_alt_{top}" in count:  # copies: a homozygous alternate has two
            both = [count[f"n_{change}"] + count[f"n_hom_alt_{change}"] for change in (top, bottom)]
            found[f"{metric}_copies"] = _over(*both)
    decades = {int(name[5:]): values for name, values in count.items() if name.startswith("n_gq_")}
    if decades:
        good = np.sum([values for decade, values in decades.items() if decade >= 20], axis=0)
        found["share_gq20"] = _over(good, np.sum(list(decades.values()), axis=0))
    if "n_charr" in count:
        found["charr"] = _over(count["charr_sum_nano"] / 1e9, count["n_charr"])
    return found


def _numeric(table: pa.Table) -> list[str]:
    return [field.name for field in table.schema if pa.types.is_integer(field.type)]


def _of_regions(table: pa.Table, samples: int) -> Metrics:
    """Coverage over the autosomes (over all but MT where a callset has none), F, and copies of X and Y."""
    row, region = table.column("sample").to_numpy(), np.array(table.column("region").to_pylist(), object)

    def over(name: str, regions: Iterable[str]) -> np.ndarray:
        chosen = np.isin(region, list(regions))
        return np.bincount(row[chosen], table.column(name).to_numpy()[chosen].astype(np.float64), samples)

    anywhere = [name for name in genome.REGIONS if name != "mt"]
    covered = AUTOSOMES if over("n_bases", AUTOSOMES).any() else anywhere
    bases = over("n_bases", covered)
    found = {"mean_coverage": _over(over("depth_sum", covered), bases)}
    found |= {name: over(name, anywhere) for name in ("n_bases_1x", "n_bases_20x") if name in table.column_names}
    for depth in (10, 20, 30):
        found[f"coverage_{depth}x"] = _over(over(f"n_bases_{depth}x", covered), bases)
    expected = over("f_expected_nano", AUTOSOMES) / 1e9
    found["f_inbreeding"] = _over(over("n_f_hom", AUTOSOMES) - expected, over("n_f_called", AUTOSOMES) - expected)
    yardstick = ("chr20",) if over("n_bases", ("chr20",)).any() else AUTOSOMES
    depth_of_two = _over(over("depth_sum", yardstick), over("n_bases", yardstick))
    y_bases = over("n_bases", ("y",))
    most = y_bases.max(initial=0)
    y_bases = np.where(2 * y_bases < most, most, y_bases)  # of Y, files of women may say nothing
    for name, sex_depth, own in (
        ("x_ploidy", over("depth_sum", ("x",)), over("n_bases", ("x",))),
        ("y_ploidy", over("depth_sum", ("y",)), y_bases),
    ):
        found[name] = 2 * _over(_over(sex_depth, own), depth_of_two)
    return found


def _contamination(table: pa.Table, grid: np.ndarray, samples: int) -> np.ndarray:
    """Where the log-likelihood is highest: on the grid, and around it the top of the parabola through three points.

    The parabola is one of the root of the share, on which scale the log-likelihood is nearest to one.
    """
    found, roots = np.full(samples, np.nan), np.sqrt(grid)
    columns = (table.column(name).to_pylist() for name in ("sample", "n_sites", "grid"))
    for sample, n_sites, heights in zip(*columns, strict=True):
        if n_sites < SampleQcParams.min_contamination_sites:
            continue
        top = heights.index(max(heights))
        found[sample] = grid[top]
        if 0 < top < len(grid) - 1:
            (x0, x1, x2), (y0, y1, y2) = roots[top - 1 : top + 2], np.array(heights[top - 1 : top + 2]) / 1e6
            # Newton's divided differences: y = y0 + slope (x - x0) + bend (x - x0) (x - x1)
            slope = (y1 - y0) / (x1 - x0)
            bend = ((y2 - y1) / (x2 - x1) - slope) / (x2 - x0)
            if bend < 0:
                found[sample] = ((x0 + x1) / 2 - slope / (2 * bend)) ** 2
    return found


def _karyotypes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The nearest whole copies of X and Y, in the cohort's own unit: X of those with two, Y of those with one."""
    with np.errstate(invalid="ignore"):
        two = x[(y < 0.5) & (abs(x - 2) < 0.5)]
        one = y[(abs(y - 1) < 0.5) & (abs(x - 1) < 0.5)]
    x_unit = float(np.median(two)) / 2 if len(two) >= CLUSTER else 1.0
    y_unit = float(np.median(one)) if len(one) >= CLUSTER else 1.0
    words: list[str | None] = []
    for copies_x, copies_y in zip((x / x_unit).tolist(), (y / y_unit).tolist(), strict=True):
        if np.isnan(copies_x) or np.isnan(copies_y):
            words.append(None)
        else:
            word = "X" * round(copies_x) + "Y" * round(copies_y)
            words.append("X0" if word == "X" else word)
    return np.array(words, object)


def read_measured(path: str, samples: Sequence[str]) -> Metrics:
    """Metrics that a sequencing centre measured, in the order of `samples`; they stand in for a callset's own."""
    table = read_table(path, "table of measured metrics")
    ids = [name for name in SAMPLE_COLUMNS if name in table.column_names]
    if not ids:
        raise InputError(
            f"the table of measured metrics has no column of ids. Call it one of {', '.join(SAMPLE_COLUMNS)}."
        )
    row_of = {str(sample): row for row, sample in enumerate(table.column(ids[0]).to_pylist())}
    rows = [row_of.get(sample, -1) for sample in samples]
    found: Metrics = {}
    for column in table.column_names:
        metric = MEASURED_NAMES.get(column, column)
        if metric in METRICS["samples"] and metric not in TEXT_METRICS:
            texts = [*table.column(column).to_pylist(), None]
            found[metric] = np.array([_number(texts[row]) for row in rows], np.float64)
    return found


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:  # empty, None, NA
        return float("nan")


def stated_sexes(callset: Callset) -> list[str | None]:
    """The sexes of the samples table, None for unknown."""
    return [None if sex == "unknown" else sex for sex in callset.stated_sexes()]
